//! Minimisers for the fitting of models: quasi-Newton with gradients, and a bounded search in one dimension.
//!
//! Both stop after a fixed number of steps, never panic on infinite or NaN objectives, and know nothing of
//! what they minimise.

/// When [`minimize`] stops.
#[derive(Debug, Clone, Copy)]
pub struct Stop {
    /// Steps after which the search ends in any case.
    pub max_iterations: usize,
    /// A decrease of the objective below this, twice in a row, counts as converged.
    pub tolerance: f64,
}

/// Minimises `objective` from `x`, leaves the best point in `x` and returns its value.
///
/// BFGS with a backtracking line search (Nocedal and Wright, Numerical Optimization, 2nd edition, chapter 6).
/// `objective(x, gradient)` returns the value and fills the gradient; a value that is not finite marks a
/// point outside the domain.
pub fn minimize(
    x: &mut [f64],
    stop: Stop,
    objective: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> f64 {
    minimize_from(x, &mut Vec::new(), stop, objective)
}

/// The same with what a search on a like objective has learned of its curvature, an inverse Hessian or nothing; it is left there for
/// the next.
pub fn minimize_from(
    x: &mut [f64],
    inverse: &mut Vec<f64>,
    stop: Stop,
    mut objective: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> f64 {
    let n = x.len();
    let mut gradient = vec![0.0; n];
    let mut value = objective(x, &mut gradient);
    if !value.is_finite() || n == 0 {
        return value;
    }
    let mut fresh = inverse.len() != n * n;
    if fresh {
        *inverse = identity(n, first_scale(&gradient));
    }
    let mut direction = vec![0.0; n];
    let mut trial = vec![0.0; n];
    let mut trial_gradient = vec![0.0; n];
    let mut quiet = 0;
    for _ in 0..stop.max_iterations {
        multiply(inverse, &gradient, &mut direction);
        let mut slope = dot(&direction, &gradient);
        if slope.is_nan() || slope >= 0.0 {
            *inverse = identity(n, first_scale(&gradient));
            multiply(inverse, &gradient, &mut direction);
            slope = dot(&direction, &gradient);
            fresh = true;
        }
        if slope.is_nan() || slope > -1e-14 {
            break;
        }
        let step = line_search(
            x,
            value,
            slope,
            &direction,
            &mut trial,
            &mut trial_gradient,
            &mut objective,
        );
        let Some(next) = step else {
            if fresh {
                break;
            }
            *inverse = identity(n, first_scale(&gradient));
            fresh = true;
            continue;
        };
        let decrease = value - next;
        update_inverse(inverse, x, &trial, &gradient, &trial_gradient, fresh);
        fresh = false;
        x.copy_from_slice(&trial);
        gradient.copy_from_slice(&trial_gradient);
        value = next;
        quiet = if decrease < stop.tolerance {
            quiet + 1
        } else {
            0
        };
        if quiet >= 2 {
            break;
        }
    }
    value
}

/// The longest first step, in units of the parameters.
const FIRST_STEP: f64 = 0.3;
const ARMIJO: f64 = 1e-4;
const MAX_BACKTRACKS: usize = 20;

fn first_scale(gradient: &[f64]) -> f64 {
    let norm = dot(gradient, gradient).sqrt();
    if norm > 0.0 && norm.is_finite() {
        FIRST_STEP / norm
    } else {
        1.0
    }
}

/// Walks back from the full step until the decrease is sufficient; fills `trial` and its gradient.
fn line_search(
    x: &[f64],
    value: f64,
    slope: f64,
    direction: &[f64],
    trial: &mut [f64],
    trial_gradient: &mut [f64],
    objective: &mut impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Option<f64> {
    let mut step = 1.0;
    for _ in 0..MAX_BACKTRACKS {
        for ((t, x), d) in trial.iter_mut().zip(x).zip(direction) {
            *t = x + step * d;
        }
        let next = objective(trial, trial_gradient);
        if next.is_finite()
            && next <= value + ARMIJO * step * slope
            && trial_gradient.iter().all(|g| g.is_finite())
        {
            return Some(next);
        }
        // The minimum of the parabola through both values and the slope, kept within reason.
        let parabola = -slope * step * step / (2.0 * (next - value - slope * step));
        step = if parabola.is_finite() {
            parabola.clamp(0.1 * step, 0.5 * step)
        } else {
            0.2 * step
        };
    }
    None
}

/// The BFGS update of the inverse Hessian, left out where the curvature is not positive.
fn update_inverse(
    inverse: &mut [f64],
    x: &[f64],
    next: &[f64],
    gradient: &[f64],
    next_gradient: &[f64],
    fresh: bool,
) {
    let n = x.len();
    let s: Vec<f64> = next.iter().zip(x).map(|(a, b)| a - b).collect();
    let y: Vec<f64> = next_gradient
        .iter()
        .zip(gradient)
        .map(|(a, b)| a - b)
        .collect();
    let curvature = dot(&s, &y);
    let yy = dot(&y, &y);
    if curvature <= 1e-10 * dot(&s, &s).sqrt() * yy.sqrt() {
        return;
    }
    if fresh {
        inverse.copy_from_slice(&identity(n, curvature / yy));
    }
    let mut hy = vec![0.0; n];
    multiply(inverse, &y, &mut hy);
    // `multiply` negates, as directions need it.
    let factor = (1.0 - dot(&y, &hy) / curvature) / curvature;
    for i in 0..n {
        let row = &mut inverse[i * n..(i + 1) * n];
        for (j, cell) in row.iter_mut().enumerate() {
            *cell += factor * s[i] * s[j] + (hy[i] * s[j] + s[i] * hy[j]) / curvature;
        }
    }
}

fn identity(n: usize, scale: f64) -> Vec<f64> {
    let mut matrix = vec![0.0; n * n];
    matrix
        .iter_mut()
        .step_by(n + 1)
        .for_each(|cell| *cell = scale);
    matrix
}

/// `out = -matrix * vector`.
fn multiply(matrix: &[f64], vector: &[f64], out: &mut [f64]) {
    for (row, cell) in matrix.chunks_exact(vector.len()).zip(out) {
        *cell = -dot(row, vector);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Finds the `x` in `[low, high]` with the least `f(x)` and returns both.
///
/// A grid of `points` (at least 3) finds the valley; golden-section search narrows it to `tolerance`.
/// Values that are not finite count as infinitely high.
pub fn minimize_bounded(
    low: f64,
    high: f64,
    points: usize,
    tolerance: f64,
    mut f: impl FnMut(f64) -> f64,
) -> (f64, f64) {
    let mut f = |x| {
        let value = f(x);
        if value.is_finite() {
            value
        } else {
            f64::INFINITY
        }
    };
    let points = points.max(3);
    let width = (high - low) / (points - 1) as f64;
    let mut best = (low, f(low));
    for i in 1..points {
        let x = low + width * i as f64;
        let value = f(x);
        if value < best.1 {
            best = (x, value);
        }
    }
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let (mut a, mut b) = ((best.0 - width).max(low), (best.0 + width).min(high));
    let (mut c, mut d) = (b - GOLDEN * (b - a), a + GOLDEN * (b - a));
    let (mut at_c, mut at_d) = (f(c), f(d));
    while b - a > tolerance {
        if at_c < at_d {
            (b, d, at_d) = (d, c, at_c);
            c = b - GOLDEN * (b - a);
            at_c = f(c);
        } else {
            (a, c, at_c) = (c, d, at_d);
            d = a + GOLDEN * (b - a);
            at_d = f(d);
        }
    }
    for candidate in [(c, at_c), (d, at_d)] {
        if candidate.1 < best.1 {
            best = candidate;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rosenbrock's valley: the minimum is zero at (1, 1), by construction.
    #[test]
    fn finds_the_end_of_the_curved_valley() {
        let mut x = [-1.2, 1.0];
        let stop = Stop {
            max_iterations: 200,
            tolerance: 1e-14,
        };
        let value = minimize(&mut x, stop, |x, g| {
            let valley = x[1] - x[0] * x[0];
            g[0] = -400.0 * x[0] * valley - 2.0 * (1.0 - x[0]);
            g[1] = 200.0 * valley;
            100.0 * valley * valley + (1.0 - x[0]).powi(2)
        });
        assert!(
            value < 1e-10 && (x[0] - 1.0).abs() < 1e-4,
            "{value} at {x:?}"
        );
    }

    #[test]
    fn leaves_a_point_outside_the_domain_alone() {
        let mut x = [1.0];
        let stop = Stop {
            max_iterations: 10,
            tolerance: 1e-9,
        };
        assert!(minimize(&mut x, stop, |_, _| f64::NAN).is_nan());
        assert_eq!(x, [1.0]);
    }

    #[test]
    fn bounded_search_reaches_inner_and_outer_minima() {
        let (x, _) = minimize_bounded(0.0, 1.0, 11, 1e-8, |x| (x - 0.37).powi(2));
        assert!((x - 0.37).abs() < 1e-6);
        let (x, _) = minimize_bounded(0.0, 1.0, 11, 1e-8, |x| x);
        assert_eq!(x, 0.0);
    }
}
