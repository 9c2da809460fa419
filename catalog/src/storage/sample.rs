//! Whether a dictionary pays for a column, by a sample of its values.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef};
use datafusion::common::hash_utils::{RandomState, create_hashes};

/// How many values are looked at.
const SAMPLE_VALUES: usize = 1 << 14;
/// Neighbours that are looked at together: values that follow one another are often the same.
const RUN_VALUES: usize = 1 << 9;
/// A dictionary does not pay when more of the values than this are different ones: it is given up
/// when it is full, after each value was looked up for nothing.
const MAX_DISTINCT_SHARE: f64 = 0.85;

/// Whether most values are different ones. What is too short to tell is not.
pub(super) fn is_mostly_distinct(column: &ArrayRef) -> bool {
    if column.len() < SAMPLE_VALUES || column.data_type().is_nested() {
        return false;
    }
    let runs = SAMPLE_VALUES / RUN_VALUES;
    let apart = (column.len() - RUN_VALUES) / (runs - 1);
    let mut seen = HashSet::with_capacity(SAMPLE_VALUES);
    let mut hashes = vec![0; RUN_VALUES];
    let mut values = 0;
    for run in 0..runs {
        let part = column.slice(run * apart, RUN_VALUES);
        hashes.fill(0);
        let state = RandomState::default();
        if create_hashes([&part], &state, &mut hashes).is_err() {
            return false;
        }
        let known = hashes
            .iter()
            .enumerate()
            .filter(|(row, _)| part.is_valid(*row));
        for (_, hash) in known {
            values += 1;
            seen.insert(*hash);
        }
    }
    seen.len() as f64 > values as f64 * MAX_DISTINCT_SHARE
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn numbers(value: impl Fn(i64) -> i64) -> ArrayRef {
        Arc::new(Int64Array::from_iter_values((0..65_536).map(value)))
    }

    #[test]
    fn values_that_hardly_repeat_are_told_from_those_that_do() {
        let mixed = |n: i64| n.wrapping_mul(0x5851_F42D_4C95_7F2D) >> 20;
        assert!(is_mostly_distinct(&numbers(|n| n)));
        assert!(is_mostly_distinct(&numbers(mixed)));
        assert!(!is_mostly_distinct(&numbers(|n| mixed(n) % 10_000)));
        assert!(!is_mostly_distinct(&numbers(|n| n / 4)), "runs of four");
        assert!(!is_mostly_distinct(&numbers(|_| 7)));
        let texts = StringArray::from_iter_values((0..65_536).map(|n| format!("note {n}")));
        assert!(is_mostly_distinct(&(Arc::new(texts) as ArrayRef)));
    }

    #[test]
    fn nulls_and_short_columns_say_nothing() {
        let nulls: ArrayRef = Arc::new(Int64Array::new_null(65_536));
        assert!(!is_mostly_distinct(&nulls));
        assert!(!is_mostly_distinct(&numbers(|n| n).slice(0, 100)));
    }
}
