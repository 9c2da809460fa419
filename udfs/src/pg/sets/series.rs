//! `generate_series(start, stop [, step])` for each row: its bounds travel as a record, and its values are
//! made where they are needed.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Int32Array, Int64Array, StructArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, FieldRef, Fields, Int32Type, Int64Type,
    IntervalMonthDayNanoType, IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::{Result, internal_err};

use super::super::calendar::add_interval;
use super::super::datetime::arithmetic::shift;
use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Planned, Ret, Spec};
use super::super::types::Ty;
use super::super::value::{Interval, Timestamp, Timestamptz};
use super::super::zone::Zone;

/// The metadata key of a record that is a series.
const SERIES: &str = "tessera.series";

const I4: Ty = Ty::Int4;
const I8: Ty = Ty::Int8;
const N: Ty = Ty::Numeric;

pub(super) const GENERATE_SERIES: Spec = Spec::stable(
    "generate_series",
    &[
        Overload::returning(&[I4, I4], Ret::By(bounds_type), bounds),
        Overload::returning(&[I4, I4, I4], Ret::By(bounds_type), bounds),
        Overload::returning(&[I8, I8], Ret::By(bounds_type), bounds),
        Overload::returning(&[I8, I8, I8], Ret::By(bounds_type), bounds),
        Overload::returning(&[N, N], Ret::By(bounds_type), bounds),
        Overload::returning(&[N, N, N], Ret::By(bounds_type), bounds),
        Overload::returning(
            &[Ty::Timestamp, Ty::Timestamp, Ty::Interval],
            Ret::By(bounds_type),
            bounds,
        ),
        Overload::returning(
            &[Ty::Timestamptz, Ty::Timestamptz, Ty::Interval],
            Ret::By(bounds_type),
            bounds,
        ),
    ],
);

/// The field of a series' values, if a field is that of a series.
pub(super) fn element(set: &Field) -> Option<Field> {
    match set.data_type() {
        DataType::Struct(fields) if set.metadata().contains_key(SERIES) => {
            let start = fields.first()?.as_ref().clone();
            Some(start.with_nullable(true))
        }
        _ => None,
    }
}

/// The type of the values, from those of the arguments.
fn value_type(fields: &[FieldRef], zone: &Arc<str>) -> DataType {
    let types = || fields.iter().map(|field| field.data_type());
    let zoned = types().find(|t| matches!(t, DataType::Timestamp(_, Some(_))));
    if let Some(DataType::Timestamp(_, zone)) = zoned {
        return DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
    }
    if types().take(2).any(|t| matches!(t, DataType::Date32)) {
        return DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone)));
    }
    if types().any(|t| matches!(t, DataType::Timestamp(_, None))) {
        return DataType::Timestamp(TimeUnit::Microsecond, None);
    }
    let scale = |t: &DataType| match t {
        DataType::Decimal128(_, scale) => Some(*scale),
        DataType::Utf8View | DataType::Float32 | DataType::Float64 => Some(10),
        _ => None,
    };
    if let Some(scale) = types().filter_map(scale).max() {
        return DataType::Decimal128(38, scale);
    }
    if types().any(|t| matches!(t, DataType::Int64 | DataType::UInt32 | DataType::UInt64)) {
        DataType::Int64
    } else {
        DataType::Int32
    }
}

fn bounds_type(planned: &Planned<'_>) -> Result<Field> {
    let value = value_type(planned.fields, planned.zone);
    let step = match &value {
        DataType::Timestamp(..) => DataType::Interval(IntervalUnit::MonthDayNano),
        other => other.clone(),
    };
    let fields = vec![
        Field::new("start", value.clone(), true),
        Field::new("stop", value, true),
        Field::new("step", step, true),
    ];
    let metadata = HashMap::from([(SERIES.to_owned(), String::new())]);
    let field = Field::new("generate_series", DataType::Struct(fields.into()), true);
    Ok(field.with_metadata(metadata))
}

/// An argument as a column of this type with a value for each row.
fn column(call: &Call<'_>, index: usize, data_type: &DataType) -> Result<ArrayRef> {
    let argument = &call.args[index];
    let array = cast(&argument.array, data_type)?;
    if argument.stride != 0 || call.rows == 1 {
        return Ok(array);
    }
    let first = UInt32Array::from(vec![0; call.rows]);
    Ok(take(&array, &first, None)?)
}

fn bounds(call: &Call<'_>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = call.ret.data_type() else {
        return internal_err!("a series of {}", call.ret.data_type());
    };
    let types: Vec<&DataType> = fields.iter().map(|field| field.data_type()).collect();
    let start = column(call, 0, types[0])?;
    let stop = column(call, 1, types[1])?;
    let step = if call.args.len() > 2 {
        column(call, 2, types[2])?
    } else {
        one(types[2], call.rows)
    };
    // A series with a NULL in its bounds has no values.
    let nulls = [&start, &stop, &step]
        .into_iter()
        .map(|array| array.logical_nulls())
        .reduce(|left, right| NullBuffer::union(left.as_ref(), right.as_ref()))
        .flatten();
    let fields: Fields = fields.clone();
    Ok(Arc::new(StructArray::try_new(
        fields,
        vec![start, stop, step],
        nulls,
    )?))
}

