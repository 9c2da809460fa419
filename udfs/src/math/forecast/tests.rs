//! Tests of the front door: published forecasts, equivariance, determinism, degenerate series.
//!
//! The series are of the M3 competition (Makridakis and Hibon 2000); the expected forecasts were made with
//! statsforecast 2.1.1.

use super::*;
use crate::math::rng::Rng;

const N0426: &[f64] = &[
    5660., 5540., 5610., 5730., 5730., 5710., 5550., 5670., 5750., 5710., 5540., 5600., 5610.,
    5540., 5550., 5540., 5570., 5620., 5690., 5730., 5750., 5800., 5740., 5660., 5700., 5780.,
    5780., 5610., 5680., 5790., 5930., 5990., 5920., 5900., 5780., 5790., 5950., 6010., 6070.,
    6150.,
];
const N0611: &[f64] = &[
    1929., 2129., 2178., 2233., 2448., 2642., 2906., 3011., 3368., 3642., 3655., 3714., 3863.,
    3835., 4054., 4136., 4389., 4652., 5264.,
];
const N1365: &[f64] = &[
    5386.09, 5316.12, 5331.11, 5344.44, 5254.48, 5281.13, 5341.11, 5367.76, 5359.43, 5337.78,
    5399.42, 5382.76, 5259.48, 5194.5, 5161.18, 5172.84, 5016.24, 4954.6, 5002.92, 4987.92,
    4904.62, 4894.63, 4956.27, 5002.92, 4919.62, 4909.62, 4972.93, 5096.21, 5027.9, 5024.57,
    5076.22, 5169.51, 5101.21, 5089.55, 5142.86, 5237.82, 5119.53, 5006.25, 5036.23, 5131.19,
    5079.55, 5027.9, 5087.88, 5136.19,
];
const N0958: &[f64] = &[
    4306., 4117.5, 4235., 4310.5, 4202., 4243.5, 4271., 4437., 4337., 4388.5, 4407.5, 4346., 4423.,
    4385., 4498., 4435., 4493.5, 4523., 4548., 4645., 4880.5, 4929., 5028.5, 5162., 5227.5, 5409.,
    5209., 5290.5, 5182., 5225., 5237., 5279.5, 5244.5, 5104., 5032., 4978.5, 4884.5, 4977.,
    4965.5, 4950., 5066., 5097.5, 5107., 5073.5,
];
const N0932: &[f64] = &[
    5655.65, 5478.45, 6000.05, 5868.15, 5751., 6018.95, 6131.1, 6173.1, 6260.6, 6118.8, 6577.15,
    6803.85, 6763.45, 6639.3, 6855.55, 6779.3, 6543.4, 6821.85, 7033.9, 7088.8, 6950.65, 6962.65,
    6367.15, 6414., 6616.7, 6454.85, 6700.85, 6792.35, 6812.75, 6862., 6911.6, 7313.5, 7445.2,
    7352.8, 7541.5, 7778.95, 7305.75, 6720.6, 5951.9, 6932.55, 7475.6, 7023.55,
];

fn request(values: &[f64], model: Model) -> Request<'_> {
    Request {
        values,
        periods: &[],
        regressors: &[],
        horizon: 6,
        confidence_level: 0.95,
        model,
        seed: 0,
    }
}

fn assert_near(found: &[f64], expected: &[f64], relative: f64) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!(
            (f - e).abs() <= relative * e.abs(),
            "{found:?} is not {expected:?}"
        );
    }
}

/// A trend with a season of twelve and noise.
fn monthly(n: usize) -> Vec<f64> {
    let mut rng = Rng::new(11);
    let wave = |t: usize| (t as f64 * std::f64::consts::TAU / 12.0).sin();
    (0..n)
        .map(|t| 100.0 + 0.5 * t as f64 + 10.0 * wave(t) + rng.normal())
        .collect()
}

