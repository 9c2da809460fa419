//! Seasonality of a regular series: autocorrelation, a test, detection of the period, and seasonal indices.
//!
//! Works on values in time order without gaps; knows nothing of timestamps or of the models that use it.

/// How the seasonal part joins the rest of the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Composition {
    /// value = level + season.
    Additive,
    /// value = level × season.
    Multiplicative,
}

/// The autocorrelations at lags `1..=max_lag`.
///
/// r_k = Σ (x_t − x̄)(x_{t+k} − x̄) / Σ (x_t − x̄)², between −1 and 1; zero for lags beyond the series and
/// for constant series. NaN spreads. Source: Box, Jenkins, Reinsel and Ljung, Time Series Analysis, chapter 2.
pub fn autocorrelation(values: &[f64], max_lag: usize) -> Vec<f64> {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n.max(1) as f64;
    let centred: Vec<f64> = values.iter().map(|x| x - mean).collect();
    let total: f64 = centred.iter().map(|x| x * x).sum();
    (1..=max_lag)
        .map(|lag| {
            if lag >= n || total == 0.0 {
                return 0.0;
            }
            centred[lag..]
                .iter()
                .zip(&centred)
                .map(|(a, b)| a * b)
                .sum::<f64>()
                / total
        })
        .collect()
}

/// The one-sided 95 % point of the normal distribution, used by the seasonality test.
const TEST_LIMIT: f64 = 1.644_853_626_951_472_2;

/// Tells whether the autocorrelation at `period` differs from zero, given those at the shorter lags.
///
/// |r_m| > 1.645 √((1 + 2 Σ_{k<m} r_k²) / n), on at least two periods of four or more steps.
/// Source: Assimakopoulos and Nikolopoulos (2000), the test of the Theta method, as in statsforecast.
pub fn is_seasonal(values: &[f64], period: usize) -> bool {
    if period < 4 || values.len() < 2 * period {
        return false;
    }
    let r = autocorrelation(values, period);
    let Some((last, shorter)) = r.split_last() else {
        return false;
    };
    let spread = (1.0 + 2.0 * shorter.iter().map(|r| r * r).sum::<f64>()) / values.len() as f64;
    last.abs() > TEST_LIMIT * spread.sqrt()
}

/// The most series lags that [`detect_period`] looks at.
const MAX_DETECTED_PERIOD: usize = 400;
/// The least autocorrelation that counts as a season.
const LEAST_CORRELATION: f64 = 0.3;

/// Finds the length of the season, or `None` where the series shows none.
///
/// The lag of the highest local peak of the autocorrelation after a straight line is taken out, where the
/// peak passes [`is_seasonal`] and 0.3; the shortest lag within 10 % of the highest peak wins, so that
/// multiples of the season are not taken for it. Needs three full periods.
pub fn detect_period(values: &[f64]) -> Option<usize> {
    let max_lag = (values.len() / 3).min(MAX_DETECTED_PERIOD);
    if max_lag < 2 {
        return None;
    }
    let flat = without_line(values);
    let r = autocorrelation(&flat, max_lag + 1);
    let peaks: Vec<(usize, f64)> = (1..max_lag)
        .filter(|&i| r[i] > LEAST_CORRELATION && r[i] > r[i - 1] && r[i] >= r[i + 1])
        .map(|i| (i + 1, r[i]))
        .collect();
    let highest = peaks
        .iter()
        .map(|peak| peak.1)
        .fold(f64::NEG_INFINITY, f64::max);
    peaks
        .into_iter()
        .find(|&(period, height)| {
            height >= 0.9 * highest && (period < 4 || is_seasonal(&flat, period))
        })
        .map(|(period, _)| period)
}

/// The residuals of a least-squares straight line through the values.
fn without_line(values: &[f64]) -> Vec<f64> {
    let (level, slope) = line(values);
    values
        .iter()
        .enumerate()
        .map(|(t, y)| y - level - slope * t as f64)
        .collect()
}

/// The level at the first value and the slope per step of the least-squares line.
///
/// One value gives slope zero; no value gives zeros.
pub fn line(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (0.0, 0.0);
    }
    let middle = (n - 1.0) / 2.0;
    let mean = values.iter().sum::<f64>() / n;
    let spread = n * (n * n - 1.0) / 12.0;
    if spread == 0.0 {
        return (mean, 0.0);
    }
    let joint: f64 = values
        .iter()
        .enumerate()
        .map(|(t, y)| (t as f64 - middle) * (y - mean))
        .sum();
    let slope = joint / spread;
    (mean - slope * middle, slope)
}

