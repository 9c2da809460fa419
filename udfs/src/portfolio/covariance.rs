//! `covariance_matrix()`: the covariance and correlation of each pair of assets, those of an asset with itself included.
//!
//! A covariance is that of one period's returns times `periods_per_year`; the estimators are those of `portfolio_optimize`
//! (`covariance => 'ledoit_wolf'`, `'sample'`, `'oas'`, `'ewma'`), and the correlation is what the estimated covariance implies. An asset whose
//! return never changes has no correlation: NULL. Reference values: scikit-learn 1.9, PyPortfolioOpt 1.6.

use std::sync::Arc;

use datafusion::arrow::array::{Float64Array, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field};

use crate::error::Result;
use crate::math::portfolio::estimate::{Covariance, covariance};
use crate::relation::{
    Bound, Failure, Group, Layout, Options, Output, Signature, TableFunction, joined,
};

use super::arguments::*;
use super::model::{correlation, covariance_method};
use super::panel::{Reader, value_column};

static SIGNATURE: Signature = Signature {
    name: "covariance_matrix",
    arguments: &joined::<{ PANEL.len() + 3 + COMPLETE.len() }>(&[
        PANEL,
        &[COVARIANCE, EWMA_SPAN, PERIODS_PER_YEAR],
        COMPLETE,
    ]),
};

/// The table function `covariance_matrix`.
#[derive(Debug, Default)]
pub(super) struct CovarianceMatrix;

impl TableFunction for CovarianceMatrix {
    fn signature(&self) -> &'static Signature {
        &SIGNATURE
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        value_column(layout, SIGNATURE.name)?;
        let asset = layout.field(layout.column("asset_col")?).data_type();
        Ok(vec![
            Field::new("asset_1", asset.clone(), true),
            Field::new("asset_2", asset.clone(), true),
            Field::new("covariance", DataType::Float64, true),
            Field::new("correlation", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundCovariance {
            reader: Reader::new(layout, options)?,
            method: covariance_method(options)?,
            periods_per_year: options.number("periods_per_year")?,
        }))
    }
}

#[derive(Debug)]
struct BoundCovariance {
    reader: Reader,
    method: Covariance,
    periods_per_year: f64,
}

impl Bound for BoundCovariance {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let panel = self.reader.read(group)?;
        let matrix = covariance(&panel.columns, self.method, self.periods_per_year);
        let correlation = correlation(&matrix);
        let count = panel.names.len();
        let pairs = || (0..count).flat_map(|i| (0..count).map(move |j| (i, j)));
        let place = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        let first = UInt32Array::from_iter_values(pairs().map(|(i, _)| place(i)));
        let second = UInt32Array::from_iter_values(pairs().map(|(_, j)| place(j)));
        let known = |i: usize| matrix.get(i, i) > 0.0;
        let correlations =
            pairs().map(|(i, j)| (known(i) && known(j)).then(|| correlation.get(i, j)));
        Ok(Output::new(vec![
            take(&panel.assets, &first, None)?,
            take(&panel.assets, &second, None)?,
            Arc::new(Float64Array::from_iter_values(
                pairs().map(|(i, j)| matrix.get(i, j)),
            )),
            Arc::new(correlations.collect::<Float64Array>()),
        ]))
    }

    fn takes_any_order(&self) -> bool {
        true
    }

    fn working_bytes(&self, rows: usize) -> usize {
        rows.saturating_mul(24 * 8)
    }
}
