//! Linear programmes with few rows and many bounded columns, by a primal-dual interior-point method.
//!
//! ```text
//! minimise c'x + d y  with  A x + e y = b,  0 ≤ x ≤ u
//! ```
//!
//! Predictor and corrector as in Mehrotra (1992), "On the implementation of a primal-dual interior point method". The normal
//! equations are dense, so the work grows with the square of the rows times the columns.

use super::cholesky::Cholesky;
use super::matrix::{Symmetric, add_scaled, dot};

const MAX_STEPS: usize = 100;
/// Relative residuals and gap at which the method ends.
const ACCURACY: f64 = 1e-10;
/// Those with which a stalled method's answer is still taken.
const GOOD_ENOUGH: f64 = 1e-7;
/// How much of the way to the boundary a step goes.
const NEARLY: f64 = 0.995;

/// A linear programme. The first columns of A are given row by row, the others one by one.
#[derive(Debug, Clone)]
pub struct Programme {
    /// The entries of the first columns, for each row.
    pub rows: Vec<Vec<f64>>,
    /// Further columns.
    pub columns: Vec<Column>,
    /// e, the column of the variable without bounds.
    pub free: Vec<f64>,
    /// d, its cost.
    pub free_cost: f64,
    /// b.
    pub right: Vec<f64>,
    /// c.
    pub cost: Vec<f64>,
    /// u, infinite where there is none.
    pub upper: Vec<f64>,
}

/// A column of a programme.
#[derive(Debug, Clone)]
pub enum Column {
    /// One entry.
    Unit(usize, f64),
    /// Every entry.
    Full(Vec<f64>),
}

/// A solution.
#[derive(Debug, Clone)]
pub struct Solution {
    /// x.
    pub columns: Vec<f64>,
    /// y.
    pub free: f64,
    /// The multipliers of the rows.
    pub rows: Vec<f64>,
}

#[derive(Debug, Clone)]
struct Point {
    x: Vec<f64>,
    free: f64,
    slack: Vec<f64>,
    rows: Vec<f64>,
    lower: Vec<f64>,
    upper: Vec<f64>,
}

struct Residuals {
    rows: Vec<f64>,
    free: f64,
    columns: Vec<f64>,
    bounds: Vec<f64>,
}

impl Programme {
    /// Solves it; none if no solution is found within the accuracy.
    pub fn solve(&self) -> Option<Solution> {
        let mut point = self.start();
        let mut best: Option<(f64, Point)> = None;
        for _ in 0..MAX_STEPS {
            let residuals = self.residuals(&point);
            let off = self.off(&point, &residuals);
            match &best {
                Some((least, _)) if off < *least => best = Some((off, point.clone())),
                // Rounding has taken over.
                Some((least, _))
                    if !off.is_finite() || (*least <= GOOD_ENOUGH && off > 10.0 * least) =>
                {
                    break;
                }
                Some(_) => {}
                None => best = Some((off, point.clone())),
            }
            if off <= ACCURACY {
                break;
            }
            let Some(next) = self.step(&point, &residuals) else {
                break;
            };
            point = next;
        }
        let (off, point) = best?;
        (off <= GOOD_ENOUGH).then_some(Solution {
            columns: point.x,
            free: point.free,
            rows: point.rows,
        })
    }

    /// A predictor and a corrector; none once no step is possible.
    fn step(&self, point: &Point, residuals: &Residuals) -> Option<Point> {
        let weights = self.weights(point);
        let factor = self.normal(&weights)?;
        let count = (point.lower.len() + self.bounded()) as f64;
        let mean = self.complement(point) / count;
        let system = System {
            programme: self,
            point,
            residuals,
            weights: &weights,
            factor: &factor,
        };
        let predicted = system.direction(None, 0.0);
        let (primal, dual) = lengths(point, &predicted);
        let after = self.complement(&moved(point, &predicted, primal, dual)) / count;
        let centring = (after / mean).powi(3);
        let corrected = system.direction(Some(&predicted), centring * mean);
        let (primal, dual) = lengths(point, &corrected);
        (primal.max(dual) > 1e-8).then(|| moved(point, &corrected, NEARLY * primal, NEARLY * dual))
    }

    fn dense(&self) -> usize {
        self.rows.first().map_or(0, Vec::len)
    }

    fn bounded(&self) -> usize {
        self.upper.iter().filter(|upper| upper.is_finite()).count()
    }

    fn start(&self) -> Point {
        let half = |upper: &f64| if upper.is_finite() { 0.5 * upper } else { 1.0 };
        let x: Vec<f64> = self.upper.iter().map(half).collect();
        let slack = x
            .iter()
            .zip(&self.upper)
            .map(|(x, upper)| if upper.is_finite() { upper - x } else { 1.0 });
        let one = |upper: &f64| if upper.is_finite() { 1.0 } else { 0.0 };
        Point {
            slack: slack.collect(),
            free: 0.0,
            rows: vec![0.0; self.right.len()],
            lower: vec![1.0; x.len()],
            upper: self.upper.iter().map(one).collect(),
            x,
        }
    }

