//! One immutable Parquet file of a part, and what its statistics tell: from Parquet's metadata when it
//! is written, as JSON in the log, and typed for the query planner.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, Schema, TimeUnit};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};
use datafusion::common::ScalarValue;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::file::metadata::ParquetMetaData;
use serde_json::Value;

use crate::error::Result;

/// Strings in statistics are cut to this many bytes.
pub(crate) const MAX_STATISTICS_BYTES: usize = 64;
/// A string of the log of at least this length may have been cut.
const MAYBE_CUT_BYTES: usize = MAX_STATISTICS_BYTES - 4;
/// Integers up to here, and decimals of so many digits, come through JSON unchanged.
const MAX_EXACT_DIGITS: u8 = 15;

/// A data file: all that the log's `add` and `remove` and the query planner need.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    /// Relative to the part's folder; named by a uuid, never used twice.
    pub path: String,
    /// In bytes.
    pub size: u64,
    pub rows: u64,
    pub stats: Arc<FileStats>,
    /// Milliseconds since 1970.
    pub modified_ms: i64,
}

/// Statistics of a file's flat columns by their physical names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileStats {
    pub columns: HashMap<String, ColumnStats>,
}

/// What is known of one column of a file; values are in the stored type.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ColumnStats {
    pub nulls: Option<u64>,
    /// No value is below it; absent when the column holds a NaN.
    pub min: Option<ScalarValue>,
    /// No value is above it; absent when the column holds a NaN.
    pub max: Option<ScalarValue>,
    /// Whether `min` is a value of the column, not just a bound.
    pub min_exact: bool,
    /// Whether `max` is a value of the column, not just a bound.
    pub max_exact: bool,
    /// The fields of a column that is a group, as an interval is; Delta counts their NULLs.
    pub fields: Vec<String>,
}

impl FileStats {
    /// Reads what the Parquet writer gathered; `nulls` were counted from the arrays.
    pub(crate) fn of_parquet(
        schema: &Schema,
        metadata: &ParquetMetaData,
        nulls: &[u64],
    ) -> Result<Self> {
        let parquet = metadata.file_metadata().schema_descr();
        let mut columns = HashMap::new();
        for (field, nulls) in schema.fields().iter().zip(nulls) {
            let mut stats = ColumnStats {
                nulls: Some(*nulls),
                ..ColumnStats::default()
            };
            if let DataType::Struct(fields) = field.data_type() {
                stats.fields = fields.iter().map(|field| field.name().clone()).collect();
            }
            let flat = !field.data_type().is_nested();
            if flat && !matches!(field.data_type(), DataType::Boolean | DataType::BinaryView) {
                let converter = StatisticsConverter::try_new(field.name(), schema, parquet)?;
                let groups = metadata.row_groups();
                let nulls = converter.row_group_null_counts(groups)?;
                let has_values = |group: usize| {
                    let all = groups[group].num_rows();
                    !nulls.is_valid(group) || i64::try_from(nulls.value(group)) != Ok(all)
                };
                let exact = converter.row_group_is_min_value_exact(groups)?;
                let mins = converter.row_group_mins(groups)?;
                (stats.min, stats.min_exact) = extreme(&mins, &exact, Ordering::Less, has_values)?;
                let exact = converter.row_group_is_max_value_exact(groups)?;
                let maxes = converter.row_group_maxes(groups)?;
                (stats.max, stats.max_exact) =
                    extreme(&maxes, &exact, Ordering::Greater, has_values)?;
                stats.doubt_zero();
            }
            columns.insert(field.name().clone(), stats);
        }
        Ok(Self { columns })
    }

    /// The `stats` of the log's `add`.
    pub(crate) fn to_json(&self, rows: u64) -> String {
        let sorted: BTreeMap<_, _> = self.columns.iter().collect();
        let (mut mins, mut maxes, mut nulls) = (Vec::new(), Vec::new(), Vec::new());
        for (name, stats) in sorted {
            let name = Value::from(name.as_str());
            if let Some(min) = stats.min.as_ref().and_then(json_of) {
                mins.push(format!("{name}:{min}"));
            }
            if let Some(max) = stats.max.as_ref().and_then(json_of) {
                maxes.push(format!("{name}:{max}"));
            }
            if let Some(count) = stats.nulls {
                let count_of = |field: &String| format!("{}:{count}", Value::from(field.as_str()));
                let fields: Vec<String> = stats.fields.iter().map(count_of).collect();
                nulls.push(if fields.is_empty() {
                    format!("{name}:{count}")
                } else {
                    format!("{name}:{{{}}}", fields.join(","))
                });
            }
        }
        let (mins, maxes, nulls) = (mins.join(","), maxes.join(","), nulls.join(","));
        format!(
            "{{\"numRecords\":{rows},\"minValues\":{{{mins}}},\"maxValues\":{{{maxes}}},\
             \"nullCount\":{{{nulls}}}}}"
        )
    }

