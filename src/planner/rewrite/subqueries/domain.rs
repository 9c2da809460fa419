//! A correlated plan over all outer rows at once.
//!
//! The plan is computed for every distinct combination of the outer values that it looks at, its *domain*,
//! and gives these values beside its own columns, so that it can be joined to the outer rows. The domain is
//! carried down to where the values are asked for. After Neumann and Kemper, "Unnesting Arbitrary Queries"
//! (BTW 2015).
//!
//! What is made of a node has the node's own columns, then those of the domain.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, NullEquality, Result as EngineResult, ScalarValue};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::{AggregateFunction, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{
    Aggregate, Distinct, DistinctOn, EmptyRelation, Extension, Filter, Join, Limit, Projection,
    Sort, Union, Values, Window,
};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, JoinConstraint, LogicalPlan, LogicalPlanBuilder, SortExpr, cast, lit,
};

use super::{Flattener, OUTER, outer_columns};
use crate::error::Error;
use crate::planner::row_ids::{FILE_COLUMN, ROW_COLUMN};
use crate::planner::source::TableRef;

/// The outer values that a plan looks at.
pub(super) struct Domain<'a> {
    flattener: &'a Flattener,
    /// Rows of the values, under names of their own.
    values: LogicalPlan,
    /// The outer columns that the values are of.
    columns: Vec<Column>,
}

impl<'a> Domain<'a> {
    /// The distinct values of some columns of the outer rows.
    pub(super) fn distinct(
        flattener: &'a Flattener,
        outer: &LogicalPlan,
        columns: Vec<Column>,
    ) -> EngineResult<Self> {
        if is_volatile(outer)? {
            return Err(unsupported(
                "a correlated sub-query over rows of volatile functions",
            ));
        }
        let values = LogicalPlanBuilder::from(without_row_ids(outer.clone())?)
            .project(flattener.renamed(&columns))?
            .distinct()?
            .build()?;
        Ok(Self {
            flattener,
            values,
            columns,
        })
    }

    /// The outer rows themselves, all their columns, for a plan that treats each of them alone.
    pub(super) fn rows(flattener: &'a Flattener, outer: &LogicalPlan) -> EngineResult<Self> {
        let columns = outer.schema().columns();
        let values = LogicalPlanBuilder::from(outer.clone())
            .project(flattener.renamed(&columns))?
            .build()?;
        Ok(Self {
            flattener,
            values,
            columns,
        })
    }

    fn width(&self) -> usize {
        self.columns.len()
    }

    /// The values once more, under a qualifier of their own.
    fn instance(&self) -> EngineResult<LogicalPlan> {
        let name = self.flattener.name(OUTER);
        LogicalPlanBuilder::from(self.values.clone())
            .alias(name)?
            .build()
    }

    /// The columns of the domain in a plan made by [`Self::apply`].
    pub(super) fn keys(&self, plan: &LogicalPlan) -> Vec<Expr> {
        let columns = plan.schema().columns();
        let own = columns.len() - self.width();
        columns.into_iter().skip(own).map(Expr::Column).collect()
    }

    fn asks(&self, plan: &LogicalPlan) -> EngineResult<bool> {
        let asked = outer_columns(plan)?;
        Ok(asked.iter().any(|column| self.columns.contains(column)))
    }

    /// An expression over a plan made by [`Self::apply`].
    fn inner(&self, expr: Expr, keys: &[Expr]) -> EngineResult<Expr> {
        let inner = expr.transform_up(|expr| {
            let Expr::OuterReferenceColumn(_, column) = &expr else {
                return Ok(Transformed::no(expr));
            };
            let place = self.columns.iter().position(|c| c == column);
            Ok(match place.and_then(|place| keys.get(place)) {
                Some(key) => Transformed::yes(key.clone()),
                None => Transformed::no(expr),
            })
        })?;
        Ok(inner.data)
    }

    /// Expressions with their names, over a plan made by [`Self::apply`].
    fn named(&self, exprs: &[Expr], keys: &[Expr]) -> EngineResult<Vec<Expr>> {
        let names = NamePreserver::new_for_projection();
        exprs
            .iter()
            .map(|expr| Ok(names.save(expr).restore(self.inner(expr.clone(), keys)?)))
            .collect()
    }

