//! Changes of a database's objects.

use serde::Serialize;
use sqlx::sqlite::SqliteConnection;

use super::drops::{drop_relation, drop_tenant};
use crate::error::{Error, Result};
use crate::id::{DatabaseId, Oid};
use crate::model::{Change, DefaultAclKind, Relation, RelationBody, RowSecurity, UserType};
use crate::store::key;

pub(super) async fn put_change(
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
            let body = json("role", role)?;
            put_named(to, sql, &database, (role.oid, &role.name, body)).await?;
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
            let body = json("schema", schema)?;
            put_named(to, sql, &database, (schema.oid, &schema.name, body)).await?;
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
            let body = json("masking policy", policy)?;
            put_named(to, sql, &database, (policy.oid, &policy.name, body)).await?;
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

/// Runs a statement about an object of a database: its number, name and body follow the database.
async fn put_named(
    to: &mut SqliteConnection,
    sql: &'static str,
    database: &str,
    (oid, name, body): (Oid, &str, String),
) -> Result<()> {
    sqlx::query(sql)
        .bind(database)
        .bind(key::oid(oid))
        .bind(name)
        .bind(body)
        .execute(to)
        .await?;
    Ok(())
}

pub(super) async fn delete_one(
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
