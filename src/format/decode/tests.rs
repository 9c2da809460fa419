//! Values read and written, against what PostgreSQL 15 answered for the same texts: `vectors.tsv` holds
//! its settings, the type, the input, and its text, binary form, SQLSTATE and message.

use std::sync::Arc;

use arrow::array::ArrayRef;
use tessera_catalog::sql_type::SqlType;

use super::*;
use crate::format::encode::{Column, DateOrder, DateStyle, IntervalStyle};
use crate::wire::sqlstate::sqlstate;

fn display(settings: &str) -> Display {
    let parts: Vec<&str> = settings.split(['|', ',']).collect();
    let (order, interval, zone) = match parts.as_slice() {
        [_, order, interval, zone] => (*order, *interval, *zone),
        [_, interval, zone] => ("DMY", *interval, *zone),
        _ => panic!("{settings}"),
    };
    Display {
        date_style: match parts[0] {
            "ISO" => DateStyle::Iso,
            "SQL" => DateStyle::Sql,
            "Postgres" => DateStyle::Postgres,
            _ => DateStyle::German,
        },
        date_order: match order {
            "MDY" => DateOrder::Mdy,
            "DMY" => DateOrder::Dmy,
            _ => DateOrder::Ymd,
        },
        interval_style: match interval {
            "postgres" => IntervalStyle::Postgres,
            "postgres_verbose" => IntervalStyle::PostgresVerbose,
            "sql_standard" => IntervalStyle::SqlStandard,
            _ => IntervalStyle::Iso8601,
        },
        zone: zone.parse().unwrap(),
        ..Display::default()
    }
}

/// A field of PostgreSQL's COPY text.
fn field(text: &str) -> Option<String> {
    let letter = |rest: &str| match rest.as_bytes().first() {
        Some(b't') => '\t',
        Some(b'n') => '\n',
        _ => '\\',
    };
    if text == "\\N" {
        return None;
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        out.push(letter(after));
        rest = &after[1..];
    }
    Some(out + rest)
}

fn written(array: &ArrayRef, sql_type: &SqlType, display: &Display) -> (String, String) {
    let column = Column::open(array, sql_type).unwrap();
    let (mut text, mut binary) = (Vec::new(), Vec::new());
    column.text(0, display, &mut text);
    column.binary(0, &mut binary).unwrap();
    let hex = binary.iter().map(|byte| format!("{byte:02x}")).collect();
    (String::from_utf8(text).unwrap(), hex)
}

/// What we answer otherwise than PostgreSQL on purpose: a numeric with a scale holds no NaN, and
/// timestamps, which count from 1970, end 30 years earlier.
fn differs_on_purpose(sql_type: &SqlType, input: &str) -> bool {
    (matches!(sql_type, SqlType::Numeric(Some(_))) && input == "NaN")
        || input.starts_with("294276-12-31")
}

