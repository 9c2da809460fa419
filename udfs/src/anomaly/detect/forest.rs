//! Rows of one or several columns scored by an isolation forest.

use std::sync::Arc;

use super::{Detector, Found, LEAST_VALUES, Limit, USUAL_FOREST, too_few};
use crate::math::anomaly::{Forest, Scored};
use crate::relation::{ColumnRef, Failure, Group};

impl Detector {
    pub(super) fn by_forest(&self, group: &Group<'_>) -> Result<Found, Failure> {
        let read = |columns: &[ColumnRef]| -> Result<Vec<Vec<f64>>, Failure> {
            columns
                .iter()
                .map(|column| group.numbers(*column))
                .collect()
        };
        let columns = read(&self.data)?;
        let complete = |columns: &[Vec<f64>]| -> Vec<usize> {
            let rows = 0..columns.first().map_or(0, Vec::len);
            rows.filter(|row| columns.iter().all(|column| column[*row].is_finite()))
                .collect()
        };
        let pick = |columns: &[Vec<f64>], rows: &[usize]| -> Vec<Vec<f64>> {
            let one = |column: &Vec<f64>| rows.iter().map(|row| column[*row]).collect();
            columns.iter().map(one).collect()
        };
        let places = complete(&columns);
        let rows = pick(&columns, &places);
        let past = match &self.history {
            Some((_, data)) => {
                let past = read(data)?;
                Some(pick(&past, &complete(&past)))
            }
            None => None,
        };
        let usual: Vec<&[f64]> = past
            .as_ref()
            .unwrap_or(&rows)
            .iter()
            .map(Vec::as_slice)
            .collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        let got = usual.first().map_or(0, |column| column.len());
        if got < LEAST_VALUES {
            return Err(too_few(got, LEAST_VALUES));
        }
        let forest = Forest::grow(&usual, self.trees, self.sample, self.seed)
            .ok_or_else(|| too_few(got, LEAST_VALUES))?;
        let scores = forest.scores(&rows);
        let mut ordered = match &past {
            Some(_) => forest.scores(&usual),
            None => scores.clone(),
        };
        ordered.sort_unstable_by(f64::total_cmp);
        let mut all = vec![Scored::NONE; columns[0].len()];
        let mut anomalies = vec![None; columns[0].len()];
        for (place, score) in places.iter().zip(scores) {
            let lower = ordered.partition_point(|other| *other < score);
            let probability = lower as f64 / ordered.len() as f64;
            all[*place] = Scored {
                score,
                probability,
                ..Scored::NONE
            };
            anomalies[*place] = Some(match self.limit {
                Limit::Usual => score > USUAL_FOREST,
                Limit::Score(limit) => score > limit,
                Limit::Probability(limit) => probability >= limit,
            });
        }
        Ok(Found {
            times: Arc::clone(group.column(self.time)),
            values: columns.into_iter().next().unwrap_or_default(),
            scored: all,
            anomalies,
        })
    }
}
