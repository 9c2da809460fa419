//! Where the columns of an answer come from: table and number, for drivers that ask.
//!
//! As in PostgreSQL a column that is read through sub-queries and joins has an origin, one that is
//! calculated has none, and a view's column comes from the view.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::logical_plan::{Distinct, Join, TableScan};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan};
use tessera_catalog::sql_type::SqlType;

use super::source::{TableRef, ViewRef};

/// A column of a table or view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    pub relation: u32,
    pub column: i16,
    /// Whether it is a view's number that is worked out there.
    calculated: bool,
}

/// What a plan's output column is made of.
enum Made<'a> {
    /// By an expression over the columns of another plan.
    By(&'a Expr, &'a DFSchema, &'a LogicalPlan),
    /// As this column of another plan.
    As(&'a LogicalPlan, usize),
    Of(Origin),
    Unknown,
}

/// The table's column that a plan's column shows as it is.
pub fn of_column(plan: &LogicalPlan, index: usize) -> Option<Origin> {
    let (mut plan, mut index) = (plan, index);
    loop {
        match made(plan, index) {
            Made::Of(origin) => return Some(origin),
            Made::As(input, place) => (plan, index) = (input, place),
            Made::By(expr, schema, input) => {
                index = place_of(column_of(expr)?, schema)?;
                plan = input;
            }
            Made::Unknown => return None,
        }
    }
}

/// A column's type as the client is told: a number that is calculated has no precision.
pub fn described(plan: &LogicalPlan, index: usize, sql_type: SqlType) -> SqlType {
    match sql_type {
        number if is_calculated(plan, index, &number) => SqlType::Numeric(None),
        other => other,
    }
}

/// Whether a column is a number whose precision nobody gave it.
pub fn is_calculated(plan: &LogicalPlan, index: usize, sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Numeric(Some(_))) && !has_precision(plan, index)
}

/// Whether a number's precision is that of a column or of a cast.
fn has_precision(plan: &LogicalPlan, index: usize) -> bool {
    let (mut plan, mut index) = (plan, index);
    loop {
        match made(plan, index) {
            Made::Of(origin) => return !origin.calculated,
            Made::As(input, place) => (plan, index) = (input, place),
            Made::By(expr, schema, input) => {
                let inner = unnamed(expr);
                if let Expr::Cast(cast) = inner {
                    return is_written(cast);
                }
                match column_of(inner).and_then(|column| place_of(column, schema)) {
                    Some(place) => (plan, index) = (input, place),
                    None => return false,
                }
            }
            Made::Unknown => return false,
        }
    }
}

/// Casts that typing adds name their field; those of the statement do not.
fn is_written(cast: &Cast) -> bool {
    cast.field.name().is_empty() && matches!(cast.field.data_type(), DataType::Decimal128(..))
}

fn made(plan: &LogicalPlan, index: usize) -> Made<'_> {
    let by = |expr: Option<&'_ Expr>| expr.is_some();
    match plan {
        LogicalPlan::Projection(node) if by(node.expr.get(index)) => {
            Made::By(&node.expr[index], node.input.schema(), &node.input)
        }
        LogicalPlan::Aggregate(node) if by(node.group_expr.get(index)) => {
            Made::By(&node.group_expr[index], node.input.schema(), &node.input)
        }
        LogicalPlan::SubqueryAlias(node) => Made::As(&node.input, index),
        LogicalPlan::Filter(node) => Made::As(&node.input, index),
        LogicalPlan::Sort(node) => Made::As(&node.input, index),
        LogicalPlan::Limit(node) => Made::As(&node.input, index),
        LogicalPlan::Distinct(Distinct::All(input)) => Made::As(input, index),
        LogicalPlan::Distinct(Distinct::On(node)) if by(node.select_expr.get(index)) => {
            Made::By(&node.select_expr[index], node.input.schema(), &node.input)
        }
        LogicalPlan::Window(node) if index < node.input.schema().fields().len() => {
            Made::As(&node.input, index)
        }
        LogicalPlan::Join(join) => of_join(join, index),
        LogicalPlan::TableScan(scan) => of_scan(scan, index).map_or(Made::Unknown, Made::Of),
        _ => Made::Unknown,
    }
}

fn of_join(join: &Join, index: usize) -> Made<'_> {
    let width = join.left.schema().fields().len();
    match join.join_type {
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
            Made::As(&join.right, index)
        }
        _ if index < width => Made::As(&join.left, index),
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            Made::As(&join.right, index - width)
        }
        _ => Made::Unknown,
    }
}

fn of_scan(scan: &TableScan, index: usize) -> Option<Origin> {
    let place = match &scan.projection {
        Some(projection) => *projection.get(index)?,
        None => index,
    };
    let source = scan.source.as_ref() as &dyn std::any::Any;
    if let Some(table) = source.downcast_ref::<TableRef>() {
        let (column, _) = table.columns.get(place)?;
        return Some(Origin {
            relation: table.found.relation.oid.0,
            column: *column,
            calculated: false,
        });
    }
    let view = source.downcast_ref::<ViewRef>()?;
    Some(Origin {
        relation: view.found.relation.oid.0,
        column: i16::try_from(place + 1).ok()?,
        calculated: view
            .found
            .relation
            .view()
            .and_then(|view| view.columns.get(place))
            .is_some_and(|column| column.calculated),
    })
}

fn unnamed(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unnamed(&alias.expr),
        other => other,
    }
}

fn column_of(expr: &Expr) -> Option<&Column> {
    match unnamed(expr) {
        Expr::Column(column) => Some(column),
        _ => None,
    }
}

fn place_of(column: &Column, schema: &DFSchema) -> Option<usize> {
    schema.maybe_index_of_column(column)
}
