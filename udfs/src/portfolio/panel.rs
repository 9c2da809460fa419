//! From rows of asset, time and price or return to one column of returns for each asset.
//!
//! - Rows without asset or time are left out. NULL, NaN and infinite values are missing.
//! - The result is the same in whatever order the rows come: assets go by name, times upwards, and an asset that has two
//!   rows of one time is refused.
//! - `missing => 'common'` keeps the times at which every asset has a value; a return is the change between two of them.
//!   `'fill'` takes the price before, or a return of zero, from the first time at which every asset has had a value.
//! - An asset with fewer values than `min_observations` asks for is left out.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};

use crate::error::{Error, Result};
use crate::relation::{ColumnRef, Failure, Group, Layout, Options};

use super::names::keys;

/// The most assets of a group: the work grows with their square, and in part with their cube.
pub(super) const MAX_ASSETS: usize = 2_000;
/// The most pairs of an asset and a time.
const MAX_CELLS: usize = 100_000_000;

/// How the rows of a call become returns.
#[derive(Debug, Clone)]
pub(super) struct Reader {
    asset: ColumnRef,
    pub(super) time: ColumnRef,
    value: ColumnRef,
    is_price: bool,
    missing: Missing,
    min_observations: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Common,
    Fill,
    Refuse,
}

/// The returns of a group.
#[derive(Debug)]
pub(super) struct Panel {
    /// The names of the assets, in order.
    pub(super) names: Vec<String>,
    /// The assets as the caller knows them, then those that were left out.
    pub(super) assets: ArrayRef,
    /// Why the last assets were left out.
    pub(super) left_out: Vec<String>,
    /// The returns of each asset.
    pub(super) columns: Vec<Vec<f64>>,
    /// A row of each return's time.
    pub(super) times: UInt32Array,
}

/// The rows of a group, before anything is decided about them.
struct Cells {
    names: Vec<String>,
    asset_rows: Vec<u32>,
    time_rows: Vec<u32>,
    /// For each asset a value at each time; NaN where there is none.
    values: Vec<Vec<f64>>,
}

impl Reader {
    /// Finds the columns and options.
    ///
    /// # Errors
    /// Unless one of `price_col` and `return_col` is given.
    pub(super) fn new(layout: &Layout, options: &Options) -> Result<Self> {
        let (value, is_price) = value_column(layout, options.function())?;
        Ok(Self {
            asset: layout.column("asset_col")?,
            time: layout.column("timestamp_col")?,
            value,
            is_price,
            missing: match options.text("missing")? {
                "fill" => Missing::Fill,
                "error" => Missing::Refuse,
                _ => Missing::Common,
            },
            min_observations: options.count("min_observations")?,
        })
    }

    /// The returns of a group.
    ///
    /// # Errors
    /// When rows contradict each other or too few remain.
    pub(super) fn read(&self, group: &Group<'_>) -> Result<Panel, Failure> {
        let mut cells = self.cells(group)?;
        let (left_out, rows) = self.leave_out(&mut cells);
        if cells.names.is_empty() {
            let got = cells
                .time_rows
                .len()
                .saturating_sub(usize::from(self.is_price));
            return Err(too_few(
                got.min(self.min_observations - 1),
                self.min_observations,
            ));
        }
        let times = self.settle(group, &mut cells)?;
        let times = match self.is_price {
            true => {
                for (name, prices) in cells.names.iter().zip(&mut cells.values) {
                    *prices = changes(prices).ok_or_else(|| {
                        Failure::refused(format_args!("price of asset \"{name}\" is not positive"))
                    })?;
                }
                times.get(1..).unwrap_or_default().to_vec()
            }
            false => times,
        };
        if times.len() < self.min_observations {
            return Err(Failure::refused(format_args!(
                "too few observations: {} < {} that all of {} assets have",
                times.len(),
                self.min_observations,
                cells.names.len()
            )));
        }
        let rows = UInt32Array::from_iter_values(cells.asset_rows.iter().copied().chain(rows));
        Ok(Panel {
            assets: take(group.column(self.asset), &rows, None)?,
            names: cells.names,
            left_out,
            columns: cells.values,
            times: UInt32Array::from(times),
        })
    }

