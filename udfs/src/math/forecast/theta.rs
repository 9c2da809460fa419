//! The Theta method: standard and optimised, with fixed and with running trend, on seasonally adjusted values.
//!
//! [`fit`] tests for a season, takes it out by classical decomposition, and averages the models it is asked
//! for. The average of one with a fixed and one with a running trend line forecasts better than the one of
//! them with the smaller squared errors. It knows nothing of timestamps or of other methods.
//!
//! Source: Fiorucci, Pellegrini, Louzada, Petropoulos and Koehler (2016), "Models for optimising the theta
//! method and their relationship to state space models", with the dynamic recursion as in forecTheta and
//! statsforecast.

use super::super::optimize::minimize_bounded;
use super::super::season::{Composition, is_seasonal, seasonal_indices};

const LEAST_ALPHA: f64 = 0.1;
const MOST_ALPHA: f64 = 0.99;
/// First errors that the fit ignores, since the running trend needs some values.
const BURN_IN: usize = 3;
/// The fewest observations that can be fitted.
pub const MIN_OBSERVATIONS: usize = BURN_IN + 1;
/// Pull of the starting level towards half the first value, in observations; keeps the fit determined.
const LEVEL_WEIGHT: f64 = 1e-2;

/// The kind of a Theta model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// STM: one trend line over the whole series, with weight one half.
    Standard,
    /// OTM: one trend line, its weight estimated.
    Optimised,
    /// DOTM: the trend line is estimated anew at each step, its weight once.
    Dynamic,
}

impl Kind {
    /// The usual abbreviation.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Standard => "STM",
            Kind::Optimised => "OTM",
            Kind::Dynamic => "DOTM",
        }
    }
}

/// A fitted combination of Theta models, in the units of the series.
#[derive(Debug, Clone)]
pub struct Fitted {
    season: Option<(Composition, Vec<f64>)>,
    length: usize,
    members: Vec<Member>,
}

/// One model of the seasonally adjusted series.
#[derive(Debug, Clone)]
struct Member {
    kind: Kind,
    fitted: Vec<f64>,
    alpha: f64,
    weight: f64,
    level: f64,
    trend: Trend,
    variance: f64,
}

/// Fits each of `kinds`, whose average is the forecast; `None` with fewer than four values.
pub fn fit(values: &[f64], period: usize, kinds: &[Kind]) -> Option<Fitted> {
    if values.len() < MIN_OBSERVATIONS || kinds.is_empty() {
        return None;
    }
    let season = if is_seasonal(values, period) {
        decompose(values, period)
    } else {
        None
    };
    let adjusted = match &season {
        None => values.to_vec(),
        Some(parts) => values
            .iter()
            .enumerate()
            .map(|(t, y)| remove(parts, t, *y))
            .collect(),
    };
    let members = kinds.iter().map(|&kind| {
        fit_kind(
            &adjusted,
            kind,
            &Lines::of(&adjusted, kind == Kind::Dynamic),
        )
    });
    Some(Fitted {
        season,
        length: values.len(),
        members: members.collect(),
    })
}

/// Multiplicative indices where all are above 0.01 and the values positive, additive ones otherwise.
fn decompose(values: &[f64], period: usize) -> Option<(Composition, Vec<f64>)> {
    let multiplicative = if values.iter().all(|y| *y > 0.0) {
        seasonal_indices(values, period, Composition::Multiplicative)
            .filter(|s| s.iter().all(|s| *s >= 0.01))
    } else {
        None
    };
    match multiplicative {
        Some(indices) => Some((Composition::Multiplicative, indices)),
        None => seasonal_indices(values, period, Composition::Additive)
            .map(|s| (Composition::Additive, s)),
    }
}

fn remove((composition, indices): &(Composition, Vec<f64>), t: usize, y: f64) -> f64 {
    let index = indices[t % indices.len()];
    match composition {
        Composition::Additive => y - index,
        Composition::Multiplicative => y / index,
    }
}

fn restore((composition, indices): &(Composition, Vec<f64>), t: usize, y: f64) -> f64 {
    let index = indices[t % indices.len()];
    match composition {
        Composition::Additive => y + index,
        Composition::Multiplicative => y * index,
    }
}

/// The trend line known after `count` values: intercept and slope follow from mean and slope.
#[derive(Debug, Clone, Copy)]
struct Trend {
    mean: f64,
    slope: f64,
    count: usize,
}

impl Trend {
    /// Over all values by least squares.
    fn whole(y: &[f64]) -> Self {
        let (first, slope) = super::super::season::line(y);
        Self {
            mean: first + slope * (y.len() as f64 - 1.0) / 2.0,
            slope,
            count: y.len(),
        }
    }

