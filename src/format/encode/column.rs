//! One column of a batch, opened for writing: its Arrow array under its SQL type.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Decimal128Array, Decimal256Array,
    Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray,
    LargeStringArray, StringArray, StringViewArray, UInt32Array, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type,
    Int32Type, Int64Type, IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType,
    Time64NanosecondType, TimeUnit, TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use tessera_catalog::enum_type::EnumType;
use tessera_catalog::sql_type::SqlType;

use crate::error::{Error, Result};

/// One column of a batch, opened for writing.
#[derive(Debug)]
pub struct Column {
    nulls: Option<NullBuffer>,
    pub(super) values: Values,
}

/// The values of a column, by the form they are written in.
#[derive(Debug)]
pub(super) enum Values {
    AllNull,
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    /// As Arrow counts; to a client it is an int8.
    Unsigned(UInt64Array),
    Oid(UInt32Array),
    /// The number of an object and its name, which is its text.
    Object(UInt32Array, Strings),
    Float4(Float32Array),
    Float8(Float64Array),
    Decimal(Decimal128Array, i8),
    WideDecimal(Decimal256Array, i8),
    /// A numeric that is kept as its exact text.
    NumericText(Strings),
    Text(Strings),
    /// `char(n)`, padded to its length in characters.
    Padded(Strings, usize),
    Bytea(BinaryViewArray),
    Date(Int32Array),
    Time(Int64Array),
    /// Times with a zone, packed.
    Timetz(Int64Array),
    Timestamp(Int64Array),
    Timestamptz(Int64Array),
    Interval(IntervalMonthDayNanoArray),
    Uuid(Strings),
    /// Words of an enum of which some are stored under another name.
    Words(Strings, Arc<EnumType>),
    Jsonb(Strings),
    List(List),
    /// `int2vector` and `oidvector`: an array with its own text form, counted from 0.
    Vector(List),
    Struct(Vec<Field>),
}

/// Text in any of Arrow's layouts.
#[derive(Debug)]
pub(super) enum Strings {
    Small(StringArray),
    Large(LargeStringArray),
    View(StringViewArray),
}

/// A list column: where each row's elements lie, and the elements.
#[derive(Debug)]
pub(super) struct List {
    pub(super) offsets: OffsetBuffer<i64>,
    pub(super) items: Box<Column>,
    pub(super) item_type: SqlType,
}

/// A field of a record column.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) sql_type: SqlType,
    pub(super) column: Column,
}

impl Strings {
    #[inline]
    pub(super) fn value(&self, row: usize) -> &str {
        match self {
            Self::Small(array) => array.value(row),
            Self::Large(array) => array.value(row),
            Self::View(array) => array.value(row),
        }
    }

    fn open(array: &ArrayRef) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Utf8 => Self::Small(array.as_string::<i32>().clone()),
            DataType::LargeUtf8 => Self::Large(array.as_string::<i64>().clone()),
            DataType::Utf8View => Self::View(array.as_string_view().clone()),
            _ => Self::View(
                convert(array, &DataType::Utf8View)?
                    .as_string_view()
                    .clone(),
            ),
        })
    }
}

impl Column {
    /// Opens an array as a column of the SQL type; other Arrow forms of the same type are converted.
    ///
    /// # Errors
    ///
    /// When the array holds nothing of that type, which is a bug of ours.
    pub fn open(array: &ArrayRef, sql_type: &SqlType) -> Result<Self> {
        let array = match array.data_type() {
            DataType::Dictionary(_, value) => &convert(array, value)?,
            DataType::RunEndEncoded(_, value) => &convert(array, value.data_type())?,
            _ => array,
        };
        if *array.data_type() == DataType::Null {
            return Ok(Self {
                nulls: None,
                values: Values::AllNull,
            });
        }
        let values = open_values(array, sql_type)?;
        Ok(Self {
            nulls: array.logical_nulls(),
            values,
        })
    }

