//! How often a series has to be differenced before its level and its season look constant.

use super::super::mstl;

/// The 5 % point of the KPSS statistic for a constant level (Kwiatkowski et al. 1992, table 1).
const LIMIT: f64 = 0.463;
const MAX_DIFFERENCES: usize = 2;

/// The first number of differences at which the KPSS test does not reject a constant level at 5 %.
pub(super) fn differences(values: &[f64]) -> usize {
    let mut current = values.to_vec();
    let mut count = 0;
    while count < MAX_DIFFERENCES && current.len() > 5 && kpss(&current) > LIMIT {
        current = difference(&current);
        count += 1;
    }
    count
}

/// The changes from each value to the next.
fn difference(values: &[f64]) -> Vec<f64> {
    changes(values, 1)
}

/// Values less those `lag` steps before.
fn changes(values: &[f64], lag: usize) -> Vec<f64> {
    let later = values.get(lag..).unwrap_or_default();
    later
        .iter()
        .zip(values)
        .map(|(y, before)| y - before)
        .collect()
}

/// The series differenced over seasons first, then from step to step.
pub(super) fn differenced(values: &[f64], d: usize, seasonal_d: usize, period: usize) -> Vec<f64> {
    let mut left = values.to_vec();
    (0..seasonal_d).for_each(|_| left = changes(&left, period));
    (0..d).for_each(|_| left = difference(&left));
    left
}

/// From this strength on a season is differenced.
const STRONG_SEASON: f64 = 0.64;

/// Whether the season's strength 1 − Var(remainder) / Var(season + remainder) by loess exceeds 0.64.
///
/// Source: Wang, Smith and Hyndman (2006); the limit is that of forecast::nsdiffs, chosen on the M3 series.
pub(super) fn is_seasonally_integrated(values: &[f64], period: usize) -> bool {
    let Some(parts) = mstl::decompose(values, &[period]) else {
        return false;
    };
    let Some(season) = parts.seasons.first() else {
        return false;
    };
    let both: Vec<f64> = season
        .iter()
        .zip(&parts.remainder)
        .map(|(s, r)| s + r)
        .collect();
    let (whole, rest) = (variance(&both), variance(&parts.remainder));
    whole > 0.0 && 1.0 - rest / whole > STRONG_SEASON
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / n
}

/// The KPSS statistic Σ S_t² / (n² s²) of partial sums S of the centred values; zero for constants.
///
/// s² is the Bartlett estimate of the long-run variance with ⌊3 √n / 13⌋ lags.
/// Source: Kwiatkowski, Phillips, Schmidt and Shin (1992); the lags are those of forecast::ndiffs.
fn kpss(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let centred: Vec<f64> = values.iter().map(|y| y - mean).collect();
    let lags = (3.0 * n.sqrt() / 13.0).floor() as usize;
    let product = |lag: usize| {
        centred[lag..]
            .iter()
            .zip(&centred)
            .map(|(a, b)| a * b)
            .sum::<f64>()
            / n
    };
    let tapered = |lag: usize| 2.0 * (1.0 - lag as f64 / (lags + 1) as f64) * product(lag);
    let variance = product(0) + (1..=lags).map(tapered).sum::<f64>();
    if variance <= 0.0 {
        return 0.0;
    }
    let mut sum = 0.0;
    let squares: f64 = centred
        .iter()
        .map(|y| {
            sum += y;
            sum * sum
        })
        .sum();
    squares / (n * n * variance)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::rng::Rng;

    /// By hand with no lags: centred −1, 0, 1 have partial sums −1, −1, 0; 2 / (9 · 2/3).
    #[test]
    fn the_statistic_by_hand() {
        assert!((kpss(&[1.0, 2.0, 3.0]) - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn noise_needs_none_and_a_walk_needs_one() {
        let mut rng = Rng::new(1);
        let noise: Vec<f64> = (0..200).map(|_| rng.normal()).collect();
        let mut level = 0.0;
        let walk: Vec<f64> = noise
            .iter()
            .map(|e| {
                level += e;
                level
            })
            .collect();
        assert_eq!((differences(&noise), differences(&walk)), (0, 1));
        assert_eq!(differences(&[3.0; 20]), 0);
    }
}
