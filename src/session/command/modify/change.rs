//! The query that finds the rows of a change: each row's place, what is done to it, its new values.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column as PlanColumn;
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
use crate::session::command::returning::Returning;
use crate::session::write::{table, table_schema};

/// Columns of a change's query before those of the values: file, row, action.
pub(super) const LEADING_COLUMNS: usize = 3;

/// What is done to a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// The live columns at these places get new values.
    Update(Vec<usize>),
    Delete,
    Insert,
    Nothing,
}

/// A planned UPDATE, DELETE or MERGE.
pub(super) struct Planned {
    pub(super) verb: &'static str,
    pub(super) found: Found,
    /// What each number in the query's third column does.
    pub(super) actions: Vec<Action>,
    /// Gives file, row, action, and a column for each of `values`.
    pub(super) plan: LogicalPlan,
    /// Places among the live columns of those that get new values.
    pub(super) values: Vec<usize>,
    pub(super) parameters: Vec<SqlType>,
    /// The rights that are needed, with the columns that they are for.
    pub(super) rights: Vec<(Privilege, Vec<i16>)>,
    pub(super) returning: Option<Returning>,
}

impl Planned {
    /// What the statement wants the table's rows for.
    pub(super) fn purpose(&self) -> Purpose {
        let verb = match self.verb {
            "UPDATE" => Verb::Update,
            "DELETE" => Verb::Delete,
            _ => Verb::Merge,
        };
        Purpose::Change {
            verb,
            returns: self.returns(),
        }
    }

    /// Whether the statement looks at the table's rows, beside changing them.
    pub(super) fn reads(&self, checked: &Checked) -> bool {
        self.returns() || checked.reads_target()
    }

    fn returns(&self) -> bool {
        let returning = self.returning.as_ref();
        returning.is_some_and(|returning| !returning.reads().is_empty())
    }

    /// The rows that policies are to judge one by one.
    pub(super) fn judged(&self) -> Vec<Judged> {
        let merge = self.verb == "MERGE";
        let mut judged = Vec::new();
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

    /// RETURNING over the table's columns.
    pub(super) fn returning(
        &self,
        items: Option<&[SelectItem]>,
        scope: &Scope,
    ) -> Result<Option<Returning>> {
        let Some(items) = items else {
            return Ok(None);
        };
        let schema = table_schema(self.table()?, &scope.zone);
        Returning::plan(items, &schema, &self.qualifier.value, scope).map(Some)
    }
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
    /// Gives the index of a row's action.
    pub(super) action: ast::Expr,
    pub(super) values: Vec<Value>,
    pub(super) parameters: Parameters,
}

impl Change<'_> {
    /// The query's plan, the places of the columns that it gives values for, and the types of the
    /// statement's parameters.
    pub(super) fn plan(mut self, scope: &Scope) -> Result<(LogicalPlan, Vec<usize>, Vec<SqlType>)> {
        let mut items = vec![self.target.file(), self.target.row(), self.action];
        items.extend(self.values.iter().map(|value| value.expr.clone()));
        select(&mut self.query)?.projection = items
            .into_iter()
            .enumerate()
            .map(|(index, expr)| SelectItem::ExprWithAlias {
                expr,
                alias: Ident::with_quote('"', output(index)),
            })
            .collect();
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
        let plan = LogicalPlanBuilder::from(plan).project(list)?.build()?;
        Ok((plan, places, parameters))
    }
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
