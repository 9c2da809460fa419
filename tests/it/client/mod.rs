//! A client that shows every message of PostgreSQL's protocol.
//!
//! Drivers hide what the wire tests are about: which message came when, what a field holds, what
//! follows an error. This one speaks the protocol itself over a blocking socket and hides nothing.
//! It knows no SQL.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::frontend;

/// How long a test waits for a single message before it fails.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// One message of the server: its tag and its body without the length.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) tag: char,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.tag, String::from_utf8_lossy(&self.body))
    }
}

/// A column of a RowDescription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) table_oid: u32,
    pub(crate) number: i16,
    pub(crate) type_oid: u32,
    pub(crate) type_len: i16,
    pub(crate) typmod: i32,
    pub(crate) format: i16,
}

/// The fields of an ErrorResponse or NoticeResponse by their letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerError(pub(crate) BTreeMap<char, String>);

impl ServerError {
    pub(crate) fn field(&self, letter: char) -> &str {
        self.0.get(&letter).map_or("", String::as_str)
    }
    pub(crate) fn code(&self) -> &str {
        self.field('C')
    }
    pub(crate) fn message(&self) -> &str {
        self.field('M')
    }
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code(), self.message())
    }
}

impl std::error::Error for ServerError {}

/// A value as text or bytes, or NULL.
pub(crate) type Value = Option<Vec<u8>>;

/// What one statement answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Value>>,
    pub(crate) tag: Option<String>,
}

impl Answer {
    /// The rows as psql would show them, NULL as `NULL`.
    pub(crate) fn text(&self) -> Vec<Vec<String>> {
        self.rows
            .iter()
            .map(|row| row.iter().map(text).collect())
            .collect()
    }
}

fn text(value: &Value) -> String {
    value.as_ref().map_or_else(
        || "NULL".to_owned(),
        |bytes| String::from_utf8_lossy(bytes).into_owned(),
    )
}

/// Everything up to ReadyForQuery.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) answers: Vec<Answer>,
    pub(crate) error: Option<ServerError>,
    pub(crate) notices: Vec<ServerError>,
    /// `I`, `T` or `E`, as the last ReadyForQuery said.
    pub(crate) status: char,
    /// The tags of all messages in order.
    pub(crate) trace: String,
}

impl Reply {
    /// The rows of the last answer as text.
    #[track_caller]
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        assert!(self.error.is_none(), "unexpected error: {:?}", self.error);
        self.answers.last().map(Answer::text).unwrap_or_default()
    }

    /// The command tags in order.
    pub(crate) fn tags(&self) -> Vec<&str> {
        self.answers
            .iter()
            .filter_map(|answer| answer.tag.as_deref())
            .collect()
    }

    /// The error's SQLSTATE, or nothing.
    pub(crate) fn code(&self) -> &str {
        self.error.as_ref().map_or("", ServerError::code)
    }
}

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

    /// Runs text through the simple protocol.
    pub(crate) fn simple(&mut self, sql: &str) -> Reply {
        self.send(|buf| frontend::query(sql, buf));
        self.reply()
    }

    /// Runs text that must succeed and gives the last answer's rows.
    #[track_caller]
    pub(crate) fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let reply = self.simple(sql);
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
        reply.answers.last().map(Answer::text).unwrap_or_default()
    }

    /// Runs text that must succeed.
    #[track_caller]
    pub(crate) fn run(&mut self, sql: &str) {
        let reply = self.simple(sql);
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
    }

    /// Runs text that must give one value, and gives it.
    #[track_caller]
    pub(crate) fn value(&mut self, sql: &str) -> String {
        let mut rows = self.rows(sql);
        assert!(
            rows.len() == 1 && rows[0].len() == 1,
            "{sql}: not one value: {rows:?}"
        );
        rows.remove(0).remove(0)
    }

    /// Runs text that must fail and gives the error.
    #[track_caller]
    pub(crate) fn fail(&mut self, sql: &str) -> ServerError {
        let reply = self.simple(sql);
        reply
            .error
            .clone()
            .unwrap_or_else(|| panic!("{sql}: no error but {:?}", reply.answers))
    }

    /// Runs a statement with text parameters through the extended protocol; results in the format asked for.
    pub(crate) fn extended(
        &mut self,
        sql: &str,
        parameters: &[Option<&str>],
        format: i16,
    ) -> Reply {
        self.send(|buf| {
            frontend::parse("", sql, [], buf)?;
            bind("", "", parameters, format, buf)?;
            frontend::describe(b'P', "", buf)?;
            frontend::execute("", 0, buf)?;
            frontend::sync(buf);
            Ok(())
        });
        self.reply()
    }

    /// Sends COPY data in chunks, ends it and reads the reply.
    pub(crate) fn copy_in(&mut self, sql: &str, chunks: &[&[u8]]) -> Reply {
        let begin = self.simple(sql);
        if begin.error.is_some() {
            return begin;
        }
        assert!(
            begin.trace.ends_with('G'),
            "{sql}: no CopyInResponse but {}",
            begin.trace
        );
        for chunk in chunks {
            self.send(|buf| {
                frontend::CopyData::new(*chunk)?.write(buf);
                Ok(())
            });
        }
        self.send(|buf| {
            frontend::copy_done(buf);
            Ok(())
        });
        self.reply()
    }

    /// Runs COPY TO STDOUT and gives the bytes and the rest of the reply.
    pub(crate) fn copy_out(&mut self, sql: &str) -> (Vec<u8>, Reply) {
        self.send(|buf| frontend::query(sql, buf));
        let mut data = Vec::new();
        let mut reply = Reply::default();
        loop {
            let message = self.read();
            reply.trace.push(message.tag);
            match message.tag {
                'd' => data.extend_from_slice(&message.body),
                'E' => reply.error = Some(error_fields(&message.body)),
                'C' => reply.answers.push(Answer {
                    tag: Some(
                        String::from_utf8_lossy(&message.body[..message.body.len() - 1])
                            .into_owned(),
                    ),
                    ..Answer::default()
                }),
                'Z' => {
                    reply.status = message.body[0] as char;
                    return (data, reply);
                }
                _ => {}
            }
        }
    }
}

