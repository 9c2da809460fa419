//! `regexp_split_to_table`, `string_to_table` and `regexp_matches` in FROM.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListBuilder, RecordBatch, StringViewArray, StringViewBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableFunctionImpl;
use datafusion::common::{Result, ScalarValue};

use super::super::text::{regexp, split};
use super::rows::{Rows, text, undefined};

pub(super) fn functions() -> Vec<(String, Arc<dyn TableFunctionImpl>)> {
    let make = |name, make| (name, Rows { name, make });
    let all = [
        make(
            "regexp_split_to_table",
            regexp_split_to_table as fn(&str, &[ScalarValue]) -> Result<RecordBatch>,
        ),
        make("string_to_table", string_to_table),
        make("regexp_matches", regexp_matches),
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

fn one_column(name: &str, column: ArrayRef) -> Result<RecordBatch> {
    let schema = Schema::new(vec![Field::new(name, column.data_type().clone(), true)]);
    Ok(RecordBatch::try_new(Arc::new(schema), vec![column])?)
}

fn regexp_split_to_table(name: &str, values: &[ScalarValue]) -> Result<RecordBatch> {
    if !(2..=3).contains(&values.len()) {
        return Err(undefined(name, values));
    }
    let parts = match (text(values.first()), text(values.get(1))) {
        (Some(subject), Some(pattern)) => {
            let regex = regexp::compile(pattern, text(values.get(2)).unwrap_or(""), name)?;
            regexp::split(&regex, subject)?
        }
        _ => Vec::new(),
    };
    one_column(name, Arc::new(StringViewArray::from_iter_values(parts)))
}

fn string_to_table(name: &str, values: &[ScalarValue]) -> Result<RecordBatch> {
    if !(2..=3).contains(&values.len()) {
        return Err(undefined(name, values));
    }
    let parts = match text(values.first()) {
        Some(subject) => split::string_to_array(subject, text(values.get(1)), text(values.get(2)))?,
        None => Vec::new(),
    };
    one_column(name, Arc::new(StringViewArray::from_iter(parts)))
}

fn regexp_matches(name: &str, values: &[ScalarValue]) -> Result<RecordBatch> {
    if !(2..=3).contains(&values.len()) {
        return Err(undefined(name, values));
    }
    let field = Arc::new(Field::new_list_field(DataType::Utf8View, true));
    let mut lists = ListBuilder::new(StringViewBuilder::new()).with_field(field);
    if let (Some(subject), Some(pattern)) = (text(values.first()), text(values.get(1))) {
        let flags = text(values.get(2)).unwrap_or("");
        let regex = regexp::compile(pattern, &flags.replace('g', ""), name)?;
        for groups in regexp::matches(&regex, subject, flags.contains('g')) {
            lists.append_value(groups);
        }
    }
    one_column(name, Arc::new(lists.finish()))
}
