//! The models behind `auto`, fitted together, and their combination.
//!
//! ETS, the Theta pair and, with a season, both once more on the series that loess has freed of its seasons.
//! Of several seasons the first two see only the shortest: loess takes the others out. ARIMA joins without a
//! season and with several. The forecast of a step is the median of the members' forecasts, as in Petropoulos
//! and Svetunkov (2020), "A simple combination of univariate models".

use super::mstl::{self, Decomposition};
use super::{arima, ets, theta};

const THETA: &[theta::Kind] = &[theta::Kind::Optimised, theta::Kind::Dynamic];

/// The fitted members; seasons are in the decomposition, its first in `ets` and `theta` as well.
pub(super) struct Ensemble {
    decomposition: Option<Decomposition>,
    ets: Option<ets::Fitted>,
    theta: Option<theta::Fitted>,
    adjusted_ets: Option<ets::Fitted>,
    adjusted_theta: Option<theta::Fitted>,
    arima: Option<arima::Fitted>,
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
        Self::with(
            values,
            periods,
            |values, period| ets::select(values, period, ets::Form::ALL),
            |adjusted| ets::select(adjusted, 1, ets::Form::NON_SEASONAL),
            |adjusted| arima::select(adjusted, 1),
        )
    }

    /// Fits the same forms to other values, such as an earlier part of the series.
    pub(super) fn refit(&self, values: &[f64], periods: &[usize]) -> Option<Self> {
        let again = |values: &[f64], period: usize, known: &Option<ets::Fitted>| {
            let known = known.as_ref()?;
            ets::fit(values, period, known.form, Some(known))
        };
        Self::with(
            values,
            periods,
            |values, period| again(values, period, &self.ets),
            |adjusted| again(adjusted, 1, &self.adjusted_ets),
            |adjusted| arima::refit(adjusted, self.arima.as_ref()?),
        )
    }

    fn with(
        values: &[f64],
        periods: &[usize],
        fit_ets: impl Fn(&[f64], usize) -> Option<ets::Fitted>,
        fit_adjusted: impl Fn(&[f64]) -> Option<ets::Fitted>,
        fit_arima: impl Fn(&[f64]) -> Option<arima::Fitted>,
    ) -> Option<Self> {
        let period = periods.first().copied().unwrap_or(1);
        let decomposition = mstl::decompose(values, periods);
        let mut base = values.to_vec();
        let mut adjusted = None;
        if let Some(parts) = &decomposition {
            base.iter_mut()
                .enumerate()
                .for_each(|(t, y)| *y -= parts.season_at(t, 1));
            adjusted = Some(parts.adjusted());
        }
        let adjusted_ets = adjusted.as_deref().and_then(fit_adjusted);
        let adjusted_theta = adjusted
            .as_deref()
            .and_then(|values| theta::fit(values, 1, THETA));
        // Of one season there are four members already; a fifth makes their median worse.
        let arima = if periods.len() == 1 {
            None
        } else {
            fit_arima(adjusted.as_deref().unwrap_or(values))
        };
        // A season too long for states is left out of the first member; the median bears one that misses it.
        let ets = fit_ets(&base, if period <= ets::MAX_SEASON { period } else { 1 });
        let theta = theta::fit(&base, period, THETA);
        let ensemble = Self {
            decomposition,
            ets,
            theta,
            adjusted_ets,
            adjusted_theta,
            arima,
        };
        ensemble.has_members().then_some(ensemble)
    }

    fn has_members(&self) -> bool {
        self.ets.is_some()
            || self.theta.is_some()
            || self.adjusted_ets.is_some()
            || self.adjusted_theta.is_some()
            || self.arima.is_some()
    }

    /// The members, as in `ETS(M,Ad,M) + OTM + DOTM + MSTL(12)`.
    pub(super) fn name(&self) -> String {
        let ets = self.ets.as_ref().map(|m| m.form.to_string());
        let theta = self.theta.as_ref().map(theta::Fitted::name);
        let decomposition = self.decomposition.as_ref().map(Decomposition::name);
        let arima = self.arima.as_ref().map(arima::Fitted::name);
        [ets, theta, decomposition, arima]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" + ")
    }

    /// Combines the members over the next `horizon` steps.
    pub(super) fn outlook(&self, horizon: usize, seed: u64) -> Outlook {
        let ets = |model: &ets::Fitted| (model.mean(horizon), model.deviation(horizon, seed));
        let theta = |model: &theta::Fitted| (model.mean(horizon), model.deviation(horizon));
        let arima = |model: &arima::Fitted| (model.mean(horizon), model.deviation(horizon));
        let members = [
            (self.ets.as_ref().map(ets), 1),
            (self.theta.as_ref().map(theta), 1),
            (self.adjusted_ets.as_ref().map(ets), 0),
            (self.adjusted_theta.as_ref().map(theta), 0),
            (self.arima.as_ref().map(arima), 0),
        ];
        let (mut means, mut deviations) = (Vec::with_capacity(5), Vec::with_capacity(5));
        for (member, seasons_within) in members {
            let Some((mut mean, deviation)) = member else {
                continue;
            };
            if let Some(parts) = &self.decomposition {
                let season = parts.season_ahead(horizon, seasons_within);
                mean.iter_mut().zip(season).for_each(|(m, s)| *m += s);
            }
            means.push(mean);
            deviations.push(deviation);
        }
        Outlook {
            mean: medians(&means),
            deviation: medians(&deviations),
        }
    }

    /// Combined one-step fitted values.
    pub(super) fn fitted(&self) -> Vec<f64> {
        let members = [
            (self.ets.as_ref().map(|m| m.fitted.clone()), 1),
            (self.theta.as_ref().map(theta::Fitted::fitted), 1),
            (self.adjusted_ets.as_ref().map(|m| m.fitted.clone()), 0),
            (self.adjusted_theta.as_ref().map(theta::Fitted::fitted), 0),
            (self.arima.as_ref().map(|m| m.fitted().to_vec()), 0),
        ];
        let mut rows = Vec::with_capacity(5);
        for (member, seasons_within) in members {
            let Some(mut fitted) = member else { continue };
            if let Some(parts) = &self.decomposition {
                fitted
                    .iter_mut()
                    .enumerate()
                    .for_each(|(t, f)| *f += parts.season_at(t, seasons_within));
            }
            rows.push(fitted);
        }
        medians(&rows)
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
