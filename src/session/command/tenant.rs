//! CREATE, ALTER and DROP TENANT.

use tessera_catalog::id::{DatabaseId, Oid, TenantId};
use tessera_catalog::model::{
    Acl, Change, Database, Encryption, Membership, Privilege, Privileges, Quotas, Role, Tenant,
};

use super::names::check_new_name;
use super::transaction::outside_block;
use super::{encryption, plan, role};
use crate::error::{Error, Result};
use crate::planner::ast::Tenant as Statement;
use crate::policy::Caller;
use crate::session::Session;
use crate::session::reply::{Notice, Reply};
use crate::session::settings::Settings;

/// Names that no tenant can have.
const RESERVED: [&str; 4] = ["postgres", "template0", "template1", "tessera"];

pub(super) async fn run(session: &mut Session, statement: &Statement) -> Result<Reply> {
    let verb = verb(statement);
    let tag = format!("{verb} {}", object(statement));
    outside_block(session, &tag)?;
    let caller = session.caller().await?;
    let may = caller.superuser
        || (verb == "CREATE"
            && caller
                .database
                .roles
                .get(&caller.role)
                .is_some_and(|role| role.create_db));
    if !caller.is_system() || !may {
        let doing = verb.to_lowercase();
        return Err(Error::InsufficientPrivilege(format!(
            "permission denied to {doing} database"
        )));
    }
    match statement {
        Statement::Create {
            name,
            options,
            encrypted,
            ..
        } => create(session, &caller, name, options, *encrypted).await?,
        Statement::Set { name, options, .. } => set(session, &caller, name, options)?,
        Statement::Rename { name, to, .. } => rename(session, &caller, name, to)?,
        Statement::SetQuota { name, quotas } => {
            let mut tenant = existing(&caller, name)?;
            plan::set_tenant_quotas(&mut tenant, quotas)?;
            put(session, &caller, tenant);
        }
        Statement::ResetQuota { name } => {
            let mut tenant = existing(&caller, name)?;
            plan::reset_tenant_quotas(&mut tenant);
            put(session, &caller, tenant);
        }
        Statement::SetPlan { name, plan } => {
            let mut tenant = existing(&caller, name)?;
            plan::set_tenant_plan(&caller, &mut tenant, plan.as_deref())?;
            put(session, &caller, tenant);
        }
        Statement::SetEncryption { name, on } => {
            let mut tenant = existing(&caller, name)?;
            if encryption::set(session, &mut tenant, *on)? {
                put(session, &caller, tenant);
            }
        }
        Statement::RotateKey { name } => {
            let mut tenant = existing(&caller, name)?;
            encryption::rotate(session, &mut tenant)?;
            put(session, &caller, tenant);
        }
        Statement::RotateMasterKey => encryption::rotate_master(session, &caller).await?,
        Statement::Suspend { name, suspended } => suspend(session, &caller, name, *suspended)?,
        Statement::Drop {
            names,
            if_exists,
            cascade,
            force,
            ..
        } => {
            for name in names {
                drop_tenant(session, name, *if_exists, *cascade, *force).await?;
            }
        }
    }
    session.version += 1;
    Ok(Reply::Done { tag })
}

/// The first word of a statement's tag.
fn verb(statement: &Statement) -> &'static str {
    match statement {
        Statement::Create { .. } => "CREATE",
        Statement::Drop { .. } => "DROP",
        Statement::Set { .. }
        | Statement::Rename { .. }
        | Statement::Suspend { .. }
        | Statement::SetEncryption { .. }
        | Statement::RotateKey { .. }
        | Statement::RotateMasterKey
        | Statement::SetQuota { .. }
        | Statement::ResetQuota { .. }
        | Statement::SetPlan { .. } => "ALTER",
    }
}

/// The second.
fn object(statement: &Statement) -> &'static str {
    match statement {
        Statement::RotateMasterKey => "SYSTEM",
        Statement::Create { database: true, .. }
        | Statement::Set { database: true, .. }
        | Statement::Rename { database: true, .. }
        | Statement::Drop { database: true, .. } => "DATABASE",
        _ => "TENANT",
    }
}

fn put(session: &mut Session, caller: &Caller, tenant: Tenant) {
    session
        .transaction
        .change(&caller.system, vec![Change::PutTenant(tenant)]);
}

