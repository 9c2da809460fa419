//! SET, RESET and SHOW, SET ROLE and SET SESSION AUTHORIZATION.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::sql::sqlparser::ast;
use tessera_catalog::id::Oid;
use tessera_catalog::sql_type::SqlType;

use crate::error::{Error, Result};
use crate::planner::ast::Set;
use crate::planner::scope::is_lent;
use crate::session::Session;
use crate::session::acting::{ActingRole, FormerRole};
use crate::session::reply::{Columns, Notice, OutColumn, Reply, Rows, RowsTag};
use crate::session::transaction::Status;

pub(super) async fn set(session: &mut Session, set: &Set) -> Result<Reply> {
    if set.name == "role" {
        let name = set.value.as_deref().filter(|name| *name != "none");
        return set_role(session, name, set.local).await;
    }
    let operator = session.caller().await?.superuser;
    if set.local && session.transaction.status != Status::Open {
        session.notice(Notice::warning(
            "25P01",
            "SET LOCAL can only be used in transaction blocks",
        ));
    }
    if set.name == "transaction_isolation" || set.name == "transaction_read_only" {
        if set.name == "transaction_read_only" {
            let on = matches!(set.value.as_deref(), Some("on" | "true" | "1" | "yes"));
            session.transaction.read_only = on;
        }
        session
            .settings
            .lock()
            .set(&set.name, set.value.as_deref(), true, operator)?;
        return Ok(Reply::Done {
            tag: "SET".to_owned(),
        });
    }
    {
        let mut settings = session.settings.lock();
        settings.begin();
        settings.set(&set.name, set.value.as_deref(), set.local, operator)?;
    }
    session.version += 1;
    show_name(session, &set.name);
    Ok(Reply::Done {
        tag: "SET".to_owned(),
    })
}

pub(super) fn reset(session: &mut Session, name: Option<&str>) -> Result<Reply> {
    let operator = session.login.operator && session.login.superuser;
    {
        let mut settings = session.settings.lock();
        settings.begin();
        settings.reset(name, operator)?;
    }
    session.version += 1;
    Ok(Reply::Done {
        tag: "RESET".to_owned(),
    })
}

/// Keeps the activity's application name true.
fn show_name(session: &Session, changed: &str) {
    if changed.eq_ignore_ascii_case("application_name")
        && let Some(entry) = &session.entry
    {
        entry.activity.lock().application_name = session.settings.lock().value("application_name");
    }
}

pub(super) fn show_columns(name: Option<&str>) -> Columns {
    match name {
        Some(name) => Arc::from([OutColumn::plain(name, SqlType::Text)]),
        None => Arc::from([
            OutColumn::plain("name", SqlType::Text),
            OutColumn::plain("setting", SqlType::Text),
            OutColumn::plain("description", SqlType::Text),
        ]),
    }
}

pub(super) fn show(session: &mut Session, name: Option<&str>) -> Result<Reply> {
    let settings = session.settings.lock();
    let (columns, arrays): (Columns, Vec<ArrayRef>) = match name {
        Some(name) => {
            let (shown, value) = settings.show(name)?;
            let value = if shown == "role" && value.is_empty() {
                "none".to_owned()
            } else {
                value
            };
            (show_columns(Some(&shown)), vec![text([value])])
        }
        None => {
            let all = settings.all();
            let names = text(all.iter().map(|s| s.name.clone()));
            let values = text(all.iter().map(|s| {
                settings
                    .show(&s.name)
                    .map_or_else(|_| s.value.clone(), |(_, value)| value)
            }));
            (
                show_columns(None),
                vec![names, values, text(all.iter().map(|s| s.text.to_owned()))],
            )
        }
    };
    let fields: Vec<Field> = columns
        .iter()
        .map(|c| Field::new(&c.name, DataType::Utf8View, true))
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::Internal(Box::new(error)))?;
    Ok(Reply::Rows(Rows {
        columns,
        batches: Box::pin(futures::stream::iter([Ok(batch)])),
        tag: RowsTag::Fixed("SHOW".to_owned()),
    }))
}

fn text(values: impl IntoIterator<Item = String>) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values(values))
}

