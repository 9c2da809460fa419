//! The reference portfolios of 19 shares from 2013 to 2018, and what must hold whatever the data.
//!
//! Prices are PyPortfolioOpt's test resource; expected values were made with PyPortfolioOpt 1.6.0 and cvxpy 1.9.3 (see
//! `tests/data/README.md`).

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

#[test]
fn estimates_are_the_reference_s() {
    let reference = reference();
    for (name, method) in [
        ("expected_cov_ledoit_wolf.csv", Covariance::LedoitWolf),
        ("expected_cov_oas.csv", Covariance::Oas),
        (
            "expected_cov_exp_span180.csv",
            Covariance::Ewma { span: 180.0 },
        ),
    ] {
        let found = covariance(&reference.columns, method, 252.0);
        for (i, row) in cells(name)[1..].iter().enumerate() {
            for (j, wanted) in numbers(&row[1..]).iter().enumerate() {
                near(found.get(i, j), *wanted, 1e-9, name);
            }
        }
    }
    let stats = cells("expected_asset_stats.csv");
    let ema = expected_returns(
        &reference.columns,
        Expected::Ema { span: 500.0 },
        252.0,
        RATE,
        None,
    );
    let arithmetic = expected_returns(&reference.columns, Expected::Arithmetic, 252.0, RATE, None);
    for (i, row) in stats[1..].iter().enumerate() {
        let wanted = numbers(&row[1..]);
        let found = [
            reference.mean[i],
            arithmetic[i],
            ema[i],
            reference.sample.get(i, i).sqrt(),
        ];
        for (found, wanted) in found.iter().zip(wanted) {
            near(*found, wanted, 1e-9, &row[0]);
        }
    }
}

#[test]
fn objectives_reach_the_reference() {
    let reference = reference();
    let (long, sharpe) = (
        reference.bounds(0.0, 1.0),
        Objective::MaxSharpe {
            risk_free_rate: RATE,
        },
    );
    let open = reference.bounds(f64::NEG_INFINITY, f64::INFINITY);
    reference.check(
        "min_vol_long",
        "volatility",
        &Objective::MinVolatility,
        &long,
    );
    reference.check(
        "min_vol_longshort_-1_1",
        "volatility",
        &Objective::MinVolatility,
        &reference.bounds(-1.0, 1.0),
    );
    reference.check(
        "min_vol_unbounded",
        "volatility",
        &Objective::MinVolatility,
        &open,
    );
    reference.check("max_sharpe_long_rf0.02", "sharpe", &sharpe, &long);
    reference.check(
        "max_sharpe_long_cap0.2_rf0.02",
        "sharpe",
        &sharpe,
        &reference.bounds(0.0, 0.2),
    );
    reference.check("max_sharpe_unbounded_rf0.02", "sharpe", &sharpe, &open);
    for problem in reference.weights.keys() {
        let target = || reference.metric(problem, "target");
        let objective = match problem {
            name if name.starts_with("efficient_return") => {
                Objective::EfficientReturn { target: target() }
            }
            name if name.starts_with("efficient_risk") => {
                Objective::EfficientRisk { target: target() }
            }
            name if name.starts_with("max_quadratic_utility") => Objective::MaxUtility {
                aversion: reference.metric(problem, "risk_aversion"),
            },
            _ => continue,
        };
        let metric = if problem.starts_with("efficient_return") {
            "volatility"
        } else {
            "exp_return"
        };
        reference.check(problem, metric, &objective, &long);
    }
    reference.check(
        "max_diversification",
        "diversification_ratio",
        &Objective::MaxDiversification,
        &long,
    );
    reference.check(
        "risk_parity",
        "volatility",
        &Objective::RiskParity { budgets: None },
        &long,
    );
    let count = reference.names.len();
    let budgets = (1..=count)
        .map(|i| i as f64 / (count * (count + 1) / 2) as f64)
        .collect();
    reference.check(
        "risk_budget_linear",
        "volatility",
        &Objective::RiskParity {
            budgets: Some(budgets),
        },
        &long,
    );
    reference.check(
        "hrp_single",
        "volatility",
        &Objective::Hierarchical(Linkage::Single),
        &long,
    );
    reference.check(
        "hrp_ward",
        "volatility",
        &Objective::Hierarchical(Linkage::Ward),
        &long,
    );
    reference.check(
        "inverse_variance",
        "volatility",
        &Objective::InverseVariance,
        &long,
    );
    reference.check("equal_weight", "volatility", &Objective::Equal, &long);
}

