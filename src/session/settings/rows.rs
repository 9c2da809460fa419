//! What settings there are: a row each.

/// What a setting's value may be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Bool,
    /// From, to, and the unit that SHOW adds.
    Integer(i64, i64, &'static str),
    Float(f64, f64),
    Text,
    Enum(&'static [&'static str]),
    TimeZone,
    DateStyle,
    Encoding,
    SearchPath,
}

/// Who may set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// Anyone, at any time.
    User,
    /// An operator alone.
    Operator,
    /// Nobody: it tells what the server is.
    Internal,
}

pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) default: &'static str,
    pub(super) context: Context,
    /// Told to the client whenever it changes.
    pub(super) reported: bool,
    pub(super) text: &'static str,
}

const fn row(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    context: Context,
    text: &'static str,
) -> Row {
    Row {
        name,
        kind,
        default,
        context,
        reported: false,
        text,
    }
}

const fn reported(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    context: Context,
    text: &'static str,
) -> Row {
    Row {
        name,
        kind,
        default,
        context,
        reported: true,
        text,
    }
}

/// The version of PostgreSQL that clients take the server for.
pub const SERVER_VERSION: &str = "15.18";

const ISOLATION: Kind = Kind::Enum(&[
    "serializable",
    "repeatable read",
    "read committed",
    "read uncommitted",
]);
const MILLISECONDS: Kind = Kind::Integer(0, i32::MAX as i64, "ms");

use Context::{Internal, Operator, User};
use Kind::{Bool, Enum, Float, Integer, Text};