/// AutoETS: ETS(M,N,N) with its 95 % bounds.
#[test]
fn ets_level_agrees_with_statsforecast() {
    let found = forecast(&request(N0426, Model::Ets)).unwrap();
    assert_eq!(found.model, "ETS(M,N,N)");
    assert_near(&found.mean, &[6149.99; 6], 1e-5);
    assert_near(
        &found.lower,
        &[5964.94, 5888.28, 5829.45, 5779.85, 5736.13, 5696.61],
        1e-3,
    );
    assert_near(
        &found.upper,
        &[6335.05, 6411.7, 6470.53, 6520.14, 6563.85, 6603.38],
        1e-3,
    );
}

/// AutoETS: ETS(M,A,N); our prior on the smoothing parameters moves the slope a little.
#[test]
fn ets_trend_agrees_with_statsforecast() {
    let found = forecast(&request(N0611, Model::Ets)).unwrap();
    assert_eq!(found.model, "ETS(M,A,N)");
    assert_near(
        &found.mean,
        &[5434.2, 5604.44, 5774.68, 5944.92, 6115.16, 6285.4],
        2e-3,
    );
}

/// AutoETS: ETS(A,N,A) with its 95 % bounds.
#[test]
fn ets_season_agrees_with_statsforecast() {
    let form = Form::new(ErrorKind::Additive, TrendKind::None, SeasonKind::Additive);
    let found = ets::fit(N1365, 4, form, None).unwrap();
    let mean = found.mean(6);
    assert_near(
        &mean,
        &[5058.48, 5030.03, 5080.16, 5136.19, 5058.48, 5030.03],
        2e-3,
    );
    let (lower, _) = found.interval(&mean, 0.95, 0);
    assert_near(
        &lower,
        &[4976.75, 4914.77, 4938.66, 4972.15, 4875.2, 4829.54],
        3e-3,
    );
}

/// AutoTheta, with m = 4.
#[test]
fn theta_agrees_with_statsforecast() {
    let found = forecast(&Request {
        periods: &[4],
        ..request(N0958, Model::Theta)
    })
    .unwrap();
    assert_near(
        &found.mean,
        &[5074.69, 5100.76, 5095.71, 5127.98, 5125.97, 5152.18],
        2e-3,
    );
    assert_near(
        &found.lower,
        &[4900.09, 4878.12, 4766.92, 4778.86, 4743.5, 4726.17],
        2e-2,
    );
}

/// MSTL with a season of four.
#[test]
fn mstl_agrees_with_statsforecast() {
    let found = forecast(&Request {
        periods: &[4],
        ..request(N0932, Model::Mstl)
    })
    .unwrap();
    assert_eq!(found.model, "MSTL(4) + ETS(A,N,N)");
    assert_near(
        &found.mean,
        &[6942.54, 7212.82, 7220.35, 7023.58, 6942.54, 7212.82],
        1e-3,
    );
    assert_near(
        &found.upper,
        &[7500.6, 8002., 8186.87, 8139.61, 8190.3, 8579.67],
        5e-3,
    );
}

/// SeasonalNaive with m = 1: the naive forecast and its 95 % bounds.
#[test]
fn naive_agrees_with_statsforecast() {
    let found = forecast(&request(N0426, Model::Naive)).unwrap();
    assert_near(&found.mean, &[6150.0; 6], 1e-12);
    assert_near(
        &found.lower,
        &[5984.31, 5915.69, 5863.02, 5818.63, 5779.52, 5744.16],
        1e-5,
    );
}

/// By hand: slope (6150 − 5660) / 39.
#[test]
fn drift_and_mean_by_hand() {
    let found = forecast(&request(N0426, Model::Drift)).unwrap();
    assert!((found.mean[1] - (6150.0 + 2.0 * 490.0 / 39.0)).abs() < 1e-9);
    let found = forecast(&request(&[1.0, 2.0, 6.0], Model::Mean)).unwrap();
    assert_near(&found.mean, &[3.0; 6], 1e-12);
}

