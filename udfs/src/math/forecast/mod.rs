//! Forecasts of one regular series: the front door of every model.
//!
//! [`forecast`] checks the request, scales the values, runs the model and returns point forecasts with an
//! interval. Timestamps, gaps and groups are the caller's business; `calendar` helps with the first two.

mod model;
mod refusal;

pub mod arima;
mod auto;
mod croston;
mod ensemble;
pub mod ets;
mod interval;
mod longer;
pub mod mstl;
mod prophet;
mod regressors;
mod repeating;
mod simple;
pub mod theta;

pub use model::Model;
pub use refusal::Refusal;

use super::stl::unit;
use ets::{ErrorKind, Form, SeasonKind, TrendKind};
use theta::Kind;

/// The most steps ahead that one request may ask for.
pub const MAX_HORIZON: usize = 10_000;
/// The most recent observations that fitted models look at; older ones get no fitted values.
pub const MAX_OBSERVATIONS: usize = 10_000;

/// What to forecast, and how.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The values, in time order and without gaps.
    pub values: &'a [f64],
    /// Season lengths in steps; empty or 1 for none. Those that do not fit into the series twice are ignored.
    pub periods: &'a [usize],
    /// Columns that are known ahead.
    pub regressors: &'a [Regressor<'a>],
    /// Steps ahead, from 1 to [`MAX_HORIZON`].
    pub horizon: usize,
    /// The probability of the central interval, strictly between 0 and 1.
    pub confidence_level: f64,
    /// The method.
    pub model: Model,
    /// What simulated intervals depend on.
    pub seed: u64,
}

/// A column that explains the series and is known ahead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regressor<'a> {
    /// One value for each of the series.
    pub past: &'a [f64],
    /// One value for each step ahead.
    pub future: &'a [f64],
}

/// A forecast in the units of the series.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// Point forecasts, one a step.
    pub mean: Vec<f64>,
    /// Lower bounds of the interval.
    pub lower: Vec<f64>,
    /// Upper bounds of the interval.
    pub upper: Vec<f64>,
    /// One-step fitted values, one an observation, NaN where there is none.
    pub fitted: Vec<f64>,
    /// What was fitted, such as `auto: ETS(M,Ad,M) + OTM + DOTM + MSTL`.
    pub model: String,
}

/// Forecasts a series.
///
/// The same request gives the same bits everywhere. All results scale with the values. A constant series is
/// continued with an interval of width zero.
///
/// # Errors
///
/// Refuses values that are not finite, series too short for the model, horizons and levels out of range, and
/// models that do not suit the data.
pub fn forecast(request: &Request<'_>) -> Result<Forecast, Refusal> {
    check(request)?;
    if request.values.iter().all(|y| *y == request.values[0]) {
        return Ok(constant(request));
    }
    let scale = unit(request.values);
    let skipped = if request.model.is_fitted() {
        request.values.len().saturating_sub(MAX_OBSERVATIONS)
    } else {
        0
    };
    let scaled: Vec<f64> = request.values[skipped..]
        .iter()
        .map(|y| y / scale)
        .collect();
    let periods = usable_periods(request.periods, scaled.len());
    let regressors: Vec<Regressor<'_>> = request
        .regressors
        .iter()
        .map(|regressor| Regressor {
            past: &regressor.past[skipped..],
            future: regressor.future,
        })
        .collect();
    let scaled_request = Request {
        values: &scaled,
        regressors: &regressors,
        ..*request
    };
    // That model has a place for regressors; from under others they are taken out first.
    let mut found = if regressors.is_empty() || request.model == Model::Prophet {
        run(&scaled_request, &periods)?
    } else {
        regressors::forecast(&scaled_request, &periods, |rest| {
            if rest.values.iter().all(|y| *y == rest.values[0]) {
                return Ok(constant(rest));
            }
            run(rest, &periods)
        })?
    };
    for values in [
        &mut found.mean,
        &mut found.lower,
        &mut found.upper,
        &mut found.fitted,
    ] {
        values.iter_mut().for_each(|y| *y *= scale);
    }
    if ![&found.mean, &found.lower, &found.upper]
        .into_iter()
        .flatten()
        .all(|y| y.is_finite())
    {
        return Err(Refusal::NoFit);
    }
    if skipped > 0 {
        found
            .fitted
            .splice(0..0, std::iter::repeat_n(f64::NAN, skipped));
    }
    Ok(found)
}

