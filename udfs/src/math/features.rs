//! Numbers that describe a regular series: its strength of trend and season, its memory, how hard it is to foretell.
//!
//! Source: Hyndman, Wang and Laptev (2015), "Large-scale unusual time series detection", and the R package
//! tsfeatures, whose definitions these are.

use std::ops::RangeInclusive;

use super::forecast::mstl;
use super::season::{autocorrelation, line};
use super::stats::describe::FourMoments;
use super::stats::{is_constant, mean, squares};
use super::stl;

/// The names of the numbers that [`features`] gives, in its order.
///
/// - `mean`, `stddev`, `minimum`, `maximum`, `skewness`, `kurtosis`: of the values.
/// - `trend_strength`, `seasonal_strength`: 1 − Var(remainder) / Var(remainder + part), 0 to 1.
/// - `linearity`: slope of the least-squares line, a step. `spikiness`: variance of the leave-one-out variances of
///   the remainder.
/// - `acf1`, `acf10`, `diff1_acf1`, `seasonal_acf1`: autocorrelation at lag 1, sum of squares of the first ten, at
///   lag 1 of differences, at the season's lag.
/// - `spectral_entropy`: of the normalised periodogram, 0 (a pure wave) to 1 (noise).
/// - `crossing_points`: how often the series crosses its median. `stability`, `lumpiness`: variance of means and of
///   variances over blocks of a season (or ten values), of the standardised series.
/// - `zero_share`: share of zeros. `intermittence`: mean distance between values that are not zero.
pub const FEATURES: &[&str] = &[
    "mean",
    "stddev",
    "minimum",
    "maximum",
    "skewness",
    "kurtosis",
    "trend_strength",
    "seasonal_strength",
    "linearity",
    "spikiness",
    "acf1",
    "acf10",
    "diff1_acf1",
    "seasonal_acf1",
    "spectral_entropy",
    "crossing_points",
    "stability",
    "lumpiness",
    "zero_share",
    "intermittence",
];

/// The numbers of [`FEATURES`]; NaN where one is not defined.
pub fn features(values: &[f64], period: usize) -> Vec<f64> {
    let n = values.len();
    let moments = FourMoments::of(values);
    let spread = (moments.m2 / (n as f64 - 1.0)).sqrt();
    let flat = n < 3 || is_constant(values);
    let parts = stl::decompose(values, period, stl::SEASONAL_WINDOW, false)
        .unwrap_or_else(|| stl::without_season(values));
    let strength = |part: &[f64]| {
        let joint: Vec<f64> = part
            .iter()
            .zip(&parts.remainder)
            .map(|(a, b)| a + b)
            .collect();
        (1.0 - variance(&parts.remainder) / variance(&joint)).max(0.0)
    };
    let r = if flat {
        vec![f64::NAN; 10]
    } else {
        autocorrelation(values, 10.max(period))
    };
    let steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let scaled: Vec<f64> = values.iter().map(|x| (x - moments.mean) / spread).collect();
    let block = if period > 1 { period } else { 10 };
    let blocks: Vec<&[f64]> = scaled.chunks_exact(block).collect();
    let means: Vec<f64> = blocks.iter().map(|block| mean(block)).collect();
    let variances: Vec<f64> = blocks.iter().map(|block| variance(block)).collect();
    let not_zero = values.iter().filter(|x| **x != 0.0).count();
    let fold = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).unwrap_or(f64::NAN);
    vec![
        moments.mean,
        spread,
        fold(f64::min),
        fold(f64::max),
        moments.skewness(false).unwrap_or(f64::NAN),
        moments.kurtosis(false).unwrap_or(f64::NAN),
        if flat {
            f64::NAN
        } else {
            strength(&parts.trend)
        },
        if flat || period < 2 {
            f64::NAN
        } else {
            strength(&parts.seasonal)
        },
        line(values).1,
        spikiness(&parts.remainder),
        r[0],
        r[..10].iter().map(|r| r * r).sum(),
        if is_constant(&steps) {
            f64::NAN
        } else {
            autocorrelation(&steps, 1)[0]
        },
        if period > 1 && period <= r.len() {
            r[period - 1]
        } else {
            f64::NAN
        },
        if flat {
            f64::NAN
        } else {
            spectral_entropy(values)
        },
        crossings(values),
        variance(&means),
        variance(&variances),
        1.0 - not_zero as f64 / n as f64,
        n as f64 / not_zero as f64,
    ]
}

