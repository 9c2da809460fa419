//! Why a series gets no forecast.

use std::fmt;

/// The reason for which a request is refused; its text is a short status for the user.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// The series is shorter than the model needs.
    TooFewObservations {
        /// Observations in the series.
        got: usize,
        /// Observations that the model needs.
        need: usize,
    },
    /// A value is NaN or infinite.
    NotFinite,
    /// The horizon is zero or beyond the limit.
    HorizonOutOfRange {
        /// The horizon asked for.
        got: usize,
        /// The longest horizon allowed.
        max: usize,
    },
    /// The confidence level does not lie strictly between zero and one.
    ConfidenceLevelOutOfRange {
        /// The level asked for.
        got: f64,
    },
    /// The model needs a season length above one.
    NoSeason,
    /// The model is meant for demand, which is never negative.
    NegativeValues,
    /// A regressor has no finite value at some step of the series or ahead.
    RegressorsIncomplete,
    /// No parameters give finite forecasts.
    NoFit,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TooFewObservations { got, need } => {
                write!(f, "too few observations: {got} < {need}")
            }
            Refusal::NotFinite => write!(f, "value is not finite"),
            Refusal::HorizonOutOfRange { got, max } => {
                write!(f, "horizon out of range: {got} not in 1..{max}")
            }
            Refusal::ConfidenceLevelOutOfRange { got } => {
                write!(
                    f,
                    "confidence level out of range: {got} not between 0 and 1"
                )
            }
            Refusal::NoSeason => write!(f, "model needs a seasonal period above 1"),
            Refusal::NegativeValues => write!(f, "model needs values that are not negative"),
            Refusal::RegressorsIncomplete => {
                write!(
                    f,
                    "a regressor has no value at some step of the series or ahead"
                )
            }
            Refusal::NoFit => write!(f, "no model could be fitted"),
        }
    }
}

impl std::error::Error for Refusal {}
