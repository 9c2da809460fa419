//! Annuities of a row: `pmt(rate, nper, pv)` and its kin. Their equation is
//! pv (1 + rate)^nper + pmt (1 + rate · due) ((1 + rate)^nper − 1) / rate + fv = 0; `due` is 1 for payments at the beginning
//! of a period, 0 at its end.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result;

use crate::function::{Declaration, Parameter, Role, ScalarSpec};
use crate::math::money::{Annuity, compound_growth, periods, rate};
use crate::pg::function::{Call, Overload, Spec};
use crate::pg::types::Ty;
use crate::relation::Constant;

/// The functions of single rows.
pub(crate) fn scalars() -> impl Iterator<Item = &'static ScalarSpec> {
    ALL.iter()
}

const F: Ty = Ty::Float8;
const RATE: Parameter = Parameter::number("rate");
const NPER: Parameter = Parameter::number("nper");
const PMT: Parameter = Parameter::number("pmt");
const PV: Parameter = Parameter::number("pv");
const NO_PV: Parameter = Parameter::number("pv").or(Constant::Number(0.0));
const NO_FV: Parameter = Parameter::number("fv").or(Constant::Number(0.0));
const DUE: Parameter = Parameter::number("due").or(Constant::Number(0.0));
const GUESS: Parameter = Parameter::number("guess").or(Constant::Number(0.1));

const fn spec(
    name: &'static str,
    parameters: &'static [Parameter],
    overloads: &'static [Overload],
) -> ScalarSpec {
    ScalarSpec {
        declaration: Declaration {
            name,
            role: Role::Scalar,
            parameters,
            returns: || DataType::Float64,
        },
        function: Spec::immutable(name, overloads),
    }
}

static ALL: &[ScalarSpec] = &[
    // What is paid each period.
    spec(
        "pmt",
        &[RATE, NPER, PV, NO_FV, DUE],
        &[Overload::new(&[F; 5], F, |call| {
            rows(call, |[rate, nper, pv, fv, due]| {
                annuity(rate, nper, due).payment(pv, fv)
            })
        })],
    ),
    // What payments and a present value become.
    spec(
        "fv",
        &[RATE, NPER, PMT, NO_PV, DUE],
        &[Overload::new(&[F; 5], F, |call| {
            rows(call, |[rate, nper, pmt, pv, due]| {
                annuity(rate, nper, due).future(pmt, pv)
            })
        })],
    ),
    // What payments and a future value are worth now.
    spec(
        "pv",
        &[RATE, NPER, PMT, NO_FV, DUE],
        &[Overload::new(&[F; 5], F, |call| {
            rows(call, |[rate, nper, pmt, fv, due]| {
                annuity(rate, nper, due).present(pmt, fv)
            })
        })],
    ),
    // How many periods it takes.
    spec(
        "nper",
        &[RATE, PMT, PV, NO_FV, DUE],
        &[Overload::new(&[F; 5], F, |call| {
            rows(call, |[rate, pmt, pv, fv, due]| {
                periods(rate, pmt, pv, fv, due != 0.0)
            })
        })],
    ),
    // The rate per period; of several the one nearest to the guess.
    spec(
        "rate",
        &[NPER, PMT, PV, NO_FV, DUE, GUESS],
        &[Overload::new(&[F; 6], F, |call| {
            rows(call, |[nper, pmt, pv, fv, due, guess]| {
                rate(nper, pmt, pv, fv, due != 0.0, guess)
            })
        })],
    ),
    // (last / first)^(1 / periods) - 1.
    spec(
        "cagr",
        &[
            Parameter::number("first"),
            Parameter::number("last"),
            Parameter::number("periods"),
        ],
        &[Overload::new(&[F; 3], F, |call| {
            rows(call, |[first, last, periods]| {
                compound_growth(first, last, periods)
            })
        })],
    ),
];

fn annuity(rate: f64, periods: f64, due: f64) -> Annuity {
    Annuity {
        rate,
        periods,
        at_beginning: due != 0.0,
    }
}

/// NULL for NULL, NaN for NaN.
fn rows<const N: usize>(
    call: &Call<'_>,
    compute: impl Fn([f64; N]) -> Option<f64>,
) -> Result<ArrayRef> {
    let one = |row: usize| {
        let mut values = [0.0; N];
        for (index, value) in values.iter_mut().enumerate() {
            let place = call.at(index, row)?;
            *value = call.args[index]
                .array
                .as_primitive::<Float64Type>()
                .value(place);
        }
        if values.iter().any(|value| value.is_nan()) {
            return Some(f64::NAN);
        }
        compute(values)
    };
    Ok(Arc::new((0..call.rows).map(one).collect::<Float64Array>()))
}
