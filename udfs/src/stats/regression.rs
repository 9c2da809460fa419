//! `ols_fit(y, ARRAY[x1, x2])`: a linear model of each group, in one record.
//!
//! y = β₀ + Σ βⱼ xⱼ + e with the least Σ e². p-values and intervals are Student's with n − p degrees of freedom, for robust
//! errors too, as statsmodels gives them. A column that is a combination of others gets a term with NULLs. For one row a
//! term, other models and named terms there is the table function `regress`.

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};

use super::answers::over_rows;
use super::level;
use crate::function::{AggregateSpec, Answer, Parameter, Rows, Shape};
use crate::math::stats::distribution::{f_tail, t_quantile, t_tail};
use crate::math::stats::linear::{Covariance, centred_squares, least_squares};
use crate::relation::{Class, Constant, Options, ValueType};

const TERM: Shape = Shape::Record(&[
    ("term", Shape::Text),
    ("estimate", Shape::Number),
    ("std_error", Shape::Number),
    ("statistic", Shape::Number),
    ("p_value", Shape::Number),
    ("ci_lower", Shape::Number),
    ("ci_upper", Shape::Number),
]);
const FIT: Shape = Shape::Record(&[
    ("coefficients", Shape::List(&Shape::Number)),
    ("terms", Shape::List(&TERM)),
    ("r_squared", Shape::Number),
    ("adj_r_squared", Shape::Number),
    ("f_statistic", Shape::Number),
    ("f_p_value", Shape::Number),
    ("residual_std_error", Shape::Number),
    ("df", Shape::Number),
    ("n", Shape::Integer),
]);

pub(super) static ALL: &[AggregateSpec] = &[
    // The constant comes first among the coefficients, unless intercept is false.
    over_rows!(
        "ols_fit",
        Aggregate,
        &[
            Parameter::number("y"),
            Parameter::value("x", Class::Any),
            Parameter::option("vcov", ValueType::Choice(Covariance::NAMES))
                .or(Constant::Text("const")),
            Parameter::option("intercept", ValueType::Boolean).or(Constant::Boolean(true)),
            Parameter::CONFIDENCE_LEVEL
        ],
        FIT,
        fit
    ),
];

/// The columns of the arrays, or the one of a number; none if they are uneven or hold NULL.
fn regressors(rows: &Rows) -> Option<Vec<Vec<f64>>> {
    let column = rows.column(1);
    if !matches!(
        column.data_type(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _)
    ) {
        let numbers = cast(column, &DataType::Float64).ok()?;
        return Some(vec![
            numbers.as_primitive::<Float64Type>().values().to_vec(),
        ]);
    }
    let item = Field::new_list_field(DataType::Float64, true);
    let lists = cast(column, &DataType::List(std::sync::Arc::new(item))).ok()?;
    let lists = lists.as_list::<i32>();
    let width = lists.value(0).len();
    let mut columns = vec![Vec::with_capacity(lists.len()); width];
    for row in 0..lists.len() {
        let list = lists.value(row);
        let numbers = list.as_primitive::<Float64Type>();
        if numbers.len() != width || numbers.null_count() > 0 {
            return None;
        }
        for (column, value) in columns.iter_mut().zip(numbers.values()) {
            column.push(*value);
        }
    }
    Some(columns)
}

/// The rows in an order that depends on them alone.
fn ordered(y: &[f64], columns: &[Vec<f64>]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut order: Vec<usize> = (0..y.len()).collect();
    order.sort_unstable_by(|a, b| {
        let ties = columns
            .iter()
            .map(|column| column[*a].total_cmp(&column[*b]));
        ties.fold(y[*a].total_cmp(&y[*b]), std::cmp::Ordering::then)
    });
    let pick = |values: &[f64]| order.iter().map(|row| values[*row]).collect();
    (pick(y), columns.iter().map(|column| pick(column)).collect())
}

fn fit(rows: &Rows, options: &Options) -> Option<Answer> {
    let columns = regressors(rows)?;
    if columns.iter().flatten().any(|value| value.is_nan()) {
        return Some(FIT.not_a_number());
    }
    let (y, columns) = ordered(rows.numbers(0), &columns);
    let intercept = options.boolean("intercept").ok()?;
    let ones = vec![1.0; y.len()];
    let mut slices: Vec<&[f64]> = Vec::with_capacity(columns.len() + 1);
    let mut names = Vec::with_capacity(columns.len() + 1);
    if intercept {
        slices.push(&ones);
        names.push("const".to_owned());
    }
    for (index, column) in columns.iter().enumerate() {
        slices.push(column);
        names.push(format!("x{}", index + 1));
    }
    let kind = Covariance::parse(options.text("vcov").ok()?)?;
    let found = least_squares(&slices, &y);
    let df = found.df();
    if df <= 0.0 || found.kept.is_empty() {
        return None;
    }
    let errors = found.errors(&slices, kind);
    let reach = t_quantile(0.5 + 0.5 * level(options)?, df);
    let terms = names.into_iter().zip(&found.coefficients).zip(&errors);
    let terms = terms.map(|((name, estimate), error)| term(name, *estimate, *error, df, reach));
    let total = if intercept {
        centred_squares(&y)
    } else {
        y.iter().map(|value| value * value).sum()
    };
    let slopes = found.kept.len() as f64 - f64::from(u8::from(intercept));
    let of_total = y.len() as f64 - f64::from(u8::from(intercept));
    let f = (total - found.rss) / slopes / (found.rss / df);
    let share = 1.0 - found.rss / total;
    let number = |value: f64| {
        if value.is_finite() {
            Answer::Number(value)
        } else {
            Answer::Null
        }
    };
    Some(Answer::Record(vec![
        Answer::List(
            found
                .coefficients
                .iter()
                .map(|value| number(*value))
                .collect(),
        ),
        Answer::List(terms.collect()),
        number(share),
        number(1.0 - (found.rss / df) / (total / of_total)),
        number(f),
        number(f_tail(f, slopes, df)),
        number((found.rss / df).sqrt()),
        number(df),
        Answer::count(y.len()),
    ]))
}

fn term(name: String, estimate: f64, error: f64, df: f64, reach: f64) -> Answer {
    let mut record = vec![Answer::Text(name)];
    let statistic = estimate / error;
    if estimate.is_nan() {
        record.extend(std::iter::repeat_n(Answer::Null, 6));
    } else {
        record.extend(
            [
                estimate,
                error,
                statistic,
                2.0 * t_tail(statistic.abs(), df),
                estimate - reach * error,
                estimate + reach * error,
            ]
            .map(|value| {
                if value.is_finite() {
                    Answer::Number(value)
                } else {
                    Answer::Null
                }
            }),
        );
    }
    Answer::Record(record)
}
