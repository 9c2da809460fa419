//! `detect_anomalies()`: which values of a series are unusual, and how much.
//!
//! | method | expects | score | anomaly when the score is above |
//! |---|---|---|---|
//! | `forecast` | a model's one-step fit, or its forecast from `history` | deviations of the residuals | 1.96 (probability 0.95) |
//! | `stl` | trend and season by robust loess | modified z of the remainder | 3.5 |
//! | `mad` | the median | 0.6745 distance / MAD | 3.5 |
//! | `zscore` | the mean | distance / standard deviation | 3 |
//! | `iqr` | the median | distance from the nearer quartile / interquartile range | 1.5 |
//! | `gesd` | the mean | R of Rosner's test | its critical value at `alpha` |
//! | `iforest` | nothing | isolation forest, 0 to 1 | 0.6 |
//!
//! - `threshold` sets the score; `anomaly_prob_threshold` sets the probability instead. Both exclude each other.
//! - `anomaly_probability` is the share of usual values that are closer to the expected one: by the normal
//!   distribution of the method's spread; with `iforest` the share of rows that score lower.
//! - With `history` only its rows say what is usual. `gesd` takes none.
//! - `mad`, `zscore`, `iqr`, `gesd` and `iforest` score every row; `stl` and `forecast` make a regular series
//!   first (gaps interpolated, duplicates merged) and score its observed values.
//! - A row without a value has no score. NaN counts as no value.

mod forest;
mod residuals;
mod values;

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::{Error, Result};
use crate::forecast::{finite, model};
use crate::math::anomaly::{Scale, ScaleKind, Scored};
use crate::math::forecast::Model;
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Constant, Failure, Group, Layout, Options, Output, Rows,
    Signature, TableFunction, ValueType, Wanted,
};
use crate::series::{self, OnGap, Rules};

const METHODS: &[&str] = &["forecast", "stl", "mad", "zscore", "iqr", "gesd", "iforest"];
/// A scale needs this many values.
const LEAST_VALUES: usize = 3;
/// Forests are at most this large.
const MAX_TREES: i64 = 10_000;
const MAX_SAMPLE: i64 = 1_000_000;
/// What `forecast` calls an anomaly when nothing else is said.
const USUAL_PROBABILITY: f64 = 0.95;
/// The score of an isolation forest above which rows are usually looked at.
const USUAL_FOREST: f64 = 0.6;

const fn between(name: &'static str) -> Argument {
    let value = ValueType::PROBABILITY;
    Argument::option(name, value)
}

const fn count(name: &'static str, max: i64) -> Argument {
    Argument::option(name, ValueType::Integer { min: 1, max })
}

static SIGNATURE: Signature = Signature {
    name: "detect_anomalies",
    arguments: &[
        Argument::data("data"),
        series::TIMESTAMP,
        Argument::columns("data_col", Class::Number).inferred(),
        Argument::ids(),
        Argument::relation(
            "history",
            Rows::Grouped,
            Wanted::Like(&["timestamp_col", "data_col"]),
        ),
        Argument::option("method", ValueType::Choice(METHODS)).or(Constant::Text("forecast")),
        between("anomaly_prob_threshold"),
        Argument::option(
            "threshold",
            ValueType::Number {
                min: 0.0,
                max: f64::MAX,
                closed: true,
            },
        ),
        Argument::option("model", ValueType::Text).or(Constant::Text("auto")),
        series::SEASONAL_PERIODS,
        series::FREQUENCY,
        series::ON_DUPLICATE,
        between("alpha").or(Constant::Number(0.05)),
        count("max_outliers", 100_000),
        count("trees", MAX_TREES).or(Constant::Integer(100)),
        count("sample_size", MAX_SAMPLE).or(Constant::Integer(256)),
        Argument::SEED,
    ],
};

/// The table function `detect_anomalies`.
#[derive(Debug, Default)]
pub(super) struct DetectAnomalies;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Forecast,
    Stl,
    Scale(ScaleKind),
    Esd,
    Forest,
}

/// When a value is an anomaly.
#[derive(Debug, Clone, Copy)]
enum Limit {
    Usual,
    Score(f64),
    Probability(f64),
}