#[test]
fn constraints_reach_the_reference() {
    let reference = reference();
    let count = reference.names.len();
    let group = |members: Vec<usize>, lower: bool, bound: f64| GroupBound {
        members,
        lower,
        bound,
        label: "group".to_owned(),
    };
    let sectors = Mandate {
        groups: vec![
            group((0..6).collect(), false, 0.3),
            group((count - 6..count).collect(), true, 0.25),
        ],
        ..reference.bounds(0.0, 1.0)
    };
    reference.check(
        "min_vol_sector",
        "volatility",
        &Objective::MinVolatility,
        &sectors,
    );
    let turnover = Mandate {
        current: Some(vec![1.0 / count as f64; count]),
        turnover: Some(0.4),
        ..reference.bounds(0.0, 1.0)
    };
    reference.check(
        "max_sharpe_like_turnover0.4",
        "exp_return",
        &Objective::MaxUtility { aversion: 5.0 },
        &turnover,
    );
}

#[test]
fn the_conic_way_agrees_with_the_fast_ones() {
    let reference = reference();
    let everyone = GroupBound {
        members: (0..reference.names.len()).collect(),
        lower: true,
        bound: 0.5,
        label: "group".to_owned(),
    };
    let target = 0.2;
    for objective in [
        Objective::MinVolatility,
        Objective::MaxSharpe {
            risk_free_rate: RATE,
        },
        Objective::MaxUtility { aversion: 3.0 },
        Objective::EfficientReturn { target },
        Objective::EfficientRisk { target: 0.15 },
        Objective::MaxDiversification,
    ] {
        for bounds in [(0.0, 1.0), (-0.3, 0.4), (0.01, 0.15)] {
            let simple = reference.bounds(bounds.0, bounds.1);
            let general = Mandate {
                groups: vec![everyone.clone()],
                ..simple.clone()
            };
            let fast = optimise(&reference.assets(), &objective, &simple)
                .unwrap()
                .weights;
            let conic = optimise(&reference.assets(), &objective, &general)
                .unwrap()
                .weights;
            let loss = |weights: &[f64]| objective.loss(&reference.assets(), &simple, weights);
            near(
                loss(&fast),
                loss(&conic),
                1e-6,
                &format!("{objective:?} {bounds:?}"),
            );
            for (fast, conic) in fast.iter().zip(&conic) {
                assert!((fast - conic).abs() < 1e-3, "{objective:?} {bounds:?}");
            }
        }
    }
}

#[test]
fn tail_risk_reaches_the_reference() {
    let reference = reference();
    let daily = reference.metric("min_cvar_0.95_return_ge_median", "target_daily");
    let daily_means: Vec<f64> = reference
        .columns
        .iter()
        .map(|c| super::estimate::mean(c))
        .collect();
    for (problem, level, target) in [
        ("min_cvar_0.95", 0.95, None),
        ("min_cvar_0.99", 0.99, None),
        ("min_cvar_0.95_return_ge_median", 0.95, Some(daily)),
    ] {
        let assets = Assets {
            expected: &daily_means,
            ..reference.assets()
        };
        let objective = Objective::MinCvar { level, target };
        let wanted = reference.metric(problem, "cvar_daily");
        let general = Mandate {
            groups: vec![GroupBound {
                members: vec![0],
                lower: true,
                bound: 0.0,
                label: "g".to_owned(),
            }],
            ..reference.bounds(0.0, 1.0)
        };
        for mandate in [reference.bounds(0.0, 1.0), general] {
            let found = optimise(&assets, &objective, &mandate).unwrap().weights;
            near(
                conditional_value_at_risk(&reference.columns, &found, level),
                wanted,
                1e-6,
                problem,
            );
        }
    }
}