/// The seasonal indices of classical decomposition: entry `k` belongs to the values at `k`, `k + period`, …
///
/// A centred moving average of one period gives the trend; the indices are the averages of what is left over
/// each position, made to sum to zero (additive) or to average one (multiplicative).
/// `None` with fewer than two periods, and for multiplicative indices that are not positive and finite.
/// Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, section 3.4.
pub fn seasonal_indices(
    values: &[f64],
    period: usize,
    composition: Composition,
) -> Option<Vec<f64>> {
    if period < 2 || values.len() < 2 * period {
        return None;
    }
    let half = period / 2;
    let mut sums = vec![0.0; period];
    let mut counts = vec![0u32; period];
    for t in half..values.len() - half {
        let trend = centred_average(values, t, period);
        let left = match composition {
            Composition::Additive => values[t] - trend,
            Composition::Multiplicative => values[t] / trend,
        };
        sums[t % period] += left;
        counts[t % period] += 1;
    }
    let mut indices: Vec<f64> = sums
        .iter()
        .zip(&counts)
        .map(|(sum, &n)| sum / f64::from(n.max(1)))
        .collect();
    let mean = indices.iter().sum::<f64>() / period as f64;
    match composition {
        Composition::Additive => indices.iter_mut().for_each(|s| *s -= mean),
        Composition::Multiplicative => indices.iter_mut().for_each(|s| *s /= mean),
    }
    let usable = match composition {
        Composition::Additive => indices.iter().all(|s| s.is_finite()),
        Composition::Multiplicative => indices.iter().all(|s| s.is_finite() && *s > 0.0),
    };
    usable.then_some(indices)
}

/// The average over one period around `t`; even periods weigh both ends by a half.
fn centred_average(values: &[f64], t: usize, period: usize) -> f64 {
    let half = period / 2;
    let window = &values[t - half..=t + half];
    let sum: f64 = window.iter().sum();
    let ends = if period.is_multiple_of(2) {
        0.5 * (window[0] + window[window.len() - 1])
    } else {
        0.0
    };
    (sum - ends) / period as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wave 10 + t/2 + s with s = (3, −1, −4, 2): its decomposition is exact by construction.
    fn wave(n: usize) -> Vec<f64> {
        (0..n)
            .map(|t| 10.0 + 0.5 * t as f64 + [3.0, -1.0, -4.0, 2.0][t % 4])
            .collect()
    }

    #[test]
    fn indices_of_an_exact_season_are_exact() {
        let indices = seasonal_indices(&wave(16), 4, Composition::Additive).unwrap();
        for (found, truth) in indices.iter().zip([3.0, -1.0, -4.0, 2.0]) {
            assert!((found - truth).abs() < 1e-12);
        }
    }

    #[test]
    fn short_or_negative_series_have_no_indices() {
        assert!(seasonal_indices(&wave(7), 4, Composition::Additive).is_none());
        let negative: Vec<f64> = wave(16).iter().map(|y| y - 12.0).collect();
        assert!(seasonal_indices(&negative, 4, Composition::Multiplicative).is_none());
    }

    #[test]
    fn the_period_is_found_and_noise_has_none() {
        assert_eq!(detect_period(&wave(40)), Some(4));
        let mut rng = crate::math::rng::Rng::new(5);
        let noise: Vec<f64> = (0..200).map(|_| rng.normal()).collect();
        assert_eq!(detect_period(&noise), None);
        assert_eq!(detect_period(&[1.0; 50]), None);
        assert_eq!(detect_period(&[]), None);
    }

    /// numpy: for x = 1, 2, 3, 4, 5 the autocorrelations are 0.4, −0.1, −0.4, −0.4.
    #[test]
    fn autocorrelation_of_five_steps() {
        let r = autocorrelation(&[1.0, 2.0, 3.0, 4.0, 5.0], 5);
        for (found, truth) in r.iter().zip([0.4, -0.1, -0.4, -0.4, 0.0]) {
            assert!((found - truth).abs() < 1e-12);
        }
    }
}
