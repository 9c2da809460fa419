//! `portfolio_backtest()`: what a rule of `portfolio_optimize` would have earned.
//!
//! The first portfolio is bought at the end of the first `lookback` returns, from cash or `current_weights`; from then on weights are
//! computed anew from the last `lookback` returns and traded at the first time of each day, week, month, quarter or year, every so many
//! periods (`rebalance => 21`), or never. Between trades weights drift with prices.
//!
//! - No look-ahead: a portfolio that is decided at a time knows the returns up to that time, and earns from the next on. What is given as a
//!   relation (`expected_returns`, `views`, `market_caps`) is taken as known throughout.
//! - `date`: the time; `value`: of one unit at the start, after costs; `return`: its change since the time before; `turnover`: Σ |change of weight| of
//!   the trade then. A trade costs `transaction_cost` times its turnover, the first purchase included.
//! - `status`: NULL, or why the weights were kept when a trade was due.
//! - Its tests hold values calculated by hand, and that prices of later change nothing.

use std::sync::Arc;

use chrono::{DateTime, Datelike};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringArray};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Date32Type, Field};

use crate::error::{Error, Result};
use crate::math::portfolio::problem::{Assets, Mandate, optimise};
use crate::math::portfolio::simulation::{Period, simulate};
use crate::relation::{
    Argument, Bound, Constant, Failure, Group, Layout, Options, Output, Signature, TableFunction,
    ValueType, joined,
};

use super::arguments::*;
use super::goal;
use super::panel::{too_few, value_column};
use super::plan::{Plan, Prepared};

pub(super) const NAME: &str = "portfolio_backtest";

const RHYTHMS: &[&str] = &["daily", "weekly", "monthly", "quarterly", "yearly", "never"];

const REBALANCE: Argument = Argument::option(
    "rebalance",
    ValueType::Integers {
        words: RHYTHMS,
        min: 1,
        max: 1_000_000,
    },
)
.or(Constant::Text("monthly"));
const LOOKBACK: Argument = Argument::option(
    "lookback",
    ValueType::Integer {
        min: 2,
        max: 1_000_000,
    },
)
.or(Constant::Integer(252));

static SIGNATURE: Signature = Signature {
    name: NAME,
    arguments: &joined::<{ OF_OPTIMISERS + GOAL.len() + 2 }>(&[
        PANEL,
        &[REBALANCE, LOOKBACK],
        GOAL,
        ESTIMATES,
        MANDATE,
        COMPLETE,
    ]),
};

/// When trades are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rhythm {
    Daily,
    Weekly,
    Monthly,
    Quarterly,
    Yearly,
    Never,
    Every(usize),
}

/// The table function `portfolio_backtest`.
#[derive(Debug, Default)]
pub(super) struct PortfolioBacktest;

impl TableFunction for PortfolioBacktest {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        value_column(layout, SIGNATURE.name)?;
        let time = layout
            .field(layout.column("timestamp_col")?)
            .data_type()
            .clone();
        let numbers = ["value", "return", "turnover"];
        let numbers = numbers
            .into_iter()
            .map(|name| Field::new(name, DataType::Float64, true));
        Ok(std::iter::once(Field::new("date", time, true))
            .chain(numbers)
            .collect())
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let objective = goal::objective(layout, options)?;
        let time = layout.field(layout.column("timestamp_col")?).data_type();
        Ok(Arc::new(BoundBacktest {
            plan: Plan::new(layout, options, objective)?,
            rhythm: rhythm(options, time)?,
            lookback: options.count("lookback")?,
        }))
    }
}

#[derive(Debug)]
struct BoundBacktest {
    plan: Plan,
    rhythm: Rhythm,
    lookback: usize,
}

impl Bound for BoundBacktest {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let prepared = self.plan.prepare(group)?;
        let panel = &prepared.panel;
        if panel.times.len() <= self.lookback {
            return Err(too_few(panel.times.len(), self.lookback + 1));
        }
        let times = take(group.column(self.plan.reader.time), &panel.times, None)?;
        let due = self.due(&times)?;
        let first = self.lookback - 1;
        let held = prepared.mandate.current.clone();
        let mut invested = held.is_some();
        let start = held.unwrap_or_else(|| vec![0.0; panel.names.len()]);
        let decide = |known: usize, held: &[f64]| {
            let next = self.decide(&prepared, known, invested.then_some(held));
            invested |= next.is_ok();
            next
        };
        let periods = simulate(
            &panel.columns,
            first,
            start,
            self.plan.terms.cost,
            |t| due[t],
            decide,
        );
        let numbers = |of: fn(&Period) -> f64| -> ArrayRef {
            Arc::new(Float64Array::from_iter_values(periods.iter().map(of)))
        };
        let columns = vec![
            times.slice(first, periods.len()),
            numbers(|period| period.value),
            numbers(|period| period.change),
            numbers(|period| period.turnover),
        ];
        let statuses = periods.iter().map(|period| period.refusal.as_deref());
        Ok(Output::new(columns).with_status(Arc::new(statuses.collect::<StringArray>())))
    }

    fn takes_any_order(&self) -> bool {
        true
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(24 * 8)
    }
}

