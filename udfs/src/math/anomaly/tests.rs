//! Against `tests/data/anomaly`: textbook scores by numpy and scipy, the isolation forest of scikit-learn 1.9.

use super::{Forest, Scale, ScaleKind, generalized_esd};
use crate::math::stl;

fn series(name: &str) -> Vec<f64> {
    let lines = include_str!("../../../../tests/data/anomaly/synthetic.csv")
        .lines()
        .skip(1);
    let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| row[0] == name)
        .map(|row| row[2].parse().unwrap())
        .collect()
}

fn outliers(values: &[f64], kind: ScaleKind, threshold: f64) -> Vec<usize> {
    let Some(scale) = Scale::of(values, kind, 2) else {
        return Vec::new();
    };
    let is_outlier = |x: &f64| scale.score(*x, threshold).score > threshold;
    values
        .iter()
        .enumerate()
        .filter(|(_, x)| is_outlier(x))
        .map(|(i, _)| i + 1)
        .collect()
}

#[test]
fn outliers_are_those_expected() {
    let mut compared = 0;
    for line in include_str!("../../../../tests/data/anomaly/expected.csv")
        .lines()
        .skip(1)
    {
        let fields: Vec<&str> = line.rsplitn(4, ',').collect();
        let (value, metric) = (fields[1], fields[2]);
        let (name, rest) = line.split_once(',').unwrap();
        let method = rest.split(',').next().unwrap();
        let values = series(name);
        let list = || {
            value
                .split_whitespace()
                .map(|t| t.parse().unwrap())
                .collect::<Vec<usize>>()
        };
        match (method, metric) {
            ("modified_z", "outlier_t") => {
                assert_eq!(outliers(&values, ScaleKind::Mad, 3.5), list(), "{line}");
            }
            ("z_score", "outlier_t") => {
                assert_eq!(outliers(&values, ScaleKind::ZScore, 3.0), list(), "{line}");
            }
            ("iqr_tukey", "outlier_t") => {
                assert_eq!(outliers(&values, ScaleKind::Iqr, 1.5), list(), "{line}");
            }
            ("modified_z", "max_abs") => {
                let scale = Scale::of(&values, ScaleKind::Mad, 2).unwrap();
                let most = values
                    .iter()
                    .map(|x| scale.score(*x, 3.5).score)
                    .fold(0.0, f64::max);
                assert!(
                    (most - value.parse::<f64>().unwrap()).abs() < 1e-9,
                    "{line}"
                );
            }
            ("generalized_esd", _) => {
                let found = generalized_esd(&values, 12, 0.05).unwrap();
                let first = found.candidates[0];
                match metric {
                    "R1" => assert!((first.1 - value.parse::<f64>().unwrap()).abs() < 1e-9),
                    "lambda1" => assert!((first.2 - value.parse::<f64>().unwrap()).abs() < 1e-9),
                    _ => {
                        let order: Vec<usize> = found.candidates[..found.outliers]
                            .iter()
                            .map(|c| c.0 + 1)
                            .collect();
                        assert_eq!(order, list(), "{line}");
                    }
                }
            }
            ("stl_robust_resid_modified_z", _) => {
                let period = line[line.find("period").unwrap() + 10..]
                    .split(',')
                    .next()
                    .unwrap();
                let parts = stl::decompose(&values, period.parse().unwrap(), 7, true).unwrap();
                assert_eq!(
                    outliers(&parts.remainder, ScaleKind::Mad, 6.0),
                    list(),
                    "{line}"
                );
            }
            _ => continue,
        }
        compared += 1;
    }
    assert!(compared > 70, "{compared}");
}

#[test]
fn decompositions_are_those_of_statsmodels() {
    let plain = include_str!("../../../../tests/data/anomaly/expected_stl_season_0_plain.csv");
    let robust = include_str!("../../../../tests/data/anomaly/expected_stl_season_0_robust.csv");
    for (text, is_robust) in [(plain, false), (robust, true)] {
        let parts = stl::decompose(&series("season_0"), 24, 7, is_robust).unwrap();
        for (t, line) in text.lines().skip(1).enumerate() {
            let expected: Vec<f64> = line.split(',').map(|x| x.parse().unwrap()).collect();
            assert!((parts.trend[t] - expected[1]).abs() < 2e-5, "{line}");
            assert!((parts.seasonal[t] - expected[2]).abs() < 2e-5, "{line}");
            assert!((parts.remainder[t] - expected[3]).abs() < 2e-5, "{line}");
        }
    }
}

/// The share of pairs of an outlier and another row in which the outlier has the higher score.
fn auc(scores: &[f64], outlier: &[bool]) -> f64 {
    let (mut won, mut pairs) = (0.0, 0.0);
    for (a, _) in scores.iter().zip(outlier).filter(|(_, is)| **is) {
        for (b, _) in scores.iter().zip(outlier).filter(|(_, is)| !**is) {
            pairs += 1.0;
            won += if a > b {
                1.0
            } else if a == b {
                0.5
            } else {
                0.0
            };
        }
    }
    won / pairs
}

/// scikit-learn reaches 0.991649 with seed 0.
#[test]
fn the_forest_is_as_sharp_as_scikit_learns() {
    let text = include_str!("../../../../tests/data/anomaly/multivariate.csv");
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|x| x.parse().unwrap()).collect())
        .collect();
    let columns: Vec<Vec<f64>> = (1..=3)
        .map(|i| rows.iter().map(|row| row[i]).collect())
        .collect();
    let slices: Vec<&[f64]> = columns.iter().map(Vec::as_slice).collect();
    let truth: Vec<bool> = rows.iter().map(|row| row[4] == 1.0).collect();
    for seed in 0..5 {
        let forest = Forest::grow(&slices, 100, 256, seed).unwrap();
        let sharpness = auc(&forest.scores(&slices), &truth);
        assert!(sharpness > 0.985, "{seed}: {sharpness}");
    }
    let bits = |seed| {
        let scores = Forest::grow(&slices, 20, 64, seed).unwrap().scores(&slices);
        scores.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(bits(3), bits(3));
    assert_ne!(bits(3), bits(4));
    let flat: &[f64] = &[1.0; 5];
    assert_eq!(
        Forest::grow(&[flat], 3, 256, 0)
            .unwrap()
            .scores(&[flat])
            .len(),
        5
    );
    assert!(Forest::grow(&[], 3, 256, 0).is_none());
}

#[test]
fn without_spread_nothing_is_unusual() {
    for kind in [ScaleKind::ZScore, ScaleKind::Mad, ScaleKind::Iqr] {
        assert_eq!(Scale::of(&[2.0; 10], kind, 2), None);
        assert_eq!(Scale::of(&[], kind, 0), None);
        let values: Vec<f64> = (0..50).map(|i| f64::from(i * i % 17)).collect();
        let scale = Scale::of(&values, kind, 2).unwrap();
        for p in [0.5, 0.9, 0.99] {
            let threshold = scale.threshold_at(p);
            let edge = scale.score(0.0, threshold).upper;
            let found = scale.score(edge, threshold);
            assert!((found.score - threshold).abs() < 1e-12);
            // Quartiles of a lopsided sample don't lie evenly about its median.
            assert!(kind == ScaleKind::Iqr || (found.probability - p).abs() < 1e-9);
        }
    }
    assert_eq!(generalized_esd(&[1.0; 9], 3, 0.05), None);
}
