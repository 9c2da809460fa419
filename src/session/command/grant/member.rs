//! GRANT and REVOKE of roles.

use tessera_catalog::id::Oid;
use tessera_catalog::model::{Change, Membership};

use crate::error::{Error, Result};
use crate::planner::ast::{Grant, Name};
use crate::session::Session;
use crate::session::command::role::{check_membership, place, resolve};

pub(super) async fn membership(
    session: &mut Session,
    grant: &Grant,
    groups: &[Name],
) -> Result<()> {
    for group_name in groups {
        for member_name in &grant.grantees {
            let tenant = group_name
                .tenant
                .as_deref()
                .or(member_name.tenant.as_deref());
            let (caller, database) = place(session, tenant).await?;
            let group = resolve(&caller, &database, group_name)?;
            let member = resolve(&caller, &database, member_name)?;
            if group == Oid::PUBLIC || member == Oid::PUBLIC {
                return Err(Error::ReservedName(
                    "role \"public\" has no members".to_owned(),
                ));
            }
            check_membership(&caller, &database, group)?;
            let change = if grant.revoke {
                if grant.option {
                    let former = database
                        .memberships
                        .iter()
                        .find(|m| m.role == group && m.member == member)
                        .copied();
                    match former {
                        Some(m) => Change::PutMembership(Membership {
                            admin_option: false,
                            ..m
                        }),
                        None => continue,
                    }
                } else {
                    Change::DropMembership {
                        role: group,
                        member,
                    }
                }
            } else {
                if database.is_member(group, member) {
                    let name = |oid: Oid| database.roles.get(&oid).map_or("", |r| r.name.as_str());
                    return Err(Error::InvalidDefinition(format!(
                        "role \"{}\" is a member of role \"{}\"",
                        name(group),
                        name(member)
                    )));
                }
                Change::PutMembership(Membership {
                    role: group,
                    member,
                    grantor: caller.role,
                    admin_option: grant.option,
                })
            };
            session.transaction.change(&database, vec![change]);
        }
    }
    Ok(())
}
