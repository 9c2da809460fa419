//! A regression on time: a trend whose slope changes, seasons as waves, and regressors such as holidays.
//!
//! y = level + slope t + Σ δⱼ (t − sⱼ)₊ + Σ waves + Σ βx + e, fitted to its posterior mode. Slopes may change at points
//! spread over the first four fifths of the series; their changes δ have Laplace priors, so that most are nothing.
//! Seasons and regressors have wide normal priors. The interval holds the errors and the changes of slope to come, as
//! often and as large as those found.
//!
//! Source: Taylor and Letham (2018), "Forecasting at scale". Its defaults are kept: 25 points, scale 0.05 of changes,
//! 10 of seasons and regressors, in units of the largest value and of the whole time. The mode is found by
//! reweighted least squares instead of a general optimiser.

use super::super::cholesky::Cholesky;
use super::super::matrix::Symmetric;
use super::{Prediction, Refusal, Request};

const MAX_CHANGES: usize = 25;
/// The part of the series in which the slope may change.
const CHANGING_PART: f64 = 0.8;
const CHANGE_SCALE: f64 = 0.05;
const WIDE_SCALE: f64 = 10.0;
const TREND_SCALE: f64 = 5.0;
/// Waves of a season at most.
const MAX_WAVES: usize = 10;
const ROUNDS: usize = 50;
const TOLERANCE: f64 = 1e-7;
/// Changes below this count as none, and keep weights finite.
const LEAST_CHANGE: f64 = 1e-7;
/// The least deviation of errors, in units of the largest value.
const LEAST_DEVIATION: f64 = 1e-9;
/// The fewest observations that can be fitted.
const MIN_OBSERVATIONS: usize = 3;

/// Fits and forecasts; all seasons and regressors take part together.
pub(super) fn forecast(request: &Request<'_>, periods: &[usize]) -> Result<Prediction, Refusal> {
    let (values, horizon) = (request.values, request.horizon);
    let n = values.len();
    if n < MIN_OBSERVATIONS {
        return Err(Refusal::TooFewObservations {
            got: n,
            need: MIN_OBSERVATIONS,
        });
    }
    let largest = values.iter().fold(0.0f64, |most, y| most.max(y.abs()));
    let y: Vec<f64> = values.iter().map(|y| y / largest).collect();
    let design = Design::new(request, periods);
    let fit = Fit::of(&design, &y).ok_or(Refusal::NoFit)?;
    let all = design.times(&fit.coefficients);
    let (fitted, ahead) = all.split_at(n);
    let scaled = |values: &[f64]| values.iter().map(|y| y * largest).collect::<Vec<_>>();
    let wander = fit.wander(&design, n, horizon);
    Ok(Prediction {
        mean: scaled(ahead),
        deviation: scaled(&wander),
        fitted: scaled(fitted),
        name: format!("Prophet({} changes)", fit.changes(&design)),
    })
}

/// The columns of the regression over past and future, and the scale of each one's prior.
struct Design {
    columns: Vec<Vec<f64>>,
    scales: Vec<f64>,
    /// Where the changes of slope stand among the columns.
    changes: std::ops::Range<usize>,
    past: usize,
}

impl Design {
    fn new(request: &Request<'_>, periods: &[usize]) -> Self {
        let (past, rows) = (request.values.len(), request.values.len() + request.horizon);
        let time = |t: usize| t as f64 / (past - 1) as f64;
        let mut columns = vec![vec![1.0; rows], (0..rows).map(time).collect()];
        let mut scales = vec![TREND_SCALE; 2];
        let room = (CHANGING_PART * past as f64).floor() as usize;
        let count = MAX_CHANGES.min(room.saturating_sub(1));
        for change in 1..=count {
            let from = time(0) + time((room - 1).max(1)) * change as f64 / count as f64;
            columns.push((0..rows).map(|t| (time(t) - from).max(0.0)).collect());
            scales.push(CHANGE_SCALE);
        }
        let changes = 2..columns.len();
        for period in periods {
            waves(*period, rows, &mut columns);
        }
        for regressor in request.regressors {
            columns.push(standardised(regressor.past, regressor.future, rows));
        }
        scales.resize(columns.len(), WIDE_SCALE);
        Self {
            columns,
            scales,
            changes,
            past,
        }
    }

