//! Rows that are there when a new rule comes: whether they keep to it.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use futures::StreamExt;
use tessera_catalog::commit::TableVersions;
use tessera_catalog::id::Part;
use tessera_catalog::key::KeyColumns;
use tessera_catalog::model::{Key, Scope as Reach, TENANT_COLUMN, Table};

use super::super::query;
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::source::Found;
use crate::policy::Caller;
use crate::session::Session;
use crate::session::keys::key_text;
use crate::session::transaction::TEMPORARY_SCHEMA;
use crate::session::write::table;

/// The first batch with rows that a query over a table gives its owner. `{table}` in the text is
/// the table.
pub(super) async fn first_rows(
    session: &mut Session,
    found: &Found,
    text: &str,
) -> Result<Option<RecordBatch>> {
    let caller = session.caller().await?;
    let owner = caller.acting_as(found.relation.owner);
    first_rows_as(session, &owner, found, text).await
}

/// The same with the rights of another.
pub(super) async fn first_rows_as(
    session: &mut Session,
    reader: &Caller,
    found: &Found,
    text: &str,
) -> Result<Option<RecordBatch>> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let name = format!(
        "{}.{}",
        quoted(&found.schema_name),
        quoted(&found.relation.name)
    );
    let text = text.replace("{table}", &name);
    let statement = crate::planner::parse(&text)?.into_iter().next();
    let Some(crate::planner::ast::Body::Query(query)) = statement.map(|s| s.body) else {
        return Err(Error::internal("a query was expected"));
    };
    let (plan, _, _) = query::plan(&query, &scope, &[])?;
    let purpose = crate::policy::Purpose::Definition;
    let guarded = query::guard_for(session, plan, reader, &scope, purpose).await?;
    let limits = crate::execute::Limits::default();
    let mut batches = query::stream(session, guarded, &scope, limits);
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 {
            return Ok(Some(batch));
        }
    }
    Ok(None)
}

/// A name as SQL writes it whatever it is.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Checks that no two rows have the same key.
///
/// # Errors
/// 23505 with the key that is there twice.
pub(super) async fn check_unique(
    session: &mut Session,
    table: &Table,
    key: &Key,
    found: &Found,
    scope: &Scope,
) -> Result<()> {
    hold_still(session, found).await?;
    let columns = KeyColumns::of(table, key);
    let names: Vec<String> = columns
        .numbers()
        .filter_map(|number| table.columns.iter().find(|c| c.number == number))
        .map(|column| quoted(&column.name))
        .collect();
    let mut grouped = names.clone();
    if table.scope == Reach::Common && scope.is_system() {
        // Each tenant's rows are compared among themselves.
        grouped.push(quoted(TENANT_COLUMN));
    }
    let filter = match columns.nulls_distinct && !names.is_empty() {
        true => format!("WHERE {} IS NOT NULL", names.join(" IS NOT NULL AND ")),
        false => String::new(),
    };
    let group = match grouped.is_empty() {
        true => String::new(),
        false => format!("GROUP BY {}", grouped.join(", ")),
    };
    let mut list = names.clone();
    list.push("count(*)".to_owned());
    let text = format!(
        "SELECT {} FROM {{table}} {filter} {group} HAVING count(*) > 1 LIMIT 1",
        list.join(", ")
    );
    let Some(twice) = first_rows(session, found, &text).await? else {
        return Ok(());
    };
    let values: Vec<ArrayRef> = twice.columns()[..names.len()]
        .iter()
        .map(Arc::clone)
        .collect();
    let text = key_text(table, &columns, &values, 0);
    Err(Error::UniqueOfExisting {
        constraint: key.name.clone(),
        detail: text.map(|key| format!("Key {key} is duplicated.")),
    })
}

/// Makes the transaction fail if others change the table's rows before it commits: they would not
/// be checked against the new rule.
pub(super) async fn hold_still(session: &mut Session, found: &Found) -> Result<()> {
    if found.relation.schema == TEMPORARY_SCHEMA {
        return Ok(());
    }
    let table = table(&found.relation)?.uuid;
    let catalog = session.engine.catalog.clone();
    let mut parts = Vec::new();
    for size in catalog.parts_of(table).await? {
        let part = Part {
            space: size.space,
            table,
        };
        let snapshot = catalog.snapshot(part, &found.relation.name).await?;
        parts.extend(snapshot.version.map(|version| (part, version)));
    }
    session
        .transaction
        .keep_unmoved(TableVersions { table, parts });
    Ok(())
}
