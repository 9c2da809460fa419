//! A batch of changes, written in one transaction.

use serde::Serialize;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::audit;
use super::key;
use super::query::{ErasureRow, PartRow, RedoRow, RemovedFileRow};
use super::sqlite::Store;
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::id::{DatabaseId, Oid, Part, Space, TableUuid, TenantId};
use crate::model::{Change, DefaultAclKind, Relation, RelationBody, RowSecurity, UserType};

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
        let mut writer = self.writer().lock().await;
        let writer = writer
            .as_mut()
            .ok_or_else(|| Error::Unusable("the catalog is closed".into()))?;
        let erases = batch.erases_keys();
        if erases {
            self.overwrite(writer, true).await?;
        }
        let written = self.write_batch(writer, batch).await;
        if erases {
            self.overwrite(writer, false).await?;
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
        let mut writer = self.writer().lock().await;
        let writer = writer
            .as_mut()
            .ok_or_else(|| Error::Unusable("the catalog is closed".into()))?;
        let sql = "INSERT INTO sequence_value (sequence_uuid, database_id, last_value, is_called)
                   VALUES ($1, $2, $3, $4)
                   ON CONFLICT (sequence_uuid, database_id)
                   DO UPDATE SET last_value = excluded.last_value, is_called = excluded.is_called";
        sqlx::query(sql)
            .bind(key::table(sequence))
            .bind(key::database(database))
            .bind(last)
            .bind(i64::from(is_called))
            .execute(writer)
            .await?;
        Ok(())
    }

    /// Forgets an erasure that was done.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails.
    pub(crate) async fn erased(&self, row: &ErasureRow) -> Result<()> {
        let mut writer = self.writer().lock().await;
        let writer = writer
            .as_mut()
            .ok_or_else(|| Error::Unusable("the catalog is closed".into()))?;
        sqlx::query("DELETE FROM erasure WHERE space = $1 AND table_uuid = $2")
            .bind(row.space.prefix())
            .bind(row.table.map(key::table).unwrap_or_default())
            .execute(writer)
            .await?;
        Ok(())
    }

    /// Forgets files of a part that were removed up to a moment and now are erased.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails.
    pub(crate) async fn vacuumed(&self, part: Part, removed_until: i64) -> Result<()> {
        let mut writer = self.writer().lock().await;
        let writer = writer
            .as_mut()
            .ok_or_else(|| Error::Unusable("the catalog is closed".into()))?;
        let sql = "DELETE FROM removed_file
                   WHERE space = $1 AND table_uuid = $2 AND removed_at <= $3";
        sqlx::query(sql)
            .bind(part.space.prefix())
            .bind(key::table(part.table))
            .bind(removed_until)
            .execute(writer)
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

async fn put_change(
    to: &mut SqliteConnection,
    id: DatabaseId,
    change: &Change,
    due_at: i64,
) -> Result<()> {
    let database = key::database(id);
    match change {
        Change::PutTenant(tenant) => {
            let sql = "INSERT INTO tenant (id, oid, name, body) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body";
            sqlx::query(sql)
                .bind(key::database(DatabaseId::Tenant(tenant.id)))
                .bind(key::oid(tenant.oid))
                .bind(&tenant.name)
                .bind(json("tenant", tenant)?)
                .execute(to)
                .await?;
        }
        Change::DropTenant(tenant) => drop_tenant(to, *tenant, due_at).await?,
        Change::PutPlan(plan) => {
            let sql = "INSERT INTO plan (oid, name, body) VALUES ($1, $2, $3)
                       ON CONFLICT (oid) DO UPDATE SET name = excluded.name, body = excluded.body";
            sqlx::query(sql)
                .bind(key::oid(plan.oid))
                .bind(&plan.name)
                .bind(json("plan", plan)?)
                .execute(to)
                .await?;
        }
        Change::DropPlan(plan) => {
            sqlx::query("DELETE FROM plan WHERE oid = $1")
                .bind(key::oid(*plan))
                .execute(to)
                .await?;
        }
        Change::PutRole(role) => {
            let sql = "INSERT INTO role (database_id, oid, name, body) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (database_id, oid)
                       DO UPDATE SET name = excluded.name, body = excluded.body";
            sqlx::query(sql)
                .bind(database)
                .bind(key::oid(role.oid))
                .bind(&role.name)
                .bind(json("role", role)?)
                .execute(to)
                .await?;
        }
        Change::DropRole(role) => {
            let sql = "DELETE FROM membership
                       WHERE database_id = $1 AND (role_oid = $2 OR member_oid = $2)";
            delete_one(to, sql, &database, *role).await?;
            let sql = "DELETE FROM role WHERE database_id = $1 AND oid = $2";
            delete_one(to, sql, &database, *role).await?;
            let sql = "DELETE FROM code_step WHERE database_id = $1 AND role_oid = $2";
            delete_one(to, sql, &database, *role).await?;
        }
        Change::PutMembership(membership) => {
            let sql = "INSERT INTO membership (database_id, role_oid, member_oid, body)
                       VALUES ($1, $2, $3, $4)
                       ON CONFLICT (database_id, role_oid, member_oid)
                       DO UPDATE SET body = excluded.body";
            sqlx::query(sql)
                .bind(database)
                .bind(key::oid(membership.role))
                .bind(key::oid(membership.member))
                .bind(json("membership", membership)?)
                .execute(to)
                .await?;
        }
        Change::DropMembership { role, member } => {
            let sql = "DELETE FROM membership
                       WHERE database_id = $1 AND role_oid = $2 AND member_oid = $3";
            sqlx::query(sql)
                .bind(database)
                .bind(key::oid(*role))
                .bind(key::oid(*member))
                .execute(to)
                .await?;
        }
        Change::PutSchema(schema) => {
            let sql = "INSERT INTO schema (database_id, oid, name, body) VALUES ($1, $2, $3, $4)
                       ON CONFLICT (database_id, oid)
                       DO UPDATE SET name = excluded.name, body = excluded.body";
            sqlx::query(sql)
                .bind(database)
                .bind(key::oid(schema.oid))
                .bind(&schema.name)
                .bind(json("schema", schema)?)
                .execute(to)
                .await?;
        }
        Change::DropSchema(schema) => {
            let sql = "DELETE FROM schema WHERE database_id = $1 AND oid = $2";
            delete_one(to, sql, &database, *schema).await?;
        }
        Change::PutRelation(relation) => put_relation(to, &database, relation).await?,
        Change::DropRelation(relation) => drop_relation(to, &database, *relation, due_at).await?,
        Change::PutDefaultAcl(acl) => {
            let sql = "INSERT INTO default_acl (database_id, role_oid, schema_oid, kind, body)
                       VALUES ($1, $2, $3, $4, $5)
                       ON CONFLICT (database_id, role_oid, schema_oid, kind)
                       DO UPDATE SET body = excluded.body";
            sqlx::query(sql)
                .bind(database)
                .bind(key::oid(acl.role))
                .bind(acl.schema.map_or(0, key::oid))
                .bind(default_acl_kind(acl.kind))
                .bind(json("default privilege", acl)?)
                .execute(to)
                .await?;
        }
        Change::DropDefaultAcl { role, schema, kind } => {
            let sql = "DELETE FROM default_acl
                       WHERE database_id = $1 AND role_oid = $2 AND schema_oid = $3 AND kind = $4";
            sqlx::query(sql)
                .bind(database)
                .bind(key::oid(*role))
                .bind(schema.map_or(0, key::oid))
                .bind(default_acl_kind(*kind))
                .execute(to)
                .await?;
        }
        Change::PutFunctionAcl { function, acl } => {
            let sql = "INSERT INTO function_acl (database_id, function, acl) VALUES ($1, $2, $3)
                       ON CONFLICT (database_id, function) DO UPDATE SET acl = excluded.acl";
            sqlx::query(sql)
                .bind(database)
                .bind(function)
                .bind(json("privilege", acl)?)
                .execute(to)
                .await?;
        }
        Change::PutBorrowedAcl {
            relation,
            column,
            acl,
        } if acl.0.is_empty() => {
            let sql = "DELETE FROM borrowed_acl
                       WHERE database_id = $1 AND relation_oid = $2 AND column_number = $3";
            sqlx::query(sql)
                .bind(database)
                .bind(key::oid(*relation))
                .bind(i64::from(*column))
                .execute(to)
                .await?;
        }
        Change::PutBorrowedAcl {
            relation,
            column,
            acl,
        } => {
            let sql = "INSERT INTO borrowed_acl (database_id, relation_oid, column_number, acl)
                       VALUES ($1, $2, $3, $4)
                       ON CONFLICT (database_id, relation_oid, column_number)
                       DO UPDATE SET acl = excluded.acl";
            sqlx::query(sql)
                .bind(database)
                .bind(key::oid(*relation))
                .bind(i64::from(*column))
                .bind(json("privilege", acl)?)
                .execute(to)
                .await?;
        }
        Change::PutMaskingPolicy(policy) => {
            let sql = "INSERT INTO masking_policy (database_id, oid, name, body)
                       VALUES ($1, $2, $3, $4)
                       ON CONFLICT (database_id, oid)
                       DO UPDATE SET name = excluded.name, body = excluded.body";
            sqlx::query(sql)
                .bind(database)
                .bind(key::oid(policy.oid))
                .bind(&policy.name)
                .bind(json("masking policy", policy)?)
                .execute(to)
                .await?;
        }
        Change::DropMaskingPolicy(policy) => {
            let sql = "DELETE FROM masking_policy WHERE database_id = $1 AND oid = $2";
            delete_one(to, sql, &database, *policy).await?;
        }
        Change::PutType(user_type) => put_type(to, &database, user_type).await?,
        Change::DropType(user_type) => {
            let sql = "DELETE FROM user_type WHERE database_id = $1 AND oid = $2";
            delete_one(to, sql, &database, *user_type).await?;
            let sql = "DELETE FROM dependency WHERE database_id = $1 AND relation_oid = $2";
            delete_one(to, sql, &database, *user_type).await?;
        }
        Change::PutRowSecurity(security) => put_row_security(to, &database, security).await?,
        // The counter's row is written with every batch of its database.
        Change::NextOid(_) => {}
    }
    Ok(())
}

async fn delete_one(
    to: &mut SqliteConnection,
    sql: &'static str,
    database: &str,
    oid: Oid,
) -> Result<()> {
    sqlx::query(sql)
        .bind(database)
        .bind(key::oid(oid))
        .execute(to)
        .await?;
    Ok(())
}

async fn put_relation(
    to: &mut SqliteConnection,
    database: &str,
    relation: &Relation,
) -> Result<()> {
    let sql = "INSERT INTO relation
                   (database_id, oid, schema_oid, name, kind, table_uuid, body)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (database_id, oid)
               DO UPDATE SET schema_oid = excluded.schema_oid, name = excluded.name,
                   kind = excluded.kind, table_uuid = excluded.table_uuid, body = excluded.body";
    let (kind, table, reads) = match &relation.body {
        RelationBody::Table(table) => {
            let read = relation.references().iter().map(|r| r.relation);
            let referred = table.foreign_keys().map(|(_, f)| f.relation);
            let referred: Vec<Oid> = referred.chain(read).collect();
            ("table", Some(key::table(table.uuid)), referred)
        }
        RelationBody::View(view) => {
            let read = view.references.iter().map(|reference| reference.relation);
            ("view", None, read.collect())
        }
        RelationBody::Sequence(sequence) => {
            ("sequence", Some(key::table(sequence.uuid)), Vec::new())
        }
    };
    if let RelationBody::Sequence(_) = &relation.body {
        // A restarted sequence has a new uuid, under which nothing was drawn.
        let sql = "DELETE FROM sequence_value WHERE sequence_uuid <> $3 AND sequence_uuid IN
                       (SELECT table_uuid FROM relation WHERE database_id = $1 AND oid = $2)";
        sqlx::query(sql)
            .bind(database)
            .bind(key::oid(relation.oid))
            .bind(&table)
            .execute(&mut *to)
            .await?;
    }
    sqlx::query(sql)
        .bind(database)
        .bind(key::oid(relation.oid))
        .bind(key::oid(relation.schema))
        .bind(&relation.name)
        .bind(kind)
        .bind(table)
        .bind(json("relation", relation)?)
        .execute(&mut *to)
        .await?;
    let needed = reads.into_iter().chain(relation.user_types());
    put_dependencies(to, database, relation.oid, needed).await
}

async fn put_type(to: &mut SqliteConnection, database: &str, user_type: &UserType) -> Result<()> {
    let sql = "INSERT INTO user_type (database_id, oid, schema_oid, name, body)
               VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (database_id, oid)
               DO UPDATE SET schema_oid = excluded.schema_oid, name = excluded.name,
                   body = excluded.body";
    sqlx::query(sql)
        .bind(database)
        .bind(key::oid(user_type.oid))
        .bind(key::oid(user_type.schema))
        .bind(&user_type.name)
        .bind(json("type", user_type)?)
        .execute(&mut *to)
        .await?;
    put_dependencies(to, database, user_type.oid, user_type.needs()).await
}

/// Writes down what an object cannot be without.
async fn put_dependencies(
    to: &mut SqliteConnection,
    database: &str,
    object: Oid,
    needed: impl Iterator<Item = Oid>,
) -> Result<()> {
    let sql = "DELETE FROM dependency WHERE database_id = $1 AND relation_oid = $2";
    delete_one(to, sql, database, object).await?;
    for target in needed {
        let sql = "INSERT INTO dependency (database_id, relation_oid, target_oid)
                   VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        sqlx::query(sql)
            .bind(database)
            .bind(key::oid(object))
            .bind(key::oid(target))
            .execute(&mut *to)
            .await?;
    }
    Ok(())
}

async fn put_row_security(
    to: &mut SqliteConnection,
    database: &str,
    security: &RowSecurity,
) -> Result<()> {
    if security.is_none() {
        let sql = "DELETE FROM row_security WHERE database_id = $1 AND relation_oid = $2";
        return delete_one(to, sql, database, security.relation).await;
    }
    let sql = "INSERT INTO row_security (database_id, relation_oid, body) VALUES ($1, $2, $3)
               ON CONFLICT (database_id, relation_oid) DO UPDATE SET body = excluded.body";
    sqlx::query(sql)
        .bind(database)
        .bind(key::oid(security.relation))
        .bind(json("row security", security)?)
        .execute(to)
        .await?;
    Ok(())
}

async fn drop_relation(
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

async fn drop_tenant(to: &mut SqliteConnection, tenant: TenantId, due_at: i64) -> Result<()> {
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

async fn put_part(to: &mut SqliteConnection, row: &PartRow) -> Result<()> {
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

async fn put_redo(to: &mut SqliteConnection, row: &RedoRow) -> Result<()> {
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

async fn put_removed_file(to: &mut SqliteConnection, row: &RemovedFileRow) -> Result<()> {
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

fn json<T: Serialize>(kind: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| Error::Unreadable { kind, source })
}

fn default_acl_kind(kind: DefaultAclKind) -> &'static str {
    match kind {
        DefaultAclKind::Table => "table",
        DefaultAclKind::Function => "function",
        DefaultAclKind::Schema => "schema",
    }
}
