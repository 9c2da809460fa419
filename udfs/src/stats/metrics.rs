//! How good predictions were: `mae(actual, predicted)` and its like.
//!
//! Errors are actual less predicted, `bias` is predicted less actual. `mape` and `smape` are per cent, `smape` from 0 to
//! 200 as in the M competitions; rows with actual zero don't count in `mape`. Rows with NULL are left out; in `mase` and
//! `rmsse` rows without a prediction are the history that the scale is taken from (all rows if there is none).
//! Sources: scikit-learn's documentation; Makridakis, Spiliotis and Assimakopoulos (2020), "The M4 competition".

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;

use super::answers::{TEST, over_rows, test};
use super::summed::{Summed, over_sums};
use super::{ALTERNATIVE, alternative, count};
use crate::function::{AggregateSpec, Answer, Parameter, Rows, Shape};
use crate::math::exact::Twofold;
use crate::math::metrics;
use crate::math::stats::accuracy::diebold_mariano;
use crate::relation::{Class, Constant, Options, ValueType};

const ACTUAL: Parameter = Parameter::number("actual");
const PREDICTED: Parameter = Parameter::number("predicted");
const ERRORS: &[Parameter] = &[ACTUAL, PREDICTED];
const SCALED: &[Parameter] = &[
    ACTUAL,
    Parameter::nullable("predicted", Class::Number),
    count("period", 1, 1_000_000).or(Constant::Integer(1)),
];
const NUMBER: Shape = Shape::Number;

pub(super) static ALL: &[AggregateSpec] = &[
    over_sums!("mae", ERRORS, MAE),
    over_sums!("mse", ERRORS, MSE),
    over_sums!("rmse", ERRORS, RMSE),
    over_sums!("bias", ERRORS, BIAS),
    over_sums!("mape", ERRORS, MAPE),
    over_sums!("smape", ERRORS, SMAPE),
    // Σ |error| / Σ |actual|, per cent.
    over_sums!("wape", ERRORS, WAPE),
    // 1 - Σ error² / Σ (actual - mean)².
    over_sums!("r2_score", ERRORS, R2),
    // The share of actual values within bounds, 0 to 1.
    over_sums!(
        "coverage",
        &[
            ACTUAL,
            Parameter::number("lower"),
            Parameter::number("upper")
        ],
        COVERAGE
    ),
    // Mean of q max(e, 0) + (1 - q) max(-e, 0): how good quantiles were.
    over_rows!(
        "pinball_loss",
        Aggregate,
        &[
            ACTUAL,
            PREDICTED,
            Parameter::option(
                "quantile",
                ValueType::Number {
                    min: 0.0,
                    max: 1.0,
                    closed: false
                }
            )
            .or(Constant::Number(0.5))
        ],
        NUMBER,
        pinball
    ),
    // Whether the first forecast loses more than the second (positive), with losses |error|^power.
    over_rows!(
        "diebold_mariano",
        OrderedAggregate,
        &[
            ACTUAL,
            Parameter::number("predicted_1"),
            Parameter::number("predicted_2"),
            count("horizon", 1, 10_000).or(Constant::Integer(1)),
            Parameter::option(
                "power",
                ValueType::Number {
                    min: 0.0,
                    max: 100.0,
                    closed: false
                }
            )
            .or(Constant::Number(2.0)),
            ALTERNATIVE
        ],
        TEST,
        compared
    ),
    over_rows!("mase", OrderedAggregate, SCALED, NUMBER, |rows, options| {
        scaled(rows, options, metrics::mase)
    }),
    over_rows!(
        "rmsse",
        OrderedAggregate,
        SCALED,
        NUMBER,
        |rows, options| { scaled(rows, options, metrics::rmsse) }
    ),
];

fn compared(rows: &Rows, options: &Options) -> Option<Answer> {
    let actual = rows.numbers(0);
    let errors = |predicted: usize| -> Vec<f64> {
        let pairs = actual.iter().zip(rows.numbers(predicted));
        pairs
            .map(|(actual, predicted)| actual - predicted)
            .collect()
    };
    test(diebold_mariano(
        &errors(1),
        &errors(2),
        options.count("horizon").ok()?,
        options.number("power").ok()?,
        alternative(options)?,
    ))
}

fn mean_of(n: usize, sum: Twofold) -> f64 {
    sum.value() / n as f64
}

const fn of_errors(
    terms: fn(&[f64], &mut [Twofold]),
    finish: fn(usize, &[Twofold], &Options) -> Option<Answer>,
    width: usize,
) -> Summed {
    Summed {
        width,
        shape: Shape::Number,
        terms,
        finish,
    }
}

