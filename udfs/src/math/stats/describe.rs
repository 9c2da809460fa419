//! Descriptions of a sample: shape, concentration, order, histogram, bootstrap.

use super::{mean, squares};
use crate::math::rng::Rng;

/// The quantile by linear interpolation (Hyndman and Fan's type 7) of ascending values; NaN of nothing.
pub fn quantile_sorted(sorted: &[f64], p: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = p.clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(last);
    sorted[below] + (place - below as f64) * (sorted[above] - sorted[below])
}

/// The median and the median of |x − median|, of ascending values.
pub fn median_and_deviation(sorted: &[f64]) -> (f64, f64) {
    let median = quantile_sorted(sorted, 0.5);
    let mut deviations: Vec<f64> = sorted.iter().map(|x| (x - median).abs()).collect();
    deviations.sort_unstable_by(f64::total_cmp);
    (median, quantile_sorted(&deviations, 0.5))
}

/// Central moments of order two to four, sums not divided by the count.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FourMoments {
    pub count: f64,
    pub mean: f64,
    pub m2: f64,
    pub m3: f64,
    pub m4: f64,
}

impl FourMoments {
    /// Those of a sample.
    pub fn of(values: &[f64]) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let mean = mean(values);
        let mut moments = Self {
            count: values.len() as f64,
            mean,
            m2: squares(values, mean),
            ..Self::default()
        };
        for x in values {
            let d = x - mean;
            moments.m3 += d * d * d;
            moments.m4 += d * d * d * d;
        }
        moments
    }

    /// Those of two samples together.
    ///
    /// Source: Pébay (2008), "Formulas for robust, one-pass parallel computation of covariances and moments".
    pub fn merged(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let (a, b) = (self.count, other.count);
        let n = a + b;
        let d = other.mean - self.mean;
        let (d2, ab) = (d * d, a * b);
        Self {
            count: n,
            mean: self.mean + d * b / n,
            m2: self.m2 + other.m2 + d2 * ab / n,
            m3: self.m3
                + other.m3
                + d2 * d * ab * (a - b) / (n * n)
                + 3.0 * d * (a * other.m2 - b * self.m2) / n,
            m4: self.m4
                + other.m4
                + d2 * d2 * ab * (a * a - ab + b * b) / (n * n * n)
                + 6.0 * d2 * (a * a * other.m2 + b * b * self.m2) / (n * n)
                + 4.0 * d * (a * other.m3 - b * self.m3) / n,
        }
    }

    /// Whether the values differ by more than rounding.
    fn has_spread(&self) -> bool {
        let rounding = f64::EPSILON * self.mean.abs();
        self.m2 > self.count * rounding * rounding && self.m2 > 0.0
    }

    /// √n m₃ / m₂^{3/2}, of the population or corrected for bias as spreadsheets and pandas do.
    pub fn skewness(&self, corrected: bool) -> Option<f64> {
        let n = self.count;
        if !self.has_spread() || (corrected && n < 3.0) {
            return None;
        }
        let g = n.sqrt() * self.m3 / self.m2.powf(1.5);
        Some(if corrected {
            g * (n * (n - 1.0)).sqrt() / (n - 2.0)
        } else {
            g
        })
    }

    /// n m₄ / m₂² − 3, the excess over the normal distribution's; corrected for bias on demand.
    pub fn kurtosis(&self, corrected: bool) -> Option<f64> {
        let n = self.count;
        if !self.has_spread() || (corrected && n < 4.0) {
            return None;
        }
        let g = n * self.m4 / (self.m2 * self.m2) - 3.0;
        Some(if corrected {
            (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * g + 6.0)
        } else {
            g
        })
    }
}

/// Gini's coefficient of ascending values that are not negative: 0 for equal shares, (n − 1) / n when one has all.
///
/// G = Σ (2i − n − 1) xᵢ / (n Σ x).
pub fn gini(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len() as f64;
    let total: f64 = sorted.iter().sum();
    if sorted.first().is_none_or(|least| *least < 0.0) || total <= 0.0 {
        return None;
    }
    let weighted: f64 = sorted
        .iter()
        .enumerate()
        .map(|(i, x)| (2.0 * (i + 1) as f64 - n - 1.0) * x)
        .sum();
    Some((weighted / (n * total)).max(0.0))
}

/// Shannon's entropy −Σ p log p of counts, in units of the logarithm's base.
pub fn entropy(counts: &[f64], base: f64) -> Option<f64> {
    let total: f64 = counts.iter().sum();
    if total <= 0.0 || base <= 0.0 || base == 1.0 {
        return None;
    }
    let terms = counts.iter().filter(|count| **count > 0.0).map(|count| {
        let p = count / total;
        -p * p.ln()
    });
    Some((terms.sum::<f64>() / base.ln()).max(0.0))
}

/// Bins of equal width from the least to the greatest value: lower bound, upper bound, count.
/// The last bin holds its upper bound too, as numpy's `histogram`; equal values are one bin of width one about them.
pub fn histogram(sorted: &[f64], bins: usize) -> Vec<(f64, f64, usize)> {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return Vec::new();
    };
    let (low, high) = if first == last {
        (first - 0.5, last + 0.5)
    } else {
        (*first, *last)
    };
    let edge = |i: usize| {
        let part = i as f64 / bins as f64;
        if i == bins {
            high
        } else {
            low * (1.0 - part) + high * part
        }
    };
    let mut start = 0;
    let mut found = Vec::with_capacity(bins);
    for i in 0..bins {
        let end = if i + 1 == bins {
            sorted.len()
        } else {
            start + sorted[start..].partition_point(|x| *x < edge(i + 1))
        };
        found.push((edge(i), edge(i + 1), end - start));
        start = end;
    }
    found
}

/// A statistic that [`bootstrap`] resamples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    Mean,
    Median,
    Deviation,
}

impl Statistic {
    pub const NAMES: &'static [&'static str] = &["mean", "median", "stddev"];

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "mean" => Some(Self::Mean),
            "median" => Some(Self::Median),
            "stddev" => Some(Self::Deviation),
            _ => None,
        }
    }

    fn of(self, values: &mut [f64]) -> f64 {
        match self {
            Self::Mean => mean(values),
            Self::Median => {
                values.sort_unstable_by(f64::total_cmp);
                quantile_sorted(values, 0.5)
            }
            Self::Deviation => (squares(values, mean(values)) / (values.len() as f64 - 1.0)).sqrt(),
        }
    }
}

/// The statistic and its percentile interval over resamples with replacement: estimate, lower, upper, standard error.
pub fn bootstrap(
    values: &[f64],
    statistic: Statistic,
    resamples: usize,
    level: f64,
    seed: u64,
) -> Option<[f64; 4]> {
    if values.len() < 2 || resamples == 0 {
        return None;
    }
    let mut rng = Rng::new(seed);
    let mut sample = values.to_vec();
    let estimate = statistic.of(&mut sample);
    let mut found = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        for slot in &mut sample {
            *slot = values[rng.below(values.len())];
        }
        found.push(statistic.of(&mut sample));
    }
    let centre = mean(&found);
    let error = (squares(&found, centre) / (found.len() as f64 - 1.0).max(1.0)).sqrt();
    found.sort_unstable_by(f64::total_cmp);
    let rest = 0.5 * (1.0 - level);
    Some([
        estimate,
        quantile_sorted(&found, rest),
        quantile_sorted(&found, 1.0 - rest),
        error,
    ])
}
