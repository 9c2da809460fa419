//! `credit_scorecard` and `credit_score`: a logistic scorecard of who defaults, and each borrower's points.
//!
//! `credit_scorecard` gives the model: rows of kind `coefficient` (estimate, standard error, z and p), `metric` (the
//! likelihood, McFadden's R², AUC, Gini, KS, Brier), `bin` (weight of evidence by quantiles) and `iv` (information value).
//! `credit_score` gives each row's probability of default and points, with the column `key_col`. The target is true
//! or 1 for a default. Rows with a NULL or NaN are left out. Formulas and sources:
//! [`math::risk::scorecard`](crate::math::risk::scorecard). Reference values: statsmodels 0.15, scikit-learn 1.9.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow::compute::{cast, filter};
use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::{Error, Result};
use crate::math::risk::scorecard::{Bin, Logit, bins, discrimination, points, two_sided};
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Constant, Failure, Group, Layout, Options, Output,
    Signature, TableFunction, ValueType,
};

const MAX_BINS: i64 = 100;

const TARGET: Argument = Argument {
    required: true,
    ..Argument::column("target_col", Class::Any)
};
const X: Argument = Argument {
    required: true,
    ..Argument::columns("x_cols", Class::Number)
};

static CARD: Signature = Signature {
    name: "credit_scorecard",
    arguments: &[
        Argument::data("data"),
        TARGET,
        X,
        Argument::ids(),
        Argument::option(
            "bins",
            ValueType::Integer {
                min: 2,
                max: MAX_BINS,
            },
        )
        .or(Constant::Integer(5)),
    ],
};

static SCORE: Signature = Signature {
    name: "credit_score",
    arguments: &[
        Argument::data("data"),
        Argument {
            required: true,
            ..Argument::column("key_col", Class::Any).orders()
        },
        TARGET,
        X,
        Argument::ids(),
        Argument::option("base_score", ValueType::ANY_NUMBER).or(Constant::Number(600.0)),
        // Good to one bad at the base score.
        Argument::option("base_odds", ValueType::POSITIVE).or(Constant::Number(50.0)),
        Argument::option("points_to_double_odds", ValueType::POSITIVE).or(Constant::Number(20.0)),
    ],
};

/// The table function `credit_scorecard`.
#[derive(Debug)]
pub(crate) struct CardFunction;

/// The table function `credit_score`.
#[derive(Debug)]
pub(crate) struct ScoreFunction;

/// The columns of a scorecard.
#[derive(Debug)]
struct Columns {
    target: ColumnRef,
    x: Vec<ColumnRef>,
    names: Vec<String>,
}

impl Columns {
    fn new(layout: &Layout) -> Result<Self> {
        let target = layout.column("target_col")?;
        let data_type = layout.field(target).data_type();
        if *data_type != DataType::Boolean && !data_type.is_numeric() {
            return Err(Error::ColumnType {
                column: layout.field(target).name().clone(),
                argument: "target_col".to_owned(),
                wanted: "a boolean or a number",
                found: "something else".to_owned(),
            });
        }
        let x = layout.columns("x_cols").to_vec();
        let names = x
            .iter()
            .map(|column| layout.field(*column).name().clone())
            .collect();
        Ok(Self { target, x, names })
    }

    fn fit(&self, group: &Group<'_>) -> Result<Fitted, Failure> {
        let target = cast(group.column(self.target), &DataType::Float64)?;
        let target =
            arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(&target).clone();
        let all: Vec<Vec<f64>> = self
            .x
            .iter()
            .map(|x| group.numbers(*x))
            .collect::<Result<_, _>>()?;
        let complete = |row: usize| {
            target.is_valid(row)
                && target.value(row).is_finite()
                && all.iter().all(|x| x[row].is_finite())
        };
        let keep: BooleanArray = (0..target.len()).map(|row| Some(complete(row))).collect();
        let kept: Vec<usize> = (0..target.len()).filter(|row| keep.value(*row)).collect();
        if let Some(row) = kept
            .iter()
            .find(|row| ![0.0, 1.0].contains(&target.value(**row)))
        {
            let found = target.value(*row);
            return Err(Failure::refused(format_args!(
                "the target is {found}, neither 0 nor 1"
            )));
        }
        let bad: Vec<bool> = kept.iter().map(|row| target.value(*row) == 1.0).collect();
        let columns: Vec<Vec<f64>> = all
            .iter()
            .map(|x| kept.iter().map(|row| x[*row]).collect())
            .collect();
        let logit = Logit::fit(&columns, &bad).map_err(Failure::refused)?;
        Ok(Fitted {
            keep,
            columns,
            bad,
            logit,
        })
    }
}

struct Fitted {
    keep: BooleanArray,
    columns: Vec<Vec<f64>>,
    bad: Vec<bool>,
    logit: Logit,
}

