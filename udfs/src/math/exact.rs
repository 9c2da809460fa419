//! Sums without rounding: the same bits in whatever order the numbers come, on one thread or many,
//! and what was added can be taken away again without a trace.
//!
//! A sum is held as an expansion of non-overlapping doubles (Shewchuk 1997, "Adaptive precision floating-point
//! arithmetic"); it is read as the two doubles nearest to it, which are unique, so equal sums give equal bits.

/// An unevaluated sum of two doubles, the second at most half a unit in the last place of the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Twofold {
    pub high: f64,
    pub low: f64,
}

/// The sum of doubles, exactly. NaN and infinities are counted, so that they too can be taken away.
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    /// Non-overlapping, increasing in magnitude, none of them zero but the last.
    parts: Vec<f64>,
    nans: i64,
    positive: i64,
    negative: i64,
}

impl ExactSum {
    /// Adds a number.
    pub fn add(&mut self, x: f64) {
        if x.is_finite() {
            self.grow(x);
        } else {
            self.count(x, 1);
        }
    }

    /// Takes away a number that was added.
    pub fn subtract(&mut self, x: f64) {
        if x.is_finite() {
            self.grow(-x);
        } else {
            self.count(x, -1);
        }
    }

    /// Adds `sign`, which is 1 or -1, times each of some numbers, and leaves nothing of use in them.
    ///
    /// Each pass takes from all numbers of a block the bits above a bound, which many of them can share without
    /// rounding (Rump, Ogita, Oishi 2008, "Accurate floating-point summation").
    pub fn add_all(&mut self, numbers: &mut [f64], sign: f64) {
        for block in numbers.chunks_mut(BLOCK) {
            self.add_block(block, sign);
        }
    }

    fn add_block(&mut self, block: &mut [f64], sign: f64) {
        let size = block.iter().fold(
            0.0f64,
            |size, x| if x.abs() > size { x.abs() } else { size },
        );
        let broken = block.iter().fold(false, |broken, x| broken | x.is_nan());
        if broken || !(LEAST_FAST..MOST_FAST).contains(&size) {
            for x in block.iter() {
                if sign > 0.0 {
                    self.add(*x)
                } else {
                    self.subtract(*x)
                }
            }
            return;
        }
        let mut bound = power_above(size);
        for _ in 0..PASSES {
            let (sum, left) = extract(block, bound);
            self.grow(sign * sum);
            if !left {
                return;
            }
            bound *= PASS_STEP;
        }
        block
            .iter()
            .filter(|x| **x != 0.0)
            .for_each(|x| self.grow(sign * x));
    }

    /// Adds an unevaluated sum.
    pub fn add_twofold(&mut self, x: Twofold) {
        self.add(x.high);
        if x.low != 0.0 && x.high.is_finite() {
            self.grow(x.low);
        }
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: &ExactSum) {
        other.parts.iter().for_each(|part| self.grow(*part));
        self.nans += other.nans;
        self.positive += other.positive;
        self.negative += other.negative;
    }

    /// The nearest double.
    pub fn value(&self) -> f64 {
        self.twofold().high
    }

    /// The nearest double, and the nearest double to what is left.
    pub fn twofold(&self) -> Twofold {
        let special = match (self.nans, self.positive, self.negative) {
            (0, 0, 0) => None,
            (0, _, 0) => Some(f64::INFINITY),
            (0, 0, _) => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        };
        if let Some(special) = special {
            return Twofold::from(special);
        }
        let high = nearest(&self.parts);
        let mut rest = self.clone();
        rest.grow(-high);
        Twofold {
            high,
            low: nearest(&rest.parts),
        }
    }

    /// Appends the sum to a list of numbers; [`ExactSum::read`] reads it.
    #[expect(clippy::cast_precision_loss, reason = "nobody adds 2^53 numbers")]
    pub fn write(&self, state: &mut Vec<f64>) {
        let counts = [self.nans, self.positive, self.negative];
        state.extend(counts.map(|count| count as f64));
        state.push(self.parts.len() as f64);
        state.extend_from_slice(&self.parts);
    }

