//! Reading a database's objects into memory.

use serde::de::DeserializeOwned;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::key;
use super::persist::CounterRow;
use super::sqlite::Store;
use crate::error::{Error, Result};
use crate::id::DatabaseId;
use crate::model::{
    Acl, Change, Database, DefaultAcl, MaskingPolicy, Membership, Plan, Relation, Role,
    RowSecurity, Schema, Tenant, UserType,
};

impl Store {
    /// A database's objects as last committed; `None` when it was never written.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails, [`Error::Unreadable`] when an object is of a
    /// newer version.
    pub(crate) async fn load(&self, id: DatabaseId, name: &str) -> Result<Option<Database>> {
        // One transaction, so that all tables are seen at the same moment.
        let mut reader = self.readers().begin().await?;
        let Some(counter) = counter(&mut reader, id).await? else {
            return Ok(None);
        };
        let mut database = Database::empty(id, name);
        if id == DatabaseId::System {
            for plan in bodies::<Plan>(&mut reader, "plan", PLANS, None).await? {
                database.apply(&Change::PutPlan(plan));
            }
            for tenant in bodies::<Tenant>(&mut reader, "tenant", TENANTS, None).await? {
                database.apply(&Change::PutTenant(tenant));
            }
        }
        for role in bodies::<Role>(&mut reader, "role", ROLES, Some(id)).await? {
            database.apply(&Change::PutRole(role));
        }
        for membership in
            bodies::<Membership>(&mut reader, "membership", MEMBERSHIPS, Some(id)).await?
        {
            database.memberships.push(membership);
        }
        for schema in bodies::<Schema>(&mut reader, "schema", SCHEMAS, Some(id)).await? {
            database.apply(&Change::PutSchema(schema));
        }
        // Before the relations, whose columns take the newest words of their enums.
        for user_type in bodies::<UserType>(&mut reader, "type", TYPES, Some(id)).await? {
            database.apply(&Change::PutType(user_type));
        }
        for relation in bodies::<Relation>(&mut reader, "relation", RELATIONS, Some(id)).await? {
            database.apply(&Change::PutRelation(relation));
        }
        for security in
            bodies::<RowSecurity>(&mut reader, "row security", ROW_SECURITY, Some(id)).await?
        {
            database.apply(&Change::PutRowSecurity(security));
        }
        let policies =
            bodies::<MaskingPolicy>(&mut reader, "masking policy", MASKING_POLICIES, Some(id));
        for policy in policies.await? {
            database.apply(&Change::PutMaskingPolicy(policy));
        }
        for acl in
            bodies::<DefaultAcl>(&mut reader, "default privilege", DEFAULT_ACLS, Some(id)).await?
        {
            database.default_acls.push(acl);
        }
        load_acls(&mut reader, &mut database).await?;
        database.next_oid = database.next_oid.max(counter.next_oid);
        database.version = counter.version;
        Ok(Some(database))
    }
}

const PLANS: &str = "SELECT body FROM plan";
const TENANTS: &str = "SELECT body FROM tenant";
const ROLES: &str = "SELECT body FROM role WHERE database_id = $1";
const MEMBERSHIPS: &str =
    "SELECT body FROM membership WHERE database_id = $1 ORDER BY role_oid, member_oid";
const SCHEMAS: &str = "SELECT body FROM schema WHERE database_id = $1";
const RELATIONS: &str = "SELECT body FROM relation WHERE database_id = $1";
const TYPES: &str = "SELECT body FROM user_type WHERE database_id = $1 ORDER BY oid";
const ROW_SECURITY: &str = "SELECT body FROM row_security WHERE database_id = $1";
const MASKING_POLICIES: &str = "SELECT body FROM masking_policy WHERE database_id = $1";
const DEFAULT_ACLS: &str =
    "SELECT body FROM default_acl WHERE database_id = $1 ORDER BY role_oid, schema_oid, kind";

async fn counter(from: &mut SqliteConnection, id: DatabaseId) -> Result<Option<CounterRow>> {
    let sql = "SELECT next_oid, version FROM counter WHERE database_id = $1";
    let row = sqlx::query(sql)
        .bind(key::database(id))
        .fetch_optional(from)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let next_oid = key::read_oid(row.try_get(0)?)?.0;
    Ok(Some(CounterRow {
        next_oid,
        version: key::read_count(row.try_get(1)?),
    }))
}

async fn bodies<T: DeserializeOwned>(
    from: &mut SqliteConnection,
    kind: &'static str,
    sql: &'static str,
    database: Option<DatabaseId>,
) -> Result<Vec<T>> {
    let mut query = sqlx::query_scalar::<_, String>(sql);
    if let Some(database) = database {
        query = query.bind(key::database(database));
    }
    let bodies = query.fetch_all(from).await?;
    bodies.iter().map(|body| read(kind, body)).collect()
}

async fn load_acls(from: &mut SqliteConnection, into: &mut Database) -> Result<()> {
    let id = key::database(into.id);
    let sql = "SELECT function, acl FROM function_acl WHERE database_id = $1";
    for row in sqlx::query(sql).bind(&id).fetch_all(&mut *from).await? {
        let acl: Acl = read("privilege", row.try_get(1)?)?;
        into.function_acls.insert(row.try_get(0)?, acl);
    }
    let sql = "SELECT relation_oid, column_number, acl FROM borrowed_acl WHERE database_id = $1";
    for row in sqlx::query(sql).bind(&id).fetch_all(from).await? {
        let column: i64 = row.try_get(1)?;
        let column = i16::try_from(column).map_err(|_| {
            Error::Unusable(format!("the catalog holds an unreadable column {column}"))
        })?;
        let acl: Acl = read("privilege", row.try_get(2)?)?;
        into.borrowed_acls
            .insert((key::read_oid(row.try_get(0)?)?, column), acl);
    }
    Ok(())
}

fn read<T: DeserializeOwned>(kind: &'static str, body: &str) -> Result<T> {
    serde_json::from_str(body).map_err(|source| Error::Unreadable { kind, source })
}
