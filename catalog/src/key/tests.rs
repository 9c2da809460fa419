//! Which values are one key. Equalities are PostgreSQL's.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, StringViewArray,
};
use arrow::datatypes::IntervalMonthDayNano;

use super::*;

fn key(types: &[SqlType], nulls_distinct: bool) -> KeyColumns {
    let columns = (1_i16..).zip(types).map(|(number, sql_type)| KeyColumn {
        number,
        physical: format!("c{number}"),
        sql_type: sql_type.clone(),
    });
    KeyColumns {
        constraint: Oid(1),
        nulls_distinct,
        columns: columns.collect(),
    }
}

fn hashes(sql_type: SqlType, array: ArrayRef) -> Vec<Option<u128>> {
    let rows = array.len();
    key(&[sql_type], true).hashes(&[array], rows).unwrap()
}

#[test]
fn equal_values_are_one_key() {
    let floats = hashes(
        SqlType::Float8,
        Arc::new(Float64Array::from(vec![
            0.0,
            -0.0,
            f64::NAN,
            -f64::NAN,
            1.0,
        ])),
    );
    assert_eq!(floats[0], floats[1]);
    assert_eq!(floats[2], floats[3]);
    assert_ne!(floats[0], floats[4]);
    let numbers = StringViewArray::from(vec!["1", "1.0", "1.00", "100", "-0.0", "0", "1.01"]);
    let numbers = hashes(SqlType::Numeric(None), Arc::new(numbers));
    assert_eq!(numbers[0], numbers[1]);
    assert_eq!(numbers[0], numbers[2]);
    assert_ne!(numbers[0], numbers[3]);
    assert_eq!(numbers[4], numbers[5]);
    assert_ne!(numbers[2], numbers[6]);
    let spans = [
        (1, 0, 0),
        (0, 30, 0),
        (0, 29, 86_400_000_000_000),
        (0, 31, 0),
    ]
    .map(|(months, days, nanos)| IntervalMonthDayNano::new(months, days, nanos));
    let spans = IntervalMonthDayNanoArray::from(spans.to_vec());
    let spans = hashes(SqlType::Interval, Arc::new(spans));
    assert_eq!(spans[0], spans[1]);
    assert_eq!(spans[0], spans[2]);
    assert_ne!(spans[0], spans[3]);
}

#[test]
fn a_wider_integer_is_the_same_key() {
    let narrow = hashes(SqlType::Int4, Arc::new(Int32Array::from(vec![7])));
    let wide = hashes(SqlType::Int8, Arc::new(Int64Array::from(vec![7])));
    assert_eq!(narrow, wide);
}

#[test]
fn nulls_are_distinct_unless_said_otherwise() {
    let types = [SqlType::Int4, SqlType::Text];
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(1), None, None]));
    let texts: ArrayRef = Arc::new(StringViewArray::from(vec![
        Some("a"),
        None,
        Some("a"),
        Some("a"),
    ]));
    let columns = [numbers, texts];
    let distinct = key(&types, true).hashes(&columns, 4).unwrap();
    assert!(distinct[0].is_some());
    assert_eq!(distinct[1..], [None, None, None]);
    let not_distinct = key(&types, false).hashes(&columns, 4).unwrap();
    assert!(not_distinct.iter().all(Option::is_some));
    assert_eq!(not_distinct[2], not_distinct[3]);
    assert_ne!(not_distinct[0], not_distinct[1]);
}

#[test]
fn columns_are_not_run_together() {
    let types = [SqlType::Text, SqlType::Text];
    let left: ArrayRef = Arc::new(StringViewArray::from(vec!["ab", "a"]));
    let right: ArrayRef = Arc::new(StringViewArray::from(vec!["c", "bc"]));
    let hashes = key(&types, true).hashes(&[left, right], 2).unwrap();
    assert_ne!(hashes[0], hashes[1]);
}

#[test]
fn a_key_of_nothing_but_the_tenant_is_one_row() {
    let hashes = key(&[], true).hashes(&[], 2).unwrap();
    assert_eq!(hashes[0], hashes[1]);
}
