//! Values of sub-queries as columns beside the rows that ask for them.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, JoinType, Result as EngineResult};
use datafusion::functions_aggregate::expr_fn::{bool_or, count, max, min};
use datafusion::logical_expr::expr::{
    AggregateFunction, Exists, InSubquery, SetComparison, SetQuantifier,
};
use datafusion::logical_expr::logical_plan::Filter;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit, when,
};

use tessera_udfs::pg::fields_of_record;

use super::super::single_value::single_value;
use super::domain::{Domain, arranged, joined, unknown, unsupported};
use super::engine::{as_membership, is_row, joins_scalar};
use super::{Flattener, OUTER, columns_of, first_row, outer_columns, with_plan};

/// Rows with columns for the sub-queries of the expressions over them.
pub(super) struct Beside<'a> {
    flattener: &'a Flattener,
    /// The rows alone.
    input: LogicalPlan,
    /// The rows with the columns added so far, behind their own.
    plan: LogicalPlan,
    /// Whether the engine joins simple scalar sub-queries in expressions of this node.
    engine_joins: bool,
}

/// A sub-query's plan for all outer rows, and the outer columns by which its rows belong to theirs.
struct Applied {
    plan: LogicalPlan,
    columns: Vec<Column>,
    keys: Vec<Expr>,
}

impl<'a> Beside<'a> {
    pub(super) fn new(flattener: &'a Flattener, input: LogicalPlan, engine_joins: bool) -> Self {
        Self {
            flattener,
            plan: input.clone(),
            input,
            engine_joins,
        }
    }

    /// The rows with all columns.
    pub(super) fn finish(self) -> LogicalPlan {
        self.plan
    }

    /// An expression with columns in place of its sub-queries, but for those that the engine takes.
    pub(super) fn replaced(&mut self, expr: Expr) -> EngineResult<Expr> {
        let replaced = expr.transform_up(|expr| {
            Ok(match expr {
                Expr::ScalarSubquery(scalar) => Transformed::yes(self.scalar(scalar)?),
                Expr::Exists(exists) => {
                    let found = self.exists(exists.subquery)?;
                    Transformed::yes(if exists.negated { !found } else { found })
                }
                Expr::InSubquery(inside) => Transformed::yes(self.membership(inside)?),
                Expr::SetComparison(set) => Transformed::yes(match as_membership(set) {
                    Expr::InSubquery(inside) => self.membership(inside)?,
                    Expr::SetComparison(set) => self.comparison(set)?,
                    other => other,
                }),
                other => Transformed::no(other),
            })
        })?;
        Ok(replaced.data)
    }

    fn applied(&self, plan: LogicalPlan) -> EngineResult<Applied> {
        let columns = columns_of(&plan, self.input.schema())?;
        if columns.is_empty() {
            return Ok(Applied {
                plan,
                columns,
                keys: Vec::new(),
            });
        }
        let domain = Domain::distinct(self.flattener, &self.input, columns.clone())?;
        let plan = domain.apply(&plan)?;
        let keys = domain.keys(&plan);
        Ok(Applied {
            plan,
            columns,
            keys,
        })
    }

    /// Adds the columns of a plan that has at most one row for each outer row, exactly one if it does not
    /// look at them. `on` says what else must be equal.
    fn add(
        &mut self,
        right: LogicalPlan,
        columns: &[Column],
        keys: Vec<Expr>,
        on: Option<(Expr, Expr)>,
    ) -> EngineResult<()> {
        let before = self.plan.schema().fields().len();
        let left = self.plan.clone();
        let single = columns.is_empty() && on.is_none();
        let keys = columns.iter().cloned().map(Expr::Column).zip(keys);
        let on: Vec<(Expr, Expr)> = keys.chain(on).collect();
        self.plan = if single {
            // The side that is kept in memory is the one row.
            let added = right.schema().fields().len();
            let made = joined(right, left, on, None, JoinType::Inner)?;
            arranged(made, (added..added + before).chain(0..added))?
        } else {
            joined(left, right, on, None, JoinType::Left)?
        };
        Ok(())
    }

