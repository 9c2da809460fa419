//! The generalised extreme studentised deviate test.
//!
//! Source: Rosner (1983), "Percentage points for a generalized ESD many-outlier procedure".

use crate::math::stats::distribution::t_quantile;
use crate::math::stats::{is_constant, mean, squares};

/// The result of the test.
#[derive(Debug, Clone, PartialEq)]
pub struct Esd {
    /// Candidates in the order of their removal, with R and its critical value λ.
    pub candidates: Vec<(usize, f64, f64)>,
    /// How many of the first candidates are outliers.
    pub outliers: usize,
}

/// Tests for up to `most` outliers among normal values at significance `alpha`.
///
/// R_i = max |x − x̄| / s after i − 1 removals; as many values are outliers as the largest i with R_i > λ_i.
/// `None` without spread or with fewer than three values.
pub fn generalized_esd(values: &[f64], most: usize, alpha: f64) -> Option<Esd> {
    let n = values.len();
    if n < 3 || is_constant(values) {
        return None;
    }
    let mut left: Vec<usize> = (0..n).collect();
    left.sort_by(|a, b| values[*a].total_cmp(&values[*b]).then(a.cmp(b)));
    let mut candidates = Vec::new();
    let mut outliers = 0;
    for i in 1..=most.min(n - 2) {
        let rest: Vec<f64> = left.iter().map(|index| values[*index]).collect();
        let centre = mean(&rest);
        let deviation = (squares(&rest, centre) / (rest.len() as f64 - 1.0)).sqrt();
        if deviation.is_nan() || deviation <= 0.0 {
            break;
        }
        // The farthest is the first or the last.
        let (first, last) = (centre - rest[0], rest[rest.len() - 1] - centre);
        let (place, distance) = if first > last {
            (0, first)
        } else {
            (rest.len() - 1, last)
        };
        let r = distance / deviation;
        let critical = critical_value(n, i, alpha);
        candidates.push((left.remove(place), r, critical));
        if r > critical {
            outliers = i;
        }
    }
    Some(Esd {
        candidates,
        outliers,
    })
}

fn critical_value(n: usize, i: usize, alpha: f64) -> f64 {
    let left = (n - i + 1) as f64;
    let df = left - 2.0;
    let t = t_quantile(1.0 - alpha / (2.0 * left), df);
    (left - 1.0) * t / ((df + t * t) * left).sqrt()
}
