//! The risk of a weighted portfolio and what each asset adds to it (Euler's principle: the parts sum to the whole).

use super::quantile::quantile;
use crate::math::distribution::{normal_density, normal_quantile};
use crate::math::rng::Rng;
use crate::math::ziggurat::fill_normal;

/// The whole and its parts, positive for losses. The parts are those of the value at risk for normal returns, and
/// those of the shortfall otherwise, where a quantile has no stable parts.
#[derive(Debug, Clone, PartialEq)]
pub struct PortfolioRisk {
    pub value_at_risk: f64,
    pub expected_shortfall: f64,
    /// What one more unit of weight adds.
    pub marginal: Vec<f64>,
}

/// Means and covariances of the columns of `returns`, which hold each asset's in turn; `n - 1` below.
pub fn moments(returns: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let assets = returns.len();
    let n = returns.first().map_or(0, Vec::len) as f64;
    let means: Vec<f64> = returns.iter().map(|x| x.iter().sum::<f64>() / n).collect();
    let centred: Vec<Vec<f64>> = returns
        .iter()
        .zip(&means)
        .map(|(x, mean)| x.iter().map(|x| x - mean).collect())
        .collect();
    let mut covariance = vec![0.0; assets * assets];
    for i in 0..assets {
        for j in 0..=i {
            let sum: f64 = centred[i].iter().zip(&centred[j]).map(|(a, b)| a * b).sum();
            covariance[i * assets + j] = sum / (n - 1.0);
            covariance[j * assets + i] = sum / (n - 1.0);
        }
    }
    (means, covariance)
}

/// Normal returns of mean zero: VaR = -z √(w'Σw), with marginal -z Σw / √(w'Σw). None without risk.
pub fn normal(covariance: &[f64], weights: &[f64], confidence: f64) -> Option<PortfolioRisk> {
    let by_asset = product(covariance, weights);
    let deviation = dot(&by_asset, weights).sqrt();
    if deviation.is_nan() || deviation <= 0.0 {
        return None;
    }
    let z = normal_quantile(1.0 - confidence);
    Some(PortfolioRisk {
        value_at_risk: -z * deviation,
        expected_shortfall: deviation * normal_density(z) / (1.0 - confidence),
        marginal: by_asset.iter().map(|x| -z * x / deviation).collect(),
    })
}

/// The returns as they were: the portfolio's quantile and mean beyond it, and the assets' means on those days.
pub fn historical(returns: &[Vec<f64>], weights: &[f64], confidence: f64) -> Option<PortfolioRisk> {
    let days = returns.first().map_or(0, Vec::len);
    let whole: Vec<f64> = (0..days)
        .map(|day| {
            returns
                .iter()
                .zip(weights)
                .map(|(x, weight)| weight * x[day])
                .sum()
        })
        .collect();
    let bound = quantile(&[&whole], 1.0 - confidence)?;
    let tail: Vec<usize> = (0..days).filter(|day| whole[*day] <= bound).collect();
    let mean = |x: &[f64]| tail.iter().map(|day| x[*day]).sum::<f64>() / tail.len() as f64;
    Some(PortfolioRisk {
        value_at_risk: -bound,
        expected_shortfall: -mean(&whole),
        marginal: returns.iter().map(|x| -mean(x)).collect(),
    })
}

/// Paths are simulated in blocks of this many, each from a seed of its own.
const BLOCK: usize = 4096;

/// Simulated normal returns with the given means and covariances, over `paths` paths.
///
/// The assets' returns are the means plus the Cholesky factor times independent draws. Paths that may lie in the tail
/// are kept with their assets' returns; a first block tells which may.
pub fn monte_carlo(
    (means, covariance): (&[f64], &[f64]),
    weights: &[f64],
    confidence: f64,
    paths: usize,
    seed: u64,
) -> Option<PortfolioRisk> {
    let factor = cholesky(covariance, weights.len())?;
    let tail = 1.0 - confidence;
    let mut simulation = Simulation::new(means, &factor, weights, seed);
    simulation.block(0, BLOCK.min(paths));
    let first = BLOCK.min(paths) as f64;
    let generous = tail + 6.0 * (tail * (1.0 - tail) / first).sqrt() + 2.0 / first;
    let mut bound = match generous < 1.0 {
        true => quantile(&[&simulation.whole], generous)?,
        false => f64::INFINITY,
    };
    loop {
        let mut whole = Vec::with_capacity(paths);
        let mut kept: Vec<f64> = Vec::new();
        for block in 0..paths.div_ceil(BLOCK) {
            simulation.block(block as u64, BLOCK.min(paths - block * BLOCK));
            whole.extend_from_slice(&simulation.whole);
            simulation.keep_below(bound, &mut kept);
        }
        let found = quantile(&[&whole], tail)?;
        if found > bound {
            // The first block was unlike the others.
            bound = f64::INFINITY;
            continue;
        }
        return Some(summary(found, &kept, weights));
    }
}

