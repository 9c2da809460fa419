//! `detect_changepoints()`: where the level of a series changes.
//!
//! - `pelt`: the partition whose costs and penalties sum to the least, equal to ruptures' `Pelt` with `jump = 1`.
//!   `cost` is `l2` (mean), `l1` (median, at most 200,000 values) or `normal` (mean and variance). Without `penalty` it is
//!   3 ln n times the variance of the noise, which is taken from first differences; with `l1` times its deviation
//!   and with `normal` without it. `score` is how much dearer the partition would be without the change, in penalties.
//! - `bocpd`: the probability that a segment begins with the value, as seen `lag` values later, by Adams and
//!   MacKay (2007) with normal segments of unknown mean and variance; `score` is that probability and a change is
//!   where it exceeds `threshold`.
//!
//! A change is reported at the first value of the new segment. Rows without a value are left out; values count
//! in the order of time, whatever its distances.

use std::sync::Arc;

use datafusion::arrow::array::{Array, BooleanArray, Float64Array, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::Result;
use crate::math::changepoint::{Cost, MAX_L1_OBSERVATIONS, Prior, noise, online, pelt};
use crate::math::stats::describe::median_and_deviation;
use crate::math::stl;
use crate::relation::{
    Argument, Bound, ColumnRef, Constant, Failure, Group, Layout, Options, Output, Signature,
    TableFunction, ValueType,
};
use crate::series;

/// Beyond this, squares of values and their sums leave the range of numbers.
const HUGE: f64 = 1e150;
/// With less noise than this the constant that `normal` adds to variances would hide changes.
const FAINT: f64 = 0.03;
/// How many values the expected mean of a segment is worth, and half that of its variance.
const PRIOR_WEIGHT: f64 = 0.1;
const PRIOR_SHAPE: f64 = 1.0;

static SIGNATURE: Signature = Signature {
    name: "detect_changepoints",
    arguments: &[
        Argument::data("data"),
        series::TIMESTAMP,
        series::DATA,
        Argument::ids(),
        Argument::option("method", ValueType::Choice(&["pelt", "bocpd"]))
            .or(Constant::Text("pelt")),
        Argument::option("cost", ValueType::Choice(Cost::NAMES)).or(Constant::Text("l2")),
        Argument::option(
            "penalty",
            ValueType::Number {
                min: 0.0,
                max: f64::MAX,
                closed: false,
            },
        ),
        Argument::option(
            "min_size",
            ValueType::Integer {
                min: 1,
                max: 1_000_000,
            },
        )
        .or(Constant::Integer(2)),
        Argument::option(
            "run_length",
            ValueType::Number {
                min: 1.0,
                max: 1e12,
                closed: true,
            },
        )
        .or(Constant::Number(250.0)),
        Argument::option("lag", ValueType::Integer { min: 0, max: 1000 }).or(Constant::Integer(5)),
        Argument::option("threshold", ValueType::PROBABILITY).or(Constant::Number(0.5)),
    ],
};

/// The table function `detect_changepoints`.
#[derive(Debug, Default)]
pub(super) struct DetectChangepoints;

#[derive(Debug)]
enum Method {
    Pelt {
        cost: Cost,
        penalty: Option<f64>,
        least: usize,
    },
    Online {
        run_length: f64,
        lag: usize,
        threshold: f64,
    },
}

impl TableFunction for DetectChangepoints {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let time = layout.field(layout.column("timestamp_col")?);
        Ok(vec![
            Field::new("time", time.data_type().clone(), true),
            Field::new("value", DataType::Float64, true),
            Field::new("is_changepoint", DataType::Boolean, true),
            Field::new("score", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let method = match options.text("method")? {
            "bocpd" => Method::Online {
                run_length: options.number("run_length")?,
                lag: options.count("lag")?,
                threshold: options.number("threshold")?,
            },
            _ => Method::Pelt {
                cost: Cost::parse(options.text("cost")?).unwrap_or(Cost::L2),
                penalty: options
                    .get("penalty")
                    .map(|_| options.number("penalty"))
                    .transpose()?,
                least: options.count("min_size")?,
            },
        };
        Ok(Arc::new(Detector {
            time: layout.column("timestamp_col")?,
            data: layout.column("data_col")?,
            method,
        }))
    }
}

#[derive(Debug)]
struct Detector {
    time: ColumnRef,
    data: ColumnRef,
    method: Method,
}

impl Bound for Detector {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let times = group.column(self.time);
        let all = group.numbers(self.data)?;
        let counts = |row: &usize| all[*row].is_finite() && times.is_valid(*row);
        let places: Vec<usize> = (0..all.len()).filter(counts).collect();
        let values: Vec<f64> = places.iter().map(|row| all[*row]).collect();
        let scores = self.scores(&values)?;
        let places: UInt32Array = places
            .into_iter()
            .filter_map(|place| u32::try_from(place).ok())
            .collect();
        let changes: BooleanArray = scores.iter().map(|(change, _)| Some(*change)).collect();
        let scores: Float64Array = scores.iter().map(|(_, score)| Some(*score)).collect();
        Ok(Output::new(vec![
            take(times, &places, None)?,
            Arc::new(Float64Array::from(values)),
            Arc::new(changes),
            Arc::new(scores),
        ]))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        match self.method {
            Method::Pelt { cost: Cost::L1, .. } => rows.saturating_mul(48 * 8),
            _ => rows.saturating_mul(16 * 8),
        }
    }
}

impl Detector {
    /// The unit in which squares of the values stay in range and changes of faint values show: 1 for usual ones.
    fn unit(&self, values: &[f64]) -> f64 {
        let largest = values.iter().fold(0.0f64, |most, y| most.max(y.abs()));
        let noise = noise(values);
        match self.method {
            _ if largest > HUGE => stl::unit(values),
            Method::Pelt {
                cost: Cost::Normal, ..
            } if noise > 0.0 && noise < FAINT => noise,
            Method::Pelt { .. } | Method::Online { .. } => 1.0,
        }
    }

    /// Whether each value begins a segment, and how sure that is.
    fn scores(&self, values: &[f64]) -> Result<Vec<(bool, f64)>, Failure> {
        let unit = self.unit(values);
        let scaled: Vec<f64> = values.iter().map(|y| y / unit).collect();
        let values = scaled.as_slice();
        let spread = noise(values);
        match self.method {
            Method::Pelt {
                cost,
                penalty,
                least,
            } => {
                let penalty = penalty.map(|penalty| match cost {
                    Cost::L2 => penalty / unit / unit,
                    Cost::L1 => penalty / unit,
                    Cost::Normal => penalty,
                });
                by_partition(values, cost, penalty, least, spread)
            }
            Method::Online {
                run_length,
                lag,
                threshold,
            } => {
                if values.len() < 3 {
                    return Err(Failure::refused(format_args!(
                        "too few observations: {} < 3",
                        values.len()
                    )));
                }
                if spread == 0.0 {
                    return Ok(vec![(false, 0.0); values.len()]);
                }
                let mut sorted = values.to_vec();
                sorted.sort_unstable_by(f64::total_cmp);
                let prior = Prior {
                    run_length,
                    mean: median_and_deviation(&sorted).0,
                    weight: PRIOR_WEIGHT,
                    variance: spread * spread,
                    shape: PRIOR_SHAPE,
                };
                let mut begins = online(values, &prior, lag);
                // That the series itself begins is no change.
                begins[0] = 0.0;
                Ok(begins.into_iter().map(|p| (p > threshold, p)).collect())
            }
        }
    }
}

fn by_partition(
    values: &[f64],
    cost: Cost,
    penalty: Option<f64>,
    least: usize,
    spread: f64,
) -> Result<Vec<(bool, f64)>, Failure> {
    let n = values.len();
    let need = least.max(2);
    if n < need {
        return Err(Failure::refused(format_args!(
            "too few observations: {n} < {need}"
        )));
    }
    if cost == Cost::L1 && n > MAX_L1_OBSERVATIONS {
        return Err(Failure::refused(format_args!(
            "too many observations for cost 'l1': {n} > {MAX_L1_OBSERVATIONS}"
        )));
    }
    let mut scores = vec![(false, 0.0); n];
    if spread == 0.0 {
        return Ok(scores);
    }
    let penalty = penalty.unwrap_or_else(|| {
        let steps = 3.0 * (n as f64).ln();
        match cost {
            Cost::L2 => steps * spread * spread,
            Cost::L1 => steps * spread,
            Cost::Normal => steps,
        }
    });
    let found = pelt(values, cost, penalty, least)
        .ok_or_else(|| Failure::refused("the values have no partition"))?;
    for (end, gain) in found.ends.iter().zip(&found.gains) {
        scores[*end] = (true, gain / penalty);
    }
    Ok(scores)
}