#[test]
fn views_move_the_prior_as_the_reference_s() {
    let reference = reference();
    let stats = cells("expected_asset_stats.csv");
    let of = |column: &str| -> Vec<f64> {
        let place = stats[0].iter().position(|name| name == column).unwrap();
        stats[1..]
            .iter()
            .map(|row| row[place].parse().unwrap())
            .collect()
    };
    let caps = of("bl_marketcap");
    let market: Vec<f64> = caps
        .iter()
        .map(|cap| cap / caps.iter().sum::<f64>())
        .collect();
    let prior = implied_returns(&reference.sample, &market, 2.5);
    let view = |asset, versus, expected| View {
        asset,
        versus,
        expected,
        confidence: None,
    };
    let views = [
        view(0, None, 0.1),
        view(3, None, 0.02),
        view(5, Some(7), 0.03),
    ];
    let (expected, updated) = posterior(&reference.sample, &prior, &views, 0.05).unwrap();
    for (found, wanted) in prior.iter().zip(of("bl_prior")) {
        near(*found, wanted, 1e-9, "prior");
    }
    for (found, wanted) in expected.iter().zip(of("bl_posterior")) {
        near(*found, wanted, 1e-9, "posterior");
    }
    for (i, row) in cells("expected_cov_bl_posterior.csv")[1..]
        .iter()
        .enumerate()
    {
        for (j, wanted) in numbers(&row[1..]).iter().enumerate() {
            near(updated.get(i, j), *wanted, 1e-9, "covariance");
        }
    }
    let assets = Assets {
        covariance: &updated,
        expected: &expected,
        columns: &reference.columns,
    };
    let objective = Objective::MaxSharpe {
        risk_free_rate: RATE,
    };
    let weights = optimise(&assets, &objective, &reference.bounds(0.0, 1.0))
        .unwrap()
        .weights;
    let sharpe = (dot(&weights, &expected) - RATE) / updated.quadratic(&weights).sqrt();
    near(
        sharpe,
        reference.metric("black_litterman_max_sharpe", "sharpe"),
        1e-6,
        "sharpe",
    );
}

#[test]
fn the_frontier_is_the_reference_s() {
    let reference = reference();
    let wanted = cells("expected_frontier.csv");
    let found = frontier(
        &reference.assets(),
        &reference.bounds(0.0, 1.0),
        wanted.len() - 1,
    )
    .unwrap();
    for (portfolio, row) in found.iter().zip(&wanted[1..]) {
        let row = numbers(row);
        near(
            reference.measure(&portfolio.weights, "exp_return"),
            row[0],
            1e-5,
            "return",
        );
        near(
            reference.measure(&portfolio.weights, "volatility"),
            row[1],
            1e-5,
            "volatility",
        );
    }
}

#[test]
fn few_assets_are_the_best_few() {
    let reference = reference();
    let columns = reference.columns[..8].to_vec();
    let covariance = covariance(&columns, Covariance::Sample, 252.0);
    let assets = Assets {
        covariance: &covariance,
        expected: &reference.mean[..8],
        columns: &columns,
    };
    for objective in [
        Objective::MinVolatility,
        Objective::MaxSharpe {
            risk_free_rate: RATE,
        },
    ] {
        for most in 1..=4 {
            let limited = Mandate {
                cardinality: Some(most),
                ..Mandate::long_only(8)
            };
            let found = optimise(&assets, &objective, &limited).unwrap();
            assert!(
                found
                    .weights
                    .iter()
                    .filter(|weight| **weight > 1e-7)
                    .count()
                    <= most
            );
            assert!(found.gap <= 1e-6);
            // Every choice of so many assets, one after the other.
            let mut best = f64::INFINITY;
            for chosen in (0_u32..256).filter(|chosen| chosen.count_ones() as usize == most) {
                let mut mandate = Mandate::long_only(8);
                for asset in (0..8).filter(|asset| chosen >> asset & 1 == 0) {
                    mandate.upper[asset] = 0.0;
                }
                if let Ok(portfolio) = optimise(&assets, &objective, &mandate) {
                    best = best.min(objective.loss(&assets, &limited, &portfolio.weights));
                }
            }
            near(
                objective.loss(&assets, &limited, &found.weights),
                best,
                1e-7,
                "loss",
            );
        }
    }
}