    fn sorts(&self, sorts: &[SortExpr], keys: &[Expr]) -> EngineResult<Vec<SortExpr>> {
        sorts
            .iter()
            .map(|sort| Ok(sort.with_expr(self.inner(sort.expr.clone(), keys)?)))
            .collect()
    }

    /// The plan for every value of the domain.
    ///
    /// # Errors
    /// A node through which the domain cannot be carried.
    pub(super) fn apply(&self, plan: &LogicalPlan) -> EngineResult<LogicalPlan> {
        stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, || self.apply_on_stack(plan))
    }

    fn apply_on_stack(&self, plan: &LogicalPlan) -> EngineResult<LogicalPlan> {
        if let LogicalPlan::EmptyRelation(empty) = plan
            && is_one_row(empty)
        {
            return self.instance();
        }
        if !self.asks(plan)? {
            return LogicalPlanBuilder::from(plan.clone())
                .cross_join(self.instance()?)?
                .build();
        }
        match plan {
            LogicalPlan::Filter(filter) => {
                let input = self.apply(&filter.input)?;
                let predicate = self.inner(filter.predicate.clone(), &self.keys(&input))?;
                Ok(LogicalPlan::Filter(Filter::try_new(
                    predicate,
                    Arc::new(input),
                )?))
            }
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::SubqueryAlias(alias) => {
                let input = self.apply(&alias.input)?;
                LogicalPlanBuilder::from(input)
                    .alias(alias.alias.clone())?
                    .build()
            }
            LogicalPlan::Subquery(subquery) => self.apply(&subquery.subquery),
            LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => {
                self.aggregate_of_all(aggregate)
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate_of_groups(aggregate),
            LogicalPlan::Window(window) => self.window(window),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                let input = self.apply(&sort.input)?;
                let expr = self.sorts(&sort.expr, &self.keys(&input))?;
                Ok(LogicalPlan::Sort(Sort {
                    expr,
                    input: Arc::new(input),
                    fetch: None,
                }))
            }
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let input = self.apply(input)?;
                LogicalPlanBuilder::from(input).distinct()?.build()
            }
            LogicalPlan::Distinct(Distinct::On(on)) => self.distinct_on(on),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Values(values) => self.values(values),
            LogicalPlan::Extension(extension)
                if tessera_udfs::pg::sets::is_set_rows(extension.node.as_ref()) =>
            {
                self.sets(extension)
            }
            other => {
                let text = other.display().to_string();
                let node = text.split([':', ' ']).next().unwrap_or_default();
                Err(unsupported(&format!(
                    "a reference to an outer query below {node} in a sub-query"
                )))
            }
        }
    }

    fn projection(&self, projection: &Projection) -> EngineResult<LogicalPlan> {
        let input = self.apply(&projection.input)?;
        let keys = self.keys(&input);
        let mut exprs = self.named(&projection.expr, &keys)?;
        exprs.extend(keys);
        Ok(LogicalPlan::Projection(Projection::try_new(
            exprs,
            Arc::new(input),
        )?))
    }

    fn aggregate_of_groups(&self, aggregate: &Aggregate) -> EngineResult<LogicalPlan> {
        if matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]) {
            return Err(unsupported(
                "a reference to an outer query below GROUPING SETS",
            ));
        }
        let input = self.apply(&aggregate.input)?;
        let keys = self.keys(&input);
        let mut groups = self.named(&aggregate.group_expr, &keys)?;
        let own = groups.len();
        let values = self.named(&aggregate.aggr_expr, &keys)?;
        let count = values.len();
        groups.extend(keys);
        let made = Aggregate::try_new(Arc::new(input), groups, values)?;
        let order = (0..own).chain(own + self.width()..own + self.width() + count);
        arranged(
            LogicalPlan::Aggregate(made),
            order.chain(own..own + self.width()),
        )
    }

    /// An aggregate that gives a row even if there are none below.
    fn aggregate_of_all(&self, aggregate: &Aggregate) -> EngineResult<LogicalPlan> {
        let input = self.apply(&aggregate.input)?;
        let (domain, present) = (self.instance()?, self.flattener.name(OUTER));
        let keys: Vec<Expr> = domain
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let mut columns: Vec<Expr> = input
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        columns.push(lit(true).alias(&present));
        let below = self.keys(&input);
        let marked = LogicalPlanBuilder::from(input).project(columns)?.build()?;
        let joined = joined(
            domain,
            marked,
            keys.iter().cloned().zip(below).collect(),
            None,
            JoinType::Left,
        )?;
        let present = Expr::Column(Column::new_unqualified(present)).is_not_null();
        let names = NamePreserver::new_for_projection();
        let values = aggregate.aggr_expr.iter().map(|expr| {
            let name = names.save(expr);
            let filtered = expr
                .clone()
                .transform_down(|expr| only_where(expr, &present))?;
            Ok(name.restore(self.inner(filtered.data, &keys)?))
        });
        let values = values.collect::<EngineResult<Vec<_>>>()?;
        let count = values.len();
        let made = Aggregate::try_new(Arc::new(joined), keys, values)?;
        let order = (self.width()..self.width() + count).chain(0..self.width());
        arranged(LogicalPlan::Aggregate(made), order)
    }

    fn window(&self, window: &Window) -> EngineResult<LogicalPlan> {
        let own = window.input.schema().fields().len();
        let input = self.apply(&window.input)?;
        let keys = self.keys(&input);
        let names = NamePreserver::new_for_projection();
        let exprs = window.window_expr.iter().map(|expr| {
            let name = names.save(expr);
            let divided = expr.clone().transform_down(|expr| {
                Ok(match expr {
                    Expr::WindowFunction(mut function) => {
                        let WindowFunction { params, .. } = function.as_mut();
                        params.partition_by.extend(keys.iter().cloned());
                        let expr = Expr::WindowFunction(function);
                        Transformed::new(expr, true, TreeNodeRecursion::Jump)
                    }
                    other => Transformed::no(other),
                })
            })?;
            Ok(name.restore(self.inner(divided.data, &keys)?))
        });
        let exprs = exprs.collect::<EngineResult<Vec<_>>>()?;
        let count = exprs.len();
        let made = Window::try_new(exprs, Arc::new(input))?;
        let width = self.width();
        let order = (0..own).chain(own + width..own + width + count);
        arranged(LogicalPlan::Window(made), order.chain(own..own + width))
    }

    /// The first rows of each value of the domain, by their numbers.
    fn limit(&self, limit: &Limit) -> EngineResult<LogicalPlan> {
        let below = |input: &Arc<LogicalPlan>| {
            LogicalPlan::Limit(Limit {
                skip: limit.skip.clone(),
                fetch: limit.fetch.clone(),
                input: Arc::clone(input),
            })
        };
        // What is made of each row can be made of the chosen ones.
        if let LogicalPlan::Projection(projection) = limit.input.as_ref() {
            let input = below(&projection.input);
            let above = Projection::try_new(projection.expr.clone(), Arc::new(input))?;
            return self.projection(&above);
        }
        let (source, sorts) = match limit.input.as_ref() {
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => (&sort.input, sort.expr.as_slice()),
            _ => (&limit.input, [].as_slice()),
        };
        let own = source.schema().fields().len();
        let input = self.apply(source)?;
        let keys = self.keys(&input);
        let number = row_number().partition_by(keys.clone());
        let number = match sorts {
            [] => number.build()?,
            sorts => number.order_by(self.sorts(sorts, &keys)?).build()?,
        };
        let name = self.flattener.name(OUTER);
        let made = LogicalPlanBuilder::from(input)
            .window([number.alias(&name)])?
            .build()?;
        let number = cast(Expr::Column(Column::new_unqualified(name)), DataType::Int64);
        let bound = |expr: &Option<Box<Expr>>| -> EngineResult<Option<Expr>> {
            match expr {
                Some(expr) => {
                    let expr = self.inner(expr.as_ref().clone(), &keys)?;
                    Ok(Some(cast(expr, DataType::Int64)))
                }
                None => Ok(None),
            }
        };
        let (skip, fetch) = (bound(&limit.skip)?, bound(&limit.fetch)?);
        let zero = lit(0_i64);
        let first = skip.unwrap_or_else(|| zero.clone());
        let mut condition = number.clone().gt(first.clone());
        if let Some(fetch) = fetch {
            // LIMIT NULL is none.
            let within = number.lt_eq(first + fetch.clone());
            condition = condition.and(fetch.is_null().or(within));
        }
        let chosen = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(made))?);
        arranged(chosen, 0..own + self.width())
    }

    fn distinct_on(&self, on: &DistinctOn) -> EngineResult<LogicalPlan> {
        let input = self.apply(&on.input)?;
        let keys = self.keys(&input);
        let mut firsts = keys.clone();
        firsts.extend(self.named(&on.on_expr, &keys)?);
        let mut select = self.named(&on.select_expr, &keys)?;
        select.extend(keys.iter().cloned());
        let sorts = match &on.sort_expr {
            Some(sorts) => {
                let mut all: Vec<SortExpr> = keys
                    .iter()
                    .map(|key| key.clone().sort(true, false))
                    .collect();
                all.extend(self.sorts(sorts, &keys)?);
                Some(all)
            }
            None => None,
        };
        let made = DistinctOn::try_new(firsts, select, sorts, Arc::new(input))?;
        Ok(LogicalPlan::Distinct(Distinct::On(made)))
    }

    fn union(&self, union: &Union) -> EngineResult<LogicalPlan> {
        let own = union.schema.fields().len();
        let keys: Vec<String> = (0..self.width())
            .map(|_| self.flattener.name(OUTER))
            .collect();
        let names: Vec<String> = (0..own).map(|_| self.flattener.name(OUTER)).collect();
        let inputs = union.inputs.iter().map(|input| {
            let columns = self.apply(input)?;
            let names = names.iter().chain(&keys);
            let renamed = columns.schema().columns().into_iter().zip(names);
            let renamed: Vec<Expr> = renamed
                .map(|(column, name)| Expr::Column(column).alias(name))
                .collect();
            let plan = LogicalPlanBuilder::from(columns)
                .project(renamed)?
                .build()?;
            Ok(Arc::new(plan))
        });
        let inputs = inputs.collect::<EngineResult<Vec<_>>>()?;
        let made = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
        let shown = union
            .schema
            .iter()
            .zip(&names)
            .map(|((qualifier, field), name)| {
                Expr::Column(Column::new_unqualified(name))
                    .alias_qualified(qualifier.cloned(), field.name())
            });
        let mut shown: Vec<Expr> = shown.collect();
        shown.extend(
            keys.iter()
                .map(|key| Expr::Column(Column::new_unqualified(key))),
        );
        LogicalPlanBuilder::from(made).project(shown)?.build()
    }

    /// Rows that are written out, each over the whole domain.
    fn values(&self, values: &Values) -> EngineResult<LogicalPlan> {
        let rows = values.values.iter().map(|row| {
            let fields = values
                .schema
                .iter()
                .zip(row)
                .map(|((qualifier, field), expr)| {
                    expr.clone()
                        .alias_qualified(qualifier.cloned(), field.name())
                });
            LogicalPlanBuilder::empty(true)
                .project(fields.collect::<Vec<_>>())?
                .build()
        });
        let mut rows = rows.collect::<EngineResult<Vec<_>>>()?;
        if rows.len() == 1
            && let Some(row) = rows.pop()
        {
            return self.apply(&row);
        }
        let rows = rows.into_iter().map(Arc::new).collect();
        self.union(&Union::try_new_with_loose_types(rows)?)
    }

    fn sets(&self, extension: &Extension) -> EngineResult<LogicalPlan> {
        let [input] = extension.node.inputs()[..] else {
            return Err(unsupported("a set-returning function without input"));
        };
        let before = input.schema().fields().len();
        let own = extension.node.schema().fields().len();
        let input = self.apply(input)?;
        let keys = self.keys(&input);
        let exprs = extension.node.expressions().into_iter();
        let exprs = exprs.map(|expr| self.inner(expr, &keys));
        let node = extension
            .node
            .with_exprs_and_inputs(exprs.collect::<EngineResult<_>>()?, vec![input])?;
        let width = self.width();
        let order = (0..before).chain(before + width..own + width);
        arranged(
            LogicalPlan::Extension(Extension { node }),
            order.chain(before..before + width),
        )
    }

    fn join(&self, join: &Join) -> EngineResult<LogicalPlan> {
        use JoinType as T;
        let (on_left, on_right) = (self.asks(&join.left)?, self.asks(&join.right)?);
        let keeps_left = matches!(
            join.join_type,
            T::Left | T::LeftSemi | T::LeftAnti | T::LeftMark
        );
        let keeps_right = matches!(join.join_type, T::Right);
        let inner = join.join_type == T::Inner;
        if !(inner || keeps_left || keeps_right) {
            return Err(unsupported(&format!(
                "a reference to an outer query below a {} join",
                join.join_type
            )));
        }
        // Rows that a join keeps alone must have the domain's values.
        let to_left = on_left || keeps_left || (inner && !on_right);
        let to_right = on_right || keeps_right;
        let left = if to_left {
            self.apply(&join.left)?
        } else {
            join.left.as_ref().clone()
        };
        let right = if to_right {
            self.apply(&join.right)?
        } else {
            join.right.as_ref().clone()
        };
        let keys = if to_left && !keeps_right {
            self.keys(&left)
        } else {
            self.keys(&right)
        };
        let mut on = Vec::with_capacity(join.on.len());
        for (l, r) in &join.on {
            on.push((self.inner(l.clone(), &keys)?, self.inner(r.clone(), &keys)?));
        }
        let mut filter = match &join.filter {
            Some(filter) => Some(self.inner(filter.clone(), &keys)?),
            None => None,
        };
        let mut null_equality = join.null_equality;
        if to_left && to_right {
            let pairs = self.keys(&left).into_iter().zip(self.keys(&right));
            if on.is_empty() || null_equality == NullEquality::NullEqualsNull {
                on.extend(pairs);
                null_equality = NullEquality::NullEqualsNull;
            } else {
                let same = pairs.map(|(l, r)| is_not_distinct(l, r));
                filter = same.chain(filter).reduce(Expr::and);
            }
        }
        let (of_left, of_right) = (
            join.left.schema().fields().len(),
            join.right.schema().fields().len(),
        );
        let given_left = left.schema().fields().len();
        let made = Join::try_new(
            Arc::new(left),
            Arc::new(right),
            on,
            filter,
            join.join_type,
            JoinConstraint::On,
            null_equality,
            join.null_aware,
        )?;
        let made = LogicalPlan::Join(made);
        let width = self.width();
        let total = made.schema().fields().len();
        let from_left = to_left && !keeps_right;
        let domain = if from_left {
            of_left..of_left + width
        } else {
            given_left + of_right..given_left + of_right + width
        };
        let own: Vec<usize> = match join.join_type {
            T::LeftSemi | T::LeftAnti => (0..of_left).collect(),
            T::LeftMark => (0..of_left).chain(total - 1..total).collect(),
            _ => (0..of_left)
                .chain(given_left..given_left + of_right)
                .collect(),
        };
        arranged(made, own.into_iter().chain(domain))
    }
}

