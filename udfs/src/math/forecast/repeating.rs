//! Series that are exactly a pattern on a straight line, which need no model: the only honest forecast goes on with both.

use super::{Forecast, Request};

/// How often a pattern must have been seen when nobody says how long it is; a season that is given must fit in twice.
const REPEATS: usize = 3;
/// The fewest changes from one pattern to the next that can confirm each other.
const LEAST_CHANGES: usize = 3;
/// Changes that differ by less than this, in units of the largest value, differ by rounding.
const ROUNDING: f64 = 1e-12;

/// Goes on with an exact pattern; `None` where there is none.
///
/// With the length m and the change c all values fulfil y_t = y_(t−m) + c. A line is the pattern of one value. The interval has
/// no width, as that of a constant has none.
pub(super) fn forecast(request: &Request<'_>, periods: &[usize]) -> Option<Forecast> {
    let values = request.values;
    let (length, change) = exact(values, periods)?;
    let n = values.len();
    let mean: Vec<f64> = (0..request.horizon)
        .map(|step| {
            let cycles = step / length + 1;
            values[n - length + step % length] + cycles as f64 * change
        })
        .collect();
    let before = std::iter::repeat_n(f64::NAN, length);
    let fitted = before.chain(values[..n - length].iter().map(|y| y + change));
    let model = match (length, change == 0.0) {
        (1, _) => "line".to_owned(),
        (_, true) => format!("pattern[{length}]"),
        (_, false) => format!("pattern[{length}] on a line"),
    };
    Some(Forecast {
        lower: mean.clone(),
        upper: mean.clone(),
        mean,
        fitted: fitted.collect(),
        model,
    })
}

/// The shortest length of an exact pattern and its change from one repetition to the next.
fn exact(values: &[f64], periods: &[usize]) -> Option<(usize, f64)> {
    let n = values.len();
    let largest = values.iter().fold(0.0f64, |most, y| most.max(y.abs()));
    let repeats = |length: usize| {
        let first = values[length] - values[0];
        let steps = values[length..]
            .iter()
            .zip(values)
            .map(|(y, before)| y - before);
        let is_same = |step: f64| (step - first).abs() <= ROUNDING * largest;
        (n >= length + LEAST_CHANGES && steps.into_iter().all(is_same)).then_some((length, first))
    };
    let seen = |length: &usize| periods.contains(length) || REPEATS * length <= n;
    (1..=n / 2).filter(seen).find_map(repeats)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::forecast::Model;

    fn of<'a>(values: &'a [f64], periods: &'a [usize]) -> Option<Forecast> {
        let request = Request {
            values,
            periods,
            regressors: &[],
            horizon: 5,
            confidence_level: 0.95,
            model: Model::Auto,
            seed: 0,
        };
        forecast(&request, periods)
    }

    /// By hand.
    #[test]
    fn patterns_go_on_with_their_line() {
        let week = [1300.0, 1310.0, 1320.0, 1330.0, 1340.0, 850.0, 860.0];
        let values: Vec<f64> = (0..21)
            .map(|t| week[t % 7] + (t / 7) as f64 * 2.0)
            .collect();
        let found = of(&values, &[]).unwrap();
        assert_eq!(found.model, "pattern[7] on a line");
        assert_eq!(found.mean, [1306.0, 1316.0, 1326.0, 1336.0, 1346.0]);
        assert_eq!((&found.lower, &found.upper), (&found.mean, &found.mean));
        assert!(found.fitted[6].is_nan() && found.fitted[7] == values[7]);
        let twice = of(&values[..14], &[7]).unwrap();
        assert_eq!(twice.mean[0], 1304.0);
        assert_eq!(of(&values[..14], &[]), None);
        let line: Vec<f64> = (0..9).map(|t| 0.1 * f64::from(t)).collect();
        assert!((of(&line, &[]).unwrap().mean[4] - 1.3).abs() < 1e-12);
    }

    #[test]
    fn what_is_not_exact_is_left_to_models() {
        let mut values: Vec<f64> = (0..24).map(|t| f64::from(t % 4)).collect();
        values[13] += 1e-6;
        assert_eq!(of(&values, &[4]), None);
        assert_eq!(of(&[1.0, 2.0, 3.0], &[]), None);
        assert_eq!(of(&[1.0, 5.0, 2.0, 6.0], &[2]), None);
    }
}
