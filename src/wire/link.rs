//! The connection's bytes: reading whole messages within limits, and writing with back-pressure.
//!
//! Knows frames, not what is in them.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures::FutureExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::frontend;
use crate::error::{Error, Result};
use crate::session::Interrupt;

/// The longest start-up packet and the longest message before login, as in PostgreSQL.
pub(super) const MAX_STARTUP_BYTES: usize = 10_000;

/// Output is sent when it has grown to this.
const FLUSH_BYTES: usize = 64 * 1024;

/// A buffer that has grown beyond this is given back once it is empty.
const KEEP_BYTES: usize = 256 * 1024;

/// How much is read at once while messages are small.
const READ_BYTES: usize = 8 * 1024;

/// How much is read at once within a COPY or a long message.
const BULK_READ_BYTES: usize = 256 * 1024;

/// The socket, as it came or under TLS.
enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Closed,
}

/// A client's connection.
pub(super) struct Link {
    socket: Socket,
    input: BytesMut,
    pub(super) out: Vec<u8>,
    max_message_bytes: usize,
    /// What is still to come of a CopyData message that was begun.
    copy_left: usize,
    interrupt: Option<Interrupt>,
}

/// What comes while the server reads a COPY.
#[derive(Debug)]
pub(super) enum CopyEvent {
    Data(Bytes),
    Done,
    Fail(String),
}

