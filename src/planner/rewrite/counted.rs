//! Rows that are chosen by their numbers: INTERSECT ALL and EXCEPT ALL, LIMIT and OFFSET by a sub-query, and
//! FETCH FIRST … WITH TIES.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, JoinType, NullEquality, Result as EngineResult};
use datafusion::functions_window::expr_fn::{rank, row_number};
use datafusion::logical_expr::logical_plan::{Distinct, Filter, Join, Limit, Projection};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, SortExpr, Volatility, cast, lit,
};

use super::subqueries::{arranged, has_subquery};
use crate::error::{Error, Result};

/// The call around the number of rows that are fetched with those equal to the last.
pub(in crate::planner) const WITH_TIES: &str = "with_ties";

/// The names of the columns that number rows.
const NUMBER: &str = "\u{5}number";

/// Makes conditions on row numbers of what the engine does not count.
///
/// # Errors
/// What the engine cannot plan, which is a bug.
pub(in crate::planner) fn by_numbers(plan: LogicalPlan) -> Result<LogicalPlan> {
    let numbered = plan.transform_up_with_subqueries(|node| match node {
        LogicalPlan::Join(join) if matches_rows(&join) => numbered_rows(join),
        LogicalPlan::Limit(limit) if is_computed(&limit)? => {
            Ok(Transformed::yes(first_rows(&limit)?))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(numbered.data)
}

/// Whether a join is what the engine makes of INTERSECT ALL or EXCEPT ALL; for the forms without ALL the
/// left side has no row twice, and then the join is right as it is.
fn matches_rows(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && join.on.len() == join.left.schema().fields().len()
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(Distinct::All(_)))
}

/// Equal rows are numbered on both sides, so that each meets at most one other.
fn numbered_rows(join: Join) -> EngineResult<Transformed<LogicalPlan>> {
    let own = join.left.schema().fields().len();
    let side = |plan: &LogicalPlan, name: &str| -> EngineResult<LogicalPlan> {
        let columns = plan.schema().columns().into_iter().map(Expr::Column);
        let number = row_number().partition_by(columns.collect()).build()?;
        LogicalPlanBuilder::from(plan.clone())
            .window([number.alias(name)])?
            .build()
    };
    let names = [format!("{NUMBER}left"), format!("{NUMBER}right")];
    let left = side(&join.left, &names[0])?;
    let right = side(&join.right, &names[1])?;
    let [l, r] = names.map(|name| Expr::Column(Column::new_unqualified(name)));
    let mut on = join.on;
    on.push((l, r));
    let made = Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        None,
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    Ok(Transformed::yes(arranged(LogicalPlan::Join(made), 0..own)?))
}

fn with_ties(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::ScalarFunction(call) if call.name() == WITH_TIES => call.args.first(),
        Expr::Cast(cast) => with_ties(&cast.expr),
        _ => None,
    }
}

fn is_computed(limit: &Limit) -> EngineResult<bool> {
    let bounds = [&limit.skip, &limit.fetch];
    for bound in bounds.into_iter().flatten() {
        if has_subquery(bound)? || with_ties(bound).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A window function over rows in an order, if there is one.
fn in_order(function: Expr, sorts: &[SortExpr]) -> EngineResult<Expr> {
    match sorts {
        [] => Ok(function),
        sorts => function.order_by(sorts.to_vec()).build(),
    }
}

fn first_rows(limit: &Limit) -> EngineResult<LogicalPlan> {
    // What is made of each row can be made of the chosen ones.
    if let LogicalPlan::Projection(projection) = limit.input.as_ref() {
        let below = Limit {
            skip: limit.skip.clone(),
            fetch: limit.fetch.clone(),
            input: Arc::clone(&projection.input),
        };
        let input = Arc::new(first_rows(&below)?);
        let above = Projection::try_new(projection.expr.clone(), input)?;
        return Ok(LogicalPlan::Projection(above));
    }
    let (source, sorts): (&Arc<LogicalPlan>, &[SortExpr]) = match limit.input.as_ref() {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => (&sort.input, &sort.expr),
        _ => (&limit.input, &[]),
    };
    let ties = limit.fetch.as_deref().and_then(with_ties);
    if ties.is_some() && sorts.is_empty() {
        return Err(Error::Syntax {
            message: "WITH TIES cannot be specified without ORDER BY clause".to_owned(),
            position: None,
        }
        .into());
    }
    let own = source.schema().fields().len();
    let numbers = [
        in_order(row_number(), sorts)?.alias(NUMBER),
        in_order(rank(), sorts)?.alias(format!("{NUMBER}rank")),
    ];
    let made = LogicalPlanBuilder::from(source.as_ref().clone())
        .window(numbers)?
        .build()?;
    let column = |name: String| {
        let column = Expr::Column(Column::new_unqualified(name));
        cast(column, DataType::Int64)
    };
    let number = column(NUMBER.to_owned());
    let skip = match &limit.skip {
        Some(skip) => cast(skip.as_ref().clone(), DataType::Int64),
        None => lit(0_i64),
    };
    let mut condition = number.clone().gt(skip.clone());
    if let Some(fetch) = &limit.fetch {
        let (number, fetch) = match ties {
            Some(count) => (column(format!("{NUMBER}rank")), count.clone()),
            None => (number, fetch.as_ref().clone()),
        };
        let fetch = cast(fetch, DataType::Int64);
        // LIMIT NULL is none.
        let within = number.lt_eq(skip + fetch.clone());
        condition = condition.and(fetch.is_null().or(within));
    }
    let chosen = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(made))?);
    let sorted = match sorts.is_empty() {
        true => chosen,
        false => LogicalPlanBuilder::from(chosen)
            .sort(sorts.to_vec())?
            .build()?,
    };
    arranged(sorted, 0..own)
}

/// The function that marks a number of rows as one with ties; nothing evaluates it.
pub(in crate::planner) fn marker() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(WithTies {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct WithTies {
    signature: Signature,
}

impl ScalarUDFImpl for WithTies {
    fn name(&self) -> &str {
        WITH_TIES
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        Err(Error::Unsupported("WITH TIES in this place".to_owned()).into())
    }
}
