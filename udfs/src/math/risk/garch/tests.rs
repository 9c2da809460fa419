//! Fits against arch 8.0.0, and the slopes against differences.

use super::likelihood::Likelihood;
use super::{Innovations, Model, Parameters, Refusal, Variant, fit, forecast};
use crate::math::rng::Rng;

const RETURNS: &str = include_str!("../../../../../tests/data/risk/returns.csv");
const SIMULATED: &str = include_str!("../../../../../tests/data/risk/garch_sim.csv");
const EXPECTED: &str = include_str!("../../../../../tests/data/risk/expected_market_risk.csv");

fn column(text: &str, index: usize, factor: f64) -> Vec<f64> {
    let field = |line: &str| line.split(',').nth(index).unwrap().parse::<f64>().unwrap();
    text.lines()
        .skip(1)
        .map(|line| factor * field(line))
        .collect()
}

fn model(variant: Variant, innovations: Innovations, p: usize, q: usize) -> Model {
    Model {
        variant,
        innovations,
        p,
        q,
    }
}

/// One expected number: `name,model_metric,params,value,tolerance`; the parameters may hold commas.
struct Expected<'a> {
    series: &'a str,
    metric: &'a str,
    horizon: usize,
    value: f64,
    tolerance: f64,
}

fn expected(line: &str) -> Option<Expected<'_>> {
    let mut fields = line.split(',');
    let (series, metric) = (fields.next()?, fields.next()?);
    let mut last = line.rsplit(',');
    let (tolerance, value) = (last.next()?.parse().ok()?, last.next()?.parse().ok()?);
    let horizon = line.split("horizon\"\": ").nth(1);
    let horizon = horizon.and_then(|rest| rest.split('}').next()?.parse().ok());
    Some(Expected {
        series,
        metric,
        horizon: horizon.unwrap_or(0),
        value,
        tolerance,
    })
}

/// The file's values are arch's. It ends its search a little early where the likelihood is flat in ν, so that ν
/// itself is left to the next test.
#[test]
fn equals_arch_within_its_tolerances() {
    let series = [
        ("garch_sim", column(SIMULATED, 1, 1.0)),
        ("AAPL_x100", column(RETURNS, 1, 100.0)),
        ("BENCH_x100", column(RETURNS, 7, 100.0)),
    ];
    let models = [
        ("garch11_normal_", Variant::Garch, Innovations::Normal),
        ("garch11_t_", Variant::Garch, Innovations::StudentT),
        ("gjr11_normal_", Variant::Gjr, Innovations::Normal),
        ("gjr11_t_", Variant::Gjr, Innovations::StudentT),
    ];
    let mut compared = 0;
    for (name, returns) in &series {
        for (prefix, variant, innovations) in models {
            let found = fit(returns, model(variant, innovations, 1, 1)).unwrap();
            let steps = forecast(&found, 10, 0.95, 0);
            let p = &found.parameters;
            let wanted = EXPECTED.lines().filter_map(expected);
            for wanted in wanted.filter(|wanted| wanted.series == *name) {
                let value = match wanted.metric.strip_prefix(prefix) {
                    Some("mu") => p.mu,
                    Some("omega") => p.omega,
                    Some("alpha[1]") => p.alpha[0],
                    Some("gamma[1]") => p.gamma[0],
                    Some("beta[1]") => p.beta[0],
                    Some("loglik") => found.log_likelihood,
                    Some("last_cond_vol") => found.variances.last().unwrap().sqrt(),
                    Some("fvar") => steps[wanted.horizon - 1].variance,
                    _ => continue,
                };
                compared += 1;
                let off = (value - wanted.value).abs();
                assert!(off <= wanted.tolerance, "{name} {}: {value}", wanted.metric);
            }
        }
    }
    assert_eq!(compared, 3 * (2 * 9 + 2 * 10));
}