    /// Σ βⱼ xⱼ at every row.
    fn times(&self, coefficients: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; self.columns.first().map_or(0, Vec::len)];
        for (b, column) in coefficients.iter().zip(&self.columns) {
            sum.iter_mut().zip(column).for_each(|(s, x)| *s += b * x);
        }
        sum
    }
}

/// Sines and cosines of a season, as many as its steps can tell apart.
fn waves(period: usize, rows: usize, columns: &mut Vec<Vec<f64>>) {
    for wave in 1..=MAX_WAVES.min(period / 2) {
        let angle = |t: usize| {
            let turn = (t * wave) % period;
            std::f64::consts::TAU * turn as f64 / period as f64
        };
        columns.push((0..rows).map(|t| angle(t).cos()).collect());
        if 2 * wave < period {
            columns.push((0..rows).map(|t| angle(t).sin()).collect());
        }
    }
}

/// A regressor less its mean, in units of its deviation in the past; zeros if it has none.
fn standardised(past: &[f64], future: &[f64], rows: usize) -> Vec<f64> {
    let n = past.len() as f64;
    let mean = past.iter().map(|x| x / n).sum::<f64>();
    let squares: f64 = past.iter().map(|x| (x - mean) * (x - mean) / n).sum();
    let scale = squares.sqrt();
    if scale <= 1e-12 * mean.abs() || scale == 0.0 {
        return vec![0.0; rows];
    }
    let all = past.iter().chain(future).take(rows);
    all.map(|x| (x - mean) / scale).collect()
}

struct Fit {
    coefficients: Vec<f64>,
    variance: f64,
}

impl Fit {
    /// The posterior mode: each round takes |δ| for the parabola that touches it where the last round stood.
    fn of(design: &Design, y: &[f64]) -> Option<Self> {
        let n = design.past;
        let past: Vec<Vec<f64>> = design.columns.iter().map(|c| c[..n].to_vec()).collect();
        let gram = Symmetric::gram(&past);
        let along: Vec<f64> = past
            .iter()
            .map(|column| super::super::matrix::dot(column, y))
            .collect();
        let mut fit = Self {
            coefficients: vec![0.0; past.len()],
            variance: variance(y),
        };
        let start = CHANGE_SCALE;
        design
            .changes
            .clone()
            .for_each(|place| fit.coefficients[place] = start);
        for _ in 0..ROUNDS {
            let mut matrix = gram.clone();
            for (place, scale) in design.scales.iter().enumerate() {
                let precision = if design.changes.contains(&place) {
                    1.0 / (scale * fit.coefficients[place].abs().max(LEAST_CHANGE))
                } else {
                    1.0 / (scale * scale)
                };
                let diagonal = matrix.get(place, place) + precision * fit.variance;
                matrix.set(place, place, diagonal);
            }
            let mut next = along.clone();
            Cholesky::new(&matrix)?.solve(&mut next);
            let fitted = design.times(&next);
            let errors = y.iter().zip(&fitted).map(|(y, f)| y - f);
            let variance = errors.map(|e| e * e / n as f64).sum::<f64>();
            let moved = next.iter().zip(&fit.coefficients);
            let moved = moved.fold(0.0f64, |most, (a, b)| most.max((a - b).abs()));
            fit.coefficients = next;
            fit.variance = variance.max(LEAST_DEVIATION * LEAST_DEVIATION);
            if moved < TOLERANCE {
                break;
            }
        }
        let finite = fit.coefficients.iter().all(|b| b.is_finite());
        (finite && fit.variance.is_finite()).then_some(fit)
    }

    /// How many slopes change by more than nothing.
    fn changes(&self, design: &Design) -> usize {
        let deltas = &self.coefficients[design.changes.clone()];
        deltas.iter().filter(|d| d.abs() > 1e-3).count()
    }

