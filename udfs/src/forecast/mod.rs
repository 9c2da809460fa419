//! `forecast()`: the next values of every series, with an interval.
//!
//! It makes a regular series of a group's rows (duplicates, gaps, frequency) and hands it to
//! [`math::forecast`](crate::math::forecast), which knows the models. Conventions of the columns follow
//! BigQuery's AI.FORECAST.
//!
//! - Rows without a time are left out; a row without a value is a gap. NaN counts as no value.
//! - Regressors known ahead: `exog_cols` with `future`, and `holidays`; see `regressors`.
//! - With `output_history`, the observed series comes first: its value in `forecast_value`, no bounds.

mod backtest;
mod regressors;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::{Error, Result};
use crate::math::forecast::{Forecast, MAX_HORIZON, Model, Request, forecast};
use crate::relation::{
    Argument, Bound, ColumnRef, Constant, Failure, Group, Layout, Options, Output, Signature,
    TableFunction, ValueType,
};
use crate::series::{self, OnGap, Rules, Series};
use regressors::Regressors;

static SIGNATURE: Signature = Signature {
    name: "forecast",
    arguments: &[
        Argument::data("data"),
        series::TIMESTAMP,
        series::DATA,
        Argument::ids(),
        Argument::option(
            "horizon",
            ValueType::Integer {
                min: 1,
                max: MAX_HORIZON as i64,
            },
        )
        .or(Constant::Integer(10)),
        series::FREQUENCY,
        Argument::option("model", ValueType::Text).or(Constant::Text("auto")),
        series::SEASONAL_PERIODS,
        Argument::CONFIDENCE_LEVEL,
        regressors::EXOG,
        regressors::FUTURE,
        regressors::HOLIDAYS,
        Argument::option("on_gap", ValueType::Choice(&["interpolate", "error"]))
            .or(Constant::Text("interpolate")),
        series::ON_DUPLICATE,
        Argument::option("output_history", ValueType::Boolean).or(Constant::Boolean(false)),
        Argument::SEED,
    ],
};

/// The table functions.
pub(crate) fn tables() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(ForecastFunction),
        Arc::new(backtest::Backtest),
        Arc::new(backtest::Evaluate),
    ]
}

/// The table function `forecast`.
#[derive(Debug, Default)]
pub struct ForecastFunction;

impl TableFunction for ForecastFunction {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let time = layout
            .field(layout.column("timestamp_col")?)
            .data_type()
            .clone();
        Ok(vec![
            Field::new("forecast_timestamp", time, true),
            Field::new("forecast_value", DataType::Float64, true),
            Field::new("prediction_interval_lower_bound", DataType::Float64, true),
            Field::new("prediction_interval_upper_bound", DataType::Float64, true),
            Field::new("confidence_level", DataType::Float64, true),
            Field::new("model", DataType::Utf8, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let time = layout.column("timestamp_col")?;
        let on_gap = match options.text("on_gap")? {
            "error" => OnGap::Refuse,
            _ => OnGap::Interpolate,
        };
        let rules = series::rules(layout, options, on_gap)?;
        Ok(Arc::new(BoundForecast {
            time,
            data: layout.column("data_col")?,
            rules,
            regressors: Regressors::new(SIGNATURE.name, layout, true)?,
            model: model(options.text("model")?)?,
            periods: series::periods(options),
            horizon: options.count("horizon")?,
            confidence_level: options.number("confidence_level")?,
            output_history: options.boolean("output_history")?,
            seed: options.integer("seed")?.cast_unsigned(),
        }))
    }
}

#[derive(Debug)]
struct BoundForecast {
    time: ColumnRef,
    data: ColumnRef,
    rules: Rules,
    regressors: Regressors,
    model: Model,
    /// Empty: those of the frequency.
    periods: Vec<usize>,
    horizon: usize,
    confidence_level: f64,
    output_history: bool,
    seed: u64,
}

impl Bound for BoundForecast {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let series = Series::new(
            group.column(self.time),
            group.numbers(self.data)?,
            &self.rules,
        )?;
        let periods = match self.periods.as_slice() {
            [] => series.default_periods(),
            given => given,
        };
        let values = self.regressors.values(group, &series, self.horizon)?;
        let n = series.values.len();
        let request = Request {
            values: &series.values,
            periods,
            regressors: &values.split(0..n, n, self.horizon),
            horizon: self.horizon,
            confidence_level: self.confidence_level,
            model: self.model,
            seed: self.seed,
        };
        let forecast = forecast(&request).map_err(Failure::refused)?;
        self.output(&series, forecast)
    }

    /// Models keep several copies of the series and of the forecast.
    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_add(self.horizon).saturating_mul(16 * 8)
    }
}

impl BoundForecast {
    fn output(&self, series: &Series, forecast: Forecast) -> Result<Output, Failure> {
        let history = if self.output_history {
            series.values.len()
        } else {
            0
        };
        let past = series.values.iter().copied().take(history);
        let values = past.chain(forecast.mean).map(finite);
        let ahead = |bounds: Vec<f64>| -> ArrayRef {
            let none = std::iter::repeat_n(None, history);
            Arc::new(
                none.chain(bounds.into_iter().map(finite))
                    .collect::<Float64Array>(),
            )
        };
        let level = std::iter::repeat_n(None, history).chain(std::iter::repeat_n(
            Some(self.confidence_level),
            self.horizon,
        ));
        let model = std::iter::repeat_n(None, history).chain(std::iter::repeat_n(
            Some(forecast.model.as_str()),
            self.horizon,
        ));
        Ok(Output::new(vec![
            series.times(history, self.horizon)?,
            Arc::new(values.collect::<Float64Array>()),
            ahead(forecast.lower),
            ahead(forecast.upper),
            Arc::new(level.collect::<Float64Array>()),
            Arc::new(model.collect::<StringArray>()),
        ]))
    }
}

/// What a model could not say is NULL, never NaN or infinite.
pub(crate) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

pub(crate) fn model(name: &str) -> Result<Model> {
    let name = name.trim().to_ascii_lowercase();
    if let Some(model) = Model::parse(&name) {
        return Ok(model);
    }
    Err(Error::InvalidValue {
        argument: "model".to_owned(),
        value: name,
        hint: format!("Allowed are: {}.", Model::NAMES.join(", ")),
    })
}
