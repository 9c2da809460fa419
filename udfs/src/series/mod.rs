//! Series: what all functions on them share (their arguments, and how rows become a regular series), and
//! `ts_decompose()`, `ts_fill_gaps()`, `ts_features()`, `ts_detect_periods()`.

mod decompose;
mod features;
mod fill_gaps;
mod regular;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;

use crate::error::{Error, Result};
use crate::math::calendar::Frequency;
use crate::relation::{Argument, Class, Constant, Layout, Options, TableFunction, ValueType};

pub(crate) use regular::{OnDuplicate, OnGap, Rules, Series, Step};

/// The table functions.
pub(crate) fn tables() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(decompose::Decompose),
        Arc::new(fill_gaps::FillGaps),
        Arc::new(features::Features),
        Arc::new(features::DetectPeriods),
    ]
}

/// The longest season, in observations.
const MAX_SEASONAL_PERIOD: i64 = 100_000;

pub(crate) const TIMESTAMP: Argument = Argument::column("timestamp_col", Class::Time)
    .inferred()
    .orders();
pub(crate) const DATA: Argument = Argument::column("data_col", Class::Number).inferred();
pub(crate) const FREQUENCY: Argument =
    Argument::option("frequency", ValueType::Text).or(Constant::Text("auto"));
pub(crate) const SEASONAL_PERIODS: Argument = Argument::option(
    "seasonal_periods",
    ValueType::Integers {
        words: &["auto"],
        min: 1,
        max: MAX_SEASONAL_PERIOD,
    },
)
.or(Constant::Text("auto"));
pub(crate) const ON_DUPLICATE: Argument =
    Argument::option("on_duplicate", ValueType::Choice(&["mean", "sum", "error"]))
        .or(Constant::Text("mean"));

/// How a call's rows become a series, from the arguments above.
///
/// # Errors
/// For a frequency that is none.
pub(crate) fn rules(layout: &Layout, options: &Options, on_gap: OnGap) -> Result<Rules> {
    let time_type = layout.field(layout.column("timestamp_col")?).data_type();
    Ok(Rules {
        time_type: time_type.clone(),
        step: step(options.text("frequency")?, time_type)?,
        on_gap,
        on_duplicate: match options.text("on_duplicate")? {
            "error" => OnDuplicate::Refuse,
            "sum" => OnDuplicate::Sum,
            _ => OnDuplicate::Mean,
        },
    })
}

fn step(name: &str, time: &DataType) -> Result<Option<Step>> {
    let name = name.trim().to_ascii_lowercase();
    if name == "auto" {
        return Ok(None);
    }
    let step = if time.is_integer() {
        name.parse().ok().filter(|step| *step > 0).map(Step::Count)
    } else {
        Frequency::parse(&name).map(Step::Calendar)
    };
    let hint = if time.is_integer() {
        "With an integer column it is 'auto' or the distance between two rows, such as '1'."
    } else {
        "Allowed are 'auto', the names of frequencies such as 'day', 'month' or 'business day', and multiples such as '15 minutes'."
    };
    step.map(Some).ok_or_else(|| Error::InvalidValue {
        argument: "frequency".to_owned(),
        value: name,
        hint: hint.to_owned(),
    })
}

/// The given season lengths; none with `auto`.
pub(crate) fn periods(options: &Options) -> Vec<usize> {
    let periods = options.integers("seasonal_periods").into_iter();
    periods
        .filter_map(|period| usize::try_from(period).ok())
        .collect()
}
