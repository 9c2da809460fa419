//! Decomposition by loess with the settings of statsmodels' `STL`: degrees and jumps 1, two inner rounds robustly
//! with fifteen outer ones, five inner ones plainly.
//!
//! Source: Cleveland, Cleveland, McRae and Terpenning (1990), "STL: a seasonal-trend decomposition procedure".

use super::season::line;

/// A series taken apart: value = trend + seasonal + remainder.
#[derive(Debug, Clone, PartialEq)]
pub struct Parts {
    pub trend: Vec<f64>,
    pub seasonal: Vec<f64>,
    pub remainder: Vec<f64>,
}

/// The seasonal window where none is given.
pub const SEASONAL_WINDOW: usize = 7;

/// Takes a series apart; `None` unless it holds two periods of two or more steps and finite values alone.
pub fn decompose(values: &[f64], period: usize, window: usize, robust: bool) -> Option<Parts> {
    if period < 2 || values.len() < 2 * period {
        return None;
    }
    let smoothest = odd_above(1.5 * period as f64 / (1.0 - 1.5 / window as f64));
    let mut params = stlrs::Stl::params();
    params
        .seasonal_length(window)
        .trend_length(smoothest)
        .low_pass_length(odd_above(period as f64))
        .seasonal_degree(1)
        .trend_degree(1)
        .low_pass_degree(1)
        .seasonal_jump(1)
        .trend_jump(1)
        .low_pass_jump(1)
        .inner_loops(if robust { 2 } else { 5 })
        .outer_loops(if robust { 15 } else { 0 })
        .robust(robust);
    if values.iter().any(|y| !y.is_finite()) {
        return None;
    }
    let unit = unit(values);
    let scaled: Vec<f64> = values.iter().map(|y| y / unit).collect();
    let found = params.fit(&scaled, period).ok()?;
    let (seasonal, trend, remainder, _) = found.into_parts();
    let [trend, seasonal, remainder] = [trend, seasonal, remainder].map(|mut part| {
        part.iter_mut().for_each(|y| *y *= unit);
        part
    });
    Some(Parts {
        trend,
        seasonal,
        remainder,
    })
}

/// A power of two near the largest value: in this unit squares of huge and of tiny values stay in range, and no digit changes.
pub fn unit(values: &[f64]) -> f64 {
    let largest = values.iter().fold(0.0f64, |most, y| most.max(y.abs()));
    if largest > 0.0 && largest.is_finite() {
        2f64.powi(largest.log2().floor().clamp(-1000.0, 1000.0) as i32)
    } else {
        1.0
    }
}

/// The least odd number above x.
fn odd_above(x: f64) -> usize {
    let next = x.floor() as usize + 1;
    if next.is_multiple_of(2) {
        next + 1
    } else {
        next
    }
}

/// The parts of a series without a season: a straight line and what it leaves.
pub fn without_season(values: &[f64]) -> Parts {
    let (level, slope) = line(values);
    let trend: Vec<f64> = (0..values.len())
        .map(|t| level + slope * t as f64)
        .collect();
    Parts {
        remainder: values.iter().zip(&trend).map(|(y, t)| y - t).collect(),
        seasonal: vec![0.0; values.len()],
        trend,
    }
}