impl Link {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            socket: Socket::Plain(socket),
            input: BytesMut::new(),
            out: Vec::new(),
            max_message_bytes: MAX_STARTUP_BYTES,
            copy_left: 0,
            interrupt: None,
        }
    }

    /// Lets messages be longer once the client is known, and a blocked write end with the session.
    pub(super) fn log_in(&mut self, max_message_bytes: usize, interrupt: Interrupt) {
        self.max_message_bytes = max_message_bytes;
        self.interrupt = Some(interrupt);
    }

    /// Lets a message before login be so long, where one with a token is to come.
    pub(super) fn let_messages_be(&mut self, max_message_bytes: usize) {
        self.max_message_bytes = max_message_bytes;
    }

    /// The server's address that the client chose.
    pub(super) fn local_address(&self) -> Option<IpAddr> {
        let socket = match &self.socket {
            Socket::Plain(socket) => socket,
            Socket::Tls(stream) => stream.get_ref().0,
            Socket::Closed => return None,
        };
        socket.local_addr().ok().map(|address| address.ip())
    }

    /// The first byte that the client sends, left where it is; `None` at the end.
    pub(super) async fn peek(&mut self) -> Result<Option<u8>> {
        let mut byte = [0];
        match &mut self.socket {
            Socket::Plain(socket) => match socket.peek(&mut byte).await {
                Ok(1) => Ok(Some(byte[0])),
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Whether bytes lie here that the client sent before it knew our answer.
    pub(super) fn has_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Goes on under TLS. What the client sent before in plain text is refused by the caller.
    pub(super) async fn start_tls(&mut self, acceptor: &TlsAcceptor) -> Result<()> {
        let Socket::Plain(socket) = std::mem::replace(&mut self.socket, Socket::Closed) else {
            return Err(Error::Protocol("TLS is in use already".to_owned()));
        };
        let stream = acceptor.accept(socket).await.map_err(|error| {
            tracing::info!(%error, "TLS could not be agreed on");
            Error::ConnectionLost
        })?;
        self.socket = Socket::Tls(Box::new(stream));
        Ok(())
    }

    /// The TLS connection, if there is one.
    pub(super) fn tls(&self) -> Option<&rustls::ServerConnection> {
        match &self.socket {
            Socket::Tls(stream) => Some(stream.get_ref().1),
            Socket::Plain(_) | Socket::Closed => None,
        }
    }

    /// Reads a packet without a tag, as the start of a connection has; `None` if the client left.
    pub(super) async fn read_packet(&mut self) -> Result<Option<Bytes>> {
        while self.input.len() < 4 {
            if !self.fill(READ_BYTES).await? {
                return Ok(None);
            }
        }
        let length = (&self.input[..4]).get_u32() as usize;
        if !(8..=MAX_STARTUP_BYTES).contains(&length) {
            // Whoever that is does not speak the protocol, and is told nothing, as by PostgreSQL.
            tracing::info!(length, "invalid length of startup packet");
            return Err(Error::ConnectionLost);
        }
        while self.input.len() < length {
            if !self.fill(READ_BYTES).await? {
                return Ok(None);
            }
        }
        self.input.advance(4);
        Ok(Some(self.input.split_to(length - 4).freeze()))
    }

    /// Reads one message: its tag and body; `None` if the client left.
    ///
    /// Data of a COPY that has ended is skipped as it comes, whatever its length.
    pub(super) async fn read_message(&mut self) -> Result<Option<(u8, Bytes)>> {
        loop {
            if self.copy_left > 0 {
                let skipped = self.copy_left.min(self.input.len());
                self.input.advance(skipped);
                self.copy_left -= skipped;
            }
            if self.copy_left == 0
                && let Some((tag, length)) = self.header()?
            {
                if tag == b'd' {
                    self.input.advance(5);
                    self.copy_left = length - 4;
                    continue;
                }
                if self.input.len() > length {
                    self.input.advance(5);
                    return Ok(Some((tag, self.input.split_to(length - 4).freeze())));
                }
            }
            let wanted = if self.input.len() > READ_BYTES {
                BULK_READ_BYTES
            } else {
                READ_BYTES
            };
            if !self.fill(wanted).await? {
                return Ok(None);
            }
        }
    }

    /// Reads what comes next of a COPY; data in pieces as they arrive.
    pub(super) async fn read_copy(&mut self) -> Result<CopyEvent> {
        loop {
            if self.copy_left > 0 && !self.input.is_empty() {
                let length = self.copy_left.min(self.input.len());
                self.copy_left -= length;
                return Ok(CopyEvent::Data(self.input.split_to(length).freeze()));
            }
            if self.copy_left == 0
                && let Some((tag, length)) = self.header()?
            {
                match tag {
                    b'd' => {
                        self.input.advance(5);
                        self.copy_left = length - 4;
                        continue;
                    }
                    b'c' | b'f' | b'H' | b'S' if self.input.len() > length => {
                        self.input.advance(5);
                        let body = self.input.split_to(length - 4).freeze();
                        match frontend::decode(tag, body)? {
                            frontend::Message::CopyDone => return Ok(CopyEvent::Done),
                            frontend::Message::CopyFail(why) => return Ok(CopyEvent::Fail(why)),
                            _ => continue,
                        }
                    }
                    b'c' | b'f' | b'H' | b'S' => {}
                    other => {
                        let message =
                            format!("unexpected message type 0x{other:02X} during COPY from stdin");
                        return Err(Error::Protocol(message));
                    }
                }
            }
            if !self.fill(BULK_READ_BYTES).await? {
                return Err(Error::ConnectionLost);
            }
        }
    }

    /// The tag and length of the next message, once they are here and found possible.
    fn header(&self) -> Result<Option<(u8, usize)>> {
        if self.input.len() < 5 {
            return Ok(None);
        }
        let tag = self.input[0];
        let length = (&self.input[1..5]).get_u32() as usize;
        if !frontend::is_known(tag) {
            return Err(Error::BrokenProtocol(format!(
                "invalid frontend message type {tag}"
            )));
        }
        // The data of a COPY is taken in pieces, so its length is bound by the protocol alone.
        let most = if tag == b'd' && self.interrupt.is_some() {
            i32::MAX as usize
        } else {
            self.max_message_bytes
        };
        if length < 4 || length > most {
            return Err(Error::BrokenProtocol("invalid message length".to_owned()));
        }
        Ok(Some((tag, length)))
    }

    /// Reads what is there, at least a byte; false at the end of the connection.
    async fn fill(&mut self, wanted: usize) -> Result<bool> {
        if self.input.capacity() - self.input.len() < wanted / 2 {
            self.input.reserve(wanted);
        }
        match self.socket.read_buf(&mut self.input).await {
            Ok(0) => Ok(false),
            Ok(_) => Ok(true),
            Err(error) => {
                tracing::debug!(%error, "the client's connection broke");
                Ok(false)
            }
        }
    }

    /// Sends what is buffered if it has grown large.
    pub(super) async fn flush_if_large(&mut self) -> Result<()> {
        if self.out.len() >= FLUSH_BYTES {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// Sends what is buffered, waiting as long as the client takes it slowly.
    pub(super) async fn flush(&mut self) -> Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.out);
        let sent = self.send(&bytes).await;
        self.out = bytes;
        self.out.clear();
        if self.out.capacity() > KEEP_BYTES {
            self.out = Vec::new();
        }
        sent
    }

    /// Sends bytes after what is buffered, without copying them.
    pub(super) async fn write(&mut self, bytes: Vec<u8>) -> Result<()> {
        if bytes.len() < FLUSH_BYTES {
            self.out.extend_from_slice(&bytes);
            return self.flush_if_large().await;
        }
        self.flush().await?;
        self.send(&bytes).await
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let interrupt = self.interrupt.clone();
        let socket = &mut self.socket;
        let write = async move {
            socket.write_all(bytes).await?;
            socket.flush().await
        };
        let result = match interrupt {
            Some(interrupt) => tokio::select! {
                biased;
                result = write => result,
                () = interrupt.terminated() => return Err(Error::ConnectionLost),
            },
            None => write.await,
        };
        result.map_err(|_| Error::ConnectionLost)
    }

    /// Whether the client has gone, as far as the network tells.
    pub(super) fn is_closed(&self) -> bool {
        let socket = match &self.socket {
            Socket::Plain(socket) => socket,
            Socket::Tls(stream) => stream.get_ref().0,
            Socket::Closed => return true,
        };
        match socket.ready(Interest::READABLE).now_or_never() {
            Some(Ok(ready)) => ready.is_read_closed(),
            Some(Err(_)) => true,
            None => false,
        }
    }

    /// Sends what is buffered and ends the connection; a client that does not take it is left.
    pub(super) async fn close(mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        self.interrupt = None;
        let end = async {
            let _ = self.flush().await;
            let _ = self.socket.shutdown().await;
        };
        let _ = tokio::time::timeout(PATIENCE, end).await;
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Closed => Poll::Ready(Ok(())),
        }
    }
}
