//! Array functions that the engine lacks or answers differently; `array_append`, `array_prepend` and `array_cat`
//! are the engine's.

pub(in crate::pg) mod any;

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array, make_comparator};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{SortOptions, cast, interleave, take};
use arrow::datatypes::{DataType, Field, Int64Type};
use datafusion::common::Result;

use super::error::PgError;
use super::function::{Call, Overload, Planned, Ret, Spec};
use super::output::put;
use super::text::MAX_ITEMS;
use super::types::Ty;
use super::value::{List, Reader, elements, rows, text_rows};

/// How deep lists are nested.
fn dimensions(data_type: &DataType) -> i32 {
    match data_type {
        DataType::List(item) => 1 + dimensions(item.data_type()),
        _ => 0,
    }
}

/// The length of this dimension, from 1; `None` where an array is empty or not so deep.
fn length_of(array: &ArrayRef, row: usize, dimension: i32) -> Option<i32> {
    if dimension < 1 || !matches!(array.data_type(), DataType::List(_)) {
        return None;
    }
    let items = elements(array, row);
    if items.is_empty() {
        return None;
    }
    if dimension == 1 {
        return i32::try_from(items.len()).ok();
    }
    items
        .is_valid(0)
        .then(|| length_of(&items, 0, dimension - 1))
        .flatten()
}

/// The length of a dimension, or its first or last subscript.
fn bound(call: &Call<'_>, answer: fn(i32) -> i32) -> Result<ArrayRef> {
    let dimension = Reader::<i32>::of(call, 1)?;
    rows(call, |row| {
        let (Some(at), Some(dimension)) = (call.at(0, row), dimension.get(row)?) else {
            return Ok(None);
        };
        Ok(length_of(&call.args[0].array, at, dimension).map(answer))
    })
}

fn leaves(array: &ArrayRef, row: usize) -> i32 {
    let items = elements(array, row);
    match items.data_type() {
        DataType::List(_) => (0..items.len())
            .filter(|index| items.is_valid(*index))
            .map(|index| leaves(&items, index))
            .sum(),
        _ => i32::try_from(items.len()).unwrap_or(i32::MAX),
    }
}

/// Compares the elements of argument 0 with the values of another argument.
struct Search<'a> {
    list: &'a ListArray,
    compare: Box<dyn Fn(usize, usize) -> Ordering + Send + Sync>,
    stride: usize,
}

impl<'a> Search<'a> {
    fn of(call: &'a Call<'_>, index: usize) -> Result<Option<Self>> {
        let Some(list) = call.args[0].array.as_list_opt::<i32>() else {
            return Ok(None);
        };
        let arg = &call.args[index];
        let value = cast(&arg.array, list.values().data_type())?;
        let compare = make_comparator(list.values(), &value, SortOptions::default())?;
        Ok(Some(Self {
            list,
            compare,
            stride: arg.stride,
        }))
    }

    /// The range of the row's elements in the flat values.
    fn range(&self, at: usize) -> std::ops::Range<usize> {
        let offsets = self.list.value_offsets();
        offsets[at] as usize..offsets[at + 1] as usize
    }

    fn equal(&self, element: usize, row: usize) -> bool {
        (self.compare)(element, row * self.stride) == Ordering::Equal
    }
}

fn refuse_nested(call: &Call<'_>, what: &str) -> Result<()> {
    if dimensions(call.args[0].array.data_type()) > 1 {
        return Err(PgError::NotSupported(format!(
            "{what} multidimensional arrays is not supported"
        ))
        .into());
    }
    Ok(())
}

fn position(call: &Call<'_>) -> Result<ArrayRef> {
    refuse_nested(call, "searching for elements in")?;
    let search = Search::of(call, 1)?;
    let start = if call.args.len() > 2 {
        Some(Reader::<i32>::of(call, 2)?)
    } else {
        None
    };
    rows(call, |row| {
        let (Some(search), Some(at)) = (&search, call.at(0, row)) else {
            return Ok(None);
        };
        let from = match &start {
            Some(start) => match start.get(row)? {
                Some(start) => usize::try_from(start - 1).unwrap_or(0),
                None => {
                    return Err(PgError::NullNotAllowed(
                        "initial position must not be null".to_owned(),
                    ));
                }
            },
            None => 0,
        };
        let range = search.range(at);
        let found = range
            .clone()
            .skip(from)
            .find(|element| search.equal(*element, row));
        Ok(found.map(|element| (element - range.start) as i32 + 1))
    })
}

