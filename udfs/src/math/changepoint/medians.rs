//! Sums of distances from the median of any part of a series, without sorting the part.
//!
//! A wavelet matrix over the ranks of the values: each level parts them by one bit of the rank, the most significant first, and knows
//! for each place how many values with a zero there are before it, and their sum. Source: Claude, Navarro and Ordóñez (2015), "The
//! wavelet matrix".

use super::super::stats::mean;

/// The series by ranks.
pub(super) struct Medians {
    /// The values less their mean, so that sums stay small.
    sorted: Vec<f64>,
    /// Running sums in the order of the series.
    sums: Vec<f64>,
    levels: Vec<Level>,
}

/// The values in the order that the levels before have brought them to, as this level's bit parts them.
struct Level {
    /// How many have a zero before each place.
    zeros: Vec<u32>,
    /// The sums of those.
    sums: Vec<f64>,
}

impl Medians {
    /// Takes less than 2³² finite values.
    pub(super) fn new(values: &[f64]) -> Self {
        let centre = mean(values);
        let value = |place: u32| values[place as usize] - centre;
        let mut order: Vec<u32> = (0..).take(values.len()).collect();
        order.sort_by(|a, b| value(*a).total_cmp(&value(*b)));
        let sorted: Vec<f64> = order.iter().map(|place| value(*place)).collect();
        let mut ranks = vec![0u32; values.len()];
        for (rank, place) in (0..).zip(&order) {
            ranks[*place as usize] = rank;
        }
        let sums = running(ranks.iter().map(|rank| sorted[*rank as usize]));
        let bits = usize::BITS - values.len().saturating_sub(1).leading_zeros();
        let levels = (0..bits).rev().map(|bit| {
            let is_zero = |rank: &u32| (rank >> bit) & 1 == 0;
            let mut zeros = vec![0; ranks.len() + 1];
            for (place, rank) in ranks.iter().enumerate() {
                zeros[place + 1] = zeros[place] + u32::from(is_zero(rank));
            }
            let own = |rank: &u32| {
                if is_zero(rank) {
                    sorted[*rank as usize]
                } else {
                    0.0
                }
            };
            let sums = running(ranks.iter().map(own));
            let (low, high): (Vec<u32>, Vec<u32>) = ranks.iter().partition(|rank| is_zero(rank));
            ranks = [low, high].concat();
            Level { zeros, sums }
        });
        let levels = levels.collect();
        Self {
            sums,
            levels,
            sorted,
        }
    }

    /// Σ |x − median| over the values from `start` to `end`; zero for none.
    pub(super) fn distance(&self, start: usize, end: usize) -> f64 {
        let count = end - start;
        let lower = count / 2;
        let (mut low, mut high, mut left) = (start, end, lower);
        let (mut rank, mut below) = (0, 0.0);
        for level in &self.levels {
            let (before, until) = (level.zeros[low] as usize, level.zeros[high] as usize);
            rank <<= 1;
            if left < until - before {
                (low, high) = (before, until);
            } else {
                left -= until - before;
                below += level.sums[high] - level.sums[low];
                let zeros = level.zeros[self.sorted.len()] as usize;
                (low, high) = (zeros + low - before, zeros + high - until);
                rank |= 1;
            }
        }
        let Some(median) = self.sorted.get(rank) else {
            return 0.0;
        };
        let above = self.sums[end] - self.sums[start] - below;
        above - below - median * (count as f64 - 2.0 * lower as f64)
    }
}

fn running(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    let rest = values.map(|value| {
        sum += value;
        sum
    });
    // A running sum begins with nothing.
    let mut sums = vec![0.0];
    sums.extend(rest);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition.
    #[test]
    fn distances_are_those_of_every_part() {
        let values: Vec<f64> = (0..23).map(|i| f64::from(i * 7919 % 13) - 4.0).collect();
        let medians = Medians::new(&values);
        for start in 0..values.len() {
            for end in start..=values.len() {
                let mut part = values[start..end].to_vec();
                part.sort_by(f64::total_cmp);
                let median = part.get(part.len() / 2).copied().unwrap_or(0.0);
                let plain: f64 = part.iter().map(|x| (x - median).abs()).sum();
                let found = medians.distance(start, end);
                assert!(
                    (found - plain).abs() < 1e-12,
                    "{start} {end}: {found} is not {plain}"
                );
            }
        }
        assert_eq!(Medians::new(&[]).distance(0, 0), 0.0);
        assert_eq!(Medians::new(&[5.0]).distance(0, 1), 0.0);
    }
}
