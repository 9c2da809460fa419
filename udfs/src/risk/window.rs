//! Window functions over prices and returns: `simple_return`, `log_return`, `drawdown`, `ewma_volatility`.
//! Rolling forms of the aggregates are the aggregates themselves with a frame.

use super::float8;
use crate::function::{Compute, Declaration, OfPartition, Parameter, Role, WindowSpec};
use crate::relation::{Constant, Options, ValueType};

const PRICE: Parameter = Parameter::number("price");

pub(super) static ALL: &[WindowSpec] = &[
    // p / p₋₁ - 1 against the row before; NULL in the first row, where either is NULL and where p₋₁ is zero.
    row_by_row("simple_return", &[PRICE], |prices, _| {
        changes(prices, |before, now| now / before - 1.0)
    }),
    // ln(p / p₋₁); NULL also where a price is not positive.
    row_by_row("log_return", &[PRICE], |prices, _| {
        changes(prices, |before, now| (now / before).ln())
    }),
    // 1 - p / max(p so far), a positive fraction; NULLs are passed over.
    row_by_row("drawdown", &[PRICE], |prices, _| {
        let mut peak = f64::NEG_INFINITY;
        let depth = |price: &Option<f64>| {
            let price = (*price)?;
            peak = peak.max(price);
            defined(price, 1.0 - price / peak)
        };
        prices.iter().map(depth).collect()
    }),
    // √v with v = λ v₋₁ + (1 - λ) r², the exponentially weighted mean of squares per period (RiskMetrics 1996), of all
    // returns up to this row. It starts with the mean square of the first `warm_up` returns; before that it is NULL.
    row_by_row(
        "ewma_volatility",
        &[
            Parameter::number("ret"),
            Parameter::option("lambda", ValueType::PROBABILITY).or(Constant::Number(0.94)),
            Parameter::option(
                "warm_up",
                ValueType::Integer {
                    min: 1,
                    max: 1_000_000,
                },
            )
            .or(Constant::Integer(20)),
        ],
        ewma,
    ),
];

const fn row_by_row(
    name: &'static str,
    parameters: &'static [Parameter],
    compute: OfPartition,
) -> WindowSpec {
    WindowSpec {
        declaration: Declaration {
            name,
            role: Role::Window,
            parameters,
            returns: float8,
        },
        compute: Compute::Partition(compute),
    }
}

/// NaN where the input is NaN, else NULL where the result is not finite.
fn defined(input: f64, result: f64) -> Option<f64> {
    (input.is_nan() || result.is_finite()).then_some(result)
}

fn changes(prices: &[Option<f64>], change: fn(f64, f64) -> f64) -> Vec<Option<f64>> {
    let before = std::iter::once(&None).chain(prices);
    let pairs = before.zip(prices);
    pairs
        .map(|(before, now)| {
            let (before, now) = ((*before)?, (*now)?);
            defined(before + now, change(before, now))
        })
        .collect()
}

fn ewma(returns: &[Option<f64>], options: &Options) -> Vec<Option<f64>> {
    let lambda = options.number("lambda").unwrap_or(f64::NAN);
    let warm_up = options.count("warm_up").unwrap_or(1);
    let (mut seen, mut square) = (0, 0.0);
    let step = |x: &Option<f64>| {
        if let Some(x) = x {
            seen += 1;
            match seen <= warm_up {
                true => square += (x * x - square) / seen as f64,
                false => square = lambda * square + (1.0 - lambda) * x * x,
            }
        }
        (seen >= warm_up).then(|| square.sqrt())
    };
    returns.iter().map(step).collect()
}
