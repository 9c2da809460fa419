//! Optimal partition, as PELT finds it. Equal to ruptures' `Pelt` with `jump = 1`.
//!
//! Source: Killick, Fearnhead and Eckley (2012), "Optimal detection of changepoints with a linear computational cost"; the search
//! itself is in `envelope` and `sleepers`, which stay fast where there are no changes.

use super::medians::Medians;
use super::{envelope, sleepers};

/// What a segment costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Σ (x − mean)²: changes of the mean.
    L2,
    /// Σ |x − median|: changes of the median, whatever the outliers.
    L1,
    /// n ln(variance + 1e-6): changes of mean or variance. Scale the values before, for the constant's sake.
    Normal,
}

impl Cost {
    pub const NAMES: &'static [&'static str] = &["l2", "l1", "normal"];

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "l2" => Some(Self::L2),
            "l1" => Some(Self::L1),
            "normal" => Some(Self::Normal),
            _ => None,
        }
    }
}

/// With [`Cost::L1`] some hundred bytes are kept for each value, so series may have this many.
pub const MAX_L1_OBSERVATIONS: usize = 200_000;

/// What ruptures adds to variances so that constant segments have a logarithm.
const LEAST_VARIANCE: f64 = 1e-6;

/// A partition.
#[derive(Debug, Clone, PartialEq)]
pub struct Partition {
    /// Where each segment ends, exclusively; the last is the length of the series.
    pub ends: Vec<usize>,
    /// For each end but the last, how much dearer the two segments around it would be as one.
    pub gains: Vec<f64>,
}

/// The segments whose costs and penalties sum to the least; each has at least `least` values.
///
/// `None` for series shorter than two segments, for penalties that are not positive, and beyond
/// [`MAX_L1_OBSERVATIONS`].
pub fn pelt(values: &[f64], cost: Cost, penalty: f64, least: usize) -> Option<Partition> {
    let n = values.len();
    let least = least.max(if cost == Cost::L1 { 1 } else { 2 });
    if n < least || penalty.is_nan() || penalty <= 0.0 {
        return None;
    }
    if cost == Cost::L1 && n > MAX_L1_OBSERVATIONS {
        return None;
    }
    let sums = Sums::new(values);
    let from = match cost {
        Cost::L2 => envelope::last_starts(&sums, penalty, least),
        Cost::L1 => {
            let medians = Medians::new(values);
            sleepers::last_starts(n, penalty, least, |start, end| medians.distance(start, end))
        }
        Cost::Normal => {
            sleepers::last_starts(n, penalty, least, |start, end| sums.normal(start, end))
        }
    };
    let mut ends = vec![n];
    while let Some(start) = ends.last().map(|end| from[*end]).filter(|start| *start > 0) {
        ends.push(start);
    }
    ends.reverse();
    Some(Partition {
        gains: gains(values, &ends, cost),
        ends,
    })
}

/// Running sums of values less their mean, and of their squares.
pub(super) struct Sums {
    pub(super) first: Vec<f64>,
    pub(super) second: Vec<f64>,
}

impl Sums {
    fn new(values: &[f64]) -> Self {
        let mean = super::super::stats::mean(values);
        let mut sums = Self {
            first: vec![0.0],
            second: vec![0.0],
        };
        let (mut first, mut second) = (0.0, 0.0);
        for x in values {
            let d = x - mean;
            first += d;
            second += d * d;
            sums.first.push(first);
            sums.second.push(second);
        }
        sums
    }

    /// The cost of the values from `start` to `end` as [`Cost::Normal`] has it.
    fn normal(&self, start: usize, end: usize) -> f64 {
        let length = (end - start) as f64;
        let mean = (self.first[end] - self.first[start]) / length;
        let square = (self.second[end] - self.second[start]) / length;
        length * ((square - mean * mean).max(0.0) + LEAST_VARIANCE).ln()
    }
}

fn gains(values: &[f64], ends: &[usize], cost: Cost) -> Vec<f64> {
    let mut starts = vec![0];
    starts.extend_from_slice(ends);
    let between = |triple: &[usize]| {
        let (start, middle, end) = (triple[0], triple[1], triple[2]);
        segment_cost(&values[start..end], cost)
            - segment_cost(&values[start..middle], cost)
            - segment_cost(&values[middle..end], cost)
    };
    starts.windows(3).map(between).collect()
}

pub(super) fn segment_cost(values: &[f64], cost: Cost) -> f64 {
    let n = values.len() as f64;
    let squares = || super::super::stats::squares(values, super::super::stats::mean(values));
    match cost {
        Cost::L2 => squares(),
        Cost::Normal => n * (squares() / n + LEAST_VARIANCE).ln(),
        Cost::L1 => Medians::new(values).distance(0, values.len()),
    }
}
