//! The mechanism, by a function made for the purpose: it counts and adds what reaches a group.

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

#[tokio::test]
async fn reads_queries_tables_views_and_ctes() {
    let server = sales(2).await;
    for (call, rows) in [
        (
            "probe((SELECT day, units FROM sales WHERE units < 20))",
            "3",
        ),
        ("probe(northern)", "3"),
        ("probe(NORTHERN)", "3"),
        ("probe(data => northern)", "3"),
        ("probe((northern))", "3"),
        ("probe(public.northern)", "3"),
        ("probe(other.\"Sales\")", "2"),
        ("probe(sales, x => units)", "6"),
        (
            "probe((SELECT s.day, t.units FROM sales s JOIN sales t USING (id)))",
            "6",
        ),
        (
            "probe((WITH w AS (SELECT day, units FROM sales) SELECT * FROM w LIMIT 4))",
            "4",
        ),
    ] {
        let sql = format!("SELECT rows FROM {call}");
        assert_eq!(server.rows(&sql).await, [rows], "{call}");
    }
    for sql in [
        "WITH mine AS (SELECT day, units FROM sales LIMIT 2) SELECT rows FROM probe(mine)",
        "WITH sales AS (SELECT day, units FROM other.\"Sales\" CROSS JOIN (SELECT 1 AS units)) SELECT rows FROM probe(sales)",
        "SELECT (SELECT rows FROM probe((SELECT * FROM northern WHERE units < 12)))",
        "SELECT 2 FROM northern WHERE units IN (SELECT total + 0.5 FROM probe((SELECT day, units FROM northern WHERE units = 10.5)))
         UNION ALL SELECT rows FROM probe(other.\"Sales\")",
    ] {
        let rows = server.rows(sql).await;
        assert!(!rows.is_empty() && rows.iter().all(|row| row == "2"), "{sql}: {rows:?}");
    }
}

#[tokio::test]
async fn groups_by_every_type() {
    let server = sales(3).await;
    let sql = "SELECT region, rows, total FROM probe(sales, id_cols => region, x => units) ORDER BY region";
    assert_eq!(
        server.rows(sql).await,
        ["north|3|33.5", "south|2|NaN", "|1|24.0"]
    );
    for id in [
        "id::smallint",
        "id::bigint",
        "id::real",
        "id::numeric(8, 1)",
        "id > 3",
        "day",
        "day::timestamp",
        "region",
        "arrow_cast(region, 'Utf8View')",
        "arrow_cast(region, 'Dictionary(Int32, Utf8)')",
        "region::bytea",
        "make_array(id)",
    ] {
        let sql = format!(
            "SELECT arrow_typeof(key) = arrow_typeof({id}) AND sum(rows) OVER () = 6
             FROM probe((SELECT day AS at, units, {id} AS key FROM sales), id_cols => key, at => at, x => units)
             CROSS JOIN (SELECT * FROM sales LIMIT 1)"
        );
        let rows = server.rows(&sql).await;
        assert!(
            !rows.is_empty() && rows.iter().all(|row| row == "true"),
            "{id}: {rows:?}"
        );
    }
    let sql = "SELECT key, region, rows FROM probe((SELECT *, id > 1 AS key FROM sales), id_cols => (key, 'region'), x => units) ORDER BY 1, 2";
    assert_eq!(
        server.rows(sql).await,
        ["false|north|1", "true|north|2", "true|south|2", "true||1"]
    );
}

#[tokio::test]
async fn the_name_or_the_alias_qualifies_columns() {
    let server = sales(2).await;
    assert_eq!(
        server.rows("SELECT probe.rows FROM probe(northern)").await,
        ["3"]
    );
    assert_eq!(
        server.rows("SELECT p.rows FROM probe(northern) AS p").await,
        ["3"]
    );
    assert_eq!(
        server
            .rows("SELECT n FROM probe(northern) AS p(n, t, p, w, s)")
            .await,
        ["3"]
    );
    let sql = "SELECT s.id FROM sales s JOIN probe(sales, id_cols => region, x => units) p ON s.region = p.region WHERE p.rows = 2";
    assert_eq!(server.rows(sql).await, ["4", "5"]);
}

#[tokio::test]
async fn further_relations_come_by_group_or_whole() {
    for partitions in [1, 4] {
        let server = sales(partitions).await;
        let sql = "SELECT region, rows, total, past, weights FROM probe(
            (SELECT day, region, units FROM sales WHERE day = DATE '2024-01-01'),
            id_cols => region,
            past => (SELECT units::int AS units, region, day::timestamp AS day, 7 AS more FROM sales WHERE day > DATE '2024-01-01'),
            weights => (SELECT 'a' AS asset, 0.25 AS weight UNION ALL SELECT 'b', 0.5)
        ) ORDER BY region";
        assert_eq!(
            server.rows(sql).await,
            [
                "north|1|10.5|23.0|0.75",
                "south|1|20.0|NaN|0.75",
                "|0|0.0|24.0|0.75"
            ]
        );
        let sql =
            "SELECT rows, past, weights FROM probe(northern, past => northern, weights => 'equal')";
        assert_eq!(server.rows(sql).await, ["3|33.5|"]);
    }
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let server = sales(2).await;
    for (call, message, hint) in [
        (
            "probe(northern, horizon => 1)",
            "function \"probe\" has no argument named \"horizon\"",
            "Its arguments are: data, at, x, id_cols, past, weights, limit, share, steps, tags, exact, on_error.",
        ),
        (
            "probe(northern, limit => 1, limit => 2)",
            "argument name \"limit\" used more than once",
            "",
        ),
        (
            "probe(northern, 12)",
            "function \"probe\" takes its options by name",
            "Only the first argument may go without a name",
        ),
        (
            "probe()",
            "function \"probe\" needs the argument \"data\"",
            "Write probe((SELECT ...), ...).",
        ),
        (
            "probe('northern')",
            "argument \"data\" must be a query in parentheses or the name of a table",
            "Write a query",
        ),
        (
            "probe(northern, past => 'sales')",
            "argument \"past\" must be a query",
            "",
        ),
        (
            "probe(sales, x => unit)",
            "column \"unit\" of argument \"x\" does not exist",
            "The columns are: id, day, region, units.",
        ),
        (
            "probe(sales, x => \"Units\")",
            "column \"Units\" of argument \"x\" does not exist",
            "",
        ),
        (
            "probe(sales, x => region)",
            "column \"region\" of argument \"x\" must be a number, not text",
            "",
        ),
        (
            "probe(sales, x => (id, units))",
            "argument \"x\" must be one column, not a list",
            "",
        ),
        (
            "probe(sales, x => s.units)",
            "argument \"x\" must be the name of a column",
            "",
        ),
        (
            "probe(sales, x => id + 1)",
            "argument \"x\" must be the name of a column",
            "",
        ),
        (
            "probe(sales, id_cols => (region, region), x => id)",
            "invalid value for argument \"id_cols\": \"region\"",
            "Each column",
        ),
        (
            "probe(sales)",
            "cannot tell which column is \"x\"",
            "Write x => and one of: id, units.",
        ),
        (
            "probe((SELECT region, id FROM sales))",
            "cannot tell which column is \"at\"",
            "There is no column that is a date, timestamp or integer.",
        ),
        (
            "probe((SELECT s.day, t.day, s.units FROM sales s, sales t), at => day)",
            "column reference \"day\" of argument \"at\" is ambiguous",
            "Give",
        ),
        (
            "probe(northern, limit => 1.5)",
            "argument \"limit\" must be an integer, not double precision",
            "",
        ),
        (
            "probe(northern, limit => 'many')",
            "argument \"limit\" must be an integer, not text",
            "",
        ),
        (
            "probe(northern, limit => true)",
            "argument \"limit\" must be an integer, not boolean",
            "",
        ),
        (
            "probe(northern, limit => (1, 2))",
            "argument \"limit\" must be an integer, not a list",
            "",
        ),
        (
            "probe(northern, limit => 500 * 3)",
            "invalid value for argument \"limit\": \"1500\"",
            "It must be between 1 and 1000.",
        ),
        (
            "probe(northern, limit => NULL)",
            "argument \"limit\" must not be null",
            "",
        ),
        (
            "probe(northern, limit => units)",
            "argument \"limit\" must be a constant",
            "",
        ),
        (
            "probe(northern, limit => (SELECT 1))",
            "argument \"limit\" must be a constant",
            "",
        ),
        (
            "probe(northern, limit => 1 + (SELECT 1))",
            "argument \"limit\" must be a constant",
            "",
        ),
        (
            "probe(northern, share => random())",
            "argument \"share\" must be a constant",
            "",
        ),
        (
            "probe(northern, share => 'NaN')",
            "argument \"share\" must be a number, not text",
            "",
        ),
        (
            "probe(northern, share => -0.5)",
            "invalid value for argument \"share\": \"-0.5\"",
            "It must be between 0 and 1.",
        ),
        (
            "probe(northern, exact => 3)",
            "argument \"exact\" must be boolean, not bigint",
            "",
        ),
        (
            "probe(northern, steps => (1, 100))",
            "invalid value for argument \"steps\": \"100\"",
            "It must be between 1 and 99.",
        ),
        (
            "probe(northern, tags => 7)",
            "argument \"tags\" must be text, not bigint",
            "",
        ),
        (
            "probe(northern, on_error => 'ignore')",
            "invalid value for argument \"on_error\": \"ignore\"",
            "Allowed are: status, abort.",
        ),
        (
            "probe(northern, past => (SELECT 1 AS units))",
            "column \"day\" of argument \"past\" does not exist",
            "The columns are: units.",
        ),
        (
            "probe(northern, weights => (SELECT 'a' AS asset))",
            "column \"weight\" of argument \"weights\" does not exist",
            "",
        ),
        (
            "probe(northern, weights => (SELECT 1 AS asset, 1 AS weight))",
            "column \"asset\" of argument \"weights\" must be text, not bigint",
            "",
        ),
        (
            "probe(northern, weights => 'heavy')",
            "invalid value for argument \"weights\": \"heavy\"",
            "Allowed are: equal.",
        ),
        (
            "sales s, LATERAL probe((SELECT s.day, s.units))",
            "LATERAL in function \"probe\" is not supported",
            "",
        ),
        (
            "probe(northern) WITH ORDINALITY",
            "WITH ORDINALITY in function \"probe\" is not supported",
            "",
        ),
    ] {
        let refusal = server.refusal(&format!("SELECT * FROM {call}")).await;
        assert!(refusal.message.starts_with(message), "{call}: {refusal}");
        assert!(refusal.hint.starts_with(hint), "{call}: {refusal}");
    }
    let own = "SELECT rows FROM probe((SELECT day, units FROM sales s WHERE EXISTS (SELECT 1 FROM sales u WHERE u.id = s.id + 1)))";
    assert_eq!(
        server
            .rows(&own.replace("probe((", "probe(x => units, data => ("))
            .await,
        ["5"]
    );
    let deep = "SELECT (SELECT rows FROM probe((SELECT day, units FROM sales s WHERE EXISTS (SELECT 1 FROM sales u WHERE u.id = t.id)))) FROM sales t";
    let shallow = "SELECT (SELECT rows FROM probe((SELECT day, units FROM sales s WHERE s.id = t.id))) FROM sales t";
    for correlated in [shallow, deep] {
        assert_eq!(
            server.refusal(correlated).await.message,
            "a reference to an outer query in function \"probe\" is not supported"
        );
    }
}

