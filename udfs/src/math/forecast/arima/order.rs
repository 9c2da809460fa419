//! The orders of a seasonal ARIMA model, their neighbours and their name.

use std::fmt;

/// The largest order of each kind.
const MAX_ORDER: usize = 5;
const MAX_SEASONAL_ORDER: usize = 2;

/// (p, d, q)(P, D, Q) with a season of `period` steps, and whether the differenced series has a mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) p: usize,
    pub(super) d: usize,
    pub(super) q: usize,
    pub(super) seasonal_p: usize,
    pub(super) seasonal_d: usize,
    pub(super) seasonal_q: usize,
    /// One without a season.
    pub(super) period: usize,
    /// The differenced series has a mean that is not zero.
    pub(super) has_mean: bool,
}

impl Order {
    /// No coefficients at all.
    pub(super) fn plain(d: usize, seasonal_d: usize, period: usize) -> Self {
        Self {
            p: 0,
            d,
            q: 0,
            seasonal_p: 0,
            seasonal_d,
            seasonal_q: 0,
            period,
            has_mean: d + seasonal_d < 2,
        }
    }

    /// How many coefficients there are beside the mean.
    pub(super) fn coefficients(&self) -> usize {
        self.p + self.q + self.seasonal_p + self.seasonal_q
    }

    /// How many numbers are estimated.
    pub(super) fn free(&self) -> usize {
        self.coefficients() + usize::from(self.has_mean)
    }

    /// How far back the autoregression of the differenced series looks.
    pub(super) fn reach(&self) -> usize {
        self.p + self.seasonal_p * self.period
    }

    /// The models that the search begins with.
    pub(super) fn starts(d: usize, seasonal_d: usize, period: usize) -> Vec<Self> {
        let plain = Self::plain(d, seasonal_d, period);
        let season = usize::from(period > 1);
        let mut starts: Vec<Self> = [(2, 2, 1, 1), (0, 0, 0, 0), (1, 0, 1, 0), (0, 1, 0, 1)]
            .into_iter()
            .map(|(p, q, seasonal_p, seasonal_q)| Self {
                p,
                q,
                seasonal_p: seasonal_p * season,
                seasonal_q: seasonal_q * season,
                ..plain
            })
            .collect();
        if plain.has_mean {
            starts.push(Self {
                has_mean: false,
                ..plain
            });
        }
        starts
    }

    /// The orders one step away: seasonal ones first, as they matter most.
    pub(super) fn neighbours(self) -> Vec<Self> {
        const STEPS: [(isize, isize); 8] = [
            (-1, 0),
            (0, -1),
            (1, 0),
            (0, 1),
            (-1, -1),
            (-1, 1),
            (1, -1),
            (1, 1),
        ];
        let moved = |order: usize, step: isize, most: usize| {
            order.checked_add_signed(step).filter(|n| *n <= most)
        };
        let mut around = Vec::with_capacity(2 * STEPS.len() + 1);
        if self.period > 1 {
            around.extend(STEPS.iter().filter_map(|(p, q)| {
                Some(Self {
                    seasonal_p: moved(self.seasonal_p, *p, MAX_SEASONAL_ORDER)?,
                    seasonal_q: moved(self.seasonal_q, *q, MAX_SEASONAL_ORDER)?,
                    ..self
                })
            }));
        }
        around.extend(STEPS.iter().filter_map(|(p, q)| {
            Some(Self {
                p: moved(self.p, *p, MAX_ORDER)?,
                q: moved(self.q, *q, MAX_ORDER)?,
                ..self
            })
        }));
        if self.d + self.seasonal_d < 2 {
            around.push(Self {
                has_mean: !self.has_mean,
                ..self
            });
        }
        around
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Order { p, d, q, .. } = self;
        write!(f, "ARIMA({p},{d},{q})")?;
        if self.period > 1 {
            let (p, d, q) = (self.seasonal_p, self.seasonal_d, self.seasonal_q);
            write!(f, "({p},{d},{q})[{}]", self.period)?;
        }
        f.write_str(match (self.has_mean, self.d + self.seasonal_d) {
            (false, _) => "",
            (true, 0) => " with mean",
            (true, _) => " with drift",
        })
    }
}
