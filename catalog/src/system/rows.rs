//! Rows of a system table on their way into Arrow arrays, only the columns that a scan reads.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float32Builder, Float64Builder, Int16Builder, Int32Builder,
    Int64Builder, IntervalMonthDayNanoBuilder, LargeStringBuilder, ListArray, NullBufferBuilder,
    StringViewBuilder, TimestampMicrosecondBuilder, UInt32Builder, new_null_array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;

use super::table::Column;
use crate::id::Oid;

/// One value of a row. Times are microseconds since 1970, intervals microseconds.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Cow<'a, str>),
    List(Vec<Value<'a>>),
}

/// Takes rows column by column; see [`row!`].
pub(super) struct Rows {
    slots: Vec<Slot>,
    /// Columns that a filter compares with constants, and the constants.
    wanted: Vec<(String, Vec<ScalarValue>)>,
    cursor: usize,
    count: usize,
}

struct Slot {
    name: &'static str,
    builder: Option<Builder>,
}

/// Adds a row: its columns by name in the table's order. Values of columns that the scan does not
/// read are not computed; columns left out are NULL.
macro_rules! row {
    ($rows:expr, $($name:ident: $value:expr),+ $(,)?) => {{
        let rows: &mut $crate::system::rows::Rows = $rows;
        $(
            if rows.wants(stringify!($name)) {
                rows.put($crate::system::rows::Value::from($value));
            }
        )+
        rows.end();
    }};
}
pub(super) use row;

impl Rows {
    /// No rows yet; `projection` lists the columns to keep, all of them if `None`.
    pub(super) fn new(
        columns: &[Column],
        fields: &[FieldRef],
        projection: Option<&Vec<usize>>,
        wanted: Vec<(String, Vec<ScalarValue>)>,
    ) -> Self {
        let kept = |index: usize| projection.is_none_or(|kept| kept.contains(&index));
        let slots = columns
            .iter()
            .zip(fields)
            .enumerate()
            .map(|(index, (column, field))| Slot {
                name: column.name,
                builder: kept(index).then(|| Builder::new(field.data_type())),
            })
            .collect();
        Self {
            slots,
            wanted,
            cursor: 0,
            count: 0,
        }
    }

    /// The numbers that the scan looks for in a column, each once, if a filter names them.
    pub(super) fn numbers(&self, column: &str) -> Option<Vec<u32>> {
        let values = self.constants(column)?;
        let mut numbers = values
            .iter()
            .map(|value| value.cast_to(&DataType::Int64).ok())
            .try_fold(Vec::new(), |mut all, value| {
                if let ScalarValue::Int64(number) = value? {
                    all.extend(number.and_then(|n| u32::try_from(n).ok()));
                }
                Some(all)
            })?;
        // A join lists what it looks for as often as it has it.
        numbers.sort_unstable();
        numbers.dedup();
        Some(numbers)
    }

    /// Whether a row with this text in a column can be of use.
    pub(super) fn may_have(&self, column: &str, text: &str) -> bool {
        self.constants(column).is_none_or(|values| {
            values
                .iter()
                .any(|value| value.try_as_str().flatten().is_none_or(|v| v == text))
        })
    }

    fn constants(&self, column: &str) -> Option<&[ScalarValue]> {
        let found = self.wanted.iter().find(|(name, _)| name == column)?;
        Some(&found.1)
    }

    /// Moves to a column and tells whether its value is needed.
    pub(super) fn wants(&mut self, name: &str) -> bool {
        while let Some(slot) = self.slots.get_mut(self.cursor) {
            if slot.name == name {
                if slot.builder.is_none() {
                    self.cursor += 1;
                    return false;
                }
                return true;
            }
            slot.put(&Value::Null);
            self.cursor += 1;
        }
        debug_assert!(false, "no column {name} here");
        false
    }

    /// Gives the value of the column that was asked for last.
    pub(super) fn put(&mut self, value: Value<'_>) {
        if let Some(slot) = self.slots.get_mut(self.cursor) {
            slot.put(&value);
            self.cursor += 1;
        }
    }

    /// Ends a row.
    pub(super) fn end(&mut self) {
        for slot in self.slots.iter_mut().skip(self.cursor) {
            slot.put(&Value::Null);
        }
        self.cursor = 0;
        self.count += 1;
    }

    /// The number of rows, and the arrays of the kept columns in the table's order.
    pub(super) fn finish(self) -> (usize, Vec<(usize, ArrayRef)>) {
        let arrays = self
            .slots
            .into_iter()
            .enumerate()
            .filter_map(|(index, slot)| {
                let builder = slot.builder?;
                Some((index, builder.finish()))
            });
        (self.count, arrays.collect())
    }
}

impl Slot {
    fn put(&mut self, value: &Value<'_>) {
        if let Some(builder) = &mut self.builder {
            builder.put(value);
        }
    }
}