fn check(request: &Request<'_>) -> Result<(), Refusal> {
    let got = request.values.len();
    if got < 2 {
        return Err(Refusal::TooFewObservations { got, need: 2 });
    }
    if request.horizon == 0 || request.horizon > MAX_HORIZON {
        return Err(Refusal::HorizonOutOfRange {
            got: request.horizon,
            max: MAX_HORIZON,
        });
    }
    let level = request.confidence_level;
    if level.is_nan() || level <= 0.0 || level >= 1.0 {
        return Err(Refusal::ConfidenceLevelOutOfRange { got: level });
    }
    if !request.values.iter().all(|y| y.is_finite()) {
        return Err(Refusal::NotFinite);
    }
    let fits = |r: &Regressor<'_>| r.past.len() == got && r.future.len() >= request.horizon;
    let finite = |r: &Regressor<'_>| r.past.iter().chain(r.future).all(|x| x.is_finite());
    if !request.regressors.iter().all(|r| fits(r) && finite(r)) {
        return Err(Refusal::RegressorsIncomplete);
    }
    Ok(())
}

/// Ascending season lengths from 2 that fit into `n` observations twice.
fn usable_periods(periods: &[usize], n: usize) -> Vec<usize> {
    let mut usable: Vec<usize> = periods
        .iter()
        .copied()
        .filter(|p| *p >= 2 && *p <= n / 2)
        .collect();
    usable.sort_unstable();
    usable.dedup();
    usable
}

fn constant(request: &Request<'_>) -> Forecast {
    let value = request.values[0];
    let line = vec![value; request.horizon];
    Forecast {
        mean: line.clone(),
        lower: line.clone(),
        upper: line,
        fitted: vec![value; request.values.len()],
        model: "constant".into(),
    }
}

/// Runs the model on values that are finite, scaled and not all equal.
fn run(request: &Request<'_>, periods: &[usize]) -> Result<Forecast, Refusal> {
    let (values, horizon) = (request.values, request.horizon);
    let prediction = match request.model {
        Model::Auto => return automatic(request, &longer::with_longer(values, periods)),
        Model::Ets => return smoothing(request, periods),
        Model::Ses => return chosen(request, 1, &[SES]),
        Model::Holt => return chosen(request, 1, &[HOLT]),
        Model::HoltWinters => return chosen(request, one_season(request, periods)?, HOLT_WINTERS),
        Model::Theta => theta(values, periods, horizon, &[Kind::Optimised, Kind::Dynamic])?,
        Model::ThetaStandard => theta(values, periods, horizon, &[Kind::Standard])?,
        Model::ThetaOptimised => theta(values, periods, horizon, &[Kind::Optimised])?,
        Model::ThetaDynamic => theta(values, periods, horizon, &[Kind::Dynamic])?,
        Model::Arima => arima(values, periods, horizon)?,
        Model::Mstl => decomposed(request, periods)?,
        Model::Prophet => prophet::forecast(request, periods)?,
        Model::SeasonalNaive => {
            simple::seasonal_naive(values, one_season(request, periods)?, horizon)
        }
        Model::Naive => simple::naive(values, horizon),
        Model::Drift => simple::drift(values, horizon),
        Model::Mean => simple::mean(values, horizon),
        Model::Croston | Model::CrostonSba | Model::Tsb => return intermittent(request),
    };
    Ok(prediction.with_level(request.confidence_level))
}

