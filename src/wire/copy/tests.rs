use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use tessera_catalog::sql_type::SqlType;

use super::rows::RowDecoder;
use super::split::{LineEnd, Splitter};
use super::*;
use crate::error::Result;
use crate::session::{CopyFormat, CopyHeader, CopyOptions, ForceColumns, OutColumn};

fn source(options: CopyOptions) -> Source {
    let column = |name: &str, sql_type| OutColumn {
        name: name.to_owned(),
        sql_type,
        table: 0,
        column: 0,
    };
    Source {
        relation: "t".to_owned(),
        columns: Arc::from([column("a", SqlType::Int4), column("b", SqlType::Text)]),
        options,
        display: Display::default(),
    }
}

fn decode(options: CopyOptions, data: &str) -> Result<RecordBatch> {
    let splitter = Splitter::new(&options);
    let line_end = splitter.line_end(data.as_bytes(), true).unwrap();
    let decoder = RowDecoder::new(source(options), line_end);
    let decoded = decoder.decode(data.as_bytes(), true);
    decoded
        .map(|decoded| decoded.batch)
        .map_err(|fault| fault.into_error("t", 0))
}

/// Rows as `a|b`, NULL as nothing at all.
fn rows(batch: &RecordBatch) -> Vec<String> {
    let (a, b) = (
        batch.column(0).as_primitive::<Int32Type>(),
        batch.column(1).as_string_view(),
    );
    (0..batch.num_rows())
        .map(|row| {
            let a = if a.is_null(row) {
                String::new()
            } else {
                a.value(row).to_string()
            };
            let b = if b.is_null(row) { "NULL" } else { b.value(row) };
            format!("{a}|{b}")
        })
        .collect()
}

fn csv() -> CopyOptions {
    CopyOptions::new(CopyFormat::Csv)
}

fn text() -> CopyOptions {
    CopyOptions::new(CopyFormat::Text)
}

#[test]
fn text_rows() {
    let read = |data: &str| rows(&decode(text(), data).unwrap());
    assert_eq!(read("1\tx\n2\t\\N\n"), ["1|x", "2|NULL"]);
    assert_eq!(read("1\tx\r\n2\ty\r\n"), ["1|x", "2|y"]);
    assert_eq!(read("1\tx\r2\ty"), ["1|x", "2|y"]);
    assert_eq!(
        read("1\ta\\tb\\nc\\\\d\\x41\\101\\q\n"),
        ["1|a\tb\nc\\dAAq"]
    );
    assert_eq!(read("1\ta\\\nb\n"), ["1|a\nb"]);
    assert_eq!(read("1\tx\n\\.\nrest"), ["1|x"]);
    assert_eq!(read(""), Vec::<String>::new());
}

#[test]
fn csv_rows() {
    let read = |data: &str| rows(&decode(csv(), data).unwrap());
    assert_eq!(read("1,x\n2,\n3,\"\"\n"), ["1|x", "2|NULL", "3|"]);
    assert_eq!(read("1,\"a,b\"\n2,\"a\"\"b\"\n"), ["1|a,b", "2|a\"b"]);
    assert_eq!(read("1,\"a\nb\"\n\"2\",y\n"), ["1|a\nb", "2|y"]);
    assert_eq!(read("1,a\"b,c\"d\n"), ["1|ab,cd"]);
    assert_eq!(read("1,x\n\\.\n2,y\n"), ["1|x"]);
    assert_eq!(read("1,\"x\"\r\n2,y\r\n"), ["1|x", "2|y"]);
    let escaped = CopyOptions {
        escape: b'\\',
        ..csv()
    };
    assert_eq!(
        rows(&decode(escaped, "1,\"a\\\"b\\\\c\"\n").unwrap()),
        ["1|a\"b\\c"]
    );
    let forced = CopyOptions {
        force_not_null: ForceColumns::All,
        ..csv()
    };
    assert_eq!(rows(&decode(forced, "1,\n").unwrap()), ["1|"]);
    let forced = CopyOptions {
        force_null: ForceColumns::Some(vec!["b".to_owned()]),
        ..csv()
    };
    assert_eq!(rows(&decode(forced, "1,\"\"\n").unwrap()), ["1|NULL"]);
}

