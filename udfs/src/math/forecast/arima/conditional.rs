//! The conditional sum of squares of a seasonal ARMA model and its gradient.

use super::order::Order;

/// The model's polynomials, multiplied out: what each lag carries. A lag may occur twice.
#[derive(Debug, Clone)]
pub(super) struct Coefficients {
    pub(super) ar: Vec<(usize, f64)>,
    pub(super) ma: Vec<(usize, f64)>,
    pub(super) mean: f64,
}

/// Partial autocorrelations stay below this in size, so that models are clearly stationary and invertible.
const MOST_PARTIAL: f64 = 0.98;
/// Sums of squares below this per observation are a perfect fit; the differenced series has variance one.
const PERFECT: f64 = 1e-18;

/// Where the parts of a vector of parameters lie: AR, seasonal AR, MA, seasonal MA, mean.
#[derive(Debug, Clone, Copy)]
struct Places {
    seasonal_ar: usize,
    ma: usize,
    seasonal_ma: usize,
    mean: usize,
}

impl Places {
    fn of(order: &Order) -> Self {
        let seasonal_ar = order.p;
        let ma = seasonal_ar + order.seasonal_p;
        let seasonal_ma = ma + order.q;
        let mean = seasonal_ma + order.seasonal_q;
        Self {
            seasonal_ar,
            ma,
            seasonal_ma,
            mean,
        }
    }
}

/// Reads a vector: numbers whose hyperbolic tangents are partial autocorrelations of the four polynomials, and the
/// mean's distance from `mean` where there is one.
///
/// Source: Monahan (1984), "A note on enforcing stationarity in autoregressive-moving average models".
pub(super) fn coefficients(x: &[f64], order: &Order, mean: f64) -> Coefficients {
    let at = Places::of(order);
    let ar = product(
        &stationary(&x[..at.seasonal_ar]),
        &stationary(&x[at.seasonal_ar..at.ma]),
        order.period,
    );
    let ma = product(
        &stationary(&x[at.ma..at.seasonal_ma]),
        &stationary(&x[at.seasonal_ma..at.mean]),
        order.period,
    );
    Coefficients {
        ar,
        // e_t carries over with the sign of 1 − Σ b: the invertible polynomial's.
        ma: ma.into_iter().map(|(lag, b)| (lag, -b)).collect(),
        mean: if order.has_mean {
            mean + x[at.mean]
        } else {
            0.0
        },
    }
}

