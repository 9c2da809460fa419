//! Parts, redo records and what else is asked for by key.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::key;
use super::sqlite::Store;
use crate::error::Result;
use crate::id::{DatabaseId, Oid, Part, Space, TableUuid};

const PARTS_OF_TABLE: &str =
    "SELECT space, table_uuid, version, schema_version, row_count, byte_count, updated_at
     FROM part WHERE table_uuid = $1";
const PARTS_OF_SPACE: &str =
    "SELECT space, table_uuid, version, schema_version, row_count, byte_count, updated_at
     FROM part WHERE space = $1";

/// The visible version of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartRow {
    pub(crate) part: Part,
    pub(crate) version: i64,
    /// Of the newest columns in the part's log.
    pub(crate) schema_version: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Milliseconds since 1970.
    pub(crate) updated_at: i64,
}

/// The log entry of a visible version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RedoRow {
    /// Grows with each record.
    pub(crate) number: i64,
    pub(crate) commit_id: Uuid,
    pub(crate) part: Part,
    pub(crate) version: i64,
    /// For errors only.
    pub(crate) table_name: String,
    pub(crate) entry: String,
}

/// A file that stopped being visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RemovedFileRow {
    pub(crate) part: Part,
    pub(crate) path: String,
    /// Milliseconds since 1970.
    pub(crate) removed_at: i64,
}

/// Files without an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErasureRow {
    pub(crate) space: Space,
    /// `None` for the whole space.
    pub(crate) table: Option<TableUuid>,
    /// Milliseconds since 1970.
    pub(crate) due_at: i64,
}

impl Store {
    /// A part, unless it was never written.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Database`] when the database fails; so all below.
    pub(crate) async fn part(&self, part: Part) -> Result<Option<PartRow>> {
        let sql = "SELECT space, table_uuid, version, schema_version, row_count, byte_count,
                       updated_at
                   FROM part WHERE space = $1 AND table_uuid = $2";
        let row = sqlx::query(sql)
            .bind(part.space.prefix())
            .bind(key::table(part.table))
            .fetch_optional(self.readers())
            .await?;
        row.as_ref().map(read_part).transpose()
    }

    /// How far a sequence has gone: its last value, and whether it was given.
    pub(crate) async fn sequence(
        &self,
        sequence: TableUuid,
        database: DatabaseId,
    ) -> Result<Option<(i64, bool)>> {
        let sql = "SELECT last_value, is_called FROM sequence_value
                   WHERE sequence_uuid = $1 AND database_id = $2";
        let row = sqlx::query(sql)
            .bind(key::table(sequence))
            .bind(key::database(database))
            .fetch_optional(self.readers())
            .await?;
        row.map(|row| Ok((row.try_get(0)?, row.try_get::<i64, _>(1)? != 0)))
            .transpose()
    }

    /// Whether log entries of a space's parts are still kept here from before a number.
    pub(crate) async fn has_redo(&self, space: Space, before: i64) -> Result<bool> {
        let sql = "SELECT 1 FROM redo WHERE space = $1 AND number < $2 LIMIT 1";
        let found = sqlx::query(sql)
            .bind(space.prefix())
            .bind(before)
            .fetch_optional(self.readers())
            .await?;
        Ok(found.is_some())
    }

    /// All parts of a table.
    pub(crate) async fn parts_of(&self, table: TableUuid) -> Result<Vec<PartRow>> {
        let rows = sqlx::query(PARTS_OF_TABLE)
            .bind(key::table(table))
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(read_part).collect()
    }

    /// All parts in a space.
    pub(crate) async fn parts_in(&self, space: Space) -> Result<Vec<PartRow>> {
        let rows = sqlx::query(PARTS_OF_SPACE)
            .bind(space.prefix())
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(read_part).collect()
    }

    /// All parts in spaces and all parts of tables, at one moment.
    pub(crate) async fn parts_at_once(
        &self,
        spaces: &[Space],
        tables: &[TableUuid],
    ) -> Result<Vec<PartRow>> {
        // A reading transaction keeps to what was there at its first statement.
        let mut reading = self.readers().begin().await?;
        let mut parts = Vec::new();
        for space in spaces {
            let query = sqlx::query(PARTS_OF_SPACE).bind(space.prefix());
            for row in &query.fetch_all(&mut *reading).await? {
                parts.push(read_part(row)?);
            }
        }
        for table in tables {
            let query = sqlx::query(PARTS_OF_TABLE).bind(key::table(*table));
            for row in &query.fetch_all(&mut *reading).await? {
                parts.push(read_part(row)?);
            }
        }
        reading.rollback().await?;
        Ok(parts)
    }

    /// Redo records above a number, the oldest first, at most `limit`.
    pub(crate) async fn redo_after(&self, number: i64, limit: i64) -> Result<Vec<RedoRow>> {
        let sql =
            "SELECT number, commit_id, space, table_uuid, version, table_name, entry FROM redo
                   WHERE number > $1 ORDER BY number LIMIT $2";
        let rows = sqlx::query(sql)
            .bind(number)
            .bind(limit)
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(read_redo).collect()
    }

