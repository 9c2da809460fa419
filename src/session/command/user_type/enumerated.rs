//! Enums: their words and the order of these.

use datafusion::sql::sqlparser::ast::ObjectName;
use tessera_catalog::id::Oid;
use tessera_catalog::model::{EnumValue, UserType, UserTypeBody};

use super::super::grant;
use super::{creation, put};
use crate::error::{Error, Result};
use crate::planner::ast::EnumPlace;
use crate::session::Session;
use crate::session::reply::Notice;

/// The longest word, in bytes, as in PostgreSQL.
const MAX_LABEL_BYTES: usize = 63;
/// The most words of one enum.
const MAX_LABELS: usize = 10_000;

pub(super) async fn create(
    session: &mut Session,
    name: &ObjectName,
    labels: &[String],
) -> Result<()> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let (schema, name) = creation(session, &scope, &caller, name).await?;
    if labels.len() > MAX_LABELS {
        return Err(too_many());
    }
    let catalog = session.engine.catalog.clone();
    let next_oid = || catalog.next_oid(&scope.database);
    let (oid, array_oid) = (next_oid(), next_oid());
    let mut values: Vec<EnumValue> = Vec::with_capacity(labels.len());
    for (index, label) in labels.iter().enumerate() {
        check_label(label)?;
        if values.iter().any(|value| value.label == *label) {
            return Err(Error::Function {
                sqlstate: "23505",
                message: "duplicate key value violates unique constraint \
                          \"pg_enum_typid_label_index\""
                    .to_owned(),
                hint: None,
                detail: Some(format!(
                    "Key (enumtypid, enumlabel)=({oid}, {label}) already exists."
                )),
            });
        }
        values.push(EnumValue {
            oid: next_oid(),
            label: label.clone(),
            stored: label.clone(),
            sort_order: (index + 1) as f32,
        });
    }
    let made = UserType {
        oid,
        array_oid,
        schema: schema.oid,
        name,
        owner: grant::creator(&caller),
        acl: None,
        comment: None,
        body: UserTypeBody::Enum(values),
    };
    put(session, &caller.database, made);
    Ok(())
}

fn too_many() -> Error {
    Error::ProgramLimit(format!("an enum can have at most {MAX_LABELS} values"))
}

fn check_label(label: &str) -> Result<()> {
    if label.is_empty() || label.len() <= MAX_LABEL_BYTES {
        return Ok(());
    }
    Err(Error::Function {
        sqlstate: "42602",
        message: format!("invalid enum label \"{label}\""),
        hint: None,
        detail: Some(format!("Labels must be {MAX_LABEL_BYTES} bytes or less.")),
    })
}

/// The words of an enum.
///
/// # Errors
/// 42809 for a type of another kind.
pub(super) fn values(user_type: &mut UserType) -> Result<&mut Vec<EnumValue>> {
    match &mut user_type.body {
        UserTypeBody::Enum(values) => Ok(values),
        UserTypeBody::Domain(_) => Err(Error::Function {
            sqlstate: "42809",
            message: format!("{} is not an enum", user_type.name),
            hint: None,
            detail: None,
        }),
    }
}

/// Adds a word; whether there was something to add.
pub(super) fn add_value(
    session: &mut Session,
    user_type: &mut UserType,
    label: &str,
    if_not_exists: bool,
    place: &EnumPlace,
    oid: Oid,
) -> Result<bool> {
    check_label(label)?;
    let values = values(user_type)?;
    if values.iter().any(|value| value.label == label) {
        if !if_not_exists {
            return Err(Error::AlreadyExists {
                kind: "enum label",
                name: label.to_owned(),
            });
        }
        session.notice(Notice {
            sqlstate: "42710",
            ..Notice::plain(format!("enum label \"{label}\" already exists, skipping"))
        });
        return Ok(false);
    }
    if values.len() >= MAX_LABELS {
        return Err(too_many());
    }
    let at = |neighbour: &str| {
        let found = values.iter().position(|value| value.label == neighbour);
        found.ok_or_else(|| not_there(neighbour))
    };
    let index = match place {
        EnumPlace::Last => values.len(),
        EnumPlace::Before(neighbour) => at(neighbour)?,
        EnumPlace::After(neighbour) => at(neighbour)? + 1,
    };
    let added = EnumValue {
        oid,
        label: label.to_owned(),
        stored: free_word(label, values),
        sort_order: 0.0,
    };
    values.insert(index, added);
    number(values, index);
    Ok(true)
}

fn not_there(label: &str) -> Error {
    Error::InvalidParameterValue(format!("\"{label}\" is not an existing enum label"))
}

/// What stands in files for a new word: the word, unless a former name of another stands there.
fn free_word(label: &str, values: &[EnumValue]) -> String {
    let taken = |word: &str| values.iter().any(|value| value.stored == word);
    if !taken(label) {
        return label.to_owned();
    }
    let free = (2..)
        .map(|n| format!("{label} #{n}"))
        .find(|word| !taken(word));
    free.unwrap_or_default()
}

/// Numbers a new word between its neighbours; all anew where there is no number between.
fn number(values: &mut [EnumValue], index: usize) {
    let order = |index: Option<usize>| Some(values.get(index?)?.sort_order);
    let (before, after) = (order(index.checked_sub(1)), order(Some(index + 1)));
    let between = match (before, after) {
        (None, None) => 1.0,
        (Some(before), None) => before + 1.0,
        (None, Some(after)) => after - 1.0,
        (Some(before), Some(after)) => (before + after) / 2.0,
    };
    values[index].sort_order = between;
    if Some(between) == before || Some(between) == after {
        for (place, value) in values.iter_mut().enumerate() {
            value.sort_order = (place + 1) as f32;
        }
    }
}

/// Gives a word another name; in files it stays as it is.
pub(super) fn rename_value(user_type: &mut UserType, from: &str, to: &str) -> Result<()> {
    check_label(to)?;
    let values = values(user_type)?;
    if !values.iter().any(|value| value.label == from) {
        return Err(not_there(from));
    }
    if values.iter().any(|value| value.label == to) {
        return Err(Error::AlreadyExists {
            kind: "enum label",
            name: to.to_owned(),
        });
    }
    for value in values.iter_mut().filter(|value| value.label == from) {
        value.label = to.to_owned();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(label: &str, sort_order: f32) -> EnumValue {
        EnumValue {
            oid: Oid(1),
            label: label.to_owned(),
            stored: label.to_owned(),
            sort_order,
        }
    }

    #[test]
    fn a_word_between_two_is_numbered_between_them() {
        let mut values = vec![value("a", 1.0), value("b", 0.0), value("c", 2.0)];
        number(&mut values, 1);
        assert_eq!(values[1].sort_order, 1.5);
        let mut values = vec![value("a", 0.0), value("b", 1.0)];
        number(&mut values, 0);
        assert_eq!(values[0].sort_order, 0.0);
    }

    #[test]
    fn words_are_numbered_anew_when_no_number_is_between() {
        let next = f32::from_bits(1.0_f32.to_bits() + 1);
        let mut values = vec![value("a", 1.0), value("b", 0.0), value("c", next)];
        number(&mut values, 1);
        let orders: Vec<f32> = values.iter().map(|value| value.sort_order).collect();
        assert_eq!(orders, [1.0, 2.0, 3.0]);
    }

    #[test]
    fn a_former_name_is_not_stored_for_another_word() {
        let mut renamed = value("b", 1.0);
        renamed.stored = "a".to_owned();
        assert_eq!(free_word("a", &[renamed]), "a #2");
    }
}
