//! INSERT … ON CONFLICT: which keys decide, and DO UPDATE as a query over the rows that the
//! statement brings, joined with the table by the key.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, ConflictTarget, DoUpdate, Expr, Ident, Insert, JoinConstraint,
    JoinOperator, SetExpr, TableAlias, TableFactor,
};
use futures::StreamExt;
use tessera_catalog::key::KeyColumns;
use tessera_catalog::model::{Column, Key, Privilege, Relation, Scope as Reach, Table};

use super::assign::{assignments, both};
use super::change::{Action, Change, Finding, Planned, Target, Value, number, select, skeleton};
use super::merge::case;
use super::rewrite::{self, Arbitration, Rewrite};
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::{self, Parameters, Scope};
use crate::policy::{self, Caller, Purpose, check_columns};
use crate::session::Session;
use crate::session::command::given::{Given, with_given};
use crate::session::command::names::{folded, parts};
use crate::session::command::query;
use crate::session::write::{table, table_schema};

/// What the rows that a statement brings are called.
const EXCLUDED: &str = "excluded";

/// The enforced keys at which a statement does something else: all without a target.
///
/// # Errors
/// 42P10 when no key is the target, 42704 for a constraint that is not there.
pub(in crate::session::command) fn arbiters<'a>(
    target: Option<&ConflictTarget>,
    relation: &'a Relation,
) -> Result<Vec<&'a Key>> {
    let table = table(relation)?;
    let keys = || table.keys.iter().filter(|key| key.is_checked());
    match target {
        None => Ok(keys().collect()),
        Some(ConflictTarget::OnConstraint(name)) => {
            let name = parts(name).pop().unwrap_or_default();
            let key = keys().find(|key| key.name == name);
            key.map(|key| vec![key]).ok_or_else(|| Error::Function {
                sqlstate: "42704",
                message: format!(
                    "constraint \"{name}\" for table \"{}\" does not exist",
                    relation.name
                ),
                hint: None,
                detail: None,
            })
        }
        Some(ConflictTarget::Columns(columns)) => {
            let mut wanted = HashSet::new();
            for column in columns {
                let name = folded(column);
                let column = table.column(&name).ok_or(Error::NoSuchColumn(name))?;
                // A common table's keys are each tenant's own, with or without its name in them.
                if !column.is_tenant() {
                    wanted.insert(column.number);
                }
            }
            let fits = |key: &&Key| {
                let own: HashSet<i16> = KeyColumns::of(table, key).numbers().collect();
                own == wanted
            };
            let found: Vec<&Key> = keys().filter(fits).collect();
            if found.is_empty() {
                return Err(Error::Function {
                    sqlstate: "42P10",
                    message: "there is no unique or exclusion constraint matching the ON CONFLICT \
                              specification"
                        .to_owned(),
                    hint: None,
                    detail: None,
                });
            }
            Ok(found)
        }
    }
}

/// A planned DO UPDATE.
pub(in crate::session::command) struct Upsert {
    planned: Planned,
    /// Gives the table's rows that are in the way, whoever may see them.
    conflicts: LogicalPlan,
    rows: Given,
    arbiter: Key,
}

impl Upsert {
    /// Plans DO UPDATE of a statement whose rows come later; `named` are the columns that it fills.
    ///
    /// # Errors
    /// 42601 without a target, and what planning meets.
    pub(in crate::session::command) fn plan(
        insert: &Insert,
        target: Option<&ConflictTarget>,
        update: &DoUpdate,
        (scope, with): (&Scope, Option<&ast::With>),
        parameters: &mut Parameters,
    ) -> Result<Self> {
        if target.is_none() {
            return Err(Error::Syntax {
                message: "ON CONFLICT DO UPDATE requires inference specification or constraint \
                          name"
                    .to_owned(),
                position: None,
            });
        }
        let ast::TableObject::TableName(name) = &insert.table else {
            return Err(Error::Unsupported("INSERT INTO a function".to_owned()));
        };
        let alias = insert.table_alias.as_ref().map(|alias| alias.alias.clone());
        let changed = Target::of(&factor(name.clone(), alias), "INSERT", scope)?;
        let of_table = changed.table()?;
        let arbiter = arbiters(target, &changed.found.relation)?
            .first()
            .map(|key| (*key).clone())
            .ok_or_else(|| Error::internal("no key was found"))?;
        let live: Vec<&Column> = of_table.live_columns().collect();
        let relation = &changed.found.relation.name;
        let assigned = assignments(&update.assignments, &live, relation, scope, parameters)?;
        let places: Vec<usize> = assigned.iter().map(|(place, _)| *place).collect();
        let numbers = places.iter().map(|place| live[*place].number).collect();
        let is_new = Expr::IsNull(Box::new(changed.row()));
        let mut cases = vec![(is_new, number(0))];
        let wanted = update.selection.clone();
        cases.push((
            wanted.unwrap_or_else(|| Expr::value(ast::Value::Boolean(true))),
            number(1),
        ));
        let action = case(cases);
        let values = values(&action, &live, assigned);
        let rows = Given::new(table_schema(of_table, &scope.zone));
        let scope = with_given(scope, EXCLUDED, &rows);
        let conflicts = conflicts(&changed, &arbiter, of_table, &scope)?;
        let change = Change {
            with,
            returning: None,
            query: joined(&changed, &arbiter, of_table)?,
            target: &changed,
            action,
            values,
            parameters: parameters.clone(),
        };
        let Finding {
            plan,
            values,
            parameters: types,
            ..
        } = change.plan(&scope)?;
        Ok(Self {
            planned: Planned {
                verb: "INSERT",
                actions: vec![Action::Insert, Action::Update(places), Action::Nothing],
                plan,
                values,
                parameters: types,
                rights: vec![(Privilege::Update, numbers)],
                returning: None,
                found: changed.found,
            },
            conflicts,
            rows,
            arbiter,
        })
    }

