//! Keys that are enforced: what makes two rows equal, and which files may hold a key.
//!
//! A key's values become one number of 128 bits, so that all layers compare numbers alone: the
//! statement that adds rows, the transaction that holds them, and the committer that compares
//! transactions. Each data file has a [`filter`] of its keys in memory, made when the file is written
//! or first asked for, so that adding a row does not read the table.

mod cache;
mod filter;
mod search;

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, StringViewArray};
use arrow::compute::{SortOptions, cast, sort_to_indices};
use arrow::datatypes::{DataType, Float64Type, IntervalMonthDayNanoType};
use arrow::row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use siphasher::sip128::SipHasher13;

pub(crate) use cache::KeyFilters;
pub(crate) use filter::KeyFilter;
pub use search::KeySearch;
pub(crate) use search::filter_key;

use crate::error::Result;
use crate::id::Oid;
use crate::model::{Column, Key, KeyKind, Table};
use crate::sql_type::SqlType;
use crate::storage::stored::to_stored;

/// A day, for comparing intervals.
const DAY_MICROS: i128 = 86_400_000_000;

/// Numbers of keys; they are mixed already.
pub type KeySet = HashSet<u128, BuildHasherDefault<KeyHasher>>;

/// Takes a key's number for its hash.
#[derive(Debug, Default, Clone, Copy)]
pub struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, number: u128) {
        self.0 = number as u64;
    }
}

/// A key's bytes as a number that nobody outside this process can aim at.
fn number(bytes: &[u8]) -> u128 {
    static SECRET: LazyLock<SipHasher13> =
        LazyLock::new(|| SipHasher13::new_with_key(uuid::Uuid::new_v4().as_bytes()));
    SECRET.hash(bytes).as_u128()
}

/// The columns of an enforced key, without the unstored name of the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumns {
    /// The key's own number.
    pub constraint: Oid,
    /// Whether rows with a NULL in the key are equal to none.
    pub nulls_distinct: bool,
    columns: Vec<KeyColumn>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyColumn {
    number: i16,
    physical: String,
    sql_type: SqlType,
}

impl KeyColumns {
    /// The columns of a primary or unique key, enforced or not.
    pub fn of(table: &Table, key: &Key) -> Self {
        let columns = key
            .columns
            .iter()
            .filter_map(|number| table.columns.iter().find(|c| c.number == *number))
            .filter(|column| !column.is_tenant())
            .map(|column| KeyColumn {
                number: column.number,
                physical: column.physical.clone(),
                sql_type: column.sql_type.clone(),
            });
        Self {
            constraint: key.oid,
            nulls_distinct: !key.nulls_not_distinct,
            columns: columns.collect(),
        }
    }

    /// Columns of a table that a foreign key refers to; a key with a NULL refers to nothing.
    pub fn referenced(table: &Table, foreign_key: Oid, columns: &[i16]) -> Self {
        Self::of(
            table,
            &Key {
                oid: foreign_key,
                name: String::new(),
                kind: KeyKind::Unique,
                columns: columns.to_vec(),
                enforced: true,
                nulls_not_distinct: false,
            },
        )
    }

    /// The types of the columns.
    pub fn types(&self) -> impl Iterator<Item = &SqlType> {
        self.columns.iter().map(|column| &column.sql_type)
    }

    /// The keys that writes to a table are checked against.
    pub fn enforced(table: &Table) -> Vec<Self> {
        let keys = table.keys.iter().filter(|key| key.is_checked());
        keys.map(|key| Self::of(table, key)).collect()
    }

    /// Where the key's columns stand among others.
    pub fn places<'a>(&self, among: impl Iterator<Item = &'a Column>) -> Vec<usize> {
        let numbers: Vec<i16> = among.map(|column| column.number).collect();
        let place = |column: &KeyColumn| numbers.iter().position(|n| *n == column.number);
        self.columns.iter().filter_map(place).collect()
    }

    /// Numbers of the columns, in the key's order.
    pub fn numbers(&self) -> impl Iterator<Item = i16> {
        self.columns.iter().map(|column| column.number)
    }

    /// Each row's key as a number; `None` where a NULL makes it equal to no other.
    ///
    /// Equal values give equal numbers: `1.0` and `1.00`, `-0` and `0`, a month and 30 days.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Arrow`] when the columns are not those of the key.
    pub fn hashes(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Option<u128>>> {
        if self.columns.is_empty() {
            return Ok(vec![Some(number(&[])); rows]);
        }
        let canonical = columns
            .iter()
            .zip(&self.columns)
            .map(|(array, column)| canonical(array, &column.sql_type))
            .collect::<Result<Vec<_>>>()?;
        let fields = canonical
            .iter()
            .map(|array| SortField::new(array.data_type().clone()))
            .collect();
        let converted = RowConverter::new(fields)?.convert_columns(&canonical)?;
        let nulls: Vec<_> = if self.nulls_distinct {
            columns
                .iter()
                .filter_map(|array| array.logical_nulls())
                .collect()
        } else {
            Vec::new()
        };
        let hash = |row: usize| {
            let is_null = nulls.iter().any(|nulls| nulls.is_null(row));
            (!is_null).then(|| number(converted.row(row).as_ref()))
        };
        Ok((0..rows).map(hash).collect())
    }

    /// Between which values of each column the keys lie, as far as files' statistics can tell.
    ///
    /// # Errors
    ///
    /// As [`KeyColumns::hashes`].
    pub fn ranges(&self, columns: &[ArrayRef]) -> Result<KeyRanges> {
        let ranges = columns.iter().zip(&self.columns).map(|(array, column)| {
            if !has_bounds(&column.sql_type) || array.logical_null_count() > 0 {
                return Ok(None);
            }
            let stored = to_stored(array, &column.sql_type)?;
            let (Some(least), Some(most)) = (extreme(&stored, false)?, extreme(&stored, true)?)
            else {
                return Ok(None);
            };
            Ok(Some((least, most)))
        });
        Ok(KeyRanges(ranges.collect::<Result<_>>()?))
    }
}

