//! What a call asks of the weights: bounds, the rows of `constraints`, and the weights that are held now.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::math::portfolio::problem::{GroupBound, Mandate, OwnBound};
use crate::math::portfolio::refusal::Short;
use crate::relation::{Failure, Group, Layout, Options};

use super::names::{Rows, unknown};

/// The bounds and costs of a call, the same for all groups.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    bounds: (f64, f64),
    pub(super) cost: f64,
    /// Whether there are weights to trade from even where none are given.
    drifts: bool,
}

impl Terms {
    /// Reads the options.
    ///
    /// # Errors
    /// When `weight_bounds` are not a lower and an upper one, or a cost has no weights to start from.
    pub(super) fn new(layout: &Layout, options: &Options) -> Result<Self> {
        let bounds = match options.numbers("weight_bounds").as_slice() {
            [] => (0.0, 1.0),
            [lower, upper]
                if lower <= upper && *lower < f64::INFINITY && *upper > f64::NEG_INFINITY =>
            {
                (*lower, *upper)
            }
            _ => {
                return Err(Error::InvalidValue {
                    argument: "weight_bounds".to_owned(),
                    value: options
                        .get("weight_bounds")
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    hint: "Write the lower and the upper bound of a weight, as in ARRAY[0, 0.2]."
                        .to_owned(),
                });
            }
        };
        let cost = options.number("transaction_cost")?;
        let has_current = layout
            .relations()
            .iter()
            .any(|r| r.name == "current_weights");
        let drifts = options.function() == super::backtest::NAME;
        if cost > 0.0 && !has_current && !drifts {
            return Err(Error::MissingArgument {
                function: options.function().to_owned(),
                argument: "current_weights".to_owned(),
                hint: "A transaction_cost is paid on the difference to current_weights => (SELECT asset, weight ...)."
                    .to_owned(),
            });
        }
        Ok(Self {
            bounds,
            cost,
            drifts,
        })
    }

    /// The mandate of a group.
    ///
    /// # Errors
    /// When rows do not fit the assets or each other.
    pub(super) fn mandate(
        &self,
        layout: &Layout,
        group: &Group<'_>,
        names: &[String],
    ) -> Result<Mandate, Failure> {
        let current = match Rows::of(layout, group, "current_weights") {
            Some(rows) => Some(rows.by_asset(names, "weight")?.or_zero()?),
            None => None,
        };
        let mut mandate = Mandate {
            lower: vec![self.bounds.0; names.len()],
            upper: vec![self.bounds.1; names.len()],
            current,
            cost: self.cost,
            ..Mandate::default()
        };
        if let Some(rows) = Rows::of(layout, group, "constraints") {
            let groups = match Rows::of(layout, group, "groups") {
                Some(rows) => members(&rows, names)?,
                None => HashMap::new(),
            };
            Constraints {
                names,
                groups,
                common: self.bounds,
                lenient: rows.are_shared(),
            }
            .add(&rows, &mut mandate)?;
        }
        if mandate.turnover.is_some() && mandate.current.is_none() && !self.drifts {
            return Err(Failure::refused(
                "constraint turnover needs current_weights",
            ));
        }
        Ok(mandate)
    }
}

/// The assets of each group; those that are not in the data are passed over.
fn members(rows: &Rows<'_>, names: &[String]) -> Result<HashMap<String, Vec<usize>>, Failure> {
    let places: HashMap<&str, usize> = names
        .iter()
        .enumerate()
        .map(|(i, name)| (name.as_str(), i))
        .collect();
    let mut groups: HashMap<String, Vec<usize>> = HashMap::new();
    for (asset, group) in rows
        .texts("asset")?
        .into_iter()
        .zip(rows.texts("member_of")?)
    {
        let (Some(asset), Some(group)) = (asset, group) else {
            continue;
        };
        let group = groups.entry(group).or_default();
        if let Some(place) = places.get(asset.as_str())
            && !group.contains(place)
        {
            group.push(*place);
        }
    }
    groups.values_mut().for_each(|group| group.sort_unstable());
    Ok(groups)
}

struct Constraints<'a> {
    names: &'a [String],
    groups: HashMap<String, Vec<usize>>,
    common: (f64, f64),
    lenient: bool,
}

