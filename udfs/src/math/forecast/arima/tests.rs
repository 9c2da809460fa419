//! Tests of the choice of orders, the forecasts and their spread.

use super::*;
use crate::math::rng::Rng;

/// An autoregression of order one around 10 with coefficient 0.7.
fn autoregression(n: usize) -> Vec<f64> {
    let mut rng = Rng::new(6);
    let mut x = 0.0;
    (0..n)
        .map(|_| {
            x = 0.7 * x + rng.normal();
            10.0 + x
        })
        .collect()
}

#[test]
fn an_autoregression_is_recovered() {
    let values = autoregression(800);
    let problem = Problem::new(&values, 0).unwrap();
    let fitted = problem
        .fit(
            Order {
                p: 1,
                d: 0,
                q: 0,
                has_mean: true,
            },
            None,
        )
        .unwrap();
    assert!(
        (fitted.coefficients.ar[0] - 0.7).abs() < 0.06,
        "{:?}",
        fitted.coefficients
    );
    let far = fitted.mean(60)[59];
    assert!((far - 10.0).abs() < 0.5, "{far}");
    // The variance tends to that of the process, 1 / (1 − 0.7²).
    assert!((fitted.deviation(60)[59].powi(2) - 1.0 / 0.51).abs() < 0.4);
}

/// By hand: a random walk with drift c forecasts y_n + h c with variance h σ².
#[test]
fn a_walk_with_drift_by_hand() {
    let values = [1.0, 2.0, 4.0, 5.0, 7.0, 8.0, 10.0, 11.0, 13.0];
    let problem = Problem::new(&values, 1).unwrap();
    let fitted = problem
        .fit(
            Order {
                p: 0,
                d: 1,
                q: 0,
                has_mean: true,
            },
            None,
        )
        .unwrap();
    let mean = fitted.mean(2);
    assert!(
        (mean[0] - 14.5).abs() < 1e-4 && (mean[1] - 16.0).abs() < 1e-4,
        "{mean:?}"
    );
    let deviation = fitted.deviation(4);
    assert!((deviation[3] / deviation[0] - 2.0).abs() < 1e-9);
    assert_eq!(fitted.name(), "ARIMA(0,1,0) with drift");
}

#[test]
fn two_differences_are_summed_twice() {
    let values: Vec<f64> = (0..30)
        .map(|t| (t * t) as f64 + if t % 2 == 0 { 0.1 } else { -0.1 })
        .collect();
    let problem = Problem::new(&values, 2).unwrap();
    let fitted = problem
        .fit(
            Order {
                p: 1,
                d: 2,
                q: 0,
                has_mean: true,
            },
            None,
        )
        .unwrap();
    for (found, truth) in fitted.mean(3).iter().zip([900.0, 961.0, 1024.0]) {
        assert!((found - truth).abs() < 1.0, "{found} {truth}");
    }
}

#[test]
fn the_search_is_bounded_and_refuses_little_data() {
    assert!(select(&autoregression(7)).is_none());
    let fitted = select(&autoregression(300)).unwrap();
    assert_eq!(fitted.order.d, 0, "{}", fitted.name());
    assert!(fitted.order.p >= 1);
    assert!(refit(&autoregression(200), &fitted).is_some());
}
