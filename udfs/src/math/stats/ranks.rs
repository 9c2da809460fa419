//! Ranks with ties, and the tests that are made of them.

use super::Alternative;
use super::distribution::{chi_squared_tail, normal_tail};

/// The exact distribution of Mann and Whitney's U is used up to this many values in the smaller sample.
const MAX_EXACT_SAMPLE: usize = 8;
/// The exact distribution of Wilcoxon's W is used up to this many pairs.
const MAX_EXACT_PAIRS: usize = 50;

/// Ranks from 1, ties sharing the mean of theirs, and Σ (t³ − t) over the runs of ties.
pub fn ranks(values: &[f64]) -> (Vec<f64>, f64) {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let (mut start, mut ties) = (0, 0.0);
    while start < order.len() {
        let mut end = start + 1;
        while end < order.len() && values[order[end]] == values[order[start]] {
            end += 1;
        }
        let rank = 0.5 * (start + end + 1) as f64;
        for index in &order[start..end] {
            ranks[*index] = rank;
        }
        let run = (end - start) as f64;
        ties += run * run * run - run;
        start = end;
    }
    (ranks, ties)
}

/// How a p-value is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Exactly where the sample is small and has no ties.
    Auto,
    Exact,
    Asymptotic,
}

impl Method {
    pub const NAMES: &'static [&'static str] = &["auto", "exact", "asymptotic"];

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "auto" => Some(Self::Auto),
            "exact" => Some(Self::Exact),
            "asymptotic" => Some(Self::Asymptotic),
            _ => None,
        }
    }
}

/// Mann and Whitney's U of the first sample, and its p-value: scipy's `mannwhitneyu`.
///
/// U counts the pairs in which the first sample's value is greater, ties by a half. The normal approximation
/// has the correction for ties and, if asked for, for continuity.
pub fn mann_whitney(
    x: &[f64],
    y: &[f64],
    alternative: Alternative,
    method: Method,
    continuity: bool,
) -> Option<(f64, f64)> {
    let (n, m) = (x.len(), y.len());
    if n == 0 || m == 0 {
        return None;
    }
    let all: Vec<f64> = x.iter().chain(y).copied().collect();
    let (ranks, ties) = ranks(&all);
    let (nf, mf) = (n as f64, m as f64);
    let u = ranks[..n].iter().sum::<f64>() - nf * (nf + 1.0) / 2.0;
    let exact = match method {
        Method::Exact => true,
        Method::Asymptotic => false,
        Method::Auto => n.min(m) <= MAX_EXACT_SAMPLE && n.max(m) <= 10_000 && ties == 0.0,
    };
    let (side, factor) = match alternative {
        Alternative::Greater => (u, 1.0),
        Alternative::Less => (nf * mf - u, 1.0),
        Alternative::TwoSided => (u.max(nf * mf - u), 2.0),
    };
    let p = if let Some(tail) = exact.then(|| u_tail(side, n, m)).flatten() {
        factor * tail
    } else {
        let total = nf + mf;
        let variance = nf * mf / 12.0 * ((total + 1.0) - ties / (total * (total - 1.0)));
        if variance <= 0.0 {
            return None;
        }
        let excess = side - nf * mf / 2.0 - if continuity { 0.5 } else { 0.0 };
        factor * normal_tail(excess / variance.sqrt())
    };
    Some((u, p.clamp(0.0, 1.0)))
}

/// The counts of the exact distribution may take this many cells.
const MAX_EXACT_CELLS: usize = 20_000_000;

/// P(U ≥ u) without ties: the counts of partitions, as probabilities.
fn u_tail(u: f64, n: usize, m: usize) -> Option<f64> {
    let (small, large) = (n.min(m), n.max(m));
    let top = small.checked_mul(large)?;
    if top.checked_mul(small)? > MAX_EXACT_CELLS {
        return None;
    }
    // The Gaussian binomial coefficient: factors (1 − q^(large+i)) / (1 − q^i), each scaled to a probability.
    let mut counts = vec![0.0; top + 1];
    counts[0] = 1.0;
    for i in 1..=small {
        let step = large + i;
        for k in (step..=top).rev() {
            counts[k] -= counts[k - step];
        }
        for k in i..=top {
            counts[k] += counts[k - i];
        }
        let scale = i as f64 / step as f64;
        for count in &mut counts {
            *count *= scale;
        }
    }
    let from = (u.ceil().max(0.0) as usize).min(top + 1);
    // By symmetry the tail is the head of the mirrored distribution, where the counts have no cancellation.
    let length = (top + 1).saturating_sub(from);
    Some(counts[..length].iter().sum::<f64>().min(1.0))
}

/// What happens to pairs without a difference in Wilcoxon's test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZeroDifferences {
    /// They are left out.
    Wilcox,
    /// They are ranked, and their ranks left out.
    Pratt,
    /// They are ranked, and their ranks shared between both signs.
    Split,
}

impl ZeroDifferences {
    pub const NAMES: &'static [&'static str] = &["wilcox", "pratt", "zsplit"];

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "wilcox" => Some(Self::Wilcox),
            "pratt" => Some(Self::Pratt),
            "zsplit" => Some(Self::Split),
            _ => None,
        }
    }
}