#[test]
fn every_model_scales_with_the_series() {
    let values = monthly(60);
    for &name in Model::NAMES {
        let model = Model::parse(name).unwrap();
        let base = Request {
            periods: &[12],
            ..request(&values, model)
        };
        let plain = forecast(&base).unwrap();
        for factor in [1e-12, 3.0, 1e12] {
            let scaled: Vec<f64> = values.iter().map(|y| y * factor).collect();
            let found = forecast(&Request {
                values: &scaled,
                ..base
            })
            .unwrap();
            let back = |v: &[f64]| v.iter().map(|y| y / factor).collect::<Vec<_>>();
            assert_near(&back(&found.mean), &plain.mean, 1e-4);
            assert_near(&back(&found.upper), &plain.upper, 1e-3);
        }
    }
}

#[test]
fn additive_models_move_with_the_series() {
    let values = monthly(60);
    let moved: Vec<f64> = values.iter().map(|y| y + 50.0).collect();
    for model in [
        Model::Naive,
        Model::SeasonalNaive,
        Model::Drift,
        Model::Mean,
        Model::Ses,
        Model::Holt,
    ] {
        let base = Request {
            periods: &[12],
            ..request(&values, model)
        };
        let plain = forecast(&base).unwrap();
        let found = forecast(&Request {
            values: &moved,
            ..base
        })
        .unwrap();
        let back: Vec<f64> = found.mean.iter().map(|y| y - 50.0).collect();
        assert_near(&back, &plain.mean, 5e-4);
    }
}

#[test]
fn the_same_request_gives_the_same_bits() {
    let values = monthly(72);
    for &name in Model::NAMES {
        let again = Request {
            periods: &[12],
            ..request(&values, Model::parse(name).unwrap())
        };
        let bits = |f: Forecast| {
            [f.mean, f.lower, f.upper]
                .concat()
                .iter()
                .map(|y| y.to_bits())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            bits(forecast(&again).unwrap()),
            bits(forecast(&again).unwrap()),
            "{name}"
        );
    }
}

#[test]
fn seasons_are_continued() {
    let values = monthly(84);
    for model in [
        Model::Auto,
        Model::Ets,
        Model::Theta,
        Model::Mstl,
        Model::HoltWinters,
    ] {
        let found = forecast(&Request {
            periods: &[12],
            horizon: 12,
            ..request(&values, model)
        })
        .unwrap();
        let truth: Vec<f64> = (84..96)
            .map(|t| {
                100.0 + 0.5 * t as f64 + 10.0 * (t as f64 * std::f64::consts::TAU / 12.0).sin()
            })
            .collect();
        assert_near(&found.mean, &truth, 0.03);
        assert!(found.lower.iter().zip(&found.upper).all(|(l, u)| l < u));
        assert_eq!(found.fitted.len(), values.len());
    }
}

#[test]
fn several_seasons_are_decomposed() {
    let mut rng = Rng::new(5);
    let values: Vec<f64> = (0..1008)
        .map(|t| 50.0 + (t % 24) as f64 + if t % 168 < 48 { 20.0 } else { 0.0 })
        .map(|y| y + 0.1 * rng.normal())
        .collect();
    let found = forecast(&Request {
        periods: &[24, 168],
        ..request(&values, Model::Auto)
    })
    .unwrap();
    assert!(found.model.contains("MSTL(24,168)"), "{}", found.model);
    assert_near(&found.mean, &values[..6], 0.05);
}