fn positions(call: &Call<'_>) -> Result<ArrayRef> {
    refuse_nested(call, "searching for elements in")?;
    let search = Search::of(call, 1)?;
    rows(call, |row| {
        let (Some(search), Some(at)) = (&search, call.at(0, row)) else {
            return Ok(None);
        };
        let range = search.range(at);
        let found = range.clone().filter(|element| search.equal(*element, row));
        Ok(Some(List(
            found
                .map(|element| Some((element - range.start) as i32 + 1))
                .collect(),
        )))
    })
}

/// A list column for the call's rows.
fn list(
    call: &Call<'_>,
    like: &ListArray,
    values: ArrayRef,
    lengths: Vec<usize>,
    valid: Vec<bool>,
) -> Result<ArrayRef> {
    let item = match call.ret.data_type() {
        DataType::List(item) => Arc::clone(item),
        _ => Arc::new(arrow::datatypes::Field::new_list_field(
            like.value_type(),
            true,
        )),
    };
    Ok(Arc::new(ListArray::try_new(
        item,
        OffsetBuffer::from_lengths(lengths),
        values,
        Some(NullBuffer::from(valid)),
    )?))
}

/// All equal elements go, where the engine's function of this name takes the first only.
fn remove(call: &Call<'_>) -> Result<ArrayRef> {
    refuse_nested(call, "removing elements from")?;
    let Some(search) = Search::of(call, 1)? else {
        return Ok(Arc::clone(&call.args[0].array));
    };
    let (mut kept, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let at = call.at(0, row);
        let before = kept.len();
        if let Some(at) = at {
            kept.extend(
                search
                    .range(at)
                    .filter(|element| !search.equal(*element, row))
                    .map(|element| element as u32),
            );
        }
        lengths.push(kept.len() - before);
        valid.push(at.is_some());
    }
    let values = take(search.list.values(), &UInt32Array::from(kept), None)?;
    list(call, search.list, values, lengths, valid)
}

/// All equal elements are replaced, where the engine's function of this name replaces the first only.
fn replace(call: &Call<'_>) -> Result<ArrayRef> {
    let Some(search) = Search::of(call, 1)? else {
        return Ok(Arc::clone(&call.args[0].array));
    };
    let with = cast(&call.args[2].array, search.list.values().data_type())?;
    let stride = call.args[2].stride;
    let (mut picks, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let at = call.at(0, row);
        let range = at.map_or(0..0, |at| search.range(at));
        lengths.push(range.len());
        valid.push(at.is_some());
        picks.extend(range.map(|element| {
            if search.equal(element, row) {
                (1, row * stride)
            } else {
                (0, element)
            }
        }));
    }
    let values = if picks.is_empty() {
        search.list.values().slice(0, 0)
    } else {
        interleave(&[search.list.values().as_ref(), with.as_ref()], &picks)?
    };
    list(call, search.list, values, lengths, valid)
}

fn dims(call: &Call<'_>) -> Result<ArrayRef> {
    let array = &call.args[0].array;
    text_rows(call, |row, out| {
        let Some(at) = call.at(0, row) else {
            return Ok(false);
        };
        for dimension in 1..=dimensions(array.data_type()) {
            match length_of(array, at, dimension) {
                Some(length) => put!(out, "[1:{length}]"),
                None => return Ok(false),
            }
        }
        Ok(true)
    })
}

/// The last `n` elements go.
fn trim(call: &Call<'_>) -> Result<ArrayRef> {
    let Some(array) = call.args[0].array.as_list_opt::<i32>() else {
        return Ok(Arc::clone(&call.args[0].array));
    };
    let counts = Reader::<i32>::of(call, 1)?;
    let (mut kept, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let before = kept.len();
        let chosen = call.at(0, row).zip(counts.get(row)?);
        if let Some((at, count)) = chosen {
            let offsets = array.value_offsets();
            let (start, end) = (offsets[at], offsets[at + 1]);
            if count < 0 || count > end - start {
                let text = format!(
                    "number of elements to trim must be between 0 and {}",
                    end - start
                );
                return Err(PgError::ArraySubscript(text).into());
            }
            kept.extend((start..end - count).map(|element| element as u32));
        }
        lengths.push(kept.len() - before);
        valid.push(chosen.is_some());
    }
    let values = take(array.values(), &UInt32Array::from(kept), None)?;
    list(call, array, values, lengths, valid)
}

