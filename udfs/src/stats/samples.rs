//! Tests of one sample, of pairs, and of two samples.
//!
//! The two samples are two columns of numbers, `ttest_2samp(x, y)`, or one column and the group that each value
//! belongs to, `ttest_2samp(x, is_control)`: a second argument that is not a number tells groups apart, of which there
//! must be two, in ascending order. Groups that are numbers are written as a condition: `variant = 2`.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Float64Type};

use super::answers::{TEST, ascending, over_rows, test};
use super::summed::{Summed, moments, over_sums};
use super::{ALTERNATIVE, X, alternative, level};
use crate::function::{AggregateSpec, Answer, Parameter, Rows, Shape};
use crate::math::exact::Twofold;
use crate::math::moments::powers;
use crate::math::stats::describe::FourMoments;
use crate::math::stats::goodness::{ks_normal, ks_two};
use crate::math::stats::location::{Moments, TTest, cohens_d, t_test_one, t_test_two};
use crate::math::stats::normality::{anderson_darling, dagostino, jarque_bera, shapiro_wilk};
use crate::math::stats::ranks::{Method, ZeroDifferences, mann_whitney, wilcoxon};
use crate::relation::{Class, Constant, Options, ValueType};

const T_TEST: Shape = Shape::Record(&[
    ("statistic", Shape::Number),
    ("p_value", Shape::Number),
    ("df", Shape::Number),
    ("estimate", Shape::Number),
    ("ci_lower", Shape::Number),
    ("ci_upper", Shape::Number),
]);

/// As [`T_TEST`] for two samples, with Cohen's d.
const T_TEST_TWO: Shape = Shape::Record(&[
    ("statistic", Shape::Number),
    ("p_value", Shape::Number),
    ("df", Shape::Number),
    ("estimate", Shape::Number),
    ("ci_lower", Shape::Number),
    ("ci_upper", Shape::Number),
    ("cohens_d", Shape::Number),
]);

const Y: Parameter = Parameter::number("y");
const SAMPLE: Parameter = Parameter::nullable("x", Class::Number);
const OTHER: Parameter = Parameter::nullable("y", Class::Any);
const METHOD: Parameter =
    Parameter::option("method", ValueType::Choice(Method::NAMES)).or(Constant::Text("auto"));
const CONTINUITY: Parameter =
    Parameter::option("continuity", ValueType::Boolean).or(Constant::Boolean(true));

pub(super) static ALL: &[AggregateSpec] = &[
    // Whether the mean is mu; ci_lower and ci_upper hold the mean at confidence_level.
    over_sums!(
        "ttest_1samp",
        &[
            X,
            Parameter::option("mu", ValueType::ANY_NUMBER).or(Constant::Number(0.0)),
            ALTERNATIVE,
            Parameter::CONFIDENCE_LEVEL
        ],
        ONE_SAMPLE
    ),
    // Whether the mean of x - y is zero.
    over_sums!(
        "ttest_paired",
        &[X, Y, ALTERNATIVE, Parameter::CONFIDENCE_LEVEL],
        PAIRED
    ),
    // Welch's test of two means; Student's with equal_var. The estimate is the difference, first less second.
    over_rows!(
        "ttest_2samp",
        Aggregate,
        &[
            SAMPLE,
            OTHER,
            ALTERNATIVE,
            Parameter::option("equal_var", ValueType::Boolean).or(Constant::Boolean(false)),
            Parameter::CONFIDENCE_LEVEL
        ],
        T_TEST_TWO,
        two_means
    ),
    // U of the first sample: pairs in which its value is greater, ties by a half.
    over_rows!(
        "mann_whitney_u",
        Aggregate,
        &[SAMPLE, OTHER, ALTERNATIVE, METHOD, CONTINUITY],
        TEST,
        |rows, options| {
            let (x, y) = two_samples(rows)?;
            let continuity = options.boolean("continuity").ok()?;
            test(mann_whitney(
                &x,
                &y,
                alternative(options)?,
                method(options)?,
                continuity,
            ))
        }
    ),
    // Of x - y.
    over_rows!(
        "wilcoxon_signed_rank",
        Aggregate,
        &[
            X,
            Y,
            ALTERNATIVE,
            METHOD,
            Parameter::option("zero_method", ValueType::Choice(ZeroDifferences::NAMES))
                .or(Constant::Text("wilcox")),
            Parameter::option("continuity", ValueType::Boolean).or(Constant::Boolean(false))
        ],
        TEST,
        signed_ranks
    ),
    // One sample against a normal distribution of the given mean and deviation, or of its own.
    over_rows!(
        "ks_test_normal",
        Aggregate,
        &[
            X,
            Parameter::option("mean", ValueType::ANY_NUMBER),
            Parameter::option("stddev", ValueType::ANY_NUMBER),
            ALTERNATIVE
        ],
        TEST,
        one_distribution
    ),
    // Two samples against each other.
    over_rows!(
        "ks_test",
        Aggregate,
        &[SAMPLE, OTHER, ALTERNATIVE],
        TEST,
        |rows, options| {
            let (x, y) = two_samples(rows)?;
            test(ks_two(&x, &y, alternative(options)?))
        }
    ),
    // 3 to 5000 values.
    over_rows!("shapiro_wilk", Aggregate, &[X], TEST, |rows, _| {
        test(shapiro_wilk(&ascending(rows, 0)))
    }),
    over_rows!("anderson_darling", Aggregate, &[X], TEST, |rows, _| {
        test(anderson_darling(&ascending(rows, 0)))
    }),
    over_sums!("jarque_bera", &[X], JARQUE_BERA),
    // D'Agostino and Pearson's K², from 8 values on.
    over_sums!("dagostino_k2", &[X], DAGOSTINO),
];

