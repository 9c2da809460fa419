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

/// One that anyone may set.
const fn own(name: &'static str, kind: Kind, default: &'static str, text: &'static str) -> Row {
    Row {
        name,
        kind,
        default,
        context: User,
        reported: false,
        text,
    }
}

/// One that tells what the server is.
const fn fixed(name: &'static str, kind: Kind, default: &'static str, text: &'static str) -> Row {
    Row {
        context: Internal,
        ..own(name, kind, default, text)
    }
}

/// The same, and the client is told it whenever it changes.
const fn reported(row: Row) -> Row {
    Row {
        reported: true,
        ..row
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

/// What PostgreSQL uses and this server has no use for.
const KEPT: &str = "Kept for clients that set it.";

pub(super) const ROWS: &[Row] = &[
    reported(own(
        "application_name",
        Text,
        "",
        "Name of the client's program.",
    )),
    own(
        "backslash_quote",
        Enum(&["safe_encoding", "on", "off"]),
        "safe_encoding",
        "Whether \\' is read in strings.",
    ),
    own(
        "bytea_output",
        Enum(&["hex", "escape"]),
        "hex",
        "How bytea is written.",
    ),
    reported(own(
        "client_encoding",
        Kind::Encoding,
        "UTF8",
        "Encoding of the client's text.",
    )),
    own(
        "client_min_messages",
        Enum(&[
            "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
        ]),
        "notice",
        "Lowest level of messages sent.",
    ),
    reported(own(
        "DateStyle",
        Kind::DateStyle,
        "ISO, MDY",
        "How dates are written and read.",
    )),
    own(
        "default_transaction_deferrable",
        Bool,
        "off",
        "Whether new transactions are deferrable.",
    ),
    own(
        "default_transaction_isolation",
        ISOLATION,
        "read committed",
        "Isolation of new transactions.",
    ),
    reported(own(
        "default_transaction_read_only",
        Bool,
        "off",
        "Whether new transactions only read.",
    )),
    own("escape_string_warning", Bool, "on", KEPT),
    own(
        "extra_float_digits",
        Integer(-15, 3, ""),
        "1",
        "Digits of floating-point numbers.",
    ),
    own(
        "idle_in_transaction_session_timeout",
        MILLISECONDS,
        "600000",
        "How long a session may wait inside a transaction.",
    ),
    reported(fixed(
        "in_hot_standby",
        Bool,
        "off",
        "Whether the server only reads.",
    )),
    reported(fixed(
        "integer_datetimes",
        Bool,
        "on",
        "Times are whole microseconds.",
    )),
    reported(own(
        "IntervalStyle",
        Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
        "postgres",
        "How intervals are written.",
    )),
    reported(fixed(
        "is_superuser",
        Bool,
        "off",
        "Whether the role is a superuser.",
    )),
    fixed("lc_collate", Text, "C", "Order of text."),
    fixed("lc_ctype", Text, "C.UTF-8", "Classes of characters."),
    own("lc_messages", Text, "C", "Language of messages."),
    own("lc_monetary", Text, "C", "How money is written."),
    own("lc_numeric", Text, "C", "How numbers are written."),
    own("lc_time", Text, "C", "How times are written."),
    own(
        "lock_timeout",
        MILLISECONDS,
        "0",
        "How long to wait for a lock.",
    ),
    fixed(
        "max_connections",
        Integer(1, 262_143, ""),
        "1000",
        "Most sessions at once.",
    ),
    fixed(
        "max_identifier_length",
        Integer(63, 63, ""),
        "63",
        "Longest name, in bytes.",
    ),
    fixed(
        "max_index_keys",
        Integer(32, 32, ""),
        "32",
        "Most columns of a key.",
    ),
    Row {
        context: Operator,
        ..own(
            "memory_limit",
            Text,
            "",
            "Most memory of the tenant's statements.",
        )
    },
    own(
        "password_encryption",
        Enum(&["scram-sha-256", "argon2id"]),
        "scram-sha-256",
        "How new passwords are kept.",
    ),
    own("role", Text, "none", "The role whose rights count."),
    own(
        "row_security",
        Bool,
        "on",
        "Whether policies narrow queries or make them fail.",
    ),
    own(
        "search_path",
        Kind::SearchPath,
        "\"$user\", public",
        "Schemas of unqualified names.",
    ),
    reported(fixed(
        "server_encoding",
        Text,
        "UTF8",
        "Encoding of the database.",
    )),
    reported(fixed(
        "server_version",
        Text,
        SERVER_VERSION,
        "The PostgreSQL version that clients see.",
    )),
    fixed(
        "server_version_num",
        Integer(0, 999_999, ""),
        "150018",
        "The same as a number.",
    ),
    reported(fixed("session_authorization", Text, "", "Who logged in.")),
    reported(own(
        "standard_conforming_strings",
        Enum(&["on"]),
        "on",
        "Backslashes in strings are plain.",
    )),
    own(
        "statement_timeout",
        MILLISECONDS,
        "300000",
        "How long a statement may run.",
    ),
    own(
        "synchronous_commit",
        Enum(&["on"]),
        "on",
        "Commits are durable when they return.",
    ),
    own("synchronize_seqscans", Bool, "on", KEPT),
    own("temp_buffers", Text, "8MB", KEPT),
    reported(own(
        "TimeZone",
        Kind::TimeZone,
        "UTC",
        "The session's time zone.",
    )),
    own(
        "transaction_deferrable",
        Bool,
        "off",
        "Whether this transaction is deferrable.",
    ),
    own(
        "transaction_isolation",
        ISOLATION,
        "read committed",
        "Isolation of this transaction.",
    ),
    own(
        "transaction_read_only",
        Bool,
        "off",
        "Whether this transaction only reads.",
    ),
    own(
        "work_mem",
        Text,
        "4MB",
        "Kept for clients that set it; memory_limit bounds statements.",
    ),
    own("maintenance_work_mem", Text, "64MB", KEPT),
    own("geqo", Bool, "on", KEPT),
    own("jit", Bool, "off", KEPT),
    own("enable_seqscan", Bool, "on", KEPT),
    own("enable_nestloop", Bool, "on", KEPT),
    own("enable_hashjoin", Bool, "on", KEPT),
    own("enable_mergejoin", Bool, "on", KEPT),
    own("enable_bitmapscan", Bool, "on", KEPT),
    own("enable_indexscan", Bool, "on", KEPT),
    own("random_page_cost", Float(0.0, 1e10), "4", KEPT),
    own("seq_page_cost", Float(0.0, 1e10), "1", KEPT),
    own(
        "default_table_access_method",
        Enum(&["heap"]),
        "heap",
        "How tables are kept, as PostgreSQL calls it.",
    ),
    own(
        "default_tablespace",
        Enum(&[""]),
        "",
        "There is one place for tables.",
    ),
    own(
        "quote_all_identifiers",
        Enum(&["off"]),
        "off",
        "Definitions quote the names that need it.",
    ),
    own("check_function_bodies", Bool, "on", KEPT),
    fixed(
        "block_size",
        Text,
        "8192",
        "Bytes of a page, in which sizes are counted.",
    ),
    own("xmloption", Enum(&["content", "document"]), "content", KEPT),
];

pub(super) fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_has_one_row() {
        let mut names: Vec<String> = ROWS.iter().map(|row| row.name.to_lowercase()).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
