//! How unusual values are, by several methods; each says what it expected and how far off the value is.

mod esd;
mod forest;
mod moving;
mod scale;

#[cfg(test)]
mod tests;

pub use esd::{Esd, generalized_esd};
pub use forest::Forest;
pub use moving::{MovingMoments, Ordered};
pub use scale::{Scale, ScaleKind};

/// One scored value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// What the method expects; NaN where it expects no number.
    pub expected: f64,
    /// Values outside these bounds are anomalies; NaN where there are none.
    pub lower: f64,
    pub upper: f64,
    /// The method's own measure, without unit; larger is more unusual.
    pub score: f64,
    /// The share of normal values that are closer to the expected one: 0 to 1.
    pub probability: f64,
}

impl Scored {
    /// A value that can't be scored.
    pub const NONE: Self = Self {
        expected: f64::NAN,
        lower: f64::NAN,
        upper: f64::NAN,
        score: f64::NAN,
        probability: f64::NAN,
    };
}