    /// Aggregates for each outer row, added as columns of these names.
    fn add_aggregates(&mut self, applied: &Applied, values: Vec<Expr>) -> EngineResult<Vec<Expr>> {
        let names: Vec<String> = values.iter().map(|_| self.flattener.name(OUTER)).collect();
        let values = values
            .into_iter()
            .zip(&names)
            .map(|(value, name)| value.alias(name));
        let made = LogicalPlanBuilder::from(applied.plan.clone())
            .aggregate(applied.keys.clone(), values.collect::<Vec<_>>())?
            .build()?;
        self.add(made, &applied.columns, applied.keys.clone(), None)?;
        let column = |name| Expr::Column(Column::new_unqualified(name));
        Ok(names.into_iter().map(column).collect())
    }

    fn scalar(&mut self, subquery: Subquery) -> EngineResult<Expr> {
        let plan = subquery.subquery.as_ref().clone();
        if outer_columns(&plan)?.is_empty() {
            return Ok(Expr::ScalarSubquery(with_plan(subquery, plan)));
        }
        let single = plan.max_rows() == Some(1);
        if self.engine_joins {
            let plan = match single {
                true => plan.clone(),
                false => aggregated(plan.clone())?,
            };
            if joins_scalar(&plan, self.input.schema())? {
                return Ok(Expr::ScalarSubquery(with_plan(subquery, plan)));
            }
        }
        let applied = self.applied(plan)?;
        let value = Expr::Column(applied.plan.schema().columns().swap_remove(0));
        if !single || applied.columns.is_empty() {
            let mut values = self.add_aggregates(&applied, vec![only(value)])?;
            return Ok(values.swap_remove(0));
        }
        let name = self.flattener.name(OUTER);
        let keys: Vec<String> = applied
            .keys
            .iter()
            .map(|_| self.flattener.name(OUTER))
            .collect();
        let mut outputs = vec![value.alias(&name)];
        let renamed = applied.keys.into_iter().zip(&keys);
        outputs.extend(renamed.map(|(key, name)| key.alias(name)));
        let made = LogicalPlanBuilder::from(applied.plan)
            .project(outputs)?
            .build()?;
        let keys = keys
            .into_iter()
            .map(|key| Expr::Column(Column::new_unqualified(key)));
        self.add(made, &applied.columns, keys.collect(), None)?;
        Ok(Expr::Column(Column::new_unqualified(name)))
    }

    fn exists(&mut self, subquery: Subquery) -> EngineResult<Expr> {
        let plan = subquery.subquery.as_ref().clone();
        let applied = self.applied(plan)?;
        if applied.columns.is_empty() {
            let first = Applied {
                plan: first_row(applied.plan),
                ..applied
            };
            let mut values = self.add_aggregates(&first, vec![count(lit(1_i64))])?;
            return Ok(values.swap_remove(0).gt(lit(0_i64)));
        }
        let found = self.marked(&applied, None)?;
        Ok(found.is_not_null())
    }

    /// A column that is true for outer rows that have a row in the sub-query, one with this value if there
    /// is one to look for, and NULL for others.
    fn marked(&mut self, applied: &Applied, sought: Option<(Expr, Expr)>) -> EngineResult<Expr> {
        let name = |_: &Expr| self.flattener.name(OUTER);
        let mut source = LogicalPlanBuilder::from(applied.plan.clone());
        let mut outputs = applied.keys.clone();
        if let Some((_, value)) = &sought {
            source = source.filter(value.clone().is_not_null())?;
            outputs.push(value.clone());
        }
        let names: Vec<String> = outputs.iter().map(name).collect();
        let renamed = outputs
            .into_iter()
            .zip(&names)
            .map(|(expr, name)| expr.alias(name));
        let mark = self.flattener.name(OUTER);
        let columns = || {
            names
                .iter()
                .map(|name| Expr::Column(Column::new_unqualified(name)))
        };
        let made = source
            .project(renamed.collect::<Vec<_>>())?
            .distinct()?
            .project(
                columns()
                    .chain([lit(true).alias(&mark)])
                    .collect::<Vec<_>>(),
            )?
            .build()?;
        let keys = columns().take(applied.keys.len()).collect();
        let on = sought.and_then(|(sought, _)| Some((sought, columns().next_back()?)));
        self.add(made, &applied.columns, keys, on)?;
        Ok(Expr::Column(Column::new_unqualified(mark)))
    }

