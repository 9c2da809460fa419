//! CREATE, ALTER and DROP POLICY, and ALTER TABLE … ROW LEVEL SECURITY.
//!
//! A table's owner narrows it in the table's own database. On a common table a tenant's admin makes
//! a layer of its own beside the operator's, for its tenant alone.

use datafusion::sql::sqlparser::ast::{AlterTableOperation, Expr, ObjectName};
use tessera_catalog::id::Oid;
use tessera_catalog::model::{
    Change, Condition, Database, Policy, PolicyCommand, PolicyRole, RowSecurity, Scope as Reach,
};

use super::names::{check_new_name, check_owner, qualified, relation};
use super::role::{place, resolve};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::ast::{Name, Policy as Statement, RoleName};
use crate::planner::condition::bind;
use crate::planner::scope::SYSTEM_SCHEMAS;
use crate::planner::source::Found;
use crate::policy::Caller;
use crate::session::Session;
use crate::session::reply::{Notice, Reply};

pub(super) async fn run(session: &mut Session, statement: &Statement) -> Result<Reply> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let tag = match statement {
        Statement::Create { .. } => {
            create(session, &caller, &scope, statement).await?;
            "CREATE POLICY"
        }
        Statement::Alter { .. } | Statement::Rename { .. } => {
            alter(session, &caller, &scope, statement).await?;
            "ALTER POLICY"
        }
        Statement::Drop {
            name,
            table,
            if_exists,
        } => {
            drop(session, &caller, &scope, (name, table), *if_exists)?;
            "DROP POLICY"
        }
    };
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

/// What ALTER TABLE does to a table's row security; nothing if the operation is of another kind.
pub(super) fn switch(
    session: &mut Session,
    caller: &Caller,
    found: &Found,
    operation: &AlterTableOperation,
) -> Result<bool> {
    use AlterTableOperation as Operation;
    let (enabled, forced) = match operation {
        Operation::EnableRowLevelSecurity => (Some(true), None),
        Operation::DisableRowLevelSecurity => (Some(false), None),
        Operation::ForceRowLevelSecurity => (None, Some(true)),
        Operation::NoForceRowLevelSecurity => (None, Some(false)),
        _ => return Ok(false),
    };
    check_may_narrow(caller, found)?;
    let mut security = security(session, caller, found);
    security.enabled = enabled.unwrap_or(security.enabled);
    security.forced = forced.unwrap_or(security.forced);
    put(session, caller, security, None);
    Ok(true)
}

/// Whether the caller may make policies on a table.
fn check_may_narrow(caller: &Caller, found: &Found) -> Result<()> {
    let Some(table) = found.relation.table() else {
        return Err(Error::WrongKind {
            name: found.relation.name.clone(),
            wanted: "table",
        });
    };
    if found.relation.schema == crate::session::transaction::TEMPORARY_SCHEMA {
        return Err(Error::Unsupported(
            "row security of a temporary table".to_owned(),
        ));
    }
    let own_layer = found.home != caller.database.id && table.scope == Reach::Common;
    if own_layer && caller.has_role(Oid::TENANT_ADMIN) {
        return Ok(());
    }
    check_owner(caller, found)
}

pub(super) fn target(caller: &Caller, scope: &Scope, name: &ObjectName) -> Result<Found> {
    let (schema, table) = qualified(name, &scope.database.name)?;
    let system = match &schema {
        Some(schema) => SYSTEM_SCHEMAS.contains(&schema.as_str()),
        None => scope
            .session
            .system_table("pg_catalog", &table, false)
            .is_some(),
    };
    if system {
        return Err(Error::InsufficientPrivilege(format!(
            "permission denied: \"{table}\" is a system catalog"
        )));
    }
    let found = relation(scope, name)?;
    check_may_narrow(caller, &found)?;
    Ok(found)
}

/// The row security of a table in the caller's database, as the transaction sees it.
pub(super) fn security(session: &Session, caller: &Caller, found: &Found) -> RowSecurity {
    let newest = session.transaction.seen(&caller.database);
    let oid = found.relation.oid;
    let known = newest.row_security.get(&oid);
    known.map_or_else(|| RowSecurity::none(oid), |known| known.as_ref().clone())
}

pub(super) fn put(
    session: &mut Session,
    caller: &Caller,
    mut security: RowSecurity,
    drawn: Option<Oid>,
) {
    security.policies.sort_by(|a, b| a.name.cmp(&b.name));
    let mut changes = vec![Change::PutRowSecurity(security)];
    changes.extend(drawn.map(|oid| Change::NextOid(oid.0 + 1)));
    session.transaction.change(&caller.database, changes);
    session.version += 1;
}