/// The rows without the places by which a statement changes them: only one scan may name these.
fn without_row_ids(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    let plain = plan.transform_up(|node| match node {
        LogicalPlan::TableScan(scan) => {
            let table = scan.source.downcast_ref::<TableRef>();
            match table.filter(|table| table.row_ids) {
                Some(table) => {
                    let source = Arc::new(table.without_row_ids());
                    let name = scan.table_name.clone();
                    let made = LogicalPlanBuilder::scan(name, source, None)?.build()?;
                    Ok(Transformed::yes(made))
                }
                None => Ok(Transformed::no(LogicalPlan::TableScan(scan))),
            }
        }
        LogicalPlan::Projection(projection) => {
            let is_place = |expr: &Expr| {
                matches!(expr, Expr::Column(c) if c.name == FILE_COLUMN || c.name == ROW_COLUMN)
            };
            let kept = projection.expr.iter().filter(|expr| !is_place(expr));
            let made = Projection::try_new(kept.cloned().collect(), projection.input)?;
            Ok(Transformed::yes(LogicalPlan::Projection(made)))
        }
        other => Ok(Transformed::yes(other.recompute_schema()?)),
    })?;
    Ok(plain.data)
}

/// Whether rows that a plan gives for one outer row depend on no other outer row, so that the outer rows
/// themselves can be its domain.
pub(super) fn treats_rows_alone(plan: &LogicalPlan, asks: &dyn Fn(&LogicalPlan) -> bool) -> bool {
    if !asks(plan) {
        return true;
    }
    match plan {
        LogicalPlan::Filter(filter) => treats_rows_alone(&filter.input, asks),
        LogicalPlan::Projection(projection) => treats_rows_alone(&projection.input, asks),
        LogicalPlan::SubqueryAlias(alias) => treats_rows_alone(&alias.input, asks),
        LogicalPlan::Subquery(subquery) => treats_rows_alone(&subquery.subquery, asks),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => treats_rows_alone(&sort.input, asks),
        LogicalPlan::Values(values) => values.values.len() == 1,
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            !(asks(&join.left) && asks(&join.right))
                && treats_rows_alone(&join.left, asks)
                && treats_rows_alone(&join.right, asks)
        }
        LogicalPlan::Extension(extension) => {
            tessera_udfs::pg::sets::is_set_rows(extension.node.as_ref())
                && extension
                    .node
                    .inputs()
                    .iter()
                    .all(|input| treats_rows_alone(input, asks))
        }
        _ => false,
    }
}

