//! Who may do what: roles, grants, policies and masks.

use datafusion::sql::sqlparser::ast;
use tessera_catalog::model::PolicyCommand;

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
