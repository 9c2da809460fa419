//! `tokenize(text)` and `ngrams(text, n)`: the words of a text, in small letters.
//!
//! A word is a run of letters, digits, apostrophes and marks that belong to letters, as Unicode's; words of reports
//! that say nothing ("the", "and") are kept. NULL gives NULL, a text without words an empty array.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, ListArray, StringViewBuilder};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Int32Type};
use datafusion::common::Result;

use crate::function::{Declaration, Parameter, Role, ScalarSpec};
use crate::math::sentiment::plain_words;
use crate::pg::PgError;
use crate::pg::function::{Call, Overload, Ret, Spec};
use crate::pg::types::Ty;
use crate::relation::{Class, Constant};

/// The longest n-gram, in words.
const MAX_WORDS: i32 = 10;

pub(super) static TOKENIZE: ScalarSpec = ScalarSpec {
    declaration: Declaration {
        name: "tokenize",
        role: Role::Scalar,
        parameters: &[Parameter::value("text", Class::Text)],
        returns: texts,
    },
    function: Spec::immutable(
        "tokenize",
        &[Overload::returning(
            &[Ty::Text],
            Ret::ListOf(Ty::Text),
            |call| lists(call, |_, _| Ok(Some(1))),
        )],
    ),
};

pub(super) static NGRAMS: ScalarSpec = ScalarSpec {
    declaration: Declaration {
        name: "ngrams",
        role: Role::Scalar,
        parameters: &[
            Parameter::value("text", Class::Text),
            Parameter::number("n").or(Constant::Integer(2)),
        ],
        returns: texts,
    },
    function: Spec::immutable(
        "ngrams",
        &[Overload::returning(
            &[Ty::Text, Ty::Int4],
            Ret::ListOf(Ty::Text),
            |call| {
                lists(call, |call, row| {
                    let n = call
                        .at(1, row)
                        .map(|place| call.args[1].array.as_primitive::<Int32Type>().value(place));
                    match n {
                        Some(n) if !(1..=MAX_WORDS).contains(&n) => {
                            let text = format!("n must be between 1 and {MAX_WORDS}");
                            Err(PgError::InvalidParameter(text).into())
                        }
                        n => Ok(n.and_then(|n| usize::try_from(n).ok())),
                    }
                })
            },
        )],
    ),
};

fn texts() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Utf8View, true)))
}

fn lists(
    call: &Call<'_>,
    length: fn(&Call<'_>, usize) -> Result<Option<usize>>,
) -> Result<ArrayRef> {
    let texts = call.args[0].array.as_string_view();
    let mut items = StringViewBuilder::new();
    let (mut lengths, mut valid) = (Vec::with_capacity(call.rows), Vec::with_capacity(call.rows));
    for row in 0..call.rows {
        let found = match (call.at(0, row), length(call, row)?) {
            (Some(place), Some(n)) => {
                let words: Vec<String> = plain_words(texts.value(place)).collect();
                words
                    .windows(n)
                    .map(|words| items.append_value(words.join(" ")))
                    .count()
            }
            _ => 0,
        };
        valid.push(call.at(0, row).is_some() && length(call, row)?.is_some());
        lengths.push(found);
    }
    let item = Arc::new(Field::new_list_field(DataType::Utf8View, true));
    let nulls = NullBuffer::from(valid);
    let items = Arc::new(items.finish());
    Ok(Arc::new(ListArray::try_new(
        item,
        OffsetBuffer::from_lengths(lengths),
        items,
        Some(nulls),
    )?))
}
