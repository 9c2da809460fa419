//! What can go wrong between a client's bytes and the answer.
//!
//! One variant per cause. `wire::sqlstate` gives each its SQLSTATE; the text of a variant is what the
//! client reads, so it holds no path, no key and no other tenant's name.

use datafusion::error::DataFusionError;
use tessera_catalog::encryption::SealError;
use tessera_catalog::model::Quota;
use thiserror::Error;

/// A result of the server.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the server.
#[derive(Debug, Error)]
pub enum Error {
    // ── What the statement says ──────────────────────────────────────────────────────────────
    #[error("{message}")]
    Syntax {
        message: String,
        position: Option<usize>,
    },
    #[error("{0} is not supported")]
    Unsupported(String),
    #[error("relation \"{0}\" does not exist")]
    NoSuchRelation(String),
    #[error("schema \"{0}\" does not exist")]
    NoSuchSchema(String),
    #[error("column \"{0}\" does not exist")]
    NoSuchColumn(String),
    #[error("column \"{column}\" of relation \"{relation}\" does not exist")]
    NoSuchColumnOf { column: String, relation: String },
    #[error("column reference \"{0}\" is ambiguous")]
    AmbiguousColumn(String),
    #[error("{0}")]
    NoSuchFunction(String),
    #[error("type \"{0}\" does not exist")]
    NoSuchType(String),
    #[error("{kind} \"{name}\" does not exist")]
    NoSuchObject { kind: &'static str, name: String },
    #[error("{kind} \"{name}\" already exists")]
    AlreadyExists { kind: &'static str, name: String },
    #[error("column \"{0}\" specified more than once")]
    DuplicateColumn(String),
    #[error("column \"{column}\" of relation \"{relation}\" already exists")]
    ColumnExists { column: String, relation: String },
    #[error("\"{name}\" is not a {wanted}")]
    WrongKind { name: String, wanted: &'static str },
    #[error("{message}")]
    WrongKindHint { message: String, hint: &'static str },
    #[error("{0}")]
    InvalidDefinition(String),
    #[error("a common table needs a column \"tenant_id\"")]
    CommonWithoutTenant,
    #[error("{0}")]
    InvalidName(String),
    #[error("{0}")]
    ReservedName(String),
    #[error("{0}")]
    DatatypeMismatch(String),
    #[error("{0}")]
    CannotCoerce(String),
    #[error("{0}")]
    Grouping(String),
    #[error("could not determine data type of parameter ${0}")]
    IndeterminateParameter(usize),
    #[error("{0}")]
    InvalidParameterValue(String),
    #[error("{message}")]
    ParameterOutOfRange {
        message: String,
        detail: Option<String>,
    },
    #[error("unrecognized configuration parameter \"{0}\"")]
    UnknownSetting(String),
    #[error("parameter \"{0}\" cannot be changed")]
    FixedSetting(String),
    #[error("cannot drop {object} because other objects depend on it")]
    DependentObjects { object: String, detail: String },
    #[error("{message}")]
    ObjectInUse {
        message: String,
        detail: Option<String>,
    },
    #[error("name \"{name}\" is already used by tenants")]
    NameUsedByTenants {
        kind: &'static str,
        name: String,
        tenants: Vec<String>,
    },
    // ── What the caller may ──────────────────────────────────────────────────────────────────
    #[error("permission denied for {kind} {name}")]
    PermissionDenied { kind: &'static str, name: String },
    #[error("{0}")]
    InsufficientPrivilege(String),
    #[error("{0}")]
    InvalidGrant(String),
    #[error("must be owner of {kind} {name}")]
    MustOwn { kind: &'static str, name: String },
    #[error("new row violates row-level security policy for table \"{0}\"")]
    RowSecurity(String),
    #[error("{0}")]
    PolicyViolated(String),
    #[error("policy \"{policy}\" for table \"{table}\" does not exist")]
    NoSuchPolicy { policy: String, table: String },
    #[error("policy \"{policy}\" for table \"{table}\" already exists")]
    PolicyExists { policy: String, table: String },
    #[error("COPY FROM not supported with row-level security")]
    CopyNarrowed,
    #[error("infinite recursion detected in policy for relation \"{0}\"")]
    PolicyRecursion(String),
    #[error("password authentication failed for user \"{0}\"")]
    InvalidPassword(String),
    #[error("{0}")]
    InvalidAuthorization(String),
    #[error("database \"{0}\" does not exist")]
    NoSuchDatabase(String),
    // ── The rows ─────────────────────────────────────────────────────────────────────────────
    #[error(
        "null value in column \"{column}\" of relation \"{relation}\" violates not-null constraint"
    )]
    NotNull {
        column: String,
        relation: String,
        detail: Option<String>,
    },
    #[error("new row for relation \"{relation}\" violates check constraint \"{constraint}\"")]
    Check {
        relation: String,
        constraint: String,
        detail: Option<String>,
    },
    #[error("value for domain {domain} violates check constraint \"{constraint}\"")]
    DomainCheck { domain: String, constraint: String },
    #[error("domain {0} does not allow null values")]
    DomainNotNull(String),
    #[error("column \"{column}\" of relation \"{relation}\" contains null values")]
    ContainsNulls { column: String, relation: String },
    #[error("check constraint \"{constraint}\" of relation \"{relation}\" is violated by some row")]
    CheckOfExisting {
        constraint: String,
        relation: String,
    },
    #[error("duplicate key value violates unique constraint \"{constraint}\"")]
    Unique {
        relation: String,
        constraint: String,
        detail: Option<String>,
    },
    #[error(
        "insert or update on table \"{relation}\" violates foreign key constraint \"{constraint}\""
    )]
    ForeignKey {
        relation: String,
        constraint: String,
        /// The key that is not there, as text.
        key: Option<String>,
        parent: String,
    },
    #[error(
        "update or delete on table \"{parent}\" violates foreign key constraint \"{constraint}\" on \
         table \"{relation}\""
    )]
    StillReferenced {
        parent: String,
        relation: String,
        constraint: String,
        /// The key that rows refer to, as text.
        key: Option<String>,
    },
    /// MATCH FULL, and only some of a key's columns are NULL.
    #[error(
        "insert or update on table \"{relation}\" violates foreign key constraint \"{constraint}\""
    )]
    MixedNulls {
        relation: String,
        constraint: String,
    },
    #[error("could not create unique index \"{constraint}\"")]
    UniqueOfExisting {
        constraint: String,
        detail: Option<String>,
    },
    #[error("value too long for type {0}")]
    TooLong(String),
    #[error("{0}")]
    OutOfRange(String),
    #[error("division by zero")]
    DivisionByZero,
    #[error("{0}")]
    InvalidText(String),
    #[error("{0}")]
    InvalidDatetime(String),
    #[error("{0}")]
    DatetimeOverflow(String),
    #[error("{0}")]
    InvalidBinary(String),
    #[error("{0}")]
    BadCopy(String),
    #[error("invalid byte sequence for encoding \"UTF8\": {0}")]
    InvalidEncoding(String),
    #[error("more than one row returned by a subquery used as an expression")]
    Cardinality,
    #[error("ON CONFLICT DO UPDATE command cannot affect row a second time")]
    UpsertedTwice,
    #[error("MERGE command cannot affect row a second time")]
    MergedTwice,
    #[error("{message}")]
    Function {
        sqlstate: &'static str,
        message: String,
        hint: Option<String>,
        detail: Option<String>,
    },
    // ── The session ──────────────────────────────────────────────────────────────────────────
    #[error("current transaction is aborted, commands ignored until end of transaction block")]
    TransactionAborted,
    #[error("{0} cannot run inside a transaction block")]
    ActiveTransaction(String),
    #[error("{0} can only be used in transaction blocks")]
    NoActiveTransaction(String),
    #[error("cannot execute {0} in a read-only transaction")]
    ReadOnly(String),
    #[error("savepoint \"{0}\" does not exist")]
    NoSuchSavepoint(String),
    #[error("could not serialize access due to concurrent update")]
    Serialization,
    #[error("could not serialize access due to read/write dependencies among transactions")]
    ReadMoved,
    #[error("deadlock detected")]
    Deadlock,
    #[error("canceling statement due to lock timeout")]
    LockTimeout,
    #[error("could not obtain lock on {kind} \"{name}\"")]
    LockNotAvailable { kind: &'static str, name: String },
    #[error("could not determine data type of parameter ${0}")]
    UndeterminedParameter(usize),
    #[error("prepared statement \"{0}\" does not exist")]
    NoSuchStatement(String),
    #[error("prepared statement \"{0}\" already exists")]
    DuplicateStatement(String),
    #[error("portal \"{0}\" does not exist")]
    NoSuchPortal(String),
    #[error("cursor \"{0}\" does not exist")]
    NoSuchCursor(String),
    #[error("cursor \"{0}\" already exists")]
    DuplicateCursor(String),
    #[error("{0}")]
    InvalidCursorState(String),
    #[error("cached plan must not change result type")]
    ResultTypeChanged,
    #[error("{0}")]
    Protocol(String),
    /// The client's bytes are not the protocol's: where the next message begins is unknown.
    #[error("{0}")]
    BrokenProtocol(String),
    #[error("{0}")]
    UnsupportedProtocol(String),
    // ── Limits and interruptions ─────────────────────────────────────────────────────────────
    #[error("canceling statement due to user request")]
    Cancelled,
    #[error("canceling statement due to statement timeout")]
    StatementTimeout,
    #[error("terminating connection due to administrator command")]
    Terminated,
    #[error("terminating connection due to idle-in-transaction timeout")]
    IdleInTransaction,
    #[error("canceling authentication due to timeout")]
    AuthenticationTimeout,
    #[error("{0}")]
    TooManyConnections(String),
    #[error("out of memory")]
    OutOfMemory { detail: String },
    #[error("{0}")]
    ProgramLimit(String),
    #[error("{0}")]
    ConfigurationLimit(String),
    #[error("{}", quota_message(*quota, *limit, tenant))]
    OverQuota {
        quota: Quota,
        limit: u64,
        tenant: String,
    },
    #[error("{what} is not part of plan \"{plan}\"")]
    NotInPlan { what: String, plan: String },
    #[error("statement is too complex: {0}")]
    TooComplex(String),
    #[error("could not write: no space left on device")]
    DiskFull,
    #[error("data of table \"{0}\" is damaged")]
    Damaged(String),
    #[error("could not reach the object store")]
    StoreUnavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("connection to client lost")]
    ConnectionLost,
    #[error("the database system is shutting down")]
    ShuttingDown,
    /// An error with the place in the data where it happened, such as a line of COPY's input.
    #[error("{source}")]
    At { source: Box<Error>, context: String },
    /// An error with the place in the client's text, in characters from 1, where its name stands.
    #[error("{source}")]
    Placed { source: Box<Error>, position: usize },
    /// An error about a table, with the schema that holds it.
    #[error("{source}")]
    InSchema { source: Box<Error>, schema: String },
    // ── Start-up of the process, and our bugs ────────────────────────────────────────────────
    #[error("{0}")]
    Start(String),
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Error {
    /// An internal error from a text, for what cannot happen.
    pub fn internal(what: impl Into<String>) -> Self {
        Self::Internal(what.into().into())
    }

    /// Whole sentences that say more, for a client.
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::NotNull { detail, .. }
            | Self::Check { detail, .. }
            | Self::Unique { detail, .. }
            | Self::UniqueOfExisting { detail, .. }
            | Self::ParameterOutOfRange { detail, .. }
            | Self::ObjectInUse { detail, .. }
            | Self::Function { detail, .. } => detail.clone(),
            Self::ForeignKey { key, parent, .. } => Some(match key {
                Some(key) => format!("Key {key} is not present in table \"{parent}\"."),
                None => format!("Key is not present in table \"{parent}\"."),
            }),
            Self::MixedNulls { .. } => {
                Some("MATCH FULL does not allow mixing of null and nonnull key values.".to_owned())
            }
            Self::StillReferenced { key, relation, .. } => Some(match key {
                Some(key) => format!("Key {key} is still referenced from table \"{relation}\"."),
                None => format!("Key is still referenced from table \"{relation}\"."),
            }),
            Self::DependentObjects { detail, .. } | Self::OutOfMemory { detail } => {
                Some(detail.clone())
            }
            Self::NameUsedByTenants { tenants, .. } => {
                Some(format!("Tenants: {}.", tenants.join(", ")))
            }
            Self::OverQuota { quota, limit, .. } => {
                Some(format!("Quota \"{}\" is {limit}.", quota.name()))
            }
            Self::At { source, .. }
            | Self::Placed { source, .. }
            | Self::InSchema { source, .. } => source.detail(),
            _ => None,
        }
    }

    /// Whole sentences that say what to do, for a client.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Function { hint, .. } => hint.clone(),
            Self::At { source, .. }
            | Self::Placed { source, .. }
            | Self::InSchema { source, .. } => source.hint(),
            Self::DependentObjects { .. } => {
                Some("Use DROP ... CASCADE to drop the dependent objects too.".to_owned())
            }
            Self::WrongKindHint { hint, .. } => Some((*hint).to_owned()),

            Self::CopyNarrowed => Some("Use INSERT statements instead.".to_owned()),
            Self::UpsertedTwice => Some(
                "Ensure that no rows proposed for insertion within the same command have \
                 duplicate constrained values."
                    .to_owned(),
            ),
            Self::MergedTwice => Some(
                "Ensure that not more than one source row matches any one target row.".to_owned(),
            ),
            Self::CommonWithoutTenant => Some(
                "Add tenant_id to the query, or make the operators' own table with SET \
                 search_path = internal."
                    .to_owned(),
            ),
            Self::OverQuota { quota, .. } => Some(quota_hint(*quota).to_owned()),
            Self::NotInPlan { .. } => Some("Ask the operator for a plan that has it.".to_owned()),
            Self::OutOfMemory { .. } => {
                Some("Read fewer rows at once, or ask for a greater memory quota.".to_owned())
            }
            Self::Serialization | Self::ReadMoved | Self::Deadlock => {
                Some("Run the transaction again from its beginning.".to_owned())
            }
            _ => None,
        }
    }
}

