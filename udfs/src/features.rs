//! Families of functions that a subscription switches on and off together.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::function::Declaration;
use crate::relation::TableFunction;
use crate::{anomaly, forecast, kpi, money, portfolio, risk, sentiment, series, stats};

/// The families, as the manual groups their functions.
const FEATURES: [&str; 9] = [
    "anomalies",
    "forecast",
    "kpi",
    "money",
    "portfolio",
    "risk",
    "sentiment",
    "series",
    "statistics",
];

static FEATURE_OF: LazyLock<HashMap<&'static str, &'static str>> = LazyLock::new(|| {
    let mut found = HashMap::new();
    let mut tables = |feature, tables: Vec<Arc<dyn TableFunction>>| {
        let names = tables.into_iter().map(|table| table.signature().name);
        found.extend(names.map(|name| (name, feature)));
    };
    tables("anomalies", anomaly::tables());
    tables("forecast", forecast::tables());
    tables("kpi", kpi::tables());
    tables("portfolio", portfolio::table_functions());
    tables("risk", risk::tables());
    tables("sentiment", sentiment::tables());
    tables("series", series::tables());
    tables("statistics", stats::tables());
    let mut named = |feature, declaration: &Declaration| {
        found.insert(declaration.name, feature);
    };
    anomaly::windows().for_each(|spec| named("anomalies", &spec.declaration));
    money::aggregates().for_each(|spec| named("money", &spec.declaration));
    money::windows().for_each(|spec| named("money", &spec.declaration));
    money::scalars().for_each(|spec| named("money", &spec.declaration));
    risk::aggregates().for_each(|spec| named("risk", &spec.declaration));
    risk::windows().for_each(|spec| named("risk", &spec.declaration));
    risk::scalars().for_each(|spec| named("risk", &spec.declaration));
    sentiment::aggregates().for_each(|spec| named("sentiment", &spec.declaration));
    sentiment::scalars().for_each(|spec| named("sentiment", &spec.declaration));
    stats::aggregates().for_each(|spec| named("statistics", &spec.declaration));
    found
});

/// The names of all families.
pub fn features() -> impl Iterator<Item = &'static str> {
    FEATURES.into_iter()
}

/// The family of a function; none of PostgreSQL's own has one.
pub fn feature_of(function: &str) -> Option<&'static str> {
    FEATURE_OF.get(function).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_of_ours_is_in_a_family_and_every_family_has_one() {
        for listed in crate::listing() {
            assert!(feature_of(listed.name).is_some(), "{}", listed.name);
        }
        for feature in features() {
            assert!(FEATURE_OF.values().any(|of| *of == feature), "{feature}");
        }
        assert_eq!(feature_of("forecast"), Some("forecast"));
        assert_eq!(feature_of("sum"), None);
    }
}
