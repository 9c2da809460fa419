//! Correlations with their tests: `pearson_test(x, y)`, `spearman_test(x, y)`, `kendall_test(x, y)`.

use super::answers::{TEST, over_rows, sorted_pairs, test};
use super::summed::{Summed, comoments, over_sums, pair_terms};
use super::{ALTERNATIVE, X, alternative, level};
use crate::function::{AggregateSpec, Answer, Parameter, Shape};
use crate::math::stats::association::{Correlation, kendall, pearson, spearman};
use crate::math::stats::ranks::Method;
use crate::relation::{Constant, ValueType};

const Y: Parameter = Parameter::number("y");

/// The statistic is the coefficient; the interval is Fisher's.
const CORRELATION: Shape = Shape::Record(&[
    ("statistic", Shape::Number),
    ("p_value", Shape::Number),
    ("ci_lower", Shape::Number),
    ("ci_upper", Shape::Number),
    ("n", Shape::Integer),
]);

pub(super) static ALL: &[AggregateSpec] = &[
    over_sums!(
        "pearson_test",
        &[X, Y, ALTERNATIVE, Parameter::CONFIDENCE_LEVEL],
        PEARSON
    ),
    over_rows!(
        "spearman_test",
        Aggregate,
        &[X, Y, ALTERNATIVE, Parameter::CONFIDENCE_LEVEL],
        CORRELATION,
        |rows, options| {
            let (x, y) = sorted_pairs(rows.numbers(0), rows.numbers(1));
            let found = spearman(&x, &y, alternative(options)?, level(options)?)?;
            Some(record(&found, x.len()))
        }
    ),
    // τ-b.
    over_rows!(
        "kendall_test",
        Aggregate,
        &[
            X,
            Y,
            ALTERNATIVE,
            Parameter::option("method", ValueType::Choice(Method::NAMES))
                .or(Constant::Text("auto"))
        ],
        TEST,
        |rows, options| {
            let method = Method::parse(options.text("method").ok()?)?;
            test(kendall(
                rows.numbers(0),
                rows.numbers(1),
                alternative(options)?,
                method,
            ))
        }
    ),
];

static PEARSON: Summed = Summed {
    width: 5,
    shape: CORRELATION,
    terms: pair_terms,
    finish: |n, sums, options| {
        let found = pearson(comoments(n, sums), alternative(options)?, level(options)?)?;
        Some(record(&found, n))
    },
};

fn record(found: &Correlation, n: usize) -> Answer {
    Answer::Record(vec![
        Answer::Number(found.coefficient),
        Answer::Number(found.p_value),
        Answer::Number(found.lower),
        Answer::Number(found.upper),
        Answer::count(n),
    ])
}
