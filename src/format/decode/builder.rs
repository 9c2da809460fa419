//! A column under construction: values in text or binary, one after the other, into Arrow.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, Decimal128Builder, Float32Builder, Float64Builder,
    Int16Builder, Int32Builder, Int64Builder, IntervalMonthDayNanoBuilder, LargeStringBuilder,
    ListArray, StringViewBuilder, UInt32Builder,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use tessera_catalog::sql_type::SqlType;

use super::{array, binary, datetime, interval, number, text, zone_name};
use crate::error::{Error, Result};
use crate::format::encode::Display;

/// The size of the blocks that hold the texts of a column.
const TEXT_BLOCK_BYTES: u32 = 1 << 20;

/// A column under construction.
pub struct ColumnBuilder {
    sql_type: SqlType,
    display: Display,
    arrow: DataType,
    values: Values,
}

/// The values so far, by how Arrow holds them.
enum Values {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    Oid(UInt32Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    /// The exact text of numbers without a precision.
    Numeric(LargeStringBuilder),
    /// Texts that are kept as they come.
    Text(StringViewBuilder),
    /// Texts that are checked or written anew.
    Checked(StringViewBuilder),
    Bytea(BinaryViewBuilder),
    Date(Int32Builder),
    Time(Int64Builder),
    /// Times with a zone, packed.
    Timetz(Int64Builder),
    Timestamp(Int64Builder),
    Timestamptz(Int64Builder),
    Interval(IntervalMonthDayNanoBuilder),
    List(Box<List>),
}

struct List {
    items: ColumnBuilder,
    offsets: Vec<i32>,
    valid: Vec<bool>,
    /// `int2vector` and `oidvector` are written between spaces.
    vector: bool,
    /// How many dimensions its arrays have; the items of all but the last are lists themselves.
    depth: usize,
}

impl ColumnBuilder {
    /// An empty column with room for so many values.
    ///
    /// # Errors
    ///
    /// When no values of the type can be read.
    pub fn new(sql_type: &SqlType, display: &Display, capacity: usize) -> Result<Self> {
        let arrow = match sql_type {
            SqlType::Unknown | SqlType::Void => DataType::Utf8View,
            other => other.arrow(&zone_name(display)),
        };
        let strings = || {
            StringViewBuilder::with_capacity(capacity).with_fixed_block_size(if capacity > 1 {
                TEXT_BLOCK_BYTES
            } else {
                8 * 1024
            })
        };
        let values = match sql_type {
            SqlType::Bool => Values::Bool(BooleanBuilder::with_capacity(capacity)),
            SqlType::Int2 => Values::Int2(Int16Builder::with_capacity(capacity)),
            SqlType::Int4 => Values::Int4(Int32Builder::with_capacity(capacity)),
            SqlType::Int8 => Values::Int8(Int64Builder::with_capacity(capacity)),
            SqlType::Oid | SqlType::Reg(_) => Values::Oid(UInt32Builder::with_capacity(capacity)),
            SqlType::Float4 => Values::Float4(Float32Builder::with_capacity(capacity)),
            SqlType::Float8 => Values::Float8(Float64Builder::with_capacity(capacity)),
            SqlType::Numeric(Some((precision, scale))) => {
                let builder = Decimal128Builder::with_capacity(capacity)
                    .with_precision_and_scale(*precision, *scale)
                    .map_err(|error| Error::Internal(Box::new(error)))?;
                Values::Decimal(builder, *precision, *scale)
            }
            SqlType::Text
            | SqlType::Varchar(None)
            | SqlType::Record
            | SqlType::Unknown
            | SqlType::Void => Values::Text(strings()),
            SqlType::Numeric(None) => {
                Values::Numeric(LargeStringBuilder::with_capacity(capacity, capacity * 16))
            }
            SqlType::Varchar(Some(_))
            | SqlType::Char(_)
            | SqlType::Name
            | SqlType::InternalChar
            | SqlType::Uuid
            | SqlType::Enum(_)
            | SqlType::Json
            | SqlType::Jsonb => Values::Checked(strings()),
            SqlType::Bytea => Values::Bytea(BinaryViewBuilder::with_capacity(capacity)),
            SqlType::Date => Values::Date(Int32Builder::with_capacity(capacity)),
            SqlType::Time => Values::Time(Int64Builder::with_capacity(capacity)),
            SqlType::Timetz => Values::Timetz(Int64Builder::with_capacity(capacity)),
            SqlType::Timestamp => Values::Timestamp(Int64Builder::with_capacity(capacity)),
            SqlType::Timestamptz => Values::Timestamptz(Int64Builder::with_capacity(capacity)),
            SqlType::Interval => {
                Values::Interval(IntervalMonthDayNanoBuilder::with_capacity(capacity))
            }
            SqlType::Array(item) => Values::List(Box::new(List::new(item, display, false)?)),
            SqlType::Int2Vector => {
                Values::List(Box::new(List::new(&SqlType::Int2, display, true)?))
            }
            SqlType::OidVector => Values::List(Box::new(List::new(&SqlType::Oid, display, true)?)),
        };
        Ok(Self {
            sql_type: sql_type.clone(),
            display: *display,
            arrow,
            values,
        })
    }

