//! How a table's columns, as SQL knows them, lie in its files.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, ScalarValue, Statistics};
use datafusion::datasource::table_schema::TableSchema;
use datafusion::physical_expr::projection::{ProjectionExpr, ProjectionExprs};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::expressions::Column;

use super::restore::Restore;
use crate::error::{Error, Result};
use crate::model::{Relation, TENANT_COLUMN};
use crate::sql_type::SqlType;
use crate::storage::DataFile;
use crate::storage::stored::{is_rebuilt, numbered_type};

/// A table's columns in SQL and in files.
#[derive(Debug)]
pub(super) struct Shape {
    /// As SQL knows it.
    pub(super) schema: SchemaRef,
    /// As the file reader knows it: columns under their physical names, then the tenant's name.
    pub(super) files: TableSchema,
    /// What files that lack a column hold in it, by physical name.
    pub(super) defaults: Arc<HashMap<String, ScalarValue>>,
    columns: Vec<ShapeColumn>,
    zone: Arc<str>,
}

#[derive(Debug)]
struct ShapeColumn {
    field: FieldRef,
    /// Its place among the file reader's columns.
    place: usize,
    physical: String,
    sql_type: SqlType,
    rebuilt: bool,
    tenant: bool,
}

impl Shape {
    pub(super) fn new(
        relation: &Relation,
        zone: &Arc<str>,
        defaults: &HashMap<i16, ScalarValue>,
    ) -> Result<Self> {
        let table = relation.table().ok_or_else(|| {
            Error::Unstorable(format!("view \"{}\" stores no rows", relation.name))
        })?;
        let mut columns = Vec::new();
        let mut file_fields: Vec<FieldRef> = Vec::new();
        let mut tenant_field: Vec<FieldRef> = Vec::new();
        let mut physical_defaults = HashMap::new();
        for column in table.live_columns() {
            let field = column.sql_type.field(&column.name, column.nullable, zone);
            let rebuilt = is_rebuilt(&column.sql_type, zone);
            if column.is_tenant() {
                tenant_field.push(Arc::new(field.as_ref().clone().with_name(TENANT_COLUMN)));
            } else {
                let data_type = if rebuilt {
                    numbered_type(column)?
                } else {
                    field.data_type().clone()
                };
                let file_field = Field::new(&column.physical, data_type, column.nullable);
                file_fields.push(Arc::new(file_field.with_metadata(field.metadata().clone())));
                if let Some(value) = defaults
                    .get(&column.number)
                    .filter(|value| !value.is_null())
                {
                    let field = file_fields.last().map(|field| field.data_type().clone());
                    let value = default_value(value, &column.sql_type, field)?;
                    physical_defaults.insert(column.physical.clone(), value);
                }
            }
            columns.push(ShapeColumn {
                field,
                place: file_fields.len().saturating_sub(1),
                physical: column.physical.clone(),
                sql_type: column.sql_type.clone(),
                rebuilt,
                tenant: column.is_tenant(),
            });
        }
        for column in columns.iter_mut().filter(|column| column.tenant) {
            column.place = file_fields.len();
        }
        let schema = Schema::new(
            columns
                .iter()
                .map(|c| Arc::clone(&c.field))
                .collect::<Vec<_>>(),
        );
        let files = TableSchema::builder(Arc::new(Schema::new(file_fields)))
            .with_table_partition_cols(tenant_field)
            .build();
        Ok(Self {
            schema: Arc::new(schema),
            files,
            defaults: Arc::new(physical_defaults),
            columns,
            zone: Arc::clone(zone),
        })
    }

    /// Whether the table is common to tenants and so has the tenant's name as a column.
    pub(super) fn has_tenant(&self) -> bool {
        self.columns.iter().any(|column| column.tenant)
    }

    /// The wanted columns of SQL as expressions over the file reader's.
    pub(super) fn projection(&self, wanted: &[usize]) -> ProjectionExprs {
        let schema = self.files.table_schema();
        ProjectionExprs::new(wanted.iter().map(|index| {
            let column = &self.columns[*index];
            let name = schema.field(column.place).name();
            let input: Arc<dyn PhysicalExpr> = Arc::new(Column::new(name, column.place));
            let expr: Arc<dyn PhysicalExpr> = if column.rebuilt {
                let (sql_type, zone) = (column.sql_type.clone(), Arc::clone(&self.zone));
                Arc::new(Restore::new(
                    input,
                    sql_type,
                    zone,
                    Arc::clone(&column.field),
                ))
            } else {
                input
            };
            ProjectionExpr {
                expr,
                alias: column.field.name().clone(),
            }
        }))
    }