    /// Whether the row's value is NULL.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        match (&self.nulls, &self.values) {
            (_, Values::AllNull) => true,
            (_, Values::Object(numbers, _)) => numbers.is_null(row),
            (Some(nulls), _) => nulls.is_null(row),
            (None, _) => false,
        }
    }
}

fn open_values(array: &ArrayRef, sql_type: &SqlType) -> Result<Values> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    Ok(match sql_type {
        SqlType::Bool => Values::Bool(convert(array, &DataType::Boolean)?.as_boolean().clone()),
        SqlType::Int2 => Values::Int2(
            convert(array, &DataType::Int16)?
                .as_primitive::<Int16Type>()
                .clone(),
        ),
        SqlType::Int4 => Values::Int4(
            convert(array, &DataType::Int32)?
                .as_primitive::<Int32Type>()
                .clone(),
        ),
        SqlType::Int8 if *array.data_type() == DataType::UInt64 => {
            Values::Unsigned(array.as_primitive::<UInt64Type>().clone())
        }
        SqlType::Int8 => Values::Int8(
            convert(array, &DataType::Int64)?
                .as_primitive::<Int64Type>()
                .clone(),
        ),
        SqlType::Reg(_) if array.as_struct_opt().is_some() => open_object(array)?,
        SqlType::Oid | SqlType::Reg(_) => Values::Oid(
            convert(array, &DataType::UInt32)?
                .as_primitive::<UInt32Type>()
                .clone(),
        ),
        SqlType::Float4 => Values::Float4(
            convert(array, &DataType::Float32)?
                .as_primitive::<Float32Type>()
                .clone(),
        ),
        SqlType::Float8 => Values::Float8(
            convert(array, &DataType::Float64)?
                .as_primitive::<Float64Type>()
                .clone(),
        ),
        SqlType::Numeric(_) => open_numeric(array)?,
        SqlType::Char(length) if *length > 0 => {
            Values::Padded(Strings::open(array)?, *length as usize)
        }
        SqlType::Text
        | SqlType::Varchar(_)
        | SqlType::Char(_)
        | SqlType::Name
        | SqlType::InternalChar
        | SqlType::Json
        | SqlType::Unknown
        | SqlType::Void => Values::Text(Strings::open(array)?),
        SqlType::Bytea => Values::Bytea(
            convert(array, &DataType::BinaryView)?
                .as_binary_view()
                .clone(),
        ),
        SqlType::Date => {
            let days = convert(array, &DataType::Date32)?;
            Values::Date(days.as_primitive::<Date32Type>().reinterpret_cast())
        }
        SqlType::Time => {
            let time = convert(array, &DataType::Time64(TimeUnit::Microsecond))?;
            Values::Time(
                time.as_primitive::<Time64MicrosecondType>()
                    .reinterpret_cast(),
            )
        }
        SqlType::Timetz => {
            let times = array.as_primitive_opt::<Time64NanosecondType>();
            let times = times.ok_or_else(|| Error::internal("a zoned time held otherwise"))?;
            Values::Timetz(times.reinterpret_cast())
        }
        SqlType::Timestamp => Values::Timestamp(convert_moment(array, &micros)?),
        SqlType::Timestamptz => {
            let zone = match array.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            Values::Timestamptz(convert_moment(
                array,
                &DataType::Timestamp(TimeUnit::Microsecond, zone),
            )?)
        }
        SqlType::Interval => {
            let interval = convert(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            Values::Interval(interval.as_primitive::<IntervalMonthDayNanoType>().clone())
        }
        SqlType::Enum(enumerated) if enumerated.is_renamed() => {
            Values::Words(Strings::open(array)?, Arc::clone(enumerated))
        }
        SqlType::Enum(_) => Values::Text(Strings::open(array)?),
        SqlType::Uuid => Values::Uuid(Strings::open(array)?),
        SqlType::Jsonb => Values::Jsonb(Strings::open(array)?),
        SqlType::Int2Vector => Values::Vector(List::open(array, &SqlType::Int2)?),
        SqlType::OidVector => Values::Vector(List::open(array, &SqlType::Oid)?),
        SqlType::Array(item) => Values::List(List::open(array, item)?),
        SqlType::Record => match array.as_struct_opt() {
            Some(record) => {
                let fields = record.fields().iter().zip(record.columns());
                let opened = fields.map(|(field, array)| {
                    let sql_type = SqlType::of(field);
                    let column = Column::open(array, &sql_type)?;
                    Ok(Field { sql_type, column })
                });
                Values::Struct(opened.collect::<Result<_>>()?)
            }
            None => Values::Text(Strings::open(array)?),
        },
    })
}

