//! `round`, `trunc`, `ceil`, `floor`, `sign` and `abs`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;

use super::super::error::PgError;
use super::super::function::{Call, Overload, Planned, Ret, Spec};
use super::super::numeric::{Decimal, Numeric};
use super::super::types::{EXACT, Ty};
use super::super::value::{Reader, map1, map2, rows};

/// The most digits before or behind the point that rounding is asked for.
const MAX_ROUNDED_DIGITS: i32 = 2000;

/// A decimal of this scale while it has room for the argument's digits and the one that rounding
/// adds, else an exact number.
fn numeric_field(planned: &Planned<'_>, digits: Option<i64>) -> Field {
    let decimal = match (
        planned.fields.first().map(|field| field.data_type()),
        digits,
    ) {
        (Some(DataType::Decimal128(precision, scale)), Some(digits)) => {
            let digits = digits.max(0);
            let wanted = i64::from(*precision) - i64::from(*scale) + digits + 1;
            // A decimal of all digits has rarely that many before its point.
            let wanted = if *precision == 38 {
                wanted.min(38)
            } else {
                wanted
            };
            u8::try_from(wanted)
                .ok()
                .zip(i8::try_from(digits).ok())
                .filter(|(precision, scale)| *precision <= 38 && *scale <= 18)
        }
        _ => None,
    };
    let data_type = match decimal {
        Some((precision, scale)) => DataType::Decimal128(precision, scale),
        None => EXACT,
    };
    Field::new("round", data_type, true)
}

fn whole(planned: &Planned<'_>) -> Result<Field> {
    Ok(numeric_field(planned, Some(0)))
}

fn with_digits(planned: &Planned<'_>) -> Result<Field> {
    // Not by the digits asked for: whether they are a constant changes while a plan is made.
    Ok(numeric_field(planned, None))
}

fn reduce(call: &Call<'_>, operate: fn(&Decimal, i32) -> Decimal) -> Result<ArrayRef> {
    let values = Reader::<Numeric>::of(call, 0)?;
    let digits = if call.args.len() > 1 {
        Some(Reader::<i32>::of(call, 1)?)
    } else {
        None
    };
    rows(call, |row| {
        let Some(value) = values.get(row)? else {
            return Ok(None);
        };
        let digits = match &digits {
            Some(digits) => match digits.get(row)? {
                Some(digits) => digits,
                None => return Ok(None),
            },
            None => 0,
        };
        let digits = digits.clamp(-MAX_ROUNDED_DIGITS, MAX_ROUNDED_DIGITS);
        Ok(Some(value.map(|value| operate(&value, digits))))
    })
}

fn round(call: &Call<'_>) -> Result<ArrayRef> {
    reduce(call, Decimal::round)
}

fn truncate(call: &Call<'_>) -> Result<ArrayRef> {
    reduce(call, Decimal::truncate)
}

fn to_digits(value: f64, digits: i32, operate: fn(f64) -> f64) -> f64 {
    let factor = 10_f64.powi(digits.clamp(-300, 300));
    let scaled = value * factor;
    if scaled.is_finite() {
        operate(scaled) / factor
    } else {
        value
    }
}

const ROUND: Spec = Spec::immutable(
    "round",
    &[
        Overload::new(&[Ty::Float8], Ty::Float8, |call| {
            map1(call, |value: f64| Ok(value.round_ties_even()))
        }),
        Overload::returning(&[Ty::Numeric], Ret::By(whole), round),
        Overload::returning(&[Ty::Numeric, Ty::Int4], Ret::By(with_digits), round),
        // PostgreSQL has none for floats; the engine reads some literals as floats.
        Overload::new(&[Ty::Float8, Ty::Int4], Ty::Float8, |call| {
            map2(call, |value: f64, digits: i32| {
                Ok(to_digits(value, digits, f64::round))
            })
        }),
    ],
);

