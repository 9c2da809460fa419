//! A scorecard: default as a logistic function of a borrower's figures, and how well it tells good from bad.

use super::portfolio::cholesky;
use super::quantile::quantile;
use crate::math::distribution::normal_probability;

/// Newton steps after which the search ends, and the change of the log-likelihood that ends it before.
const MAX_STEPS: usize = 50;
const TOLERANCE: f64 = 1e-12;
/// Log-odds beyond this are a separation, not an estimate.
const MOST_LOG_ODDS: f64 = 500.0;

/// A logistic regression by maximum likelihood.
#[derive(Debug, Clone, PartialEq)]
pub struct Logit {
    /// The constant, then one for each column.
    pub coefficients: Vec<f64>,
    pub errors: Vec<f64>,
    pub log_likelihood: f64,
    /// Of the constant alone.
    pub null_log_likelihood: f64,
    /// The probability of each row.
    pub probabilities: Vec<f64>,
}

/// Why there is no scorecard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    TooFew { rows: usize, least: usize },
    OneOutcome,
    Separated,
    Collinear,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::TooFew { rows, least } => write!(f, "too few observations: {rows} < {least}"),
            Refusal::OneOutcome => f.write_str("all rows have the same outcome"),
            Refusal::Separated => f.write_str("the columns tell the outcomes apart without error"),
            Refusal::Collinear => f.write_str("the columns explain each other"),
        }
    }
}

impl Logit {
    /// Fits `bad` to columns, by Newton's method on standardised columns.
    ///
    /// # Errors
    /// When the data does not allow an estimate.
    pub fn fit(columns: &[Vec<f64>], bad: &[bool]) -> Result<Self, Refusal> {
        let (n, k) = (bad.len(), columns.len() + 1);
        if n < 2 * k {
            return Err(Refusal::TooFew {
                rows: n,
                least: 2 * k,
            });
        }
        let share = bad.iter().filter(|bad| **bad).count() as f64 / n as f64;
        if share == 0.0 || share == 1.0 {
            return Err(Refusal::OneOutcome);
        }
        let scales: Vec<(f64, f64)> = columns.iter().map(|column| scale(column)).collect();
        if scales
            .iter()
            .any(|(_, deviation)| deviation.is_nan() || *deviation <= 0.0)
        {
            return Err(Refusal::Collinear);
        }
        let mut rows = vec![1.0; n * k];
        for (row, values) in rows.chunks_exact_mut(k).enumerate() {
            for (column, (mean, deviation)) in scales.iter().enumerate() {
                values[column + 1] = (columns[column][row] - mean) / deviation;
            }
        }
        let mut beta = vec![0.0; k];
        beta[0] = (share / (1.0 - share)).ln();
        let mut last = f64::NEG_INFINITY;
        for _ in 0..MAX_STEPS {
            let step = newton(&rows, bad, &beta).ok_or(Refusal::Collinear)?;
            beta.iter_mut()
                .zip(&step.change)
                .for_each(|(beta, change)| *beta += change);
            if rows
                .chunks_exact(k)
                .any(|row| dot(row, &beta).abs() > MOST_LOG_ODDS)
            {
                return Err(Refusal::Separated);
            }
            if (step.log_likelihood - last).abs() <= TOLERANCE * step.log_likelihood.abs() {
                let log_odds: Vec<f64> = rows.chunks_exact(k).map(|row| dot(row, &beta)).collect();
                return Ok(finished(&beta, &step, &scales, log_odds, (bad, share)));
            }
            last = step.log_likelihood;
        }
        Err(Refusal::Separated)
    }
}

struct Newton {
    change: Vec<f64>,
    /// The inverse of the information.
    covariance: Vec<f64>,
    log_likelihood: f64,
}

