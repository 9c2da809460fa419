//! `kmeans()` and `kmeans_centers()`: points to the nearest of k centres.
//!
//! `kmeans` answers a row a point: its key, its cluster from 1 (the largest) on, and its distance to the centre.
//! `kmeans_centers` answers a row a cluster and column: the centre's coordinate, the cluster's size and the inertia of
//! them all. With `scale => 'zscore'` columns count in units of their standard deviation, and distances too; centres are
//! told in the columns' own units. Rows with a NULL, NaN or infinity are left out.
//! Method: [`math::kmeans`](crate::math::kmeans). Reference values: scikit-learn 1.9.

use std::sync::Arc;

use arrow::array::{Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field};

use super::points::{Columns, KEY, Points, X};
use crate::error::{Error, Result};
use crate::math::kmeans::{Clusters, Plan, kmeans};
use crate::math::stats::{mean, squares};
use crate::relation::{
    Argument, Bound, Constant, Failure, Group, Layout, Options, Output, Signature, TableFunction,
    ValueType,
};

const MAX_CLUSTERS: i64 = 10_000;

const fn whole(name: &'static str, most: i64) -> Argument {
    Argument::option(name, ValueType::Integer { min: 1, max: most })
}

const SCALE: Argument =
    Argument::option("scale", ValueType::Choice(&["none", "zscore"])).or(Constant::Text("none"));

static ROWS: Signature = Signature {
    name: "kmeans",
    arguments: &[
        Argument::data("data"),
        KEY,
        X,
        Argument::ids(),
        whole("k", MAX_CLUSTERS).or(Constant::Integer(8)),
        SCALE,
        whole("n_init", 1000).or(Constant::Integer(10)),
        whole("max_iterations", 100_000).or(Constant::Integer(300)),
        Argument::SEED,
    ],
};

static CENTRES: Signature = Signature {
    name: "kmeans_centers",
    arguments: &[
        Argument::data("data"),
        X,
        Argument::ids(),
        whole("k", MAX_CLUSTERS).or(Constant::Integer(8)),
        SCALE,
        whole("n_init", 1000).or(Constant::Integer(10)),
        whole("max_iterations", 100_000).or(Constant::Integer(300)),
        Argument::SEED,
    ],
};

/// The table function `kmeans`.
#[derive(Debug)]
pub(super) struct KMeans;

/// The table function `kmeans_centers`.
#[derive(Debug)]
pub(super) struct KMeansCenters;

#[derive(Debug)]
struct Clustering {
    columns: Columns,
    plan: Plan,
    scaled: bool,
}

struct Found {
    points: Points,
    clusters: Clusters,
    scales: Vec<f64>,
}

impl Clustering {
    fn new(layout: &Layout, options: &Options) -> Result<Self> {
        Ok(Self {
            columns: Columns::new(layout)?,
            plan: Plan {
                k: options.count("k")?,
                starts: options.count("n_init")?,
                rounds: options.count("max_iterations")?,
                seed: options.integer("seed")?.cast_unsigned(),
            },
            scaled: options.text("scale")? == "zscore",
        })
    }

    fn find(&self, group: &Group<'_>) -> Result<Found, Failure> {
        let mut points = self.columns.points(group)?;
        let (got, need) = (points.count(), self.plan.k);
        if got < need {
            return Err(Failure::refused(format_args!(
                "too few observations: {got} < {need}"
            )));
        }
        let mut scales = vec![1.0; points.columns.len()];
        if self.scaled {
            for (scale, column) in scales.iter_mut().zip(&mut points.columns) {
                let spread = squares(column, mean(column)) / (got as f64 - 1.0).max(1.0);
                if spread > 0.0 {
                    *scale = spread.sqrt();
                    column.iter_mut().for_each(|x| *x /= *scale);
                }
            }
        }
        let clusters = kmeans(&points.rows(), &self.plan)
            .ok_or_else(|| Failure::refused("fewer distinct points than clusters"))?;
        if !clusters.inertia.is_finite() {
            return Err(Failure::refused(
                "the values are too large: squares of their distances leave the range of numbers",
            ));
        }
        Ok(Found {
            points,
            clusters,
            scales,
        })
    }
}

