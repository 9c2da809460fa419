//! `anomaly_score_zscore(x) OVER (…)` and its like: how unusual each row's value is beside those of its frame.
//!
//! - `anomaly_score_zscore`: |x − mean| / sample standard deviation; NULL with fewer than 3 values in the frame.
//! - `anomaly_score_mad`: Iglewicz and Hoaglin's 0.6745 |x − median| / MAD; NULL with fewer than 3 values. Where more than
//!   half of them are equal, the mean absolute deviation stands in, as in `detect_anomalies`.
//! - `anomaly_score_iqr(x, k)`: the distance from the nearer quartile in units of `k` interquartile ranges: above 1 lies
//!   what Tukey's fences leave out, between the quartiles it is 0. NULL with fewer than 4 values.
//!
//! The frame is the call's, PostgreSQL's default with ORDER BY being all rows up to this one. A frame that ends at
//! `1 PRECEDING` keeps the value itself out of what it is compared with. NULLs are left out and have no score; without
//! spread the score is NULL; a NaN in the frame makes it NaN.

use arrow::datatypes::DataType;

use crate::function::{Compute, Declaration, Frame, Parameter, Role, WindowSpec};
use crate::math::anomaly::{MovingMoments, Ordered};
use crate::relation::{Constant, Options, ValueType};

/// The window functions.
pub(crate) fn windows() -> impl Iterator<Item = &'static WindowSpec> {
    ALL.iter()
}

const X: Parameter = Parameter::number("x");
/// Tukey's factor.
const USUAL_FACTOR: f64 = 1.5;

const fn window(
    name: &'static str,
    parameters: &'static [Parameter],
    start: fn(&Options) -> Box<dyn Frame>,
) -> WindowSpec {
    WindowSpec {
        declaration: Declaration {
            name,
            role: Role::Framed,
            parameters,
            returns: || DataType::Float64,
        },
        compute: Compute::Frame(start),
    }
}

static ALL: &[WindowSpec] = &[
    window("anomaly_score_zscore", &[X], |_| {
        Box::new(MovingMoments::default())
    }),
    window(
        "anomaly_score_mad",
        &[X],
        |_| Box::new(Deviation::default()),
    ),
    window(
        "anomaly_score_iqr",
        &[
            X,
            Parameter::option("k", ValueType::POSITIVE).or(Constant::Number(USUAL_FACTOR)),
        ],
        |options| {
            Box::new(Quartiles {
                values: Ordered::default(),
                k: options.number("k").unwrap_or(USUAL_FACTOR),
            })
        },
    ),
];

impl Frame for MovingMoments {
    fn enter(&mut self, value: f64) {
        self.count(value, 1.0);
    }

    fn leave(&mut self, value: f64) {
        self.count(value, -1.0);
    }

    fn result(&self, value: f64) -> Option<f64> {
        self.score(value)
    }

    fn clear(&mut self) {
        *self = Self::default();
    }
}

#[derive(Debug, Default)]
struct Deviation {
    values: Ordered,
}

impl Frame for Deviation {
    fn enter(&mut self, value: f64) {
        self.values.insert(value);
    }

    fn leave(&mut self, value: f64) {
        self.values.remove(value);
    }

    fn result(&self, value: f64) -> Option<f64> {
        self.values.deviation_score(value)
    }

    fn clear(&mut self) {
        self.values.clear();
    }
}

#[derive(Debug)]
struct Quartiles {
    values: Ordered,
    k: f64,
}

impl Frame for Quartiles {
    fn enter(&mut self, value: f64) {
        self.values.insert(value);
    }

    fn leave(&mut self, value: f64) {
        self.values.remove(value);
    }

    fn result(&self, value: f64) -> Option<f64> {
        self.values.quartile_score(value, self.k)
    }

    fn clear(&mut self) {
        self.values.clear();
    }
}
