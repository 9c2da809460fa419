//! The views of the schema `tessera` that are read while a query runs: the audit, and reports on logins
//! and rights. An operator sees all tenants in the system's database, a tenant's admin the tenant.
//!
//! Who may see them was checked when the statement was planned.

mod access;
mod audit;
mod logins;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListBuilder, RecordBatch, StringBuilder, StringViewArray,
    TimestampMicrosecondArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use tessera_catalog::Catalog;
use tessera_catalog::id::{DatabaseId, TenantId};
use tessera_catalog::model::Database;
use tessera_catalog::system;

use crate::error::{Error, Result};

/// A report of the schema `tessera`, or what `audit_verify()` answers.
pub(super) fn provider(
    name: &str,
    catalog: &Catalog,
    viewer: Viewer,
    zone: &Arc<str>,
) -> Option<Arc<dyn TableProvider>> {
    let kind = Kind::named(name)?;
    let schema = system::report(name)?.arrow_schema(zone);
    let catalog = catalog.clone();
    Some(Arc::new(Report {
        kind,
        schema,
        catalog,
        viewer,
    }))
}

/// Whose audit and rights a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Viewer {
    /// An operator in the system's database: everything.
    Operator,
    /// A tenant's database, seen from inside.
    Tenant(TenantId),
}

impl Viewer {
    /// The viewer that a session of a database is.
    pub(super) fn of(database: DatabaseId) -> Self {
        match database.tenant() {
            None => Self::Operator,
            Some(tenant) => Self::Tenant(tenant),
        }
    }

    /// The one database that it sees, unless it sees all.
    fn database(self) -> Option<DatabaseId> {
        match self {
            Self::Operator => None,
            Self::Tenant(tenant) => Some(DatabaseId::Tenant(tenant)),
        }
    }

    /// The databases that it sees, with their tenants' names.
    fn databases(self, system: &Database) -> Vec<(DatabaseId, Option<String>)> {
        let tenants = system.tenants.values().map(|tenant| {
            let id = DatabaseId::Tenant(tenant.id);
            (id, Some(tenant.name.clone()))
        });
        let all = std::iter::once((DatabaseId::System, None)).chain(tenants);
        all.filter(|(id, _)| self.database().is_none_or(|own| own == *id))
            .collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    AuditLog,
    AuditVerify,
    FailedLogins,
    LastLogins,
    UnusedRoles,
    WhoCanRead,
    TablesWithoutPolicies,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "audit_log" => Self::AuditLog,
            system::AUDIT_VERIFY => Self::AuditVerify,
            "failed_logins" => Self::FailedLogins,
            "last_logins" => Self::LastLogins,
            "unused_roles" => Self::UnusedRoles,
            "who_can_read" => Self::WhoCanRead,
            "tables_without_policies" => Self::TablesWithoutPolicies,
            _ => return None,
        })
    }
}

/// Rows of a report, some at a time.
type Pages = BoxStream<'static, Result<Vec<Row>>>;
/// A row, in the order of the report's columns.
type Row = Vec<Cell>;
/// The rows of one database, told the system's and the tenant's name.
type OfDatabase = fn(&Arc<Database>, &Arc<Database>, Option<&str>) -> Vec<Row>;

/// A value of a report.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Null,
    Bool(bool),
    Int(i64),
    /// Microseconds since 1970.
    Moment(i64),
    Text(String),
    Names(Vec<String>),
}

impl From<Option<i64>> for Cell {
    fn from(value: Option<i64>) -> Self {
        value.map_or(Self::Null, Self::Int)
    }
}

