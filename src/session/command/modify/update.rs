//! UPDATE as a query: the rows of the table that match, and the expressions of SET.

use datafusion::sql::sqlparser::ast::{self, TableWithJoins, Update, UpdateTableFromKind};
use tessera_catalog::model::{Column, Privilege};

use super::assign::assignments;
use super::change::{Action, Change, Planned, Target, Value, number, select, skeleton};
use crate::error::{Error, Result};
use crate::planner::{Parameters, Scope};

pub(super) fn plan(
    update: &Update,
    statement: &ast::Statement,
    scope: &Scope,
    declared: &[u32],
) -> Result<Planned> {
    refuse(update)?;
    let target = Target::of(&update.table.relation, "UPDATE", scope)?;
    let mut parameters = Parameters::of(statement, declared)?;
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
    let change = Change {
        target: &target,
        query,
        action: number(0),
        values,
        parameters,
    };
    let (plan, values, parameters) = change.plan(scope)?;
    let returning = target.returning(update.returning.as_deref(), scope)?;
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