const SES: Form = Form::new(ErrorKind::Additive, TrendKind::None, SeasonKind::None);
const HOLT: Form = Form::new(ErrorKind::Additive, TrendKind::Additive, SeasonKind::None);
const HOLT_WINTERS: &[Form] = &[
    Form::new(
        ErrorKind::Additive,
        TrendKind::Additive,
        SeasonKind::Additive,
    ),
    Form::new(
        ErrorKind::Multiplicative,
        TrendKind::Additive,
        SeasonKind::Multiplicative,
    ),
];

/// What is exactly a pattern on a line goes on so; else the combination; Croston's method where most values are zero and none
/// negative; naive on very short series.
fn automatic(request: &Request<'_>, periods: &[usize]) -> Result<Forecast, Refusal> {
    let zeros = request.values.iter().filter(|y| **y == 0.0).count();
    let mut found = if let Some(found) = repeating::forecast(request, periods) {
        found
    } else if 2 * zeros > request.values.len() && request.values.iter().all(|y| *y >= 0.0) {
        intermittent(&Request {
            model: Model::CrostonSba,
            ..*request
        })?
    } else if let Some(found) = auto::forecast(request, periods) {
        return Ok(found);
    } else {
        simple::naive(request.values, request.horizon).with_level(request.confidence_level)
    };
    found.model.insert_str(0, "auto: ");
    Ok(found)
}

/// ETS by AICc; several seasons, or one too long for states, are taken out by decomposition first.
fn smoothing(request: &Request<'_>, periods: &[usize]) -> Result<Forecast, Refusal> {
    match periods {
        [] => chosen(request, 1, Form::ALL),
        [period] if *period <= ets::MAX_SEASON => chosen(request, *period, Form::ALL),
        _ => Ok(decomposed(request, periods)?.with_level(request.confidence_level)),
    }
}

fn chosen(request: &Request<'_>, period: usize, forms: &[Form]) -> Result<Forecast, Refusal> {
    let got = request.values.len();
    let need = forms
        .iter()
        .map(|form| form.least_observations(period))
        .min()
        .unwrap_or(0);
    if got < need {
        return Err(Refusal::TooFewObservations { got, need });
    }
    let fitted = ets::select(request.values, period, forms).ok_or(Refusal::NoFit)?;
    let mean = fitted.mean(request.horizon);
    let (lower, upper) = fitted.interval(&mean, request.confidence_level, request.seed);
    Ok(Forecast {
        mean,
        lower,
        upper,
        model: fitted.form.to_string(),
        fitted: fitted.fitted,
    })
}

/// Theta on the series, or on what decomposition leaves where there are several seasons.
fn theta(
    values: &[f64],
    periods: &[usize],
    horizon: usize,
    kinds: &[Kind],
) -> Result<Prediction, Refusal> {
    let parts = if periods.len() > 1 {
        mstl::decompose(values, periods)
    } else {
        None
    };
    let adjusted = parts.as_ref().map(mstl::Decomposition::adjusted);
    let (series, period) = match &adjusted {
        Some(adjusted) => (adjusted.as_slice(), 1),
        None => (values, periods.first().copied().unwrap_or(1)),
    };
    let few = Refusal::TooFewObservations {
        got: values.len(),
        need: theta::MIN_OBSERVATIONS,
    };
    let fitted = theta::fit(series, period, kinds).ok_or(few)?;
    let plain = Prediction {
        mean: fitted.mean(horizon),
        deviation: fitted.deviation(horizon),
        fitted: fitted.fitted(),
        name: fitted.name(),
    };
    Ok(match parts {
        Some(parts) => plain.with_season(&parts, 0),
        None => plain,
    })
}

