//! One logged-in connection: reads messages, calls the session, keeps portals and the protocol's state.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;

use super::Gate;
use super::backend;
use super::copy;
use super::frontend::{self, Message};
use super::link::Link;
use super::portal::Portal;
use super::sqlstate::{SUCCESS, is_fatal, sqlstate};
use crate::error::{Error, Result};
use crate::session::{CopyIn, CopyOut, Interrupt, Session, bounded};

/// A logged-in connection.
pub(super) struct Connection {
    pub(super) link: Link,
    pub(super) session: Session,
    pub(super) portals: HashMap<String, Portal>,
    pub(super) watch: Watch,
    stopping: CancellationToken,
    /// An error was sent in the extended protocol: everything is skipped until Sync.
    skipping: bool,
    /// An error was sent since the last Sync.
    failed: bool,
    /// Messages of the extended protocol have come since the last ReadyForQuery.
    in_series: bool,
}

/// What of a COPY has left.
#[derive(Default)]
struct Sent {
    rows: u64,
    /// Of the rows themselves.
    bytes: u64,
}

/// Whether to read on.
enum Next {
    Continue,
    End,
}

impl Connection {
    pub(super) fn new(link: Link, session: Session, gate: &Gate) -> Self {
        let interrupt = session.interrupt();
        Self {
            link,
            session,
            portals: HashMap::new(),
            watch: Watch {
                interrupt,
                every: gate.settings.client_connection_check_interval,
            },
            stopping: gate.stopping.clone(),
            skipping: false,
            failed: false,
            in_series: false,
        }
    }

    /// Serves the client until it leaves or is ended.
    pub(super) async fn run(mut self) {
        match self.converse().await {
            Ok(()) | Err(Error::ConnectionLost) => {}
            Err(error) => {
                log(&error);
                backend::error_response(&mut self.link.out, &error, true);
            }
        }
        self.portals.clear();
        let _ = self.session.end_implicit(false).await;
        let Self { link, .. } = self;
        link.close().await;
    }

    async fn converse(&mut self) -> Result<()> {
        self.ready().await?;
        loop {
            let Some((tag, body)) = self.next().await? else {
                return Ok(());
            };
            let outcome = match frontend::decode(tag, body) {
                Ok(message) => self.handle(message).await,
                // A query that cannot be read is over; in the extended protocol Sync ends the error.
                Err(error) => self.refuse(tag, error).await,
            };
            match outcome? {
                Next::Continue => self.link.flush_if_large().await?,
                Next::End => return Ok(()),
            }
        }
    }

    /// The next message, or the error that ends a session that was idle.
    async fn next(&mut self) -> Result<Option<(u8, bytes::Bytes)>> {
        let limit = self.session.idle_limit();
        let interrupt = self.watch.interrupt.clone();
        let limited = async {
            match limit {
                Some((time, error)) => {
                    tokio::time::sleep(time).await;
                    error
                }
                None => std::future::pending().await,
            }
        };
        let mut limited = pin!(limited);
        let mailbox = self.session.mailbox();
        let idle = self.session.status() == b'I';
        loop {
            tokio::select! {
                biased;
                message = self.link.read_message() => return message,
                () = interrupt.terminated() => return Err(Error::Terminated),
                () = self.stopping.cancelled() => return Err(Error::Terminated),
                error = &mut limited => return Err(error),
                // Between transactions, and not while the client is amid a series of messages.
                () = mailbox.arrived(), if idle && !self.in_series => {}
            }
            self.send_notifications();
            self.link.flush().await?;
        }
    }

    /// Sends what others have notified the session of.
    fn send_notifications(&mut self) {
        for notification in self.session.mailbox().take() {
            backend::notification_response(&mut self.link.out, &notification);
        }
    }

    async fn handle(&mut self, message: Message) -> Result<Next> {
        self.in_series = true;
        match message {
            Message::Terminate => return Ok(Next::End),
            Message::Sync => self.sync().await?,
            _ if self.skipping => {}
            Message::Query(text) => {
                if let Err(error) = self.query(&text).await {
                    self.report(error).await?;
                    let _ = self.session.end_implicit(false).await;
                }
                self.failed = false;
                self.drop_finished_portals();
                self.ready().await?;
            }
            Message::Flush => self.link.flush().await?,
            // What was on its way when a COPY failed.
            Message::CopyData | Message::CopyDone | Message::CopyFail(_) => {}
            Message::Password => {
                return Err(Error::BrokenProtocol(
                    "unexpected password message".to_owned(),
                ));
            }
            other => {
                let done = match other {
                    Message::Parse { name, text, types } => self.parse(&name, &text, &types).await,
                    Message::Bind(bind) => self.bind(bind).await,
                    Message::Describe(target) => self.describe(&target),
                    Message::Execute { portal, max_rows } => self.execute(&portal, max_rows).await,
                    Message::Close(target) => self.close(&target),
                    // All others are taken above.
                    _ => Ok(()),
                };
                if let Err(error) = done {
                    self.report(error).await?;
                    self.skipping = true;
                    // The client may wait for the answer before it sends Sync.
                    self.link.flush().await?;
                }
            }
        }
        Ok(Next::Continue)
    }

    async fn refuse(&mut self, tag: u8, error: Error) -> Result<Next> {
        if self.skipping && tag != b'S' {
            return Ok(Next::Continue);
        }
        self.report(error).await?;
        if tag == b'Q' || tag == b'F' {
            let _ = self.session.end_implicit(false).await;
            self.ready().await?;
        } else {
            self.skipping = true;
            self.link.flush().await?;
        }
        Ok(Next::Continue)
    }

