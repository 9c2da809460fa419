//! CREATE, ALTER and DROP PLAN, and the quotas of tenants and roles.

use tessera_catalog::id::DatabaseId;
use tessera_catalog::model::{Change, Plan, Quota, Quotas, Role, Tenant};

use super::names::check_new_name;
use crate::error::{Error, Result};
use crate::planner::ast::Plan as Statement;
use crate::policy::{COPY_OUT, Caller};
use crate::session::Session;
use crate::session::reply::{Notice, Reply};

pub(super) async fn run(session: &mut Session, statement: &Statement) -> Result<Reply> {
    let caller = session.caller().await?;
    let (verb, tag) = match statement {
        Statement::Create { .. } => ("create", "CREATE PLAN"),
        Statement::Alter { .. } | Statement::Rename { .. } => ("alter", "ALTER PLAN"),
        Statement::Drop { .. } => ("drop", "DROP PLAN"),
    };
    if !caller.is_system() || !caller.superuser {
        return Err(Error::InsufficientPrivilege(format!(
            "permission denied to {verb} plan"
        )));
    }
    let changes = match statement {
        Statement::Create { name, options } => create(session, &caller, name, options)?,
        Statement::Alter { name, options } => {
            let mut plan = existing(&caller, name)?;
            for (option, value) in options {
                set(&mut plan, option, value.as_deref())?;
            }
            vec![Change::PutPlan(plan)]
        }
        Statement::Rename { name, to } => {
            let mut plan = existing(&caller, name)?;
            check_free(&caller, to)?;
            plan.name.clone_from(to);
            vec![Change::PutPlan(plan)]
        }
        Statement::Drop { name, if_exists } => match existing(&caller, name) {
            Err(_) if *if_exists => {
                session.notice(Notice::plain(format!(
                    "plan \"{name}\" does not exist, skipping"
                )));
                Vec::new()
            }
            plan => drop(&caller, &plan?)?,
        },
    };
    session.transaction.change(&caller.system, changes);
    session.version += 1;
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

fn existing(caller: &Caller, name: &str) -> Result<Plan> {
    let plan = caller.system.plan_named(name);
    plan.map(|plan| plan.as_ref().clone())
        .ok_or_else(|| Error::NoSuchObject {
            kind: "plan",
            name: name.to_owned(),
        })
}

fn check_free(caller: &Caller, name: &str) -> Result<()> {
    check_new_name(name)?;
    if caller.system.plan_named(name).is_some() {
        return Err(Error::AlreadyExists {
            kind: "plan",
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn create(
    session: &Session,
    caller: &Caller,
    name: &str,
    options: &[(String, String)],
) -> Result<Vec<Change>> {
    check_free(caller, name)?;
    let oid = session.engine.catalog.next_oid(&caller.system);
    let mut plan = Plan {
        oid,
        name: name.to_owned(),
        quotas: Quotas::default(),
        without: std::collections::BTreeSet::new(),
    };
    for (option, value) in options {
        set(&mut plan, option, Some(value))?;
    }
    Ok(vec![Change::PutPlan(plan), Change::NextOid(oid.0 + 1)])
}

fn drop(caller: &Caller, plan: &Plan) -> Result<Vec<Change>> {
    let tenants = caller.system.tenants.values();
    let mut of_plan = tenants.filter(|tenant| tenant.plan == Some(plan.oid));
    if let Some(tenant) = of_plan.next() {
        return Err(Error::ObjectInUse {
            message: format!("plan \"{}\" is in use", plan.name),
            detail: Some(format!(
                "Tenant \"{}\" and {} others have it.",
                tenant.name,
                of_plan.count()
            )),
        });
    }
    Ok(vec![Change::DropPlan(plan.oid)])
}

/// Sets a quota or a feature of a plan, or takes it back.
fn set(plan: &mut Plan, option: &str, value: Option<&str>) -> Result<()> {
    if Quota::named(option).is_some() {
        return set_quota(&mut plan.quotas, option, value);
    }
    if option != COPY_OUT && !tessera_udfs::features().any(|feature| feature == option) {
        return Err(Error::InvalidParameterValue(format!(
            "unrecognized quota or feature \"{option}\""
        )));
    }
    let on = match value.map(str::to_lowercase).as_deref() {
        None | Some("on" | "true" | "yes" | "1") => true,
        Some("off" | "false" | "no" | "0") => false,
        Some(_) => {
            return Err(Error::InvalidParameterValue(format!(
                "feature \"{option}\" requires a Boolean value"
            )));
        }
    };
    match on {
        true => plan.without.remove(option),
        false => plan.without.insert(option.to_owned()),
    };
    Ok(())
}

fn set_quota(quotas: &mut Quotas, name: &str, value: Option<&str>) -> Result<()> {
    let quota = Quota::named(name)
        .ok_or_else(|| Error::InvalidParameterValue(format!("unrecognized quota \"{name}\"")))?;
    let Some(value) = value else {
        quotas.0.remove(&quota);
        return Ok(());
    };
    let limit = quota.parse(value).ok_or_else(|| {
        Error::InvalidParameterValue(format!("invalid value for quota \"{name}\": \"{value}\""))
    })?;
    quotas.0.insert(quota, limit);
    Ok(())
}

/// ALTER TENANT … SET QUOTA and RESET QUOTA.
pub(super) fn set_tenant_quotas(
    tenant: &mut Tenant,
    quotas: &[(String, Option<String>)],
) -> Result<()> {
    for (name, value) in quotas {
        set_quota(&mut tenant.quotas, name, value.as_deref())?;
        forget_former(tenant, name);
    }
    Ok(())
}

/// RESET QUOTA of all.
pub(super) fn reset_tenant_quotas(tenant: &mut Tenant) {
    tenant.quotas = Quotas::default();
    for quota in Quota::ALL {
        forget_former(tenant, quota.name());
    }
}

/// The setting by which a quota was kept before there were quotas.
fn forget_former(tenant: &mut Tenant, quota: &str) {
    match quota {
        "connections" => tenant.settings.remove("max_connections"),
        "memory" => tenant.settings.remove("memory_limit"),
        _ => None,
    };
}

/// ALTER TENANT … SET PLAN and RESET PLAN.
pub(super) fn set_tenant_plan(
    caller: &Caller,
    tenant: &mut Tenant,
    plan: Option<&str>,
) -> Result<()> {
    tenant.plan = match plan {
        Some(plan) => Some(existing(caller, plan)?.oid),
        None => None,
    };
    Ok(())
}

/// ALTER ROLE … SET QUOTA and RESET QUOTA; without a list, of all.
pub(super) fn set_role_quotas(
    database: DatabaseId,
    role: &mut Role,
    quotas: Option<&[(String, Option<String>)]>,
) -> Result<()> {
    if database == DatabaseId::System {
        return Err(Error::Unsupported("quotas of operators".to_owned()));
    }
    let Some(quotas) = quotas else {
        role.quotas = Quotas::default();
        role.connection_limit = -1;
        return Ok(());
    };
    for (name, value) in quotas {
        match Quota::named(name) {
            Some(quota) if !quota.is_of_roles() => {
                return Err(Error::Unsupported(format!("quota \"{name}\" of a role")));
            }
            _ => set_quota(&mut role.quotas, name, value.as_deref())?,
        }
        // CONNECTION LIMIT is the same thing in PostgreSQL's words.
        if name == Quota::Connections.name() {
            let limit = role.quotas.0.remove(&Quota::Connections).flatten();
            role.connection_limit = match limit {
                Some(limit) => i32::try_from(limit).unwrap_or(i32::MAX),
                None => -1,
            };
        }
    }
    Ok(())
}