/// An array of one dimension with the same value everywhere.
fn fill(call: &Call<'_>) -> Result<ArrayRef> {
    let value = &call.args[0];
    let dimensions = cast(
        &call.args[1].array,
        &DataType::new_list(DataType::Int64, true),
    )?;
    let (mut picks, mut lengths) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        let Some(at) = call.at(1, row) else {
            return Err(PgError::NullNotAllowed(
                "dimension array or low bound array cannot be null".to_owned(),
            )
            .into());
        };
        let sizes = elements(&dimensions, at);
        let sizes = sizes.as_primitive::<Int64Type>();
        if sizes.len() > 1 {
            return Err(PgError::NotSupported(
                "array_fill makes arrays of one dimension".to_owned(),
            )
            .into());
        }
        let length = if sizes.is_empty() {
            0
        } else {
            usize::try_from(sizes.value(0)).unwrap_or(0)
        };
        if length + picks.len() > MAX_ITEMS {
            return Err(PgError::ProgramLimit(format!(
                "array size exceeds the maximum allowed ({MAX_ITEMS})"
            ))
            .into());
        }
        picks.extend(std::iter::repeat_n((row * value.stride) as u32, length));
        lengths.push(length);
    }
    let values = take(&value.array, &UInt32Array::from(picks), None)?;
    let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(
        item,
        OffsetBuffer::from_lengths(lengths),
        values,
        None,
    )?))
}

fn list_of_first(planned: &Planned<'_>) -> Result<Field> {
    let item = planned
        .fields
        .first()
        .map_or(DataType::Null, |field| field.data_type().clone());
    Ok(Field::new_list(
        "array_fill",
        Field::new_list_field(item, true),
        true,
    ))
}

const SPECS: &[Spec] = &[
    Spec::immutable(
        "trim_array",
        &[Overload::returning(
            &[Ty::Array, Ty::Int4],
            Ret::Arg(0),
            trim,
        )],
    ),
    Spec::immutable(
        "array_fill",
        &[Overload::returning(
            &[Ty::Any, Ty::Array],
            Ret::By(list_of_first),
            fill,
        )],
    ),
    Spec::immutable(
        "array_length",
        &[Overload::new(&[Ty::Array, Ty::Int4], Ty::Int4, |call| {
            bound(call, |length| length)
        })],
    ),
    Spec::immutable(
        "array_upper",
        &[Overload::new(&[Ty::Array, Ty::Int4], Ty::Int4, |call| {
            bound(call, |length| length)
        })],
    ),
    Spec::immutable(
        "array_lower",
        &[Overload::new(&[Ty::Array, Ty::Int4], Ty::Int4, |call| {
            bound(call, |_| 1)
        })],
    ),
    Spec::immutable(
        "array_ndims",
        &[Overload::new(&[Ty::Array], Ty::Int4, |call| {
            rows(call, |row| {
                let array = &call.args[0].array;
                let Some(at) = call.at(0, row) else {
                    return Ok(None);
                };
                Ok(length_of(array, at, 1).map(|_| dimensions(array.data_type())))
            })
        })],
    ),
    Spec::immutable("array_dims", &[Overload::new(&[Ty::Array], Ty::Text, dims)]),
    Spec::immutable(
        "cardinality",
        &[Overload::new(&[Ty::Array], Ty::Int4, |call| {
            rows(call, |row| {
                Ok(call.at(0, row).map(|at| leaves(&call.args[0].array, at)))
            })
        })],
    ),
    Spec::immutable(
        "array_position",
        &[
            Overload::new(&[Ty::Array, Ty::Any], Ty::Int4, position),
            Overload::new(&[Ty::Array, Ty::Any, Ty::Int4], Ty::Int4, position),
        ],
    ),
    Spec::immutable(
        "array_positions",
        &[Overload::returning(
            &[Ty::Array, Ty::Any],
            Ret::ListOf(Ty::Int4),
            positions,
        )],
    ),
    Spec::immutable(
        "array_remove",
        &[Overload::returning(
            &[Ty::Array, Ty::Any],
            Ret::Arg(0),
            remove,
        )],
    ),
    Spec::immutable(
        "array_replace",
        &[Overload::returning(
            &[Ty::Array, Ty::Any, Ty::Any],
            Ret::Arg(0),
            replace,
        )],
    ),
];

/// The functions on arrays.
pub(crate) fn specs() -> Vec<Spec> {
    SPECS.to_vec()
}
