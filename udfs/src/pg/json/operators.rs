//! The functions behind json's operators, under PostgreSQL's names for them.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Spec};
use super::super::types::Ty;
use super::super::value::{Reader, elements, map2, rows, text_rows};
use super::access::at_path;
use super::edit::path;
use super::{Json, parse, written_at};

/// The member of an object or the element of an array, by the type of the second argument.
fn member(call: &Call<'_>, as_text: bool, by_key: bool) -> Result<ArrayRef> {
    let values = Reader::<&str>::of(call, 0)?;
    let keys = if by_key {
        Some(Reader::<&str>::of(call, 1)?)
    } else {
        None
    };
    let places = if by_key {
        None
    } else {
        Some(Reader::<i32>::of(call, 1)?)
    };
    text_rows(call, |row, out| {
        let Some(text) = values.get(row)? else {
            return Ok(false);
        };
        let (mut key, mut place) = (None, None);
        if let Some(keys) = &keys {
            key = keys.get(row)?;
        }
        if let Some(places) = &places {
            place = places.get(row)?;
        }
        let value = parsed(call, text)?;
        if !is_jsonb(call) {
            let step = match (&value, key, place) {
                (Json::Object(_), Some(key), _) => key.to_owned(),
                (Json::Array(_), _, Some(place)) => place.to_string(),
                _ => return Ok(false),
            };
            return put_written(text, &[&step], as_text, out);
        }
        let step;
        let found = match (&value, key, place) {
            (Json::Object(_), Some(key), _) => at_path(&value, &[key]),
            (Json::Array(_), _, Some(place)) => {
                step = place.to_string();
                at_path(&value, &[&step])
            }
            _ => None,
        };
        Ok(put(call, found, as_text, out))
    })
}

/// The value at a path.
fn at(call: &Call<'_>, as_text: bool) -> Result<ArrayRef> {
    let values = Reader::<&str>::of(call, 0)?;
    text_rows(call, |row, out| {
        let (Some(text), Some(path)) = (values.get(row)?, path(call, row)?) else {
            return Ok(false);
        };
        let value = parsed(call, text)?;
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        if !is_jsonb(call) {
            return put_written(text, &steps, as_text, out);
        }
        Ok(put(call, at_path(&value, &steps), as_text, out))
    })
}

/// Writes what stands at a path of json as it is written; texts are read where a text is asked for.
pub(super) fn put_written(
    text: &str,
    path: &[&str],
    as_text: bool,
    out: &mut String,
) -> PgResult<bool> {
    let Some(written) = written_at(text, path)? else {
        return Ok(false);
    };
    if as_text && (written.starts_with('"') || written == "null") {
        let read = parse(written)?;
        return Ok(read.as_text().is_some_and(|text| {
            out.push_str(&text);
            true
        }));
    }
    out.push_str(written);
    Ok(true)
}

fn is_jsonb(call: &Call<'_>) -> bool {
    call.name.starts_with("jsonb")
}

fn parsed(call: &Call<'_>, text: &str) -> PgResult<Json> {
    let value = parse(text)?;
    Ok(if is_jsonb(call) {
        value.canonical()
    } else {
        value
    })
}

fn put(call: &Call<'_>, found: Option<&Json>, as_text: bool, out: &mut String) -> bool {
    match found {
        None => false,
        Some(found) if as_text => found.as_text().is_some_and(|text| {
            out.push_str(&text);
            true
        }),
        Some(found) if is_jsonb(call) => {
            found.write(out);
            true
        }
        Some(found) => {
            found.write_compact(out);
            true
        }
    }
}

/// Whether two scalars are the same value: numbers are so whatever their digits.
fn same(left: &Json, right: &Json) -> bool {
    use super::super::numeric::Numeric;
    match (left, right) {
        (Json::Number(left), Json::Number(right)) => {
            left == right
                || matches!(
                    (Numeric::parse(left), Numeric::parse(right)),
                    (Ok(left), Ok(right)) if left.compare(&right).is_eq()
                )
        }
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r))
        }
        (Json::Object(left), Json::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .zip(right)
                    .all(|((lk, l), (rk, r))| lk == rk && same(l, r))
        }
        (left, right) => left == right,
    }
}

