//! Statements as the session dispatches them: what the engine plans, and commands of our own.

mod access;
mod copy;
mod object;
mod session;
mod tenant;
mod user_type;

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;
use tessera_catalog::locks::Mode;

pub use access::*;
pub use copy::*;
pub use object::*;
pub use session::*;
pub use tenant::*;
pub use user_type::*;

/// One parsed statement of a client's text.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The statement's own text, without its neighbours.
    pub text: Arc<str>,
    pub body: Body,
}

/// What a statement is.
#[derive(Debug, Clone)]
pub enum Body {
    /// Nothing but white space and comments.
    Empty,
    /// A query: SELECT, VALUES, TABLE, WITH.
    Query(Box<ast::Query>),
    /// EXPLAIN of a statement.
    Explain(Explain),
    /// INSERT, UPDATE, DELETE or MERGE.
    Write(Box<ast::Statement>),
    /// One of these with WITH before it, or a query with such statements in WITH.
    Combined(Box<ast::Query>),
    /// DDL on tables, views and schemas.
    Define(Box<ast::Statement>),
    /// CREATE SHARED TABLE.
    DefineShared(Box<ast::Statement>),
    Transaction(Transaction),
    Set(Set),
    /// SET CONSTRAINTS; without names it is about all.
    Constraints {
        names: Option<Vec<ast::ObjectName>>,
        deferred: bool,
    },
    Reset(Option<String>),
    Show(Option<String>),
    Tenant(Tenant),
    Plan(Plan),
    Role(Role),
    Sequence(Box<Sequence>),
    Index(Box<Index>),
    UserType(Box<UserTypeStatement>),
    /// REFRESH MATERIALIZED VIEW.
    Refresh {
        name: ast::ObjectName,
        concurrently: bool,
        with_data: bool,
    },
    Grant(Grant),
    Policy(Box<Policy>),
    Mask(Box<Mask>),
    DefaultPrivileges {
        roles: Vec<Name>,
        schemas: Vec<String>,
        grant: Grant,
    },
    Copy(Box<Copy>),
    Prepare {
        name: String,
        types: Vec<ast::DataType>,
        statement: Box<Statement>,
    },
    Execute {
        name: String,
        parameters: Vec<ast::Expr>,
    },
    Deallocate(Option<String>),
    Declare {
        name: String,
        scroll: Option<bool>,
        hold: bool,
        query: Box<ast::Query>,
    },
    Fetch {
        cursor: String,
        direction: Fetch,
        discard: bool,
    },
    CloseCursor(Option<String>),
    /// LOCK TABLE.
    Lock {
        names: Vec<ast::ObjectName>,
        mode: Mode,
        nowait: bool,
    },
    Notify {
        channel: String,
        payload: Option<String>,
    },
    Listen(String),
    /// `None` for all channels.
    Unlisten(Option<String>),
    Discard(Discard),
    Comment(Box<ast::Statement>),
    /// UNLISTEN, ANALYZE, VACUUM, CHECKPOINT …: done as soon as said; the tag.
    NoOp(&'static str),
    /// LOCK TABLE and others that are refused by name.
    Unsupported(String),
}

/// EXPLAIN's options.
#[derive(Debug, Clone)]
pub struct Explain {
    pub analyze: bool,
    pub verbose: bool,
    pub format: Option<String>,
    pub statement: Box<Statement>,
}
