//! Which statements are recorded, as what, and what they are about. Names alone are taken from them.

use datafusion::sql::sqlparser::ast::{self, ObjectName, ObjectType, Statement as S};
use tessera_catalog::audit::Kind;

use crate::planner::ast::{
    Body, CopySource, Grant, Granted, Index, Mask, Name, Objects, Plan, Policy, Role, RoleName,
    Sequence, Tenant, TypeAction, UserTypeStatement,
};

/// A statement that changes who exists, what there is, or who may do what.
pub(super) struct Subject {
    pub(super) kind: Kind,
    pub(super) tag: &'static str,
    pub(super) object: Option<String>,
}

/// What a statement is recorded as, if it is; every kind is decided here.
pub(super) fn of(body: &Body) -> Option<Subject> {
    let (kind, object) = match body {
        Body::Define(statement) | Body::DefineShared(statement) => (Kind::Ddl, defined(statement)?),
        Body::Sequence(sequence) => (Kind::Ddl, sequence_name(sequence).to_string()),
        Body::Index(index) => (Kind::Ddl, index_name(index)),
        Body::Refresh { name, .. } => (Kind::Ddl, name.to_string()),
        Body::Comment(statement) => (Kind::Ddl, commented(statement)),
        Body::UserType(statement) => (Kind::Ddl, type_name(statement)),
        Body::Tenant(tenant) => (Kind::Tenant, tenant_name(tenant)),
        Body::Plan(plan) => (Kind::Tenant, plan_name(plan)),
        Body::Role(Role::SetRole { .. } | Role::SetSessionAuthorization { .. }) => return None,
        Body::Role(role) => (Kind::Role, role_name(role)),
        Body::Grant(grant) => (Kind::Role, granted(grant)),
        Body::DefaultPrivileges { schemas, grant, .. } => {
            let place = match schemas.is_empty() {
                true => String::new(),
                false => format!("in schema {}: ", schemas.join(", ")),
            };
            (Kind::Role, place + &granted(grant))
        }
        Body::Policy(policy) => (Kind::Policy, policy_name(policy)),
        Body::Mask(mask) => (Kind::Policy, mask_name(mask)),
        Body::Empty
        | Body::Query(_)
        | Body::Explain(_)
        | Body::Write(_)
        | Body::Combined(_)
        | Body::Transaction(_)
        | Body::Set(_)
        | Body::Constraints { .. }
        | Body::Reset(_)
        | Body::Show(_)
        | Body::Copy(_)
        | Body::Prepare { .. }
        | Body::Execute { .. }
        | Body::Deallocate(_)
        | Body::Declare { .. }
        | Body::Fetch { .. }
        | Body::CloseCursor(_)
        | Body::Discard(_)
        | Body::Lock { .. }
        | Body::Listen(_)
        | Body::Unlisten(_)
        | Body::Notify { .. }
        | Body::NoOp(_)
        | Body::Unsupported(_) => return None,
    };
    Some(Subject {
        kind,
        tag: verb(body),
        object: Some(object),
    })
}

/// What COPY takes rows from.
pub(super) fn exported(body: &Body) -> Option<String> {
    match body {
        Body::Copy(copy) => match &copy.source {
            CopySource::Table { name, .. } => Some(name.to_string()),
            CopySource::Query(_) => None,
        },
        _ => None,
    }
}

/// A statement's words, as command tags have them.
pub(super) fn verb(body: &Body) -> &'static str {
    match body {
        Body::Query(_) | Body::Combined(_) => "SELECT",
        Body::Explain(_) => "EXPLAIN",
        Body::Write(statement) => write_verb(statement),
        Body::Define(statement) | Body::DefineShared(statement) => define_verb(statement),
        Body::UserType(statement) => type_verb(statement),
        Body::Tenant(tenant) => tenant_verb(tenant),
        Body::Plan(plan) => plan_verb(plan),
        Body::Role(role) => role_verb(role),
        Body::Sequence(sequence) => sequence_verb(sequence),
        Body::Index(index) => index_verb(index),
        Body::Policy(policy) => policy_verb(policy),
        Body::Mask(mask) => mask_verb(mask),
        Body::Refresh { .. } => "REFRESH MATERIALIZED VIEW",
        Body::Grant(grant) if grant.revoke => "REVOKE",
        Body::Grant(_) => "GRANT",
        Body::DefaultPrivileges { .. } => "ALTER DEFAULT PRIVILEGES",
        Body::Transaction(_) => "TRANSACTION",
        Body::Set(_) | Body::Constraints { .. } => "SET",
        Body::Reset(_) => "RESET",
        Body::Show(_) => "SHOW",
        Body::Copy(_) => "COPY",
        Body::Prepare { .. } => "PREPARE",
        Body::Execute { .. } => "EXECUTE",
        Body::Deallocate(_) => "DEALLOCATE",
        Body::Declare { .. } => "DECLARE CURSOR",
        Body::Fetch { .. } => "FETCH",
        Body::CloseCursor(_) => "CLOSE CURSOR",
        Body::Discard(_) => "DISCARD",
        Body::Lock { .. } => "LOCK TABLE",
        Body::Listen(_) => "LISTEN",
        Body::Unlisten(_) => "UNLISTEN",
        Body::Notify { .. } => "NOTIFY",
        Body::Comment(_) => "COMMENT",
        Body::NoOp(tag) => tag,
        Body::Empty | Body::Unsupported(_) => "",
    }
}

