//! The ETS recursion, its likelihood, and the likelihood's gradient by one backward pass.
//!
//! One pass over the series costs a few arithmetic operations a step and allocates nothing. The states do not
//! depend on the kind of error, only the likelihood does.

use super::form::{ErrorKind, Form, SeasonKind, TrendKind};

/// The smoothing parameters in error-correction form; those that a form lacks are zero, φ of a straight trend is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Parameters {
    pub(super) alpha: f64,
    pub(super) beta: f64,
    pub(super) gamma: f64,
    pub(super) phi: f64,
}

/// Level, slope, and the seasonal indices in the order in which the next steps need them.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) level: f64,
    pub(super) slope: f64,
    pub(super) season: Vec<f64>,
}

/// The derivatives of the objective by parameters and starting states.
pub(super) struct Slopes {
    pub(super) parameters: Parameters,
    pub(super) state: State,
}

/// What a forward pass leaves for the backward pass.
pub(super) struct Tape {
    steps: Vec<Step>,
    forecasts: Vec<f64>,
    ring: Vec<f64>,
    level: f64,
    slope: f64,
    squares: f64,
}

#[derive(Clone, Copy, Default)]
struct Step {
    /// level + φ slope before the observation.
    base: f64,
    slope: f64,
    season: f64,
}

impl Tape {
    pub(super) fn new(n: usize) -> Self {
        Self {
            steps: vec![Step::default(); n],
            forecasts: vec![0.0; n],
            ring: Vec::new(),
            level: 0.0,
            slope: 0.0,
            squares: 0.0,
        }
    }

    /// The one-step forecasts of the last pass.
    pub(super) fn forecasts(&self) -> &[f64] {
        &self.forecasts
    }

    /// The sum of squared (relative) errors of the last pass.
    pub(super) fn squares(&self) -> f64 {
        self.squares
    }
}

/// Sums of squares below this per observation are a perfect fit; the series' mean absolute value is one.
const PERFECT: f64 = 1e-18;

/// Runs the recursion and returns minus twice the concentrated log-likelihood, up to a constant.
///
/// With base q = l + φb and forecast f = q, q + s or q·s, the error e = y − f gives
/// l ← q + αu, b ← φb + βu, s ← s + γv, where u = v = e, or u = e/s and v = e/q for a multiplicative season.
/// The value is n ln Σ e² (additive errors) or n ln Σ (e/f)² + 2 Σ ln f (multiplicative errors), and infinite
/// where a multiplicative form leaves the positive numbers.
/// Source: Hyndman et al. (2008), tables 2.2 and 2.3, equation (5.3).
pub(super) fn forward(
    form: Form,
    y: &[f64],
    p: &Parameters,
    start: &State,
    tape: &mut Tape,
) -> f64 {
    match form.season {
        SeasonKind::None => plain(y, p, start, tape),
        SeasonKind::Additive => additive(y, p, start, tape),
        SeasonKind::Multiplicative => multiplicative(y, p, start, tape),
    }
    let n = y.len() as f64;
    match form.error {
        ErrorKind::Additive => {
            tape.squares = y
                .iter()
                .zip(&tape.forecasts)
                .map(|(y, f)| (y - f) * (y - f))
                .sum();
            n * tape.squares.max(n * PERFECT).ln()
        }
        ErrorKind::Multiplicative => {
            let mut squares = 0.0;
            let mut logs = 0.0;
            let mut product = 1.0f64;
            for (y, &f) in y.iter().zip(&tape.forecasts) {
                if f.is_nan() || f <= 0.0 {
                    return f64::INFINITY;
                }
                let error = y / f - 1.0;
                squares += error * error;
                product *= f;
                if !(1e-100..1e100).contains(&product) {
                    logs += product.ln();
                    product = 1.0;
                }
            }
            tape.squares = squares;
            n * squares.max(n * PERFECT).ln() + 2.0 * (logs + product.ln())
        }
    }
}

fn plain(y: &[f64], p: &Parameters, start: &State, tape: &mut Tape) {
    let (mut level, mut slope) = (start.level, start.slope);
    for ((y, step), forecast) in y.iter().zip(&mut tape.steps).zip(&mut tape.forecasts) {
        let drift = p.phi * slope;
        let base = level + drift;
        *step = Step {
            base,
            slope,
            season: 0.0,
        };
        *forecast = base;
        let error = y - base;
        level = base + p.alpha * error;
        slope = drift + p.beta * error;
    }
    (tape.level, tape.slope) = (level, slope);
}

fn additive(y: &[f64], p: &Parameters, start: &State, tape: &mut Tape) {
    let (mut level, mut slope) = (start.level, start.slope);
    tape.ring.clone_from(&start.season);
    let mut at = 0;
    for ((y, step), forecast) in y.iter().zip(&mut tape.steps).zip(&mut tape.forecasts) {
        let season = &mut tape.ring[at];
        let drift = p.phi * slope;
        let base = level + drift;
        *step = Step {
            base,
            slope,
            season: *season,
        };
        *forecast = base + *season;
        let error = y - *forecast;
        level = base + p.alpha * error;
        slope = drift + p.beta * error;
        *season += p.gamma * error;
        at = if at + 1 == start.season.len() {
            0
        } else {
            at + 1
        };
    }
    tape.ring.rotate_left(at);
    (tape.level, tape.slope) = (level, slope);
}

