//! Rows on their way into a table: every constraint is checked here, whatever statement they come
//! from, and rows of a common table go to the tenant that they name.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use tessera_catalog::id::{DatabaseId, Oid, Part, Space};
use tessera_catalog::model::{Column, Database, Privilege, Relation, Scope as Reach, Table};
use tessera_catalog::sql_type::SqlType;
use tessera_catalog::storage::{DataFile, PartWriter, Storage};

use super::foreign::ForeignGuard;
use super::keys::KeyGuard;
use super::transaction::{Fresh, PendingPart, TEMPORARY_SCHEMA};
use crate::error::{Error, Result};
use crate::execute::Cpu;
use crate::format::fraction;
use crate::policy::{Allowed, Granted};

/// Rows that wait in memory for the commit; more go to a file of their own.
const MAX_ROWS_IN_MEMORY: usize = 4_096;
/// The same in bytes.
const MAX_BYTES_IN_MEMORY: usize = 4 << 20;

/// The most bytes that one statement writes to a temporary table.
const MAX_TEMPORARY_BYTES: usize = 64 << 20;

/// A CHECK constraint, ready to be evaluated over the table's columns.
#[derive(Debug, Clone)]
pub(super) struct CompiledCheck {
    pub(super) name: String,
    pub(super) condition: Arc<dyn PhysicalExpr>,
    pub(super) rule: Rule,
}

/// Whose condition a check is.
#[derive(Debug, Clone)]
pub(super) enum Rule {
    OfTable,
    /// Of a column's domain.
    OfDomain(String),
    /// That a column's domain takes no NULL.
    NotNullOfDomain(String),
}

/// A generated column's expression, ready to be evaluated over the table's columns.
#[derive(Debug, Clone)]
pub(super) struct CompiledGenerated {
    /// The column's place among the live ones.
    pub(super) place: usize,
    pub(super) value: Arc<dyn PhysicalExpr>,
}

/// Where a writer's rows go.
#[derive(Debug, Clone)]
enum Target {
    /// One part; in a tenant's session, with the name that `tenant_id` must have.
    One {
        space: Space,
        tenant_name: Option<String>,
    },
    /// An operator's write to a common table: the tenant that each row names.
    ByTenant { system: Arc<Database> },
}

/// Checks rows and writes them into a table's parts.
pub(super) struct RowWriter {
    relation: Arc<Relation>,
    /// The name of the relation's schema, for errors.
    schema_name: String,
    home: DatabaseId,
    storage: Storage,
    cpu: Cpu,
    target: Target,
    checks: Arc<[CompiledCheck]>,
    generated: Arc<[CompiledGenerated]>,
    keys: Option<KeyGuard>,
    foreign: Option<ForeignGuard>,
    sinks: HashMap<Space, PartSink>,
    /// Where new rows go while other parts of the statement are not to see them.
    fresh: Option<HashMap<Space, PartSink>>,
    operation: &'static str,
    schema: SchemaRef,
    written: u64,
    /// Whether errors may show what is in rows.
    tells: bool,
    /// Keys at which rows are left out when they are there.
    skipping: Vec<Oid>,
    failed: Option<FailedRow>,
}

/// The row of a batch that a constraint refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedRow {
    pub row: usize,
    /// Whether it was refused for its own values, and not for other rows.
    pub alone: bool,
}

#[derive(Default)]
struct PartSink {
    rows: Vec<RecordBatch>,
    row_count: usize,
    byte_count: usize,
    writer: Option<PartWriter>,
    removed: Vec<Arc<DataFile>>,
}

impl PartSink {
    /// Closes the file, if there is one, and gives what was written.
    async fn close(self) -> Result<Fresh> {
        let files = match self.writer {
            Some(writer) => writer.finish().await?,
            None => Vec::new(),
        };
        Ok(Fresh {
            files,
            rows: self.rows,
        })
    }
}

/// What a writer needs to know of the one who writes.
pub(super) struct Writing<'a> {
    pub(super) storage: &'a Storage,
    /// Where the statement's work runs.
    pub(super) cpu: Cpu,
    /// The session's database.
    pub(super) database: &'a Arc<Database>,
    pub(super) system: &'a Arc<Database>,
    pub(super) zone: &'a Arc<str>,
    pub(super) checks: Arc<[CompiledCheck]>,
    pub(super) generated: Arc<[CompiledGenerated]>,
    /// The table's enforced keys, unless the statement leaves them as they are.
    pub(super) keys: Option<KeyGuard>,
    /// What its rows refer to, unless the statement leaves that as it is.
    pub(super) foreign: Option<ForeignGuard>,
    pub(super) operation: &'static str,
}

