//! CREATE, ALTER and DROP ROLE.

use std::sync::Arc;

use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::model::{Change, Database, Membership, Relation, Role};

use super::names::check_new_name;
use super::plan;
use crate::error::{Error, Result};
use crate::planner::ast::{Name, Role as RoleStatement, RoleName, RoleOptions};
use crate::policy::Caller;
use crate::session::Session;
use crate::session::reply::{Notice, Reply};

pub(super) async fn run(session: &mut Session, statement: &RoleStatement) -> Result<Reply> {
    let tag = match statement {
        RoleStatement::Create {
            role,
            options,
            if_not_exists,
        } => {
            create(session, role, options, *if_not_exists).await?;
            "CREATE ROLE"
        }
        RoleStatement::Alter { role, options } => {
            alter(session, role, options).await?;
            "ALTER ROLE"
        }
        RoleStatement::Rename { role, to } => {
            check_new_name(to)?;
            let (caller, database) = place(session, role.tenant.as_deref()).await?;
            may_manage(&caller)?;
            let mut changed = existing(&caller, &database, role)?;
            check_fixed(&changed)?;
            check_free(session, &database, to).await?;
            changed.name = to.clone();
            session
                .transaction
                .change(&database, vec![Change::PutRole(changed)]);
            "ALTER ROLE"
        }
        RoleStatement::Set { role, name, value } => {
            set(session, role, name.as_deref(), value.as_deref()).await?;
            "ALTER ROLE"
        }
        RoleStatement::SecondFactor { role, wanted } => {
            super::second_factor::change(session, role, *wanted).await?;
            "ALTER ROLE"
        }
        RoleStatement::SetQuota { role, quotas } => {
            set_quotas(session, role, Some(quotas)).await?;
            "ALTER ROLE"
        }
        RoleStatement::ResetQuota { role } => {
            set_quotas(session, role, None).await?;
            "ALTER ROLE"
        }
        RoleStatement::Drop { roles, if_exists } => {
            for role in roles {
                drop_role(session, role, *if_exists).await?;
            }
            "DROP ROLE"
        }
        RoleStatement::ReassignOwned { .. } => {
            return Err(Error::Unsupported("REASSIGN OWNED".to_owned()));
        }
        RoleStatement::DropOwned { .. } => return Err(Error::Unsupported("DROP OWNED".to_owned())),
        RoleStatement::SetRole { .. } | RoleStatement::SetSessionAuthorization { .. } => {
            return Err(Error::internal("handled with the settings"));
        }
    };
    session.version += 1;
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

/// The database whose role is meant: the session's, or a tenant's when an operator names it.
pub(super) async fn place(
    session: &mut Session,
    tenant: Option<&str>,
) -> Result<(Caller, Arc<Database>)> {
    let caller = session.caller().await?;
    let Some(tenant) = tenant else {
        let database = Arc::clone(&caller.database);
        return Ok((caller, database));
    };
    if !caller.is_system() || !caller.superuser {
        return Err(Error::InsufficientPrivilege(
            "only an operator in the system database names a tenant's role".to_owned(),
        ));
    }
    let id = caller
        .system
        .tenant_named(tenant)
        .map(|tenant| tenant.id)
        .ok_or_else(|| Error::NoSuchObject {
            kind: "tenant",
            name: tenant.to_owned(),
        })?;
    let catalog = session.engine.catalog.clone();
    let database = session
        .transaction
        .database(&catalog, DatabaseId::Tenant(id))
        .await?;
    Ok((caller, database))
}

/// Whether the caller may make and change roles.
fn may_manage(caller: &Caller) -> Result<()> {
    let create_role = caller
        .database
        .roles
        .get(&caller.role)
        .is_some_and(|role| role.create_role);
    let admin = !caller.is_system() && caller.roles.contains(&Oid::TENANT_ADMIN);
    if caller.superuser || create_role || admin {
        return Ok(());
    }
    Err(Error::InsufficientPrivilege(
        "permission denied to create role".to_owned(),
    ))
}

/// Whether the caller may change this role.
pub(super) fn may_change(caller: &Caller, role: &Role) -> Result<()> {
    may_manage(caller)?;
    if (role.superuser || role.oid == Oid::TENANT_ADMIN)
        && !caller.superuser
        && !caller.roles.contains(&Oid::TENANT_ADMIN)
    {
        return Err(Error::InsufficientPrivilege("permission denied".to_owned()));
    }
    Ok(())
}

/// The role of a name in a database.
pub(super) fn resolve(caller: &Caller, database: &Database, name: &Name) -> Result<Oid> {
    match &name.name {
        RoleName::Public => Ok(Oid::PUBLIC),
        RoleName::CurrentUser | RoleName::SessionUser => Ok(caller.role),
        RoleName::Named(name) => database
            .role_named(name)
            .map(|role| role.oid)
            .ok_or_else(|| Error::NoSuchObject {
                kind: "role",
                name: name.clone(),
            }),
    }
}

/// The role that a statement names.
pub(super) fn existing(caller: &Caller, database: &Database, name: &Name) -> Result<Role> {
    let oid = resolve(caller, database, name)?;
    let role = database.roles.get(&oid).map(|role| role.as_ref().clone());
    role.ok_or_else(|| Error::NoSuchObject {
        kind: "role",
        name: "public".to_owned(),
    })
}

/// `tenant_admin` and the first operator are what everything else stands on.
fn check_fixed(role: &Role) -> Result<()> {
    if role.oid == Oid::TENANT_ADMIN || role.oid == Oid::OPERATOR {
        return Err(Error::InsufficientPrivilege(format!(
            "role \"{}\" cannot be renamed or dropped",
            role.name
        )));
    }
    Ok(())
}

async fn check_free(session: &Session, database: &Database, name: &str) -> Result<()> {
    if name.starts_with("pg_") || matches!(name, "public" | "none" | "tessera") {
        return Err(Error::ReservedName(format!(
            "role name \"{name}\" is reserved"
        )));
    }
    if database.role_named(name).is_some() {
        return Err(Error::AlreadyExists {
            kind: "role",
            name: name.to_owned(),
        });
    }
    match database.id {
        DatabaseId::System => {
            let tenants = session.engine.catalog.tenants_with_role(name).await?;
            if !tenants.is_empty() {
                return Err(Error::NameUsedByTenants {
                    kind: "role",
                    name: name.to_owned(),
                    tenants,
                });
            }
        }
        DatabaseId::Tenant(_) => {
            if session.engine.catalog.system().role_named(name).is_some() {
                return Err(Error::AlreadyExists {
                    kind: "role",
                    name: name.to_owned(),
                });
            }
        }
    }
    Ok(())
}

async fn create(
    session: &mut Session,
    name: &Name,
    options: &RoleOptions,
    if_not_exists: bool,
) -> Result<()> {
    let (caller, database) = place(session, name.tenant.as_deref()).await?;
    may_manage(&caller)?;
    let RoleName::Named(new) = &name.name else {
        return Err(Error::ReservedName(
            "role name \"public\" is reserved".to_owned(),
        ));
    };
    check_new_name(new)?;
    if if_not_exists && database.role_named(new).is_some() {
        session.notice(Notice::plain(format!(
            "role \"{new}\" already exists, skipping"
        )));
        return Ok(());
    }
    check_free(session, &database, new).await?;
    let oid = session.engine.catalog.next_oid(&database);
    let mut role = Role::new(oid, new.clone());
    apply(session, &caller, &database, &mut role, options).await?;
    let mut changes = vec![Change::PutRole(role), Change::NextOid(oid.0 + 1)];
    let member = |role: Oid, member: Oid, admin_option: bool| {
        Change::PutMembership(Membership {
            role,
            member,
            grantor: caller.role,
            admin_option,
        })
    };
    for group in &options.in_roles {
        let group = resolve(&caller, &database, group)?;
        check_membership(&caller, &database, group)?;
        changes.push(member(group, oid, false));
    }
    for other in &options.members {
        changes.push(member(oid, resolve(&caller, &database, other)?, false));
    }
    for other in &options.admins {
        changes.push(member(oid, resolve(&caller, &database, other)?, true));
    }
    session.transaction.change(&database, changes);
    Ok(())
}

/// A group that the caller may put others into.
pub(super) fn check_membership(caller: &Caller, database: &Database, group: Oid) -> Result<()> {
    let name = database
        .roles
        .get(&group)
        .map_or("", |role| role.name.as_str());
    let admin_of = database
        .memberships
        .iter()
        .any(|m| m.role == group && caller.roles.contains(&m.member) && m.admin_option);
    let tenant_admin = !caller.is_system() && caller.roles.contains(&Oid::TENANT_ADMIN);
    let create_role = caller
        .database
        .roles
        .get(&caller.role)
        .is_some_and(|r| r.create_role);
    // Whoever may only make roles must not make itself an admin by way of a group.
    let weak = create_role
        && group != Oid::TENANT_ADMIN
        && database
            .roles
            .get(&group)
            .is_some_and(|role| !role.superuser);
    if caller.superuser || admin_of || tenant_admin || weak {
        return Ok(());
    }
    Err(Error::InsufficientPrivilege(format!(
        "must have admin option on role \"{name}\""
    )))
}

async fn apply(
    session: &Session,
    caller: &Caller,
    database: &Database,
    role: &mut Role,
    options: &RoleOptions,
) -> Result<()> {
    if options.replication == Some(true) {
        return Err(Error::InsufficientPrivilege(
            "REPLICATION cannot be given".to_owned(),
        ));
    }
    let in_tenant = database.id != DatabaseId::System;
    let beyond = options.superuser == Some(true) || options.create_db == Some(true);
    if in_tenant && beyond {
        return Err(Error::InsufficientPrivilege(
            "SUPERUSER and CREATEDB cannot be given inside a tenant".to_owned(),
        ));
    }
    if (options.superuser.is_some() || options.bypass_rls == Some(true)) && !caller.superuser {
        let admin = in_tenant && caller.roles.contains(&Oid::TENANT_ADMIN);
        if options.superuser == Some(true) || !admin {
            return Err(Error::InsufficientPrivilege(
                "must be superuser to change superuser roles or attributes".to_owned(),
            ));
        }
    }
    let set = |target: &mut bool, value: Option<bool>| {
        if let Some(value) = value {
            *target = value;
        }
    };
    set(&mut role.superuser, options.superuser);
    set(&mut role.create_db, options.create_db);
    set(&mut role.create_role, options.create_role);
    set(&mut role.inherit, options.inherit);
    set(&mut role.login, options.login);
    set(&mut role.bypass_rls, options.bypass_rls);
    if let Some(limit) = options.connection_limit {
        if limit < -1 {
            return Err(Error::InvalidParameterValue(format!(
                "invalid connection limit: {limit}"
            )));
        }
        role.connection_limit = limit;
    }
    if let Some(until) = &options.valid_until {
        role.valid_until = moment(until)?;
    }
    if let Some(password) = &options.password {
        match password.as_deref() {
            None | Some("") => role.password = None,
            Some(password) => give_password(session, role, password).await?,
        }
    }
    Ok(())
}

/// Microseconds since 1970, `None` for infinity.
fn moment(text: &str) -> Result<Option<i64>> {
    use datafusion::common::ScalarValue;
    use tessera_catalog::sql_type::SqlType;
    if text == "infinity" {
        return Ok(None);
    }
    match crate::format::value_of(text, &SqlType::Timestamptz, &Arc::from("UTC"))? {
        ScalarValue::TimestampMicrosecond(micros, _) => Ok(micros),
        _ => Err(Error::InvalidDatetime(format!(
            "invalid input syntax for type timestamp with time zone: \"{text}\""
        ))),
    }
}

/// Gives a role a password, as the server's policy and the session's settings say.
pub(super) async fn give_password(
    session: &Session,
    role: &mut Role,
    password: &str,
) -> Result<()> {
    let encryption = session.settings.lock().value("password_encryption");
    let policy = &session.engine.logins.passwords;
    policy.give(role, password, &encryption).await
}

async fn alter(session: &mut Session, name: &Name, options: &RoleOptions) -> Result<()> {
    let (caller, database) = place(session, name.tenant.as_deref()).await?;
    let mut role = existing(&caller, &database, name)?;
    let only_own_password = role.oid == caller.role
        && name.tenant.is_none()
        && *options
            == RoleOptions {
                password: options.password.clone(),
                ..RoleOptions::default()
            };
    if !only_own_password {
        may_change(&caller, &role)?;
    }
    apply(session, &caller, &database, &mut role, options).await?;
    let mut changes = vec![Change::PutRole(role.clone())];
    for member in &options.members {
        changes.push(Change::PutMembership(Membership {
            role: role.oid,
            member: resolve(&caller, &database, member)?,
            grantor: caller.role,
            admin_option: false,
        }));
    }
    session.transaction.change(&database, changes);
    Ok(())
}

/// COMMENT ON ROLE.
///
/// # Errors
/// 42501 for one who manages no roles, 42704 for a role that does not exist.
pub(super) async fn comment(
    session: &mut Session,
    name: String,
    comment: Option<String>,
) -> Result<()> {
    let (caller, database) = place(session, None).await?;
    let name = Name {
        name: RoleName::Named(name),
        tenant: None,
    };
    let mut role = existing(&caller, &database, &name)?;
    may_manage(&caller)?;
    role.comment = comment;
    session
        .transaction
        .change(&database, vec![Change::PutRole(role)]);
    Ok(())
}

async fn set_quotas(
    session: &mut Session,
    name: &Name,
    quotas: Option<&[(String, Option<String>)]>,
) -> Result<()> {
    let (caller, database) = place(session, name.tenant.as_deref()).await?;
    may_manage(&caller)?;
    let mut role = existing(&caller, &database, name)?;
    plan::set_role_quotas(database.id, &mut role, quotas)?;
    session
        .transaction
        .change(&database, vec![Change::PutRole(role)]);
    Ok(())
}

async fn set(
    session: &mut Session,
    name: &Name,
    setting: Option<&str>,
    value: Option<&str>,
) -> Result<()> {
    let (caller, database) = place(session, name.tenant.as_deref()).await?;
    let mut role = existing(&caller, &database, name)?;
    if role.oid != caller.role || name.tenant.is_some() {
        may_manage(&caller)?;
    }
    match (setting, value) {
        (None, _) => role.settings.clear(),
        (Some(setting), None) => {
            role.settings.remove(&setting.to_lowercase());
        }
        (Some(setting), Some(value)) => {
            // Refused now rather than at the next login.
            crate::session::settings::Settings::new().set(
                setting,
                Some(value),
                false,
                caller.superuser,
            )?;
            role.settings
                .insert(setting.to_lowercase(), value.to_owned());
        }
    }
    session
        .transaction
        .change(&database, vec![Change::PutRole(role)]);
    Ok(())
}

async fn drop_role(session: &mut Session, name: &Name, if_exists: bool) -> Result<()> {
    let (caller, database) = place(session, name.tenant.as_deref()).await?;
    may_manage(&caller)?;
    let role = match existing(&caller, &database, name) {
        Err(Error::NoSuchObject { kind, name }) if if_exists => {
            session.notice(Notice::plain(format!(
                "{kind} \"{name}\" does not exist, skipping"
            )));
            return Ok(());
        }
        other => other?,
    };
    check_fixed(&role)?;
    if role.oid == caller.role && name.tenant.is_none() {
        return Err(Error::ObjectInUse {
            message: "current user cannot be dropped".to_owned(),
            detail: None,
        });
    }
    if role.superuser && !caller.superuser {
        return Err(Error::InsufficientPrivilege(
            "must be superuser to drop superusers".to_owned(),
        ));
    }
    let held = objects_of(&database, role.oid);
    if !held.is_empty() {
        return Err(Error::DependentObjects {
            object: format!("role \"{}\"", role.name),
            detail: held.join("\n"),
        });
    }
    session
        .transaction
        .change(&database, vec![Change::DropRole(role.oid)]);
    Ok(())
}

/// What hangs on a role, in PostgreSQL's words.
fn objects_of(database: &Database, role: Oid) -> Vec<String> {
    let kind = |relation: &Relation| {
        if relation.view().is_some() {
            "view"
        } else {
            "table"
        }
    };
    let mut found = Vec::new();
    for relation in database.relations.values() {
        let (kind, name) = (kind(relation), &relation.name);
        if relation.owner == role {
            found.push(format!("owner of {kind} {name}"));
        } else if relation.acl.as_ref().is_some_and(|acl| acl.mentions(role)) {
            found.push(format!("privileges for {kind} {name}"));
        }
    }
    for user_type in database.types.values() {
        let (kind, name) = (user_type.kind(), &user_type.name);
        if user_type.owner == role {
            found.push(format!("owner of {kind} {name}"));
        } else if user_type.acl.as_ref().is_some_and(|acl| acl.mentions(role)) {
            found.push(format!("privileges for {kind} {name}"));
        }
    }
    for schema in database.schemas.values() {
        if schema.owner == role {
            found.push(format!("owner of schema {}", schema.name));
        } else if schema.acl.as_ref().is_some_and(|acl| acl.mentions(role)) {
            found.push(format!("privileges for schema {}", schema.name));
        }
    }
    found.extend(super::policy::policies_for(database, role));
    found.extend(super::mask::masks_for(database, role));
    found.sort();
    found
}

/// The role that OWNER TO names: one that the caller is a member of.
pub(super) fn new_owner(caller: &Caller, name: &str) -> Result<Oid> {
    let written = name.trim_matches('"');
    let oid = match written.to_lowercase().as_str() {
        "current_user" | "current_role" | "session_user" => caller.role,
        _ => caller
            .database
            .role_named(written)
            .map(|role| role.oid)
            .ok_or_else(|| Error::NoSuchObject {
                kind: "role",
                name: written.to_owned(),
            })?,
    };
    if caller.superuser || caller.database.is_member(caller.role, oid) {
        return Ok(oid);
    }
    Err(Error::InsufficientPrivilege(format!(
        "must be member of role \"{written}\""
    )))
}
