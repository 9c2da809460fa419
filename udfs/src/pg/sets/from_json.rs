//! `json_array_elements`, `json_each`, `json_object_keys` and their forms, a list of their rows for each row.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, StringViewBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, internal_err};

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Planned, Ret, Spec};
use super::super::json::{Json, parse};
use super::super::types::Ty;
use super::super::value::Reader;

const JSON: &[Ty] = &[Ty::Json];
const JSONB: &[Ty] = &[Ty::Jsonb];

pub(super) const SPECS: &[Spec] = &[
    Spec::immutable(
        "json_array_elements",
        &[Overload::returning(JSON, Ret::ListOf(Ty::Json), elements)],
    ),
    Spec::immutable(
        "jsonb_array_elements",
        &[Overload::returning(JSONB, Ret::ListOf(Ty::Jsonb), elements)],
    ),
    Spec::immutable(
        "json_array_elements_text",
        &[Overload::returning(JSON, Ret::ListOf(Ty::Text), elements)],
    ),
    Spec::immutable(
        "jsonb_array_elements_text",
        &[Overload::returning(JSONB, Ret::ListOf(Ty::Text), elements)],
    ),
    Spec::immutable(
        "json_each",
        &[Overload::returning(JSON, Ret::By(json_members), each)],
    ),
    Spec::immutable(
        "jsonb_each",
        &[Overload::returning(JSONB, Ret::By(jsonb_members), each)],
    ),
    Spec::immutable(
        "json_each_text",
        &[Overload::returning(JSON, Ret::By(text_members), each)],
    ),
    Spec::immutable(
        "jsonb_each_text",
        &[Overload::returning(JSONB, Ret::By(text_members), each)],
    ),
    Spec::immutable(
        "json_object_keys",
        &[Overload::returning(JSON, Ret::ListOf(Ty::Text), keys)],
    ),
    Spec::immutable(
        "jsonb_object_keys",
        &[Overload::returning(JSONB, Ret::ListOf(Ty::Text), keys)],
    ),
];

fn members(planned: &Planned<'_>, value: Ty) -> Result<Field> {
    let key = Ty::Text.field("key", planned.zone);
    let fields = vec![key, value.field("value", planned.zone)];
    let item = Field::new_list_field(DataType::Struct(fields.into()), true);
    Ok(Field::new("each", DataType::List(Arc::new(item)), true))
}

fn json_members(planned: &Planned<'_>) -> Result<Field> {
    members(planned, Ty::Json)
}

fn jsonb_members(planned: &Planned<'_>) -> Result<Field> {
    members(planned, Ty::Jsonb)
}

fn text_members(planned: &Planned<'_>) -> Result<Field> {
    members(planned, Ty::Text)
}

fn read(name: &str, text: &str) -> PgResult<Json> {
    let value = parse(text)?;
    Ok(if name.starts_with("jsonb") {
        value.canonical()
    } else {
        value
    })
}

fn shown(name: &str, value: &Json) -> Option<String> {
    if name.ends_with("_text") {
        return value.as_text();
    }
    let mut out = String::new();
    if name.starts_with("jsonb") {
        value.write(&mut out)
    } else {
        value.write_compact(&mut out)
    }
    Some(out)
}

fn refused<T>(text: String) -> PgResult<T> {
    Err(PgError::InvalidParameter(text))
}

/// Texts for each row: `write` puts those of one JSON value behind each other and tells how many.
fn texts(
    call: &Call<'_>,
    mut write: impl FnMut(&mut StringViewBuilder, Json) -> PgResult<usize>,
) -> Result<ArrayRef> {
    let DataType::List(item) = call.ret.data_type() else {
        return internal_err!("{} gives lists", call.name);
    };
    let json = Reader::<&str>::of(call, 0)?;
    let mut values = StringViewBuilder::new();
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        lengths.push(match json.get(row)? {
            Some(text) => write(&mut values, read(call.name, text)?)?,
            None => 0,
        });
    }
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(item),
        OffsetBuffer::from_lengths(lengths),
        Arc::new(values.finish()),
        None,
    )?))
}

fn elements(call: &Call<'_>) -> Result<ArrayRef> {
    let name = call.name;
    texts(call, |out, json| {
        let items = match json {
            Json::Array(items) => items,
            Json::Object(_) if name.starts_with("jsonb") => {
                return refused("cannot extract elements from an object".to_owned());
            }
            Json::Object(_) => return refused(format!("cannot call {name} on a non-array")),
            _ if name.starts_with("jsonb") => {
                return refused("cannot extract elements from a scalar".to_owned());
            }
            _ => return refused(format!("cannot call {name} on a scalar")),
        };
        for item in &items {
            out.append_option(shown(name, item));
        }
        Ok(items.len())
    })
}

fn keys(call: &Call<'_>) -> Result<ArrayRef> {
    let name = call.name;
    texts(call, |out, json| {
        let members = match json {
            Json::Object(members) => members,
            Json::Array(_) => return refused(format!("cannot call {name} on an array")),
            _ => return refused(format!("cannot call {name} on a scalar")),
        };
        for (key, _) in &members {
            out.append_value(key);
        }
        Ok(members.len())
    })
}

fn each(call: &Call<'_>) -> Result<ArrayRef> {
    let name = call.name;
    let DataType::List(item) = call.ret.data_type() else {
        return internal_err!("{name} gives lists");
    };
    let DataType::Struct(fields) = item.data_type() else {
        return internal_err!("{name} gives records");
    };
    let json = Reader::<&str>::of(call, 0)?;
    let (mut keys, mut values) = (StringViewBuilder::new(), StringViewBuilder::new());
    let mut lengths = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let Some(text) = json.get(row)? else {
            lengths.push(0);
            continue;
        };
        let members = match read(name, text)? {
            Json::Object(members) => members,
            Json::Array(_) if !name.starts_with("jsonb") => {
                return Ok(refused(
                    "cannot deconstruct an array as an object".to_owned(),
                )?);
            }
            _ if !name.starts_with("jsonb") => {
                return Ok(refused("cannot deconstruct a scalar".to_owned())?);
            }
            _ => return Ok(refused(format!("cannot call {name} on a non-object"))?),
        };
        lengths.push(members.len());
        for (key, value) in &members {
            keys.append_value(key);
            values.append_option(shown(name, value));
        }
    }
    let columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(values.finish())];
    let records = StructArray::try_new(fields.clone(), columns, None)?;
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(item),
        OffsetBuffer::from_lengths(lengths),
        Arc::new(records),
        None,
    )?))
}
