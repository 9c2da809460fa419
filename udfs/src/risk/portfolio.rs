//! `portfolio_risk` and `stress_test`: what a weighted portfolio may lose, and what each asset adds to that.
//!
//! Returns are per period, as decimals; losses are positive fractions of the portfolio. `portfolio_risk` uses the times at
//! which every weighted asset has a return. Formulas and sources:
//! [`math::risk::portfolio`](crate::math::risk::portfolio). Reference values: numpy 2.4.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field};

use super::panel::{Columns, Panel};
use crate::error::{Error, Result};
use crate::math::risk::portfolio::{historical, moments, monte_carlo, normal, propagated};
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Constant, Failure, Group, Layout, Options, Output, Presence,
    Rows, Signature, TableFunction, ValueType, Wanted,
};

const MAX_SIMULATIONS: i64 = 100_000_000;

const TIME: Argument = Argument::column("timestamp_col", Class::Time)
    .inferred()
    .orders();
const ASSET: Argument = Argument::column("asset_col", Class::Text).inferred();
const RETURN: Argument = Argument::column("return_col", Class::Number).inferred();
const WEIGHTS: Argument = Argument {
    required: true,
    ..Argument::relation(
        "weights",
        Rows::Grouped,
        Wanted::Named(&[
            ("asset", Class::Text, Presence::Required),
            ("weight", Class::Number, Presence::Required),
        ]),
    )
};

static RISK: Signature = Signature {
    name: "portfolio_risk",
    arguments: &[
        Argument::data("data"),
        TIME,
        ASSET,
        RETURN,
        Argument::ids(),
        WEIGHTS,
        Argument::CONFIDENCE_LEVEL,
        Argument::option(
            "method",
            ValueType::Choice(&["normal", "historical", "monte_carlo"]),
        )
        .or(Constant::Text("normal")),
        Argument::option(
            "simulations",
            ValueType::Integer {
                min: 1000,
                max: MAX_SIMULATIONS,
            },
        )
        .or(Constant::Integer(100_000)),
        Argument::SEED,
    ],
};

static STRESS: Signature = Signature {
    name: "stress_test",
    arguments: &[
        Argument::data("data"),
        TIME,
        ASSET,
        RETURN,
        Argument::ids(),
        WEIGHTS,
        Argument {
            required: true,
            ..Argument::relation(
                "scenarios",
                Rows::Shared,
                Wanted::Named(&[
                    ("scenario", Class::Text, Presence::Required),
                    ("asset", Class::Text, Presence::Required),
                    ("shock", Class::Number, Presence::Required),
                ]),
            )
        },
        // Whether assets without a shock move as they did with the shocked ones.
        Argument::option("propagate", ValueType::Boolean).or(Constant::Boolean(false)),
    ],
};

/// The table function `portfolio_risk`: one row an asset, with the totals on each.
///
/// `normal` takes returns of mean zero; `component` sums to the value at risk. `historical` and `monte_carlo` (normal
/// with the sample's means) take the shortfall apart instead: `component` sums to the expected shortfall.
#[derive(Debug)]
pub(crate) struct RiskFunction;

/// The table function `stress_test`: one row a scenario, the portfolio's loss under its shocks.
#[derive(Debug)]
pub(crate) struct StressFunction;

fn columns(layout: &Layout) -> Result<Columns> {
    let of_weights = |column: &str| {
        layout
            .column_of("weights", column)
            .ok_or_else(|| missing("weights"))
    };
    Ok(Columns {
        time: layout.column("timestamp_col")?,
        asset: layout.column("asset_col")?,
        ret: layout.column("return_col")?,
        weighted: of_weights("asset")?,
        weight: of_weights("weight")?,
    })
}

fn missing(argument: &str) -> Error {
    Error::MissingArgument {
        function: "portfolio_risk".to_owned(),
        argument: argument.to_owned(),
        hint: format!("Write {argument} => (SELECT ...)."),
    }
}

impl TableFunction for RiskFunction {
    fn signature(&self) -> &'static Signature {
        &RISK
    }

    fn output(&self, _: &Layout) -> Result<Vec<Field>> {
        let numbers = [
            "weight",
            "marginal",
            "component",
            "percent",
            "value_at_risk",
            "expected_shortfall",
        ];
        let asset = Field::new("asset", DataType::Utf8, true);
        let numbers = numbers.map(|name| Field::new(name, DataType::Float64, true));
        Ok(std::iter::once(asset).chain(numbers).collect())
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundRisk {
            columns: columns(layout)?,
            method: match options.text("method")? {
                "historical" => Method::Historical,
                "monte_carlo" => Method::MonteCarlo {
                    paths: options.count("simulations")?,
                    seed: options.integer("seed")?.cast_unsigned(),
                },
                _ => Method::Normal,
            },
            confidence: options.number("confidence_level")?,
        }))
    }
}

