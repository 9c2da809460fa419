//! What a session has recorded in the server's audit.
//!
//! A change becomes part of its transaction and so as durable as that. What cannot wait for a commit is
//! durable before the client sees any of it: a login before it is told that it is in, a refusal before
//! the error, an export and a read of sensitive or foreign rows before the first row. Where that cannot
//! be written nothing is shown; only operators still get in then, since somebody must make room.
//!
//! Statements are recorded by their outline, which has no values. A plain SELECT of a tenant's own
//! tables costs nothing: no table that it reads is marked.

mod file;
mod subject;
mod throttle;

use std::net::SocketAddr;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tessera_catalog::audit::{Event, Kind, SUCCESS};
use tessera_catalog::commit::Commit;
use tessera_catalog::id::{DatabaseId, Oid, Space};
use tessera_catalog::model::Scope as Reach;

pub use file::write_lines;
pub(super) use throttle::Throttle;

use super::{Engine, SYSTEM_DATABASE, Session};
use crate::error::{Error, Result};
use crate::planner;
use crate::planner::ast::Statement;
use crate::planner::source::TableRef;
use crate::policy::Caller;

/// The longest outline that is kept, in bytes; the fingerprint is of the whole.
const MAX_OUTLINE_BYTES: usize = 1024;
/// The longest name of what a statement is about.
const MAX_OBJECT_BYTES: usize = 512;
/// Letters of a fingerprint.
const FINGERPRINT: usize = 16;
/// The SQLSTATE of what one has no right to.
const REFUSED: &str = "42501";

/// What a session remembers for its records.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// The session's name; no other has it, before or after a restart.
    id: String,
    /// The statement that runs, or ran last.
    statement: Option<Arc<str>>,
    tag: String,
    /// What was recorded of it already.
    noted: Vec<(Oid, Kind)>,
    exporting: bool,
}

/// A login that did not become a session.
#[derive(Debug, Clone, Copy)]
pub struct RefusedLogin<'a> {
    pub user: &'a str,
    pub database: &'a str,
    pub address: SocketAddr,
    pub sqlstate: &'static str,
    /// Whether the client proved who it is.
    pub proved: bool,
}

impl Engine {
    /// Records a login that did not become a session. That it cannot be recorded is logged and no
    /// more: there is nothing to hold back.
    pub async fn audit_refused_login(&self, login: RefusedLogin<'_>) {
        let tenant = self.catalog.tenant(login.database);
        let database = tenant
            .as_ref()
            .map_or(DatabaseId::System, |tenant| DatabaseId::Tenant(tenant.id));
        let Some(repeats) = self.refusals.admit(database) else {
            return;
        };
        // Names of databases that do not exist are the client's own words.
        let unknown = tenant.is_none() && login.database != SYSTEM_DATABASE;
        let event = Event {
            at: chrono::Utc::now().timestamp_micros(),
            database,
            tenant: tenant.as_ref().map(|tenant| tenant.name.clone()),
            kind: match login.proved {
                true => Kind::LoginRefused,
                false => Kind::LoginFailed,
            },
            tag: "LOGIN".to_owned(),
            object: unknown.then(|| format!("database {}", login.database)),
            login: login.user.to_owned(),
            role: login.user.to_owned(),
            // Whether there is an operator of this name is not told.
            operator: false,
            session: String::new(),
            client: Some(login.address.ip().to_string()),
            sqlstate: login.sqlstate.to_owned(),
            fingerprint: None,
            statement: None,
            rows: None,
            bytes: None,
            repeats,
        };
        if let Err(error) = self.catalog.audit(vec![event]).await {
            tracing::error!(%error, "a refused login could not be recorded");
        }
    }
}

impl Session {
    /// Names the session and records its login.
    ///
    /// # Errors
    /// When it cannot be recorded; an operator gets in all the same.
    pub async fn audit_login(&mut self) -> Result<()> {
        let seconds = chrono::Utc::now().timestamp();
        self.audit.id = format!("{seconds:x}.{:x}", self.peer.pid);
        let event = Event {
            fingerprint: None,
            statement: None,
            tag: "LOGIN".to_owned(),
            ..self.event(Kind::Login, None)
        };
        match self.engine.catalog.audit(vec![event]).await {
            Err(error) if self.login.operator => {
                tracing::error!(%error, "an operator's login could not be recorded");
                Ok(())
            }
            done => Ok(done?),
        }
    }

    /// Before an error is sent: records it if it says that the client had no right.
    pub async fn audit_refusal(&mut self, error: &Error) {
        if !is_refusal(error) {
            return;
        }
        let Some(repeats) = self.engine.refusals.admit(self.login.database) else {
            return;
        };
        let event = Event {
            sqlstate: REFUSED.to_owned(),
            object: Some(cut(&refused_object(error), MAX_OBJECT_BYTES)),
            repeats,
            ..self.event(Kind::Refused, None)
        };
        if let Err(error) = self.engine.catalog.audit(vec![event]).await {
            tracing::error!(%error, "a refusal could not be recorded");
        }
    }

    /// A statement begins.
    pub(super) fn audit_begin(&mut self, statement: &Statement) {
        self.audit.statement = Some(Arc::clone(&statement.text));
        self.audit.tag.clear();
        self.audit.tag.push_str(subject::verb(&statement.body));
        self.audit.noted.clear();
        self.audit.exporting = false;
    }