fn newton(rows: &[f64], bad: &[bool], beta: &[f64]) -> Option<Newton> {
    let k = beta.len();
    let (mut slope, mut information) = (vec![0.0; k], vec![0.0; k * k]);
    let mut log_likelihood = 0.0;
    for (row, bad) in rows.chunks_exact(k).zip(bad) {
        let odds = dot(row, beta);
        let p = logistic(odds);
        log_likelihood += log_probability(odds, *bad);
        let (rest, weight) = (f64::from(u8::from(*bad)) - p, p * (1.0 - p));
        for i in 0..k {
            slope[i] += rest * row[i];
            for j in 0..=i {
                information[i * k + j] += weight * row[i] * row[j];
            }
        }
    }
    for i in 0..k {
        for j in i + 1..k {
            information[i * k + j] = information[j * k + i];
        }
    }
    let factor = cholesky(&information, k)?;
    let largest = (0..k).map(|i| factor[i * k + i]).fold(0.0, f64::max);
    if (0..k).any(|i| factor[i * k + i] <= 1e-7 * largest) {
        return None;
    }
    let mut covariance = vec![0.0; k * k];
    for column in 0..k {
        let mut unit = vec![0.0; k];
        unit[column] = 1.0;
        solve(&factor, &mut unit);
        (0..k).for_each(|row| covariance[row * k + column] = unit[row]);
    }
    solve(&factor, &mut slope);
    Some(Newton {
        change: slope,
        covariance,
        log_likelihood,
    })
}

/// Solves `L L' x = b` in place.
fn solve(factor: &[f64], b: &mut [f64]) {
    let k = b.len();
    for i in 0..k {
        let done: f64 = (0..i).map(|j| factor[i * k + j] * b[j]).sum();
        b[i] = (b[i] - done) / factor[i * k + i];
    }
    for i in (0..k).rev() {
        let done: f64 = (i + 1..k).map(|j| factor[j * k + i] * b[j]).sum();
        b[i] = (b[i] - done) / factor[i * k + i];
    }
}

/// Back to the columns' own units.
fn finished(
    beta: &[f64],
    step: &Newton,
    scales: &[(f64, f64)],
    log_odds: Vec<f64>,
    (bad, share): (&[bool], f64),
) -> Logit {
    let k = beta.len();
    let mut coefficients = beta.to_vec();
    // The constant is a sum of the others with these weights.
    let mut weights = vec![1.0; k];
    for (index, (mean, deviation)) in scales.iter().enumerate() {
        coefficients[index + 1] /= deviation;
        coefficients[0] -= coefficients[index + 1] * mean;
        weights[index + 1] = -mean / deviation;
    }
    let mut errors: Vec<f64> = (0..k).map(|i| step.covariance[i * k + i].sqrt()).collect();
    for (error, (_, deviation)) in errors[1..].iter_mut().zip(scales) {
        *error /= deviation;
    }
    let variance: f64 = (0..k)
        .map(|i| {
            (0..k)
                .map(|j| weights[i] * weights[j] * step.covariance[i * k + j])
                .sum::<f64>()
        })
        .sum();
    errors[0] = variance.sqrt();
    let n = bad.len() as f64;
    let likelihoods = log_odds
        .iter()
        .zip(bad)
        .map(|(odds, bad)| log_probability(*odds, *bad));
    Logit {
        coefficients,
        errors,
        log_likelihood: likelihoods.sum(),
        null_log_likelihood: n * (share * share.ln() + (1.0 - share) * (1.0 - share).ln()),
        probabilities: log_odds.into_iter().map(logistic).collect(),
    }
}

fn scale(column: &[f64]) -> (f64, f64) {
    let n = column.len() as f64;
    let mean = column.iter().sum::<f64>() / n;
    let square = column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    (mean, square.sqrt())
}