/// arch 8.0.0: the log-likelihood, the last volatility and the next variance of other orders.
#[test]
fn equals_arch_for_other_orders() {
    use Innovations::{Normal, StudentT};
    use Variant::{Egarch, Garch, Gjr};
    let simulated = column(SIMULATED, 1, 1.0);
    let share = column(RETURNS, 1, 100.0);
    for (returns, wanted, [likelihood, deviation, variance]) in [
        (
            &simulated,
            model(Egarch, Normal, 1, 1),
            [-4854.8796, 1.08704, 1.26028],
        ),
        (
            &simulated,
            model(Egarch, StudentT, 1, 1),
            [-4853.5017, 1.08525, 1.25760],
        ),
        (
            &share,
            model(Egarch, Normal, 1, 1),
            [-2374.2094, 1.63993, 2.70961],
        ),
        (
            &share,
            model(Egarch, StudentT, 1, 1),
            [-2290.9943, 1.78642, 3.11069],
        ),
        (
            &simulated,
            model(Garch, Normal, 1, 2),
            [-4847.9414, 1.05261, 1.20514],
        ),
        (
            &share,
            model(Garch, StudentT, 1, 2),
            [-2309.2063, 1.84135, 2.36811],
        ),
        (
            &share,
            model(Gjr, StudentT, 1, 2),
            [-2297.4544, 1.72722, 2.67683],
        ),
        (
            &share,
            model(Garch, Normal, 1, 0),
            [-2438.5448, 1.59380, 2.06274],
        ),
        (
            &simulated,
            model(Garch, StudentT, 1, 0),
            [-4916.7258, 1.20709, 1.56243],
        ),
    ] {
        let found = fit(returns, wanted).unwrap();
        assert!(
            (found.log_likelihood - likelihood).abs() < 0.005,
            "{wanted:?}: {}",
            found.log_likelihood
        );
        let last = found.variances.last().unwrap().sqrt();
        assert!((last / deviation - 1.0).abs() < 0.005, "{wanted:?}: {last}");
        let next = forecast(&found, 1, 0.95, 0)[0].variance;
        assert!((next / variance - 1.0).abs() < 0.005, "{wanted:?}: {next}");
    }
}

#[test]
fn slopes_are_those_of_the_likelihood() {
    let mut rng = Rng::new(1);
    let returns: Vec<f64> = (0..60).map(|_| rng.normal()).collect();
    for (variant, nu) in [
        (Variant::Garch, None),
        (Variant::Gjr, Some(6.0)),
        (Variant::Egarch, Some(9.0)),
        (Variant::Egarch, None),
    ] {
        let at = Parameters {
            mu: 0.1,
            omega: 0.2,
            alpha: vec![0.1, 0.07],
            gamma: if variant == Variant::Garch {
                vec![]
            } else {
                vec![0.05, -0.03]
            },
            beta: vec![0.3, 0.2],
            nu,
        };
        let mut likelihood = Likelihood::new(variant, &returns, 1.3);
        likelihood.loss_with_slopes(&at);
        let mut slopes = vec![likelihood.slopes.mu, likelihood.slopes.omega];
        slopes.extend(
            likelihood
                .slopes
                .alpha
                .iter()
                .chain(&likelihood.slopes.gamma),
        );
        slopes.extend(&likelihood.slopes.beta);
        slopes.push(likelihood.by_nu);
        let mut numbers: Vec<fn(&mut Parameters) -> &mut f64> =
            vec![|p| &mut p.mu, |p| &mut p.omega, |p| &mut p.alpha[0], |p| {
                &mut p.alpha[1]
            }];
        if variant != Variant::Garch {
            numbers.extend([
                (|p| &mut p.gamma[0]) as fn(&mut Parameters) -> &mut f64,
                |p| &mut p.gamma[1],
            ]);
        }
        numbers.extend([
            (|p| &mut p.beta[0]) as fn(&mut Parameters) -> &mut f64,
            |p| &mut p.beta[1],
        ]);
        if nu.is_some() {
            numbers.push(|p| p.nu.as_mut().unwrap());
        }
        for (index, number) in numbers.into_iter().enumerate() {
            let mut moved = |by: f64| {
                let mut parameters = at.clone();
                *number(&mut parameters) += by;
                likelihood.loss(&parameters)
            };
            let slope = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!(
                (slope - slopes[index]).abs() < 1e-5 * slope.abs().max(1.0),
                "{variant:?} {index}: {slope} {}",
                slopes[index]
            );
        }
    }
}

#[test]
fn the_unit_of_the_returns_does_not_matter() {
    let returns = column(RETURNS, 1, 1.0);
    for variant in [Variant::Garch, Variant::Gjr, Variant::Egarch] {
        let model = model(variant, Innovations::StudentT, 1, 1);
        let scaled: Vec<f64> = returns.iter().map(|x| 1e4 * x).collect();
        let (a, b) = (fit(&returns, model).unwrap(), fit(&scaled, model).unwrap());
        let steps = forecast(&a, 5, 0.99, 3)
            .into_iter()
            .zip(forecast(&b, 5, 0.99, 3));
        for (a, b) in steps {
            assert!((1e8 * a.variance / b.variance - 1.0).abs() < 1e-6);
            assert!((1e4 * a.expected_shortfall / b.expected_shortfall - 1.0).abs() < 1e-6);
        }
    }
}

#[test]
fn ill_posed_series_are_refused() {
    let model = model(Variant::Garch, Innovations::Normal, 1, 1);
    assert_eq!(fit(&[0.1; 10], model), Err(Refusal::TooFew { found: 10 }));
    assert_eq!(fit(&[0.1; 100], model), Err(Refusal::Constant));
    let mut broken = vec![0.1; 100];
    broken[3] = f64::INFINITY;
    assert_eq!(fit(&broken, model), Err(Refusal::NotFinite));
}
