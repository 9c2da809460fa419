//! The automatic model: a combination of methods with intervals calibrated on the series' own past.
//!
//! The combination is in `ensemble`. Its intervals are those of the models, widened or narrowed by what
//! forecasts from earlier origins of the same series have missed.

use super::ensemble::Ensemble;
use super::interval::student_quantile;
use super::{Forecast, Request};

/// Earlier origins that are forecast for calibration.
const MAX_ORIGINS: usize = 24;
/// Observations that calibration leaves for the first of the earlier fits.
const MIN_HISTORY: usize = 10;
/// How much wider than the models say intervals are where no past tells, and how many origins that is worth.
const PRIOR_FACTOR: f64 = 1.5;
const PRIOR_ORIGINS: f64 = 4.0;
/// Calibrated steps borrow from those up to this many times nearer or farther.
const NEIGHBOURHOOD: f64 = 2.0;

/// Forecasts by the combination; `None` where no member can be fitted.
///
/// The interval of step j is mean ± t σ_j √s_j: σ_j is the members' median deviation, s_j the mean square of
/// past errors in units of the deviations expected for them, pulled towards 1.5², t Student's quantile with
/// as many degrees of freedom as origins and prior are worth.
/// A split-conformal scheme (Vovk, Gammerman and Shafer 2005) with normalised scores, whose empirical quantile
/// is replaced by a scale estimate because a series has few independent past forecasts.
pub(super) fn forecast(request: &Request<'_>, periods: &[usize]) -> Option<Forecast> {
    let ensemble = Ensemble::fit(request.values, periods)?;
    let outlook = ensemble.outlook(request.horizon, request.seed);
    let past = PastErrors::collect(&ensemble, request, periods);
    let (mut lower, mut upper) = (
        Vec::with_capacity(request.horizon),
        Vec::with_capacity(request.horizon),
    );
    for ((step, mean), deviation) in outlook.mean.iter().enumerate().zip(&outlook.deviation) {
        let reach = deviation * past.factor(step, request.confidence_level);
        lower.push(mean - reach);
        upper.push(mean + reach);
    }
    let model = format!("auto: {}", ensemble.name());
    Some(Forecast {
        mean: outlook.mean,
        lower,
        upper,
        fitted: ensemble.fitted(),
        model,
    })
}

/// Squared errors of forecasts from earlier origins, in units of the variances that were expected there.
struct PastErrors {
    /// Running totals over the steps ahead: entry j covers the steps before j.
    squares: Vec<f64>,
    counts: Vec<f64>,
}

impl PastErrors {
    fn collect(ensemble: &Ensemble, request: &Request<'_>, periods: &[usize]) -> Self {
        let values = request.values;
        let longest = periods.last().copied().unwrap_or(1);
        let least = MIN_HISTORY.max(2 * longest + 3).max(values.len() / 2);
        let room = values.len().saturating_sub(least);
        let stride = (room / MAX_ORIGINS).clamp(1, request.horizon.max(1));
        let mut squares = vec![0.0; request.horizon + 1];
        let mut counts = vec![0.0; request.horizon + 1];
        for back in (1..=MAX_ORIGINS)
            .map(|k| k * stride)
            .take_while(|back| *back <= room)
        {
            let (known, future) = values.split_at(values.len() - back);
            let Some(earlier) = ensemble.refit(known, periods) else {
                continue;
            };
            let outlook = earlier.outlook(request.horizon.min(future.len()), request.seed);
            for (step, (mean, deviation)) in outlook.mean.iter().zip(&outlook.deviation).enumerate()
            {
                let ratio = (future[step] - mean) / deviation;
                if ratio.is_finite() {
                    squares[step + 1] += ratio * ratio;
                    counts[step + 1] += 1.0;
                }
            }
        }
        for step in 0..request.horizon {
            squares[step + 1] += squares[step];
            counts[step + 1] += counts[step];
        }
        Self { squares, counts }
    }

    /// The half-width of the interval at `step` (from 0) in units of the models' deviation.
    fn factor(&self, step: usize, level: f64) -> f64 {
        let ahead = (step + 1) as f64;
        let from = (ahead / NEIGHBOURHOOD).ceil() as usize - 1;
        let to = ((ahead * NEIGHBOURHOOD).floor() as usize).min(self.counts.len() - 1);
        let count = self.counts[to] - self.counts[from];
        let square = if count > 0.0 {
            (self.squares[to] - self.squares[from]) / count
        } else {
            0.0
        };
        // Errors of neighbouring steps of one origin move together and count once.
        let origins = count / (to - from) as f64;
        let worth = PRIOR_ORIGINS + origins;
        let scale = (PRIOR_ORIGINS * PRIOR_FACTOR * PRIOR_FACTOR + origins * square) / worth;
        student_quantile(0.5 + level / 2.0, worth) * scale.sqrt()
    }
}
