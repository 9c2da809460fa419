//! Rows of (time, asset, return) as one column of returns an asset, on the times that all weighted assets have.

use std::collections::HashMap;

use arrow::array::{Array, StringArray};

use crate::relation::{ColumnRef, Failure, Group};

/// The weighted assets, in the order of their names, and their returns.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) assets: Vec<String>,
    pub(super) weights: Vec<f64>,
    /// One column an asset, all of the same length, in order of time.
    pub(super) returns: Vec<Vec<f64>>,
}

/// Which columns hold it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    pub(super) time: ColumnRef,
    pub(super) asset: ColumnRef,
    pub(super) ret: ColumnRef,
    /// Of the relation of weights.
    pub(super) weighted: ColumnRef,
    pub(super) weight: ColumnRef,
}

impl Panel {
    /// Reads a group's rows; rows without a time, an asset or a return are left out.
    pub(super) fn read(group: &Group<'_>, columns: Columns) -> Result<Self, Failure> {
        let (assets, weights) = weights(group, columns)?;
        let places: HashMap<&str, usize> = assets
            .iter()
            .enumerate()
            .map(|(place, name)| (name.as_str(), place))
            .collect();
        let names = group.texts(columns.asset)?;
        let numbers = group.numbers(columns.ret)?;
        let times = group.column(columns.time);
        let mut returns: Vec<Vec<f64>> = vec![Vec::new(); assets.len()];
        let mut seen = vec![false; assets.len()];
        let starts = arrow::compute::partition(std::slice::from_ref(times))?;
        let mut row = vec![f64::NAN; assets.len()];
        for range in starts.ranges() {
            row.fill(f64::NAN);
            for index in range.filter(|index| times.is_valid(*index) && names.is_valid(*index)) {
                let Some(place) = places.get(names.value(index)).copied() else {
                    continue;
                };
                if numbers[index].is_nan() {
                    continue;
                }
                if !row[place].is_nan() {
                    let asset = &assets[place];
                    return Err(Failure::refused(format_args!(
                        "several returns of {asset} at one time"
                    )));
                }
                row[place] = numbers[index];
                seen[place] = true;
            }
            if row.iter().all(|x| x.is_finite()) {
                returns
                    .iter_mut()
                    .zip(&row)
                    .for_each(|(column, x)| column.push(*x));
            }
        }
        if let Some(place) = seen.iter().position(|seen| !seen) {
            return Err(Failure::refused(format_args!(
                "no returns of {}",
                assets[place]
            )));
        }
        let days = returns.first().map_or(0, Vec::len);
        if days < 2 {
            return Err(Failure::refused(format_args!(
                "too few observations: {days} < 2"
            )));
        }
        Ok(Self {
            assets,
            weights,
            returns,
        })
    }
}

fn weights(group: &Group<'_>, columns: Columns) -> Result<(Vec<String>, Vec<f64>), Failure> {
    let names: StringArray = group.texts(columns.weighted)?;
    let weights = group.numbers(columns.weight)?;
    let mut rows: Vec<(String, f64)> = Vec::with_capacity(names.len());
    for (name, weight) in names.iter().zip(weights) {
        let Some(name) = name else {
            continue;
        };
        if !weight.is_finite() {
            return Err(Failure::refused(format_args!("no weight of {name}")));
        }
        rows.push((name.to_owned(), weight));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(pair) = rows.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Failure::refused(format_args!(
            "several weights of {}",
            pair[0].0
        )));
    }
    if rows.is_empty() {
        return Err(Failure::refused("no weights"));
    }
    Ok(rows.into_iter().unzip())
}
