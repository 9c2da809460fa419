//! Ways along the efficient frontier: which of its portfolios an objective of mean and variance means.
//!
//! A path knows the portfolio w(τ) for any tolerance of risk τ ≥ 0; an objective is the root of a function that grows with τ.
//! How w(τ) is found is the business of [`frontier`](super::frontier) and [`restricted`](super::restricted).

use crate::math::matrix::Symmetric;

use super::frontier::ROOM;
use super::refusal::Refusal;

/// Two τ that differ by less, relatively, are one.
const SAME: f64 = 1e-11;
/// By how much τ grows at most in a step.
const LEAP: f64 = 1e3;
/// Two variances that differ by less, relatively, are one.
const JUMP: f64 = 1e-7;
/// Steps of the search for τ.
const MAX_SEARCH: usize = 200;
/// Beyond this, relative to the first guess, τ counts as infinite.
const FAR: f64 = 1e9;

/// How large the numbers of a problem are.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// The mean variance of the assets.
    pub variance: f64,
    /// Between the lowest and the highest expected return.
    pub spread: f64,
}

impl Scale {
    /// Of a covariance and expected returns.
    pub fn of(covariance: &Symmetric, mean: &[f64]) -> Self {
        let highest = mean.iter().copied().fold(f64::MIN, f64::max);
        let lowest = mean.iter().copied().fold(f64::MAX, f64::min);
        Self {
            variance: covariance.trace() / mean.len().max(1) as f64,
            spread: highest - lowest,
        }
    }

    fn first_guess(self) -> f64 {
        if self.spread > 0.0 && self.variance > 0.0 {
            0.1 * self.variance / self.spread
        } else {
            1.0
        }
    }
}

/// A frontier, at one of its portfolios. Returns are net of what trades cost.
pub trait Path {
    /// Goes to w(τ).
    ///
    /// # Errors
    /// [`Refusal::NoSolution`] when rounding keeps the method from its end.
    fn go_to(&mut self, tolerance: f64) -> Result<(), Refusal>;

    /// w'Sw.
    fn variance(&self) -> f64;

    /// The expected return.
    fn expected(&self) -> f64;

    /// The derivative of the expected return by τ while the free assets stay the same.
    fn gain(&self) -> f64;

    /// The highest expected return; infinite if nothing holds it or it is not known.
    fn highest(&self) -> f64;

    /// Whether the expected return has a highest.
    fn has_end(&self) -> bool;

    /// What is added to the diagonal of S.
    fn ridge(&self) -> f64;

    /// How large the numbers are.
    fn scale(&self) -> Scale;

    /// Goes to the portfolio of the least variance.
    ///
    /// # Errors
    /// As [`Path::go_to`].
    fn least_variance(&mut self) -> Result<(), Refusal> {
        self.go_to(0.0)
    }

    /// Goes to the portfolio of the greatest m'w − ½ aversion w'Sw.
    ///
    /// # Errors
    /// As [`Path::go_to`].
    fn greatest_utility(&mut self, aversion: f64) -> Result<(), Refusal> {
        self.go_to(1.0 / aversion)
    }

    /// Goes to the portfolio of the greatest (m'w − offset) / √(w'Sw), where offset is what earns without risk.
    ///
    /// # Errors
    /// [`Refusal::NoExcess`] when no portfolio has m'w above the offset, [`Refusal::NoRisk`] when one with risk zero has,
    /// [`Refusal::Unbounded`] when the ratio grows without end.
    fn greatest_ratio(&mut self, offset: f64) -> Result<(), Refusal> {
        let highest = self.highest();
        if highest <= offset {
            return Err(Refusal::NoExcess { highest });
        }
        self.go_to(0.0)?;
        let excess = self.expected() - offset;
        let first = match excess > 0.0 {
            true => self.variance() / excess,
            false => self.scale().variance / (highest - offset).min(1.0),
        };
        self.search(first, |tolerance, variance, expected, gain| {
            let excess = expected - offset;
            // Along the piece the variance is s + gain τ² and the excess e + gain τ, so that
            // τ excess = variance, which the best ratio fulfils, means τ = s / e.
            let s = variance - gain * tolerance * tolerance;
            let e = excess - gain * tolerance;
            let root = if e > 0.0 { s / e } else { f64::INFINITY };
            (tolerance * excess - variance, root)
        })?;
        if self.variance() <= 4.0 * self.ridge() {
            return Err(Refusal::NoRisk);
        }
        Ok(())
    }

