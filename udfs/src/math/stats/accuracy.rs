//! Whether one forecast is better than another: the Diebold–Mariano test.

use super::Alternative;
use super::distribution::t_tail;
use super::mean;

/// Statistic and p-value of equal mean losses |e|^power of two forecasts `horizon` steps ahead.
///
/// Positive statistics say that the first loses more. The variance of the mean loss difference sums its
/// autocovariances below the horizon; the statistic has the correction of Harvey, Leybourne and Newbold (1997), the
/// p-value is Student's with n − 1 degrees of freedom, as in R's forecast::dm.test. Where that variance is not positive,
/// the one for horizon 1 stands in, as there. `None` with fewer than two errors more than the horizon, or where the
/// losses differ by a constant.
/// Source: Diebold and Mariano (1995), "Comparing predictive accuracy".
pub fn diebold_mariano(
    first: &[f64],
    second: &[f64],
    horizon: usize,
    power: f64,
    alternative: Alternative,
) -> Option<(f64, f64)> {
    let losses = first.iter().zip(second);
    let differences: Vec<f64> = losses
        .map(|(a, b)| a.abs().powf(power) - b.abs().powf(power))
        .collect();
    let n = differences.len();
    if n < horizon + 2 || super::is_constant(&differences) {
        return None;
    }
    let level = mean(&differences);
    let covariance = |lag: usize| {
        let pairs = differences[lag..].iter().zip(&differences);
        pairs.map(|(a, b)| (a - level) * (b - level)).sum::<f64>() / n as f64
    };
    let own = covariance(0);
    let all = own + 2.0 * (1..horizon).map(covariance).sum::<f64>();
    let (variance, steps) = if all > 0.0 {
        (all, horizon as f64)
    } else {
        (own, 1.0)
    };
    let count = n as f64;
    let correction = (count + 1.0 - 2.0 * steps + steps / count * (steps - 1.0)) / count;
    let statistic = level / (variance / count).sqrt() * correction.max(0.0).sqrt();
    let p = alternative.symmetric(statistic, |t| t_tail(t, count - 1.0));
    statistic.is_finite().then_some((statistic, p))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand for horizon 1: d = 3, −1, 3, 3 has mean 2 and variance 3; 2 / √(3/4) · √(3/4) = 2, Student's
    /// two-sided tail of 2 with 3 degrees of freedom is 0.13933 (scipy.stats.t.sf).
    #[test]
    fn squares_by_hand() {
        let (first, second) = ([2.0, 0.0, 2.0, -2.0], [1.0, 1.0, -1.0, 1.0]);
        let (statistic, p) =
            diebold_mariano(&first, &second, 1, 2.0, Alternative::TwoSided).unwrap();
        assert!((statistic - 2.0).abs() < 1e-12, "{statistic}");
        assert!((p - 0.139_325_968_7).abs() < 1e-8, "{p}");
        let (_, above) = diebold_mariano(&first, &second, 1, 2.0, Alternative::Greater).unwrap();
        assert!((2.0 * above - p).abs() < 1e-12);
        assert!(
            diebold_mariano(
                &[1.0, 1.0, 1.0],
                &[2.0, 2.0, 2.0],
                1,
                2.0,
                Alternative::TwoSided
            )
            .is_none()
        );
    }
}
