//! Quantiles and the intervals made of them.

use statrs::distribution::{ContinuousCDF, StudentsT};

pub(super) use crate::math::distribution::normal_quantile;

/// The `probability` quantile of Student's t distribution; normal where the degrees of freedom are not positive.
pub(super) fn student_quantile(probability: f64, degrees_of_freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom).map_or_else(
        |_| normal_quantile(probability),
        |t| t.inverse_cdf(probability),
    )
}

/// The bounds mean ± z σ with central probability `level`.
pub(super) fn normal_interval(mean: &[f64], deviation: &[f64], level: f64) -> (Vec<f64>, Vec<f64>) {
    around(mean, deviation, normal_quantile(0.5 + level / 2.0))
}

/// The bounds mean ± `factor` σ.
pub(super) fn around(mean: &[f64], deviation: &[f64], factor: f64) -> (Vec<f64>, Vec<f64>) {
    let reach = |(m, d): (&f64, &f64)| (m - factor * d, m + factor * d);
    mean.iter().zip(deviation).map(reach).unzip()
}

/// The quantile of ascending values by linear interpolation (type 7 of Hyndman and Fan, numpy's default).
///
/// NaN for no values.
pub(super) fn quantile_sorted(sorted: &[f64], probability: f64) -> f64 {
    if sorted.is_empty() {
        return f64::NAN;
    }
    let place = probability.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.stats: norm.ppf(0.975) and t.ppf(0.975, 5).
    #[test]
    fn quantiles_agree_with_scipy() {
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-9);
        assert!((student_quantile(0.975, 5.0) - 2.570_581_835_636_314).abs() < 1e-7);
    }

    /// numpy.quantile([1, 2, 4, 8], [0.1, 0.5, 1]).
    #[test]
    fn sample_quantiles_agree_with_numpy() {
        let sample = [1.0, 2.0, 4.0, 8.0];
        assert!((quantile_sorted(&sample, 0.1) - 1.3).abs() < 1e-12);
        assert_eq!(quantile_sorted(&sample, 0.5), 3.0);
        assert_eq!(quantile_sorted(&sample, 1.0), 8.0);
        assert!(quantile_sorted(&[], 0.5).is_nan());
    }
}
