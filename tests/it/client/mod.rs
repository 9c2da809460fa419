//! A client that shows every message of PostgreSQL's protocol.
//!
//! Drivers hide what the wire tests are about: which message came when, what a field holds, what
//! follows an error. This one speaks the protocol itself over a blocking socket and hides nothing.
//! It knows no SQL.

mod aside;
mod message;
mod statement;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::frontend;

pub(crate) use aside::{A_WHILE, send};
pub(crate) use message::*;
pub(crate) use statement::bind;

/// How long a test waits for a single message before it fails.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// What a connection runs over: a socket, or TLS on one.
trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A connection.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    socket: TcpStream,
    binding: Option<Vec<u8>>,
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) process_id: i32,
    pub(crate) secret_key: Vec<u8>,
    /// Notices that came outside a reply.
    pub(crate) notices: Vec<ServerError>,
    /// What the server asked for and said while logging in, as tags; for comparing exchanges.
    pub(crate) login_trace: String,
}

impl Client {
    /// Opens a socket and says nothing.
    pub(crate) fn dial(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self {
            socket: stream.try_clone()?,
            stream: Box::new(stream),
            binding: None,
            parameters: BTreeMap::new(),
            process_id: 0,
            secret_key: Vec::new(),
            notices: Vec::new(),
            login_trace: String::new(),
        })
    }

    /// Asks for TLS and wraps the socket by it. With a binding, a hash of the server's certificate,
    /// the login that follows is bound to this channel.
    pub(crate) fn start_tls<T>(
        &mut self,
        wrap: impl FnOnce(TcpStream) -> T,
        binding: Option<Vec<u8>>,
    ) where
        T: Read + Write + Send + 'static,
    {
        self.send(|buf| {
            frontend::ssl_request(buf);
            Ok(())
        });
        assert_eq!(self.read_byte(), b'S', "the server offers TLS");
        self.start_tls_directly(wrap, binding);
    }

    /// Wraps the socket by TLS without asking, as `sslnegotiation=direct` does.
    pub(crate) fn start_tls_directly<T>(
        &mut self,
        wrap: impl FnOnce(TcpStream) -> T,
        binding: Option<Vec<u8>>,
    ) where
        T: Read + Write + Send + 'static,
    {
        let socket = self.socket.try_clone().expect("the socket can be shared");
        self.stream = Box::new(wrap(socket));
        self.binding = binding;
    }

    /// Logs in with further start-up parameters.
    pub(crate) fn login(
        address: &str,
        database: &str,
        user: &str,
        password: &str,
        options: &[(&str, &str)],
    ) -> Result<Self, ServerError> {
        let mut client = Self::dial(address).expect("the server accepts connections");
        client.log_in(database, user, password, options)?;
        Ok(client)
    }

    /// Logs in on an open socket. On failure `login_trace` tells how far it came.
    pub(crate) fn log_in(
        &mut self,
        database: &str,
        user: &str,
        password: &str,
        options: &[(&str, &str)],
    ) -> Result<(), ServerError> {
        let mut parameters = vec![
            ("user", user),
            ("database", database),
            ("client_encoding", "UTF8"),
        ];
        parameters.extend(options);
        self.send(|buf| frontend::startup_message(parameters, buf));
        let binding = match &self.binding {
            Some(hash) => ChannelBinding::tls_server_end_point(hash.clone()),
            None => ChannelBinding::unsupported(),
        };
        let mut scram = ScramSha256::new(password.as_bytes(), binding);
        loop {
            let message = self.read();
            self.login_trace.push(message.tag);
            match message.tag {
                'R' => self.authenticate(&message.body, &mut scram, password),
                'S' | 'N' => self.note(&message),
                'K' => {
                    self.process_id =
                        i32::from_be_bytes(message.body[..4].try_into().expect("4 bytes"));
                    self.secret_key = message.body[4..].to_vec();
                }
                'Z' => return Ok(()),
                'E' => return Err(error_fields(&message.body)),
                'v' => {}
                other => panic!("unexpected message {other} while logging in"),
            }
        }
    }

    fn authenticate(&mut self, body: &[u8], scram: &mut ScramSha256, password: &str) {
        let kind = i32::from_be_bytes(body[..4].try_into().expect("4 bytes"));
        self.login_trace.push_str(&kind.to_string());
        match kind {
            0 => {}
            3 => self.send(|buf| frontend::password_message(password.as_bytes(), buf)),
            10 => {
                let first = scram.message().to_vec();
                let mechanism = if self.binding.is_some() {
                    SCRAM_SHA_256_PLUS
                } else {
                    SCRAM_SHA_256
                };
                self.send(|buf| frontend::sasl_initial_response(mechanism, &first, buf));
            }
            11 => {
                scram.update(&body[4..]).expect("a server-first message");
                let last = scram.message().to_vec();
                self.send(|buf| frontend::sasl_response(&last, buf));
            }
            12 => scram.finish(&body[4..]).expect("the server proves itself"),
            other => panic!("unexpected authentication request {other}"),
        }
    }

    /// Sends what the closure writes.
    pub(crate) fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) {
        let mut buf = BytesMut::new();
        write(&mut buf).expect("the message fits");
        self.send_bytes(&buf);
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .expect("the server takes the message");
    }

    /// Sends bytes that the server may refuse to take.
    pub(crate) fn try_send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads one message; None once the server has closed the connection.
    pub(crate) fn try_read(&mut self) -> io::Result<Option<Message>> {
        let mut head = [0; 5];
        match self.stream.read_exact(&mut head) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        let length = u32::from_be_bytes(head[1..].try_into().expect("4 bytes"));
        let mut body = vec![0; length as usize - 4];
        self.stream.read_exact(&mut body)?;
        Ok(Some(Message {
            tag: head[0] as char,
            body,
        }))
    }

    /// Reads one byte, as the answer to SSLRequest is.
    pub(crate) fn read_byte(&mut self) -> u8 {
        let mut byte = [0];
        self.stream
            .read_exact(&mut byte)
            .expect("the server answers");
        byte[0]
    }

    /// Reads bytes as they are, up to the close or to a silence as long as the time-out.
    pub(crate) fn read_to_close(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.stream.read_to_end(&mut bytes);
        bytes
    }

    pub(crate) fn set_read_timeout(&mut self, timeout: Duration) {
        self.socket
            .set_read_timeout(Some(timeout))
            .expect("a time-out can be set");
    }

    /// Reads one message.
    pub(crate) fn read(&mut self) -> Message {
        self.try_read()
            .expect("the server answers in time")
            .expect("the connection stays open")
    }

    fn note(&mut self, message: &Message) {
        if message.tag == 'S' {
            let mut parts = message
                .body
                .split(|&byte| byte == 0)
                .map(|part| String::from_utf8_lossy(part).into_owned());
            let name = parts.next().unwrap_or_default();
            self.parameters
                .insert(name, parts.next().unwrap_or_default());
        } else {
            self.notices.push(error_fields(&message.body));
        }
    }

    /// Reads up to ReadyForQuery, or to the close of the connection, whose status is `-`.
    pub(crate) fn reply(&mut self) -> Reply {
        let mut reply = Reply::default();
        let mut open = Answer::default();
        loop {
            let Some(message) = self.try_read().expect("the server answers in time") else {
                reply.status = '-';
                return reply;
            };
            if message.tag != 'S' && message.tag != 'N' {
                reply.trace.push(message.tag);
            }
            match message.tag {
                'T' => open.columns = columns(&message.body),
                'D' => open.rows.push(values(&message.body)),
                'C' => {
                    open.tag = Some(
                        String::from_utf8_lossy(&message.body[..message.body.len() - 1])
                            .into_owned(),
                    );
                    reply.answers.push(std::mem::take(&mut open));
                }
                'I' | 's' => reply.answers.push(std::mem::take(&mut open)),
                'E' => {
                    reply.error = Some(error_fields(&message.body));
                    open = Answer::default();
                }
                'S' => self.note(&message),
                'N' => reply.notices.push(error_fields(&message.body)),
                'G' | 'W' => return reply,
                'Z' => {
                    reply.status = message.body[0] as char;
                    if !open.columns.is_empty() {
                        reply.answers.push(open);
                    }
                    return reply;
                }
                _ => {}
            }
        }
    }
}