#[test]
fn headers_are_skipped_or_compared() {
    let with = |header| CopyOptions { header, ..csv() };
    assert_eq!(
        rows(&decode(with(CopyHeader::On), "x,y,z\n1,x\n").unwrap()),
        ["1|x"]
    );
    assert_eq!(
        rows(&decode(with(CopyHeader::Match), "a,b\n1,x\n").unwrap()),
        ["1|x"]
    );
    let error = decode(with(CopyHeader::Match), "a,c\n1,x\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "column name mismatch in header line field 2: got \"c\", expected \"b\""
    );
    let error = decode(with(CopyHeader::Match), "a\n1,x\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "wrong number of fields in header line: got 1, expected 2"
    );
}

#[test]
fn errors_name_line_column_and_value() {
    for (options, data, message, context) in [
        (
            text(),
            "1\tx\nabc\ty\n",
            "invalid input syntax for type integer: \"abc\"",
            "COPY t, line 2, column a: \"abc\"",
        ),
        (
            text(),
            "1\tx\n2\n",
            "missing data for column \"b\"",
            "COPY t, line 2: \"2\"",
        ),
        (
            text(),
            "1\tx\ty\n",
            "extra data after last expected column",
            "COPY t, line 1: \"1\tx\ty\"",
        ),
        (
            text(),
            "1\tx\n2\ty\rz\n",
            "literal carriage return found in data",
            "COPY t, line 2: \"2\ty\"",
        ),
        (
            csv(),
            "1,\"a\nb\"\nx,y\n",
            "invalid input syntax for type integer: \"x\"",
            "COPY t, line 3, column a: \"x\"",
        ),
        (
            csv(),
            "1,\"a\nb",
            "unterminated CSV quoted field",
            "COPY t, line 1: \"1,\"a\"",
        ),
    ] {
        let error = decode(options, data).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.context()),
            (message, Some(context)),
            "{data}"
        );
    }
    let error = decode(csv(), &format!("{}\n", "9".repeat(200))).unwrap_err();
    assert!(error.context().unwrap().ends_with("999...\""));
}

#[test]
fn bad_rows_can_be_left_out() {
    let options = CopyOptions {
        on_error_ignore: true,
        ..csv()
    };
    let decoder = RowDecoder::new(source(options), LineEnd::Newline);
    let decoded = decoder.decode(b"1,x\nbad,\"y\nz\"\n3,w\n", false).unwrap();
    assert_eq!(rows(&decoded.batch), ["1|x", "3|w"]);
    assert_eq!(
        (
            decoded.skipped.len(),
            decoded.skipped[0].line,
            decoded.lines
        ),
        (1, 2, 4)
    );
    // A record of the wrong form is an error all the same.
    assert!(decoder.decode(b"bad\n", false).is_err());
}

#[test]
fn blocks_end_where_records_end() {
    let whole = |options: &CopyOptions, data: &str| {
        let splitter = Splitter::new(options);
        let line_end = splitter.line_end(data.as_bytes(), true).unwrap();
        splitter.whole_records(data.as_bytes(), line_end)
    };
    assert_eq!(whole(&text(), "1\tx\n2\ty"), 4);
    assert_eq!(whole(&text(), "1\tx\n2\ty\\\nz"), 4);
    assert_eq!(whole(&text(), "1\tx\\\\\n2"), 6);
    assert_eq!(whole(&csv(), "1,x\n2,\"a\nb"), 4);
    assert_eq!(whole(&csv(), "1,x\n2,\"a\nb\"\n3"), 12);
    assert_eq!(whole(&csv(), "1,\"\"\"\n\"\"\n"), 0);
    let escaped = CopyOptions {
        escape: b'\\',
        ..csv()
    };
    assert_eq!(whole(&escaped, "1,\"\\\"\n\"\n2"), 8);
}
