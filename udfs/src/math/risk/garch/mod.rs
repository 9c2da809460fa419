//! Volatility that clusters: GARCH (Bollerslev 1986), GJR (Glosten, Jagannathan, Runkle 1993) and EGARCH (Nelson 1991)
//! with a constant mean and normal or Student t innovations, fitted by maximum likelihood.
//!
//! Conventions are those of the Python package arch (8.0), which gave the reference values: the variance before the
//! first return is the exponentially weighted mean of the first 75 squared deviations; the t is scaled to variance one.
//!
//! ```text
//! garch, gjr   h = ω + Σ αᵢ e²₋ᵢ + Σ γᵢ e²₋ᵢ [e₋ᵢ < 0] + Σ βⱼ h₋ⱼ
//! egarch   ln h = ω + Σ αᵢ (|z₋ᵢ| - √(2/π)) + Σ γᵢ z₋ᵢ + Σ βⱼ ln h₋ⱼ,   z = e / √h
//! ```

mod forecast;
mod likelihood;
mod recursion;
mod search;
#[cfg(test)]
mod tests;

pub use forecast::{Step, forecast};
pub use search::fit;

/// Fewer returns than this fit no model.
pub const LEAST_RETURNS: usize = 50;

/// What is fitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model {
    pub variant: Variant,
    pub innovations: Innovations,
    /// Lags of the shocks, at least one.
    pub p: usize,
    /// Lags of the variance.
    pub q: usize,
}

/// How the variance follows from the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    Garch,
    Gjr,
    Egarch,
}

/// The distribution of the standardised returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Innovations {
    Normal,
    StudentT,
}

/// The parameters of a model, in units of the returns.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    pub mu: f64,
    pub omega: f64,
    pub alpha: Vec<f64>,
    /// Empty for plain GARCH.
    pub gamma: Vec<f64>,
    pub beta: Vec<f64>,
    /// Degrees of freedom of the t.
    pub nu: Option<f64>,
}

impl Parameters {
    /// How much of a shock to the variance is left a period later: α + γ/2 + β, and β for EGARCH.
    pub fn persistence(&self, variant: Variant) -> f64 {
        let beta: f64 = self.beta.iter().sum();
        match variant {
            Variant::Egarch => beta,
            Variant::Garch | Variant::Gjr => {
                self.alpha.iter().sum::<f64>() + 0.5 * self.gamma.iter().sum::<f64>() + beta
            }
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        2 + self.alpha.len() + self.gamma.len() + self.beta.len() + usize::from(self.nu.is_some())
    }
}

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    pub model: Model,
    pub parameters: Parameters,
    pub log_likelihood: f64,
    /// The conditional variance of each return.
    pub variances: Vec<f64>,
    /// The deviations of the returns from their mean.
    pub shocks: Vec<f64>,
    /// The variance before the first return.
    pub backcast: f64,
}

/// Why there is no fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    TooFew {
        found: usize,
    },
    NotFinite,
    Constant,
    /// Their squares leave the range of numbers.
    OutOfRange,
    NotConverged,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::TooFew { found } => {
                write!(f, "too few observations: {found} < {LEAST_RETURNS}")
            }
            Refusal::NotFinite => f.write_str("a return is infinite"),
            Refusal::Constant => f.write_str("the returns do not vary"),
            Refusal::OutOfRange => {
                f.write_str("the squares of the returns leave the range of numbers")
            }
            Refusal::NotConverged => f.write_str("no maximum of the likelihood was found"),
        }
    }
}
