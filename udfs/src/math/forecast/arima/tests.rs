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
    let problem = Problem::new(&values, Order::plain(0, 0, 1)).unwrap();
    let fitted = problem
        .fit(
            Order {
                p: 1,
                has_mean: true,
                ..Order::plain(0, 0, 1)
            },
            None,
        )
        .unwrap();
    assert!(
        (fitted.coefficients.ar[0].1 - 0.7).abs() < 0.06,
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
    let problem = Problem::new(&values, Order::plain(1, 0, 1)).unwrap();
    let fitted = problem
        .fit(
            Order {
                has_mean: true,
                ..Order::plain(1, 0, 1)
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
    let problem = Problem::new(&values, Order::plain(2, 0, 1)).unwrap();
    let fitted = problem
        .fit(
            Order {
                p: 1,
                has_mean: true,
                ..Order::plain(2, 0, 1)
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
    assert!(select(&autoregression(7), 1).is_none());
    let fitted = select(&autoregression(300), 1).unwrap();
    assert_eq!(fitted.order.d, 0, "{}", fitted.name());
    assert!(fitted.order.p >= 1);
    assert!(refit(&autoregression(200), &fitted).is_some());
}

/// The airline passengers (Box and Jenkins, series G) in logarithms. R's arima(log(AirPassengers), c(0,1,1), c(0,1,1)):
/// ma1 −0.4018, sma1 −0.5569, and 6.5073 for July 1961.
#[test]
fn the_airline_model_is_found() {
    const PASSENGERS: [f64; 144] = [
        112., 118., 132., 129., 121., 135., 148., 148., 136., 119., 104., 118., 115., 126., 141.,
        135., 125., 149., 170., 170., 158., 133., 114., 140., 145., 150., 178., 163., 172., 178.,
        199., 199., 184., 162., 146., 166., 171., 180., 193., 181., 183., 218., 230., 242., 209.,
        191., 172., 194., 196., 196., 236., 235., 229., 243., 264., 272., 237., 211., 180., 201.,
        204., 188., 235., 227., 234., 264., 302., 293., 259., 229., 203., 229., 242., 233., 267.,
        269., 270., 315., 364., 347., 312., 274., 237., 278., 284., 277., 317., 313., 318., 374.,
        413., 405., 355., 306., 271., 306., 315., 301., 356., 348., 355., 422., 465., 467., 404.,
        347., 305., 336., 340., 318., 362., 348., 363., 435., 491., 505., 404., 359., 310., 337.,
        360., 342., 406., 396., 420., 472., 548., 559., 463., 407., 362., 405., 417., 391., 419.,
        461., 472., 535., 622., 606., 508., 461., 390., 432.,
    ];
    let logs: Vec<f64> = PASSENGERS.iter().map(|y| y.ln()).collect();
    let fitted = select(&logs, 12).unwrap();
    let order = fitted.order;
    assert_eq!((order.d, order.seasonal_d), (1, 1), "{}", fitted.name());
    let known = Problem::new(&logs, Order::plain(1, 1, 12))
        .unwrap()
        .fit(
            Order {
                q: 1,
                seasonal_q: 1,
                ..Order::plain(1, 1, 12)
            },
            None,
        )
        .unwrap();
    let ma = &known.coefficients.ma;
    assert!(
        (ma[0].1 + 0.4).abs() < 0.06 && (ma[1].1 + 0.56).abs() < 0.1,
        "{ma:?}"
    );
    assert!(
        (known.mean(7)[6] - 6.5073).abs() < 0.01,
        "{:?}",
        known.mean(7)
    );
    assert!(known.fitted()[12].is_nan() && known.fitted()[13].is_finite());
}

/// y = 3 x + an autoregression, by construction.
#[test]
fn a_regression_with_correlated_errors_finds_its_slope() {
    let errors = autoregression(300);
    let x: Vec<f64> = (0..300).map(|t| f64::from(t % 17)).collect();
    let values: Vec<f64> = errors.iter().zip(&x).map(|(e, x)| e + 3.0 * x).collect();
    let constant = vec![5.0; 300];
    let found = regress(&values, 1, &[&x, &constant]).unwrap();
    let error = found.covariance[0][0].sqrt();
    assert!(
        (found.coefficients[0] - 3.0).abs() < 4.0 * error,
        "{found:?}"
    );
    assert!(error > 0.001 && error < 0.03, "{error}");
    assert_eq!(found.coefficients[1], 0.0);
}
