//! Whether fitted parameters give forecasts that forget the distant past.

use super::form::{Form, SeasonKind, TrendKind};
use super::recursion::Parameters;

/// Roots may lie this far outside the unit circle, to allow for rounding.
const SLACK: f64 = 1e-8;

/// Tells whether the parameters lie in the admissible region of a form with season length `period`.
///
/// Without season: 1 − 1/φ < α < 1 + 1/φ and α(φ − 1) < β < (1 + φ)(2 − α). With season: all roots of the
/// characteristic polynomial inside the unit circle.
/// Source: Hyndman et al. (2008), chapter 10, theorems 10.1 and 10.2.
pub(super) fn admissible(p: &Parameters, form: Form, period: usize) -> bool {
    let phi = if form.trend == TrendKind::None {
        1.0
    } else {
        p.phi
    };
    if phi <= 0.0 || phi > 1.0 + SLACK {
        return false;
    }
    if form.season == SeasonKind::None {
        let level = p.alpha > 1.0 - 1.0 / phi && p.alpha < 1.0 + 1.0 / phi;
        let slope = form.trend == TrendKind::None
            || (p.beta > p.alpha * (phi - 1.0) && p.beta < (1.0 + phi) * (2.0 - p.alpha));
        return level && slope;
    }
    stable(&characteristic(p, phi, period))
}

/// The coefficients of the characteristic polynomial, highest power first, scaled into a slightly larger circle.
fn characteristic(p: &Parameters, phi: f64, period: usize) -> Vec<f64> {
    let (a, b, g) = (p.alpha, p.beta, p.gamma);
    let mut coefficients = vec![a + b - a * phi; period + 2];
    coefficients[0] = 1.0;
    coefficients[1] = a + b - phi;
    coefficients[period] = a + b - a * phi + g - 1.0;
    coefficients[period + 1] = phi * (1.0 - a - g);
    let mut power = 1.0;
    for c in &mut coefficients {
        *c *= power;
        power *= 1.0 - 1e-6;
    }
    coefficients
}

/// The Schur–Cohn test: all roots lie inside the unit circle.
///
/// Reflection coefficients of the step-down recursion are all below one in size.
/// Source: Jury (1964), Theory and Application of the z-Transform Method.
fn stable(coefficients: &[f64]) -> bool {
    let mut row = coefficients.to_vec();
    while row.len() > 1 {
        let (first, last) = (row[0], row[row.len() - 1]);
        let reflection = last / first;
        if reflection.is_nan() || reflection.abs() >= 1.0 {
            return false;
        }
        let n = row.len();
        row = (0..n - 1)
            .map(|i| row[i] - reflection * row[n - 1 - i])
            .collect();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_told_apart() {
        // (z − 0.5)(z + 0.9) and (z − 1.1)(z + 0.2).
        assert!(stable(&[1.0, 0.4, -0.45]));
        assert!(!stable(&[1.0, -0.9, -0.22]));
    }

    #[test]
    fn ordinary_seasonal_parameters_are_admissible() {
        let form = Form::ALL[8];
        let usual = Parameters {
            alpha: 0.3,
            beta: 0.05,
            gamma: 0.2,
            phi: 1.0,
        };
        assert!(admissible(&usual, form, 12));
        let wild = Parameters {
            alpha: 1.9,
            beta: 1.5,
            gamma: 0.9,
            phi: 1.0,
        };
        assert!(!admissible(&wild, form, 12));
    }
}