/// The least and the greatest value of each column of a key, in the stored type.
#[derive(Debug, Clone)]
pub struct KeyRanges(Vec<Option<(ScalarValue, ScalarValue)>>);

impl KeyRanges {
    /// Whether a file's statistics tell that it holds none of the keys.
    fn excludes(&self, key: &KeyColumns, file: &crate::storage::DataFile) -> bool {
        use std::cmp::Ordering::{Greater, Less};
        self.0.iter().zip(&key.columns).any(|(range, column)| {
            let Some((least, most)) = range else {
                return false;
            };
            let Some(stats) = file.stats.columns.get(&column.physical) else {
                return false;
            };
            let below = stats.max.as_ref().and_then(|max| max.partial_cmp(least));
            let above = stats.min.as_ref().and_then(|min| min.partial_cmp(most));
            below == Some(Less) || above == Some(Greater)
        })
    }
}

fn extreme(array: &ArrayRef, greatest: bool) -> Result<Option<ScalarValue>> {
    let options = SortOptions {
        descending: greatest,
        nulls_first: false,
    };
    let first = sort_to_indices(array, Some(options), Some(1))?;
    if first.is_empty() {
        return Ok(None);
    }
    let row = usize::try_from(first.value(0)).unwrap_or_default();
    Ok(Some(ScalarValue::try_from_array(array, row)?))
}

/// Whether the order of stored values is SQL's, so that a file's extremes bound its keys.
fn has_bounds(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Int2
            | SqlType::Int4
            | SqlType::Int8
            | SqlType::Float4
            | SqlType::Float8
            | SqlType::Numeric(Some(_))
            | SqlType::Text
            | SqlType::Varchar(_)
            | SqlType::Uuid
            | SqlType::Enum(_)
            | SqlType::Date
            | SqlType::Time
            | SqlType::Timestamp
            | SqlType::Timestamptz
    )
}

/// The same values in a form that is equal for equal values.
fn canonical(array: &ArrayRef, sql_type: &SqlType) -> Result<ArrayRef> {
    Ok(match sql_type {
        SqlType::Int2 | SqlType::Int4 | SqlType::Int8 | SqlType::Oid | SqlType::Timetz => {
            cast(array, &DataType::Int64)?
        }
        SqlType::Float4 | SqlType::Float8 => {
            let wide = cast(array, &DataType::Float64)?;
            let plain = |value: f64| {
                if value.is_nan() {
                    f64::NAN
                } else {
                    // Adds 0 to make -0 what it equals.
                    value + 0.0
                }
            };
            std::sync::Arc::new(
                wide.as_primitive::<Float64Type>()
                    .unary::<_, Float64Type>(plain),
            )
        }
        SqlType::Numeric(None) => {
            let text = cast(array, &DataType::Utf8View)?;
            let text = text.as_string_view().iter();
            std::sync::Arc::new(
                text.map(|v| v.map(plain_number))
                    .collect::<StringViewArray>(),
            )
        }
        SqlType::Interval => {
            let spans = array.as_primitive::<IntervalMonthDayNanoType>();
            let micros = |value: arrow::datatypes::IntervalMonthDayNano| {
                let days = i128::from(value.months) * 30 + i128::from(value.days);
                days * DAY_MICROS + i128::from(value.nanoseconds) / 1_000
            };
            let spans: Decimal128Array = spans.iter().map(|value| value.map(micros)).collect();
            std::sync::Arc::new(spans)
        }
        SqlType::Text
        | SqlType::Varchar(_)
        | SqlType::Char(_)
        | SqlType::Name
        | SqlType::Uuid
        | SqlType::Enum(_) => cast(array, &DataType::Utf8View)?,
        other => cast(array, &other.arrow(&std::sync::Arc::from("UTC")))?,
    })
}

/// A number's text without what does not change its value.
fn plain_number(text: &str) -> &str {
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    };
    if text == "-0" { "0" } else { text }
}

#[cfg(test)]
mod tests;
