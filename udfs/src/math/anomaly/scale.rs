//! Centre and spread of usual values, and the distance of others in their terms.

use super::Scored;
use crate::math::stats::describe::{median_and_deviation, quantile_sorted};
use crate::math::stats::distribution::{normal_quantile, normal_tail};
use crate::math::stats::{is_constant, mean, squares};

/// The 0.75 quantile of the standard normal distribution: the median absolute deviation of normal values in
/// units of their standard deviation.
const MEDIAN_OF_NORMAL: f64 = 0.674_489_750_196_081_7;
/// The same as Iglewicz and Hoaglin (1993) print it, which everybody's modified z-score has.
pub(super) const PRINTED: f64 = 0.6745;
/// The mean absolute deviation of normal values, likewise: √(2/π).
pub(super) const MEAN_OF_NORMAL: f64 = 0.797_884_560_802_865_4;

/// How centre and spread are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScaleKind {
    /// Mean and sample standard deviation (n − 1); the score is |x − x̄| / s.
    ZScore,
    /// Median and median absolute deviation; the score is Iglewicz and Hoaglin's 0.6745 |x − median| / MAD.
    /// Where more than half of the values are equal, the mean absolute deviation stands in, times 1.2533.
    Mad,
    /// Quartiles by linear interpolation; the score is the distance from the nearer quartile in interquartile ranges.
    Iqr,
}

impl ScaleKind {
    /// The score above which a value is usually called an anomaly.
    pub fn usual_threshold(self) -> f64 {
        match self {
            ScaleKind::ZScore => 3.0,
            ScaleKind::Mad => 3.5,
            ScaleKind::Iqr => 1.5,
        }
    }
}

/// Centre and spread of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    kind: ScaleKind,
    centre: f64,
    /// What one point of score is worth below and above.
    unit: f64,
    /// From the centre to where the score begins: the quartiles, else the centre itself.
    low: f64,
    high: f64,
}

impl Scale {
    /// That of values; `None` with fewer than `least` of them or without spread.
    pub fn of(values: &[f64], kind: ScaleKind, least: usize) -> Option<Self> {
        if values.len() < least.max(2) || is_constant(values) {
            return None;
        }
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (centre, unit, low, high) = match kind {
            ScaleKind::ZScore => {
                let centre = mean(&sorted);
                let unit = (squares(&sorted, centre) / (sorted.len() as f64 - 1.0)).sqrt();
                (centre, unit, centre, centre)
            }
            ScaleKind::Mad => {
                let (centre, deviation) = median_and_deviation(&sorted);
                let unit = if deviation > 0.0 {
                    deviation / PRINTED
                } else {
                    mean(
                        &sorted
                            .iter()
                            .map(|x| (x - centre).abs())
                            .collect::<Vec<_>>(),
                    ) / MEAN_OF_NORMAL
                };
                (centre, unit, centre, centre)
            }
            ScaleKind::Iqr => {
                let quantile = |p| quantile_sorted(&sorted, p);
                let (low, high) = (quantile(0.25), quantile(0.75));
                (quantile(0.5), high - low, low, high)
            }
        };
        let usable = unit.is_finite() && unit > 0.0;
        usable.then_some(Self {
            kind,
            centre,
            unit,
            low,
            high,
        })
    }

    /// How unusual a value is; the bounds are where the score is `threshold`.
    pub fn score(&self, value: f64, threshold: f64) -> Scored {
        let score = ((value - self.high) / self.unit)
            .max((self.low - value) / self.unit)
            .max(0.0);
        Scored {
            expected: self.centre,
            lower: self.low - threshold * self.unit,
            upper: self.high + threshold * self.unit,
            score,
            probability: 1.0 - 2.0 * normal_tail(self.deviations(value)),
        }
    }

    /// The distance with its sign: for the window functions.
    pub fn signed(&self, value: f64) -> f64 {
        if value > self.high {
            (value - self.high) / self.unit
        } else if value < self.low {
            (value - self.low) / self.unit
        } else {
            0.0
        }
    }

    /// The score at which the probability is this.
    pub fn threshold_at(&self, probability: f64) -> f64 {
        let deviations = normal_quantile(0.5 + 0.5 * probability);
        match self.kind {
            ScaleKind::ZScore | ScaleKind::Mad => deviations,
            ScaleKind::Iqr => ((deviations - MEDIAN_OF_NORMAL) / (2.0 * MEDIAN_OF_NORMAL)).max(0.0),
        }
    }

    /// The distance from the centre in standard deviations, as they would be of normal values of this spread.
    fn deviations(&self, value: f64) -> f64 {
        let distance = (value - self.centre).abs();
        match self.kind {
            ScaleKind::ZScore | ScaleKind::Mad => distance / self.unit,
            ScaleKind::Iqr => distance / self.unit * 2.0 * MEDIAN_OF_NORMAL,
        }
    }
}
