//! Rows on their way into a table: every constraint is checked here, whatever statement they come
//! from, and rows of a common table go to the tenant that they name.

mod checks;
mod complete;
mod sink;
mod tenants;

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use tessera_catalog::id::{DatabaseId, Oid, Part, Space};
use tessera_catalog::model::{Column, Database, Privilege, Relation, Scope as Reach, Table};
use tessera_catalog::storage::{DataFile, PartWriter, Storage};

pub use checks::FailedRow;
pub(super) use checks::{CompiledCheck, Rule};
pub(super) use complete::CompiledGenerated;

use super::foreign::ForeignGuard;
use super::keys::KeyGuard;
use super::transaction::{Fresh, PendingPart};
use crate::error::{Error, Result};
use crate::execute::Cpu;
use crate::policy::{Allowed, Granted};
use checks::told;
use sink::PartSink;
use tenants::by_tenant;

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
