//! Isolation forest: how few random cuts set a row apart.
//!
//! Source: Liu, Ting and Zhou (2008), "Isolation forest". Scores are scikit-learn's `-score_samples`.

use crate::math::rng::Rng;

/// A grown forest.
#[derive(Debug)]
pub struct Forest {
    nodes: Vec<Node>,
    roots: Vec<u32>,
    /// The mean path length that scores are relative to.
    usual: f64,
}

/// A cut: rows below the threshold go to `left`, the next node is the other side. A leaf has no feature.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// Where to cut; in a leaf the length of the path to it.
    value: f64,
    feature: u32,
    left: u32,
    right: u32,
}

const LEAF: u32 = u32::MAX;

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
            roots.push(grower.node(&mut chosen, 0));
        }
        Some(Self {
            nodes: grower.nodes,
            roots,
            usual: usual_path(sample),
        })
    }

    /// The score of each row, 2^(−mean path / usual path): near 1 for the lonely, below 0.5 for the crowded.
    pub fn scores(&self, columns: &[&[f64]]) -> Vec<f64> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut depths = vec![0.0; rows];
        // Tree after tree: its nodes stay in the cache.
        for root in &self.roots {
            for (row, depth) in depths.iter_mut().enumerate() {
                *depth += self.path(*root, columns, row);
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

    fn path(&self, root: u32, columns: &[&[f64]], row: usize) -> f64 {
        let mut node = &self.nodes[root as usize];
        while node.feature != LEAF {
            let below = columns[node.feature as usize][row] <= node.value;
            node = &self.nodes[if below { node.left } else { node.right } as usize];
        }
        node.value
    }
}

struct Grower<'a> {
    columns: &'a [&'a [f64]],
    depth: usize,
    rng: Rng,
    nodes: Vec<Node>,
}

impl Grower<'_> {
    fn node(&mut self, rows: &mut [u32], depth: usize) -> u32 {
        let place = u32::try_from(self.nodes.len()).unwrap_or(0);
        let leaf = Node {
            value: depth as f64 + usual_path(rows.len()),
            feature: LEAF,
            left: 0,
            right: 0,
        };
        self.nodes.push(leaf);
        if depth >= self.depth || rows.len() < 2 {
            return place;
        }
        let Some((feature, threshold)) = self.cut(rows) else {
            return place;
        };
        let column = self.columns[feature];
        let mut split = 0;
        for i in 0..rows.len() {
            if column[rows[i] as usize] <= threshold {
                rows.swap(split, i);
                split += 1;
            }
        }
        let (left, right) = rows.split_at_mut(split);
        let left = self.node(left, depth + 1);
        let right = self.node(right, depth + 1);
        self.nodes[place as usize] = Node {
            value: threshold,
            feature: u32::try_from(feature).unwrap_or(LEAF),
            left,
            right,
        };
        place
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
