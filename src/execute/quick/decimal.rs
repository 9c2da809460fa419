//! Sums, differences and products of decimals.
//!
//! Most decimals fit in 64 bits though they take 128: two such values multiplied, or each brought to
//! another scale and added, never leave 128 bits, so nothing is to be checked but that they fit, and that
//! is checked for many at once. Where one does not fit there is no answer from here.

/// Values that are checked together.
const CHUNK: usize = 256;

/// What is done with two decimals, each brought to the scale of the answer first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
}

/// A decimal, or a column of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Operand<'a> {
    One(i128),
    Many(&'a [i128]),
}

/// What an operand is multiplied by, to have the scale of the answer; at most 10^18.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scaling {
    pub(super) left: i64,
    pub(super) right: i64,
}

/// The answers for a column and a value, a value and a column or two columns; `None` for two values, or
/// where a value does not fit in 64 bits.
pub(super) fn compute(
    arithmetic: Arithmetic,
    left: Operand<'_>,
    right: Operand<'_>,
    by: Scaling,
) -> Option<Vec<i128>> {
    match (left, right) {
        (Operand::Many(left), Operand::Many(right)) => columns(arithmetic, left, right, by),
        (Operand::Many(left), Operand::One(right)) => {
            let right = i64::try_from(right).ok()?;
            match arithmetic {
                Arithmetic::Multiply => map(left, |value| product(value, right)),
                Arithmetic::Add => shifted(left, by.left, product(right, by.right)),
                Arithmetic::Subtract => shifted(left, by.left, -product(right, by.right)),
            }
        }
        (Operand::One(left), Operand::Many(right)) => {
            let left = i64::try_from(left).ok()?;
            match arithmetic {
                Arithmetic::Multiply => map(right, |value| product(value, left)),
                Arithmetic::Add => shifted(right, by.right, product(left, by.left)),
                Arithmetic::Subtract => shifted(right, -by.right, product(left, by.left)),
            }
        }
        (Operand::One(_), Operand::One(_)) => None,
    }
}

fn columns(
    arithmetic: Arithmetic,
    left: &[i128],
    right: &[i128],
    by: Scaling,
) -> Option<Vec<i128>> {
    let same = by == Scaling { left: 1, right: 1 };
    match arithmetic {
        Arithmetic::Multiply => zip(left, right, product),
        Arithmetic::Add if same => zip(left, right, |a, b| i128::from(a) + i128::from(b)),
        Arithmetic::Subtract if same => zip(left, right, |a, b| i128::from(a) - i128::from(b)),
        Arithmetic::Add => zip(left, right, |a, b| {
            product(a, by.left) + product(b, by.right)
        }),
        Arithmetic::Subtract => zip(left, right, |a, b| {
            product(a, by.left) - product(b, by.right)
        }),
    }
}

/// Values multiplied, and a constant added.
fn shifted(values: &[i128], by: i64, constant: i128) -> Option<Vec<i128>> {
    match by {
        1 => map(values, |value| constant + i128::from(value)),
        -1 => map(values, |value| constant - i128::from(value)),
        _ => map(values, |value| constant + product(value, by)),
    }
}

#[inline]
fn product(left: i64, right: i64) -> i128 {
    i128::from(left) * i128::from(right)
}

/// What is not zero if a value takes more than 64 bits.
#[inline]
fn excess(value: i128) -> i64 {
    ((value >> 64) as i64) ^ (value as i64 >> 63)
}

fn map(values: &[i128], f: impl Fn(i64) -> i128) -> Option<Vec<i128>> {
    let mut answers = Vec::with_capacity(values.len());
    for chunk in values.chunks(CHUNK) {
        if chunk.iter().fold(0, |wide, value| wide | excess(*value)) != 0 {
            return None;
        }
        answers.extend(chunk.iter().map(|value| f(*value as i64)));
    }
    Some(answers)
}

fn zip(left: &[i128], right: &[i128], f: impl Fn(i64, i64) -> i128) -> Option<Vec<i128>> {
    let mut answers = Vec::with_capacity(left.len());
    for (left, right) in left.chunks(CHUNK).zip(right.chunks(CHUNK)) {
        let pairs = || left.iter().zip(right);
        if pairs().fold(0, |wide, (a, b)| wide | excess(*a) | excess(*b)) != 0 {
            return None;
        }
        answers.extend(pairs().map(|(a, b)| f(*a as i64, *b as i64)));
    }
    Some(answers)
}
