//! Tests of a row that look at its columns alone, cannot fail and need no function.
//!
//! A row passes where the test is true; where it is false or unknown it goes, as `WHERE` has it. That
//! alone is asked, so `AND` and `OR` of such tests need no third value: a row passes an `AND` if it
//! passes all, an `OR` if it passes one.

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, RecordBatch, StringViewArray,
};
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{Result as EngineResult, internal_err};

use super::mask::{Mask, bits, bits_in_wide_range};

/// One row in so many is few: then each is looked at by itself.
const FEW: usize = 8;

/// Bytes of a text that stand in its view.
const INLINE: usize = 12;

/// A test of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Test {
    /// A number, date or time in a range, both ends included.
    Range { column: usize, range: Range },
    /// A number, date or time that is not a certain one.
    Not { column: usize, value: i128 },
    /// Two columns of one type.
    Pair {
        left: usize,
        right: usize,
        comparison: Comparison,
    },
    /// A text that is one of these, or is none of them.
    Texts {
        column: usize,
        texts: Vec<Text>,
        among: bool,
    },
    /// A column that is NULL, or is not.
    Null { column: usize, null: bool },
    /// A column of truth values.
    Truth { column: usize, value: bool },
    /// All of these.
    All(Vec<Test>),
    /// One of these.
    Any(Vec<Test>),
}

/// A range of whole numbers; nothing is in one whose end comes before its begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) low: i128,
    pub(super) high: i128,
}

impl Range {
    /// What is in both.
    pub(super) fn intersect(self, other: Self) -> Self {
        Self {
            low: self.low.max(other.low),
            high: self.high.min(other.high),
        }
    }
}

/// How two columns compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A text to compare views with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Text {
    /// One that stands in the view whole: the view itself.
    Short(u128),
    /// Length and first four bytes, as in a view, and all bytes.
    Long { head: u64, bytes: Box<[u8]> },
}

impl Text {
    /// A text; `None` if it is longer than any view's.
    pub(super) fn new(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut view = [0_u8; 16];
        view[..4].copy_from_slice(&u32::try_from(bytes.len()).ok()?.to_le_bytes());
        if bytes.len() <= INLINE {
            view[4..4 + bytes.len()].copy_from_slice(bytes);
            return Some(Self::Short(u128::from_le_bytes(view)));
        }
        view[4..8].copy_from_slice(&bytes[..4]);
        Some(Self::Long {
            head: u128::from_le_bytes(view) as u64,
            bytes: bytes.into(),
        })
    }

    fn is_at(&self, column: &StringViewArray, row: usize) -> bool {
        let view = column.views()[row];
        match self {
            Self::Short(text) => view == *text,
            Self::Long { head, bytes } => {
                view as u64 == *head && column.value(row).as_bytes() == bytes.as_ref()
            }
        }
    }
}

impl Test {
    /// How long a test takes, roughly: bytes of a row that it reads.
    pub(super) fn cost(&self, types: &impl Fn(usize) -> usize) -> usize {
        match self {
            Self::Null { .. } | Self::Truth { .. } => 1,
            Self::Range { column, .. } | Self::Not { column, .. } => types(*column),
            Self::Pair { left, right, .. } => types(*left) + types(*right),
            Self::Texts { texts, .. } => 32 * texts.len().max(1),
            Self::All(tests) | Self::Any(tests) => tests.iter().map(|test| test.cost(types)).sum(),
        }
    }

    /// Takes the rows away that do not pass.
    ///
    /// # Errors
    /// A column of another type than the test was made for, which is a bug.
    pub(super) fn keep(&self, batch: &RecordBatch, mask: &mut Mask) -> EngineResult<()> {
        match self {
            Self::Range { column, range } => keep_range(batch.column(*column), *range, mask),
            Self::Not { column, value } => {
                let column = batch.column(*column);
                mask.keep_valid(column.nulls());
                let mut equal = mask.clone();
                let (low, high) = (*value, *value);
                keep_range(column, Range { low, high }, &mut equal)?;
                mask.subtract(&equal);
                Ok(())
            }
            Self::Pair {
                left,
                right,
                comparison,
            } => keep_pairs(batch.column(*left), batch.column(*right), *comparison, mask),
            Self::Texts {
                column,
                texts,
                among,
            } => keep_texts(batch.column(*column), texts, *among, mask),
            Self::Null { column, null } => {
                match (batch.column(*column).logical_nulls(), null) {
                    (Some(nulls), null) => mask.keep_bits(nulls.inner(), !null),
                    (None, true) => mask.clear(),
                    (None, false) => {}
                }
                Ok(())
            }
            Self::Truth { column, value } => {
                let column = batch.column(*column).as_boolean();
                mask.keep_valid(column.nulls());
                mask.keep_bits(column.values(), *value);
                Ok(())
            }
            Self::All(tests) => {
                for test in tests {
                    if !mask.is_empty() {
                        test.keep(batch, mask)?;
                    }
                }
                Ok(())
            }
            Self::Any(tests) => keep_any(tests, batch, mask),
        }
    }
}

/// Keeps what one of the tests keeps; none looks at what one before it has kept.
fn keep_any(tests: &[Test], batch: &RecordBatch, mask: &mut Mask) -> EngineResult<()> {
    let mut kept = Mask::none(batch.num_rows());
    for test in tests {
        let mut more = mask.clone();
        test.keep(batch, &mut more)?;
        mask.subtract(&more);
        kept.unite(&more);
        if mask.is_empty() {
            break;
        }
    }
    *mask = kept;
    Ok(())
}

