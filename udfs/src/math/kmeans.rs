//! k-means: points to the nearest of k centres, which are their points' means.
//!
//! Centres start by k-means++ with several tries a centre (Arthur and Vassilvitskii 2007), as in scikit-learn, and move by
//! Lloyd's algorithm; the best of several starts counts. The same seed gives the same bits.

use super::rng::Rng;

/// What [`kmeans`] runs.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How many clusters.
    pub k: usize,
    /// Starts, of which the best is kept.
    pub starts: usize,
    /// Rounds of one start at most.
    pub rounds: usize,
    pub seed: u64,
}

/// Clusters in the order of their size, the largest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    /// The cluster of each point.
    pub cluster: Vec<usize>,
    /// The square of each point's distance to its centre.
    pub square: Vec<f64>,
    /// A row of coordinates for each cluster.
    pub centres: Vec<Vec<f64>>,
    pub sizes: Vec<usize>,
    /// The sum of all squares.
    pub inertia: f64,
}

/// Clusters points, given as rows; `None` with fewer distinct points than clusters.
pub fn kmeans(points: &[Vec<f64>], plan: &Plan) -> Option<Clusters> {
    if plan.k == 0 || points.len() < plan.k {
        return None;
    }
    let mut rng = Rng::new(plan.seed);
    let mut best: Option<Clusters> = None;
    for _ in 0..plan.starts.max(1) {
        let found = run(points, begin(points, plan.k, &mut rng)?, plan.rounds);
        if best
            .as_ref()
            .is_none_or(|best| found.inertia < best.inertia)
        {
            best = Some(found);
        }
    }
    best.map(by_size)
}

/// The next centre is drawn with the chance of its square distance; the best of several draws is taken.
fn begin(points: &[Vec<f64>], k: usize, rng: &mut Rng) -> Option<Vec<Vec<f64>>> {
    let tries = 2 + (k as f64).ln() as usize;
    let mut centres = vec![points[rng.below(points.len())].clone()];
    let mut nearest: Vec<f64> = points.iter().map(|p| square(p, &centres[0])).collect();
    while centres.len() < k {
        let total: f64 = nearest.iter().sum();
        if total <= 0.0 {
            return None;
        }
        let mut best: Option<(f64, usize, Vec<f64>)> = None;
        for _ in 0..tries {
            let drawn = draw(&nearest, rng.uniform() * total);
            let centre = &points[drawn];
            let each = nearest.iter().zip(points);
            let after: Vec<f64> = each.map(|(d, p)| d.min(square(p, centre))).collect();
            let potential: f64 = after.iter().sum();
            if best.as_ref().is_none_or(|(least, ..)| potential < *least) {
                best = Some((potential, drawn, after));
            }
        }
        let (_, drawn, after) = best?;
        centres.push(points[drawn].clone());
        nearest = after;
    }
    Some(centres)
}

/// The first place at which the running sum exceeds `at`.
fn draw(weights: &[f64], at: f64) -> usize {
    let mut sum = 0.0;
    let found = weights.iter().position(|w| {
        sum += w;
        sum > at
    });
    let last = || weights.iter().rposition(|w| *w > 0.0).unwrap_or(0);
    found.unwrap_or_else(last)
}

fn run(points: &[Vec<f64>], mut centres: Vec<Vec<f64>>, rounds: usize) -> Clusters {
    let (mut cluster, mut squares) = (vec![usize::MAX; points.len()], vec![0.0; points.len()]);
    for _ in 0..rounds.max(1) {
        let mut moved = false;
        for (row, point) in points.iter().enumerate() {
            let (place, distance) = nearest(point, &centres);
            moved |= cluster[row] != place;
            (cluster[row], squares[row]) = (place, distance);
        }
        if !moved {
            break;
        }
        means(points, &cluster, &squares, &mut centres);
    }
    for (row, point) in points.iter().enumerate() {
        (cluster[row], squares[row]) = nearest(point, &centres);
    }
    let mut sizes = vec![0; centres.len()];
    cluster.iter().for_each(|place| sizes[*place] += 1);
    Clusters {
        inertia: squares.iter().sum(),
        cluster,
        square: squares,
        centres,
        sizes,
    }
}