    /// Sorts the values by asset and time.
    fn cells(&self, group: &Group<'_>) -> Result<Cells, Failure> {
        let keys = keys(group.column(self.asset))?;
        let times = ticks(group.column(self.time))?;
        let (values, known) = (group.numbers(self.value)?, |row: &usize| {
            keys.is_valid(*row) && times.is_valid(*row)
        });
        let rows: Vec<usize> = (0..values.len()).filter(known).collect();
        let (assets, asset_rows) = ranked(&rows, |row| keys.value(row));
        if asset_rows.len() > MAX_ASSETS {
            return Err(Failure::refused(format_args!(
                "too many assets: {} > {MAX_ASSETS}",
                asset_rows.len()
            )));
        }
        let (dates, time_rows) = ranked(&rows, |row| times.value(row));
        let cells = asset_rows.len().saturating_mul(time_rows.len());
        if cells > MAX_CELLS {
            return Err(Failure::refused(format_args!(
                "too many assets and times: {cells} > {MAX_CELLS}"
            )));
        }
        let mut panel = vec![vec![f64::NAN; time_rows.len()]; asset_rows.len()];
        let mut seen = vec![false; cells];
        for ((row, asset), date) in rows.iter().zip(&assets).zip(&dates) {
            let (asset, date) = (*asset as usize, *date as usize);
            if std::mem::replace(&mut seen[asset * time_rows.len() + date], true) {
                return Err(Failure::refused(format_args!(
                    "asset \"{}\" has two rows at {}",
                    keys.value(*row),
                    self.time_text(group, *row)?
                )));
            }
            if values[*row].is_finite() {
                panel[asset][date] = values[*row];
            }
        }
        let names = asset_rows
            .iter()
            .map(|row| keys.value(*row as usize).to_owned())
            .collect();
        Ok(Cells {
            names,
            asset_rows,
            time_rows,
            values: panel,
        })
    }

    /// Takes out assets with too few values; gives why, and a row of each.
    fn leave_out(&self, cells: &mut Cells) -> (Vec<String>, Vec<u32>) {
        let spent = usize::from(self.is_price);
        let (mut reasons, mut rows) = (Vec::new(), Vec::new());
        let mut place = 0;
        while place < cells.names.len() {
            let count = cells.values[place]
                .iter()
                .filter(|value| !value.is_nan())
                .count();
            let returns = count.saturating_sub(spent);
            if returns >= self.min_observations {
                place += 1;
                continue;
            }
            cells.names.remove(place);
            cells.values.remove(place);
            rows.push(cells.asset_rows.remove(place));
            reasons.push(format!(
                "left out: too few observations: {returns} < {}",
                self.min_observations
            ));
        }
        (reasons, rows)
    }

    /// Deals with missing values; gives the rows of the times that remain.
    fn settle(&self, group: &Group<'_>, cells: &mut Cells) -> Result<Vec<u32>, Failure> {
        if self.missing == Missing::Fill {
            for values in &mut cells.values {
                fill(values, self.is_price);
            }
        }
        let whole: Vec<bool> = (0..cells.time_rows.len())
            .map(|time| cells.values.iter().all(|values| !values[time].is_nan()))
            .collect();
        if self.missing == Missing::Refuse
            && let Some(time) = whole.iter().position(|whole| !whole)
        {
            let asset = cells
                .values
                .iter()
                .position(|values| values[time].is_nan())
                .unwrap_or(0);
            return Err(Failure::refused(format_args!(
                "asset \"{}\" has no value at {}",
                cells.names[asset],
                self.time_text(group, cells.time_rows[time] as usize)?
            )));
        }
        if !whole.iter().all(|whole| *whole) {
            for values in &mut cells.values {
                let kept = values.iter().zip(&whole).filter(|(_, whole)| **whole);
                *values = kept.map(|(value, _)| *value).collect();
            }
        }
        let times = cells
            .time_rows
            .iter()
            .zip(&whole)
            .filter(|(_, whole)| **whole);
        Ok(times.map(|(row, _)| *row).collect())
    }

