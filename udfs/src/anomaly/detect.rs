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

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::{Error, Result};
use crate::forecast::{finite, model};
use crate::math::anomaly::{Forest, Scale, ScaleKind, Scored, generalized_esd};
use crate::math::forecast::{Forecast, MAX_HORIZON, Model, Request, forecast};
use crate::math::stats::distribution::{normal_quantile, normal_tail};
use crate::math::stl;
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Constant, Failure, Group, Layout, Options, Output, Rows,
    Signature, TableFunction, ValueType, Wanted,
};
use crate::series::{self, OnGap, Rules, Series};

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

    fn against_scale(&self, group: &Group<'_>, kind: ScaleKind) -> Result<Found, Failure> {
        let values = group.numbers(self.data[0])?;
        let usual = match &self.history {
            Some((_, data)) => known(&group.numbers(data[0])?),
            None => known(&values),
        };
        let scale = Scale::of(&usual, kind, LEAST_VALUES).ok_or_else(|| no_spread(&usual))?;
        let threshold = self.threshold(&scale, kind.usual_threshold());
        let scored = values
            .iter()
            .map(|value| scored(&scale, *value, 0.0, threshold))
            .collect();
        Ok(judged(
            Arc::clone(group.column(self.time)),
            values,
            scored,
            threshold,
        ))
    }

    fn by_test(&self, group: &Group<'_>) -> Result<Found, Failure> {
        let values = group.numbers(self.data[0])?;
        let places: Vec<usize> = (0..values.len())
            .filter(|i| values[*i].is_finite())
            .collect();
        let usual: Vec<f64> = places.iter().map(|i| values[*i]).collect();
        let alpha = match self.limit {
            Limit::Probability(probability) => 1.0 - probability,
            Limit::Usual | Limit::Score(_) => self.alpha,
        };
        let most = self.most.unwrap_or((usual.len() / 10).max(1));
        let test = generalized_esd(&usual, most, alpha).ok_or_else(|| no_spread(&usual))?;
        // What is left after the outliers says what is usual.
        let outliers: Vec<usize> = test.candidates[..test.outliers]
            .iter()
            .map(|(i, _, _)| places[*i])
            .collect();
        let rest: Vec<f64> = places
            .iter()
            .filter(|i| !outliers.contains(i))
            .map(|i| values[*i])
            .collect();
        let scale = Scale::of(&rest, ScaleKind::ZScore, 2);
        let critical = test.candidates.last().map_or(0.0, |candidate| candidate.2);
        let mut scored_rows: Vec<Scored> = values
            .iter()
            .map(|value| match &scale {
                Some(scale) => scored(scale, *value, 0.0, critical),
                None => Scored::NONE,
            })
            .collect();
        for (i, r, _) in &test.candidates {
            scored_rows[places[*i]].score = *r;
        }
        let anomalies = (0..values.len())
            .map(|i| values[i].is_finite().then(|| outliers.contains(&i)))
            .collect();
        Ok(Found {
            times: Arc::clone(group.column(self.time)),
            values,
            scored: scored_rows,
            anomalies,
        })
    }

    fn by_forest(&self, group: &Group<'_>) -> Result<Found, Failure> {
        let read = |columns: &[ColumnRef]| -> Result<Vec<Vec<f64>>, Failure> {
            columns
                .iter()
                .map(|column| group.numbers(*column))
                .collect()
        };
        let columns = read(&self.data)?;
        let complete = |columns: &[Vec<f64>]| -> Vec<usize> {
            let rows = 0..columns.first().map_or(0, Vec::len);
            rows.filter(|row| columns.iter().all(|column| column[*row].is_finite()))
                .collect()
        };
        let pick = |columns: &[Vec<f64>], rows: &[usize]| -> Vec<Vec<f64>> {
            let one = |column: &Vec<f64>| rows.iter().map(|row| column[*row]).collect();
            columns.iter().map(one).collect()
        };
        let places = complete(&columns);
        let rows = pick(&columns, &places);
        let past = match &self.history {
            Some((_, data)) => {
                let past = read(data)?;
                Some(pick(&past, &complete(&past)))
            }
            None => None,
        };
        let usual: Vec<&[f64]> = past
            .as_ref()
            .unwrap_or(&rows)
            .iter()
            .map(Vec::as_slice)
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let got = usual.first().map_or(0, |column| column.len());
        if got < LEAST_VALUES {
            return Err(too_few(got, LEAST_VALUES));
        }
        let forest = Forest::grow(&usual, self.trees, self.sample, self.seed)
            .ok_or_else(|| too_few(got, LEAST_VALUES))?;
        let scores = forest.scores(&rows);
        let mut ordered = match &past {
            Some(_) => forest.scores(&usual),
            None => scores.clone(),
        };
        ordered.sort_unstable_by(f64::total_cmp);
        let mut all = vec![Scored::NONE; columns[0].len()];
        let mut anomalies = vec![None; columns[0].len()];
        for (place, score) in places.iter().zip(scores) {
            let lower = ordered.partition_point(|other| *other < score);
            let probability = lower as f64 / ordered.len() as f64;
            all[*place] = Scored {
                score,
                probability,
                ..Scored::NONE
            };
            anomalies[*place] = Some(match self.limit {
                Limit::Usual => score > USUAL_FOREST,
                Limit::Score(limit) => score > limit,
                Limit::Probability(limit) => probability >= limit,
            });
        }
        Ok(Found {
            times: Arc::clone(group.column(self.time)),
            values: columns.into_iter().next().unwrap_or_default(),
            scored: all,
            anomalies,
        })
    }

    fn series(&self, times: &ArrayRef, values: Vec<f64>) -> Result<Series, Failure> {
        Series::new(times, values, &self.rules)
    }

    fn periods<'a>(&'a self, series: &'a Series) -> &'a [usize] {
        match self.periods.as_slice() {
            [] => series.default_periods(),
            given => given,
        }
    }

    /// Residuals of the robust decomposition; with a history both are decomposed together.
    fn against_seasons(&self, group: &Group<'_>) -> Result<Found, Failure> {
        let (times, values, past) = match &self.history {
            None => (
                Arc::clone(group.column(self.time)),
                group.numbers(self.data[0])?,
                0,
            ),
            Some((time, data)) => {
                let both = [
                    group.column(*time).as_ref(),
                    group.column(self.time).as_ref(),
                ];
                let times = datafusion::arrow::compute::concat(&both)?;
                let mut values = group.numbers(data[0])?;
                let past = values.len();
                values.extend(group.numbers(self.data[0])?);
                (times, values, past)
            }
        };
        let series = self.series(&times, values)?;
        let n = series.values.len();
        let fits = |period: &&usize| **period >= 2 && 2 * **period <= n;
        let parts = match self.periods(&series).iter().find(fits) {
            Some(period) => stl::decompose(&series.values, *period, stl::SEASONAL_WINDOW, true)
                .ok_or_else(|| too_few(n, 2 * period))?,
            None => stl::without_season(&series.values),
        };
        let (times, places) = series.observations()?;
        let skipped = past.min(places.len());
        let of_usual = if past > 0 {
            &places[..skipped]
        } else {
            &places[..]
        };
        let usual: Vec<f64> = of_usual.iter().map(|t| parts.remainder[*t]).collect();
        let scale =
            Scale::of(&usual, ScaleKind::Mad, LEAST_VALUES).ok_or_else(|| no_spread(&usual))?;
        let threshold = self.threshold(&scale, ScaleKind::Mad.usual_threshold());
        let scored_rows = places[skipped * usize::from(past > 0)..].iter().map(|t| {
            let expected = parts.trend[*t] + parts.seasonal[*t];
            scored(&scale, parts.remainder[*t], expected, threshold)
        });
        let from = if past > 0 { skipped } else { 0 };
        let values: Vec<f64> = places[from..].iter().map(|t| series.values[*t]).collect();
        let times = times.slice(from, times.len() - from);
        Ok(judged(times, values, scored_rows.collect(), threshold))
    }

    fn predicted(&self, series: &Series, horizon: usize) -> Result<Forecast, Failure> {
        let request = Request {
            values: &series.values,
            periods: self.periods(series),
            regressors: &[],
            horizon,
            confidence_level: USUAL_PROBABILITY,
            model: self.model,
            seed: self.seed,
        };
        forecast(&request).map_err(Failure::refused)
    }

    /// The deviations from the mean at which values are anomalies.
    fn deviations(&self) -> f64 {
        match self.limit {
            Limit::Usual => normal_quantile(0.5 + 0.5 * USUAL_PROBABILITY),
            Limit::Score(score) => score,
            Limit::Probability(probability) => normal_quantile(0.5 + 0.5 * probability),
        }
    }

    /// One-step residuals of the model that is fitted to the series itself; their spread is a robust one.
    fn against_fit(&self, group: &Group<'_>) -> Result<Found, Failure> {
        let series = self.series(group.column(self.time), group.numbers(self.data[0])?)?;
        let fit = self.predicted(&series, 1)?;
        let residual = |t: &usize| series.values[*t] - fit.fitted.get(*t).unwrap_or(&f64::NAN);
        let (times, places) = series.observations()?;
        let errors = known(&places.iter().map(residual).collect::<Vec<_>>());
        let spread = spread(&errors).ok_or_else(|| no_spread(&errors))?;
        let threshold = self.deviations();
        let scored_rows = places.iter().map(|t| {
            let error = residual(t);
            from_normal(series.values[*t] - error, spread, spread, error, threshold)
        });
        let scored_rows = scored_rows.collect();
        let values = places.iter().map(|t| series.values[*t]).collect();
        Ok(judged(times, values, scored_rows, threshold))
    }

    /// Distances from the forecast of the history.
    fn against_forecast(
        &self,
        group: &Group<'_>,
        time: ColumnRef,
        data: ColumnRef,
    ) -> Result<Found, Failure> {
        let series = self.series(group.column(time), group.numbers(data)?)?;
        let times = group.column(self.time);
        let ahead = series.steps_ahead(times)?;
        let horizon = ahead.iter().flatten().copied().max().unwrap_or(0);
        if horizon == 0 || horizon > MAX_HORIZON {
            return Err(Failure::refused(format_args!(
                "steps after the history out of range: {horizon} not in 1..{MAX_HORIZON}"
            )));
        }
        let found = self.predicted(&series, horizon)?;
        let z = normal_quantile(0.5 + 0.5 * USUAL_PROBABILITY);
        let threshold = self.deviations();
        let values = group.numbers(self.data[0])?;
        let scored_rows = ahead.iter().zip(&values).map(|(ahead, value)| match ahead {
            Some(steps) if value.is_finite() => {
                let mean = found.mean[steps - 1];
                let low = (mean - found.lower[steps - 1]) / z;
                let high = (found.upper[steps - 1] - mean) / z;
                from_normal(mean, low, high, value - mean, threshold)
            }
            _ => Scored::NONE,
        });
        let scored_rows = scored_rows.collect();
        Ok(judged(Arc::clone(times), values, scored_rows, threshold))
    }
}

/// 1.4826 times the median absolute value; the root mean square where that is zero.
fn spread(errors: &[f64]) -> Option<f64> {
    if errors.len() < LEAST_VALUES {
        return None;
    }
    let mut sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    let robust = 1.482_602_218_505_602 * crate::math::stats::describe::quantile_sorted(&sizes, 0.5);
    let plain = (errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt();
    let found = if robust > 0.0 { robust } else { plain };
    (found > 0.0 && found.is_finite()).then_some(found)
}

fn from_normal(expected: f64, low: f64, high: f64, error: f64, threshold: f64) -> Scored {
    let unit = if error < 0.0 { low } else { high };
    let score = if error == 0.0 {
        0.0
    } else {
        error.abs() / unit
    };
    Scored {
        expected,
        lower: expected - threshold * low,
        upper: expected + threshold * high,
        score,
        probability: 1.0 - 2.0 * normal_tail(score),
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
