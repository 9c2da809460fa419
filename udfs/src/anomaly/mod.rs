//! Anomalies and changes of series: `detect_anomalies()`, `detect_changepoints()`.

mod changepoints;
mod detect;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::relation::TableFunction;

/// The table functions.
pub(crate) fn tables() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(detect::DetectAnomalies),
        Arc::new(changepoints::DetectChangepoints),
    ]
}
