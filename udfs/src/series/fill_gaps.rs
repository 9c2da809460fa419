//! `ts_fill_gaps()`: a row for every step of a series, with values where there were none.
//!
//! `linear` interpolates between neighbours, `forward` repeats the last value, `zero` and `mean` say what they do,
//! `seasonal` interpolates the series without its season, `none` leaves NULL. `is_filled` tells which rows are new
//! or had no value.

use std::sync::Arc;

use datafusion::arrow::array::{BooleanArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Field};

use super::{OnGap, Rules, Series};
use crate::error::Result;
use crate::forecast::finite;
use crate::math::calendar;
use crate::math::season::{Composition, seasonal_indices};
use crate::relation::{
    Argument, Bound, ColumnRef, Constant, Failure, Group, Layout, Options, Output, Signature,
    TableFunction, ValueType,
};

static SIGNATURE: Signature = Signature {
    name: "ts_fill_gaps",
    arguments: &[
        Argument::data("data"),
        super::TIMESTAMP,
        super::DATA,
        Argument::ids(),
        Argument::option(
            "method",
            ValueType::Choice(&["linear", "forward", "zero", "mean", "seasonal", "none"]),
        )
        .or(Constant::Text("linear")),
        super::FREQUENCY,
        super::SEASONAL_PERIODS,
        super::ON_DUPLICATE,
    ],
};

/// The table function `ts_fill_gaps`.
#[derive(Debug, Default)]
pub(super) struct FillGaps;

#[derive(Debug, Clone, Copy)]
enum Method {
    Linear,
    Forward,
    Zero,
    Mean,
    Seasonal,
    Leave,
}

impl TableFunction for FillGaps {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let time = layout.field(layout.column("timestamp_col")?);
        Ok(vec![
            Field::new("time", time.data_type().clone(), true),
            Field::new("value", DataType::Float64, true),
            Field::new("is_filled", DataType::Boolean, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let method = match options.text("method")? {
            "forward" => Method::Forward,
            "zero" => Method::Zero,
            "mean" => Method::Mean,
            "seasonal" => Method::Seasonal,
            "none" => Method::Leave,
            _ => Method::Linear,
        };
        Ok(Arc::new(Filler {
            time: layout.column("timestamp_col")?,
            data: layout.column("data_col")?,
            rules: super::rules(layout, options, OnGap::Keep)?,
            periods: super::periods(options),
            method,
        }))
    }
}

#[derive(Debug)]
struct Filler {
    time: ColumnRef,
    data: ColumnRef,
    rules: Rules,
    periods: Vec<usize>,
    method: Method,
}

impl Bound for Filler {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let mut series = Series::new(
            group.column(self.time),
            group.numbers(self.data)?,
            &self.rules,
        )?;
        let period = match self.periods.as_slice() {
            [] => series.default_periods().first().copied(),
            given => given.iter().copied().min(),
        };
        fill(&mut series.values, self.method, period);
        let values: Float64Array = series.values.iter().copied().map(finite).collect();
        let filled: BooleanArray = series.observed.iter().map(|seen| Some(!seen)).collect();
        let times = series.times(series.values.len(), 0)?;
        Ok(Output::new(vec![times, Arc::new(values), Arc::new(filled)]))
    }
}

fn fill(values: &mut [f64], method: Method, period: Option<usize>) {
    let known: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| !value.is_nan())
        .collect();
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    match method {
        Method::Leave => {}
        Method::Linear => calendar::interpolate(values),
        Method::Zero | Method::Mean => {
            let stand_in = if matches!(method, Method::Zero) {
                0.0
            } else {
                mean
            };
            values
                .iter_mut()
                .filter(|value| value.is_nan())
                .for_each(|value| *value = stand_in);
        }
        Method::Forward => {
            let mut last = f64::NAN;
            for value in values {
                if value.is_nan() {
                    *value = last;
                }
                last = *value;
            }
        }
        Method::Seasonal => {
            let mut rough = values.to_vec();
            calendar::interpolate(&mut rough);
            let season =
                period.and_then(|period| seasonal_indices(&rough, period, Composition::Additive));
            let Some(season) = season else {
                return calendar::interpolate(values);
            };
            let of = |t: usize| season[t % season.len()];
            let mut flat: Vec<f64> = values
                .iter()
                .enumerate()
                .map(|(t, value)| value - of(t))
                .collect();
            calendar::interpolate(&mut flat);
            for (t, value) in values.iter_mut().enumerate() {
                if value.is_nan() {
                    *value = flat[t] + of(t);
                }
            }
        }
    }
}
