//! CREATE, ALTER and DROP MASKING POLICY, and putting one on a column.

use tessera_catalog::id::Oid;
use tessera_catalog::model::{
    Change, Column, Mask, MaskedColumn, MaskingPolicy, PolicyRole, Privilege, RowSecurity,
};

use super::names::check_new_name;
use super::policy::{policy_roles, put, security, target};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::ast::{Mask as Statement, MaskKind, Name};
use crate::policy::{Caller, Object, check, check_mask};
use crate::session::Session;
use crate::session::reply::{Notice, Reply};

pub(super) async fn run(session: &mut Session, statement: &Statement) -> Result<Reply> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let tag = match statement {
        Statement::Create {
            name,
            kind,
            roles,
            except,
        } => {
            create(session, &caller, (name, kind), roles, except).await?;
            "CREATE MASKING POLICY"
        }
        Statement::Alter {
            name,
            kind,
            roles,
            except,
        } => {
            let mut policy = owned(session, &caller, name)?;
            if let Some(kind) = kind {
                policy.mask = mask(kind);
                check_columns(session, &caller, &scope, &policy)?;
            }
            if let Some(roles) = roles {
                policy.roles = policy_roles(session, roles).await?;
            }
            if let Some(except) = except {
                policy.except = excepted(session, except).await?;
            }
            change(session, &caller, vec![Change::PutMaskingPolicy(policy)]);
            "ALTER MASKING POLICY"
        }
        Statement::Rename { name, to } => {
            check_new_name(to)?;
            check_free(session, &caller, to)?;
            let mut policy = owned(session, &caller, name)?;
            policy.name.clone_from(to);
            change(session, &caller, vec![Change::PutMaskingPolicy(policy)]);
            "ALTER MASKING POLICY"
        }
        Statement::Drop {
            name,
            if_exists,
            cascade,
        } => {
            drop(session, &caller, name, *if_exists, *cascade)?;
            "DROP MASKING POLICY"
        }
        Statement::OnColumn {
            table,
            column,
            policy,
        } => {
            let found = target(&caller, &scope, table)?;
            let of = found.relation.table();
            let of = of.and_then(|table| table.column(column));
            let column = of.ok_or_else(|| Error::NoSuchColumnOf {
                column: column.clone(),
                relation: found.relation.name.clone(),
            })?;
            let mut security = security(session, &caller, &found);
            set(
                session,
                &caller,
                &scope,
                &mut security,
                column,
                policy.as_deref(),
            )?;
            put(session, &caller, security, None);
            "ALTER TABLE"
        }
    };
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

fn change(session: &mut Session, caller: &Caller, changes: Vec<Change>) {
    session.transaction.change(&caller.database, changes);
    session.version += 1;
}

fn mask(kind: &MaskKind) -> Mask {
    match kind {
        MaskKind::Full => Mask::Full,
        MaskKind::Null => Mask::Null,
        MaskKind::Hash => Mask::Hash {
            salt: uuid::Uuid::new_v4().simple().to_string(),
        },
        MaskKind::Partial {
            first,
            padding,
            last,
        } => Mask::Partial {
            first: *first,
            padding: padding.clone(),
            last: *last,
        },
        MaskKind::Expression(expression) => Mask::Expression(expression.to_string()),
    }
}

/// Roles that EXCEPT names; unlike TO it never means everyone by silence.
async fn excepted(session: &mut Session, names: &[Name]) -> Result<Vec<PolicyRole>> {
    match names.is_empty() {
        true => Ok(Vec::new()),
        false => policy_roles(session, names).await,
    }
}

async fn create(
    session: &mut Session,
    caller: &Caller,
    (name, kind): (&str, &MaskKind),
    roles: &[Name],
    except: &[Name],
) -> Result<()> {
    check(caller, Privilege::Create, Object::Database)?;
    check_new_name(name)?;
    check_free(session, caller, name)?;
    let roles = policy_roles(session, roles).await?;
    let except = excepted(session, except).await?;
    let oid = session.engine.catalog.next_oid(&caller.database);
    let policy = MaskingPolicy {
        oid,
        name: name.to_owned(),
        owner: super::grant::creator(caller),
        mask: mask(kind),
        roles,
        except,
        comment: None,
    };
    let changes = vec![Change::PutMaskingPolicy(policy), Change::NextOid(oid.0 + 1)];
    change(session, caller, changes);
    Ok(())
}