static ONE_SAMPLE: Summed = Summed {
    width: 2,
    shape: T_TEST,
    terms: |row, terms| powers(row[0], terms),
    finish: |n, sums, options| {
        let mu = options.number("mu").ok()?;
        let found = t_test_one(moments(n, sums), mu, alternative(options)?, level(options)?)?;
        Some(Answer::record(&figures(&found)))
    },
};

static PAIRED: Summed = Summed {
    width: 2,
    shape: T_TEST,
    terms: |row, terms| powers(row[0] - row[1], terms),
    finish: |n, sums, options| {
        let found = t_test_one(
            moments(n, sums),
            0.0,
            alternative(options)?,
            level(options)?,
        )?;
        Some(Answer::record(&figures(&found)))
    },
};

static JARQUE_BERA: Summed = Summed {
    width: 4,
    shape: TEST,
    terms: |row, terms| powers(row[0], terms),
    finish: |n, sums, _| test(jarque_bera(&four_moments(n, sums))),
};

static DAGOSTINO: Summed = Summed {
    width: 4,
    shape: TEST,
    terms: |row, terms| powers(row[0], terms),
    finish: |n, sums, _| test(dagostino(&four_moments(n, sums))),
};

/// Central moments from the sums of four powers.
pub(super) fn four_moments(n: usize, sums: &[Twofold]) -> FourMoments {
    use crate::math::moments::{excess_kurtosis, skewness, variance};
    let count = n as f64;
    let spread = variance(n, sums, 0);
    let m2 = spread * count;
    if spread.is_nan() || spread <= 0.0 {
        return FourMoments {
            count,
            mean: crate::math::moments::mean(n, sums),
            ..FourMoments::default()
        };
    }
    FourMoments {
        count,
        mean: crate::math::moments::mean(n, sums),
        m2,
        m3: skewness(n, sums) * spread.powf(1.5) * count,
        m4: (excess_kurtosis(n, sums) + 3.0) * spread * spread * count,
    }
}

fn figures(found: &TTest) -> [f64; 6] {
    [
        found.statistic,
        found.p_value,
        found.df,
        found.estimate,
        found.lower,
        found.upper,
    ]
}

fn two_means(rows: &Rows, options: &Options) -> Option<Answer> {
    let (x, y) = two_samples(rows)?;
    let (x, y) = (Moments::of(&x), Moments::of(&y));
    let equal = options.boolean("equal_var").ok()?;
    let found = t_test_two(x, y, equal, alternative(options)?, level(options)?)?;
    let mut record: Vec<Answer> = figures(&found).map(Answer::Number).to_vec();
    record.push(Answer::maybe(cohens_d(x, y)));
    Some(Answer::Record(record))
}

/// Both samples, ascending; none unless the groups are two.
fn two_samples(rows: &Rows) -> Option<(Vec<f64>, Vec<f64>)> {
    let other = rows.column(1);
    let present = |column: &dyn Array| -> Vec<f64> {
        let numbers = column.as_primitive::<Float64Type>();
        let mut values: Vec<f64> = numbers.iter().flatten().collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    if other.data_type().is_numeric() {
        let other = arrow::compute::cast(other, &DataType::Float64).ok()?;
        let samples = (present(rows.column(0)), present(&other));
        let nan = |values: &[f64]| values.iter().any(|value| value.is_nan());
        return (!nan(&samples.1)).then_some(samples);
    }
    let (codes, count) = super::answers::codes(other)?;
    let mut samples = (Vec::new(), Vec::new());
    let values = rows.column(0).as_primitive::<Float64Type>();
    // NULL is the first of the distinct values, if there is one.
    let nulls = usize::from(other.logical_null_count() > 0);
    if count - nulls != 2 {
        return None;
    }
    for (value, code) in values.iter().zip(codes) {
        match (value, code.checked_sub(nulls)) {
            (Some(value), Some(0)) => samples.0.push(value),
            (Some(value), Some(_)) => samples.1.push(value),
            _ => {}
        }
    }
    samples.0.sort_unstable_by(f64::total_cmp);
    samples.1.sort_unstable_by(f64::total_cmp);
    Some(samples)
}

fn method(options: &Options) -> Option<Method> {
    Method::parse(options.text("method").ok()?)
}

fn signed_ranks(rows: &Rows, options: &Options) -> Option<Answer> {
    let pairs = rows.numbers(0).iter().zip(rows.numbers(1));
    let mut differences: Vec<f64> = pairs.map(|(x, y)| x - y).collect();
    differences.sort_unstable_by(f64::total_cmp);
    let zeros = ZeroDifferences::parse(options.text("zero_method").ok()?)?;
    let continuity = options.boolean("continuity").ok()?;
    test(wilcoxon(
        &differences,
        alternative(options)?,
        method(options)?,
        zeros,
        continuity,
    ))
}

fn one_distribution(rows: &Rows, options: &Options) -> Option<Answer> {
    let values = ascending(rows, 0);
    let own = Moments::of(&values);
    let given = |name| {
        options
            .get(name)
            .map(|_| options.number(name))
            .transpose()
            .ok()
    };
    let mean = given("mean")?.unwrap_or(own.mean);
    let deviation = given("stddev")?.unwrap_or_else(|| (own.squares / (own.count - 1.0)).sqrt());
    test(ks_normal(&values, mean, deviation, alternative(options)?))
}