fn nearest(point: &[f64], centres: &[Vec<f64>]) -> (usize, f64) {
    let mut best = (0, f64::INFINITY);
    for (place, centre) in centres.iter().enumerate() {
        let distance = square(point, centre);
        if distance < best.1 {
            best = (place, distance);
        }
    }
    best
}

/// Moves centres to their points' means; a centre without points goes to the point farthest from its own.
fn means(points: &[Vec<f64>], cluster: &[usize], squares: &[f64], centres: &mut [Vec<f64>]) {
    let mut counts = vec![0usize; centres.len()];
    let mut sums: Vec<Vec<f64>> = centres.iter().map(|c| vec![0.0; c.len()]).collect();
    for (point, place) in points.iter().zip(cluster) {
        counts[*place] += 1;
        sums[*place]
            .iter_mut()
            .zip(point)
            .for_each(|(s, x)| *s += x);
    }
    let mut far: Vec<usize> = Vec::new();
    for (place, count) in counts.iter().enumerate() {
        if *count > 0 {
            let means = sums[place].iter().map(|sum| sum / *count as f64);
            centres[place] = means.collect();
            continue;
        }
        let free = (0..points.len()).filter(|row| !far.contains(row));
        if let Some(row) = free.max_by(|a, b| squares[*a].total_cmp(&squares[*b])) {
            far.push(row);
            centres[place].clone_from(&points[row]);
        }
    }
}

fn square(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn by_size(found: Clusters) -> Clusters {
    let mut order: Vec<usize> = (0..found.centres.len()).collect();
    order.sort_by(|a, b| {
        let first = found.centres[*a].iter().zip(&found.centres[*b]);
        let ties = first.map(|(a, b)| a.total_cmp(b));
        ties.fold(
            found.sizes[*b].cmp(&found.sizes[*a]),
            std::cmp::Ordering::then,
        )
    });
    let mut place = vec![0; order.len()];
    order
        .iter()
        .enumerate()
        .for_each(|(new, old)| place[*old] = new);
    Clusters {
        cluster: found.cluster.iter().map(|old| place[*old]).collect(),
        centres: order
            .iter()
            .map(|old| found.centres[*old].clone())
            .collect(),
        sizes: order.iter().map(|old| found.sizes[*old]).collect(),
        ..found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan {
        k: 3,
        starts: 5,
        rounds: 100,
        seed: 0,
    };

    #[test]
    fn blobs_are_found_whatever_the_seed() {
        let mut rng = Rng::new(9);
        let centres = [[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]];
        let points: Vec<Vec<f64>> = (0..90)
            .map(|i| {
                let c = centres[if i < 40 { 0 } else { 1 + i % 2 }];
                vec![c[0] + rng.normal(), c[1] + rng.normal()]
            })
            .collect();
        for seed in 0..5 {
            let found = kmeans(&points, &Plan { seed, ..PLAN }).unwrap();
            assert_eq!(found.sizes, [40, 25, 25]);
            assert!(found.centres[0].iter().all(|x| x.abs() < 0.6));
            assert!((found.square.iter().sum::<f64>() - found.inertia).abs() < 1e-9);
        }
    }

    /// scikit-learn's KMeans(2) on 1, 2, 10, 11, 12: inertia 2.5.
    #[test]
    fn a_line_by_hand() {
        let points: Vec<Vec<f64>> = [1.0, 2.0, 10.0, 11.0, 12.0].map(|x| vec![x]).to_vec();
        let found = kmeans(&points, &Plan { k: 2, ..PLAN }).unwrap();
        assert_eq!(found.cluster, [1, 1, 0, 0, 0]);
        assert!((found.inertia - 2.5).abs() < 1e-12);
        assert_eq!(found.centres, [[11.0], [1.5]]);
    }

    #[test]
    fn too_few_points_give_nothing() {
        let same = vec![vec![1.0]; 5];
        assert!(kmeans(&same, &Plan { k: 2, ..PLAN }).is_none());
        assert!(kmeans(&same, &Plan { k: 1, ..PLAN }).is_some());
        assert!(kmeans(&same[..1], &Plan { k: 2, ..PLAN }).is_none());
    }
}
