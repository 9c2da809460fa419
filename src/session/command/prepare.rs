//! PREPARE, EXECUTE and DEALLOCATE: the protocol's prepared statements, said in SQL.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::sql::sqlparser::ast::{DataType, Expr};

use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::ast::{Body, Statement};
use crate::planner::{self, sql_type};
use crate::session::reply::Reply;
use crate::session::{Session, constant};

pub(super) async fn prepare(
    session: &mut Session,
    name: &str,
    types: &[DataType],
    statement: &Statement,
    text: &Arc<str>,
) -> Result<Reply> {
    if !matches!(
        statement.body,
        Body::Query(_) | Body::Write(_) | Body::Combined(_)
    ) {
        return Err(Error::Unsupported(
            "PREPARE of a statement that is not a query".to_owned(),
        ));
    }
    let caller = session.caller().await?;
    let user_types = session.scope(&caller).await?.user_types();
    let declared = types
        .iter()
        .map(|t| sql_type(t, &user_types).map(|t| t.oid()))
        .collect::<Result<Vec<u32>>>()?;
    let prepared = super::prepare(session, statement.clone(), &declared).await?;
    let text = Some(Arc::clone(text));
    session.prepared.store(name, Arc::new(prepared), text)?;
    Ok(Reply::Done {
        tag: "PREPARE".to_owned(),
    })
}

pub(super) async fn execute(
    session: &mut Session,
    name: &str,
    written: &[Expr],
    limits: Limits,
) -> Result<Reply> {
    let prepared = session.prepared(name)?;
    let prepared = session.current(prepared).await?;
    let expected = prepared.parameters().len();
    if written.len() != expected {
        return Err(Error::Function {
            sqlstate: "42601",
            message: format!("wrong number of parameters for prepared statement \"{name}\""),
            hint: None,
            detail: Some(format!(
                "Expected {expected} parameters but got {}.",
                written.len()
            )),
        });
    }
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let mut values = Vec::with_capacity(written.len());
    for (expr, sql_type) in written.iter().zip(prepared.parameters()) {
        let empty = DFSchema::empty();
        let planned = planner::expression(expr.clone(), &empty, &scope, &[])?;
        let cast = planner::assign(planned, &empty, sql_type, &scope.zone, name)?;
        values.push(constant::evaluate(cast, &scope)?);
    }
    super::run(session, &prepared, values, limits).await
}

pub(super) fn deallocate(session: &mut Session, name: Option<&str>) -> Result<Reply> {
    let tag = match name {
        None => {
            session.prepared.clear();
            "DEALLOCATE ALL"
        }
        Some(name) if session.prepared.remove(name) => "DEALLOCATE",
        Some(name) => return Err(Error::NoSuchStatement(name.to_owned())),
    };
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}
