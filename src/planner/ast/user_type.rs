//! Enums and domains.

use datafusion::sql::sqlparser::ast;

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