    /// Makes the arrays of an empty column ones of so many dimensions.
    pub fn deepen(&mut self, depth: usize) {
        for _ in 1..depth {
            let Values::List(list) = &mut self.values else {
                return;
            };
            let inner = std::mem::replace(
                list.as_mut(),
                List {
                    items: Self {
                        sql_type: self.sql_type.clone(),
                        display: self.display,
                        arrow: self.arrow.clone(),
                        values: Values::Bool(BooleanBuilder::new()),
                    },
                    offsets: vec![0],
                    valid: Vec::new(),
                    vector: false,
                    depth: 0,
                },
            );
            list.depth = inner.depth + 1;
            list.items.values = Values::List(Box::new(inner));
            let item = Field::new(Field::LIST_FIELD_DEFAULT_NAME, self.arrow.clone(), true);
            self.arrow = DataType::List(Arc::new(item));
        }
    }

    /// Appends a value given as text.
    ///
    /// # Errors
    ///
    /// PostgreSQL's error for a text that is not of the type; nothing is appended then.
    #[inline]
    pub fn append_text(&mut self, value: &str) -> Result<()> {
        match &mut self.values {
            Values::Bool(builder) => builder.append_value(text::boolean(value)?),
            Values::Int2(builder) => builder.append_value(number::int2(value)?),
            Values::Int4(builder) => builder.append_value(number::int4(value)?),
            Values::Int8(builder) => builder.append_value(number::int8(value)?),
            Values::Oid(builder) => builder.append_value(number::oid(value)?),
            Values::Float4(builder) => builder.append_value(number::float4(value)?),
            Values::Float8(builder) => builder.append_value(number::float8(value)?),
            Values::Decimal(builder, precision, scale) => {
                builder.append_value(number::decimal(value, *precision, *scale)?);
            }
            Values::Numeric(builder) => builder.append_value(number::numeric_text(value)?),
            Values::Text(builder) => builder.append_value(value),
            Values::Checked(builder) => builder.append_value(text::string(value, &self.sql_type)?),
            Values::Bytea(builder) => builder.append_value(text::bytea(value)?),
            Values::Date(builder) => builder.append_value(datetime::date(value, &self.display)?),
            Values::Time(builder) => builder.append_value(datetime::time(value, &self.display)?),
            Values::Timetz(builder) => {
                builder.append_value(datetime::timetz(value, &self.display)?.pack());
            }
            Values::Timestamp(builder) => {
                builder.append_value(datetime::timestamp(value, &self.display)?);
            }
            Values::Timestamptz(builder) => {
                builder.append_value(datetime::timestamptz(value, &self.display)?);
            }
            Values::Interval(builder) => {
                builder.append_value(interval::interval(value, self.display.interval_style)?)
            }
            Values::List(list) => list.append_text(value)?,
        }
        Ok(())
    }