pub(super) const ROWS: &[Row] = &[
    reported(
        "application_name",
        Text,
        "",
        User,
        "Name of the client's program.",
    ),
    row(
        "backslash_quote",
        Enum(&["safe_encoding", "on", "off"]),
        "safe_encoding",
        User,
        "Whether \\' is read in strings.",
    ),
    row(
        "bytea_output",
        Enum(&["hex", "escape"]),
        "hex",
        User,
        "How bytea is written.",
    ),
    reported(
        "client_encoding",
        Kind::Encoding,
        "UTF8",
        User,
        "Encoding of the client's text.",
    ),
    row(
        "client_min_messages",
        Enum(&[
            "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
        ]),
        "notice",
        User,
        "Lowest level of messages sent.",
    ),
    reported(
        "DateStyle",
        Kind::DateStyle,
        "ISO, MDY",
        User,
        "How dates are written and read.",
    ),
    row(
        "default_transaction_deferrable",
        Bool,
        "off",
        User,
        "Whether new transactions are deferrable.",
    ),
    row(
        "default_transaction_isolation",
        ISOLATION,
        "read committed",
        User,
        "Isolation of new transactions.",
    ),
    reported(
        "default_transaction_read_only",
        Bool,
        "off",
        User,
        "Whether new transactions only read.",
    ),
    row(
        "escape_string_warning",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "extra_float_digits",
        Integer(-15, 3, ""),
        "1",
        User,
        "Digits of floating-point numbers.",
    ),
    row(
        "idle_in_transaction_session_timeout",
        MILLISECONDS,
        "600000",
        User,
        "How long a session may wait inside a transaction.",
    ),
    reported(
        "in_hot_standby",
        Bool,
        "off",
        Internal,
        "Whether the server only reads.",
    ),
    reported(
        "integer_datetimes",
        Bool,
        "on",
        Internal,
        "Times are whole microseconds.",
    ),
    reported(
        "IntervalStyle",
        Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
        "postgres",
        User,
        "How intervals are written.",
    ),
    reported(
        "is_superuser",
        Bool,
        "off",
        Internal,
        "Whether the role is a superuser.",
    ),
    row("lc_collate", Text, "C", Internal, "Order of text."),
    row(
        "lc_ctype",
        Text,
        "C.UTF-8",
        Internal,
        "Classes of characters.",
    ),
    row("lc_messages", Text, "C", User, "Language of messages."),
    row("lc_monetary", Text, "C", User, "How money is written."),
    row("lc_numeric", Text, "C", User, "How numbers are written."),
    row("lc_time", Text, "C", User, "How times are written."),
    row(
        "lock_timeout",
        MILLISECONDS,
        "0",
        User,
        "How long to wait for a lock.",
    ),
    row(
        "max_connections",
        Integer(1, 262_143, ""),
        "1000",
        Internal,
        "Most sessions at once.",
    ),
    row(
        "max_identifier_length",
        Integer(63, 63, ""),
        "63",
        Internal,
        "Longest name, in bytes.",
    ),
    row(
        "max_index_keys",
        Integer(32, 32, ""),
        "32",
        Internal,
        "Most columns of a key.",
    ),
    row(
        "memory_limit",
        Text,
        "",
        Operator,
        "Most memory of the tenant's statements.",
    ),
    row(
        "password_encryption",
        Enum(&["scram-sha-256", "argon2id"]),
        "scram-sha-256",
        User,
        "How new passwords are kept.",
    ),
    row("role", Text, "none", User, "The role whose rights count."),
    row(
        "row_security",
        Bool,
        "on",
        User,
        "Whether policies narrow queries or make them fail.",
    ),
    row(
        "search_path",
        Kind::SearchPath,
        "\"$user\", public",
        User,
        "Schemas of unqualified names.",
    ),
    reported(
        "server_encoding",
        Text,
        "UTF8",
        Internal,
        "Encoding of the database.",
    ),
    reported(
        "server_version",
        Text,
        SERVER_VERSION,
        Internal,
        "The PostgreSQL version that clients see.",
    ),
    row(
        "server_version_num",
        Integer(0, 999_999, ""),
        "150018",
        Internal,
        "The same as a number.",
    ),
    reported(
        "session_authorization",
        Text,
        "",
        Internal,
        "Who logged in.",
    ),
    reported(
        "standard_conforming_strings",
        Enum(&["on"]),
        "on",
        User,
        "Backslashes in strings are plain.",
    ),
    row(
        "statement_timeout",
        MILLISECONDS,
        "300000",
        User,
        "How long a statement may run.",
    ),
    row(
        "synchronous_commit",
        Enum(&["on"]),
        "on",
        User,
        "Commits are durable when they return.",
    ),
    row(
        "synchronize_seqscans",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "temp_buffers",
        Text,
        "8MB",
        User,
        "Kept for clients that set it.",
    ),
    reported(
        "TimeZone",
        Kind::TimeZone,
        "UTC",
        User,
        "The session's time zone.",
    ),
    row(
        "transaction_deferrable",
        Bool,
        "off",
        User,
        "Whether this transaction is deferrable.",
    ),
    row(
        "transaction_isolation",
        ISOLATION,
        "read committed",
        User,
        "Isolation of this transaction.",
    ),
    row(
        "transaction_read_only",
        Bool,
        "off",
        User,
        "Whether this transaction only reads.",
    ),
    row(
        "work_mem",
        Text,
        "4MB",
        User,
        "Kept for clients that set it; memory_limit bounds statements.",
    ),
    row(
        "maintenance_work_mem",
        Text,
        "64MB",
        User,
        "Kept for clients that set it.",
    ),
    row("geqo", Bool, "on", User, "Kept for clients that set it."),
    row("jit", Bool, "off", User, "Kept for clients that set it."),
    row(
        "enable_seqscan",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "enable_nestloop",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "enable_hashjoin",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "enable_mergejoin",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "enable_bitmapscan",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "enable_indexscan",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "random_page_cost",
        Float(0.0, 1e10),
        "4",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "seq_page_cost",
        Float(0.0, 1e10),
        "1",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "default_table_access_method",
        Enum(&["heap"]),
        "heap",
        User,
        "How tables are kept, as PostgreSQL calls it.",
    ),
    row(
        "default_tablespace",
        Enum(&[""]),
        "",
        User,
        "There is one place for tables.",
    ),
    row(
        "quote_all_identifiers",
        Enum(&["off"]),
        "off",
        User,
        "Definitions quote the names that need it.",
    ),
    row(
        "check_function_bodies",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row("jit", Bool, "off", User, "Kept for clients that set it."),
    row(
        "block_size",
        Text,
        "8192",
        Internal,
        "Bytes of a page, in which sizes are counted.",
    ),
    row("lc_collate", Text, "C.UTF-8", Internal, "Order of texts."),
    row(
        "lc_messages",
        Enum(&["C.UTF-8", "C", "en_US.UTF-8", "en_US.utf8"]),
        "C.UTF-8",
        User,
        "Messages are English.",
    ),
    row(
        "xmloption",
        Enum(&["content", "document"]),
        "content",
        User,
        "Kept for clients that set it.",
    ),
];

pub(super) fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}