#[test]
fn values_are_read_and_written_as_by_postgresql() {
    let mut faults = Vec::new();
    let vectors = include_str!("vectors.tsv");
    for line in vectors.lines() {
        let fields: Vec<Option<String>> = line.split('\t').map(field).collect();
        let [
            Some(settings),
            Some(name),
            Some(input),
            text,
            binary,
            code,
            message,
        ] = fields.as_slice()
        else {
            panic!("{line}");
        };
        let display = display(settings);
        let sql_type = SqlType::parse(name).unwrap();
        if differs_on_purpose(&sql_type, input) {
            continue;
        }
        let mut fault = |what: &str, ours: &str, theirs: &str| {
            if ours != theirs {
                faults.push(format!(
                    "{settings} {name} {input:?} {what}: {ours:?}, PostgreSQL {theirs:?}"
                ));
            }
        };
        match (parse_text(input.as_bytes(), &sql_type, &display), text) {
            (Ok(value), Some(expected)) => {
                let array = value.to_array().unwrap();
                let (mut ours, ours_binary) = written(&array, &sql_type, &display);
                if sql_type == SqlType::Bool {
                    ours = if ours == "t" {
                        "true".to_owned()
                    } else {
                        "false".to_owned()
                    };
                }
                if matches!(sql_type, SqlType::Char(_)) {
                    ours.truncate(ours.trim_end().len());
                }
                fault("text", &ours, expected);
                let theirs_binary = binary.as_deref().unwrap();
                fault("binary", &ours_binary, theirs_binary);
                let bytes: Vec<u8> = (0..theirs_binary.len() / 2)
                    .map(|at| u8::from_str_radix(&theirs_binary[2 * at..2 * at + 2], 16).unwrap())
                    .collect();
                let again = parse_binary(&bytes, &sql_type, &display);
                let again = again.map(|value| value.to_array().unwrap());
                match again {
                    Ok(again) => {
                        let (text, binary) = written(&again, &sql_type, &display);
                        fault("binary read again", &binary, theirs_binary);
                        if !matches!(sql_type, SqlType::Char(_) | SqlType::Bool) {
                            fault("text of binary", &text, expected);
                        }
                    }
                    Err(error) => fault("binary", &error.to_string(), theirs_binary),
                }
            }
            (Ok(value), None) => {
                let array = value.to_array().unwrap();
                let ours = written(&array, &sql_type, &display).0;
                fault("", &ours, message.as_deref().unwrap_or_default());
            }
            (Err(error), Some(expected)) => fault("", &error.to_string(), expected),
            (Err(error), None) => {
                fault(
                    "code",
                    sqlstate(&error),
                    code.as_deref().unwrap_or_default(),
                );
                fault(
                    "message",
                    &error.to_string(),
                    message.as_deref().unwrap_or_default(),
                );
            }
        }
    }
    assert!(
        faults.is_empty(),
        "{} differences:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

#[test]
fn nulls_have_their_type() {
    let display = Display::default();
    assert!(null(&SqlType::Uuid, &display).unwrap().is_null());
    assert_eq!(
        null(&SqlType::Unknown, &display).unwrap(),
        ScalarValue::Utf8View(None)
    );
}

#[test]
fn no_bytes_make_a_reader_panic() {
    let display = Display::default();
    let mut types: Vec<SqlType> = SqlType::SCALARS.to_vec();
    types.push(SqlType::Array(Box::new(SqlType::Int4)));
    types.push(SqlType::Numeric(Some((10, 2))));
    let texts = [
        "",
        " ",
        "-",
        "+",
        ".",
        "e",
        "-.",
        "1-",
        "1-1-",
        "--1",
        "1:",
        ":1",
        "P",
        "PT",
        "P-",
        "P1",
        "{",
        "}",
        "{{",
        "{\"",
        "\\",
        "\\x",
        "1e",
        "1 2 3 4",
        "é",
        "1é",
        "-é",
        "é-1-1",
        "2020-01-0é",
        "1:é",
        "J",
        "+1",
        "+é",
        "1.é",
        "99999999999999999999999",
        "-99999999999999999999-1-1",
        "1 é",
        "Pé",
        "1é ",
        "T",
        "am",
        "1-é",
        "[1:2]={1,2}",
    ];
    for sql_type in &types {
        for text in texts {
            let _ = parse_text(text.as_bytes(), sql_type, &display);
            let _ = parse_binary(text.as_bytes(), sql_type, &display);
        }
        for length in 0..40 {
            for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                let _ = parse_binary(&vec![byte; length], sql_type, &display);
            }
        }
    }
}

#[test]
fn arrays_of_arrow_that_are_not_ours_are_written() {
    use arrow::array::{
        DictionaryArray, Int64Array, StringArray, TimestampNanosecondArray, UInt64Array,
    };
    use arrow::datatypes::Int32Type;
    let display = Display::default();
    let text = |array: ArrayRef, sql_type: SqlType| written(&array, &sql_type, &display).0;
    let dictionary: DictionaryArray<Int32Type> = ["a", "b"].into_iter().collect();
    assert_eq!(text(Arc::new(dictionary), SqlType::Text), "a");
    assert_eq!(
        text(Arc::new(StringArray::from(vec!["x"])), SqlType::Text),
        "x"
    );
    assert_eq!(
        text(Arc::new(UInt64Array::from(vec![7])), SqlType::Int8),
        "7"
    );
    assert_eq!(text(Arc::new(Int64Array::from(vec![7])), SqlType::Oid), "7");
    let nanos = TimestampNanosecondArray::from(vec![1_500_000_000]);
    assert_eq!(
        text(Arc::new(nanos), SqlType::Timestamp),
        "1970-01-01 00:00:01.5"
    );
}