static MAE: Summed = of_errors(
    |row, terms| terms[0] = (row[0] - row[1]).abs().into(),
    |n, sums, _| Some(Answer::Number(mean_of(n, sums[0]))),
    1,
);
static MSE: Summed = of_errors(
    |row, terms| terms[0] = squared(row),
    |n, sums, _| Some(Answer::Number(mean_of(n, sums[0]))),
    1,
);
static RMSE: Summed = of_errors(
    |row, terms| terms[0] = squared(row),
    |n, sums, _| Some(Answer::Number(mean_of(n, sums[0]).sqrt())),
    1,
);
static BIAS: Summed = of_errors(
    |row, terms| terms[0] = (row[1] - row[0]).into(),
    |n, sums, _| Some(Answer::Number(mean_of(n, sums[0]))),
    1,
);
static MAPE: Summed = of_errors(
    |row, terms| {
        let counts = row[0] != 0.0;
        let part = if counts {
            ((row[0] - row[1]) / row[0]).abs()
        } else {
            0.0
        };
        terms[0] = part.into();
        terms[1] = f64::from(u8::from(counts)).into();
    },
    |_, sums, _| {
        let counted = sums[1].value();
        (counted > 0.0).then(|| Answer::Number(100.0 * sums[0].value() / counted))
    },
    2,
);
static SMAPE: Summed = of_errors(
    |row, terms| {
        let size = row[0].abs() + row[1].abs();
        let part = if size == 0.0 {
            0.0
        } else {
            (row[0] - row[1]).abs() / size
        };
        terms[0] = part.into();
    },
    |n, sums, _| Some(Answer::Number(200.0 * mean_of(n, sums[0]))),
    1,
);
static WAPE: Summed = of_errors(
    |row, terms| {
        terms[0] = (row[0] - row[1]).abs().into();
        terms[1] = row[0].abs().into();
    },
    |_, sums, _| {
        let size = sums[1].value();
        (size > 0.0).then(|| Answer::Number(100.0 * sums[0].value() / size))
    },
    2,
);
static R2: Summed = of_errors(
    |row, terms| {
        terms[0] = row[0].into();
        terms[1] = Twofold::product(row[0], row[0]);
        terms[2] = squared(row);
    },
    |n, sums, _| {
        let total = super::summed::moments(n, sums).squares;
        (n > 1 && total > 0.0).then(|| Answer::Number(1.0 - sums[2].value() / total))
    },
    3,
);
static COVERAGE: Summed = of_errors(
    |row, terms| {
        let within = row[0] >= row[1] && row[0] <= row[2];
        let broken = row.iter().any(|value| value.is_nan());
        terms[0] = if broken {
            f64::NAN
        } else {
            f64::from(u8::from(within))
        }
        .into();
    },
    |n, sums, _| Some(Answer::Number(mean_of(n, sums[0]))),
    1,
);

fn squared(row: &[f64]) -> Twofold {
    let error = row[0] - row[1];
    Twofold::product(error, error)
}

fn pinball(rows: &Rows, options: &Options) -> Option<Answer> {
    let q = options.number("quantile").ok()?;
    let errors = rows
        .numbers(0)
        .iter()
        .zip(rows.numbers(1))
        .map(|(y, f)| y - f);
    let mut losses: Vec<f64> = errors
        .map(|e| if e >= 0.0 { q * e } else { (q - 1.0) * e })
        .collect();
    losses.sort_unstable_by(f64::total_cmp);
    (!losses.is_empty()).then(|| Answer::Number(crate::math::stats::mean(&losses)))
}

fn scaled(
    rows: &Rows,
    options: &Options,
    measure: fn(&[f64], &[f64], &[f64], usize) -> f64,
) -> Option<Answer> {
    let actual = rows.numbers(0);
    let predicted = rows.column(1).as_primitive::<Float64Type>();
    let (mut history, mut truth, mut forecast) = (Vec::new(), Vec::new(), Vec::new());
    for (row, value) in actual.iter().enumerate() {
        if predicted.is_null(row) {
            history.push(*value);
        } else {
            truth.push(*value);
            forecast.push(predicted.value(row));
        }
    }
    let past: &[f64] = if history.is_empty() { &truth } else { &history };
    let found = measure(&truth, &forecast, past, options.count("period").ok()?);
    found.is_finite().then_some(Answer::Number(found))
}