    /// Reads a sum from the front of a list of numbers and moves the front behind it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "counts were written as doubles"
    )]
    pub fn read(state: &mut &[f64]) -> Self {
        let mut next = |count: usize| {
            let (front, rest) = state.split_at(count.min(state.len()));
            *state = rest;
            front
        };
        let head = next(4);
        let count = |index: usize| head.get(index).map_or(0, |count| *count as i64);
        let (nans, positive, negative) = (count(0), count(1), count(2));
        let parts = next(usize::try_from(count(3)).unwrap_or_default()).to_vec();
        Self {
            parts,
            nans,
            positive,
            negative,
        }
    }

    fn count(&mut self, x: f64, by: i64) {
        let counter = if x.is_nan() {
            &mut self.nans
        } else if x > 0.0 {
            &mut self.positive
        } else {
            &mut self.negative
        };
        *counter += by;
    }

    fn grow(&mut self, mut x: f64) {
        let mut kept = 0;
        for index in 0..self.parts.len() {
            let (sum, error) = two_sum(x, self.parts[index]);
            if error != 0.0 {
                self.parts[kept] = error;
                kept += 1;
            }
            x = sum;
        }
        self.parts.truncate(kept);
        if x.is_finite() {
            self.parts.push(x);
        } else {
            // Beyond the largest double: the sum is infinite from here on.
            self.parts.clear();
            self.count(x, 1);
        }
    }
}

/// Terms of rows, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Column {
    high: Vec<f64>,
    low: Vec<f64>,
}

impl Column {
    /// Appends the term of a row.
    pub fn push(&mut self, term: Twofold) {
        self.high.push(term.high);
        self.low
            .push(if term.high.is_finite() { term.low } else { 0.0 });
    }

    fn clear(&mut self) {
        self.high.clear();
        self.low.clear();
    }
}

/// How many rows there were, and exact sums of what each of them gave.
#[derive(Debug, Clone)]
pub struct Sums {
    count: i64,
    sums: Vec<ExactSum>,
}

impl Sums {
    /// No rows yet.
    pub fn new(width: usize) -> Self {
        Self {
            count: 0,
            sums: vec![ExactSum::default(); width],
        }
    }

    /// Takes a row.
    pub fn add(&mut self, terms: &[Twofold]) {
        self.count += 1;
        for (sum, term) in self.sums.iter_mut().zip(terms) {
            sum.add_twofold(*term);
        }
    }

    /// Takes (or with a `sign` of -1 forgets) rows whose terms lie in columns; nothing of use is left in them.
    pub fn add_rows(&mut self, rows: usize, columns: &mut [Column], sign: f64) {
        let count = i64::try_from(rows).unwrap_or(i64::MAX);
        self.count += if sign > 0.0 { count } else { -count };
        for (sum, column) in self.sums.iter_mut().zip(columns) {
            sum.add_all(&mut column.high, sign);
            sum.add_all(&mut column.low, sign);
            column.clear();
        }
    }

    /// Takes the rows of another.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        for (sum, other) in self.sums.iter_mut().zip(&other.sums) {
            sum.merge(other);
        }
    }

    /// How many rows there are.
    pub fn count(&self) -> usize {
        usize::try_from(self.count).unwrap_or_default()
    }

    /// The sums.
    pub fn values(&self) -> Vec<Twofold> {
        self.sums.iter().map(ExactSum::twofold).collect()
    }

    /// Itself as a list of numbers, which [`Sums::merge_state`] reads.
    #[expect(clippy::cast_precision_loss, reason = "nobody adds 2^53 numbers")]
    pub fn state(&self) -> Vec<f64> {
        let mut state = vec![self.count as f64];
        self.sums.iter().for_each(|sum| sum.write(&mut state));
        state
    }

    /// Takes the rows of another that was written as a list of numbers.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the count was written as a double"
    )]
    pub fn merge_state(&mut self, state: &[f64]) {
        let Some((count, mut rest)) = state.split_first() else {
            return;
        };
        self.count += *count as i64;
        for sum in &mut self.sums {
            sum.merge(&ExactSum::read(&mut rest));
        }
    }

    /// The memory that it holds beside itself.
    pub fn bytes(&self) -> usize {
        let parts: usize = self.sums.iter().map(|sum| sum.parts.capacity()).sum();
        self.sums.capacity() * size_of::<ExactSum>() + parts * size_of::<f64>()
    }
}

