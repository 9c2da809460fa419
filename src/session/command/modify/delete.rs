//! DELETE as a query: the rows of the table that match.

use datafusion::sql::sqlparser::ast::{self, Delete, FromTable, TableWithJoins};
use tessera_catalog::model::Privilege;

use super::around::Around;
use super::change::{Action, Change, Finding, Planned, Target, Wanted, number, select, skeleton};
use crate::error::{Error, Result};

pub(super) fn plan(
    delete: &Delete,
    statement: &ast::Statement,
    around: &Around<'_>,
) -> Result<Planned> {
    let scope = around.scope;
    let target = Target::of(&table(delete)?.relation, "DELETE", scope)?;
    let mut query = skeleton("SELECT 1 FROM t")?;
    let inner = select(&mut query)?;
    inner.from = vec![TableWithJoins {
        relation: target.factor.clone(),
        joins: Vec::new(),
    }];
    inner.from.extend(delete.using.iter().flatten().cloned());
    inner.selection = delete.selection.clone();
    let beside = delete.using.is_some();
    let change = Change {
        target: &target,
        with: around.with,
        query,
        action: number(0),
        values: Vec::new(),
        parameters: around.parameters(statement)?,
        returning: delete.returning.as_deref().map(|items| Wanted {
            items,
            beside,
            merged: None,
        }),
    };
    let Finding {
        plan,
        values,
        parameters,
        returning,
    } = change.plan(scope)?;
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
