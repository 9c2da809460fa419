//! Sub-queries and LATERAL as joins.
//!
//! The engine joins a sub-query by itself where its correlation is an equation or a condition right above a
//! table; these stay as they are. All others become joins here: a sub-query with references to the query
//! around it is computed for all of its outer values at once ([`domain`]), and its value, whether it has
//! rows, or how a value compares with its rows ([`beside`]) becomes a column beside the outer rows.

mod beside;
mod domain;
mod engine;

use std::cell::Cell;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, JoinType, Result as EngineResult};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{
    Aggregate, Extension, Filter, Join, Limit, Projection, Sort,
};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};
use tessera_udfs::pg::sets::{is_set_rows, keeping_empty};

use self::beside::Beside;
use self::domain::{Domain, joined, treats_rows_alone};

pub(super) use self::domain::arranged;
use crate::error::{Error, Result};

/// The start of the names of columns and relations that are made here.
const OUTER: &str = "\u{5}outer";

/// Makes joins of a plan's sub-queries as far as the engine does not.
///
/// # Errors
/// A correlation that no join can express.
pub(in crate::planner) fn flatten(plan: LogicalPlan) -> Result<LogicalPlan> {
    let flattener = Flattener {
        names: Cell::new(0),
    };
    let flat = plan.transform_up_with_subqueries(|node| flattener.node(node))?;
    // No query is around the statement's own.
    if let Some(column) = outer_columns(&flat.data)?.first() {
        let relation = column.relation.as_ref().map_or("", |of| of.table());
        return Err(Error::Function {
            sqlstate: "42P01",
            message: format!("missing FROM-clause entry for table \"{relation}\""),
            hint: None,
            detail: None,
        });
    }
    Ok(flat.data)
}

/// Makes one statement's joins.
struct Flattener {
    /// Names given so far.
    names: Cell<usize>,
}

