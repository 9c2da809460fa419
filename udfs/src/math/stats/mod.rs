//! Classical statistics: tests of hypotheses, correlations, descriptions of samples and linear models.
//!
//! Values come as slices without NaN; too few of them, or values without spread where spread is needed, give `None`.
//! p-values are computed from the tail itself, never as one minus the rest, so small ones keep their digits.
//! Reference values in the tests are scipy's and statsmodels'.

pub mod accuracy;
pub mod association;
pub mod describe;
pub mod distribution;
pub mod goodness;
pub mod linear;
pub mod location;
pub mod normality;
pub mod ranks;
pub mod series;
pub mod spread;
pub mod table;

#[cfg(test)]
mod tests;

/// Which deviations from the hypothesis count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    TwoSided,
    /// The value is less than the hypothesis says.
    Less,
    /// It is greater.
    Greater,
}

impl Alternative {
    /// Their names, as scipy has them.
    pub const NAMES: &'static [&'static str] = &["two-sided", "less", "greater"];

    /// The alternative of a name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "two-sided" => Some(Self::TwoSided),
            "less" => Some(Self::Less),
            "greater" => Some(Self::Greater),
            _ => None,
        }
    }

    /// The p-value of a statistic whose distribution is symmetric about zero, from its upper tail.
    pub(crate) fn symmetric(self, statistic: f64, upper_tail: impl Fn(f64) -> f64) -> f64 {
        match self {
            Self::TwoSided => (2.0 * upper_tail(statistic.abs())).min(1.0),
            Self::Less => upper_tail(-statistic),
            Self::Greater => upper_tail(statistic),
        }
    }
}

/// The mean; NaN of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Σ (x − mean)², corrected for the mean's own rounding.
pub(crate) fn squares(values: &[f64], mean: f64) -> f64 {
    let (sum, correction) = values.iter().fold((0.0, 0.0), |(sum, correction), x| {
        let d = x - mean;
        (sum + d * d, correction + d)
    });
    (sum - correction * correction / values.len().max(1) as f64).max(0.0)
}

/// Whether values differ by no more than their own rounding.
pub(crate) fn is_constant(values: &[f64]) -> bool {
    values.windows(2).all(|pair| pair[0] == pair[1])
}
