//! Sequences and indexes.

use datafusion::sql::sqlparser::ast;

/// CREATE and ALTER SEQUENCE.
#[derive(Debug, Clone, PartialEq)]
pub enum Sequence {
    Create {
        name: ast::ObjectName,
        if_not_exists: bool,
        options: SequenceOptions,
    },
    Alter {
        name: ast::ObjectName,
        if_exists: bool,
        options: SequenceOptions,
    },
    Rename {
        name: ast::ObjectName,
        if_exists: bool,
        to: String,
    },
    Owner {
        name: ast::ObjectName,
        if_exists: bool,
        owner: String,
    },
}

/// Options of a sequence; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SequenceOptions {
    pub data_type: Option<ast::DataType>,
    pub increment: Option<i64>,
    /// `Some(None)` for NO MINVALUE.
    pub min: Option<Option<i64>>,
    pub max: Option<Option<i64>>,
    pub start: Option<i64>,
    /// `Some(None)` for RESTART at the start.
    pub restart: Option<Option<i64>>,
    pub cache: Option<i64>,
    pub cycle: Option<bool>,
    /// `Some(None)` for NONE.
    pub owned_by: Option<Option<ast::ObjectName>>,
}

/// DROP and ALTER INDEX, and REINDEX.
#[derive(Debug, Clone, PartialEq)]
pub enum Index {
    Drop {
        names: Vec<ast::ObjectName>,
        if_exists: bool,
        cascade: bool,
    },
    Rename {
        name: ast::ObjectName,
        if_exists: bool,
        to: String,
    },
    Reindex {
        kind: Reindex,
        /// None for the session's own database.
        name: Option<ast::ObjectName>,
    },
}

/// What REINDEX names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reindex {
    Index,
    Table,
    Schema,
    Database,
}
