//! How a column's values lie in a file: the stored type of each SQL type, there and back.
//!
//! Delta has no type for a time, an interval, an oid, a uuid or a number without limits; DESIGN.md says
//! what they become. What a column is in SQL stands in its Delta metadata under `tessera.type`.
//!
//! | SQL | Delta | in Parquet |
//! |---|---|---|
//! | `uuid`, `json`, `jsonb`, `numeric`, `char(n)`, `name` | string | UTF-8 |
//! | an enum | string | the word under which the value was made |
//! | `time` | long | microseconds since midnight |
//! | `time with time zone` | string | `13:45:30+02` |
//! | `interval` | struct(months int, days int, micros long) | a group |
//! | `timestamptz`, `timestamp` | timestamp, timestamp_ntz | microseconds; ±infinity is the extreme |
//! | `date` | date | days; ±infinity is the extreme |
//! | `numeric(p, s)` | decimal(p, s), widened where s < 0 or s > p | |
//! | `oid` and its kin | long | |

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, Int32Array, Int64Array, IntervalMonthDayNanoArray,
    StructArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Field, FieldRef, Fields, Int32Type, Int64Type, IntervalMonthDayNanoType,
    IntervalUnit, Schema, SchemaRef, TimeUnit,
};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::model::{Column, Table};
use crate::sql_type::{SqlType, TYPE_KEY};
use crate::zoned_time;

/// The column that stands in for all others in files of a table that stores none.
pub(crate) const PLACEHOLDER: &str = "_rows";
const PLACEHOLDER_ID: i32 = 2_000_000;
/// Fields of structs are numbered from here, by the number of their column.
const NESTED_ID: i32 = 1_000_000;
const INTERVAL_PARTS: [&str; 3] = ["months", "days", "micros"];

/// The live columns that files hold, in order.
pub fn stored_columns(table: &Table) -> impl Iterator<Item = &Column> {
    table.live_columns().filter(|column| !column.is_tenant())
}

/// The type that a file holds for a SQL type.
///
/// # Errors
///
/// [`Error::Unstorable`] for pseudo-types.
pub fn stored_type(sql_type: &SqlType) -> Result<DataType> {
    Ok(match sql_type {
        SqlType::Unknown | SqlType::Void => {
            return Err(Error::Unstorable(format!(
                "column cannot have type {sql_type}"
            )));
        }
        SqlType::Time | SqlType::Oid | SqlType::Reg(_) => DataType::Int64,
        SqlType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))),
        SqlType::Interval => DataType::Struct(interval_fields()),
        SqlType::Numeric(Some((precision, scale))) => match stored_decimal(*precision, *scale) {
            Some((precision, scale)) => DataType::Decimal128(precision, scale),
            None => DataType::Utf8View,
        },
        SqlType::Numeric(None) | SqlType::Timetz => DataType::Utf8View,
        SqlType::OidVector => DataType::List(item(&SqlType::Oid)?),
        SqlType::Array(element) => DataType::List(item(element)?),
        plain => plain.arrow(&utc()),
    })
}

fn utc() -> Arc<str> {
    Arc::from("UTC")
}

/// Named as in the engine, so that most arrays need no conversion.
fn item(element: &SqlType) -> Result<FieldRef> {
    let field = Field::new("item", stored_type(element)?, true);
    Ok(Arc::new(field.with_metadata(element.metadata(&utc()))))
}

fn interval_fields() -> Fields {
    Fields::from(vec![
        Field::new(INTERVAL_PARTS[0], DataType::Int32, true),
        Field::new(INTERVAL_PARTS[1], DataType::Int32, true),
        Field::new(INTERVAL_PARTS[2], DataType::Int64, true),
    ])
}

/// Delta's decimals have 0 ≤ scale ≤ precision ≤ 38.
fn stored_decimal(precision: u8, scale: i8) -> Option<(u8, i8)> {
    let (precision, scale) = match u8::try_from(scale) {
        Ok(places) => (precision.max(places), scale),
        Err(_) => (precision.checked_add(scale.unsigned_abs())?, 0),
    };
    (precision <= 38).then_some((precision, scale))
}

