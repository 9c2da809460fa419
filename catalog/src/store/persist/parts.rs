//! Versions of parts, log entries to redo, and files that were removed.

use sqlx::sqlite::SqliteConnection;

use crate::error::{Error, Result};
use crate::store::key;
use crate::store::query::{PartRow, RedoRow, RemovedFileRow};

pub(super) async fn put_part(to: &mut SqliteConnection, row: &PartRow) -> Result<()> {
    // A part at another version than the one before means that memory and database disagree.
    let sql = "INSERT INTO part (space, table_uuid, version, schema_version, row_count, byte_count,
                   updated_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (space, table_uuid)
               DO UPDATE SET version = excluded.version, schema_version = excluded.schema_version,
                   row_count = excluded.row_count, byte_count = excluded.byte_count,
                   updated_at = excluded.updated_at
               WHERE part.version = excluded.version - 1";
    let done = sqlx::query(sql)
        .bind(row.part.space.prefix())
        .bind(key::table(row.part.table))
        .bind(row.version)
        .bind(key::count(row.schema_version))
        .bind(key::count(row.rows))
        .bind(key::count(row.bytes))
        .bind(row.updated_at)
        .execute(to)
        .await?;
    if done.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Error::Conflict)
    }
}

pub(super) async fn put_redo(to: &mut SqliteConnection, row: &RedoRow) -> Result<()> {
    let sql = "INSERT INTO redo (number, commit_id, space, table_uuid, version, table_name, entry)
               VALUES ($1, $2, $3, $4, $5, $6, $7)";
    sqlx::query(sql)
        .bind(row.number)
        .bind(row.commit_id.to_string())
        .bind(row.part.space.prefix())
        .bind(key::table(row.part.table))
        .bind(row.version)
        .bind(&row.table_name)
        .bind(&row.entry)
        .execute(to)
        .await?;
    Ok(())
}

pub(super) async fn put_removed_file(
    to: &mut SqliteConnection,
    row: &RemovedFileRow,
) -> Result<()> {
    let sql = "INSERT INTO removed_file (space, table_uuid, path, removed_at)
               VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    sqlx::query(sql)
        .bind(row.part.space.prefix())
        .bind(key::table(row.part.table))
        .bind(&row.path)
        .bind(row.removed_at)
        .execute(to)
        .await?;
    Ok(())
}
