//! Descriptions of a sample: shape, concentration, variety, histogram, bootstrap.

use super::answers::{ascending, codes, over_rows};
use super::samples::four_moments;
use super::summed::{Summed, over_sums};
use super::{X, count, level};
use crate::function::{AggregateSpec, Answer, Parameter, Rows, Shape};
use crate::math::moments::powers;
use crate::math::stats::describe::{
    Statistic, bootstrap, entropy, gini, histogram, median_and_deviation, quantile_sorted,
};
use crate::relation::{Class, Constant, Options, ValueType};

const NUMBER: Shape = Shape::Number;
const BINS: Shape = Shape::List(&Shape::Record(&[
    ("lower", Shape::Number),
    ("upper", Shape::Number),
    ("count", Shape::Integer),
]));
const INTERVAL: Shape = Shape::Record(&[
    ("estimate", Shape::Number),
    ("ci_lower", Shape::Number),
    ("ci_upper", Shape::Number),
    ("std_error", Shape::Number),
]);

/// Whether the figure is that of the population; else it is corrected as spreadsheets and pandas do.
const BIAS: Parameter = Parameter::option("bias", ValueType::Boolean).or(Constant::Boolean(true));

pub(super) static ALL: &[AggregateSpec] = &[
    over_sums!("skewness", &[X, BIAS], SKEWNESS),
    // The excess over the normal distribution's.
    over_sums!("kurtosis", &[X, BIAS], KURTOSIS),
    // 0 for equal shares to (n - 1) / n when one has all; NULL with negative values or nothing to share.
    over_rows!("gini", Aggregate, &[X], NUMBER, |rows, _| {
        gini(&ascending(rows, 0)).map(Answer::Number)
    }),
    // Shannon's, of the shares of distinct values; in units of the logarithm's base.
    over_rows!(
        "entropy",
        Aggregate,
        &[
            Parameter::value("x", Class::Any),
            Parameter::option(
                "base",
                ValueType::Number {
                    min: 1.0,
                    max: f64::MAX,
                    closed: false
                }
            )
            .or(Constant::Number(std::f64::consts::E))
        ],
        NUMBER,
        |rows, options| {
            let (codes, count) = codes(rows.column(0))?;
            let mut counts = vec![0.0; count];
            codes.into_iter().for_each(|code| counts[code] += 1.0);
            entropy(&counts, options.number("base").ok()?).map(Answer::Number)
        }
    ),
    // The median of |x - median|, as it is; 1.4826 times it estimates a standard deviation.
    over_rows!(
        "median_absolute_deviation",
        Aggregate,
        &[X],
        NUMBER,
        |rows, _| { Some(Answer::Number(median_and_deviation(&ascending(rows, 0)).1)) }
    ),
    // Between the quartiles by linear interpolation.
    over_rows!("iqr", Aggregate, &[X], NUMBER, |rows, _| {
        let sorted = ascending(rows, 0);
        Some(Answer::Number(
            quantile_sorted(&sorted, 0.75) - quantile_sorted(&sorted, 0.25),
        ))
    }),
    // The mean without this share of the values at either end.
    over_rows!(
        "trimmed_mean",
        Aggregate,
        &[
            X,
            Parameter::option(
                "proportion",
                ValueType::Number {
                    min: 0.0,
                    max: 0.499_999,
                    closed: true
                }
            )
            .or(Constant::Number(0.1))
        ],
        NUMBER,
        trimmed
    ),
    // Bins of equal width; the last holds its upper bound.
    over_rows!(
        "histogram",
        Aggregate,
        &[X, count("bins", 1, 10_000).or(Constant::Integer(10))],
        BINS,
        bins
    ),
    // Percentile interval over resamples with replacement.
    over_rows!(
        "bootstrap_ci",
        Aggregate,
        &[
            X,
            Parameter::option("statistic", ValueType::Choice(Statistic::NAMES))
                .or(Constant::Text("mean")),
            count("resamples", 1, 100_000).or(Constant::Integer(1000)),
            Parameter::CONFIDENCE_LEVEL,
            count("seed", i64::MIN, i64::MAX).or(Constant::Integer(0))
        ],
        INTERVAL,
        |rows, options| {
            let found = bootstrap(
                &ascending(rows, 0),
                Statistic::parse(options.text("statistic").ok()?)?,
                options.count("resamples").ok()?,
                level(options)?,
                options.integer("seed").ok()?.cast_unsigned(),
            )?;
            Some(Answer::record(&found))
        }
    ),
];

static SKEWNESS: Summed = Summed {
    width: 4,
    shape: Shape::Number,
    terms: |row, terms| powers(row[0], terms),
    finish: |n, sums, options| {
        let corrected = !options.boolean("bias").ok()?;
        four_moments(n, sums)
            .skewness(corrected)
            .map(Answer::Number)
    },
};

static KURTOSIS: Summed = Summed {
    width: 4,
    shape: Shape::Number,
    terms: |row, terms| powers(row[0], terms),
    finish: |n, sums, options| {
        let corrected = !options.boolean("bias").ok()?;
        four_moments(n, sums)
            .kurtosis(corrected)
            .map(Answer::Number)
    },
};

fn trimmed(rows: &Rows, options: &Options) -> Option<Answer> {
    let sorted = ascending(rows, 0);
    let cut = (options.number("proportion").ok()? * sorted.len() as f64) as usize;
    let kept = sorted
        .get(cut..sorted.len() - cut)
        .filter(|kept| !kept.is_empty())?;
    Some(Answer::Number(crate::math::stats::mean(kept)))
}

fn bins(rows: &Rows, options: &Options) -> Option<Answer> {
    let sorted = ascending(rows, 0);
    if sorted.iter().any(|value| value.is_infinite()) {
        return None;
    }
    let bins = histogram(&sorted, options.count("bins").ok()?);
    let record = |(lower, upper, count): (f64, f64, usize)| {
        Answer::Record(vec![
            Answer::Number(lower),
            Answer::Number(upper),
            Answer::count(count),
        ])
    };
    Some(Answer::List(bins.into_iter().map(record).collect()))
}