/// Seasonal ARIMA on the series; of several seasons all but the shortest are taken out by decomposition, and that one as
/// well where it is very long.
fn arima(values: &[f64], periods: &[usize], horizon: usize) -> Result<Prediction, Refusal> {
    let (got, need) = (values.len(), arima::MIN_OBSERVATIONS);
    if got < need {
        return Err(Refusal::TooFewObservations { got, need });
    }
    let shortest = periods.first().copied().unwrap_or(1);
    let kept = usize::from(shortest <= arima::MAX_SEASON);
    let parts = if periods.len() > kept {
        mstl::decompose(values, periods)
    } else {
        None
    };
    let mut rest = values.to_vec();
    if let Some(parts) = &parts {
        rest.iter_mut()
            .enumerate()
            .for_each(|(t, y)| *y -= parts.season_at(t, kept));
    }
    let period = if kept == 1 { shortest } else { 1 };
    let fitted = arima::select(&rest, period).ok_or(Refusal::NoFit)?;
    let plain = Prediction {
        mean: fitted.mean(horizon),
        deviation: fitted.deviation(horizon),
        fitted: fitted.fitted().to_vec(),
        name: fitted.name(),
    };
    Ok(match parts {
        Some(parts) => plain.with_season(&parts, kept),
        None => plain,
    })
}

fn decomposed(request: &Request<'_>, periods: &[usize]) -> Result<Prediction, Refusal> {
    one_season(request, periods)?;
    let fitted = mstl::fit(request.values, periods, Form::NON_SEASONAL).ok_or(Refusal::NoFit)?;
    Ok(Prediction {
        mean: fitted.mean(request.horizon),
        deviation: fitted.deviation(request.horizon, request.seed),
        fitted: fitted.fitted(),
        name: format!("{} + {}", fitted.decomposition.name(), fitted.model.form),
    })
}

/// The shortest usable season.
fn one_season(request: &Request<'_>, usable: &[usize]) -> Result<usize, Refusal> {
    if let Some(period) = usable.first() {
        return Ok(*period);
    }
    let asked = request
        .periods
        .iter()
        .filter(|p| **p >= 2)
        .min()
        .ok_or(Refusal::NoSeason)?;
    Err(Refusal::TooFewObservations {
        got: request.values.len(),
        need: asked.saturating_mul(2),
    })
}

fn intermittent(request: &Request<'_>) -> Result<Forecast, Refusal> {
    if request.values.iter().any(|y| *y < 0.0) {
        return Err(Refusal::NegativeValues);
    }
    let prediction = match request.model {
        Model::Tsb => croston::tsb(request.values, request.horizon),
        Model::CrostonSba => croston::sba(request.values, request.horizon),
        _ => croston::croston(request.values, request.horizon),
    };
    let mut found = prediction.with_level(request.confidence_level);
    found
        .lower
        .iter_mut()
        .for_each(|bound| *bound = bound.max(0.0));
    Ok(found)
}

/// A point forecast with normal errors.
struct Prediction {
    mean: Vec<f64>,
    deviation: Vec<f64>,
    fitted: Vec<f64>,
    name: String,
}

impl Prediction {
    /// Adds the seasons of a decomposition but the `skipped` shortest to a forecast of the series without them.
    fn with_season(mut self, parts: &mstl::Decomposition, skipped: usize) -> Self {
        let season = parts.season_ahead(self.mean.len(), skipped);
        self.mean.iter_mut().zip(season).for_each(|(m, s)| *m += s);
        self.fitted
            .iter_mut()
            .enumerate()
            .for_each(|(t, f)| *f += parts.season_at(t, skipped));
        self.name = format!("{} + {}", parts.name(), self.name);
        self
    }

    fn with_level(self, level: f64) -> Forecast {
        let (lower, upper) = interval::normal_interval(&self.mean, &self.deviation, level);
        Forecast {
            mean: self.mean,
            lower,
            upper,
            fitted: self.fitted,
            model: self.name,
        }
    }
}

#[cfg(test)]
mod tests;
