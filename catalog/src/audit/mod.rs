//! The audit: what happened that somebody may have to answer for, as one chain for the whole server.
//!
//! Records lie in the catalog's own database, not in a file beside it, for three reasons. A record of
//! a change becomes durable in the very transaction that makes the change visible, so neither is ever
//! there without the other. What waits is committed as a group, so that records share the disk's flushes
//! with each other and with all other commits. And a catalog that several nodes share brings its audit
//! along: whoever holds the row of the chain's head appends.
//!
//! Each record's hash covers the hash before it. The head is sealed with a key that lies beside the
//! database, in a file of the server alone; so are the checkpoints that pruning leaves. Without the key
//! nobody can cut the end off, or leave out, change or add a record, and not be found by [`Verdict`].
//! Who has both the database and the key can write another history, or put an older copy in place: for
//! that the records go to a file or machine elsewhere, whose lines repeat the hashes.
//!
//! Knows nothing of sessions or of SQL: who asks what to be recorded is the server's business.

mod chain;

use serde::{Deserialize, Serialize};

pub(crate) use chain::{Chain, Link, Tip, Walk, load_key};

use crate::id::DatabaseId;

/// The SQLSTATE of what went well.
pub const SUCCESS: &str = "00000";
/// The SQLSTATE of a record which says that the chain was found broken.
pub const BROKEN: &str = "XX001";

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since 1970.
    pub at: i64,
    /// The database whose audit it belongs to.
    pub database: DatabaseId,
    /// The tenant's name at that time.
    pub tenant: Option<String>,
    pub kind: Kind,
    /// The statement's tag, such as `CREATE ROLE`.
    pub tag: String,
    /// What it was about.
    pub object: Option<String>,
    /// The name that logged in, or tried to.
    pub login: String,
    /// The role whose rights counted.
    pub role: String,
    /// Whether an operator did it.
    pub operator: bool,
    /// The session, by a name that no other has, before or after a restart.
    pub session: String,
    /// The client's address.
    pub client: Option<String>,
    pub sqlstate: String,
    /// Equal for statements that differ in their literals alone.
    pub fingerprint: Option<String>,
    /// The statement without its literals.
    pub statement: Option<String>,
    pub rows: Option<i64>,
    pub bytes: Option<i64>,
    /// How many of its kind went before it and were not recorded one by one.
    pub repeats: i64,
}

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The audit itself: it began, was pruned, or was found broken.
    Audit,
    Login,
    /// A wrong name or proof.
    LoginFailed,
    /// A right proof and no session: a limit, no such database, no right to connect.
    LoginRefused,
    /// Tables, views, schemas, sequences, indexes.
    Ddl,
    /// Roles, memberships and privileges.
    Role,
    /// Row policies and masks.
    Policy,
    Tenant,
    /// Something that the caller had no right to.
    Refused,
    /// Rows are about to leave by COPY.
    Export,
    /// They left: how many, and how many bytes.
    ExportEnd,
    /// Rows of a table that is marked sensitive are about to be read.
    SensitiveRead,
    /// An operator reads or writes rows of a tenant's.
    OperatorAccess,
}

impl Kind {
    /// The name in `tessera.audit_log`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Login => "login",
            Self::LoginFailed => "login_failed",
            Self::LoginRefused => "login_refused",
            Self::Ddl => "ddl",
            Self::Role => "role",
            Self::Policy => "policy",
            Self::Tenant => "tenant",
            Self::Refused => "refused",
            Self::Export => "export",
            Self::ExportEnd => "export_end",
            Self::SensitiveRead => "sensitive_read",
            Self::OperatorAccess => "operator_access",
        }
    }
}

impl Event {
    /// Something that the audit has to say of itself.
    pub(crate) fn of_audit(tag: &str, object: Option<String>, sqlstate: &str) -> Self {
        Self {
            at: chrono::Utc::now().timestamp_micros(),
            database: DatabaseId::System,
            tenant: None,
            kind: Kind::Audit,
            tag: tag.to_owned(),
            object,
            login: String::new(),
            role: String::new(),
            operator: true,
            session: String::new(),
            client: None,
            sqlstate: sqlstate.to_owned(),
            fingerprint: None,
            statement: None,
            rows: None,
            bytes: None,
            repeats: 0,
        }
    }
}

/// An event in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// From 1, without gaps.
    pub number: i64,
    /// SHA-256 in hex of the hash before it (of 32 zero bytes before the first), the number as eight
    /// bytes with the highest first, and the body.
    pub hash: String,
    /// The event as JSON, as it is hashed.
    pub body: String,
    pub event: Event,
}

/// What became of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many records were looked at.
    pub checked: i64,
    pub first: Option<i64>,
    pub last: Option<i64>,
    /// The last hash, in hex.
    pub head: String,
    /// Up to where records were pruned.
    pub pruned: Option<i64>,
    /// The first number at which the chain does not hold, and why.
    pub problem: Option<(i64, String)>,
}

/// When somebody was last seen at a database's door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSummary {
    pub database: DatabaseId,
    pub login: String,
    pub operator: bool,
    /// Microseconds since 1970 of the last session.
    pub last_login: Option<i64>,
    pub logins: i64,
    /// The same of the last failure or refusal.
    pub last_failure: Option<i64>,
    pub failures: i64,
}