fn existing(caller: &Caller, name: &str) -> Result<Tenant> {
    caller
        .system
        .tenant_named(name)
        .map(|tenant| tenant.as_ref().clone())
        .ok_or_else(|| Error::NoSuchDatabase(name.to_owned()))
}

fn check_name(caller: &Caller, name: &str) -> Result<()> {
    check_new_name(name)?;
    if RESERVED.contains(&name) {
        return Err(Error::AlreadyExists {
            kind: "database",
            name: name.to_owned(),
        });
    }
    if caller.system.tenant_named(name).is_some() {
        return Err(Error::AlreadyExists {
            kind: "database",
            name: name.to_owned(),
        });
    }
    Ok(())
}

async fn create(
    session: &mut Session,
    caller: &Caller,
    name: &str,
    options: &[(String, String)],
    encrypted: bool,
) -> Result<()> {
    check_name(caller, name)?;
    let mut admin = None;
    let mut password = None;
    let mut tenant = Tenant {
        id: TenantId::generate(),
        oid: session.engine.catalog.next_oid(&caller.system),
        name: name.to_owned(),
        suspended: false,
        created_at: chrono::Utc::now().timestamp_micros(),
        settings: std::collections::BTreeMap::new(),
        quotas: Quotas::default(),
        plan: None,
        encryption: Encryption::default(),
        acl: None,
        comment: None,
    };
    if encrypted {
        tenant.encryption = encryption::born(session, tenant.id)?;
    }
    for (option, value) in options {
        match option.as_str() {
            "admin" => admin = Some(value.clone()),
            "password" => password = Some(value.clone()),
            other => {
                put_setting(&mut tenant, other, Some(value))?;
            }
        }
    }
    if password.is_some() && admin.is_none() {
        return Err(Error::InvalidParameterValue(
            "a password needs an admin".to_owned(),
        ));
    }
    let own = Database::empty(DatabaseId::Tenant(tenant.id), name);
    let mut changes = Database::birth_of_tenant();
    if let Some(admin) = admin {
        changes.extend(first_admin(session, caller, &own, admin, password).await?);
    }
    let next = tenant.oid.0 + 1;
    let put = vec![Change::PutTenant(tenant), Change::NextOid(next)];
    session.transaction.change(&caller.system, put);
    session
        .transaction
        .change(&std::sync::Arc::new(own), changes);
    Ok(())
}

/// The role that administers a new tenant.
async fn first_admin(
    session: &mut Session,
    caller: &Caller,
    own: &Database,
    name: String,
    password: Option<String>,
) -> Result<Vec<Change>> {
    check_new_name(&name)?;
    if caller.system.role_named(&name).is_some() {
        return Err(Error::AlreadyExists { kind: "role", name });
    }
    let oid = Oid(own.next_oid);
    let mut boss = Role {
        login: true,
        create_role: true,
        ..Role::new(oid, name)
    };
    if let Some(password) = password {
        role::give_password(session, &mut boss, &password).await?;
    }
    Ok(vec![
        Change::PutRole(boss),
        Change::PutMembership(Membership {
            role: Oid::TENANT_ADMIN,
            member: oid,
            grantor: Oid::TENANT_ADMIN,
            admin_option: true,
        }),
        Change::NextOid(oid.0 + 1),
    ])
}

