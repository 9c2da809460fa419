//! Value at risk and expected shortfall: how much a period loses at most with a given confidence, and how much on
//! average where it loses more. Both are positive for losses.

use super::quantile::quantile;
use crate::math::distribution::{StudentT, normal_density, normal_quantile};
use crate::math::exact::ExactSum;
use crate::math::rng::Rng;

/// Both measures; what cannot be computed is NaN.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Risk {
    pub value_at_risk: f64,
    pub expected_shortfall: f64,
}

/// Moments of returns, the deviation with `n - 1` below, skewness and excess kurtosis of the population.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub mean: f64,
    pub deviation: f64,
    pub skewness: f64,
    pub excess_kurtosis: f64,
}

/// The empirical measures: minus the quantile of probability `1 - confidence` (see [`quantile`]), and minus the mean
/// of the returns that are at most that quantile. None without returns.
pub fn historical(parts: &[&[f64]], confidence: f64) -> Option<Risk> {
    let bound = quantile(parts, 1.0 - confidence)?;
    let mut sum = ExactSum::default();
    let mut count = 0.0;
    for x in parts
        .iter()
        .flat_map(|part| part.iter())
        .filter(|x| **x <= bound)
    {
        sum.add(*x);
        count += 1.0;
    }
    Some(Risk {
        value_at_risk: -bound,
        expected_shortfall: -sum.value() / count,
    })
}

/// Normal returns over `horizon` periods: `-(h μ + √h σ z)` and `-(h μ - √h σ φ(z) / (1 - c))`, `z` the quantile
/// of `1 - c`.
pub fn normal(shape: &Shape, confidence: f64, horizon: f64) -> Risk {
    let tail = 1.0 - confidence;
    let z = normal_quantile(tail);
    let (mean, deviation) = (shape.mean * horizon, shape.deviation * horizon.sqrt());
    Risk {
        value_at_risk: -(mean + deviation * z),
        expected_shortfall: -(mean - deviation * normal_density(z) / tail),
    }
}

/// The normal measures with the quantile corrected for skewness and kurtosis (Cornish, Fisher 1938; Zangari
/// 1996). The shortfall is the mean of the corrected quantile over the tail, in closed form (Boudt, Peterson,
/// Croux 2008 use another expansion; Maillard 2012).
pub fn cornish_fisher(shape: &Shape, confidence: f64) -> Risk {
    let tail = 1.0 - confidence;
    let z = normal_quantile(tail);
    let (s, k) = (shape.skewness, shape.excess_kurtosis);
    let corrected = |z: f64, z2: f64, z3: f64| {
        z + (z2 - 1.0) * s / 6.0 + (z3 - 3.0 * z) * k / 24.0 - (2.0 * z3 - 5.0 * z) * s * s / 36.0
    };
    // Means of the powers of a standard normal variable below z.
    let ratio = normal_density(z) / tail;
    let (m1, m2, m3) = (-ratio, 1.0 - z * ratio, -(z * z + 2.0) * ratio);
    let at = |quantile: f64| -(shape.mean + shape.deviation * quantile);
    Risk {
        value_at_risk: at(corrected(z, z * z, z * z * z)),
        expected_shortfall: at(corrected(m1, m2, m3)),
    }
}

/// Returns of a t distribution.
pub fn student(fit: &StudentT, confidence: f64) -> Risk {
    let tail = 1.0 - confidence;
    Risk {
        value_at_risk: -fit.quantile(tail),
        expected_shortfall: -fit.mean_below(tail),
    }
}

/// Simulated normal returns, compounded over `horizon` periods.
///
/// The draws of each period are stratified: one in each of `paths` equally likely ranges, in random order (Latin
/// hypercube; McKay, Beckman, Conover 1979).
pub fn monte_carlo(
    shape: &Shape,
    confidence: f64,
    horizon: usize,
    paths: usize,
    seed: u64,
) -> Option<Risk> {
    let mut rng = Rng::new(seed);
    let mut wealth = vec![1.0; paths];
    let mut order: Vec<u32> = (0..).take(paths).collect();
    for period in 0..horizon {
        if period > 0 {
            for i in (1..paths).rev() {
                order.swap(i, rng.below(i + 1));
            }
        }
        for (range, path) in order.iter().enumerate() {
            let p = (range as f64 + rng.uniform().max(f64::EPSILON)) / paths as f64;
            wealth[*path as usize] *= 1.0 + shape.mean + shape.deviation * normal_quantile(p);
        }
    }
    wealth.iter_mut().for_each(|end| *end -= 1.0);
    historical(&[&wealth], confidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        mean: 0.0005,
        deviation: 0.015,
        skewness: -0.4,
        excess_kurtosis: 3.0,
    };

    /// The mean of the corrected quantile over the tail, by the midpoint rule.
    #[test]
    fn the_shortfall_is_the_mean_of_the_tail() {
        let steps = 200_000;
        let mean = |risk: fn(&Shape, f64) -> f64| {
            let at = |i: usize| risk(&SHAPE, 1.0 - 0.05 * (i as f64 + 0.5) / steps as f64);
            (0..steps).map(at).sum::<f64>() / steps as f64
        };
        let by_rule = mean(|shape, c| cornish_fisher(shape, c).value_at_risk);
        assert!((cornish_fisher(&SHAPE, 0.95).expected_shortfall - by_rule).abs() < 1e-6);
        let by_rule = mean(|shape, c| normal(shape, c, 1.0).value_at_risk);
        assert!((normal(&SHAPE, 0.95, 1.0).expected_shortfall - by_rule).abs() < 1e-6);
    }

    #[test]
    fn without_skewness_and_kurtosis_the_correction_is_none() {
        let shape = Shape {
            skewness: 0.0,
            excess_kurtosis: 0.0,
            ..SHAPE
        };
        let (a, b) = (cornish_fisher(&shape, 0.99), normal(&shape, 0.99, 1.0));
        assert!((a.value_at_risk - b.value_at_risk).abs() < 1e-15);
        assert!((a.expected_shortfall - b.expected_shortfall).abs() < 1e-15);
    }

    #[test]
    fn simulation_nears_the_formula() {
        let expected = normal(&SHAPE, 0.99, 1.0);
        let found = monte_carlo(&SHAPE, 0.99, 1, 100_000, 7);
        assert!(found.is_some_and(|found| {
            (found.value_at_risk - expected.value_at_risk).abs() < 1e-5
                && (found.expected_shortfall - expected.expected_shortfall).abs() < 1e-4
        }));
        assert_eq!(found, monte_carlo(&SHAPE, 0.99, 1, 100_000, 7));
        assert_ne!(found, monte_carlo(&SHAPE, 0.99, 1, 100_000, 8));
    }
}