    /// The types of the statement's parameters, as far as this part tells them.
    pub(in crate::session::command) fn parameters(&self) -> &[tessera_catalog::sql_type::SqlType] {
        &self.planned.parameters
    }

    /// Inserts or updates: how many rows, and the rows for RETURNING.
    ///
    /// # Errors
    /// 21000 when two of the rows have the same key, and what writing meets.
    pub(in crate::session::command) async fn run(
        self,
        session: &mut Session,
        (caller, scope): (&Caller, &Scope),
        (rows, returns): (Vec<RecordBatch>, bool),
        parameters: Vec<ScalarValue>,
        limits: Limits,
    ) -> Result<(u64, Vec<RecordBatch>)> {
        let found = &self.planned.found;
        let (privilege, columns) = &self.planned.rights[0];
        let granted = check_columns(caller, *privilege, found, columns)?;
        let of_table = table(&found.relation)?;
        let key = KeyColumns::of(of_table, &self.arbiter);
        let hashes = distinct_keys(&key, of_table, &rows, scope)?;
        let proposed = rows.clone();
        if !self.rows.tell(rows) {
            return Err(Error::internal("the rows of a statement came twice"));
        }
        let plan = query::bind(self.planned.plan.clone(), parameters)?;
        let planned = &self.planned;
        super::lock::rows_of(session, &planned.found, caller).await?;
        let checked = policy::guard(plan, caller, scope, planned.purpose())?;
        let reads = returns || planned.reads(&checked);
        let (found, judged) = (&planned.found, planned.judged());
        let rules = query::row_checks(session, found, caller, scope, &judged, reads).await?;
        let conflicting = match rules.binds() {
            true => self.conflicting(session, (caller, scope), limits).await?,
            false => Vec::new(),
        };
        let mut opened = query::load(session, checked.tables(), caller, scope).await?;
        opened.keep_files_with(found, &key, &hashes).await?;
        let guarded = checked.open(&opened)?;
        let found = query::stream(session, guarded, scope, limits);
        let changes = rewrite::collect(found, planned, scope).await?;
        let work = Rewrite {
            planned,
            rules: &rules,
            opened: &opened,
            caller,
            scope,
            limits,
            returns,
        };
        let arbitration = Arbitration {
            proposed: &proposed,
            conflicting,
        };
        work.run_arbitrated(session, &granted, changes, arbitration)
            .await
    }

    /// The rows that are in the way.
    async fn conflicting(
        &self,
        session: &mut Session,
        (caller, scope): (&Caller, &Scope),
        limits: Limits,
    ) -> Result<Vec<RecordBatch>> {
        // Nothing but the server's own comparison of keys and the policies see these rows.
        let plan = self.conflicts.clone();
        let guarded = query::guard_for(session, plan, caller, scope, Purpose::Definition).await?;
        let schema = table_schema(table(&self.planned.found.relation)?, &scope.zone);
        let mut found = query::unobserved(session, guarded, scope, limits);
        let mut rows = Vec::new();
        while let Some(batch) = found.next().await {
            rows.push(super::as_schema(&batch?, &schema)?);
        }
        Ok(rows)
    }
}

