//! The query that finds the rows of a change: each row's place, what is done to it, its new values.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column as PlanColumn, DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit, when};
use datafusion::sql::sqlparser::ast::{
    self, Ident, ObjectNamePart, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor,
};
use tessera_catalog::model::{Column, Privilege, Table};
use tessera_catalog::sql_type::SqlType;

use crate::error::{Error, Result};
use crate::planner::row_ids::{FILE_COLUMN, ROW_COLUMN, mark};
use crate::planner::source::Found;
use crate::planner::{self, Parameters, Scope};
use crate::policy::{Checked, Judged, Purpose, Verb};
use crate::session::command::names::{folded, relation};
use crate::session::command::returning::{Over, Returning};
use crate::session::write::{table, table_schema};
use tessera_udfs::walk;

/// What `merge_action()` is called among the columns that RETURNING may name.
const ACTION_COLUMN: &str = "\u{4}action";

/// Columns of a change's query before those of the values: file, row, action.
pub(super) const LEADING_COLUMNS: usize = 3;

/// What is done to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::session::command) enum Action {
    /// The live columns at these places get new values.
    Update(Vec<usize>),
    Delete,
    Insert,
    Nothing,
}

/// A planned UPDATE, DELETE or MERGE.
pub(in crate::session::command) struct Planned {
    pub(in crate::session::command) verb: &'static str,
    pub(in crate::session::command) found: Found,
    /// What each number in the query's third column does.
    pub(in crate::session::command) actions: Vec<Action>,
    /// Gives file, row, action, and a column for each of `values`.
    pub(in crate::session::command) plan: LogicalPlan,
    /// Places among the live columns of those that get new values.
    pub(in crate::session::command) values: Vec<usize>,
    pub(in crate::session::command) parameters: Vec<SqlType>,
    /// The rights that are needed, with the columns that they are for.
    pub(in crate::session::command) rights: Vec<(Privilege, Vec<i16>)>,
    pub(in crate::session::command) returning: Option<Returning>,
}

impl Planned {
    /// What the statement wants the table's rows for.
    pub(in crate::session::command) fn purpose(&self) -> Purpose {
        let verb = match self.verb {
            "UPDATE" => Verb::Update,
            "DELETE" => Verb::Delete,
            "INSERT" => Verb::Upsert,
            _ => Verb::Merge,
        };
        Purpose::Change {
            verb,
            returns: self.returns(),
        }
    }

    /// Whether the statement looks at the table's rows, beside changing them.
    pub(in crate::session::command) fn reads(&self, checked: &Checked) -> bool {
        self.returns() || checked.reads_target()
    }

    fn returns(&self) -> bool {
        let returning = self.returning.as_ref();
        returning.is_some_and(|returning| !returning.reads().is_empty())
    }

    /// The rows that policies are to judge one by one.
    pub(in crate::session::command) fn judged(&self) -> Vec<Judged> {
        let merge = self.verb == "MERGE";
        let mut judged = match self.verb {
            "INSERT" => vec![Judged::Conflicting],
            _ => Vec::new(),
        };
        for action in &self.actions {
            match action {
                Action::Insert => judged.push(Judged::Inserted),
                Action::Update(_) if merge => {
                    judged.extend([Judged::MergeUpdated, Judged::Updated]);
                }
                Action::Update(_) => judged.push(Judged::Updated),
                Action::Delete if merge => judged.push(Judged::MergeDeleted),
                Action::Delete | Action::Nothing => {}
            }
        }
        let mut once = Vec::new();
        for what in judged {
            if !once.contains(&what) {
                once.push(what);
            }
        }
        once
    }
}

/// The table that a statement changes.
pub(super) struct Target {
    pub(super) found: Found,
    /// What the statement calls it.
    pub(super) qualifier: Ident,
    /// The table in a query that gives the places of its rows.
    pub(super) factor: TableFactor,
}

impl Target {
    /// The table of a statement; `verb` is for messages.
    pub(super) fn of(written: &TableFactor, verb: &str, scope: &Scope) -> Result<Self> {
        let mut factor = written.clone();
        let TableFactor::Table {
            name,
            alias,
            args: None,
            version: None,
            sample: None,
            ..
        } = &mut factor
        else {
            return Err(Error::Unsupported(format!("{verb} of {written}")));
        };
        let found = relation(scope, name)?;
        if found.relation.view().is_some() {
            return Err(Error::Unsupported(format!(
                "{verb} of the view \"{}\"",
                found.relation.name
            )));
        }
        super::super::names::check_changeable(&found)?;
        let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut() else {
            return Err(Error::Unsupported(format!("{verb} of {written}")));
        };
        if alias
            .as_ref()
            .is_some_and(|alias| !alias.columns.is_empty())
        {
            return Err(Error::Unsupported(format!("{verb} with column aliases")));
        }
        let qualifier = Ident::with_quote(
            '"',
            folded(alias.as_ref().map_or(last, |alias| &alias.name)),
        );
        *last = Ident::with_quote('"', mark(&folded(last)));
        *alias = Some(TableAlias {
            explicit: true,
            name: qualifier.clone(),
            columns: Vec::new(),
            at: None,
        });
        Ok(Self {
            found,
            qualifier,
            factor,
        })
    }

