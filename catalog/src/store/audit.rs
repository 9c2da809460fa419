//! The audit's records and the anchors of their chain.

use std::path::Path;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};

use super::key;
use super::sqlite::Store;
use crate::audit::{
    BROKEN, Chain, Event, Link, LoginSummary, Record, SUCCESS, Tip, Verdict, Walk, load_key,
};
use crate::error::{Error, Result};
use crate::id::DatabaseId;

/// The anchor of the chain's end.
const HEAD: &str = "head";
/// The anchor of the last record that was pruned.
const PRUNED: &str = "pruned";
/// Records that are read at once.
const PAGE: i64 = 1_000;
/// The most records that one round of pruning takes.
const MAX_PRUNED: i64 = 20_000;

const LINK: &str = "number, database_id, at, kind, login, operator, body, hash";

/// An anchor, and whether its seal is the server's own.
struct Anchor {
    tip: Tip,
    is_sealed: bool,
}

/// Finds the chain of a database, or begins one. What is found broken becomes a record, so that going
/// on does not hide it.
pub(super) async fn open(writer: &mut SqliteConnection, folder: &Path) -> Result<Chain> {
    let (key, had_key) = load_key(folder)?;
    let mut chain = Chain::new(Tip::default(), key);
    let head = anchor(writer, &chain, HEAD).await?;
    let last = last_link(writer).await?;
    let event = match (&head, &last) {
        (Some(Anchor { tip, is_sealed }), _) => {
            chain.tip = *tip;
            if *is_sealed {
                return Ok(chain);
            }
            Event::of_audit(
                "SEAL",
                Some("the end of the audit was not sealed by it".to_owned()),
                BROKEN,
            )
        }
        (None, None) if !had_key => Event::of_audit("BEGIN", None, SUCCESS),
        (None, last) => {
            chain.tip = last.unwrap_or_default();
            let what = "the end of the audit was gone".to_owned();
            Event::of_audit("SEAL", Some(what), BROKEN)
        }
    };
    if event.sqlstate == BROKEN {
        tracing::error!(object = event.object, "the audit was found broken");
    }
    let mut transaction = writer.begin().await?;
    let tip = append(&mut transaction, &chain, &[event]).await?;
    transaction.commit().await?;
    chain.tip = tip;
    Ok(chain)
}

/// Appends events in a transaction; the end is the caller's to keep once that is durable.
pub(super) async fn append(
    to: &mut SqliteConnection,
    chain: &Chain,
    events: &[Event],
) -> Result<Tip> {
    let (links, tip) = chain.tip.follow(events)?;
    for link in links {
        let sql = "INSERT INTO audit (number, database_id, at, kind, login, operator, body, hash)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        sqlx::query(sql)
            .bind(link.number)
            .bind(key::database(link.database))
            .bind(link.at)
            .bind(link.kind)
            .bind(link.login)
            .bind(i64::from(link.operator))
            .bind(link.body)
            .bind(link.hash)
            .execute(&mut *to)
            .await?;
    }
    put_anchor(to, chain, HEAD, tip).await?;
    Ok(tip)
}

async fn put_anchor(to: &mut SqliteConnection, chain: &Chain, name: &str, tip: Tip) -> Result<()> {
    let sql = "INSERT INTO audit_anchor (name, number, hash, seal) VALUES ($1, $2, $3, $4)
               ON CONFLICT (name) DO UPDATE
               SET number = excluded.number, hash = excluded.hash, seal = excluded.seal";
    sqlx::query(sql)
        .bind(name)
        .bind(tip.number)
        .bind(tip.hex())
        .bind(chain.seal(name, tip)?)
        .execute(to)
        .await?;
    Ok(())
}

async fn anchor(from: &mut SqliteConnection, chain: &Chain, name: &str) -> Result<Option<Anchor>> {
    let sql = "SELECT number, hash, seal FROM audit_anchor WHERE name = $1";
    let row = sqlx::query(sql).bind(name).fetch_optional(from).await?;
    let Some(row) = row else { return Ok(None) };
    let (number, hash, seal): (i64, String, String) =
        (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    let read = Tip::read(number, &hash);
    let tip = read.unwrap_or(Tip {
        number,
        ..Tip::default()
    });
    let is_sealed = read.is_some() && chain.seal(name, tip)? == seal;
    Ok(Some(Anchor { tip, is_sealed }))
}

async fn last_link(from: &mut SqliteConnection) -> Result<Option<Tip>> {
    let sql = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
    let row = sqlx::query(sql).fetch_optional(from).await?;
    let Some(row) = row else { return Ok(None) };
    let (number, hash): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Some(Tip::read(number, &hash).unwrap_or(Tip {
        number,
        ..Tip::default()
    })))
}