async fn create(
    session: &mut Session,
    caller: &Caller,
    scope: &Scope,
    statement: &Statement,
) -> Result<()> {
    let Statement::Create {
        name,
        table,
        permissive,
        command,
        roles,
        using,
        check,
    } = statement
    else {
        return Err(Error::internal("not a CREATE POLICY"));
    };
    check_halves(*command, using.is_some(), check.is_some())?;
    check_new_name(name)?;
    let found = target(caller, scope, table)?;
    let mut security = security(session, caller, &found);
    if security.policy(name).is_some() {
        return Err(Error::PolicyExists {
            policy: name.clone(),
            table: found.relation.name.clone(),
        });
    }
    let roles = policy_roles(session, roles).await?;
    let bound = |condition: &Option<Expr>| {
        let condition = condition.as_ref();
        condition
            .map(|condition| bind(condition, &found, scope))
            .transpose()
    };
    let (using, check) = (bound(using)?, bound(check)?);
    let oid = session.engine.catalog.next_oid(&caller.database);
    security.policies.push(Policy {
        oid,
        name: name.clone(),
        permissive: *permissive,
        command: *command,
        roles,
        using,
        check,
        comment: None,
    });
    put(session, caller, security, Some(oid));
    Ok(())
}

async fn alter(
    session: &mut Session,
    caller: &Caller,
    scope: &Scope,
    statement: &Statement,
) -> Result<()> {
    let (Statement::Alter { name, table, .. } | Statement::Rename { name, table, .. }) = statement
    else {
        return Err(Error::internal("not an ALTER POLICY"));
    };
    let found = target(caller, scope, table)?;
    let table = found.relation.name.clone();
    let mut security = security(session, caller, &found);
    if let Statement::Rename { to, .. } = statement {
        check_new_name(to)?;
        if security.policy(to).is_some() {
            let policy = to.clone();
            return Err(Error::PolicyExists { policy, table });
        }
    }
    let Some(policy) = security.policies.iter_mut().find(|p| p.name == *name) else {
        let policy = name.clone();
        return Err(Error::NoSuchPolicy { policy, table });
    };
    match statement {
        Statement::Rename { to, .. } => policy.name.clone_from(to),
        Statement::Alter {
            roles,
            using,
            check,
            ..
        } => {
            check_altered_halves(policy.command, using.is_some(), check.is_some())?;
            if let Some(roles) = roles {
                policy.roles = policy_roles(session, roles).await?;
            }
            if let Some(condition) = using {
                policy.using = Some(bind(condition, &found, scope)?);
            }
            if let Some(condition) = check {
                policy.check = Some(bind(condition, &found, scope)?);
            }
        }
        Statement::Create { .. } | Statement::Drop { .. } => {}
    }
    put(session, caller, security, None);
    Ok(())
}

fn drop(
    session: &mut Session,
    caller: &Caller,
    scope: &Scope,
    (name, table): (&str, &ObjectName),
    if_exists: bool,
) -> Result<()> {
    let (schema, bare) = qualified(table, &scope.database.name)?;
    if if_exists && scope.find(schema.as_deref(), &bare).is_none() {
        session.notice(Notice::plain(format!(
            "relation \"{bare}\" does not exist, skipping"
        )));
        return Ok(());
    }
    let found = target(caller, scope, table).map_err(|error| match error {
        // PostgreSQL's word here.
        Error::MustOwn { name, .. } => Error::MustOwn {
            kind: "relation",
            name,
        },
        other => other,
    })?;
    let mut security = security(session, caller, &found);
    let before = security.policies.len();
    security.policies.retain(|policy| policy.name != name);
    if security.policies.len() == before {
        let table = found.relation.name.clone();
        if if_exists {
            session.notice(Notice::plain(format!(
                "policy \"{name}\" for relation \"{table}\" does not exist, skipping"
            )));
            return Ok(());
        }
        let policy = name.to_owned();
        return Err(Error::NoSuchPolicy { policy, table });
    }
    put(session, caller, security, None);
    Ok(())
}

fn syntax(message: &str) -> Error {
    Error::Syntax {
        message: message.to_owned(),
        position: None,
    }
}

