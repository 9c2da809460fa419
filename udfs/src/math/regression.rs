//! Regression models beyond least squares: penalised ones by coordinate descent, logit and Poisson by reweighting.
//!
//! Columns come without a constant, which every model adds and no penalty touches.
//! Sources: Friedman, Hastie and Tibshirani (2010), "Regularization paths for generalized linear models via coordinate
//! descent"; McCullagh and Nelder (1989), "Generalized Linear Models". Reference values: scikit-learn's `Ridge`, `Lasso`,
//! `ElasticNet`, statsmodels' `Logit` and `Poisson`.

use super::stats::linear::{Covariance, Fit, least_squares};
use super::stats::mean;

/// Steps of coordinate descent and of reweighting at most.
const MAX_SWEEPS: usize = 10_000;
const MAX_REWEIGHTS: usize = 100;

/// Intercept first. Minimises Σ e² + alpha Σ β²: scikit-learn's `Ridge`.
pub fn ridge(columns: &[&[f64]], y: &[f64], alpha: f64) -> Option<Vec<f64>> {
    let (centred, means) = centred(columns);
    let level = mean(y);
    // Rows √alpha that pull each slope towards zero.
    let mut target: Vec<f64> = y.iter().map(|value| value - level).collect();
    target.extend(std::iter::repeat_n(0.0, columns.len()));
    let widened: Vec<Vec<f64>> = centred
        .into_iter()
        .enumerate()
        .map(|(j, mut column)| {
            let pull = (0..columns.len()).map(|i| if i == j { alpha.sqrt() } else { 0.0 });
            column.extend(pull);
            column
        })
        .collect();
    let slices: Vec<&[f64]> = widened.iter().map(Vec::as_slice).collect();
    let fit = least_squares(&slices, &target);
    with_intercept(fit.coefficients, &means, level)
}

/// Intercept first. Minimises Σ e² / 2n + alpha (share Σ |β| + (1 − share) Σ β² / 2): scikit-learn's `ElasticNet`,
/// and its `Lasso` with a share of one.
pub fn elastic_net(columns: &[&[f64]], y: &[f64], alpha: f64, share: f64) -> Option<Vec<f64>> {
    let (centred, means) = centred(columns);
    let (level, n) = (mean(y), y.len() as f64);
    let mut left: Vec<f64> = y.iter().map(|value| value - level).collect();
    let sizes: Vec<f64> = centred
        .iter()
        .map(|column| column.iter().map(|x| x * x).sum::<f64>() / n)
        .collect();
    let mut slopes = vec![0.0; columns.len()];
    let largest = left.iter().fold(0.0_f64, |most, e| most.max(e.abs()));
    for _ in 0..MAX_SWEEPS {
        let mut moved = 0.0_f64;
        for (j, column) in centred.iter().enumerate() {
            if sizes[j] == 0.0 {
                continue;
            }
            let pull = column.iter().zip(&left).map(|(x, e)| x * e).sum::<f64>() / n
                + sizes[j] * slopes[j];
            let kept = (pull.abs() - alpha * share).max(0.0) * pull.signum();
            let next = kept / (sizes[j] + alpha * (1.0 - share));
            let step = next - slopes[j];
            if step != 0.0 {
                left.iter_mut()
                    .zip(column)
                    .for_each(|(e, x)| *e -= step * x);
                slopes[j] = next;
                moved = moved.max(step.abs() * sizes[j].sqrt());
            }
        }
        if moved <= 1e-13 * largest {
            return with_intercept(slopes, &means, level);
        }
    }
    with_intercept(slopes, &means, level)
}

fn centred(columns: &[&[f64]]) -> (Vec<Vec<f64>>, Vec<f64>) {
    let means: Vec<f64> = columns.iter().map(|column| mean(column)).collect();
    let centre = |(column, mean): (&&[f64], &f64)| column.iter().map(|x| x - mean).collect();
    (columns.iter().zip(&means).map(centre).collect(), means)
}

fn with_intercept(slopes: Vec<f64>, means: &[f64], level: f64) -> Option<Vec<f64>> {
    let used = slopes
        .iter()
        .zip(means)
        .filter(|(slope, _)| slope.is_finite());
    let shift: f64 = used.map(|(slope, mean)| slope * mean).sum();
    let mut all = vec![level - shift];
    all.extend(slopes);
    all[0].is_finite().then_some(all)
}

/// A model of a mean that is not linear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The chance of 1 against 0: 1 / (1 + exp(−xβ)).
    Logit,
    /// A mean count: exp(xβ).
    Poisson,
}

