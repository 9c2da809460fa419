//! Statements as the session dispatches them: what the engine plans, and commands of our own.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;
use tessera_catalog::locks::Mode;
use tessera_catalog::model::PolicyCommand;

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

/// CREATE, ALTER and DROP of enums and domains.
#[derive(Debug, Clone)]
pub enum UserTypeStatement {
    CreateEnum {
        name: ast::ObjectName,
        labels: Vec<String>,
    },
    CreateDomain {
        name: ast::ObjectName,
        data_type: ast::DataType,
        default: Option<Box<ast::Expr>>,
        constraints: Vec<DomainConstraint>,
    },
    Alter {
        name: ast::ObjectName,
        domain: bool,
        action: TypeAction,
    },
    Drop {
        names: Vec<ast::ObjectName>,
        domain: bool,
        if_exists: bool,
        cascade: bool,
    },
}

/// A rule of a domain, with the name that it is given.
#[derive(Debug, Clone)]
pub struct DomainConstraint {
    pub name: Option<String>,
    pub rule: DomainRule,
}

/// What a domain demands of its values.
#[derive(Debug, Clone)]
pub enum DomainRule {
    NotNull,
    Null,
    Check(Box<ast::Expr>),
}

/// What ALTER TYPE, ALTER DOMAIN or COMMENT changes.
#[derive(Debug, Clone)]
pub enum TypeAction {
    Rename(String),
    Owner(String),
    Schema(String),
    Comment(Option<String>),
    AddValue {
        label: String,
        if_not_exists: bool,
        place: EnumPlace,
    },
    RenameValue {
        from: String,
        to: String,
    },
    Domain(Box<DomainAction>),
}

/// Where a new word of an enum goes.
#[derive(Debug, Clone)]
pub enum EnumPlace {
    Last,
    Before(String),
    After(String),
}

/// What ALTER DOMAIN changes of a domain's rules.
#[derive(Debug, Clone)]
pub enum DomainAction {
    SetDefault(Option<Box<ast::Expr>>),
    SetNullable(bool),
    AddConstraint {
        constraint: DomainConstraint,
        not_valid: bool,
    },
    DropConstraint {
        name: String,
        if_exists: bool,
    },
    RenameConstraint {
        from: String,
        to: String,
    },
    ValidateConstraint(String),
}

/// EXPLAIN's options.
#[derive(Debug, Clone)]
pub struct Explain {
    pub analyze: bool,
    pub verbose: bool,
    pub format: Option<String>,
    pub statement: Box<Statement>,
}

/// Transaction control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transaction {
    Begin {
        modes: TransactionModes,
        tag: &'static str,
    },
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// SET TRANSACTION.
    Modes(TransactionModes),
    /// SET SESSION CHARACTERISTICS AS TRANSACTION.
    SessionModes(TransactionModes),
}

/// Modes named in BEGIN or SET TRANSACTION; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransactionModes {
    pub isolation: Option<String>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

/// SET of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    pub name: String,
    /// `None` for DEFAULT.
    pub value: Option<String>,
    pub local: bool,
}

/// A role's name, in this database or, said by an operator, in a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub name: RoleName,
    pub tenant: Option<String>,
}

/// How a role is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleName {
    Named(String),
    Public,
    CurrentUser,
    SessionUser,
}

/// CREATE, ALTER and DROP TENANT, and the same of DATABASE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tenant {
    Create {
        name: String,
        options: Vec<(String, String)>,
        encrypted: bool,
        database: bool,
    },
    Set {
        name: String,
        options: Vec<(String, Option<String>)>,
        database: bool,
    },
    Rename {
        name: String,
        to: String,
        database: bool,
    },
    /// `None` for a quota is its RESET.
    SetQuota {
        name: String,
        quotas: Vec<(String, Option<String>)>,
    },
    /// RESET QUOTA of all.
    ResetQuota {
        name: String,
    },
    /// `None` for RESET PLAN.
    SetPlan {
        name: String,
        plan: Option<String>,
    },
    Suspend {
        name: String,
        suspended: bool,
    },
    SetEncryption {
        name: String,
        on: bool,
    },
    /// ROTATE KEY.
    RotateKey {
        name: String,
    },
    /// ALTER SYSTEM ROTATE MASTER KEY.
    RotateMasterKey,
    Drop {
        names: Vec<String>,
        if_exists: bool,
        cascade: bool,
        force: bool,
        database: bool,
    },
}

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

/// CREATE, ALTER and DROP PLAN.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    Create {
        name: String,
        options: Vec<(String, String)>,
    },
    /// `None` for an option is its RESET.
    Alter {
        name: String,
        options: Vec<(String, Option<String>)>,
    },
    Rename {
        name: String,
        to: String,
    },
    Drop {
        name: String,
        if_exists: bool,
    },
}

