//! Kolmogorov and Smirnov's tests.

use super::Alternative;
use super::distribution::normal_tail;

/// Two samples up to this size are tested exactly, as scipy chooses.
const MAX_EXACT_TWO: usize = 10_000;
/// The exact matrix power is used up to this many values; beyond, Pelz and Good's expansion has ten digits.
const MAX_EXACT_ONE: usize = 1_000;

/// Whether ascending values come from a normal distribution with this mean and deviation: D and its p-value.
///
/// `Greater` takes D⁺ = max(F_n − F), `Less` D⁻, as scipy's `ks_1samp`.
pub fn ks_normal(
    sorted: &[f64],
    mean: f64,
    deviation: f64,
    alternative: Alternative,
) -> Option<(f64, f64)> {
    let n = sorted.len();
    if n == 0 || deviation.is_nan() || deviation <= 0.0 {
        return None;
    }
    let (mut above, mut below) = (0.0_f64, 0.0_f64);
    for (i, x) in sorted.iter().enumerate() {
        let expected = normal_tail(-(x - mean) / deviation);
        above = above.max((i + 1) as f64 / n as f64 - expected);
        below = below.max(expected - i as f64 / n as f64);
    }
    Some(match alternative {
        Alternative::Greater => (above, smirnov_tail(n, above)),
        Alternative::Less => (below, smirnov_tail(n, below)),
        Alternative::TwoSided => {
            let d = above.max(below);
            (d, kolmogorov_tail_of(n, d))
        }
    })
}

/// Whether two ascending samples come from one distribution: D and its p-value, scipy's `ks_2samp`.
pub fn ks_two(x: &[f64], y: &[f64], alternative: Alternative) -> Option<(f64, f64)> {
    let (n, m) = (x.len(), y.len());
    if n == 0 || m == 0 {
        return None;
    }
    let (mut i, mut j) = (0, 0);
    // Distances in units of 1 / (n m), which are whole.
    let (mut above, mut below) = (0_i128, 0_i128);
    while i < n && j < m {
        let at = x[i].min(y[j]);
        while i < n && x[i] <= at {
            i += 1;
        }
        while j < m && y[j] <= at {
            j += 1;
        }
        let distance = i as i128 * m as i128 - j as i128 * n as i128;
        above = above.max(distance);
        below = below.max(-distance);
    }
    let whole = match alternative {
        Alternative::Greater => above,
        Alternative::Less => below,
        Alternative::TwoSided => above.max(below),
    };
    let d = whole as f64 / (n as f64 * m as f64);
    let p = if n.max(m) <= MAX_EXACT_TWO {
        paths_outside(n, m, whole, alternative == Alternative::TwoSided)
    } else {
        two_asymptotic(n as f64, m as f64, d, alternative)
    };
    Some((d, p.clamp(0.0, 1.0)))
}

/// The share of lattice paths from (0, 0) to (n, m) that somewhere stray by `limit` / (n m) or more.
fn paths_outside(n: usize, m: usize, limit: i128, both_sides: bool) -> f64 {
    if limit <= 0 {
        return 1.0;
    }
    let outside = |i: usize, j: usize| {
        let distance = i as i128 * m as i128 - j as i128 * n as i128;
        distance >= limit || (both_sides && -distance >= limit)
    };
    let mut row = vec![0.0; m + 1];
    for (j, slot) in row.iter_mut().enumerate() {
        *slot = if outside(0, j) { 1.0 } else { 0.0 };
    }
    for j in 1..=m {
        if row[j - 1] == 1.0 {
            row[j] = 1.0;
        }
    }
    for i in 1..=n {
        if outside(i, 0) {
            row[0] = 1.0;
        }
        for j in 1..=m {
            row[j] = if outside(i, j) {
                1.0
            } else {
                let total = (i + j) as f64;
                i as f64 / total * row[j] + j as f64 / total * row[j - 1]
            };
        }
    }
    row[m]
}

fn two_asymptotic(n: f64, m: f64, d: f64, alternative: Alternative) -> f64 {
    let (large, small) = (n.max(m), n.min(m));
    let effective = large * small / (large + small);
    if alternative == Alternative::TwoSided {
        return kolmogorov_tail_of(effective.round() as usize, d);
    }
    let z = effective.sqrt() * d;
    let shift = 2.0 * z * (large + 2.0 * small) / (large * small * (large + small)).sqrt() / 3.0;
    (-2.0 * z * z - shift).exp()
}

/// P(D⁺ ≥ d) of n values: Birnbaum and Tingey's sum.
fn smirnov_tail(n: usize, d: f64) -> f64 {
    if d <= 0.0 {
        return 1.0;
    }
    if d >= 1.0 {
        return 0.0;
    }
    let size = n as f64;
    if n > 100_000 {
        // The sum has n terms; the first correction of its limit is exact to nine digits here.
        return (-2.0 * size * d * d - 2.0 * d / 3.0).exp();
    }
    let mut log_choose = 0.0_f64;
    let mut sum = 0.0;
    let last = (size * (1.0 - d)).floor() as usize;
    for j in 0..=last.min(n - 1) {
        let part = j as f64 / size;
        let rest = 1.0 - d - part;
        if rest > 0.0 {
            let log =
                log_choose + (size - j as f64) * rest.ln() + (j as f64 - 1.0) * (d + part).ln();
            sum += log.exp();
        }
        log_choose += ((size - j as f64) / (j as f64 + 1.0)).ln();
    }
    (d * sum).clamp(0.0, 1.0)
}