impl TableFunction for DetectAnomalies {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let time = layout
            .field(layout.column("timestamp_col")?)
            .data_type()
            .clone();
        let number = |name| Field::new(name, DataType::Float64, true);
        Ok(vec![
            Field::new("time_series_timestamp", time, true),
            number("time_series_data"),
            Field::new("is_anomaly", DataType::Boolean, true),
            number("expected_value"),
            number("lower_bound"),
            number("upper_bound"),
            number("anomaly_probability"),
            number("anomaly_score"),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let method = match options.text("method")? {
            "stl" => Method::Stl,
            "mad" => Method::Scale(ScaleKind::Mad),
            "zscore" => Method::Scale(ScaleKind::ZScore),
            "iqr" => Method::Scale(ScaleKind::Iqr),
            "gesd" => Method::Esd,
            "iforest" => Method::Forest,
            _ => Method::Forecast,
        };
        let optional = |name| options.get(name).map(|_| options.number(name)).transpose();
        let limit = match (optional("threshold")?, optional("anomaly_prob_threshold")?) {
            (Some(_), Some(given)) => {
                return Err(Error::InvalidValue {
                    argument: "anomaly_prob_threshold".to_owned(),
                    value: given.to_string(),
                    hint: "Give either threshold or anomaly_prob_threshold.".to_owned(),
                });
            }
            (Some(score), None) => Limit::Score(score),
            (None, Some(probability)) => Limit::Probability(probability),
            (None, None) => Limit::Usual,
        };
        let data = layout.columns("data_col").to_vec();
        if data.len() > 1 && method != Method::Forest {
            return Err(Error::WrongType {
                argument: "data_col".to_owned(),
                wanted: "one column, unless the method is 'iforest'".to_owned(),
                found: "a list".to_owned(),
            });
        }
        let time = layout.column("timestamp_col")?;
        let past = |column: &ColumnRef| layout.column_like("history", *column);
        let history = match (
            past(&time),
            data.iter().map(past).collect::<Option<Vec<_>>>(),
        ) {
            (Some(time), Some(data)) => Some((time, data)),
            _ => None,
        };
        if history.is_some() && method == Method::Esd {
            return Err(Error::NotSupported {
                feature: "argument \"history\" with method 'gesd'".to_owned(),
            });
        }
        Ok(Arc::new(Detector {
            time,
            data,
            history,
            method,
            limit,
            rules: series::rules(layout, options, OnGap::Interpolate)?,
            model: model(options.text("model")?)?,
            periods: series::periods(options),
            alpha: options.number("alpha")?,
            most: options
                .get("max_outliers")
                .map(|_| options.count("max_outliers"))
                .transpose()?,
            trees: options.count("trees")?,
            sample: options.count("sample_size")?,
            seed: options.integer("seed")?.cast_unsigned(),
        }))
    }
}

#[derive(Debug)]
struct Detector {
    time: ColumnRef,
    data: Vec<ColumnRef>,
    history: Option<(ColumnRef, Vec<ColumnRef>)>,
    method: Method,
    limit: Limit,
    rules: Rules,
    model: Model,
    periods: Vec<usize>,
    alpha: f64,
    most: Option<usize>,
    trees: usize,
    sample: usize,
    seed: u64,
}

/// The scored rows of a group.
struct Found {
    times: ArrayRef,
    values: Vec<f64>,
    scored: Vec<Scored>,
    /// None where there is no score.
    anomalies: Vec<Option<bool>>,
}

impl Bound for Detector {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        if group.rows() == 0 {
            return Ok(output(Found {
                times: Arc::clone(group.column(self.time)),
                values: Vec::new(),
                scored: Vec::new(),
                anomalies: Vec::new(),
            }));
        }
        let found = match self.method {
            Method::Forecast => match &self.history {
                Some((time, data)) => self.against_forecast(group, *time, data[0])?,
                None => self.against_fit(group)?,
            },
            Method::Stl => self.against_seasons(group)?,
            Method::Scale(kind) => self.against_scale(group, kind)?,
            Method::Esd => self.by_test(group)?,
            Method::Forest => self.by_forest(group)?,
        };
        Ok(output(found))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(24 * 8)
    }
}

fn output(found: Found) -> Output {
    let numbers = |part: fn(&Scored) -> f64| -> ArrayRef {
        let values = found.scored.iter().map(|scored| finite(part(scored)));
        Arc::new(values.collect::<Float64Array>())
    };
    let values: Float64Array = found.values.iter().copied().map(finite).collect();
    let anomalies: BooleanArray = found.anomalies.iter().copied().collect();
    Output::new(vec![
        Arc::clone(&found.times),
        Arc::new(values),
        Arc::new(anomalies),
        numbers(|scored| scored.expected),
        numbers(|scored| scored.lower),
        numbers(|scored| scored.upper),
        numbers(|scored| scored.probability),
        numbers(|scored| scored.score),
    ])
}

fn too_few(got: usize, need: usize) -> Failure {
    Failure::refused(format_args!("too few observations: {got} < {need}"))
}

fn no_spread(values: &[f64]) -> Failure {
    if values.len() < LEAST_VALUES {
        too_few(values.len(), LEAST_VALUES)
    } else {
        Failure::refused("the values have no spread")
    }
}

fn known(values: &[f64]) -> Vec<f64> {
    values
        .iter()
        .copied()
        .filter(|value| value.is_finite())
        .collect()
}

impl Detector {
    /// The score above which a scale's value is an anomaly.
    fn threshold(&self, scale: &Scale, usual: f64) -> f64 {
        match self.limit {
            Limit::Usual => usual,
            Limit::Score(score) => score,
            Limit::Probability(probability) => scale.threshold_at(probability),
        }
    }
}

/// The score of a distance from what is expected, the bounds shifted by it.
fn scored(scale: &Scale, value: f64, expected: f64, threshold: f64) -> Scored {
    if !value.is_finite() {
        return Scored::NONE;
    }
    let found = scale.score(value, threshold);
    Scored {
        expected: expected + found.expected,
        lower: expected + found.lower,
        upper: expected + found.upper,
        ..found
    }
}

fn judged(times: ArrayRef, values: Vec<f64>, scored: Vec<Scored>, threshold: f64) -> Found {
    let judge = |found: &Scored| (!found.score.is_nan()).then_some(found.score > threshold);
    Found {
        times,
        anomalies: scored.iter().map(judge).collect(),
        values,
        scored,
    }
}
