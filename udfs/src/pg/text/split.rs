//! `split_part`, `string_to_array` and `array_to_string`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Ret, Spec};
use super::super::output::write_value;
use super::super::types::Ty;
use super::super::value::{List, Reader, elements, rows, text_rows, text3};
use super::{bounded, check_length};

const SPLIT_PART: Spec = Spec::immutable(
    "split_part",
    &[Overload::new(
        &[Ty::Text, Ty::Text, Ty::Int4],
        Ty::Text,
        |call| {
            text3(call, |text: &str, separator: &str, index: i32, out| {
                out.push_str(split_part(text, separator, index)?);
                Ok(())
            })
        },
    )],
);

fn split_part<'a>(text: &'a str, separator: &str, index: i32) -> PgResult<&'a str> {
    let from_end = index < 0;
    let skip = match index.unsigned_abs() {
        0 => {
            return Err(PgError::InvalidParameter(
                "field position must not be zero".to_owned(),
            ));
        }
        magnitude => magnitude as usize - 1,
    };
    if separator.is_empty() {
        return Ok(if skip == 0 { text } else { "" });
    }
    let field = if from_end {
        text.rsplit(separator).nth(skip)
    } else {
        text.split(separator).nth(skip)
    };
    Ok(field.unwrap_or(""))
}

/// The fields of a text: no separator splits characters, an empty one does not split.
pub(crate) fn string_to_array<'a>(
    text: &'a str,
    separator: Option<&str>,
    null: Option<&str>,
) -> PgResult<Vec<Option<&'a str>>> {
    let field = |part: &'a str| (null != Some(part)).then_some(part);
    match separator {
        _ if text.is_empty() => Ok(Vec::new()),
        None => bounded(text.split_inclusive(|_: char| true).map(field)),
        Some("") => Ok(vec![field(text)]),
        Some(separator) => bounded(text.split(separator).map(field)),
    }
}

fn to_array(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Reader::<&str>::of(call, 0)?;
    let separators = Reader::<&str>::of(call, 1)?;
    let nulls = if call.args.len() > 2 {
        Some(Reader::<&str>::of(call, 2)?)
    } else {
        None
    };
    rows(call, |row| {
        let Some(text) = texts.get(row)? else {
            return Ok(None);
        };
        let null = match &nulls {
            Some(nulls) => nulls.get(row)?,
            None => None,
        };
        let fields = string_to_array(text, separators.get(row)?, null)?;
        Ok(Some(List(
            fields
                .into_iter()
                .map(|field| field.map(str::to_owned))
                .collect(),
        )))
    })
}

const STRING_TO_ARRAY: Spec = Spec::immutable(
    "string_to_array",
    &[
        Overload::returning(&[Ty::Text, Ty::Text], Ret::ListOf(Ty::Text), to_array),
        Overload::returning(
            &[Ty::Text, Ty::Text, Ty::Text],
            Ret::ListOf(Ty::Text),
            to_array,
        ),
    ],
)
.also(&["string_to_list"]);

fn to_string(call: &Call<'_>) -> Result<ArrayRef> {
    let separators = Reader::<&str>::of(call, 1)?;
    let nulls = if call.args.len() > 2 {
        Some(Reader::<&str>::of(call, 2)?)
    } else {
        None
    };
    let arrays = &call.args[0].array;
    if !matches!(arrays.data_type(), DataType::List(_)) {
        return text_rows(call, |_, _| Ok(false));
    }
    text_rows(call, |row, out| {
        let (Some(at), Some(separator)) = (call.at(0, row), separators.get(row)?) else {
            return Ok(false);
        };
        let null = match &nulls {
            Some(nulls) => nulls.get(row)?,
            None => None,
        };
        let mut first = true;
        join(&elements(arrays, at), separator, null, &mut first, out)?;
        Ok(true)
    })
}

/// Joins the elements, those of inner arrays too.
fn join(
    items: &ArrayRef,
    separator: &str,
    null: Option<&str>,
    first: &mut bool,
    out: &mut String,
) -> PgResult<()> {
    for index in 0..items.len() {
        if let (true, DataType::List(_)) = (items.is_valid(index), items.data_type()) {
            join(
                &items.as_list::<i32>().value(index),
                separator,
                null,
                first,
                out,
            )?;
            continue;
        }
        let shown = if items.is_null(index) { null } else { Some("") };
        let Some(shown) = shown else { continue };
        if !std::mem::take(first) {
            out.push_str(separator);
        }
        out.push_str(shown);
        if items.is_valid(index) {
            write_value(out, items, index).map_err(PgError::of_engine)?;
        }
        check_length(out.len())?;
    }
    Ok(())
}

const ARRAY_TO_STRING: Spec = Spec::stable(
    "array_to_string",
    &[
        Overload::new(&[Ty::Array, Ty::Text], Ty::Text, to_string),
        Overload::new(&[Ty::Array, Ty::Text, Ty::Text], Ty::Text, to_string),
    ],
)
.also(&["list_to_string", "array_join", "list_join"]);

pub(super) const SPECS: &[Spec] = &[SPLIT_PART, STRING_TO_ARRAY, ARRAY_TO_STRING];