fn write_verb(statement: &ast::Statement) -> &'static str {
    match statement {
        S::Insert(_) => "INSERT",
        S::Update(_) => "UPDATE",
        S::Delete(_) => "DELETE",
        _ => "MERGE",
    }
}

fn tenant_verb(tenant: &Tenant) -> &'static str {
    match tenant {
        Tenant::Create { .. } => "CREATE TENANT",
        Tenant::Set { .. }
        | Tenant::Rename { .. }
        | Tenant::SetQuota { .. }
        | Tenant::ResetQuota { .. }
        | Tenant::SetPlan { .. }
        | Tenant::SetEncryption { .. }
        | Tenant::RotateKey { .. }
        | Tenant::Suspend { .. } => "ALTER TENANT",
        Tenant::RotateMasterKey => "ALTER SYSTEM",
        Tenant::Drop { .. } => "DROP TENANT",
    }
}

fn plan_verb(plan: &Plan) -> &'static str {
    match plan {
        Plan::Create { .. } => "CREATE PLAN",
        Plan::Alter { .. } | Plan::Rename { .. } => "ALTER PLAN",
        Plan::Drop { .. } => "DROP PLAN",
    }
}

fn type_verb(statement: &UserTypeStatement) -> &'static str {
    match statement {
        UserTypeStatement::CreateEnum { .. } => "CREATE TYPE",
        UserTypeStatement::CreateDomain { .. } => "CREATE DOMAIN",
        UserTypeStatement::Alter {
            action: TypeAction::Comment(_),
            ..
        } => "COMMENT",
        UserTypeStatement::Alter { domain: true, .. } => "ALTER DOMAIN",
        UserTypeStatement::Alter { .. } => "ALTER TYPE",
        UserTypeStatement::Drop { domain: true, .. } => "DROP DOMAIN",
        UserTypeStatement::Drop { .. } => "DROP TYPE",
    }
}

fn role_verb(role: &Role) -> &'static str {
    match role {
        Role::Create { .. } => "CREATE ROLE",
        Role::Alter { .. }
        | Role::Rename { .. }
        | Role::Set { .. }
        | Role::SecondFactor { .. }
        | Role::SetQuota { .. }
        | Role::ResetQuota { .. } => "ALTER ROLE",
        Role::Drop { .. } => "DROP ROLE",
        Role::SetRole { .. } => "SET ROLE",
        Role::SetSessionAuthorization { .. } => "SET SESSION AUTHORIZATION",
        Role::ReassignOwned { .. } => "REASSIGN OWNED",
        Role::DropOwned { .. } => "DROP OWNED",
    }
}

fn sequence_verb(sequence: &Sequence) -> &'static str {
    match sequence {
        Sequence::Create { .. } => "CREATE SEQUENCE",
        Sequence::Alter { .. } | Sequence::Rename { .. } | Sequence::Owner { .. } => {
            "ALTER SEQUENCE"
        }
    }
}

fn index_verb(index: &Index) -> &'static str {
    match index {
        Index::Drop { .. } => "DROP INDEX",
        Index::Rename { .. } => "ALTER INDEX",
        Index::Reindex { .. } => "REINDEX",
    }
}

fn policy_verb(policy: &Policy) -> &'static str {
    match policy {
        Policy::Create { .. } => "CREATE POLICY",
        Policy::Alter { .. } | Policy::Rename { .. } => "ALTER POLICY",
        Policy::Drop { .. } => "DROP POLICY",
    }
}

fn mask_verb(mask: &Mask) -> &'static str {
    match mask {
        Mask::Create { .. } => "CREATE MASKING POLICY",
        Mask::Alter { .. } | Mask::Rename { .. } => "ALTER MASKING POLICY",
        Mask::Drop { .. } => "DROP MASKING POLICY",
        Mask::OnColumn { .. } => "ALTER TABLE",
    }
}

