//! `jsonb_set` and `jsonb_insert`.

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use super::super::error::{PgError, PgResult};
use super::super::function::{Call, Overload, Spec};
use super::super::types::Ty;
use super::super::value::{Reader, text_rows};
use super::{Json, parse};

/// What is done at the end of the path.
#[derive(Clone, Copy)]
enum Edit {
    /// Replace, or add what is missing if this is set.
    Set(bool),
    /// Insert, after the element if this is set.
    Insert(bool),
}

/// The path at this row: a text array, or the text of one.
pub(super) fn path(call: &Call<'_>, row: usize) -> PgResult<Option<Vec<String>>> {
    let Some(at) = call.at(1, row) else {
        return Ok(None);
    };
    let array = &call.args[1].array;
    if let DataType::List(_) = array.data_type() {
        return super::operators::texts(array, at).map(Some);
    }
    let text = array.as_string_view().value(at).trim();
    let malformed = || PgError::InvalidText(format!("malformed array literal: \"{text}\""));
    let body = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'))
        .ok_or_else(malformed)?;
    if body.trim().is_empty() {
        return Ok(Some(Vec::new()));
    }
    let (mut steps, mut step, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => step.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => steps.push(std::mem::take(&mut step)),
            c => step.push(c),
        }
    }
    steps.push(step);
    Ok(Some(steps))
}

fn apply(
    target: &mut Json,
    path: &[String],
    depth: usize,
    value: &Json,
    edit: Edit,
) -> PgResult<()> {
    let Some((step, rest)) = path.split_first() else {
        return Ok(());
    };
    match target {
        Json::Object(members) => {
            let found = members.iter().position(|(key, _)| key == step);
            match (found, rest.is_empty(), edit) {
                (Some(at), false, _) => apply(&mut members[at].1, rest, depth + 1, value, edit)?,
                (Some(at), true, Edit::Set(_)) => members[at].1 = value.clone(),
                (Some(_), true, Edit::Insert(_)) => {
                    return Err(PgError::InvalidParameter(
                        "cannot replace existing key".to_owned(),
                    ));
                }
                (None, true, Edit::Set(true) | Edit::Insert(_)) => {
                    members.push((step.clone(), value.clone()))
                }
                (None, ..) => {}
            }
        }
        Json::Array(items) => {
            let not_whole = || {
                let text = format!(
                    "path element at position {} is not an integer: \"{step}\"",
                    depth + 1
                );
                PgError::InvalidText(text)
            };
            let index: i64 = step.trim().parse().map_err(|_| not_whole())?;
            let from_start = if index < 0 {
                index + items.len() as i64
            } else {
                index
            };
            let at = usize::try_from(from_start)
                .ok()
                .filter(|at| *at < items.len());
            match (at, rest.is_empty(), edit) {
                (Some(at), false, _) => apply(&mut items[at], rest, depth + 1, value, edit)?,
                (Some(at), true, Edit::Set(_)) => items[at] = value.clone(),
                (Some(at), true, Edit::Insert(after)) => {
                    items.insert(at + usize::from(after), value.clone())
                }
                (None, true, Edit::Set(true) | Edit::Insert(_)) if index < 0 => {
                    items.insert(0, value.clone())
                }
                (None, true, Edit::Set(true) | Edit::Insert(_)) => items.push(value.clone()),
                (None, ..) => {}
            }
        }
        _ if depth == 0 => {
            return Err(PgError::InvalidParameter(
                "cannot set path in scalar".to_owned(),
            ));
        }
        _ => {}
    }
    Ok(())
}

fn edit(call: &Call<'_>, make: fn(bool) -> Edit, default: bool) -> Result<ArrayRef> {
    let targets = Reader::<&str>::of(call, 0)?;
    let values = Reader::<&str>::of(call, 2)?;
    let flags = if call.args.len() > 3 {
        Some(Reader::<bool>::of(call, 3)?)
    } else {
        None
    };
    text_rows(call, |row, out| {
        let (Some(target), Some(path), Some(value)) =
            (targets.get(row)?, path(call, row)?, values.get(row)?)
        else {
            return Ok(false);
        };
        let flag = match &flags {
            Some(flags) => match flags.get(row)? {
                Some(flag) => flag,
                None => return Ok(false),
            },
            None => default,
        };
        let mut target = parse(target)?.canonical();
        apply(
            &mut target,
            &path,
            0,
            &parse(value)?.canonical(),
            make(flag),
        )?;
        target.canonical().write(out);
        Ok(true)
    })
}

fn set(call: &Call<'_>) -> Result<ArrayRef> {
    edit(call, Edit::Set, true)
}

fn insert(call: &Call<'_>) -> Result<ArrayRef> {
    edit(call, Edit::Insert, false)
}

const J: Ty = Ty::Jsonb;

pub(super) const SPECS: &[Spec] = &[
    Spec::immutable(
        "jsonb_set",
        &[
            Overload::new(&[J, Ty::Array, J], J, set),
            Overload::new(&[J, Ty::Text, J], J, set),
            Overload::new(&[J, Ty::Array, J, Ty::Bool], J, set),
            Overload::new(&[J, Ty::Text, J, Ty::Bool], J, set),
        ],
    ),
    Spec::immutable(
        "jsonb_insert",
        &[
            Overload::new(&[J, Ty::Array, J], J, insert),
            Overload::new(&[J, Ty::Text, J], J, insert),
            Overload::new(&[J, Ty::Array, J, Ty::Bool], J, insert),
            Overload::new(&[J, Ty::Text, J, Ty::Bool], J, insert),
        ],
    ),
];