    /// A x.
    fn forth(&self, x: &[f64]) -> Vec<f64> {
        let (dense, others) = x.split_at(self.dense());
        let mut product: Vec<f64> = self.rows.iter().map(|row| dot(row, dense)).collect();
        for (column, x) in self.columns.iter().zip(others) {
            match column {
                Column::Unit(row, entry) => product[*row] += entry * x,
                Column::Full(entries) => add_scaled(&mut product, *x, entries),
            }
        }
        product
    }

    /// A' y.
    fn back(&self, y: &[f64]) -> Vec<f64> {
        let mut product = vec![0.0; self.dense()];
        for (row, y) in self.rows.iter().zip(y) {
            add_scaled(&mut product, *y, row);
        }
        product.extend(self.columns.iter().map(|column| match column {
            Column::Unit(row, entry) => entry * y[*row],
            Column::Full(entries) => dot(entries, y),
        }));
        product
    }

    fn residuals(&self, point: &Point) -> Residuals {
        let mut product = self.forth(&point.x);
        add_scaled(&mut product, point.free, &self.free);
        let rows = self.right.iter().zip(product).map(|(b, p)| b - p).collect();
        let back = self.back(&point.rows);
        let columns = (0..point.x.len())
            .map(|i| self.cost[i] - back[i] - point.lower[i] + point.upper[i])
            .collect();
        let bounds = (0..point.x.len())
            .map(|i| {
                if self.upper[i].is_finite() {
                    self.upper[i] - point.x[i] - point.slack[i]
                } else {
                    0.0
                }
            })
            .collect();
        let free = self.free_cost - dot(&self.free, &point.rows);
        Residuals {
            rows,
            free,
            columns,
            bounds,
        }
    }

    /// How far from a solution: the largest relative residual or gap.
    fn off(&self, point: &Point, residuals: &Residuals) -> f64 {
        // Not `f64::max`: it passes over NaN.
        let largest = |values: &[f64]| match values.iter().all(|value| value.is_finite()) {
            true => values
                .iter()
                .fold(0.0, |most: f64, value| most.max(value.abs())),
            false => f64::INFINITY,
        };
        let objective = dot(&self.cost, &point.x) + self.free_cost * point.free;
        let gap = self.complement(point) / (1.0 + objective.abs());
        (largest(&residuals.rows) / (1.0 + largest(&self.right)))
            .max(largest(&residuals.columns) / (1.0 + largest(&self.cost)))
            .max(largest(&residuals.bounds))
            .max(residuals.free.abs() / (1.0 + self.free_cost.abs()))
            .max(gap)
    }

    fn complement(&self, point: &Point) -> f64 {
        dot(&point.x, &point.lower) + dot(&point.slack, &point.upper)
    }

    fn weights(&self, point: &Point) -> Vec<f64> {
        (0..point.x.len())
            .map(|i| 1.0 / (point.lower[i] / point.x[i] + point.upper[i] / point.slack[i]))
            .collect()
    }

    /// The factor of A Θ A'.
    fn normal(&self, weights: &[f64]) -> Option<Cholesky> {
        let roots: Vec<f64> = weights[..self.dense()]
            .iter()
            .map(|weight| weight.sqrt())
            .collect();
        let scaled = |row: &Vec<f64>| {
            row.iter()
                .zip(&roots)
                .map(|(entry, root)| entry * root)
                .collect()
        };
        let scaled: Vec<Vec<f64>> = self.rows.iter().map(scaled).collect();
        let mut matrix = Symmetric::gram(&scaled);
        for (column, weight) in self.columns.iter().zip(&weights[self.dense()..]) {
            match column {
                Column::Unit(row, entry) => {
                    let value = matrix.get(*row, *row) + entry * entry * weight;
                    matrix.set(*row, *row, value);
                }
                Column::Full(entries) => {
                    for i in 0..entries.len() {
                        for j in 0..=i {
                            let value = matrix.get(i, j) + weight * entries[i] * entries[j];
                            matrix.set(i, j, value);
                        }
                    }
                }
            }
        }
        let mut ridge = 1e-15;
        for _ in 0..8 {
            for i in 0..matrix.order() {
                let value = matrix.get(i, i);
                matrix.set(i, i, value + ridge * (value + 1e-300));
            }
            if let Some(factor) = Cholesky::new(&matrix) {
                return Some(factor);
            }
            ridge *= 100.0;
        }
        None
    }
}

/// The equations of a Newton step at a point.
struct System<'a> {
    programme: &'a Programme,
    point: &'a Point,
    residuals: &'a Residuals,
    weights: &'a [f64],
    factor: &'a Cholesky,
}

