//! A large system table whose rows are made when they are read, as far as a join asks for them.
//!
//! Tools join `pg_class` and its like with each other by number. The small side of such a join is read
//! first, and what it holds reaches the other side as a filter: rows of other objects are not even made.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, ScalarValue, Statistics};
use datafusion::datasource::source::DataSource;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CaseExpr, Column, DynamicFilterPhysicalExpr, InListExpr, Literal,
};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayFormatType, Partitioning};

use super::provider::Provider;

/// Columns and the values that a row must have in them to be of use.
pub(super) type Wanted = Vec<(String, Vec<ScalarValue>)>;

/// The rows of one scan, yet to be made.
#[derive(Clone)]
pub(super) struct Lookup {
    provider: Provider,
    projection: Option<Vec<usize>>,
    schema: SchemaRef,
    /// What the query itself compares columns with.
    constants: Wanted,
    /// What joins find out while they run.
    joins: Vec<Arc<dyn PhysicalExpr>>,
    metrics: ExecutionPlanMetricsSet,
}

impl Lookup {
    pub(super) fn new(
        provider: Provider,
        projection: Option<Vec<usize>>,
        schema: SchemaRef,
        constants: Wanted,
    ) -> Self {
        Self {
            provider,
            projection,
            schema,
            constants,
            joins: Vec::new(),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// What is known of the rows by now.
    fn wanted(&self) -> Wanted {
        let mut wanted = self.constants.clone();
        for join in &self.joins {
            wanted.extend(asked(join, &self.schema));
        }
        wanted
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.provider.fmt(f)
    }
}

impl DataSource for Lookup {
    fn open(&self, partition: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let source = self.clone();
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        // Polled when the other side of a join has been read.
        let rows = futures::stream::once(async move {
            let wanted = source.wanted();
            let batch = source.provider.made(source.projection.as_ref(), wanted)?;
            metrics.record_output(batch.num_rows());
            Ok(batch)
        });
        let schema = Arc::clone(&self.schema);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }

    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.provider)
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(1)
    }

    fn eq_properties(&self) -> EquivalenceProperties {
        EquivalenceProperties::new(Arc::clone(&self.schema))
    }

    fn partition_statistics(&self, _: Option<usize>) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        statistics.num_rows = Precision::Inexact(self.provider.expected_rows());
        Ok(Arc::new(statistics))
    }

    fn with_fetch(&self, _: Option<usize>) -> Option<Arc<dyn DataSource>> {
        None
    }

    fn fetch(&self) -> Option<usize> {
        None
    }

    fn metrics(&self) -> ExecutionPlanMetricsSet {
        self.metrics.clone()
    }

    fn try_swapping_with_projection(
        &self,
        _: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        Ok(None)
    }

    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn DataSource>>> {
        // A hint alone: what asks goes on checking each row.
        let answer = vec![PushedDown::No; filters.len()];
        let joins = filters
            .into_iter()
            .filter(|filter| filter.downcast_ref::<DynamicFilterPhysicalExpr>().is_some());
        let mut source = self.clone();
        source.joins.extend(joins);
        let updated: Arc<dyn DataSource> = Arc::new(source);
        Ok(
            FilterPushdownPropagation::with_parent_pushdown_result(answer)
                .with_updated_node(updated),
        )
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        let mut recursion = TreeNodeRecursion::Continue;
        for join in &self.joins {
            recursion = recursion.visit_sibling(|| f(join))?;
        }
        Ok(recursion)
    }
}

/// The values that a filter allows in columns, as far as it lists them.
fn asked(filter: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Wanted {
    if let Some(dynamic) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() {
        let current = dynamic.current();
        return current.map_or_else(|_| Vec::new(), |current| asked(&current, schema));
    }
    if let Some(both) = filter.downcast_ref::<BinaryExpr>() {
        return match both.op() {
            Operator::And => {
                let mut wanted = asked(both.left(), schema);
                wanted.extend(asked(both.right(), schema));
                wanted
            }
            Operator::Eq => equal(both.left(), both.right(), schema)
                .into_iter()
                .collect(),
            _ => Vec::new(),
        };
    }
    if let Some(list) = filter.downcast_ref::<InListExpr>() {
        return listed(list, schema);
    }
    match filter.downcast_ref::<CaseExpr>() {
        Some(case) => by_parts(case, schema),
        None => Vec::new(),
    }
}

fn name(expr: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Option<String> {
    let column = expr.downcast_ref::<Column>()?;
    let field = schema.fields().get(column.index())?;
    Some(field.name().clone())
}

fn constant(expr: &Arc<dyn PhysicalExpr>) -> Option<&ScalarValue> {
    expr.downcast_ref::<Literal>().map(Literal::value)
}

fn equal(
    left: &Arc<dyn PhysicalExpr>,
    right: &Arc<dyn PhysicalExpr>,
    schema: &SchemaRef,
) -> Option<(String, Vec<ScalarValue>)> {
    let (column, value) = match (name(left, schema), name(right, schema)) {
        (Some(column), None) => (column, constant(right)?),
        (None, Some(column)) => (column, constant(left)?),
        _ => return None,
    };
    Some((column, vec![value.clone()]))
}

/// `column IN (…)`, or `struct(column, …) IN (…)` for joins over several columns.
fn listed(list: &InListExpr, schema: &SchemaRef) -> Wanted {
    let values: Option<Vec<&ScalarValue>> = list.list().iter().map(constant).collect();
    let Some(values) = values.filter(|_| !list.negated()) else {
        return Vec::new();
    };
    if let Some(column) = name(list.expr(), schema) {
        return vec![(column, values.into_iter().cloned().collect())];
    }
    let Some(columns) = list.expr().downcast_ref::<ScalarFunctionExpr>() else {
        return Vec::new();
    };
    let of_place = |(place, column): (usize, &Arc<dyn PhysicalExpr>)| {
        let parts = values.iter().map(|value| match value {
            ScalarValue::Struct(rows) => {
                ScalarValue::try_from_array(rows.columns().get(place)?, 0).ok()
            }
            _ => None,
        });
        Some((name(column, schema)?, parts.collect::<Option<_>>()?))
    };
    let places = columns.args().iter().enumerate();
    places.filter_map(of_place).collect()
}

/// A filter for each part of a join that is dealt out: a value is of use if any part allows it.
fn by_parts(case: &CaseExpr, schema: &SchemaRef) -> Wanted {
    let mut parts = case.when_then_expr().iter().map(|(_, then)| {
        let none = matches!(constant(then), Some(ScalarValue::Boolean(Some(false))));
        (none, asked(then, schema))
    });
    let Some((mut none, mut wanted)) = parts.next() else {
        return Vec::new();
    };
    for (nothing, part) in parts {
        match (none, nothing) {
            (_, true) => {}
            (true, false) => (none, wanted) = (false, part),
            (false, false) => {
                wanted.retain(|(column, _)| part.iter().any(|(other, _)| other == column));
                for (column, values) in &mut wanted {
                    let same = part.iter().filter(|(other, _)| other == column);
                    values.extend(same.flat_map(|(_, more)| more.iter().cloned()));
                }
            }
        }
    }
    wanted
}