#[derive(Debug, Clone, Copy)]
enum Method {
    Normal,
    Historical,
    MonteCarlo { paths: usize, seed: u64 },
}

#[derive(Debug)]
struct BoundRisk {
    columns: Columns,
    method: Method,
    confidence: f64,
}

impl Bound for BoundRisk {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let panel = Panel::read(group, self.columns)?;
        let (weights, confidence) = (&panel.weights, self.confidence);
        let found = match self.method {
            Method::Historical => historical(&panel.returns, weights, confidence),
            Method::Normal => normal(&moments(&panel.returns).1, weights, confidence),
            Method::MonteCarlo { paths, seed } => {
                let (means, covariance) = moments(&panel.returns);
                monte_carlo((&means, &covariance), weights, confidence, paths, seed)
            }
        };
        let found = found.ok_or_else(|| Failure::refused("the portfolio's returns do not vary"))?;
        let component: Vec<f64> = found
            .marginal
            .iter()
            .zip(weights)
            .map(|(marginal, weight)| marginal * weight)
            .collect();
        let whole: f64 = component.iter().sum();
        let assets = panel.assets.len();
        let percent = component.iter().map(|part| 100.0 * part / whole);
        Ok(Output::new(vec![
            Arc::new(StringArray::from_iter_values(&panel.assets)),
            numbers(weights.iter().copied()),
            numbers(found.marginal.iter().copied()),
            numbers(component.iter().copied()),
            numbers(percent),
            numbers(std::iter::repeat_n(found.value_at_risk, assets)),
            numbers(std::iter::repeat_n(found.expected_shortfall, assets)),
        ]))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        let paths = match self.method {
            Method::MonteCarlo { paths, .. } => paths.saturating_mul(16),
            Method::Normal | Method::Historical => 0,
        };
        rows.saturating_mul(64).saturating_add(paths)
    }
}

/// What is not finite is NULL.
fn numbers(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(
        values
            .map(|x| x.is_finite().then_some(x))
            .collect::<Float64Array>(),
    )
}

impl TableFunction for StressFunction {
    fn signature(&self) -> &'static Signature {
        &STRESS
    }

    fn output(&self, _: &Layout) -> Result<Vec<Field>> {
        Ok(vec![
            Field::new("scenario", DataType::Utf8, true),
            Field::new("loss", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let of = |column: &str| {
            layout
                .column_of("scenarios", column)
                .ok_or_else(|| missing("scenarios"))
        };
        Ok(Arc::new(BoundStress {
            columns: columns(layout)?,
            scenario: of("scenario")?,
            asset: of("asset")?,
            shock: of("shock")?,
            propagate: options.boolean("propagate")?,
        }))
    }
}

#[derive(Debug)]
struct BoundStress {
    columns: Columns,
    scenario: ColumnRef,
    asset: ColumnRef,
    shock: ColumnRef,
    propagate: bool,
}

impl Bound for BoundStress {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let panel = Panel::read(group, self.columns)?;
        let covariance = self.propagate.then(|| moments(&panel.returns).1);
        let mut names = Vec::new();
        let mut losses = Vec::new();
        let mut status: Vec<Option<&str>> = Vec::new();
        for (name, shocks) in self.scenarios(group, &panel)? {
            let moved = propagated(&shocks, covariance.as_deref());
            losses.push(moved.as_ref().map(|moved| {
                let gains = moved.iter().zip(&panel.weights);
                0.0 - gains.map(|(x, weight)| x * weight).sum::<f64>()
            }));
            status.push(match moved {
                Some(_) => None,
                None => Some("the shocked assets explain each other"),
            });
            names.push(name);
        }
        let output = Output::new(vec![
            Arc::new(StringArray::from(names)),
            Arc::new(Float64Array::from(losses)),
        ]);
        Ok(output.with_status(Arc::new(StringArray::from(status))))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(64)
    }
}

impl BoundStress {
    /// The shocks of each scenario to the panel's assets; those to others do not matter to this portfolio.
    fn scenarios(
        &self,
        group: &Group<'_>,
        panel: &Panel,
    ) -> Result<BTreeMap<String, Vec<Option<f64>>>, Failure> {
        let (scenarios, assets) = (group.texts(self.scenario)?, group.texts(self.asset)?);
        let shocks = group.numbers(self.shock)?;
        let mut found: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
        for (row, shock) in shocks.into_iter().enumerate() {
            if scenarios.is_null(row) || assets.is_null(row) || !shock.is_finite() {
                continue;
            }
            let all = found.entry(scenarios.value(row).to_owned());
            let all = all.or_insert_with(|| vec![None; panel.assets.len()]);
            let place = panel
                .assets
                .binary_search_by(|name| name.as_str().cmp(assets.value(row)));
            if let Ok(place) = place {
                all[place] = Some(shock);
            }
        }
        Ok(found)
    }
}