/// A fitted model of a family.
#[derive(Debug, Clone, PartialEq)]
pub struct Generalized {
    /// Intercept first; NaN for columns that are left out.
    pub coefficients: Vec<f64>,
    pub errors: Vec<f64>,
    pub log_likelihood: f64,
    /// McFadden's 1 − log-likelihood / that of the constant alone.
    pub pseudo_r_squared: f64,
}

/// Why there is no fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoFit {
    /// A value of y that the family does not have.
    Values,
    /// y is the same everywhere.
    Constant,
    /// A combination of the columns tells y's classes apart, so estimates run away.
    Separated,
    /// The steps did not settle.
    NotConverged,
}

impl std::fmt::Display for NoFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NoFit::Values => "y has values that the model does not allow",
            NoFit::Constant => "y is constant",
            NoFit::Separated => "the columns tell the classes of y apart",
            NoFit::NotConverged => "the fit does not converge",
        })
    }
}

impl Family {
    fn mean(self, eta: f64) -> f64 {
        match self {
            Family::Logit => 1.0 / (1.0 + (-eta).exp()),
            Family::Poisson => eta.exp(),
        }
    }

    fn variance(self, mean: f64) -> f64 {
        match self {
            Family::Logit => mean * (1.0 - mean),
            Family::Poisson => mean,
        }
    }

    fn allows(self, y: f64) -> bool {
        match self {
            Family::Logit => y == 0.0 || y == 1.0,
            Family::Poisson => y >= 0.0,
        }
    }

    fn log_likelihood(self, y: f64, eta: f64) -> f64 {
        match self {
            // ln(1 + e^η) without overflow.
            Family::Logit => y * eta - eta.max(0.0) - (-eta.abs()).exp().ln_1p(),
            Family::Poisson => y * eta - eta.exp() - statrs::function::gamma::ln_gamma(y + 1.0),
        }
    }
}

/// Fits by iteratively reweighted least squares; with a robust kind the errors are the sandwich's.
///
/// # Errors
/// When y does not suit the family, or the estimates run away.
pub fn generalized(
    columns: &[&[f64]],
    y: &[f64],
    family: Family,
    kind: Covariance,
) -> Result<Generalized, NoFit> {
    if !y.iter().all(|value| family.allows(*value)) {
        return Err(NoFit::Values);
    }
    let level = mean(y);
    if super::stats::is_constant(y) {
        return Err(NoFit::Constant);
    }
    let start = match family {
        Family::Logit => (level / (1.0 - level)).ln(),
        Family::Poisson => level.ln(),
    };
    let ones = vec![1.0; y.len()];
    let mut all: Vec<&[f64]> = vec![&ones];
    all.extend_from_slice(columns);
    let mut eta = vec![start; y.len()];
    let mut before = f64::NEG_INFINITY;
    for _ in 0..MAX_REWEIGHTS {
        let (fit, weighted) = step(&all, y, &eta, family);
        let reach = |row: usize| -> f64 {
            fit.kept
                .iter()
                .map(|j| fit.coefficients[*j] * all[*j][row])
                .sum()
        };
        eta = (0..y.len()).map(reach).collect();
        let likelihood: f64 = y
            .iter()
            .zip(&eta)
            .map(|(y, eta)| family.log_likelihood(*y, *eta))
            .sum();
        if !likelihood.is_finite() {
            return Err(NoFit::NotConverged);
        }
        if family == Family::Logit && likelihood > -1e-8 * y.len() as f64 {
            return Err(NoFit::Separated);
        }
        if (likelihood - before).abs() <= 1e-12 * likelihood.abs() {
            let (fit, weighted_again) = step(&all, y, &eta, family);
            drop(weighted);
            return Ok(finished(&all, y, &eta, family, kind, &fit, &weighted_again));
        }
        before = likelihood;
    }
    Err(if family == Family::Logit {
        NoFit::Separated
    } else {
        NoFit::NotConverged
    })
}

/// One weighted least-squares step, and the weighted columns.
fn step(all: &[&[f64]], y: &[f64], eta: &[f64], family: Family) -> (Fit, Vec<Vec<f64>>) {
    let mut target = Vec::with_capacity(y.len());
    let mut roots = Vec::with_capacity(y.len());
    for (y, eta) in y.iter().zip(eta) {
        let mean = family.mean(*eta);
        let weight = family.variance(mean).max(1e-12);
        roots.push(weight.sqrt());
        target.push((eta + (y - mean) / weight) * weight.sqrt());
    }
    let weigh = |column: &&[f64]| column.iter().zip(&roots).map(|(x, w)| x * w).collect();
    let weighted: Vec<Vec<f64>> = all.iter().map(weigh).collect();
    let slices: Vec<&[f64]> = weighted.iter().map(Vec::as_slice).collect();
    (least_squares(&slices, &target), weighted)
}

