//! `top_terms(text, k)`: the words that most often stand in a group's texts, the most frequent first.
//!
//! Words are as of `tokenize`, without numbers, single letters and English function words. The result is a list of
//! `struct(term, n)`; equal counts are in the order of the terms. NULL texts are left out; no texts give NULL.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue};

use crate::function::{AggregateSpec, Declaration, Parameter, Role, Rows, Work};
use crate::math::sentiment::{is_function_word, plain_words};
use crate::relation::{Class, Constant, Options, ValueType};

/// The most terms that a call may ask for.
const MAX_TERMS: i64 = 10_000;

pub(super) static TOP_TERMS: AggregateSpec = AggregateSpec {
    declaration: Declaration {
        name: "top_terms",
        role: Role::Aggregate,
        parameters: &[
            Parameter::value("text", Class::Text),
            Parameter::option(
                "k",
                ValueType::Integer {
                    min: 1,
                    max: MAX_TERMS,
                },
            )
            .or(Constant::Integer(10)),
        ],
        returns: list,
    },
    returns: |_| list(),
    work: Work::Rows(top),
};

fn fields() -> Fields {
    Fields::from(vec![
        Field::new("term", DataType::Utf8, true),
        Field::new("n", DataType::Int64, true),
    ])
}

fn list() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(
        DataType::Struct(fields()),
        true,
    )))
}

fn top(rows: &Rows, options: &Options) -> Result<ScalarValue> {
    let mut counts: HashMap<String, i64> = HashMap::new();
    for text in rows.column(0).as_string_view().iter().flatten() {
        for word in plain_words(text) {
            let says_something = word.chars().nth(1).is_some()
                && word.chars().any(char::is_alphabetic)
                && !is_function_word(&word);
            if says_something {
                *counts.entry(word).or_default() += 1;
            }
        }
    }
    let mut terms: Vec<(String, i64)> = counts.into_iter().collect();
    terms.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    terms.truncate(options.count("k")?);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(
            terms.iter().map(|(term, _)| term),
        )),
        Arc::new(Int64Array::from_iter_values(terms.iter().map(|(_, n)| *n))),
    ];
    let values = Arc::new(StructArray::try_new(fields(), columns, None)?);
    Ok(SingleRowListArrayBuilder::new(values).build_list_scalar())
}
