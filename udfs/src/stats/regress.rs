//! `regress(data, y_col => …, x_cols => (…))`: a regression of each group, one row a term.
//!
//! - `ols`: least squares; p-values and intervals are Student's. `vcov` HC0 to HC3 makes the errors robust to unequal
//!   variance (White 1980; MacKinnon and White 1985).
//! - `logit`, `poisson`: maximum likelihood; p-values and intervals are normal, `r_squared` is McFadden's.
//! - `ridge`: Σ e² + alpha Σ β²; `lasso`, `elastic_net`: Σ e² / 2n + alpha (l1_ratio Σ |β| + (1 − l1_ratio) Σ β² / 2), as
//!   scikit-learn has them. Only estimates: penalised ones have no standard errors.
//!
//! The first term is `const` unless `intercept => false`. Rows with a NULL, NaN or infinity are left out; `n` counts the
//! others. A column that is a combination of those before it has a term with NULLs and the status `collinear`.
//! Kernels: [`math::regression`](crate::math::regression). Reference values: statsmodels 0.15, scikit-learn 1.9.

use std::sync::Arc;

use datafusion::arrow::array::{Float64Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::{Error, Result};
use crate::math::regression::{Family, elastic_net, generalized, ridge};
use crate::math::stats::distribution::{normal_quantile, normal_tail, t_quantile, t_tail};
use crate::math::stats::linear::{Covariance, centred_squares, least_squares};
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Constant, Failure, Group, Layout, Options, Output,
    Signature, TableFunction, ValueType,
};

const MODELS: &[&str] = &["ols", "ridge", "lasso", "elastic_net", "logit", "poisson"];
const PENALTY: ValueType = ValueType::Number {
    min: 0.0,
    max: f64::MAX,
    closed: true,
};

static SIGNATURE: Signature = Signature {
    name: "regress",
    arguments: &[
        Argument::data("data"),
        Argument {
            required: true,
            ..Argument::column("y_col", Class::Number)
        },
        Argument {
            required: true,
            ..Argument::columns("x_cols", Class::Number)
        },
        Argument::ids(),
        Argument::option("model", ValueType::Choice(MODELS)).or(Constant::Text("ols")),
        Argument::option("vcov", ValueType::Choice(Covariance::NAMES)).or(Constant::Text("const")),
        Argument::option("intercept", ValueType::Boolean).or(Constant::Boolean(true)),
        Argument::option("alpha", PENALTY).or(Constant::Number(1.0)),
        Argument::option(
            "l1_ratio",
            ValueType::Number {
                min: 0.0,
                max: 1.0,
                closed: true,
            },
        )
        .or(Constant::Number(0.5)),
        Argument::CONFIDENCE_LEVEL,
    ],
};

/// The table function `regress`.
#[derive(Debug)]
pub(super) struct Regress;

#[derive(Debug, Clone, Copy)]
enum Model {
    Ols(Covariance),
    Family(Family, Covariance),
    Ridge { alpha: f64 },
    ElasticNet { alpha: f64, share: f64 },
}

impl TableFunction for Regress {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, _: &Layout) -> Result<Vec<Field>> {
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        Ok(vec![
            Field::new("term", DataType::Utf8, true),
            number("estimate"),
            number("std_error"),
            number("statistic"),
            number("p_value"),
            number("ci_lower"),
            number("ci_upper"),
            number("r_squared"),
            Field::new("n", DataType::Int64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let covariance = Covariance::parse(options.text("vcov")?).unwrap_or(Covariance::Const);
        let alpha = options.number("alpha")?;
        let model = match options.text("model")? {
            "logit" => Model::Family(Family::Logit, covariance),
            "poisson" => Model::Family(Family::Poisson, covariance),
            "ridge" => Model::Ridge { alpha },
            "lasso" => Model::ElasticNet { alpha, share: 1.0 },
            "elastic_net" => Model::ElasticNet {
                alpha,
                share: options.number("l1_ratio")?,
            },
            _ => Model::Ols(covariance),
        };
        let intercept = options.boolean("intercept")?;
        check(model, covariance, intercept)?;
        let x = layout.columns("x_cols").to_vec();
        let names = x.iter().map(|x| layout.field(*x).name().clone()).collect();
        Ok(Arc::new(Regression {
            y: layout.column("y_col")?,
            x,
            names,
            model,
            intercept,
            level: options.number("confidence_level")?,
        }))
    }
}

/// What has no meaning together is refused, not ignored.
fn check(model: Model, covariance: Covariance, intercept: bool) -> Result<()> {
    let unsuited = |argument: &str, value: &str, hint: &str| Error::InvalidValue {
        argument: argument.to_owned(),
        value: value.to_owned(),
        hint: hint.to_owned(),
    };
    match model {
        Model::Ols(_) => Ok(()),
        Model::Family(..) | Model::Ridge { .. } | Model::ElasticNet { .. } if !intercept => {
            Err(unsuited(
                "intercept",
                "false",
                "Only model 'ols' can do without a constant.",
            ))
        }
        Model::Family(_, Covariance::Hc2 | Covariance::Hc3) => Err(unsuited(
            "vcov",
            "HC2 or HC3",
            "Models 'logit' and 'poisson' take 'const', 'HC0' and 'HC1'.",
        )),
        Model::Family(..) => Ok(()),
        Model::Ridge { .. } | Model::ElasticNet { .. } if covariance != Covariance::Const => {
            Err(unsuited(
                "vcov",
                "robust",
                "Penalised models have no standard errors.",
            ))
        }
        Model::Ridge { .. } | Model::ElasticNet { .. } => Ok(()),
    }
}

#[derive(Debug)]
struct Regression {
    y: ColumnRef,
    x: Vec<ColumnRef>,
    names: Vec<String>,
    model: Model,
    intercept: bool,
    level: f64,
}

/// What a model says of its terms; NaN is NULL.
struct Terms {
    estimates: Vec<f64>,
    errors: Vec<f64>,
    /// Of Student's t; none for the normal distribution.
    df: Option<f64>,
    r_squared: f64,
}

impl Bound for Regression {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let (y, columns) = self.complete(group)?;
        let terms = columns.len() + usize::from(self.intercept);
        if y.len() <= terms {
            return Err(Failure::refused(format_args!(
                "too few observations: {} < {}",
                y.len(),
                terms + 1
            )));
        }
        let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let found = match self.model {
            Model::Ols(covariance) => self.ordinary(&slices, &y, covariance),
            Model::Family(family, covariance) => {
                let fit = generalized(&slices, &y, family, covariance).map_err(Failure::refused)?;
                Terms {
                    estimates: fit.coefficients,
                    errors: fit.errors,
                    df: None,
                    r_squared: fit.pseudo_r_squared,
                }
            }
            Model::Ridge { alpha } => penalised(ridge(&slices, &y, alpha), &slices, &y)?,
            Model::ElasticNet { alpha, share } => {
                penalised(elastic_net(&slices, &y, alpha, share), &slices, &y)?
            }
        };
        self.output(&found, y.len())
    }

    /// Columns, their reflections and the rows' weights.
    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(8 * 3 * (self.x.len() + 3))
    }
}