/// Lags and coefficients of 1 − (1 − Σ aᵢ Bⁱ)(1 − Σ Aⱼ B^{j·period}).
fn product(short: &[f64], long: &[f64], period: usize) -> Vec<(usize, f64)> {
    let mut terms: Vec<(usize, f64)> = (1..).zip(short.iter().copied()).collect();
    for (j, seasonal) in (1..).zip(long) {
        terms.push((j * period, *seasonal));
        terms.extend(
            (1..)
                .zip(short)
                .map(|(i, a)| (j * period + i, -a * seasonal)),
        );
    }
    terms
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

/// Takes the autoregression out of centred values; what lies before the first counts as zero.
pub(super) fn without_ar(x: &[f64], ar: &[(usize, f64)], left: &mut [f64]) {
    left.copy_from_slice(x);
    for (lag, a) in ar.iter().filter(|(lag, _)| *lag < x.len()) {
        for (left, before) in left[*lag..].iter_mut().zip(x) {
            *left -= a * before;
        }
    }
}

/// Turns what the autoregression leaves into errors, in place.
pub(super) fn without_ma(ma: &[(usize, f64)], left: &mut [f64]) {
    if ma.is_empty() {
        return;
    }
    for t in 0..left.len() {
        let carried: f64 = ma
            .iter()
            .filter(|(lag, _)| *lag <= t)
            .map(|(lag, b)| b * left[t - lag])
            .sum();
        left[t] -= carried;
    }
}

/// Buffers of one fit.
pub(super) struct Work {
    centred: Vec<f64>,
    errors: Vec<f64>,
    adjoint: Vec<f64>,
}

impl Work {
    pub(super) fn new(n: usize) -> Self {
        Self {
            centred: vec![0.0; n],
            errors: vec![0.0; n],
            adjoint: vec![0.0; n],
        }
    }

    /// The errors of the last call.
    pub(super) fn last_errors(&self) -> &[f64] {
        &self.errors
    }

    /// Runs e_t = x_t − Σ a x_{t−l} − Σ b e_{t−l} with x = w − mean, zero before the start, and returns Σ e².
    pub(super) fn errors(&mut self, w: &[f64], c: &Coefficients) -> f64 {
        self.centred
            .iter_mut()
            .zip(w)
            .for_each(|(x, w)| *x = w - c.mean);
        without_ar(&self.centred, &c.ar, &mut self.errors);
        without_ma(&c.ma, &mut self.errors);
        self.errors.iter().map(|e| e * e).sum()
    }

    /// n ln Σ e² and its gradient by the vector.
    pub(super) fn objective(
        &mut self,
        w: &[f64],
        x: &[f64],
        order: &Order,
        mean: f64,
        gradient: &mut [f64],
    ) -> f64 {
        let n = w.len() as f64;
        let c = coefficients(x, order, mean);
        let total = self.errors(w, &c);
        gradient.fill(0.0);
        if total <= n * PERFECT {
            return n * (n * PERFECT).ln();
        }
        let by = self.slopes(&c);
        let (weight, at) = (n / total, Places::of(order));
        let pair = |from: usize, middle: usize, to: usize| (&x[from..middle], &x[middle..to]);
        let (short, long) = pair(0, at.seasonal_ar, at.ma);
        by_partial(
            short,
            long,
            order.period,
            &by.ar,
            weight,
            &mut gradient[..at.ma],
        );
        let (short, long) = pair(at.ma, at.seasonal_ma, at.mean);
        by_partial(
            short,
            long,
            order.period,
            &by.ma,
            -weight,
            &mut gradient[at.ma..at.mean],
        );
        if order.has_mean {
            gradient[at.mean] = weight * by.mean;
        }
        n * total.ln()
    }

    /// The derivatives of Σ e² by the coefficients, by the adjoint recursion.
    fn slopes(&mut self, c: &Coefficients) -> Coefficients {
        let n = self.errors.len();
        for t in (0..n).rev() {
            let carried: f64 =
                c.ma.iter()
                    .filter(|(lag, _)| t + lag < n)
                    .map(|(lag, b)| b * self.adjoint[t + lag])
                    .sum();
            self.adjoint[t] = 2.0 * self.errors[t] - carried;
        }
        let adjoint = &self.adjoint;
        let along = |values: &[f64], lag: usize| -> f64 {
            let later = adjoint.get(lag..).unwrap_or_default();
            -later.iter().zip(values).map(|(a, v)| a * v).sum::<f64>()
        };
        let by = |terms: &[(usize, f64)], values: &[f64]| {
            let each = terms.iter().map(|(lag, _)| (*lag, along(values, *lag)));
            each.collect()
        };
        // The mean moves each value, and through the autoregression those after it.
        let own: f64 = -adjoint.iter().sum::<f64>();
        let passed = c.ar.iter().map(|(lag, a)| {
            let later = adjoint.get(*lag..).unwrap_or_default();
            a * later.iter().sum::<f64>()
        });
        Coefficients {
            ar: by(&c.ar, &self.centred),
            ma: by(&c.ma, &self.errors),
            mean: own + passed.sum::<f64>(),
        }
    }
}

/// Carries derivatives by lags to the numbers they are made of; the map is tiny, so differences do.
fn by_partial(
    short: &[f64],
    long: &[f64],
    period: usize,
    by: &[(usize, f64)],
    weight: f64,
    gradient: &mut [f64],
) {
    const STEP: f64 = 1e-6;
    let change = |above: Vec<(usize, f64)>, below: Vec<(usize, f64)>| {
        let each = above.iter().zip(&below).zip(by);
        let slope = each.map(|((a, b), (_, by))| (a.1 - b.1) / (2.0 * STEP) * by);
        weight * slope.sum::<f64>()
    };
    let (near, far) = (stationary(short), stationary(long));
    let around = |x: &[f64], i: usize, step: f64| {
        let mut moved = x.to_vec();
        moved[i] += step;
        stationary(&moved)
    };
    let (of_short, of_long) = gradient.split_at_mut(short.len());
    for (i, slope) in of_short.iter_mut().enumerate() {
        *slope = change(
            product(&around(short, i, STEP), &far, period),
            product(&around(short, i, -STEP), &far, period),
        );
    }
    for (i, slope) in of_long.iter_mut().enumerate() {
        *slope = change(
            product(&near, &around(long, i, STEP), period),
            product(&near, &around(long, i, -STEP), period),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::rng::Rng;

    #[test]
    fn the_gradient_is_that_of_the_value() {
        let mut rng = Rng::new(3);
        let w: Vec<f64> = (0..60).map(|_| rng.normal()).collect();
        let order = Order {
            p: 2,
            q: 2,
            seasonal_p: 1,
            seasonal_q: 2,
            has_mean: true,
            ..Order::plain(0, 0, 4)
        };
        let x = [0.4, -0.3, 0.3, 0.5, 0.2, -0.2, 0.1, 0.15];
        let mut work = Work::new(60);
        let mut gradient = [0.0; 8];
        work.objective(&w, &x, &order, 0.2, &mut gradient);
        for i in 0..8 {
            let mut at = |step: f64| {
                let mut moved = x;
                moved[i] += step;
                work.objective(&w, &moved, &order, 0.2, &mut [0.0; 8])
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

    /// By hand: (1 − 0.5 B)(1 − 0.2 B⁴) = 1 − 0.5 B − 0.2 B⁴ + 0.1 B⁵.
    #[test]
    fn polynomials_are_multiplied() {
        assert_eq!(product(&[0.5], &[0.2], 4), [(1, 0.5), (4, 0.2), (5, -0.1)]);
    }
}
