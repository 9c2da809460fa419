//! COPY.

use datafusion::sql::sqlparser::ast;

use super::Statement;

/// COPY.
#[derive(Debug, Clone)]
pub struct Copy {
    pub source: CopySource,
    pub from: bool,
    pub options: Vec<(String, CopyValue)>,
    pub filter: Option<ast::Expr>,
}

/// What COPY reads or writes.
#[derive(Debug, Clone)]
pub enum CopySource {
    Table {
        name: ast::ObjectName,
        columns: Vec<String>,
    },
    Query(Box<Statement>),
}

/// A COPY option's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyValue {
    None,
    Text(String),
    Columns(Vec<String>),
    AllColumns,
}