impl Constraints<'_> {
    fn add(&self, rows: &Rows<'_>, mandate: &mut Mandate) -> Result<(), Failure> {
        let (kinds, members) = (rows.texts("kind")?, rows.texts("member")?);
        let (lower, upper) = (rows.numbers("lower")?, rows.numbers("upper")?);
        for (((kind, member), lower), upper) in kinds.into_iter().zip(members).zip(lower).zip(upper)
        {
            let kind = kind.unwrap_or_default().trim().to_ascii_lowercase();
            if let (Some(lower), Some(upper)) = (lower, upper)
                && lower > upper
            {
                return Err(Failure::refused(format_args!(
                    "infeasible: {} lower {} against upper {}",
                    named(&kind, member.as_deref()),
                    Short(lower),
                    Short(upper)
                )));
            }
            match (kind.as_str(), member) {
                ("asset", Some(member)) => self.asset(mandate, &member, lower, upper)?,
                ("group", Some(member)) => self.group(mandate, &member, lower, upper)?,
                ("turnover", None) => {
                    let most = self.most(&kind, lower, upper)?;
                    mandate.turnover = Some(mandate.turnover.map_or(most, |other| other.min(most)));
                }
                ("cardinality", None) => {
                    let most = self.most(&kind, lower, upper)?;
                    if most < 1.0 {
                        return Err(Failure::refused("infeasible: cardinality upper is below 1"));
                    }
                    let most = most as usize;
                    let least = mandate.cardinality.map_or(most, |other| other.min(most));
                    mandate.cardinality = Some(least);
                }
                ("asset" | "group", None) => {
                    return Err(Failure::refused(format_args!(
                        "constraint {kind} needs a member"
                    )));
                }
                ("turnover" | "cardinality", Some(_)) => {
                    return Err(Failure::refused(format_args!(
                        "constraint {kind} takes no member"
                    )));
                }
                _ => {
                    return Err(Failure::refused(format_args!(
                        "unknown kind of constraint \"{kind}\": not asset, group, turnover or cardinality"
                    )));
                }
            }
        }
        Ok(())
    }

    fn most(&self, kind: &str, lower: Option<f64>, upper: Option<f64>) -> Result<f64, Failure> {
        match (lower, upper) {
            (None, Some(upper)) if upper >= 0.0 => Ok(upper),
            _ => Err(Failure::refused(format_args!(
                "constraint {kind} takes an upper bound alone, of 0 or more"
            ))),
        }
    }

    /// An asset's own bounds take the place of the common ones.
    fn asset(
        &self,
        mandate: &mut Mandate,
        member: &str,
        lower: Option<f64>,
        upper: Option<f64>,
    ) -> Result<(), Failure> {
        let Some(asset) = self.names.iter().position(|name| name == member) else {
            return match self.lenient && lower.is_none_or(|lower| lower <= 0.0) {
                true => Ok(()),
                false => Err(unknown("constraints", member)),
            };
        };
        for (bound, is_lower) in [(lower, true), (upper, false)] {
            let Some(bound) = bound else { continue };
            let (bounds, common, word) = match is_lower {
                true => (&mut mandate.lower, self.common.0, "lower"),
                false => (&mut mandate.upper, self.common.1, "upper"),
            };
            let earlier = mandate
                .own
                .iter()
                .position(|own| own.asset == asset && own.lower == is_lower);
            if let Some(earlier) = earlier {
                // Of two rows the stricter counts.
                if (bound <= bounds[asset]) == is_lower {
                    continue;
                }
                mandate.own.remove(earlier);
            }
            bounds[asset] = bound;
            let label = format!("{} {word} {}", named("asset", Some(member)), Short(bound));
            mandate.own.push(OwnBound {
                asset,
                lower: is_lower,
                common,
                label,
            });
        }
        if mandate.lower[asset] > mandate.upper[asset] {
            return Err(Failure::refused(format_args!(
                "infeasible: {} lower {} against upper {}",
                named("asset", Some(member)),
                Short(mandate.lower[asset]),
                Short(mandate.upper[asset])
            )));
        }
        Ok(())
    }

    fn group(
        &self,
        mandate: &mut Mandate,
        member: &str,
        lower: Option<f64>,
        upper: Option<f64>,
    ) -> Result<(), Failure> {
        let members = match self.groups.get(member) {
            Some(members) => members.clone(),
            None => self.listed(member)?,
        };
        for (bound, is_lower) in [(lower, true), (upper, false)] {
            if let Some(bound) = bound {
                let word = if is_lower { "lower" } else { "upper" };
                let label = format!("{} {word} {}", named("group", Some(member)), Short(bound));
                mandate.groups.push(GroupBound {
                    members: members.clone(),
                    lower: is_lower,
                    bound,
                    label,
                });
            }
        }
        Ok(())
    }

    /// A group without rows in `groups` is a list of assets.
    fn listed(&self, member: &str) -> Result<Vec<usize>, Failure> {
        let mut members = Vec::new();
        for name in member.split(',').map(str::trim) {
            match self.names.iter().position(|other| other == name) {
                Some(place) => members.push(place),
                None if self.lenient => {}
                None => {
                    return Err(Failure::refused(format_args!(
                        "constraints names group \"{member}\", which is neither in groups nor a list of assets"
                    )));
                }
            }
        }
        members.sort_unstable();
        members.dedup();
        Ok(members)
    }
}

fn named(kind: &str, member: Option<&str>) -> String {
    match member {
        Some(member) => format!("{kind} \"{member}\""),
        None => kind.to_owned(),
    }
}
