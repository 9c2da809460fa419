//! Figures over ordered rows: `growth_rate`, `ema`, `moving_average`. Other moving figures are aggregates with a frame.

use arrow::datatypes::DataType;

use crate::function::{Compute, Declaration, OfPartition, Parameter, Role, WindowSpec};
use crate::relation::{Constant, Options, ValueType};

/// The window functions.
pub(crate) fn windows() -> impl Iterator<Item = &'static WindowSpec> {
    ALL.iter()
}

const X: Parameter = Parameter::number("x");

const fn rows_back(name: &'static str) -> Parameter {
    Parameter::option(
        name,
        ValueType::Integer {
            min: 1,
            max: 1_000_000,
        },
    )
}

const fn window(
    name: &'static str,
    parameters: &'static [Parameter],
    compute: OfPartition,
) -> WindowSpec {
    WindowSpec {
        declaration: Declaration {
            name,
            role: Role::Window,
            parameters,
            returns: || DataType::Float64,
        },
        compute: Compute::Partition(compute),
    }
}

static ALL: &[WindowSpec] = &[
    // x / x of so many rows before - 1; NULL in the first rows, beside NULL and where it was zero.
    window(
        "growth_rate",
        &[X, rows_back("periods").or(Constant::Integer(1))],
        growth,
    ),
    // e = α x + (1 - α) e₋₁, from the first value on; NULLs are passed over. pandas' ewm(alpha, adjust=False).
    window(
        "ema",
        &[
            X,
            Parameter::option(
                "alpha",
                ValueType::Number {
                    min: 0.0,
                    max: 1.0,
                    closed: true,
                },
            )
            .or(Constant::Number(0.3)),
        ],
        smoothed,
    ),
    // The mean of the last rows, this one included; NULL until there are so many, NULLs are passed over.
    window(
        "moving_average",
        &[X, rows_back("rows").or(Constant::Integer(7))],
        averaged,
    ),
];

fn growth(values: &[Option<f64>], options: &Options) -> Vec<Option<f64>> {
    let back = options.count("periods").unwrap_or(1);
    let one = |row: usize| {
        let (before, now) = (values[row.checked_sub(back)?]?, values[row]?);
        let rate = now / before - 1.0;
        (before.is_nan() || now.is_nan() || rate.is_finite()).then_some(rate)
    };
    (0..values.len()).map(one).collect()
}

fn smoothed(values: &[Option<f64>], options: &Options) -> Vec<Option<f64>> {
    let alpha = options.number("alpha").unwrap_or(0.3);
    let mut level: Option<f64> = None;
    let step = |value: &Option<f64>| {
        let value = (*value)?;
        level = Some(level.map_or(value, |level| alpha * value + (1.0 - alpha) * level));
        level
    };
    values.iter().map(step).collect()
}

fn averaged(values: &[Option<f64>], options: &Options) -> Vec<Option<f64>> {
    let rows = options.count("rows").unwrap_or(1);
    let one = |row: usize| {
        let frame = &values[(row + 1).checked_sub(rows)?..=row];
        let known: Vec<f64> = frame.iter().copied().flatten().collect();
        (!known.is_empty()).then(|| crate::math::stats::mean(&known))
    };
    (0..values.len()).map(one).collect()
}
