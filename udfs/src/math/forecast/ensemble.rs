//! The models behind `auto`, fitted together, and their combination.
//!
//! ETS, the Theta pair and seasonal ARIMA; with a season ETS and the Theta pair once more on the series that loess has
//! freed of its seasons. Of several seasons the first three see only the shortest: loess takes the others out. The forecast
//! of a step is the mean of the members' forecasts, by weights that follow from how they forecast earlier parts of the same
//! series. Combinations of this kind: Bates and Granger (1969), "The combination of forecasts"; Petropoulos and Svetunkov
//! (2020), "A simple combination of univariate models".

use super::mstl::{self, Decomposition};
use super::{arima, ets, theta};

const THETA: &[theta::Kind] = &[theta::Kind::Optimised, theta::Kind::Dynamic];

/// How many members there are at most.
pub(super) const MEMBERS: usize = 5;

/// A number for each member; members that could not be fitted have one of no meaning.
pub(super) type Weights = [f64; MEMBERS];

/// The fitted members; seasons are in the decomposition, its first in those of the whole series as well.
pub(super) struct Ensemble {
    decomposition: Option<Decomposition>,
    ets: Option<ets::Fitted>,
    theta: Option<theta::Fitted>,
    adjusted_ets: Option<ets::Fitted>,
    adjusted_theta: Option<theta::Fitted>,
    arima: Option<arima::Fitted>,
}

/// One member's point forecasts and the standard deviations that it expects of its errors.
pub(super) struct Outlook {
    pub(super) mean: Vec<f64>,
    pub(super) deviation: Vec<f64>,
}

/// Those of all members; none for one that could not be fitted.
pub(super) type Outlooks = [Option<Outlook>; MEMBERS];

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
            arima::select,
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
            |values, _| arima::refit(values, self.arima.as_ref()?),
        )
    }

    fn with(
        values: &[f64],
        periods: &[usize],
        fit_ets: impl Fn(&[f64], usize) -> Option<ets::Fitted>,
        fit_adjusted: impl Fn(&[f64]) -> Option<ets::Fitted>,
        fit_arima: impl Fn(&[f64], usize) -> Option<arima::Fitted>,
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
        // A season too long for states is left out; weights bear a member that misses it.
        let short = |most: usize| if period <= most { period } else { 1 };
        let ensemble = Self {
            ets: fit_ets(&base, short(ets::MAX_SEASON)),
            theta: theta::fit(&base, period, THETA),
            arima: fit_arima(&base, short(arima::MAX_SEASON)),
            decomposition,
            adjusted_ets,
            adjusted_theta,
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

    /// The members, as in `ETS(M,Ad,M) + OTM + DOTM + MSTL(12) + ARIMA(0,1,1)(0,1,1)[12]`.
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

    /// What each member says of the next `horizon` steps.
    pub(super) fn outlooks(&self, horizon: usize, seed: u64) -> Outlooks {
        let with_season = |mean: Vec<f64>, deviation: Vec<f64>, seasons_within: usize| {
            let mut mean = mean;
            if let Some(parts) = &self.decomposition {
                let season = parts.season_ahead(horizon, seasons_within);
                mean.iter_mut().zip(season).for_each(|(m, s)| *m += s);
            }
            let finite = mean.iter().chain(&deviation).all(|x| x.is_finite());
            finite.then_some(Outlook { mean, deviation })
        };
        let ets = |model: &Option<ets::Fitted>, within: usize| {
            let model = model.as_ref()?;
            with_season(model.mean(horizon), model.deviation(horizon, seed), within)
        };
        let theta = |model: &Option<theta::Fitted>, within: usize| {
            let model = model.as_ref()?;
            with_season(model.mean(horizon), model.deviation(horizon), within)
        };
        let arima = self
            .arima
            .as_ref()
            .and_then(|model| with_season(model.mean(horizon), model.deviation(horizon), 1));
        [
            ets(&self.ets, 1),
            theta(&self.theta, 1),
            ets(&self.adjusted_ets, 0),
            theta(&self.adjusted_theta, 0),
            arima,
        ]
    }

    /// Combined one-step fitted values.
    pub(super) fn fitted(&self, weights: &Weights) -> Vec<f64> {
        let members = [
            (self.ets.as_ref().map(|m| m.fitted.clone()), 1),
            (self.theta.as_ref().map(theta::Fitted::fitted), 1),
            (self.adjusted_ets.as_ref().map(|m| m.fitted.clone()), 0),
            (self.adjusted_theta.as_ref().map(theta::Fitted::fitted), 0),
            (self.arima.as_ref().map(|m| m.fitted().to_vec()), 1),
        ];
        let mut rows: [Option<Vec<f64>>; MEMBERS] = Default::default();
        for (row, (member, seasons_within)) in rows.iter_mut().zip(members) {
            *row = member.map(|mut fitted| {
                if let Some(parts) = &self.decomposition {
                    fitted
                        .iter_mut()
                        .enumerate()
                        .for_each(|(t, f)| *f += parts.season_at(t, seasons_within));
                }
                fitted
            });
        }
        weighted(rows.each_ref().map(Option::as_deref), weights)
    }
}

/// The combination of the members' forecasts, and of their deviations.
pub(super) fn combined(members: &Outlooks, weights: &Weights) -> Outlook {
    let means = members
        .each_ref()
        .map(|m| m.as_ref().map(|m| m.mean.as_slice()));
    let deviations = members
        .each_ref()
        .map(|m| m.as_ref().map(|m| m.deviation.as_slice()));
    Outlook {
        mean: weighted(means, weights),
        deviation: weighted(deviations, weights),
    }
}

/// The weighted mean of each position over rows of equal length; values that are not finite take no part.
fn weighted(rows: [Option<&[f64]>; MEMBERS], weights: &Weights) -> Vec<f64> {
    let length = rows
        .iter()
        .flatten()
        .map(|row| row.len())
        .next()
        .unwrap_or(0);
    let at = |place: usize| {
        let (mut sum, mut whole) = (0.0, 0.0);
        for (row, weight) in rows.iter().zip(weights) {
            if let Some(value) = row.map(|row| row[place]).filter(|value| value.is_finite()) {
                sum += weight * value;
                whole += weight;
            }
        }
        sum / whole
    };
    (0..length).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: (2 · 1 + 1 · 4) / 3, and the second alone where the first has nothing.
    #[test]
    fn means_skip_what_is_not_finite() {
        let (first, second) = ([1.0, f64::NAN], [4.0, 2.0]);
        let rows = [Some(&first[..]), None, Some(&second[..]), None, None];
        assert_eq!(weighted(rows, &[2.0, 9.0, 1.0, 9.0, 9.0]), [2.0, 2.0]);
        assert!(weighted([None; MEMBERS], &[1.0; MEMBERS]).is_empty());
    }
}
