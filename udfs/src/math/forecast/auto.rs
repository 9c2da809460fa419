//! The automatic model: a combination of methods, weighted and with intervals calibrated on the series' own past.
//!
//! The members are in `ensemble`. They forecast from earlier origins of the same series; how far they were off there gives
//! their weights, and how far the combination was off there gives its intervals.

use super::ensemble::{Ensemble, MEMBERS, Outlook, Outlooks, Weights, combined};
use super::interval::{normal_quantile, student_quantile};
use super::{Forecast, Request};
use statrs::function::gamma::gamma;

/// Earlier origins that are forecast.
const MAX_ORIGINS: usize = 24;
/// Observations that are left for the first of the earlier fits.
const MIN_HISTORY: usize = 10;
/// Up to so many observations the forms are chosen anew at each origin; beyond, only their parameters are fitted.
const SHORT: usize = 40;
/// How many origins it takes until members weigh as much by the inverse squares of their mean absolute errors as by the inverses.
const EVEN_ORIGINS: f64 = 4.0;
/// A member's share in the errors of all below which it can hardly be told from another without error.
const ROUNDING: f64 = 1e-6;
/// How much wider than the models say intervals of 80 and of 95 % are where no past tells, and how many origins that is worth.
const PRIOR_FACTORS: (f64, f64) = (0.9, 1.35);
const PRIOR_ORIGINS: f64 = 4.0;
/// What an origin tells of the intervals, as a part of what the next one tells: series change.
const MEMORY: f64 = 0.95;
/// Calibrated steps borrow from those up to this many times nearer or farther.
const NEIGHBOURHOOD: f64 = 2.0;

/// Forecasts by the combination; `None` where no member can be fitted.
///
/// The interval of step j is mean ± t σ_j s_j: σ_j is the members' mean deviation and s_j the size of past errors in units
/// of the deviations expected for them, recent ones above all, pulled towards a prior; t is the normal quantile, widened towards
/// Student's with as many degrees of freedom as origins and prior are worth. The size is a power mean over steps near j, of a power
/// that grows with the level: heavy tails move far quantiles more than near ones, and higher means more than lower ones.
/// A split-conformal scheme (Vovk, Gammerman and Shafer 2005) with normalised scores, whose empirical quantile
/// is replaced by a scale estimate because a series has few independent past forecasts.
pub(super) fn forecast(request: &Request<'_>, periods: &[usize]) -> Option<Forecast> {
    let ensemble = Ensemble::fit(request.values, periods)?;
    let past = Past::collect(&ensemble, request, periods);
    let weights = past.weights(None);
    let outlook = combined(&ensemble.outlooks(request.horizon, request.seed), &weights);
    let scores = Scores::of(&past, request);
    let (mut lower, mut upper) = (
        Vec::with_capacity(request.horizon),
        Vec::with_capacity(request.horizon),
    );
    for ((step, mean), deviation) in outlook.mean.iter().enumerate().zip(&outlook.deviation) {
        let reach = deviation * scores.factor(step);
        lower.push(mean - reach);
        upper.push(mean + reach);
    }
    let model = format!("auto: {}", ensemble.name());
    Some(Forecast {
        mean: outlook.mean,
        lower,
        upper,
        fitted: ensemble.fitted(&weights),
        model,
    })
}

/// What the members forecast from earlier origins, and what came.
struct Past<'a> {
    origins: Vec<Origin<'a>>,
    /// Sums of the members' absolute errors over origins that all members have.
    totals: Weights,
    counted: f64,
}

struct Origin<'a> {
    members: Outlooks,
    /// The members' sums of absolute errors; none where one of them could not be fitted.
    errors: Option<Weights>,
    future: &'a [f64],
}

impl<'a> Past<'a> {
    fn collect(ensemble: &Ensemble, request: &Request<'a>, periods: &[usize]) -> Self {
        let values = request.values;
        let longest = periods.last().copied().unwrap_or(1);
        let least = MIN_HISTORY.max(2 * longest + 3).max(values.len() / 2);
        let room = values.len().saturating_sub(least);
        let stride = (room / MAX_ORIGINS).clamp(1, request.horizon.max(1));
        let here = ensemble.outlooks(1, request.seed);
        let mut past = Self {
            origins: Vec::new(),
            totals: [0.0; MEMBERS],
            counted: 0.0,
        };
        for back in (1..=MAX_ORIGINS)
            .map(|k| k * stride)
            .take_while(|back| *back <= room)
        {
            let (known, future) = values.split_at(values.len() - back);
            // A short series would tell the forms of its later part to its earlier one.
            let earlier = if known.len() <= SHORT {
                Ensemble::fit(known, periods)
            } else {
                ensemble.refit(known, periods)
            };
            let Some(earlier) = earlier else {
                continue;
            };
            let members = earlier.outlooks(request.horizon.min(back), request.seed);
            let same = members
                .iter()
                .zip(&here)
                .all(|(a, b)| a.is_some() == b.is_some());
            let errors = same.then(|| members.each_ref().map(|member| missed(member, future)));
            if let Some(errors) = &errors {
                past.totals
                    .iter_mut()
                    .zip(errors)
                    .for_each(|(t, e)| *t += e);
                past.counted += 1.0;
            }
            past.origins.push(Origin {
                members,
                errors,
                future,
            });
        }
        past
    }

