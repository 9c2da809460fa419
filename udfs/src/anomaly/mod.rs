//! Anomalies and changes of series: `detect_anomalies()`, `detect_changepoints()`, and scores over windows.

mod changepoints;
mod detect;
mod window;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::relation::TableFunction;

pub(crate) use window::windows;

/// The table functions.
pub(crate) fn tables() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(detect::DetectAnomalies),
        Arc::new(changepoints::DetectChangepoints),
    ]
}