/// SET ROLE: to a role that the session's own is a member of; `None` goes back.
pub(super) async fn set_role(
    session: &mut Session,
    name: Option<&str>,
    local: bool,
) -> Result<Reply> {
    let caller = session.caller().await?;
    let (role, role_name) = match name {
        None => (session.login.role, session.login.user.clone()),
        Some(name) => {
            if session.login.operator && !session.is_system() {
                return Err(Error::Unsupported(
                    "SET ROLE by an operator inside a tenant".to_owned(),
                ));
            }
            let role = caller
                .database
                .role_named(name)
                .ok_or_else(|| Error::NoSuchObject {
                    kind: "role",
                    name: name.to_owned(),
                })?;
            let member = caller.database.is_member(session.login.role, role.oid);
            let may = member || (session.login.superuser && session.is_system());
            if !may {
                return Err(Error::InsufficientPrivilege(format!(
                    "permission denied to set role \"{name}\""
                )));
            }
            (role.oid, role.name.clone())
        }
    };
    let before = ActingRole {
        role: session.role,
        name: std::mem::replace(&mut session.role_name, role_name.clone()),
        superuser: caller.superuser,
    };
    session.role = role;
    let now = ActingRole {
        role,
        name: role_name,
        superuser: session.caller().await?.superuser,
    };
    session.act_as(now.clone());
    let shown = name.unwrap_or("none");
    session.settings.lock().show_role(shown, local);
    let former = session
        .former_role
        .get_or_insert(FormerRole { before, kept: None });
    if !local {
        former.kept = Some(now);
    }
    Ok(Reply::Done {
        tag: if name.is_some() { "SET" } else { "RESET" }.to_owned(),
    })
}

/// Only going back to who logged in: another login needs its own password.
pub(super) async fn set_session_authorization(
    session: &mut Session,
    name: Option<&str>,
) -> Result<Reply> {
    if name.is_some_and(|name| name != session.login.user) {
        return Err(Error::Unsupported(
            "SET SESSION AUTHORIZATION to another role".to_owned(),
        ));
    }
    set_role(session, None, false).await?;
    Ok(Reply::Done {
        tag: "SET".to_owned(),
    })
}

/// SET CONSTRAINTS: when foreign keys are checked, until the transaction ends.
pub(super) async fn set_constraints(
    session: &mut Session,
    names: Option<&[ast::ObjectName]>,
    deferred: bool,
) -> Result<Reply> {
    let done = Ok(Reply::Done {
        tag: "SET CONSTRAINTS".to_owned(),
    });
    if session.transaction.status != Status::Open {
        session.notice(Notice::warning(
            "25P01",
            "SET CONSTRAINTS can only be used in transaction blocks",
        ));
        return done;
    }
    let named = match names {
        None => None,
        Some(names) => Some(deferrable(session, names).await?),
    };
    session
        .transaction
        .constraints
        .set(named.as_deref(), deferred);
    if !deferred {
        session.check_deferred(named.as_deref()).await?;
    }
    done
}

/// The numbers of the foreign keys of these names.
async fn deferrable(session: &mut Session, names: &[ast::ObjectName]) -> Result<Vec<Oid>> {
    let caller = session.caller().await?;
    let mut numbers = Vec::new();
    for name in names {
        let name = super::names::parts(name).pop().unwrap_or_default();
        let relations = caller.database.relations.values();
        let lent = caller.system.relations.values();
        let lent = lent.filter(|relation| !caller.is_system() && is_lent(relation));
        let mut found = false;
        for relation in relations.chain(lent) {
            let keys = relation.table().into_iter().flat_map(|table| &table.keys);
            for key in keys.filter(|key| key.is_constraint() && key.name == name) {
                if !key.foreign().is_some_and(|foreign| foreign.deferrable) {
                    return Err(Error::Function {
                        sqlstate: "42809",
                        message: format!("constraint \"{name}\" is not deferrable"),
                        hint: None,
                        detail: None,
                    });
                }
                found = true;
                numbers.push(key.oid);
            }
        }
        if !found {
            return Err(Error::NoSuchObject {
                kind: "constraint",
                name,
            });
        }
    }
    Ok(numbers)
}
