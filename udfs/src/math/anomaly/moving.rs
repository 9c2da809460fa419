//! Numbers that come and go, kept in order, and how unusual another is beside them.

use super::scale::{MEAN_OF_NORMAL, PRINTED};
use crate::math::exact::{Column, Sums, Twofold};
use crate::math::moments::{mean, variance};

/// Numbers in one piece of the list at most.
const PIECE: usize = 1024;

/// An ordered list of numbers in pieces, so that entering and leaving move few of them.
#[derive(Debug, Default, Clone)]
pub struct Ordered {
    pieces: Vec<Vec<f64>>,
    length: usize,
    nans: usize,
}

impl Ordered {
    /// How many numbers there are, NaN aside.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether a NaN is among them.
    pub fn has_nan(&self) -> bool {
        self.nans > 0
    }

    pub fn insert(&mut self, x: f64) {
        if x.is_nan() {
            self.nans += 1;
            return;
        }
        self.length += 1;
        let place = self.piece(x).min(self.pieces.len().saturating_sub(1));
        let Some(piece) = self.pieces.get_mut(place) else {
            self.pieces.push(vec![x]);
            return;
        };
        let at = piece.partition_point(|y| *y < x);
        piece.insert(at, x);
        if piece.len() > PIECE {
            let half = piece.split_off(PIECE / 2);
            self.pieces.insert(place + 1, half);
        }
    }

    /// Takes away a number that was inserted; does nothing if there is none.
    pub fn remove(&mut self, x: f64) {
        if x.is_nan() {
            self.nans = self.nans.saturating_sub(1);
            return;
        }
        let place = self.piece(x);
        let Some(piece) = self.pieces.get_mut(place) else {
            return;
        };
        let at = piece.partition_point(|y| *y < x);
        if piece.get(at) != Some(&x) {
            return;
        }
        piece.remove(at);
        self.length -= 1;
        if piece.is_empty() {
            self.pieces.remove(place);
        }
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The first piece that reaches up to `x`.
    fn piece(&self, x: f64) -> usize {
        self.pieces
            .partition_point(|piece| piece.last().is_some_and(|last| *last < x))
    }

    /// The number at a place of the order; NaN beyond the last.
    pub fn nth(&self, mut place: usize) -> f64 {
        for piece in &self.pieces {
            if place < piece.len() {
                return piece[place];
            }
            place -= piece.len();
        }
        f64::NAN
    }

    /// The quantile by linear interpolation; NaN of nothing.
    pub fn quantile(&self, p: f64) -> f64 {
        interpolated(self.length, p, |place| self.nth(place))
    }

    /// The median and the median distance from it.
    pub fn median_and_deviation(&self) -> (f64, f64) {
        let median = self.quantile(0.5);
        let spread = interpolated(self.length, 0.5, |place| self.nth_distance(median, place));
        (median, spread)
    }

    /// The mean distance from a number.
    pub fn mean_distance(&self, from: f64) -> f64 {
        let all = self.pieces.iter().flatten();
        all.map(|x| (x - from).abs()).sum::<f64>() / self.length as f64
    }

    /// The distance at a place of the order of distances from `centre`: below and above it they are in order, so the
    /// share of each is searched by halves.
    fn nth_distance(&self, centre: f64, place: usize) -> f64 {
        let below = self.below(centre);
        let near = |taken: usize| centre - self.nth(below - 1 - taken);
        let far = |taken: usize| self.nth(below + taken) - centre;
        let above = self.length - below;
        let wanted = place + 1;
        let (mut low, mut high) = (wanted.saturating_sub(above), wanted.min(below));
        while low < high {
            let taken = usize::midpoint(low, high);
            let other = wanted - taken;
            // More from below as long as the next there is nearer than the last from above.
            if other > 0 && near(taken) < far(other - 1) {
                low = taken + 1;
            } else {
                high = taken;
            }
        }
        let last_below = if low > 0 { near(low - 1) } else { 0.0 };
        let other = wanted - low;
        let last_above = if other > 0 { far(other - 1) } else { 0.0 };
        last_below.max(last_above)
    }

    /// How many numbers are less than `x`.
    fn below(&self, x: f64) -> usize {
        let mut count = 0;
        for piece in &self.pieces {
            if piece.last().is_some_and(|last| *last < x) {
                count += piece.len();
            } else {
                return count + piece.partition_point(|y| *y < x);
            }
        }
        count
    }
}

fn interpolated(length: usize, p: f64, nth: impl Fn(usize) -> f64) -> f64 {
    if length == 0 {
        return f64::NAN;
    }
    let place = p.clamp(0.0, 1.0) * (length - 1) as f64;
    let below = place.floor() as usize;
    let part = place - below as f64;
    let low = nth(below);
    if part == 0.0 {
        return low;
    }
    low + part * (nth(below + 1) - low)
}

/// Distances from the mean in standard deviations.
#[derive(Debug, Clone)]
pub struct MovingMoments {
    sums: Sums,
    columns: Vec<Column>,
}

impl Default for MovingMoments {
    fn default() -> Self {
        Self {
            sums: Sums::new(2),
            columns: vec![Column::default(); 2],
        }
    }
}

impl MovingMoments {
    /// Adds a number, or with a sign of −1 takes it away, without a trace.
    pub fn count(&mut self, x: f64, sign: f64) {
        self.columns[0].push(x.into());
        self.columns[1].push(Twofold::product(x, x));
        self.sums.add_rows(1, &mut self.columns, sign);
    }

