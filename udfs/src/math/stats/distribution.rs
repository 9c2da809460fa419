//! Upper tails and quantiles of the distributions that tests use.
//! The incomplete gamma and beta functions are statrs'; tails and inverses are taken so that small ones keep digits.

use statrs::function::beta::{beta_reg, ln_beta};
use statrs::function::erf::erfc;
use statrs::function::gamma::{gamma_lr, gamma_ur};

pub use crate::math::distribution::{normal_density, normal_quantile};

/// P(Z > z) of the standard normal distribution.
pub fn normal_tail(z: f64) -> f64 {
    0.5 * erfc(z / std::f64::consts::SQRT_2)
}

/// P(T > t) of Student's distribution; `df` may be any positive number.
pub fn t_tail(t: f64, df: f64) -> f64 {
    if t.is_nan() || df.is_nan() || df <= 0.0 {
        return f64::NAN;
    }
    if t.is_infinite() {
        return if t > 0.0 { 0.0 } else { 1.0 };
    }
    let half = 0.5 * beta_reg(0.5 * df, 0.5, df / (df + t * t));
    if t >= 0.0 { half } else { 1.0 - half }
}

/// The t with P(T ≤ t) = p.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    if p == 0.5 {
        return 0.0;
    }
    let tail = p.min(1.0 - p);
    let density = |t: f64| {
        let log = -0.5 * (df + 1.0) * (t * t / df).ln_1p() - 0.5 * df.ln() - ln_beta(0.5, 0.5 * df);
        log.exp()
    };
    let size = invert(
        |t| t_tail(t, df) - tail,
        density,
        -normal_quantile(tail).min(0.0),
    );
    if p < 0.5 { -size } else { size }
}

/// The root of a falling function of t ≥ 0 with derivative −density: Newton's steps between bounds.
fn invert(excess: impl Fn(f64) -> f64, density: impl Fn(f64) -> f64, start: f64) -> f64 {
    let (mut low, mut high) = (0.0, f64::INFINITY);
    let mut at = start.max(1e-3);
    for _ in 0..200 {
        let error = excess(at);
        if error > 0.0 {
            low = at;
        } else {
            high = at;
        }
        let slope = density(at);
        let mut next = at + error / slope;
        if !next.is_finite() || next <= low || next >= high {
            next = if high.is_finite() {
                0.5 * (low + high)
            } else {
                2.0 * at
            };
        }
        if (next - at).abs() <= 1e-15 * at {
            return next;
        }
        at = next;
    }
    at
}

/// P(X > x) of the chi-squared distribution.
pub fn chi_squared_tail(x: f64, df: f64) -> f64 {
    if x.is_nan() || df.is_nan() || df <= 0.0 {
        f64::NAN
    } else if x <= 0.0 {
        1.0
    } else if x.is_infinite() {
        0.0
    } else {
        gamma_ur(0.5 * df, 0.5 * x)
    }
}

/// P(X ≤ x) of the gamma distribution with scale 1.
pub fn gamma_below(x: f64, shape: f64) -> f64 {
    if x <= 0.0 { 0.0 } else { gamma_lr(shape, x) }
}

/// P(F > f) of Fisher's distribution.
pub fn f_tail(f: f64, df1: f64, df2: f64) -> f64 {
    if f.is_nan() || df1.is_nan() || df2.is_nan() || df1 <= 0.0 || df2 <= 0.0 {
        f64::NAN
    } else if f <= 0.0 {
        1.0
    } else if f.is_infinite() {
        0.0
    } else {
        beta_reg(0.5 * df2, 0.5 * df1, df2 / (df2 + df1 * f))
    }
}

/// P(|Z| > z) of Kolmogorov's limit distribution.
pub fn kolmogorov_tail(z: f64) -> f64 {
    if z < 0.2 {
        return 1.0;
    }
    if z < 1.18 {
        // Jacobi's form converges where the alternating one does not.
        let factor = (2.0 * std::f64::consts::PI).sqrt() / z;
        let base = -std::f64::consts::PI.powi(2) / (8.0 * z * z);
        let sum: f64 = (0..6)
            .map(|k| (base * f64::from((2 * k + 1) * (2 * k + 1))).exp())
            .sum();
        return (1.0 - factor * sum).clamp(0.0, 1.0);
    }
    let term = |k: i32| {
        let sign = if k % 2 == 1 { 2.0 } else { -2.0 };
        sign * (-2.0 * f64::from(k * k) * z * z).exp()
    };
    (1..=8).map(term).sum::<f64>().clamp(0.0, 1.0)
}