/// Writes a Bind with text parameters and one result format.
pub(crate) fn bind(
    portal: &str,
    statement: &str,
    parameters: &[Option<&str>],
    format: i16,
    buf: &mut BytesMut,
) -> io::Result<()> {
    let result = frontend::bind(
        portal,
        statement,
        [0],
        parameters,
        |parameter, buf| {
            Ok(match parameter {
                Some(text) => {
                    buf.extend_from_slice(text.as_bytes());
                    IsNull::No
                }
                None => IsNull::Yes,
            })
        },
        [format],
        buf,
    );
    result.map_err(|_| io::Error::other("the parameters do not fit"))
}

/// Takes an ErrorResponse or NoticeResponse apart.
pub(crate) fn error_fields(body: &[u8]) -> ServerError {
    let fields = body
        .split(|&byte| byte == 0)
        .filter(|field| !field.is_empty());
    ServerError(
        fields
            .map(|field| {
                (
                    field[0] as char,
                    String::from_utf8_lossy(&field[1..]).into_owned(),
                )
            })
            .collect(),
    )
}

/// Reads big-endian numbers off the front of a body.
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_at(N);
        self.0 = rest;
        head.try_into().expect("the length is N")
    }
    pub(crate) fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }
    pub(crate) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }
    pub(crate) fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let (head, rest) = self.0.split_at(length);
        self.0 = rest;
        head.to_vec()
    }
    pub(crate) fn string(&mut self) -> String {
        let end = self
            .0
            .iter()
            .position(|&byte| byte == 0)
            .expect("a terminated string");
        let text = String::from_utf8_lossy(&self.0[..end]).into_owned();
        self.0 = &self.0[end + 1..];
        text
    }
}

/// Takes a RowDescription apart.
pub(crate) fn columns(body: &[u8]) -> Vec<Column> {
    let mut cursor = Cursor(body);
    let count = cursor.i16();
    (0..count)
        .map(|_| Column {
            name: cursor.string(),
            table_oid: cursor.u32(),
            number: cursor.i16(),
            type_oid: cursor.u32(),
            type_len: cursor.i16(),
            typmod: cursor.i32(),
            format: cursor.i16(),
        })
        .collect()
}

/// Takes a DataRow apart.
pub(crate) fn values(body: &[u8]) -> Vec<Value> {
    let mut cursor = Cursor(body);
    let count = cursor.i16();
    (0..count)
        .map(|_| {
            let length = cursor.i32();
            usize::try_from(length)
                .ok()
                .map(|length| cursor.bytes(length))
        })
        .collect()
}