    fn first(y: f64) -> Self {
        Self {
            mean: y,
            slope: 0.0,
            count: 1,
        }
    }

    /// The line after one more value.
    fn next(self, y: f64) -> Self {
        let i = self.count as f64;
        Self {
            mean: (i * self.mean + y) / (i + 1.0),
            slope: ((i - 1.0) * self.slope + 6.0 * (y - self.mean) / (i + 1.0)) / (i + 2.0),
            count: self.count + 1,
        }
    }

    fn intercept(self) -> f64 {
        self.mean - self.slope * (self.count as f64 + 1.0) / 2.0
    }
}

/// Intercepts and slopes that the forecast of each value uses.
struct Lines {
    at: Vec<(f64, f64)>,
    last: Trend,
}

impl Lines {
    fn of(y: &[f64], dynamic: bool) -> Self {
        if !dynamic {
            let whole = Trend::whole(y);
            return Self {
                at: vec![(whole.intercept(), whole.slope); y.len()],
                last: whole,
            };
        }
        let mut trend = Trend::first(y[0]);
        let mut at = Vec::with_capacity(y.len());
        at.push((y[0], 0.0));
        for &value in &y[1..] {
            at.push((trend.intercept(), trend.slope));
            trend = trend.next(value);
        }
        Self { at, last: trend }
    }
}

/// The least-squares starting level and trend weight for one α.
struct Concentrated {
    level: f64,
    weight: f64,
    squares: f64,
}

/// Fits one kind: a search over α, all else in closed form.
///
/// f_i = ℓ_{i−1} + w (A q^i + B (1 − q^{i+1}) / α), ℓ_i = α y_i + q ℓ_{i−1}, q = 1 − α, w = 1 − 1/θ in [0, 1]:
/// errors are linear in ℓ₀ and w.
fn fit_kind(y: &[f64], kind: Kind, lines: &Lines) -> Member {
    let (alpha, _) = minimize_bounded(LEAST_ALPHA, MOST_ALPHA, 24, 1e-4, |alpha| {
        concentrate(y, kind, lines, alpha).squares
    });
    let Concentrated { level, weight, .. } = concentrate(y, kind, lines, alpha);
    let q = 1.0 - alpha;
    let mut now = level;
    let mut power = 1.0;
    let mut fitted = Vec::with_capacity(y.len());
    for (y, (intercept, slope)) in y.iter().zip(&lines.at) {
        fitted.push(now + weight * (intercept * power + slope * (1.0 - q * power) / alpha));
        now = alpha * y + q * now;
        power *= q;
    }
    let errors = y.iter().zip(&fitted).skip(BURN_IN).map(|(y, f)| y - f);
    let free = (y.len() - BURN_IN) as f64;
    let variance = errors.map(|e| e * e).sum::<f64>() / (free - 2.0).max(1.0);
    Member {
        kind,
        fitted,
        alpha,
        weight,
        level: now,
        trend: lines.last,
        variance,
    }
}

fn concentrate(y: &[f64], kind: Kind, lines: &Lines, alpha: f64) -> Concentrated {
    let q = 1.0 - alpha;
    let per_alpha = 1.0 / alpha;
    let guess = y[0] / 2.0;
    let (mut level, mut power) = (q * guess + alpha * y[0], q);
    // Normal equations of e = r − z d − w g with d the change of the starting level.
    let (mut zz, mut zg, mut gg, mut zr, mut gr, mut rr) = (LEVEL_WEIGHT, 0.0, 0.0, 0.0, 0.0, 0.0);
    for (i, (y, (intercept, slope))) in y.iter().zip(&lines.at).enumerate().skip(1) {
        if i >= BURN_IN {
            let g = intercept * power + slope * (1.0 - q * power) * per_alpha;
            let r = y - level;
            zz += power * power;
            zg += power * g;
            gg += g * g;
            zr += power * r;
            gr += g * r;
            rr += r * r;
        }
        level = alpha * y + q * level;
        power *= q;
    }
    let determinant = zz * gg - zg * zg;
    let weight = if kind == Kind::Standard {
        0.5
    } else if determinant > 1e-12 * zz * gg {
        ((zz * gr - zg * zr) / determinant).clamp(0.0, 1.0)
    } else {
        0.5
    };
    let change = (zr - weight * zg) / zz;
    let squares = rr + weight * weight * gg + change * change * zz
        - 2.0 * (weight * gr + change * zr - weight * change * zg);
    Concentrated {
        level: guess + change,
        weight,
        squares: squares.max(0.0),
    }
}

impl Fitted {
    /// The abbreviations of the models, joined by plus signs.
    pub fn name(&self) -> String {
        self.members
            .iter()
            .map(|member| member.kind.name())
            .collect::<Vec<_>>()
            .join(" + ")
    }

