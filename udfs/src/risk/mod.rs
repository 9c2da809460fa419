//! Market risk: aggregates and window functions over returns, models of their volatility; credit risk.
//!
//! Returns are per period, as decimals; a loss is positive. `risk_free_rate` is annual and spread evenly over
//! the periods. NULLs are left out and NaN makes the result NaN; where there are too few values, or the measure is
//! not defined (no variation, no losses), the result is NULL. Sums are exact, so results do not depend on the order of
//! rows or the number of threads.

mod ahead;
mod assess;
mod backtest;
mod benchmark;
mod credit;
mod dated;
mod drawdown;
mod garch;
mod panel;
mod portfolio;
mod ratio;
mod returns;
mod scorecard;
mod sums;
mod value_at_risk;
mod window;

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};

use crate::function::{AggregateSpec, Parameter, ScalarSpec, WindowSpec};
use crate::relation::{Constant, TableFunction, ValueType};

/// The aggregates.
pub(crate) fn aggregates() -> impl Iterator<Item = &'static AggregateSpec> {
    let all = [
        returns::ALL,
        ratio::ALL,
        benchmark::ALL,
        drawdown::ALL,
        value_at_risk::ALL,
    ];
    all.into_iter().flatten()
}

/// The table functions.
pub(crate) fn tables() -> Vec<Arc<dyn TableFunction>> {
    vec![
        Arc::new(garch::GarchForecast),
        Arc::new(garch::GarchFit),
        Arc::new(backtest::BacktestFunction),
        Arc::new(portfolio::RiskFunction),
        Arc::new(portfolio::StressFunction),
        Arc::new(scorecard::CardFunction),
        Arc::new(scorecard::ScoreFunction),
        Arc::new(assess::AssessFunction),
    ]
}

/// The window functions.
pub(crate) fn windows() -> impl Iterator<Item = &'static WindowSpec> {
    window::ALL.iter()
}

/// The functions of single rows.
pub(crate) fn scalars() -> impl Iterator<Item = &'static ScalarSpec> {
    credit::ALL.iter()
}

const RET: Parameter = Parameter::number("ret");
const BENCHMARK: Parameter = Parameter::number("benchmark");
const RISK_FREE_RATE: Parameter =
    Parameter::option("risk_free_rate", ValueType::ANY_NUMBER).or(Constant::Number(0.0));
const PERIODS_PER_YEAR: Parameter =
    Parameter::option("periods_per_year", ValueType::POSITIVE).or(Constant::Number(252.0));

fn float8() -> DataType {
    DataType::Float64
}

fn float8_of(_: &[FieldRef]) -> DataType {
    DataType::Float64
}