/// Whether a column's stored and engine types differ and hold others inside, so that the conversion is
/// no plain cast that a file reader can do.
pub(crate) fn is_rebuilt(sql_type: &SqlType, zone: &Arc<str>) -> bool {
    let nested = matches!(
        sql_type,
        SqlType::Interval
            | SqlType::Timetz
            | SqlType::Array(_)
            | SqlType::OidVector
            | SqlType::Int2Vector
    );
    nested && stored_type(sql_type).is_ok_and(|stored| stored != sql_type.arrow(zone))
}

const CAST: CastOptions<'static> = CastOptions {
    safe: false,
    format_options: arrow::util::display::FormatOptions::new(),
};

/// An engine's array as files hold it.
///
/// # Errors
///
/// [`Error::Unstorable`] when a value has no stored form.
pub fn to_stored(array: &ArrayRef, sql_type: &SqlType) -> Result<ArrayRef> {
    let stored = stored_type(sql_type)?;
    if *array.data_type() == stored {
        return Ok(Arc::clone(array));
    }
    let unstorable = |error| {
        Error::Unstorable(format!(
            "value cannot be stored in a column of type {sql_type}: {error}"
        ))
    };
    match (element_of(sql_type), array.as_list_opt::<i32>()) {
        (Some(element), Some(list)) => {
            let values = to_stored(list.values(), &element)?;
            relist(list, &stored, values)
        }
        _ if *sql_type == SqlType::Timetz => Ok(zoned_time::to_texts(array)),
        _ if *sql_type == SqlType::Interval => {
            let interval = DataType::Interval(IntervalUnit::MonthDayNano);
            let array = cast_with_options(array, &interval, &CAST).map_err(unstorable)?;
            Ok(interval_to_struct(array.as_primitive()))
        }
        _ => cast_with_options(array, &stored, &CAST).map_err(unstorable),
    }
}

/// A file's array as the engine holds it.
///
/// # Errors
///
/// [`Error::Arrow`] when a value does not fit.
pub fn to_engine(array: &ArrayRef, sql_type: &SqlType, zone: &Arc<str>) -> Result<ArrayRef> {
    let wanted = sql_type.arrow(zone);
    if *array.data_type() == wanted {
        return Ok(Arc::clone(array));
    }
    match (element_of(sql_type), array.as_list_opt::<i32>()) {
        (Some(element), Some(list)) => {
            let values = to_engine(list.values(), &element, zone)?;
            relist(list, &wanted, values)
        }
        _ if *sql_type == SqlType::Timetz => zoned_time::from_texts(array),
        _ => match array.as_struct_opt() {
            Some(parts) if *sql_type == SqlType::Interval => struct_to_interval(parts),
            _ => Ok(cast_with_options(array, &wanted, &CAST)?),
        },
    }
}

fn element_of(sql_type: &SqlType) -> Option<SqlType> {
    match sql_type {
        SqlType::Array(element) => Some(element.as_ref().clone()),
        SqlType::OidVector => Some(SqlType::Oid),
        SqlType::Int2Vector => Some(SqlType::Int2),
        _ => None,
    }
}

fn relist(
    list: &GenericListArray<i32>,
    data_type: &DataType,
    values: ArrayRef,
) -> Result<ArrayRef> {
    let DataType::List(field) = data_type else {
        return Err(Error::Unstorable(format!(
            "an array cannot be held as {data_type}"
        )));
    };
    let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
    Ok(Arc::new(GenericListArray::try_new(
        Arc::clone(field),
        offsets,
        values,
        nulls,
    )?))
}

fn interval_to_struct(array: &IntervalMonthDayNanoArray) -> ArrayRef {
    let nulls = array.nulls().cloned();
    let months: Int32Array = array.unary(|value| value.months);
    let days: Int32Array = array.unary(|value| value.days);
    let micros: Int64Array = array.unary(|value| value.nanoseconds / 1000);
    let columns: Vec<ArrayRef> = vec![Arc::new(months), Arc::new(days), Arc::new(micros)];
    Arc::new(StructArray::new(interval_fields(), columns, nulls))
}

fn struct_to_interval(parts: &StructArray) -> Result<ArrayRef> {
    let part = |name: &str| {
        parts.column_by_name(name).ok_or_else(|| {
            Error::Unstorable(format!("the stored interval has no field \"{name}\""))
        })
    };
    let months = part(INTERVAL_PARTS[0])?.as_primitive::<Int32Type>();
    let days = part(INTERVAL_PARTS[1])?.as_primitive::<Int32Type>();
    let micros = part(INTERVAL_PARTS[2])?.as_primitive::<Int64Type>();
    let mut values = IntervalMonthDayNanoArray::builder(parts.len());
    for row in 0..parts.len() {
        if parts.is_null(row) {
            values.append_null();
            continue;
        }
        let nanos = micros
            .value(row)
            .checked_mul(1000)
            .ok_or_else(|| Error::Unstorable("the stored interval is out of range".to_owned()))?;
        let value = IntervalMonthDayNanoType::make_value(months.value(row), days.value(row), nanos);
        values.append_value(value);
    }
    Ok(Arc::new(values.finish()))
}

