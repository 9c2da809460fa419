//! Which rows of a batch are still wanted: a bit a row, 64 rows a word.
//!
//! A test takes rows away and never brings one back, so a word without a bit is passed over. Values are
//! compared 64 at a time into bytes, which the compiler does many at once, and packed into a word.

use datafusion::arrow::array::{Array, BooleanArray};
use datafusion::arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};

/// Rows of a word.
pub(super) const WORD: usize = 64;

/// A bit for each row that is wanted; bits beyond the last row are never set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mask {
    words: Vec<u64>,
    rows: usize,
}

impl Mask {
    /// Every row.
    pub(super) fn all(rows: usize) -> Self {
        let mut words = vec![u64::MAX; rows.div_ceil(WORD)];
        if let (Some(last), used @ 1..) = (words.last_mut(), rows % WORD) {
            *last = (1 << used) - 1;
        }
        Self { words, rows }
    }

    /// No row.
    pub(super) fn none(rows: usize) -> Self {
        let words = vec![0; rows.div_ceil(WORD)];
        Self { words, rows }
    }

    /// How many rows are wanted.
    pub(super) fn count(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// Whether no row is wanted.
    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Takes all rows away.
    pub(super) fn clear(&mut self) {
        self.words.fill(0);
    }

    /// Takes in the rows of the other.
    pub(super) fn unite(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    /// Takes away the rows of the other.
    pub(super) fn subtract(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= !other;
        }
    }

    /// Keeps rows whose bit is set, or is not.
    pub(super) fn keep_bits(&mut self, bits: &BooleanBuffer, set: bool) {
        let turn = if set { 0 } else { u64::MAX };
        let chunks = bits.bit_chunks();
        let last = chunks.remainder_bits();
        let bits = chunks.iter().chain(std::iter::once(last));
        for (word, bits) in self.words.iter_mut().zip(bits) {
            *word &= bits ^ turn;
        }
    }

    /// Keeps rows that hold a value.
    pub(super) fn keep_valid(&mut self, nulls: Option<&NullBuffer>) {
        if let Some(nulls) = nulls {
            self.keep_bits(nulls.inner(), true);
        }
    }

    /// Keeps rows whose value passes a test of 64 values, which answers a bit each.
    pub(super) fn keep_words<T>(&mut self, values: &[T], test: impl Fn(&[T]) -> u64) {
        for (word, chunk) in self.words.iter_mut().zip(values.chunks(WORD)) {
            if *word != 0 {
                *word &= test(chunk);
            }
        }
    }

    /// Keeps rows whose value passes.
    pub(super) fn keep<T: Copy>(&mut self, values: &[T], test: impl Fn(T) -> bool) {
        self.keep_words(values, |chunk| bits(chunk, &test));
    }

    /// Keeps rows whose two values pass.
    pub(super) fn keep_pairs<T: Copy>(
        &mut self,
        left: &[T],
        right: &[T],
        test: impl Fn(T, T) -> bool,
    ) {
        let chunks = left.chunks(WORD).zip(right.chunks(WORD));
        for (word, (left, right)) in self.words.iter_mut().zip(chunks) {
            if *word != 0 {
                *word &= bits_of_pairs(left, right, &test);
            }
        }
    }

    /// Keeps rows that pass, looking at those alone that are still wanted.
    pub(super) fn keep_rows(&mut self, test: impl Fn(usize) -> bool) {
        for (at, word) in self.words.iter_mut().enumerate() {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                if !test(at * WORD + bit) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// Keeps of the wanted rows, counted among themselves, those that an answer says are true.
    pub(super) fn keep_answers(&mut self, answers: &BooleanArray) {
        let mut answered = 0;
        for word in &mut self.words {
            let mut left = *word;
            while left != 0 {
                let bit = left.trailing_zeros() as usize;
                left &= left - 1;
                let kept = answered < answers.len()
                    && answers.is_valid(answered)
                    && answers.value(answered);
                if !kept {
                    *word &= !(1 << bit);
                }
                answered += 1;
            }
        }
    }

    /// The rows as the engine's filters take them.
    pub(super) fn into_array(self) -> BooleanArray {
        let buffer = Buffer::from_vec(self.words);
        BooleanArray::new(BooleanBuffer::new(buffer, 0, self.rows), None)
    }
}

/// A bit for each of up to 64 values that passes.
#[inline]
pub(super) fn bits<T: Copy>(chunk: &[T], test: impl Fn(T) -> bool) -> u64 {
    let mut passed = [0_u8; WORD];
    match <&[T; WORD]>::try_from(chunk) {
        // Of a known length, so that the loop becomes straight code.
        Ok(chunk) => {
            for (passed, value) in passed.iter_mut().zip(chunk) {
                *passed = u8::from(test(*value));
            }
        }
        Err(_) => {
            for (passed, value) in passed.iter_mut().zip(chunk) {
                *passed = u8::from(test(*value));
            }
        }
    }
    pack(&passed)
}

/// A bit for each of up to 64 pairs that passes.
#[inline]
fn bits_of_pairs<T: Copy>(left: &[T], right: &[T], test: impl Fn(T, T) -> bool) -> u64 {
    let mut passed = [0_u8; WORD];
    match (<&[T; WORD]>::try_from(left), <&[T; WORD]>::try_from(right)) {
        (Ok(left), Ok(right)) => {
            for (passed, (left, right)) in passed.iter_mut().zip(left.iter().zip(right)) {
                *passed = u8::from(test(*left, *right));
            }
        }
        _ => {
            for (passed, (left, right)) in passed.iter_mut().zip(left.iter().zip(right)) {
                *passed = u8::from(test(*left, *right));
            }
        }
    }
    pack(&passed)
}

/// Bytes of 0 and 1 as bits, the first lowest: the product moves bit `8 i` to `56 + i`, and no two meet.
#[inline]
fn pack(passed: &[u8; WORD]) -> u64 {
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = passed.as_chunks::<8>();
    let mut word = 0;
    for (at, eight) in eights.iter().enumerate() {
        let bits = u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56;
        word |= bits << (8 * at);
    }
    word
}

/// Bits of the values of up to 64 that lie in a range, both ends included.
///
/// Most decimals fit in 64 bits, and where all 64 do, these alone are compared.
#[inline]
pub(super) fn bits_in_wide_range(chunk: &[i128], low: i128, high: i128) -> u64 {
    let mut lows = [0_i64; WORD];
    let mut wide = 0;
    for (narrow, value) in lows.iter_mut().zip(chunk) {
        *narrow = *value as i64;
        wide |= ((*value >> 64) as i64) ^ (*narrow >> 63);
    }
    if wide != 0 {
        return bits(chunk, |value| low <= value && value <= high);
    }
    let (least, most) = (i128::from(i64::MIN), i128::from(i64::MAX));
    if high < least || low > most {
        return 0;
    }
    let (low, high) = (low.max(least) as i64, high.min(most) as i64);
    let within = bits(&lows, |value| low <= value && value <= high);
    match chunk.len() {
        WORD => within,
        rows => within & ((1 << rows) - 1),
    }
}