    /// Appends a value given in binary.
    ///
    /// # Errors
    ///
    /// 22P03 for bytes that are not of the type's form, and the type's own errors.
    pub fn append_binary(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.values {
            Values::Bool(builder) => builder.append_value(binary::fixed::<1>(bytes)? != [0]),
            Values::Int2(builder) => {
                builder.append_value(i16::from_be_bytes(binary::fixed(bytes)?))
            }
            Values::Int4(builder) => {
                builder.append_value(i32::from_be_bytes(binary::fixed(bytes)?))
            }
            Values::Int8(builder) => {
                builder.append_value(i64::from_be_bytes(binary::fixed(bytes)?))
            }
            Values::Oid(builder) => builder.append_value(u32::from_be_bytes(binary::fixed(bytes)?)),
            Values::Float4(builder) => {
                builder.append_value(f32::from_be_bytes(binary::fixed(bytes)?))
            }
            Values::Float8(builder) => {
                builder.append_value(f64::from_be_bytes(binary::fixed(bytes)?))
            }
            Values::Decimal(builder, precision, scale) => {
                let text = binary::numeric(bytes)?;
                builder.append_value(number::decimal(&text, *precision, *scale)?);
            }
            Values::Numeric(builder) => {
                builder.append_value(number::numeric_text(&binary::numeric(bytes)?)?);
            }
            Values::Text(builder) => builder.append_value(crate::format::utf8(bytes)?),
            Values::Checked(builder) => {
                let value = binary::string(bytes, &self.sql_type)?;
                builder.append_value(text::string(&value, &self.sql_type)?);
            }
            Values::Bytea(builder) => builder.append_value(bytes),
            Values::Date(builder) => builder.append_value(binary::date(bytes)?),
            Values::Time(builder) => builder.append_value(binary::time(bytes)?),
            Values::Timetz(builder) => builder.append_value(binary::timetz(bytes)?.pack()),
            Values::Timestamp(builder) | Values::Timestamptz(builder) => {
                builder.append_value(binary::timestamp(bytes)?);
            }
            Values::Interval(builder) => builder.append_value(binary::interval(bytes)?),
            Values::List(list) => list.append_binary(bytes)?,
        }
        Ok(())
    }

    /// Appends a NULL.
    #[inline]
    pub fn append_null(&mut self) {
        match &mut self.values {
            Values::Bool(builder) => builder.append_null(),
            Values::Int2(builder) => builder.append_null(),
            Values::Int4(builder) | Values::Date(builder) => builder.append_null(),
            Values::Int8(builder)
            | Values::Time(builder)
            | Values::Timetz(builder)
            | Values::Timestamp(builder)
            | Values::Timestamptz(builder) => builder.append_null(),
            Values::Oid(builder) => builder.append_null(),
            Values::Float4(builder) => builder.append_null(),
            Values::Float8(builder) => builder.append_null(),
            Values::Decimal(builder, ..) => builder.append_null(),
            Values::Numeric(builder) => builder.append_null(),
            Values::Text(builder) | Values::Checked(builder) => builder.append_null(),
            Values::Bytea(builder) => builder.append_null(),
            Values::Interval(builder) => builder.append_null(),
            Values::List(list) => list.close(false),
        }
    }

    /// The column, in the Arrow type of its SQL type; the builder is empty again.
    ///
    /// # Errors
    ///
    /// When Arrow refuses it, which is a bug of ours.
    pub fn finish(&mut self) -> Result<ArrayRef> {
        let built: ArrayRef = match &mut self.values {
            Values::Bool(builder) => Arc::new(builder.finish()),
            Values::Int2(builder) => Arc::new(builder.finish()),
            Values::Int4(builder) => Arc::new(builder.finish()),
            Values::Int8(builder) => Arc::new(builder.finish()),
            Values::Oid(builder) => Arc::new(builder.finish()),
            Values::Float4(builder) => Arc::new(builder.finish()),
            Values::Float8(builder) => Arc::new(builder.finish()),
            Values::Decimal(builder, ..) => Arc::new(builder.finish()),
            Values::Numeric(builder) => Arc::new(builder.finish()),
            Values::Text(builder) | Values::Checked(builder) => Arc::new(builder.finish()),
            Values::Bytea(builder) => Arc::new(builder.finish()),
            Values::Interval(builder) => Arc::new(builder.finish()),
            // A change of type over the same bytes.
            Values::Date(builder) => recast(&builder.finish(), &self.arrow)?,
            Values::Time(builder)
            | Values::Timetz(builder)
            | Values::Timestamp(builder)
            | Values::Timestamptz(builder) => recast(&builder.finish(), &self.arrow)?,
            Values::List(list) => list.finish(&self.arrow)?,
        };
        Ok(built)
    }

