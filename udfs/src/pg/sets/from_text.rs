//! `regexp_matches`, `regexp_split_to_table` and `string_to_table`, a list of their rows for each row.

use arrow::array::{ArrayRef, ListBuilder, StringViewBuilder};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, internal_err};
use std::sync::Arc;

use super::super::error::PgResult;
use super::super::function::{Call, Overload, Planned, Ret, Spec};
use super::super::text::{regexp, split};
use super::super::types::Ty;
use super::super::value::Reader;

const T: Ty = Ty::Text;

pub(super) const SPECS: &[Spec] = &[
    Spec::immutable(
        "regexp_matches",
        &[
            Overload::returning(&[T, T], Ret::By(lists_of_texts), regexp_matches),
            Overload::returning(&[T, T, T], Ret::By(lists_of_texts), regexp_matches),
        ],
    ),
    Spec::immutable(
        "regexp_split_to_table",
        &[
            Overload::returning(&[T, T], Ret::ListOf(T), regexp_split_to_table),
            Overload::returning(&[T, T, T], Ret::ListOf(T), regexp_split_to_table),
        ],
    ),
    Spec::immutable(
        "string_to_table",
        &[
            Overload::returning(&[T, T], Ret::ListOf(T), string_to_table),
            Overload::returning(&[T, T, T], Ret::ListOf(T), string_to_table),
        ],
    ),
];

fn lists_of_texts(_: &Planned<'_>) -> Result<Field> {
    let text = Field::new_list_field(DataType::Utf8View, true);
    let texts = Field::new_list_field(DataType::List(Arc::new(text)), true);
    Ok(Field::new(
        "regexp_matches",
        DataType::List(Arc::new(texts)),
        true,
    ))
}

/// The texts of a row's arguments; a third that is missing is empty.
struct Texts<'a>(Vec<Reader<'a, &'a str>>);

impl<'a> Texts<'a> {
    fn of(call: &'a Call<'_>) -> Result<Self> {
        let readers = (0..call.args.len()).map(|index| Reader::of(call, index));
        Ok(Self(readers.collect::<Result<_>>()?))
    }

    fn get(&self, index: usize, row: usize) -> PgResult<Option<&'a str>> {
        match self.0.get(index) {
            Some(reader) => reader.get(row),
            None => Ok(None),
        }
    }
}

fn regexp_matches(call: &Call<'_>) -> Result<ArrayRef> {
    let DataType::List(outer) = call.ret.data_type() else {
        return internal_err!("regexp_matches gives arrays");
    };
    let DataType::List(inner) = outer.data_type() else {
        return internal_err!("regexp_matches gives arrays of texts");
    };
    let texts = Texts::of(call)?;
    let matches = ListBuilder::new(StringViewBuilder::new()).with_field(Arc::clone(inner));
    let mut builder = ListBuilder::new(matches).with_field(Arc::clone(outer));
    for row in 0..call.rows {
        let flags = match call.args.len() {
            3 => texts.get(2, row)?,
            _ => Some(""),
        };
        if let (Some(subject), Some(pattern), Some(flags)) =
            (texts.get(0, row)?, texts.get(1, row)?, flags)
        {
            let regex = regexp::compile(pattern, &flags.replace('g', ""), call.name)?;
            for groups in regexp::matches(&regex, subject, flags.contains('g')) {
                builder.values().append_value(groups);
            }
        }
        builder.append(true);
    }
    Ok(Arc::new(builder.finish()))
}

/// A list of texts for each row, made by `make`.
fn lists(
    call: &Call<'_>,
    mut make: impl FnMut(&mut StringViewBuilder, usize) -> PgResult<()>,
) -> Result<ArrayRef> {
    let DataType::List(item) = call.ret.data_type() else {
        return internal_err!("{} gives texts", call.name);
    };
    let mut builder = ListBuilder::new(StringViewBuilder::new()).with_field(Arc::clone(item));
    for row in 0..call.rows {
        make(builder.values(), row)?;
        builder.append(true);
    }
    Ok(Arc::new(builder.finish()))
}

fn regexp_split_to_table(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call)?;
    lists(call, |out, row| {
        let flags = match call.args.len() {
            3 => texts.get(2, row)?,
            _ => Some(""),
        };
        if let (Some(subject), Some(pattern), Some(flags)) =
            (texts.get(0, row)?, texts.get(1, row)?, flags)
        {
            let regex = regexp::compile(pattern, flags, call.name)?;
            let parts = regexp::split(&regex, subject)?;
            parts.into_iter().for_each(|part| out.append_value(part));
        }
        Ok(())
    })
}

fn string_to_table(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = Texts::of(call)?;
    lists(call, |out, row| {
        if let Some(subject) = texts.get(0, row)? {
            let parts = split::string_to_array(subject, texts.get(1, row)?, texts.get(2, row)?)?;
            parts.into_iter().for_each(|part| out.append_option(part));
        }
        Ok(())
    })
}