fn variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    squares(values, mean(values)) / (values.len() as f64 - 1.0)
}

fn spikiness(remainder: &[f64]) -> f64 {
    let n = remainder.len() as f64;
    let centre = mean(remainder);
    let total = squares(remainder, centre);
    let without = |x: &f64| {
        let d = x - centre;
        (total - d * d * n / (n - 1.0)) / (n - 2.0)
    };
    variance(&remainder.iter().map(without).collect::<Vec<_>>())
}

fn crossings(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let median = super::stats::describe::quantile_sorted(&sorted, 0.5);
    let above: Vec<bool> = values.iter().map(|x| *x > median).collect();
    above.windows(2).filter(|pair| pair[0] != pair[1]).count() as f64
}

/// The periodogram is computed directly up to this many values; longer series are averaged down first.
const MAX_SPECTRUM: usize = 2048;

fn spectral_entropy(values: &[f64]) -> f64 {
    let fold = values.len().div_ceil(MAX_SPECTRUM);
    let values: Vec<f64> = values.chunks(fold).map(mean).collect();
    let powers = periodogram(&values);
    let total: f64 = powers.iter().sum();
    if powers.len() < 2 || total <= 0.0 {
        return f64::NAN;
    }
    let terms = powers
        .iter()
        .filter(|p| **p > 0.0)
        .map(|p| -p / total * (p / total).ln());
    terms.sum::<f64>() / (powers.len() as f64).ln()
}

/// The power of waves of n / k steps for k = 1 … n / 2.
fn periodogram(values: &[f64]) -> Vec<f64> {
    let (n, centre) = (values.len(), mean(values));
    let angle = |i: usize| 2.0 * std::f64::consts::PI * i as f64 / n as f64;
    let table: Vec<(f64, f64)> = (0..n).map(|i| angle(i).sin_cos()).collect();
    let power = |k: usize| {
        let (mut re, mut im, mut place) = (0.0, 0.0, 0);
        for x in values {
            let (sin, cos) = table[place];
            re += (x - centre) * cos;
            im += (x - centre) * sin;
            place += k;
            if place >= n {
                place -= n;
            }
        }
        re * re + im * im
    };
    (1..=n / 2).map(power).collect()
}

/// A season that a series has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Season {
    pub period: usize,
    /// 1 − Var(remainder) / Var(remainder + season), 0 to 1, of the series without the seasons before it.
    pub strength: f64,
    /// The autocorrelation at the period.
    pub autocorrelation: f64,
}

/// Seasons weaker than this are not reported.
const LEAST_STRENGTH: f64 = 0.3;

/// Peaks of the periodogram below this many times its mean are noise.
const LEAST_PEAK: f64 = 5.0;
/// Autocorrelations lower than this at a period speak against it.
const LEAST_CORRELATION: f64 = 0.1;

/// The season lengths of a series, the strongest first.
///
/// Candidates are the peaks of the periodogram of what a straight line leaves where the autocorrelation has a hill,
/// too; from the shortest on, each is taken out of the series and counts if that explains enough.
/// Only the last 4096 values are looked at. Source of the idea: Vlachos, Yu and Castelli (2005), "AutoPeriod".
pub fn detect_periods(values: &[f64], most: usize) -> Vec<Season> {
    let values = &values[values.len().saturating_sub(2 * MAX_SPECTRUM)..];
    if values.len() < 6 || is_constant(values) {
        return Vec::new();
    }
    let (level, slope) = line(values);
    let flat: Vec<f64> = values
        .iter()
        .enumerate()
        .map(|(t, x)| x - level - slope * t as f64)
        .collect();
    let mut left = flat.clone();
    let mut found: Vec<Season> = Vec::new();
    let mut r = autocorrelation(&left, left.len() / 2 + 1);
    for range in candidates(&flat) {
        let Some((period, correlation)) = hill(&r, range) else {
            continue;
        };
        if found.iter().any(|season| season.period == period) {
            continue;
        }
        let Some(parts) = mstl::decompose(&left, &[period]) else {
            continue;
        };
        let season = &parts.seasons[0];
        let joint: Vec<f64> = season
            .iter()
            .zip(&parts.remainder)
            .map(|(a, b)| a + b)
            .collect();
        // Against the spread of the whole, too: what is left of a strong season is no season.
        let strength = (1.0 - variance(&parts.remainder) / variance(&joint)).max(0.0);
        let share = variance(season) / variance(&flat);
        if strength.is_nan() || strength < LEAST_STRENGTH || share < LEAST_SHARE {
            continue;
        }
        found.push(Season {
            period,
            strength,
            autocorrelation: correlation,
        });
        left.iter_mut().zip(season).for_each(|(x, s)| *x -= s);
        r = autocorrelation(&left, left.len() / 2 + 1);
    }
    found.sort_by(|a, b| {
        b.strength
            .total_cmp(&a.strength)
            .then(a.period.cmp(&b.period))
    });
    found.truncate(most);
    found
}

