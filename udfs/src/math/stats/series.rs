//! Tests on series in time order.

use super::distribution::{chi_squared_tail, f_tail, normal_tail};
use super::linear::{Covariance, Fit, centred_squares, least_squares};
use super::{is_constant, mean};

/// The trend that a unit-root test allows for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trend {
    None,
    Constant,
    Linear,
    Quadratic,
}

impl Trend {
    /// statsmodels' names.
    pub const NAMES: &'static [&'static str] = &["c", "ct", "ctt", "n"];

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "n" => Some(Self::None),
            "c" => Some(Self::Constant),
            "ct" => Some(Self::Linear),
            "ctt" => Some(Self::Quadratic),
            _ => None,
        }
    }

    fn terms(self) -> usize {
        match self {
            Self::None => 0,
            Self::Constant => 1,
            Self::Linear => 2,
            Self::Quadratic => 3,
        }
    }
}

/// How the number of lags is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lags {
    Fixed(usize),
    /// The one of the least criterion up to a greatest number, Schwert's 12 (n / 100)^¼ if none is given.
    Aic(Option<usize>),
    Bic(Option<usize>),
}

/// The result of a Dickey-Fuller test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DickeyFuller {
    pub statistic: f64,
    pub p_value: f64,
    pub lags: usize,
    pub observations: usize,
    /// At 1, 5 and 10 per cent.
    pub critical: [f64; 3],
}

/// The augmented Dickey-Fuller test of a unit root: small p-values speak for a stationary series.
///
/// Δy_t = γ y_{t−1} + trend + Σ δᵢ Δy_{t−i} + e; the statistic is γ's t value. p-values by MacKinnon (1994),
/// critical values by MacKinnon (2010), lags as statsmodels' `adfuller`.
pub fn adf(values: &[f64], trend: Trend, lags: Lags) -> Option<DickeyFuller> {
    let n = values.len();
    let terms = trend.terms();
    let most = (n / 2).checked_sub(terms + 1)?;
    if is_constant(values) {
        return None;
    }
    let schwert = (12.0 * (n as f64 / 100.0).powf(0.25)).ceil() as usize;
    let lags = match lags {
        Lags::Fixed(lags) if lags > most => return None,
        Lags::Fixed(lags) => lags,
        Lags::Aic(limit) => choose_lags(values, trend, limit.unwrap_or(schwert).min(most), 2.0),
        Lags::Bic(limit) => {
            let limit = limit.unwrap_or(schwert).min(most);
            choose_lags(values, trend, limit, ((n - 1 - limit) as f64).ln())
        }
    };
    let (columns, y) = design(values, trend, lags, lags);
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let fit = least_squares(&slices, &y);
    let error = fit.errors(&slices, Covariance::Const)[0];
    let statistic = fit.coefficients[0] / error;
    if !statistic.is_finite() || fit.df() <= 0.0 {
        return None;
    }
    Some(DickeyFuller {
        statistic,
        p_value: mackinnon_p(statistic, trend),
        lags,
        observations: y.len(),
        critical: mackinnon_critical(trend, y.len()),
    })
}

/// Level, lagged differences, trend; the rows are those that `skipped` lags leave.
fn design(values: &[f64], trend: Trend, lags: usize, skipped: usize) -> (Vec<Vec<f64>>, Vec<f64>) {
    let steps: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let y = steps[skipped..].to_vec();
    let mut columns = vec![values[skipped..values.len() - 1].to_vec()];
    for lag in 1..=lags {
        columns.push(steps[skipped - lag..steps.len() - lag].to_vec());
    }
    for power in 0..trend.terms() {
        let power = i32::try_from(power).unwrap_or(0);
        columns.push((1..=y.len()).map(|t| (t as f64).powi(power)).collect());
    }
    (columns, y)
}