    /// The deviation of each step ahead: errors, and slopes that change at each step with the chance of the past, by Laplace
    /// numbers of the past's mean size.
    fn wander(&self, design: &Design, n: usize, horizon: usize) -> Vec<f64> {
        let deltas = &self.coefficients[design.changes.clone()];
        let count = deltas.len() as f64;
        let size = if deltas.is_empty() {
            0.0
        } else {
            deltas.iter().map(|d| d.abs() / count).sum::<f64>()
        };
        let each = count / n as f64 * 2.0 * size * size;
        let mut squares = 0.0;
        (0..horizon)
            .map(|step| {
                let reach = step as f64 / (n - 1) as f64;
                squares += reach * reach;
                (self.variance + each * squares).sqrt()
            })
            .collect()
    }
}

fn variance(y: &[f64]) -> f64 {
    let n = y.len() as f64;
    let mean = y.iter().map(|y| y / n).sum::<f64>();
    y.iter().map(|y| (y - mean) * (y - mean) / n).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::{Model, Regressor, forecast};
    use super::*;
    use crate::math::rng::Rng;

    fn request(values: &[f64], horizon: usize) -> Request<'_> {
        Request {
            values,
            periods: &[],
            regressors: &[],
            horizon,
            confidence_level: 0.95,
            model: Model::Prophet,
            seed: 0,
        }
    }

    /// The slope that the series has at its end goes on, by construction.
    #[test]
    fn a_change_of_slope_is_followed() {
        let truth = |t: f64| {
            if t < 60.0 {
                10.0 + t
            } else {
                70.0 - 2.0 * (t - 60.0)
            }
        };
        let mut rng = Rng::new(5);
        let values: Vec<f64> = (0..120)
            .map(|t| truth(f64::from(t)) + 0.5 * rng.normal())
            .collect();
        let found = forecast(&request(&values, 10)).unwrap();
        for (step, mean) in found.mean.iter().enumerate() {
            let truth = truth(120.0 + step as f64);
            assert!((mean - truth).abs() < 3.0, "{step}: {mean} {truth}");
        }
        assert!(found.upper[9] - found.lower[9] > found.upper[0] - found.lower[0]);
    }

    /// prophet 1.5.0 on M3-N2802 with dates a week apart, no seasons and an interval of 80 %; it draws its interval.
    #[test]
    fn a_trend_agrees_with_prophet() {
        let text = include_str!("../../../../tests/data/forecast/train.csv");
        let values: Vec<f64> = text
            .lines()
            .filter_map(|line| {
                line.strip_prefix("M3-N2802,")?
                    .rsplit(',')
                    .next()?
                    .parse()
                    .ok()
            })
            .collect();
        assert_eq!(values.len(), 53);
        let found = forecast(&Request {
            confidence_level: 0.8,
            ..request(&values, 13)
        })
        .unwrap();
        let near = |found: f64, expected: f64, off: f64| {
            assert!((found - expected).abs() < off, "{found} is not {expected}");
        };
        near(found.mean[0], 1685.06, 4.0);
        near(found.mean[12], 1536.53, 6.0);
        near(found.lower[0], 1650.3, 8.0);
        near(found.upper[12], 1594.2, 12.0);
    }

    /// Holidays that lift the value by 30 lift the forecast by it.
    #[test]
    fn regressors_known_ahead_count() {
        let mut rng = Rng::new(8);
        let flag = |t: usize| if t % 13 == 4 { 1.0 } else { 0.0 };
        let values: Vec<f64> = (0..140)
            .map(|t| 100.0 + (t % 7) as f64 + 30.0 * flag(t) + 0.3 * rng.normal())
            .collect();
        let past: Vec<f64> = (0..140).map(flag).collect();
        let future: Vec<f64> = (140..160).map(flag).collect();
        let regressors = [Regressor {
            past: &past,
            future: &future,
        }];
        for model in [Model::Prophet, Model::Arima, Model::Auto] {
            let found = forecast(&Request {
                periods: &[7],
                regressors: &regressors,
                model,
                ..request(&values, 20)
            })
            .unwrap();
            for (step, mean) in found.mean.iter().enumerate() {
                let t = 140 + step;
                let truth = 100.0 + (t % 7) as f64 + 30.0 * flag(t);
                assert!(
                    (mean - truth).abs() < 2.0,
                    "{}: {step} {mean} {truth}",
                    found.model
                );
            }
        }
    }
}