    /// Reads the log's `stats`; what cannot be read is not known.
    pub(crate) fn of_json(stats: &Value, types: &HashMap<String, DataType>) -> Self {
        let mut columns: HashMap<String, ColumnStats> = HashMap::new();
        if let Some(counts) = stats["nullCount"].as_object() {
            for (name, count) in counts {
                let mut stats = ColumnStats {
                    nulls: count.as_u64(),
                    ..ColumnStats::default()
                };
                if let Some(fields) = count.as_object() {
                    // No field of a group is NULL on its own.
                    stats.nulls = fields.values().next().and_then(Value::as_u64);
                    stats.fields = fields.keys().cloned().collect();
                }
                columns.insert(name.clone(), stats);
            }
        }
        for (name, data_type) in types {
            let (min, max) = (&stats["minValues"][name], &stats["maxValues"][name]);
            let stats = columns.entry(name.clone()).or_default();
            (stats.min, stats.min_exact) = scalar_of(min, data_type, Bound::Lower);
            (stats.max, stats.max_exact) = scalar_of(max, data_type, Bound::Upper);
            stats.doubt_zero();
        }
        Self { columns }
    }
}

impl ColumnStats {
    /// Parquet writes -0 as a minimum and +0 as a maximum whichever was there.
    fn doubt_zero(&mut self) {
        let zero = |value: &Option<ScalarValue>| match value {
            Some(ScalarValue::Float32(Some(value))) => *value == 0.0,
            Some(ScalarValue::Float64(Some(value))) => *value == 0.0,
            _ => false,
        };
        self.min_exact &= !zero(&self.min);
        self.max_exact &= !zero(&self.max);
    }
}

/// The least or greatest of row groups' values; absent when a group that has values does not tell.
fn extreme(
    values: &ArrayRef,
    exact: &BooleanArray,
    wanted: Ordering,
    has_values: impl Fn(usize) -> bool,
) -> Result<(Option<ScalarValue>, bool)> {
    let mut best: Option<(ScalarValue, bool)> = None;
    for group in 0..values.len() {
        if values.is_null(group) {
            if has_values(group) {
                return Ok((None, false));
            }
            continue;
        }
        let value = ScalarValue::try_from_array(values, group)?;
        let exact = exact.is_valid(group) && exact.value(group);
        let better = best
            .as_ref()
            .is_none_or(|(best, _)| value.partial_cmp(best) == Some(wanted));
        if better {
            best = Some((value, exact));
        }
    }
    Ok(best.map_or((None, false), |(value, exact)| (Some(value), exact)))
}

/// A statistic by Delta's rules; `None` for what has no form there, such as ±infinity.
fn json_of(value: &ScalarValue) -> Option<String> {
    let plain = |year: i32| (1..=9999).contains(&year);
    Some(match value {
        ScalarValue::Int16(Some(value)) => value.to_string(),
        ScalarValue::Int32(Some(value)) => value.to_string(),
        ScalarValue::Int64(Some(value)) => value.to_string(),
        ScalarValue::Float32(Some(value)) => float_json(f64::from(*value))?,
        ScalarValue::Float64(Some(value)) => float_json(*value)?,
        ScalarValue::Decimal128(Some(value), _, scale) => decimal_json(*value, *scale),
        ScalarValue::Utf8View(Some(value)) | ScalarValue::Utf8(Some(value)) => {
            Value::from(value.as_str()).to_string()
        }
        ScalarValue::Date32(Some(days)) => {
            let day = NaiveDate::from_num_days_from_ce_opt(days.checked_add(719_163)?)?;
            plain(day.year()).then(|| format!("\"{day}\""))?
        }
        ScalarValue::TimestampMicrosecond(Some(micros), zone) => {
            let moment = DateTime::from_timestamp_micros(*micros)?.naive_utc();
            let suffix = if zone.is_some() { "Z" } else { "" };
            let text = moment.format("%Y-%m-%dT%H:%M:%S%.6f");
            plain(moment.year()).then(|| format!("\"{text}{suffix}\""))?
        }
        _ => return None,
    })
}

fn float_json(value: f64) -> Option<String> {
    value.is_finite().then(|| Value::from(value).to_string())
}

