//! `efficient_frontier()`: portfolios of the least volatility for returns from that of the least volatile portfolio to the highest
//! possible, in `points` equal steps. Arguments, units and estimates are those of `portfolio_optimize`.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::Result;
use crate::math::matrix::dot;
use crate::math::portfolio::problem::{Assets, Objective, frontier};
use crate::relation::{
    Argument, Bound, Constant, Failure, Group, Layout, Options, Output, Signature, TableFunction,
    ValueType, joined,
};

use super::arguments::*;
use super::model::volatility;
use super::panel::value_column;
use super::plan::{Plan, repeated, status};

const POINTS: Argument =
    Argument::option("points", ValueType::Integer { min: 2, max: 1_000 }).or(Constant::Integer(50));

static SIGNATURE: Signature = Signature {
    name: "efficient_frontier",
    arguments: &joined::<{ OF_OPTIMISERS + 1 }>(&[PANEL, &[POINTS], ESTIMATES, MANDATE, COMPLETE]),
};

/// The table function `efficient_frontier`.
#[derive(Debug, Default)]
pub(super) struct EfficientFrontier;

impl TableFunction for EfficientFrontier {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        value_column(layout, SIGNATURE.name)?;
        let asset = layout
            .field(layout.column("asset_col")?)
            .data_type()
            .clone();
        Ok(vec![
            Field::new("point", DataType::Int64, true),
            Field::new("portfolio_return", DataType::Float64, true),
            Field::new("portfolio_volatility", DataType::Float64, true),
            Field::new("sharpe_ratio", DataType::Float64, true),
            Field::new("asset", asset, true),
            Field::new("weight", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let plan = Plan::new(layout, options, Objective::MinVolatility)?;
        Ok(Arc::new(BoundFrontier {
            plan,
            points: options.count("points")?,
        }))
    }
}

#[derive(Debug)]
struct BoundFrontier {
    plan: Plan,
    points: usize,
}

impl Bound for BoundFrontier {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let prepared = self.plan.prepare(group)?;
        let panel = &prepared.panel;
        let estimates = self
            .plan
            .model
            .estimate(&panel.columns, &prepared.beliefs)?;
        let assets = Assets {
            covariance: &estimates.covariance,
            expected: &estimates.expected,
            columns: &panel.columns,
        };
        let found = frontier(&assets, &prepared.mandate, self.points)
            .map_err(|refusal| prepared.refused(&refusal))?;
        let out = panel.left_out.len();
        let width = panel.names.len() + out;
        let mut numbers = [const { Vec::<Option<f64>>::new() }; 4];
        let mut statuses: Vec<String> = Vec::with_capacity(found.len() * width);
        for portfolio in &found {
            let expected = dot(&portfolio.weights, &estimates.expected);
            let volatility = volatility(&estimates.covariance, &portfolio.weights);
            let sharpe = (expected - self.plan.model.risk_free_rate) / volatility;
            for (column, value) in numbers.iter_mut().zip([expected, volatility, sharpe]) {
                column.extend(std::iter::repeat_n(
                    value.is_finite().then_some(value),
                    width,
                ));
            }
            numbers[3].extend(portfolio.weights.iter().copied().map(Some));
            numbers[3].extend(std::iter::repeat_n(Some(0.0), out));
            statuses.extend(std::iter::repeat_n(status(portfolio), panel.names.len()));
            statuses.extend(panel.left_out.iter().cloned());
        }
        let points = (1_i64..)
            .take(found.len())
            .flat_map(|point| std::iter::repeat_n(point, width));
        let points: ArrayRef = Arc::new(points.collect::<Int64Array>());
        let [expected, volatility, sharpe, weights] =
            numbers.map(|values| Arc::new(Float64Array::from(values)) as ArrayRef);
        let assets = repeated(panel, found.len())?;
        let columns = vec![points, expected, volatility, sharpe, assets, weights];
        Ok(Output::new(columns).with_status(Arc::new(StringArray::from(statuses))))
    }

    fn takes_any_order(&self) -> bool {
        true
    }

    fn working_bytes(&self, rows: usize) -> usize {
        // Some columns of each point and asset; there are not more assets than rows.
        let assets = rows.min(super::panel::MAX_ASSETS);
        rows.saturating_mul(16 * 8)
            .saturating_add(self.points.saturating_mul(assets).saturating_mul(64))
    }
}