impl RowWriter {
    /// A writer for one who was granted to write.
    ///
    /// # Errors
    /// A grant for something else than writing rows, which is a bug.
    pub(super) fn new(granted: &Granted, writing: Writing<'_>) -> Result<Self> {
        if granted.privilege() == Privilege::Select {
            return Err(Error::internal("writing with a right to read"));
        }
        let found = granted.found();
        let table = table(&found.relation)?;
        let database = writing.database.id;
        let target = match super::opener::space(found, table, database) {
            Some(space) => Target::One {
                space,
                tenant_name: (table.scope == Reach::Common).then(|| writing.database.name.clone()),
            },
            None => Target::ByTenant {
                system: Arc::clone(writing.system),
            },
        };
        let schemas =
            [writing.database, writing.system].map(|d| d.schemas.get(&found.relation.schema));
        let schema_name = schemas.into_iter().flatten().next();
        Ok(Self {
            schema: table_schema(table, writing.zone),
            relation: Arc::clone(&found.relation),
            schema_name: schema_name
                .map(|schema| schema.name.clone())
                .unwrap_or_default(),
            home: found.home,
            storage: writing.storage.clone(),
            cpu: writing.cpu,
            target,
            checks: writing.checks,
            generated: writing.generated,
            keys: writing.keys,
            foreign: writing.foreign,
            sinks: HashMap::new(),
            fresh: None,
            operation: writing.operation,
            written: 0,
            tells: true,
            skipping: Vec::new(),
            failed: None,
        })
    }

    /// Keeps new rows apart from those that are written again, for a statement of which other parts
    /// change rows too.
    pub(super) fn apart(mut self, apart: bool) -> Self {
        self.fresh = apart.then(HashMap::new);
        self
    }

    /// Leaves out rows with keys that are there, as ON CONFLICT DO NOTHING does.
    pub(super) fn skip_at(&mut self, keys: Vec<Oid>) {
        self.skipping = keys;
    }

    async fn free(&mut self, space: Space, rows: RecordBatch) -> Result<RecordBatch> {
        match &mut self.keys {
            Some(keys) if !self.skipping.is_empty() => {
                keys.free(space, &rows, &self.skipping).await
            }
            _ => Ok(rows),
        }
    }

    /// The columns that batches must have: the table's live ones, in order.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The row of the batch that was written last that a constraint refused.
    pub(super) fn failed_row(&self) -> Option<FailedRow> {
        self.failed
    }

    /// Rows written so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Bytes in files so far.
    pub(super) fn file_bytes(&self) -> u64 {
        let writers = self.sinks.values().filter_map(|sink| sink.writer.as_ref());
        writers.map(PartWriter::bytes).sum()
    }

    /// Checks and writes rows of the table's live columns, and gives them as they are written.
    ///
    /// # Errors
    /// 23502, 23514, 23505, 23503, 42501 for another tenant's rows, 22023 for a tenant that does not exist.
    pub(super) async fn write(&mut self, allowed: Allowed<'_>) -> Result<RecordBatch> {
        let written = self.write_checked(allowed).await;
        written.map_err(|error| error.in_schema(&self.schema_name))
    }

    async fn write_checked(&mut self, allowed: Allowed<'_>) -> Result<RecordBatch> {
        let batch = allowed.batch();
        self.tells &= allowed.tells();
        if batch.num_rows() == 0 {
            return Ok(batch.clone());
        }
        let batch = self.with_tenant(batch)?;
        let batch = self.rounded(self.with_generated(batch)?)?;
        // Values become those of their domains before the table looks at them.
        self.check_conditions(&batch, allowed.tells(), true)?;
        self.check_nulls(&batch, allowed.tells())?;
        self.check_conditions(&batch, allowed.tells(), false)?;
        let mut written = Vec::new();
        match self.target.clone() {
            Target::One { space, .. } => {
                let batch = self.free(space, batch).await?;
                if let Err(error) = self.add_keys(space, &batch).await {
                    let keys = self.keys.as_ref().filter(|_| self.skipping.is_empty());
                    let row = keys.and_then(KeyGuard::failed_row);
                    self.failed = row.map(|row| FailedRow { row, alone: false });
                    return Err(error);
                }
                let stored = self.stored(&batch)?;
                self.push(space, stored, true).await?;
                written.push(batch);
            }
            Target::ByTenant { system } => {
                for (space, rows) in by_tenant(&batch, &system, &self.relation.name)? {
                    let rows = self.free(space, rows).await?;
                    self.add_keys(space, &rows).await?;
                    let stored = self.stored(&rows)?;
                    self.push(space, stored, true).await?;
                    written.push(rows);
                }
            }
        }
        let batch = match written.as_slice() {
            [one] => one.clone(),
            several => compute::concat_batches(&self.schema, several)
                .map_err(|e| Error::from(datafusion::error::DataFusionError::from(e)))?,
        };
        self.written += batch.num_rows() as u64;
        Ok(batch)
    }

