//! The forms of the ETS family and their names.

use std::fmt;

/// How the errors enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Errors of constant size.
    Additive,
    /// Errors in proportion to the forecast.
    Multiplicative,
}

/// What the trend does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrendKind {
    /// No trend.
    None,
    /// A straight line.
    Additive,
    /// A line that flattens out.
    Damped,
}

/// How the season enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeasonKind {
    /// No season.
    None,
    /// A season of constant size.
    Additive,
    /// A season in proportion to the level.
    Multiplicative,
}

/// One member of the family, written `ETS(error,trend,season)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// The first letter.
    pub error: ErrorKind,
    /// The second letter.
    pub trend: TrendKind,
    /// The third letter.
    pub season: SeasonKind,
}

impl Form {
    /// The forms without season, in the order in which ties are resolved.
    pub const NON_SEASONAL: &[Form] = &[
        Form::new(ErrorKind::Additive, TrendKind::None, SeasonKind::None),
        Form::new(ErrorKind::Multiplicative, TrendKind::None, SeasonKind::None),
        Form::new(ErrorKind::Additive, TrendKind::Additive, SeasonKind::None),
        Form::new(
            ErrorKind::Multiplicative,
            TrendKind::Additive,
            SeasonKind::None,
        ),
        Form::new(ErrorKind::Additive, TrendKind::Damped, SeasonKind::None),
        Form::new(
            ErrorKind::Multiplicative,
            TrendKind::Damped,
            SeasonKind::None,
        ),
    ];

    /// All forms without numerical trouble: no additive error with a multiplicative season.
    pub const ALL: &[Form] = &[
        Form::NON_SEASONAL[0],
        Form::NON_SEASONAL[1],
        Form::NON_SEASONAL[2],
        Form::NON_SEASONAL[3],
        Form::NON_SEASONAL[4],
        Form::NON_SEASONAL[5],
        Form::new(ErrorKind::Additive, TrendKind::None, SeasonKind::Additive),
        Form::new(
            ErrorKind::Multiplicative,
            TrendKind::None,
            SeasonKind::Additive,
        ),
        Form::new(
            ErrorKind::Additive,
            TrendKind::Additive,
            SeasonKind::Additive,
        ),
        Form::new(
            ErrorKind::Multiplicative,
            TrendKind::Additive,
            SeasonKind::Additive,
        ),
        Form::new(ErrorKind::Additive, TrendKind::Damped, SeasonKind::Additive),
        Form::new(
            ErrorKind::Multiplicative,
            TrendKind::Damped,
            SeasonKind::Additive,
        ),
        Form::new(
            ErrorKind::Multiplicative,
            TrendKind::None,
            SeasonKind::Multiplicative,
        ),
        Form::new(
            ErrorKind::Multiplicative,
            TrendKind::Additive,
            SeasonKind::Multiplicative,
        ),
        Form::new(
            ErrorKind::Multiplicative,
            TrendKind::Damped,
            SeasonKind::Multiplicative,
        ),
    ];

    /// Makes a form of its three letters.
    pub const fn new(error: ErrorKind, trend: TrendKind, season: SeasonKind) -> Self {
        Self {
            error,
            trend,
            season,
        }
    }

    /// Whether both forms have the same trend and season, and so the same states.
    pub(super) fn same_states(self, other: Form) -> bool {
        self.trend == other.trend && self.season == other.season
    }

    /// The fewest observations to which the form can be fitted.
    pub fn least_observations(self, period: usize) -> usize {
        let free = self.count(period) + 3;
        if self.season == SeasonKind::None {
            free
        } else {
            free.max(2 * period)
        }
    }

    /// How many smoothing parameters and free starting states are estimated.
    pub(super) fn count(self, period: usize) -> usize {
        let trend = match self.trend {
            TrendKind::None => 0,
            TrendKind::Additive => 2,
            TrendKind::Damped => 3,
        };
        // γ and period − 1 free indices.
        let season = if self.season == SeasonKind::None {
            0
        } else {
            period
        };
        2 + trend + season
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let error = match self.error {
            ErrorKind::Additive => "A",
            ErrorKind::Multiplicative => "M",
        };
        let trend = match self.trend {
            TrendKind::None => "N",
            TrendKind::Additive => "A",
            TrendKind::Damped => "Ad",
        };
        let season = match self.season {
            SeasonKind::None => "N",
            SeasonKind::Additive => "A",
            SeasonKind::Multiplicative => "M",
        };
        write!(f, "ETS({error},{trend},{season})")
    }
}
