//! Principal components: the directions in which points spread most, by Jacobi's rotations of their covariance.
//!
//! Source: Golub and Van Loan, Matrix Computations, section 8.5. A component's sign is such that its largest loading in
//! size is positive.

use super::matrix::Symmetric;

/// Sweeps over all pairs at most; ten do for any matrix met.
const MAX_SWEEPS: usize = 60;

/// Components in the order of their variance.
#[derive(Debug, Clone, PartialEq)]
pub struct Components {
    pub means: Vec<f64>,
    /// What columns were divided by: their sample deviations, or ones.
    pub scales: Vec<f64>,
    /// A row of loadings for each component, of length one.
    pub loadings: Vec<Vec<f64>>,
    /// Sample variances along the components.
    pub variances: Vec<f64>,
}

/// The components of columns; with `scaled` those of columns of variance one. `None` with fewer than two rows, or where a
/// column to be scaled is constant.
pub fn components(columns: &[Vec<f64>], scaled: bool) -> Option<Components> {
    let n = columns.first().map_or(0, Vec::len);
    if n < 2 {
        return None;
    }
    let mut means = Vec::with_capacity(columns.len());
    let mut scales = Vec::with_capacity(columns.len());
    let mut centred = Vec::with_capacity(columns.len());
    for column in columns {
        let mean = super::stats::mean(column);
        let scale = if scaled {
            (super::stats::squares(column, mean) / (n as f64 - 1.0)).sqrt()
        } else {
            1.0
        };
        if scale.is_nan() || scale <= 1e-12 * mean.abs() || scale == 0.0 {
            return None;
        }
        centred.push(
            column
                .iter()
                .map(|x| (x - mean) / scale)
                .collect::<Vec<f64>>(),
        );
        means.push(mean);
        scales.push(scale);
    }
    let mut covariance = Symmetric::gram(&centred);
    covariance.scale(1.0 / (n as f64 - 1.0));
    let (values, vectors) = eigen(&covariance);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    Some(Components {
        means,
        scales,
        variances: order.iter().map(|i| values[*i].max(0.0)).collect(),
        loadings: order.iter().map(|i| turned(&vectors[*i])).collect(),
    })
}

impl Components {
    /// A point's coordinate along a component.
    pub fn score(&self, component: usize, point: impl Iterator<Item = f64>) -> f64 {
        let centred = point.zip(&self.means).zip(&self.scales);
        let along = centred.zip(&self.loadings[component]);
        along
            .map(|(((x, mean), scale), l)| (x - mean) / scale * l)
            .sum()
    }
}

fn turned(vector: &[f64]) -> Vec<f64> {
    let largest = vector.iter().fold(0.0f64, |most, x| {
        if x.abs() > most.abs() + 1e-12 {
            *x
        } else {
            most
        }
    });
    let sign = if largest < 0.0 { -1.0 } else { 1.0 };
    vector.iter().map(|x| sign * x).collect()
}

/// Eigenvalues and a row for each eigenvector.
fn eigen(matrix: &Symmetric) -> (Vec<f64>, Vec<Vec<f64>>) {
    let p = matrix.order();
    let mut a: Vec<Vec<f64>> = (0..p).map(|i| matrix.row(i).to_vec()).collect();
    let mut vectors: Vec<Vec<f64>> = (0..p)
        .map(|i| (0..p).map(|j| if i == j { 1.0 } else { 0.0 }).collect())
        .collect();
    let total: f64 = matrix.squared_norm();
    for _ in 0..MAX_SWEEPS {
        let off: f64 = (0..p)
            .map(|i| (0..i).map(|j| a[i][j] * a[i][j]).sum::<f64>())
            .sum();
        if off <= 1e-30 * total {
            break;
        }
        for i in 0..p {
            for j in i + 1..p {
                rotate(&mut a, &mut vectors, i, j);
            }
        }
    }
    ((0..p).map(|i| a[i][i]).collect(), vectors)
}

/// Turns the plane of two axes so that their entry becomes zero.
fn rotate(a: &mut [Vec<f64>], vectors: &mut [Vec<f64>], i: usize, j: usize) {
    if a[i][j] == 0.0 {
        return;
    }
    let theta = (a[j][j] - a[i][i]) / (2.0 * a[i][j]);
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let cosine = 1.0 / (t * t + 1.0).sqrt();
    let sine = t * cosine;
    for row in a.iter_mut() {
        let (x, y) = (row[i], row[j]);
        row[i] = cosine * x - sine * y;
        row[j] = sine * x + cosine * y;
    }
    let turn = |rows: &mut [Vec<f64>]| {
        for k in 0..rows[i].len() {
            let (x, y) = (rows[i][k], rows[j][k]);
            rows[i][k] = cosine * x - sine * y;
            rows[j][k] = sine * x + cosine * y;
        }
    };
    turn(a);
    turn(vectors);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn's PCA on x = 1…5, y = 2, 4.1, 5.9, 8.2, 9.8.
    #[test]
    fn a_line_has_one_component() {
        let x = vec![1.0, 2.0, 3.0, 4.0, 5.0];
        let y = vec![2.0, 4.1, 5.9, 8.2, 9.8];
        let found = components(&[x, y], false).unwrap();
        // By hand: variances 2.5 and 9.725, covariance 4.925.
        let (trace, determinant) = (2.5 + 9.725, 2.5 * 9.725 - 4.925 * 4.925);
        let root = f64::sqrt(trace * trace / 4.0 - determinant);
        assert!(
            (found.variances[0] - (trace / 2.0 + root)).abs() < 1e-9,
            "{found:?}"
        );
        assert!((found.variances[1] - (trace / 2.0 - root)).abs() < 1e-9);
        let slope = found.loadings[0][1] / found.loadings[0][0];
        assert!((slope - (found.variances[0] - 2.5) / 4.925).abs() < 1e-9);
        assert!((found.score(0, [3.0, 6.0].into_iter())).abs() < 1e-9);
    }

    #[test]
    fn scaled_columns_share_their_variance() {
        let a: Vec<f64> = (0..20).map(|t| f64::from(t * 7 % 11)).collect();
        let b: Vec<f64> = (0..20).map(|t| 1e6 * f64::from(t * 3 % 13)).collect();
        let c: Vec<f64> = (0..20).map(f64::from).collect();
        let found = components(&[a, b, c], true).unwrap();
        assert!((found.variances.iter().sum::<f64>() - 3.0).abs() < 1e-12);
        for row in &found.loadings {
            assert!((row.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert!(components(&[vec![1.0; 5]], true).is_none());
        assert!(components(&[vec![1.0]], false).is_none());
    }
}