    /// Computes generated columns from the others.
    fn with_generated(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if self.generated.is_empty() {
            return Ok(batch);
        }
        let mut columns = batch.columns().to_vec();
        for generated in self.generated.iter() {
            let value = generated.value.evaluate(&batch)?;
            let value = value.into_array(batch.num_rows())?;
            columns[generated.place] = compute::cast(&value, columns[generated.place].data_type())
                .map_err(|e| Error::from(datafusion::error::DataFusionError::from(e)))?;
        }
        RecordBatch::try_new(batch.schema(), columns)
            .map_err(|e| Error::from(datafusion::error::DataFusionError::from(e)))
    }

    /// Moments and spans with as many digits as their columns keep.
    fn rounded(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let table = table(&self.relation)?;
        if table.live_columns().all(|column| column.fraction.is_none()) {
            return Ok(batch);
        }
        let columns = table.live_columns().zip(batch.columns());
        let columns = columns.map(|(column, values)| match column.fraction {
            Some(digits) => fraction::rounded(values, digits),
            None => Arc::clone(values),
        });
        RecordBatch::try_new(batch.schema(), columns.collect())
            .map_err(|e| Error::from(datafusion::error::DataFusionError::from(e)))
    }

    /// Rows as they will be stored: with the tenant's name and what the table generates.
    ///
    /// # Errors
    /// 42501 for another tenant's rows, and what generating meets.
    pub(super) fn completed(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.rounded(self.with_generated(self.with_tenant(batch)?)?)
    }

    /// Notes that a file is replaced by what is written.
    pub(super) fn remove(&mut self, space: Space, file: Arc<DataFile>) {
        if let Some(keys) = &mut self.keys {
            keys.remove(space, &file);
        }
        if let Some(foreign) = &mut self.foreign {
            foreign.remove(space, &file);
        }
        self.sinks.entry(space).or_default().removed.push(file);
    }

    /// Notes that the transaction's rows in memory are replaced by what is written.
    pub(super) fn remove_memory(&mut self, space: Space) {
        if let Some(keys) = &mut self.keys {
            keys.remove_memory(space);
        }
        if let Some(foreign) = &mut self.foreign {
            foreign.remove_memory(space);
        }
    }

    async fn add_keys(&mut self, space: Space, rows: &RecordBatch) -> Result<()> {
        if let Some(keys) = &mut self.keys {
            let added = keys.add(space, rows).await;
            added.map_err(|error| told(error, self.tells))?;
        }
        if let Some(foreign) = &mut self.foreign {
            let added = foreign.add(space, rows).await;
            added.map_err(|error| told(error, self.tells))?;
        }
        Ok(())
    }

    /// Writes rows that were in the table before, which need no check.
    pub(super) async fn keep(&mut self, space: Space, batch: RecordBatch) -> Result<()> {
        if let Some(keys) = &mut self.keys {
            keys.keep(space, &batch)?;
        }
        if let Some(foreign) = &mut self.foreign {
            foreign.keep(space, &batch)?;
        }
        let stored = self.stored(&batch)?;
        self.push(space, stored, false).await
    }

