//! How good forecasts were: errors in several scales, interval coverage and interval scores.
//!
//! All functions take actual values first, return NaN for empty input or a scale of zero, spread NaN, and look
//! at the shorter of two lengths.
//! Source: Hyndman and Koehler (2006), "Another look at measures of forecast accuracy"; Makridakis, Spiliotis
//! and Assimakopoulos (2020), "The M4 competition", for sMAPE, OWA and MSIS.

/// The mean absolute error, in the units of the values.
pub fn mae(actual: &[f64], forecast: &[f64]) -> f64 {
    mean(errors(actual, forecast).map(f64::abs))
}

/// The root of the mean squared error, in the units of the values.
pub fn rmse(actual: &[f64], forecast: &[f64]) -> f64 {
    mean(errors(actual, forecast).map(|e| e * e)).sqrt()
}

/// The mean error forecast − actual: positive where forecasts are too high.
pub fn bias(actual: &[f64], forecast: &[f64]) -> f64 {
    mean(errors(actual, forecast).map(|e| -e))
}

/// The mean of |actual − forecast| / |actual|, in per cent; steps with actual zero are left out.
pub fn mape(actual: &[f64], forecast: &[f64]) -> f64 {
    let pairs = actual.iter().zip(forecast).filter(|(y, _)| **y != 0.0);
    100.0 * mean(pairs.map(|(y, f)| ((y - f) / y).abs()))
}

/// The mean of 2 |actual − forecast| / (|actual| + |forecast|), in per cent, 0 to 200; 0 where both are zero.
pub fn smape(actual: &[f64], forecast: &[f64]) -> f64 {
    let ratio = |(y, f): (&f64, &f64)| {
        let size = y.abs() + f.abs();
        if size == 0.0 {
            0.0
        } else {
            (y - f).abs() / size
        }
    };
    200.0 * mean(actual.iter().zip(forecast).map(ratio))
}

/// The mean absolute error in units of the history's mean |y_t − y_{t−period}|.
pub fn mase(actual: &[f64], forecast: &[f64], history: &[f64], period: usize) -> f64 {
    ratio(
        mae(actual, forecast),
        mean(differences(history, period).map(f64::abs)),
    )
}

/// The root mean squared error in units of the history's root mean (y_t − y_{t−period})².
pub fn rmsse(actual: &[f64], forecast: &[f64], history: &[f64], period: usize) -> f64 {
    ratio(
        rmse(actual, forecast),
        mean(differences(history, period).map(|d| d * d)).sqrt(),
    )
}

/// The overall weighted average of M4: the mean of sMAPE and MASE, each relative to a benchmark's.
pub fn owa(smape: f64, mase: f64, benchmark_smape: f64, benchmark_mase: f64) -> f64 {
    0.5 * (ratio(smape, benchmark_smape) + ratio(mase, benchmark_mase))
}

/// The share of actual values within their bounds, bounds included; from 0 to 1.
pub fn coverage(actual: &[f64], lower: &[f64], upper: &[f64]) -> f64 {
    let inside = |((y, l), u): ((&f64, &f64), &f64)| {
        if y.is_nan() || l.is_nan() || u.is_nan() {
            f64::NAN
        } else if (l..=u).contains(&y) {
            1.0
        } else {
            0.0
        }
    };
    mean(actual.iter().zip(lower).zip(upper).map(inside))
}

/// The mean interval score: width plus 2 / (1 − level) times what actual values miss the bounds by.
///
/// In the units of the values; lower is better. Source: Gneiting and Raftery (2007), section 6.2.
pub fn interval_score(actual: &[f64], lower: &[f64], upper: &[f64], level: f64) -> f64 {
    let penalty = 2.0 / (1.0 - level);
    let score = |((y, l), u): ((&f64, &f64), &f64)| {
        let missed = (l - y).max(0.0) + (y - u).max(0.0);
        if y.is_nan() {
            f64::NAN
        } else {
            u - l + penalty * missed
        }
    };
    mean(actual.iter().zip(lower).zip(upper).map(score))
}

fn errors<'a>(actual: &'a [f64], forecast: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    actual.iter().zip(forecast).map(|(y, f)| y - f)
}

fn differences(values: &[f64], period: usize) -> impl Iterator<Item = f64> + '_ {
    let lag = period.max(1).min(values.len());
    values[lag..].iter().zip(values).map(|(a, b)| a - b)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0u64), |(sum, count), x| (sum + x, count + 1));
    ratio(sum, count as f64)
}

fn ratio(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 {
        f64::NAN
    } else {
        numerator / denominator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACTUAL: [f64; 4] = [3.0, -0.5, 2.0, 7.0];
    const FORECAST: [f64; 4] = [2.5, 0.0, 2.0, 8.0];

    /// scikit-learn's documented example: MAE 0.5, MSE 0.375, MAPE 0.3273….
    #[test]
    fn errors_agree_with_scikit_learn() {
        assert_eq!(mae(&ACTUAL, &FORECAST), 0.5);
        assert!((rmse(&ACTUAL, &FORECAST).powi(2) - 0.375).abs() < 1e-15);
        assert!((mape(&ACTUAL, &FORECAST) - 32.738_095_238_095_23).abs() < 1e-9);
        assert_eq!(bias(&ACTUAL, &FORECAST), 0.25);
    }

    /// By hand: history steps 1, 2, 1, so the scale is 4/3 for m = 1.
    #[test]
    fn scaled_errors_by_hand() {
        let history = [1.0, 2.0, 4.0, 5.0];
        assert!((mase(&[6.0, 8.0], &[5.0, 5.0], &history, 1) - 1.5).abs() < 1e-12);
        assert!(
            (rmsse(&[6.0, 8.0], &[5.0, 5.0], &history, 1) - (5.0f64 / 2.0).sqrt()).abs() < 1e-12
        );
        assert!((smape(&[1.0, 0.0], &[3.0, 0.0]) - 50.0).abs() < 1e-12);
        assert_eq!(owa(10.0, 1.0, 20.0, 1.0), 0.75);
    }

    #[test]
    fn intervals_by_hand() {
        let (lower, upper) = ([0.0, 0.0, 0.0], [2.0, 2.0, 2.0]);
        assert!((coverage(&[0.0, 1.0, 3.0], &lower, &upper) - 2.0 / 3.0).abs() < 1e-15);
        // (2 + 2 + 2 + 20 · 1) / 3 at level 0.9.
        assert!((interval_score(&[0.0, 1.0, 3.0], &lower, &upper, 0.9) - 26.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn empty_and_degenerate_inputs_give_nan() {
        assert!(
            mae(&[], &[]).is_nan() && smape(&[], &[]).is_nan() && coverage(&[], &[], &[]).is_nan()
        );
        assert!(mase(&[1.0], &[2.0], &[5.0, 5.0], 1).is_nan());
        assert!(mase(&[1.0], &[2.0], &[], 7).is_nan());
        assert!(mape(&[0.0], &[1.0]).is_nan());
    }
}
