//! Methods for intermittent demand: Croston, its correction by Syntetos and Boylan, and TSB.
//!
//! They smooth the sizes of demands and the waiting times (or the chance) between them; forecasts are flat.
//! Values are demands per step and never negative; the caller checks.

use super::Prediction;

/// The smoothing weight of sizes, intervals and chances, as in Croston's examples and statsforecast.
const WEIGHT: f64 = 0.1;
/// Syntetos and Boylan's correction 1 − α / 2.
const CORRECTION: f64 = 1.0 - WEIGHT / 2.0;

/// Croston's method: mean demand = smoothed size / smoothed interval.
///
/// Source: Croston (1972), "Forecasting and stock control for intermittent demands".
pub(super) fn croston(values: &[f64], horizon: usize) -> Prediction {
    flat(
        values,
        horizon,
        &sizes_and_intervals(values, 1.0),
        "Croston",
    )
}

/// Croston's method times 1 − α / 2.
///
/// Source: Syntetos and Boylan (2005), "The accuracy of intermittent demand estimates".
pub(super) fn sba(values: &[f64], horizon: usize) -> Prediction {
    flat(
        values,
        horizon,
        &sizes_and_intervals(values, CORRECTION),
        "CrostonSBA",
    )
}

/// TSB: mean demand = smoothed size × smoothed chance, where the chance falls at each step without demand.
///
/// Source: Teunter, Syntetos and Babai (2011), "Intermittent demand: linking forecasting to inventory obsolescence".
pub(super) fn tsb(values: &[f64], horizon: usize) -> Prediction {
    let mut rates = vec![f64::NAN];
    let mut size = None;
    let mut chance = 0.0;
    for (t, y) in values.iter().enumerate() {
        let demand = if *y > 0.0 { 1.0 } else { 0.0 };
        chance = if t == 0 {
            demand
        } else {
            chance + WEIGHT * (demand - chance)
        };
        if *y > 0.0 {
            size = Some(size.map_or(*y, |s| s + WEIGHT * (y - s)));
        }
        rates.push(size.unwrap_or(0.0) * chance);
    }
    flat(values, horizon, &rates, "TSB")
}

/// Expected demand before each value and after the last, times `correction`.
fn sizes_and_intervals(values: &[f64], correction: f64) -> Vec<f64> {
    let mut rates = vec![f64::NAN];
    let mut known: Option<(f64, f64)> = None;
    let mut waited = 0.0;
    for y in values {
        waited += 1.0;
        if *y > 0.0 {
            known = Some(known.map_or((*y, waited), |(size, interval)| {
                (
                    size + WEIGHT * (y - size),
                    interval + WEIGHT * (waited - interval),
                )
            }));
            waited = 0.0;
        }
        rates.push(known.map_or(0.0, |(size, interval)| correction * size / interval));
    }
    rates
}

/// A flat forecast at the last rate, with the deviation of one-step errors.
fn flat(values: &[f64], horizon: usize, rates: &[f64], name: &str) -> Prediction {
    let last = rates[rates.len() - 1];
    let errors = values
        .iter()
        .zip(rates)
        .skip(1)
        .map(|(y, rate)| (y - rate) * (y - rate));
    let sigma = (errors.sum::<f64>() / (values.len() as f64 - 1.0).max(1.0)).sqrt();
    Prediction {
        mean: vec![last; horizon],
        deviation: vec![sigma; horizon],
        fitted: rates[..values.len()].to_vec(),
        name: name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: sizes 2, then 2 + 0.1 (4 − 2) = 2.2; intervals 2, then 2 + 0.1 (3 − 2) = 2.1.
    #[test]
    fn croston_by_hand() {
        let demand = [0.0, 2.0, 0.0, 0.0, 4.0, 0.0];
        let rate = croston(&demand, 2).mean[1];
        assert!((rate - 2.2 / 2.1).abs() < 1e-12);
        assert!((sba(&demand, 1).mean[0] - 0.95 * 2.2 / 2.1).abs() < 1e-12);
    }

    /// By hand: chance 1, 0.9, 0.81 + 0.1; size 3, then 3.1.
    #[test]
    fn tsb_by_hand() {
        let rate = tsb(&[3.0, 0.0, 4.0], 1).mean[0];
        assert!((rate - 3.1 * 0.91).abs() < 1e-12);
    }

    #[test]
    fn no_demand_gives_zero() {
        assert_eq!(croston(&[0.0, 0.0], 3).mean, [0.0; 3]);
    }
}
