//! Dense vectors and symmetric matrices, as far as portfolios and regressions need them.
//!
//! Sums run in a fixed order that does not depend on the machine's vector width, so equal input gives equal bits.

/// The columns that one step of [`Symmetric::gram`] takes together.
const PANEL: usize = 4;

/// A symmetric matrix, stored whole, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Symmetric {
    order: usize,
    values: Vec<f64>,
}

impl Symmetric {
    /// A matrix of zeros.
    pub fn zeros(order: usize) -> Self {
        Self {
            order,
            values: vec![0.0; order * order],
        }
    }

    /// The matrix whose entry (i, j) is the inner product of columns i and j.
    ///
    /// All columns must be of one length; shorter ones count as zero at the end.
    pub fn gram(columns: &[Vec<f64>]) -> Self {
        let order = columns.len();
        let rows = columns.iter().map(Vec::len).max().unwrap_or(0);
        let panels: Vec<Vec<[f64; PANEL]>> = columns
            .chunks(PANEL)
            .map(|columns| {
                let mut panel = vec![[0.0; PANEL]; rows];
                for (place, column) in columns.iter().enumerate() {
                    for (row, value) in panel.iter_mut().zip(column) {
                        row[place] = *value;
                    }
                }
                panel
            })
            .collect();
        let mut gram = Self::zeros(order);
        for (p, left) in panels.iter().enumerate() {
            for (q, right) in panels.iter().enumerate().take(p + 1) {
                let tile = tile(left, right);
                for (i, row) in tile.iter().enumerate() {
                    for (j, value) in row.iter().enumerate() {
                        let (i, j) = (p * PANEL + i, q * PANEL + j);
                        if i < order && j <= i {
                            gram.set(i, j, *value);
                        }
                    }
                }
            }
        }
        gram
    }

    /// The number of rows.
    pub fn order(&self) -> usize {
        self.order
    }

    /// An entry.
    pub fn get(&self, i: usize, j: usize) -> f64 {
        self.values[i * self.order + j]
    }

    /// Sets an entry and its mirror image.
    pub fn set(&mut self, i: usize, j: usize, value: f64) {
        self.values[i * self.order + j] = value;
        self.values[j * self.order + i] = value;
    }

    /// A row.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.order..(i + 1) * self.order]
    }

    /// The sum of the diagonal.
    pub fn trace(&self) -> f64 {
        (0..self.order).map(|i| self.get(i, i)).sum()
    }

    /// The diagonal.
    pub fn diagonal(&self) -> Vec<f64> {
        (0..self.order).map(|i| self.get(i, i)).collect()
    }

    /// Multiplies every entry.
    pub fn scale(&mut self, factor: f64) {
        for value in &mut self.values {
            *value *= factor;
        }
    }

    /// Adds to the diagonal.
    pub fn add_to_diagonal(&mut self, value: f64) {
        for i in 0..self.order {
            self.values[i * self.order + i] += value;
        }
    }

    /// The sum of the squares of all entries.
    pub fn squared_norm(&self) -> f64 {
        dot(&self.values, &self.values)
    }

    /// The product with a vector.
    pub fn multiply(&self, x: &[f64]) -> Vec<f64> {
        let mut product = vec![0.0; self.order];
        self.multiply_add(x, 1.0, &mut product);
        product
    }

    /// Adds `factor` times the product with `x`; zeros of `x` cost nothing.
    pub fn multiply_add(&self, x: &[f64], factor: f64, sum: &mut [f64]) {
        for (i, value) in x.iter().enumerate() {
            if *value != 0.0 {
                add_scaled(sum, factor * value, self.row(i));
            }
        }
    }

    /// x'Ax.
    pub fn quadratic(&self, x: &[f64]) -> f64 {
        dot(x, &self.multiply(x))
    }

    /// The rows and columns of the given places.
    pub fn part(&self, places: &[usize]) -> Self {
        let mut part = Self::zeros(places.len());
        for (i, from) in places.iter().enumerate() {
            for (j, to) in places.iter().enumerate() {
                part.values[i * places.len() + j] = self.get(*from, *to);
            }
        }
        part
    }
}

fn tile(left: &[[f64; PANEL]], right: &[[f64; PANEL]]) -> [[f64; PANEL]; PANEL] {
    let mut sums = [[0.0; PANEL]; PANEL];
    for (a, b) in left.iter().zip(right) {
        for (sums, a) in sums.iter_mut().zip(a) {
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
    }
    sums
}

/// The inner product, over the shorter length.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    const LANES: usize = 8;
    let length = x.len().min(y.len());
    let (x, y) = (&x[..length], &y[..length]);
    let mut sums = [0.0; LANES];
    let (xs, ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest: f64 = xs
        .remainder()
        .iter()
        .zip(ys.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in xs.zip(ys) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// x + factor · y, in place.
pub fn add_scaled(x: &mut [f64], factor: f64, y: &[f64]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += factor * y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gram_holds_every_inner_product() {
        for order in [0, 1, 3, 4, 5, 9] {
            let column = |i: usize| (0..7).map(|t| ((i * 7 + t) % 5) as f64 - 1.5).collect();
            let columns: Vec<Vec<f64>> = (0..order).map(column).collect();
            let gram = Symmetric::gram(&columns);
            for i in 0..order {
                for j in 0..order {
                    let expected: f64 =
                        columns[i].iter().zip(&columns[j]).map(|(x, y)| x * y).sum();
                    assert!((gram.get(i, j) - expected).abs() < 1e-12);
                }
            }
        }
    }

    #[test]
    fn products_agree_with_sums() {
        let mut a = Symmetric::zeros(3);
        for (i, j, value) in [
            (0, 0, 2.0),
            (0, 1, 1.0),
            (1, 1, 3.0),
            (1, 2, -1.0),
            (2, 2, 1.0),
        ] {
            a.set(i, j, value);
        }
        assert_eq!(a.multiply(&[1.0, 2.0, 3.0]), [4.0, 4.0, 1.0]);
        assert_eq!(a.quadratic(&[1.0, 2.0, 3.0]), 15.0);
        assert_eq!(a.part(&[2, 1]).row(0), [1.0, -1.0]);
        let x: Vec<f64> = (0..21).map(f64::from).collect();
        assert_eq!(dot(&x, &x), 2870.0);
    }
}
