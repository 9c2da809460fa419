//! An operator's rows of a common table, by the tenants that they name.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute;
use tessera_catalog::id::Space;
use tessera_catalog::model::Database;
use tessera_catalog::sql_type::SqlType;

use crate::error::{Error, Result};

pub(super) fn text_values(values: &ArrayRef) -> Result<ArrayRef> {
    let text = SqlType::Text.arrow(&Arc::from("UTC"));
    compute::cast(values, &text)
        .map_err(|error| Error::from(datafusion::error::DataFusionError::from(error)))
}

/// Splits an operator's rows by the tenant that each names.
pub(super) fn by_tenant(
    batch: &RecordBatch,
    system: &Database,
    relation: &str,
) -> Result<Vec<(Space, RecordBatch)>> {
    let names = text_values(batch.column(0))?;
    let names = names.as_string_view();
    let mut rows: HashMap<&str, Vec<u32>> = HashMap::new();
    for (row, name) in names.iter().enumerate() {
        let name = name.ok_or_else(|| Error::NotNull {
            column: tessera_catalog::model::TENANT_COLUMN.to_owned(),
            relation: relation.to_owned(),
            detail: Some("A row of a common table names the tenant that it goes to.".to_owned()),
        })?;
        rows.entry(name)
            .or_default()
            .push(u32::try_from(row).unwrap_or(u32::MAX));
    }
    let mut named: Vec<(&str, Vec<u32>)> = rows.into_iter().collect();
    named.sort_unstable_by_key(|(name, _)| *name);
    named
        .into_iter()
        .map(|(name, rows)| {
            let tenant = system.tenant_named(name).ok_or_else(|| {
                Error::InvalidParameterValue(format!("tenant \"{name}\" does not exist"))
            })?;
            let taken = compute::take_record_batch(batch, &UInt32Array::from(rows))
                .map_err(|error| Error::from(datafusion::error::DataFusionError::from(error)))?;
            Ok((Space::Tenant(tenant.id), taken))
        })
        .collect()
}