/// Whether `part` is contained in `whole`; at the top an array contains its scalars.
fn contains(whole: &Json, part: &Json, top: bool) -> bool {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => part.iter().all(|(key, value)| {
            whole
                .iter()
                .any(|(own, has)| own == key && contains(has, value, false))
        }),
        (Json::Array(whole), Json::Array(part)) => part
            .iter()
            .all(|value| whole.iter().any(|has| contains(has, value, false))),
        (Json::Array(whole), scalar) if top && !matches!(scalar, Json::Object(_)) => {
            whole.iter().any(|has| same(has, scalar))
        }
        (left, right) => same(left, right),
    }
}

fn has(value: &Json, key: &str) -> bool {
    match value {
        Json::Object(members) => members.iter().any(|(own, _)| own == key),
        Json::Array(items) => items
            .iter()
            .any(|item| matches!(item, Json::Text(text) if text == key)),
        Json::Text(text) => text == key,
        _ => false,
    }
}

fn exists_of(call: &Call<'_>, all: bool) -> Result<ArrayRef> {
    let values = Reader::<&str>::of(call, 0)?;
    rows(call, |row| {
        let (Some(text), Some(keys)) = (values.get(row)?, path(call, row)?) else {
            return Ok(None);
        };
        let value = parse(text)?;
        Ok(Some(if all {
            keys.iter().all(|key| has(&value, key))
        } else {
            keys.iter().any(|key| has(&value, key))
        }))
    })
}

fn concatenated(left: Json, right: Json) -> Json {
    match (left, right) {
        (Json::Object(mut left), Json::Object(right)) => {
            left.retain(|(key, _)| !right.iter().any(|(other, _)| other == key));
            left.extend(right);
            Json::Object(left)
        }
        (Json::Array(mut left), Json::Array(right)) => {
            left.extend(right);
            Json::Array(left)
        }
        (Json::Array(mut left), right) => {
            left.push(right);
            Json::Array(left)
        }
        (left, Json::Array(mut right)) => {
            right.insert(0, left);
            Json::Array(right)
        }
        (left, right) => Json::Array(vec![left, right]),
    }
}

fn written(
    call: &Call<'_>,
    make: impl Fn(Json, usize) -> PgResult<Option<Json>>,
) -> Result<ArrayRef> {
    let values = Reader::<&str>::of(call, 0)?;
    text_rows(call, |row, out| {
        let Some(text) = values.get(row)? else {
            return Ok(false);
        };
        Ok(match make(parse(text)?.canonical(), row)? {
            Some(value) => {
                value.canonical().write(out);
                true
            }
            None => false,
        })
    })
}

fn scalar() -> PgError {
    PgError::InvalidParameter("cannot delete from scalar".to_owned())
}

fn without_keys(value: Json, keys: &[String]) -> PgResult<Json> {
    Ok(match value {
        Json::Object(mut members) => {
            members.retain(|(key, _)| !keys.contains(key));
            Json::Object(members)
        }
        Json::Array(mut items) => {
            items.retain(|item| !matches!(item, Json::Text(text) if keys.contains(text)));
            Json::Array(items)
        }
        _ => return Err(scalar()),
    })
}

fn without_place(value: Json, place: i32) -> PgResult<Json> {
    match value {
        Json::Array(mut items) => {
            let at = i64::from(place) + if place < 0 { items.len() as i64 } else { 0 };
            if let Ok(at) = usize::try_from(at)
                && at < items.len()
            {
                items.remove(at);
            }
            Ok(Json::Array(items))
        }
        Json::Object(_) => Err(PgError::InvalidParameter(
            "cannot delete from object using integer index".to_owned(),
        )),
        _ => Err(scalar()),
    }
}

