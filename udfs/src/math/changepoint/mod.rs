//! Where a series changes: offline by optimal partition, online by Bayes' rule.

mod envelope;
mod medians;
mod online;
mod pelt;
mod sleepers;

#[cfg(test)]
mod tests;

pub use online::{Prior, online};
pub use pelt::{Cost, MAX_L1_OBSERVATIONS, Partition, pelt};

use super::stats::describe::quantile_sorted;

/// The standard deviation of the noise, taken from first differences so that changes of level hardly count.
///
/// 1.4826 times the median absolute difference over √2; the root mean square difference where that is zero.
pub fn noise(values: &[f64]) -> f64 {
    let mut steps: Vec<f64> = values
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .collect();
    if steps.is_empty() {
        return 0.0;
    }
    steps.sort_unstable_by(f64::total_cmp);
    let robust = 1.482_602_218_505_602 * quantile_sorted(&steps, 0.5) / std::f64::consts::SQRT_2;
    if robust > 0.0 {
        return robust;
    }
    let square = steps.iter().map(|d| d * d).sum::<f64>() / steps.len() as f64;
    (square / 2.0).sqrt()
}