/// P(D ≥ d) of n values.
///
/// Source: Marsaglia, Tsang and Wang (2003) in the middle, twice the one-sided tail where both sides can't matter,
/// Pelz and Good (1976) for many values.
fn kolmogorov_tail_of(n: usize, d: f64) -> f64 {
    let size = n as f64;
    if n == 0 || d <= 0.5 / size {
        return 1.0;
    }
    if d >= 1.0 {
        return 0.0;
    }
    if size * d * d >= 4.0 || d >= 0.5 {
        return (2.0 * smirnov_tail(n, d)).min(1.0);
    }
    if n > MAX_EXACT_ONE {
        return pelz_good_tail(size, d).clamp(0.0, 1.0);
    }
    (1.0 - marsaglia(n, d)).clamp(0.0, 1.0)
}

fn marsaglia(n: usize, d: f64) -> f64 {
    let k = (n as f64 * d) as usize + 1;
    let m = 2 * k - 1;
    let h = k as f64 - n as f64 * d;
    let mut base = vec![0.0; m * m];
    for i in 0..m {
        for j in 0..m {
            if i + 1 >= j {
                base[i * m + j] = 1.0;
            }
        }
    }
    for i in 0..m {
        base[i * m] -= h.powi(i as i32 + 1);
        base[(m - 1) * m + i] -= h.powi((m - i) as i32);
    }
    if 2.0 * h - 1.0 > 0.0 {
        base[(m - 1) * m] += (2.0 * h - 1.0).powi(m as i32);
    }
    for i in 0..m {
        for j in 0..m {
            if i + 1 > j {
                for g in 1..=(i + 1 - j) {
                    base[i * m + j] /= g as f64;
                }
            }
        }
    }
    let (power, mut exponent) = matrix_power(&base, m, n);
    let mut s = power[(k - 1) * m + k - 1];
    for i in 1..=n {
        s *= i as f64 / n as f64;
        if s < 1e-140 {
            s *= 1e140;
            exponent -= 140;
        }
    }
    s * 10f64.powi(exponent)
}

/// The matrix to a power, and the power of ten that it is to be multiplied by.
fn matrix_power(base: &[f64], m: usize, power: usize) -> (Vec<f64>, i32) {
    let mut result: Vec<f64> = (0..m * m)
        .map(|i| if i % (m + 1) == 0 { 1.0 } else { 0.0 })
        .collect();
    let (mut factor, mut left) = (base.to_vec(), power);
    let (mut result_exponent, mut factor_exponent) = (0, 0);
    while left > 0 {
        if left % 2 == 1 {
            result = product(&result, &factor, m);
            result_exponent += factor_exponent;
            rescale(&mut result, &mut result_exponent, m);
        }
        left /= 2;
        if left > 0 {
            factor = product(&factor, &factor, m);
            factor_exponent *= 2;
            rescale(&mut factor, &mut factor_exponent, m);
        }
    }
    (result, result_exponent)
}

fn rescale(matrix: &mut [f64], exponent: &mut i32, m: usize) {
    if matrix[(m / 2) * m + m / 2] > 1e140 {
        matrix.iter_mut().for_each(|x| *x *= 1e-140);
        *exponent += 140;
    }
}

fn product(a: &[f64], b: &[f64], m: usize) -> Vec<f64> {
    let mut c = vec![0.0; m * m];
    for i in 0..m {
        for k in 0..m {
            let x = a[i * m + k];
            if x != 0.0 {
                for j in 0..m {
                    c[i * m + j] += x * b[k * m + j];
                }
            }
        }
    }
    c
}

/// P(D ≥ d) as 1 − Σ Kᵢ(z) n^{−i/2}, z = d √n, the Kᵢ by their theta series.
fn pelz_good_tail(n: f64, d: f64) -> f64 {
    use std::f64::consts::PI;
    let z = n.sqrt() * d;
    let (z2, z4, z6) = (z.powi(2), z.powi(4), z.powi(6));
    let (pi2, pi4, pi6) = (PI.powi(2), PI.powi(4), PI.powi(6));
    let log_q = -pi2 / (8.0 * z2);
    if log_q < -700.0 {
        return 1.0;
    }
    let root = (2.0 * PI).sqrt();
    let mut k = [0.0; 4];
    let terms = (16.0 * z / PI).ceil() as i32;
    for index in (1..=terms).rev() {
        let odd = f64::from(2 * index - 1);
        let (m2, m4, m6) = (odd.powi(2), odd.powi(4), odd.powi(6));
        let weight = (log_q * m2).exp();
        k[0] += weight;
        k[1] += weight * (-z2 + pi2 / 4.0 * m2);
        k[2] += weight
            * (6.0 * z6
                + 2.0 * z4
                + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2
                + pi4 * (1.0 - 2.0 * z2) / 16.0 * m4);
        k[3] += weight
            * (-30.0 * z6 - 90.0 * z4 * z4
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + pi4 * (-60.0 * z2 + 212.0 * z4) / 16.0 * m4
                + pi6 * (5.0 - 30.0 * z2) / 64.0 * m6);
    }
    let divisors = [z, 6.0 * z4, 72.0 * z.powi(7), 6480.0 * z.powi(10)];
    for (value, divisor) in k.iter_mut().zip(divisors) {
        *value *= root / divisor;
    }
    let log_even = -pi2 / (2.0 * z2);
    for index in 1..=terms {
        let square = f64::from(index * index);
        let weight = (log_even * square).exp();
        k[2] -= pi2 * root / (36.0 * z.powi(3)) * square * weight;
        k[3] += pi2 * root / (216.0 * z6) * (3.0 * z2 - pi2 * square) * square * weight;
    }
    let powers = [1.0, n.sqrt(), n, n * n.sqrt()];
    1.0 - k
        .iter()
        .zip(powers)
        .map(|(value, power)| value / power)
        .sum::<f64>()
}
