//! Values scored one by one, whatever their order: by a scale's centre and spread, and by Rosner's test.

use std::sync::Arc;

use super::{Detector, Found, LEAST_VALUES, Limit, judged, known, no_spread, scored};
use crate::math::anomaly::{Scale, ScaleKind, Scored, generalized_esd};
use crate::relation::{Failure, Group};

impl Detector {
    pub(super) fn against_scale(
        &self,
        group: &Group<'_>,
        kind: ScaleKind,
    ) -> Result<Found, Failure> {
        let values = group.numbers(self.data[0])?;
        let usual = match &self.history {
            Some((_, data)) => known(&group.numbers(data[0])?),
            None => known(&values),
        };
        let scale = Scale::of(&usual, kind, LEAST_VALUES).ok_or_else(|| no_spread(&usual))?;
        let threshold = self.threshold(&scale, kind.usual_threshold());
        let scored = values
            .iter()
            .map(|value| scored(&scale, *value, 0.0, threshold))
            .collect();
        Ok(judged(
            Arc::clone(group.column(self.time)),
            values,
            scored,
            threshold,
        ))
    }

    pub(super) fn by_test(&self, group: &Group<'_>) -> Result<Found, Failure> {
        let values = group.numbers(self.data[0])?;
        let places: Vec<usize> = (0..values.len())
            .filter(|i| values[*i].is_finite())
            .collect();
        let usual: Vec<f64> = places.iter().map(|i| values[*i]).collect();
        let alpha = match self.limit {
            Limit::Probability(probability) => 1.0 - probability,
            Limit::Usual | Limit::Score(_) => self.alpha,
        };
        let most = self.most.unwrap_or((usual.len() / 10).max(1));
        let test = generalized_esd(&usual, most, alpha).ok_or_else(|| no_spread(&usual))?;
        // What is left after the outliers says what is usual.
        let outliers: Vec<usize> = test.candidates[..test.outliers]
            .iter()
            .map(|(i, _, _)| places[*i])
            .collect();
        let rest: Vec<f64> = places
            .iter()
            .filter(|i| !outliers.contains(i))
            .map(|i| values[*i])
            .collect();
        let scale = Scale::of(&rest, ScaleKind::ZScore, 2);
        let critical = test.candidates.last().map_or(0.0, |candidate| candidate.2);
        let mut scored_rows: Vec<Scored> = values
            .iter()
            .map(|value| match &scale {
                Some(scale) => scored(scale, *value, 0.0, critical),
                None => Scored::NONE,
            })
            .collect();
        for (i, r, _) in &test.candidates {
            scored_rows[places[*i]].score = *r;
        }
        let anomalies = (0..values.len())
            .map(|i| values[i].is_finite().then(|| outliers.contains(&i)))
            .collect();
        Ok(Found {
            times: Arc::clone(group.column(self.time)),
            values,
            scored: scored_rows,
            anomalies,
        })
    }
}
