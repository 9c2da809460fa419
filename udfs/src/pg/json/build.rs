//! `to_json`, `json_build_object`, `json_build_array` and their jsonb forms.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};
use datafusion::common::Result;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Spec};
use super::super::output::{
    is_json, put, write_f32, write_f64, write_moment, write_number, write_value,
};
use super::super::text::check_length;
use super::super::types::Ty;
use super::super::value::{Timestamptz, text_rows};
use super::super::zone::Zone;
use super::{parse, write_string};

/// Writes any value as JSON.
pub(crate) fn write_json(
    out: &mut String,
    array: &ArrayRef,
    field: &Field,
    row: usize,
) -> Result<()> {
    if array.is_null(row) || array.data_type().is_null() {
        out.push_str("null");
        return Ok(());
    }
    let mut text = String::new();
    match array.data_type() {
        DataType::Boolean => put!(out, "{}", array.as_boolean().value(row)),
        DataType::Float32 | DataType::Float64 => {
            let finite = match array.data_type() {
                DataType::Float32 => {
                    let value = array.as_primitive::<Float32Type>().value(row);
                    write_f32(&mut text, value);
                    value.is_finite()
                }
                _ => {
                    let value = array.as_primitive::<Float64Type>().value(row);
                    write_f64(&mut text, value);
                    value.is_finite()
                }
            };
            if finite {
                out.push_str(&text);
            } else {
                write_string(out, &text);
            }
        }
        DataType::List(item) => {
            let items = array.as_list::<i32>().value(row);
            out.push('[');
            for index in 0..items.len() {
                if index > 0 {
                    out.push(',');
                }
                write_json(out, &items, item, index)?;
            }
            out.push(']');
        }
        DataType::Struct(fields) => {
            out.push('{');
            for (index, (column, field)) in
                array.as_struct().columns().iter().zip(fields).enumerate()
            {
                if index > 0 {
                    out.push(',');
                }
                write_string(out, field.name());
                out.push(':');
                write_json(out, column, field, row)?;
            }
            out.push('}');
        }
        DataType::Timestamp(_, Some(zone)) => {
            write_moment(&mut text, array, row, 'T')?;
            full_offset(&mut text, zone, array, row)?;
            write_string(out, &text);
        }
        _ if write_number(out, array, row) => {}
        _ if write_moment(&mut text, array, row, 'T')? => write_string(out, &text),
        _ => {
            write_value(&mut text, array, row)?;
            if is_json(field) {
                out.push_str(&text);
            } else {
                write_string(out, &text);
            }
        }
    }
    check_length(out.len())?;
    Ok(())
}

/// JSON's offsets have minutes, unlike those of text.
fn full_offset(text: &mut String, zone: &str, array: &ArrayRef, row: usize) -> Result<()> {
    let target = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some(zone.into()));
    let micros = arrow::compute::cast(&array.slice(row, 1), &target)?;
    let micros = micros
        .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
        .value(0);
    if micros != i64::MAX
        && micros != i64::MIN
        && Zone::of_type(zone)?.offset_at(Timestamptz(micros)) % 3600 == 0
    {
        let end = text.strip_suffix(" BC").map_or(text.len(), str::len);
        text.insert_str(end, ":00");
    }
    Ok(())
}

/// Writes the text as jsonb prints it.
fn as_jsonb(text: &str, out: &mut String) -> PgResult<()> {
    parse(text)?.canonical().write(out);
    Ok(())
}

/// Builds text row by row and prints it as json or as jsonb.
fn build(
    call: &Call<'_>,
    jsonb: bool,
    mut make: impl FnMut(usize, &mut String) -> PgResult<bool>,
) -> Result<ArrayRef> {
    let mut text = String::new();
    text_rows(call, |row, out| {
        if !jsonb {
            return make(row, out);
        }
        text.clear();
        let written = make(row, &mut text)?;
        if written {
            as_jsonb(&text, out)?;
        }
        Ok(written)
    })
}

fn argument(call: &Call<'_>, index: usize, row: usize, out: &mut String) -> PgResult<()> {
    let arg = &call.args[index];
    write_json(out, &arg.array, &call.fields[index], row * arg.stride).map_err(PgError::of_engine)
}

fn to_json(call: &Call<'_>, jsonb: bool) -> Result<ArrayRef> {
    build(call, jsonb, |row, out| {
        if call.at(0, row).is_none() {
            return Ok(false);
        }
        argument(call, 0, row, out).map(|()| true)
    })
}

fn build_array(call: &Call<'_>, jsonb: bool) -> Result<ArrayRef> {
    build(call, jsonb, |row, out| {
        out.push('[');
        for index in 0..call.args.len() {
            if index > 0 {
                out.push_str(", ");
            }
            argument(call, index, row, out)?;
        }
        out.push(']');
        Ok(true)
    })
}

/// Writes a value as the key of an object.
pub(super) fn write_key(out: &mut String, array: &ArrayRef, row: usize) -> PgResult<()> {
    let mut text = String::new();
    write_value(&mut text, array, row).map_err(PgError::of_engine)?;
    if matches!(array.data_type(), DataType::Boolean) {
        text = array.as_boolean().value(row).to_string();
    }
    write_string(out, &text);
    Ok(())
}

fn build_object(call: &Call<'_>, jsonb: bool) -> Result<ArrayRef> {
    if !call.args.len().is_multiple_of(2) {
        return Err(PgError::InvalidParameter(
            "argument list must have even number of elements".to_owned(),
        )
        .into());
    }
    build(call, jsonb, |row, out| {
        out.push('{');
        for index in (0..call.args.len()).step_by(2) {
            if index > 0 {
                out.push_str(", ");
            }
            let Some(at) = call.at(index, row) else {
                let text = match jsonb {
                    true => format!("argument {}: key must not be null", index + 1),
                    false => format!("argument {} cannot be null", index + 1),
                };
                return Err(PgError::InvalidParameter(text));
            };
            write_key(out, &call.args[index].array, at)?;
            out.push_str(" : ");
            argument(call, index + 1, row, out)?;
        }
        out.push('}');
        Ok(true)
    })
}

macro_rules! both {
    ($json:literal, $jsonb:literal, $make:ident) => {
        [
            Spec::stable(
                $json,
                &[
                    Overload::new(&[], Ty::Json, |call| $make(call, false)),
                    Overload::new(&[Ty::Any], Ty::Json, |call| $make(call, false)).variadic(),
                ],
            ),
            Spec::stable(
                $jsonb,
                &[
                    Overload::new(&[], Ty::Jsonb, |call| $make(call, true)),
                    Overload::new(&[Ty::Any], Ty::Jsonb, |call| $make(call, true)).variadic(),
                ],
            ),
        ]
    };
}

const OBJECT: [Spec; 2] = both!("json_build_object", "jsonb_build_object", build_object);
const ARRAY: [Spec; 2] = both!("json_build_array", "jsonb_build_array", build_array);

pub(super) const SPECS: &[Spec] = &[
    OBJECT[0],
    OBJECT[1],
    ARRAY[0],
    ARRAY[1],
    Spec::stable(
        "to_json",
        &[Overload::new(&[Ty::Any], Ty::Json, |call| {
            to_json(call, false)
        })],
    )
    .also(&["array_to_json", "row_to_json"]),
    Spec::stable(
        "to_jsonb",
        &[Overload::new(&[Ty::Any], Ty::Jsonb, |call| {
            to_json(call, true)
        })],
    ),
];
