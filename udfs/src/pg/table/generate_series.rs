//! `generate_series` over integers, numerics and timestamps: made batch by batch while it is read.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Decimal128Array, Int32Array, Int64Array, LargeStringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Decimal128Type, DecimalType, Field, IntervalUnit, Schema, SchemaRef, TimeUnit,
};
use arrow::record_batch::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::memory::{LazyBatchGenerator, LazyMemoryExec};
use parking_lot::RwLock;

use super::super::calendar::add_interval;
use super::super::datetime::arithmetic::shift;
use super::super::error::{PgError, PgResult};
use super::super::types::EXACT;
use super::super::value::{Interval, Timestamp, Timestamptz};
use super::super::zone::Zone;
use super::rows::{constants, undefined};

/// `generate_series(start, stop [, step])`.
#[derive(Debug)]
pub(super) struct GenerateSeries;

/// How the next value follows.
#[derive(Debug, Clone)]
enum Step {
    Int(i128),
    Local(Interval),
    Zoned(Interval, Zone),
}

/// A series and where it stands; values are integers, unscaled decimals or microseconds.
#[derive(Debug, Clone)]
struct Series {
    schema: SchemaRef,
    start: i128,
    stop: i128,
    step: Step,
    descending: bool,
    next: Option<i128>,
    batch_size: usize,
    /// How numbers are shown that have not all as many digits behind the point.
    scales: Option<Scales>,
}

/// Digits behind the point: of the first value, of those that follow, and of what is counted in.
#[derive(Debug, Clone, Copy)]
struct Scales {
    first: i8,
    next: i8,
    held: i8,
}

impl Scales {
    /// What the arguments are written with, unless it is the same for all values.
    fn of(types: &[DataType], held: i8) -> Option<Self> {
        let scale = |index: usize| match types.get(index) {
            Some(DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale)) => *scale,
            _ => 0,
        };
        let first = scale(0);
        let next = first.max(scale(2));
        (first < held).then_some(Self { first, next, held })
    }

    fn text(self, value: i128, is_first: bool) -> String {
        let scale = if is_first { self.first } else { self.next };
        let dropped = u32::from((self.held - scale).unsigned_abs());
        Decimal128Type::format_decimal(value / 10_i128.pow(dropped), 38, scale)
    }
}

impl Series {
    fn new(data_type: DataType, bounds: Option<(i128, i128)>, step: Step) -> Self {
        let schema = Arc::new(Schema::new(vec![Field::new(
            "generate_series",
            data_type,
            true,
        )]));
        let descending = match &step {
            Step::Int(step) => *step < 0,
            Step::Local(step) | Step::Zoned(step, _) => step.length() < 0,
        };
        let (start, stop) = bounds.unwrap_or((1, 0));
        let next = bounds.map(|(start, _)| start);
        Self {
            schema,
            start,
            stop,
            step,
            descending,
            next,
            batch_size: 8192,
            scales: None,
        }
    }

    /// The same series with numbers of several scales.
    fn with_scales(mut self, scales: Option<Scales>) -> Self {
        if scales.is_some() {
            let field = self.schema.field(0).clone().with_data_type(EXACT);
            self.schema = Arc::new(Schema::new(vec![field]));
            self.scales = scales;
        }
        self
    }

    fn after(&self, value: i128) -> PgResult<Option<i128>> {
        let micros = || i64::try_from(value).map_err(|_| PgError::timestamp_range());
        Ok(match &self.step {
            Step::Int(step) => value.checked_add(*step),
            Step::Local(step) => Some(i128::from(add_interval(Timestamp(micros()?), *step)?.0)),
            Step::Zoned(step, zone) => {
                Some(i128::from(shift(Timestamptz(micros()?), *step, zone)?.0))
            }
        })
    }

    fn column(&self, values: Vec<i128>) -> ArrayRef {
        let data_type = self.schema.field(0).data_type();
        match data_type {
            DataType::Int32 => Arc::new(
                values
                    .into_iter()
                    .map(|value| value as i32)
                    .collect::<Int32Array>(),
            ),
            DataType::Int64 => Arc::new(
                values
                    .into_iter()
                    .map(|value| value as i64)
                    .collect::<Int64Array>(),
            ),
            DataType::LargeUtf8 => {
                let scales = self.scales.unwrap_or(Scales {
                    first: 0,
                    next: 0,
                    held: 0,
                });
                let texts = values.into_iter();
                let texts = texts.map(|value| Some(scales.text(value, value == self.start)));
                Arc::new(texts.collect::<LargeStringArray>())
            }
            DataType::Decimal128(..) => {
                Arc::new(Decimal128Array::from(values).with_data_type(data_type.clone()))
            }
            _ => {
                let micros: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
                let array = TimestampMicrosecondArray::from(micros);
                match data_type {
                    DataType::Timestamp(_, Some(zone)) => {
                        Arc::new(array.with_timezone(Arc::clone(zone)))
                    }
                    _ => Arc::new(array),
                }
            }
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "generate_series: start={}, stop={}",
            self.start, self.stop
        )
    }
}

impl LazyBatchGenerator for Series {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn generate_next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut values = Vec::with_capacity(self.batch_size);
        while values.len() < self.batch_size {
            let Some(value) = self.next else { break };
            let past = if self.descending {
                value < self.stop
            } else {
                value > self.stop
            };
            if past {
                self.next = None;
                break;
            }
            values.push(value);
            // The last value is not followed, so that a series may end at its type's limit.
            self.next = if value == self.stop {
                None
            } else {
                self.after(value)?
            };
        }
        if values.is_empty() {
            return Ok(None);
        }
        let column = self.column(values);
        Ok(Some(RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![column],
        )?))
    }

    fn reset_state(&self) -> Arc<RwLock<dyn LazyBatchGenerator>> {
        let empty = if self.descending {
            self.start < self.stop
        } else {
            self.start > self.stop
        };
        let next = (!empty).then_some(self.start);
        Arc::new(RwLock::new(Self {
            next,
            ..self.clone()
        }))
    }
}

