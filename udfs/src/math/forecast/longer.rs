//! Seasons longer than the one that is known, such as the week of hourly values of which only the day is named.
//!
//! A longer season is a whole number of shorter ones. It counts where it foretells cycles that it has not seen better than the
//! shorter one does: each value, less a moving average over the longer season, is compared with the mean of the values at its
//! place in all other cycles. That the places of the longer season differ must not be chance either, by an F test.

use super::super::stats::distribution::f_tail;

/// So many shorter seasons are tried as one longer.
const MOST_MULTIPLES: usize = 60;
/// Cycles of the longer season that must be there; the moving average takes one of them.
const CYCLES: usize = 4;
/// A longer season must bring the mean square of the errors below this part.
const GAIN: f64 = 0.8;
/// The probability of chance that counts as none, over all multiples that are tried.
const CHANCE: f64 = 0.001;

/// Adds the longer season that the values show, if they show one, to a season that stands alone.
///
/// Several seasons stay as they are: who names them has looked.
pub(super) fn with_longer(values: &[f64], periods: &[usize]) -> Vec<usize> {
    let mut found = periods.to_vec();
    if let [period] = periods {
        found.extend(longer(values, *period));
    }
    found
}

/// The multiple of a season that foretells best, where it foretells enough better.
fn longer(values: &[f64], period: usize) -> Option<usize> {
    let most = (values.len() / CYCLES / period).min(MOST_MULTIPLES);
    let compared = |multiple: usize| {
        let length = multiple * period;
        let flat = without_average(values, length);
        let (short, long) = (Fit::of(&flat, period)?, Fit::of(&flat, length)?);
        let freedom = ((length - period) as f64, flat.len() as f64 - length as f64);
        let explained = (short.square - long.square) / freedom.0;
        let chance = f_tail(explained / (long.square / freedom.1), freedom.0, freedom.1);
        let is_found = chance * (most as f64) < CHANCE && long.unseen < GAIN * short.unseen;
        is_found.then_some((length, long.unseen / short.unseen))
    };
    let found = (2..=most).filter_map(compared);
    found.min_by(|a, b| a.1.total_cmp(&b.1)).map(|best| best.0)
}

/// The values less their centred average over a season, without half a season at both ends; an even season counts its ends by half.
fn without_average(values: &[f64], length: usize) -> Vec<f64> {
    let half = length / 2;
    let even = length.is_multiple_of(2);
    let mut sums = vec![0.0];
    let mut sum = 0.0;
    for value in values {
        sum += value;
        sums.push(sum);
    }
    (half..values.len().saturating_sub(half))
        .map(|t| {
            let whole = sums[t + half + 1] - sums[t - half];
            let ends = if even {
                0.5 * (values[t - half] + values[t + half])
            } else {
                0.0
            };
            values[t] - (whole - ends) / length as f64
        })
        .collect()
}

/// How well the means at the places of a cycle describe values.
struct Fit {
    /// The sum of squares about them.
    square: f64,
    /// The sum of squares about the means of the other values at each place.
    unseen: f64,
}

impl Fit {
    /// `None` where a place has one value only, or nothing is left.
    fn of(values: &[f64], period: usize) -> Option<Self> {
        let mut fit = Self {
            square: 0.0,
            unseen: 0.0,
        };
        for place in 0..period.min(values.len()) {
            let column = || values[place..].iter().step_by(period);
            let count = column().count() as f64;
            if count < 2.0 {
                return None;
            }
            let mean = column().sum::<f64>() / count;
            let own: f64 = column().map(|x| (x - mean) * (x - mean)).sum();
            let others = count / (count - 1.0);
            fit.square += own;
            fit.unseen += own * others * others;
        }
        (fit.square > 0.0).then_some(fit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::rng::Rng;

    fn hours(weekend: f64, noise: f64) -> Vec<f64> {
        let mut rng = Rng::new(3);
        let day = |t: usize| (t % 24) as f64;
        let week = |t: usize| if t % 168 < 48 { weekend } else { 0.0 };
        (0..700)
            .map(|t| 50.0 + day(t) + week(t) + noise * rng.normal())
            .collect()
    }

    #[test]
    fn a_week_is_found_behind_its_days() {
        assert_eq!(with_longer(&hours(-15.0, 2.0), &[24]), [24, 168]);
        assert_eq!(with_longer(&hours(0.0, 2.0), &[24]), [24]);
        assert_eq!(with_longer(&hours(-15.0, 2.0), &[24, 48]), [24, 48]);
        assert_eq!(with_longer(&hours(-15.0, 2.0)[..500], &[24]), [24]);
    }

    #[test]
    fn noise_and_steps_have_no_longer_season() {
        let mut rng = Rng::new(4);
        for n in [30, 47, 120, 500] {
            let noise: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
            let mut level = 0.0;
            let walk: Vec<f64> = noise
                .iter()
                .map(|step| {
                    level += step;
                    level
                })
                .collect();
            for values in [&noise, &walk, &vec![1.0; n]] {
                for period in [2, 4, 12] {
                    assert_eq!(with_longer(values, &[period]), [period], "{n}");
                }
            }
        }
    }
}
