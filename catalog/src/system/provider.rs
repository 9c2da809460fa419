//! A system table as DataFusion sees it: rows are made when it is scanned.

use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringViewArray, UInt32Array,
};
use arrow::datatypes::{Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use super::lookup::{Lookup, Wanted};
use super::rows::Rows;
use super::scene::Scene;
use super::table::SystemTable;
use crate::sql_type::SqlType;

/// The columns that PostgreSQL's tables have and `*` leaves out, by name and type.
pub const HIDDEN: [(&str, SqlType); 3] = [
    ("tableoid", SqlType::Oid),
    ("xmin", SqlType::Int8),
    ("ctid", SqlType::Text),
];

/// What PostgreSQL's `xmin` is for rows that every transaction sees.
const FROZEN_TRANSACTION: i64 = 2;

/// Rows of a large table that are expected for each relation, and of all of the system's.
const ROWS_OF_RELATION: usize = 4;
const ROWS_OF_SYSTEM: usize = 1_000;

/// A system table with what it looks at.
#[derive(Clone)]
pub(super) struct Provider {
    table: &'static SystemTable,
    scene: Arc<Scene>,
    schema: SchemaRef,
}

impl Provider {
    /// The table as `scene` shows it, with [`HIDDEN`] at its end if they are asked for.
    pub(super) fn new(table: &'static SystemTable, scene: Arc<Scene>, hidden: bool) -> Self {
        let mut schema = table.arrow_schema(&scene.zone);
        if hidden {
            let more = HIDDEN
                .iter()
                .map(|(name, kind)| kind.field(name, true, &scene.zone));
            let fields: Fields = schema.fields().iter().map(Arc::clone).chain(more).collect();
            schema = Arc::new(Schema::new(fields));
        }
        Self {
            table,
            scene,
            schema,
        }
    }

    /// The table's number.
    pub(super) fn oid(&self) -> u32 {
        self.table.oid
    }

    /// About as many rows as a large table has.
    pub(super) fn expected_rows(&self) -> usize {
        self.scene.database.relations.len() * ROWS_OF_RELATION + ROWS_OF_SYSTEM
    }

    /// All rows that may have what is wanted, of the kept columns alone.
    pub(super) fn made(
        &self,
        projection: Option<&Vec<usize>>,
        wanted: Wanted,
    ) -> Result<RecordBatch> {
        let fields = self.schema.fields();
        let mut rows = Rows::new(self.table.columns(), fields, projection, wanted);
        (self.table.rows)(&self.scene, &mut rows);
        let (count, made) = rows.finish();
        let all: Vec<usize> = (0..fields.len()).collect();
        let kept = projection.unwrap_or(&all);
        let arrays = kept.iter().map(
            |index| match made.iter().find(|(place, _)| place == index) {
                Some((_, array)) => Arc::clone(array),
                None => self.hidden(*index, count),
            },
        );
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let schema = Arc::new(self.schema.project(kept)?);
        Ok(RecordBatch::try_new_with_options(
            schema,
            arrays.collect(),
            &options,
        )?)
    }

    /// A column of [`HIDDEN`], by its place among all columns.
    fn hidden(&self, index: usize, count: usize) -> ArrayRef {
        match HIDDEN.get(index - self.table.columns().len()) {
            Some((_, SqlType::Oid)) => Arc::new(UInt32Array::from(vec![self.table.oid; count])),
            Some((_, SqlType::Int8)) => Arc::new(Int64Array::from(vec![FROZEN_TRANSACTION; count])),
            _ => {
                let places = (1..=count).map(|row| Some(format!("(0,{row})")));
                Arc::new(StringViewArray::from_iter(places))
            }
        }
    }
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table.fmt(f)
    }
}

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        let kind = |filter: &&Expr| match constants(filter) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(kind).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted: Wanted = filters.iter().filter_map(constants).collect();
        let is_found = |column: &str| wanted.iter().any(|(name, _)| name == column);
        let found_by = self.table.found_by;
        if !found_by.is_empty() && !found_by.iter().any(|column| is_found(column)) {
            let kept = match projection {
                Some(kept) => Arc::new(self.schema.project(kept)?),
                None => Arc::clone(&self.schema),
            };
            let rows = Lookup::new(self.clone(), projection.cloned(), kept, wanted);
            return Ok(DataSourceExec::from_data_source(rows));
        }
        let batch = self.made(projection, wanted)?;
        let schema = batch.schema();
        Ok(MemorySourceConfig::try_new_exec(
            &[vec![batch]],
            schema,
            None,
        )?)
    }
}

/// The column and the constants of `column = constant`, `column IN (…)` or an OR of such.
fn constants(filter: &Expr) -> Option<(String, Vec<ScalarValue>)> {
    match filter {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _))
            | (Expr::Literal(value, _), Expr::Column(column)) => {
                Some((column.name.clone(), vec![value.clone()]))
            }
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) => {
            let (column, mut values) = constants(left)?;
            let (other, more) = constants(right)?;
            values.extend(more);
            (column == other).then_some((column, values))
        }
        Expr::InList(list) if !list.negated => {
            let Expr::Column(column) = list.expr.as_ref() else {
                return None;
            };
            let values = list.list.iter().map(|item| match item {
                Expr::Literal(value, _) => Some(value.clone()),
                _ => None,
            });
            Some((column.name.clone(), values.collect::<Option<_>>()?))
        }
        _ => None,
    }
}