    /// Rows in memory with every column of SQL: stored columns are matched by position.
    pub(super) fn complete(
        &self,
        batch: &RecordBatch,
        tenant: Option<&str>,
    ) -> Result<RecordBatch> {
        let mut given = batch.columns().iter();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let array: ArrayRef = if column.tenant {
                let names = std::iter::repeat_n(tenant, batch.num_rows());
                Arc::new(names.collect::<StringViewArray>())
            } else {
                let array = given.next().ok_or_else(|| {
                    Error::Unstorable("a batch has fewer columns than its table".to_owned())
                })?;
                cast(array, column.field.data_type())?
            };
            columns.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(
            Arc::clone(&self.schema),
            columns,
            &options,
        )?)
    }

    /// A file's statistics in the file reader's columns, without the tenant's.
    pub(super) fn file_statistics(&self, file: &DataFile) -> Statistics {
        let mut statistics = Statistics::new_unknown(self.files.file_schema());
        statistics.num_rows = Precision::Exact(usize::try_from(file.rows).unwrap_or(usize::MAX));
        for column in self.columns.iter().filter(|column| !column.tenant) {
            statistics.column_statistics[column.place] = self.column_statistics(column, file);
        }
        statistics
    }

    fn column_statistics(&self, column: &ShapeColumn, file: &DataFile) -> ColumnStatistics {
        let mut statistics = ColumnStatistics::new_unknown();
        let stats = file.stats.columns.get(&column.physical);
        let nulls = stats.and_then(|stats| stats.nulls);
        let rows = usize::try_from(file.rows).unwrap_or(usize::MAX);
        let Some(nulls) = nulls else {
            if column.field.data_type().is_nested() || column.rebuilt {
                return statistics;
            }
            // Every file tells of every flat column that it has.
            match self.defaults.get(&column.physical) {
                Some(value) => {
                    statistics.null_count = Precision::Exact(0);
                    statistics.min_value = Precision::Exact(value.clone());
                    statistics.max_value = Precision::Exact(value.clone());
                }
                None => statistics.null_count = Precision::Exact(rows),
            }
            return statistics;
        };
        statistics.null_count = Precision::Exact(usize::try_from(nulls).unwrap_or(usize::MAX));
        if column.rebuilt || !has_order(&column.sql_type) {
            return statistics;
        }
        let engine = |value: &Option<ScalarValue>, exact: bool| {
            let value = value.as_ref()?.cast_to(column.field.data_type()).ok()?;
            Some(if exact {
                Precision::Exact(value)
            } else {
                Precision::Inexact(value)
            })
        };
        let Some(stats) = stats else {
            return statistics;
        };
        statistics.min_value = engine(&stats.min, stats.min_exact).unwrap_or_default();
        statistics.max_value = engine(&stats.max, stats.max_exact).unwrap_or_default();
        statistics
    }

    /// The names under which filters of SQL know the file reader's columns.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .find(|column| column.field.name() == name)
            .map(|column| column.place)
    }

    /// The type of a column of SQL.
    pub(super) fn type_of(&self, name: &str) -> Option<&DataType> {
        self.columns
            .iter()
            .find(|column| column.field.name() == name)
            .map(|column| column.field.data_type())
    }
}

/// Whether the order of the engine's values is the order of SQL; else their extremes mean nothing.
fn has_order(sql_type: &SqlType) -> bool {
    !matches!(
        sql_type,
        SqlType::Numeric(None) | SqlType::Json | SqlType::Jsonb
    )
}

/// A default in the type of the file reader's column.
fn default_value(
    value: &ScalarValue,
    sql_type: &SqlType,
    data_type: Option<DataType>,
) -> Result<ScalarValue> {
    let Some(data_type) = data_type.filter(|data_type| *data_type != value.data_type()) else {
        return Ok(value.clone());
    };
    if data_type.is_nested() || *sql_type == SqlType::Timetz {
        let stored = crate::storage::stored::to_stored(&value.to_array()?, sql_type)?;
        let stored = crate::storage::stored::retyped(stored, &data_type)?;
        return Ok(ScalarValue::try_from_array(&stored, 0)?);
    }
    Ok(value.cast_to(&data_type)?)
}