/// From rows of the portfolio's return and those of its assets.
fn summary(bound: f64, kept: &[f64], weights: &[f64]) -> PortfolioRisk {
    let mut sums = vec![0.0; weights.len() + 1];
    let mut count = 0.0;
    for row in kept.chunks_exact(sums.len()).filter(|row| row[0] <= bound) {
        count += 1.0;
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    PortfolioRisk {
        value_at_risk: -bound,
        expected_shortfall: -sums[0] / count,
        marginal: sums[1..].iter().map(|sum| -sum / count).collect(),
    }
}

/// A block of simulated paths, asset by asset.
struct Simulation<'a> {
    means: &'a [f64],
    factor: &'a [f64],
    weights: &'a [f64],
    seed: u64,
    draws: Vec<f64>,
    assets: Vec<f64>,
    whole: Vec<f64>,
    length: usize,
}

impl<'a> Simulation<'a> {
    fn new(means: &'a [f64], factor: &'a [f64], weights: &'a [f64], seed: u64) -> Self {
        Self {
            means,
            factor,
            weights,
            seed,
            draws: vec![0.0; BLOCK * weights.len()],
            assets: vec![0.0; BLOCK * weights.len()],
            whole: Vec::with_capacity(BLOCK),
            length: 0,
        }
    }

    fn block(&mut self, number: u64, length: usize) {
        const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut rng = Rng::new(self.seed ^ number.wrapping_add(1).wrapping_mul(SPREAD));
        let assets = self.weights.len();
        self.length = length;
        self.whole.clear();
        self.whole.resize(length, 0.0);
        fill_normal(&mut rng, &mut self.draws[..length * assets]);
        for asset in 0..assets {
            let column = &mut self.assets[asset * BLOCK..][..length];
            column.fill(self.means[asset]);
            for (other, weight) in self.factor[asset * assets..=asset * assets + asset]
                .iter()
                .enumerate()
            {
                let draws = &self.draws[other * length..][..length];
                column
                    .iter_mut()
                    .zip(draws)
                    .for_each(|(x, z)| *x += weight * z);
            }
            let weight = self.weights[asset];
            self.whole
                .iter_mut()
                .zip(column)
                .for_each(|(sum, x)| *sum += weight * *x);
        }
    }

    /// Appends the portfolio's and the assets' returns of paths at or below a bound.
    fn keep_below(&self, bound: f64, kept: &mut Vec<f64>) {
        for (path, whole) in self
            .whole
            .iter()
            .enumerate()
            .filter(|(_, whole)| **whole <= bound)
        {
            kept.push(*whole);
            kept.extend((0..self.weights.len()).map(|asset| self.assets[asset * BLOCK + path]));
        }
    }
}

/// The lower factor of a covariance matrix, row by row; assets that others explain fully get none of their own.
/// None if the matrix is no covariance.
pub fn cholesky(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut factor = vec![0.0; n * n];
    let scale = (0..n).map(|i| matrix[i * n + i]).fold(0.0, f64::max);
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| factor[i * n + k] * factor[j * n + k]).sum();
            let rest = matrix[i * n + j] - known;
            if i == j {
                if rest.is_nan() || rest < -1e-10 * scale {
                    return None;
                }
                factor[i * n + i] = if rest > 1e-14 * scale {
                    rest.sqrt()
                } else {
                    0.0
                };
            } else {
                let pivot = factor[j * n + j];
                factor[i * n + j] = if pivot > 0.0 { rest / pivot } else { 0.0 };
            }
        }
    }
    Some(factor)
}