impl From<Option<String>> for Cell {
    fn from(value: Option<String>) -> Self {
        value.map_or(Self::Null, Self::Text)
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl Cell {
    fn moment(value: Option<i64>) -> Self {
        value.map_or(Self::Null, Self::Moment)
    }

    /// Names, or NULL where there are none.
    fn names(names: Vec<String>) -> Self {
        match names.is_empty() {
            true => Self::Null,
            false => Self::Names(names),
        }
    }
}

struct Report {
    kind: Kind,
    schema: SchemaRef,
    catalog: Catalog,
    viewer: Viewer,
}

impl Report {
    fn pages(&self) -> Pages {
        let (catalog, viewer) = (self.catalog.clone(), self.viewer);
        match self.kind {
            Kind::AuditLog => audit::log(catalog, viewer),
            Kind::AuditVerify => audit::verify(catalog),
            Kind::FailedLogins => audit::failed_logins(catalog, viewer),
            Kind::LastLogins => once(logins::last(catalog, viewer)),
            Kind::UnusedRoles => once(logins::unused(catalog, viewer)),
            Kind::WhoCanRead => each(catalog, viewer, access::who_can_read),
            Kind::TablesWithoutPolicies => each(catalog, viewer, access::without_policies),
        }
    }
}

/// All rows at once.
fn once(rows: impl Future<Output = Result<Vec<Row>>> + Send + 'static) -> Pages {
    stream::once(rows).boxed()
}

/// The rows of one database after the other.
fn each(catalog: Catalog, viewer: Viewer, rows: OfDatabase) -> Pages {
    let system = catalog.system();
    let databases = viewer.databases(&system);
    stream::iter(databases)
        .then(move |(id, tenant)| {
            let (catalog, system) = (catalog.clone(), Arc::clone(&system));
            async move {
                let database = match id {
                    DatabaseId::System => Arc::clone(&system),
                    id => catalog.database(id).await?,
                };
                Ok(rows(&system, &database, tenant.as_deref()))
            }
        })
        .boxed()
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

#[async_trait]
impl TableProvider for Report {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let partition = Report {
            schema: Arc::clone(&self.schema),
            catalog: self.catalog.clone(),
            ..*self
        };
        Ok(Arc::new(StreamingTableExec::try_new(
            Arc::clone(&self.schema),
            vec![Arc::new(partition)],
            projection,
            Vec::new(),
            false,
            limit,
        )?))
    }
}

impl PartitionStream for Report {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = Arc::clone(&self.schema);
        let batches = self.pages().map(move |page| {
            let rows = page.map_err(DataFusionError::from)?;
            batch(&schema, &rows).map_err(DataFusionError::from)
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            batches,
        ))
    }
}

fn batch(schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch> {
    let columns = schema.fields().iter().enumerate().map(|(index, field)| {
        let column = column(rows, index)?;
        cast(&column, field.data_type()).map_err(DataFusionError::from)
    });
    let columns = columns.collect::<datafusion::error::Result<Vec<_>>>()?;
    let batch = RecordBatch::try_new(Arc::clone(schema), columns);
    batch.map_err(|error| Error::Internal(Box::new(error)))
}

/// A column of whatever its cells are; one without any is a column of NULLs.
fn column(rows: &[Row], index: usize) -> datafusion::error::Result<ArrayRef> {
    let cells = || rows.iter().map(|row| row.get(index).unwrap_or(&Cell::Null));
    let first = cells().find(|cell| **cell != Cell::Null);
    Ok(match first {
        None => datafusion::arrow::array::new_null_array(
            &datafusion::arrow::datatypes::DataType::Null,
            rows.len(),
        ),
        Some(Cell::Bool(_)) => Arc::new(BooleanArray::from_iter(cells().map(|cell| match cell {
            Cell::Bool(value) => Some(*value),
            _ => None,
        }))),
        Some(Cell::Int(_)) => Arc::new(Int64Array::from_iter(cells().map(|cell| match cell {
            Cell::Int(value) => Some(*value),
            _ => None,
        }))),
        Some(Cell::Moment(_)) => {
            let moments = cells().map(|cell| match cell {
                Cell::Moment(value) => Some(*value),
                _ => None,
            });
            Arc::new(TimestampMicrosecondArray::from_iter(moments).with_timezone("UTC"))
        }
        Some(Cell::Names(_)) => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for cell in cells() {
                match cell {
                    Cell::Names(names) => builder.append_value(names.iter().map(Some)),
                    _ => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        Some(Cell::Text(_) | Cell::Null) => {
            Arc::new(StringViewArray::from_iter(cells().map(|cell| match cell {
                Cell::Text(value) => Some(value.as_str()),
                _ => None,
            })))
        }
    })
}
