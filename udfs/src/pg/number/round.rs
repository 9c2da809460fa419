//! `round`, `trunc`, `ceil`, `floor`, `sign` and `abs`.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;

use super::super::error::PgError;
use super::super::function::{Call, Overload, Planned, Ret, Spec};
use super::super::numeric::Numeric;
use super::super::types::Ty;
use super::super::value::{Reader, map1, map2, rows};

/// A numeric of this scale, or unconstrained as its argument is.
fn numeric_field(planned: &Planned<'_>, scale: i8) -> Field {
    let data_type = match planned.fields.first().map(|field| field.data_type()) {
        Some(DataType::Decimal128(..)) | None => DataType::Decimal128(37, scale),
        Some(other) => other.clone(),
    };
    let metadata = planned
        .fields
        .first()
        .map(|field| field.metadata().clone())
        .unwrap_or_default();
    Field::new("round", data_type, true).with_metadata(metadata)
}

fn whole(planned: &Planned<'_>) -> Result<Field> {
    Ok(numeric_field(planned, 0))
}

fn with_digits(planned: &Planned<'_>) -> Result<Field> {
    let own = match planned.fields.first().map(|field| field.data_type()) {
        Some(DataType::Decimal128(_, scale)) => i64::from(*scale),
        _ => 0,
    };
    let digits = planned.int(1).unwrap_or(own).clamp(0, 37);
    Ok(numeric_field(planned, digits as i8))
}

fn reduce(
    call: &Call<'_>,
    operate: fn(Numeric, i32) -> Result<Numeric, PgError>,
) -> Result<ArrayRef> {
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
        operate(value, digits.clamp(-2000, 37)).map(Some)
    })
}

fn round(call: &Call<'_>) -> Result<ArrayRef> {
    reduce(call, Numeric::round)
}

fn truncate(call: &Call<'_>) -> Result<ArrayRef> {
    reduce(call, Numeric::truncate)
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
    let cut = value.truncate(0)?;
    let rest = value.compare(cut)?;
    let step = match (rest, up) {
        (std::cmp::Ordering::Greater, true) => 1,
        (std::cmp::Ordering::Less, false) => -1,
        _ => 0,
    };
    Ok(Numeric::new(cut.unscaled + step, 0))
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
            map1(call, |value: Numeric| {
                Ok(Numeric::new(value.unscaled.signum(), 0))
            })
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
                Ok(Numeric {
                    unscaled: value.unscaled.abs(),
                    ..value
                })
            })
        }),
    ],
);

pub(super) const SPECS: &[Spec] = &[ROUND, TRUNC, CEIL, FLOOR, SIGN, ABS];
