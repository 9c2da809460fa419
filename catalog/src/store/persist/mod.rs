//! A batch of changes, written in one transaction.

mod drops;
mod objects;
mod parts;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::audit;
use super::key;
use super::query::{ErasureRow, PartRow, RedoRow, RemovedFileRow};
use super::sqlite::Store;
use crate::audit::Event;
use crate::error::Result;
use crate::id::{DatabaseId, Part, TableUuid};
use crate::model::Change;
use objects::put_change;
use parts::{put_part, put_redo, put_removed_file};

/// What one transaction writes; its lists are applied in the order of the fields.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) databases: Vec<DatabaseBatch>,
    pub(crate) parts: Vec<PartRow>,
    pub(crate) redo: Vec<RedoRow>,
    pub(crate) removed_files: Vec<RemovedFileRow>,
    /// What is to be known of it; in the audit as soon as the batch is durable.
    pub(crate) audit: Vec<Event>,
    /// Numbers of redo records whose entries are durable: first and last of each run.
    pub(crate) redone: Vec<(i64, i64)>,
    /// When the files of dropped tables and tenants may be erased.
    pub(crate) due_at: i64,
}

impl Batch {
    /// Whether it may take keys away, of which nothing is to be left in the file.
    fn erases_keys(&self) -> bool {
        let mut changes = self.databases.iter().flat_map(|batch| &batch.changes);
        changes.any(|change| matches!(change, Change::PutTenant(_) | Change::DropTenant(_)))
    }
}

/// Changes of one database's objects, in order.
#[derive(Debug)]
pub(crate) struct DatabaseBatch {
    pub(crate) id: DatabaseId,
    pub(crate) changes: Vec<Change>,
    pub(crate) counter: CounterRow,
}

/// A database's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CounterRow {
    pub(crate) next_oid: u32,
    pub(crate) version: u64,
}

impl Store {
    /// Writes the batch; it is durable when this returns, and wholly absent when it fails.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when a part is not at the version before, [`Error::DiskFull`] and
    /// [`Error::Database`] when the database fails.
    pub(crate) async fn persist(&self, batch: &Batch) -> Result<()> {
        let mut writer = self.writer().await?;
        let erases = batch.erases_keys();
        if erases {
            self.overwrite(&mut writer, true).await?;
        }
        let written = self.write_batch(&mut writer, batch).await;
        if erases {
            self.overwrite(&mut writer, false).await?;
        }
        written
    }

    async fn write_batch(&self, writer: &mut SqliteConnection, batch: &Batch) -> Result<()> {
        let mut transaction = writer.begin().await?;
        for database in &batch.databases {
            put_database(&mut transaction, database, batch.due_at).await?;
        }
        for row in &batch.parts {
            put_part(&mut transaction, row).await?;
        }
        for row in &batch.redo {
            put_redo(&mut transaction, row).await?;
        }
        for row in &batch.removed_files {
            put_removed_file(&mut transaction, row).await?;
        }
        for (first, last) in &batch.redone {
            sqlx::query("DELETE FROM redo WHERE number BETWEEN $1 AND $2")
                .bind(first)
                .bind(last)
                .execute(&mut *transaction)
                .await?;
        }
        if batch.audit.is_empty() {
            transaction.commit().await?;
            return Ok(());
        }
        let mut chain = self.chain().lock().await;
        let tip = audit::append(&mut transaction, &chain, &batch.audit).await?;
        transaction.commit().await?;
        chain.tip = tip;
        Ok(())
    }

    /// Makes durable how far a sequence has gone.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails.
    pub(crate) async fn put_sequence(
        &self,
        sequence: TableUuid,
        database: DatabaseId,
        last: i64,
        is_called: bool,
    ) -> Result<()> {
        let mut writer = self.writer().await?;
        let sql = "INSERT INTO sequence_value (sequence_uuid, database_id, last_value, is_called)
                   VALUES ($1, $2, $3, $4)
                   ON CONFLICT (sequence_uuid, database_id)
                   DO UPDATE SET last_value = excluded.last_value, is_called = excluded.is_called";
        sqlx::query(sql)
            .bind(key::table(sequence))
            .bind(key::database(database))
            .bind(last)
            .bind(i64::from(is_called))
            .execute(&mut *writer)
            .await?;
        Ok(())
    }

    /// Forgets an erasure that was done.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails.
    pub(crate) async fn erased(&self, row: &ErasureRow) -> Result<()> {
        let mut writer = self.writer().await?;
        sqlx::query("DELETE FROM erasure WHERE space = $1 AND table_uuid = $2")
            .bind(row.space.prefix())
            .bind(row.table.map(key::table).unwrap_or_default())
            .execute(&mut *writer)
            .await?;
        Ok(())
    }

    /// Forgets files of a part that were removed up to a moment and now are erased.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails.
    pub(crate) async fn vacuumed(&self, part: Part, removed_until: i64) -> Result<()> {
        let mut writer = self.writer().await?;
        let sql = "DELETE FROM removed_file
                   WHERE space = $1 AND table_uuid = $2 AND removed_at <= $3";
        sqlx::query(sql)
            .bind(part.space.prefix())
            .bind(key::table(part.table))
            .bind(removed_until)
            .execute(&mut *writer)
            .await?;
        Ok(())
    }
}

async fn put_database(to: &mut SqliteConnection, batch: &DatabaseBatch, due_at: i64) -> Result<()> {
    for change in &batch.changes {
        put_change(to, batch.id, change, due_at).await?;
    }
    let sql = "INSERT INTO counter (database_id, next_oid, version) VALUES ($1, $2, $3)
               ON CONFLICT (database_id)
               DO UPDATE SET next_oid = excluded.next_oid, version = excluded.version";
    sqlx::query(sql)
        .bind(key::database(batch.id))
        .bind(i64::from(batch.counter.next_oid))
        .bind(key::count(batch.counter.version))
        .execute(to)
        .await?;
    Ok(())
}