/// Numbers that are added together.
const BLOCK: usize = 256;
/// How often bits are taken from a block, and how much lower each time.
const PASSES: usize = 3;
const PASS_STEP: f64 = 1.0 / (1u64 << 44) as f64;
/// Blocks of this size are far from the ends of the doubles.
const LEAST_FAST: f64 = 1e-200;
const MOST_FAST: f64 = 1e200;

/// The power of two above a normal number.
fn power_above(x: f64) -> f64 {
    f64::from_bits(((x.to_bits() >> 52) + 1) << 52)
}

/// Takes from numbers below `bound`, a power of two, the multiples of `bound / 2^44`: at most [`BLOCK`] of them sum up
/// without rounding. Gives their sum and whether anything is left.
fn extract(block: &mut [f64], bound: f64) -> (f64, bool) {
    const LANES: usize = 8;
    let shift = 1.5 * 256.0 * bound;
    let mut sums = [0.0; LANES];
    let mut rests = [0.0; LANES];
    let mut lanes = block.chunks_exact_mut(LANES);
    for chunk in &mut lanes {
        for ((x, sum), rest) in chunk.iter_mut().zip(&mut sums).zip(&mut rests) {
            let high = (shift + *x) - shift;
            *sum += high;
            *x -= high;
            *rest += x.abs();
        }
    }
    for ((x, sum), rest) in lanes
        .into_remainder()
        .iter_mut()
        .zip(&mut sums)
        .zip(&mut rests)
    {
        let high = (shift + *x) - shift;
        *sum += high;
        *x -= high;
        *rest += x.abs();
    }
    (sums.iter().sum(), rests.iter().any(|rest| *rest != 0.0))
}

/// The double nearest to the sum of an expansion, ties to even.
fn nearest(parts: &[f64]) -> f64 {
    let Some((last, mut rest)) = parts.split_last() else {
        return 0.0;
    };
    let (mut high, mut low) = (*last, 0.0);
    while let Some((next, others)) = rest.split_last() {
        rest = others;
        (high, low) = two_sum(high, *next);
        if low != 0.0 {
            break;
        }
    }
    // A tie that was rounded before what lies below it was seen.
    if let Some(below) = rest.last()
        && ((low < 0.0 && *below < 0.0) || (low > 0.0 && *below > 0.0))
    {
        let twice = low * 2.0;
        let up = high + twice;
        if up - high == twice {
            high = up;
        }
    }
    high
}

/// The rounded sum and its error (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// The halves of a double, of 26 bits each (Dekker, Veltkamp).
fn halves(x: f64) -> (f64, f64) {
    const SPLITTER: f64 = 134_217_729.0;
    let scaled = SPLITTER * x;
    let high = scaled - (scaled - x);
    (high, x - high)
}

impl From<f64> for Twofold {
    fn from(high: f64) -> Self {
        Self { high, low: 0.0 }
    }
}

impl Twofold {
    /// The product of two doubles, exactly.
    pub fn product(a: f64, b: f64) -> Self {
        let high = a * b;
        let ((a1, a0), (b1, b0)) = (halves(a), halves(b));
        let low = a0 * b0 - (((high - a1 * b1) - a0 * b1) - a1 * b0);
        let low = if low.is_finite() { low } else { 0.0 };
        Self { high, low }
    }

    /// Sum.
    pub fn plus(self, other: Self) -> Self {
        let (high, error) = two_sum(self.high, other.high);
        let (low, rest) = two_sum(self.low, other.low);
        Self::renormal(high, error + low + rest)
    }

    /// Difference.
    pub fn minus(self, other: Self) -> Self {
        self.plus(Self {
            high: -other.high,
            low: -other.low,
        })
    }

