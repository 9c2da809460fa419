//! The search for the orders of a model.

use super::order::Order;
use super::{Fitted, MIN_OBSERVATIONS, Problem, unit_root};

const MAX_FITS: usize = 60;

/// Chooses the orders and fits them; `None` with fewer than eight observations.
///
/// With a `period` above one the series is differenced over a season where its season is strong; the number of
/// further differences (at most two) is the first at which the KPSS test does not reject at 5 %; all orders and
/// the mean are searched from four starting points by steps of one for the least AICc. A season that does not fit
/// into the series twice and a half times is none.
pub fn select(values: &[f64], period: usize) -> Option<Fitted> {
    if values.len() < MIN_OBSERVATIONS {
        return None;
    }
    let period = if 2 * values.len() >= 5 * period {
        period
    } else {
        1
    };
    let seasonal_d = usize::from(period > 1 && unit_root::is_seasonally_integrated(values, period));
    let seasonal = unit_root::differenced(values, 0, seasonal_d, period);
    let d = unit_root::differences(&seasonal);
    let problem = Problem::new(values, Order::plain(d, seasonal_d, period))?;
    let mut search = Search {
        problem: &problem,
        best: None,
        seen: Vec::new(),
    };
    for order in Order::starts(d, seasonal_d, period) {
        search.visit(order);
    }
    while search.seen.len() < MAX_FITS {
        let Some(from) = search.best.as_ref().map(|best| best.order) else {
            break;
        };
        let improved = from
            .neighbours()
            .into_iter()
            .any(|order| search.visit(order));
        if !improved {
            break;
        }
    }
    search.best
}

struct Search<'a> {
    problem: &'a Problem,
    best: Option<Fitted>,
    seen: Vec<Order>,
}

impl Search<'_> {
    /// Fits orders not seen before and tells whether they are the best so far.
    fn visit(&mut self, order: Order) -> bool {
        if self.seen.contains(&order) || self.seen.len() >= MAX_FITS {
            return false;
        }
        self.seen.push(order);
        let Some(fitted) = self.problem.fit(order, None) else {
            return false;
        };
        let better = self
            .best
            .as_ref()
            .is_none_or(|best| fitted.aicc < best.aicc);
        if better {
            self.best = Some(fitted);
        }
        better
    }
}