impl System<'_> {
    /// The step towards complementarity `target`, corrected for the curvature that a first step showed.
    fn direction(&self, first: Option<&Point>, target: f64) -> Point {
        let (point, residuals, weights) = (self.point, self.residuals, self.weights);
        let count = point.x.len();
        let bounded = |i: usize| self.programme.upper[i].is_finite();
        let below: Vec<f64> = (0..count)
            .map(|i| {
                target - point.x[i] * point.lower[i] - first.map_or(0.0, |f| f.x[i] * f.lower[i])
            })
            .collect();
        let above: Vec<f64> = (0..count)
            .map(|i| match bounded(i) {
                true => {
                    target
                        - point.slack[i] * point.upper[i]
                        - first.map_or(0.0, |f| f.slack[i] * f.upper[i])
                }
                false => 0.0,
            })
            .collect();
        // What the step of x would be without one of the rows' multipliers, negated and divided by the weight.
        let pull: Vec<f64> = (0..count)
            .map(|i| {
                residuals.columns[i] - below[i] / point.x[i]
                    + (above[i] - point.upper[i] * residuals.bounds[i]) / point.slack[i]
            })
            .collect();
        let weighted: Vec<f64> = pull
            .iter()
            .zip(weights)
            .map(|(pull, weight)| pull * weight)
            .collect();
        let mut right = self.programme.forth(&weighted);
        add_scaled(&mut right, 1.0, &residuals.rows);
        let (rows, free) = self.solve(right);
        let back = self.programme.back(&rows);
        let x: Vec<f64> = (0..count)
            .map(|i| weights[i] * (back[i] - pull[i]))
            .collect();
        let slack: Vec<f64> = (0..count)
            .map(|i| {
                if bounded(i) {
                    residuals.bounds[i] - x[i]
                } else {
                    0.0
                }
            })
            .collect();
        let lower = (0..count)
            .map(|i| (below[i] - point.lower[i] * x[i]) / point.x[i])
            .collect();
        let upper = (0..count)
            .map(|i| {
                if bounded(i) {
                    (above[i] - point.upper[i] * slack[i]) / point.slack[i]
                } else {
                    0.0
                }
            })
            .collect();
        Point {
            x,
            free,
            slack,
            rows,
            lower,
            upper,
        }
    }

    /// The steps of the rows' multipliers and of the variable without bounds: M π + e y = right, e'π = its residual.
    fn solve(&self, mut right: Vec<f64>) -> (Vec<f64>, f64) {
        self.factor.solve(&mut right);
        let free = &self.programme.free;
        let mut column = free.clone();
        self.factor.solve(&mut column);
        let scale = dot(free, &column);
        if scale <= 0.0 {
            return (right, 0.0);
        }
        let y = (dot(free, &right) - self.residuals.free) / scale;
        add_scaled(&mut right, -y, &column);
        (right, y)
    }
}

/// How long a step may be until something becomes negative, at most whole.
fn lengths(point: &Point, step: &Point) -> (f64, f64) {
    let longest = |values: &[f64], steps: &[f64], most: f64| {
        values.iter().zip(steps).fold(most, |most, (value, step)| {
            if *step < 0.0 {
                most.min(-value / step)
            } else {
                most
            }
        })
    };
    let primal = longest(&point.slack, &step.slack, longest(&point.x, &step.x, 1.0));
    let dual = longest(
        &point.upper,
        &step.upper,
        longest(&point.lower, &step.lower, 1.0),
    );
    (primal, dual)
}

fn moved(point: &Point, step: &Point, primal: f64, dual: f64) -> Point {
    let along = |values: &[f64], steps: &[f64], length: f64| -> Vec<f64> {
        values
            .iter()
            .zip(steps)
            .map(|(value, step)| value + length * step)
            .collect()
    };
    Point {
        x: along(&point.x, &step.x, primal),
        free: point.free + primal * step.free,
        slack: along(&point.slack, &step.slack, primal),
        rows: along(&point.rows, &step.rows, dual),
        lower: along(&point.lower, &step.lower, dual),
        upper: along(&point.upper, &step.upper, dual),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_a_small_programme() {
        // minimise −x − 2y with x + y + s = 4, y ≤ 3: x = 1, y = 3.
        let programme = Programme {
            rows: vec![vec![1.0, 1.0]],
            columns: vec![Column::Unit(0, 1.0)],
            free: vec![0.0],
            free_cost: 0.0,
            right: vec![4.0],
            cost: vec![-1.0, -2.0, 0.0],
            upper: vec![f64::INFINITY, 3.0, f64::INFINITY],
        };
        let solution = programme.solve().unwrap();
        for (found, wanted) in solution.columns.iter().zip([1.0, 3.0, 0.0]) {
            assert!((found - wanted).abs() < 1e-8, "{found} {wanted}");
        }
        assert!((solution.rows[0] + 1.0).abs() < 1e-8);
    }

    #[test]
    fn finds_nothing_where_there_is_nothing() {
        let programme = Programme {
            rows: vec![vec![1.0, 1.0]],
            columns: Vec::new(),
            free: vec![0.0],
            free_cost: 0.0,
            right: vec![4.0],
            cost: vec![1.0, 1.0],
            upper: vec![1.0, 1.0],
        };
        assert!(programme.solve().is_none());
    }
}