#[tokio::test]
async fn parameters_have_types_and_bind() {
    let server = sales(2).await;
    let sql = "SELECT rows, status FROM probe((SELECT * FROM northern WHERE units < $2), limit => $1, share => $3, steps => (1, $4), on_error => $5)";
    let plan = server.plan(sql).await.unwrap();
    let fields = plan.get_parameter_fields().unwrap();
    let types: HashMap<&str, DataType> = fields
        .iter()
        .filter_map(|(id, field)| Some((id.as_str(), field.as_ref()?.data_type().clone())))
        .collect();
    assert_eq!(types.get("$1"), Some(&DataType::Int64));
    assert_eq!(types.get("$3"), Some(&DataType::Float64));
    assert_eq!(types.get("$4"), Some(&DataType::Int64));
    assert_eq!(types.get("$5"), Some(&DataType::Utf8));

    let bind = async |limit: ScalarValue| {
        let values = vec![
            limit,
            100.0.into(),
            0.5.into(),
            2i64.into(),
            "status".into(),
        ];
        server
            .frame(sql)
            .await?
            .with_param_values(ParamValues::from(values))?
            .collect()
            .await
    };
    for (limit, rows, status) in [
        (ScalarValue::from(3i64), Some(3), None),
        (3i32.into(), Some(3), None),
        (2i16.into(), None, Some("too many rows: 3 > 2")),
        ("2".into(), None, Some("too many rows: 3 > 2")),
    ] {
        let batches = bind(limit).await.unwrap();
        let found = batches[0]
            .column(0)
            .as_primitive::<datafusion::arrow::datatypes::Int64Type>();
        assert_eq!(found.iter().next().unwrap(), rows);
        let found = batches[0].column(1).as_string::<i32>();
        assert_eq!(found.iter().next().unwrap(), status);
    }
    for (limit, message) in [
        (
            ScalarValue::from(0i64),
            "invalid value for argument \"limit\": \"0\"",
        ),
        (
            ScalarValue::Int64(None),
            "argument \"limit\" must not be null",
        ),
        (
            1.5.into(),
            "argument \"limit\" must be an integer, not double precision",
        ),
    ] {
        let error = bind(limit).await.unwrap_err();
        assert_eq!(Error::find(&error).unwrap().to_string(), message);
    }
    let unbound = server.try_run(sql).await.unwrap_err();
    assert!(
        matches!(
            Error::find(&unbound),
            None | Some(Error::NotConstant { .. })
        ),
        "{unbound}"
    );

    server
        .run("PREPARE p(int) AS SELECT rows FROM probe(northern, limit => $1 + 1)")
        .await;
    assert_eq!(server.rows("EXECUTE p(2)").await, ["3"]);
}

