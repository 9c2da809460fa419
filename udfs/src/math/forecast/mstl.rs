//! Decomposition by loess into trend, seasons and remainder (STL, MSTL), and forecasts made of the parts.
//!
//! The seasonally adjusted series is forecast by a non-seasonal ETS model; each season repeats its last cycle.
//!
//! Source: Cleveland, Cleveland, McRae and Terpenning (1990); Bandara, Hyndman and Bergmeir (2021), "MSTL".

use super::super::stl::unit;
use super::ets;

/// A series taken apart.
#[derive(Debug, Clone)]
pub struct Decomposition {
    /// The season lengths, ascending.
    pub periods: Vec<usize>,
    /// One seasonal part for each period.
    pub seasons: Vec<Vec<f64>>,
    /// The slow part.
    pub trend: Vec<f64>,
    /// What is left.
    pub remainder: Vec<f64>,
}

/// Takes a series apart by its season lengths; `None` where no period from 2 fits into the series twice.
///
/// Seasonal windows are 11, 15, 19, … for ascending periods, two rounds over several seasons, no robust
/// weights; the parts are in the units of the values.
pub fn decompose(values: &[f64], periods: &[usize]) -> Option<Decomposition> {
    let mut periods: Vec<usize> = periods
        .iter()
        .copied()
        .filter(|p| *p >= 2 && 2 * p <= values.len())
        .collect();
    periods.sort_unstable();
    periods.dedup();
    if periods.is_empty() || values.iter().any(|y| !y.is_finite()) {
        return None;
    }
    let windows: Vec<usize> = (1..=periods.len()).map(|i| 7 + 4 * i).collect();
    let unit = unit(values);
    let scaled: Vec<f64> = values.iter().map(|y| y / unit).collect();
    let parts = stlrs::Mstl::params()
        .iterations(2)
        .seasonal_lengths(&windows)
        .fit(&scaled, &periods)
        .ok()?;
    let (mut seasons, mut trend, mut remainder) = parts.into_parts();
    let whole = seasons.iter_mut().chain([&mut trend, &mut remainder]);
    whole.flatten().for_each(|y| *y *= unit);
    Some(Decomposition {
        periods,
        seasons,
        trend,
        remainder,
    })
}

impl Decomposition {
    /// The name with the periods, such as `MSTL(24,168)`.
    pub fn name(&self) -> String {
        let periods: Vec<String> = self.periods.iter().map(usize::to_string).collect();
        format!("MSTL({})", periods.join(","))
    }

    /// Trend and remainder: the series without its seasons.
    pub fn adjusted(&self) -> Vec<f64> {
        self.trend
            .iter()
            .zip(&self.remainder)
            .map(|(t, r)| t + r)
            .collect()
    }

    /// The sum of the last cycles of all seasons but the `skipped` shortest, at `steps` after the end.
    pub fn season_ahead(&self, steps: usize, skipped: usize) -> Vec<f64> {
        let mut sum = vec![0.0; steps];
        for (period, season) in self.periods.iter().zip(&self.seasons).skip(skipped) {
            let cycle = &season[season.len() - period..];
            sum.iter_mut()
                .zip(cycle.iter().cycle())
                .for_each(|(s, c)| *s += c);
        }
        sum
    }

    /// The sum of all seasons but the `skipped` shortest, at position `t` of the series.
    pub fn season_at(&self, t: usize, skipped: usize) -> f64 {
        self.seasons.iter().skip(skipped).map(|s| s[t]).sum()
    }
}

/// A fitted decomposition with the model of its adjusted series.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The seasons and what they leave.
    pub decomposition: Decomposition,
    /// The model of the adjusted series.
    pub model: ets::Fitted,
}

/// Fits decomposition and model; `None` where the series is too short for either.
pub fn fit(values: &[f64], periods: &[usize], forms: &[ets::Form]) -> Option<Fitted> {
    let decomposition = decompose(values, periods)?;
    let model = ets::select(&decomposition.adjusted(), 1, forms)?;
    Some(Fitted {
        decomposition,
        model,
    })
}

impl Fitted {
    /// The point forecasts of the next `horizon` steps.
    pub fn mean(&self, horizon: usize) -> Vec<f64> {
        let season = self.decomposition.season_ahead(horizon, 0);
        self.model
            .mean(horizon)
            .iter()
            .zip(season)
            .map(|(m, s)| m + s)
            .collect()
    }

    /// The standard deviations of the next `horizon` steps' errors; the seasons count as known.
    pub fn deviation(&self, horizon: usize, seed: u64) -> Vec<f64> {
        self.model.deviation(horizon, seed)
    }

    /// One-step fitted values.
    pub fn fitted(&self) -> Vec<f64> {
        self.model
            .fitted
            .iter()
            .enumerate()
            .map(|(t, f)| f + self.decomposition.season_at(t, 0))
            .collect()
    }
}