fn logistic(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

fn log_probability(odds: f64, bad: bool) -> f64 {
    let odds = if bad { -odds } else { odds };
    // -ln(1 + e^odds) without overflow.
    -(odds.max(0.0) + (-odds.abs()).exp().ln_1p())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The two-sided probability of a normal statistic.
pub fn two_sided(z: f64) -> f64 {
    2.0 * normal_probability(-z.abs())
}

/// How well probabilities tell good from bad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Discrimination {
    /// The area under the ROC curve; ties count half.
    pub auc: f64,
    /// Kolmogorov and Smirnov's distance between the probabilities of the good and of the bad.
    pub ks: f64,
    /// The mean squared error of the probabilities.
    pub brier: f64,
}

/// Compares probabilities with what happened. There must be good and bad.
pub fn discrimination(probabilities: &[f64], bad: &[bool]) -> Discrimination {
    let mut order: Vec<usize> = (0..bad.len()).collect();
    order.sort_unstable_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let bads = bad.iter().filter(|bad| **bad).count() as f64;
    let goods = bad.len() as f64 - bads;
    let (mut good_so_far, mut bad_so_far, mut area, mut ks) = (0.0f64, 0.0f64, 0.0, 0.0f64);
    for ties in order.chunk_by(|a, b| probabilities[*a] == probabilities[*b]) {
        let bad_here = ties.iter().filter(|row| bad[**row]).count() as f64;
        let good_here = ties.len() as f64 - bad_here;
        area += bad_here * (good_so_far + 0.5 * good_here);
        good_so_far += good_here;
        bad_so_far += bad_here;
        ks = ks.max((good_so_far / goods - bad_so_far / bads).abs());
    }
    let squares = probabilities
        .iter()
        .zip(bad)
        .map(|(p, bad)| (p - f64::from(u8::from(*bad))).powi(2));
    Discrimination {
        auc: area / (goods * bads),
        ks,
        brier: squares.sum::<f64>() / bad.len() as f64,
    }
}

/// A range of a column, with its lower bound excluded, but for the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    pub lower: f64,
    pub upper: f64,
    pub rows: usize,
    /// The weight of evidence, ln(share of the good / share of the bad): positive where there are fewer bad.
    pub woe: f64,
    /// What it adds to the information value, (share of the good - share of the bad) woe.
    pub information: f64,
}

/// A column's ranges between its quantiles (see [`quantile`]), equal bounds merged. Weights are infinite where there are
/// none of one kind.
pub fn bins(column: &[f64], bad: &[bool], count: usize) -> Vec<Bin> {
    let mut edges: Vec<f64> = (0..=count)
        .filter_map(|edge| quantile(&[column], edge as f64 / count as f64))
        .collect();
    edges.dedup();
    let bads = bad.iter().filter(|bad| **bad).count() as f64;
    let goods = bad.len() as f64 - bads;
    let ranges = edges.windows(2).enumerate().map(|(index, range)| {
        let inside = |x: f64| (x > range[0] || index == 0) && x <= range[1];
        let rows = column.iter().zip(bad).filter(|(x, _)| inside(**x));
        let (mut good_here, mut bad_here) = (0.0, 0.0);
        rows.for_each(|(_, bad)| *if *bad { &mut bad_here } else { &mut good_here } += 1.0);
        let (good, bad) = (good_here / goods, bad_here / bads);
        let woe = (good / bad).ln();
        Bin {
            lower: range[0],
            upper: range[1],
            rows: (good_here + bad_here) as usize,
            woe,
            information: (good - bad) * woe,
        }
    });
    ranges.collect()
}