/// The plan that finds what is in the way of the rows that a statement brings.
fn conflicts(target: &Target, key: &Key, table: &Table, scope: &Scope) -> Result<LogicalPlan> {
    let mut query = joined(target, key, table)?;
    let select = select(&mut query)?;
    let own = |column: &Column| vec![target.qualifier.clone(), quoted(&column.name)];
    let columns = table.live_columns().map(own);
    select.projection = columns
        .map(|name| ast::SelectItem::UnnamedExpr(Expr::CompoundIdentifier(name)))
        .collect();
    select.selection = Some(Expr::IsNotNull(Box::new(target.row())));
    planner::plan_change(query, scope, &[])
}

/// The keys of all rows.
///
/// # Errors
/// 21000 when two are the same: the second would change what the first has just made.
fn distinct_keys(
    key: &KeyColumns,
    table: &Table,
    rows: &[RecordBatch],
    scope: &Scope,
) -> Result<Vec<u128>> {
    let places = key.places(table.live_columns());
    // An operator's rows go to the tenants that they name, each with keys of its own.
    let by_tenant = table.scope == Reach::Common && scope.is_system();
    let mut seen: HashSet<(Option<String>, u128)> = HashSet::new();
    let mut keys = Vec::new();
    for batch in rows {
        let columns: Vec<_> = places
            .iter()
            .map(|p| Arc::clone(batch.column(*p)))
            .collect();
        let tenants = by_tenant
            .then(|| batch.column(0).as_string_view_opt())
            .flatten();
        for (row, hash) in key
            .hashes(&columns, batch.num_rows())?
            .into_iter()
            .enumerate()
        {
            let Some(hash) = hash else { continue };
            let tenant = tenants
                .filter(|t| t.is_valid(row))
                .map(|t| t.value(row).to_owned());
            if !seen.insert((tenant, hash)) {
                return Err(Error::UpsertedTwice);
            }
            keys.push(hash);
        }
    }
    Ok(keys)
}

/// All columns of a new row from the row that the statement brings, and the assigned ones of a row
/// that is there.
fn values(action: &Expr, live: &[&Column], assigned: Vec<(usize, Expr)>) -> Vec<Value> {
    let chosen = |index: usize, expr: Expr| {
        let is_chosen = Expr::BinaryOp {
            left: Box::new(action.clone()),
            op: BinaryOperator::Eq,
            right: Box::new(number(index)),
        };
        case(vec![(is_chosen, expr)])
    };
    let brought = live.iter().enumerate().map(|(place, column)| Value {
        action: 0,
        place,
        expr: chosen(0, of_excluded(&column.name)),
    });
    let updated = assigned.into_iter().map(|(place, expr)| Value {
        action: 1,
        place,
        expr: chosen(1, expr),
    });
    brought.chain(updated).collect()
}

pub(in crate::session::command) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

fn of_excluded(column: &str) -> Expr {
    Expr::CompoundIdentifier(vec![quoted(EXCLUDED), quoted(column)])
}

pub(in crate::session::command) fn factor(
    name: ast::ObjectName,
    alias: Option<Ident>,
) -> TableFactor {
    TableFactor::Table {
        name,
        alias: alias.map(|name| TableAlias {
            explicit: true,
            name,
            columns: Vec::new(),
            at: None,
        }),
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

/// The rows that the statement brings, with the table's row of the same key where there is one.
fn joined(target: &Target, key: &Key, table: &Table) -> Result<ast::Query> {
    let columns = key
        .columns
        .iter()
        .filter_map(|number| table.columns.iter().find(|c| c.number == *number))
        // In the system's database the key is a tenant's own.
        .chain(table.live_columns().filter(|column| column.is_tenant()));
    let op = match key.nulls_not_distinct {
        true => |left, right| Expr::IsNotDistinctFrom(Box::new(left), Box::new(right)),
        false => |left, right| Expr::BinaryOp {
            left: Box::new(left),
            op: BinaryOperator::Eq,
            right: Box::new(right),
        },
    };
    let mut on: Option<Expr> = None;
    for column in columns {
        let own = Expr::CompoundIdentifier(vec![target.qualifier.clone(), quoted(&column.name)]);
        let same = op(own, of_excluded(&column.name));
        on = Some(match on {
            Some(before) => both(before, Some(&same)),
            None => same,
        });
    }
    let on = on.unwrap_or_else(|| Expr::value(ast::Value::Boolean(true)));
    let mut query = skeleton(&format!("SELECT 1 FROM {EXCLUDED} LEFT JOIN t ON true"))?;
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(from) = select.from.first_mut()
        && let Some(join) = from.joins.first_mut()
    {
        join.relation = target.factor.clone();
        join.join_operator = JoinOperator::LeftOuter(JoinConstraint::On(on));
        return Ok(query);
    }
    Err(Error::internal("not a join"))
}
