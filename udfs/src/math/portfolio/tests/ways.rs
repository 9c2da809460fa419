//! The fast methods and the general one find the same portfolios.

use super::super::{conic, restricted};
use super::*;

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
            let restricted = optimise(&reference.assets(), &objective, &general)
                .unwrap()
                .weights;
            let fast = optimise(&reference.assets(), &objective, &simple)
                .unwrap()
                .weights;
            let conic = conic::solve(&reference.assets(), &objective, &general).unwrap();
            let loss = |weights: &[f64]| objective.loss(&reference.assets(), &simple, weights);
            near(
                loss(&fast),
                loss(&conic),
                1e-6,
                &format!("{objective:?} {bounds:?}"),
            );
            for ((fast, conic), restricted) in fast.iter().zip(&conic).zip(&restricted) {
                assert!((fast - conic).abs() < 1e-3, "{objective:?} {bounds:?}");
                assert!((fast - restricted).abs() < 1e-6, "{objective:?} {bounds:?}");
            }
        }
    }
}

/// Groups, equalities among them, turnover and costs, drawn at random.
fn mandate(rng: &mut Rng, assets: usize) -> Mandate {
    let mut mandate = Mandate::long_only(assets);
    let shorts = rng.below(3) == 0;
    for i in 0..assets {
        if shorts {
            mandate.lower[i] = -0.1 * rng.uniform();
        }
        if rng.below(3) == 0 {
            mandate.upper[i] = (2.0 / assets as f64).max(0.1) + 0.4 * rng.uniform();
        }
    }
    for _ in 0..rng.below(5) {
        let members: Vec<usize> = (0..assets).filter(|_| rng.below(3) == 0).collect();
        let bound = 0.15 + 0.4 * rng.uniform();
        let sides = [&[true, false][..], &[true], &[false]][rng.below(3)];
        mandate.groups.extend(sides.iter().map(|lower| GroupBound {
            members: members.clone(),
            lower: *lower,
            bound,
            label: "group".to_owned(),
        }));
    }
    if rng.below(2) == 0 {
        let held: Vec<f64> = (0..assets)
            .map(|_| rng.uniform() * rng.below(2) as f64)
            .collect();
        let sum = held.iter().sum::<f64>().max(1e-3);
        mandate.current = Some(held.iter().map(|held| held / sum).collect());
        mandate.turnover = [None, Some(0.1 + rng.uniform())][rng.below(2)];
        mandate.cost = 0.01 * rng.uniform();
    }
    mandate
}

/// By how much weights miss what they must fulfil.
fn missed(mandate: &Mandate, weights: &[f64]) -> f64 {
    let sum = |members: &[usize]| members.iter().map(|i| weights[*i]).sum::<f64>();
    let mut missed = (weights.iter().sum::<f64>() - 1.0).abs();
    for (i, weight) in weights.iter().enumerate() {
        missed = missed
            .max(mandate.lower[i] - weight)
            .max(weight - mandate.upper[i]);
    }
    for group in &mandate.groups {
        let over = sum(&group.members) - group.bound;
        missed = missed.max(if group.lower { -over } else { over });
    }
    if let (Some(current), Some(most)) = (&mandate.current, mandate.turnover) {
        let pairs = weights.iter().zip(current);
        missed = missed.max(pairs.map(|(w, c)| (w - c).abs()).sum::<f64>() - most);
    }
    missed
}

#[test]
fn groups_and_trades_are_as_the_conic_way_has_them() {
    let mut found = 0;
    for seed in 0..120 {
        let mut rng = Rng::new(seed);
        let count = 3 + rng.below(25);
        let periods = 40 + 100 * rng.below(2);
        let columns = properties::random(&mut rng, count, periods);
        let estimate = covariance(&columns, Covariance::LedoitWolf, 252.0);
        let mean = expected_returns(&columns, Expected::Mean, 252.0, RATE, None);
        let assets = Assets {
            covariance: &estimate,
            expected: &mean,
            columns: &columns,
        };
        let mandate = mandate(&mut rng, count);
        if mandate.is_simple() {
            continue;
        }
        for objective in properties::objectives().iter().take(6) {
            let what = format!("{seed} {objective:?}");
            let fast = restricted::solve(&assets, objective, &mandate);
            let conic = conic::solve(&assets, objective, &mandate);
            let (Ok(fast), Ok(conic)) = (&fast, &conic) else {
                assert!(fast.is_err(), "{what}: {conic:?}");
                continue;
            };
            assert!(missed(&mandate, fast) < 1e-8, "{what}");
            let loss = |weights: &[f64]| objective.loss(&assets, &mandate, weights);
            let (fast, conic) = (loss(fast), loss(conic));
            assert!(fast <= conic + 1e-6 * conic.abs(), "{what}: {fast} {conic}");
            found += 1;
        }
    }
    assert!(found > 200, "{found}");
}