#[test]
fn odd_series_never_panic() {
    let mut rng = Rng::new(2);
    let series: Vec<Vec<f64>> = vec![
        vec![0.0; 30],
        vec![-7.5; 5],
        (0..40).map(|t| t as f64).collect(),
        (0..40).map(|t| -1e9 * f64::from(t)).collect(),
        (0..40)
            .map(|t| if t % 5 == 0 { 3.0 } else { 0.0 })
            .collect(),
        (0..40)
            .map(|t| if t == 39 { 1e12 } else { 1e-12 })
            .collect(),
        (0..40)
            .map(|t| if t % 2 == 0 { 1.0 } else { -1.0 })
            .collect(),
        (0..40).map(|t| (0.5 * f64::from(t)).exp()).collect(),
        (0..60).map(|_| rng.normal()).collect(),
        vec![f64::MAX, f64::MIN, f64::MAX],
        vec![5e-324, 0.0, 5e-324, 1e-310, 0.0, 0.0],
    ];
    for values in &series {
        for length in [2, 3, 4, 5, 6, 8, 13, values.len()] {
            let values = &values[..length.min(values.len())];
            for &name in Model::NAMES {
                for periods in [[].as_slice(), &[1], &[4], &[7, 12], &[0, 1000]] {
                    let model = Model::parse(name).unwrap();
                    if let Ok(found) = forecast(&Request {
                        periods,
                        ..request(values, model)
                    }) {
                        assert!(
                            found
                                .mean
                                .iter()
                                .chain(&found.lower)
                                .chain(&found.upper)
                                .all(|y| y.is_finite())
                        );
                        assert!(
                            found.lower.iter().zip(&found.mean).all(|(l, m)| l <= m),
                            "{name} {values:?}"
                        );
                        assert_eq!(found.fitted.len(), values.len());
                    }
                }
            }
        }
    }
}

#[test]
fn auto_always_answers_two_finite_values() {
    for values in [
        &[1.0, 2.0][..],
        &[3.0, 3.0],
        &[0.0, 0.0, 0.0, 5.0],
        &[-1.0, 4.0, 2.0],
    ] {
        let found = forecast(&request(values, Model::Auto)).unwrap();
        assert_eq!(found.mean.len(), 6);
    }
}

#[test]
fn constants_are_continued_with_certainty() {
    let found = forecast(&request(&[4.0; 9], Model::Auto)).unwrap();
    assert_eq!(
        (found.mean[5], found.lower[5], found.upper[5]),
        (4.0, 4.0, 4.0)
    );
}

#[test]
fn bad_requests_are_refused_with_a_short_reason() {
    let refused = |r: Request<'_>| forecast(&r).unwrap_err().to_string();
    let base = request(N0426, Model::Auto);
    assert_eq!(
        refused(Request {
            values: &[1.0],
            ..base
        }),
        "too few observations: 1 < 2"
    );
    assert_eq!(
        refused(Request {
            values: &[1.0, 2.0, 3.0],
            model: Model::Ets,
            ..base
        }),
        "too few observations: 3 < 5"
    );
    assert_eq!(
        refused(Request {
            values: &[1.0, f64::NAN],
            ..base
        }),
        "value is not finite"
    );
    assert_eq!(
        refused(Request {
            values: &[1.0, f64::INFINITY],
            ..base
        }),
        "value is not finite"
    );
    assert_eq!(
        refused(Request { horizon: 0, ..base }),
        "horizon out of range: 0 not in 1..10000"
    );
    assert_eq!(
        refused(Request {
            model: Model::Mstl,
            ..base
        }),
        "model needs a seasonal period above 1"
    );
    assert_eq!(
        refused(Request {
            model: Model::Mstl,
            periods: &[30],
            ..base
        }),
        "too few observations: 40 < 60"
    );
    assert_eq!(
        refused(Request {
            values: &[-1.0, 0.0, 2.0],
            model: Model::Croston,
            ..base
        }),
        "model needs values that are not negative"
    );
    assert!(
        refused(Request {
            confidence_level: 1.0,
            ..base
        })
        .starts_with("confidence level out of range")
    );
}

#[test]
fn long_series_and_long_horizons_are_bounded() {
    let values = monthly(MAX_OBSERVATIONS + 50);
    let found = forecast(&Request {
        horizon: MAX_HORIZON,
        ..request(&values, Model::Ets)
    })
    .unwrap();
    assert_eq!(
        (found.mean.len(), found.fitted.len()),
        (MAX_HORIZON, values.len())
    );
    assert!(found.fitted[49].is_nan() && found.fitted[50].is_finite());
}