    /// The table itself.
    pub(super) fn table(&self) -> Result<&Table> {
        table(&self.found.relation)
    }

    /// One of the two columns that name a row.
    fn place(&self, column: &str) -> ast::Expr {
        ast::Expr::CompoundIdentifier(vec![self.qualifier.clone(), Ident::with_quote('"', column)])
    }

    /// A row's file.
    pub(super) fn file(&self) -> ast::Expr {
        self.place(FILE_COLUMN)
    }

    /// A row's place in its file.
    pub(super) fn row(&self) -> ast::Expr {
        self.place(ROW_COLUMN)
    }
}

/// RETURNING as it is written, and what it may name.
pub(super) struct Wanted<'a> {
    pub(super) items: &'a [SelectItem],
    /// Whether the query reads anything beside the table.
    pub(super) beside: bool,
    /// Whether this is MERGE's, which also knows what was done.
    pub(super) merged: Option<&'a [Action]>,
}

/// The query of a change, planned.
pub(super) struct Finding {
    pub(super) plan: LogicalPlan,
    /// The places of the columns that it gives values for.
    pub(super) values: Vec<usize>,
    /// The types of the statement's parameters.
    pub(super) parameters: Vec<SqlType>,
    pub(super) returning: Option<Returning>,
}

/// A value that an action gives to a column.
pub(super) struct Value {
    /// Index of the action.
    pub(super) action: usize,
    /// The column's place among the live ones.
    pub(super) place: usize,
    pub(super) expr: ast::Expr,
}

/// What the query of a change is made of.
pub(super) struct Change<'a> {
    pub(super) target: &'a Target,
    /// Its select list is filled in here.
    pub(super) query: Query,
    /// What stands before the statement.
    pub(super) with: Option<&'a ast::With>,
    /// Gives the index of a row's action.
    pub(super) action: ast::Expr,
    pub(super) values: Vec<Value>,
    pub(super) parameters: Parameters,
    pub(super) returning: Option<Wanted<'a>>,
}

impl Change<'_> {
    /// Plans the query.
    pub(super) fn plan(mut self, scope: &Scope) -> Result<Finding> {
        self.query.with = self.with.cloned();
        let mut items = vec![self.target.file(), self.target.row(), self.action];
        items.extend(self.values.iter().map(|value| value.expr.clone()));
        let items = items
            .into_iter()
            .enumerate()
            .map(|(index, expr)| SelectItem::ExprWithAlias {
                expr,
                alias: Ident::with_quote('"', output(index)),
            });
        let all = self.returning.as_ref().filter(|wanted| wanted.beside);
        let all = all.map(|_| SelectItem::Wildcard(Default::default()));
        select(&mut self.query)?.projection = items.chain(all).collect();
        let plan = planner::plan_change(self.query, scope, &self.parameters.fields(&scope.zone))?;
        let (plan, parameters) = self.parameters.resolve(plan, &scope.zone)?;
        let live: Vec<&Column> = self.target.table()?.live_columns().collect();
        let mut places: Vec<usize> = self.values.iter().map(|value| value.place).collect();
        places.sort_unstable();
        places.dedup();
        let schema = Arc::clone(plan.schema());
        let column = |index: usize| {
            let (qualifier, field) = schema.qualified_field(index);
            Expr::Column(PlanColumn::new(qualifier.cloned(), field.name()))
        };
        let action = cast(column(2), DataType::Int64);
        let mut list = vec![
            column(0).alias(output(0)),
            column(1).alias(output(1)),
            action.clone().alias(output(2)),
        ];
        for place in &places {
            let of_column = live
                .get(*place)
                .ok_or_else(|| Error::internal("no such column"))?;
            let mut cases = Vec::new();
            for (index, value) in self.values.iter().enumerate() {
                if value.place == *place {
                    let given = planner::assign(
                        column(LEADING_COLUMNS + index),
                        &schema,
                        &of_column.sql_type,
                        &scope.zone,
                        &of_column.name,
                    )?;
                    cases.push((value.action as i64, given));
                }
            }
            let value = by_action(&action, cases)?;
            list.push(value.alias(output(list.len())));
        }
        let mut returning = None;
        if let Some(wanted) = &self.returning {
            let first = LEADING_COLUMNS + self.values.len();
            let (planned, beside) = self.target.returning(wanted, &schema, first, scope)?;
            for place in planned.beside() {
                let value = match beside.get(*place) {
                    Some(Beside::Column(index)) => column(*index),
                    Some(Beside::Action) | None => named_action(&action, wanted.merged)?,
                };
                list.push(value.alias(output(list.len())));
            }
            returning = Some(planned);
        }
        let plan = LogicalPlanBuilder::from(plan).project(list)?.build()?;
        Ok(Finding {
            plan,
            values: places,
            parameters,
            returning,
        })
    }
}

