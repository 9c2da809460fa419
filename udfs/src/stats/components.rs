//! `pca()` and `pca_scores()`: the directions in which several columns vary together.
//!
//! `pca` answers a row a component and column: the column's loading, the component's variance (n − 1) and its share of
//! all variance. `pca_scores` answers a row a point and component: the point's coordinate along it. With `scale =>
//! 'zscore'` the columns have variance one (components of correlations). Of each component the largest loading in size is
//! positive. Rows with a NULL, NaN or infinity are left out.
//! Method: [`math::pca`](crate::math::pca). Reference values: scikit-learn 1.9.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};

use super::clusters::key_is_apart;
use super::points::{Columns, KEY, Points, X};
use crate::error::Result;
use crate::math::pca::{Components, components};
use crate::relation::{
    Argument, Bound, Constant, Failure, Group, Layout, Options, Output, Signature, TableFunction,
    ValueType,
};

const COMPONENTS: Argument = Argument::option(
    "n_components",
    ValueType::Integer {
        min: 1,
        max: 10_000,
    },
);
const SCALE: Argument =
    Argument::option("scale", ValueType::Choice(&["none", "zscore"])).or(Constant::Text("none"));

static LOADINGS: Signature = Signature {
    name: "pca",
    arguments: &[
        Argument::data("data"),
        X,
        Argument::ids(),
        COMPONENTS,
        SCALE,
    ],
};

static SCORES: Signature = Signature {
    name: "pca_scores",
    arguments: &[
        Argument::data("data"),
        KEY,
        X,
        Argument::ids(),
        COMPONENTS,
        SCALE,
    ],
};

/// The table function `pca`.
#[derive(Debug)]
pub(super) struct Pca;

/// The table function `pca_scores`.
#[derive(Debug)]
pub(super) struct PcaScores;

#[derive(Debug)]
struct Analysis {
    columns: Columns,
    most: Option<usize>,
    scaled: bool,
}

impl Analysis {
    fn new(layout: &Layout, options: &Options) -> Result<Self> {
        let most = options.get("n_components");
        let most = most.map(|_| options.count("n_components")).transpose()?;
        Ok(Self {
            columns: Columns::new(layout)?,
            most,
            scaled: options.text("scale")? == "zscore",
        })
    }

    /// The points, their components and how many of these are asked for.
    fn find(&self, group: &Group<'_>) -> Result<(Points, Components, usize), Failure> {
        let points = self.columns.points(group)?;
        if points.count() < 2 {
            return Err(Failure::refused(format_args!(
                "too few observations: {} < 2",
                points.count()
            )));
        }
        let found = components(&points.columns, self.scaled)
            .ok_or_else(|| Failure::refused("a column is constant"))?;
        let most = self.most.unwrap_or(usize::MAX).min(found.variances.len());
        Ok((points, found, most))
    }
}

impl TableFunction for Pca {
    fn signature(&self) -> &'static Signature {
        &LOADINGS
    }

    fn output(&self, _: &Layout) -> Result<Vec<Field>> {
        let number = |name: &str| Field::new(name, DataType::Float64, true);
        Ok(vec![
            Field::new("component", DataType::Int64, true),
            Field::new("term", DataType::Utf8, true),
            number("loading"),
            number("variance"),
            number("share"),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundLoadings(Analysis::new(layout, options)?)))
    }
}

#[derive(Debug)]
struct BoundLoadings(Analysis);

impl Bound for BoundLoadings {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let (_, found, most) = self.0.find(group)?;
        let names = &self.0.columns.names;
        let total: f64 = found.variances.iter().sum();
        let repeated = |of: &dyn Fn(usize) -> f64| -> Float64Array {
            let each = (0..most).flat_map(|component| std::iter::repeat_n(component, names.len()));
            each.map(|component| Some(of(component)).filter(|x| x.is_finite()))
                .collect()
        };
        let numbers = (1..).take(most);
        let numbers =
            numbers.flat_map(|component| std::iter::repeat_n(Some(component), names.len()));
        let terms = (0..most).flat_map(|_| names.iter().map(Some));
        let loadings = found.loadings.iter().take(most).flatten().copied();
        Ok(Output::new(vec![
            Arc::new(numbers.collect::<Int64Array>()),
            Arc::new(terms.collect::<StringArray>()),
            Arc::new(loadings.map(Some).collect::<Float64Array>()),
            Arc::new(repeated(&|component| found.variances[component])),
            Arc::new(repeated(&|component| found.variances[component] / total)),
        ]))
    }
}

impl TableFunction for PcaScores {
    fn signature(&self) -> &'static Signature {
        &SCORES
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let key = layout.field(layout.column("key_col")?);
        Ok(vec![
            Field::new(key.name(), key.data_type().clone(), true),
            Field::new("component", DataType::Int64, true),
            Field::new("score", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        key_is_apart(layout)?;
        Ok(Arc::new(BoundScores(Analysis::new(layout, options)?)))
    }
}

#[derive(Debug)]
struct BoundScores(Analysis);

impl Bound for BoundScores {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let (points, found, most) = self.0.find(group)?;
        let Some(key) = self.0.columns.key else {
            return Err(Failure::refused("no key"));
        };
        let mut rows = Vec::with_capacity(points.count() * most);
        let mut scores = Vec::with_capacity(points.count() * most);
        for row in 0..points.count() {
            for component in 0..most {
                rows.push(u32::try_from(row).unwrap_or(u32::MAX));
                let point = points.columns.iter().map(|column| column[row]);
                scores.push(found.score(component, point));
            }
        }
        let numbers = (0..points.count()).flat_map(|_| (1..).take(most).map(Some));
        let keys = points.of(group.column(key))?;
        Ok(Output::new(vec![
            take(&keys, &UInt32Array::from(rows), None)?,
            Arc::new(numbers.collect::<Int64Array>()),
            Arc::new(Float64Array::from(scores)),
        ]))
    }
}