    fn time_text(&self, group: &Group<'_>, row: usize) -> Result<String, Failure> {
        let options = FormatOptions::new();
        Ok(ArrayFormatter::try_new(group.column(self.time), &options)?
            .value(row)
            .to_string())
    }
}

/// The column of prices or returns, and which of them it is.
///
/// # Errors
/// Unless one of the two is given.
pub(super) fn value_column(layout: &Layout, function: &str) -> Result<(ColumnRef, bool)> {
    match (layout.columns("price_col"), layout.columns("return_col")) {
        ([price], []) => Ok((*price, true)),
        ([], [value]) => Ok((*value, false)),
        ([], _) => Err(Error::MissingArgument {
            function: function.to_owned(),
            argument: "price_col".to_owned(),
            hint: "Write price_col => or return_col => and a column of the first argument."
                .to_owned(),
        }),
        _ => Err(Error::InvalidValue {
            argument: "return_col".to_owned(),
            value: "given".to_owned(),
            hint: "Write either price_col => or return_col =>, not both.".to_owned(),
        }),
    }
}

pub(super) fn too_few(got: usize, need: usize) -> Failure {
    Failure::refused(format_args!("too few observations: {got} < {need}"))
}

/// Times as whole numbers in their order.
pub(super) fn ticks(times: &ArrayRef) -> Result<datafusion::arrow::array::Int64Array, Failure> {
    let whole = match times.data_type() {
        DataType::Date32 => cast(&cast(times, &DataType::Int32)?, &DataType::Int64)?,
        _ => cast(times, &DataType::Int64)?,
    };
    Ok(whole.as_primitive::<Int64Type>().clone())
}

/// For each row the rank of its value among all, and for each rank a row that has it. Rows often repeat a pattern of
/// values, so that the one that came after last time is the first to try.
fn ranked<K: Ord + Copy + std::hash::Hash>(
    rows: &[usize],
    value: impl Fn(usize) -> K,
) -> (Vec<u32>, Vec<u32>) {
    let mut found: HashMap<K, u32> = HashMap::new();
    let mut distinct: Vec<(K, u32)> = Vec::new();
    let mut ids: Vec<u32> = Vec::with_capacity(rows.len());
    let mut last = 0_u32;
    for row in rows {
        let key = value(*row);
        let after = if last as usize + 1 < distinct.len() {
            last + 1
        } else {
            0
        };
        let guess = [last, after]
            .into_iter()
            .find(|id| distinct.get(*id as usize).is_some_and(|d| d.0 == key));
        let id = guess.unwrap_or_else(|| {
            *found.entry(key).or_insert_with(|| {
                distinct.push((key, u32::try_from(*row).unwrap_or(u32::MAX)));
                u32::try_from(distinct.len() - 1).unwrap_or(u32::MAX)
            })
        });
        last = id;
        ids.push(id);
    }
    let mut order: Vec<u32> = (0..).take(distinct.len()).collect();
    order.sort_unstable_by(|a, b| distinct[*a as usize].0.cmp(&distinct[*b as usize].0));
    let mut ranks = vec![0_u32; distinct.len()];
    for (rank, id) in (0..).zip(&order) {
        ranks[*id as usize] = rank;
    }
    let firsts = order.iter().map(|id| distinct[*id as usize].1).collect();
    (
        ids.into_iter().map(|id| ranks[id as usize]).collect(),
        firsts,
    )
}

/// Prices stay as they were, returns are zero; nothing before the first value.
fn fill(values: &mut [f64], is_price: bool) {
    let mut last = f64::NAN;
    for value in values {
        if value.is_nan() {
            *value = if is_price || last.is_nan() { last } else { 0.0 };
        }
        last = *value;
    }
}

/// The relative changes of prices; none if one is not positive.
fn changes(prices: &[f64]) -> Option<Vec<f64>> {
    let positive = prices.iter().all(|price| *price > 0.0);
    positive.then(|| {
        prices
            .windows(2)
            .map(|pair| pair[1] / pair[0] - 1.0)
            .collect()
    })
}
