//! The conditional sum of squares of an ARMA model and its gradient.

/// Autoregressive and moving-average coefficients and the mean of the differenced series.
#[derive(Debug, Clone)]
pub(super) struct Coefficients {
    pub(super) ar: Vec<f64>,
    pub(super) ma: Vec<f64>,
    pub(super) mean: f64,
}

/// Partial autocorrelations stay below this in size, so that models are clearly stationary and invertible.
const MOST_PARTIAL: f64 = 0.98;
/// Sums of squares below this per observation are a perfect fit; the differenced series has variance one.
const PERFECT: f64 = 1e-18;

/// Reads a vector: p and q numbers whose hyperbolic tangents are partial autocorrelations, and the mean's
/// distance from `mean` where there is one.
///
/// Source: Monahan (1984), "A note on enforcing stationarity in autoregressive-moving average models".
pub(super) fn coefficients(x: &[f64], p: usize, q: usize, mean: Option<f64>) -> Coefficients {
    let ma = stationary(&x[p..p + q]).iter().map(|b| -b).collect();
    Coefficients {
        ar: stationary(&x[..p]),
        ma,
        mean: mean.map_or(0.0, |mean| mean + x[p + q]),
    }
}

/// The coefficients of a stationary autoregression, by the Durbin–Levinson recursion.
fn stationary(x: &[f64]) -> Vec<f64> {
    let mut coefficients: Vec<f64> = Vec::with_capacity(x.len());
    for x in x {
        let partial = MOST_PARTIAL * x.tanh();
        let reversed: Vec<f64> = coefficients.iter().rev().copied().collect();
        coefficients
            .iter_mut()
            .zip(reversed)
            .for_each(|(a, r)| *a -= partial * r);
        coefficients.push(partial);
    }
    coefficients
}

/// Buffers of one fit.
pub(super) struct Work {
    errors: Vec<f64>,
    adjoint: Vec<f64>,
}

impl Work {
    pub(super) fn new(n: usize) -> Self {
        Self {
            errors: vec![0.0; n],
            adjoint: vec![0.0; n],
        }
    }

    /// The errors of the last call.
    pub(super) fn last_errors(&self) -> &[f64] {
        &self.errors
    }

    /// Runs e_t = x_t − Σ a_i x_{t−i} − Σ b_j e_{t−j} with x = w − mean, zero before the start, and returns Σ e².
    pub(super) fn errors(&mut self, w: &[f64], c: &Coefficients) -> f64 {
        let mut total = 0.0;
        for t in 0..w.len() {
            let mut error = w[t] - c.mean;
            for (i, a) in c.ar.iter().enumerate().take(t) {
                error -= a * (w[t - 1 - i] - c.mean);
            }
            for (j, b) in c.ma.iter().enumerate().take(t) {
                error -= b * self.errors[t - 1 - j];
            }
            self.errors[t] = error;
            total += error * error;
        }
        total
    }

    /// n ln Σ e² and its gradient by the vector.
    pub(super) fn objective(
        &mut self,
        w: &[f64],
        x: &[f64],
        p: usize,
        q: usize,
        read: &impl Fn(&[f64]) -> Coefficients,
        gradient: &mut [f64],
    ) -> f64 {
        let n = w.len() as f64;
        let c = read(x);
        let total = self.errors(w, &c);
        gradient.fill(0.0);
        if total <= n * PERFECT {
            return n * (n * PERFECT).ln();
        }
        let by = self.slopes(w, &c);
        let weight = n / total;
        by_partial(&x[..p], &by.ar, weight, &mut gradient[..p]);
        by_partial(&x[p..p + q], &by.ma, -weight, &mut gradient[p..p + q]);
        if let Some(last) = gradient.get_mut(p + q) {
            *last = weight * by.mean;
        }
        n * total.ln()
    }

    /// The derivatives of Σ e² by the coefficients, by the adjoint recursion.
    fn slopes(&mut self, w: &[f64], c: &Coefficients) -> Coefficients {
        let n = w.len();
        let mut by = Coefficients {
            ar: vec![0.0; c.ar.len()],
            ma: vec![0.0; c.ma.len()],
            mean: 0.0,
        };
        for t in (0..n).rev() {
            let mut adjoint = 2.0 * self.errors[t];
            for (b, later) in c.ma.iter().zip(&self.adjoint[t + 1..]) {
                adjoint -= b * later;
            }
            self.adjoint[t] = adjoint;
            let mut level = 1.0;
            for (i, (slope, a)) in by.ar.iter_mut().zip(&c.ar).enumerate().take(t) {
                *slope -= adjoint * (w[t - 1 - i] - c.mean);
                level -= a;
            }
            for (j, slope) in by.ma.iter_mut().enumerate().take(t) {
                *slope -= adjoint * self.errors[t - 1 - j];
            }
            by.mean -= adjoint * level;
        }
        by
    }
}

/// Carries derivatives by coefficients to the numbers they are made of; the map is tiny, so differences do.
fn by_partial(x: &[f64], by: &[f64], weight: f64, gradient: &mut [f64]) {
    const STEP: f64 = 1e-6;
    let mut moved = x.to_vec();
    for (i, g) in gradient.iter_mut().enumerate() {
        moved[i] = x[i] + STEP;
        let above = stationary(&moved);
        moved[i] = x[i] - STEP;
        let below = stationary(&moved);
        moved[i] = x[i];
        let change = above
            .iter()
            .zip(&below)
            .map(|(a, b)| (a - b) / (2.0 * STEP));
        *g = weight * change.zip(by).map(|(c, b)| c * b).sum::<f64>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::rng::Rng;

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let mut rng = Rng::new(3);
        let w: Vec<f64> = (0..40).map(|_| rng.normal()).collect();
        let x = [0.4, -0.3, 0.5, 0.2, 0.1];
        let read = |x: &[f64]| coefficients(x, 2, 2, Some(0.2));
        let mut work = Work::new(40);
        let mut gradient = [0.0; 5];
        work.objective(&w, &x, 2, 2, &read, &mut gradient);
        for i in 0..5 {
            let mut at = |step: f64| {
                let mut moved = x;
                moved[i] += step;
                work.objective(&w, &moved, 2, 2, &read, &mut [0.0; 5])
            };
            let difference: f64 = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!(
                (gradient[i] - difference).abs() < 1e-4,
                "{i}: {} {difference}",
                gradient[i]
            );
        }
    }

    /// By hand: partial autocorrelations r₁, r₂ give φ₁ = r₁ (1 − r₂), φ₂ = r₂.
    #[test]
    fn coefficients_by_hand() {
        let x = [0.5, -0.4];
        let (r1, r2) = (
            MOST_PARTIAL * f64::tanh(x[0]),
            MOST_PARTIAL * f64::tanh(x[1]),
        );
        let found = stationary(&x);
        assert!((found[0] - r1 * (1.0 - r2)).abs() < 1e-12 && (found[1] - r2).abs() < 1e-12);
    }
}