/// Collects values of one Arrow type.
pub(super) enum Builder {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    UInt32(UInt32Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Text(StringViewBuilder),
    /// Numbers without a bound, which are texts of digits.
    Number(LargeStringBuilder),
    Time(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    List {
        item: FieldRef,
        values: Box<Builder>,
        ends: Vec<i32>,
        valid: NullBufferBuilder,
    },
    /// A type of which the catalogs only ever hold NULL.
    Nulls(usize, DataType),
}

impl Builder {
    /// An empty one for `data_type`.
    pub(super) fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Int16 => Self::Int16(Int16Builder::new()),
            DataType::Int32 => Self::Int32(Int32Builder::new()),
            DataType::Int64 => Self::Int64(Int64Builder::new()),
            DataType::UInt32 => Self::UInt32(UInt32Builder::new()),
            DataType::Float32 => Self::Float32(Float32Builder::new()),
            DataType::Float64 => Self::Float64(Float64Builder::new()),
            DataType::Utf8View => Self::Text(StringViewBuilder::new()),
            DataType::LargeUtf8 => Self::Number(LargeStringBuilder::new()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Time(TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()))
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => {
                Self::Interval(IntervalMonthDayNanoBuilder::new())
            }
            DataType::List(item) => Self::List {
                item: Arc::clone(item),
                values: Box::new(Self::new(item.data_type())),
                ends: vec![0],
                valid: NullBufferBuilder::new(0),
            },
            other => Self::Nulls(0, other.clone()),
        }
    }

    /// Appends a value; one that does not fit the type is NULL.
    pub(super) fn put(&mut self, value: &Value<'_>) {
        let int = match value {
            Value::Int(n) => Some(*n),
            _ => None,
        };
        match self {
            Self::Bool(b) => b.append_option(match value {
                Value::Bool(v) => Some(*v),
                _ => None,
            }),
            Self::Int16(b) => b.append_option(int.and_then(|n| i16::try_from(n).ok())),
            Self::Int32(b) => b.append_option(int.and_then(|n| i32::try_from(n).ok())),
            Self::Int64(b) => b.append_option(int),
            Self::UInt32(b) => b.append_option(int.and_then(|n| u32::try_from(n).ok())),
            Self::Float32(b) => b.append_option(float(value).map(|n| n as f32)),
            Self::Float64(b) => b.append_option(float(value)),
            Self::Text(b) => b.append_option(match value {
                Value::Text(text) => Some(text.as_ref()),
                _ => None,
            }),
            Self::Number(b) => b.append_option(match value {
                Value::Text(digits) => Some(digits.as_ref()),
                _ => None,
            }),
            Self::Time(b) => b.append_option(int),
            Self::Interval(b) => b.append_option(
                int.map(|micros| IntervalMonthDayNano::new(0, 0, micros.saturating_mul(1000))),
            ),
            Self::List {
                values,
                ends,
                valid,
                ..
            } => {
                let last = ends.last().copied().unwrap_or(0);
                if let Value::List(items) = value {
                    items.iter().for_each(|item| values.put(item));
                    ends.push(last + items.len() as i32);
                    valid.append_non_null();
                } else {
                    ends.push(last);
                    valid.append_null();
                }
            }
            Self::Nulls(count, _) => *count += 1,
        }
    }

    /// The array of all values.
    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Self::Bool(mut b) => Arc::new(b.finish()),
            Self::Int16(mut b) => Arc::new(b.finish()),
            Self::Int32(mut b) => Arc::new(b.finish()),
            Self::Int64(mut b) => Arc::new(b.finish()),
            Self::UInt32(mut b) => Arc::new(b.finish()),
            Self::Float32(mut b) => Arc::new(b.finish()),
            Self::Float64(mut b) => Arc::new(b.finish()),
            Self::Text(mut b) => Arc::new(b.finish()),
            Self::Number(mut b) => Arc::new(b.finish()),
            Self::Time(mut b) => Arc::new(b.finish()),
            Self::Interval(mut b) => Arc::new(b.finish()),
            Self::List {
                item,
                values,
                ends,
                mut valid,
            } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(ListArray::new(
                    item,
                    offsets,
                    values.finish(),
                    valid.finish(),
                ))
            }
            Self::Nulls(count, data_type) => new_null_array(&data_type, count),
        }
    }
}

fn float(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Float(n) => Some(*n),
        Value::Int(n) => Some(*n as f64),
        _ => None,
    }
}

macro_rules! from_number {
    ($($number:ty),+) => {$(
        impl From<$number> for Value<'_> {
            fn from(value: $number) -> Self {
                Self::Int(i64::from(value))
            }
        }
    )+};
}
from_number!(i16, i32, i64, u32);

impl From<Oid> for Value<'_> {
    fn from(value: Oid) -> Self {
        Self::Int(i64::from(value.0))
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value<'_> {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(value: &'a str) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(value: &'a String) -> Self {
        Self::Text(Cow::Borrowed(value))
    }
}

impl From<String> for Value<'_> {
    fn from(value: String) -> Self {
        Self::Text(Cow::Owned(value))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(value: Cow<'a, str>) -> Self {
        Self::Text(value)
    }
}

impl From<char> for Value<'_> {
    fn from(value: char) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a, T: Into<Value<'a>>> From<Vec<T>> for Value<'a> {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}
