//! One number for the risk of a series of returns: each measure becomes points from 0 to 100, and their weighted mean the
//! score. More is safer.
//!
//! A risk x (0 or more) has 100 h / (h + x) points, so that h has half of them; a Sharpe ratio s has
//! 100 / (1 + e^(-2 s)), so that no reward has half. Measures that are not defined count neither for nor against.

/// A measure that the score knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    Volatility,
    ValueAtRisk,
    ExpectedShortfall,
    MaxDrawdown,
    Sharpe,
}

impl Measure {
    /// All of them, in the order of their columns.
    pub const ALL: [Measure; 5] = [
        Measure::Volatility,
        Measure::ValueAtRisk,
        Measure::ExpectedShortfall,
        Measure::MaxDrawdown,
        Measure::Sharpe,
    ];

    /// The name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Volatility => "volatility",
            Measure::ValueAtRisk => "value_at_risk",
            Measure::ExpectedShortfall => "expected_shortfall",
            Measure::MaxDrawdown => "max_drawdown",
            Measure::Sharpe => "sharpe_ratio",
        }
    }

    /// The share in the score when the caller says nothing; they sum to one.
    pub fn default_weight(self) -> f64 {
        match self {
            Measure::Volatility | Measure::MaxDrawdown => 0.25,
            Measure::ValueAtRisk => 0.15,
            Measure::ExpectedShortfall => 0.20,
            Measure::Sharpe => 0.15,
        }
    }

    /// The points of a value: of a year for the volatility, the value at risk and the shortfall (by √time).
    pub fn points(self, value: f64) -> f64 {
        let half = match self {
            Measure::Volatility => 0.20,
            Measure::ValueAtRisk => 0.33,
            Measure::ExpectedShortfall => 0.42,
            Measure::MaxDrawdown => 0.30,
            Measure::Sharpe => return 100.0 / (1.0 + (-2.0 * value).exp()),
        };
        100.0 * half / (half + value.max(0.0))
    }
}

/// The score of values with their weights; none if none is defined.
pub fn score(values: &[(Measure, Option<f64>, f64)]) -> Option<f64> {
    let known = || {
        values
            .iter()
            .filter_map(|(measure, value, weight)| Some((measure.points((*value)?), *weight)))
    };
    let weights: f64 = known().map(|(_, weight)| weight).sum();
    let sum: f64 = known().map(|(points, weight)| points * weight).sum();
    (weights > 0.0).then(|| sum / weights)
}

/// The grade of a score: A from 80, B from 65, C from 50, D from 35, E from 20, else F.
pub fn grade(score: f64) -> &'static str {
    let bounds = [
        (80.0, "A"),
        (65.0, "B"),
        (50.0, "C"),
        (35.0, "D"),
        (20.0, "E"),
    ];
    let found = bounds.iter().find(|(bound, _)| score >= *bound);
    found.map_or("F", |(_, grade)| grade)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_risk_is_a_better_grade() {
        for measure in Measure::ALL {
            let sign = if measure == Measure::Sharpe {
                1.0
            } else {
                -1.0
            };
            let points: Vec<f64> = (0..20)
                .map(|i| measure.points(0.1 * f64::from(i)))
                .collect();
            assert!(
                points
                    .windows(2)
                    .all(|pair| sign * (pair[1] - pair[0]) > 0.0)
            );
            assert!(points.iter().all(|points| (0.0..=100.0).contains(points)));
        }
        let weights: f64 = Measure::ALL
            .iter()
            .map(|measure| measure.default_weight())
            .sum();
        assert!((weights - 1.0).abs() < 1e-15);
    }

    #[test]
    fn what_is_not_defined_does_not_count() {
        let values = [
            (Measure::Volatility, Some(0.2), 1.0),
            (Measure::Sharpe, None, 9.0),
        ];
        assert_eq!(score(&values), Some(50.0));
        assert_eq!(score(&values[1..]), None);
        assert_eq!([grade(80.0), grade(79.9), grade(0.0)], ["A", "B", "F"]);
    }
}
