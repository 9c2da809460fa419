//! What goes with a relation or a tenant; the eraser takes the files.

use sqlx::sqlite::SqliteConnection;

use super::objects::delete_one;
use crate::error::Result;
use crate::id::{DatabaseId, Oid, Space, TenantId};
use crate::store::key;

pub(super) async fn drop_relation(
    to: &mut SqliteConnection,
    database: &str,
    relation: Oid,
    due_at: i64,
) -> Result<()> {
    let sql = "SELECT table_uuid FROM relation WHERE database_id = $1 AND oid = $2";
    let table: Option<Option<String>> = sqlx::query_scalar(sql)
        .bind(database)
        .bind(key::oid(relation))
        .fetch_optional(&mut *to)
        .await?;
    if let Some(Some(table)) = table {
        drop_table_parts(to, &table, due_at).await?;
        sqlx::query("DELETE FROM sequence_value WHERE sequence_uuid = $1")
            .bind(&table)
            .execute(&mut *to)
            .await?;
    }
    let sql = "DELETE FROM relation WHERE database_id = $1 AND oid = $2";
    delete_one(to, sql, database, relation).await?;
    let sql = "DELETE FROM dependency WHERE database_id = $1 AND relation_oid = $2";
    delete_one(to, sql, database, relation).await?;
    let sql = "DELETE FROM row_security WHERE database_id = $1 AND relation_oid = $2";
    delete_one(to, sql, database, relation).await?;
    if database == key::SYSTEM {
        // What tenants granted on it, and how they narrowed it, goes with it.
        for sql in [
            "DELETE FROM borrowed_acl WHERE relation_oid = $1",
            "DELETE FROM row_security WHERE relation_oid = $1",
        ] {
            sqlx::query(sql)
                .bind(key::oid(relation))
                .execute(&mut *to)
                .await?;
        }
    }
    Ok(())
}

/// Leaves the files of a dropped table to the eraser, in whatever spaces they are.
async fn drop_table_parts(to: &mut SqliteConnection, table: &str, due_at: i64) -> Result<()> {
    let sql = "INSERT INTO erasure (space, table_uuid, due_at)
               SELECT space, table_uuid, $2 FROM part WHERE table_uuid = $1
               ON CONFLICT DO NOTHING";
    sqlx::query(sql)
        .bind(table)
        .bind(due_at)
        .execute(&mut *to)
        .await?;
    for sql in [
        "DELETE FROM redo WHERE (space, table_uuid) IN
             (SELECT space, table_uuid FROM part WHERE table_uuid = $1)",
        "DELETE FROM removed_file WHERE (space, table_uuid) IN
             (SELECT space, table_uuid FROM part WHERE table_uuid = $1)",
        "DELETE FROM part WHERE table_uuid = $1",
    ] {
        sqlx::query(sql).bind(table).execute(&mut *to).await?;
    }
    Ok(())
}

pub(super) async fn drop_tenant(
    to: &mut SqliteConnection,
    tenant: TenantId,
    due_at: i64,
) -> Result<()> {
    let database = key::database(DatabaseId::Tenant(tenant));
    for sql in [
        "DELETE FROM role WHERE database_id = $1",
        "DELETE FROM membership WHERE database_id = $1",
        "DELETE FROM schema WHERE database_id = $1",
        "DELETE FROM relation WHERE database_id = $1",
        "DELETE FROM dependency WHERE database_id = $1",
        "DELETE FROM default_acl WHERE database_id = $1",
        "DELETE FROM function_acl WHERE database_id = $1",
        "DELETE FROM borrowed_acl WHERE database_id = $1",
        "DELETE FROM sequence_value WHERE database_id = $1",
        "DELETE FROM row_security WHERE database_id = $1",
        "DELETE FROM masking_policy WHERE database_id = $1",
        "DELETE FROM code_step WHERE database_id = $1",
        "DELETE FROM user_type WHERE database_id = $1",
        "DELETE FROM tenant_usage WHERE tenant_id = $1",
        "DELETE FROM counter WHERE database_id = $1",
        "DELETE FROM tenant WHERE id = $1",
    ] {
        sqlx::query(sql).bind(&database).execute(&mut *to).await?;
    }
    let space = Space::Tenant(tenant).prefix();
    for sql in [
        "DELETE FROM redo WHERE space = $1",
        "DELETE FROM removed_file WHERE space = $1",
        "DELETE FROM part WHERE space = $1",
        "DELETE FROM erasure WHERE space = $1",
    ] {
        sqlx::query(sql).bind(&space).execute(&mut *to).await?;
    }
    sqlx::query("INSERT INTO erasure (space, table_uuid, due_at) VALUES ($1, '', $2)")
        .bind(&space)
        .bind(due_at)
        .execute(to)
        .await?;
    Ok(())
}
