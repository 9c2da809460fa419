//! Starting values of the states: a line through the first seasonally adjusted values, and seasonal indices.
//!
//! Source: Hyndman et al. (2008), section 2.6.1.

use super::super::super::season::{Composition, line, seasonal_indices};
use super::form::{Form, SeasonKind, TrendKind};
use super::recursion::State;

/// Guesses from which the fit begins.
pub(super) struct Start {
    pub(super) state: State,
}

impl Start {
    /// Makes the guesses; `None` where the series is too short or has zeros where ratios are needed.
    pub(super) fn new(values: &[f64], period: usize, form: Form) -> Option<Self> {
        let season = match form.season {
            SeasonKind::None => Vec::new(),
            SeasonKind::Additive => seasonal_indices(values, period, Composition::Additive)?,
            SeasonKind::Multiplicative => {
                seasonal_indices(values, period, Composition::Multiplicative)?
            }
        };
        let first = if season.is_empty() {
            10
        } else {
            10.max(2 * period)
        }
        .min(values.len());
        let adjusted: Vec<f64> = values[..first]
            .iter()
            .enumerate()
            .map(|(t, y)| match form.season {
                SeasonKind::None => *y,
                SeasonKind::Additive => y - season[t % period],
                SeasonKind::Multiplicative => y / season[t % period],
            })
            .collect();
        let (level, slope) = if form.trend == TrendKind::None {
            (adjusted.iter().sum::<f64>() / first as f64, 0.0)
        } else {
            let (at_first, slope) = line(&adjusted);
            (at_first - slope, slope)
        };
        let positive = values.iter().all(|y| *y > 0.0);
        // Positive series keep positive starting levels, which multiplicative forms need.
        let (level, slope) = if positive && (level <= 0.0 || level + slope <= 0.0) {
            (adjusted[0], 0.0)
        } else {
            (level, slope)
        };
        Some(Self {
            state: State {
                level,
                slope,
                season,
            },
        })
    }
}
