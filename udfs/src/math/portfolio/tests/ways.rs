//! The fast methods and the general one find the same portfolios.

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
