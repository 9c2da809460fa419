//! Which objective a call names, with the options that belong to it.

use crate::error::{Error, Result};
use crate::math::portfolio::hierarchy::Linkage;
use crate::math::portfolio::problem::Objective;
use crate::relation::{Failure, Group, Layout, Options};

use super::model::shares;
use super::names::Rows;

/// Relations that only objectives with an optimum take.
const OF_OPTIMISERS: &[&str] = &["constraints", "groups", "current_weights"];

/// The objective of a call; risk budgets are a group's own.
///
/// # Errors
/// When an option that the objective needs is absent, or one is given that it can't heed.
pub(super) fn objective(layout: &Layout, options: &Options) -> Result<Objective> {
    let name = options.text("objective")?;
    let objective = match name {
        "min_volatility" => Objective::MinVolatility,
        "max_utility" => Objective::MaxUtility {
            aversion: options.number("risk_aversion")?,
        },
        "efficient_return" => Objective::EfficientReturn {
            target: needed(options, "target_return")?,
        },
        "efficient_risk" => Objective::EfficientRisk {
            target: needed(options, "target_volatility")?,
        },
        "risk_parity" => Objective::RiskParity { budgets: None },
        "hrp" => Objective::Hierarchical(match options.text("linkage")? {
            "complete" => Linkage::Complete,
            "average" => Linkage::Average,
            "ward" => Linkage::Ward,
            _ => Linkage::Single,
        }),
        "min_cvar" => Objective::MinCvar {
            level: options.number("confidence_level")?,
            target: options
                .get("target_return")
                .map(|_| options.number("target_return"))
                .transpose()?,
        },
        "max_diversification" => Objective::MaxDiversification,
        "equal_weight" => Objective::Equal,
        "inverse_variance" => Objective::InverseVariance,
        _ => Objective::MaxSharpe {
            risk_free_rate: options.number("risk_free_rate")?,
        },
    };
    if !objective.optimises() {
        let given = OF_OPTIMISERS
            .iter()
            .find(|name| layout.relations().iter().any(|r| r.name == **name));
        let bounds = options.get("weight_bounds").map(|_| &"weight_bounds");
        if let Some(argument) = given.or(bounds) {
            return Err(Error::NotSupported {
                feature: format!("argument \"{argument}\" with objective '{name}'"),
            });
        }
    }
    for (option, takers) in [
        ("target_return", ["efficient_return", "min_cvar"].as_slice()),
        ("target_volatility", ["efficient_risk"].as_slice()),
    ] {
        if options.get(option).is_some() && !takers.contains(&name) {
            return Err(Error::NotSupported {
                feature: format!("argument \"{option}\" with objective '{name}'"),
            });
        }
    }
    let has_budgets = layout.relations().iter().any(|r| r.name == "risk_budgets");
    if has_budgets && !matches!(objective, Objective::RiskParity { .. }) {
        return Err(Error::NotSupported {
            feature: format!("argument \"risk_budgets\" with objective '{name}'"),
        });
    }
    Ok(objective)
}

/// The objective of a group.
///
/// # Errors
/// When its risk budgets do not fit the assets.
pub(super) fn of_group(
    objective: &Objective,
    layout: &Layout,
    group: &Group<'_>,
    names: &[String],
) -> Result<Objective, Failure> {
    let Some(rows) = Rows::of(layout, group, "risk_budgets") else {
        return Ok(objective.clone());
    };
    let budgets = shares(rows.by_asset(names, "value")?.all(names)?, "risk_budgets")?;
    if budgets.contains(&0.0) {
        return Err(Failure::refused("risk_budgets must be above zero"));
    }
    Ok(Objective::RiskParity {
        budgets: Some(budgets),
    })
}

fn needed(options: &Options, argument: &'static str) -> Result<f64> {
    match options.get(argument) {
        Some(_) => options.number(argument),
        None => Err(Error::MissingArgument {
            function: options.function().to_owned(),
            argument: argument.to_owned(),
            hint: format!("Write {argument} => and its value a year, as a decimal."),
        }),
    }
}
