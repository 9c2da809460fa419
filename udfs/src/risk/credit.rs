//! Credit risk of single borrowers: `expected_loss`, `irb_capital`, `altman_z`, `merton_pd`, `distance_to_default`.
//!
//! Probabilities, losses given default and rates are decimals. NULL in any argument gives NULL, and so do figures for
//! which the measure is not defined. Formulas and sources: [`math::risk::credit`](crate::math::risk::credit).
//! Reference values: an implementation with scipy 1.17.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::Float64Type;
use datafusion::common::Result;

use super::float8;
use crate::error::Error;
use crate::function::{Declaration, Parameter, Role, ScalarSpec};
use crate::math::risk::credit::{Altman, Firm, altman_z, expected_loss, irb_capital, merton};
use crate::pg::function::{Call, Overload, Spec};
use crate::pg::types::Ty;
use crate::relation::{Class, Constant};

const F: Ty = Ty::Float8;
const PD: Parameter = Parameter::number("pd");
const LGD: Parameter = Parameter::number("lgd");
const EAD: Parameter = Parameter::number("ead");
const MERTON: &[Parameter] = &[
    Parameter::number("equity_value"),
    Parameter::number("equity_volatility"),
    Parameter::number("debt"),
    Parameter::number("risk_free_rate").or(Constant::Number(0.0)),
    Parameter::number("years").or(Constant::Number(1.0)),
];

pub(super) static ALL: &[ScalarSpec] = &[
    ScalarSpec {
        declaration: declaration("expected_loss", &[PD, LGD, EAD]),
        function: Spec::immutable(
            "expected_loss",
            &[Overload::new(&[F; 3], F, |call| {
                numbers(call, |[pd, lgd, ead]| {
                    let is_defined = (0.0..=1.0).contains(&pd) && lgd >= 0.0;
                    is_defined.then(|| expected_loss(pd, lgd, ead))
                })
            })],
        ),
    },
    // The unit of ead; for a capital ratio give an ead of 1.
    ScalarSpec {
        declaration: declaration(
            "irb_capital",
            &[
                PD,
                LGD,
                EAD.or(Constant::Number(1.0)),
                Parameter::number("maturity").or(Constant::Number(2.5)),
            ],
        ),
        function: Spec::immutable(
            "irb_capital",
            &[Overload::new(&[F; 4], F, |call| {
                numbers(call, |[pd, lgd, ead, years]| {
                    Some(irb_capital(pd, lgd, ead, years))
                })
            })],
        ),
    },
    ScalarSpec {
        declaration: declaration(
            "altman_z",
            &[
                Parameter::number("working_capital"),
                Parameter::number("retained_earnings"),
                Parameter::number("ebit"),
                Parameter::number("equity"),
                Parameter::number("sales"),
                Parameter::number("total_assets"),
                Parameter::number("total_liabilities"),
                Parameter::value("model", Class::Text).or(Constant::Text("public")),
            ],
        ),
        function: Spec::immutable(
            "altman_z",
            &[Overload::new(&[F, F, F, F, F, F, F, Ty::Text], F, altman)],
        ),
    },
    // Probability of default within the years, under the risk-neutral measure.
    ScalarSpec {
        declaration: declaration("merton_pd", MERTON),
        function: Spec::immutable(
            "merton_pd",
            &[Overload::new(&[F; 5], F, |call| {
                numbers(call, |[equity, volatility, debt, rate, years]| {
                    merton(equity, volatility, debt, rate, years).map(|found| found.probability)
                })
            })],
        ),
    },
    ScalarSpec {
        declaration: declaration("distance_to_default", MERTON),
        function: Spec::immutable(
            "distance_to_default",
            &[Overload::new(&[F; 5], F, |call| {
                numbers(call, |[equity, volatility, debt, rate, years]| {
                    let found = merton(equity, volatility, debt, rate, years);
                    found.map(|found| found.distance_to_default)
                })
            })],
        ),
    },
];

const fn declaration(name: &'static str, parameters: &'static [Parameter]) -> Declaration {
    Declaration {
        name,
        role: Role::Scalar,
        parameters,
        returns: float8,
    }
}

/// A function of numbers; what is not finite is NULL unless an argument was NaN.
fn numbers<const N: usize>(
    call: &Call<'_>,
    compute: impl Fn([f64; N]) -> Option<f64>,
) -> Result<ArrayRef> {
    let row = |row| {
        let values = row_of(call, row)?;
        match values.iter().any(|value: &f64| value.is_nan()) {
            true => Some(f64::NAN),
            false => compute(values).filter(|result| result.is_finite()),
        }
    };
    Ok(Arc::new((0..call.rows).map(row).collect::<Float64Array>()))
}

/// The first arguments of a row; none if one is NULL.
fn row_of<const N: usize>(call: &Call<'_>, row: usize) -> Option<[f64; N]> {
    let mut values = [0.0; N];
    for (index, value) in values.iter_mut().enumerate() {
        let place = call.at(index, row)?;
        *value = call.args[index]
            .array
            .as_primitive::<Float64Type>()
            .value(place);
    }
    Some(values)
}

fn altman(call: &Call<'_>) -> Result<ArrayRef> {
    let row = |row| {
        let Some((values, place)) = row_of::<7>(call, row).zip(call.at(7, row)) else {
            return Ok(None);
        };
        let model = model(call.args[7].array.as_string_view().value(place))?;
        let [
            working_capital,
            retained_earnings,
            ebit,
            equity,
            sales,
            total_assets,
            total_liabilities,
        ] = values;
        let firm = Firm {
            working_capital,
            retained_earnings,
            ebit,
            equity,
            sales,
            total_assets,
            total_liabilities,
        };
        let score = altman_z(&firm, model);
        let broken = values.iter().any(|value| value.is_nan());
        Ok((broken || score.is_finite()).then_some(score))
    };
    let scores = (0..call.rows).map(row).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Float64Array::from(scores)))
}

fn model(name: &str) -> Result<Altman> {
    match name {
        "public" => Ok(Altman::Public),
        "private" => Ok(Altman::Private),
        "non_manufacturer" => Ok(Altman::NonManufacturer),
        other => Err(Error::InvalidValue {
            argument: "model".to_owned(),
            value: other.to_owned(),
            hint: "Allowed are: public, private, non_manufacturer.".to_owned(),
        }
        .into()),
    }
}
