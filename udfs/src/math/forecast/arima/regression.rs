//! Regression on columns known in the past and ahead, with a seasonal ARIMA model of its errors.

use super::conditional::{without_ar, without_ma};
use super::{Fitted, refit, select, unit_root};
use crate::math::stats::linear::{Fit, least_squares};

/// Rounds of fitting the errors' model and the coefficients in turn.
const ROUNDS: usize = 3;

/// What regressors do to a series.
#[derive(Debug, Clone)]
pub struct Effect {
    /// One a column; zero for a column that is constant, or a combination of those before it.
    pub coefficients: Vec<f64>,
    /// The covariance of the coefficients.
    pub covariance: Vec<Vec<f64>>,
}

impl Effect {
    /// Σ βⱼ xⱼ at each row.
    pub fn of(&self, columns: &[&[f64]], rows: usize) -> Vec<f64> {
        let mut sum = vec![0.0; rows];
        for (b, column) in self.coefficients.iter().zip(columns) {
            sum.iter_mut().zip(*column).for_each(|(s, x)| *s += b * x);
        }
        sum
    }

    /// The variance that the coefficients' errors give to Σ βⱼ (xⱼ − centreⱼ) at each row.
    pub fn variance(&self, columns: &[&[f64]], centres: &[f64], rows: usize) -> Vec<f64> {
        let at = |row: usize, j: usize| columns[j][row] - centres[j];
        let one = |row: usize| {
            let mut sum = 0.0;
            for (i, line) in self.covariance.iter().enumerate() {
                for (j, covariance) in line.iter().enumerate() {
                    sum += at(row, i) * covariance * at(row, j);
                }
            }
            sum.max(0.0)
        };
        (0..rows).map(one).collect()
    }
}

/// Fits y = Σ βⱼ xⱼ + n with n a seasonal ARIMA model, chosen on what least squares leaves; `None` where there are too
/// few observations.
///
/// Coefficients and model are fitted in turn: given the model, its filter makes the errors independent, and least squares
/// on filtered values and columns is generalised least squares (Cochrane and Orcutt 1949).
pub fn regress(values: &[f64], period: usize, columns: &[&[f64]]) -> Option<Effect> {
    let ones = vec![1.0; values.len()];
    let mut all: Vec<&[f64]> = vec![&ones];
    all.extend_from_slice(columns);
    if values.len() < columns.len() + 4 {
        return None;
    }
    let mut effect = effect(&least_squares(&all, values), columns.len(), 1);
    let mut model: Option<Fitted> = None;
    for _ in 0..ROUNDS {
        let explained = effect.of(columns, values.len());
        let left: Vec<f64> = values.iter().zip(explained).map(|(y, x)| y - x).collect();
        let next = match &model {
            None => select(&left, period),
            Some(known) => refit(&left, known),
        };
        let Some(next) = next else { break };
        effect = generalised(values, columns, &next);
        model = Some(next);
    }
    Some(effect)
}

/// Least squares on what the model's filter makes of values and columns.
fn generalised(values: &[f64], columns: &[&[f64]], model: &Fitted) -> Effect {
    let order = &model.order;
    let filtered = |values: &[f64]| {
        let w = unit_root::differenced(values, order.d, order.seasonal_d, order.period);
        let mut left = vec![0.0; w.len()];
        without_ar(&w, &model.coefficients.ar, &mut left);
        without_ma(&model.coefficients.ma, &mut left);
        // What the autoregression looks back to is not known to the first rows.
        let start = order.reach().min(left.len() / 3);
        left.split_off(start)
    };
    let y = filtered(values);
    let has_constant = order.has_mean;
    let mut all: Vec<Vec<f64>> = Vec::with_capacity(columns.len() + 1);
    if has_constant {
        all.push(filtered_constant(model, values.len(), y.len()));
    }
    all.extend(columns.iter().map(|column| filtered(column)));
    let slices: Vec<&[f64]> = all.iter().map(Vec::as_slice).collect();
    let fit = least_squares(&slices, &y);
    effect(&fit, columns.len(), usize::from(has_constant))
}

/// The filter of a differenced series that is one everywhere.
fn filtered_constant(model: &Fitted, n: usize, rows: usize) -> Vec<f64> {
    let order = &model.order;
    let w = vec![1.0; n - order.d - order.seasonal_d * order.period];
    let mut left = vec![0.0; w.len()];
    without_ar(&w, &model.coefficients.ar, &mut left);
    without_ma(&model.coefficients.ma, &mut left);
    left.split_off(left.len() - rows)
}

/// What a fit says of the columns from `first` on; before them may be a constant.
fn effect(fit: &Fit, columns: usize, first: usize) -> Effect {
    let scale = fit.rss / fit.df().max(1.0);
    let place = |column: usize| fit.kept.iter().position(|kept| *kept == column + first);
    let cell = |i: usize, j: usize| match (place(i), place(j)) {
        (Some(i), Some(j)) => scale * fit.inverse[i][j],
        _ => 0.0,
    };
    let coefficient = |column: usize| {
        let found = fit.coefficients[column + first];
        if found.is_finite() { found } else { 0.0 }
    };
    Effect {
        coefficients: (0..columns).map(coefficient).collect(),
        covariance: (0..columns)
            .map(|i| (0..columns).map(|j| cell(i, j)).collect())
            .collect(),
    }
}
