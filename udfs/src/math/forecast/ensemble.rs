//! The models behind `auto`, fitted together, and their combination.
//!
//! ETS, the Theta pair and, with a season, both once more on the series that loess has freed of its seasons.
//! The forecast of a step is the median of the members' forecasts, their mean where two are left.

use super::{ets, mstl, theta};

const THETA: &[theta::Kind] = &[theta::Kind::Optimised, theta::Kind::Dynamic];

/// The fitted members.
pub(super) struct Ensemble {
    ets: Option<ets::Fitted>,
    theta: Option<theta::Fitted>,
    adjusted: Option<Adjusted>,
}

/// Models of the series without its seasons.
struct Adjusted {
    ets: mstl::Fitted,
    theta: Option<theta::Fitted>,
}

/// Combined point forecasts and model standard deviations.
pub(super) struct Outlook {
    pub(super) mean: Vec<f64>,
    pub(super) deviation: Vec<f64>,
}

impl Ensemble {
    /// Chooses and fits the members; `None` where none can be fitted.
    ///
    /// `periods` are ascending and each fits into the series twice.
    pub(super) fn fit(values: &[f64], periods: &[usize]) -> Option<Self> {
        let period = periods.first().copied().unwrap_or(1);
        let ets = if period <= ets::MAX_SEASON {
            ets::select(values, period, ets::Form::ALL)
        } else {
            None
        };
        let adjusted = mstl::fit(values, periods, ets::Form::NON_SEASONAL);
        Self::with(values, period, ets, adjusted)
    }

    /// Fits the same forms to other values, such as an earlier part of the series.
    pub(super) fn refit(&self, values: &[f64], periods: &[usize]) -> Option<Self> {
        let period = periods.first().copied().unwrap_or(1);
        let ets = self
            .ets
            .as_ref()
            .and_then(|known| ets::fit(values, period, known.form, Some(known)));
        let adjusted = self
            .adjusted
            .as_ref()
            .and_then(|known| mstl::refit(values, periods, &known.ets));
        Self::with(values, period, ets, adjusted)
    }

    fn with(
        values: &[f64],
        period: usize,
        ets: Option<ets::Fitted>,
        adjusted: Option<mstl::Fitted>,
    ) -> Option<Self> {
        let theta = theta::fit(values, period, THETA);
        let adjusted = adjusted.map(|ets| {
            let theta = theta::fit(&ets.decomposition.adjusted(), 1, THETA);
            Adjusted { ets, theta }
        });
        (ets.is_some() || theta.is_some() || adjusted.is_some()).then_some(Self {
            ets,
            theta,
            adjusted,
        })
    }

    /// The members, as in `ETS(M,Ad,M) + OTM + DOTM + MSTL(12)`.
    pub(super) fn name(&self) -> String {
        let ets = self.ets.as_ref().map(|m| m.form.to_string());
        let theta = self.theta.as_ref().map(theta::Fitted::name);
        let adjusted = self.adjusted.as_ref().map(|m| m.ets.decomposition.name());
        [ets, theta, adjusted]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" + ")
    }

    /// Combines the members over the next `horizon` steps.
    pub(super) fn outlook(&self, horizon: usize, seed: u64) -> Outlook {
        let mut means = Vec::with_capacity(4);
        let mut deviations = Vec::with_capacity(4);
        if let Some(model) = &self.ets {
            means.push(model.mean(horizon));
            deviations.push(model.deviation(horizon, seed));
        }
        if let Some(model) = &self.theta {
            means.push(model.mean(horizon));
            deviations.push(model.deviation(horizon));
        }
        if let Some(Adjusted { ets, theta }) = &self.adjusted {
            means.push(ets.mean(horizon));
            deviations.push(ets.deviation(horizon, seed));
            if let Some(theta) = theta {
                let season = ets.decomposition.season_ahead(horizon);
                means.push(
                    theta
                        .mean(horizon)
                        .iter()
                        .zip(season)
                        .map(|(m, s)| m + s)
                        .collect(),
                );
                deviations.push(theta.deviation(horizon));
            }
        }
        Outlook {
            mean: medians(&means),
            deviation: medians(&deviations),
        }
    }

    /// Combined one-step fitted values.
    pub(super) fn fitted(&self) -> Vec<f64> {
        let ets = self.ets.as_ref().map(|m| m.fitted.clone());
        let theta = self.theta.as_ref().map(theta::Fitted::fitted);
        let adjusted = self.adjusted.as_ref().map(|m| m.ets.fitted());
        medians(
            &[ets, theta, adjusted]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>(),
        )
    }
}

/// The median of each position over rows of equal length; values that are not finite take no part.
fn medians(rows: &[Vec<f64>]) -> Vec<f64> {
    let length = rows.first().map_or(0, Vec::len);
    let mut column = Vec::with_capacity(rows.len());
    (0..length)
        .map(|i| {
            column.clear();
            column.extend(rows.iter().map(|row| row[i]).filter(|x| x.is_finite()));
            column.sort_unstable_by(f64::total_cmp);
            match column.len() {
                0 => f64::NAN,
                n if n % 2 == 1 => column[n / 2],
                n => 0.5 * (column[n / 2 - 1] + column[n / 2]),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_skip_what_is_not_finite() {
        let rows = [
            vec![1.0, f64::NAN],
            vec![5.0, 2.0],
            vec![2.0, f64::INFINITY],
        ];
        assert_eq!(medians(&rows), [2.0, 2.0]);
        assert!(medians(&[vec![f64::NAN]])[0].is_nan());
    }
}