fn check_halves(command: PolicyCommand, using: bool, check: bool) -> Result<()> {
    match command {
        PolicyCommand::Select | PolicyCommand::Delete if check => {
            Err(syntax("WITH CHECK cannot be applied to SELECT or DELETE"))
        }
        PolicyCommand::Insert if using => {
            Err(syntax("only WITH CHECK expression allowed for INSERT"))
        }
        _ => Ok(()),
    }
}

fn check_altered_halves(command: PolicyCommand, using: bool, check: bool) -> Result<()> {
    match command {
        PolicyCommand::Select | PolicyCommand::Delete if check => {
            Err(syntax("only USING expression allowed for SELECT, DELETE"))
        }
        PolicyCommand::Insert if using => {
            Err(syntax("only WITH CHECK expression allowed for INSERT"))
        }
        _ => Ok(()),
    }
}

/// The roles that a policy is for; none named is everyone.
pub(super) async fn policy_roles(session: &mut Session, names: &[Name]) -> Result<Vec<PolicyRole>> {
    let everyone = PolicyRole {
        tenant: None,
        role: Oid::PUBLIC,
    };
    if names.iter().any(|name| name.name == RoleName::Public) {
        if names.len() > 1 {
            session.notice(Notice {
                hint: Some("All roles are members of the PUBLIC role.".to_owned()),
                ..Notice::warning("22023", "ignoring specified roles other than PUBLIC")
            });
        }
        return Ok(vec![everyone]);
    }
    if names.is_empty() {
        return Ok(vec![everyone]);
    }
    let mut roles = Vec::with_capacity(names.len());
    for name in names {
        let role = policy_role(session, name).await?;
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    Ok(roles)
}

/// The first policy of another table that looks at a relation, or at one of its columns; with a
/// column those of the relation itself too. Policy and table by name.
pub(super) fn reader_of(
    database: &Database,
    relation: Oid,
    column: Option<i16>,
) -> Option<(String, String)> {
    let reads = |condition: &Condition, own: bool| {
        let by_reference = condition.references.iter().any(|reference| {
            let columns = &reference.columns;
            reference.relation == relation
                && column.is_none_or(|column| columns.iter().any(|(number, _)| *number == column))
        });
        let own_column = own && column.is_some_and(|column| condition.names.contains(&column));
        by_reference && (!own || column.is_some()) || own_column
    };
    database.row_security.values().find_map(|security| {
        let own = security.relation == relation;
        let (policy, _) = security
            .conditions()
            .find(|(_, condition)| reads(condition, own))?;
        let table = database.relations.get(&security.relation)?;
        Some((policy.to_owned(), table.name.clone()))
    })
}

/// The row security of a database without the policies that look at a relation, which is dropped.
pub(super) fn without_readers(database: &Database, relation: Oid) -> Vec<Change> {
    let reads = |policy: &Policy| {
        let conditions = policy.using.iter().chain(&policy.check);
        let mut references = conditions.flat_map(|condition| &condition.references);
        references.any(|reference| reference.relation == relation)
    };
    let touched = database
        .row_security
        .values()
        .filter(|s| s.relation != relation && s.policies.iter().any(reads));
    touched
        .map(|security| {
            let mut security = security.as_ref().clone();
            security.policies.retain(|policy| !reads(policy));
            Change::PutRowSecurity(security)
        })
        .collect()
}

/// The policies that name a role, in PostgreSQL's words.
pub(super) fn policies_for(database: &Database, role: Oid) -> Vec<String> {
    let mut found = Vec::new();
    for security in database.row_security.values() {
        let table = database.relations.get(&security.relation);
        let table = table.map_or_else(|| security.relation.to_string(), |t| t.name.clone());
        let of_role = |policy: &&Policy| {
            let mut roles = policy.roles.iter();
            roles.any(|of| of.tenant.is_none() && of.role == role)
        };
        let policies = security.policies.iter().filter(of_role);
        found.extend(policies.map(|p| format!("target of policy {} on table {table}", p.name)));
    }
    found
}

async fn policy_role(session: &mut Session, name: &Name) -> Result<PolicyRole> {
    let (caller, database) = place(session, name.tenant.as_deref()).await?;
    // The operator's policies name every tenant's admin by one name.
    let admin = RoleName::Named("tenant_admin".to_owned());
    let every_admin = caller.is_system() && name.tenant.is_none() && name.name == admin;
    let role = if every_admin {
        Oid::TENANT_ADMIN
    } else {
        resolve(&caller, &database, name)?
    };
    Ok(PolicyRole {
        tenant: name.tenant.as_ref().and_then(|_| database.id.tenant()),
        role,
    })
}