fn multiplicative(y: &[f64], p: &Parameters, start: &State, tape: &mut Tape) {
    let (mut level, mut slope) = (start.level, start.slope);
    tape.ring.clone_from(&start.season);
    let mut at = 0;
    for ((y, step), forecast) in y.iter().zip(&mut tape.steps).zip(&mut tape.forecasts) {
        let season = &mut tape.ring[at];
        let drift = p.phi * slope;
        let base = level + drift;
        *step = Step {
            base,
            slope,
            season: *season,
        };
        // A base or index that is not positive makes the forecast useless; NaN says so to the likelihood.
        *forecast = if base > 0.0 && *season > 0.0 {
            base * *season
        } else {
            f64::NAN
        };
        let error = y - *forecast;
        let relative = error / *season;
        level = base + p.alpha * relative;
        slope = drift + p.beta * relative;
        *season += p.gamma * error / base;
        at = if at + 1 == start.season.len() {
            0
        } else {
            at + 1
        };
    }
    tape.ring.rotate_left(at);
    (tape.level, tape.slope) = (level, slope);
}

/// The gradient of [`forward`]'s value, by the adjoint of the recursion; `tape` is from the same arguments.
pub(super) fn backward(
    form: Form,
    y: &[f64],
    p: &Parameters,
    start: &State,
    tape: &Tape,
) -> Slopes {
    let n = y.len() as f64;
    if tape.squares <= n * PERFECT {
        let season = vec![0.0; start.season.len()];
        let parameters = Parameters {
            alpha: 0.0,
            beta: 0.0,
            gamma: 0.0,
            phi: 0.0,
        };
        return Slopes {
            parameters,
            state: State {
                level: 0.0,
                slope: 0.0,
                season,
            },
        };
    }
    let weight = 2.0 * n / tape.squares;
    match form.error {
        ErrorKind::Additive => adjoint(form.season, y, p, start, tape, |y, f| -weight * (y - f)),
        ErrorKind::Multiplicative => adjoint(form.season, y, p, start, tape, |y, f| {
            let ratio = y / f;
            (2.0 - weight * (ratio - 1.0) * ratio) / f
        }),
    }
}

/// Carries the derivatives by the states back in time; `by_forecast` is the likelihood's own derivative.
fn adjoint(
    kind: SeasonKind,
    y: &[f64],
    p: &Parameters,
    start: &State,
    tape: &Tape,
    by_forecast: impl Fn(f64, f64) -> f64,
) -> Slopes {
    let m = start.season.len();
    let mut ring = vec![0.0; m];
    let mut at = if m == 0 { 0 } else { y.len() % m };
    let (mut level, mut slope) = (0.0, 0.0);
    let mut sums = Parameters {
        alpha: 0.0,
        beta: 0.0,
        gamma: 0.0,
        phi: 0.0,
    };
    for ((y, step), &forecast) in y.iter().zip(&tape.steps).zip(&tape.forecasts).rev() {
        let error = y - forecast;
        let by_u = p.alpha * level + p.beta * slope;
        let mut base = level;
        let direct = by_forecast(*y, forecast);
        let by_f;
        match kind {
            SeasonKind::None => {
                by_f = direct - by_u;
                base += by_f;
                sums.alpha += level * error;
                sums.beta += slope * error;
            }
            SeasonKind::Additive => {
                at = if at == 0 { m - 1 } else { at - 1 };
                by_f = direct - by_u - p.gamma * ring[at];
                base += by_f;
                sums.alpha += level * error;
                sums.beta += slope * error;
                sums.gamma += ring[at] * error;
                ring[at] += by_f;
            }
            SeasonKind::Multiplicative => {
                at = if at == 0 { m - 1 } else { at - 1 };
                let (per_season, per_base) = (1.0 / step.season, 1.0 / step.base);
                let (u, v) = (error * per_season, error * per_base);
                let by_v = p.gamma * ring[at];
                by_f = direct - by_u * per_season - by_v * per_base;
                base += by_f * step.season - by_v * v * per_base;
                sums.alpha += level * u;
                sums.beta += slope * u;
                sums.gamma += ring[at] * v;
                ring[at] += by_f * step.base - by_u * u * per_season;
            }
        }
        sums.phi += (slope + base) * step.slope;
        level = base;
        slope = p.phi * (slope + base);
    }
    Slopes {
        parameters: sums,
        state: State {
            level,
            slope,
            season: ring,
        },
    }
}

impl State {
    /// Takes the states at the end of the last pass.
    pub(super) fn advance_to(&mut self, tape: &Tape) {
        self.level = tape.level;
        self.slope = tape.slope;
        if !self.season.is_empty() {
            self.season.clone_from(&tape.ring);
        }
    }

    /// Multiplies the states by the series' scale.
    pub(super) fn rescale(&mut self, scale: f64, kind: SeasonKind) {
        self.level *= scale;
        self.slope *= scale;
        if kind == SeasonKind::Additive {
            self.season.iter_mut().for_each(|s| *s *= scale);
        }
    }

    /// The forecasts l + (φ + … + φ^h) b, with the season added or multiplied.
    pub(super) fn forecast(&self, p: &Parameters, form: Form, horizon: usize) -> Vec<f64> {
        let mut growth = 0.0;
        let mut power = 1.0;
        (0..horizon)
            .map(|i| {
                if form.trend != TrendKind::None {
                    power *= p.phi;
                    growth += power;
                }
                let base = self.level + growth * self.slope;
                match form.season {
                    SeasonKind::None => base,
                    SeasonKind::Additive => base + self.season[i % self.season.len()],
                    SeasonKind::Multiplicative => base * self.season[i % self.season.len()],
                }
            })
            .collect()
    }
}
