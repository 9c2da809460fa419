//! The t distribution that fits numbers best, by maximum likelihood.

use crate::math::distribution::StudentT;
use crate::math::optimize::{Stop, minimize};
use statrs::function::gamma::{digamma, ln_gamma};

/// Degrees of freedom from which on the normal distribution is meant.
const MOST_FREEDOM: f64 = 1e6;
const LEAST_FREEDOM: f64 = 0.05;
const LEAST_NUMBERS: usize = 4;

/// Fits location, scale and degrees of freedom; none for too few or constant numbers.
///
/// The likelihood is maximised over the location, the logarithm of the scale and that of the degrees of freedom,
/// with exact gradients. Sorts the numbers, so that their order does not matter.
pub fn fit(numbers: &mut [f64]) -> Option<StudentT> {
    let n = numbers.len();
    numbers.sort_unstable_by(f64::total_cmp);
    let median = numbers.get(n / 2).copied()?;
    let spread = numbers.get(3 * n / 4)? - numbers.get(n / 4)?;
    if n < LEAST_NUMBERS || spread.is_nan() || spread <= 0.0 {
        return None;
    }
    // In units of the spread the search is the same for every scale.
    let unit = 0.7 * spread;
    let scaled: Vec<f64> = numbers.iter().map(|x| (x - median) / unit).collect();
    let mut x = [0.0, 0.0, 5f64.ln()];
    let stop = Stop {
        max_iterations: 300,
        tolerance: 1e-13,
    };
    let value = minimize(&mut x, stop, |x, gradient| loss(&scaled, x, gradient));
    let freedom = x[2].exp();
    value.is_finite().then(|| StudentT {
        freedom,
        location: median + unit * x[0],
        scale: unit * x[1].exp(),
    })
}

/// Minus the mean log-likelihood, without constants, and its gradient.
fn loss(numbers: &[f64], x: &[f64], gradient: &mut [f64]) -> f64 {
    let (location, scale, nu) = (x[0], x[1].exp(), x[2].exp());
    if !(LEAST_FREEDOM..=MOST_FREEDOM).contains(&nu) || !scale.is_finite() || scale <= 0.0 {
        return f64::NAN;
    }
    let n = numbers.len() as f64;
    let (mut logs, mut weights, mut pull) = (0.0, 0.0, 0.0);
    for number in numbers {
        let z = (number - location) / scale;
        let square = z * z / nu;
        logs += square.ln_1p();
        weights += square / (1.0 + square);
        pull += z / (1.0 + square);
    }
    let half = 0.5 * (nu + 1.0);
    gradient[0] = -half * 2.0 * pull / (nu * scale * n);
    gradient[1] = 1.0 - 2.0 * half * weights / n;
    let constant = ln_gamma(half) - ln_gamma(0.5 * nu) - 0.5 * nu.ln();
    let slope = 0.5 * (digamma(half) - digamma(0.5 * nu) - 1.0 / nu);
    gradient[2] = -nu * (slope - 0.5 * logs / n + half * weights / (nu * n));
    half * logs / n + x[1] - constant
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::rng::Rng;

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let numbers = [-2.0, -0.3, 0.1, 0.4, 1.5, 7.0];
        let at = [0.2, -0.1, 1.3];
        let mut gradient = [0.0; 3];
        loss(&numbers, &at, &mut gradient);
        for i in 0..3 {
            let mut unused = [0.0; 3];
            let mut moved = |by: f64| {
                let mut x = at;
                x[i] += by;
                loss(&numbers, &x, &mut unused)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!(
                (slope - gradient[i]).abs() < 1e-8,
                "{i}: {slope} {}",
                gradient[i]
            );
        }
    }

    #[test]
    fn the_scale_of_the_numbers_does_not_matter() {
        let mut rng = Rng::new(2);
        let mut numbers: Vec<f64> = (0..2000)
            .map(|_| rng.normal() / rng.uniform().sqrt())
            .collect();
        let mut scaled: Vec<f64> = numbers.iter().map(|x| 1e-6 * x + 3e-6).collect();
        let (Some(a), Some(b)) = (fit(&mut numbers), fit(&mut scaled)) else {
            unreachable!("both can be fitted");
        };
        assert!((a.freedom - b.freedom).abs() < 1e-5 * a.freedom);
        assert!((1e-6 * a.scale - b.scale).abs() < 1e-5 * b.scale);
    }

    #[test]
    fn nothing_fits_a_constant() {
        assert!(fit(&mut [1.0; 20]).is_none());
        assert!(fit(&mut [1.0, 2.0]).is_none());
    }
}
