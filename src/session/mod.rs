//! One client's session: statements in, replies out.
//!
//! A statement is parsed, planned over the names that its transaction sees, guarded with the rights
//! of the session's role, and run. The tenant is fixed when the session opens and nothing changes it.

mod advisory;
mod audit;
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
mod prepared;
mod registry;
mod relation_sizes;
mod reload;
pub mod reply;
mod reports;
mod sequences;
pub mod settings;
mod share;
mod spool;
mod state;
mod transaction;
mod write;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use datafusion::common::ScalarValue;
use datafusion::execution::SessionState;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::locks::Owner;
use tessera_catalog::model::{Quota, in_force};

pub use audit::write_lines;
pub use channels::{Channels, Mailbox, Notification};
pub use directory::{CatalogDirectory, SYSTEM_DATABASE};
pub use engine::{Engine, EngineLimits};
pub use prepared::Prepared;
pub use registry::{Activity, Entry, Registry};
pub use reply::*;
pub use share::CopyPace;
pub use transaction::Status;
pub use write::FailedRow;

pub use crate::execute::{Cpu, Fair, Interrupt};
pub(crate) use crate::execute::{give_way, go_first};
pub use crate::planner::ast::Statement;
pub use crate::planner::placed;

use crate::auth::Login;
use crate::error::{Error, Result};
use crate::execute::{Execution, Limits, Meter, Moments, Observed};
use crate::format::Display;
use crate::planner::ast::{Body, Transaction as TransactionStatement};
use crate::planner::{self, Scope};
use crate::policy::Caller;
use advisory::{Advisory, Locking};
use catalogs::{Catalogs, Viewer};
use channels::Outgoing;
use lent_enums::LentEnums;
use names::{Answers, Names, Signals};
use notify::Notifying;
use prepared::PreparedStatements;
use settings::Settings;
use transaction::{Isolation, PendingPart, Transaction};

/// How a client came.
#[derive(Debug, Clone)]
pub struct Peer {
    pub pid: i32,
    pub address: Option<std::net::SocketAddr>,
    pub tls: Option<TlsSession>,
}

