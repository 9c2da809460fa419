//! The methods that a user can name.

/// A forecasting method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// The combination of ETS, Theta, MSTL and ARIMA with calibrated intervals.
    Auto,
    /// Exponential smoothing, its form chosen by AICc.
    Ets,
    /// The average of the optimised and the dynamic optimised Theta model.
    Theta,
    /// The Theta model with fixed weight.
    ThetaStandard,
    /// The Theta model with estimated weight.
    ThetaOptimised,
    /// The Theta model with estimated weight and running trend.
    ThetaDynamic,
    /// Seasonal ARIMA, its orders chosen by AICc.
    Arima,
    /// Loess decomposition by several seasons, the rest by ETS.
    Mstl,
    /// A regression on a trend that changes, on seasons and on regressors.
    Prophet,
    /// The last cycle again.
    SeasonalNaive,
    /// The last value again.
    Naive,
    /// The line through the first and the last value.
    Drift,
    /// The mean of all values.
    Mean,
    /// Simple exponential smoothing.
    Ses,
    /// Exponential smoothing with a straight trend.
    Holt,
    /// Exponential smoothing with trend and season.
    HoltWinters,
    /// Croston's method for intermittent demand.
    Croston,
    /// Croston's method with the correction of Syntetos and Boylan.
    CrostonSba,
    /// The method of Teunter, Syntetos and Babai for intermittent demand that may cease.
    Tsb,
}

impl Model {
    /// The names in SQL, in the order of the documentation.
    pub const NAMES: &[&str] = &[
        "auto",
        "ets",
        "theta",
        "theta_standard",
        "theta_optimised",
        "theta_dynamic",
        "arima",
        "mstl",
        "prophet",
        "seasonal_naive",
        "naive",
        "drift",
        "mean",
        "ses",
        "holt",
        "holt_winters",
        "croston",
        "croston_sba",
        "tsb",
    ];

    /// The models of [`Model::NAMES`], in the same order.
    const ALL: &[Model] = &[
        Model::Auto,
        Model::Ets,
        Model::Theta,
        Model::ThetaStandard,
        Model::ThetaOptimised,
        Model::ThetaDynamic,
        Model::Arima,
        Model::Mstl,
        Model::Prophet,
        Model::SeasonalNaive,
        Model::Naive,
        Model::Drift,
        Model::Mean,
        Model::Ses,
        Model::Holt,
        Model::HoltWinters,
        Model::Croston,
        Model::CrostonSba,
        Model::Tsb,
    ];

    /// Finds a model by its name, in any case.
    pub fn parse(name: &str) -> Option<Model> {
        let place = Self::NAMES
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))?;
        Self::ALL.get(place).copied()
    }

    /// Whether parameters are fitted, which costs more than one pass over the series.
    pub(super) fn is_fitted(self) -> bool {
        match self {
            Model::Auto
            | Model::Ets
            | Model::Theta
            | Model::ThetaStandard
            | Model::ThetaOptimised
            | Model::ThetaDynamic
            | Model::Arima
            | Model::Mstl
            | Model::Prophet
            | Model::Ses
            | Model::Holt
            | Model::HoltWinters => true,
            Model::SeasonalNaive
            | Model::Naive
            | Model::Drift
            | Model::Mean
            | Model::Croston
            | Model::CrostonSba
            | Model::Tsb => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_and_nothing_else() {
        assert_eq!(Model::NAMES.len(), Model::ALL.len());
        assert!(Model::NAMES.iter().all(|name| Model::parse(name).is_some()));
        assert_eq!(Model::parse("Holt_Winters"), Some(Model::HoltWinters));
        assert_eq!(Model::parse("tsb"), Some(Model::Tsb));
        assert_eq!(Model::parse("oracle"), None);
    }
}
