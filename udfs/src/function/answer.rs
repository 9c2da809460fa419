//! What an aggregate answers, and how it becomes a value of SQL.

use std::sync::Arc;

use arrow::array::{ArrayRef, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue};

/// The type of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    Number,
    Integer,
    Text,
    /// An array of this.
    List(&'static Shape),
    /// Named fields.
    Record(&'static [(&'static str, Shape)]),
}

/// An answer; it must fit the declared [`Shape`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    Null,
    /// NULL if infinite.
    Number(f64),
    Integer(i64),
    Text(String),
    List(Vec<Answer>),
    Record(Vec<Answer>),
}

impl Answer {
    /// A number, or NULL.
    pub(crate) fn maybe(value: Option<f64>) -> Self {
        value.map_or(Answer::Null, Answer::Number)
    }

    /// A count.
    pub(crate) fn count(value: usize) -> Self {
        i64::try_from(value).map_or(Answer::Null, Answer::Integer)
    }

    /// An array of numbers.
    pub(crate) fn numbers(values: &[f64]) -> Self {
        Answer::List(values.iter().copied().map(Answer::Number).collect())
    }

    /// A record of numbers.
    pub(crate) fn record(values: &[f64]) -> Self {
        Answer::Record(values.iter().copied().map(Answer::Number).collect())
    }
}

impl Shape {
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Shape::Number => DataType::Float64,
            Shape::Integer => DataType::Int64,
            Shape::Text => DataType::Utf8,
            Shape::List(item) => {
                DataType::List(Arc::new(Field::new_list_field(item.data_type(), true)))
            }
            Shape::Record(fields) => DataType::Struct(record(fields)),
        }
    }

    /// The answer to rows with a NaN among them.
    pub(crate) fn not_a_number(self) -> Answer {
        match self {
            Shape::Number => Answer::Number(f64::NAN),
            Shape::Integer | Shape::Text | Shape::List(_) => Answer::Null,
            Shape::Record(fields) => Answer::Record(
                fields
                    .iter()
                    .map(|(_, shape)| shape.not_a_number())
                    .collect(),
            ),
        }
    }

    pub(crate) fn scalar(self, answer: Option<Answer>) -> Result<ScalarValue> {
        let null = || ScalarValue::try_from(&self.data_type());
        Ok(match (self, answer) {
            (Shape::Number, Some(Answer::Number(value))) if !value.is_infinite() => value.into(),
            (Shape::Integer, Some(Answer::Integer(value))) => value.into(),
            (Shape::Text, Some(Answer::Text(value))) => ScalarValue::Utf8(Some(value)),
            (Shape::List(item), Some(Answer::List(values))) => {
                let values = values.into_iter().map(|value| item.scalar(Some(value)));
                let values = values.collect::<Result<Vec<_>>>()?;
                let array: ArrayRef = if values.is_empty() {
                    arrow::array::new_empty_array(&item.data_type())
                } else {
                    ScalarValue::iter_to_array(values)?
                };
                SingleRowListArrayBuilder::new(array).build_list_scalar()
            }
            (Shape::Record(fields), Some(Answer::Record(values))) => {
                let mut columns = Vec::with_capacity(fields.len());
                let values = values.into_iter().map(Some).chain(std::iter::repeat(None));
                for ((_, shape), value) in fields.iter().zip(values) {
                    columns.push(shape.scalar(value)?.to_array()?);
                }
                let whole = StructArray::try_new(record(fields), columns, None::<NullBuffer>)?;
                ScalarValue::Struct(Arc::new(whole))
            }
            _ => null()?,
        })
    }
}

fn record(fields: &[(&str, Shape)]) -> Fields {
    let field = |(name, shape): &(&str, Shape)| Field::new(*name, shape.data_type(), true);
    fields.iter().map(field).collect()
}