    /// |x − mean| / s with the sample's s; `None` with fewer than three numbers or without spread.
    pub fn score(&self, x: f64) -> Option<f64> {
        let (n, sums) = (self.sums.count(), self.sums.values());
        if n < LEAST {
            return None;
        }
        if x.is_nan() || sums[0].high.is_nan() {
            return Some(f64::NAN);
        }
        let deviation = variance(n, &sums, 1).sqrt();
        let score = (x - mean(n, &sums)).abs() / deviation;
        (deviation > 0.0 && score.is_finite()).then_some(score)
    }
}

/// The fewest numbers that show a centre and a spread.
const LEAST: usize = 3;
/// The fewest that show quartiles.
const LEAST_OF_QUARTILES: usize = 4;

impl Ordered {
    /// 0.6745 |x − median| / MAD; where more than half of the numbers are equal, the mean distance times 1.2533 stands
    /// in for MAD / 0.6745. `None` with fewer than three numbers or without spread.
    pub fn deviation_score(&self, x: f64) -> Option<f64> {
        if self.length < LEAST && !self.has_nan() {
            return None;
        }
        if x.is_nan() || self.has_nan() {
            return Some(f64::NAN);
        }
        let (median, spread) = self.median_and_deviation();
        let unit = if spread > 0.0 {
            spread / PRINTED
        } else {
            self.mean_distance(median) / MEAN_OF_NORMAL
        };
        let score = (x - median).abs() / unit;
        (unit > 0.0 && score.is_finite()).then_some(score)
    }

    /// The distance from the nearer quartile in units of `k` interquartile ranges, 0 between the quartiles: above 1 lies
    /// what Tukey's fences leave out. `None` with fewer than four numbers or without spread.
    pub fn quartile_score(&self, x: f64, k: f64) -> Option<f64> {
        if self.length < LEAST_OF_QUARTILES && !self.has_nan() {
            return None;
        }
        if x.is_nan() || self.has_nan() {
            return Some(f64::NAN);
        }
        let (low, high) = (self.quantile(0.25), self.quantile(0.75));
        let range = high - low;
        let score = (low - x).max(x - high).max(0.0) / (k * range);
        (range > 0.0 && score.is_finite()).then_some(score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::rng::Rng;
    use crate::math::stats::describe::{median_and_deviation, quantile_sorted};

    #[test]
    fn a_moving_list_agrees_with_sorting() {
        let mut rng = Rng::new(4);
        let values: Vec<f64> = (0..6000)
            .map(|_| (50.0 * rng.uniform()).floor() + rng.normal())
            .collect();
        let mut list = Ordered::default();
        for width in [3, 10, 101, 3000] {
            list.clear();
            for (t, x) in values.iter().enumerate() {
                list.insert(*x);
                if t >= width {
                    list.remove(values[t - width]);
                }
                if t % 997 != 0 {
                    continue;
                }
                let mut sorted = values[(t + 1).saturating_sub(width)..=t].to_vec();
                sorted.sort_unstable_by(f64::total_cmp);
                assert_eq!(list.len(), sorted.len());
                assert_eq!(list.quantile(0.25), quantile_sorted(&sorted, 0.25));
                let (median, spread) = list.median_and_deviation();
                let (expected, wanted) = median_and_deviation(&sorted);
                assert!(
                    (median - expected).abs() < 1e-12 && (spread - wanted).abs() < 1e-12,
                    "{width} {t}"
                );
            }
        }
    }

    /// By hand on 1, 2, 3, 4, 100: mean 22, s = √1902.5; median 3, MAD 1; quartiles 2 and 4.
    #[test]
    fn scores_by_hand() {
        let mut list = Ordered::default();
        let mut moments = MovingMoments::default();
        for x in [1.0, 2.0, 3.0, 4.0, 100.0] {
            list.insert(x);
            moments.count(x, 1.0);
        }
        assert!((moments.score(100.0).unwrap() - 78.0 / 1902.5f64.sqrt()).abs() < 1e-12);
        assert!((list.deviation_score(100.0).unwrap() - 0.6745 * 97.0).abs() < 1e-12);
        assert!((list.quartile_score(100.0, 1.5).unwrap() - 32.0).abs() < 1e-12);
        moments.count(100.0, -1.0);
        assert!((moments.score(2.5).unwrap()).abs() < 1e-12);
    }

    #[test]
    fn too_little_gives_nothing() {
        let mut list = Ordered::default();
        list.insert(1.0);
        list.insert(2.0);
        assert_eq!(list.deviation_score(1.0), None);
        list.insert(f64::NAN);
        assert!(list.quartile_score(1.0, 1.5).unwrap().is_nan());
        list.remove(f64::NAN);
        list.insert(2.0);
        list.insert(2.0);
        assert!(list.deviation_score(2.0).unwrap() == 0.0);
        assert_eq!(Ordered::default().deviation_score(1.0), None);
    }
}