impl TableFunction for CardFunction {
    fn signature(&self) -> &'static Signature {
        &CARD
    }

    fn output(&self, _: &Layout) -> Result<Vec<Field>> {
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        Ok(vec![
            Field::new("kind", DataType::Utf8, true),
            Field::new("term", DataType::Utf8, true),
            Field::new("bin", DataType::Int64, true),
            number("estimate"),
            number("std_error"),
            number("statistic"),
            number("p_value"),
            number("lower_bound"),
            number("upper_bound"),
            Field::new("n", DataType::Int64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundCard {
            columns: Columns::new(layout)?,
            bins: options.count("bins")?,
        }))
    }
}

#[derive(Debug)]
struct BoundCard {
    columns: Columns,
    bins: usize,
}

/// A row of the model; what does not belong to its kind is NaN.
struct Row<'a> {
    kind: &'static str,
    term: &'a str,
    bin: Option<i64>,
    numbers: [f64; 6],
    n: usize,
}

impl<'a> Row<'a> {
    fn estimate(kind: &'static str, term: &'a str, estimate: f64, n: usize) -> Self {
        let mut numbers = [f64::NAN; 6];
        numbers[0] = estimate;
        Self {
            kind,
            term,
            bin: None,
            numbers,
            n,
        }
    }
}

impl Bound for BoundCard {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let fitted = self.columns.fit(group)?;
        let rows = self.rows(&fitted);
        let numbers = |index: usize| -> ArrayRef {
            let finite = rows
                .iter()
                .map(|row| Some(row.numbers[index]).filter(|x| x.is_finite()));
            Arc::new(finite.collect::<Float64Array>())
        };
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|row| row.kind),
            )),
            Arc::new(StringArray::from_iter_values(
                rows.iter().map(|row| row.term),
            )),
            Arc::new(rows.iter().map(|row| row.bin).collect::<Int64Array>()),
        ];
        columns.extend((0..6).map(numbers));
        columns.push(Arc::new(
            rows.iter()
                .map(|row| i64::try_from(row.n).ok())
                .collect::<Int64Array>(),
        ));
        Ok(Output::new(columns))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(8 * 3 * (self.columns.x.len() + 2))
    }
}

impl BoundCard {
    fn rows<'a>(&'a self, fitted: &Fitted) -> Vec<Row<'a>> {
        let (logit, n) = (&fitted.logit, fitted.bad.len());
        let mut rows = Vec::new();
        let terms = std::iter::once("const").chain(self.columns.names.iter().map(String::as_str));
        for (term, (estimate, error)) in terms.zip(logit.coefficients.iter().zip(&logit.errors)) {
            let z = estimate / error;
            rows.push(Row {
                numbers: [*estimate, *error, z, two_sided(z), f64::NAN, f64::NAN],
                ..Row::estimate("coefficient", term, *estimate, n)
            });
        }
        let told = discrimination(&logit.probabilities, &fitted.bad);
        for (term, value) in [
            ("log_likelihood", logit.log_likelihood),
            (
                "mcfadden_r2",
                1.0 - logit.log_likelihood / logit.null_log_likelihood,
            ),
            ("auc", told.auc),
            ("gini", 2.0 * told.auc - 1.0),
            ("ks", told.ks),
            ("brier", told.brier),
        ] {
            rows.push(Row::estimate("metric", term, value, n));
        }
        for (term, column) in self.columns.names.iter().zip(&fitted.columns) {
            let ranges = bins(column, &fitted.bad, self.bins);
            let information: f64 = ranges.iter().map(|bin| bin.information).sum();
            rows.push(Row::estimate("iv", term, information, n));
            rows.extend(
                (0..)
                    .zip(&ranges)
                    .map(|(index, bin)| of_bin(term, index, bin)),
            );
        }
        rows
    }
}

fn of_bin<'a>(term: &'a str, index: i64, bin: &Bin) -> Row<'a> {
    let mut row = Row::estimate("bin", term, bin.woe, bin.rows);
    row.bin = Some(index);
    row.numbers[4] = bin.lower;
    row.numbers[5] = bin.upper;
    row
}

impl TableFunction for ScoreFunction {
    fn signature(&self) -> &'static Signature {
        &SCORE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let key = layout.field(layout.column("key_col")?);
        Ok(vec![
            Field::new("key", key.data_type().clone(), true),
            Field::new("probability_of_default", DataType::Float64, true),
            Field::new("score", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundScore {
            key: layout.column("key_col")?,
            columns: Columns::new(layout)?,
            base_score: options.number("base_score")?,
            base_odds: options.number("base_odds")?,
            doubling: options.number("points_to_double_odds")?,
        }))
    }
}

#[derive(Debug)]
struct BoundScore {
    key: ColumnRef,
    columns: Columns,
    base_score: f64,
    base_odds: f64,
    doubling: f64,
}

impl Bound for BoundScore {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let fitted = self.columns.fit(group)?;
        let keys = filter(group.column(self.key), &fitted.keep)?;
        let probabilities = &fitted.logit.probabilities;
        let score = |p: &f64| points(*p, self.base_score, self.base_odds, self.doubling);
        Ok(Output::new(vec![
            keys,
            Arc::new(Float64Array::from(probabilities.clone())),
            Arc::new(Float64Array::from_iter_values(
                probabilities.iter().map(score),
            )),
        ]))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(8 * 3 * (self.columns.x.len() + 2))
    }
}