/// The numbers of a column, as they are stored.
enum Numbers<'a> {
    Of8(&'a [i8]),
    Of16(&'a [i16]),
    Of32(&'a [i32]),
    Of64(&'a [i64]),
    Of128(&'a [i128]),
}

impl<'a> Numbers<'a> {
    fn of(column: &'a ArrayRef) -> EngineResult<Self> {
        use TimeUnit as Unit;
        Ok(match column.data_type() {
            DataType::Int8 => Self::Of8(values::<Int8Type>(column)),
            DataType::Int16 => Self::Of16(values::<Int16Type>(column)),
            DataType::Int32 => Self::Of32(values::<Int32Type>(column)),
            DataType::Date32 => Self::Of32(values::<Date32Type>(column)),
            DataType::Int64 => Self::Of64(values::<Int64Type>(column)),
            DataType::Time64(Unit::Microsecond) => {
                Self::Of64(values::<Time64MicrosecondType>(column))
            }
            DataType::Timestamp(unit, _) => Self::Of64(match unit {
                Unit::Second => values::<TimestampSecondType>(column),
                Unit::Millisecond => values::<TimestampMillisecondType>(column),
                Unit::Microsecond => values::<TimestampMicrosecondType>(column),
                Unit::Nanosecond => values::<TimestampNanosecondType>(column),
            }),
            DataType::Decimal128(..) => Self::Of128(values::<Decimal128Type>(column)),
            other => return internal_err!("no kernel for {other}"),
        })
    }
}

fn values<T: ArrowPrimitiveType>(column: &ArrayRef) -> &[T::Native] {
    column.as_primitive::<T>().values()
}

/// Whether columns of a type are of whole numbers, which compare as such.
pub(super) fn is_whole(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Time64(TimeUnit::Microsecond)
            | DataType::Timestamp(..)
            | DataType::Decimal128(..)
    )
}

fn keep_range(column: &ArrayRef, range: Range, mask: &mut Mask) -> EngineResult<()> {
    mask.keep_valid(column.nulls());
    match Numbers::of(column)? {
        Numbers::Of8(values) => keep_within(values, range, mask),
        Numbers::Of16(values) => keep_within(values, range, mask),
        Numbers::Of32(values) => keep_within(values, range, mask),
        Numbers::Of64(values) => keep_within(values, range, mask),
        Numbers::Of128(values) => {
            mask.keep_words(values, |chunk| {
                bits_in_wide_range(chunk, range.low, range.high)
            });
        }
    }
    Ok(())
}

fn keep_within<T>(values: &[T], range: Range, mask: &mut Mask)
where
    T: ArrowNativeTypeOp + Ord + Into<i128> + TryFrom<i128>,
{
    let (least, most): (i128, i128) = (T::MIN_TOTAL_ORDER.into(), T::MAX_TOTAL_ORDER.into());
    let low = T::try_from(range.low.max(least));
    let high = T::try_from(range.high.min(most));
    // An end that does not fit now lies beyond all numbers of the type, on the wrong side.
    match (low, high) {
        (Ok(low), Ok(high)) => mask.keep(values, |value| low <= value && value <= high),
        _ => mask.clear(),
    }
}

fn keep_pairs(
    left: &ArrayRef,
    right: &ArrayRef,
    comparison: Comparison,
    mask: &mut Mask,
) -> EngineResult<()> {
    mask.keep_valid(left.nulls());
    mask.keep_valid(right.nulls());
    match (Numbers::of(left)?, Numbers::of(right)?) {
        (Numbers::Of8(left), Numbers::Of8(right)) => compare(left, right, comparison, mask),
        (Numbers::Of16(left), Numbers::Of16(right)) => compare(left, right, comparison, mask),
        (Numbers::Of32(left), Numbers::Of32(right)) => compare(left, right, comparison, mask),
        (Numbers::Of64(left), Numbers::Of64(right)) => compare(left, right, comparison, mask),
        (Numbers::Of128(left), Numbers::Of128(right)) => compare(left, right, comparison, mask),
        _ => return internal_err!("two types of numbers to compare"),
    }
    Ok(())
}

fn compare<T: Copy + Ord>(left: &[T], right: &[T], comparison: Comparison, mask: &mut Mask) {
    match comparison {
        Comparison::Equal => mask.keep_pairs(left, right, |a, b| a == b),
        Comparison::NotEqual => mask.keep_pairs(left, right, |a, b| a != b),
        Comparison::Less => mask.keep_pairs(left, right, |a, b| a < b),
        Comparison::LessOrEqual => mask.keep_pairs(left, right, |a, b| a <= b),
        Comparison::Greater => mask.keep_pairs(left, right, |a, b| a > b),
        Comparison::GreaterOrEqual => mask.keep_pairs(left, right, |a, b| a >= b),
    }
}

fn keep_texts(column: &ArrayRef, texts: &[Text], among: bool, mask: &mut Mask) -> EngineResult<()> {
    let Some(column) = column.as_string_view_opt() else {
        return internal_err!("no kernel for {}", column.data_type());
    };
    mask.keep_valid(column.nulls());
    if mask.count() * FEW < column.len() {
        mask.keep_rows(|row| texts.iter().any(|text| text.is_at(column, row)) == among);
        return Ok(());
    }
    let mut found = mask.clone();
    found.keep_words(column.views(), |chunk| {
        texts
            .iter()
            .fold(0, |found, text| found | likely(text, chunk))
    });
    if texts.iter().any(|text| matches!(text, Text::Long { .. })) {
        found.keep_rows(|row| texts.iter().any(|text| text.is_at(column, row)));
    }
    match among {
        true => *mask = found,
        false => mask.subtract(&found),
    }
    Ok(())
}

/// The views that are the text's, or for a long one may be.
#[inline]
fn likely(text: &Text, views: &[u128]) -> u64 {
    match text {
        Text::Short(text) => bits(views, |view| view == *text),
        Text::Long { head, .. } => bits(views, |view| view as u64 == *head),
    }
}