#[test]
fn what_contradicts_is_named() {
    let reference = reference();
    let own = |asset: usize, lower: bool, label: &str| OwnBound {
        asset,
        lower,
        common: if lower { 0.0 } else { 1.0 },
        label: label.to_owned(),
    };
    let group = |members: Vec<usize>, lower, bound, label: &str| GroupBound {
        members,
        lower,
        bound,
        label: label.to_owned(),
    };
    let mut mandate = reference.bounds(0.0, 1.0);
    mandate.lower[0] = 0.6;
    mandate.lower[1] = 0.1;
    mandate.own = vec![own(0, true, "first"), own(1, true, "second")];
    mandate.groups = vec![
        group(vec![0, 2], false, 0.5, "narrow"),
        group(vec![4, 5], false, 0.9, "wide"),
    ];
    let refusal = |mandate: &Mandate, objective: &Objective| {
        optimise(&reference.assets(), objective, mandate).unwrap_err()
    };
    let conflict = Refusal::Conflict(vec!["first".to_owned(), "narrow".to_owned()]);
    assert_eq!(refusal(&mandate, &Objective::MinVolatility), conflict);
    assert_eq!(conflict.to_string(), "infeasible: first against narrow");
    mandate.groups.clear();
    mandate.lower[1] = 0.7;
    let both = Refusal::Conflict(vec!["first".to_owned(), "second".to_owned()]);
    assert_eq!(
        refusal(
            &mandate,
            &Objective::MaxSharpe {
                risk_free_rate: 0.0
            }
        ),
        both
    );
    let narrow = refusal(&reference.bounds(0.0, 0.01), &Objective::MinVolatility);
    assert_eq!(
        narrow.to_string(),
        "infeasible: the upper bounds of the weights sum to 0.19, less than 1"
    );
    let high = refusal(
        &reference.bounds(0.0, 1.0),
        &Objective::EfficientReturn { target: 5.0 },
    );
    assert!(matches!(high, Refusal::ReturnTooHigh { .. }), "{high}");
    let low = refusal(
        &reference.bounds(0.0, 1.0),
        &Objective::EfficientRisk { target: 0.01 },
    );
    assert!(matches!(low, Refusal::RiskTooLow { .. }), "{low}");
    let none = refusal(
        &reference.bounds(0.0, 1.0),
        &Objective::MaxSharpe {
            risk_free_rate: 9.0,
        },
    );
    assert!(matches!(none, Refusal::NoExcess { .. }), "{none}");
}

/// Random returns: some factors, own noise, and at times copies and constants.
fn random(rng: &mut Rng, assets: usize, periods: usize) -> Vec<Vec<f64>> {
    let factors: Vec<Vec<f64>> = (0..3)
        .map(|_| (0..periods).map(|_| 0.01 * rng.normal()).collect())
        .collect();
    let mut columns: Vec<Vec<f64>> = Vec::new();
    for i in 0..assets {
        if i > 0 && i % 7 == 3 {
            columns.push(columns[i - 1].clone());
            continue;
        }
        if i % 11 == 5 {
            columns.push(vec![0.0; periods]);
            continue;
        }
        let loads: Vec<f64> = (0..3).map(|_| rng.normal()).collect();
        let own = 0.005 + 0.01 * rng.uniform();
        let value = |t: usize| {
            let common: f64 = factors
                .iter()
                .zip(&loads)
                .map(|(factor, load)| factor[t] * load)
                .sum();
            common + 0.0004
        };
        let noise: Vec<f64> = (0..periods).map(|_| own * rng.normal()).collect();
        columns.push((0..periods).map(|t| value(t) + noise[t]).collect());
    }
    columns
}

fn objectives() -> Vec<Objective> {
    vec![
        Objective::MinVolatility,
        Objective::MaxSharpe {
            risk_free_rate: 0.0,
        },
        Objective::MaxUtility { aversion: 2.0 },
        Objective::EfficientReturn { target: 0.05 },
        Objective::EfficientRisk { target: 0.2 },
        Objective::MaxDiversification,
        Objective::MinCvar {
            level: 0.9,
            target: None,
        },
        Objective::RiskParity { budgets: None },
        Objective::Hierarchical(Linkage::Average),
        Objective::InverseVariance,
    ]
}

