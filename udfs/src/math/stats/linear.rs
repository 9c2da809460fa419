//! Least squares by Householder's triangulation, and the variances of its coefficients.

use super::mean;

/// A column counts as a combination of those before it when less than this part of it is left.
const TOLERANCE: f64 = 1e-10;

/// The variance of coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covariance {
    /// Residuals of equal variance.
    Const,
    /// White's, and its corrections for small samples.
    Hc0,
    Hc1,
    Hc2,
    Hc3,
}

impl Covariance {
    pub const NAMES: &'static [&'static str] = &["const", "HC0", "HC1", "HC2", "HC3"];

    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "CONST" | "NONROBUST" => Some(Self::Const),
            "HC0" => Some(Self::Hc0),
            "HC1" => Some(Self::Hc1),
            "HC2" => Some(Self::Hc2),
            "HC3" => Some(Self::Hc3),
            _ => None,
        }
    }
}

/// A fit; a column that is a combination of earlier ones has no coefficient.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// NaN for columns that are left out.
    pub coefficients: Vec<f64>,
    pub residuals: Vec<f64>,
    /// Σ residual².
    pub rss: f64,
    /// The columns with a coefficient.
    pub kept: Vec<usize>,
    /// (X'X)⁻¹ of the kept columns.
    pub inverse: Vec<Vec<f64>>,
}

impl Fit {
    /// Observations less coefficients.
    pub fn df(&self) -> f64 {
        self.residuals.len() as f64 - self.kept.len() as f64
    }

    /// The standard errors; NaN for columns that are left out.
    pub fn errors(&self, columns: &[&[f64]], kind: Covariance) -> Vec<f64> {
        let mut errors = vec![f64::NAN; columns.len()];
        let variances = match kind {
            Covariance::Const => {
                let scale = self.rss / self.df();
                (0..self.kept.len())
                    .map(|i| scale * self.inverse[i][i])
                    .collect()
            }
            _ => self.robust(columns, kind),
        };
        for (column, variance) in self.kept.iter().zip(variances) {
            errors[*column] = f64::sqrt(variance);
        }
        errors
    }

    /// The diagonal of (X'X)⁻¹ X' diag(w e²) X (X'X)⁻¹.
    fn robust(&self, columns: &[&[f64]], kind: Covariance) -> Vec<f64> {
        let n = self.residuals.len();
        let mut variances = vec![0.0; self.kept.len()];
        for (t, residual) in self.residuals.iter().enumerate() {
            let row: Vec<f64> = self.kept.iter().map(|j| columns[*j][t]).collect();
            // Row t of X (X'X)⁻¹; with it the leverage, too.
            let influence: Vec<f64> = self.inverse.iter().map(|line| dot(line, &row)).collect();
            let leverage = dot(&influence, &row);
            let square = residual * residual;
            let weight = match kind {
                Covariance::Const | Covariance::Hc0 => square,
                Covariance::Hc1 => square * n as f64 / self.df(),
                Covariance::Hc2 => square / (1.0 - leverage),
                Covariance::Hc3 => square / ((1.0 - leverage) * (1.0 - leverage)),
            };
            for (variance, part) in variances.iter_mut().zip(&influence) {
                *variance += weight * part * part;
            }
        }
        variances
    }
}

/// Fits y = Σ βⱼ xⱼ + e with the least Σ e². There is no constant unless a column is one.
pub fn least_squares(columns: &[&[f64]], y: &[f64]) -> Fit {
    let n = y.len();
    let mut left = y.to_vec();
    // The columns below the diagonal hold the reflections, above it the triangle.
    let mut work: Vec<Vec<f64>> = Vec::new();
    let mut scales = Vec::new();
    let mut kept = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let mut next = column.to_vec();
        let size = norm(&next);
        for (k, (reflection, scale)) in work.iter().zip(&scales).enumerate() {
            reflect(&reflection[..], *scale, k, &mut next);
        }
        let k = work.len();
        if k >= n {
            break;
        }
        let rest = norm(&next[k..]);
        if rest <= TOLERANCE * size || !rest.is_finite() || rest == 0.0 {
            continue;
        }
        let diagonal = if next[k] > 0.0 { -rest } else { rest };
        next[k] -= diagonal;
        let square: f64 = next[k..].iter().map(|x| x * x).sum();
        let scale = 2.0 / square;
        reflect(&next, scale, k, &mut left);
        // The triangle's column stands before the reflection, its diagonal apart.
        work.push(next);
        scales.push(scale);
        kept.push((index, diagonal));
    }
    let p = kept.len();
    let mut triangle = vec![vec![0.0; p]; p];
    for (j, (column, (_, diagonal))) in work.iter().zip(&kept).enumerate() {
        for (i, row) in triangle.iter_mut().enumerate().take(j) {
            row[j] = column[i];
        }
        triangle[j][j] = *diagonal;
    }
    let solved = solve_upper(&triangle, &left[..p]);
    let inverse = gram_inverse(&triangle);
    let kept: Vec<usize> = kept.into_iter().map(|(index, _)| index).collect();
    let mut coefficients = vec![f64::NAN; columns.len()];
    let mut residuals = y.to_vec();
    for (column, value) in kept.iter().zip(&solved) {
        coefficients[*column] = *value;
        for (residual, x) in residuals.iter_mut().zip(columns[*column]) {
            *residual -= value * x;
        }
    }
    Fit {
        rss: residuals.iter().map(|e| e * e).sum(),
        coefficients,
        residuals,
        kept,
        inverse,
    }
}

fn reflect(reflection: &[f64], scale: f64, from: usize, target: &mut [f64]) {
    let factor = scale * dot(&reflection[from..], &target[from..]);
    for (x, v) in target[from..].iter_mut().zip(&reflection[from..]) {
        *x -= factor * v;
    }
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn norm(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0_f64, |size, x| size.max(x.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return largest;
    }
    largest
        * values
            .iter()
            .map(|x| (x / largest) * (x / largest))
            .sum::<f64>()
            .sqrt()
}

fn solve_upper(triangle: &[Vec<f64>], right: &[f64]) -> Vec<f64> {
    let p = triangle.len();
    let mut solved = vec![0.0; p];
    for i in (0..p).rev() {
        let known = dot(&triangle[i][i + 1..], &solved[i + 1..]);
        solved[i] = (right[i] - known) / triangle[i][i];
    }
    solved
}

/// R⁻¹ R⁻ᵀ.
fn gram_inverse(triangle: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let p = triangle.len();
    let columns: Vec<Vec<f64>> = (0..p)
        .map(|j| {
            let unit: Vec<f64> = (0..p).map(|i| if i == j { 1.0 } else { 0.0 }).collect();
            solve_upper(triangle, &unit)
        })
        .collect();
    let entry = |i: usize, j: usize| (0..p).map(|k| columns[k][i] * columns[k][j]).sum::<f64>();
    (0..p)
        .map(|i| (0..p).map(|j| entry(i, j)).collect())
        .collect()
}

/// Σ (y − ȳ)².
pub(crate) fn centred_squares(y: &[f64]) -> f64 {
    super::squares(y, mean(y))
}