#[async_trait]
impl TableProvider for Series {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let wanted = state.config_options().execution.batch_size.get();
        let batch_size = limit.unwrap_or(wanted).min(wanted).max(1);
        let series: Arc<RwLock<dyn LazyBatchGenerator>> = Arc::new(RwLock::new(Self {
            batch_size,
            ..self.clone()
        }));
        let exec = LazyMemoryExec::try_new(Arc::clone(&self.schema), vec![series])?;
        Ok(Arc::new(exec.with_projection(projection.cloned())))
    }
}

impl TableFunctionImpl for GenerateSeries {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let values = constants("generate_series", args.exprs())?;
        let zone: Arc<str> = Arc::from(
            args.session()
                .config_options()
                .execution
                .time_zone
                .as_deref()
                .unwrap_or("UTC"),
        );
        Ok(Arc::new(series(&values, &zone)?))
    }
}

fn series(values: &[ScalarValue], zone: &Arc<str>) -> Result<Series> {
    if !(2..=3).contains(&values.len()) {
        return Err(undefined("generate_series", values));
    }
    let types: Vec<DataType> = values.iter().map(ScalarValue::data_type).collect();
    let bounds = &types[..2];
    let any = |wanted: fn(&DataType) -> bool| bounds.iter().any(wanted);
    if any(|data_type| {
        matches!(
            data_type,
            DataType::Timestamp(_, Some(_)) | DataType::Date32
        )
    }) {
        return moments(
            values,
            DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone))),
        );
    }
    if any(|data_type| matches!(data_type, DataType::Timestamp(_, None))) {
        return moments(values, DataType::Timestamp(TimeUnit::Microsecond, None));
    }
    if types.iter().any(|data_type| {
        matches!(
            data_type,
            DataType::Decimal128(..) | DataType::Decimal256(..)
        )
    }) {
        let scale = types.iter().map(|data_type| match data_type {
            DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) => *scale,
            _ => 0,
        });
        let held = scale.max().unwrap_or(0);
        let series = numbers(values, DataType::Decimal128(38, held))?;
        return Ok(series.with_scales(Scales::of(&types, held)));
    }
    let small = types.iter().all(|data_type| {
        matches!(
            data_type,
            DataType::Int16 | DataType::Int32 | DataType::Null
        )
    });
    let whole = types
        .iter()
        .all(|data_type| data_type.is_integer() || data_type.is_null() || data_type.is_string());
    if !whole {
        return Err(undefined("generate_series", values));
    }
    numbers(
        values,
        if small {
            DataType::Int32
        } else {
            DataType::Int64
        },
    )
}

fn numbers(values: &[ScalarValue], data_type: DataType) -> Result<Series> {
    let number = |value: &ScalarValue| {
        Ok::<_, datafusion::error::DataFusionError>(match value.cast_to(&data_type)? {
            ScalarValue::Int32(value) => value.map(i128::from),
            ScalarValue::Int64(value) => value.map(i128::from),
            ScalarValue::Decimal128(value, ..) => value,
            _ => None,
        })
    };
    let one = match &data_type {
        DataType::Decimal128(_, scale) => 10_i128.pow(u32::from(scale.unsigned_abs())),
        _ => 1,
    };
    let step = match values.get(2) {
        Some(step) => number(step)?,
        None => Some(one),
    };
    if step == Some(0) {
        return Err(PgError::InvalidParameter("step size cannot equal zero".to_owned()).into());
    }
    let bounds = match (number(&values[0])?, number(&values[1])?, step) {
        (Some(start), Some(stop), Some(_)) => Some((start, stop)),
        _ => None,
    };
    Ok(Series::new(data_type, bounds, Step::Int(step.unwrap_or(1))))
}

fn moments(values: &[ScalarValue], data_type: DataType) -> Result<Series> {
    let Some(step) = values.get(2) else {
        return Err(undefined("generate_series", values));
    };
    let zone = match &data_type {
        DataType::Timestamp(_, Some(zone)) => Some(Zone::of_type(zone)?),
        _ => None,
    };
    let moment = |value: &ScalarValue| -> Result<Option<i128>> {
        // A date or a timestamp without zone is a wall clock's, which a cast would read as UTC.
        let local = matches!(
            value.data_type(),
            DataType::Date32 | DataType::Timestamp(_, None)
        );
        let target = if local {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        } else {
            data_type.clone()
        };
        let micros = match value.cast_to(&target)? {
            ScalarValue::TimestampMicrosecond(micros, _) => micros,
            _ => None,
        };
        Ok(match (micros, &zone, local) {
            (Some(micros), Some(zone), true) => Some(i128::from(zone.moment(Timestamp(micros))?.0)),
            (micros, ..) => micros.map(i128::from),
        })
    };
    let step = match step.cast_to(&DataType::Interval(IntervalUnit::MonthDayNano))? {
        ScalarValue::IntervalMonthDayNano(step) => step.map(Interval::from_arrow),
        _ => None,
    };
    if step.is_some_and(|step| step.length() == 0) {
        return Err(PgError::InvalidParameter("step size cannot equal zero".to_owned()).into());
    }
    let bounds = match (moment(&values[0])?, moment(&values[1])?, step) {
        (Some(start), Some(stop), Some(_)) => Some((start, stop)),
        _ => None,
    };
    let step = step.unwrap_or_default();
    let step = match zone {
        Some(zone) => Step::Zoned(step, zone),
        None => Step::Local(step),
    };
    Ok(Series::new(data_type, bounds, step))
}
