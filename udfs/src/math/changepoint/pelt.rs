//! Optimal partition with pruning: PELT. Equal to ruptures' `Pelt` with `jump = 1`.
//!
//! Source: Killick, Fearnhead and Eckley (2012), "Optimal detection of changepoints with a linear computational cost".

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::envelope;

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

/// With [`Cost::L1`] every candidate remembers its segment, so series may have this many values.
pub const MAX_L1_OBSERVATIONS: usize = 5_000;

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
        Cost::L1 | Cost::Normal => last_starts(values, &sums, cost, penalty, least),
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

/// Where the last segment begins in the best partition of the values before each place.
fn last_starts(values: &[f64], sums: &Sums, cost: Cost, penalty: f64, least: usize) -> Vec<usize> {
    let mut search = Search::new(values.len(), cost, penalty);
    for end in least..=values.len() {
        search.admit(end - least, sums);
        search.measure(values, end, sums);
        if end.is_multiple_of(COMPACTED_EVERY) {
            search.compact();
        }
    }
    search.from
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
}

/// Pruned candidates are taken out of the arrays after so many steps.
const COMPACTED_EVERY: usize = 64;
/// The loops over candidates go in steps of so many, so that the compiler computes several at once.
const LANES: usize = 4;

/// The candidates for the start of the last segment, one array a fact so that the loop over them is plain.
struct Search {
    cost: Cost,
    penalty: f64,
    /// The least cost of the values before each place.
    best: Vec<f64>,
    from: Vec<usize>,
    /// Whole numbers.
    starts: Vec<f64>,
    /// The least cost before the start; infinite once the candidate is pruned.
    offsets: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    /// Of the candidate's partition up to the last place looked at.
    costs: Vec<f64>,
    /// Candidates that cost more than this are pruned when they are looked at next.
    limit: f64,
    /// Empty unless the cost needs them.
    medians: Vec<Median>,
}

impl Search {
    fn new(n: usize, cost: Cost, penalty: f64) -> Self {
        let mut best = vec![f64::INFINITY; n + 1];
        best[0] = 0.0;
        Self {
            cost,
            penalty,
            best,
            from: vec![0; n + 1],
            starts: Vec::new(),
            offsets: Vec::new(),
            first: Vec::new(),
            second: Vec::new(),
            costs: Vec::new(),
            limit: f64::INFINITY,
            medians: Vec::new(),
        }
    }

    fn admit(&mut self, start: usize, sums: &Sums) {
        if self.best[start].is_infinite() {
            return;
        }
        self.starts.push(start as f64);
        self.offsets.push(self.best[start] + self.penalty);
        self.first.push(sums.first[start]);
        self.second.push(sums.second[start]);
        self.costs.push(f64::NEG_INFINITY);
        if self.cost == Cost::L1 {
            self.medians.push(Median::default());
        }
    }

    fn measure(&mut self, values: &[f64], end: usize, sums: &Sums) {
        let (at, first, second) = (end as f64, sums.first[end], sums.second[end]);
        let least = match self.cost {
            Cost::L1 => self.sweep_medians(values, end),
            Cost::L2 | Cost::Normal => self.sweep(|start, from, from_squares| {
                let length = at - start;
                let mean = (first - from) / length;
                let variance = ((second - from_squares) / length - mean * mean).max(0.0);
                length * (variance + LEAST_VARIANCE).ln()
            }),
        };
        self.best[end] = least;
        self.limit = least + self.penalty;
        let chosen = self.costs.iter().position(|cost| *cost == least);
        self.from[end] = chosen.map_or(0, |index| self.starts[index] as usize);
    }

