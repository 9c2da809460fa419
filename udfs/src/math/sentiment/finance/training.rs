//! Makes the weights of the model from `news.csv`, sentences written for it, and measures it on sentences that it has not seen.
//!
//! `TESSERA_TRAIN=1 cargo nextest run --workspace -E 'test(finance::training)'` writes `weights.in`. Multinomial logistic regression
//! with a quadratic penalty, by Nesterov's accelerated gradient from zero: the same on every run.

use super::model::{self, FOUND, Features};
use super::*;

const NEWS: &str = include_str!("news.csv");
/// For the mean loss.
const PENALTY: f64 = 0.003;
const ROUNDS: usize = 2_000;
const FOLDS: usize = 10;
/// Below 1 / the greatest curvature of the mean loss: half the squared length of a text's features.
const RATE: f64 = 0.2;
/// The weights are written in such units.
const STEP: f64 = 0.01;

type Weights = [[f64; FOUND]; 2];

struct Sample {
    features: Features,
    rules: f64,
    label: i8,
}

fn samples(file: &str) -> Vec<Sample> {
    let mut finance = Finance::default();
    let lines = file.lines().skip(1);
    let lines = lines.map(|line| line.split_once(',').unwrap());
    lines
        .map(|(label, text)| {
            let (features, rules) = finance.examine(text);
            Sample {
                features,
                rules: rules.score,
                label: label.parse().unwrap(),
            }
        })
        .collect()
}

/// Which of the samples are labelled as a score says.
fn share(samples: &[&Sample], score: impl Fn(&Sample) -> f64) -> f64 {
    let right = samples.iter().filter(|sample| {
        let score = score(sample);
        let good = i8::from(score > feelings::NEUTRAL);
        good - i8::from(score < -feelings::NEUTRAL) == sample.label
    });
    right.count() as f64 / samples.len() as f64
}

fn train(samples: &[&Sample]) -> Weights {
    let mut weights = Weights::default();
    let mut ahead = weights;
    for round in 0..ROUNDS {
        let mut gradient = ahead.map(|weights| weights.map(|weight| PENALTY * weight));
        // What all texts share is free of it.
        gradient.iter_mut().for_each(|gradient| gradient[0] = 0.0);
        for sample in samples {
            let likely = model::sums(&ahead, &sample.features).map(f64::exp);
            let all = 1.0 + likely[0] + likely[1];
            for (class, label) in [1, -1].into_iter().enumerate() {
                let is = f64::from(u8::from(sample.label == label));
                let error = (likely[class] / all - is) / samples.len() as f64;
                for (slope, value) in gradient[class].iter_mut().zip(sample.features) {
                    *slope += error * value;
                }
            }
        }
        let momentum = round as f64 / (round as f64 + 3.0);
        for class in 0..2 {
            for at in 0..FOUND {
                let next = ahead[class][at] - RATE * gradient[class][at];
                ahead[class][at] = next + momentum * (next - weights[class][at]);
                weights[class][at] = next;
            }
        }
    }
    weights
}

/// The share of sentences that are judged right by weights from the others.
fn held_out(samples: &[Sample]) -> f64 {
    let mut right = 0.0;
    for fold in 0..FOLDS {
        let part = |held: bool| -> Vec<&Sample> {
            let all = samples.iter().enumerate();
            let part = all.filter(|(place, _)| (place % FOLDS == fold) == held);
            part.map(|(_, sample)| sample).collect()
        };
        let weights = train(&part(false));
        let test = part(true);
        let score = |sample: &Sample| model::score(&weights, &sample.features);
        right += test.len() as f64 * share(&test, score);
    }
    right / samples.len() as f64
}

#[test]
fn weights_are_those_of_the_training() {
    let samples = samples(NEWS);
    let made = train(&samples.iter().collect::<Vec<_>>());
    let made = made.map(|weights| weights.map(|weight| (weight / STEP).round() * STEP));
    if std::env::var_os("TESSERA_TRAIN").is_some() {
        let row = |weights: &[f64; FOUND]| {
            let weights = weights.map(|weight| format!("{weight:.2}"));
            format!("[{}]", weights.join(", "))
        };
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/math/sentiment/finance/weights.in"
        );
        let text = format!("[{}, {}]\n", row(&made[0]), row(&made[1]));
        std::fs::write(path, text).unwrap();
        return;
    }
    for (made, kept) in made.iter().zip(&model::WEIGHTS) {
        for (made, kept) in made.iter().zip(kept) {
            assert!((made - kept).abs() < 1.5 * STEP, "{made} {kept}");
        }
    }
}

#[test]
fn sentences_not_seen_are_judged_better_than_by_the_rules() {
    let samples = samples(NEWS);
    let all: Vec<&Sample> = samples.iter().collect();
    let rules = share(&all, |sample| sample.rules);
    let found = held_out(&samples);
    assert!(found > 0.85 && found > rules, "{found} {rules}");
}
