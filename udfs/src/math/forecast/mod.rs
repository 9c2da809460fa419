//! Forecasts of one regular series.

use std::fmt;

/// The methods that a user can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    Auto,
    Naive,
}

impl Model {
    pub const NAMES: &[&str] = &["auto", "naive"];

    pub fn parse(name: &str) -> Option<Model> {
        match name {
            "auto" => Some(Model::Auto),
            "naive" => Some(Model::Naive),
            _ => None,
        }
    }
}

/// What to forecast.
#[derive(Debug)]
pub struct Request<'a> {
    pub values: &'a [f64],
    pub periods: &'a [usize],
    pub horizon: usize,
    pub confidence_level: f64,
    pub model: Model,
    pub seed: u64,
}

/// A forecast with its interval, and the one-step forecasts of the past.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    pub mean: Vec<f64>,
    pub lower: Vec<f64>,
    pub upper: Vec<f64>,
    pub fitted: Vec<f64>,
    pub model: String,
}

/// Why there is no forecast.
#[derive(Debug, Clone, PartialEq)]
pub enum Refusal {
    TooFewObservations { got: usize, need: usize },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TooFewObservations { got, need } => {
                write!(f, "too few observations: {got} < {need}")
            }
        }
    }
}

/// Repeats the last value.
pub fn forecast(request: &Request<'_>) -> Result<Forecast, Refusal> {
    let got = request.values.len();
    let [.., before, last] = request.values else {
        return Err(Refusal::TooFewObservations { got, need: 2 });
    };
    let spread = (last - before).abs();
    Ok(Forecast {
        mean: vec![*last; request.horizon],
        lower: vec![last - spread; request.horizon],
        upper: vec![last + spread; request.horizon],
        fitted: request.values.to_vec(),
        model: "naive".to_owned(),
    })
}