fn without_path(value: &mut Json, path: &[String]) {
    let Some((step, rest)) = path.split_first() else {
        return;
    };
    match value {
        Json::Object(members) => {
            if rest.is_empty() {
                members.retain(|(key, _)| key != step);
            } else if let Some((_, inner)) = members.iter_mut().find(|(key, _)| key == step) {
                without_path(inner, rest);
            }
        }
        Json::Array(items) => {
            let Ok(index) = step.trim().parse::<i64>() else {
                return;
            };
            let at = if index < 0 {
                index + items.len() as i64
            } else {
                index
            };
            let Some(at) = usize::try_from(at).ok().filter(|at| *at < items.len()) else {
                return;
            };
            if rest.is_empty() {
                items.remove(at);
            } else {
                without_path(&mut items[at], rest);
            }
        }
        _ => {}
    }
}

fn delete_key(call: &Call<'_>) -> Result<ArrayRef> {
    let keys = Reader::<&str>::of(call, 1)?;
    written(call, |value, row| {
        let Some(key) = keys.get(row)? else {
            return Ok(None);
        };
        without_keys(value, &[key.to_owned()]).map(Some)
    })
}

fn delete_keys(call: &Call<'_>) -> Result<ArrayRef> {
    written(call, |value, row| match path(call, row)? {
        Some(keys) => without_keys(value, &keys).map(Some),
        None => Ok(None),
    })
}

fn delete_place(call: &Call<'_>) -> Result<ArrayRef> {
    let places = Reader::<i32>::of(call, 1)?;
    written(call, |value, row| match places.get(row)? {
        Some(place) => without_place(value, place).map(Some),
        None => Ok(None),
    })
}

fn delete_path(call: &Call<'_>) -> Result<ArrayRef> {
    written(call, |mut value, row| {
        let Some(path) = path(call, row)? else {
            return Ok(None);
        };
        without_path(&mut value, &path);
        Ok(Some(value))
    })
}

fn concat(call: &Call<'_>) -> Result<ArrayRef> {
    let others = Reader::<&str>::of(call, 1)?;
    written(call, |value, row| match others.get(row)? {
        Some(other) => Ok(Some(concatenated(value, parse(other)?.canonical()))),
        None => Ok(None),
    })
}

/// The texts of an array, whichever of Arrow's layouts holds them.
pub(super) fn texts(array: &ArrayRef, row: usize) -> PgResult<Vec<String>> {
    let items = elements(array, row);
    let items = arrow::compute::cast(&items, &DataType::Utf8View)
        .map_err(|_| PgError::DatatypeMismatch("a path is an array of text".to_owned()))?;
    let texts = items.as_string_view();
    Ok((0..texts.len())
        .filter(|index| !texts.is_null(*index))
        .map(|index| texts.value(index).to_owned())
        .collect())
}

const KEY: &[Ty] = &[Ty::Json, Ty::Text];
const PLACE: &[Ty] = &[Ty::Json, Ty::Int4];
const KEYS: &[Ty] = &[Ty::Json, Ty::Array];
const BOTH: &[Ty] = &[Ty::Jsonb, Ty::Jsonb];

