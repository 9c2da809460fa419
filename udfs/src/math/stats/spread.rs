//! Tests of equal variances.

use super::distribution::{chi_squared_tail, f_tail};
use super::location::{Moments, anova};
use super::mean;

/// What deviations are measured from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Center {
    Mean,
    /// Brown and Forsythe's form, which does not mind skewed samples.
    Median,
    /// The mean without a tenth of the values at either end.
    Trimmed,
}

impl Center {
    pub const NAMES: &'static [&'static str] = &["median", "mean", "trimmed"];

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "mean" => Some(Self::Mean),
            "median" => Some(Self::Median),
            "trimmed" => Some(Self::Trimmed),
            _ => None,
        }
    }
}

/// Levene's statistic and its p-value: the analysis of variance of |x − center|.
pub fn levene(groups: &[Vec<f64>], center: Center) -> Option<(f64, f64)> {
    let deviations = groups
        .iter()
        .filter(|group| !group.is_empty())
        .map(|group| {
            let mut sorted = group.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let cut = match center {
                Center::Trimmed => (0.05 * sorted.len() as f64) as usize,
                Center::Mean | Center::Median => 0,
            };
            let kept = &sorted[cut..sorted.len() - cut];
            let middle = match center {
                Center::Median => super::describe::quantile_sorted(kept, 0.5),
                Center::Mean | Center::Trimmed => mean(kept),
            };
            Moments::of(&kept.iter().map(|x| (x - middle).abs()).collect::<Vec<_>>())
        });
    let [f, _, df1, df2, _] = anova(&deviations.collect::<Vec<_>>())?;
    Some((f, f_tail(f, df1, df2)))
}

/// Bartlett's statistic and its p-value; it takes the samples for normal.
pub fn bartlett(groups: &[Vec<f64>]) -> Option<(f64, f64)> {
    let groups: Vec<Moments> = groups.iter().map(|group| Moments::of(group)).collect();
    let groups: Vec<&Moments> = groups.iter().filter(|group| group.count > 0.0).collect();
    if groups.len() < 2
        || groups
            .iter()
            .any(|group| group.count < 2.0 || group.squares <= 0.0)
    {
        return None;
    }
    let k = groups.len() as f64;
    let df: f64 = groups.iter().map(|group| group.count - 1.0).sum();
    let pooled = groups.iter().map(|group| group.squares).sum::<f64>() / df;
    let logs: f64 = groups
        .iter()
        .map(|group| (group.count - 1.0) * (group.squares / (group.count - 1.0)).ln())
        .sum();
    let inverse: f64 = groups.iter().map(|group| 1.0 / (group.count - 1.0)).sum();
    let statistic = (df * pooled.ln() - logs) / (1.0 + (inverse - 1.0 / df) / (3.0 * (k - 1.0)));
    Some((statistic, chi_squared_tail(statistic, k - 1.0)))
}