/// A join in which NULL is equal to NULL.
pub(super) fn joined(
    left: LogicalPlan,
    right: LogicalPlan,
    on: Vec<(Expr, Expr)>,
    filter: Option<Expr>,
    join_type: JoinType,
) -> EngineResult<LogicalPlan> {
    let null_equality = if on.is_empty() {
        NullEquality::NullEqualsNothing
    } else {
        NullEquality::NullEqualsNull
    };
    Ok(LogicalPlan::Join(Join::try_new(
        Arc::new(left),
        Arc::new(right),
        on,
        filter,
        join_type,
        JoinConstraint::On,
        null_equality,
        false,
    )?))
}

/// A plan's columns in another order.
pub(in crate::planner::rewrite) fn arranged(
    plan: LogicalPlan,
    order: impl Iterator<Item = usize>,
) -> EngineResult<LogicalPlan> {
    let columns: Vec<Expr> = order
        .map(|place| Expr::Column(Column::from(plan.schema().qualified_field(place))))
        .collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

fn is_not_distinct(left: Expr, right: Expr) -> Expr {
    use datafusion::logical_expr::{BinaryExpr, Operator};
    Expr::BinaryExpr(BinaryExpr::new(
        Box::new(left),
        Operator::IsNotDistinctFrom,
        Box::new(right),
    ))
}

/// An aggregate of those rows alone for which a condition holds.
fn only_where(expr: Expr, condition: &Expr) -> EngineResult<Transformed<Expr>> {
    let Expr::AggregateFunction(AggregateFunction { func, mut params }) = expr else {
        return Ok(Transformed::no(expr));
    };
    params.filter = Some(Box::new(match params.filter.take() {
        Some(filter) => condition.clone().and(*filter),
        None => condition.clone(),
    }));
    let expr = Expr::AggregateFunction(AggregateFunction { func, params });
    Ok(Transformed::new(expr, true, TreeNodeRecursion::Jump))
}

fn is_one_row(empty: &EmptyRelation) -> bool {
    empty.produce_one_row && empty.schema.fields().is_empty()
}

/// Whether rows of a plan are others each time that they are asked for.
fn is_volatile(plan: &LogicalPlan) -> EngineResult<bool> {
    plan.exists(|node| {
        let mut volatile = false;
        node.apply_expressions(|expr| {
            volatile |= expr.is_volatile();
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(volatile)
    })
}

pub(super) fn unsupported(what: &str) -> datafusion::error::DataFusionError {
    Error::Unsupported(what.to_owned()).into()
}

/// A value that is NULL, of the type that conditions have.
pub(super) fn unknown() -> Expr {
    lit(ScalarValue::Boolean(None))
}