fn choose_lags(values: &[f64], trend: Trend, limit: usize, penalty: f64) -> usize {
    let mut best = (f64::INFINITY, 0);
    for lags in 0..=limit {
        let (columns, y) = design(values, trend, lags, limit);
        let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
        let fit = least_squares(&slices, &y);
        let n = y.len() as f64;
        let criterion = n * (fit.rss / n).ln() + penalty * fit.kept.len() as f64;
        if criterion < best.0 {
            best = (criterion, lags);
        }
    }
    best.1
}

/// MacKinnon's response surfaces for one series.
struct Surface {
    least: f64,
    turn: f64,
    most: f64,
    small: [f64; 3],
    large: [f64; 4],
    critical: [[f64; 4]; 3],
}

fn surface(trend: Trend) -> Surface {
    match trend {
        Trend::None => Surface {
            least: -19.04,
            turn: -1.04,
            most: f64::INFINITY,
            small: [0.6344, 1.2378, 0.032_496],
            large: [0.4797, 0.935_57, -0.069_99, 0.033_066],
            critical: [
                [-2.565_74, -2.2358, -3.627, 0.0],
                [-1.941, -0.2686, -3.365, 31.223],
                [-1.616_82, 0.2656, -2.714, 25.364],
            ],
        },
        Trend::Constant => Surface {
            least: -18.83,
            turn: -1.61,
            most: 2.74,
            small: [2.1659, 1.4412, 0.038_269],
            large: [1.7339, 0.932_02, -0.127_45, -0.010_368],
            critical: [
                [-3.430_35, -6.5393, -16.786, -79.433],
                [-2.861_54, -2.8903, -4.234, -40.04],
                [-2.566_77, -1.5384, -2.809, 0.0],
            ],
        },
        Trend::Linear => Surface {
            least: -16.18,
            turn: -2.89,
            most: 0.7,
            small: [3.2512, 1.6047, 0.049_588],
            large: [2.5261, 0.616_54, -0.379_56, -0.060_285],
            critical: [
                [-3.958_77, -9.0531, -28.428, -134.155],
                [-3.410_49, -4.3904, -9.036, -45.374],
                [-3.127_05, -2.5856, -3.925, -22.38],
            ],
        },
        Trend::Quadratic => Surface {
            least: -17.17,
            turn: -3.21,
            most: 0.54,
            small: [4.0003, 1.658, 0.048_288],
            large: [3.0778, 0.495_29, -0.414_77, -0.059_359],
            critical: [
                [-4.371_13, -11.5882, -35.819, -334.047],
                [-3.832_39, -5.9057, -12.49, -118.284],
                [-3.553_26, -3.6596, -5.293, -63.559],
            ],
        },
    }
}

fn mackinnon_p(statistic: f64, trend: Trend) -> f64 {
    let surface = surface(trend);
    if statistic > surface.most {
        return 1.0;
    }
    if statistic < surface.least {
        return 0.0;
    }
    let of = |coefficients: &[f64]| {
        coefficients
            .iter()
            .rev()
            .fold(0.0, |sum, c| sum * statistic + c)
    };
    let z = if statistic <= surface.turn {
        of(&surface.small)
    } else {
        of(&surface.large)
    };
    normal_tail(-z)
}

fn mackinnon_critical(trend: Trend, observations: usize) -> [f64; 3] {
    let x = 1.0 / observations as f64;
    surface(trend)
        .critical
        .map(|c| c.iter().rev().fold(0.0, |sum, c| sum * x + c))
}

