//! What a name in a query stands for until the guard opens it.
//!
//! A source tells the planner its columns and nothing else: it holds no rows and no files.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::{Constraint, Constraints};
use datafusion::logical_expr::{LogicalPlan, TableSource, TableType};
use tessera_catalog::id::DatabaseId;
use tessera_catalog::locks::Mode;
use tessera_catalog::model::{Key, KeyKind, Relation, RelationBody};

use super::size::Size;

/// A relation that a name was found to mean.
#[derive(Debug, Clone)]
pub struct Found {
    pub relation: Arc<Relation>,
    /// The database that holds it: the session's own or, for common and shared tables, the system's.
    pub home: DatabaseId,
    pub schema_name: String,
}

/// Which state of a table a query reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AsOf {
    Now,
    Version(i64),
    /// Microseconds since 1970.
    Timestamp(i64),
}

/// How a locking clause locks rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowLock {
    /// [`Mode::Share`] or [`Mode::Exclusive`].
    pub mode: Mode,
    pub wait: LockWait,
}

/// What is done when others have the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockWait {
    Wait,
    /// NOWAIT.
    Refuse,
    /// SKIP LOCKED.
    Skip,
}

/// A stored table.
#[derive(Debug, Clone)]
pub struct TableRef {
    pub found: Found,
    pub as_of: AsOf,
    /// Number and name of each column that the query sees, in order.
    pub columns: Vec<(i16, String)>,
    /// Whether the scan also gives each row's file and place, for UPDATE, DELETE and MERGE.
    pub row_ids: bool,
    /// Whether the query locks the rows, as one that is to change them does.
    pub locked: Option<RowLock>,
    pub(super) schema: SchemaRef,
    /// Keys by which a row's other columns are known.
    keys: Constraints,
}

impl TableRef {
    /// A reference to all live columns of a table.
    pub fn new(found: Found, as_of: AsOf, zone: &Arc<str>) -> Self {
        let columns = match &found.relation.body {
            RelationBody::Table(table) => table
                .live_columns()
                .map(|c| (c.number, c.name.clone()))
                .collect(),
            RelationBody::View(_) | RelationBody::Sequence(_) => Vec::new(),
        };
        Self::with_columns(found, as_of, columns, zone)
    }

    /// A reference to columns by number, under names of the referrer's.
    pub fn with_columns(
        found: Found,
        as_of: AsOf,
        columns: Vec<(i16, String)>,
        zone: &Arc<str>,
    ) -> Self {
        let fields: Vec<_> = match &found.relation.body {
            RelationBody::Table(table) => columns
                .iter()
                .filter_map(|(number, name)| {
                    let column = table.columns.iter().find(|c| c.number == *number)?;
                    let nullable = column.nullable || column.dropped;
                    Some(column.sql_type.field(name, nullable, zone))
                })
                .collect(),
            RelationBody::View(_) | RelationBody::Sequence(_) => Vec::new(),
        };
        let schema = Arc::new(Schema::new(fields));
        Self {
            found,
            as_of,
            columns,
            row_ids: false,
            locked: None,
            schema,
            keys: Constraints::default(),
        }
    }

    /// The same reference with its primary key, if that is enforced and all its columns are there.
    /// With `all_tenants` the key of a common table is each tenant's own.
    pub fn with_keys(mut self, all_tenants: bool) -> Self {
        let Some(table) = self.found.relation.table() else {
            return self;
        };
        let primary = |key: &&Key| key.kind == KeyKind::Primary && key.enforced;
        let Some(key) = table.keys.iter().find(primary) else {
            return self;
        };
        let tenant = table.live_columns().find(|column| column.is_tenant());
        let mut numbers = key.columns.clone();
        if let Some(tenant) = tenant.filter(|_| all_tenants)
            && !numbers.contains(&tenant.number)
        {
            numbers.push(tenant.number);
        }
        let place = |number: &i16| self.columns.iter().position(|(own, _)| own == number);
        let places: Option<Vec<usize>> = numbers.iter().map(place).collect();
        // What was there before the key came may differ from it.
        if let Some(places) = places.filter(|_| self.as_of == AsOf::Now) {
            self.keys = Constraints::new_unverified(vec![Constraint::PrimaryKey(places)]);
        }
        self
    }

    /// The same reference in a locking clause.
    pub fn locked(mut self, how: RowLock) -> Self {
        self.locked = Some(how);
        self
    }

    /// The same rows without their places, for queries that read them beside a change.
    pub(super) fn without_row_ids(&self) -> Self {
        let own = self.schema.fields().iter().take(self.columns.len());
        Self {
            schema: Arc::new(Schema::new(own.cloned().collect::<Vec<_>>())),
            row_ids: false,
            ..self.clone()
        }
    }

    /// The same reference with each row's file and place as two more columns.
    pub fn with_row_ids(mut self) -> Self {
        use crate::planner::row_ids::row_id_fields;
        let fields = self.schema.fields().iter().cloned().chain(row_id_fields());
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.row_ids = true;
        self
    }
}

impl TableSource for TableRef {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn constraints(&self) -> Option<&Constraints> {
        Some(&self.keys)
    }
}

/// A view: its query is planned, but not yet guarded, for its owner or its reader.
#[derive(Debug, Clone)]
pub struct ViewRef {
    /// What its plan comes to.
    pub(super) size: Size,
    pub found: Found,
    pub plan: Arc<LogicalPlan>,
    /// Whether the query locks the rows of the view's tables.
    pub locked: Option<RowLock>,
    pub(super) schema: SchemaRef,
}

impl TableSource for ViewRef {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }
}

/// Rows that the session makes itself: catalogs, set-returning functions, its temporary tables.
#[derive(Debug, Clone)]
pub struct ProvidedRef {
    /// The function's name if a call made it, for the guard.
    pub function: Option<String>,
    pub provider: Arc<dyn TableProvider>,
}

impl TableSource for ProvidedRef {
    fn schema(&self) -> SchemaRef {
        self.provider.schema()
    }

    fn table_type(&self) -> TableType {
        self.provider.table_type()
    }
}