impl Error {
    /// Whether a quota of the tenant or the role refused it.
    pub fn is_over_quota(&self) -> bool {
        match self {
            Self::OverQuota { .. } | Self::NotInPlan { .. } => true,
            Self::At { source, .. }
            | Self::Placed { source, .. }
            | Self::InSchema { source, .. } => source.is_over_quota(),
            _ => false,
        }
    }
}

fn quota_message(quota: Quota, limit: u64, tenant: &str) -> String {
    match quota {
        Quota::QueuedStatements => {
            format!("too many statements of database \"{tenant}\" are waiting")
        }
        Quota::ResultRows => format!("the result has more than {limit} rows"),
        Quota::Storage => {
            format!("tables of database \"{tenant}\" would take more than {limit} bytes")
        }
        Quota::Tables => format!("database \"{tenant}\" has {limit} tables already"),
        other => format!("limit \"{}\" of database \"{tenant}\"", other.name()),
    }
}

fn quota_hint(quota: Quota) -> &'static str {
    match quota {
        Quota::QueuedStatements => {
            "Run fewer statements at a time, or ask the operator for a greater quota."
        }
        Quota::ResultRows => "Add LIMIT or a condition, or read by a cursor.",
        Quota::Storage => "Delete rows or drop tables, or ask the operator for a greater quota.",
        Quota::Tables => "Drop a table, or ask the operator for a greater quota.",
        _ => "Ask the operator for a greater quota.",
    }
}

