//! Correlations and their tests.

use super::distribution::{normal_quantile, normal_tail, t_tail};
use super::ranks::{Method, ranks};
use super::{Alternative, mean};

/// A correlation: coefficient, p-value, and the bounds of its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    pub coefficient: f64,
    pub p_value: f64,
    pub lower: f64,
    pub upper: f64,
}

/// Sums over pairs, mergeable: count, means, Σdx², Σdy², Σdx·dy.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Comoments {
    pub count: f64,
    pub mean_x: f64,
    pub mean_y: f64,
    pub xx: f64,
    pub yy: f64,
    pub xy: f64,
}

impl Comoments {
    /// Those of pairs.
    pub fn of(x: &[f64], y: &[f64]) -> Self {
        if x.is_empty() {
            return Self::default();
        }
        let (mean_x, mean_y) = (mean(x), mean(y));
        let mut sums = Self {
            count: x.len() as f64,
            mean_x,
            mean_y,
            ..Self::default()
        };
        for (a, b) in x.iter().zip(y) {
            let (dx, dy) = (a - mean_x, b - mean_y);
            sums.xx += dx * dx;
            sums.yy += dy * dy;
            sums.xy += dx * dy;
        }
        sums
    }

    /// Those of two sets of pairs together.
    pub fn merged(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let (dx, dy) = (other.mean_x - self.mean_x, other.mean_y - self.mean_y);
        let weight = self.count * other.count / count;
        Self {
            count,
            mean_x: self.mean_x + dx * other.count / count,
            mean_y: self.mean_y + dy * other.count / count,
            xx: self.xx + other.xx + dx * dx * weight,
            yy: self.yy + other.yy + dy * dy * weight,
            xy: self.xy + other.xy + dx * dy * weight,
        }
    }
}

/// Pearson's r = Σdx·dy / √(Σdx² Σdy²), tested by t = r √((n − 2) / (1 − r²)); the interval is Fisher's.
pub fn pearson(sums: Comoments, alternative: Alternative, level: f64) -> Option<Correlation> {
    if sums.count < 2.0 || sums.xx <= 0.0 || sums.yy <= 0.0 {
        return None;
    }
    let r = (sums.xy / sums.xx.sqrt() / sums.yy.sqrt()).clamp(-1.0, 1.0);
    let (lower, upper) = fisher_interval(r, sums.count, alternative, level);
    Some(Correlation {
        coefficient: r,
        p_value: t_p_value(r, sums.count, alternative),
        lower,
        upper,
    })
}

fn t_p_value(r: f64, n: f64, alternative: Alternative) -> f64 {
    if n < 3.0 {
        return 1.0;
    }
    let df = n - 2.0;
    let t = r * (df / ((1.0 - r) * (1.0 + r))).sqrt();
    alternative.symmetric(t, |t| t_tail(t, df))
}

/// The interval by z = atanh r, with standard error 1 / √(n − 3).
fn fisher_interval(r: f64, n: f64, alternative: Alternative, level: f64) -> (f64, f64) {
    if n <= 3.0 {
        return (-1.0, 1.0);
    }
    let (z, error) = (r.atanh(), 1.0 / (n - 3.0).sqrt());
    match alternative {
        Alternative::TwoSided => {
            let margin = error * normal_quantile(0.5 + 0.5 * level);
            ((z - margin).tanh(), (z + margin).tanh())
        }
        Alternative::Less => (-1.0, (z + error * normal_quantile(level)).tanh()),
        Alternative::Greater => ((z - error * normal_quantile(level)).tanh(), 1.0),
    }
}

/// Spearman's ρ: Pearson's r of the ranks, tested by the same t.
pub fn spearman(x: &[f64], y: &[f64], alternative: Alternative, level: f64) -> Option<Correlation> {
    let (x, y) = (ranks(x).0, ranks(y).0);
    pearson(Comoments::of(&x, &y), alternative, level)
}

