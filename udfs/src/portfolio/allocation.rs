//! `discrete_allocation()`: how many whole shares a budget buys of a portfolio.
//!
//! The first argument has a row for each asset, with its weight in `weight_col` or its price in `price_col`, or both; what it has not comes
//! from `weights => (SELECT asset, weight)` or `prices => (SELECT asset, price)`. With `timestamp_col` it is a history of prices, of which each
//! asset's last counts. Weights that sum to less than 1 leave the rest in cash; negative ones are sold short.
//!
//! - `shares`: greedily, the whole part of each asset's share of `budget` first, then one share at a time of the asset that lags most behind its
//!   weight and can still be paid. `cash_left`: what is not spent, the same on all rows of a group.
//! - Assets without weight get 0 shares. `status`: NULL, or why nothing could be bought, such as `prices has no value of asset "A"`.
//! - Reference values: PyPortfolioOpt 1.6, `DiscreteAllocation.greedy_portfolio`.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, Float64Array, Int64Array, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::{Error, Result};
use crate::math::portfolio::shares::allocate;
use crate::relation::{
    Argument, Bound, Class, ColumnRef, Failure, Group, Layout, Options, Output, Signature,
    TableFunction, ValueType,
};

use super::arguments::{ALLOCATED_PRICES, ALLOCATED_WEIGHTS, ASSET_COL, DATA, IDS, PRICE_COL};
use super::names::{Rows, keys};
use super::panel::ticks;

const NAME: &str = "discrete_allocation";

static SIGNATURE: Signature = Signature {
    name: NAME,
    arguments: &[
        DATA,
        ASSET_COL,
        Argument::column("weight_col", Class::Number),
        PRICE_COL,
        Argument::column("timestamp_col", Class::Time),
        IDS,
        ALLOCATED_WEIGHTS,
        ALLOCATED_PRICES,
        Argument::option(
            "budget",
            ValueType::Number {
                min: 0.0,
                max: 1e15,
                closed: false,
            },
        )
        .required(),
    ],
};

/// The table function `discrete_allocation`.
#[derive(Debug, Default)]
pub(super) struct DiscreteAllocation;

impl TableFunction for DiscreteAllocation {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        source(layout, "weight_col", "weights")?;
        source(layout, "price_col", "prices")?;
        let asset = layout
            .field(layout.column("asset_col")?)
            .data_type()
            .clone();
        Ok(vec![
            Field::new("asset", asset, true),
            Field::new("shares", DataType::Int64, true),
            Field::new("cash_left", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundAllocation {
            layout: layout.clone(),
            asset: layout.column("asset_col")?,
            time: layout.columns("timestamp_col").first().copied(),
            weight: source(layout, "weight_col", "weights")?,
            price: source(layout, "price_col", "prices")?,
            budget: options.number("budget")?,
        }))
    }
}

#[derive(Debug)]
struct BoundAllocation {
    layout: Layout,
    asset: ColumnRef,
    time: Option<ColumnRef>,
    /// None: of the relation.
    weight: Option<ColumnRef>,
    price: Option<ColumnRef>,
    budget: f64,
}

/// The column of the first argument that has a number; none if a relation has it.
fn source(
    layout: &Layout,
    column: &'static str,
    relation: &'static str,
) -> Result<Option<ColumnRef>> {
    let given = layout.relations().iter().any(|r| r.name == relation);
    match (layout.columns(column).first(), given) {
        (Some(column), false) => Ok(Some(*column)),
        (None, true) => Ok(None),
        (None, false) => Err(Error::MissingArgument {
            function: NAME.to_owned(),
            argument: relation.to_owned(),
            hint: format!(
                "Write {relation} => (SELECT asset, ...), or {column} => and a column of the first argument."
            ),
        }),
        (Some(_), true) => Err(Error::InvalidValue {
            argument: relation.to_owned(),
            value: "given".to_owned(),
            hint: format!("Write either {relation} => or {column} =>, not both."),
        }),
    }
}

impl Bound for BoundAllocation {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let (names, rows) = self.assets(group)?;
        let weights = match self.weight {
            Some(column) => self.numbers(group, column, &rows)?,
            None => match Rows::of(&self.layout, group, "weights") {
                Some(relation) => relation.by_asset(&names, "weight")?.or_zero()?,
                None => Vec::new(),
            },
        };
        let prices = match self.price {
            Some(column) => self.numbers(group, column, &rows)?,
            None => match Rows::of(&self.layout, group, "prices") {
                Some(relation) => relation.by_asset(&names, "price")?.all(&names)?,
                None => Vec::new(),
            },
        };
        for ((name, weight), price) in names.iter().zip(&weights).zip(&prices) {
            if !weight.is_finite() {
                return Err(Failure::refused(format_args!(
                    "asset \"{name}\" has no weight"
                )));
            }
            if !(price.is_finite() && *price > 0.0) {
                return Err(Failure::refused(format_args!(
                    "price of asset \"{name}\" is not positive"
                )));
            }
        }
        let (shares, cash) = allocate(&weights, &prices, self.budget);
        let rows = UInt32Array::from(rows);
        Ok(Output::new(vec![
            take(group.column(self.asset), &rows, None)?,
            Arc::new(Int64Array::from(shares)),
            Arc::new(Float64Array::from(vec![cash; rows.len()])),
        ]))
    }
}

impl BoundAllocation {
    /// The assets by name, and the row of each that counts.
    fn assets(&self, group: &Group<'_>) -> Result<(Vec<String>, Vec<u32>), Failure> {
        let keys = keys(group.column(self.asset))?;
        let times = self
            .time
            .map(|time| ticks(group.column(time)))
            .transpose()?;
        let mut found: BTreeMap<&str, (i64, u32)> = BTreeMap::new();
        for (row, key) in (0_u32..).zip(keys.iter()) {
            let Some(key) = key else { continue };
            let time = match &times {
                Some(times) if times.is_null(row as usize) => continue,
                Some(times) => times.value(row as usize),
                None => 0,
            };
            match found.get(key) {
                Some((last, _)) if *last == time => {
                    return Err(Failure::refused(format_args!(
                        "asset \"{key}\" has two rows"
                    )));
                }
                Some((last, _)) if *last > time => {}
                _ => {
                    found.insert(key, (time, row));
                }
            }
        }
        if found.is_empty() {
            return Err(Failure::refused("too few assets: 0 < 1"));
        }
        Ok(found
            .into_iter()
            .map(|(key, (_, row))| (key.to_owned(), row))
            .unzip())
    }

    fn numbers(
        &self,
        group: &Group<'_>,
        column: ColumnRef,
        rows: &[u32],
    ) -> Result<Vec<f64>, Failure> {
        let values = group.numbers(column)?;
        Ok(rows.iter().map(|row| values[*row as usize]).collect())
    }
}