/// The test of Kwiatkowski, Phillips, Schmidt and Shin: small p-values speak against a stationary series.
///
/// statistic, p-value (from the paper's table, so between 0.01 and 0.1), lags. Without given lags they are
/// chosen as Hobijn, Franses and Ooms do.
pub fn kpss(values: &[f64], around_trend: bool, lags: Option<usize>) -> Option<(f64, f64, usize)> {
    let n = values.len();
    if n < 3 || is_constant(values) {
        return None;
    }
    let residuals = if around_trend {
        let ones = vec![1.0; n];
        let times: Vec<f64> = (1..=n).map(|t| t as f64).collect();
        least_squares(&[&ones, &times], values).residuals
    } else {
        let centre = mean(values);
        values.iter().map(|x| x - centre).collect()
    };
    let lags = match lags {
        Some(lags) if lags >= n => return None,
        Some(lags) => lags,
        None => kpss_lags(&residuals).min(n - 1),
    };
    let size = n as f64;
    let (mut sum, mut eta) = (0.0, 0.0);
    for residual in &residuals {
        sum += residual;
        eta += sum * sum;
    }
    let mut variance: f64 = residuals.iter().map(|e| e * e).sum();
    for lag in 1..=lags {
        let weight = 1.0 - lag as f64 / (lags as f64 + 1.0);
        variance += 2.0 * weight * lagged(&residuals, lag);
    }
    let statistic = eta / (size * size) / (variance / size);
    if !statistic.is_finite() {
        return None;
    }
    let critical: [f64; 4] = if around_trend {
        [0.119, 0.146, 0.176, 0.216]
    } else {
        [0.347, 0.463, 0.574, 0.739]
    };
    Some((statistic, interpolated(statistic, critical), lags))
}

fn interpolated(statistic: f64, critical: [f64; 4]) -> f64 {
    const P: [f64; 4] = [0.1, 0.05, 0.025, 0.01];
    if statistic <= critical[0] {
        return P[0];
    }
    for i in 1..4 {
        if statistic <= critical[i] {
            let part = (statistic - critical[i - 1]) / (critical[i] - critical[i - 1]);
            return P[i - 1] + part * (P[i] - P[i - 1]);
        }
    }
    P[3]
}

fn lagged(values: &[f64], lag: usize) -> f64 {
    values[lag..].iter().zip(values).map(|(a, b)| a * b).sum()
}

fn kpss_lags(residuals: &[f64]) -> usize {
    let n = residuals.len() as f64;
    let span = n.powf(2.0 / 9.0) as usize;
    let mut s0 = residuals.iter().map(|e| e * e).sum::<f64>() / n;
    let mut s1 = 0.0;
    for lag in 1..=span {
        let product = lagged(residuals, lag) / (n / 2.0);
        s0 += product;
        s1 += lag as f64 * product;
    }
    let gamma = 1.1447 * (s1 / s0).powi(2).powf(1.0 / 3.0);
    (gamma * n.powf(1.0 / 3.0)) as usize
}

/// Autocorrelations r₀ … r_lags; `None` without spread.
pub fn autocorrelations(values: &[f64], lags: usize) -> Option<Vec<f64>> {
    if values.len() < 2 || is_constant(values) {
        return None;
    }
    let centre = mean(values);
    let centred: Vec<f64> = values.iter().map(|x| x - centre).collect();
    let total: f64 = centred.iter().map(|x| x * x).sum();
    let lags = lags.min(values.len() - 1);
    Some(
        (0..=lags)
            .map(|lag| lagged(&centred, lag) / total)
            .collect(),
    )
}

/// Partial autocorrelations of lag 0 … lags by Durbin and Levinson's recursion on the autocorrelations:
/// statsmodels' `ywm`.
pub fn partial_autocorrelations(values: &[f64], lags: usize) -> Option<Vec<f64>> {
    let r = autocorrelations(values, lags)?;
    let mut found = vec![1.0];
    let mut phi: Vec<f64> = Vec::new();
    for k in 1..r.len() {
        let above: f64 = phi.iter().enumerate().map(|(j, p)| p * r[k - 1 - j]).sum();
        let below: f64 = phi.iter().enumerate().map(|(j, p)| p * r[j + 1]).sum();
        let new = (r[k] - above) / (1.0 - below);
        let turned: Vec<f64> = phi.iter().rev().map(|p| new * p).collect();
        for (p, t) in phi.iter_mut().zip(turned) {
            *p -= t;
        }
        phi.push(new);
        found.push(new);
    }
    Some(found)
}

