//! What must hold whatever the data.

use super::*;

/// Random returns: some factors, own noise, and at times copies and constants.
pub(super) fn random(rng: &mut Rng, assets: usize, periods: usize) -> Vec<Vec<f64>> {
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

pub(super) fn objectives() -> Vec<Objective> {
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