/// The returns of all assets when some are shocked: the others' are zero, or with a covariance their expectation given
/// the shocks, Σ_us Σ_ss⁻¹ s. None if the shocked assets explain each other fully.
pub fn propagated(shocks: &[Option<f64>], covariance: Option<&[f64]>) -> Option<Vec<f64>> {
    let n = shocks.len();
    let known: Vec<(usize, f64)> = (0..n).filter_map(|i| Some((i, shocks[i]?))).collect();
    let Some(covariance) = covariance else {
        return Some(shocks.iter().map(|shock| shock.unwrap_or(0.0)).collect());
    };
    let m = known.len();
    let mut among = Vec::with_capacity(m * m);
    for (i, _) in &known {
        among.extend(known.iter().map(|(j, _)| covariance[i * n + j]));
    }
    let factor = cholesky(&among, m)?;
    let mut x: Vec<f64> = known.iter().map(|(_, shock)| *shock).collect();
    for i in 0..m {
        let done: f64 = (0..i).map(|k| factor[i * m + k] * x[k]).sum();
        x[i] = (x[i] - done) / factor[i * m + i];
    }
    for i in (0..m).rev() {
        let done: f64 = (i + 1..m).map(|k| factor[k * m + i] * x[k]).sum();
        x[i] = (x[i] - done) / factor[i * m + i];
    }
    let expected = |i: usize| {
        known
            .iter()
            .zip(&x)
            .map(|((j, _), x)| covariance[i * n + j] * x)
            .sum()
    };
    let all: Vec<f64> = (0..n)
        .map(|i| shocks[i].unwrap_or_else(|| expected(i)))
        .collect();
    all.iter().all(|x| x.is_finite()).then_some(all)
}

fn product(matrix: &[f64], vector: &[f64]) -> Vec<f64> {
    matrix
        .chunks_exact(vector.len())
        .map(|row| dot(row, vector))
        .collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COVARIANCE: [f64; 9] = [4.0, 1.0, 0.5, 1.0, 9.0, -1.0, 0.5, -1.0, 1.0];
    const WEIGHTS: [f64; 3] = [0.5, 0.3, 0.2];

    #[test]
    fn the_parts_sum_to_the_whole() {
        let found = normal(&COVARIANCE, &WEIGHTS, 0.95).unwrap();
        assert!((dot(&found.marginal, &WEIGHTS) - found.value_at_risk).abs() < 1e-12);
        let returns = vec![
            vec![0.1, -0.2, 0.05, -0.3],
            vec![-0.1, 0.3, 0.0, -0.1],
            vec![0.2, 0.1, -0.3, 0.0],
        ];
        let found = historical(&returns, &WEIGHTS, 0.6).unwrap();
        assert!((dot(&found.marginal, &WEIGHTS) - found.expected_shortfall).abs() < 1e-12);
    }

    #[test]
    fn simulation_nears_the_formula() {
        let expected = normal(&COVARIANCE, &WEIGHTS, 0.99).unwrap();
        let run =
            |seed| monte_carlo((&[0.0; 3], &COVARIANCE), &WEIGHTS, 0.99, 300_000, seed).unwrap();
        let found = run(1);
        assert!((found.value_at_risk / expected.value_at_risk - 1.0).abs() < 0.01);
        assert!((found.expected_shortfall / expected.expected_shortfall - 1.0).abs() < 0.01);
        assert!((dot(&found.marginal, &WEIGHTS) - found.expected_shortfall).abs() < 1e-9);
        let ratio = expected.expected_shortfall / expected.value_at_risk;
        for (found, expected) in found.marginal.iter().zip(&expected.marginal) {
            assert!((found - ratio * expected).abs() < 0.2);
        }
        assert_eq!(run(1), found);
        assert_ne!(run(2), found);
    }

    #[test]
    fn duplicate_assets_are_no_trouble() {
        let twice = [4.0, 4.0, 4.0, 4.0];
        let found = monte_carlo((&[0.0; 2], &twice), &[0.5, 0.5], 0.95, 100_000, 0).unwrap();
        assert!((found.value_at_risk / (2.0 * 1.645) - 1.0).abs() < 0.02);
        assert!(cholesky(&[1.0, 2.0, 2.0, 1.0], 2).is_none());
    }

    #[test]
    fn shocks_move_what_goes_with_them() {
        let shocks = [Some(-0.2), None, None];
        assert_eq!(propagated(&shocks, None), Some(vec![-0.2, 0.0, 0.0]));
        // Betas against the first: 1/4 and 0.5/4.
        let moved = propagated(&shocks, Some(&COVARIANCE)).unwrap();
        assert!((moved[1] + 0.05).abs() < 1e-15 && (moved[2] + 0.025).abs() < 1e-15);
    }
}
