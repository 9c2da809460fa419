//! What training adds to the rules: how likely a text is good news, bad news or neither, by what the rules and VADER find in it.
//!
//! The weights are those of a multinomial logistic regression, in hundredths; `training` makes them from `news.csv`. Weights of words and
//! of pairs of words were tried too: with sentences of our own alone they judge those not seen no better.

use super::super::vader::Scores;
use super::feelings::Feelings;

/// How many things count.
pub(super) const FOUND: usize = 9;

/// Of good news, then of bad news, against neither.
pub(super) const WEIGHTS: [[f64; FOUND]; 2] = include!("weights.in");

/// What a text is judged by.
pub(super) type Features = [f64; FOUND];

/// The features of a text with these words.
pub(super) fn features(words: &[&str], rules: &Feelings, vader: &Scores) -> Features {
    let share = |sum: f64| sum / (1.0 + sum);
    let is = |yes: bool| f64::from(u8::from(yes));
    let is_figure = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    [
        1.0,
        rules.score,
        share(rules.positive),
        share(rules.negative),
        is(rules.positive + rules.negative == 0.0),
        vader.compound,
        vader.positive,
        vader.negative,
        is(words.iter().any(is_figure)),
    ]
}

/// How much more likely than bad a text is good: the difference of the probabilities.
pub(super) fn score(weights: &[[f64; FOUND]; 2], features: &Features) -> f64 {
    let [good, bad] = sums(weights, features);
    let most = good.max(bad).max(0.0);
    let (good, bad, neither) = ((good - most).exp(), (bad - most).exp(), (-most).exp());
    (good - bad) / (good + bad + neither)
}

pub(super) fn sums(weights: &[[f64; FOUND]; 2], features: &Features) -> [f64; 2] {
    weights.map(|weights| weights.iter().zip(features).map(|(w, x)| w * x).sum())
}