    /// The members' weights by their errors, without those of one origin where that one is to be judged.
    fn weights(&self, without: Option<&Origin<'_>>) -> Weights {
        let own = without.and_then(|origin| origin.errors);
        let count = self.counted - if own.is_some() { 1.0 } else { 0.0 };
        let own = own.unwrap_or([0.0; MEMBERS]);
        let mut errors = self.totals;
        errors.iter_mut().zip(own).for_each(|(e, own)| *e -= own);
        let whole: f64 = errors.iter().filter(|e| e.is_finite()).sum();
        // Without an error there is nothing to tell members by.
        if count < 1.0 || whole <= 0.0 {
            return [1.0; MEMBERS];
        }
        let closeness = errors.map(|e| {
            if e.is_finite() {
                whole / (e.max(0.0) + ROUNDING * whole)
            } else {
                0.0
            }
        });
        let squares = closeness.map(|x| x * x);
        let of_all = |parts: &Weights| parts.iter().sum::<f64>();
        let trust = count / (count + EVEN_ORIGINS);
        std::array::from_fn(|i| {
            trust * squares[i] / of_all(&squares)
                + (1.0 - trust) * closeness[i] / of_all(&closeness)
        })
    }
}

/// A member's sum of absolute errors; NaN for one that is not there.
fn missed(member: &Option<Outlook>, future: &[f64]) -> f64 {
    member.as_ref().map_or(f64::NAN, |member| {
        let pairs = member.mean.iter().zip(future);
        pairs.map(|(mean, y)| (y - mean).abs()).sum()
    })
}

/// Powers of the combination's errors from earlier origins, in units of the deviations that were expected there.
struct Scores {
    power: f64,
    /// The mean of that power of a standard normal number.
    of_normal: f64,
    level: f64,
    /// Where the level lies on the way from 80 % (0) to 95 % (1), on both sides a little farther.
    place: f64,
    /// Running totals over the steps ahead: entry j covers the steps before j.
    sums: Vec<f64>,
    counts: Vec<f64>,
}

impl Scores {
    fn of(past: &Past<'_>, request: &Request<'_>) -> Self {
        let level = request.confidence_level;
        let place = ((level - 0.8) / 0.15).clamp(-0.5, 1.5);
        // A half at 80 %, one at 95 %.
        let power = 0.5 + 0.5 * place.max(0.0);
        let half_power = 2f64.powf(power / 2.0);
        let mut scores = Self {
            power,
            of_normal: half_power * gamma((power + 1.0) / 2.0) / std::f64::consts::PI.sqrt(),
            level,
            place,
            sums: vec![0.0; request.horizon + 1],
            counts: vec![0.0; request.horizon + 1],
        };
        let mut weight = 1.0;
        for origin in &past.origins {
            let outlook = combined(&origin.members, &past.weights(Some(origin)));
            let each = outlook
                .mean
                .iter()
                .zip(&outlook.deviation)
                .zip(origin.future);
            for (step, ((mean, deviation), y)) in each.enumerate() {
                let ratio = ((y - mean) / deviation).abs().powf(power);
                if ratio.is_finite() {
                    scores.sums[step + 1] += weight * ratio;
                    scores.counts[step + 1] += weight;
                }
            }
            weight *= MEMORY;
        }
        for step in 0..request.horizon {
            scores.sums[step + 1] += scores.sums[step];
            scores.counts[step + 1] += scores.counts[step];
        }
        scores
    }

    /// The half-width of the interval at `step` (from 0) in units of the models' deviation.
    fn factor(&self, step: usize) -> f64 {
        let ahead = (step + 1) as f64;
        let from = (ahead / NEIGHBOURHOOD).ceil() as usize - 1;
        let to = ((ahead * NEIGHBOURHOOD).floor() as usize).min(self.counts.len() - 1);
        let count = self.counts[to] - self.counts[from];
        let mean = if count > 0.0 {
            (self.sums[to] - self.sums[from]) / count
        } else {
            0.0
        };
        // Errors of neighbouring steps of one origin move together and count once.
        let origins = count / (to - from) as f64;
        let worth = PRIOR_ORIGINS + origins;
        let prior = PRIOR_FACTORS.0 + self.place * (PRIOR_FACTORS.1 - PRIOR_FACTORS.0);
        let prior = prior.powf(self.power) * self.of_normal;
        let blended = (PRIOR_ORIGINS * prior + origins * mean) / worth;
        let size = (blended / self.of_normal).powf(1.0 / self.power);
        let half = 0.5 + self.level / 2.0;
        // How much the size itself may be off matters to far quantiles above all.
        let (normal, student) = (normal_quantile(half), student_quantile(half, worth));
        size * normal * (student / normal).powf(0.75 * self.place.max(0.0))
    }
}
