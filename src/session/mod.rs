//! One client's session: statements in, replies out.
//!
//! A statement is parsed, planned over the names that its transaction sees, guarded with the rights
//! of the session's role, and run. The tenant is fixed when the session opens and nothing changes it.

mod acting;
mod advisory;
mod audit;
mod block;
mod catalogs;
mod channels;
mod command;
mod constant;
mod copy_sink;
mod cursor;
mod deferred;
mod directory;
mod engine;
mod foreign;
mod keys;
mod lent_enums;
pub mod login;
mod names;
mod notify;
mod opener;
mod peer;
mod prepared;
mod registry;
mod relation_sizes;
mod reload;
pub mod reply;
mod reports;
mod scope;
mod sequences;
pub mod settings;
mod share;
mod spool;
mod start;
mod state;
mod transaction;
mod write;

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::execution::SessionState;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tessera_catalog::id::Oid;
use tessera_catalog::locks::Owner;

pub use audit::write_lines;
pub use channels::{Channels, Mailbox, Notification};
pub use directory::{CatalogDirectory, SYSTEM_DATABASE};
pub use engine::{Engine, EngineLimits};
pub use peer::{Peer, TlsSession};
pub use prepared::Prepared;
pub use registry::{Activity, Entry, Registry};
pub use reply::*;
pub use share::CopyPace;
pub use transaction::Status;
pub use write::FailedRow;

pub use crate::execute::{Cpu, Fair, Interrupt, Limits};
pub(crate) use crate::execute::{bounded, give_way, go_first};
pub use crate::planner::ast::Statement;
pub use crate::planner::placed;

use crate::auth::Login;
use crate::error::{Error, Result};
use crate::execute::{Execution, Meter, Moments, Observed};
use crate::format::Display;
use crate::planner;
use crate::planner::ast::Body;
use acting::FormerRole;
use advisory::Advisory;
use channels::Outgoing;
use lent_enums::LentEnums;
use prepared::PreparedStatements;
use settings::Settings;
use transaction::{PendingPart, Transaction};

/// A client's session.
pub struct Session {
    pub(crate) engine: Arc<Engine>,
    login: Login,
    /// The role whose rights count: the one that logged in, or that SET ROLE named.
    role: Oid,
    role_name: String,
    /// The role before the transaction changed it.
    former_role: Option<FormerRole>,
    settings: Arc<Mutex<Settings>>,
    transaction: Transaction,
    /// What COPY has written since the session last looked.
    inbox: Arc<Mutex<Vec<PendingPart>>>,
    prepared: PreparedStatements,
    cursors: cursor::Cursors,
    /// What `currval` and `lastval` answer.
    sequences: Arc<Mutex<sequences::Memory>>,
    notices: Vec<Notice>,
    reported: Vec<(String, String)>,
    /// Who the session is to those who wait for its locks.
    owner: Option<Owner>,
    advisory: Advisory,
    /// What queries have sent since the session last looked.
    outbox: Arc<Mutex<Outgoing>>,
    mailbox: Arc<Mailbox>,
    interrupt: Interrupt,
    peer: Peer,
    entry: Option<Arc<Entry>>,
    audit: audit::Trail,
    /// What it shares with the other sessions of its database; an operator's share is the system's.
    share: Arc<share::Share>,
    terms: Arc<share::Terms>,
    /// Its place among the statements that run, from one ReadyForQuery to the next.
    slot: Option<share::Slot>,
    meter: Arc<Meter>,
    state: Option<(Display, Arc<SessionState>)>,
    lent_enums: LentEnums,
    /// Where EXPLAIN ANALYZE looks at what it runs.
    observed: Option<Observed>,
    /// Grows whenever names may mean something else than before.
    version: u64,
}

impl Session {
    /// Splits a text into statements.
    ///
    /// # Errors
    /// A syntax error with its position.
    pub fn parse(&self, text: &str) -> Result<Vec<Statement>> {
        let statements = planner::parse(text)?;
        Ok(statements
            .into_iter()
            .filter(|s| !matches!(s.body, Body::Empty))
            .collect())
    }

    /// The statement of an empty text.
    pub fn prepare_empty(&self) -> Arc<Prepared> {
        let statement = Statement {
            text: Arc::from(""),
            body: Body::Empty,
        };
        Arc::new(Prepared {
            statement,
            parameters: Vec::new(),
            columns: None,
            plan: None,
        })
    }

    /// Plans a statement far enough to describe it; `declared` are its parameters' types, 0 unknown.
    ///
    /// # Errors
    /// Names that mean nothing, types that do not fit.
    pub async fn prepare(
        &mut self,
        statement: Statement,
        declared: &[u32],
    ) -> Result<Arc<Prepared>> {
        self.check_aborted(&statement.body)?;
        self.audit_begin(&statement);
        self.start_statement();
        let cpu = self.engine.fair.statement(&self.share.cpu);
        cpu.turn().await;
        cpu.counting(command::prepare(self, statement, declared))
            .await
            .map(Arc::new)
    }

    /// Keeps a statement under a name.
    ///
    /// # Errors
    /// 42P05 when the name is taken, 53400 beyond the limit.
    pub fn store_prepared(&mut self, name: &str, prepared: Arc<Prepared>) -> Result<()> {
        self.prepared.store(name, prepared, None)
    }