/// Wilcoxon's signed-rank statistic of differences and its p-value: scipy's `wilcoxon`.
///
/// Two-sided, the statistic is the smaller rank sum; one-sided, the sum of the positive ranks.
pub fn wilcoxon(
    differences: &[f64],
    alternative: Alternative,
    method: Method,
    zeros: ZeroDifferences,
    continuity: bool,
) -> Option<(f64, f64)> {
    let kept: Vec<f64> = match zeros {
        ZeroDifferences::Wilcox => differences.iter().copied().filter(|d| *d != 0.0).collect(),
        ZeroDifferences::Pratt | ZeroDifferences::Split => differences.to_vec(),
    };
    let zero_count = differences.iter().filter(|d| **d == 0.0).count();
    if kept.is_empty() || zero_count == differences.len() {
        return None;
    }
    let sizes: Vec<f64> = kept.iter().map(|d| d.abs()).collect();
    let (ranks, mut ties) = ranks(&sizes);
    let sum = |wanted: fn(f64) -> bool| -> f64 {
        let signed = ranks.iter().zip(&kept).filter(|(_, d)| wanted(**d));
        signed.map(|(rank, _)| rank).sum()
    };
    let (mut plus, mut minus) = (sum(|d| d > 0.0), sum(|d| d < 0.0));
    if zeros == ZeroDifferences::Split {
        let shared = sum(|d| d == 0.0);
        plus += 0.5 * shared;
        minus += 0.5 * shared;
    }
    let n = kept.len() as f64;
    let statistic = match alternative {
        Alternative::TwoSided => plus.min(minus),
        Alternative::Less | Alternative::Greater => plus,
    };
    let exact = match method {
        Method::Exact => true,
        Method::Asymptotic => false,
        Method::Auto => kept.len() <= MAX_EXACT_PAIRS && ties == 0.0 && zero_count == 0,
    };
    if exact {
        return Some((statistic, w_p_value(plus, kept.len(), alternative)?));
    }
    let (mut expected, mut spread) = (n * (n + 1.0) * 0.25, n * (n + 1.0) * (2.0 * n + 1.0));
    if zeros == ZeroDifferences::Pratt {
        let z = zero_count as f64;
        expected -= z * (z + 1.0) * 0.25;
        spread -= z * (z + 1.0) * (2.0 * z + 1.0);
        // The zeros' own tie does not count.
        ties -= z * z * z - z;
    }
    let deviation = ((spread - 0.5 * ties) / 24.0).sqrt();
    if deviation.is_nan() || deviation <= 0.0 {
        return None;
    }
    let correction = match alternative {
        _ if !continuity => 0.0,
        Alternative::TwoSided => 0.5 * sign(plus - expected),
        Alternative::Greater => 0.5,
        Alternative::Less => -0.5,
    };
    let z = (plus - expected - correction) / deviation;
    Some((statistic, alternative.symmetric(z, normal_tail)))
}

fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

/// The exact p-value of the sum of positive ranks among n pairs.
fn w_p_value(plus: f64, n: usize, alternative: Alternative) -> Option<f64> {
    // Above this the distribution is normal to all digits that matter, and 2^-n vanishes.
    if n > 1000 {
        return None;
    }
    let top = n * (n + 1) / 2;
    let mut chances = vec![0.0; top + 1];
    chances[0] = 1.0;
    for rank in 1..=n {
        let reached = rank * (rank - 1) / 2;
        for k in (0..=reached).rev() {
            let half = 0.5 * chances[k];
            chances[k] = half;
            chances[k + rank] += half;
        }
    }
    let below = |w: f64| -> f64 { chances[..=(w.max(0.0) as usize).min(top)].iter().sum() };
    let less = below(plus.floor());
    let greater = below((top as f64 - plus).floor());
    let p = match alternative {
        Alternative::Less => less,
        Alternative::Greater => greater,
        Alternative::TwoSided => 2.0 * less.min(greater),
    };
    Some(p.min(1.0))
}

/// Kruskal and Wallis' H over several samples, corrected for ties, and its p-value: scipy's `kruskal`.
pub fn kruskal(groups: &[Vec<f64>]) -> Option<(f64, f64)> {
    let filled: Vec<&Vec<f64>> = groups.iter().filter(|group| !group.is_empty()).collect();
    if filled.len() < 2 {
        return None;
    }
    let all: Vec<f64> = filled
        .iter()
        .flat_map(|group| group.iter().copied())
        .collect();
    let (ranks, ties) = ranks(&all);
    let n = all.len() as f64;
    let correction = 1.0 - ties / (n * n * n - n);
    if correction <= 0.0 {
        return None;
    }
    let (mut start, mut sum) = (0, 0.0);
    for group in &filled {
        let total: f64 = ranks[start..start + group.len()].iter().sum();
        sum += total * total / group.len() as f64;
        start += group.len();
    }
    let h = (12.0 / (n * (n + 1.0)) * sum - 3.0 * (n + 1.0)) / correction;
    Some((h, chi_squared_tail(h, (filled.len() - 1) as f64)))
}
