//! Rust values in and out of Arrow columns, so that a function is written as one on plain values.
//!
//! [`map1`] to [`map4`] are strict: a NULL argument gives NULL without asking the function.
//! The `text` forms write into one buffer that is used for every row.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, BooleanBuilder,
    Decimal128Array, LargeStringArray, LargeStringBuilder, ListArray, PrimitiveArray,
    PrimitiveBuilder, StringViewArray, StringViewBuilder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, IntervalMonthDayNanoType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType,
};
use datafusion::common::{Result, internal_datafusion_err, internal_err};

use super::error::{PgError, PgResult};
use super::function::Call;
use super::numeric::Numeric;

/// A date: days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date(pub(crate) i32);
/// A time of day, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Time(pub(crate) i64);
/// A time of day with its zone. A column holds both as one number whose order is SQL's: first the moment
/// in UTC, then the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timetz {
    pub(crate) micros: i64,
    /// Seconds west of Greenwich, less than [`ZONE_LIMIT`].
    pub(crate) west: i32,
}
/// A timestamp without zone: microseconds since 1970-01-01 by the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(pub(crate) i64);
/// A timestamp with zone: microseconds since 1970-01-01 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamptz(pub(crate) i64);

/// An interval: months, days and time are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interval {
    pub(crate) months: i32,
    pub(crate) days: i32,
    pub(crate) micros: i64,
}

/// Bytes, borrowed from the column or read from text.
pub(crate) type Bytes<'a> = Cow<'a, [u8]>;

/// A value that a column holds.
pub(crate) trait FromColumn<'a>: Sized {
    type Column: Copy;
    fn column(array: &'a ArrayRef) -> Result<Self::Column>;
    fn value(column: Self::Column, row: usize) -> PgResult<Self>;
}

fn wrong_type<A: Array + 'static>(array: &ArrayRef) -> Result<&A> {
    let found = array.data_type();
    array
        .as_any()
        .downcast_ref::<A>()
        .ok_or_else(|| internal_datafusion_err!("unexpected column of type {found}"))
}

impl<'a> FromColumn<'a> for &'a str {
    type Column = &'a StringViewArray;
    fn column(array: &'a ArrayRef) -> Result<Self::Column> {
        wrong_type(array)
    }
    fn value(column: Self::Column, row: usize) -> PgResult<Self> {
        Ok(column.value(row))
    }
}

impl<'a> FromColumn<'a> for bool {
    type Column = &'a BooleanArray;
    fn column(array: &'a ArrayRef) -> Result<Self::Column> {
        wrong_type(array)
    }
    fn value(column: Self::Column, row: usize) -> PgResult<Self> {
        Ok(column.value(row))
    }
}

impl<'a> FromColumn<'a> for Bytes<'a> {
    type Column = (Option<&'a BinaryArray>, Option<&'a StringViewArray>);
    fn column(array: &'a ArrayRef) -> Result<Self::Column> {
        match array.data_type() {
            DataType::Binary => Ok((Some(wrong_type(array)?), None)),
            _ => Ok((None, Some(wrong_type(array)?))),
        }
    }
    fn value(column: Self::Column, row: usize) -> PgResult<Self> {
        match column {
            (Some(bytes), _) => Ok(Cow::Borrowed(bytes.value(row))),
            (None, Some(text)) => super::text::encode::bytea_in(text.value(row)).map(Cow::Owned),
            (None, None) => Ok(Cow::Borrowed(&[])),
        }
    }
}