#[tokio::test]
async fn options_are_read_from_any_constant() {
    let server = sales(1).await;
    for arguments in [
        "limit => 3",
        "limit => '3'",
        "limit => 1 + 2",
        "limit => 3::smallint",
        "limit => abs(-3)",
        "LIMIT => 3",
        "exact => true",
        "exact => 'on'",
        "tags => 'a'",
        "tags => ('a', 'b')",
        "tags => ARRAY['a']",
        "steps => 'auto'",
        "steps => ARRAY[1, 2]",
        "share => 1",
        "share => 0.5::numeric",
        "on_error => 'ABORT'",
        "limit => (3)",
    ] {
        let sql = format!("SELECT rows FROM probe(northern, {arguments})");
        assert_eq!(server.rows(&sql).await, ["3"], "{arguments}");
    }
}

#[tokio::test]
async fn a_refused_group_is_a_row_or_the_end() {
    let server = sales(2).await;
    let sql = "SELECT region, rows, status FROM probe(sales, id_cols => region, x => units, limit => 2) ORDER BY region";
    assert_eq!(
        server.rows(sql).await,
        ["north||too many rows: 3 > 2", "south|2|", "|1|"]
    );
    let refusal = server
        .refusal(&sql.replace("limit", "on_error => 'abort', limit"))
        .await;
    assert_eq!(
        refusal.message,
        "function \"probe\" failed: too many rows: 3 > 2"
    );
    assert_eq!(refusal.detail, "The group is region = north.");
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

#[tokio::test]
async fn partitions_change_no_bit() {
    let batch = readings(5000);
    let mut results: Vec<Vec<(String, u64)>> = Vec::new();
    for (partitions, pieces) in [(1, 1), (2, 1), (4, 3), (16, 7)] {
        let server = Server::with(partitions, vec![Arc::new(Probe::default())], usize::MAX);
        register(&server, &batch, pieces);
        let batches = server.run(PER_SENSOR).await;
        let rows = batches.iter().flat_map(|batch| {
            let totals = batch.column(2).as_primitive::<Float64Type>();
            let sensors = batch.column(0).as_string::<i32>();
            sensors
                .iter()
                .zip(totals.values())
                .map(|(s, t)| (s.unwrap().to_owned(), t.to_bits()))
                .collect::<Vec<_>>()
        });
        results.push(rows.collect());
    }
    assert_eq!(results[0].len(), 97);
    assert!(results.iter().all(|result| *result == results[0]));
}

#[tokio::test]
async fn what_is_described_is_what_comes() {
    let server = Server::with(4, vec![Arc::new(Probe::default())], usize::MAX);
    register(&server, &readings(500), 3);
    let sql = "SELECT * FROM probe((SELECT * FROM readings WHERE at IS NOT NULL), id_cols => sensor, at => at, x => x)";
    let plan = server.plan(sql).await.unwrap();
    let described = plan.schema().as_arrow().clone();
    let sensor = described.field(0);
    assert_eq!(
        (sensor.data_type(), sensor.is_nullable()),
        (&DataType::Utf8, false)
    );
    assert_eq!(
        sensor.metadata().get("tessera.type").map(String::as_str),
        Some("varchar(9)")
    );
    assert_eq!(described.field(described.fields().len() - 1).name(), STATUS);
    for batch in server.run(sql).await {
        assert_eq!(batch.schema().fields(), described.fields());
    }
}

#[tokio::test]
async fn explain_shows_the_call() {
    let server = sales(4).await;
    let sql = "EXPLAIN SELECT * FROM probe(sales, id_cols => region, x => units, limit => 5, tags => ('a', 'b')) WHERE region = 'north'";
    let plan = server.table(sql).await;
    assert!(
        plan.contains("TableFunction: probe(id_cols => (region), at => day, x => units, limit => 5, tags => ('a', 'b'))"),
        "{plan}"
    );
    assert!(
        plan.contains(
            "TableFunctionExec: probe, id_cols=region, at=day, x=units, limit=5, tags=(a, b)"
        ),
        "{plan}"
    );
    // The filter on an id column went below the function.
    let (function, filter) = (plan.find("TableFunction: probe"), plan.find("Filter: "));
    assert!(function.is_some() && filter > function, "{plan}");
    // Only what is needed is read.
    assert!(!plan.contains("projection=[id"), "{plan}");
    let sql = "EXPLAIN SELECT * FROM probe(sales, id_cols => region, x => units) WHERE rows > 1 ORDER BY region";
    let plan = server.table(sql).await;
    assert!(
        plan.find("Filter: ") < plan.find("TableFunction: probe"),
        "{plan}"
    );
}

#[tokio::test]
async fn nodes_are_known_and_compare() {
    let server = sales(1).await;
    let node = async |sql: &str| {
        let plan = server.plan(sql).await.unwrap();
        let mut plan = &plan;
        loop {
            match plan {
                LogicalPlan::Extension(extension) => break Arc::clone(&extension.node),
                other => plan = other.inputs()[0],
            }
        }
    };
    let (one, same) = (
        node("SELECT * FROM probe(northern)").await,
        node("SELECT * FROM probe(northern)").await,
    );
    let other = node("SELECT * FROM probe(northern, limit => 2)").await;
    assert!(crate::is_known_node(one.as_ref()));
    assert!(*one == *same && *one != *other);
    assert_eq!(one.partial_cmp(&same), Some(std::cmp::Ordering::Equal));
    assert_ne!(one.partial_cmp(&other), Some(std::cmp::Ordering::Equal));
}

#[tokio::test]
async fn a_group_too_large_for_memory_is_an_error() {
    let server = Server::with(1, vec![Arc::new(Probe::default())], 400_000);
    register(&server, &readings(20_000), 1);
    let whole = "SELECT rows FROM probe((SELECT at, x FROM readings), at => at, x => x)";
    let error = server.try_run(whole).await.unwrap_err();
    assert!(
        matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)),
        "{error}"
    );
}