    /// The columns of an open cursor, which is a portal too.
    ///
    /// # Errors
    /// 34000 when there is none.
    pub fn cursor_columns(&self, name: &str) -> Result<Columns> {
        self.cursors
            .columns(name)
            .map_err(|_| Error::NoSuchPortal(name.to_owned()))
    }

    /// Closes a cursor by the protocol; none of that name is no error.
    pub fn close_cursor(&mut self, name: &str) {
        let _ = self.cursors.close(name);
    }

    /// A statement by name.
    ///
    /// # Errors
    /// 26000 when there is none.
    pub fn prepared(&self, name: &str) -> Result<Arc<Prepared>> {
        self.prepared.get(name)
    }

    /// Refuses to take values for a statement that cannot run now.
    ///
    /// # Errors
    /// 25P02 in a transaction that failed.
    pub fn check_bound(&self, prepared: &Prepared) -> Result<()> {
        self.check_aborted(&prepared.statement.body)
    }

    /// The statement as it is planned now.
    ///
    /// # Errors
    /// 0A000 when its columns are no longer those that the client was told, and whatever planning meets.
    pub async fn current(&mut self, prepared: Arc<Prepared>) -> Result<Arc<Prepared>> {
        let mut types = prepared.parameters.iter();
        let worded = types.any(|sql_type| sql_type.enum_oid().is_some());
        if prepared.plan.is_none() && !worded {
            return Ok(prepared);
        }
        self.start_statement();
        let cpu = self.engine.fair.statement(&self.share.cpu);
        cpu.counting(command::current(self, prepared)).await
    }

    /// Forgets a statement; none of that name is no error.
    pub fn close_prepared(&mut self, name: &str) {
        self.prepared.remove(name);
    }

    /// Runs a statement; its rows may go on coming after this returns.
    ///
    /// # Errors
    /// Whatever the statement meets.
    pub fn execute<'a>(
        &'a mut self,
        prepared: &'a Arc<Prepared>,
        parameters: Vec<ScalarValue>,
    ) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(async move {
            self.check_aborted(&prepared.statement.body)?;
            self.interrupt.clear();
            self.interrupt.check()?;
            self.start_statement();
            self.show_activity("active", Some(&prepared.statement.text));
            let timeout = self.settings.lock().number("statement_timeout");
            let timeout = u64::try_from(timeout).unwrap_or_default();
            let terms = self.terms().await?;
            self.meter = self.new_meter(&terms);
            let limits = Limits::starting_now(terms.statement_time_ms(timeout));
            let interrupt = self.interrupt.clone();
            let cpu = self.cpu();
            let work = cpu.counting(async {
                self.admit(&prepared.statement.body, &terms).await?;
                command::run(self, prepared, parameters, limits).await
            });
            let done = crate::execute::bounded(work, limits, &interrupt).await;
            match done {
                Ok(reply) => Ok(self.answered(reply, &terms)),
                Err(error) => {
                    self.note_refusal(&error);
                    Err(error)
                }
            }
        })
    }

    /// Notices since the last call that the client wants to see.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        let wanted = self.settings.lock().value("client_min_messages");
        let level = |severity: &str| match severity {
            "WARNING" => 2,
            "NOTICE" => 1,
            _ => 0,
        };
        let least = match wanted.as_str() {
            "error" => 3,
            "warning" => 2,
            "notice" => 1,
            _ => 0,
        };
        self.notices.extend(self.advisory.take_notices());
        let notices = std::mem::take(&mut self.notices);
        notices
            .into_iter()
            .filter(|notice| level(notice.severity) >= least)
            .collect()
    }

    /// Where messages of NOTIFY arrive.
    pub fn mailbox(&self) -> Arc<Mailbox> {
        Arc::clone(&self.mailbox)
    }

    /// Reported settings that changed since the last call.
    pub fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        let now = self.settings.lock().reported();
        if now == self.reported {
            return Vec::new();
        }
        let changed = now
            .iter()
            .filter(|entry| !self.reported.contains(entry))
            .cloned()
            .collect();
        self.reported = now;
        changed
    }

    /// The settings that a client is told at the start.
    pub fn initial_parameters(&self) -> Vec<(String, String)> {
        self.reported.clone()
    }

    /// A setting's value in force; empty if there is none of that name.
    pub fn setting(&self, name: &'static str) -> String {
        self.settings.lock().value(name)
    }

    /// Where work of the present statement runs.
    pub fn cpu(&self) -> Cpu {
        self.meter.cpu().clone()
    }

    /// How values are written and read.
    pub fn display(&self) -> Display {
        self.settings.lock().display()
    }

    /// The handle by which others end what the session does.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Who the session is to those who wait for its locks.
    fn owner(&mut self) -> Owner {
        let (database, pid) = (self.login.database, self.peer.pid);
        let locks = self.engine.catalog.locks();
        *self.owner.get_or_insert_with(|| locks.owner(database, pid))
    }

    fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// What a guarded plan of this session runs with.
    fn execution(&self, state: &Arc<SessionState>, limits: Limits) -> Execution {
        Execution {
            state: Arc::clone(state),
            meter: Arc::clone(&self.meter),
            limits,
            interrupt: self.interrupt.clone(),
            moments: self.moments(),
            observed: None,
        }
    }

    /// What the functions of the current time answer in a statement that starts now.
    fn moments(&self) -> Moments {
        Moments::starting_now(self.transaction.started_at)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.advisory.close();
        self.engine
            .channels
            .leave(self.login.database, &self.mailbox);
        if self.entry.is_some() {
            self.engine.registry.remove(self.peer.pid);
        }
    }
}