impl<'a> FromColumn<'a> for Numeric {
    type Column = (
        Option<(&'a Decimal128Array, i32)>,
        Option<&'a LargeStringArray>,
    );
    fn column(array: &'a ArrayRef) -> Result<Self::Column> {
        match array.data_type() {
            DataType::Decimal128(_, scale) => {
                Ok((Some((wrong_type(array)?, i32::from(*scale))), None))
            }
            _ => Ok((None, Some(wrong_type(array)?))),
        }
    }
    fn value(column: Self::Column, row: usize) -> PgResult<Self> {
        match column {
            (Some((decimals, scale)), _) => Ok(Numeric::new(decimals.value(row), scale)),
            (None, Some(text)) => Numeric::parse(text.value(row)),
            (None, None) => Ok(Numeric::new(0, 0)),
        }
    }
}

macro_rules! primitive {
    ($rust:ty, $arrow:ty, $from:expr, $into:expr) => {
        impl<'a> FromColumn<'a> for $rust {
            type Column = &'a PrimitiveArray<$arrow>;
            fn column(array: &'a ArrayRef) -> Result<Self::Column> {
                wrong_type(array)
            }
            fn value(column: Self::Column, row: usize) -> PgResult<Self> {
                Ok($from(column.value(row)))
            }
        }

        impl IntoColumn for $rust {
            fn build(
                rows: usize,
                ret: &DataType,
                next: impl FnMut(usize) -> Result<Option<Self>>,
            ) -> Result<ArrayRef> {
                primitive::<$arrow, Self>(rows, ret, next, $into)
            }
        }
    };
}

/// A value that a column is made of.
pub(crate) trait IntoColumn: Sized {
    fn build(
        rows: usize,
        ret: &DataType,
        next: impl FnMut(usize) -> Result<Option<Self>>,
    ) -> Result<ArrayRef>;
}

fn primitive<T: ArrowPrimitiveType, V>(
    rows: usize,
    ret: &DataType,
    mut next: impl FnMut(usize) -> Result<Option<V>>,
    into: impl Fn(V) -> T::Native,
) -> Result<ArrayRef> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(rows).with_data_type(ret.clone());
    for row in 0..rows {
        builder.append_option(next(row)?.map(&into));
    }
    Ok(Arc::new(builder.finish()))
}

primitive!(i16, Int16Type, |v| v, |v| v);
primitive!(i32, Int32Type, |v| v, |v| v);
primitive!(i64, Int64Type, |v| v, |v| v);
primitive!(f32, Float32Type, |v| v, |v| v);
primitive!(f64, Float64Type, |v| v, |v| v);
primitive!(Date, Date32Type, Date, |v: Date| v.0);
primitive!(Time, Time64MicrosecondType, Time, |v: Time| v.0);
primitive!(Timetz, Time64NanosecondType, Timetz::unpack, Timetz::pack);
primitive!(
    Timestamp,
    TimestampMicrosecondType,
    Timestamp,
    |v: Timestamp| v.0
);
primitive!(
    Timestamptz,
    TimestampMicrosecondType,
    Timestamptz,
    |v: Timestamptz| v.0
);
primitive!(
    Interval,
    IntervalMonthDayNanoType,
    Interval::from_arrow,
    Interval::into_arrow
);

/// Zones are less than 16 hours from Greenwich, in seconds.
const ZONE_LIMIT: i64 = 16 * 3600;
/// Enough for twice the limit.
const ZONE_BITS: u32 = 17;

impl Timetz {
    /// The number that a column holds.
    pub(crate) fn pack(self) -> i64 {
        let west = i64::from(self.west);
        let utc = self.micros + (west + ZONE_LIMIT) * super::calendar::SECOND;
        (utc << ZONE_BITS) | (west + ZONE_LIMIT)
    }

    /// The time that such a number stands for.
    pub(crate) fn unpack(packed: i64) -> Self {
        let west = (packed & ((1 << ZONE_BITS) - 1)) - ZONE_LIMIT;
        let utc = packed >> ZONE_BITS;
        Self {
            micros: utc - (west + ZONE_LIMIT) * super::calendar::SECOND,
            west: west as i32,
        }
    }
}

impl Interval {
    pub(crate) fn from_arrow(value: arrow::datatypes::IntervalMonthDayNano) -> Self {
        Self {
            months: value.months,
            days: value.days,
            micros: value.nanoseconds / 1000,
        }
    }

    pub(crate) fn into_arrow(self) -> arrow::datatypes::IntervalMonthDayNano {
        // The time part of Arrow's interval ends at 292 years; functions keep whole days apart where they can.
        arrow::datatypes::IntervalMonthDayNano::new(
            self.months,
            self.days,
            self.micros.saturating_mul(1000),
        )
    }
}

impl IntoColumn for bool {
    fn build(
        rows: usize,
        _: &DataType,
        mut next: impl FnMut(usize) -> Result<Option<Self>>,
    ) -> Result<ArrayRef> {
        let mut builder = BooleanBuilder::with_capacity(rows);
        for row in 0..rows {
            builder.append_option(next(row)?);
        }
        Ok(Arc::new(builder.finish()))
    }
}