    /// The Arrow type of the column.
    pub fn data_type(&self) -> &DataType {
        &self.arrow
    }
}

fn recast(array: &dyn arrow::array::Array, to: &DataType) -> Result<ArrayRef> {
    cast(array, to).map_err(|error| Error::Internal(Box::new(error)))
}

impl List {
    fn new(item: &SqlType, display: &Display, vector: bool) -> Result<Self> {
        let items = ColumnBuilder::new(item, display, 1)?;
        Ok(Self {
            items,
            offsets: vec![0],
            valid: Vec::new(),
            vector,
            depth: 1,
        })
    }

    /// Appends the elements of an array of these dimensions.
    fn append_elements(
        &mut self,
        sizes: &[usize],
        elements: &mut impl Iterator<Item = Option<String>>,
    ) -> Result<()> {
        let (size, inner) = match sizes {
            [size, inner @ ..] => (*size, inner),
            [] => (0, sizes),
        };
        for _ in 0..size {
            match &mut self.items.values {
                Values::List(list) if !inner.is_empty() => list.append_elements(inner, elements)?,
                _ => match elements.next().flatten() {
                    Some(element) => self.items.append_text(&element)?,
                    None => self.items.append_null(),
                },
            }
        }
        self.close(true);
        Ok(())
    }

    /// Ends the row's elements.
    fn close(&mut self, valid: bool) {
        let end = self.items.len();
        self.offsets.push(end as i32);
        self.valid.push(valid);
    }

    fn append_text(&mut self, value: &str) -> Result<()> {
        if self.vector {
            for item in array::vector(value) {
                self.items.append_text(item)?;
            }
            self.close(true);
            return Ok(());
        }
        let (sizes, elements) = array::elements(value)?;
        if !sizes.is_empty() && sizes.len() != self.depth {
            return Err(Error::Unsupported(
                "an array of several dimensions in a column or parameter".to_owned(),
            ));
        }
        self.append_elements(&sizes, &mut elements.into_iter())
    }

    fn append_binary(&mut self, bytes: &[u8]) -> Result<()> {
        for item in binary::array(bytes)? {
            match item {
                Some(item) => self.items.append_binary(item)?,
                None => self.items.append_null(),
            }
        }
        self.close(true);
        Ok(())
    }

    fn finish(&mut self, arrow: &DataType) -> Result<ArrayRef> {
        let DataType::List(field) = arrow else {
            return Err(Error::internal(format!("an array held as {arrow}")));
        };
        let items = self.items.finish()?;
        let offsets = OffsetBuffer::new(std::mem::replace(&mut self.offsets, vec![0]).into());
        let nulls = NullBuffer::from(std::mem::take(&mut self.valid));
        let list = ListArray::try_new(Arc::clone(field), offsets, items, Some(nulls));
        Ok(Arc::new(
            list.map_err(|error| Error::Internal(Box::new(error)))?,
        ))
    }
}

impl ColumnBuilder {
    /// How many values there are so far.
    pub fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match &self.values {
            Values::Bool(builder) => builder.len(),
            Values::Int2(builder) => builder.len(),
            Values::Numeric(builder) => builder.len(),
            Values::Int4(builder) | Values::Date(builder) => builder.len(),
            Values::Int8(builder)
            | Values::Time(builder)
            | Values::Timetz(builder)
            | Values::Timestamp(builder)
            | Values::Timestamptz(builder) => builder.len(),
            Values::Oid(builder) => builder.len(),
            Values::Float4(builder) => builder.len(),
            Values::Float8(builder) => builder.len(),
            Values::Decimal(builder, ..) => builder.len(),
            Values::Text(builder) | Values::Checked(builder) => builder.len(),
            Values::Bytea(builder) => builder.len(),
            Values::Interval(builder) => builder.len(),
            Values::List(list) => list.valid.len(),
        }
    }

    /// Whether there are no values yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