impl Regression {
    /// The rows that have every value.
    fn complete(&self, group: &Group<'_>) -> Result<(Vec<f64>, Vec<Vec<f64>>), Failure> {
        let mut y = group.numbers(self.y)?;
        let columns = self.x.iter().map(|x| group.numbers(*x));
        let mut columns = columns.collect::<Result<Vec<_>, _>>()?;
        let keep: Vec<bool> = (0..y.len())
            .map(|row| y[row].is_finite() && columns.iter().all(|x| x[row].is_finite()))
            .collect();
        if keep.iter().any(|keep| !keep) {
            for column in columns.iter_mut().chain([&mut y]) {
                let mut kept = keep.iter();
                column.retain(|_| kept.next().copied().unwrap_or(false));
            }
        }
        Ok((y, columns))
    }

    fn ordinary(&self, slices: &[&[f64]], y: &[f64], covariance: Covariance) -> Terms {
        let ones = vec![1.0; y.len()];
        let mut all: Vec<&[f64]> = Vec::with_capacity(slices.len() + 1);
        if self.intercept {
            all.push(&ones);
        }
        all.extend_from_slice(slices);
        let fit = least_squares(&all, y);
        let total = if self.intercept {
            centred_squares(y)
        } else {
            y.iter().map(|y| y * y).sum()
        };
        Terms {
            errors: fit.errors(&all, covariance),
            df: Some(fit.df()),
            r_squared: 1.0 - fit.rss / total,
            estimates: fit.coefficients,
        }
    }

    fn output(&self, found: &Terms, n: usize) -> Result<Output, Failure> {
        let names = self.intercept.then_some("const").into_iter();
        let names: Vec<&str> = names.chain(self.names.iter().map(String::as_str)).collect();
        let half = 0.5 + 0.5 * self.level;
        let reach = found
            .df
            .map_or_else(|| normal_quantile(half), |df| t_quantile(half, df));
        let tail = |statistic: f64| match found.df {
            Some(df) => 2.0 * t_tail(statistic.abs(), df),
            None => 2.0 * normal_tail(statistic.abs()),
        };
        let column = |of: &dyn Fn(f64, f64) -> f64| {
            let pairs = found.estimates.iter().zip(&found.errors);
            let values = pairs.map(|(estimate, error)| Some(of(*estimate, *error)));
            Arc::new(
                values
                    .map(|value| value.filter(|value| value.is_finite()))
                    .collect::<Float64Array>(),
            )
        };
        let finite = Some(found.r_squared).filter(|share| share.is_finite());
        let status: StringArray = found
            .estimates
            .iter()
            .map(|estimate| estimate.is_nan().then_some("collinear"))
            .collect();
        Ok(Output::new(vec![
            Arc::new(StringArray::from(names.clone())),
            column(&|estimate, _| estimate),
            column(&|_, error| error),
            column(&|estimate, error| estimate / error),
            column(&|estimate, error| tail(estimate / error)),
            column(&|estimate, error| estimate - reach * error),
            column(&|estimate, error| estimate + reach * error),
            Arc::new(Float64Array::from(vec![finite; names.len()])),
            Arc::new(Int64Array::from(vec![
                i64::try_from(n).unwrap_or(i64::MAX);
                names.len()
            ])),
        ])
        .with_status(Arc::new(status)))
    }
}

/// Estimates alone, and the share of y's squares that they explain.
fn penalised(estimates: Option<Vec<f64>>, columns: &[&[f64]], y: &[f64]) -> Result<Terms, Failure> {
    let estimates = estimates.ok_or_else(|| Failure::refused("no model could be fitted"))?;
    let mut left = y.to_vec();
    left.iter_mut().for_each(|e| *e -= estimates[0]);
    for (b, column) in estimates[1..]
        .iter()
        .zip(columns)
        .filter(|(b, _)| b.is_finite())
    {
        left.iter_mut().zip(*column).for_each(|(e, x)| *e -= b * x);
    }
    let squares: f64 = left.iter().map(|e| e * e).sum();
    Ok(Terms {
        errors: vec![f64::NAN; estimates.len()],
        df: None,
        r_squared: 1.0 - squares / centred_squares(y),
        estimates,
    })
}