/// CREATE, ALTER and DROP ROLE.
#[derive(Debug, Clone, PartialEq)]
pub enum Role {
    Create {
        role: Name,
        options: RoleOptions,
        if_not_exists: bool,
    },
    Alter {
        role: Name,
        options: RoleOptions,
    },
    Rename {
        role: Name,
        to: String,
    },
    Set {
        role: Name,
        name: Option<String>,
        value: Option<String>,
    },
    /// A second factor is asked for from now on, or no longer.
    SecondFactor {
        role: Name,
        wanted: bool,
    },
    /// `None` for a quota is its RESET.
    SetQuota {
        role: Name,
        quotas: Vec<(String, Option<String>)>,
    },
    /// RESET QUOTA of all.
    ResetQuota {
        role: Name,
    },
    Drop {
        roles: Vec<Name>,
        if_exists: bool,
    },
    SetRole {
        name: Option<String>,
        local: bool,
    },
    SetSessionAuthorization {
        name: Option<String>,
    },
    ReassignOwned {
        from: Vec<Name>,
        to: Name,
    },
    DropOwned {
        by: Vec<Name>,
        cascade: bool,
    },
}

/// Attributes in CREATE and ALTER ROLE; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RoleOptions {
    pub superuser: Option<bool>,
    pub create_db: Option<bool>,
    pub create_role: Option<bool>,
    pub inherit: Option<bool>,
    pub login: Option<bool>,
    pub replication: Option<bool>,
    pub bypass_rls: Option<bool>,
    pub connection_limit: Option<i32>,
    /// `Some(None)` for PASSWORD NULL.
    pub password: Option<Option<String>>,
    pub valid_until: Option<String>,
    pub in_roles: Vec<Name>,
    pub members: Vec<Name>,
    pub admins: Vec<Name>,
}

/// CREATE, ALTER and DROP POLICY.
#[derive(Debug, Clone, PartialEq)]
pub enum Policy {
    Create {
        name: String,
        table: ast::ObjectName,
        permissive: bool,
        command: PolicyCommand,
        /// Empty for everyone.
        roles: Vec<Name>,
        using: Option<ast::Expr>,
        check: Option<ast::Expr>,
    },
    /// What is not named stays.
    Alter {
        name: String,
        table: ast::ObjectName,
        roles: Option<Vec<Name>>,
        using: Option<ast::Expr>,
        check: Option<ast::Expr>,
    },
    Rename {
        name: String,
        table: ast::ObjectName,
        to: String,
    },
    Drop {
        name: String,
        table: ast::ObjectName,
        if_exists: bool,
    },
}

/// CREATE, ALTER and DROP MASKING POLICY, and ALTER TABLE … SET MASKING POLICY.
#[derive(Debug, Clone, PartialEq)]
pub enum Mask {
    Create {
        name: String,
        kind: MaskKind,
        /// Empty for everyone.
        roles: Vec<Name>,
        except: Vec<Name>,
    },
    /// What is not named stays.
    Alter {
        name: String,
        kind: Option<MaskKind>,
        roles: Option<Vec<Name>>,
        except: Option<Vec<Name>>,
    },
    Rename {
        name: String,
        to: String,
    },
    Drop {
        name: String,
        if_exists: bool,
        cascade: bool,
    },
    OnColumn {
        table: ast::ObjectName,
        column: String,
        /// `None` for UNSET.
        policy: Option<String>,
    },
}

/// What a mask shows.
#[derive(Debug, Clone, PartialEq)]
pub enum MaskKind {
    Full,
    Null,
    Hash,
    Partial {
        first: u32,
        padding: String,
        last: u32,
    },
    Expression(Box<ast::Expr>),
}

/// GRANT and REVOKE.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    pub revoke: bool,
    /// WITH GRANT OPTION, or only the option's revocation; for roles the admin option.
    pub option: bool,
    pub what: Granted,
    pub grantees: Vec<Name>,
    pub cascade: bool,
}

/// What is granted.
#[derive(Debug, Clone, PartialEq)]
pub enum Granted {
    /// Membership.
    Roles(Vec<Name>),
    /// Privileges on objects; `None` for ALL, with columns where named.
    Privileges {
        privileges: Option<Vec<(String, Vec<String>)>>,
        all_columns: Vec<String>,
        on: Objects,
    },
}

/// The objects of a GRANT.
#[derive(Debug, Clone, PartialEq)]
pub enum Objects {
    Tables(Vec<ast::ObjectName>),
    AllTablesInSchemas(Vec<String>),
    Sequences(Vec<ast::ObjectName>),
    AllSequencesInSchemas(Vec<String>),
    Types(Vec<ast::ObjectName>),
    Schemas(Vec<String>),
    Databases(Vec<String>),
    Functions(Vec<String>),
    AllFunctionsInSchemas(Vec<String>),
    /// Sequences, types and the like: kinds that hold nothing here.
    Other(String),
    /// In ALTER DEFAULT PRIVILEGES: TABLES, FUNCTIONS, SCHEMAS …
    Kind(String),
}

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

/// FETCH's and MOVE's directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    Forward(u64),
    ForwardAll,
    Backward(u64),
    BackwardAll,
    Absolute(i64),
    Relative(i64),
}

/// DISCARD's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temporary,
}
