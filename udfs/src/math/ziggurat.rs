//! Many standard normal numbers, fast: the ziggurat of Marsaglia and Tsang (2000), with Doornik's (2005) corrections.

use std::sync::LazyLock;

use super::rng::Rng;

const LAYERS: usize = 256;
/// Where the tail begins, and the area of each layer, for 256 layers.
const TAIL: f64 = 3.654_152_885_361_009;
const AREA: f64 = 0.004_928_673_233_974_655;

/// The right edges of the layers, the widest first, and the density there.
struct Layers {
    edges: [f64; LAYERS + 1],
    heights: [f64; LAYERS + 1],
}

static TABLE: LazyLock<Layers> = LazyLock::new(|| {
    let density = |x: f64| (-0.5 * x * x).exp();
    let mut edges = [0.0; LAYERS + 1];
    edges[0] = AREA / density(TAIL);
    edges[1] = TAIL;
    for layer in 2..LAYERS {
        let height = AREA / edges[layer - 1] + density(edges[layer - 1]);
        edges[layer] = (-2.0 * height.ln()).sqrt();
    }
    Layers {
        heights: edges.map(density),
        edges,
    }
});

/// Fills numbers with draws from the standard normal distribution.
pub fn fill_normal(rng: &mut Rng, numbers: &mut [f64]) {
    let table = &*TABLE;
    for number in numbers {
        *number = draw(rng, table);
    }
}

#[inline]
fn draw(rng: &mut Rng, table: &Layers) -> f64 {
    loop {
        let bits = rng.next_u64();
        let layer = (bits & 0xff) as usize;
        // 53 bits from -1 to 1, apart from those that chose the layer.
        let u = 2.0 * ((bits >> 11) as f64 / (1u64 << 53) as f64) - 1.0;
        let x = u * table.edges[layer];
        if x.abs() < table.edges[layer + 1] {
            return x;
        }
        if layer == 0 {
            return tail(rng).copysign(u);
        }
        let (low, high) = (table.heights[layer], table.heights[layer + 1]);
        if low + (high - low) * rng.uniform() < (-0.5 * x * x).exp() {
            return x;
        }
    }
}

/// A number beyond where the tail begins (Marsaglia 1964).
fn tail(rng: &mut Rng) -> f64 {
    loop {
        let x = -(1.0 - rng.uniform()).ln() / TAIL;
        let y = -(1.0 - rng.uniform()).ln();
        if y + y > x * x {
            return TAIL + x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::distribution::normal_probability;

    #[test]
    fn draws_are_normal() {
        let mut numbers = vec![0.0; 1_000_000];
        fill_normal(&mut Rng::new(9), &mut numbers);
        let n = numbers.len() as f64;
        let moment = |k: i32| numbers.iter().map(|x| x.powi(k)).sum::<f64>() / n;
        assert!(moment(1).abs() < 0.004 && moment(3).abs() < 0.015);
        assert!((moment(2) - 1.0).abs() < 0.005 && (moment(4) - 3.0).abs() < 0.04);
        // Kolmogorov's statistic; 1.63 is the one per cent point.
        numbers.sort_unstable_by(f64::total_cmp);
        let gap = |(i, x): (usize, &f64)| (normal_probability(*x) - i as f64 / n).abs();
        let largest = numbers.iter().enumerate().map(gap).fold(0.0, f64::max);
        assert!(largest * n.sqrt() < 1.63, "{largest}");
        let far = numbers.iter().filter(|x| x.abs() > TAIL).count() as f64 / n;
        assert!((far / (2.0 * normal_probability(-TAIL)) - 1.0).abs() < 0.25);
    }
}
