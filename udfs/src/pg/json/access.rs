//! Looking into json and jsonb: paths, types, lengths, pretty printing.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Spec};
use super::super::types::Ty;
use super::super::value::{Reader, map1, text_rows, text1};
use super::operators::put_written;
use super::{Json, parse};

/// The value at a path of keys and positions; negative positions count from the end.
pub(crate) fn at_path<'a>(value: &'a Json, path: &[&str]) -> Option<&'a Json> {
    path.iter().try_fold(value, |value, step| match value {
        Json::Object(members) => members
            .iter()
            .rev()
            .find(|(key, _)| key == step)
            .map(|(_, value)| value),
        Json::Array(items) => {
            let index: i64 = step.trim().parse().ok()?;
            let index = if index < 0 {
                index + items.len() as i64
            } else {
                index
            };
            items.get(usize::try_from(index).ok()?)
        }
        _ => None,
    })
}

fn extract_path(call: &Call<'_>, as_text: bool) -> Result<ArrayRef> {
    let jsonb = call.name.starts_with("jsonb");
    let values = Reader::<&str>::of(call, 0)?;
    let steps = (1..call.args.len())
        .map(|index| Reader::<&str>::of(call, index))
        .collect::<Result<Vec<_>>>()?;
    text_rows(call, |row, out| {
        let Some(text) = values.get(row)? else {
            return Ok(false);
        };
        let mut path = Vec::with_capacity(steps.len());
        for step in &steps {
            match step.get(row)? {
                Some(step) => path.push(step),
                None => return Ok(false),
            }
        }
        let value = parse(text)?;
        if !jsonb {
            return put_written(text, &path, as_text, out);
        }
        match at_path(&value.canonical(), &path) {
            None => Ok(false),
            Some(found) if as_text => Ok(found.as_text().is_some_and(|text| {
                out.push_str(&text);
                true
            })),
            Some(found) => {
                found.write(out);
                Ok(true)
            }
        }
    })
}

fn type_of(call: &Call<'_>) -> Result<ArrayRef> {
    text1(call, |text: &str, out| {
        out.push_str(parse(text)?.type_name());
        Ok(())
    })
}

fn array_length(call: &Call<'_>) -> Result<ArrayRef> {
    map1(call, |text: &str| match parse(text)? {
        Json::Array(items) => Ok(items.len() as i32),
        Json::Object(_) => Err(PgError::InvalidParameter(
            "cannot get array length of a non-array".to_owned(),
        )),
        _ => Err(PgError::InvalidParameter(
            "cannot get array length of a scalar".to_owned(),
        )),
    })
}

fn strip_nulls(call: &Call<'_>) -> Result<ArrayRef> {
    let jsonb = call.name.starts_with("jsonb");
    text1(call, |text: &str, out| {
        let value = parse(text)?.without_nulls();
        if jsonb {
            value.canonical().write(out);
        } else {
            value.write_compact(out);
        }
        Ok(())
    })
}

fn pretty(text: &str, out: &mut String) -> PgResult<()> {
    parse(text)?.canonical().write_pretty(out);
    Ok(())
}

const J: &[Ty] = &[Ty::Json];
const PATH: &[Ty] = &[Ty::Json, Ty::Text];

pub(super) const SPECS: &[Spec] = &[
    Spec::immutable(
        "json_extract_path",
        &[Overload::new(PATH, Ty::Json, |call| extract_path(call, false)).variadic()],
    ),
    Spec::immutable(
        "jsonb_extract_path",
        &[Overload::new(PATH, Ty::Jsonb, |call| extract_path(call, false)).variadic()],
    ),
    Spec::immutable(
        "json_extract_path_text",
        &[Overload::new(PATH, Ty::Text, |call| extract_path(call, true)).variadic()],
    ),
    Spec::immutable(
        "jsonb_extract_path_text",
        &[Overload::new(PATH, Ty::Text, |call| extract_path(call, true)).variadic()],
    ),
    Spec::immutable("json_typeof", &[Overload::new(J, Ty::Text, type_of)]),
    Spec::immutable("jsonb_typeof", &[Overload::new(J, Ty::Text, type_of)]),
    Spec::immutable(
        "json_array_length",
        &[Overload::new(J, Ty::Int4, array_length)],
    ),
    Spec::immutable(
        "jsonb_array_length",
        &[Overload::new(J, Ty::Int4, array_length)],
    ),
    Spec::immutable(
        "json_strip_nulls",
        &[Overload::new(J, Ty::Json, strip_nulls)],
    ),
    Spec::immutable(
        "jsonb_strip_nulls",
        &[Overload::new(J, Ty::Jsonb, strip_nulls)],
    ),
    Spec::immutable(
        "jsonb_pretty",
        &[Overload::new(J, Ty::Text, |call| text1(call, pretty))],
    ),
];
