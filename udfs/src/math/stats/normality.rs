//! Tests of normality.

use super::describe::FourMoments;
use super::distribution::{chi_squared_tail, normal_quantile, normal_tail};
use super::{is_constant, mean, squares};

/// Shapiro and Wilk's test is made for at most this many values.
pub const MAX_SHAPIRO: usize = 5000;

/// Jarque and Bera's n/6 (S² + K²/4) of population skewness and excess kurtosis, and its p-value with χ²(2).
pub fn jarque_bera(moments: &FourMoments) -> Option<(f64, f64)> {
    if moments.count < 2.0 {
        return None;
    }
    let (skew, kurtosis) = (moments.skewness(false)?, moments.kurtosis(false)?);
    let statistic = moments.count / 6.0 * (skew * skew + 0.25 * kurtosis * kurtosis);
    Some((statistic, chi_squared_tail(statistic, 2.0)))
}

/// D'Agostino and Pearson's K² and its p-value, from the tests of skewness and kurtosis; scipy's `normaltest`.
pub fn dagostino(moments: &FourMoments) -> Option<(f64, f64)> {
    let n = moments.count;
    if n < 8.0 {
        return None;
    }
    let (g1, g2) = (moments.skewness(false)?, moments.kurtosis(false)? + 3.0);
    let y = g1 * ((n + 1.0) * (n + 3.0) / (6.0 * (n - 2.0))).sqrt();
    let beta = 3.0 * (n * n + 27.0 * n - 70.0) * (n + 1.0) * (n + 3.0)
        / ((n - 2.0) * (n + 5.0) * (n + 7.0) * (n + 9.0));
    let w2 = -1.0 + (2.0 * (beta - 1.0)).sqrt();
    let delta = 1.0 / (0.5 * w2.ln()).sqrt();
    let alpha = (2.0 / (w2 - 1.0)).sqrt();
    let z1 = delta * (y / alpha).asinh();
    let expected = 3.0 * (n - 1.0) / (n + 1.0);
    let variance =
        24.0 * n * (n - 2.0) * (n - 3.0) / ((n + 1.0) * (n + 1.0) * (n + 3.0) * (n + 5.0));
    let x = (g2 - expected) / variance.sqrt();
    let root = 6.0 * (n * n - 5.0 * n + 2.0) / ((n + 7.0) * (n + 9.0))
        * (6.0 * (n + 3.0) * (n + 5.0) / (n * (n - 2.0) * (n - 3.0))).sqrt();
    let a = 6.0 + 8.0 / root * (2.0 / root + (1.0 + 4.0 / (root * root)).sqrt());
    let inner = (1.0 - 2.0 / a) / (1.0 + x * (2.0 / (a - 4.0)).sqrt());
    let z2 = ((1.0 - 2.0 / (9.0 * a)) - inner.cbrt()) / (2.0 / (9.0 * a)).sqrt();
    let statistic = z1 * z1 + z2 * z2;
    Some((statistic, chi_squared_tail(statistic, 2.0)))
}

/// Anderson and Darling's A² against a normal distribution with the sample's mean and deviation, of ascending
/// values, and its p-value by D'Agostino and Stephens (1986), table 4.9.
pub fn anderson_darling(sorted: &[f64]) -> Option<(f64, f64)> {
    let n = sorted.len() as f64;
    if sorted.len() < 2 || is_constant(sorted) {
        return None;
    }
    let centre = mean(sorted);
    let deviation = (squares(sorted, centre) / (n - 1.0)).sqrt();
    let z = |i: usize| (sorted[i] - centre) / deviation;
    let terms = (0..sorted.len()).map(|i| {
        let odd = 2.0 * i as f64 + 1.0;
        odd * (normal_tail(-z(i)).ln() + normal_tail(z(sorted.len() - 1 - i)).ln())
    });
    let statistic = -n - terms.sum::<f64>() / n;
    let a = statistic * (1.0 + 0.75 / n + 2.25 / (n * n));
    let p = if a >= 0.6 {
        (1.2937 - 5.709 * a + 0.0186 * a * a).exp()
    } else if a >= 0.34 {
        (0.9177 - 4.279 * a - 1.38 * a * a).exp()
    } else if a >= 0.2 {
        1.0 - (-8.318 + 42.796 * a - 59.938 * a * a).exp()
    } else {
        1.0 - (-13.436 + 101.14 * a - 223.73 * a * a).exp()
    };
    Some((statistic, p.clamp(0.0, 1.0)))
}

