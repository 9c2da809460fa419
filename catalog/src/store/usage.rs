//! What tenants used, by day and month, and how much their files take.

use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row};

use super::key;
use super::sqlite::Store;
use crate::error::Result;
use crate::id::{DatabaseId, Space, TenantId};
use crate::model::{Period, Usage, Used};

/// How long days are kept, in days.
const DAYS_KEPT: i64 = 92;
/// How long months are kept, in days.
const MONTHS_KEPT: i64 = 3 * 366;

impl Store {
    /// Adds what tenants used on a day to the day and its month, and forgets what is too old.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails; nothing is added then.
    pub(crate) async fn add_usage(&self, day: i64, used: &[(TenantId, Used)]) -> Result<()> {
        let mut writer = self.writer().await?;
        let mut transaction = writer.begin().await?;
        // A tenant that is gone meanwhile leaves nothing.
        let sql = "INSERT INTO tenant_usage (tenant_id, period, first_day, queries, rejected,
                       connections, rows_read, bytes_read, rows_written, bytes_written,
                       rows_returned, cpu_micros, memory_kib_ms)
                   SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
                   WHERE EXISTS (SELECT 1 FROM tenant WHERE id = $1)
                   ON CONFLICT (tenant_id, period, first_day) DO UPDATE SET
                       queries = queries + excluded.queries,
                       rejected = rejected + excluded.rejected,
                       connections = connections + excluded.connections,
                       rows_read = rows_read + excluded.rows_read,
                       bytes_read = bytes_read + excluded.bytes_read,
                       rows_written = rows_written + excluded.rows_written,
                       bytes_written = bytes_written + excluded.bytes_written,
                       rows_returned = rows_returned + excluded.rows_returned,
                       cpu_micros = cpu_micros + excluded.cpu_micros,
                       memory_kib_ms = memory_kib_ms + excluded.memory_kib_ms";
        for (tenant, used) in used {
            for period in Period::ALL {
                sqlx::query(sql)
                    .bind(key::database(DatabaseId::Tenant(*tenant)))
                    .bind(period.name())
                    .bind(period.first_day(day))
                    .bind(key::count(used.queries))
                    .bind(key::count(used.rejected))
                    .bind(key::count(used.connections))
                    .bind(key::count(used.rows_read))
                    .bind(key::count(used.bytes_read))
                    .bind(key::count(used.rows_written))
                    .bind(key::count(used.bytes_written))
                    .bind(key::count(used.rows_returned))
                    .bind(key::count(used.cpu_micros))
                    .bind(key::count(used.memory_kib_ms))
                    .execute(&mut *transaction)
                    .await?;
            }
        }
        for (period, kept) in [(Period::Day, DAYS_KEPT), (Period::Month, MONTHS_KEPT)] {
            sqlx::query("DELETE FROM tenant_usage WHERE period = $1 AND first_day < $2")
                .bind(period.name())
                .bind(day - kept)
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// What one tenant used, or all.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails.
    pub(crate) async fn usage(&self, tenant: Option<TenantId>) -> Result<Vec<Usage>> {
        let sql = "SELECT tenant_id, period, first_day, queries, rejected, connections, rows_read,
                       bytes_read, rows_written, bytes_written, rows_returned, cpu_micros,
                       memory_kib_ms
                   FROM tenant_usage WHERE $1 IS NULL OR tenant_id = $1";
        let rows = sqlx::query(sql)
            .bind(tenant.map(|tenant| key::database(DatabaseId::Tenant(tenant))))
            .fetch_all(self.readers())
            .await?;
        rows.iter()
            .filter_map(|row| read_usage(row).transpose())
            .collect()
    }

    /// The bytes of all visible files by space.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails.
    pub(crate) async fn bytes_by_space(&self) -> Result<Vec<(Space, u64)>> {
        let sql = "SELECT space, SUM(byte_count) FROM part GROUP BY space";
        let rows = sqlx::query(sql).fetch_all(self.readers()).await?;
        rows.iter()
            .map(|row| {
                let space: String = row.try_get(0)?;
                Ok((
                    key::read_space(&space)?,
                    key::read_count(row.try_get::<i64, _>(1)?),
                ))
            })
            .collect()
    }
}

fn read_usage(row: &SqliteRow) -> Result<Option<Usage>> {
    let id: String = row.try_get(0)?;
    let period: String = row.try_get(1)?;
    let tenant = DatabaseId::from_uuid(key::read_uuid(&id)?).tenant();
    let (Some(tenant), Some(period)) = (tenant, Period::named(&period)) else {
        return Ok(None);
    };
    let count = |index: usize| -> Result<u64> { Ok(key::read_count(row.try_get(index)?)) };
    Ok(Some(Usage {
        tenant,
        period,
        first_day: row.try_get(2)?,
        used: Used {
            queries: count(3)?,
            rejected: count(4)?,
            connections: count(5)?,
            rows_read: count(6)?,
            bytes_read: count(7)?,
            rows_written: count(8)?,
            bytes_written: count(9)?,
            rows_returned: count(10)?,
            cpu_micros: count(11)?,
            memory_kib_ms: count(12)?,
        },
    }))
}