    /// One-step fitted values, season included.
    pub fn fitted(&self) -> Vec<f64> {
        let average = self.average(|member| member.fitted.clone());
        average
            .iter()
            .enumerate()
            .map(|(t, f)| self.restore(t, *f))
            .collect()
    }

    /// The point forecasts of the next `horizon` steps.
    pub fn mean(&self, horizon: usize) -> Vec<f64> {
        let average = self.average(|member| member.mean(self.length, horizon));
        average
            .iter()
            .enumerate()
            .map(|(step, f)| self.restore(self.length + step, *f))
            .collect()
    }

    /// The standard deviations of the next `horizon` steps' errors, exact for one model with normal errors.
    ///
    /// Several models count as wholly dependent: their deviations are averaged.
    pub fn deviation(&self, horizon: usize) -> Vec<f64> {
        let average = self.average(|member| member.deviation(self.length, horizon));
        let factor = |t: usize| match &self.season {
            Some((Composition::Multiplicative, indices)) => indices[t % indices.len()],
            _ => 1.0,
        };
        average
            .iter()
            .enumerate()
            .map(|(step, d)| d * factor(self.length + step))
            .collect()
    }

    fn average(&self, part: impl Fn(&Member) -> Vec<f64>) -> Vec<f64> {
        let share = 1.0 / self.members.len() as f64;
        let mut sum = Vec::new();
        for member in &self.members {
            let values = part(member);
            sum.resize(values.len(), 0.0);
            sum.iter_mut()
                .zip(values)
                .for_each(|(s, v)| *s += share * v);
        }
        sum
    }

    fn restore(&self, t: usize, y: f64) -> f64 {
        self.season.as_ref().map_or(y, |parts| restore(parts, t, y))
    }
}

impl Member {
    fn mean(&self, length: usize, horizon: usize) -> Vec<f64> {
        let q = 1.0 - self.alpha;
        let (mut level, mut trend) = (self.level, self.trend);
        let mut power = q.powf(length as f64);
        let mut mean = Vec::with_capacity(horizon);
        for _ in 0..horizon {
            let line = trend.intercept() * power + trend.slope * (1.0 - q * power) / self.alpha;
            let y = level + self.weight * line;
            mean.push(y);
            level = self.alpha * y + q * level;
            power *= q;
            if self.kind == Kind::Dynamic {
                trend = trend.next(y);
            }
        }
        mean
    }

    /// The model is linear in its errors, so the covariance of (level, mean, slope) is carried from step to step.
    fn deviation(&self, length: usize, horizon: usize) -> Vec<f64> {
        let (a, q) = (self.alpha, 1.0 - self.alpha);
        let mut power = q.powf(length as f64);
        let mut covariance = [[0.0; 3]; 3];
        let mut deviations = Vec::with_capacity(horizon);
        for t in length..length + horizon {
            let i = t as f64;
            let observe = if self.kind == Kind::Dynamic {
                let by_slope = (1.0 - q * power) / a - power * (i + 1.0) / 2.0;
                [1.0, self.weight * power, self.weight * by_slope]
            } else {
                [1.0, 0.0, 0.0]
            };
            let along = times(&covariance, &observe);
            deviations.push((dot(&along, &observe) + self.variance).max(0.0).sqrt());
            let gain = [a, 1.0 / (i + 1.0), 6.0 / ((i + 1.0) * (i + 2.0))];
            let keep = [
                [q, 0.0, 0.0],
                [0.0, i / (i + 1.0), 0.0],
                [0.0, -6.0 / ((i + 1.0) * (i + 2.0)), (i - 1.0) / (i + 2.0)],
            ];
            covariance = carry(&covariance, &keep, &gain, &observe, self.variance);
            power *= q;
        }
        deviations
    }
}

fn dot(a: &[f64; 3], b: &[f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn times(matrix: &[[f64; 3]; 3], vector: &[f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| dot(&matrix[i], vector))
}

/// F P Fᵀ + σ² g gᵀ with F = keep + gain · observeᵀ.
fn carry(
    covariance: &[[f64; 3]; 3],
    keep: &[[f64; 3]; 3],
    gain: &[f64; 3],
    observe: &[f64; 3],
    variance: f64,
) -> [[f64; 3]; 3] {
    let step: [[f64; 3]; 3] =
        std::array::from_fn(|i| std::array::from_fn(|j| keep[i][j] + gain[i] * observe[j]));
    let half: [[f64; 3]; 3] = std::array::from_fn(|i| times(covariance, &step[i]));
    std::array::from_fn(|i| {
        std::array::from_fn(|j| dot(&half[j], &step[i]) + variance * gain[i] * gain[j])
    })
}
