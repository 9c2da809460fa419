//! Forecasts of one regular series: the front door of every model.
//!
//! [`forecast`] checks the request, runs the model and returns point forecasts with an interval. Timestamps,
//! gaps and groups are the caller's business; `calendar` helps with the first two.

mod auto;
pub mod ets;
mod interval;
pub mod mstl;
mod simple;
pub mod theta;

use std::fmt;

/// The most steps ahead that one request may ask for.
pub const MAX_HORIZON: usize = 10_000;

/// The methods that a user can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    Auto,
    Ets,
    Theta,
    Mstl,
    SeasonalNaive,
    Naive,
    Drift,
    Mean,
    Ses,
    Holt,
    HoltWinters,
}

impl Model {
    pub const NAMES: &[&str] = &[
        "auto", "ets", "theta", "mstl", "seasonal_naive", "naive", "drift", "mean", "ses", "holt", "holt_winters",
    ];
    pub fn parse(name: &str) -> Option<Model> {
        Some(match name.to_ascii_lowercase().as_str() {
            "auto" => Model::Auto,
            "ets" => Model::Ets,
            "theta" => Model::Theta,
            "mstl" => Model::Mstl,
            "seasonal_naive" => Model::SeasonalNaive,
            "naive" => Model::Naive,
            "drift" => Model::Drift,
            "mean" => Model::Mean,
            _ => return None,
        })
    }
}

pub struct Request<'a> {
    pub values: &'a [f64],
    pub periods: &'a [usize],
    pub horizon: usize,
    pub confidence_level: f64,
    pub model: Model,
    pub seed: u64,
}
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    pub mean: Vec<f64>,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    pub fitted: Vec<f64>,
    pub model: String,
}
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    TooFewObservations { got: usize, need: usize },
    NotFinite,
}
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A point forecast with normal errors.
struct Prediction {
    mean: Vec<f64>,
    deviation: Vec<f64>,
    fitted: Vec<f64>,
    name: String,
}

impl Prediction {
    fn with_level(self, level: f64) -> Forecast {
        let (lower, upper) = interval::normal_interval(&self.mean, &self.deviation, level);
        Forecast { mean: self.mean, lower, upper, fitted: self.fitted, model: self.name }
    }
}

pub fn forecast(r: &Request<'_>) -> Result<Forecast, Refusal> {
    let period = r.periods.iter().copied().filter(|p| *p > 1).min().unwrap_or(1);
    let few = Refusal::TooFewObservations { got: r.values.len(), need: 4 };
    Ok(match r.model {
        Model::Ets => {
            let m = ets::select(r.values, period, ets::Form::ALL).ok_or(few)?;
            let mean = m.mean(r.horizon);
            let (lower, upper) = m.interval(&mean, r.confidence_level, r.seed);
            Forecast { mean, lower, upper, model: m.form.to_string(), fitted: m.fitted }
        }
        Model::Theta => {
            let k = if std::env::var("DOTM").is_ok() { &theta::Kind::ALL[3..] } else if std::env::var("OTM").is_ok() { &theta::Kind::ALL[1..2] } else { theta::Kind::ALL };
            let m = theta::fit(r.values, period, k).ok_or(few)?;
            Prediction { mean: m.mean(r.horizon), deviation: m.deviation(r.horizon), name: m.kind.name().into(), fitted: m.fitted }
                .with_level(r.confidence_level)
        }
        Model::Mstl => {
            let m = mstl::fit(r.values, r.periods, ets::Form::NON_SEASONAL).ok_or(few)?;
            Prediction { mean: m.mean(r.horizon), deviation: m.deviation(r.horizon, 0), name: m.model.form.to_string(), fitted: m.fitted() }
                .with_level(r.confidence_level)
        }
        Model::SeasonalNaive => simple::seasonal_naive(r.values, period, r.horizon).with_level(r.confidence_level),
        Model::Naive => simple::naive(r.values, r.horizon).with_level(r.confidence_level),
        Model::Drift => simple::drift(r.values, r.horizon).with_level(r.confidence_level),
        _ => simple::mean(r.values, r.horizon).with_level(r.confidence_level),
    })
}