/// Kendall's τ-b and its p-value; exact without ties up to 33 pairs or near the ends, as scipy chooses.
///
/// τ = (P − Q) / √((n₀ − n₁)(n₀ − n₂)), counted by Knight's merge sort in n log n.
pub fn kendall(
    x: &[f64],
    y: &[f64],
    alternative: Alternative,
    method: Method,
) -> Option<(f64, f64)> {
    let n = x.len();
    if n < 2 {
        return None;
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_unstable_by(|a, b| x[*a].total_cmp(&x[*b]).then(y[*a].total_cmp(&y[*b])));
    let sorted: Vec<(f64, f64)> = order.iter().map(|index| (x[*index], y[*index])).collect();
    let of_x = runs(&sorted, |a, b| a.0 == b.0);
    let joint = runs(&sorted, |a, b| a == b);
    let mut ys: Vec<f64> = sorted.iter().map(|pair| pair.1).collect();
    let discordant = inversions(&mut ys);
    let of_y = runs(&ys, |a, b| a == b);
    let total = n as f64 * (n as f64 - 1.0) / 2.0;
    let (tie_x, tie_y, tie_both) = (of_x.pairs, of_y.pairs, joint.pairs);
    if tie_x >= total || tie_y >= total {
        return None;
    }
    let balance = total - tie_x - tie_y + tie_both - 2.0 * discordant;
    let tau = (balance / (total - tie_x).sqrt() / (total - tie_y).sqrt()).clamp(-1.0, 1.0);
    let no_ties = tie_x == 0.0 && tie_y == 0.0;
    let near_end = discordant.min(total - discordant) <= 1.0;
    let exact = match method {
        Method::Auto => no_ties && (n <= 33 || near_end),
        Method::Exact => no_ties,
        Method::Asymptotic => false,
    };
    let p_value = if exact {
        kendall_exact(n, total - discordant, alternative)
    } else {
        let m = n as f64 * (n as f64 - 1.0);
        let variance = (m * (2.0 * n as f64 + 5.0) - of_x.triple - of_y.triple) / 18.0
            + 2.0 * tie_x * tie_y / m
            + of_x.cube * of_y.cube / (9.0 * m * (n as f64 - 2.0).max(1.0));
        let z = balance / variance.sqrt();
        alternative.symmetric(z, normal_tail)
    };
    Some((tau, p_value))
}

/// Ties among sorted values: Σ t(t−1)/2, Σ t(t−1)(t−2), Σ t(t−1)(2t+5).
struct Runs {
    pairs: f64,
    cube: f64,
    triple: f64,
}

fn runs<T>(sorted: &[T], equal: impl Fn(&T, &T) -> bool) -> Runs {
    let mut runs = Runs {
        pairs: 0.0,
        cube: 0.0,
        triple: 0.0,
    };
    for run in sorted.chunk_by(equal) {
        let t = run.len() as f64;
        runs.pairs += t * (t - 1.0) / 2.0;
        runs.cube += t * (t - 1.0) * (t - 2.0);
        runs.triple += t * (t - 1.0) * (2.0 * t + 5.0);
    }
    runs
}

/// Sorts the values and counts how many pairs stood in the wrong order.
fn inversions(values: &mut [f64]) -> f64 {
    let n = values.len();
    let mut from = values.to_vec();
    let mut to = vec![0.0; n];
    let (mut width, mut count) = (1, 0u128);
    while width < n {
        for start in (0..n).step_by(2 * width) {
            let (middle, end) = ((start + width).min(n), (start + 2 * width).min(n));
            let (mut left, mut right) = (start, middle);
            for slot in &mut to[start..end] {
                if right >= end || (left < middle && from[left] <= from[right]) {
                    *slot = from[left];
                    left += 1;
                } else {
                    *slot = from[right];
                    count += (middle - left) as u128;
                    right += 1;
                }
            }
        }
        std::mem::swap(&mut from, &mut to);
        width *= 2;
    }
    values.copy_from_slice(&from);
    count as f64
}

/// The exact p-value from the number of concordant pairs: Mahonian numbers as probabilities.
fn kendall_exact(n: usize, concordant: f64, alternative: Alternative) -> f64 {
    let top = n * (n - 1) / 2;
    let agreed = concordant as usize;
    let smaller = agreed.min(top - agreed);
    // Only the head up to `smaller` is needed, and the complement of its neighbour.
    let mut chances = vec![0.0; smaller + 1];
    chances[0] = 1.0;
    for i in 2..=n {
        let mut next = vec![0.0; smaller + 1];
        let mut window = 0.0;
        for k in 0..=smaller {
            window += chances[k];
            if k >= i {
                window -= chances[k - i];
            }
            next[k] = window / i as f64;
        }
        chances = next;
    }
    let head: f64 = chances.iter().sum();
    let before = head - chances[smaller];
    let few_agree = 2 * agreed < top;
    let p = match alternative {
        Alternative::TwoSided if 2 * agreed == top => 1.0,
        Alternative::TwoSided => 2.0 * head,
        Alternative::Less if few_agree => head,
        Alternative::Less => 1.0 - before,
        Alternative::Greater if few_agree => 1.0 - before,
        Alternative::Greater => head,
    };
    p.clamp(0.0, 1.0)
}