#[test]
fn weights_keep_their_bounds_whatever_the_data() {
    let mut rng = Rng::new(3);
    for round in 0..40 {
        let assets = 1 + round % 23;
        let columns = random(&mut rng, assets, 5 + 7 * (round % 9));
        let method = [
            Covariance::Sample,
            Covariance::LedoitWolf,
            Covariance::Oas,
            Covariance::Ewma { span: 20.0 },
        ];
        let covariance = covariance(&columns, method[round % 4], 252.0);
        let expected = expected_returns(&columns, Expected::Mean, 252.0, 0.0, None);
        let data = Assets {
            covariance: &covariance,
            expected: &expected,
            columns: &columns,
        };
        let cap = 2.0 / assets as f64;
        let short = Mandate {
            lower: vec![-0.2; assets],
            upper: vec![cap.max(0.5); assets],
            ..Mandate::default()
        };
        let capped = Mandate {
            lower: vec![0.0; assets],
            upper: vec![cap.min(1.0); assets],
            ..Mandate::default()
        };
        for objective in objectives() {
            for mandate in [&Mandate::long_only(assets), &short, &capped] {
                let Ok(found) = optimise(&data, &objective, mandate) else {
                    continue;
                };
                let what = format!("{objective:?} round {round}");
                assert!(
                    (found.weights.iter().sum::<f64>() - 1.0).abs() < 1e-8,
                    "{what}"
                );
                for (i, weight) in found.weights.iter().enumerate() {
                    assert!(weight.is_finite(), "{what}");
                    let within =
                        *weight >= mandate.lower[i] - 1e-8 && *weight <= mandate.upper[i] + 1e-8;
                    assert!(within || !objective.optimises(), "{what}: {weight}");
                }
                assert_eq!(
                    optimise(&data, &objective, mandate).unwrap(),
                    found,
                    "{what}"
                );
            }
        }
    }
}

#[test]
fn the_order_of_assets_does_not_matter() {
    let mut rng = Rng::new(8);
    for round in 0..10 {
        let mut columns = random(&mut rng, 9, 120);
        columns.remove(5);
        let order: Vec<usize> = (0..columns.len()).map(|i| (i * 3 + round) % 8).collect();
        let shuffled: Vec<Vec<f64>> = order.iter().map(|i| columns[*i].clone()).collect();
        let solve = |columns: &Vec<Vec<f64>>, objective: &Objective| {
            let covariance = covariance(columns, Covariance::LedoitWolf, 252.0);
            let expected = expected_returns(columns, Expected::Arithmetic, 252.0, 0.0, None);
            let assets = Assets {
                covariance: &covariance,
                expected: &expected,
                columns,
            };
            optimise(&assets, objective, &Mandate::long_only(columns.len()))
        };
        // What hangs on the order of equal distances is left out: hierarchical.
        for objective in objectives() {
            if matches!(objective, Objective::Hierarchical(_)) {
                continue;
            }
            let (Ok(first), Ok(second)) =
                (solve(&columns, &objective), solve(&shuffled, &objective))
            else {
                continue;
            };
            for (place, asset) in order.iter().enumerate() {
                let (first, second) = (first.weights[*asset], second.weights[place]);
                assert!(
                    (first - second).abs() < 1e-4,
                    "{objective:?} round {round}: {first} {second}"
                );
            }
        }
    }
}

#[test]
fn equal_assets_have_equal_weights() {
    let mut rng = Rng::new(5);
    let mut columns = random(&mut rng, 3, 100);
    columns.push(columns[1].clone());
    let covariance = covariance(&columns, Covariance::Sample, 252.0);
    let expected = vec![0.1, 0.1, 0.1, 0.1];
    let assets = Assets {
        covariance: &covariance,
        expected: &expected,
        columns: &columns,
    };
    let found = optimise(&assets, &Objective::MinVolatility, &Mandate::long_only(4))
        .unwrap()
        .weights;
    assert!((found[1] - found[3]).abs() < 1e-4, "{found:?}");
}