/// `json -> key`, for the planner.
pub(crate) const JSON_MEMBER: Spec = Spec::immutable(
    "json_object_field",
    &[
        Overload::new(PLACE, Ty::Json, |call| member(call, false, false)),
        Overload::new(KEY, Ty::Json, |call| member(call, false, true)),
    ],
);
/// `jsonb -> key`.
pub(crate) const JSONB_MEMBER: Spec = Spec::immutable(
    "jsonb_object_field",
    &[
        Overload::new(PLACE, Ty::Jsonb, |call| member(call, false, false)),
        Overload::new(KEY, Ty::Jsonb, |call| member(call, false, true)),
    ],
);
/// `json ->> key`.
pub(crate) const MEMBER_TEXT: Spec = Spec::immutable(
    "json_object_field_text",
    &[
        Overload::new(PLACE, Ty::Text, |call| member(call, true, false)),
        Overload::new(KEY, Ty::Text, |call| member(call, true, true)),
    ],
);
/// `jsonb ->> key`.
pub(crate) const JSONB_MEMBER_TEXT: Spec = Spec::immutable(
    "jsonb_object_field_text",
    &[
        Overload::new(PLACE, Ty::Text, |call| member(call, true, false)),
        Overload::new(KEY, Ty::Text, |call| member(call, true, true)),
    ],
);
/// `json #> path`.
pub(crate) const JSON_AT: Spec = Spec::immutable(
    "json_at_path",
    &[
        Overload::new(KEYS, Ty::Json, |call| at(call, false)),
        Overload::new(KEY, Ty::Json, |call| at(call, false)),
    ],
);
/// `jsonb #> path`.
pub(crate) const JSONB_AT: Spec = Spec::immutable(
    "jsonb_at_path",
    &[
        Overload::new(KEYS, Ty::Jsonb, |call| at(call, false)),
        Overload::new(KEY, Ty::Jsonb, |call| at(call, false)),
    ],
);
/// `json #>> path`.
pub(crate) const AT_TEXT: Spec = Spec::immutable(
    "json_at_path_text",
    &[
        Overload::new(KEYS, Ty::Text, |call| at(call, true)),
        Overload::new(KEY, Ty::Text, |call| at(call, true)),
    ],
);
/// `jsonb @> jsonb`.
pub(crate) const CONTAINS: Spec = Spec::immutable(
    "jsonb_contains",
    &[Overload::new(BOTH, Ty::Bool, |call| {
        map2(call, |whole: &str, part: &str| {
            Ok(contains(&parse(whole)?, &parse(part)?, true))
        })
    })],
);
/// `jsonb ? key`.
pub(crate) const EXISTS: Spec = Spec::immutable(
    "jsonb_exists",
    &[Overload::new(KEY, Ty::Bool, |call| {
        map2(call, |value: &str, key: &str| Ok(has(&parse(value)?, key)))
    })],
);
/// `jsonb ?| keys`.
pub(crate) const EXISTS_ANY: Spec = Spec::immutable(
    "jsonb_exists_any",
    &[
        Overload::new(KEYS, Ty::Bool, |call| exists_of(call, false)),
        Overload::new(KEY, Ty::Bool, |call| exists_of(call, false)),
    ],
);
/// `jsonb ?& keys`.
pub(crate) const EXISTS_ALL: Spec = Spec::immutable(
    "jsonb_exists_all",
    &[
        Overload::new(KEYS, Ty::Bool, |call| exists_of(call, true)),
        Overload::new(KEY, Ty::Bool, |call| exists_of(call, true)),
    ],
);
/// `jsonb || jsonb`.
pub(crate) const CONCAT: Spec =
    Spec::immutable("jsonb_concat", &[Overload::new(BOTH, Ty::Jsonb, concat)]);
/// `jsonb - key`, `jsonb - place`, `jsonb - keys`.
pub(crate) const DELETE: Spec = Spec::immutable(
    "jsonb_delete",
    &[
        Overload::new(PLACE, Ty::Jsonb, delete_place),
        Overload::new(KEYS, Ty::Jsonb, delete_keys),
        Overload::new(KEY, Ty::Jsonb, delete_key),
    ],
);
/// `jsonb #- path`.
pub(crate) const DELETE_PATH: Spec = Spec::immutable(
    "jsonb_delete_path",
    &[
        Overload::new(KEYS, Ty::Jsonb, delete_path),
        Overload::new(KEY, Ty::Jsonb, delete_path),
    ],
);
/// `jsonb = jsonb`.
pub(crate) const EQUAL: Spec = Spec::immutable(
    "jsonb_eq",
    &[Overload::new(BOTH, Ty::Bool, |call| {
        map2(call, |left: &str, right: &str| {
            Ok(same(&parse(left)?.canonical(), &parse(right)?.canonical()))
        })
    })],
);

pub(super) const SPECS: &[Spec] = &[
    JSON_MEMBER,
    JSONB_MEMBER,
    MEMBER_TEXT,
    JSONB_MEMBER_TEXT,
    JSON_AT,
    JSONB_AT,
    AT_TEXT,
    CONTAINS,
    EXISTS,
    EXISTS_ANY,
    EXISTS_ALL,
    CONCAT,
    DELETE,
    DELETE_PATH,
    EQUAL,
];