impl IntoColumn for String {
    fn build(
        rows: usize,
        _: &DataType,
        mut next: impl FnMut(usize) -> Result<Option<Self>>,
    ) -> Result<ArrayRef> {
        let mut builder = StringViewBuilder::with_capacity(rows);
        for row in 0..rows {
            builder.append_option(next(row)?);
        }
        Ok(Arc::new(builder.finish()))
    }
}

impl IntoColumn for Vec<u8> {
    fn build(
        rows: usize,
        _: &DataType,
        mut next: impl FnMut(usize) -> Result<Option<Self>>,
    ) -> Result<ArrayRef> {
        let mut builder = BinaryBuilder::with_capacity(rows, 0);
        for row in 0..rows {
            builder.append_option(next(row)?);
        }
        Ok(Arc::new(builder.finish()))
    }
}

impl IntoColumn for Numeric {
    fn build(
        rows: usize,
        ret: &DataType,
        mut next: impl FnMut(usize) -> Result<Option<Self>>,
    ) -> Result<ArrayRef> {
        match ret {
            DataType::Decimal128(precision, scale) => {
                let mut values: Vec<Option<i128>> = Vec::with_capacity(rows);
                for row in 0..rows {
                    values.push(match next(row)? {
                        Some(value) => Some(value.fit(*precision, *scale)?),
                        None => None,
                    });
                }
                Ok(Arc::new(
                    Decimal128Array::from(values).with_data_type(ret.clone()),
                ))
            }
            DataType::LargeUtf8 => {
                let mut builder = LargeStringBuilder::with_capacity(rows, rows * 16);
                let mut text = Vec::with_capacity(48);
                for row in 0..rows {
                    match next(row)? {
                        Some(value) => {
                            text.clear();
                            value.write(&mut text);
                            builder.append_value(ascii(&text));
                        }
                        None => builder.append_null(),
                    }
                }
                Ok(Arc::new(builder.finish()))
            }
            other => internal_err!("a numeric can't be returned as {other}"),
        }
    }
}

/// Digits and the names of special numbers, as the text that they are.
pub(crate) fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).unwrap_or_default()
}

impl<T> IntoColumn for Option<T>
where
    T: IntoColumn,
{
    fn build(
        rows: usize,
        ret: &DataType,
        mut next: impl FnMut(usize) -> Result<Option<Self>>,
    ) -> Result<ArrayRef> {
        T::build(rows, ret, |row| Ok(next(row)?.flatten()))
    }
}

/// The elements of one array value.
pub(crate) struct List<T>(pub(crate) Vec<Option<T>>);

impl<T: IntoColumn> IntoColumn for List<T> {
    fn build(
        rows: usize,
        ret: &DataType,
        mut next: impl FnMut(usize) -> Result<Option<Self>>,
    ) -> Result<ArrayRef> {
        let DataType::List(item) = ret else {
            return internal_err!("an array can't be returned as {ret}");
        };
        let mut items: Vec<Option<T>> = Vec::new();
        let mut lengths = Vec::with_capacity(rows);
        let mut valid = Vec::with_capacity(rows);
        for row in 0..rows {
            let list = next(row)?;
            valid.push(list.is_some());
            let list = list.map(|list| list.0).unwrap_or_default();
            lengths.push(list.len());
            items.extend(list);
        }
        let count = items.len();
        let mut items = items.into_iter();
        let values = T::build(count, item.data_type(), |_| Ok(items.next().flatten()))?;
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(
            Arc::clone(item),
            offsets,
            values,
            Some(NullBuffer::from(valid)),
        )?))
    }
}

/// The elements of the array at `row` of a list column, as an array of their own.
pub(crate) fn elements(array: &ArrayRef, row: usize) -> ArrayRef {
    array.as_list::<i32>().value(row)
}

/// What a text function says of the row it has just written: `()` always a value, `bool` whether it is one.
pub(crate) trait Written {
    fn written(self) -> bool;
}

impl Written for () {
    fn written(self) -> bool {
        true
    }
}