#[tokio::test]
async fn dropping_the_stream_stops_the_work() {
    let probe = Probe {
        runs: Arc::default(),
        delay: Duration::from_millis(10),
    };
    let runs = Arc::clone(&probe.runs);
    let server = Server::with(2, vec![Arc::new(probe)], usize::MAX);
    register(&server, &readings(5000), 2);
    let frame = server
        .frame(&PER_SENSOR.replace("ORDER BY sensor", ""))
        .await
        .unwrap();
    let mut stream = frame.execute_stream().await.unwrap();
    // Rows come before all groups are done.
    assert!(stream.next().await.unwrap().unwrap().num_rows() > 0);
    drop(stream);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let stopped = runs.load(Ordering::SeqCst);
    assert!(stopped < 97, "{stopped}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(runs.load(Ordering::SeqCst), stopped);
}

#[tokio::test]
async fn long_work_lets_others_run() {
    let probe = Probe {
        runs: Arc::default(),
        delay: Duration::from_millis(10),
    };
    let server = Server::with(1, vec![Arc::new(probe)], usize::MAX);
    register(&server, &readings(2000), 1);
    // On this runtime of one thread a timer fires only when the query yields.
    let query = server.try_run(PER_SENSOR);
    let result = tokio::time::timeout(Duration::from_millis(100), query).await;
    assert!(result.is_err());
}

#[tokio::test]
async fn an_operator_can_be_made_again_from_plain_data() {
    let server = sales(1).await;
    let sql = "SELECT * FROM probe(sales, id_cols => region, x => units, limit => 2)";
    let physical = server
        .frame(sql)
        .await
        .unwrap()
        .create_physical_plan()
        .await
        .unwrap();
    let mut plan = &physical;
    while !plan.is::<TableFunctionExec>() {
        plan = plan.children()[0];
    }
    let exec = plan.downcast_ref::<TableFunctionExec>().unwrap();
    let relations: Vec<(String, Vec<_>)> = exec
        .layout()
        .relations()
        .iter()
        .map(|relation| (relation.name.to_owned(), relation.fields.clone()))
        .collect();
    let function: Arc<dyn TableFunction> = Arc::new(Probe::default());
    let inputs = plan.children().into_iter().cloned().collect();
    let again = TableFunctionExec::try_new(
        &function,
        exec.call().clone(),
        &relations,
        plan.schema(),
        inputs,
    )
    .unwrap();
    assert_eq!(again.call(), exec.call());
    let context = server.context.task_ctx();
    let batches = datafusion::physical_plan::collect(Arc::new(again), context)
        .await
        .unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
}