/// What TLS was agreed on.
#[derive(Debug, Clone)]
pub struct TlsSession {
    pub version: String,
    pub cipher: String,
    /// The subject, the serial number and the issuer of the client's certificate, if it showed one.
    pub certificate: Option<(String, String, String)>,
}

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
    /// Opens a session for a login, with the settings that the client asked for.
    ///
    /// # Errors
    /// A setting that does not exist or cannot be set, or a catalog that cannot be read.
    pub async fn open(
        engine: Arc<Engine>,
        login: Login,
        startup: Vec<(String, String)>,
    ) -> Result<Self> {
        let mut settings = Settings::new();
        let system = engine.catalog.system();
        let tenant = login
            .database
            .tenant()
            .and_then(|id| system.tenants.get(&id).cloned());
        // Operators' statements run as long as they like, tenants' as long as the server allows.
        settings.set_default("statement_timeout", "0")?;
        settings.set_default("password_encryption", engine.logins.passwords.encryption)?;
        if !login.operator {
            for (name, value) in &engine.limits.tenant_settings {
                settings.set_default(name, value)?;
            }
        }
        for (name, value) in tenant.iter().flat_map(|tenant| &tenant.settings) {
            // What bounds a tenant as a whole is no session's setting.
            let _ = settings.set_default(name, value);
        }
        if let Some(tenant) = &tenant {
            let quotas = &engine.limits.quotas;
            if let (Some(bytes), _) = in_force(&system, tenant, quotas, Quota::Memory) {
                settings.set_internal("memory_limit", format!("{}kB", bytes >> 10));
            }
        }
        let own = engine.catalog.database(login.database).await?;
        let home = if login.operator { &system } else { &own };
        for (name, value) in home
            .roles
            .get(&login.role)
            .iter()
            .flat_map(|role| &role.settings)
        {
            settings.set_default(name, value)?;
        }
        settings.set_internal("session_authorization", login.user.clone());
        settings.set_internal("is_superuser", if login.superuser { "on" } else { "off" });
        for (name, value) in &startup {
            settings.set_default(name, value)?;
        }
        let reported = settings.reported();
        let share = engine.share(match login.operator {
            true => DatabaseId::System,
            false => login.database,
        })?;
        if !login.operator {
            share.counters.connections.fetch_add(1, Ordering::Relaxed);
        }
        let cpu = engine.fair.statement(&share.cpu);
        Ok(Self {
            meter: Arc::new(Meter::new(cpu, Arc::clone(&share.counters), None)),
            terms: Arc::new(share::Terms::unbounded()),
            slot: None,
            share,
            role: login.role,
            role_name: login.user.clone(),
            former_role: None,
            settings: Arc::new(Mutex::new(settings)),
            transaction: Transaction::default(),
            inbox: Arc::default(),
            prepared: PreparedStatements::default(),
            cursors: cursor::Cursors::default(),
            sequences: Arc::default(),
            notices: Vec::new(),
            owner: None,
            advisory: Advisory::default(),
            outbox: Arc::default(),
            mailbox: Arc::default(),
            reported,
            interrupt: Interrupt::default(),
            peer: Peer {
                pid: 0,
                address: None,
                tls: None,
            },
            entry: None,
            audit: audit::Trail::default(),
            state: None,
            lent_enums: LentEnums::default(),
            observed: None,
            version: 0,
            engine,
            login,
        })
    }

    /// Tells the session how its client came, and lists it among the live ones.
    pub fn set_peer(&mut self, peer: Peer) {
        let now = chrono::Utc::now().timestamp_micros();
        let activity = Activity {
            pid: peer.pid,
            database: self.login.database,
            user: self.login.user.clone(),
            role: self.login.role,
            operator: self.login.operator,
            application_name: self.settings.lock().value("application_name"),
            client: peer.address,
            tls: peer
                .tls
                .as_ref()
                .map(|tls| (tls.version.clone(), tls.cipher.clone())),
            certificate: peer.tls.as_ref().and_then(|tls| tls.certificate.clone()),
            backend_start: now,
            transaction_start: None,
            query_start: None,
            state_change: now,
            state: "idle",
            query: Arc::from(""),
        };
        self.entry = Some(self.engine.registry.add(activity, self.interrupt.clone()));
        self.peer = peer;
    }

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
        command::prepare(self, statement, declared)
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
        if prepared.plan.is_none() {
            return Ok(prepared);
        }
        self.start_statement();
        command::current(self, prepared).await
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
            let work = async {
                self.admit(&prepared.statement.body, &terms).await?;
                command::run(self, prepared, parameters, limits).await
            };
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
            Status::Implicit if ok => self.commit().await,
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

    fn start_statement(&mut self) {
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
    fn absorb(&mut self) {
        let written = std::mem::take(&mut *self.inbox.lock());
        for part in written {
            self.transaction.write(part);
        }
    }

    /// Takes what queries have sent into the transaction.
    fn absorb_outbox(&mut self) -> Result<()> {
        let sent = std::mem::take(&mut *self.outbox.lock());
        if sent.is_empty() {
            return Ok(());
        }
        self.transaction.outgoing().extend(sent)
    }

    /// Who the session is to those who wait for its locks.
    fn owner(&mut self) -> Owner {
        let (database, pid) = (self.login.database, self.peer.pid);
        let locks = self.engine.catalog.locks();
        *self.owner.get_or_insert_with(|| locks.owner(database, pid))
    }

    fn check_aborted(&self, body: &Body) -> Result<()> {
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

    async fn commit(&mut self) -> Result<()> {
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
    fn notify(&mut self, channel: &str, payload: &str) -> Result<()> {
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

    fn roll_back(&mut self) {
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

    /// Ends what SET ROLE did for the transaction alone.
    fn end_role(&mut self, is_committed: bool) {
        let Some(former) = self.former_role.take() else {
            return;
        };
        let kept = former.kept.filter(|_| is_committed);
        self.act_as(kept.unwrap_or(former.before));
    }

    fn act_as(&mut self, role: ActingRole) {
        let superuser = if role.superuser { "on" } else { "off" };
        self.settings.lock().set_internal("is_superuser", superuser);
        self.role = role.role;
        self.role_name = role.name;
        self.version += 1;
    }

    fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    fn show_activity(&self, state: &'static str, query: Option<&Arc<str>>) {
        let Some(entry) = &self.entry else { return };
        let now = chrono::Utc::now().timestamp_micros();
        let mut activity = entry.activity.lock();
        activity.state = state;
        activity.state_change = now;
        let started = self.transaction.started_at;
        activity.transaction_start = (self.transaction.status != Status::Idle).then_some(started);
        if let Some(query) = query {
            activity.query = Arc::clone(query);
            activity.query_start = Some(now);
        }
    }

    /// Whether this is a session of the system's database.
    fn is_system(&self) -> bool {
        self.login.database == DatabaseId::System
    }

    /// The databases as the transaction sees them, and who asks.
    async fn caller(&mut self) -> Result<Caller> {
        let catalog = &self.engine.catalog;
        let system = self
            .transaction
            .database(catalog, DatabaseId::System)
            .await?;
        let database = match self.login.database {
            DatabaseId::System => Arc::clone(&system),
            id => {
                let own = self.transaction.database(catalog, id).await?;
                self.lent_enums.in_database(own, &system)
            }
        };
        let visiting = self.login.operator && !self.is_system();
        let (roles, superuser) = if visiting {
            // An operator inside a tenant is no role of it: superuser there, or nothing but PUBLIC.
            (vec![self.role], self.login.superuser)
        } else {
            let superuser =
                self.is_system() && database.roles.get(&self.role).is_some_and(|r| r.superuser);
            (database.roles_of(self.role), superuser)
        };
        Ok(Caller {
            role: self.role,
            roles,
            superuser,
            operator: self.login.operator,
            system,
            database,
        })
    }

    /// What names mean to the next statement.
    async fn scope(&mut self, caller: &Caller) -> Result<Scope> {
        let (zone, search_path, display, row_security) = {
            let settings = self.settings.lock();
            (
                settings.zone(),
                settings.search_path(&self.role_name),
                settings.display(),
                settings.is_on("row_security"),
            )
        };
        let settings = Arc::clone(&self.settings);
        let state = self.engine_state(display)?;
        let mut scope = Scope {
            system: Arc::clone(&caller.system),
            database: Arc::clone(&caller.database),
            search_path,
            zone: Arc::clone(&zone),
            state,
            row_security,
            session: Arc::new(NoNames),
        };
        let schemas = scope
            .search_path
            .iter()
            .filter(|name| scope.has_schema(name))
            .cloned()
            .collect();
        // Temporary tables are found first unless the path names their schema.
        let temporary = transaction::TEMPORARY_SCHEMA_NAME;
        if self.transaction.has_temporary() && !scope.search_path.iter().any(|s| s == temporary) {
            scope.search_path.insert(0, temporary.to_owned());
        }
        let answers = Answers {
            current_user: self.role_name.clone(),
            session_user: self.login.user.clone(),
            database: self.login.database_name.clone(),
            tenant: self
                .login
                .database
                .tenant()
                .map(|_| caller.database.name.clone()),
            schemas,
            pid: self.peer.pid,
            client: self.peer.address,
            server_started_at: self.engine.started_at,
            transaction_number: self.transaction.number,
            zone,
            settings,
            operator: caller.superuser,
            signals: Signals {
                engine: Arc::clone(&self.engine),
                database: self.login.database,
                roles: caller.roles.clone(),
                all_here: caller.superuser || caller.roles.contains(&Oid::TENANT_ADMIN),
                everywhere: caller.superuser && self.is_system(),
            },
        };
        let catalogs = self.catalogs(caller, &scope);
        let locking = Locking {
            advisory: self.advisory.clone(),
            locks: self.engine.catalog.locks().clone(),
            owner: self.owner(),
            settings: Arc::clone(&self.settings),
            zone: Arc::clone(&scope.zone),
        };
        let notifying = Notifying {
            outbox: Arc::clone(&self.outbox),
            engine: Arc::clone(&self.engine),
            database: self.login.database,
            zone: Arc::clone(&scope.zone),
        };
        let drawing = sequences::Drawing {
            catalog: self.engine.catalog.clone(),
            caller: caller.clone(),
            search_path: scope.search_path.clone(),
            memory: Arc::clone(&self.sequences),
            read_only: self.transaction.read_only,
        };
        scope.session = Arc::new(Names::new(answers, drawing, catalogs, (locking, notifying)));
        Ok(scope)
    }

    fn catalogs(&self, caller: &Caller, scope: &Scope) -> Catalogs {
        let viewer = Viewer {
            system: Arc::clone(&caller.system),
            database: Arc::clone(&caller.database),
            role: caller.role,
            roles: caller.roles.clone(),
            superuser: caller.superuser,
            zone: Arc::clone(&scope.zone),
            search_path: scope.search_path.clone(),
        };
        Catalogs::new(
            viewer,
            Arc::clone(&self.settings),
            Arc::clone(&self.engine),
            Arc::clone(&scope.state),
            (
                self.prepared.clone(),
                self.cursors.clone(),
                Arc::clone(&self.mailbox),
            ),
        )
    }

    fn engine_state(&mut self, display: Display) -> Result<Arc<SessionState>> {
        if let Some((made_for, state)) = &self.state
            && *made_for == display
        {
            return Ok(Arc::clone(state));
        }
        let state = self.engine.state(self.login.database, display)?;
        self.state = Some((display, Arc::clone(&state)));
        Ok(state)
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

/// The isolation that a level's name stands for.
fn isolation(level: &str) -> Isolation {
    match level {
        "serializable" => Isolation::Serializable,
        "repeatable read" => Isolation::RepeatableRead,
        _ => Isolation::ReadCommitted,
    }
}

/// A role that the session acts as.
#[derive(Debug, Clone)]
struct ActingRole {
    role: Oid,
    name: String,
    superuser: bool,
}

/// What SET ROLE goes back to when its transaction ends.
#[derive(Debug)]
struct FormerRole {
    before: ActingRole,
    /// What a commit keeps: the last role that was set without LOCAL.
    kept: Option<ActingRole>,
}

/// A session's names before they are known.
struct NoNames;

impl planner::SessionNames for NoNames {
    fn function(&self, _name: &str) -> Option<Arc<datafusion::logical_expr::ScalarUDF>> {
        None
    }

    fn function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn system_table(
        &self,
        _schema: &str,
        _name: &str,
        _hidden: bool,
    ) -> Option<Arc<dyn datafusion::catalog::TableProvider>> {
        None
    }

    fn shows_logins(&self) -> bool {
        false
    }

    fn shows_reports(&self) -> bool {
        false
    }

    fn system_rows(&self, _function: &str) -> Option<Arc<dyn datafusion::catalog::TableProvider>> {
        None
    }

    fn is_momentary(&self) -> bool {
        false
    }

    fn temporary_table(&self, _name: &str) -> Option<Arc<dyn datafusion::catalog::TableProvider>> {
        None
    }
}