/// Ljung and Box's n (n + 2) Σ r_k² / (n − k), and Box and Pierce's n Σ r_k²: statistic and p-value.
/// `fitted` parameters of a model are taken off the degrees of freedom.
pub fn portmanteau(values: &[f64], lags: usize, fitted: usize, ljung: bool) -> Option<(f64, f64)> {
    let n = values.len() as f64;
    if lags == 0 || lags >= values.len() {
        return None;
    }
    let r = autocorrelations(values, lags)?;
    let terms = r.iter().enumerate().skip(1).map(|(k, r)| {
        let weight = if ljung {
            n * (n + 2.0) / (n - k as f64)
        } else {
            n
        };
        weight * r * r
    });
    let statistic: f64 = terms.sum();
    let df = lags.checked_sub(fitted).filter(|df| *df > 0)?;
    Some((statistic, chi_squared_tail(statistic, df as f64)))
}

/// Durbin and Watson's Σ (e_t − e_{t−1})² / Σ e_t²: near 2 without autocorrelation, near 0 with positive.
pub fn durbin_watson(residuals: &[f64]) -> Option<f64> {
    let total: f64 = residuals.iter().map(|e| e * e).sum();
    let steps: f64 = residuals
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).powi(2))
        .sum();
    (residuals.len() > 1 && total > 0.0).then_some(steps / total)
}

/// Whether the past of x helps to tell y beyond y's own: F, p-value and both degrees of freedom.
///
/// F = ((RSS_y − RSS_yx) / lags) / (RSS_yx / (n − 2 lags − 1)), statsmodels' `ssr_ftest`.
pub fn granger(y: &[f64], x: &[f64], lags: usize) -> Option<[f64; 4]> {
    let n = y.len().min(x.len());
    if lags == 0 || n < 3 * lags + 2 {
        return None;
    }
    let target = &y[lags..n];
    let ones = vec![1.0; target.len()];
    let past = |values: &'_ [f64], lag: usize| values[lags - lag..n - lag].to_vec();
    let own: Vec<Vec<f64>> = (1..=lags).map(|lag| past(y, lag)).collect();
    let other: Vec<Vec<f64>> = (1..=lags).map(|lag| past(x, lag)).collect();
    let of = |columns: &[&[Vec<f64>]]| -> Fit {
        let mut slices: Vec<&[f64]> = vec![&ones];
        slices.extend(
            columns
                .iter()
                .flat_map(|part| part.iter().map(Vec::as_slice)),
        );
        least_squares(&slices, target)
    };
    let (short, long) = (of(&[&own]), of(&[&own, &other]));
    let (df1, df2) = (lags as f64, target.len() as f64 - 2.0 * lags as f64 - 1.0);
    if df2 <= 0.0 || long.kept.len() < 2 * lags + 1 || long.rss <= 0.0 {
        return None;
    }
    let f = ((short.rss - long.rss) / df1 / (long.rss / df2)).max(0.0);
    Some([f, f_tail(f, df1, df2), df1, df2])
}

/// Engle's test of changing variance: n R² of e_t² on its own past, and its p-value with χ²(lags).
pub fn arch_lm(residuals: &[f64], lags: usize) -> Option<(f64, f64)> {
    let n = residuals.len();
    if lags == 0 || n < 2 * lags + 2 {
        return None;
    }
    let squares: Vec<f64> = residuals.iter().map(|e| e * e).collect();
    let ones = vec![1.0; n - lags];
    let past: Vec<&[f64]> = (1..=lags)
        .map(|lag| &squares[lags - lag..n - lag])
        .collect();
    let mut columns: Vec<&[f64]> = vec![&ones];
    columns.extend(past);
    let target = &squares[lags..];
    let total = centred_squares(target);
    if total <= 0.0 {
        return None;
    }
    let statistic = target.len() as f64 * (1.0 - least_squares(&columns, target).rss / total);
    Some((statistic, chi_squared_tail(statistic, lags as f64)))
}
