//! `json_array_elements`, `json_each`, `json_object_keys` and their forms, in FROM, of constant JSON.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
use arrow::datatypes::{Field, Schema};
use datafusion::catalog::TableFunctionImpl;
use datafusion::common::{Result, ScalarValue};

use super::super::error::PgError;
use super::super::json::{Json, parse};
use super::super::types::Ty;
use super::rows::{Rows, text, undefined};

pub(super) fn functions() -> Vec<(String, Arc<dyn TableFunctionImpl>)> {
    let make = |name, make| (name, Rows { name, make });
    let all = [
        make(
            "json_array_elements",
            elements as fn(&str, &[ScalarValue]) -> Result<RecordBatch>,
        ),
        make("jsonb_array_elements", elements),
        make("json_array_elements_text", elements),
        make("jsonb_array_elements_text", elements),
        make("json_each", each),
        make("jsonb_each", each),
        make("json_each_text", each),
        make("jsonb_each_text", each),
        make("json_object_keys", keys),
        make("jsonb_object_keys", keys),
    ];
    all.into_iter()
        .map(|(name, rows)| {
            (
                name.to_owned(),
                Arc::new(rows) as Arc<dyn TableFunctionImpl>,
            )
        })
        .collect()
}

/// The JSON of the one argument; `None` for NULL.
fn argument(name: &str, values: &[ScalarValue]) -> Result<Option<Json>> {
    if values.len() != 1 {
        return Err(undefined(name, values));
    }
    let Some(text) = text(values.first()) else {
        return Ok(None);
    };
    let value = parse(text)?;
    Ok(Some(if name.starts_with("jsonb") {
        value.canonical()
    } else {
        value
    }))
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

fn value_field(name: &str) -> Field {
    let ty = match (name.ends_with("_text"), name.starts_with("jsonb")) {
        (true, _) => Ty::Text,
        (false, true) => Ty::Jsonb,
        (false, false) => Ty::Json,
    };
    ty.field("value", &Arc::from("UTC"))
}

fn texts(values: impl IntoIterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringViewArray>())
}

fn refused(text: &str) -> PgError {
    PgError::InvalidParameter(text.to_owned())
}

fn elements(name: &str, values: &[ScalarValue]) -> Result<RecordBatch> {
    let items = match argument(name, values)? {
        None => Vec::new(),
        Some(Json::Array(items)) => items,
        Some(Json::Object(_)) if name.starts_with("jsonb") => {
            return Err(refused("cannot extract elements from an object").into());
        }
        Some(Json::Object(_)) => {
            return Err(refused(&format!("cannot call {name} on a non-array")).into());
        }
        Some(_) if name.starts_with("jsonb") => {
            return Err(refused("cannot extract elements from a scalar").into());
        }
        Some(_) => return Err(refused(&format!("cannot call {name} on a scalar")).into()),
    };
    let column = texts(items.iter().map(|item| shown(name, item)));
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(vec![value_field(name)])),
        vec![column],
    )?)
}

fn members(name: &str, values: &[ScalarValue], what: &str) -> Result<Vec<(String, Json)>> {
    match argument(name, values)? {
        None => Ok(Vec::new()),
        Some(Json::Object(members)) => Ok(members),
        Some(Json::Array(_)) => Err(refused(&format!("cannot {what} an array")).into()),
        Some(_) => Err(refused(&format!("cannot {what} a scalar")).into()),
    }
}

fn each(name: &str, values: &[ScalarValue]) -> Result<RecordBatch> {
    let members = match argument(name, values)? {
        None => Vec::new(),
        Some(Json::Object(members)) => members,
        Some(Json::Array(_)) if !name.starts_with("jsonb") => {
            return Err(refused("cannot deconstruct an array as an object").into());
        }
        Some(_) if !name.starts_with("jsonb") => {
            return Err(refused("cannot deconstruct a scalar").into());
        }
        Some(_) => return Err(refused(&format!("cannot call {name} on a non-object")).into()),
    };
    let shown_values = texts(members.iter().map(|(_, value)| shown(name, value)));
    let keys = texts(members.into_iter().map(|(key, _)| Some(key)));
    let schema = Schema::new(vec![
        Ty::Text.field("key", &Arc::from("UTC")),
        value_field(name),
    ]);
    Ok(RecordBatch::try_new(
        Arc::new(schema),
        vec![keys, shown_values],
    )?)
}

fn keys(name: &str, values: &[ScalarValue]) -> Result<RecordBatch> {
    let what = format!("call {name} on");
    let column = texts(
        members(name, values, &what)?
            .into_iter()
            .map(|(key, _)| Some(key)),
    );
    let schema = Schema::new(vec![Ty::Text.field(name, &Arc::from("UTC"))]);
    Ok(RecordBatch::try_new(Arc::new(schema), vec![column])?)
}