fn define_verb(statement: &ast::Statement) -> &'static str {
    match statement {
        S::CreateTable(_) => "CREATE TABLE",
        S::AlterTable(_) => "ALTER TABLE",
        S::CreateIndex(_) => "CREATE INDEX",
        S::Truncate(_) => "TRUNCATE TABLE",
        S::CreateView(create) if create.materialized => "CREATE MATERIALIZED VIEW",
        S::CreateView(_) => "CREATE VIEW",
        S::AlterView { .. } => "ALTER VIEW",
        S::CreateSchema { .. } => "CREATE SCHEMA",
        S::AlterSchema(_) => "ALTER SCHEMA",
        S::Drop { object_type, .. } => match object_type {
            ObjectType::Table => "DROP TABLE",
            ObjectType::View => "DROP VIEW",
            ObjectType::MaterializedView => "DROP MATERIALIZED VIEW",
            ObjectType::Sequence => "DROP SEQUENCE",
            ObjectType::Schema => "DROP SCHEMA",
            _ => "DROP",
        },
        _ => "DDL",
    }
}

/// What a definition is about; temporary tables are nobody else's business.
fn defined(statement: &ast::Statement) -> Option<String> {
    Some(match statement {
        S::CreateTable(create) if create.temporary => return None,
        S::CreateTable(create) => create.name.to_string(),
        S::AlterTable(alter) => alter.name.to_string(),
        S::CreateIndex(create) => {
            let name = create.name.as_ref().map(ToString::to_string);
            format!("{} on {}", name.unwrap_or_default(), create.table_name)
        }
        S::Truncate(truncate) => list(truncate.table_names.iter().map(|target| &target.name)),
        S::CreateView(create) => create.name.to_string(),
        S::AlterView { name, .. } => name.to_string(),
        S::CreateSchema { schema_name, .. } => schema_name.to_string(),
        S::AlterSchema(alter) => alter.name.to_string(),
        S::Drop { names, .. } => list(names.iter()),
        _ => String::new(),
    })
}

fn commented(statement: &ast::Statement) -> String {
    match statement {
        S::Comment {
            object_type,
            object_name,
            ..
        } => format!("{object_type} {object_name}"),
        _ => String::new(),
    }
}

fn sequence_name(sequence: &Sequence) -> &ObjectName {
    match sequence {
        Sequence::Create { name, .. }
        | Sequence::Alter { name, .. }
        | Sequence::Rename { name, .. }
        | Sequence::Owner { name, .. } => name,
    }
}