/// Seasons that explain less of the variance are not reported.
const LEAST_SHARE: f64 = 0.02;

/// Ranges of periods about the peaks of the periodogram, ascending.
fn candidates(flat: &[f64]) -> Vec<RangeInclusive<usize>> {
    let n = flat.len() as f64;
    let powers = periodogram(flat);
    let usual = mean(&powers);
    let mut ranges = Vec::new();
    for (i, power) in powers.iter().enumerate() {
        let (before, after) = (if i == 0 { 0.0 } else { powers[i - 1] }, powers.get(i + 1));
        let is_peak = *power >= before && after.is_none_or(|after| power >= after);
        if is_peak && *power >= LEAST_PEAK * usual {
            // The period lies between the neighbouring waves.
            let k = (i + 1) as f64;
            let from = (n / (k + 0.75)).floor().max(2.0) as usize;
            let to = (n / (k - 0.75).max(0.5)).ceil() as usize;
            ranges.push(from..=to.min(flat.len() / 2));
        }
    }
    ranges.reverse();
    ranges
}

/// The highest autocorrelation among these lags, if it is a hill.
fn hill(r: &[f64], lags: RangeInclusive<usize>) -> Option<(usize, f64)> {
    let at = |lag: usize| {
        if lag == 0 {
            1.0
        } else {
            r.get(lag - 1).copied().unwrap_or(0.0)
        }
    };
    let top = lags.max_by(|a, b| at(*a).total_cmp(&at(*b)))?;
    let is_hill = at(top) > LEAST_CORRELATION && at(top) >= at(top - 1) && at(top) >= at(top + 1);
    is_hill.then(|| (top, at(top)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize, period: f64) -> Vec<f64> {
        (0..n)
            .map(|t| (2.0 * std::f64::consts::PI * t as f64 / period).sin())
            .collect()
    }

    fn of(values: &[f64], period: usize, name: &str) -> f64 {
        let place = FEATURES.iter().position(|known| *known == name).unwrap();
        features(values, period)[place]
    }

    #[test]
    fn a_wave_is_all_season() {
        let values = wave(120, 12.0);
        assert!(of(&values, 12, "seasonal_strength") > 0.99);
        assert!(of(&values, 12, "spectral_entropy") < 0.01);
        let found = detect_periods(&values, 3);
        assert_eq!(found[0].period, 12);
    }

    #[test]
    fn two_waves_are_two_seasons() {
        let (short, long) = (wave(420, 7.0), wave(420, 30.0));
        let both: Vec<f64> = short.iter().zip(&long).map(|(a, b)| a + b).collect();
        let mut periods: Vec<usize> = detect_periods(&both, 3).iter().map(|s| s.period).collect();
        periods.sort_unstable();
        assert!(periods.contains(&7) && periods.contains(&30), "{periods:?}");
    }

    /// By hand: 0 1 0 1 … crosses its median at every step, half of it is zero.
    #[test]
    fn a_sawtooth_by_hand() {
        let values: Vec<f64> = (0..20).map(|t| f64::from(t % 2)).collect();
        assert_eq!(of(&values, 1, "crossing_points"), 19.0);
        assert_eq!(of(&values, 1, "zero_share"), 0.5);
        assert_eq!(of(&values, 1, "intermittence"), 2.0);
    }

    #[test]
    fn nothing_is_described_without_panic() {
        for values in [&[][..], &[1.0], &[1.0, 2.0], &[3.0; 40]] {
            assert_eq!(features(values, 12).len(), FEATURES.len());
            assert!(detect_periods(values, 3).is_empty());
        }
    }
}
