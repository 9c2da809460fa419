//! Tests of the gradient against differences of the value, and of the variances against simulation.

use super::*;
use crate::math::rng::Rng;

/// Positive values with level, slope and a season of four.
fn quarterly() -> Vec<f64> {
    let mut rng = Rng::new(4);
    (0..48)
        .map(|t| (10.0 + 0.1 * t as f64) * [1.2, 0.9, 0.8, 1.1][t % 4] + 0.3 * rng.normal())
        .collect()
}

#[test]
fn the_gradient_is_that_of_the_value() {
    let problem = Problem::new(&quarterly(), 4).unwrap();
    let mut tape = Tape::new(problem.values.len());
    for &form in Form::ALL {
        let start = Start::new(&problem.values, 4, form).unwrap();
        let layout = Layout::new(form, problem.unit, start);
        let mut x = layout.guess(0.3, 0.2);
        x.iter_mut()
            .enumerate()
            .for_each(|(i, x)| *x += 0.1 * (i as f64).sin());
        let mut gradient = vec![0.0; x.len()];
        let value = problem.objective(form, &layout, &x, &mut gradient, &mut tape);
        assert!(value.is_finite());
        for i in 0..x.len() {
            let mut at = |step: f64| {
                let mut moved = x.clone();
                moved[i] += step;
                problem.objective(form, &layout, &moved, &mut vec![0.0; x.len()], &mut tape)
            };
            let difference: f64 = (at(1e-5) - at(-1e-5)) / 2e-5;
            let slack = 1e-4 * (1.0 + difference.abs());
            assert!(
                (gradient[i] - difference).abs() < slack,
                "{form} {i}: {} {difference}",
                gradient[i]
            );
        }
    }
}

/// The exact variance of an additive form against sample variances of its own simulated paths.
#[test]
fn variances_agree_with_simulation() {
    let fitted = fit(&quarterly(), 4, Form::ALL[8], None).unwrap();
    let exact = fitted.deviation(9, 0);
    let p = fitted.parameters;
    let mut rng = Rng::new(9);
    let mut squares = [0.0; 9];
    let paths = 20_000;
    for _ in 0..paths {
        let mut state = State {
            level: 0.0,
            slope: 0.0,
            season: vec![0.0; 4],
        };
        for (h, square) in squares.iter_mut().enumerate() {
            let error = fitted.variance.sqrt() * rng.normal();
            let base = state.level + p.phi * state.slope;
            *square += (base + state.season[h % 4] + error).powi(2);
            state.level = base + p.alpha * error;
            state.slope = p.phi * state.slope + p.beta * error;
            state.season[h % 4] += p.gamma * error;
        }
    }
    for (square, deviation) in squares.iter().zip(exact) {
        let sampled = (square / f64::from(paths)).sqrt();
        assert!(
            (sampled / deviation - 1.0).abs() < 0.03,
            "{sampled} {deviation}"
        );
    }
}

#[test]
fn negative_values_rule_multiplicative_forms_out() {
    let values: Vec<f64> = quarterly().iter().map(|y| y - 12.0).collect();
    for &form in Form::ALL {
        let multiplicative =
            form.error == ErrorKind::Multiplicative || form.season == SeasonKind::Multiplicative;
        assert_eq!(
            fit(&values, 4, form, None).is_none(),
            multiplicative,
            "{form}"
        );
    }
}

#[test]
fn a_multiplicative_season_is_recognised() {
    let chosen = select(&quarterly(), 4, Form::ALL).unwrap();
    assert_eq!(chosen.form.season, SeasonKind::Multiplicative);
}