    /// `x [NOT] IN (SELECT …)` in three values.
    fn membership(&mut self, inside: InSubquery) -> EngineResult<Expr> {
        let negated = inside.negated;
        let value = match self.row_membership(&inside)? {
            Some(value) => value,
            None => {
                let sought = inside.expr.as_ref().clone();
                let plan = inside.subquery.subquery.as_ref().clone();
                let applied = self.applied(plan)?;
                let value = Expr::Column(applied.plan.schema().columns().swap_remove(0));
                let sure = !sought.nullable(self.plan.schema())?
                    && !value.nullable(applied.plan.schema())?;
                let found = self.marked(&applied, Some((sought.clone(), value.clone())))?;
                if sure {
                    found.is_not_null()
                } else {
                    let counts = vec![count(lit(1_i64)), count(value)];
                    let counts = self.add_aggregates(&applied, counts)?;
                    let [rows, known] = <[Expr; 2]>::try_from(counts)
                        .map_err(|_| unsupported("counts of a sub-query"))?;
                    when(found.is_not_null(), lit(true))
                        .when(none(&rows), lit(false))
                        .when(sought.is_null().or(known.lt(rows)), unknown())
                        .otherwise(lit(false))?
                }
            }
        };
        Ok(if negated { !value } else { value })
    }

    /// Membership of a row written out: all rows are compared, because each field may be unknown.
    fn row_membership(&mut self, inside: &InSubquery) -> EngineResult<Option<Expr>> {
        let Some((equal, plan)) = compared(inside, self.input.schema())? else {
            return Ok(None);
        };
        let values = vec![
            bool_or(equal.clone()).alias("any"),
            count(lit(1_i64)).alias("rows"),
            count(equal).alias("known"),
        ];
        let none: Vec<Expr> = Vec::new();
        let plan = LogicalPlanBuilder::from(plan)
            .aggregate(none, values)?
            .build()?;
        let applied = self.applied(plan)?;
        let width = 3 + applied.keys.len();
        let names: Vec<String> = (0..width).map(|_| self.flattener.name(OUTER)).collect();
        let renamed = applied.plan.schema().columns().into_iter().zip(&names);
        let renamed: Vec<Expr> = renamed
            .map(|(column, name)| Expr::Column(column).alias(name))
            .collect();
        let made = LogicalPlanBuilder::from(applied.plan)
            .project(renamed)?
            .build()?;
        let columns: Vec<Expr> = names
            .into_iter()
            .map(|name| Expr::Column(Column::new_unqualified(name)))
            .collect();
        self.add(made, &applied.columns, columns[3..].to_vec(), None)?;
        let value = when(columns[0].clone().is_true(), lit(true))
            .when(columns[2].clone().lt(columns[1].clone()), unknown())
            .otherwise(lit(false))?;
        Ok(Some(value))
    }