async fn links(from: &mut SqliteConnection, after: i64, until: i64) -> Result<Vec<Link>> {
    let sql = format!(
        "SELECT {LINK} FROM audit WHERE number > $1 AND number <= $2 ORDER BY number LIMIT {PAGE}"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(after)
        .bind(until)
        .fetch_all(from)
        .await?;
    rows.iter().map(read_link).collect()
}

fn read_link(row: &SqliteRow) -> Result<Link> {
    Ok(Link {
        number: row.try_get(0)?,
        database: DatabaseId::from_uuid(key::read_uuid(row.try_get(1)?)?),
        at: row.try_get(2)?,
        kind: row.try_get(3)?,
        login: row.try_get(4)?,
        operator: row.try_get::<i64, _>(5)? != 0,
        body: row.try_get(6)?,
        hash: row.try_get(7)?,
    })
}

/// Walks along the links up to a number.
async fn walk(from: &mut SqliteConnection, mut walk: Walk, until: i64) -> Result<Walk> {
    loop {
        let page = links(from, walk.tip().number, until).await?;
        if page.is_empty() {
            return Ok(walk);
        }
        page.iter().for_each(|link| walk.step(link));
    }
}

impl Store {
    /// Records after a number, the oldest first, of one database or of all.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the database fails, [`Error::Unreadable`] for a record of a newer
    /// version; so below.
    pub(crate) async fn audit_after(
        &self,
        database: Option<DatabaseId>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Record>> {
        let of = match database {
            Some(_) => "AND database_id = $3",
            None => "",
        };
        let sql =
            format!("SELECT {LINK} FROM audit WHERE number > $1 {of} ORDER BY number LIMIT $2");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after)
            .bind(limit);
        if let Some(database) = database {
            query = query.bind(key::database(database));
        }
        let rows = query.fetch_all(self.readers()).await?;
        let record = |row: &SqliteRow| {
            let link = read_link(row)?;
            let event = serde_json::from_str(&link.body).map_err(|source| Error::Unreadable {
                kind: "audit record",
                source,
            })?;
            Ok(Record {
                number: link.number,
                hash: link.hash,
                body: link.body,
                event,
            })
        };
        rows.iter().map(record).collect()
    }

    /// Walks the whole chain.
    ///
    /// # Errors
    ///
    /// As [`Store::audit_after`].
    pub(crate) async fn audit_verify(&self) -> Result<Verdict> {
        // A reading transaction keeps the anchors and the records to one moment.
        let mut reading = self.readers().begin().await?;
        let (head, pruned) = {
            let chain = self.chain().lock().await;
            let head = anchor(&mut reading, &chain, HEAD).await?;
            (head, anchor(&mut reading, &chain, PRUNED).await?)
        };
        let mut begin = Walk::after(pruned.as_ref().map(|pruned| pruned.tip));
        if let Some(Anchor { tip, .. }) = pruned.filter(|pruned| !pruned.is_sealed) {
            begin.object(
                tip.number,
                "the checkpoint of what was pruned is not sealed",
            );
        }
        let mut walked = walk(&mut reading, begin, i64::MAX).await?;
        if let Some(Anchor { tip, .. }) = head.as_ref().filter(|head| !head.is_sealed) {
            walked.object(tip.number, "the chain's end is not sealed by this server");
        }
        reading.rollback().await?;
        Ok(walked.finish(head.map(|head| head.tip)))
    }

    /// Who logged in and who failed to, since the oldest record, by name and database.
    ///
    /// # Errors
    ///
    /// As [`Store::audit_after`].
    pub(crate) async fn logins(&self) -> Result<Vec<LoginSummary>> {
        let sql = "SELECT database_id, login, operator,
                       MAX(CASE WHEN kind = 'login' THEN at END),
                       SUM(CASE WHEN kind = 'login' THEN 1 ELSE 0 END),
                       MAX(CASE WHEN kind <> 'login' THEN at END),
                       SUM(CASE WHEN kind <> 'login' THEN 1 ELSE 0 END)
                   FROM audit WHERE kind IN ('login', 'login_failed', 'login_refused')
                   GROUP BY database_id, login, operator";
        let rows = sqlx::query(sql).fetch_all(self.readers()).await?;
        let summary = |row: &SqliteRow| {
            Ok(LoginSummary {
                database: DatabaseId::from_uuid(key::read_uuid(row.try_get(0)?)?),
                login: row.try_get(1)?,
                operator: row.try_get::<i64, _>(2)? != 0,
                last_login: row.try_get(3)?,
                logins: row.try_get(4)?,
                last_failure: row.try_get(5)?,
                failures: row.try_get(6)?,
            })
        };
        rows.iter().map(summary).collect()
    }

    /// Takes away the oldest records, up to a moment, and puts a checkpoint where they were. What does
    /// not hold together is kept, for somebody to look at.
    ///
    /// # Errors
    ///
    /// As [`Store::audit_after`].
    pub(crate) async fn audit_prune(&self, before: i64) -> Result<i64> {
        let mut writer = self.writer().await?;
        let mut chain = self.chain().lock().await;
        let pruned = anchor(&mut writer, &chain, PRUNED).await?;
        let begin = pruned.as_ref().map(|pruned| pruned.tip).unwrap_or_default();
        let sql = "SELECT MIN(number) FROM audit WHERE at >= $1";
        let kept: Option<i64> = sqlx::query_scalar(sql)
            .bind(before)
            .fetch_one(&mut *writer)
            .await?;
        // The last record stays.
        let until = kept.unwrap_or(chain.tip.number).min(chain.tip.number) - 1;
        let until = until.min(begin.number.saturating_add(MAX_PRUNED));
        if until <= begin.number {
            return Ok(0);
        }
        let walked = walk(&mut writer, Walk::after(Some(begin)), until).await?;
        if walked.is_broken() || walked.tip().number != until {
            tracing::error!("the audit's oldest records do not hold together and are kept");
            return Ok(0);
        }
        let mut transaction = writer.begin().await?;
        put_anchor(&mut transaction, &chain, PRUNED, walked.tip()).await?;
        sqlx::query("DELETE FROM audit WHERE number <= $1")
            .bind(until)
            .execute(&mut *transaction)
            .await?;
        let object = format!("records up to {until}");
        let event = Event::of_audit("PRUNE", Some(object), SUCCESS);
        let tip = append(&mut transaction, &chain, &[event]).await?;
        transaction.commit().await?;
        chain.tip = tip;
        Ok(until - begin.number)
    }
}