    /// A statement has done its work in the transaction, and its rows have not left yet.
    ///
    /// # Errors
    /// When what is about to leave cannot be recorded.
    pub(super) async fn audit_done(&mut self, statement: &Statement, exports: bool) -> Result<()> {
        if exports && !self.audit.exporting {
            let event = self.event(Kind::Export, subject::exported(&statement.body));
            self.engine.catalog.audit(vec![event]).await?;
            self.audit.exporting = true;
        }
        if let Some(subject) = subject::of(&statement.body) {
            let event = Event {
                tag: subject.tag.to_owned(),
                ..self.event(subject.kind, subject.object)
            };
            self.transaction.record(event);
        }
        Ok(())
    }

    /// Rows have left by COPY, all of them or up to an error.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn audit_exported(&mut self, rows: u64, bytes: u64, sqlstate: &str) -> Result<()> {
        let count = |count: u64| Some(i64::try_from(count).unwrap_or(i64::MAX));
        let event = Event {
            rows: count(rows),
            bytes: count(bytes),
            sqlstate: sqlstate.to_owned(),
            ..self.event(Kind::ExportEnd, None)
        };
        self.audit.exporting = false;
        Ok(self.engine.catalog.audit(vec![event]).await?)
    }

    /// Before tables are opened: records what is marked sensitive, and an operator's look at tenants'.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub(super) async fn audit_reads(
        &mut self,
        tables: &[&TableRef],
        caller: &Caller,
    ) -> Result<()> {
        let mut events = Vec::new();
        for TableRef { found, .. } in tables {
            let Some(table) = found.relation.table() else {
                continue;
            };
            let of_tenants = match (caller.is_system(), table.scope) {
                (true, scope) => scope == Reach::Common,
                (false, scope) => scope != Reach::Shared,
            };
            let access = (caller.operator && self.login.operator && of_tenants)
                .then_some(Kind::OperatorAccess);
            let read = table.sensitive.then_some(Kind::SensitiveRead);
            for kind in access.into_iter().chain(read) {
                let note = (found.relation.oid, kind);
                if self.audit.noted.contains(&note) {
                    continue;
                }
                self.audit.noted.push(note);
                let object = format!("{}.{}", found.schema_name, found.relation.name);
                events.push(self.event(kind, Some(object)));
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        Ok(self.engine.catalog.audit(events).await?)
    }

    /// Before a commit: an operator's writes to tenants' rows.
    pub(super) fn audit_writes(&self, commit: &mut Commit) {
        if !self.login.operator {
            return;
        }
        for part in &commit.parts {
            let Space::Tenant(tenant) = part.part.space else {
                continue;
            };
            // In the tenant's own audit, whichever database the operator wrote from.
            let system = self.engine.catalog.system();
            let mut event = Event {
                database: DatabaseId::Tenant(tenant),
                tenant: system.tenants.get(&tenant).map(|t| t.name.clone()),
                tag: part.operation.to_owned(),
                ..self.event(Kind::OperatorAccess, Some(part.relation.name.clone()))
            };
            // What is said in the system's database may name other tenants' things.
            if self.is_system() {
                (event.statement, event.fingerprint) = (None, None);
            }
            commit.audit.push(event);
        }
    }

    /// An event of the statement that runs.
    fn event(&self, kind: Kind, object: Option<String>) -> Event {
        let system = self.engine.catalog.system();
        let tenant = self.login.database.tenant();
        let outline = self.audit.statement.as_deref().map(planner::outline);
        Event {
            at: chrono::Utc::now().timestamp_micros(),
            database: self.login.database,
            tenant: tenant.and_then(|id| system.tenants.get(&id).map(|t| t.name.clone())),
            kind,
            tag: self.audit.tag.clone(),
            object: object.map(|object| cut(&object, MAX_OBJECT_BYTES)),
            login: self.login.user.clone(),
            role: self.role_name.clone(),
            operator: self.login.operator,
            session: self.audit.id.clone(),
            client: self.peer.address.map(|address| address.ip().to_string()),
            sqlstate: SUCCESS.to_owned(),
            fingerprint: outline.as_deref().map(fingerprint),
            statement: outline.map(|outline| cut(&outline, MAX_OUTLINE_BYTES)),
            rows: None,
            bytes: None,
            repeats: 0,
        }
    }
}

/// Whether an error says that the client had no right.
fn is_refusal(error: &Error) -> bool {
    match error {
        Error::PermissionDenied { .. }
        | Error::InsufficientPrivilege(_)
        | Error::MustOwn { .. }
        | Error::RowSecurity(_)
        | Error::PolicyViolated(_) => true,
        Error::Function { sqlstate, .. } => *sqlstate == REFUSED,
        Error::At { source, .. }
        | Error::Placed { source, .. }
        | Error::InSchema { source, .. } => is_refusal(source),
        _ => false,
    }
}

/// What the client had no right to, as far as the error names it without values.
fn refused_object(error: &Error) -> String {
    match error {
        Error::PermissionDenied { kind, name } | Error::MustOwn { kind, name } => {
            format!("{kind} {name}")
        }
        Error::At { source, .. }
        | Error::Placed { source, .. }
        | Error::InSchema { source, .. } => refused_object(source),
        other => other.to_string(),
    }
}

/// A number in hex that is the same for the same outline.
fn fingerprint(outline: &str) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(FINGERPRINT);
    for byte in Sha256::digest(outline).iter().take(FINGERPRINT / 2) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A text up to a number of bytes.
fn cut(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