/// A number and its name, as two fields.
fn open_object(array: &ArrayRef) -> Result<Values> {
    match array.as_struct().columns() {
        [number, name] => Ok(Values::Object(
            convert(number, &DataType::UInt32)?
                .as_primitive::<UInt32Type>()
                .clone(),
            Strings::open(name)?,
        )),
        _ => Err(Error::internal("an object without its name")),
    }
}

fn open_numeric(array: &ArrayRef) -> Result<Values> {
    Ok(match array.data_type() {
        DataType::Decimal128(_, scale) => {
            Values::Decimal(array.as_primitive::<Decimal128Type>().clone(), *scale)
        }
        DataType::Decimal256(_, scale) => {
            Values::WideDecimal(array.as_primitive::<Decimal256Type>().clone(), *scale)
        }
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            let wide = convert(array, &DataType::Decimal128(*precision, *scale))?;
            Values::Decimal(wide.as_primitive::<Decimal128Type>().clone(), *scale)
        }
        _ => Values::NumericText(Strings::open(array)?),
    })
}

impl List {
    fn open(array: &ArrayRef, item_type: &SqlType) -> Result<Self> {
        let (offsets, items): (OffsetBuffer<i64>, ArrayRef) = match array.data_type() {
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let wide: Vec<i64> = list
                    .offsets()
                    .iter()
                    .map(|offset| i64::from(*offset))
                    .collect();
                (OffsetBuffer::new(wide.into()), Arc::clone(list.values()))
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                (list.offsets().clone(), Arc::clone(list.values()))
            }
            DataType::FixedSizeList(field, _) => {
                return Self::open(
                    &convert(array, &DataType::LargeList(Arc::clone(field)))?,
                    item_type,
                );
            }
            DataType::ListView(field) | DataType::LargeListView(field) => {
                return Self::open(
                    &convert(array, &DataType::LargeList(Arc::clone(field)))?,
                    item_type,
                );
            }
            other => return Err(Error::internal(format!("an array held as {other}"))),
        };
        // An array of arrays is one array of more dimensions: its items are of the same element type.
        let nested = matches!(
            items.data_type(),
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _)
        ) && !matches!(item_type, SqlType::Int2Vector | SqlType::OidVector);
        let items = if nested {
            Column {
                nulls: items.logical_nulls(),
                values: Values::List(Self::open(&items, item_type)?),
            }
        } else {
            Column::open(&items, item_type)?
        };
        Ok(Self {
            offsets,
            items: Box::new(items),
            item_type: item_type.clone(),
        })
    }

    /// The rows of `items` that are the elements of this row.
    pub(super) fn range(&self, row: usize) -> std::ops::Range<usize> {
        self.offsets[row] as usize..self.offsets[row + 1] as usize
    }
}

/// Timestamps in microseconds; the extremes of any unit mean infinity and stay so.
fn convert_moment(array: &ArrayRef, to: &DataType) -> Result<Int64Array> {
    let moments = convert(array, to)?;
    Ok(moments
        .as_primitive::<TimestampMicrosecondType>()
        .reinterpret_cast())
}

fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(Arc::clone(array));
    }
    cast(array, to).map_err(|error| Error::Internal(Box::new(error)))
}