    /// The files of a part that stopped being visible, and when.
    pub(crate) async fn removed_files(&self, part: Part) -> Result<Vec<RemovedFileRow>> {
        let sql = "SELECT path, removed_at FROM removed_file WHERE space = $1 AND table_uuid = $2";
        let rows = sqlx::query(sql)
            .bind(part.space.prefix())
            .bind(key::table(part.table))
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let (path, removed_at) = (row.try_get(0)?, row.try_get(1)?);
                Ok(RemovedFileRow {
                    part,
                    path,
                    removed_at,
                })
            })
            .collect()
    }

    /// Parts with files that stopped being visible up to a moment, at most `limit`.
    pub(crate) async fn parts_to_vacuum(
        &self,
        removed_until: i64,
        limit: i64,
    ) -> Result<Vec<Part>> {
        let sql = "SELECT DISTINCT space, table_uuid FROM removed_file
                   WHERE removed_at <= $1 LIMIT $2";
        let rows = sqlx::query(sql)
            .bind(removed_until)
            .bind(limit)
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(|row| read_part_key(row, 0)).collect()
    }

    /// Erasures that are due at a moment, at most `limit`.
    pub(crate) async fn erasures_due(&self, moment: i64, limit: i64) -> Result<Vec<ErasureRow>> {
        let sql = "SELECT space, table_uuid, due_at FROM erasure
                   WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
        let rows = sqlx::query(sql)
            .bind(moment)
            .bind(limit)
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let table: String = row.try_get(1)?;
                let table = if table.is_empty() {
                    None
                } else {
                    Some(key::read_uuid(&table)?)
                };
                Ok(ErasureRow {
                    space: key::read_space(row.try_get(0)?)?,
                    table: table.map(TableUuid::from_uuid),
                    due_at: row.try_get(2)?,
                })
            })
            .collect()
    }

    /// Names of the tenants that have a relation of their own under a schema's and relation's name.
    pub(crate) async fn tenants_using_name(&self, schema: &str, name: &str) -> Result<Vec<String>> {
        // A tenant's relation is in a schema of its own or in one that the system lends it.
        let sql = "SELECT DISTINCT t.name FROM relation r
                   JOIN tenant t ON t.id = r.database_id
                   JOIN schema s ON s.oid = r.schema_oid AND s.database_id IN (r.database_id, $3)
                   WHERE r.name = $2 AND s.name = $1 ORDER BY t.name";
        let names = sqlx::query_scalar(sql)
            .bind(schema)
            .bind(name)
            .bind(key::SYSTEM)
            .fetch_all(self.readers())
            .await?;
        Ok(names)
    }

    /// Names of the tenants that have a type of their own under this name.
    pub(crate) async fn tenants_using_type(&self, schema: &str, name: &str) -> Result<Vec<String>> {
        let sql = "SELECT DISTINCT t.name FROM user_type u
                   JOIN tenant t ON t.id = u.database_id
                   JOIN schema s ON s.oid = u.schema_oid AND s.database_id IN (u.database_id, $3)
                   WHERE u.name = $2 AND s.name = $1 ORDER BY t.name";
        let names = sqlx::query_scalar(sql)
            .bind(schema)
            .bind(name)
            .bind(key::SYSTEM)
            .fetch_all(self.readers())
            .await?;
        Ok(names)
    }

    /// Names of the tenants that have a role of this name.
    pub(crate) async fn tenants_with_role(&self, name: &str) -> Result<Vec<String>> {
        let sql = "SELECT t.name FROM role r JOIN tenant t ON t.id = r.database_id
                   WHERE r.name = $1 ORDER BY t.name";
        Ok(sqlx::query_scalar(sql)
            .bind(name)
            .fetch_all(self.readers())
            .await?)
    }

    /// Views that read a relation and tables that refer to it, by database.
    pub(crate) async fn dependants_of(&self, target: Oid) -> Result<Vec<(DatabaseId, Oid)>> {
        let sql = "SELECT database_id, relation_oid FROM dependency
                   WHERE target_oid = $1 ORDER BY database_id, relation_oid";
        let rows = sqlx::query(sql)
            .bind(key::oid(target))
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .map(|row| {
                let database = DatabaseId::from_uuid(key::read_uuid(row.try_get(0)?)?);
                Ok((database, key::read_oid(row.try_get(1)?)?))
            })
            .collect()
    }
}

fn read_part_key(row: &SqliteRow, first: usize) -> Result<Part> {
    let space = key::read_space(row.try_get(first)?)?;
    let table = TableUuid::from_uuid(key::read_uuid(row.try_get(first + 1)?)?);
    Ok(Part { space, table })
}

fn read_part(row: &SqliteRow) -> Result<PartRow> {
    Ok(PartRow {
        part: read_part_key(row, 0)?,
        version: row.try_get(2)?,
        schema_version: key::read_count(row.try_get(3)?),
        rows: key::read_count(row.try_get(4)?),
        bytes: key::read_count(row.try_get(5)?),
        updated_at: row.try_get(6)?,
    })
}

fn read_redo(row: &SqliteRow) -> Result<RedoRow> {
    Ok(RedoRow {
        number: row.try_get(0)?,
        commit_id: key::read_uuid(row.try_get(1)?)?,
        part: read_part_key(row, 2)?,
        version: row.try_get(4)?,
        table_name: row.try_get(5)?,
        entry: row.try_get(6)?,
    })
}
