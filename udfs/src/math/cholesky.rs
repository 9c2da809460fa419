//! The Cholesky factor of a symmetric positive definite matrix that grows and shrinks by a row.
//!
//! Appending is the border of the factor; deleting restores the triangle by plane rotations
//! (Golub and Van Loan, Matrix Computations, 4th edition, section 6.5).

use super::matrix::{Symmetric, add_scaled, dot};

/// A lower triangle L with L L' = A; its rows are packed one after the other.
#[derive(Debug, Clone, Default)]
pub struct Cholesky {
    order: usize,
    values: Vec<f64>,
}

impl Cholesky {
    /// The factor of a matrix; none if it is not positive definite within rounding.
    pub fn new(matrix: &Symmetric) -> Option<Self> {
        let mut factor = Self::default();
        for i in 0..matrix.order() {
            if !factor.append(&matrix.row(i)[..=i]) {
                return None;
            }
        }
        Some(factor)
    }

    /// The number of rows.
    pub fn order(&self) -> usize {
        self.order
    }

    fn row(&self, i: usize) -> &[f64] {
        let start = i * (i + 1) / 2;
        &self.values[start..=start + i]
    }

    /// An entry of L, on or below the diagonal.
    pub fn entry(&self, i: usize, j: usize) -> f64 {
        self.row(i)[j]
    }

    /// Adds a last row, given as the matrix's entries up to and with the diagonal.
    /// Leaves the factor as it is and says no if the matrix is not positive definite with it.
    pub fn append(&mut self, entries: &[f64]) -> bool {
        let order = self.order;
        let (Some(diagonal), Some(border)) = (entries.get(order), entries.get(..order)) else {
            return false;
        };
        let start = self.values.len();
        self.values.extend_from_slice(border);
        let (above, row) = self.values.split_at_mut(start);
        let mut offset = 0;
        for i in 0..order {
            let known = &above[offset..=offset + i];
            row[i] = (row[i] - dot(&known[..i], &row[..i])) / known[i];
            offset += i + 1;
        }
        let pivot = diagonal - dot(row, row);
        if !(pivot > 0.0 && pivot.is_finite()) {
            self.values.truncate(start);
            return false;
        }
        self.values.push(pivot.sqrt());
        self.order += 1;
        true
    }

    /// Deletes a row and its column.
    pub fn remove(&mut self, place: usize) {
        if place >= self.order {
            return;
        }
        let mut rotations: Vec<(f64, f64)> = Vec::with_capacity(self.order - place);
        let mut target = place * (place + 1) / 2;
        for i in place + 1..self.order {
            let source = i * (i + 1) / 2;
            self.values.copy_within(source..=source + i, target);
            let row = &mut self.values[target..=target + i];
            for (step, (cosine, sine)) in rotations.iter().enumerate() {
                let (x, y) = (row[place + step], row[place + step + 1]);
                row[place + step] = cosine * x + sine * y;
                row[place + step + 1] = cosine * y - sine * x;
            }
            let (x, y) = (row[i - 1], row[i]);
            let length = x.hypot(y);
            rotations.push((x / length, y / length));
            row[i - 1] = length;
            target += i;
        }
        self.order -= 1;
        self.values.truncate(target);
    }

    /// Solves L x = b in place.
    pub fn solve_lower(&self, b: &mut [f64]) {
        for i in 0..self.order {
            let row = self.row(i);
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
    }

    /// Solves A x = b in place.
    pub fn solve(&self, b: &mut [f64]) {
        self.solve_lower(b);
        self.solve_upper(b);
    }

    /// Solves L' x = b in place.
    pub fn solve_upper(&self, b: &mut [f64]) {
        for i in (0..self.order).rev() {
            let row = self.row(i);
            b[i] /= row[i];
            let (known, rest) = b.split_at_mut(i);
            add_scaled(known, -rest[0], row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(order: usize) -> Symmetric {
        let column = |i: usize| (0..order + 3).map(move |t| ((i * 31 + t * 17) % 11) as f64 - 4.0);
        let columns: Vec<Vec<f64>> = (0..order).map(|i| column(i).collect()).collect();
        let mut gram = Symmetric::gram(&columns);
        gram.add_to_diagonal(1.0);
        gram
    }

    fn solves(factor: &Cholesky, matrix: &Symmetric) {
        let b: Vec<f64> = (0..matrix.order()).map(|i| i as f64 - 1.0).collect();
        let mut x = b.clone();
        factor.solve(&mut x);
        for (found, wanted) in matrix.multiply(&x).iter().zip(&b) {
            assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
        }
    }

    #[test]
    fn solves_after_growing_and_shrinking() {
        let whole = matrix(9);
        let mut factor = Cholesky::new(&whole).unwrap();
        solves(&factor, &whole);
        let mut places: Vec<usize> = (0..9).collect();
        for gone in [4, 0, 6, 3] {
            factor.remove(gone);
            places.remove(gone);
            solves(&factor, &whole.part(&places));
        }
        places.push(4);
        let last = whole.part(&places);
        assert!(factor.append(last.row(last.order() - 1)));
        solves(&factor, &last);
    }

    #[test]
    fn refuses_what_is_not_positive_definite() {
        let mut matrix = Symmetric::zeros(2);
        for (i, j) in [(0, 0), (0, 1), (1, 1)] {
            matrix.set(i, j, 1.0);
        }
        assert!(Cholesky::new(&matrix).is_none());
        matrix.set(1, 1, f64::NAN);
        assert!(Cholesky::new(&matrix).is_none());
    }
}
