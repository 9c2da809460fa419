//! The mechanism, by a function made for the purpose: it counts and adds what reaches a group.

mod options;
mod plans;
mod reading;
mod refusals;
mod running;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use datafusion::arrow::array::{
    ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::datatypes::{DataType, Field, Float64Type, Schema};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use futures::StreamExt;

use super::*;
use crate::error::Error;
use crate::testing::Server;

/// `probe(data, …) → ids, rows, total, past, weights, status`
static PROBE: Signature = Signature {
    name: "probe",
    arguments: &[
        Argument::data("data"),
        Argument::column("at", Class::Time).inferred().orders(),
        Argument::column("x", Class::Number).inferred(),
        Argument::ids(),
        Argument::relation("past", Rows::Grouped, Wanted::Like(&["at", "x"])),
        Argument::relation(
            "weights",
            Rows::Shared,
            Wanted::Named(&[
                ("asset", Class::Text, Presence::Required),
                ("weight", Class::Number, Presence::Required),
                ("note", Class::Any, Presence::Optional),
            ]),
        ),
        Argument::option("weights", ValueType::Choice(&["equal"])).or(Constant::Text("equal")),
        Argument::option("limit", ValueType::Integer { min: 1, max: 1000 })
            .or(Constant::Integer(1000)),
        Argument::option(
            "share",
            ValueType::Number {
                min: 0.0,
                max: 1.0,
                closed: true,
            },
        ),
        Argument::option(
            "steps",
            ValueType::Integers {
                words: &["auto"],
                min: 1,
                max: 99,
            },
        ),
        Argument::option("tags", ValueType::Texts(&[])),
        Argument::option("exact", ValueType::Boolean).or(Constant::Boolean(false)),
    ],
};

#[derive(Debug, Default)]
struct Probe {
    runs: Arc<AtomicUsize>,
    delay: Duration,
}

#[derive(Debug)]
struct BoundProbe {
    x: ColumnRef,
    past: Option<ColumnRef>,
    weight: Option<ColumnRef>,
    limit: usize,
    runs: Arc<AtomicUsize>,
    delay: Duration,
}

impl TableFunction for Probe {
    fn signature(&self) -> &'static Signature {
        &PROBE
    }

    fn output(&self, _layout: &Layout) -> Result<Vec<Field>> {
        Ok(vec![
            Field::new("rows", DataType::Int64, true),
            Field::new("total", DataType::Float64, true),
            Field::new("past", DataType::Float64, true),
            Field::new("weights", DataType::Float64, true),
        ])
    }

    fn bind(&self, layout: &Layout, options: &Options) -> Result<Arc<dyn Bound>> {
        let x = layout.column("x")?;
        Ok(Arc::new(BoundProbe {
            x,
            past: layout.column_like("past", x),
            weight: layout.column_of("weights", "weight"),
            limit: options.count("limit")?,
            runs: Arc::clone(&self.runs),
            delay: self.delay,
        }))
    }
}

impl Bound for BoundProbe {
    fn run_group(&self, group: &Group<'_>) -> Result<Output, Failure> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(self.delay);
        if group.rows() > self.limit {
            return Err(Failure::refused(format_args!(
                "too many rows: {} > {}",
                group.rows(),
                self.limit
            )));
        }
        // The order of addition shows in the last bits.
        let sum = |column: ColumnRef| -> Result<f64, Failure> {
            Ok(group.numbers(column)?.iter().fold(0.0, |a, b| a + b))
        };
        let sum_of = |column: Option<ColumnRef>| column.map(sum).transpose();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![i64::try_from(group.rows()).unwrap()])),
            Arc::new(Float64Array::from(vec![sum(self.x)?])),
            Arc::new(Float64Array::from(vec![sum_of(self.past)?])),
            Arc::new(Float64Array::from(vec![sum_of(self.weight)?])),
        ];
        Ok(Output::new(columns))
    }
}

const SALES: &str = "CREATE TABLE sales AS SELECT * FROM (VALUES
    (1, DATE '2024-01-01', 'north', 10.5), (2, DATE '2024-01-02', 'north', 11), (3, DATE '2024-01-03', 'north', 12),
    (4, DATE '2024-01-01', 'south', 20), (5, DATE '2024-01-02', 'south', NULL), (6, DATE '2024-01-03', NULL, 24)
) AS t(id, day, region, units)";

async fn sales(partitions: usize) -> Server {
    let server = Server::with(partitions, vec![Arc::new(Probe::default())], usize::MAX);
    server.run(SALES).await;
    server
        .run("CREATE VIEW northern AS SELECT day, units FROM sales WHERE region = 'north'")
        .await;
    server.run("CREATE SCHEMA other").await;
    server.run("CREATE TABLE other.\"Sales\" AS SELECT day, units AS \"Units\" FROM sales WHERE id < 3").await;
    server
}

fn readings(rows: usize) -> RecordBatch {
    let mut state = 1u64;
    let mut random = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let schema = Schema::new(vec![
        Field::new("sensor", DataType::Utf8, false).with_metadata(HashMap::from([(
            "tessera.type".to_owned(),
            "varchar(9)".to_owned(),
        )])),
        Field::new("at", DataType::Int64, true),
        Field::new("x", DataType::Float64, true),
    ]);
    let sensors: StringArray = (0..rows)
        .map(|_| Some(format!("s{}", random() % 97)))
        .collect();
    // Many times tie, so the order of addition is up to the mechanism.
    let times: Int64Array = (0..rows).map(|_| Some((random() % 5) as i64)).collect();
    let values: Float64Array = (0..rows)
        .map(|_| Some(1.0 / (random() % 1000 + 3) as f64))
        .collect();
    RecordBatch::try_new(
        Arc::new(schema),
        vec![Arc::new(sensors), Arc::new(times), Arc::new(values)],
    )
    .unwrap()
}

fn register(server: &Server, batch: &RecordBatch, pieces: usize) {
    let size = batch.num_rows().div_ceil(pieces);
    let pieces = (0..pieces).map(|piece| {
        let start = (piece * size).min(batch.num_rows());
        vec![batch.slice(start, size.min(batch.num_rows() - start))]
    });
    let table = MemTable::try_new(batch.schema(), pieces.rev().collect()).unwrap();
    server
        .context
        .register_table("readings", Arc::new(table))
        .unwrap();
}

const PER_SENSOR: &str = "SELECT sensor, rows, total FROM probe(readings, id_cols => sensor, at => at, x => x) ORDER BY sensor";