    /// Closes the files and gives what the transaction is to remember.
    ///
    /// # Errors
    /// 23505 and 23503 for keys that had to wait, and what writing the last of it meets.
    pub(super) async fn finish(self) -> Result<Vec<PendingPart>> {
        let table_uuid = table(&self.relation)?.uuid;
        let arbitrated = self.keys.as_ref().is_some_and(KeyGuard::is_arbitrated);
        let mut claims = match self.keys {
            Some(keys) => {
                let found = keys.finish().await;
                found.map_err(|error| told(error, self.tells).in_schema(&self.schema_name))?
            }
            None => HashMap::new(),
        };
        let (mut references, mut deferred) = match self.foreign {
            Some(foreign) => {
                let found = foreign.finish(self.tells).await;
                found.map_err(|error| told(error, self.tells))?
            }
            None => (HashMap::new(), HashMap::new()),
        };
        let mut fresh = self.fresh.unwrap_or_default();
        let mut sinks = self.sinks;
        for space in fresh.keys() {
            sinks.entry(*space).or_default();
        }
        let mut pending = Vec::with_capacity(sinks.len());
        for (space, sink) in sinks {
            let removed = sink.removed.clone();
            let Fresh { files, rows } = sink.close().await?;
            let new = match fresh.remove(&space) {
                Some(sink) => sink.close().await?,
                None => Fresh::default(),
            };
            pending.push(PendingPart {
                fresh: new,
                part: Part {
                    space,
                    table: table_uuid,
                },
                database: self.home,
                relation: Arc::clone(&self.relation),
                added: files,
                rows,
                removed,
                operation: self.operation,
                claims: claims.remove(&space).unwrap_or_default(),
                arbitrated,
                references: references.remove(&space).unwrap_or_default(),
                referred_by: Vec::new(),
                deferred: deferred.remove(&space).unwrap_or_default(),
                known: Vec::new(),
            });
        }
        Ok(pending)
    }

    /// Fills `tenant_id` where a tenant left it out, and refuses any other tenant's name.
    fn with_tenant(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let Target::One {
            tenant_name: Some(name),
            ..
        } = &self.target
        else {
            return Ok(batch.clone());
        };
        let Some(index) = tenant_index(table(&self.relation)?) else {
            return Ok(batch.clone());
        };
        let named = text_values(batch.column(index))?;
        let named = named.as_string_view();
        if named.iter().flatten().any(|value| value != name) {
            return Err(Error::RowSecurity(self.relation.name.clone()));
        }
        Ok(batch.clone())
    }

    fn check_nulls(&mut self, batch: &RecordBatch, tells: bool) -> Result<()> {
        let relation = Arc::clone(&self.relation);
        let table = table(&relation)?;
        for (column, values) in table.live_columns().zip(batch.columns()) {
            if !column.nullable && values.logical_null_count() > 0 {
                let row = (0..values.len()).find(|row| values.is_null(*row));
                self.failed = row.map(|row| FailedRow { row, alone: true });
                return Err(Error::NotNull {
                    column: column.name.clone(),
                    relation: self.relation.name.clone(),
                    detail: tells
                        .then(|| self.failing_row(batch, |row| values.is_null(row)))
                        .flatten(),
                });
            }
        }
        Ok(())
    }

    fn check_conditions(
        &mut self,
        batch: &RecordBatch,
        tells: bool,
        of_domains: bool,
    ) -> Result<()> {
        let checks = Arc::clone(&self.checks);
        let checks = checks.iter();
        for check in checks.filter(|c| of_domains != matches!(c.rule, Rule::OfTable)) {
            let result = check
                .condition
                .evaluate(batch)?
                .into_array(batch.num_rows())?;
            let result: &BooleanArray = result.as_boolean();
            // NULL passes, as in PostgreSQL.
            if let Some(row) = result.iter().position(|passed| passed == Some(false)) {
                self.failed = Some(FailedRow { row, alone: true });
                match &check.rule {
                    Rule::OfTable => {}
                    Rule::OfDomain(domain) => {
                        return Err(Error::DomainCheck {
                            domain: domain.clone(),
                            constraint: check.name.clone(),
                        });
                    }
                    Rule::NotNullOfDomain(domain) => {
                        return Err(Error::DomainNotNull(domain.clone()));
                    }
                }
                return Err(Error::Check {
                    relation: self.relation.name.clone(),
                    constraint: check.name.clone(),
                    detail: tells
                        .then(|| {
                            let fails = |row| result.is_valid(row) && !result.value(row);
                            self.failing_row(batch, fails)
                        })
                        .flatten(),
                });
            }
        }
        Ok(())
    }

    /// PostgreSQL's detail: the first row that fails, as text.
    fn failing_row(&self, batch: &RecordBatch, fails: impl Fn(usize) -> bool) -> Option<String> {
        let row = (0..batch.num_rows()).find(|row| fails(*row))?;
        let table = table(&self.relation).ok()?;
        let values: Option<Vec<String>> = table
            .live_columns()
            .zip(batch.columns())
            .map(|(column, values)| {
                if values.is_null(row) {
                    return Some("null".to_owned());
                }
                crate::format::text_of(values, row, &column.sql_type).ok()
            })
            .collect();
        Some(format!("Failing row contains ({}).", values?.join(", ")))
    }