fn decimal_json(value: i128, scale: i8) -> String {
    let places = usize::try_from(scale).unwrap_or_default();
    let digits = format!("{:0>1$}", value.unsigned_abs(), places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let mut text = String::new();
    if value < 0 {
        text.push('-');
    }
    text.push_str(whole);
    if !fraction.is_empty() {
        // Writing to a String cannot fail.
        write!(text, ".{fraction}").ok();
    }
    text
}

#[derive(Clone, Copy, PartialEq)]
enum Bound {
    Lower,
    Upper,
}

/// A statistic of the log in its column's type, and whether it is the very value.
fn scalar_of(value: &Value, data_type: &DataType, bound: Bound) -> (Option<ScalarValue>, bool) {
    typed(value, data_type, bound).map_or((None, false), |(value, exact)| (Some(value), exact))
}

fn typed(value: &Value, data_type: &DataType, bound: Bound) -> Option<(ScalarValue, bool)> {
    // A float that came through JSON may be off by the last bit; a bound must not be.
    let wide = |value: f64| match bound {
        Bound::Lower => value.next_down(),
        Bound::Upper => value.next_up(),
    };
    Some(match data_type {
        DataType::Int16 => (
            ScalarValue::Int16(Some(value.as_i64()?.try_into().ok()?)),
            true,
        ),
        DataType::Int32 => (
            ScalarValue::Int32(Some(value.as_i64()?.try_into().ok()?)),
            true,
        ),
        DataType::Int64 => (ScalarValue::Int64(Some(value.as_i64()?)), true),
        DataType::Float32 => {
            let wide = wide(value.as_f64()?) as f32;
            let wider = if bound == Bound::Lower {
                wide.next_down()
            } else {
                wide.next_up()
            };
            (ScalarValue::Float32(Some(wider)), false)
        }
        DataType::Float64 => (ScalarValue::Float64(Some(wide(value.as_f64()?))), false),
        DataType::Decimal128(precision, scale) => {
            let unscaled = (value.as_f64()? * 10f64.powi(i32::from(*scale))).round();
            if unscaled.abs() >= 10f64.powi(i32::from(MAX_EXACT_DIGITS)) {
                return None;
            }
            (
                ScalarValue::Decimal128(Some(unscaled as i128), *precision, *scale),
                true,
            )
        }
        DataType::Utf8View => {
            let text = value.as_str()?;
            (
                ScalarValue::Utf8View(Some(text.to_owned())),
                text.len() < MAYBE_CUT_BYTES,
            )
        }
        DataType::Date32 => {
            let day: NaiveDate = value.as_str()?.parse().ok()?;
            (
                ScalarValue::Date32(Some(day.num_days_from_ce() - 719_163)),
                true,
            )
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let text = value.as_str()?.trim_end_matches('Z');
            let moment: NaiveDateTime = text.parse().ok()?;
            let micros = moment.and_utc().timestamp_micros();
            (
                ScalarValue::TimestampMicrosecond(Some(micros), zone.clone()),
                true,
            )
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(value: ScalarValue, data_type: DataType) -> ColumnStats {
        let stats = ColumnStats {
            nulls: Some(3),
            min: Some(value.clone()),
            max: Some(value),
            min_exact: true,
            max_exact: true,
            fields: Vec::new(),
        };
        let stats = FileStats {
            columns: HashMap::from([("a \"b\"".to_owned(), stats)]),
        };
        let json: Value = serde_json::from_str(&stats.to_json(7)).unwrap();
        assert_eq!(json["numRecords"], 7);
        let types = HashMap::from([("a \"b\"".to_owned(), data_type)]);
        FileStats::of_json(&json, &types).columns["a \"b\""].clone()
    }

    #[test]
    fn exact_values_come_back_from_the_log() {
        let utc: Arc<str> = Arc::from("UTC");
        let micros = |zone| DataType::Timestamp(TimeUnit::Microsecond, zone);
        let values = [
            (ScalarValue::Int64(Some(i64::MIN)), DataType::Int64),
            (ScalarValue::Int16(Some(-3)), DataType::Int16),
            (
                ScalarValue::Decimal128(Some(-5), 10, 2),
                DataType::Decimal128(10, 2),
            ),
            (
                ScalarValue::Decimal128(Some(12_345_678_901_234), 15, 3),
                DataType::Decimal128(15, 3),
            ),
            (
                ScalarValue::Utf8View(Some("naïve \"x\"\n".to_owned())),
                DataType::Utf8View,
            ),
            (ScalarValue::Date32(Some(-1)), DataType::Date32),
            (
                ScalarValue::TimestampMicrosecond(Some(-1), None),
                micros(None),
            ),
            (
                ScalarValue::TimestampMicrosecond(
                    Some(1_700_000_000_123_456),
                    Some(Arc::clone(&utc)),
                ),
                micros(Some(utc)),
            ),
        ];
        for (value, data_type) in values {
            let stats = there_and_back(value.clone(), data_type);
            assert_eq!(stats.nulls, Some(3));
            assert_eq!((stats.min, stats.max), (Some(value.clone()), Some(value)));
            assert!(stats.min_exact && stats.max_exact);
        }
    }

    #[test]
    fn a_float_is_bounded_not_told() {
        let stats = there_and_back(ScalarValue::Float64(Some(0.1)), DataType::Float64);
        assert!(!stats.min_exact && !stats.max_exact);
        assert!(stats.min < Some(ScalarValue::Float64(Some(0.1))));
        assert!(stats.max > Some(ScalarValue::Float64(Some(0.1))));
    }

    #[test]
    fn infinities_and_long_decimals_are_left_out() {
        let long = ScalarValue::Decimal128(Some(10i128.pow(30)), 38, 2);
        for (value, data_type) in [
            (ScalarValue::Date32(Some(i32::MAX)), DataType::Date32),
            (
                ScalarValue::TimestampMicrosecond(Some(i64::MIN), None),
                DataType::Timestamp(TimeUnit::Microsecond, None),
            ),
            (ScalarValue::Float64(Some(f64::INFINITY)), DataType::Float64),
            (long, DataType::Decimal128(38, 2)),
        ] {
            let stats = there_and_back(value, data_type);
            assert_eq!((stats.min, stats.max), (None, None));
        }
    }
}