    /// Prunes by the last limit, computes all costs, and gives the least.
    fn sweep(&mut self, segment: impl Fn(f64, f64, f64) -> f64) -> f64 {
        let limit = self.limit;
        let one = |start: f64, from: f64, squares: f64, offset: &mut f64, cost: &mut f64| {
            *offset = if *cost > limit {
                f64::INFINITY
            } else {
                *offset
            };
            *cost = *offset + segment(start, from, squares);
            *cost
        };
        let mut least = [f64::INFINITY; LANES];
        let (starts, starts_rest) = self.starts.as_chunks::<LANES>();
        let (first, first_rest) = self.first.as_chunks::<LANES>();
        let (second, second_rest) = self.second.as_chunks::<LANES>();
        let (offsets, offsets_rest) = self.offsets.as_chunks_mut::<LANES>();
        let (costs, costs_rest) = self.costs.as_chunks_mut::<LANES>();
        let chunks = starts.iter().zip(first).zip(second).zip(offsets).zip(costs);
        for ((((starts, first), second), offsets), costs) in chunks {
            for lane in 0..LANES {
                let cost = one(
                    starts[lane],
                    first[lane],
                    second[lane],
                    &mut offsets[lane],
                    &mut costs[lane],
                );
                least[lane] = if cost < least[lane] {
                    cost
                } else {
                    least[lane]
                };
            }
        }
        let rest = starts_rest.iter().zip(first_rest).zip(second_rest);
        for (((start, from), squares), (offset, cost)) in
            rest.zip(offsets_rest.iter_mut().zip(costs_rest))
        {
            least[0] = least[0].min(one(*start, *from, *squares, offset, cost));
        }
        least.into_iter().fold(f64::INFINITY, f64::min)
    }

    fn sweep_medians(&mut self, values: &[f64], end: usize) -> f64 {
        let mut least = f64::INFINITY;
        for (i, median) in self.medians.iter_mut().enumerate() {
            if self.costs[i] > self.limit {
                self.offsets[i] = f64::INFINITY;
            }
            if self.offsets[i].is_infinite() {
                self.costs[i] = f64::INFINITY;
                continue;
            }
            let start = self.starts[i] as usize;
            for value in &values[start + median.count()..end] {
                median.push(*value);
            }
            self.costs[i] = self.offsets[i] + median.distance();
            least = least.min(self.costs[i]);
        }
        least
    }

    fn compact(&mut self) {
        let mut kept = 0;
        for i in 0..self.starts.len() {
            if self.offsets[i].is_finite() && self.costs[i] <= self.limit {
                self.starts[kept] = self.starts[i];
                self.offsets[kept] = self.offsets[i];
                self.first[kept] = self.first[i];
                self.second[kept] = self.second[i];
                self.costs[kept] = self.costs[i];
                if !self.medians.is_empty() {
                    self.medians.swap(kept, i);
                }
                kept += 1;
            }
        }
        self.starts.truncate(kept);
        self.offsets.truncate(kept);
        self.first.truncate(kept);
        self.second.truncate(kept);
        self.costs.truncate(kept);
        self.medians.truncate(kept);
    }
}

/// The median of values as they come, and the sum of the distances from it.
#[derive(Default)]
struct Median {
    low: BinaryHeap<Ordered>,
    high: BinaryHeap<Reverse<Ordered>>,
    low_sum: f64,
    high_sum: f64,
}

impl Median {
    fn count(&self) -> usize {
        self.low.len() + self.high.len()
    }

    fn push(&mut self, value: f64) {
        if self.low.peek().is_none_or(|top| value <= top.0) {
            self.low.push(Ordered(value));
            self.low_sum += value;
        } else {
            self.high.push(Reverse(Ordered(value)));
            self.high_sum += value;
        }
        if self.low.len() > self.high.len() + 1 {
            if let Some(top) = self.low.pop() {
                self.low_sum -= top.0;
                self.high_sum += top.0;
                self.high.push(Reverse(top));
            }
        } else if self.high.len() > self.low.len()
            && let Some(Reverse(top)) = self.high.pop()
        {
            self.high_sum -= top.0;
            self.low_sum += top.0;
            self.low.push(top);
        }
    }

    fn distance(&self) -> f64 {
        let Some(low) = self.low.peek() else {
            return 0.0;
        };
        let middle = match self.high.peek() {
            Some(Reverse(high)) if self.low.len() == self.high.len() => 0.5 * (low.0 + high.0),
            _ => low.0,
        };
        middle * self.low.len() as f64 - self.low_sum + self.high_sum
            - middle * self.high.len() as f64
    }
}

/// A number in its total order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
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

fn segment_cost(values: &[f64], cost: Cost) -> f64 {
    let n = values.len() as f64;
    let squares = || super::super::stats::squares(values, super::super::stats::mean(values));
    match cost {
        Cost::L2 => squares(),
        Cost::Normal => n * (squares() / n + LEAST_VARIANCE).ln(),
        Cost::L1 => {
            let mut median = Median::default();
            values.iter().for_each(|value| median.push(*value));
            median.distance()
        }
    }
}
