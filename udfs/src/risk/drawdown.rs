//! Measures of losses from a peak: `max_drawdown`, `drawdown_info`, `calmar_ratio`, `ulcer_index`, `pain_index`.
//! They take `ORDER BY`; depths are positive fractions of the peak. Wealth starts at one before the first return.
//! Reference values: empyrical-reloaded.

use std::sync::Arc;

use arrow::array::UInt32Array;
use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StructArray, new_null_array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue};

use super::returns::annual_return;
use super::{PERIODS_PER_YEAR, RET, float8, float8_of};
use crate::function::{AggregateSpec, Declaration, Parameter, Role, Rows, Work};
use crate::math::exact::ExactSum;
use crate::math::risk::drawdown::{Drawdown, deepest, describe, drawdowns};
use crate::relation::Options;

pub(super) static ALL: &[AggregateSpec] = &[
    // The greatest 1 - W / max(W), W the product of 1 + r so far. 0 if nothing was lost.
    ordered("max_drawdown", &[RET], |rows, _| {
        Ok(defined(deepest(rows.numbers(0))))
    }),
    // Annual return over the maximal drawdown. Young (1991). NULL if nothing was lost.
    ordered("calmar_ratio", &[RET, PERIODS_PER_YEAR], calmar),
    // √mean(d²) of the drawdowns after each period. Martin, McCann (1989).
    ordered("ulcer_index", &[RET], |rows, _| {
        Ok(mean_drawdown(rows, |depth| depth * depth, f64::sqrt))
    }),
    // mean(d) of the drawdowns after each period.
    ordered("pain_index", &[RET], |rows, _| {
        Ok(mean_drawdown(rows, |depth| depth, |mean| mean))
    }),
    // The deepest drawdown with its times, which are NULL where there is none: a peak before the first row, a
    // recovery that has not come. NULL if nothing was lost.
    AggregateSpec {
        declaration: Declaration {
            name: "drawdown_info",
            role: Role::OrderedAggregate,
            parameters: &[RET, Parameter::order_key("at")],
            returns: || DataType::Struct(Fields::empty()),
        },
        returns: |fields| DataType::Struct(info_fields(fields)),
        work: Work::Rows(info),
    },
];

const fn ordered(
    name: &'static str,
    parameters: &'static [Parameter],
    finish: fn(&Rows, &Options) -> Result<ScalarValue>,
) -> AggregateSpec {
    AggregateSpec {
        declaration: Declaration {
            name,
            role: Role::OrderedAggregate,
            parameters,
            returns: float8,
        },
        returns: float8_of,
        work: Work::Rows(finish),
    }
}

fn defined(x: f64) -> ScalarValue {
    ScalarValue::Float64((!x.is_infinite()).then_some(x))
}

fn calmar(rows: &Rows, options: &Options) -> Result<ScalarValue> {
    let returns = rows.numbers(0);
    let mut logs = ExactSum::default();
    returns.iter().for_each(|x| logs.add(x.ln_1p()));
    let growth = annual_return(
        returns.len(),
        logs.twofold(),
        options.number("periods_per_year")?,
    );
    Ok(match deepest(returns) {
        0.0 => ScalarValue::Float64(None),
        depth => defined(growth / depth),
    })
}

fn mean_drawdown(rows: &Rows, of: fn(f64) -> f64, then: fn(f64) -> f64) -> ScalarValue {
    let returns = rows.numbers(0);
    let sum: f64 = drawdowns(returns).map(of).sum();
    defined(then(sum / returns.len() as f64))
}

fn info_fields(fields: &[FieldRef]) -> Fields {
    let at = fields
        .get(1)
        .map_or(DataType::Null, |field| field.data_type().clone());
    Fields::from(vec![
        Field::new("max_drawdown", DataType::Float64, true),
        Field::new("peak_at", at.clone(), true),
        Field::new("trough_at", at.clone(), true),
        Field::new("recovered_at", at, true),
        Field::new("periods", DataType::Int64, true),
    ])
}

fn info(rows: &Rows, _: &Options) -> Result<ScalarValue> {
    let times = rows.column(1);
    let fields = info_fields(&[
        Arc::new(Field::new("ret", DataType::Float64, true)),
        Arc::new(Field::new("at", times.data_type().clone(), true)),
    ]);
    let array: ArrayRef = match describe(rows.numbers(0)) {
        Some(found) => Arc::new(StructArray::try_new(fields, columns(&found, times)?, None)?),
        None => new_null_array(&DataType::Struct(fields), 1),
    };
    ScalarValue::try_from_array(&array, 0)
}

fn columns(found: &Drawdown, times: &ArrayRef) -> Result<Vec<ArrayRef>> {
    let at = |place: Option<usize>| {
        let place = place.and_then(|place| u32::try_from(place).ok());
        take(times, &UInt32Array::from(vec![place]), None)
    };
    Ok(vec![
        Arc::new(Float64Array::from(vec![found.depth])),
        at(found.peak)?,
        at(Some(found.trough))?,
        at(found.recovery)?,
        Arc::new(Int64Array::from(vec![i64::try_from(found.length).ok()])),
    ])
}
