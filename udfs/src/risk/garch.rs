//! `garch_forecast` and `garch_fit`: volatility that clusters, once for each group.
//!
//! Models and sources: [`math::risk::garch`](crate::math::risk::garch). Reference values: arch 8.0.0. Returns are decimals
//! per period; so are volatility, value at risk and expected shortfall, which are those of a single period so many
//! steps ahead. Rows without a time or a return are left out.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field};

use super::ahead::times_ahead;
use super::dated::{DATA, Dated, TIME};
use crate::error::Result;
use crate::math::risk::garch::{Fit, Innovations, Model, Parameters, Variant, fit, forecast};
use crate::relation::{
    Argument, Bound, Constant, Failure, Group, Layout, Options, Output, Signature, TableFunction,
    ValueType,
};

/// The most lags, and the furthest step.
const MAX_LAGS: i64 = 5;
const MAX_HORIZON: i64 = 10_000;

const P: Argument = Argument::option(
    "p",
    ValueType::Integer {
        min: 1,
        max: MAX_LAGS,
    },
)
.or(Constant::Integer(1));
const Q: Argument = Argument::option(
    "q",
    ValueType::Integer {
        min: 0,
        max: MAX_LAGS,
    },
)
.or(Constant::Integer(1));
const VARIANT: Argument =
    Argument::option("variant", ValueType::Choice(&["garch", "gjr", "egarch"]))
        .or(Constant::Text("garch"));
const DISTRIBUTION: Argument =
    Argument::option("distribution", ValueType::Choice(&["normal", "t"]))
        .or(Constant::Text("normal"));

static FORECAST: Signature = Signature {
    name: "garch_forecast",
    arguments: &[
        Argument::data("data"),
        TIME,
        DATA,
        Argument::ids(),
        P,
        Q,
        VARIANT,
        DISTRIBUTION,
        Argument::option(
            "horizon",
            ValueType::Integer {
                min: 1,
                max: MAX_HORIZON,
            },
        )
        .or(Constant::Integer(10)),
        Argument::CONFIDENCE_LEVEL,
        Argument::SEED,
    ],
};

static FIT: Signature = Signature {
    name: "garch_fit",
    arguments: &[
        Argument::data("data"),
        TIME,
        DATA,
        Argument::ids(),
        P,
        Q,
        VARIANT,
        DISTRIBUTION,
    ],
};

/// The table function `garch_forecast`.
#[derive(Debug)]
pub(crate) struct GarchForecast;

/// The table function `garch_fit`: one row a parameter, then the likelihood and the criteria.
#[derive(Debug)]
pub(crate) struct GarchFit;

impl TableFunction for GarchForecast {
    fn signature(&self) -> &'static Signature {
        &FORECAST
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let time = layout.field(layout.column("timestamp_col")?).data_type();
        Ok(vec![
            Field::new("step", DataType::Int64, true),
            Field::new("forecast_timestamp", time.clone(), true),
            Field::new("volatility", DataType::Float64, true),
            Field::new("value_at_risk", DataType::Float64, true),
            Field::new("expected_shortfall", DataType::Float64, true),
            Field::new("persistence", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundForecast {
            series: Series::new(layout, options)?,
            horizon: options.count("horizon")?,
            confidence: options.number("confidence_level")?,
            seed: options.integer("seed")?.cast_unsigned(),
        }))
    }
}

impl TableFunction for GarchFit {
    fn signature(&self) -> &'static Signature {
        &FIT
    }

    fn output(&self, _: &Layout) -> Result<Vec<Field>> {
        Ok(vec![
            Field::new("term", DataType::Utf8, true),
            Field::new("estimate", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundFit {
            series: Series::new(layout, options)?,
        }))
    }
}

/// Which model of which columns.
#[derive(Debug)]
struct Series {
    dated: Dated,
    model: Model,
}

impl Series {
    fn new(layout: &Layout, options: &Options) -> Result<Self> {
        let variant = match options.text("variant")? {
            "gjr" => Variant::Gjr,
            "egarch" => Variant::Egarch,
            _ => Variant::Garch,
        };
        let innovations = match options.text("distribution")? {
            "t" => Innovations::StudentT,
            _ => Innovations::Normal,
        };
        Ok(Self {
            dated: Dated::new(layout)?,
            model: Model {
                variant,
                innovations,
                p: options.count("p")?,
                q: options.count("q")?,
            },
        })
    }

    /// The times of the returns that count, and the model fitted to them.
    fn fit(&self, group: &Group<'_>) -> Result<(ArrayRef, Fit), Failure> {
        let returns = self.dated.returns(group)?;
        let times = self.dated.times(group, &returns)?;
        let fit = fit(&returns.values, self.model).map_err(Failure::refused)?;
        Ok((times, fit))
    }
}

#[derive(Debug)]
struct BoundForecast {
    series: Series,
    horizon: usize,
    confidence: f64,
    seed: u64,
}

impl Bound for BoundForecast {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let (times, fit) = self.series.fit(group)?;
        let steps = forecast(&fit, self.horizon, self.confidence, self.seed);
        let numbers = |pick: fn(&crate::math::risk::garch::Step) -> f64| -> ArrayRef {
            let finite = steps.iter().map(pick).map(|x| x.is_finite().then_some(x));
            Arc::new(finite.collect::<Float64Array>())
        };
        let persistence = fit.parameters.persistence(self.series.model.variant);
        Ok(Output::new(vec![
            Arc::new(Int64Array::from_iter_values((1..).take(self.horizon))),
            times_ahead(&times, self.horizon)?,
            numbers(|step| step.variance.sqrt()),
            numbers(|step| step.value_at_risk),
            numbers(|step| step.expected_shortfall),
            Arc::new(Float64Array::from(vec![persistence; self.horizon])),
        ]))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(10 * 8)
            .saturating_add(self.horizon * 10 * 8)
    }
}

#[derive(Debug)]
struct BoundFit {
    series: Series,
}

impl Bound for BoundFit {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let (_, fit) = self.series.fit(group)?;
        let rows = terms(&fit);
        let names = rows.iter().map(|(name, _)| name.as_str());
        let values = rows.iter().map(|(_, value)| *value);
        Ok(Output::new(vec![
            Arc::new(StringArray::from_iter_values(names)),
            Arc::new(Float64Array::from_iter_values(values)),
        ]))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(10 * 8)
    }
}

/// In units of the returns; the likelihood is in logarithms, `aic` and `bic` follow from it.
fn terms(fit: &Fit) -> Vec<(String, f64)> {
    let Parameters {
        mu,
        omega,
        alpha,
        gamma,
        beta,
        nu,
    } = &fit.parameters;
    let mut rows = vec![("mu".to_owned(), *mu), ("omega".to_owned(), *omega)];
    for (name, values) in [("alpha", alpha), ("gamma", gamma), ("beta", beta)] {
        let lags = (1..).zip(values);
        rows.extend(lags.map(|(lag, value)| (format!("{name}[{lag}]"), *value)));
    }
    rows.extend(nu.map(|nu| ("nu".to_owned(), nu)));
    let (count, n) = (fit.parameters.count() as f64, fit.shocks.len() as f64);
    let persistence = fit.parameters.persistence(fit.model.variant);
    let last = fit.variances.last().map_or(f64::NAN, |h| h.sqrt());
    rows.extend(
        [
            ("persistence", persistence),
            ("last_volatility", last),
            ("log_likelihood", fit.log_likelihood),
            ("aic", 2.0 * (count - fit.log_likelihood)),
            ("bic", count * n.ln() - 2.0 * fit.log_likelihood),
            ("n", n),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    rows
}