impl From<tessera_catalog::error::Error> for Error {
    fn from(error: tessera_catalog::error::Error) -> Self {
        use tessera_catalog::error::Error as Catalog;
        match error {
            // Whose key it is was explained before; here nobody knows.
            Catalog::Conflict | Catalog::KeyTaken { .. } | Catalog::ReferenceBroken { .. } => {
                Self::Serialization
            }
            Catalog::ReadMoved => Self::ReadMoved,
            Catalog::Deadlock => Self::Deadlock,
            Catalog::NameTaken { kind, name } => Self::AlreadyExists { kind, name },
            Catalog::NameUsedByTenants { name, tenants } => {
                let kind = "relation";
                Self::NameUsedByTenants {
                    kind,
                    name,
                    tenants,
                }
            }
            Catalog::NoSuchVersion { .. } => Self::InvalidParameterValue(error.to_string()),
            Catalog::Unstorable(message) => Self::OutOfRange(message),
            Catalog::ForeignCommit { table } | Catalog::Damaged { table, .. } => {
                tracing::error!(%table, "a table cannot be read");
                Self::Damaged(table)
            }
            Catalog::Sealed(cause) => Self::sealed(&cause),
            Catalog::MasterKey(reason) => Self::Function {
                sqlstate: "55000",
                message: format!("the master key cannot be used: {reason}"),
                detail: None,
                hint: Some(
                    "An operator names one under [encryption] in the server's configuration."
                        .to_owned(),
                ),
            },
            Catalog::DiskFull => Self::DiskFull,
            Catalog::Store(cause) => Self::StoreUnavailable(Box::new(cause)),
            Catalog::DataFusion(cause) => cause.into(),
            Catalog::Unusable(message) => Self::Start(message),
            other => Self::Internal(Box::new(other)),
        }
    }
}