fn index_name(index: &Index) -> String {
    match index {
        Index::Drop { names, .. } => list(names.iter()),
        Index::Rename { name, to, .. } => format!("{name} to {to}"),
        Index::Reindex { name, .. } => name.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

fn tenant_name(tenant: &Tenant) -> String {
    match tenant {
        Tenant::Create { name, .. } => name.clone(),
        Tenant::Set {
            name,
            options: given,
            ..
        } => format!("{name}: {}", options(given)),
        Tenant::SetQuota { name, quotas } => format!("{name}: quota of {}", options(quotas)),
        Tenant::ResetQuota { name } => format!("{name}: quotas"),
        Tenant::SetPlan { name, plan } => match plan {
            Some(plan) => format!("{name}: plan {plan}"),
            None => format!("{name}: no plan"),
        },
        Tenant::Rename { name, to, .. } => format!("{name} to {to}"),
        Tenant::Suspend { name, suspended } => match suspended {
            true => format!("{name}: suspended"),
            false => format!("{name}: resumed"),
        },
        Tenant::SetEncryption { name, on: true } => format!("{name}: encryption on"),
        Tenant::SetEncryption { name, on: false } => format!("{name}: encryption off"),
        Tenant::RotateKey { name } => format!("{name}: new key"),
        Tenant::RotateMasterKey => "master key".to_owned(),
        Tenant::Drop { names, .. } => names.join(", "),
    }
}

fn plan_name(plan: &Plan) -> String {
    match plan {
        Plan::Create { name, .. } | Plan::Drop { name, .. } => name.clone(),
        Plan::Alter {
            name,
            options: given,
        } => format!("{name}: {}", options(given)),
        Plan::Rename { name, to } => format!("{name} to {to}"),
    }
}

fn type_name(statement: &UserTypeStatement) -> String {
    match statement {
        UserTypeStatement::CreateEnum { name, .. }
        | UserTypeStatement::CreateDomain { name, .. }
        | UserTypeStatement::Alter { name, .. } => name.to_string(),
        UserTypeStatement::Drop { names, .. } => list(names.iter()),
    }
}

/// The names of what is set or reset.
fn options(given: &[(String, Option<String>)]) -> String {
    let names: Vec<&str> = given.iter().map(|(name, _)| name.as_str()).collect();
    names.join(", ")
}

fn role_name(role: &Role) -> String {
    match role {
        Role::Create { role, .. } | Role::Alter { role, .. } => named(role),
        Role::Rename { role, to } => format!("{} to {to}", named(role)),
        Role::Set { role, name, .. } => match name {
            Some(name) => format!("{}: {name}", named(role)),
            None => named(role),
        },
        Role::SecondFactor { role, wanted } => match wanted {
            true => format!("{}: second factor", named(role)),
            false => format!("{}: no second factor", named(role)),
        },
        Role::SetQuota { role, quotas } => format!("{}: quota of {}", named(role), options(quotas)),
        Role::ResetQuota { role } => format!("{}: quotas", named(role)),
        Role::Drop { roles, .. } => names(roles),
        Role::SetRole { name, .. } | Role::SetSessionAuthorization { name } => {
            name.clone().unwrap_or_default()
        }
        Role::ReassignOwned { from, to } => format!("{} to {}", names(from), named(to)),
        Role::DropOwned { by, .. } => names(by),
    }
}

fn policy_name(policy: &Policy) -> String {
    match policy {
        Policy::Create { name, table, .. }
        | Policy::Alter { name, table, .. }
        | Policy::Drop { name, table, .. } => format!("{name} on {table}"),
        Policy::Rename { name, table, to } => format!("{name} on {table} to {to}"),
    }
}

fn mask_name(mask: &Mask) -> String {
    match mask {
        Mask::Create { name, .. } | Mask::Alter { name, .. } | Mask::Drop { name, .. } => {
            name.clone()
        }
        Mask::Rename { name, to } => format!("{name} to {to}"),
        Mask::OnColumn {
            table,
            column,
            policy,
        } => match policy {
            Some(policy) => format!("{policy} on {table}.{column}"),
            None => format!("none on {table}.{column}"),
        },
    }
}

/// What is granted, on what, and to whom.
fn granted(grant: &Grant) -> String {
    let what = match &grant.what {
        Granted::Roles(roles) => names(roles),
        Granted::Privileges { privileges, on, .. } => {
            let words: Vec<String> = match privileges {
                None => vec!["all".to_owned()],
                Some(privileges) => privileges
                    .iter()
                    .map(|(privilege, columns)| match columns.is_empty() {
                        true => privilege.to_lowercase(),
                        false => format!("{} ({})", privilege.to_lowercase(), columns.join(", ")),
                    })
                    .collect(),
            };
            format!("{} on {}", words.join(", "), objects(on))
        }
    };
    let word = if grant.revoke { "from" } else { "to" };
    format!("{what} {word} {}", names(&grant.grantees))
}

fn objects(objects: &Objects) -> String {
    match objects {
        Objects::Tables(names) => list(names.iter()),
        Objects::Sequences(names) => format!("sequences {}", list(names.iter())),
        Objects::Types(names) => format!("types {}", list(names.iter())),
        Objects::AllTablesInSchemas(schemas) => {
            format!("all tables in schema {}", schemas.join(", "))
        }
        Objects::AllSequencesInSchemas(schemas) => {
            format!("all sequences in schema {}", schemas.join(", "))
        }
        Objects::Schemas(names) => format!("schema {}", names.join(", ")),
        Objects::Databases(names) => format!("database {}", names.join(", ")),
        Objects::Functions(names) => format!("function {}", names.join(", ")),
        Objects::AllFunctionsInSchemas(schemas) => {
            format!("all functions in schema {}", schemas.join(", "))
        }
        Objects::Other(kind) | Objects::Kind(kind) => kind.to_lowercase(),
    }
}

fn names(names: &[Name]) -> String {
    let names: Vec<String> = names.iter().map(named).collect();
    names.join(", ")
}

fn named(name: &Name) -> String {
    let role = match &name.name {
        RoleName::Named(name) => name.as_str(),
        RoleName::Public => "public",
        RoleName::CurrentUser => "current_user",
        RoleName::SessionUser => "session_user",
    };
    match &name.tenant {
        Some(tenant) => format!("{role} in tenant {tenant}"),
        None => role.to_owned(),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a ObjectName>) -> String {
    let names: Vec<String> = names.map(ToString::to_string).collect();
    names.join(", ")
}
