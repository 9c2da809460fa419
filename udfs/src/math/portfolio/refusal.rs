//! Why a portfolio can't be had; the text is a short status for the user.

use std::fmt;

/// The reason for which a request is refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    /// There are not enough dates on which every asset has a return.
    TooFewObservations {
        /// How many there are.
        got: usize,
        /// How many it takes.
        need: usize,
    },
    /// The bounds of the weights leave no sum of 1.
    BoundsSum {
        /// What they sum to.
        sum: f64,
        /// Whether it is the lower ones.
        lower: bool,
    },
    /// The constraints contradict each other: none of these can be left out for a contradiction.
    Conflict(Vec<String>),
    /// A return that no portfolio has.
    ReturnTooHigh {
        /// The return asked for.
        target: f64,
        /// The highest there is.
        highest: f64,
    },
    /// A volatility below that of every portfolio.
    RiskTooLow {
        /// The volatility asked for.
        target: f64,
        /// The lowest there is.
        lowest: f64,
    },
    /// No portfolio earns more than the risk-free rate.
    NoExcess {
        /// The highest expected return.
        highest: f64,
    },
    /// A portfolio without risk earns more than the risk-free rate.
    NoRisk,
    /// The objective grows without end.
    Unbounded,
    /// An asset whose return never changes, where the method divides by its variance.
    Constant {
        /// Its place.
        asset: usize,
    },
    /// A number is missing or not finite.
    NotFinite {
        /// What it is.
        what: &'static str,
    },
    /// The method came to no end.
    NoSolution,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TooFewObservations { got, need } => {
                write!(f, "too few observations: {got} < {need}")
            }
            Refusal::BoundsSum { sum, lower: true } => write!(
                f,
                "infeasible: the lower bounds of the weights sum to {}, more than 1",
                Short(*sum)
            ),
            Refusal::BoundsSum { sum, lower: false } => write!(
                f,
                "infeasible: the upper bounds of the weights sum to {}, less than 1",
                Short(*sum)
            ),
            Refusal::Conflict(constraints) => {
                write!(f, "infeasible: {}", constraints.join(" against "))
            }
            Refusal::ReturnTooHigh { target, highest } => write!(
                f,
                "infeasible: target_return {} is above the highest possible, {}",
                Short(*target),
                Short(*highest)
            ),
            Refusal::RiskTooLow { target, lowest } => write!(
                f,
                "infeasible: target_volatility {} is below the lowest possible, {}",
                Short(*target),
                Short(*lowest)
            ),
            Refusal::NoExcess { highest } => write!(
                f,
                "infeasible: no portfolio is expected to earn more than risk_free_rate, at most {}",
                Short(*highest)
            ),
            Refusal::NoRisk => {
                write!(
                    f,
                    "unbounded: a portfolio without risk earns more than risk_free_rate"
                )
            }
            Refusal::Unbounded => write!(f, "unbounded: the objective grows without end"),
            Refusal::Constant { asset } => write!(f, "asset {} never changes", asset + 1),
            Refusal::NotFinite { what } => write!(f, "{what} is not finite"),
            Refusal::NoSolution => write!(f, "no solution was found"),
        }
    }
}

impl std::error::Error for Refusal {}

/// A number with six significant digits.
#[derive(Debug, Clone, Copy)]
pub struct Short(pub f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0.abs() {
            size if size > 0.0 && size.is_finite() => {
                5 - size.log10().floor().clamp(-12.0, 5.0) as i32
            }
            _ => 0,
        };
        let text = format!("{:.*}", usize::try_from(digits).unwrap_or(0), self.0);
        match text.contains('.') {
            true => f.write_str(text.trim_end_matches('0').trim_end_matches('.')),
            false => f.write_str(&text),
        }
    }
}