impl Written for bool {
    fn written(self) -> bool {
        self
    }
}

/// Builds any column row by row.
pub(crate) fn rows<R: IntoColumn>(
    call: &Call<'_>,
    mut f: impl FnMut(usize) -> PgResult<Option<R>>,
) -> Result<ArrayRef> {
    R::build(call.rows, call.ret.data_type(), |row| Ok(f(row)?))
}

/// Builds a text column row by row; `f` says whether the row is a value or NULL.
pub(crate) fn text_rows(
    call: &Call<'_>,
    mut f: impl FnMut(usize, &mut String) -> PgResult<bool>,
) -> Result<ArrayRef> {
    let mut builder = StringViewBuilder::with_capacity(call.rows);
    let mut out = String::new();
    let mut total = 0;
    for row in 0..call.rows {
        out.clear();
        if f(row, &mut out)? {
            total += out.len();
            if total > super::text::MAX_COLUMN_BYTES {
                return Err(PgError::too_large().into());
            }
            builder.append_value(&out);
        } else {
            builder.append_null();
        }
    }
    Ok(Arc::new(builder.finish()))
}

/// One argument of a call, ready to be read row by row.
pub(crate) struct Reader<'a, A: FromColumn<'a>> {
    array: &'a ArrayRef,
    column: A::Column,
    stride: usize,
}

impl<'a, A: FromColumn<'a>> Reader<'a, A> {
    /// Argument `index` of the call.
    pub(crate) fn of(call: &'a Call<'_>, index: usize) -> Result<Self> {
        let Some(arg) = call.args.get(index) else {
            return internal_err!("{} has no argument {index}", call.name);
        };
        Ok(Self {
            array: &arg.array,
            column: A::column(&arg.array)?,
            stride: arg.stride,
        })
    }

    /// The value for this row, or `None` if it is NULL.
    pub(crate) fn get(&self, row: usize) -> PgResult<Option<A>> {
        let row = row * self.stride;
        if self.array.is_null(row) {
            return Ok(None);
        }
        A::value(self.column, row).map(Some)
    }
}

macro_rules! strict {
    ($map:ident, $text:ident, $($arg:ident $ty:ident $index:literal),+) => {
        /// A strict function of this many arguments.
        pub(crate) fn $map<'a, $($ty: FromColumn<'a>,)+ R: IntoColumn>(
            call: &'a Call<'_>,
            mut f: impl FnMut($($ty),+) -> PgResult<R>,
        ) -> Result<ArrayRef> {
            $(let $arg = Reader::<$ty>::of(call, $index)?;)+
            rows(call, |row| {
                $(let Some($arg) = $arg.get(row)? else { return Ok(None) };)+
                f($($arg),+).map(Some)
            })
        }

        /// A strict function of this many arguments that writes text.
        pub(crate) fn $text<'a, $($ty: FromColumn<'a>,)+ W: Written>(
            call: &'a Call<'_>,
            mut f: impl FnMut($($ty,)+ &mut String) -> PgResult<W>,
        ) -> Result<ArrayRef> {
            $(let $arg = Reader::<$ty>::of(call, $index)?;)+
            text_rows(call, |row, out| {
                $(let Some($arg) = $arg.get(row)? else { return Ok(false) };)+
                f($($arg,)+ out).map(Written::written)
            })
        }
    };
}

strict!(map1, text1, a A 0);
strict!(map2, text2, a A 0, b B 1);
strict!(map3, text3, a A 0, b B 1, c C 2);
strict!(map4, text4, a A 0, b B 1, c C 2, d D 3);

/// The last thing made from a text, kept for the next row that has the same text.
pub(crate) struct Memo<T> {
    last: Option<(String, T)>,
}

impl<T> Memo<T> {
    pub(crate) fn new() -> Self {
        Self { last: None }
    }

    pub(crate) fn get(
        &mut self,
        key: &str,
        make: impl FnOnce(&str) -> PgResult<T>,
    ) -> PgResult<&T> {
        let known = matches!(&self.last, Some((last, _)) if last == key);
        if !known {
            self.last = None;
        }
        match &mut self.last {
            Some((_, value)) => Ok(value),
            empty => Ok(&empty.insert((key.to_owned(), make(key)?)).1),
        }
    }
}