    /// Goes to the portfolio of the least variance among those with m'w of at least `target`.
    ///
    /// # Errors
    /// [`Refusal::ReturnTooHigh`] when there is none.
    fn least_variance_for_return(&mut self, target: f64) -> Result<(), Refusal> {
        let highest = self.highest();
        if target > highest + ROOM * (1.0 + highest.abs()) {
            return Err(Refusal::ReturnTooHigh { target, highest });
        }
        self.go_to(0.0)?;
        if self.expected() >= target {
            return Ok(());
        }
        let first = self.scale().first_guess();
        self.search(first, |tolerance, _, expected, gain| {
            let start = expected - gain * tolerance;
            let root = if gain > 0.0 {
                (target - start) / gain
            } else {
                f64::INFINITY
            };
            (expected - target, root)
        })
    }

    /// Goes to the portfolio of the greatest m'w among those with √(w'Sw) of at most `target`.
    ///
    /// # Errors
    /// [`Refusal::RiskTooLow`] when there is none.
    fn greatest_return_for_risk(&mut self, target: f64) -> Result<(), Refusal> {
        self.go_to(0.0)?;
        let lowest = self.variance().sqrt();
        if lowest > target * (1.0 + 1e-9) {
            return Err(Refusal::RiskTooLow { target, lowest });
        }
        let first = self.scale().first_guess();
        self.search(first, |tolerance, variance, _, gain| {
            let start = variance - gain * tolerance * tolerance;
            let root = if gain > 0.0 {
                ((target * target - start) / gain).max(0.0).sqrt()
            } else {
                f64::INFINITY
            };
            (variance - target * target, root)
        })
    }

    /// Finds the τ at which a growing function is zero. `at` gets τ, variance, return and the piece's gain, and gives the
    /// function's value there and the root it would have if the piece had no end. Ends at the frontier's upper end if the
    /// function stays negative.
    fn search(
        &mut self,
        first: f64,
        at: impl Fn(f64, f64, f64, f64) -> (f64, f64),
    ) -> Result<(), Refusal> {
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let (mut least, mut most) = (0.0, f64::INFINITY);
        let mut tolerance = first.max(f64::MIN_POSITIVE);
        let end = tolerance * FAR;
        for _ in 0..MAX_SEARCH {
            self.go_to(tolerance)?;
            let (value, root) = at(tolerance, self.variance(), self.expected(), self.gain());
            if (root - tolerance).abs() <= SAME * tolerance {
                return Ok(());
            }
            if value < 0.0 {
                (low, least) = (tolerance, self.variance());
            } else {
                (high, most) = (tolerance, self.variance());
            }
            if high.is_finite() && high - low <= 1e-13 * high {
                // The portfolios on the two sides differ where nothing but rounding tells one from the other.
                return match most - least <= JUMP * most {
                    true => Ok(()),
                    false => Err(Refusal::NoSolution),
                };
            }
            tolerance = if root > low && root < high {
                // Where nothing moves the root is rounding: the next piece may begin before it.
                root.min(LEAP * tolerance)
            } else if high.is_finite() {
                if low > 0.0 {
                    (low * high).sqrt()
                } else {
                    0.1 * high
                }
            } else {
                8.0 * tolerance
            };
            if tolerance > end {
                // Nothing moves any more, or all moves for ever.
                return match self.has_end() {
                    true => Ok(()),
                    false => Err(Refusal::Unbounded),
                };
            }
        }
        Ok(())
    }
}
