//! Against ruptures 1.1.10 on `tests/data/anomaly`.

use super::pelt::segment_cost;
use super::{Cost, Prior, noise, online, pelt};
use crate::math::rng::Rng;

fn series(name: &str) -> Vec<f64> {
    let lines = include_str!("../../../../tests/data/anomaly/synthetic.csv")
        .lines()
        .skip(1);
    let rows = lines.map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| row[0] == name)
        .map(|row| row[2].parse().unwrap())
        .collect()
}

#[test]
fn partitions_are_those_of_ruptures() {
    let mut compared = 0;
    for line in include_str!("../../../../tests/data/anomaly/expected.csv").lines() {
        if !line.contains(",pelt,") {
            continue;
        }
        let name = line.split(',').next().unwrap();
        let after = |key: &str| line[line.find(key).unwrap() + key.len()..].to_owned();
        let penalty = after("\"\"penalty\"\": ");
        let penalty: f64 = penalty[..penalty.find('}').unwrap()].parse().unwrap();
        let least = after("\"\"min_size\"\": ")[..1].parse().unwrap();
        let model = after("\"\"model\"\": \"\"");
        let cost = Cost::parse(&model[..model.find('"').unwrap()]).unwrap();
        let ends = after("segment_ends,");
        let ends: Vec<usize> = ends
            .trim_end_matches(',')
            .split(' ')
            .map(|end| end.parse().unwrap())
            .collect();
        let found = pelt(&series(name), cost, penalty, least).unwrap();
        assert_eq!(found.ends, ends, "{line}");
        assert_eq!(found.gains.len() + 1, ends.len());
        assert!(
            found.gains.iter().all(|gain| *gain > penalty * 0.99),
            "{:?}",
            found.gains
        );
        compared += 1;
    }
    assert!(compared >= 20, "{compared}");
}

#[test]
fn nothing_and_constants_have_no_changes() {
    assert_eq!(pelt(&[], Cost::L2, 1.0, 2), None);
    assert_eq!(pelt(&[1.0], Cost::L2, 1.0, 2), None);
    assert_eq!(pelt(&[1.0; 30], Cost::L2, f64::NAN, 2), None);
    assert_eq!(pelt(&[1.0; 30], Cost::L2, 1.0, 2).unwrap().ends, [30]);
    assert_eq!(noise(&[3.0; 4]), 0.0);
    assert_eq!(noise(&[]), 0.0);
}

/// Against the definition, by trying every start of every last segment.
#[test]
fn partitions_are_the_best_that_there_are() {
    let mut rng = Rng::new(9);
    for (step, width) in [(0.0, 1.0), (2.0, 1.0), (1.0, 3.0)] {
        let n = 240;
        let level = |t: usize| {
            if (t / 60).is_multiple_of(2) {
                0.0
            } else {
                step
            }
        };
        let scale = |t: usize| if t > 150 { width } else { 1.0 };
        let values: Vec<f64> = (0..n).map(|t| level(t) + scale(t) * rng.normal()).collect();
        let medians = super::medians::Medians::new(&values);
        for cost in [Cost::L2, Cost::L1, Cost::Normal] {
            let of = |start: usize, end: usize| match cost {
                Cost::L1 => medians.distance(start, end),
                Cost::L2 | Cost::Normal => segment_cost(&values[start..end], cost),
            };
            for (least, penalty) in [(2, 3.0), (2, 17.0), (7, 9.0)] {
                let mut best = vec![f64::INFINITY; n + 1];
                best[0] = 0.0;
                for end in least..=n {
                    let with = |start: usize| best[start] + penalty + of(start, end);
                    best[end] = (0..=end - least).map(with).fold(f64::INFINITY, f64::min);
                }
                let ends = pelt(&values, cost, penalty, least).unwrap().ends;
                let starts = std::iter::once(&0).chain(&ends);
                let segments: Vec<(usize, usize)> =
                    starts.copied().zip(ends.iter().copied()).collect();
                let whole: f64 = segments
                    .iter()
                    .map(|(start, end)| of(*start, *end) + penalty)
                    .sum();
                assert!(
                    (whole - best[n]).abs() < 1e-7,
                    "{cost:?} {least} {penalty}: {whole}"
                );
                assert!(segments.iter().all(|(start, end)| end - start >= least));
            }
        }
    }
}

#[test]
fn a_shift_is_seen_online_where_it_is() {
    let mut rng = Rng::new(4);
    let values: Vec<f64> = (0..200)
        .map(|t| rng.normal() + if t >= 120 { 6.0 } else { 0.0 })
        .collect();
    let prior = Prior {
        run_length: 250.0,
        mean: 0.0,
        weight: 0.1,
        variance: 1.0,
        shape: 1.0,
    };
    let begins = online(&values, &prior, 5);
    assert!(begins[120] > 0.9, "{}", begins[120]);
    let others = begins
        .iter()
        .enumerate()
        .filter(|(t, _)| *t != 0 && *t != 120);
    assert!(others.map(|(_, p)| *p).fold(0.0, f64::max) < 0.5);
    assert!(online(&[], &prior, 5).is_empty());
}
