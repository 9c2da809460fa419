//! Tests on counts.

use statrs::function::gamma::ln_gamma;

use super::Alternative;
use super::distribution::chi_squared_tail;

/// The result of a test of independence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Independence {
    pub statistic: f64,
    pub p_value: f64,
    pub df: f64,
    /// √(χ² / (n (min(rows, columns) − 1))), from the uncorrected χ²: 0 to 1.
    pub cramers_v: f64,
    /// The least count that independence leads one to expect; below 5 the test is rough.
    pub least_expected: f64,
}

/// Pearson's χ² of a table of counts, `rows × columns` one row behind the other.
///
/// With `correction` a table of two by two has Yates' correction, as scipy's `chi2_contingency` does.
pub fn independence(counts: &[f64], columns: usize, correction: bool) -> Option<Independence> {
    if columns == 0 || counts.iter().any(|count| *count < 0.0) {
        return None;
    }
    let rows: Vec<&[f64]> = counts
        .chunks(columns)
        .filter(|row| row.iter().sum::<f64>() > 0.0)
        .collect();
    let of_column = |j: usize| rows.iter().map(|row| row[j]).sum::<f64>();
    let filled: Vec<usize> = (0..columns).filter(|j| of_column(*j) > 0.0).collect();
    if rows.len() < 2 || filled.len() < 2 {
        return None;
    }
    let total: f64 = filled.iter().map(|j| of_column(*j)).sum();
    let df = (rows.len() - 1) as f64 * (filled.len() - 1) as f64;
    let (mut statistic, mut plain, mut least) = (0.0, 0.0, f64::INFINITY);
    for row in &rows {
        let of_row: f64 = row.iter().sum();
        for j in &filled {
            let expected = of_row * of_column(*j) / total;
            let distance = (row[*j] - expected).abs();
            let cut = if correction && df == 1.0 {
                distance.min(0.5)
            } else {
                0.0
            };
            statistic += (distance - cut).powi(2) / expected;
            plain += distance * distance / expected;
            least = least.min(expected);
        }
    }
    let smaller = (rows.len().min(filled.len()) - 1) as f64;
    Some(Independence {
        statistic,
        p_value: chi_squared_tail(statistic, df),
        df,
        cramers_v: (plain / (total * smaller)).sqrt(),
        least_expected: least,
    })
}

/// χ² of counts against expected ones, which are scaled to the same total: statistic, p-value, degrees of freedom.
pub fn goodness_of_fit(observed: &[f64], expected: &[f64], lost: f64) -> Option<[f64; 3]> {
    let (have, want) = (observed.iter().sum::<f64>(), expected.iter().sum::<f64>());
    let df = observed.len() as f64 - 1.0 - lost;
    if df < 1.0 || observed.len() != expected.len() || expected.iter().any(|e| *e <= 0.0) {
        return None;
    }
    let scale = have / want;
    let terms = observed
        .iter()
        .zip(expected)
        .map(|(o, e)| (o - e * scale).powi(2) / (e * scale));
    let statistic: f64 = terms.sum();
    (have > 0.0).then(|| [statistic, chi_squared_tail(statistic, df), df])
}

/// Counts above this total make Fisher's sum too long.
const MAX_FISHER_TOTAL: f64 = 1e8;

/// Fisher's exact test of a table of two by two: the odds ratio of the sample and the p-value.
///
/// The odds ratio is infinite or not defined where a count is zero. Two-sided, tables no more likely than the
/// observed one count, with scipy's allowance of 1e-14.
pub fn fisher_exact([a, b, c, d]: [f64; 4], alternative: Alternative) -> Option<(f64, f64)> {
    let total = a + b + c + d;
    if [a, b, c, d]
        .iter()
        .any(|count| *count < 0.0 || count.fract() != 0.0)
        || !(1.0..=MAX_FISHER_TOTAL).contains(&total)
    {
        return None;
    }
    let odds = a * d / (b * c);
    let (row, column) = (a + b, a + c);
    if row == 0.0 || column == 0.0 || row == total || column == total {
        return Some((f64::NAN, 1.0));
    }
    let choose = |n: f64, k: f64| ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    let least = (row + column - total).max(0.0);
    let most = row.min(column);
    // Likelihoods relative to the mode's, by recurrence from it, so that their sum keeps all digits.
    let mode = ((row + 1.0) * (column + 1.0) / (total + 2.0))
        .floor()
        .clamp(least, most);
    let next = |k: f64| (row - k) * (column - k) / ((k + 1.0) * (total - row - column + k + 1.0));
    let mut chances = vec![(mode, 1.0)];
    let (mut k, mut chance) = (mode, 1.0);
    while k < most && chance > 1e-300 {
        chance *= next(k);
        k += 1.0;
        chances.push((k, chance));
    }
    (k, chance) = (mode, 1.0);
    while k > least && chance > 1e-300 {
        k -= 1.0;
        chance /= next(k);
        chances.push((k, chance));
    }
    let whole: f64 = chances.iter().map(|(_, chance)| chance).sum();
    let own = chances.iter().find(|(k, _)| *k == a).map_or_else(
        || {
            let log = |k: f64| choose(column, k) + choose(total - column, row - k);
            (log(a) - log(mode)).exp()
        },
        |(_, chance)| *chance,
    );
    let counted = chances.iter().filter(|(k, chance)| match alternative {
        Alternative::Less => *k <= a,
        Alternative::Greater => *k >= a,
        Alternative::TwoSided => *chance <= own * (1.0 + 1e-14),
    });
    let mut parts: Vec<f64> = counted.map(|(_, chance)| *chance).collect();
    parts.sort_unstable_by(f64::total_cmp);
    Some((odds, (parts.iter().sum::<f64>() / whole).min(1.0)))
}