    /// Product.
    pub fn times(self, other: Self) -> Self {
        let product = Self::product(self.high, other.high);
        let cross = self.high * other.low + self.low * other.high;
        Self::renormal(product.high, product.low + cross)
    }

    /// Quotient.
    pub fn over(self, divisor: Self) -> Self {
        let first = self.high / divisor.high;
        let rest = self.minus(divisor.times(first.into()));
        let second = rest.high / divisor.high;
        Self::renormal(first, second)
    }

    /// The nearest double.
    pub fn value(self) -> f64 {
        self.high + self.low
    }

    fn renormal(high: f64, low: f64) -> Self {
        if !high.is_finite() || !low.is_finite() {
            return Self::from(high + low);
        }
        let sum = high + low;
        Self {
            high: sum,
            low: low - (sum - high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::rng::Rng;

    fn numbers(seed: u64) -> Vec<f64> {
        let mut rng = Rng::new(seed);
        (0..500)
            .map(|_| rng.normal() * 10f64.powi(rng.below(40) as i32 - 20))
            .collect()
    }

    fn sum(numbers: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        numbers.iter().for_each(|x| sum.add(*x));
        sum
    }

    #[test]
    fn the_order_does_not_matter() {
        let mut shuffled = numbers(1);
        let expected = sum(&shuffled).twofold();
        for seed in 0..20 {
            let mut rng = Rng::new(seed);
            for i in (1..shuffled.len()).rev() {
                shuffled.swap(i, rng.below(i + 1));
            }
            let (left, right) = shuffled.split_at(rng.below(500));
            let mut merged = sum(left);
            merged.merge(&sum(right));
            assert_eq!(merged.twofold(), expected);
        }
    }

    #[test]
    fn many_at_once_are_one_by_one() {
        for seed in 0..10 {
            let numbers = numbers(seed);
            let mut at_once = ExactSum::default();
            at_once.add_all(&mut numbers.clone(), 1.0);
            assert_eq!(at_once.twofold(), sum(&numbers).twofold());
            at_once.add_all(&mut numbers.clone(), -1.0);
            assert_eq!(at_once.twofold(), Twofold::from(0.0));
        }
        let mut odd = ExactSum::default();
        odd.add_all(&mut [1.0, f64::INFINITY, 2.0], 1.0);
        assert_eq!(odd.value(), f64::INFINITY);
    }

    /// The known answers are those of Python's `math.fsum`.
    #[test]
    fn sums_are_rounded_once() {
        assert_eq!(sum(&[0.1; 10]).value(), 1.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100, 1e-100]).value(), 1.0);
        assert_eq!(sum(&[1e16, 1.0, 1e-16]).value(), 10_000_000_000_000_002.0);
        assert_eq!(sum(&[]).value(), 0.0);
    }

    #[test]
    fn what_was_added_can_be_taken_away() {
        let mut numbers = numbers(3);
        numbers.extend([f64::NAN, f64::INFINITY, 1e-300]);
        let mut left = sum(&numbers);
        assert!(left.value().is_nan());
        numbers.iter().for_each(|x| left.subtract(*x));
        assert_eq!(left.twofold(), Twofold::from(0.0));
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        let (first, second) = (sum(&numbers(4)), sum(&[f64::NAN, 2.0]));
        let mut state = Vec::new();
        first.write(&mut state);
        second.write(&mut state);
        let mut rest = state.as_slice();
        assert_eq!(ExactSum::read(&mut rest).twofold(), first.twofold());
        assert!(ExactSum::read(&mut rest).value().is_nan());
        assert!(rest.is_empty());
    }

    #[test]
    fn twofold_arithmetic_keeps_what_doubles_lose() {
        let third = Twofold::from(1.0).over(Twofold::from(3.0));
        let one = third.times(Twofold::from(3.0));
        assert!((one.minus(Twofold::from(1.0))).value().abs() < 1e-31);
        let product = Twofold::product(1.0 + f64::EPSILON, 1.0 - f64::EPSILON);
        assert_eq!(
            product.minus(Twofold::from(1.0)).value(),
            -f64::EPSILON * f64::EPSILON
        );
    }
}