/// Shapiro and Wilk's W of ascending values and its p-value.
///
/// Source: Royston (1995), "Remark AS R94"; the coefficients are his.
pub fn shapiro_wilk(sorted: &[f64]) -> Option<(f64, f64)> {
    let n = sorted.len();
    if !(3..=MAX_SHAPIRO).contains(&n) || is_constant(sorted) {
        return None;
    }
    let weights = shapiro_weights(n);
    let half = n / 2;
    let pairs = (0..half).map(|i| weights[i] * (sorted[n - 1 - i] - sorted[i]));
    let range = sorted[n - 1] - sorted[0];
    let top: f64 = pairs.map(|term| term / range).sum();
    let scaled: Vec<f64> = sorted.iter().map(|x| (x - sorted[0]) / range).collect();
    let w = (top * top / squares(&scaled, mean(&scaled))).min(1.0);
    Some((w, shapiro_p_value(w, n)))
}

fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// The weights of the pairs, the outermost first; Σ over both halves of their squares is one.
fn shapiro_weights(n: usize) -> Vec<f64> {
    const FIRST: [f64; 6] = [0.0, 0.221_157, -0.147_981, -2.071_19, 4.434_685, -2.706_056];
    const SECOND: [f64; 6] = [
        0.0, 0.042_981, -0.293_762, -1.752_461, 5.682_633, -3.582_633,
    ];
    let half = n / 2;
    if n == 3 {
        return vec![std::f64::consts::FRAC_1_SQRT_2];
    }
    let size = n as f64;
    let scores: Vec<f64> = (1..=half)
        .map(|i| -normal_quantile((i as f64 - 0.375) / (size + 0.25)))
        .collect();
    let total = 2.0 * scores.iter().map(|m| m * m).sum::<f64>();
    let (root, small) = (total.sqrt(), 1.0 / size.sqrt());
    let first = polynomial(&FIRST, small) + scores[0] / root;
    let mut weights = vec![first];
    let (from, factor) = if n > 5 {
        let second = polynomial(&SECOND, small) + scores[1] / root;
        weights.push(second);
        let rest = total - 2.0 * scores[0] * scores[0] - 2.0 * scores[1] * scores[1];
        (
            2,
            (rest / (1.0 - 2.0 * first * first - 2.0 * second * second)).sqrt(),
        )
    } else {
        let rest = total - 2.0 * scores[0] * scores[0];
        (1, (rest / (1.0 - 2.0 * first * first)).sqrt())
    };
    weights.extend(scores[from..].iter().map(|m| m / factor));
    weights
}

fn shapiro_p_value(w: f64, n: usize) -> f64 {
    let size = n as f64;
    if n == 3 {
        let p = 6.0 / std::f64::consts::PI * (w.sqrt().asin() - 0.75_f64.sqrt().asin());
        return p.clamp(0.0, 1.0);
    }
    let mut y = (1.0 - w).ln();
    let (centre, deviation) = if n <= 11 {
        let gamma = polynomial(&[-2.273, 0.459], size);
        if y >= gamma {
            return 1e-99;
        }
        y = -(gamma - y).ln();
        let centre = polynomial(&[0.544, -0.399_78, 0.025_054, -6.714e-4], size);
        let deviation = polynomial(&[1.3822, -0.778_57, 0.062_767, -0.002_032_2], size).exp();
        (centre, deviation)
    } else {
        let log = size.ln();
        let centre = polynomial(&[-1.5861, -0.310_82, -0.083_751, 0.003_891_5], log);
        let deviation = polynomial(&[-0.4803, -0.082_676, 0.003_030_2], log).exp();
        (centre, deviation)
    };
    normal_tail((y - centre) / deviation)
}