/// Columns of outer queries that a plan names, each once.
fn outer_columns(plan: &LogicalPlan) -> EngineResult<Vec<Column>> {
    let mut columns: Vec<Column> = Vec::new();
    plan.apply(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::OuterReferenceColumn(_, column) = expr
                    && !columns.contains(column)
                {
                    columns.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(columns)
}

/// Those of a plan's outer columns that the query right around it has.
fn columns_of(plan: &LogicalPlan, around: &DFSchema) -> EngineResult<Vec<Column>> {
    let mut columns = outer_columns(plan)?;
    columns.retain(|column| around.has_column(column));
    Ok(columns)
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
    )
}

pub(super) fn has_subquery(expr: &Expr) -> EngineResult<bool> {
    expr.exists(|expr| Ok(is_subquery(expr)))
}

impl Flattener {
    /// A name that nothing else has.
    fn name(&self, start: &str) -> String {
        let number = self.names.get();
        self.names.set(number + 1);
        format!("{start}{number}")
    }

    /// Columns under names of their own.
    fn renamed(&self, columns: &[Column]) -> Vec<Expr> {
        let rename = |column: &Column| Expr::Column(column.clone()).alias(self.name(OUTER));
        columns.iter().map(rename).collect()
    }

    fn node(&self, node: LogicalPlan) -> EngineResult<Transformed<LogicalPlan>> {
        let node = match node {
            LogicalPlan::Join(join) => match self.lateral(join)? {
                Transformed {
                    transformed: true,
                    data,
                    ..
                } => return Ok(Transformed::yes(data)),
                untouched => untouched.data,
            },
            other => other,
        };
        let mut found = false;
        node.apply_expressions(|expr| {
            found |= has_subquery(expr)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !found {
            return Ok(Transformed::no(node));
        }
        match node {
            LogicalPlan::Sort(sort) => self.sort(sort),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Join(join) => self.condition(join),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Values(values) => {
                let fields = values.schema.fields().len();
                let rows = values.values.iter().map(|row| {
                    let named = values.schema.fields().iter().zip(row);
                    let named = named.map(|(field, expr)| expr.clone().alias(field.name()));
                    LogicalPlanBuilder::empty(true)
                        .project(named.collect::<Vec<_>>())?
                        .build()
                });
                let mut made: Option<LogicalPlan> = None;
                for row in rows {
                    let row = self.node(row?)?.data;
                    made = Some(match made {
                        Some(above) => LogicalPlanBuilder::from(above).union(row)?.build()?,
                        None => row,
                    });
                }
                let made = made.unwrap_or(LogicalPlan::Values(values));
                Ok(Transformed::yes(arranged(made, 0..fields)?))
            }
            node => self.expressions(node),
        }
    }

    /// The sub-queries of a node with one input, beside the rows of this input.
    fn expressions(&self, node: LogicalPlan) -> EngineResult<Transformed<LogicalPlan>> {
        let [input] = node.inputs()[..] else {
            return Ok(Transformed::no(node));
        };
        let passes_on = matches!(
            node,
            LogicalPlan::Sort(_) | LogicalPlan::Limit(_) | LogicalPlan::Window(_)
        );
        let engine_joins = matches!(node, LogicalPlan::Projection(_));
        let own = node.schema().fields().len();
        let before = input.schema().fields().len();
        let mut beside = Beside::new(self, input.clone(), engine_joins);
        let names = NamePreserver::new(&node);
        let exprs = node.expressions().into_iter().map(|expr| {
            let name = names.save(&expr);
            Ok(name.restore(beside.replaced(expr)?))
        });
        let exprs = exprs.collect::<EngineResult<Vec<_>>>()?;
        let input = beside.finish();
        let added = input.schema().fields().len() - before;
        let made = node.with_new_exprs(exprs, vec![input])?;
        if !passes_on || added == 0 {
            return Ok(Transformed::yes(made));
        }
        // The columns that were added follow the input's own.
        let kept = (0..before).chain(before + added..own + added);
        Ok(Transformed::yes(arranged(made, kept)?))
    }

    /// Sub-queries in ORDER BY may look at columns that the select list leaves out.
    fn sort(&self, sort: Sort) -> EngineResult<Transformed<LogicalPlan>> {
        let LogicalPlan::Projection(projection) = sort.input.as_ref() else {
            return self.expressions(LogicalPlan::Sort(sort));
        };
        let mut missing: Vec<Column> = Vec::new();
        for by in &sort.expr {
            by.expr.apply(|expr| {
                let subquery = match expr {
                    Expr::ScalarSubquery(subquery) => subquery,
                    Expr::Exists(exists) => &exists.subquery,
                    Expr::InSubquery(inside) => &inside.subquery,
                    Expr::SetComparison(set) => &set.subquery,
                    _ => return Ok(TreeNodeRecursion::Continue),
                };
                for column in columns_of(&subquery.subquery, projection.input.schema())? {
                    if !sort.input.schema().has_column(&column) && !missing.contains(&column) {
                        missing.push(column);
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        if missing.is_empty() {
            return self.expressions(LogicalPlan::Sort(sort));
        }
        let own = projection.expr.len();
        let mut columns = projection.expr.clone();
        columns.extend(missing.into_iter().map(Expr::Column));
        let input = Projection::try_new(columns, Arc::clone(&projection.input))?;
        let sort = Sort {
            expr: sort.expr,
            input: Arc::new(LogicalPlan::Projection(input)),
            fetch: sort.fetch,
        };
        let sorted = self.expressions(LogicalPlan::Sort(sort))?.data;
        Ok(Transformed::yes(arranged(sorted, 0..own)?))
    }

    /// Conditions without sub-queries hold before sub-queries are computed.
    fn filter(&self, filter: Filter) -> EngineResult<Transformed<LogicalPlan>> {
        let before = filter.input.schema().fields().len();
        let (mut plain, mut others) = (Vec::new(), Vec::new());
        for condition in split_conjunction_owned(filter.predicate) {
            match engine::own_condition(condition, filter.input.schema())? {
                Ok(condition) => plain.push(condition),
                Err(condition) => others.push(condition),
            }
        }
        let mut input = filter.input.as_ref().clone();
        if let Some(condition) = conjunction(plain) {
            input = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(input))?);
        }
        if others.is_empty() {
            return Ok(Transformed::yes(input));
        }
        let mut beside = Beside::new(self, input, true);
        let others = others
            .into_iter()
            .map(|condition| beside.replaced(condition));
        let others = others.collect::<EngineResult<Vec<_>>>()?;
        let mut input = beside.finish();
        if let Some(condition) = conjunction(others) {
            input = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(input))?);
        }
        Ok(Transformed::yes(arranged(input, 0..before)?))
    }

    /// Sub-queries in groups and arguments become columns of the rows that are aggregated.
    fn aggregate(&self, aggregate: Aggregate) -> EngineResult<Transformed<LogicalPlan>> {
        let mut columns: Vec<Expr> = Vec::new();
        let names = NamePreserver::new_for_projection();
        let mut take = |exprs: &[Expr]| {
            let taken = exprs.iter().map(|expr| {
                let name = names.save(expr);
                let taken = expr.clone().transform_down(|expr| {
                    if !is_subquery(&expr) {
                        return Ok(Transformed::no(expr));
                    }
                    let column = self.name(OUTER);
                    columns.push(expr.alias(&column));
                    let expr = Expr::Column(Column::new_unqualified(column));
                    Ok(Transformed::new(expr, true, TreeNodeRecursion::Jump))
                })?;
                Ok(name.restore(taken.data))
            });
            taken.collect::<EngineResult<Vec<_>>>()
        };
        let groups = take(&aggregate.group_expr)?;
        let values = take(&aggregate.aggr_expr)?;
        let kept = aggregate.input.schema().columns().into_iter();
        let rows: Vec<Expr> = kept.map(Expr::Column).chain(columns).collect();
        let rows = LogicalPlanBuilder::from(aggregate.input.as_ref().clone())
            .project(rows)?
            .build()?;
        let rows = self.node(rows)?.data;
        let made = Aggregate::try_new(Arc::new(rows), groups, values)?;
        Ok(Transformed::yes(LogicalPlan::Aggregate(made)))
    }

    /// Sub-queries in the condition of a join.
    fn condition(&self, mut join: Join) -> EngineResult<Transformed<LogicalPlan>> {
        let Some(filter) = join.filter.take() else {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        };
        if join.join_type == JoinType::Inner {
            let filter = Filter::try_new(filter, Arc::new(LogicalPlan::Join(join)))?;
            return self.filter(filter);
        }
        // Beside the side that the join does not keep alone, if it names columns of no other.
        let (left, right) = (join.left.as_ref().clone(), join.right.as_ref().clone());
        let lefts = join.left.schema().fields().len();
        let rights = join.right.schema().fields().len();
        let total = join.schema.fields().len();
        let mut beside = Beside::new(self, right, false);
        match beside.replaced(filter.clone()) {
            Ok(filter) => {
                join.filter = Some(filter);
                join.right = Arc::new(beside.finish());
            }
            Err(_) => {
                let mut beside = Beside::new(self, left, false);
                join.filter = Some(beside.replaced(filter)?);
                join.left = Arc::new(beside.finish());
            }
        }
        let given = join.left.schema().fields().len();
        let made = LogicalPlan::Join(join).recompute_schema()?;
        if total != lefts + rights {
            return Ok(Transformed::yes(made));
        }
        let order = (0..lefts).chain(given..given + rights);
        Ok(Transformed::yes(arranged(made, order)?))
    }

    /// A join whose right side looks at the rows of its left.
    fn lateral(&self, join: Join) -> EngineResult<Transformed<LogicalPlan>> {
        let columns = columns_of(&join.right, join.left.schema())?;
        if columns.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let (left, right) = (join.left.as_ref(), join.right.as_ref());
        let equal = join.on.iter().map(|(l, r)| l.clone().eq(r.clone()));
        let condition = conjunction(equal.chain(join.filter.clone()));
        let (lefts, rights) = (left.schema().fields().len(), right.schema().fields().len());
        let asks = |plan: &LogicalPlan| {
            let asked = outer_columns(plan).unwrap_or_default();
            asked.iter().any(|column| columns.contains(column))
        };
        let inner = join.join_type == JoinType::Inner;
        let kept = match condition.as_ref().is_none_or(is_true) {
            true => keeping_rows(right)?,
            false => None,
        };
        if inner && treats_rows_alone(right, &asks) {
            return self.rows_alone(left, right, condition);
        }
        if join.join_type == JoinType::Left
            && let Some(right) = &kept
            && treats_rows_alone(right, &asks)
        {
            return self.rows_alone(left, right, None);
        }
        let domain = Domain::distinct(self, left, columns.clone())?;
        let right = domain.apply(right)?;
        let keys = domain.keys(&right);
        let on = columns.into_iter().map(Expr::Column).zip(keys).collect();
        let made = match join.join_type {
            JoinType::Inner => {
                let made = joined(left.clone(), right, on, None, JoinType::Inner)?;
                match condition {
                    Some(condition) => {
                        LogicalPlan::Filter(Filter::try_new(condition, Arc::new(made))?)
                    }
                    None => made,
                }
            }
            JoinType::Left => joined(left.clone(), right, on, condition, JoinType::Left)?,
            other => return Err(domain::unsupported(&format!("LATERAL in a {other} join"))),
        };
        Ok(Transformed::yes(arranged(made, 0..lefts + rights)?))
    }

    /// A right side that makes its rows of each left row alone, made of the left rows themselves.
    fn rows_alone(
        &self,
        left: &LogicalPlan,
        right: &LogicalPlan,
        condition: Option<Expr>,
    ) -> EngineResult<Transformed<LogicalPlan>> {
        let domain = Domain::rows(self, left)?;
        let made = domain.apply(right)?;
        let rights = right.schema().columns().into_iter().map(Expr::Column);
        let lefts = left.schema().iter().zip(domain.keys(&made));
        let columns = lefts
            .map(|((qualifier, field), key)| key.alias_qualified(qualifier.cloned(), field.name()))
            .chain(rights);
        let columns: Vec<Expr> = columns.collect();
        let made = LogicalPlanBuilder::from(made).project(columns)?;
        let made = match condition {
            Some(condition) => made.filter(condition)?,
            None => made,
        };
        Ok(Transformed::yes(made.build()?))
    }
}

fn is_true(expr: &Expr) -> bool {
    use datafusion::common::ScalarValue;
    matches!(expr, Expr::Literal(ScalarValue::Boolean(Some(true)), _))
}

/// A plan of nothing but the rows of a set, such that an outer row without elements stays, with NULL.
fn keeping_rows(plan: &LogicalPlan) -> EngineResult<Option<LogicalPlan>> {
    Ok(match plan {
        LogicalPlan::SubqueryAlias(alias) => match keeping_rows(&alias.input)? {
            Some(input) => {
                let made = LogicalPlanBuilder::from(input).alias(alias.alias.clone())?;
                Some(made.build()?)
            }
            None => None,
        },
        LogicalPlan::Subquery(subquery) => keeping_rows(&subquery.subquery)?,
        LogicalPlan::Projection(projection) => {
            // A value that is not NULL for a row of NULLs would show that there was none.
            let strict = |expr: &Expr| match expr.clone().unalias() {
                Expr::Column(_) => true,
                Expr::ScalarFunction(call) if call.name() == "get_field" => {
                    matches!(call.args.as_slice(), [Expr::Column(_), Expr::Literal(..)])
                }
                _ => false,
            };
            match keeping_rows(&projection.input)? {
                Some(input) if projection.expr.iter().all(strict) => {
                    let columns = projection.expr.clone();
                    Some(LogicalPlanBuilder::from(input).project(columns)?.build()?)
                }
                _ => None,
            }
        }
        LogicalPlan::Extension(extension) if is_set_rows(extension.node.as_ref()) => {
            let over_nothing = extension
                .node
                .inputs()
                .iter()
                .all(|input| matches!(input, LogicalPlan::EmptyRelation(_)));
            match keeping_empty(extension.node.as_ref()) {
                Some(node) if over_nothing => Some(LogicalPlan::Extension(Extension {
                    node: Arc::new(node),
                })),
                _ => None,
            }
        }
        _ => None,
    })
}

/// A sub-query around another plan.
fn with_plan(subquery: Subquery, plan: LogicalPlan) -> Subquery {
    Subquery {
        outer_ref_columns: plan.all_out_ref_exprs(),
        subquery: Arc::new(plan),
        ..subquery
    }
}

/// The first row of a plan, if it has any.
fn first_row(plan: LogicalPlan) -> LogicalPlan {
    use datafusion::logical_expr::lit;
    LogicalPlan::Limit(Limit {
        skip: None,
        fetch: Some(Box::new(lit(1_i64))),
        input: Arc::new(plan),
    })
}
