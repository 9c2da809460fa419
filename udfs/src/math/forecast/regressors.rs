//! Regressors known ahead under any model: their effect is taken out of the series, the rest is forecast, and the
//! effect ahead is added again.
//!
//! The effect is that of a regression with ARIMA errors ([`arima::regress`]), whatever the model of the rest; the errors of
//! its coefficients widen the interval.

use super::arima::{self, Effect};
use super::interval::normal_quantile;
use super::{Forecast, Refusal, Regressor, Request};

/// What least squares explains to this part leaves nothing but rounding.
const NOTHING_LEFT: f64 = 1e-12;

/// Forecasts with regressors by what `rest` makes of the series without them.
pub(super) fn forecast(
    request: &Request<'_>,
    periods: &[usize],
    rest: impl Fn(&Request<'_>) -> Result<Forecast, Refusal>,
) -> Result<Forecast, Refusal> {
    let past: Vec<&[f64]> = request.regressors.iter().map(|r| r.past).collect();
    let ahead: Vec<&[f64]> = request.regressors.iter().map(|r| r.future).collect();
    let n = request.values.len();
    let period = periods.first().copied().unwrap_or(1);
    let few = Refusal::TooFewObservations {
        got: n,
        need: past.len() + 4,
    };
    let effect = arima::regress(request.values, period, &past).ok_or(few)?;
    let explained = effect.of(&past, n);
    let mut left: Vec<f64> = request
        .values
        .iter()
        .zip(&explained)
        .map(|(y, x)| y - x)
        .collect();
    level_off(&mut left, request.values);
    let mut found = rest(&Request {
        values: &left,
        regressors: &[],
        ..*request
    })?;
    found
        .fitted
        .iter_mut()
        .zip(&explained)
        .for_each(|(f, x)| *f += x);
    add(&mut found, request, &effect, &ahead);
    found.model = format!("{} + {} regressors", found.model, past.len());
    Ok(found)
}

/// A rest that is rounding alone is made constant, so that no model reads patterns into it.
fn level_off(left: &mut [f64], values: &[f64]) {
    let largest = values.iter().fold(0.0f64, |most, y| most.max(y.abs()));
    let n = left.len() as f64;
    let mean = left.iter().map(|y| y / n).sum::<f64>();
    if left
        .iter()
        .all(|y| (y - mean).abs() <= NOTHING_LEFT * largest)
    {
        left.fill(mean);
    }
}

/// Adds the effect ahead, and its uncertainty to both sides of the interval.
fn add(found: &mut Forecast, request: &Request<'_>, effect: &Effect, ahead: &[&[f64]]) {
    let centre = |r: &Regressor<'_>| {
        let n = r.past.len() as f64;
        r.past.iter().map(|x| x / n).sum::<f64>()
    };
    let centres: Vec<f64> = request.regressors.iter().map(centre).collect();
    let steps = found.mean.len();
    let moved = effect.of(ahead, steps);
    let variance = effect.variance(ahead, &centres, steps);
    let z = normal_quantile(0.5 + request.confidence_level / 2.0);
    let widened = |reach: f64, variance: f64| (reach * reach + z * z * variance).sqrt();
    for step in 0..steps {
        let (mean, variance) = (found.mean[step], variance[step]);
        let below = widened(mean - found.lower[step], variance);
        let above = widened(found.upper[step] - mean, variance);
        found.mean[step] = mean + moved[step];
        found.lower[step] = found.mean[step] - below;
        found.upper[step] = found.mean[step] + above;
    }
}
