//! CREATE VIEW: a query, bound to the numbers of what it reads.

use datafusion::sql::sqlparser::ast::{CreateTableOptions, CreateView, SqlOption};
use tessera_catalog::model::{Change, Privileges, Relation, RelationBody, View, ViewColumn};

use super::names::{check_new_name, creation, folded, qualified};
use super::{grant, query};
use crate::error::{Error, Result};
use crate::planner::view::bind;
use crate::planner::{changes_rows, origin};
use crate::session::Session;
use crate::session::reply::Reply;
use crate::session::transaction::TEMPORARY_SCHEMA;

pub(super) async fn create(session: &mut Session, create: &CreateView) -> Result<Reply> {
    if create.materialized || create.temporary {
        return Err(Error::Unsupported(
            "views that are materialized or temporary".to_owned(),
        ));
    }
    if changes_rows(&create.query) {
        return Err(Error::Function {
            sqlstate: "0A000",
            message: "views must not contain data-modifying statements in WITH".to_owned(),
            hint: None,
            detail: None,
        });
    }
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let former = {
        let (schema, name) = qualified(&create.name, &scope.database.name)?;
        scope
            .find(schema.as_deref(), &name)
            .filter(|found| create.or_replace && found.home == scope.database.id)
    };
    let (schema, name) = match &former {
        Some(found) => {
            super::names::check_owner(&caller, found)?;
            if found.relation.view().is_none() {
                let name = found.relation.name.clone();
                return Err(Error::WrongKind {
                    name,
                    wanted: "view",
                });
            }
            (found.relation.schema, found.relation.name.clone())
        }
        None => {
            let (schema, name) = creation(&scope, &caller, &create.name)?;
            (schema.oid, name)
        }
    };
    let (plan, parameters, columns) = query::plan(&create.query, &scope, &[])?;
    if !parameters.is_empty() {
        return Err(Error::InvalidDefinition(
            "views must not contain parameters".to_owned(),
        ));
    }
    let calculated: Vec<bool> = (0..columns.len())
        .map(|index| origin::is_calculated(&plan, index, &columns[index].sql_type))
        .collect();
    // What the view reads is checked when it is read, with its owner's rights of then.
    drop(plan);
    let (bound, references) = bind(&create.query, &scope)?;
    let temporary = |oid: &tessera_catalog::id::Oid| {
        let relation = scope.database.relations.get(oid);
        relation.is_some_and(|relation| relation.schema == TEMPORARY_SCHEMA)
    };
    if references
        .iter()
        .any(|reference| temporary(&reference.relation))
    {
        return Err(Error::Unsupported("a view of a temporary table".to_owned()));
    }
    if create.columns.len() > columns.len() {
        return Err(Error::Syntax {
            message: "CREATE VIEW specifies more column names than columns".to_owned(),
            position: None,
        });
    }
    let named = create
        .columns
        .iter()
        .map(|column| Some(folded(&column.name)));
    let mut view_columns = Vec::with_capacity(columns.len());
    let named = named.chain(std::iter::repeat(None)).zip(calculated);
    for (column, (named, calculated)) in columns.iter().zip(named) {
        let name = named.unwrap_or_else(|| column.name.clone());
        check_new_name(&name)?;
        if view_columns
            .iter()
            .any(|other: &ViewColumn| other.name == name)
        {
            return Err(Error::DuplicateColumn(name));
        }
        view_columns.push(ViewColumn {
            name,
            sql_type: column.sql_type.clone(),
            calculated,
            acl: None,
            comment: None,
        });
    }
    let (security_invoker, security_barrier) = options(&create.options)?;
    let view = View {
        definition: create.query.to_string(),
        bound,
        references,
        columns: view_columns,
        security_invoker,
        security_barrier,
    };
    let mut changes = Vec::new();
    let relation = match former {
        Some(found) => replaced(found.relation.as_ref().clone(), view)?,
        None => {
            let oid = session.engine.catalog.next_oid(&scope.database);
            changes.push(Change::NextOid(oid.0 + 1));
            let owner = grant::creator(&caller);
            let acl = grant::default_acl(&caller, owner, schema, Privileges::of_table());
            let body = RelationBody::View(view);
            Relation {
                oid,
                schema,
                name,
                owner,
                acl,
                comment: None,
                body,
            }
        }
    };
    changes.insert(0, Change::PutRelation(relation));
    session.transaction.change(&scope.database, changes);
    session.version += 1;
    Ok(Reply::Done {
        tag: "CREATE VIEW".to_owned(),
    })
}

/// OR REPLACE may add columns at the end and nothing else.
fn replaced(mut relation: Relation, mut view: View) -> Result<Relation> {
    let RelationBody::View(former) = &relation.body else {
        return Err(Error::internal("not a view"));
    };
    if view.columns.len() < former.columns.len() {
        return Err(Error::InvalidDefinition(
            "cannot drop columns from view".to_owned(),
        ));
    }
    for (new, old) in view.columns.iter_mut().zip(&former.columns) {
        if new.name != old.name {
            return Err(Error::InvalidDefinition(format!(
                "cannot change name of view column \"{}\" to \"{}\"",
                old.name, new.name
            )));
        }
        let (was, is) = (old.shown_type(), new.shown_type());
        // What was made before this was told apart says the precision of what is worked out.
        if was != is && !(new.calculated && new.sql_type == old.sql_type) {
            return Err(Error::InvalidDefinition(format!(
                "cannot change data type of view column \"{}\" from {was} to {is}",
                old.name
            )));
        }
        new.acl.clone_from(&old.acl);
        new.comment.clone_from(&old.comment);
    }
    relation.body = RelationBody::View(view);
    Ok(relation)
}

fn options(options: &CreateTableOptions) -> Result<(bool, bool)> {
    let list = match options {
        CreateTableOptions::None => return Ok((false, false)),
        CreateTableOptions::With(list) | CreateTableOptions::Options(list) => list,
        other => return Err(Error::Unsupported(format!("the view option {other}"))),
    };
    let mut found = (false, false);
    for option in list {
        let (name, on) = match option {
            SqlOption::KeyValue { key, value } => {
                let value = value.to_string().to_lowercase();
                (
                    folded(key),
                    !matches!(value.trim_matches('\''), "false" | "off" | "0"),
                )
            }
            SqlOption::Ident(name) => (folded(name), true),
            other => return Err(Error::Unsupported(format!("the view option {other}"))),
        };
        match name.as_str() {
            "security_invoker" => found.0 = on,
            "security_barrier" => found.1 = on,
            other => {
                return Err(Error::InvalidParameterValue(format!(
                    "unrecognized parameter \"{other}\""
                )));
            }
        }
    }
    Ok(found)
}