/// Keeps what the tenant's sessions start with, or one of its limits by its name among the settings.
fn put_setting(tenant: &mut Tenant, name: &str, value: Option<&str>) -> Result<()> {
    let quota = match name {
        "max_connections" => Some(("connections", None)),
        "memory_limit" => {
            let bytes = value.map(crate::session::settings::bytes).transpose()?;
            Some(("memory", bytes.map(|bytes| format!("{bytes}B"))))
        }
        _ => None,
    };
    if let Some((quota, converted)) = quota {
        let value = converted.or_else(|| value.map(str::to_owned));
        let given = [(quota.to_owned(), value)];
        return plan::set_tenant_quotas(tenant, &given);
    }
    match value {
        None => {
            tenant.settings.remove(name);
        }
        Some(value) => {
            // Refused now rather than at the next login.
            Settings::new().set(name, Some(value), false, true)?;
            tenant.settings.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(())
}

fn set(
    session: &mut Session,
    caller: &Caller,
    name: &str,
    options: &[(String, Option<String>)],
) -> Result<()> {
    let mut tenant = existing(caller, name)?;
    for (option, value) in options {
        put_setting(&mut tenant, option, value.as_deref())?;
    }
    session
        .transaction
        .change(&caller.system, vec![Change::PutTenant(tenant)]);
    Ok(())
}

fn check_unused(session: &Session, tenant: &Tenant) -> Result<()> {
    let sessions = session.engine.registry.count(DatabaseId::Tenant(tenant.id));
    if sessions == 0 {
        return Ok(());
    }
    Err(Error::ObjectInUse {
        message: format!(
            "database \"{}\" is being accessed by other users",
            tenant.name
        ),
        detail: Some(format!(
            "There are {sessions} other sessions using the database."
        )),
    })
}

fn rename(session: &mut Session, caller: &Caller, name: &str, to: &str) -> Result<()> {
    let mut tenant = existing(caller, name)?;
    check_name(caller, to)?;
    check_unused(session, &tenant)?;
    tenant.name = to.to_owned();
    session
        .transaction
        .change(&caller.system, vec![Change::PutTenant(tenant)]);
    Ok(())
}

fn suspend(session: &mut Session, caller: &Caller, name: &str, suspended: bool) -> Result<()> {
    let mut tenant = existing(caller, name)?;
    tenant.suspended = suspended;
    if suspended {
        session
            .engine
            .registry
            .terminate(DatabaseId::Tenant(tenant.id));
    }
    session
        .transaction
        .change(&caller.system, vec![Change::PutTenant(tenant)]);
    Ok(())
}

async fn drop_tenant(
    session: &mut Session,
    name: &str,
    if_exists: bool,
    cascade: bool,
    force: bool,
) -> Result<()> {
    let caller = session.caller().await?;
    let tenant = match existing(&caller, name) {
        Err(Error::NoSuchDatabase(name)) if if_exists => {
            session.notice(Notice::plain(format!(
                "database \"{name}\" does not exist, skipping"
            )));
            return Ok(());
        }
        other => other?,
    };
    let id = DatabaseId::Tenant(tenant.id);
    let database = session.engine.catalog.database(id).await?;
    let space = tessera_catalog::id::Space::Tenant(tenant.id);
    let parts = session.engine.catalog.parts_in(space).await?;
    let rows: u64 = parts.iter().map(|(_, size)| size.rows).sum();
    if !cascade && (rows > 0 || !database.relations.is_empty()) {
        return Err(Error::DependentObjects {
            object: format!("database \"{name}\""),
            detail: format!(
                "It has {} tables and views of its own and {rows} rows.",
                database.relations.len()
            ),
        });
    }
    if cascade || force {
        session.engine.registry.terminate(id);
    } else {
        check_unused(session, &tenant)?;
    }
    session
        .transaction
        .change(&caller.system, vec![Change::DropTenant(tenant.id)]);
    session.engine.forget(id);
    let bytes: u64 = parts.iter().map(|(_, size)| size.bytes).sum();
    let keys = encryption::shredded(&tenant);
    session.notice(Notice {
        detail: Some(format!(
            "{rows} rows in {} tables' parts, {bytes} bytes, {} tables and views of its own, {} \
             roles.{keys}",
            parts.len(),
            database.relations.len(),
            database.roles.len(),
        )),
        ..Notice::plain(format!(
            "database \"{name}\" is gone; its files are being erased"
        ))
    });
    Ok(())
}

/// GRANT and REVOKE on a tenant as a database.
pub(super) fn granted(
    session: &mut Session,
    caller: &Caller,
    name: &str,
    change: impl FnOnce(&mut Acl),
) -> Result<()> {
    if !caller.is_system() && caller.database.name != name {
        return Err(Error::NoSuchDatabase(name.to_owned()));
    }
    let mut tenant = existing(caller, name)?;
    let mut acl = tenant.acl.take().unwrap_or_else(|| {
        let mut acl = Acl::of_owner(Oid::TENANT_ADMIN, Privileges::of_database());
        let public = [Privilege::Temporary, Privilege::Connect]
            .into_iter()
            .collect();
        acl.grant(Oid::PUBLIC, Oid::TENANT_ADMIN, public, false);
        acl
    });
    change(&mut acl);
    tenant.acl = Some(acl);
    session
        .transaction
        .change(&caller.system, vec![Change::PutTenant(tenant)]);
    Ok(())
}
