//! The benchmark methods: naive, seasonal naive, drift and mean.
//!
//! Source: Hyndman and Athanasopoulos, Forecasting: Principles and Practice, sections 5.2 and 5.5.

use super::Prediction;

/// The last value forever; σ_h = σ √h with σ the root mean square of first differences.
pub(super) fn naive(values: &[f64], horizon: usize) -> Prediction {
    let last = values[values.len() - 1];
    let sigma = root_mean_square(values, 1);
    Prediction {
        mean: vec![last; horizon],
        deviation: (1..=horizon).map(|h| sigma * (h as f64).sqrt()).collect(),
        fitted: lagged(values, 1),
        name: "Naive".into(),
    }
}

/// The last cycle forever; σ_h = σ √(k + 1) with k whole cycles ahead and σ of seasonal differences.
pub(super) fn seasonal_naive(values: &[f64], period: usize, horizon: usize) -> Prediction {
    if period < 2 || values.len() < period {
        return naive(values, horizon);
    }
    let cycle = &values[values.len() - period..];
    let lag = if values.len() > period { period } else { 1 };
    let sigma = root_mean_square(values, lag);
    Prediction {
        mean: (0..horizon).map(|h| cycle[h % period]).collect(),
        deviation: (0..horizon)
            .map(|h| sigma * ((h / period + 1) as f64).sqrt())
            .collect(),
        fitted: lagged(values, period),
        name: format!("SeasonalNaive({period})"),
    }
}

/// The line through the first and the last value; σ_h = σ √(h (1 + h / (n − 1))).
pub(super) fn drift(values: &[f64], horizon: usize) -> Prediction {
    let n = values.len();
    if n < 2 {
        return naive(values, horizon);
    }
    let (first, last) = (values[0], values[n - 1]);
    let slope = (last - first) / (n - 1) as f64;
    let errors = values
        .windows(2)
        .map(|pair| (pair[1] - pair[0] - slope).powi(2))
        .sum::<f64>();
    let sigma = (errors / (n as f64 - 2.0).max(1.0)).sqrt();
    let spread = |h: f64| sigma * (h * (1.0 + h / (n as f64 - 1.0))).sqrt();
    Prediction {
        mean: (1..=horizon).map(|h| last + slope * h as f64).collect(),
        deviation: (1..=horizon).map(|h| spread(h as f64)).collect(),
        fitted: lagged(values, 1).iter().map(|y| y + slope).collect(),
        name: "Drift".into(),
    }
}

/// The mean of all values; σ_h = s √(1 + 1 / n).
pub(super) fn mean(values: &[f64], horizon: usize) -> Prediction {
    let n = values.len() as f64;
    let mean = values.iter().map(|y| y / n).sum::<f64>();
    let squares: f64 = values.iter().map(|y| (y - mean) * (y - mean)).sum();
    let sigma = (squares / (n - 1.0).max(1.0) * (1.0 + 1.0 / n)).sqrt();
    Prediction {
        mean: vec![mean; horizon],
        deviation: vec![sigma; horizon],
        fitted: vec![mean; values.len()],
        name: "Mean".into(),
    }
}

fn lagged(values: &[f64], lag: usize) -> Vec<f64> {
    let known = values.len().saturating_sub(lag);
    let mut fitted = vec![f64::NAN; values.len() - known];
    fitted.extend_from_slice(&values[..known]);
    fitted
}

/// √(mean of (y_t − y_{t−lag})²); zero where no pair exists.
fn root_mean_square(values: &[f64], lag: usize) -> f64 {
    if values.len() <= lag {
        return 0.0;
    }
    let squares: f64 = values[lag..]
        .iter()
        .zip(values)
        .map(|(a, b)| (a - b) * (a - b))
        .sum();
    (squares / (values.len() - lag) as f64).sqrt()
}