impl BoundBacktest {
    /// New weights from what is known; nothing is traded against before the first purchase.
    fn decide(
        &self,
        prepared: &Prepared,
        known: usize,
        held: Option<&[f64]>,
    ) -> Result<Vec<f64>, String> {
        let window = |column: &Vec<f64>| column[known - self.lookback..known].to_vec();
        let columns: Vec<Vec<f64>> = prepared.panel.columns.iter().map(window).collect();
        let reason = |failure: Failure| match failure {
            Failure::Refused(reason) => format!("weights kept: {reason}"),
            Failure::Broken(error) => format!("weights kept: {error}"),
        };
        let estimates = self
            .plan
            .model
            .estimate(&columns, &prepared.beliefs)
            .map_err(reason)?;
        let assets = Assets {
            covariance: &estimates.covariance,
            expected: &estimates.expected,
            columns: &columns,
        };
        let mandate = match held {
            Some(held) => Mandate {
                current: Some(held.to_vec()),
                ..prepared.mandate.clone()
            },
            None => Mandate {
                current: None,
                turnover: None,
                ..prepared.mandate.clone()
            },
        };
        let best = optimise(&assets, &prepared.objective, &mandate);
        let best = best.map_err(|refusal| reason(prepared.refused(&refusal)))?;
        Ok(best.weights)
    }

    /// Whether a trade is due at each time.
    fn due(&self, times: &ArrayRef) -> Result<Vec<bool>, Failure> {
        let first = self.lookback - 1;
        let every = match self.rhythm {
            Rhythm::Never => return Ok(vec![false; times.len()]),
            Rhythm::Every(periods) => {
                return Ok((0..times.len())
                    .map(|t| t >= first && (t - first).is_multiple_of(periods))
                    .collect());
            }
            calendar => calendar,
        };
        let days = cast(times, &DataType::Date32)?;
        let spans: Vec<i64> = days
            .as_primitive::<Date32Type>()
            .values()
            .iter()
            .map(|day| span(i64::from(*day), every))
            .collect();
        Ok((0..spans.len())
            .map(|t| t == 0 || spans[t] != spans[t - 1])
            .collect())
    }
}

/// The number of the week, month … of a day that is counted from 1970-01-01, a Thursday.
fn span(day: i64, rhythm: Rhythm) -> i64 {
    let (year, month) = DateTime::from_timestamp(day.saturating_mul(86_400), 0)
        .map_or((0, 0), |time| {
            (i64::from(time.year()), i64::from(time.month0()))
        });
    match rhythm {
        Rhythm::Weekly => (day + 3).div_euclid(7),
        Rhythm::Monthly => 12 * year + month,
        Rhythm::Quarterly => 4 * year + month / 3,
        Rhythm::Yearly => year,
        Rhythm::Daily | Rhythm::Never | Rhythm::Every(_) => day,
    }
}

fn rhythm(options: &Options, time: &DataType) -> Result<Rhythm> {
    let counts = options.integers("rebalance");
    let rhythm = match (counts.as_slice(), options.texts("rebalance").first()) {
        ([periods], _) => Rhythm::Every(usize::try_from(*periods).unwrap_or(usize::MAX)),
        ([], Some(&"daily")) => Rhythm::Daily,
        ([], Some(&"weekly")) => Rhythm::Weekly,
        ([], Some(&"quarterly")) => Rhythm::Quarterly,
        ([], Some(&"yearly")) => Rhythm::Yearly,
        ([], Some(&"never")) => Rhythm::Never,
        ([], _) => Rhythm::Monthly,
        _ => {
            return Err(invalid(
                options,
                "A list is not allowed: write one number of periods.",
            ));
        }
    };
    match rhythm {
        Rhythm::Never | Rhythm::Every(_) => Ok(rhythm),
        _ if time.is_integer() => Err(invalid(
            options,
            "With an integer column for time it is 'never' or a number of periods.",
        )),
        calendar => Ok(calendar),
    }
}

fn invalid(options: &Options, hint: &str) -> Error {
    Error::InvalidValue {
        argument: "rebalance".to_owned(),
        value: options
            .get("rebalance")
            .map(ToString::to_string)
            .unwrap_or_default(),
        hint: hint.to_owned(),
    }
}
