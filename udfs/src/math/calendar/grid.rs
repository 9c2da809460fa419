//! Putting observations on a regular grid, and filling its gaps.

use super::Frequency;

/// The most points that a grid may have.
const MAX_POINTS: i64 = 10_000_000;

/// A series on a regular grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Aligned {
    /// The grid's timestamps; where there is an observation, its own.
    pub micros: Vec<i64>,
    /// The values, NaN where there is no observation.
    pub values: Vec<f64>,
}

impl Aligned {
    /// The positions without an observation.
    pub fn gaps(&self) -> Vec<usize> {
        self.values
            .iter()
            .enumerate()
            .filter(|(_, y)| y.is_nan())
            .map(|(i, _)| i)
            .collect()
    }
}

/// Puts ascending observations on the grid of `frequency` that starts at the first of them.
///
/// Each goes to the nearest grid point; of several on one point the mean is kept. `None` for timestamps that
/// descend and for grids beyond ten million points. No observations give an empty grid.
pub fn align(micros: &[i64], values: &[f64], frequency: Frequency) -> Option<Aligned> {
    let (Some(first), Some(last)) = (micros.first(), micros.last()) else {
        return Some(Aligned {
            micros: Vec::new(),
            values: Vec::new(),
        });
    };
    let points = frequency.steps_between(*first, *last).checked_add(1)?;
    if !(1..=MAX_POINTS).contains(&points) || micros.windows(2).any(|pair| pair[0] > pair[1]) {
        return None;
    }
    let mut grid = Aligned {
        micros: (0..points)
            .map(|step| frequency.next(*first, step))
            .collect(),
        values: vec![f64::NAN; points as usize],
    };
    let mut seen = (usize::MAX, 0.0);
    for (t, y) in micros.iter().zip(values) {
        let place = usize::try_from(frequency.steps_between(*first, *t)).ok()?;
        let value = grid.values.get_mut(place)?;
        seen = if seen.0 == place {
            (place, seen.1 + 1.0)
        } else {
            (place, 1.0)
        };
        *value = if seen.1 > 1.0 {
            *value + (y - *value) / seen.1
        } else {
            *y
        };
        grid.micros[place] = *t;
    }
    Some(grid)
}

/// Fills NaN by straight lines between the neighbours, and by the nearest value at both ends.
///
/// Values that are all NaN stay as they are.
pub fn interpolate(values: &mut [f64]) {
    let mut known: Option<usize> = None;
    for i in 0..values.len() {
        if values[i].is_nan() {
            continue;
        }
        match known {
            None => {
                let first = values[i];
                values[..i].fill(first);
            }
            Some(from) => {
                let (start, step) = (values[from], (values[i] - values[from]) / (i - from) as f64);
                for (offset, gap) in values[from + 1..i].iter_mut().enumerate() {
                    *gap = start + step * (offset + 1) as f64;
                }
            }
        }
        known = Some(i);
    }
    if let Some(from) = known {
        let last = values[from];
        values[from..].fill(last);
    }
}