    async fn sync(&mut self) -> Result<()> {
        let ok = !self.failed;
        (self.skipping, self.failed) = (false, false);
        // Running portals hold what the transaction is made of.
        if !self.in_block() {
            self.portals.clear();
        }
        if let Err(error) = self.session.end_implicit(ok).await {
            self.report(error).await?;
            self.failed = false;
        }
        self.drop_finished_portals();
        self.ready().await
    }

    fn in_block(&self) -> bool {
        self.session.status() == b'T'
    }

    /// Portals live as long as the transaction that made them.
    fn drop_finished_portals(&mut self) {
        if !self.in_block() {
            self.portals.clear();
        }
    }

    /// Sends an error to the client and tells the session.
    ///
    /// # Errors
    ///
    /// The error itself if it ends the connection.
    pub(super) async fn report(&mut self, error: Error) -> Result<()> {
        if is_fatal(&error) {
            return Err(error);
        }
        log(&error);
        self.session.audit_refusal(&error).await;
        self.session.fail(&error);
        self.failed = true;
        self.send_notices();
        backend::error_response(&mut self.link.out, &error, false);
        Ok(())
    }

    async fn ready(&mut self) -> Result<()> {
        self.send_notices();
        for (name, value) in self.session.take_parameter_changes() {
            backend::parameter_status(&mut self.link.out, &name, &value);
        }
        self.in_series = false;
        if self.session.status() == b'I' {
            self.send_notifications();
        }
        backend::ready_for_query(&mut self.link.out, self.session.status());
        self.link.flush().await
    }

    pub(super) fn send_notices(&mut self) {
        for notice in self.session.take_notices() {
            backend::notice_response(&mut self.link.out, &notice);
        }
    }

    /// Sends the rows of a COPY and gives its command tag. How much left is recorded, also when an
    /// error or the client's leave ended it.
    pub(super) async fn copy_out(&mut self, copy: CopyOut) -> Result<String> {
        let mut sent = Sent::default();
        let done = self.send_copy(copy, &mut sent).await;
        let code = done.as_ref().err().map_or(SUCCESS, sqlstate);
        let recorded = self
            .session
            .audit_exported(sent.rows, sent.bytes, code)
            .await;
        done?;
        recorded?;
        backend::bare(&mut self.link.out, b'c');
        Ok(format!("COPY {}", sent.rows))
    }

    async fn send_copy(&mut self, copy: CopyOut, sent: &mut Sent) -> Result<()> {
        let display = self.session.display();
        let encoder = copy::Output::new(&copy, display)?;
        let binary = encoder.is_binary();
        backend::copy_response(&mut self.link.out, b'H', binary, copy.columns.len());
        encoder.begin(&mut self.link.out);
        let mut chunks = pin!(copy::encode(
            encoder.clone(),
            copy.batches,
            self.session.cpu()
        ));
        let pace = self.session.copy_pace();
        while let Some(chunk) = self.watch.next(&self.link, &mut chunks).await {
            let (mut bytes, rows) = chunk?;
            if sent.rows == 0 {
                encoder.put_header_before_first_row(&mut bytes);
            }
            let frames = copy::MESSAGE_HEAD * rows;
            sent.rows += rows;
            sent.bytes += (bytes.len() as u64).saturating_sub(frames);
            copy::pause(pace.pause(bytes.len()), &self.watch).await?;
            self.link.write(bytes).await?;
        }
        encoder.end(sent.rows == 0, &mut self.link.out);
        Ok(())
    }

    /// Takes the rows of a COPY and gives its command tag.
    pub(super) async fn copy_in(&mut self, copy: CopyIn) -> Result<String> {
        let display = self.session.display();
        let binary = copy.options.format == crate::session::CopyFormat::Binary;
        backend::copy_response(&mut self.link.out, b'G', binary, copy.columns.len());
        self.link.flush().await?;
        let CopyIn {
            relation,
            columns,
            options,
            limits,
            sink,
        } = copy;
        let source = copy::Source {
            relation,
            columns,
            options,
            display,
        };
        let handles = (self.session.cpu(), self.session.copy_pace());
        let taken = copy::receive(&mut self.link, source, sink, &self.watch, handles);
        // Whoever sends slowly, or nothing, holds locks and a place among the tenant's statements.
        let (rows, notices) = bounded(taken, limits, &self.watch.interrupt).await?;
        for notice in notices {
            backend::notice_response(&mut self.link.out, &notice);
        }
        Ok(format!("COPY {rows}"))
    }
}

/// Looks after the client while a statement runs.
#[derive(Clone)]
pub(super) struct Watch {
    pub(super) interrupt: Interrupt,
    every: Duration,
}

impl Watch {
    /// Runs work to its end; when the client has gone meanwhile, the work is told to stop.
    pub(super) async fn run<T: Send>(
        &self,
        link: &Link,
        work: impl Future<Output = T> + Send,
    ) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::time::sleep(self.every) => {
                    if link.is_closed() {
                        self.interrupt.terminate();
                    }
                }
            }
        }
    }

    /// The next item of a stream, as [`Watch::run`] waits for it.
    pub(super) async fn next<S>(&self, link: &Link, stream: &mut S) -> Option<S::Item>
    where
        S: Stream + Unpin + Send,
        S::Item: Send,
    {
        self.run(link, stream.next()).await
    }
}

/// Logs what only we can mend; the client is told no more than its kind.
fn log(error: &Error) {
    match error {
        Error::Internal(cause) => tracing::error!(%cause, "a statement failed by a fault of ours"),
        Error::StoreUnavailable(cause) => tracing::error!(%cause, "the object store failed"),
        Error::Damaged(table) => tracing::error!(table, "data is damaged"),
        Error::At { source, .. } | Error::Placed { source, .. } => log(source),
        _ => {}
    }
}
