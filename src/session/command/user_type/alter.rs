//! ALTER TYPE, ALTER DOMAIN, and COMMENT ON either.

use datafusion::sql::sqlparser::ast::ObjectName;

use super::super::names::check_new_name;
use super::super::role;
use super::{check_free, domain, enumerated, literals, owned, put};
use crate::error::{Error, Result};
use crate::planner::ast::TypeAction;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    name: &ObjectName,
    is_domain: bool,
    action: &TypeAction,
) -> Result<()> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let mut changed = owned(&scope, &caller, name, is_domain)?;
    match action {
        TypeAction::Rename(to) => {
            if !is_domain && changed.domain().is_some() {
                return Err(Error::WrongKindHint {
                    message: format!("\"{}\" is a domain", changed.name),
                    hint: "Use ALTER DOMAIN instead.",
                });
            }
            check_new_name(to)?;
            let schema = scope.database.schemas.get(&changed.schema);
            if let Some(schema) = schema.map(std::sync::Arc::clone) {
                check_free(session, &scope, &schema, to).await?;
            }
            changed.name.clone_from(to);
        }
        TypeAction::Owner(to) => changed.owner = role::new_owner(&caller, to)?,
        TypeAction::Schema(to) => {
            let schema = super::super::schema::named(&caller, to)?;
            crate::policy::check(
                &caller,
                tessera_catalog::model::Privilege::Create,
                crate::policy::Object::Schema(&schema),
            )?;
            check_free(session, &scope, &schema, &changed.name).await?;
            changed.schema = schema.oid;
        }
        TypeAction::Comment(text) => changed.comment.clone_from(text),
        TypeAction::AddValue {
            label,
            if_not_exists,
            place,
        } => {
            let oid = session.engine.catalog.next_oid(&scope.database);
            let added =
                enumerated::add_value(session, &mut changed, label, *if_not_exists, place, oid)?;
            if !added {
                return Ok(());
            }
        }
        TypeAction::RenameValue { from, to } => {
            enumerated::rename_value(&mut changed, from, to)?;
            literals::rename(session, &caller, changed.oid, from, to).await?;
        }
        TypeAction::Domain(action) => {
            if !domain::alter(session, &scope, &mut changed, action).await? {
                return Ok(());
            }
        }
    }
    put(session, &caller.database, changed);
    Ok(())
}