/// The schema that files of a table are written with: physical names and field ids.
///
/// # Errors
///
/// [`Error::Unstorable`] for a column of a pseudo-type.
pub fn file_schema(table: &Table) -> Result<SchemaRef> {
    let mut fields = Vec::new();
    for column in stored_columns(table) {
        let number = i32::from(column.number);
        let data_type = numbered_type(column)?;
        let metadata = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), number.to_string())]);
        let field = Field::new(&column.physical, data_type, column.nullable);
        fields.push(field.with_metadata(metadata));
    }
    if fields.is_empty() {
        let id = (
            PARQUET_FIELD_ID_META_KEY.to_owned(),
            PLACEHOLDER_ID.to_string(),
        );
        let field = Field::new(PLACEHOLDER, DataType::Boolean, true);
        fields.push(field.with_metadata(HashMap::from([id])));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The stored type of a column with the field ids of its inner fields, as a file is read back.
///
/// # Errors
///
/// [`Error::Unstorable`] for pseudo-types.
pub(crate) fn numbered_type(column: &Column) -> Result<DataType> {
    Ok(with_ids(
        stored_type(&column.sql_type)?,
        i32::from(column.number),
    ))
}

/// Numbers the fields of an interval, wherever it stands in the type.
fn with_ids(data_type: DataType, number: i32) -> DataType {
    match data_type {
        DataType::List(field) => {
            let inner = with_ids(field.data_type().clone(), number);
            DataType::List(Arc::new(field.as_ref().clone().with_data_type(inner)))
        }
        DataType::Struct(fields) => {
            let numbered = fields.iter().enumerate().map(|(part, field)| {
                let id = nested_id(number, part).to_string();
                let id = HashMap::from([(PARQUET_FIELD_ID_META_KEY.to_owned(), id)]);
                field.as_ref().clone().with_metadata(id)
            });
            DataType::Struct(numbered.collect())
        }
        flat => flat,
    }
}

fn nested_id(number: i32, part: usize) -> i32 {
    NESTED_ID + number * 4 + part as i32
}

/// A batch of the engine as files of the table hold it; columns are matched by position.
///
/// # Errors
///
/// [`Error::Unstorable`] when a value has no stored form.
pub(crate) fn to_file(
    columns: &[ArrayRef],
    rows: usize,
    types: &[SqlType],
    schema: &SchemaRef,
) -> Result<arrow::array::RecordBatch> {
    let mut arrays = Vec::with_capacity(schema.fields().len());
    for ((array, sql_type), field) in columns.iter().zip(types).zip(schema.fields()) {
        let stored = to_stored(array, sql_type)?;
        arrays.push(retyped(stored, field.data_type())?);
    }
    if types.is_empty() {
        arrays.push(arrow::array::new_null_array(&DataType::Boolean, rows));
    }
    Ok(arrow::array::RecordBatch::try_new(
        Arc::clone(schema),
        arrays,
    )?)
}

/// The same values under a type that differs in the metadata of inner fields alone.
pub(crate) fn retyped(array: ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    if array.data_type() == data_type {
        return Ok(array);
    }
    match (array.as_list_opt::<i32>(), array.as_struct_opt(), data_type) {
        (Some(list), _, DataType::List(field)) => {
            let values = retyped(Arc::clone(list.values()), field.data_type())?;
            relist(list, data_type, values)
        }
        (_, Some(parts), DataType::Struct(fields)) => {
            let (_, columns, nulls) = parts.clone().into_parts();
            Ok(Arc::new(StructArray::try_new(
                fields.clone(),
                columns,
                nulls,
            )?))
        }
        _ => Err(Error::Unstorable(format!(
            "{} cannot be held as {data_type}",
            array.data_type()
        ))),
    }
}

/// The `schemaString` of a table's `metaData`, and the greatest field id in it.
///
/// # Errors
///
/// [`Error::Unstorable`] for a column of a pseudo-type.
pub(crate) fn delta_schema(table: &Table) -> Result<(String, i32)> {
    let mut fields = Vec::new();
    let mut max_id = 0;
    let mut names = HashSet::new();
    for column in stored_columns(table) {
        let number = i32::from(column.number);
        max_id = max_id.max(number);
        // Delta's names do not tell cases apart; readers of other programs see a made-up one then.
        let mut name = column.name.clone();
        while !names.insert(name.to_lowercase()) {
            name = format!("{name}_{number}");
        }
        let data_type = delta_type(&stored_type(&column.sql_type)?, number, &mut max_id)?;
        fields.push(delta_field(
            &name,
            data_type,
            number,
            &column.physical,
            Some(&column.sql_type),
        ));
    }
    // The greatest id that was ever given, so that none is given twice.
    let ever = table
        .columns
        .iter()
        .map(|column| i32::from(column.number))
        .max();
    max_id = max_id.max(ever.unwrap_or_default());
    if fields.is_empty() {
        max_id = max_id.max(PLACEHOLDER_ID);
        fields.push(delta_field(
            PLACEHOLDER,
            json!("boolean"),
            PLACEHOLDER_ID,
            PLACEHOLDER,
            None,
        ));
    }
    Ok((
        json!({"type": "struct", "fields": fields}).to_string(),
        max_id,
    ))
}

fn delta_field(
    name: &str,
    data_type: Value,
    id: i32,
    physical: &str,
    sql_type: Option<&SqlType>,
) -> Value {
    let mut metadata = json!({
        "delta.columnMapping.id": id,
        "delta.columnMapping.physicalName": physical,
    });
    if let (Some(sql_type), Some(metadata)) = (sql_type, metadata.as_object_mut()) {
        metadata.insert(TYPE_KEY.to_owned(), Value::String(sql_type.to_string()));
    }
    json!({"name": name, "type": data_type, "nullable": true, "metadata": metadata})
}

fn delta_type(stored: &DataType, number: i32, max_id: &mut i32) -> Result<Value> {
    Ok(match stored {
        DataType::Boolean => json!("boolean"),
        DataType::Int16 => json!("short"),
        DataType::Int32 => json!("integer"),
        DataType::Int64 => json!("long"),
        DataType::Float32 => json!("float"),
        DataType::Float64 => json!("double"),
        DataType::Decimal128(precision, scale) => json!(format!("decimal({precision},{scale})")),
        DataType::Utf8View => json!("string"),
        DataType::BinaryView => json!("binary"),
        DataType::Date32 => json!("date"),
        DataType::Timestamp(_, None) => json!("timestamp_ntz"),
        DataType::Timestamp(_, Some(_)) => json!("timestamp"),
        DataType::List(field) => json!({
            "type": "array",
            "elementType": delta_type(field.data_type(), number, max_id)?,
            "containsNull": true,
        }),
        DataType::Struct(fields) => {
            let fields = fields.iter().enumerate().map(|(part, field)| {
                let id = nested_id(number, part);
                *max_id = (*max_id).max(id);
                let data_type = delta_type(field.data_type(), number, max_id)?;
                Ok(delta_field(field.name(), data_type, id, field.name(), None))
            });
            json!({"type": "struct", "fields": fields.collect::<Result<Vec<_>>>()?})
        }
        other => return Err(Error::Unstorable(format!("{other} has no type in Delta"))),
    })
}

/// The stored types of a log's flat columns by their physical names.
pub(crate) fn flat_types(schema: &Value) -> HashMap<String, DataType> {
    let fields = schema["fields"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let typed = fields.iter().filter_map(|field| {
        let physical = field["metadata"]["delta.columnMapping.physicalName"].as_str()?;
        Some((physical.to_owned(), flat_type(field["type"].as_str()?)?))
    });
    typed.collect()
}

fn flat_type(name: &str) -> Option<DataType> {
    Some(match name {
        "boolean" => DataType::Boolean,
        "short" => DataType::Int16,
        "integer" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "string" => DataType::Utf8View,
        "date" => DataType::Date32,
        "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some(utc())),
        other => {
            let digits = other.strip_prefix("decimal(")?.strip_suffix(')')?;
            let (precision, scale) = digits.split_once(',')?;
            DataType::Decimal128(precision.trim().parse().ok()?, scale.trim().parse().ok()?)
        }
    })
}
