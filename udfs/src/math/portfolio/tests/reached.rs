//! Every estimator and objective reaches what the reference has.

use super::super::estimate;
use super::*;

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
fn tail_risk_reaches_the_reference() {
    let reference = reference();
    let daily = reference.metric("min_cvar_0.95_return_ge_median", "target_daily");
    let daily_means: Vec<f64> = reference
        .columns
        .iter()
        .map(|c| estimate::mean(c))
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
