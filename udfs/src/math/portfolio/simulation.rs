//! What a portfolio earns that is traded now and then.
//!
//! A decision at the end of period t sees returns up to t and earns from t + 1 on: there is no look-ahead. Between
//! decisions nothing is traded, so weights drift with the returns: w ← w (1 + r) / (1 + w'r).
//! A trade from w to w* at cost k a unit takes k Σ |w* − w| of the value.

/// A period of a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct Period {
    /// What one unit at the start is worth at the end of the period, after costs.
    pub value: f64,
    /// The change of the value in the period.
    pub change: f64,
    /// Σ |w* − w| of the trade at the end of the period.
    pub turnover: f64,
    /// Why no trade was made where one was due.
    pub refusal: Option<String>,
}

/// Runs through the periods from `first` on. `due` says whether a trade is due at the end of a period; `decide` gets the number of
/// periods that are known and the weights held, and gives new weights. Nothing is held before the first trade but `weights`.
pub fn simulate(
    columns: &[Vec<f64>],
    first: usize,
    weights: Vec<f64>,
    cost: f64,
    due: impl Fn(usize) -> bool,
    mut decide: impl FnMut(usize, &[f64]) -> Result<Vec<f64>, String>,
) -> Vec<Period> {
    let count = columns.first().map_or(0, Vec::len);
    let mut periods = Vec::with_capacity(count.saturating_sub(first));
    let mut weights = weights;
    let mut value = 1.0;
    for t in first..count {
        let before = value;
        if t > first {
            let change: f64 = columns
                .iter()
                .zip(&weights)
                .map(|(column, weight)| weight * column[t])
                .sum();
            let growth = (1.0 + change).max(0.0);
            value *= growth;
            for (column, weight) in columns.iter().zip(&mut weights) {
                *weight = if growth > 0.0 {
                    *weight * (1.0 + column[t]) / growth
                } else {
                    0.0
                };
            }
        }
        let (mut turnover, mut refusal) = (0.0, None);
        if (t == first || due(t)) && value > 0.0 {
            match decide(t + 1, &weights) {
                Ok(next) => {
                    turnover = next
                        .iter()
                        .zip(&weights)
                        .map(|(next, now)| (next - now).abs())
                        .sum();
                    value *= (1.0 - cost * turnover).max(0.0);
                    weights = next;
                }
                Err(reason) => refusal = Some(reason),
            }
        }
        periods.push(Period {
            value,
            change: value / before - 1.0,
            turnover,
            refusal,
        });
        if value == 0.0 {
            break;
        }
    }
    periods
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earns_from_the_period_after_the_decision() {
        let columns = vec![vec![0.5, 0.1, -0.2, 0.3], vec![0.0, 0.0, 0.0, 0.0]];
        let mut known = Vec::new();
        let periods = simulate(
            &columns,
            1,
            vec![0.0, 0.0],
            0.01,
            |t| t == 2,
            |periods, _| {
                known.push(periods);
                Ok(vec![0.5, 0.5])
            },
        );
        assert_eq!(known, [2, 3]);
        let values: Vec<f64> = periods.iter().map(|period| period.value).collect();
        // 1 % of the first trade; half of −20 %; a trade of what drifted (0.4 / 0.9 back to 0.5, both ways); half of 30 %.
        let drift = 2.0 * (0.5 - 0.4 / 0.9);
        let third = 0.99 * 0.9 * (1.0 - 0.01 * drift);
        for (found, wanted) in values.iter().zip([0.99, third, third * 1.15]) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
        assert!((periods[1].turnover - drift).abs() < 1e-12);
    }

    #[test]
    fn keeps_what_it_holds_when_no_decision_is_possible() {
        let columns = vec![vec![0.0, 0.1, 0.1]];
        let periods = simulate(
            &columns,
            0,
            vec![1.0],
            0.0,
            |_| true,
            |_, _| Err("no".to_owned()),
        );
        assert!((periods[2].value - 1.21).abs() < 1e-12);
        assert_eq!(periods[1].refusal.as_deref(), Some("no"));
    }

    #[test]
    fn ends_when_all_is_lost() {
        let columns = vec![vec![0.0, -1.0, 0.5]];
        let periods = simulate(&columns, 0, vec![0.0], 0.0, |_| false, |_, _| Ok(vec![1.0]));
        assert_eq!(periods.last().map(|period| period.value), Some(0.0));
        assert_eq!(periods.len(), 2);
    }
}
