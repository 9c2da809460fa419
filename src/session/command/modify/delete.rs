//! DELETE as a query: the rows of the table that match.

use datafusion::sql::sqlparser::ast::{self, Delete, FromTable, TableWithJoins};
use tessera_catalog::model::Privilege;

use super::change::{Action, Change, Planned, Target, number, select, skeleton};
use crate::error::{Error, Result};
use crate::planner::{Parameters, Scope};

pub(super) fn plan(
    delete: &Delete,
    statement: &ast::Statement,
    scope: &Scope,
    declared: &[u32],
) -> Result<Planned> {
    let target = Target::of(&table(delete)?.relation, "DELETE", scope)?;
    let mut query = skeleton("SELECT 1 FROM t")?;
    let inner = select(&mut query)?;
    inner.from = vec![TableWithJoins {
        relation: target.factor.clone(),
        joins: Vec::new(),
    }];
    inner.from.extend(delete.using.iter().flatten().cloned());
    inner.selection = delete.selection.clone();
    let change = Change {
        target: &target,
        query,
        action: number(0),
        values: Vec::new(),
        parameters: Parameters::of(statement, declared)?,
    };
    let (plan, values, parameters) = change.plan(scope)?;
    let returning = target.returning(delete.returning.as_deref(), scope)?;
    Ok(Planned {
        verb: "DELETE",
        actions: vec![Action::Delete],
        plan,
        values,
        parameters,
        rights: vec![(Privilege::Delete, Vec::new())],
        returning,
        found: target.found,
    })
}

fn table(delete: &Delete) -> Result<&TableWithJoins> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let plain = delete.tables.is_empty()
        && delete.output.is_none()
        && delete.order_by.is_empty()
        && delete.limit.is_none();
    match from.as_slice() {
        [table] if plain && table.joins.is_empty() => Ok(table),
        _ => Err(Error::Unsupported("this form of DELETE".to_owned())),
    }
}