impl Error {
    /// An encrypted file that is damaged, or cannot be read for want of its key.
    pub fn sealed(cause: &SealError) -> Self {
        let (sqlstate, message, hint) = match cause {
            // Why is for the log: it may name files of the server.
            SealError::Locked(_) => (
                "58030",
                "the tenant's files cannot be decrypted: their key is not at hand".to_owned(),
                Some(
                    "An operator gives the server its master key again, and runs ALTER SYSTEM \
                     ROTATE MASTER KEY or restarts it."
                        .to_owned(),
                ),
            ),
            SealError::Damaged(_) | SealError::NotSealed(_) | SealError::UnknownKey { .. } => {
                ("XX001", cause.to_string(), None)
            }
        };
        tracing::error!(%cause, "an encrypted file cannot be read");
        Self::Function {
            sqlstate,
            message,
            hint,
            detail: None,
        }
    }

    /// The same error, with the place in the data where it happened.
    pub fn at(self, context: impl Into<String>) -> Self {
        Self::At {
            source: Box::new(self),
            context: context.into(),
        }
    }

    /// The same error, with the schema of the table that it is about.
    pub fn in_schema(self, schema: &str) -> Self {
        match self {
            Self::NotNull { .. } | Self::Check { .. } | Self::Unique { .. } => Self::InSchema {
                source: Box::new(self),
                schema: schema.to_owned(),
            },
            other => other,
        }
    }

    /// Where in the data the error happened, for a client.
    pub fn context(&self) -> Option<&str> {
        match self {
            Self::At { context, .. } => Some(context),
            Self::Placed { source, .. } | Self::InSchema { source, .. } => source.context(),
            _ => None,
        }
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        crate::planner::engine_error(error)
    }
}