fn check_free(session: &Session, caller: &Caller, name: &str) -> Result<()> {
    let newest = session.transaction.seen(&caller.database);
    if newest.masking_policy_named(name).is_some() {
        return Err(Error::AlreadyExists {
            kind: "masking policy",
            name: name.to_owned(),
        });
    }
    Ok(())
}

fn named(session: &Session, caller: &Caller, name: &str) -> Result<MaskingPolicy> {
    let newest = session.transaction.seen(&caller.database);
    let policy = newest.masking_policy_named(name);
    let policy = policy.map(|policy| policy.as_ref().clone());
    policy.ok_or_else(|| Error::NoSuchObject {
        kind: "masking policy",
        name: name.to_owned(),
    })
}

fn owned(session: &Session, caller: &Caller, name: &str) -> Result<MaskingPolicy> {
    let policy = named(session, caller, name)?;
    if caller.has_role(policy.owner) {
        return Ok(policy);
    }
    Err(Error::MustOwn {
        kind: "masking policy",
        name: name.to_owned(),
    })
}

/// Checks an altered policy on each column that it is on.
fn check_columns(
    session: &Session,
    caller: &Caller,
    scope: &Scope,
    policy: &MaskingPolicy,
) -> Result<()> {
    let newest = session.transaction.seen(&caller.database);
    for secured in newest.row_security.values() {
        let on = secured.masks.iter().filter(|on| on.policy == policy.oid);
        let relation = scope.relation_by_oid(secured.relation);
        let table = relation.as_ref().and_then(|found| found.relation.table());
        for masked in on {
            let column = table.and_then(|table| {
                let mut live = table.live_columns();
                live.find(|column| column.number == masked.column)
            });
            if let Some(column) = column {
                check_mask(&policy.mask, column, scope)?;
            }
        }
    }
    Ok(())
}

fn drop(
    session: &mut Session,
    caller: &Caller,
    name: &str,
    if_exists: bool,
    cascade: bool,
) -> Result<()> {
    let newest = session.transaction.seen(&caller.database);
    if if_exists && newest.masking_policy_named(name).is_none() {
        session.notice(Notice::plain(format!(
            "masking policy \"{name}\" does not exist, skipping"
        )));
        return Ok(());
    }
    let policy = owned(session, caller, name)?;
    let is_on = |secured: &&std::sync::Arc<RowSecurity>| {
        secured.masks.iter().any(|on| on.policy == policy.oid)
    };
    let mut changes = Vec::new();
    for secured in newest.row_security.values().filter(is_on) {
        if !cascade {
            let table = newest.relations.get(&secured.relation);
            let table = table.or_else(|| caller.system.relations.get(&secured.relation));
            let table = table.map_or("", |table| table.name.as_str());
            return Err(Error::DependentObjects {
                object: format!("masking policy {name}"),
                detail: format!("a column of table {table} depends on masking policy {name}"),
            });
        }
        let mut secured = secured.as_ref().clone();
        secured.masks.retain(|on| on.policy != policy.oid);
        changes.push(Change::PutRowSecurity(secured));
    }
    changes.push(Change::DropMaskingPolicy(policy.oid));
    change(session, caller, changes);
    Ok(())
}

fn set(
    session: &Session,
    caller: &Caller,
    scope: &Scope,
    security: &mut RowSecurity,
    column: &Column,
    policy: Option<&str>,
) -> Result<()> {
    let Some(policy) = policy else {
        security.masks.retain(|on| on.column != column.number);
        return Ok(());
    };
    if column.is_tenant() {
        return Err(Error::InvalidDefinition(format!(
            "column \"{}\" of a common table cannot be masked",
            column.name
        )));
    }
    let policy = named(session, caller, policy)?;
    check_mask(&policy.mask, column, scope)?;
    security.masks.retain(|on| on.column != column.number);
    security.masks.push(MaskedColumn {
        column: column.number,
        policy: policy.oid,
    });
    Ok(())
}

/// What of a masking policy names a role, in PostgreSQL's words.
pub(super) fn masks_for(database: &tessera_catalog::model::Database, role: Oid) -> Vec<String> {
    let mut found = Vec::new();
    for policy in database.masking_policies.values() {
        let named = policy.roles.iter().chain(&policy.except);
        let mut named = named.filter(|of| of.tenant.is_none());
        if policy.owner == role {
            found.push(format!("owner of masking policy {}", policy.name));
        } else if named.any(|of| of.role == role) {
            found.push(format!("target of masking policy {}", policy.name));
        }
    }
    found
}