/// Points for a probability of default: `base_score` at odds of `base_odds` good to one bad, `doubling` more for twice
/// the odds.
pub fn points(probability: f64, base_score: f64, base_odds: f64, doubling: f64) -> f64 {
    let factor = doubling / std::f64::consts::LN_2;
    base_score + factor * (((1.0 - probability) / probability).ln() - base_odds.ln())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOANS: &str = include_str!("../../../../tests/data/risk/loans.csv");
    const EXPECTED: &str = include_str!("../../../../tests/data/risk/expected_credit_risk.csv");
    const NAMES: [&str; 7] = [
        "const",
        "log_income",
        "ltv",
        "age",
        "dpd_count",
        "utilisation",
        "tenure_months",
    ];

    fn loans() -> (Vec<Vec<f64>>, Vec<bool>) {
        let mut columns = vec![Vec::new(); 6];
        let mut bad = Vec::new();
        for line in LOANS.lines().skip(1) {
            let fields: Vec<f64> = line
                .split(',')
                .map(|field| field.parse().unwrap())
                .collect();
            columns[0].push(fields[1].ln());
            (1..6).for_each(|index| columns[index].push(fields[index + 1]));
            bad.push(fields[7] == 1.0);
        }
        (columns, bad)
    }

    /// statsmodels 0.15 and scikit-learn 1.9.
    #[test]
    fn equals_the_reference() {
        let (columns, bad) = loans();
        let fit = Logit::fit(&columns, &bad).unwrap();
        let told = discrimination(&fit.probabilities, &bad);
        let mut compared = 0;
        for line in EXPECTED.lines().skip(1) {
            let mut fields = line.split(',');
            let (item, metric) = (fields.next().unwrap(), fields.next().unwrap());
            let mut last = line.rsplit(',');
            let (tolerance, value): (f64, f64) = (
                last.next().unwrap().parse().unwrap(),
                last.next().unwrap().parse().unwrap(),
            );
            let term = |prefix: &str| {
                let name = metric.strip_prefix(prefix)?;
                NAMES.iter().position(|known| *known == name)
            };
            let loan = |prefix: &str| metric.strip_prefix(prefix)?.parse::<usize>().ok();
            let found = if item == "utilisation" || item == "ltv" {
                let column = if item == "ltv" {
                    &columns[1]
                } else {
                    &columns[4]
                };
                let bins = bins(column, &bad, 5);
                match metric {
                    "iv" => bins.iter().map(|bin| bin.information).sum(),
                    "psi_halves" => continue,
                    other => {
                        bins[other
                            .strip_prefix("woe_bin")
                            .unwrap()
                            .parse::<usize>()
                            .unwrap()]
                        .woe
                    }
                }
            } else if let Some(loan) = loan("score_loan_") {
                points(fit.probabilities[loan - 1], 600.0, 50.0, 20.0)
            } else if item != "logit" {
                continue;
            } else if let Some(loan) = loan("pd_loan_") {
                fit.probabilities[loan - 1]
            } else if let Some(index) = term("coef_") {
                fit.coefficients[index]
            } else if let Some(index) = term("se_") {
                fit.errors[index]
            } else if let Some(index) = term("z_") {
                fit.coefficients[index] / fit.errors[index]
            } else if let Some(index) = term("p_") {
                two_sided(fit.coefficients[index] / fit.errors[index])
            } else {
                match metric {
                    "loglik" => fit.log_likelihood,
                    "mcfadden_r2" => 1.0 - fit.log_likelihood / fit.null_log_likelihood,
                    "auc" => told.auc,
                    "gini" => 2.0 * told.auc - 1.0,
                    "ks" => told.ks,
                    "brier" => told.brier,
                    other => unreachable!("{other}"),
                }
            };
            assert!(
                (found - value).abs() <= tolerance,
                "{item} {metric}: {found} {value}"
            );
            compared += 1;
        }
        assert!(compared > 50, "{compared}");
    }

    #[test]
    fn what_cannot_be_told_is_refused() {
        let x: Vec<f64> = (0..20).map(f64::from).collect();
        let split: Vec<bool> = (0..20).map(|i| i >= 10).collect();
        assert_eq!(
            Logit::fit(std::slice::from_ref(&x), &split),
            Err(Refusal::Separated)
        );
        let mixed: Vec<bool> = (0..20).map(|i| i % 3 == 0).collect();
        assert_eq!(
            Logit::fit(&[x.clone(), x.clone()], &mixed),
            Err(Refusal::Collinear)
        );
        assert_eq!(Logit::fit(&[x], &[true; 20]), Err(Refusal::OneOutcome));
    }
}
