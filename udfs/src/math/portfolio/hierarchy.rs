//! Hierarchical risk parity: assets are clustered by their correlation, and each fork of the tree shares its weight in
//! inverse proportion to the variances of its two sides.
//!
//! Distance d = √((1 − ρ) / 2), clusters by linkage, then recursive bisection of the order of the leaves.
//! Source: López de Prado (2016), "Building diversified portfolios that outperform out of sample". The order of the leaves is
//! scipy's, ties included, so that the weights are those of PyPortfolioOpt.

use crate::math::matrix::{Symmetric, dot};

use super::estimate::correlation;
use super::refusal::Refusal;

/// How far two clusters are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linkage {
    /// Their nearest members.
    Single,
    /// Their farthest members.
    Complete,
    /// The mean over all pairs.
    Average,
    /// The growth of the sum of squares.
    Ward,
}

/// Two clusters that become one; assets come first, then earlier merges.
type Merge = (usize, usize);

/// The weights; they are positive and sum to 1.
///
/// # Errors
/// [`Refusal::Constant`] for an asset without variance.
pub fn hierarchical(covariance: &Symmetric, linkage: Linkage) -> Result<Vec<f64>, Refusal> {
    let diagonal = covariance.diagonal();
    if let Some(asset) = diagonal.iter().position(|v| *v <= 0.0) {
        return Err(Refusal::Constant { asset });
    }
    let order = leaves(&merges(covariance, linkage), covariance.order());
    let mut weights = vec![1.0; covariance.order()];
    let mut clusters: Vec<&[usize]> = vec![&order];
    while let Some(cluster) = clusters.pop() {
        if cluster.len() < 2 {
            continue;
        }
        let (first, second) = cluster.split_at(cluster.len() / 2);
        let (one, other) = (
            cluster_variance(covariance, first),
            cluster_variance(covariance, second),
        );
        let share = 1.0 - one / (one + other);
        first.iter().for_each(|asset| weights[*asset] *= share);
        second
            .iter()
            .for_each(|asset| weights[*asset] *= 1.0 - share);
        clusters.extend([first, second]);
    }
    Ok(weights)
}

/// The variance of a cluster whose assets have weights inverse to their variances.
fn cluster_variance(covariance: &Symmetric, cluster: &[usize]) -> f64 {
    let inverse: Vec<f64> = cluster
        .iter()
        .map(|i| 1.0 / covariance.get(*i, *i))
        .collect();
    let sum: f64 = inverse.iter().sum();
    let row = |asset: &usize| -> f64 {
        let row = covariance.row(*asset);
        cluster
            .iter()
            .zip(&inverse)
            .map(|(i, weight)| row[*i] * weight)
            .sum()
    };
    let products: Vec<f64> = cluster.iter().map(row).collect();
    dot(&inverse, &products) / (sum * sum)
}

fn merges(covariance: &Symmetric, linkage: Linkage) -> Vec<Merge> {
    let mut distance = correlation(covariance);
    for i in 0..distance.order() {
        for j in 0..i {
            distance.set(
                i,
                j,
                ((1.0 - distance.get(i, j)) / 2.0).clamp(0.0, 1.0).sqrt(),
            );
        }
        distance.set(i, i, 0.0);
    }
    let mut found = match linkage {
        Linkage::Single => spanning_tree(&distance),
        other => neighbour_chain(distance, other),
    };
    found.sort_by(|a, b| a.2.total_cmp(&b.2));
    labelled(&found)
}

/// Prim's tree, each edge from the asset that was added before.
fn spanning_tree(distance: &Symmetric) -> Vec<(usize, usize, f64)> {
    let order = distance.order();
    let mut nearest = vec![f64::INFINITY; order];
    let mut merged = vec![false; order];
    let mut edges = Vec::with_capacity(order.saturating_sub(1));
    let mut from = 0;
    for _ in 1..order {
        merged[from] = true;
        let (mut to, mut least) = (0, f64::INFINITY);
        for (i, far) in distance.row(from).iter().enumerate() {
            if merged[i] {
                continue;
            }
            nearest[i] = nearest[i].min(*far);
            if nearest[i] < least {
                (to, least) = (i, nearest[i]);
            }
        }
        edges.push((from, to, least));
        from = to;
    }
    edges
}

