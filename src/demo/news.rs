//! News lines about companies that do not exist, some for each tenant.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray};
use chrono::NaiveDateTime;

use crate::error::{Error, Result};

/// `tenant|at|asset|company|line`, written for the demo.
const NEWS: &str = include_str!("data/news.txt");

/// One tenant's lines: the columns at, asset, company and line.
///
/// # Errors
/// A line that cannot be read, which is a bug.
pub(super) fn columns(tenant: &str) -> Result<Vec<ArrayRef>> {
    rows(NEWS, tenant).ok_or_else(|| Error::internal("the demo's news cannot be read"))
}

fn rows(text: &str, tenant: &str) -> Option<Vec<ArrayRef>> {
    let (mut times, mut assets, mut companies, mut lines) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in text.lines().skip(1) {
        let mut parts = row.splitn(5, '|');
        if parts.next()? != tenant {
            continue;
        }
        let at = NaiveDateTime::parse_from_str(parts.next()?, "%Y-%m-%d %H:%M").ok()?;
        times.push(at.and_utc().timestamp_micros());
        assets.push(parts.next()?);
        companies.push(parts.next()?);
        lines.push(parts.next()?);
    }
    Some(vec![
        Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
        Arc::new(StringArray::from(assets)),
        Arc::new(StringArray::from(companies)),
        Arc::new(StringArray::from(lines)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::tenants::TENANTS;

    #[test]
    fn every_line_belongs_to_a_tenant() {
        let lines: usize = TENANTS
            .iter()
            .map(|tenant| columns(tenant.name).unwrap()[0].len())
            .sum();
        assert_eq!(lines, NEWS.lines().count() - 1);
    }
}
