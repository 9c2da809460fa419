//! `ts_decompose()`: trend, season and remainder of every series.
//!
//! `stl` takes one season length, with the settings of statsmodels' `STL`; `robust => true` weighs outliers down.
//! `mstl` takes several; `seasonal` is the sum of their parts. The parts sum to the observed value. Gaps are
//! interpolated and then count as observed.

use std::sync::Arc;

use datafusion::arrow::array::Float64Array;
use datafusion::arrow::datatypes::{DataType, Field};

use super::{OnGap, Rules, Series};
use crate::error::Result;
use crate::math::forecast::mstl;
use crate::math::stl;
use crate::relation::{
    Argument, Bound, ColumnRef, Constant, Failure, Group, Layout, Options, Output, Signature,
    TableFunction, ValueType,
};

static SIGNATURE: Signature = Signature {
    name: "ts_decompose",
    arguments: &[
        Argument::data("data"),
        super::TIMESTAMP,
        super::DATA,
        Argument::ids(),
        Argument::option("method", ValueType::Choice(&["stl", "mstl"])).or(Constant::Text("stl")),
        super::SEASONAL_PERIODS,
        Argument::option(
            "seasonal_window",
            ValueType::Integer {
                min: 3,
                max: 10_001,
            },
        )
        .or(Constant::Integer(stl::SEASONAL_WINDOW as i64)),
        Argument::option("robust", ValueType::Boolean).or(Constant::Boolean(false)),
        super::FREQUENCY,
        super::ON_DUPLICATE,
    ],
};

/// The table function `ts_decompose`.
#[derive(Debug, Default)]
pub(super) struct Decompose;

impl TableFunction for Decompose {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let time = layout.field(layout.column("timestamp_col")?);
        let number = |name| Field::new(name, DataType::Float64, true);
        Ok(vec![
            Field::new("time", time.data_type().clone(), true),
            number("observed"),
            number("trend"),
            number("seasonal"),
            number("remainder"),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(Decomposer {
            time: layout.column("timestamp_col")?,
            data: layout.column("data_col")?,
            rules: super::rules(layout, options, OnGap::Interpolate)?,
            periods: super::periods(options),
            several: options.text("method")? == "mstl",
            // Loess needs an odd window.
            window: options.count("seasonal_window")? | 1,
            robust: options.boolean("robust")?,
        }))
    }
}

#[derive(Debug)]
struct Decomposer {
    time: ColumnRef,
    data: ColumnRef,
    rules: Rules,
    periods: Vec<usize>,
    several: bool,
    window: usize,
    robust: bool,
}

impl Bound for Decomposer {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let series = Series::new(
            group.column(self.time),
            group.numbers(self.data)?,
            &self.rules,
        )?;
        let n = series.values.len();
        let found = crate::math::season::detect_period(&series.values);
        let periods = match (self.periods.as_slice(), series.default_periods()) {
            ([], []) => found.into_iter().collect::<Vec<_>>(),
            ([], usual) => usual.to_vec(),
            (given, _) => given.to_vec(),
        };
        let few = |period: usize| {
            Failure::refused(format_args!("too few observations: {n} < {}", 2 * period))
        };
        let shortest = periods.iter().copied().filter(|period| *period > 1).min();
        let Some(shortest) = shortest else {
            return Err(Failure::refused(
                "no season was found: give seasonal_periods",
            ));
        };
        let (trend, seasonal, remainder) = if self.several {
            let parts = mstl::decompose(&series.values, &periods).ok_or_else(|| few(shortest))?;
            let seasonal = (0..n).map(|t| parts.season_at(t, 0)).collect();
            (parts.trend, seasonal, parts.remainder)
        } else {
            let parts = stl::decompose(&series.values, shortest, self.window, self.robust)
                .ok_or_else(|| few(shortest))?;
            (parts.trend, parts.seasonal, parts.remainder)
        };
        let times = series.times(n, 0)?;
        // Parts of the largest numbers may be larger still.
        let column = |values: Vec<f64>| {
            let finite = values.into_iter().map(|x| x.is_finite().then_some(x));
            Arc::new(finite.collect::<Float64Array>())
        };
        Ok(Output::new(vec![
            times,
            column(series.values),
            column(trend),
            column(seasonal),
            column(remainder),
        ]))
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(32 * 8)
    }
}
