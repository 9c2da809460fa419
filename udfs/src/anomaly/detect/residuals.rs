//! Values of a series scored by what a decomposition or a model leaves of them.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;

use super::{
    Detector, Found, LEAST_VALUES, Limit, USUAL_PROBABILITY, judged, known, no_spread, scored,
    too_few,
};
use crate::math::anomaly::{Scale, ScaleKind, Scored};
use crate::math::forecast::{Forecast, MAX_HORIZON, Request, forecast};
use crate::math::stats::distribution::{normal_quantile, normal_tail};
use crate::math::stl;
use crate::relation::{ColumnRef, Failure, Group};
use crate::series::Series;

impl Detector {
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
    pub(super) fn against_seasons(&self, group: &Group<'_>) -> Result<Found, Failure> {
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
    pub(super) fn against_fit(&self, group: &Group<'_>) -> Result<Found, Failure> {
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
    pub(super) fn against_forecast(
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
