//! Whether losses exceeded the value at risk as often, and as independently, as they should have.

use super::quantile::quantile;
use crate::math::stats::distribution::chi_squared_tail;

/// What a series of breaches says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backtest {
    pub observations: usize,
    pub breaches: usize,
    /// How many were to be expected.
    pub expected: f64,
    /// Kupiec (1995): whether they are too many or too few; chi-squared with one degree of freedom.
    pub kupiec: Test,
    /// Christoffersen (1998): whether they follow each other; one degree of freedom.
    pub independence: Test,
    /// Both together; two degrees of freedom.
    pub christoffersen: Test,
    pub zone: Zone,
}

/// A likelihood ratio and the probability of a larger one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    pub statistic: f64,
    pub p_value: f64,
}

/// Basel's traffic light: by the probability of as many breaches or fewer, green below 95 %, yellow below 99.99 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    Green,
    Yellow,
    Red,
}

/// Tests breaches in the order of time; none without observations.
pub fn backtest(breaches: &[bool], confidence: f64) -> Option<Backtest> {
    let n = breaches.len();
    if n == 0 {
        return None;
    }
    let p = 1.0 - confidence;
    let k = breaches.iter().filter(|breach| **breach).count();
    let kupiec = 2.0 * (binomial(k, n, k as f64 / n as f64) - binomial(k, n, p));
    let independence = 2.0 * independence(breaches);
    let test = |statistic: f64, freedom| {
        // Rounding may leave a little less than nothing.
        let statistic = statistic.max(0.0);
        Test {
            statistic,
            p_value: chi_squared_tail(statistic, freedom),
        }
    };
    Some(Backtest {
        observations: n,
        breaches: k,
        expected: p * n as f64,
        kupiec: test(kupiec, 1.0),
        independence: test(independence, 1.0),
        christoffersen: test(kupiec + independence, 2.0),
        zone: zone(k, n, p),
    })
}

/// The log-likelihood of `k` of `n` with probability `p`.
fn binomial(k: usize, n: usize, p: f64) -> f64 {
    let term = |count: usize, p: f64| {
        if count == 0 {
            0.0
        } else {
            count as f64 * p.ln()
        }
    };
    term(k, p) + term(n - k, 1.0 - p)
}

/// How much likelier the breaches are when each depends on the one before.
fn independence(breaches: &[bool]) -> f64 {
    let mut counts = [[0usize; 2]; 2];
    for pair in breaches.windows(2) {
        counts[usize::from(pair[0])][usize::from(pair[1])] += 1;
    }
    let [calm, after] = counts;
    let rate = |counts: [usize; 2]| match counts[0] + counts[1] {
        0 => 0.0,
        all => counts[1] as f64 / all as f64,
    };
    let likelihood = |counts: [usize; 2], p: f64| binomial(counts[1], counts[0] + counts[1], p);
    let all = [calm[0] + after[0], calm[1] + after[1]];
    likelihood(calm, rate(calm)) + likelihood(after, rate(after)) - likelihood(all, rate(all))
}

fn zone(k: usize, n: usize, p: f64) -> Zone {
    use statrs::distribution::{Binomial, DiscreteCDF};
    let below = Binomial::new(p, n as u64).map_or(f64::NAN, |law| law.cdf(k as u64));
    if below < 0.95 {
        Zone::Green
    } else if below < 0.9999 {
        Zone::Yellow
    } else {
        Zone::Red
    }
}

/// The breaches of the historical value at risk of the `window` returns before each, from the first that has them.
pub fn historical_breaches(returns: &[f64], window: usize, confidence: f64) -> Vec<bool> {
    let days = returns.windows(window + 1);
    let breach = |days: &[f64]| {
        let (past, now) = days.split_at(window);
        quantile(&[past], 1.0 - confidence).is_some_and(|bound| now[0] < bound)
    };
    days.map(breach).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETURNS: &str = include_str!("../../../../tests/data/risk/returns.csv");
    const EXPECTED: &str = include_str!("../../../../tests/data/risk/expected_market_risk.csv");

    #[test]
    fn equals_the_reference() {
        let series = ["AAPL", "JPM", "XOM", "AMD", "SIM_T4", "SIM_N", "BENCH"];
        let mut compared = 0;
        for (index, name) in series.iter().enumerate() {
            let field = |line: &str| line.split(',').nth(index + 1).unwrap().parse().unwrap();
            let returns: Vec<f64> = RETURNS.lines().skip(1).map(field).collect();
            for confidence in [0.95, 0.99] {
                let breaches = historical_breaches(&returns, 250, confidence);
                let found = backtest(&breaches, confidence).unwrap();
                let level = format!("\"\"c\"\": {confidence},");
                for line in EXPECTED.lines().filter(|line| line.contains(&level)) {
                    let mut fields = line.split(',');
                    let (series, metric) = (fields.next().unwrap(), fields.next().unwrap());
                    if series != *name {
                        continue;
                    }
                    let value = match metric {
                        "kupiec_exceptions" => found.breaches as f64,
                        "kupiec_lr" => found.kupiec.statistic,
                        "kupiec_p" => found.kupiec.p_value,
                        "christoffersen_ind_lr" => found.independence.statistic,
                        "christoffersen_ind_p" => found.independence.p_value,
                        "christoffersen_cc_lr" => found.christoffersen.statistic,
                        "christoffersen_cc_p" => found.christoffersen.p_value,
                        _ => continue,
                    };
                    let expected: f64 = line.rsplit(',').nth(1).unwrap().parse().unwrap();
                    assert!((value - expected).abs() <= 1e-8, "{line}: {value}");
                    compared += 1;
                }
            }
        }
        assert!(compared >= 6 * 14, "{compared}");
    }

    /// Basel Committee (1996), table 2: 250 days at 99 per cent are green up to 4 breaches, red from 10.
    #[test]
    fn zones_are_basels() {
        for (breaches, expected) in [
            (4, Zone::Green),
            (5, Zone::Yellow),
            (9, Zone::Yellow),
            (10, Zone::Red),
        ] {
            let days: Vec<bool> = (0..250).map(|day| day < breaches).collect();
            assert_eq!(
                backtest(&days, 0.99).map(|found| found.zone),
                Some(expected)
            );
        }
    }

    #[test]
    fn no_breaches_are_no_trouble() {
        let found = backtest(&[false; 100], 0.95).unwrap();
        assert_eq!((found.breaches, found.independence.statistic), (0, 0.0));
        assert!(found.kupiec.p_value < 0.01);
        assert_eq!(backtest(&[], 0.95), None);
    }
}
