//! What a statement will answer, before its values are known.

use std::sync::Arc;

use futures::future::BoxFuture;
use tessera_catalog::sql_type::SqlType;

use super::{combined, insert, modify, query, set};
use crate::error::Result;
use crate::planner::ast::{Body, Statement};
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::session::reply::{Columns, OutColumn};

/// Plans a statement far enough to describe it.
pub(in crate::session) fn prepare<'a>(
    session: &'a mut Session,
    statement: Statement,
    declared: &'a [u32],
) -> BoxFuture<'a, Result<Prepared>> {
    // EXPLAIN describes another statement, so the future's type must not hold itself.
    Box::pin(describe(session, statement, declared))
}

async fn describe(
    session: &mut Session,
    statement: Statement,
    declared: &[u32],
) -> Result<Prepared> {
    let mut parameters = Vec::new();
    let mut plan = None;
    let columns: Option<Columns> = match &statement.body {
        Body::Query(written) => {
            let caller = session.caller().await?;
            let scope = session.scope(&caller).await?;
            let (planned, types, columns) = query::answer(written, &scope, declared)?;
            parameters = types;
            // What the catalogs show is a new one each time.
            if !scope.session.is_momentary() {
                plan = Some((planned, query::planned_for(session, &caller)));
            }
            Some(columns)
        }
        Body::Write(written) => {
            let described = match written.as_ref() {
                datafusion::sql::sqlparser::ast::Statement::Insert(written) => {
                    insert::describe(session, written, declared).await?
                }
                other => modify::describe(session, other, declared).await?,
            };
            parameters = described.0;
            described.1
        }
        Body::Combined(written) => {
            let described = combined::describe(session, written, declared).await?;
            parameters = described.0;
            described.1
        }
        Body::Show(name) => match name {
            Some(name) => {
                let (shown, _) = session.settings.lock().show(name)?;
                Some(set::show_columns(Some(&shown)))
            }
            None => Some(set::show_columns(None)),
        },
        Body::Explain(explain) => {
            // Parameters are those of the statement that is explained.
            let inner = prepare(session, explain.statement.as_ref().clone(), declared);
            parameters = inner.await?.parameters;
            Some(explain_columns())
        }
        Body::Execute { name, .. } => session.prepared(name)?.columns.clone(),
        Body::Fetch {
            cursor,
            discard: false,
            ..
        } => Some(session.cursors.columns(cursor)?),
        _ => None,
    };
    Ok(Prepared {
        statement,
        parameters,
        columns,
        plan,
    })
}

pub(super) fn explain_columns() -> Columns {
    Arc::from([OutColumn::plain("QUERY PLAN", SqlType::Text)])
}
