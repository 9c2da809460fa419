//! Values of every type.

use super::*;

/// A list array of the SQL type with one, two, no and unknown items.
fn list_of(element: &SqlType, values: &ArrayRef) -> ArrayRef {
    let field = element.field("item", true, &utc());
    let field = match SqlType::Array(Box::new(element.clone())).arrow(&utc()) {
        DataType::List(field) => field,
        _ => field,
    };
    let length = values.len() as i32;
    let offsets = arrow::buffer::OffsetBuffer::new(vec![0, 0, 1, length, length].into());
    let nulls = arrow::buffer::NullBuffer::from(vec![true, true, true, false]);
    Arc::new(ListArray::new(
        field,
        offsets,
        Arc::clone(values),
        Some(nulls),
    ))
}

/// Four values of each type, the last NULL, among them the extremes.
pub(super) fn samples() -> Vec<(SqlType, ArrayRef)> {
    let text = |a: &str, b: &str, c: &str| -> ArrayRef {
        Arc::new(StringViewArray::from(vec![Some(a), Some(b), Some(c), None]))
    };
    let interval =
        |months, days, micros: i64| Some(IntervalMonthDayNano::new(months, days, micros * 1000));
    let long = "é".repeat(200);
    vec![
        (
            SqlType::Bool,
            Arc::new(BooleanArray::from(vec![
                Some(true),
                Some(false),
                Some(true),
                None,
            ])),
        ),
        (
            SqlType::Int2,
            Arc::new(Int16Array::from(vec![
                Some(i16::MIN),
                Some(0),
                Some(i16::MAX),
                None,
            ])),
        ),
        (
            SqlType::Int4,
            Arc::new(Int32Array::from(vec![
                Some(i32::MIN),
                Some(0),
                Some(i32::MAX),
                None,
            ])),
        ),
        (
            SqlType::Int8,
            Arc::new(Int64Array::from(vec![
                Some(i64::MIN),
                Some(0),
                Some(i64::MAX),
                None,
            ])),
        ),
        (
            SqlType::Float4,
            Arc::new(Float32Array::from(vec![
                Some(f32::NAN),
                Some(f32::NEG_INFINITY),
                Some(0.1),
                None,
            ])),
        ),
        (
            SqlType::Float8,
            Arc::new(Float64Array::from(vec![
                Some(f64::NAN),
                Some(f64::INFINITY),
                Some(-0.0),
                None,
            ])),
        ),
        (
            SqlType::Numeric(Some((38, 10))),
            Arc::new(
                Decimal128Array::from(vec![Some(10i128.pow(38) - 1), Some(-1), Some(0), None])
                    .with_precision_and_scale(38, 10)
                    .unwrap(),
            ),
        ),
        (
            SqlType::Numeric(Some((5, -2))),
            Arc::new(
                Decimal128Array::from(vec![Some(99_999), Some(-1), Some(0), None])
                    .with_precision_and_scale(5, -2)
                    .unwrap(),
            ),
        ),
        (
            SqlType::Numeric(None),
            Arc::new(LargeStringArray::from(vec![
                Some("NaN"),
                Some("-12345678901234567890123456789.5"),
                Some("0"),
                None,
            ])),
        ),
        (SqlType::Text, text("", "naïve\n\"x\"", &long)),
        (SqlType::Varchar(Some(5)), text("a", "b", "c")),
        (SqlType::Char(3), text("a", "b", "c")),
        (SqlType::Name, text("a", "b", "c")),
        (SqlType::InternalChar, text("a", "b", "c")),
        (
            SqlType::Bytea,
            Arc::new(BinaryViewArray::from(vec![
                Some(&b""[..]),
                Some(b"\0\xff"),
                Some(b"x"),
                None,
            ])),
        ),
        (
            SqlType::Date,
            Arc::new(Date32Array::from(vec![
                Some(i32::MIN),
                Some(0),
                Some(i32::MAX),
                None,
            ])),
        ),
        (
            SqlType::Time,
            Arc::new(Time64MicrosecondArray::from(vec![
                Some(0),
                Some(1),
                Some(86_399_999_999),
                None,
            ])),
        ),
        (
            SqlType::Timestamp,
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(i64::MIN),
                Some(1),
                Some(i64::MAX),
                None,
            ])),
        ),
        (
            SqlType::Timestamptz,
            Arc::new(
                TimestampMicrosecondArray::from(vec![
                    Some(i64::MIN),
                    Some(1),
                    Some(i64::MAX),
                    None,
                ])
                .with_timezone("UTC"),
            ),
        ),
        (
            SqlType::Interval,
            Arc::new(IntervalMonthDayNanoArray::from(vec![
                interval(-14, 3, 1),
                interval(0, 0, 0),
                interval(1, -1, -86_400_000_001),
                None,
            ])),
        ),
        (
            SqlType::Uuid,
            text("00000000-0000-0000-0000-000000000000", "a", "f"),
        ),
        (SqlType::Json, text("{}", " [1]", "null")),
        (SqlType::Jsonb, text("{}", "[1]", "null")),
        (
            SqlType::Oid,
            Arc::new(UInt32Array::from(vec![
                Some(0),
                Some(1),
                Some(u32::MAX),
                None,
            ])),
        ),
        (
            SqlType::Reg(crate::sql_type::RegType::Class),
            Arc::new(UInt32Array::from(vec![
                Some(0),
                Some(1),
                Some(u32::MAX),
                None,
            ])),
        ),
    ]
}

/// Every scalar type and the array of each.
pub(super) fn every_type() -> (Relation, RecordBatch) {
    let mut columns = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (sql_type, values) in samples() {
        let number = columns.len() as i16 + 1;
        let items = list_of(&sql_type, &values);
        let array_type = SqlType::Array(Box::new(sql_type.clone()));
        columns.push(column(number, &format!("c{number}"), sql_type));
        columns.push(column(number + 1, &format!("c{}", number + 1), array_type));
        arrays.push(values);
        arrays.push(items);
    }
    let relation = relation(columns);
    let batch = batch(&relation, arrays);
    (relation, batch)
}
