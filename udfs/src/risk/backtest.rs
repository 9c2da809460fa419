//! `var_backtest`: whether losses exceeded the value at risk as often as they should have, once for each group.
//!
//! The value at risk is a column of the data, or that of the `window` returns before each (historical). Rows without
//! a time or a return are left out, and with `var_col` those without a value at risk. Tests and sources:
//! [`math::risk::backtest`](crate::math::risk::backtest). Reference values: scipy 1.17.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field};

use super::dated::{DATA, Dated, TIME};
use crate::error::Result;
use crate::math::risk::backtest::{Zone, backtest, historical_breaches};
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Constant, Failure, Group, Layout, Options, Output,
    Signature, TableFunction, ValueType,
};

const MAX_WINDOW: i64 = 100_000;

static SIGNATURE: Signature = Signature {
    name: "var_backtest",
    arguments: &[
        Argument::data("data"),
        TIME,
        DATA,
        // Positive for losses.
        Argument::column("var_col", Class::Number),
        Argument::ids(),
        Argument::CONFIDENCE_LEVEL,
        Argument::option(
            "window",
            ValueType::Integer {
                min: 2,
                max: MAX_WINDOW,
            },
        )
        .or(Constant::Integer(250)),
    ],
};

/// The table function `var_backtest`.
#[derive(Debug)]
pub(crate) struct BacktestFunction;

impl TableFunction for BacktestFunction {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, _: &Layout) -> Result<Vec<Field>> {
        let counts = ["n", "breaches"].map(|name| Field::new(name, DataType::Int64, true));
        let numbers = [
            "expected",
            "kupiec_statistic",
            "kupiec_p_value",
            "independence_statistic",
            "independence_p_value",
            "christoffersen_statistic",
            "christoffersen_p_value",
        ];
        let numbers = numbers.map(|name| Field::new(name, DataType::Float64, true));
        let zone = Field::new("zone", DataType::Utf8, true);
        Ok(counts.into_iter().chain(numbers).chain([zone]).collect())
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundBacktest {
            dated: Dated::new(layout)?,
            value_at_risk: layout.columns("var_col").first().copied(),
            confidence: options.number("confidence_level")?,
            window: options.count("window")?,
        }))
    }
}

#[derive(Debug)]
struct BoundBacktest {
    dated: Dated,
    value_at_risk: Option<ColumnRef>,
    confidence: f64,
    window: usize,
}

impl BoundBacktest {
    fn breaches(&self, group: &Group<'_>) -> Result<Vec<bool>, Failure> {
        let returns = self.dated.returns(group)?;
        match self.value_at_risk {
            Some(column) => {
                let risks = returns.beside(group, column)?;
                let known = returns.values.iter().zip(risks);
                let known = known.filter(|(_, risk)| !risk.is_nan());
                Ok(known.map(|(x, risk)| *x < -risk).collect())
            }
            None => {
                let returns = returns.values;
                let (found, least) = (returns.len(), self.window + 1);
                if found < least {
                    return Err(Failure::refused(format_args!(
                        "too few observations: {found} < {least}"
                    )));
                }
                Ok(historical_breaches(&returns, self.window, self.confidence))
            }
        }
    }
}

impl Bound for BoundBacktest {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let found = backtest(&self.breaches(group)?, self.confidence)
            .ok_or_else(|| Failure::refused("too few observations: 0 < 1"))?;
        let count = |count: usize| -> ArrayRef {
            Arc::new(Int64Array::from(vec![i64::try_from(count).ok()]))
        };
        let numbers = [
            found.expected,
            found.kupiec.statistic,
            found.kupiec.p_value,
            found.independence.statistic,
            found.independence.p_value,
            found.christoffersen.statistic,
            found.christoffersen.p_value,
        ];
        let zone = match found.zone {
            Zone::Green => "green",
            Zone::Yellow => "yellow",
            Zone::Red => "red",
        };
        let mut columns = vec![count(found.observations), count(found.breaches)];
        for x in numbers {
            columns.push(Arc::new(Float64Array::from(vec![
                x.is_finite().then_some(x),
            ])));
        }
        columns.push(Arc::new(StringArray::from(vec![zone])));
        Ok(Output::new(columns))
    }
}
