//! Tests on counts: `chisq_independence(a, b)`, `chisq_gof(observed)`, `fisher_exact(a, b)`.

use super::answers::{codes, over_rows};
use super::{ALTERNATIVE, alternative};
use crate::function::{AggregateSpec, Answer, Parameter, Rows, Shape};
use crate::math::stats::table::{fisher_exact, goodness_of_fit, independence};
use crate::relation::{Class, Constant, Options, ValueType};

const INDEPENDENCE: Shape = Shape::Record(&[
    ("statistic", Shape::Number),
    ("p_value", Shape::Number),
    ("df", Shape::Number),
    ("cramers_v", Shape::Number),
    ("least_expected", Shape::Number),
]);
const FIT: Shape = Shape::Record(&[
    ("statistic", Shape::Number),
    ("p_value", Shape::Number),
    ("df", Shape::Number),
]);
const FISHER: Shape = Shape::Record(&[("odds_ratio", Shape::Number), ("p_value", Shape::Number)]);

const A: Parameter = Parameter::value("a", Class::Any);
const B: Parameter = Parameter::value("b", Class::Any);
/// How many observations a row stands for.
const FREQUENCY: Parameter = Parameter::number("frequency").or(Constant::Number(1.0));

pub(super) static ALL: &[AggregateSpec] = &[
    // Whether two columns depend on each other. A table of two by two has Yates' correction unless it is refused.
    over_rows!(
        "chisq_independence",
        Aggregate,
        &[
            A,
            B,
            FREQUENCY,
            Parameter::option("correction", ValueType::Boolean).or(Constant::Boolean(true))
        ],
        INDEPENDENCE,
        dependence
    ),
    // Each row is a category: its count and, up to a common factor, the one expected of it.
    over_rows!(
        "chisq_gof",
        Aggregate,
        &[
            Parameter::number("observed"),
            Parameter::number("expected").or(Constant::Number(1.0)),
            super::count("ddof", 0, 1000).or(Constant::Integer(0))
        ],
        FIT,
        |rows, options| {
            let (observed, expected) =
                super::answers::sorted_pairs(rows.numbers(0), rows.numbers(1));
            let lost = options.count("ddof").ok()? as f64;
            goodness_of_fit(&observed, &expected, lost).map(|found| Answer::record(&found))
        }
    ),
    // Columns of two values each; the odds ratio is that of the sample, NULL where a count is zero.
    over_rows!(
        "fisher_exact",
        Aggregate,
        &[A, B, FREQUENCY, ALTERNATIVE],
        FISHER,
        exact
    ),
];

/// The counts, one row of the table behind the other, and the number of columns.
fn table(rows: &Rows) -> Option<(Vec<f64>, usize)> {
    let (a, height) = codes(rows.column(0))?;
    let (b, width) = codes(rows.column(1))?;
    let mut counts = vec![
        0.0;
        height
            .checked_mul(width)
            .filter(|cells| *cells <= MAX_CELLS)?
    ];
    for ((a, b), frequency) in a.iter().zip(&b).zip(rows.numbers(2)) {
        counts[a * width + b] += frequency;
    }
    Some((counts, width))
}

/// A table may have this many cells.
const MAX_CELLS: usize = 10_000_000;

fn dependence(rows: &Rows, options: &Options) -> Option<Answer> {
    let (counts, width) = table(rows)?;
    let found = independence(&counts, width, options.boolean("correction").ok()?)?;
    Some(Answer::record(&[
        found.statistic,
        found.p_value,
        found.df,
        found.cramers_v,
        found.least_expected,
    ]))
}

fn exact(rows: &Rows, options: &Options) -> Option<Answer> {
    let (counts, width) = table(rows)?;
    let [a, b, c, d] = counts.as_slice() else {
        return None;
    };
    if width != 2 {
        return None;
    }
    let (odds, p) = fisher_exact([*a, *b, *c, *d], alternative(options)?)?;
    let odds = odds.is_finite().then_some(odds);
    Some(Answer::Record(vec![Answer::maybe(odds), Answer::Number(p)]))
}