const TRUNC: Spec = Spec::immutable(
    "trunc",
    &[
        Overload::new(&[Ty::Float8], Ty::Float8, |call| {
            map1(call, |value: f64| Ok(value.trunc()))
        }),
        Overload::returning(&[Ty::Numeric], Ret::By(whole), truncate),
        Overload::returning(&[Ty::Numeric, Ty::Int4], Ret::By(with_digits), truncate),
        Overload::new(&[Ty::Float8, Ty::Int4], Ty::Float8, |call| {
            map2(call, |value: f64, digits: i32| {
                Ok(to_digits(value, digits, f64::trunc))
            })
        }),
    ],
);

fn towards(value: Numeric, up: bool) -> Result<Numeric, PgError> {
    let Numeric::Finite(number) = &value else {
        return Ok(value);
    };
    let cut = Numeric::Finite(number.truncate(0));
    let step = match (value.compare(&cut), up) {
        (std::cmp::Ordering::Greater, true) => 1,
        (std::cmp::Ordering::Less, false) => -1,
        _ => 0,
    };
    cut.add(&Numeric::new(step, 0))
}

fn sign(value: Numeric) -> Numeric {
    match value {
        Numeric::Finite(number) => Numeric::new(number.signum(), 0),
        Numeric::Infinity => Numeric::new(1, 0),
        Numeric::NegativeInfinity => Numeric::new(-1, 0),
        Numeric::NaN => Numeric::NaN,
    }
}

const CEIL: Spec = Spec::immutable(
    "ceil",
    &[
        Overload::new(&[Ty::Float8], Ty::Float8, |call| {
            map1(call, |value: f64| Ok(value.ceil()))
        }),
        Overload::returning(&[Ty::Numeric], Ret::By(whole), |call| {
            map1(call, |value| towards(value, true))
        }),
    ],
)
.also(&["ceiling"]);

const FLOOR: Spec = Spec::immutable(
    "floor",
    &[
        Overload::new(&[Ty::Float8], Ty::Float8, |call| {
            map1(call, |value: f64| Ok(value.floor()))
        }),
        Overload::returning(&[Ty::Numeric], Ret::By(whole), |call| {
            map1(call, |value| towards(value, false))
        }),
    ],
);

const SIGN: Spec = Spec::immutable(
    "sign",
    &[
        Overload::new(&[Ty::Float8], Ty::Float8, |call| {
            map1(call, |value: f64| {
                Ok(if value > 0.0 {
                    1.0
                } else if value < 0.0 {
                    -1.0
                } else {
                    value
                })
            })
        }),
        Overload::returning(&[Ty::Numeric], Ret::By(whole), |call| {
            map1(call, |value: Numeric| Ok(sign(value)))
        }),
    ],
)
.also(&["signum"]);

const ABS: Spec = Spec::immutable(
    "abs",
    &[
        Overload::new(&[Ty::Int2], Ty::Int2, |call| {
            map1(call, |value: i16| {
                value
                    .checked_abs()
                    .ok_or_else(|| PgError::out_of_range("smallint"))
            })
        }),
        Overload::new(&[Ty::Int4], Ty::Int4, |call| {
            map1(call, |value: i32| {
                value
                    .checked_abs()
                    .ok_or_else(|| PgError::out_of_range("integer"))
            })
        }),
        Overload::new(&[Ty::Int8], Ty::Int8, |call| {
            map1(call, |value: i64| {
                value
                    .checked_abs()
                    .ok_or_else(|| PgError::out_of_range("bigint"))
            })
        }),
        Overload::new(&[Ty::Float4], Ty::Float4, |call| {
            map1(call, |value: f32| Ok(value.abs()))
        }),
        Overload::new(&[Ty::Float8], Ty::Float8, |call| {
            map1(call, |value: f64| Ok(value.abs()))
        }),
        Overload::returning(&[Ty::Numeric], Ret::Arg(0), |call| {
            map1(call, |value: Numeric| {
                Ok(match value {
                    Numeric::NegativeInfinity => Numeric::Infinity,
                    other => other.map(|number| number.absolute()),
                })
            })
        }),
    ],
);

pub(super) const SPECS: &[Spec] = &[ROUND, TRUNC, CEIL, FLOOR, SIGN, ABS];
