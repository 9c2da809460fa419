//! Isolation forest: how few random cuts set a row apart.
//!
//! Source: Liu, Ting and Zhou (2008), "Isolation forest". Scores are scikit-learn's `-score_samples`.

use crate::math::rng::Rng;

/// A grown forest.
#[derive(Debug)]
pub struct Forest {
    nodes: Vec<Node>,
    /// The length of the path to each node that is a leaf.
    lengths: Vec<f64>,
    roots: Vec<u32>,
    /// No leaf lies deeper.
    depth: usize,
    /// The mean path length that scores are relative to.
    usual: f64,
}

/// A cut: rows up to the threshold go on at `next`, others at the node behind it. A leaf leads all rows to itself, so that
/// every row can take the same number of steps.
#[derive(Debug, Clone, Copy)]
struct Node {
    threshold: f64,
    feature: u32,
    next: u32,
}

/// Rows that go down a tree side by side: their steps do not wait for each other.
const ABREAST: usize = 8;

/// The mean path of an unsuccessful search among n: 2 H(n − 1) − 2 (n − 1) / n.
fn usual_path(n: usize) -> f64 {
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        n => {
            let m = (n - 1) as f64;
            2.0 * (m.ln() + 0.577_215_664_901_532_9) - 2.0 * m / n as f64
        }
    }
}

impl Forest {
    /// Grows `trees` trees, each on a sample of `sample` rows without replacement.
    ///
    /// `columns` are equally long and finite; `None` without rows. The same seed gives the same forest.
    pub fn grow(columns: &[&[f64]], trees: usize, sample: usize, seed: u64) -> Option<Self> {
        let rows = columns.first().map_or(0, |column| column.len());
        let sample = sample.min(rows);
        if rows == 0 || trees == 0 || sample == 0 || u32::try_from(rows).is_err() {
            return None;
        }
        let depth = (sample as f64).log2().ceil().max(1.0) as usize;
        let mut grower = Grower {
            columns,
            depth,
            rng: Rng::new(seed),
            nodes: Vec::new(),
            lengths: Vec::new(),
        };
        let mut order: Vec<u32> = (0..).take(rows).collect();
        let mut roots = Vec::with_capacity(trees);
        for _ in 0..trees {
            // The first of a partial shuffle are a sample without replacement.
            for i in 0..sample {
                let other = i + grower.rng.below(rows - i);
                order.swap(i, other);
            }
            let mut chosen = order[..sample].to_vec();
            let root = grower.leaf();
            grower.grow(root, &mut chosen, 0);
            roots.push(root);
        }
        Some(Self {
            nodes: grower.nodes,
            lengths: grower.lengths,
            roots,
            depth,
            usual: usual_path(sample),
        })
    }

    /// The score of each row, 2^(−mean path / usual path): near 1 for the lonely, below 0.5 for the crowded.
    pub fn scores(&self, columns: &[&[f64]]) -> Vec<f64> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut depths = vec![0.0; rows];
        let width = columns.len();
        let mut block = vec![0.0; ABREAST * width];
        for (index, depths) in depths.chunks_mut(ABREAST).enumerate() {
            // The last block is filled up with its first row.
            for (lane, row) in block.chunks_exact_mut(width).enumerate() {
                let lane = if lane < depths.len() { lane } else { 0 };
                for (value, column) in row.iter_mut().zip(columns) {
                    *value = column[index * ABREAST + lane];
                }
            }
            for root in &self.roots {
                let ends = self.ends(*root, &block, width);
                for (depth, end) in depths.iter_mut().zip(ends) {
                    *depth += self.lengths[end as usize];
                }
            }
        }
        let whole = self.usual * self.roots.len() as f64;
        let score = |depth: f64| {
            if whole > 0.0 {
                (-depth / whole).exp2()
            } else {
                0.5
            }
        };
        depths.into_iter().map(score).collect()
    }

    /// The leaves of a block of rows.
    fn ends(&self, root: u32, block: &[f64], width: usize) -> [u32; ABREAST] {
        let mut places = [root; ABREAST];
        for _ in 0..self.depth {
            for (lane, place) in places.iter_mut().enumerate() {
                let node = self.nodes[*place as usize];
                let above = block[lane * width + node.feature as usize] > node.threshold;
                *place = node.next + u32::from(above);
            }
        }
        places
    }
}

struct Grower<'a> {
    columns: &'a [&'a [f64]],
    depth: usize,
    rng: Rng,
    nodes: Vec<Node>,
    lengths: Vec<f64>,
}

impl Grower<'_> {
    /// Adds a node that is a leaf so far.
    fn leaf(&mut self) -> u32 {
        let place = u32::try_from(self.nodes.len()).unwrap_or(0);
        self.nodes.push(Node {
            threshold: f64::INFINITY,
            feature: 0,
            next: place,
        });
        self.lengths.push(0.0);
        place
    }

    fn grow(&mut self, place: u32, rows: &mut [u32], depth: usize) {
        self.lengths[place as usize] = depth as f64 + usual_path(rows.len());
        if depth >= self.depth || rows.len() < 2 {
            return;
        }
        let Some((feature, threshold)) = self.cut(rows) else {
            return;
        };
        let column = self.columns[feature];
        let mut split = 0;
        for i in 0..rows.len() {
            if column[rows[i] as usize] <= threshold {
                rows.swap(split, i);
                split += 1;
            }
        }
        let (below, above) = (self.leaf(), self.leaf());
        self.nodes[place as usize] = Node {
            threshold,
            feature: u32::try_from(feature).unwrap_or(0),
            next: below,
        };
        let (left, right) = rows.split_at_mut(split);
        self.grow(below, left, depth + 1);
        self.grow(above, right, depth + 1);
    }

    /// A random feature that has spread, and a random place between its ends.
    fn cut(&mut self, rows: &[u32]) -> Option<(usize, f64)> {
        let mut features: Vec<usize> = (0..self.columns.len()).collect();
        while !features.is_empty() {
            let feature = features.swap_remove(self.rng.below(features.len()));
            let column = self.columns[feature];
            let values = rows.iter().map(|row| column[*row as usize]);
            let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| {
                (low.min(x), high.max(x))
            });
            if low < high {
                let part = self.rng.uniform();
                let threshold = low * (1.0 - part) + high * part;
                // Rounding must not send every row to one side.
                return Some((
                    feature,
                    if threshold < high {
                        threshold.max(low)
                    } else {
                        low
                    },
                ));
            }
        }
        None
    }
}