fn one(data_type: &DataType, rows: usize) -> ArrayRef {
    match data_type {
        DataType::Int32 => Arc::new(Int32Array::from(vec![1; rows])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![1; rows])),
        DataType::Decimal128(_, scale) => {
            let one = 10_i128.pow(u32::from(scale.unsigned_abs()));
            let ones = Decimal128Array::from(vec![one; rows]);
            Arc::new(ones.with_data_type(data_type.clone()))
        }
        other => arrow::array::new_null_array(other, rows),
    }
}

/// Series of a batch, one for each row, with the place that the current one has come to.
#[derive(Debug)]
pub(super) struct AllSeries {
    bounds: StructArray,
    zone: Option<Zone>,
    current: Option<Current>,
}

/// Integers, unscaled decimals or microseconds.
#[derive(Debug, Clone, Copy)]
struct Current {
    next: i128,
    stop: i128,
    step: Step,
    descending: bool,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Number(i128),
    Time(Interval),
}

impl AllSeries {
    pub(super) fn new(array: &ArrayRef) -> Result<Self> {
        let Some(bounds) = array.as_struct_opt() else {
            return internal_err!("series of {}", array.data_type());
        };
        let zone = match bounds.column(0).data_type() {
            DataType::Timestamp(_, Some(zone)) => Some(Zone::of_type(zone)?),
            _ => None,
        };
        Ok(Self {
            bounds: bounds.clone(),
            zone,
            current: None,
        })
    }

    /// Goes to the start of a row's series.
    pub(super) fn start(&mut self, row: usize) -> PgResult<()> {
        self.current = None;
        if self.bounds.is_null(row) {
            return Ok(());
        }
        let step = match self.bounds.column(2).data_type() {
            DataType::Interval(_) => {
                let steps = self
                    .bounds
                    .column(2)
                    .as_primitive::<IntervalMonthDayNanoType>();
                Step::Time(Interval::from_arrow(steps.value(row)))
            }
            _ => Step::Number(number(self.bounds.column(2), row)),
        };
        let length = match step {
            Step::Number(step) => step,
            Step::Time(step) => step.length(),
        };
        if length == 0 {
            return Err(PgError::InvalidParameter(
                "step size cannot equal zero".to_owned(),
            ));
        }
        let (next, stop) = (
            number(self.bounds.column(0), row),
            number(self.bounds.column(1), row),
        );
        let descending = length < 0;
        let empty = if descending { next < stop } else { next > stop };
        self.current = (!empty).then_some(Current {
            next,
            stop,
            step,
            descending,
        });
        Ok(())
    }

    /// Adds up to `most` values of the current series.
    pub(super) fn write(&mut self, most: usize, out: &mut Vec<Option<i128>>) -> PgResult<usize> {
        let mut written = 0;
        while written < most {
            let Some(current) = self.current else { break };
            out.push(Some(current.next));
            written += 1;
            // The last value is not followed, so that a series may end at its type's limit.
            let next = if current.next == current.stop {
                None
            } else {
                self.after(current)?
            };
            self.current = next.map(|next| Current { next, ..current });
        }
        Ok(written)
    }

    fn after(&self, current: Current) -> PgResult<Option<i128>> {
        let micros = || i64::try_from(current.next).map_err(|_| PgError::timestamp_range());
        let next = match (current.step, &self.zone) {
            (Step::Number(step), _) => current.next.checked_add(step),
            (Step::Time(step), None) => {
                Some(i128::from(add_interval(Timestamp(micros()?), step)?.0))
            }
            (Step::Time(step), Some(zone)) => {
                Some(i128::from(shift(Timestamptz(micros()?), step, zone)?.0))
            }
        };
        Ok(next.filter(|next| match current.descending {
            true => *next >= current.stop,
            false => *next <= current.stop,
        }))
    }

    /// The column of these values.
    pub(super) fn column(&self, values: Vec<Option<i128>>) -> ArrayRef {
        let data_type = self.bounds.column(0).data_type();
        match data_type {
            DataType::Int32 => Arc::new(
                values
                    .into_iter()
                    .map(|value| value.map(|value| value as i32))
                    .collect::<Int32Array>(),
            ),
            DataType::Int64 => Arc::new(
                values
                    .into_iter()
                    .map(|value| value.map(|value| value as i64))
                    .collect::<Int64Array>(),
            ),
            DataType::Decimal128(..) => {
                Arc::new(Decimal128Array::from(values).with_data_type(data_type.clone()))
            }
            _ => {
                let micros = values.into_iter().map(|value| value.map(|v| v as i64));
                let micros = micros.collect::<TimestampMicrosecondArray>();
                Arc::new(micros.with_data_type(data_type.clone()))
            }
        }
    }
}

fn number(array: &ArrayRef, row: usize) -> i128 {
    match array.data_type() {
        DataType::Int32 => i128::from(array.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => i128::from(array.as_primitive::<Int64Type>().value(row)),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row),
        _ => i128::from(array.as_primitive::<TimestampMicrosecondType>().value(row)),
    }
}
