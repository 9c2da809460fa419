//! The edges of a session's transactions: where one begins, is aborted, committed or rolled back.

use std::sync::atomic::Ordering;

use tessera_catalog::id::DatabaseId;

use super::channels::{Channels, Outgoing};
use super::transaction::{Isolation, Status};
use super::{Session, keys};
use crate::error::{Error, Result};
use crate::planner::ast::{Body, Transaction as TransactionStatement};

impl Session {
    /// Before the statements of one message: they share a transaction unless they say otherwise.
    pub fn begin_implicit_block(&mut self) {
        self.start_statement();
    }

    /// After them: what is not in an explicit transaction is committed or rolled back.
    ///
    /// # Errors
    /// 40001 and whatever a commit meets; nothing was committed then.
    pub async fn end_implicit(&mut self, ok: bool) -> Result<()> {
        self.absorb();
        let done = match self.transaction.status {
            Status::Implicit if ok => {
                let cpu = self.cpu();
                cpu.counting(self.commit()).await
            }
            Status::Implicit => {
                self.roll_back();
                Ok(())
            }
            Status::Idle | Status::Open | Status::Failed => Ok(()),
        };
        let state = match self.transaction.status {
            Status::Open => "idle in transaction",
            Status::Failed => "idle in transaction (aborted)",
            _ => "idle",
        };
        self.show_activity(state, None);
        self.slot = None;
        done
    }

    /// An error was sent: an explicit transaction is aborted by it.
    pub fn fail(&mut self, _error: &Error) {
        self.inbox.lock().clear();
        self.advisory.end_waits();
        *self.outbox.lock() = Outgoing::default();
        if self.transaction.status == Status::Open {
            self.transaction.status = Status::Failed;
        }
    }

    /// The letter of ReadyForQuery.
    pub fn status(&self) -> u8 {
        match self.transaction.status {
            Status::Idle | Status::Implicit => b'I',
            Status::Open => b'T',
            Status::Failed => b'E',
        }
    }

    /// How long the session may now wait for its client, and the error that ends it.
    pub fn idle_limit(&self) -> Option<(std::time::Duration, Error)> {
        if !matches!(self.transaction.status, Status::Open | Status::Failed) {
            return None;
        }
        let limit = self
            .settings
            .lock()
            .number("idle_in_transaction_session_timeout");
        let limit = u64::try_from(limit).ok().filter(|limit| *limit > 0)?;
        Some((
            std::time::Duration::from_millis(limit),
            Error::IdleInTransaction,
        ))
    }

    pub(super) fn start_statement(&mut self) {
        self.absorb();
        if self.transaction.status == Status::Idle {
            let settings = self.settings.lock();
            let isolation = isolation(&settings.value("default_transaction_isolation"));
            let read_only = settings.is_on("default_transaction_read_only");
            drop(settings);
            self.transaction
                .begin(Status::Implicit, isolation, read_only);
            self.transaction.number = self.engine.next_transaction(self.login.database);
            self.settings.lock().begin();
        }
    }

    /// Takes what COPY has written into the transaction.
    pub(super) fn absorb(&mut self) {
        let written = std::mem::take(&mut *self.inbox.lock());
        for part in written {
            self.transaction.write(part);
        }
    }

    /// Takes what queries have sent into the transaction.
    pub(super) fn absorb_outbox(&mut self) -> Result<()> {
        let sent = std::mem::take(&mut *self.outbox.lock());
        if sent.is_empty() {
            return Ok(());
        }
        self.transaction.outgoing().extend(sent)
    }

    pub(super) fn check_aborted(&self, body: &Body) -> Result<()> {
        let ends = matches!(
            body,
            Body::Empty
                | Body::Transaction(
                    TransactionStatement::Rollback { .. }
                        | TransactionStatement::Commit { .. }
                        | TransactionStatement::RollbackTo(_)
                )
        );
        if self.transaction.status == Status::Failed && !ends {
            return Err(Error::TransactionAborted);
        }
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        self.absorb();
        if let Err(error) = self.before_commit().await {
            self.roll_back();
            return Err(error);
        }
        let outgoing = std::mem::take(self.transaction.outgoing());
        let changed_names = self.transaction.is_dirty();
        let arbitrated = self.transaction.is_arbitrated();
        let _locks = self.transaction.take_locks();
        let foreign = self.transaction.foreign_names();
        let mut commit = self.transaction.take_commit();
        let checked = self.check_commit(&commit).await;
        let written = match checked {
            Ok(written) => written,
            Err(error) => {
                self.note_refusal(&error);
                self.transaction.restore_temporary();
                self.roll_back();
                return Err(error);
            }
        };
        self.audit_writes(&mut commit);
        let changes_system = commit
            .databases
            .iter()
            .any(|change| change.base.id == DatabaseId::System);
        let changes = !commit.databases.is_empty() || !commit.parts.is_empty();
        let done = if !changes && commit.audit.is_empty() {
            Ok(())
        } else {
            let claimants = keys::Claimants::of(&commit, foreign);
            let catalog = self.engine.catalog.clone();
            match catalog.commit(commit).await {
                Ok(()) => Ok(()),
                // What ON CONFLICT was to do with the other's row is not known here.
                Err(tessera_catalog::Error::KeyTaken { .. }) if arbitrated => {
                    Err(Error::Serialization)
                }
                Err(error) => Err(claimants.explain(&catalog, error).await),
            }
        };
        match &done {
            Ok(()) => {
                let counters = &self.share.counters;
                counters
                    .rows_written
                    .fetch_add(written.rows, Ordering::Relaxed);
                counters
                    .bytes_written
                    .fetch_add(written.bytes, Ordering::Relaxed);
                if changes_system {
                    self.engine.refresh_shares();
                }
                let (database, pid) = (self.login.database, self.peer.pid);
                let channels = &self.engine.channels;
                channels.deliver(database, pid, &self.mailbox, outgoing);
            }
            Err(_) => self.transaction.restore_temporary(),
        }
        self.advisory.roll_back_to(0);
        self.settings.lock().end(done.is_ok());
        self.end_role(done.is_ok());
        self.cursors.end_transaction(done.is_ok());
        if changed_names {
            self.version += 1;
        }
        done
    }

    /// Keeps a message until the transaction is committed, after what queries have sent.
    pub(super) fn notify(&mut self, channel: &str, payload: &str) -> Result<()> {
        self.absorb_outbox()?;
        self.transaction.outgoing().notify(channel, payload)
    }

    /// What may still stop a commit on the session's side.
    async fn before_commit(&mut self) -> Result<()> {
        self.check_deferred(None).await?;
        self.cursors.hold().await?;
        self.absorb_outbox()?;
        let outgoing = self.transaction.outgoing();
        let channels = &self.engine.channels;
        channels.check_room(self.login.database, outgoing)?;
        Channels::check_listens(&self.mailbox, outgoing)
    }

    pub(super) fn roll_back(&mut self) {
        self.inbox.lock().clear();
        *self.outbox.lock() = Outgoing::default();
        self.advisory.end_waits();
        self.advisory.roll_back_to(0);
        if self.transaction.is_dirty() {
            self.version += 1;
        }
        self.transaction.roll_back();
        self.settings.lock().end(false);
        self.end_role(false);
        self.cursors.end_transaction(false);
    }
}

/// The isolation that a level's name stands for.
pub(super) fn isolation(level: &str) -> Isolation {
    match level {
        "serializable" => Isolation::Serializable,
        "repeatable read" => Isolation::RepeatableRead,
        _ => Isolation::ReadCommitted,
    }
}
