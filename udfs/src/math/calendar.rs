//! Frequencies of regular time series, over microseconds.

/// The distance between two observations: a fixed number of microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frequency(i64);

impl Frequency {
    /// Reads the name of a frequency.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "hour" => Some(Self(3_600_000_000)),
            "day" => Some(Self(86_400_000_000)),
            _ => None,
        }
    }

    /// The time so many steps after another.
    pub fn next(&self, last_micros: i64, steps: usize) -> i64 {
        last_micros.saturating_add(
            self.0
                .saturating_mul(i64::try_from(steps).unwrap_or(i64::MAX)),
        )
    }

    /// The season lengths to try.
    pub fn default_periods(&self) -> &'static [usize] {
        if self.0 == 86_400_000_000 { &[7] } else { &[] }
    }
}

/// The frequency of ordered times.
pub fn detect_frequency(micros: &[i64]) -> Option<Frequency> {
    let step = micros
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .filter(|step| *step > 0)
        .min()?;
    micros
        .windows(2)
        .all(|pair| (pair[1] - pair[0]) % step == 0)
        .then_some(Frequency(step))
}

/// The values at every step, NaN where there is none.
pub fn align(micros: &[i64], values: &[f64], frequency: &Frequency) -> Option<Vec<f64>> {
    let (first, last) = (micros.first()?, micros.last()?);
    let length = usize::try_from((last - first) / frequency.0).ok()? + 1;
    let mut series = vec![f64::NAN; length];
    for (time, value) in micros.iter().zip(values) {
        let step = usize::try_from((time - first) / frequency.0).ok()?;
        series[step] = *value;
    }
    Some(series)
}
