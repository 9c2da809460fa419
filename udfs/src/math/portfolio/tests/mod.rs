//! The reference portfolios of 19 shares from 2013 to 2018, and what must hold whatever the data.
//!
//! Prices are PyPortfolioOpt's test resource; expected values were made with PyPortfolioOpt 1.6.0 and cvxpy 1.9.3 (see
//! `tests/data/README.md`).

mod properties;
mod reached;
mod refused;
mod ways;

use std::collections::HashMap;

use super::estimate::{Covariance, Expected, covariance, expected_returns};
use super::hierarchy::Linkage;
use super::problem::*;
use super::refusal::Refusal;
use super::tail::conditional_value_at_risk;
use super::views::{View, implied_returns, posterior};
use crate::math::matrix::{Symmetric, dot};
use crate::math::rng::Rng;

const RATE: f64 = 0.02;

fn file(name: &str) -> String {
    let path = format!(
        "{}/../tests/data/portfolio/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read_to_string(path).unwrap()
}

fn cells(name: &str) -> Vec<Vec<String>> {
    file(name)
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect())
        .collect()
}

fn numbers(cells: &[String]) -> Vec<f64> {
    cells.iter().map(|cell| cell.parse().unwrap()).collect()
}

struct Reference {
    names: Vec<String>,
    columns: Vec<Vec<f64>>,
    sample: Symmetric,
    mean: Vec<f64>,
    metrics: HashMap<(String, String), f64>,
    weights: HashMap<String, Vec<f64>>,
}

fn reference() -> Reference {
    let prices = cells("prices.csv");
    let names = prices[0][1..].to_vec();
    let rows: Vec<Vec<f64>> = prices[1..].iter().map(|row| numbers(&row[1..])).collect();
    let column = |i: usize| {
        rows.windows(2)
            .map(|pair| pair[1][i] / pair[0][i] - 1.0)
            .collect()
    };
    let columns: Vec<Vec<f64>> = (0..names.len()).map(column).collect();
    let mut weights: HashMap<String, Vec<f64>> = HashMap::new();
    for row in &cells("expected_weights.csv")[1..] {
        weights
            .entry(row[0].clone())
            .or_default()
            .push(row[2].parse().unwrap());
    }
    let metrics = cells("expected_metrics.csv").into_iter().skip(1);
    let metric = |row: Vec<String>| ((row[0].clone(), row[1].clone()), row[2].parse().unwrap());
    Reference {
        sample: covariance(&columns, Covariance::Sample, 252.0),
        mean: expected_returns(&columns, Expected::Mean, 252.0, RATE, None),
        metrics: metrics.map(metric).collect(),
        names,
        columns,
        weights,
    }
}

impl Reference {
    fn assets(&self) -> Assets<'_> {
        Assets {
            covariance: &self.sample,
            expected: &self.mean,
            columns: &self.columns,
        }
    }

    fn metric(&self, problem: &str, metric: &str) -> f64 {
        self.metrics[&(problem.to_owned(), metric.to_owned())]
    }

    fn bounds(&self, lower: f64, upper: f64) -> Mandate {
        let count = self.names.len();
        Mandate {
            lower: vec![lower; count],
            upper: vec![upper; count],
            ..Mandate::default()
        }
    }

    fn measure(&self, weights: &[f64], metric: &str) -> f64 {
        let volatility = self.sample.quadratic(weights).sqrt();
        let expected = dot(weights, &self.mean);
        match metric {
            "volatility" => volatility,
            "exp_return" => expected,
            "sharpe" => (expected - RATE) / volatility,
            "diversification_ratio" => dot(weights, &deviations(&self.sample)) / volatility,
            other => panic!("{other}"),
        }
    }

    /// The metric within a millionth, the weights within a thousandth.
    fn check(&self, problem: &str, metric: &str, objective: &Objective, mandate: &Mandate) {
        let found = optimise(&self.assets(), objective, mandate)
            .unwrap()
            .weights;
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{problem}");
        near(
            self.measure(&found, metric),
            self.metric(problem, metric),
            1e-6,
            problem,
        );
        for ((found, wanted), name) in found.iter().zip(&self.weights[problem]).zip(&self.names) {
            assert!(
                (found - wanted).abs() < 1e-3,
                "{problem} {name}: {found} {wanted}"
            );
        }
    }
}

fn near(found: f64, wanted: f64, tolerance: f64, what: &str) {
    assert!(
        (found - wanted).abs() <= tolerance * wanted.abs(),
        "{what}: {found} {wanted}"
    );
}
