//! What logins ask of the catalog's database itself: one-time codes that were spent, and how the
//! server's roles keep their passwords.

use sqlx::Row;

use super::key;
use super::sqlite::Store;
use crate::error::Result;
use crate::id::{DatabaseId, Oid};

impl Store {
    /// Spends the one-time code of a time step; false if it or a later one was spent before. It is
    /// durable when this returns.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails; so below.
    pub(crate) async fn spend_code(
        &self,
        database: DatabaseId,
        role: Oid,
        step: i64,
    ) -> Result<bool> {
        let mut writer = self.writer().await?;
        let sql = "INSERT INTO code_step (database_id, role_oid, step) VALUES ($1, $2, $3)
                   ON CONFLICT (database_id, role_oid)
                   DO UPDATE SET step = excluded.step WHERE code_step.step < excluded.step";
        let done = sqlx::query(sql)
            .bind(key::database(database))
            .bind(key::oid(role))
            .bind(step)
            .execute(&mut *writer)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// How many roles of all databases may log in, and how many of them are asked for the password
    /// itself. Bodies are JSON, in which a quote within a text is written with a backslash before it, so
    /// no text can look like a member.
    pub(crate) async fn login_counts(&self) -> Result<(u64, u64)> {
        let sql = r#"SELECT count(*), coalesce(sum(CASE
                       WHEN body LIKE '%"password":"$argon2id$%' THEN 1
                       WHEN body LIKE '%"second_factor":"%' THEN 1 ELSE 0 END), 0)
                     FROM role WHERE body LIKE '%"login":true%'"#;
        let row = sqlx::query(sql).fetch_one(self.readers()).await?;
        Ok((
            key::read_count(row.try_get(0)?),
            key::read_count(row.try_get(1)?),
        ))
    }
}