    /// `x < ANY (SELECT …)` and its like, by the least and the greatest value.
    fn comparison(&mut self, set: SetComparison) -> EngineResult<Expr> {
        if is_row(&set.expr) {
            return Err(unsupported(
                "this comparison of a row with the rows of a sub-query",
            ));
        }
        let plan = set.subquery.subquery.as_ref().clone();
        let applied = self.applied(plan)?;
        let value = Expr::Column(applied.plan.schema().columns().swap_remove(0));
        let values = vec![
            count(lit(1_i64)),
            count(value.clone()),
            min(value.clone()),
            max(value),
        ];
        let values = self.add_aggregates(&applied, values)?;
        let [rows, known, least, greatest] =
            <[Expr; 4]>::try_from(values).map_err(|_| unsupported("bounds of a sub-query"))?;
        let sought = set.expr.as_ref().clone();
        let compare = |with: &Expr, op: Operator| {
            Expr::BinaryExpr(BinaryExpr::new(
                Box::new(sought.clone()),
                op,
                Box::new(with.clone()),
            ))
        };
        let any = set.quantifier == SetQuantifier::Any;
        let decisive = match (set.op, any) {
            (Operator::Lt | Operator::LtEq, true) => compare(&greatest, set.op),
            (Operator::Lt | Operator::LtEq, false) => !compare(&least, set.op),
            (Operator::Gt | Operator::GtEq, true) => compare(&least, set.op),
            (Operator::Gt | Operator::GtEq, false) => !compare(&greatest, set.op),
            (Operator::NotEq, true) | (Operator::Eq, false) => {
                compare(&least, Operator::NotEq).or(compare(&greatest, Operator::NotEq))
            }
            (op, _) => return Err(unsupported(&format!("operator {op} with ANY or ALL"))),
        };
        when(none(&rows), lit(!any))
            .when(sought.clone().is_null(), unknown())
            .when(decisive, lit(any))
            .when(known.lt(rows), unknown())
            .otherwise(lit(!any))
    }
}

/// Whether there are no rows, where the number of none may be missing.
fn none(rows: &Expr) -> Expr {
    rows.clone().is_null().or(rows.clone().eq(lit(0_i64)))
}

/// The value of the only row.
fn only(value: Expr) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(
        single_value(),
        vec![value],
        false,
        None,
        Vec::new(),
        None,
    ))
}

/// A sub-query with its only value as an aggregate.
fn aggregated(plan: LogicalPlan) -> EngineResult<LogicalPlan> {
    // The order of at most one row is none.
    let plan = match plan {
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => sort.input.as_ref().clone(),
        other => other,
    };
    let column = Column::from(plan.schema().qualified_field(0));
    let name = column.name.clone();
    let none: Vec<Expr> = Vec::new();
    LogicalPlanBuilder::from(plan)
        .aggregate(none, vec![only(Expr::Column(column)).alias(name)])?
        .build()
}

/// The condition that a row written out is equal to one of a sub-query, and the sub-query's rows in fields.
fn compared(inside: &InSubquery, around: &DFSchema) -> EngineResult<Option<(Expr, LogicalPlan)>> {
    let Some(row) = fields_of_record(&inside.expr) else {
        return Ok(None);
    };
    let LogicalPlan::Projection(projection) = inside.subquery.subquery.as_ref() else {
        return Ok(None);
    };
    let [item] = projection.expr.as_slice() else {
        return Ok(None);
    };
    let Some(fields) = fields_of_record(&item.clone().unalias()) else {
        return Ok(None);
    };
    if fields.len() != row.len() {
        return Ok(None);
    }
    let pairs = row.iter().zip(&fields).map(|(sought, field)| {
        let outer = sought.clone().transform_up(|expr| {
            let Expr::Column(column) = &expr else {
                return Ok(Transformed::no(expr));
            };
            let field = Arc::clone(around.field_from_column(column)?);
            let column = column.clone();
            Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column)))
        })?;
        Ok(outer.data.eq(field.clone()))
    });
    let pairs = pairs.collect::<EngineResult<Vec<_>>>()?;
    let plan = projection.input.as_ref().clone();
    Ok(conjunction(pairs).map(|equal| (equal, plan)))
}

/// `(a, b) IN (SELECT c, d …)` as EXISTS, which is the same where unknown is as good as false.
pub(super) fn row_pairs(inside: &InSubquery, around: &DFSchema) -> EngineResult<Option<Expr>> {
    let Some((equal, plan)) = compared(inside, around)? else {
        return Ok(None);
    };
    let plan = LogicalPlan::Filter(Filter::try_new(equal, Arc::new(plan))?);
    Ok(Some(Expr::Exists(Exists::new(
        with_plan(inside.subquery.clone(), plan),
        false,
    ))))
}
