//! Tests of means: Student's and Welch's t, the analysis of variance.

use super::distribution::{f_tail, t_quantile, t_tail};
use super::{Alternative, mean, squares};

/// Count, mean and sum of squared deviations: all that a t test needs, and mergeable.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    pub count: f64,
    pub mean: f64,
    pub squares: f64,
}

impl Moments {
    /// Those of a sample.
    pub fn of(values: &[f64]) -> Self {
        if values.is_empty() {
            return Self::default();
        }
        let mean = mean(values);
        Self {
            count: values.len() as f64,
            mean,
            squares: squares(values, mean),
        }
    }

    /// Those of two samples together.
    ///
    /// Source: Chan, Golub and LeVeque (1979), "Updating formulae and a pairwise algorithm".
    pub fn merged(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let delta = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + delta * other.count / count,
            squares: self.squares
                + other.squares
                + delta * delta * self.count * other.count / count,
        }
    }

    fn variance(&self) -> f64 {
        self.squares / (self.count - 1.0)
    }
}

/// A t test's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TTest {
    pub statistic: f64,
    pub p_value: f64,
    pub df: f64,
    /// The mean, or the difference of means.
    pub estimate: f64,
    /// The interval of the estimate at the given level, open on the side that the alternative leaves.
    pub lower: f64,
    pub upper: f64,
}

fn test(
    estimate: f64,
    hypothesis: f64,
    error: f64,
    df: f64,
    alternative: Alternative,
    level: f64,
) -> Option<TTest> {
    if error.is_nan() || error <= 0.0 || df <= 0.0 {
        return None;
    }
    let statistic = (estimate - hypothesis) / error;
    let (lower, upper) = match alternative {
        Alternative::TwoSided => {
            let margin = error * t_quantile(0.5 + 0.5 * level, df);
            (estimate - margin, estimate + margin)
        }
        Alternative::Less => (f64::NEG_INFINITY, estimate + error * t_quantile(level, df)),
        Alternative::Greater => (estimate - error * t_quantile(level, df), f64::INFINITY),
    };
    Some(TTest {
        statistic,
        p_value: alternative.symmetric(statistic, |t| t_tail(t, df)),
        df,
        estimate,
        lower,
        upper,
    })
}

/// Whether the mean is `mu`: t = (x̄ − μ) / (s / √n), with n − 1 degrees of freedom.
pub fn t_test_one(x: Moments, mu: f64, alternative: Alternative, level: f64) -> Option<TTest> {
    if x.count < 2.0 {
        return None;
    }
    let error = (x.variance() / x.count).sqrt();
    test(x.mean, mu, error, x.count - 1.0, alternative, level)
}

/// Whether two means differ: Welch's test, or Student's with a common variance.
///
/// Welch: t = (x̄ − ȳ) / √(sx²/n + sy²/m), degrees of freedom by Welch and Satterthwaite.
pub fn t_test_two(
    x: Moments,
    y: Moments,
    equal_variances: bool,
    alternative: Alternative,
    level: f64,
) -> Option<TTest> {
    if x.count < 1.0 || y.count < 1.0 || (!equal_variances && x.count.min(y.count) < 2.0) {
        return None;
    }
    let (error, df) = if equal_variances {
        let df = x.count + y.count - 2.0;
        let pooled = (x.squares + y.squares) / df;
        ((pooled * (1.0 / x.count + 1.0 / y.count)).sqrt(), df)
    } else {
        let (a, b) = (x.variance() / x.count, y.variance() / y.count);
        let df = (a + b) * (a + b) / (a * a / (x.count - 1.0) + b * b / (y.count - 1.0));
        ((a + b).sqrt(), df)
    };
    test(x.mean - y.mean, 0.0, error, df, alternative, level)
}

/// The difference of means in units of the common standard deviation: Cohen's d.
pub fn cohens_d(x: Moments, y: Moments) -> Option<f64> {
    let df = x.count + y.count - 2.0;
    let pooled = ((x.squares + y.squares) / df).sqrt();
    (df > 0.0 && pooled > 0.0).then(|| (x.mean - y.mean) / pooled)
}

/// Whether several means differ, the one-way analysis of variance.
///
/// F = (Σ nᵢ (x̄ᵢ − x̄)² / (k − 1)) / (Σ (x − x̄ᵢ)² / (n − k)); returned with p, both degrees of freedom and
/// η², the share of the variance between groups.
pub fn anova(groups: &[Moments]) -> Option<[f64; 5]> {
    let filled: Vec<Moments> = groups
        .iter()
        .copied()
        .filter(|group| group.count > 0.0)
        .collect();
    let whole = filled
        .iter()
        .fold(Moments::default(), |all, group| all.merged(*group));
    let within: f64 = filled.iter().map(|group| group.squares).sum();
    let between: f64 = filled
        .iter()
        .map(|group| group.count * (group.mean - whole.mean).powi(2))
        .sum();
    let (df1, df2) = (filled.len() as f64 - 1.0, whole.count - filled.len() as f64);
    if df1 < 1.0 || df2 < 1.0 || within <= 0.0 {
        return None;
    }
    let f = (between / df1) / (within / df2);
    Some([
        f,
        f_tail(f, df1, df2),
        df1,
        df2,
        between / (between + within),
    ])
}
