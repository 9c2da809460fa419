//! Materialised views: tables that hold what a query gave when they were last refreshed.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{CreateView, ObjectName};
use tessera_catalog::id::TableUuid;
use tessera_catalog::model::{
    Change, Materialized, Privileges, Relation, RelationBody, Scope as Reach, Table,
};

use super::super::names::{check_owner, creation, folded, relation};
use super::super::{grant, query};
use super::create::{add_query_columns, fill};
use super::{anew, existing};
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::source::Found;
use crate::planner::view::{bind, bound_plan};
use crate::policy::Purpose;
use crate::session::Session;
use crate::session::reply::{Notice, Reply};
use crate::session::transaction::TEMPORARY_SCHEMA;

fn done(tag: &str) -> Result<Reply> {
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

pub(in crate::session::command) async fn create(
    session: &mut Session,
    create: &CreateView,
    limits: Limits,
) -> Result<Reply> {
    const TAG: &str = "CREATE MATERIALIZED VIEW";
    if create.or_replace || create.temporary {
        return Err(Error::Unsupported(
            "CREATE OR REPLACE or TEMPORARY of a materialized view".to_owned(),
        ));
    }
    if !matches!(
        create.options,
        datafusion::sql::sqlparser::ast::CreateTableOptions::None
    ) {
        return Err(Error::Unsupported(
            "WITH (…) of a materialized view".to_owned(),
        ));
    }
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let (schema, name) = match creation(&scope, &caller, &create.name) {
        Err(Error::AlreadyExists { name, .. }) if create.if_not_exists => {
            session.notice(Notice {
                sqlstate: "42P07",
                ..Notice::plain(format!("relation \"{name}\" already exists, skipping"))
            });
            return done(TAG);
        }
        other => other?,
    };
    let (plan, parameters, _) = query::plan(&create.query, &scope, &[])?;
    if !parameters.is_empty() {
        return Err(Error::InvalidDefinition(
            "materialized views may not be defined using bound parameters".to_owned(),
        ));
    }
    let (bound, references) = bind(&create.query, &scope)?;
    let temporary = references.iter().any(|reference| {
        let relation = scope.database.relations.get(&reference.relation);
        relation.is_some_and(|relation| relation.schema == TEMPORARY_SCHEMA)
    });
    if temporary {
        return Err(Error::Unsupported(
            "materialized views must not use temporary tables or views: this".to_owned(),
        ));
    }
    let mut table = Table {
        uuid: TableUuid::generate(),
        scope: Reach::Own,
        columns: Vec::new(),
        checks: Vec::new(),
        keys: Vec::new(),
        schema_version: 1,
        query: Some(Materialized {
            definition: create.query.to_string(),
            bound,
            references,
            populated: !create.with_no_schema_binding,
        }),
        sensitive: false,
    };
    let named: Vec<String> = create.columns.iter().map(|c| folded(&c.name)).collect();
    add_query_columns(&mut table, &plan, &named, Reach::Own)?;
    session.check_tables(&scope.database).await?;
    let oid = session.engine.catalog.next_oid(&scope.database);
    let owner = grant::creator(&caller);
    let made = Relation {
        oid,
        schema: schema.oid,
        name,
        owner,
        acl: grant::default_acl(&caller, owner, schema.oid, Privileges::of_table()),
        comment: None,
        body: RelationBody::Table(table),
    };
    let found = Found {
        relation: Arc::new(made.clone()),
        home: scope.database.id,
        schema_name: schema.name.clone(),
    };
    let changes = vec![Change::PutRelation(made), Change::NextOid(oid.0 + 1)];
    session.transaction.change(&scope.database, changes);
    session.version += 1;
    match create.with_no_schema_binding {
        true => done(TAG),
        false => fill(session, &found, plan, &scope, limits).await,
    }
}

/// REFRESH MATERIALIZED VIEW: one commit, before which readers see the former rows.
pub(in crate::session::command) async fn refresh(
    session: &mut Session,
    name: &ObjectName,
    (concurrently, with_data): (bool, bool),
) -> Result<Reply> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let found = relation(&scope, name)?;
    let mut changed = found.relation.as_ref().clone();
    let wrong = || Error::Function {
        sqlstate: "0A000",
        message: format!("\"{}\" is not a materialized view", found.relation.name),
        hint: None,
        detail: None,
    };
    let RelationBody::Table(table) = &mut changed.body else {
        return Err(wrong());
    };
    let Some(of_query) = &mut table.query else {
        return Err(wrong());
    };
    check_owner(&caller, &found)?;
    if concurrently {
        let unique = table.keys.iter().any(|key| key.is_unique());
        check_concurrently(&found, of_query, unique, with_data)?;
    }
    of_query.populated = with_data;
    let (bound, references) = (of_query.bound.clone(), of_query.references.clone());
    let emptied = anew::emptied(session, &found, &scope).await?;
    let owner = caller.acting_as(found.relation.owner);
    let batches = match with_data {
        true => {
            let plan = bound_plan(&bound, &references, &scope)?;
            let plan = anew::shaped(plan, table, &scope)?;
            let purpose = Purpose::Read;
            Some(query::guard_for(session, plan, &owner, &scope, purpose).await?)
        }
        false => None,
    };
    anew::replace(session, &found, &changed, (emptied, batches), &scope).await?;
    session
        .transaction
        .change(&caller.database, vec![Change::PutRelation(changed.clone())]);
    session.version += 1;
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let now = Found {
        relation: Arc::new(changed),
        ..found
    };
    let table = crate::session::write::table(&now.relation)?;
    for key in table
        .keys
        .iter()
        .filter(|key| key.is_checked() && with_data)
    {
        existing::check_unique(session, table, key, &now, &scope).await?;
    }
    done("REFRESH MATERIALIZED VIEW")
}

fn check_concurrently(
    found: &Found,
    of_query: &Materialized,
    unique: bool,
    with_data: bool,
) -> Result<()> {
    if !with_data {
        return Err(Error::Syntax {
            message: "REFRESH options CONCURRENTLY and WITH NO DATA cannot be used together"
                .to_owned(),
            position: None,
        });
    }
    let refused = |sqlstate, message: String, hint: Option<String>| Error::Function {
        sqlstate,
        message,
        hint,
        detail: None,
    };
    if !of_query.populated {
        return Err(refused(
            "0A000",
            "CONCURRENTLY cannot be used when the materialized view is not populated".to_owned(),
            None,
        ));
    }
    if !unique {
        return Err(refused(
            "55000",
            format!(
                "cannot refresh materialized view \"{}.{}\" concurrently",
                found.schema_name, found.relation.name
            ),
            Some(
                "Create a unique index with no WHERE clause on one or more columns of the \
                 materialized view."
                    .to_owned(),
            ),
        ));
    }
    Ok(())
}