/// What RETURNING may name beside the table.
enum Beside {
    /// A column of the change's query.
    Column(usize),
    /// What `merge_action()` tells.
    Action,
}

impl Target {
    /// RETURNING over the table's columns and those of the query from `first` on, which are not the
    /// table's own.
    fn returning(
        &self,
        wanted: &Wanted<'_>,
        query: &DFSchema,
        first: usize,
        scope: &Scope,
    ) -> Result<(Returning, Vec<Beside>)> {
        let mut fields = Vec::new();
        let mut beside = Vec::new();
        for index in first..query.fields().len() {
            let (qualifier, field) = query.qualified_field(index);
            let own = qualifier.is_some_and(|q| q.table() == self.qualifier.value);
            if !own && !field.name().starts_with('\u{4}') {
                fields.push((qualifier.cloned(), Arc::clone(field)));
                beside.push(Beside::Column(index));
            }
        }
        let mut items = wanted.items.to_vec();
        if wanted.merged.is_some() {
            let field = SqlType::Text.field(ACTION_COLUMN, false, &scope.zone);
            fields.push((None, field));
            beside.push(Beside::Action);
            name_actions(&mut items);
        }
        let fields = DFSchema::new_with_metadata(fields, HashMap::new())?;
        let over = Over {
            schema: &table_schema(self.table()?, &scope.zone),
            qualifier: &self.qualifier.value,
            beside: (!beside.is_empty()).then_some(&fields),
            beside_first: wanted.merged.is_some(),
        };
        Ok((Returning::plan(&items, &over, scope)?, beside))
    }
}

/// Puts a column in the place of `merge_action()`.
fn name_actions(items: &mut [SelectItem]) {
    let named = Ident::with_quote('"', ACTION_COLUMN);
    for item in items {
        if let SelectItem::UnnamedExpr(expr) = item
            && is_action(expr)
        {
            *item = SelectItem::ExprWithAlias {
                expr: ast::Expr::Identifier(named.clone()),
                alias: Ident::new("merge_action"),
            };
            continue;
        }
        let flow = walk::expressions_mut(item, &mut |expr| {
            if is_action(expr) {
                *expr = ast::Expr::Identifier(named.clone());
            }
            std::ops::ControlFlow::<()>::Continue(())
        });
        debug_assert!(flow.is_continue());
    }
}

fn is_action(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Function(call)
        if call.name.to_string().eq_ignore_ascii_case("merge_action"))
}

/// The word for what a number in the query's third column does.
fn named_action(action: &Expr, actions: Option<&[Action]>) -> Result<Expr> {
    let word = |what: &Action| match what {
        Action::Update(_) => "UPDATE",
        Action::Delete => "DELETE",
        Action::Insert => "INSERT",
        Action::Nothing => "",
    };
    let cases = actions.unwrap_or_default().iter().enumerate();
    let cases = cases.map(|(number, what)| {
        let word = ScalarValue::Utf8View(Some(word(what).to_owned()));
        (number as i64, lit(word))
    });
    by_action(action, cases.collect())
}

/// The value of a row's action; there is at least one.
fn by_action(action: &Expr, cases: Vec<(i64, Expr)>) -> Result<Expr> {
    let mut cases = cases.into_iter();
    let (first, value) = cases
        .next()
        .ok_or_else(|| Error::internal("a column without a value"))?;
    if cases.len() == 0 {
        return Ok(value);
    }
    let mut builder = when(action.clone().eq(lit(first)), value);
    for (number, value) in cases {
        builder = builder.when(action.clone().eq(lit(number)), value);
    }
    Ok(builder.end()?)
}

/// The name of one of the query's columns.
fn output(index: usize) -> String {
    format!("\u{4}{index}")
}

/// A query to be filled in.
pub(in crate::session::command) fn skeleton(text: &str) -> Result<Query> {
    let statement = planner::parse(text)?.into_iter().next();
    match statement.map(|statement| statement.body) {
        Some(planner::ast::Body::Query(query)) => Ok(*query),
        _ => Err(Error::internal("not a query")),
    }
}

/// The SELECT of a query that has no other part.
pub(super) fn select(query: &mut Query) -> Result<&mut Select> {
    match query.body.as_mut() {
        SetExpr::Select(select) => Ok(select),
        _ => Err(Error::internal("not a SELECT")),
    }
}

/// A whole number in SQL.
pub(super) fn number(value: usize) -> ast::Expr {
    ast::Expr::value(ast::Value::Number(value.to_string(), false))
}
