//! UPDATE as a query: the rows of the table that match, and the expressions of SET.

use datafusion::sql::sqlparser::ast::{self, TableWithJoins, Update, UpdateTableFromKind};
use tessera_catalog::model::{Column, Privilege};

use super::around::Around;
use super::assign::assignments;
use super::change::{
    Action, Change, Finding, Planned, Target, Value, Wanted, number, select, skeleton,
};
use crate::error::{Error, Result};

pub(super) fn plan(
    update: &Update,
    statement: &ast::Statement,
    around: &Around<'_>,
) -> Result<Planned> {
    let scope = around.scope;
    refuse(update)?;
    let target = Target::of(&update.table.relation, "UPDATE", scope)?;
    let mut parameters = around.parameters(statement)?;
    let live: Vec<&Column> = target.table()?.live_columns().collect();
    let name = &target.found.relation.name;
    let assigned = assignments(&update.assignments, &live, name, scope, &mut parameters)?;
    let places: Vec<usize> = assigned.iter().map(|(place, _)| *place).collect();
    let numbers = places.iter().map(|place| live[*place].number).collect();
    let mut query = skeleton("SELECT 1 FROM t")?;
    let inner = select(&mut query)?;
    inner.from = vec![TableWithJoins {
        relation: target.factor.clone(),
        joins: Vec::new(),
    }];
    if let Some(UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from)) =
        &update.from
    {
        inner.from.extend(from.iter().cloned());
    }
    inner.selection = update.selection.clone();
    let values = assigned
        .into_iter()
        .map(|(place, expr)| Value {
            action: 0,
            place,
            expr,
        })
        .collect();
    let beside = update.from.is_some();
    let change = Change {
        target: &target,
        with: around.with,
        query,
        action: number(0),
        values,
        parameters,
        returning: update.returning.as_deref().map(|items| Wanted {
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
        verb: "UPDATE",
        actions: vec![Action::Update(places)],
        plan,
        values,
        parameters,
        rights: vec![(Privilege::Update, numbers)],
        returning,
        found: target.found,
    })
}

fn refuse(update: &Update) -> Result<()> {
    let plain = update.table.joins.is_empty()
        && update.or.is_none()
        && update.output.is_none()
        && update.order_by.is_empty()
        && update.limit.is_none();
    if plain {
        return Ok(());
    }
    Err(Error::Unsupported("this form of UPDATE".to_owned()))
}