/// Numbered from one.
fn number(place: usize) -> Option<i64> {
    i64::try_from(place + 1).ok()
}

impl TableFunction for KMeans {
    fn signature(&self) -> &'static Signature {
        &ROWS
    }

    fn output(&self, layout: &Layout) -> Result<Vec<Field>> {
        let key = layout.field(layout.column("key_col")?);
        Ok(vec![
            Field::new(key.name(), key.data_type().clone(), true),
            Field::new("cluster", DataType::Int64, true),
            Field::new("distance", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        key_is_apart(layout)?;
        Ok(Arc::new(BoundRows(Clustering::new(layout, options)?)))
    }
}

/// The key's name is the result's, so it may be none of its other columns'.
pub(super) fn key_is_apart(layout: &Layout) -> Result<()> {
    let name = layout.field(layout.column("key_col")?).name();
    if layout.ids().iter().any(|id| id.name() == name) {
        return Err(Error::InvalidValue {
            argument: "key_col".to_owned(),
            value: name.clone(),
            hint: "The key tells the rows of a group apart; \"id_cols\" has this column already."
                .to_owned(),
        });
    }
    Ok(())
}

#[derive(Debug)]
struct BoundRows(Clustering);

impl Bound for BoundRows {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let Found {
            points, clusters, ..
        } = self.0.find(group)?;
        let Some(key) = self.0.columns.key else {
            return Err(Failure::refused("no key"));
        };
        let numbers: Int64Array = clusters
            .cluster
            .iter()
            .map(|place| number(*place))
            .collect();
        let distances: Float64Array = clusters.square.iter().map(|d| Some(d.sqrt())).collect();
        Ok(Output::new(vec![
            points.of(group.column(key))?,
            Arc::new(numbers),
            Arc::new(distances),
        ]))
    }
}

impl TableFunction for KMeansCenters {
    fn signature(&self) -> &'static Signature {
        &CENTRES
    }

    fn output(&self, _: &Layout) -> Result<Vec<Field>> {
        Ok(vec![
            Field::new("cluster", DataType::Int64, true),
            Field::new("size", DataType::Int64, true),
            Field::new("term", DataType::Utf8, true),
            Field::new("center", DataType::Float64, true),
            Field::new("inertia", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        Ok(Arc::new(BoundCentres(Clustering::new(layout, options)?)))
    }
}

#[derive(Debug)]
struct BoundCentres(Clustering);

impl Bound for BoundCentres {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        let Found {
            clusters, scales, ..
        } = self.0.find(group)?;
        let names = &self.0.columns.names;
        let rows = clusters.centres.len() * names.len();
        let each = |of: &dyn Fn(usize, usize) -> Option<i64>| -> Int64Array {
            let rows =
                (0..clusters.centres.len()).flat_map(|c| (0..names.len()).map(move |x| (c, x)));
            rows.map(|(cluster, x)| of(cluster, x)).collect()
        };
        let centres = clusters.centres.iter().flat_map(|centre| {
            let coordinates = centre.iter().zip(&scales);
            coordinates.map(|(x, scale)| Some(x * scale))
        });
        let terms = clusters.centres.iter().flat_map(|_| names.iter().map(Some));
        Ok(Output::new(vec![
            Arc::new(each(&|cluster, _| number(cluster))),
            Arc::new(each(&|cluster, _| {
                i64::try_from(clusters.sizes[cluster]).ok()
            })),
            Arc::new(terms.collect::<StringArray>()),
            Arc::new(centres.collect::<Float64Array>()),
            Arc::new(Float64Array::from(vec![clusters.inertia; rows])),
        ]))
    }
}