/// Merges of clusters that are each other's nearest, by Lance and Williams' update of the distances.
fn neighbour_chain(mut distance: Symmetric, linkage: Linkage) -> Vec<(usize, usize, f64)> {
    let order = distance.order();
    let mut sizes = vec![1.0_f64; order];
    let mut chain: Vec<usize> = Vec::with_capacity(order);
    let mut found = Vec::with_capacity(order.saturating_sub(1));
    for _ in 1..order {
        if chain.is_empty() {
            chain.extend(sizes.iter().position(|size| *size > 0.0));
        }
        let (x, y, least) = loop {
            let Some(&x) = chain.last() else {
                return found;
            };
            let before = chain.len().checked_sub(2).map(|place| chain[place]);
            let (mut y, mut least) = match before {
                Some(before) => (before, distance.get(x, before)),
                None => (x, f64::INFINITY),
            };
            for (i, far) in distance.row(x).iter().enumerate() {
                if sizes[i] > 0.0 && i != x && *far < least {
                    (y, least) = (i, *far);
                }
            }
            if before == Some(y) {
                break (x.min(y), x.max(y), least);
            }
            chain.push(y);
        };
        chain.truncate(chain.len() - 2);
        found.push((x, y, least));
        let (of_x, of_y) = (sizes[x], sizes[y]);
        sizes[x] = 0.0;
        sizes[y] = of_x + of_y;
        for (i, size) in sizes.iter().enumerate() {
            if *size > 0.0 && i != y {
                let far = (distance.get(i, x), distance.get(i, y), least);
                distance.set(i, y, joined(linkage, far, (of_x, of_y, *size)));
            }
        }
    }
    found
}

/// The distance of a cluster i to x and y joined, from those of i to x, of i to y and of x to y, and the sizes of x, y and i.
fn joined(
    linkage: Linkage,
    (a, b, c): (f64, f64, f64),
    (of_x, of_y, of_i): (f64, f64, f64),
) -> f64 {
    match linkage {
        Linkage::Single => a.min(b),
        Linkage::Complete => a.max(b),
        Linkage::Average => (of_x * a + of_y * b) / (of_x + of_y),
        Linkage::Ward => {
            let t = 1.0 / (of_x + of_y + of_i);
            let squares = (of_i + of_x) * t * a * a + (of_i + of_y) * t * b * b - of_i * t * c * c;
            squares.max(0.0).sqrt()
        }
    }
}

/// Names each cluster by its merge, the older one first.
fn labelled(found: &[(usize, usize, f64)]) -> Vec<Merge> {
    let order = found.len() + 1;
    let mut parents: Vec<usize> = (0..2 * order).collect();
    fn root(parents: &mut [usize], mut node: usize) -> usize {
        while parents[node] != node {
            parents[node] = parents[parents[node]];
            node = parents[node];
        }
        node
    }
    let mut merges = Vec::with_capacity(found.len());
    for (step, (x, y, _)) in found.iter().enumerate() {
        let (x, y) = (root(&mut parents, *x), root(&mut parents, *y));
        parents[x] = order + step;
        parents[y] = order + step;
        merges.push((x.min(y), x.max(y)));
    }
    merges
}

/// The assets from left to right.
fn leaves(merges: &[Merge], order: usize) -> Vec<usize> {
    let mut leaves = Vec::with_capacity(order);
    let mut waiting: Vec<usize> = match merges.len() {
        0 => (0..order).collect(),
        count => vec![order + count - 1],
    };
    while let Some(node) = waiting.pop() {
        match node.checked_sub(order).and_then(|merge| merges.get(merge)) {
            Some((left, right)) => waiting.extend([*right, *left]),
            None => leaves.push(node),
        }
    }
    leaves
}
