//! What can't be had is named.

use super::*;

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