fn finished(
    all: &[&[f64]],
    y: &[f64],
    eta: &[f64],
    family: Family,
    kind: Covariance,
    fit: &Fit,
    weighted: &[Vec<f64>],
) -> Generalized {
    let log_likelihood: f64 = y
        .iter()
        .zip(eta)
        .map(|(y, eta)| family.log_likelihood(*y, *eta))
        .sum();
    let level = mean(y);
    let alone = match family {
        Family::Logit => (level / (1.0 - level)).ln(),
        Family::Poisson => level.ln(),
    };
    let of_constant: f64 = y.iter().map(|y| family.log_likelihood(*y, alone)).sum();
    let mut errors = vec![f64::NAN; all.len()];
    if kind == Covariance::Const {
        for (place, column) in fit.kept.iter().enumerate() {
            errors[*column] = fit.inverse[place][place].sqrt();
        }
    } else {
        let slices: Vec<&[f64]> = weighted.iter().map(Vec::as_slice).collect();
        errors = fit.errors(&slices, kind);
    }
    Generalized {
        coefficients: fit.coefficients.clone(),
        errors,
        log_likelihood,
        pseudo_r_squared: 1.0 - log_likelihood / of_constant,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Vec<Vec<f64>> {
        let text = include_str!("../../../tests/data/stats/regression.csv");
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(1)
            .map(|line| line.split(',').map(|x| x.parse().unwrap()).collect())
            .collect();
        (0..8)
            .map(|i| rows.iter().map(|row| row[i]).collect())
            .collect()
    }

    fn expected(test: &str, metric: &str) -> f64 {
        let text = include_str!("../../../tests/data/stats/expected.csv");
        let row = |line: &&str| {
            line.starts_with(&format!("{test},")) && line.contains(&format!(",{metric},"))
        };
        let line = text.lines().find(row).unwrap();
        line.rsplit(',').nth(1).unwrap().parse().unwrap()
    }

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() <= 1e-6 * expected.abs(),
            "{found} is not {expected}"
        );
    }

    #[test]
    fn penalised_models_agree_with_scikit_learn() {
        let d = data();
        let columns: Vec<&[f64]> = vec![&d[1], &d[2], &d[3]];
        let models = [
            ("ridge_alpha1", ridge(&columns, &d[4], 1.0)),
            ("lasso_alpha0.1", elastic_net(&columns, &d[4], 0.1, 1.0)),
            (
                "elasticnet_alpha0.1_l1r0.5",
                elastic_net(&columns, &d[4], 0.1, 0.5),
            ),
        ];
        for (test, found) in models {
            let found = found.unwrap();
            for (place, metric) in ["const", "coef_x1", "coef_x2", "coef_x3"]
                .iter()
                .enumerate()
            {
                close(found[place], expected(test, metric));
            }
        }
    }

    #[test]
    fn families_agree_with_statsmodels() {
        let d = data();
        for (test, y, family) in [("logit", 5, Family::Logit), ("poisson", 6, Family::Poisson)] {
            // The reference has the columns that its metrics name.
            let text = include_str!("../../../tests/data/stats/expected.csv");
            let has = |name: &str| {
                text.lines().any(|l| {
                    l.starts_with(&format!("{test},")) && l.contains(&format!(",coef_{name},"))
                })
            };
            let used: Vec<usize> = (1..4).filter(|i| has(&format!("x{i}"))).collect();
            let columns: Vec<&[f64]> = used.iter().map(|i| d[*i].as_slice()).collect();
            let found = generalized(&columns, &d[y], family, Covariance::Const).unwrap();
            close(found.coefficients[0], expected(test, "coef_const"));
            close(found.errors[0], expected(test, "se_const"));
            for (place, i) in used.iter().enumerate() {
                close(
                    found.coefficients[place + 1],
                    expected(test, &format!("coef_x{i}")),
                );
                close(found.errors[place + 1], expected(test, &format!("se_x{i}")));
            }
        }
    }

    #[test]
    fn what_has_no_fit_says_why() {
        let x: &[f64] = &[1.0, 2.0, 3.0, 4.0];
        let fit = |y: &[f64], family| generalized(&[x], y, family, Covariance::Const).unwrap_err();
        assert_eq!(fit(&[0.0, 0.5, 1.0, 1.0], Family::Logit), NoFit::Values);
        assert_eq!(fit(&[1.0; 4], Family::Logit), NoFit::Constant);
        assert_eq!(fit(&[0.0, 0.0, 1.0, 1.0], Family::Logit), NoFit::Separated);
        assert_eq!(fit(&[-1.0, 0.0, 1.0, 1.0], Family::Poisson), NoFit::Values);
    }
}
