//! `unnest(array)`: a row for each element, those of inner arrays too.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err};

use super::super::error::PgError;
use super::super::function::{Call, Overload, Planned, Ret, Spec};
use super::super::types::Ty;

pub(super) const UNNEST: Spec = Spec::immutable(
    "unnest",
    &[Overload::returning(
        &[Ty::Array],
        Ret::By(flat_type),
        unnest,
    )],
);

/// The field of what lies in the innermost array.
fn leaf(item: &FieldRef) -> FieldRef {
    match item.data_type() {
        DataType::List(inner) => leaf(inner),
        _ => Arc::clone(item),
    }
}

fn flat_type(planned: &Planned<'_>) -> Result<Field> {
    match planned.fields.first().map(|field| field.data_type()) {
        Some(
            DataType::List(item)
            | DataType::LargeList(item)
            | DataType::ListView(item)
            | DataType::FixedSizeList(item, _),
        ) => Ok(Field::new("unnest", DataType::List(leaf(item)), true)),
        _ => Err(PgError::DatatypeMismatch(
            "could not determine polymorphic type because input has type unknown".to_owned(),
        )
        .into()),
    }
}

/// The array without its inner arrays; their elements follow each other.
fn flat(list: &ListArray) -> Result<ListArray> {
    let Some(inner) = list.values().as_list_opt::<i32>() else {
        return Ok(list.clone());
    };
    let at = |offset: i32| inner.value_offsets()[offset as usize];
    let offsets: Vec<i32> = list.value_offsets().iter().map(|o| at(*o)).collect();
    let DataType::List(item) = inner.data_type() else {
        return internal_err!("an array of arrays without a type");
    };
    let outer = ListArray::try_new(
        Arc::clone(item),
        OffsetBuffer::new(offsets.into()),
        Arc::clone(inner.values()),
        list.nulls().cloned(),
    )?;
    flat(&outer)
}

fn unnest(call: &Call<'_>) -> Result<ArrayRef> {
    let array = &call.args[0].array;
    match array.as_list_opt::<i32>() {
        Some(list) => Ok(Arc::new(flat(list)?)),
        None => Ok(arrow::compute::cast(array, call.ret.data_type())?),
    }
}