    /// The stored columns: all but the tenant's name.
    fn stored(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let table = table(&self.relation)?;
        let kept: Vec<usize> = table
            .live_columns()
            .enumerate()
            .filter(|(_, column)| !column.is_tenant())
            .map(|(index, _)| index)
            .collect();
        batch
            .project(&kept)
            .map_err(|e| Error::from(datafusion::error::DataFusionError::from(e)))
    }

    async fn push(&mut self, space: Space, batch: RecordBatch, is_new: bool) -> Result<()> {
        let table_uuid = table(&self.relation)?.uuid;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let sinks = match &mut self.fresh {
            Some(fresh) if is_new => fresh,
            _ => &mut self.sinks,
        };
        let sink = sinks.entry(space).or_default();
        if let Some(writer) = &mut sink.writer {
            return Ok(writer.write(&batch).await?);
        }
        sink.row_count += batch.num_rows();
        sink.byte_count += batch.get_array_memory_size();
        sink.rows.push(batch);
        if self.relation.schema == TEMPORARY_SCHEMA {
            // These never reach a file.
            if sink.byte_count > MAX_TEMPORARY_BYTES {
                return Err(Error::OutOfMemory {
                    detail: format!(
                        "At most {MAX_TEMPORARY_BYTES} bytes at once go to a temporary table."
                    ),
                });
            }
        } else if sink.row_count > MAX_ROWS_IN_MEMORY || sink.byte_count > MAX_BYTES_IN_MEMORY {
            let part = Part {
                space,
                table: table_uuid,
            };
            let writer = self.storage.writer(part, &self.relation)?;
            let mut writer = writer.encoding_in(Arc::new(self.cpu.clone()));
            for batch in sink.rows.drain(..) {
                writer.write(&batch).await?;
            }
            sink.writer = Some(writer);
        }
        Ok(())
    }
}

/// An error without what is in a row, unless it may be told.
fn told(error: Error, tells: bool) -> Error {
    match error {
        Error::Unique {
            relation,
            constraint,
            ..
        } if !tells => Error::Unique {
            relation,
            constraint,
            detail: None,
        },
        Error::ForeignKey {
            relation,
            constraint,
            parent,
            ..
        } if !tells => Error::ForeignKey {
            relation,
            constraint,
            parent,
            key: None,
        },
        other => other,
    }
}

/// The relation's table.
pub(super) fn table(relation: &Relation) -> Result<&Table> {
    relation.table().ok_or_else(|| Error::WrongKind {
        name: relation.name.clone(),
        wanted: "table",
    })
}

/// The schema of a table's live columns.
pub(super) fn table_schema(table: &Table, zone: &Arc<str>) -> SchemaRef {
    let field = |column: &Column| column.sql_type.field(&column.name, true, zone);
    Arc::new(Schema::new(
        table.live_columns().map(field).collect::<Vec<_>>(),
    ))
}

/// Where `tenant_id` stands among the live columns of a common table.
pub(super) fn tenant_index(table: &Table) -> Option<usize> {
    table.live_columns().position(Column::is_tenant)
}

fn text_values(values: &ArrayRef) -> Result<ArrayRef> {
    let text = SqlType::Text.arrow(&Arc::from("UTC"));
    compute::cast(values, &text)
        .map_err(|error| Error::from(datafusion::error::DataFusionError::from(error)))
}

/// Splits an operator's rows by the tenant that each names.
fn by_tenant(
    batch: &RecordBatch,
    system: &Database,
    relation: &str,
) -> Result<Vec<(Space, RecordBatch)>> {
    let names = text_values(batch.column(0))?;
    let names = names.as_string_view();
    let mut rows: HashMap<&str, Vec<u32>> = HashMap::new();
    for (row, name) in names.iter().enumerate() {
        let name = name.ok_or_else(|| Error::NotNull {
            column: tessera_catalog::model::TENANT_COLUMN.to_owned(),
            relation: relation.to_owned(),
            detail: Some("A row of a common table names the tenant that it goes to.".to_owned()),
        })?;
        rows.entry(name)
            .or_default()
            .push(u32::try_from(row).unwrap_or(u32::MAX));
    }
    let mut named: Vec<(&str, Vec<u32>)> = rows.into_iter().collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    named
        .into_iter()
        .map(|(name, rows)| {
            let tenant = system.tenant_named(name).ok_or_else(|| {
                Error::InvalidParameterValue(format!("tenant \"{name}\" does not exist"))
            })?;
            let taken = compute::take_record_batch(batch, &UInt32Array::from(rows))
                .map_err(|error| Error::from(datafusion::error::DataFusionError::from(error)))?;
            Ok((Space::Tenant(tenant.id), taken))
        })
        .collect()
}
