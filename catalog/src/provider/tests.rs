//! Rows through files and back: every type, every change of columns, every way of not reading a file.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int32Type, IntervalMonthDayNano, Schema, SchemaRef};
use arrow::util::pretty::pretty_format_batches;
use datafusion::common::ScalarValue;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::functions_aggregate::expr_fn::{count, max, min};
use datafusion::logical_expr::{Expr, lit};
use datafusion::physical_plan::displayable;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext, col, ident};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;

use super::*;
use crate::error::Error;
use crate::id::{Oid, Part, Space, TableUuid, TenantId};
use crate::model::{Column, Relation, RelationBody, Scope, TENANT_COLUMN, Table};
use crate::sql_type::SqlType;
use crate::storage::{ALL_SPACES_URL, DataFile, LogEntry, Snapshot, Storage, WriteOptions, stored};

fn utc() -> Arc<str> {
    Arc::from("UTC")
}

fn column(number: i16, name: &str, sql_type: SqlType) -> Column {
    Column {
        number,
        name: name.to_owned(),
        physical: name.to_owned(),
        sql_type,
        nullable: true,
        default: None,
        domain: None,
        fraction: None,
        missing_default: None,
        identity: None,
        generated: None,
        acl: None,
        comment: None,
        dropped: false,
    }
}

fn relation(columns: Vec<Column>) -> Relation {
    let scope = if columns.iter().any(Column::is_tenant) {
        Scope::Common
    } else {
        Scope::Own
    };
    Relation {
        oid: Oid(Oid::FIRST_OF_TENANT),
        schema: Oid::PUBLIC_SCHEMA,
        name: "t".to_owned(),
        owner: Oid::OPERATOR,
        acl: None,
        comment: None,
        body: RelationBody::Table(Table {
            uuid: TableUuid::generate(),
            scope,
            columns,
            checks: Vec::new(),
            keys: Vec::new(),
            schema_version: 1,
            query: None,
            sensitive: false,
        }),
    }
}

fn table(relation: &mut Relation) -> &mut Table {
    match &mut relation.body {
        RelationBody::Table(table) => table,
        RelationBody::View(_) | RelationBody::Sequence(_) => panic!("a table"),
    }
}

/// A table in a folder of its own, and a session that reads it.
struct World {
    folder: TempDir,
    storage: Storage,
    part: Part,
    snapshot: Snapshot,
    pushdown: bool,
}

impl World {
    async fn new(relation: &Relation) -> Self {
        let folder = TempDir::new().unwrap();
        let url = Url::from_directory_path(folder.path()).unwrap();
        let storage = Storage::open(url.as_str(), &[]).await.unwrap();
        let space = Space::Tenant(TenantId::generate());
        let part = Part {
            space,
            table: relation.table().unwrap().uuid,
        };
        Self {
            folder,
            storage,
            part,
            snapshot: Snapshot::empty(),
            pushdown: false,
        }
    }

    async fn write(&self, relation: &Relation, batch: &RecordBatch) -> Vec<Arc<DataFile>> {
        let mut writer = self.storage.writer(self.part, relation).unwrap();
        writer.write(batch).await.unwrap();
        writer.finish().await.unwrap()
    }

    async fn commit(
        &mut self,
        relation: &Relation,
        added: &[Arc<DataFile>],
        removed: &[Arc<DataFile>],
    ) {
        let version = self.snapshot.version.map_or(0, |version| version + 1);
        let commit_id = Uuid::new_v4();
        let timestamp_ms = 1000 * (version + 1);
        let entry = LogEntry {
            commit_id,
            timestamp_ms,
            operation: "WRITE",
            relation,
            base: &self.snapshot,
            added,
            removed,
            data_change: true,
        };
        let text = self.storage.log_entry(entry).unwrap();
        for _ in 0..2 {
            let write = self
                .storage
                .write_log_entry(self.part, version, &text, commit_id, "t");
            write.await.unwrap();
        }
        let schema_version = relation.table().unwrap().schema_version;
        self.snapshot =
            self.snapshot
                .advance(version, schema_version, added, removed, timestamp_ms);
    }

    async fn insert(&mut self, relation: &Relation, batch: &RecordBatch) {
        let files = self.write(relation, batch).await;
        self.commit(relation, &files, &[]).await;
    }

    async fn reload(&mut self) {
        let version = self.snapshot.version.unwrap();
        let loaded = self.storage.load(self.part, version, "t").await.unwrap();
        assert_eq!(loaded.version, self.snapshot.version);
        assert_eq!(loaded.schema_version, self.snapshot.schema_version);
        assert_eq!(loaded.timestamp_ms, self.snapshot.timestamp_ms);
        let paths = |snapshot: &Snapshot| {
            let mut paths: Vec<_> = snapshot.files.iter().map(|f| f.path.clone()).collect();
            paths.sort();
            paths
        };
        assert_eq!(paths(&loaded), paths(&self.snapshot));
        assert_eq!(loaded.rows(), self.snapshot.rows());
        assert_eq!(loaded.bytes(), self.snapshot.bytes());
        self.snapshot = loaded;
    }

    fn session(&self) -> SessionContext {
        let mut config = SessionConfig::new().with_target_partitions(2);
        config.options_mut().execution.parquet.pushdown_filters = self.pushdown;
        let session = SessionContext::new_with_config_rt(config, Arc::new(RuntimeEnv::default()));
        let url = Url::parse(&self.part.space.url()).unwrap();
        session.register_object_store(&url, self.storage.read_only_store(self.part.space));
        let url = Url::parse(ALL_SPACES_URL).unwrap();
        session.register_object_store(&url, self.storage.all_spaces_store());
        session
    }

    fn options(&self, relation: &Relation) -> PartTableOptions {
        PartTableOptions {
            relation: Arc::new(relation.clone()),
            part: self.part,
            files: self.snapshot.files.clone(),
            memory: Vec::new(),
            tenant_name: None,
            zone: utc(),
            defaults: HashMap::new(),
            statistics: true,
        }
    }

    fn frame(&self, relation: &Relation) -> DataFrame {
        self.frame_of(self.options(relation))
    }

    fn frame_of(&self, options: PartTableOptions) -> DataFrame {
        self.session()
            .read_table(Arc::new(PartTable::new(options).unwrap()))
            .unwrap()
    }
}

async fn rows(frame: DataFrame) -> RecordBatch {
    let schema: SchemaRef = Arc::clone(frame.schema().inner());
    let batches = frame.collect().await.unwrap();
    concat_batches(
        batches.first().map_or(&schema, |batch| batch.schema_ref()),
        &batches,
    )
    .unwrap()
}

async fn text(frame: DataFrame) -> Vec<String> {
    let batches = frame.collect().await.unwrap();
    let text = pretty_format_batches(&batches).unwrap().to_string();
    let lines = text.lines().filter(|line| line.starts_with('|')).skip(1);
    lines
        .map(|line| line[1..line.len() - 1].replace(' ', ""))
        .collect()
}

async fn plan(frame: DataFrame) -> String {
    let plan = frame.create_physical_plan().await.unwrap();
    displayable(plan.as_ref()).indent(false).to_string()
}

fn batch(relation: &Relation, columns: Vec<ArrayRef>) -> RecordBatch {
    let stored = stored::stored_columns(relation.table().unwrap());
    let fields: Vec<_> = stored
        .map(|c| c.sql_type.field(&c.name, c.nullable, &utc()))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

fn ints(values: impl IntoIterator<Item = i32>) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(values))
}

fn list(items: Vec<Option<Vec<Option<i32>>>>) -> ArrayRef {
    Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(items))
}

/// A list array of the SQL type with one, two, no and unknown items.
fn list_of(element: &SqlType, values: &ArrayRef) -> ArrayRef {
    let field = element.field("item", true, &utc());
    let field = match SqlType::Array(Box::new(element.clone())).arrow(&utc()) {
        DataType::List(field) => field,
        _ => field,
    };
    let length = values.len() as i32;
    let offsets = arrow::buffer::OffsetBuffer::new(vec![0, 0, 1, length, length].into());
    let nulls = arrow::buffer::NullBuffer::from(vec![true, true, true, false]);
    Arc::new(ListArray::new(
        field,
        offsets,
        Arc::clone(values),
        Some(nulls),
    ))
}

/// Four values of each type, the last NULL, among them the extremes.
fn samples() -> Vec<(SqlType, ArrayRef)> {
    let text = |a: &str, b: &str, c: &str| -> ArrayRef {
        Arc::new(StringViewArray::from(vec![Some(a), Some(b), Some(c), None]))
    };
    let interval =
        |months, days, micros: i64| Some(IntervalMonthDayNano::new(months, days, micros * 1000));
    let long = "é".repeat(200);
    vec![
        (
            SqlType::Bool,
            Arc::new(BooleanArray::from(vec![
                Some(true),
                Some(false),
                Some(true),
                None,
            ])),
        ),
        (
            SqlType::Int2,
            Arc::new(Int16Array::from(vec![
                Some(i16::MIN),
                Some(0),
                Some(i16::MAX),
                None,
            ])),
        ),
        (
            SqlType::Int4,
            Arc::new(Int32Array::from(vec![
                Some(i32::MIN),
                Some(0),
                Some(i32::MAX),
                None,
            ])),
        ),
        (
            SqlType::Int8,
            Arc::new(Int64Array::from(vec![
                Some(i64::MIN),
                Some(0),
                Some(i64::MAX),
                None,
            ])),
        ),
        (
            SqlType::Float4,
            Arc::new(Float32Array::from(vec![
                Some(f32::NAN),
                Some(f32::NEG_INFINITY),
                Some(0.1),
                None,
            ])),
        ),
        (
            SqlType::Float8,
            Arc::new(Float64Array::from(vec![
                Some(f64::NAN),
                Some(f64::INFINITY),
                Some(-0.0),
                None,
            ])),
        ),
        (
            SqlType::Numeric(Some((38, 10))),
            Arc::new(
                Decimal128Array::from(vec![Some(10i128.pow(38) - 1), Some(-1), Some(0), None])
                    .with_precision_and_scale(38, 10)
                    .unwrap(),
            ),
        ),
        (
            SqlType::Numeric(Some((5, -2))),
            Arc::new(
                Decimal128Array::from(vec![Some(99_999), Some(-1), Some(0), None])
                    .with_precision_and_scale(5, -2)
                    .unwrap(),
            ),
        ),
        (
            SqlType::Numeric(None),
            Arc::new(LargeStringArray::from(vec![
                Some("NaN"),
                Some("-12345678901234567890123456789.5"),
                Some("0"),
                None,
            ])),
        ),
        (SqlType::Text, text("", "naïve\n\"x\"", &long)),
        (SqlType::Varchar(Some(5)), text("a", "b", "c")),
        (SqlType::Char(3), text("a", "b", "c")),
        (SqlType::Name, text("a", "b", "c")),
        (SqlType::InternalChar, text("a", "b", "c")),
        (
            SqlType::Bytea,
            Arc::new(BinaryViewArray::from(vec![
                Some(&b""[..]),
                Some(b"\0\xff"),
                Some(b"x"),
                None,
            ])),
        ),
        (
            SqlType::Date,
            Arc::new(Date32Array::from(vec![
                Some(i32::MIN),
                Some(0),
                Some(i32::MAX),
                None,
            ])),
        ),
        (
            SqlType::Time,
            Arc::new(Time64MicrosecondArray::from(vec![
                Some(0),
                Some(1),
                Some(86_399_999_999),
                None,
            ])),
        ),
        (
            SqlType::Timestamp,
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(i64::MIN),
                Some(1),
                Some(i64::MAX),
                None,
            ])),
        ),
        (
            SqlType::Timestamptz,
            Arc::new(
                TimestampMicrosecondArray::from(vec![
                    Some(i64::MIN),
                    Some(1),
                    Some(i64::MAX),
                    None,
                ])
                .with_timezone("UTC"),
            ),
        ),
        (
            SqlType::Interval,
            Arc::new(IntervalMonthDayNanoArray::from(vec![
                interval(-14, 3, 1),
                interval(0, 0, 0),
                interval(1, -1, -86_400_000_001),
                None,
            ])),
        ),
        (
            SqlType::Uuid,
            text("00000000-0000-0000-0000-000000000000", "a", "f"),
        ),
        (SqlType::Json, text("{}", " [1]", "null")),
        (SqlType::Jsonb, text("{}", "[1]", "null")),
        (
            SqlType::Oid,
            Arc::new(UInt32Array::from(vec![
                Some(0),
                Some(1),
                Some(u32::MAX),
                None,
            ])),
        ),
        (
            SqlType::Reg(crate::sql_type::RegType::Class),
            Arc::new(UInt32Array::from(vec![
                Some(0),
                Some(1),
                Some(u32::MAX),
                None,
            ])),
        ),
    ]
}

/// Every scalar type and the array of each.
fn every_type() -> (Relation, RecordBatch) {
    let mut columns = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (sql_type, values) in samples() {
        let number = columns.len() as i16 + 1;
        let items = list_of(&sql_type, &values);
        let array_type = SqlType::Array(Box::new(sql_type.clone()));
        columns.push(column(number, &format!("c{number}"), sql_type));
        columns.push(column(number + 1, &format!("c{}", number + 1), array_type));
        arrays.push(values);
        arrays.push(items);
    }
    let relation = relation(columns);
    let batch = batch(&relation, arrays);
    (relation, batch)
}

fn assert_same(found: &RecordBatch, expected: &RecordBatch) {
    assert_eq!(found.num_rows(), expected.num_rows());
    for (index, field) in expected.schema().fields().iter().enumerate() {
        let (found, expected) = (found.column(index), expected.column(index));
        let sql_type = SqlType::of(field);
        // Debug text tells NaN, -0 and NULL apart; equality does not hold for NaN.
        assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{sql_type}");
        assert_eq!(found.data_type(), expected.data_type(), "{sql_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_comes_back() {
    let (relation, batch) = every_type();
    let mut world = World::new(&relation).await;
    world.insert(&relation, &batch).await;
    let provider = PartTable::new(world.options(&relation)).unwrap();
    let provider_schema = datafusion::catalog::TableProvider::schema(&provider);
    assert_eq!(provider_schema, batch.schema());
    assert_same(&rows(world.frame(&relation)).await, &batch);
    world.reload().await;
    let found = rows(world.frame(&relation)).await;
    assert_same(&found, &batch);
    for (found, expected) in found.schema().fields().iter().zip(batch.schema().fields()) {
        assert_eq!(SqlType::of(found), SqlType::of(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_time_zone_changes_the_type_alone() {
    let (relation, batch) = every_type();
    let mut world = World::new(&relation).await;
    world.insert(&relation, &batch).await;
    let zone: Arc<str> = Arc::from("Europe/Paris");
    let memory = vec![batch.clone()];
    let options = PartTableOptions {
        zone: Arc::clone(&zone),
        memory,
        ..world.options(&relation)
    };
    let found = rows(world.frame_of(options)).await;
    assert_eq!(found.num_rows(), 8);
    for (index, column) in relation.table().unwrap().columns.iter().enumerate() {
        assert_eq!(
            *found.column(index).data_type(),
            column.sql_type.arrow(&zone)
        );
    }
}

/// Whatever the reader and the statistics do with a filter, it means what it means in memory.
#[tokio::test(flavor = "multi_thread")]
async fn filters_mean_the_same_on_files() {
    let (relation, batch) = every_type();
    let mut world = World::new(&relation).await;
    for row in 0..batch.num_rows() {
        world.insert(&relation, &batch.slice(row, 1)).await;
    }
    let memory = MemoryTable::new(&relation, std::slice::from_ref(&batch), &utc()).unwrap();
    let memory = Arc::new(memory);
    let mut filters = Vec::new();
    for (index, field) in batch.schema().fields().iter().enumerate() {
        let name = || ident(field.name());
        filters.push(name().is_null());
        filters.push(name().is_not_null());
        if matches!(field.data_type(), DataType::List(_)) {
            continue;
        }
        for row in 0..3 {
            let value = ScalarValue::try_from_array(batch.column(index), row).unwrap();
            let value = || lit(value.clone());
            filters.push(name().eq(value()));
            if row == 1 {
                filters.push(name().gt(value()));
                filters.push(name().not_eq(value()).or(ident("c1").is_null()));
            }
        }
    }
    let wanted = [ident("c5"), ident("c6"), ident("c39"), ident("c22")];
    let read = |frame: DataFrame, filter: &Expr| {
        let frame = frame.filter(filter.clone()).unwrap();
        let frame = frame.select(wanted.to_vec()).unwrap();
        text(frame.sort_by(wanted.to_vec()).unwrap())
    };
    let mut expected = Vec::new();
    for filter in &filters {
        let frame = world
            .session()
            .read_table(Arc::clone(&memory) as _)
            .unwrap();
        expected.push(read(frame, filter).await);
    }
    for reloaded in [false, true] {
        if reloaded {
            world.reload().await;
        }
        world.pushdown = !reloaded;
        for (filter, expected) in filters.iter().zip(&expected) {
            let found = read(world.frame(&relation), filter).await;
            assert_eq!(found, *expected, "{filter}, reloaded {reloaded}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_come_go_and_are_renamed() {
    let mut relation = relation(vec![
        column(1, "a", SqlType::Int4),
        column(2, "b", SqlType::Text),
        column(3, "c", SqlType::Interval),
    ]);
    let mut world = World::new(&relation).await;
    let day = IntervalMonthDayNano::new(0, 1, 0);
    let old = batch(
        &relation,
        vec![
            ints([1, 2]),
            Arc::new(StringViewArray::from(vec!["x", "y"])),
            Arc::new(IntervalMonthDayNanoArray::from(vec![day, day])),
        ],
    );
    world.insert(&relation, &old).await;
    // "a" goes; "b" becomes "a"; a new "b" of another type comes, and others with and without default.
    {
        let table = table(&mut relation);
        table.columns[0].dropped = true;
        table.columns[1].name = "a".to_owned();
        table.columns[2].name = "age".to_owned();
        let new = |number, name: &str, physical: &str, sql_type| Column {
            physical: physical.to_owned(),
            ..column(number, name, sql_type)
        };
        table.columns.push(new(4, "b", "b_4", SqlType::Int4));
        table.columns.push(new(5, "d", "d", SqlType::Text));
        table.columns.push(new(6, "e", "e", SqlType::Interval));
        table
            .columns
            .push(new(7, "f", "f", SqlType::Array(Box::new(SqlType::Int4))));
        table.columns[3].nullable = false;
        table.schema_version = 2;
    }
    let defaults = HashMap::from([
        (4, ScalarValue::Int32(Some(7))),
        (
            6,
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(1, 0, 0))),
        ),
    ]);
    let options = |world: &World, relation: &Relation| PartTableOptions {
        defaults: defaults.clone(),
        ..world.options(relation)
    };
    let new = batch(
        &relation,
        vec![
            Arc::new(StringViewArray::from(vec!["z"])),
            Arc::new(IntervalMonthDayNanoArray::from(vec![day])),
            ints([70]),
            Arc::new(StringViewArray::from(vec!["w"])),
            Arc::new(IntervalMonthDayNanoArray::from(vec![day])),
            list(vec![Some(vec![Some(1), None])]),
        ],
    );
    for pushdown in [false, true] {
        world.pushdown = pushdown;
        let frame = world.frame_of(options(&world, &relation));
        let found = text(frame.sort_by(vec![col("a")]).unwrap()).await;
        assert_eq!(found, ["x|1days|7||1mons|", "y|1days|7||1mons|"]);
    }
    world.insert(&relation, &new).await;
    world.reload().await;
    assert_eq!(world.snapshot.schema_version, 2);
    let expected = [
        "x|1days|7||1mons|",
        "y|1days|7||1mons|",
        "z|1days|70|w|1days|[1,]",
    ];
    for pushdown in [false, true] {
        world.pushdown = pushdown;
        let frame = || world.frame_of(options(&world, &relation));
        assert_eq!(
            text(frame().sort_by(vec![col("a")]).unwrap()).await,
            expected
        );
        let filtered = |filter: Expr| {
            text(
                frame()
                    .filter(filter)
                    .unwrap()
                    .sort_by(vec![col("a")])
                    .unwrap(),
            )
        };
        assert_eq!(filtered(col("b").eq(lit(7))).await, expected[..2]);
        assert_eq!(filtered(col("b").gt(lit(7))).await, expected[2..]);
        assert_eq!(filtered(col("a").eq(lit("y"))).await, expected[1..2]);
        assert_eq!(filtered(col("d").is_null()).await, expected[..2]);
        let month = ScalarValue::new_interval_mdn(1, 0, 0);
        assert_eq!(filtered(col("e").eq(lit(month))).await, expected[..2]);
        let aggregate = vec![
            min(col("b")),
            max(col("b")),
            count(col("d")),
            count(col("b")),
        ];
        assert_eq!(
            text(frame().aggregate(vec![], aggregate).unwrap()).await,
            ["7|70|1|3"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_answer_and_prune_only_where_they_may() {
    let relation = relation(vec![
        column(1, "a", SqlType::Int4),
        column(2, "x", SqlType::Float8),
        column(3, "s", SqlType::Text),
    ]);
    let mut world = World::new(&relation).await;
    for file in 0..3 {
        let floats = vec![
            Some(f64::from(file)),
            if file == 2 { Some(f64::NAN) } else { None },
        ];
        let long = format!("{}{file}", "s".repeat(100));
        let rows = batch(
            &relation,
            vec![
                ints([file * 10, file * 10 + 5]),
                Arc::new(Float64Array::from(floats)),
                Arc::new(StringViewArray::from(vec![Some(long.as_str()), Some("a")])),
            ],
        );
        world.insert(&relation, &rows).await;
    }
    for reloaded in [false, true] {
        if reloaded {
            world.reload().await;
        }
        let extremes = || {
            let aggregate = vec![count(lit(1i64)), min(col("a")), max(col("a"))];
            world.frame(&relation).aggregate(vec![], aggregate).unwrap()
        };
        assert_eq!(text(extremes()).await, ["6|0|25"]);
        let plan_text = plan(extremes()).await;
        assert!(!plan_text.contains("DataSourceExec"), "{plan_text}");
        let options = PartTableOptions {
            statistics: false,
            ..world.options(&relation)
        };
        let hidden = world.frame_of(options);
        let aggregate = vec![count(lit(1i64)), min(col("a")), max(col("a"))];
        let hidden = hidden.aggregate(vec![], aggregate).unwrap();
        assert_eq!(text(hidden.clone()).await, ["6|0|25"]);
        assert!(
            plan(hidden).await.contains("DataSourceExec"),
            "read from files"
        );
        // Cut strings and NaN are no answers.
        let aggregate = vec![max(col("s")), min(col("s"))];
        let frame = world.frame(&relation).aggregate(vec![], aggregate).unwrap();
        assert_eq!(text(frame).await, [format!("{}2|a", "s".repeat(100))]);
        let frame = world
            .frame(&relation)
            .filter(col("x").gt(lit(1.5)))
            .unwrap();
        assert_eq!(
            text(frame.select(vec![col("x")]).unwrap()).await,
            ["2.0", "NaN"]
        );
        let pruned = world
            .frame(&relation)
            .filter(col("a").gt_eq(lit(20)))
            .unwrap();
        let plan = plan(pruned.clone()).await;
        assert_eq!(plan.matches(".parquet").count(), 1, "{plan}");
        assert_eq!(rows(pruned).await.num_rows(), 2);
        let all = world.frame(&relation).limit(0, Some(1)).unwrap();
        assert_eq!(rows(all).await.num_rows(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn own_rows_are_seen_with_those_in_files() {
    let relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    let empty = PartTableOptions {
        statistics: false,
        ..world.options(&relation)
    };
    assert_eq!(rows(world.frame_of(empty)).await.num_rows(), 0);
    assert_eq!(rows(world.frame(&relation)).await.num_rows(), 0);
    world
        .insert(&relation, &batch(&relation, vec![ints([1, 2])]))
        .await;
    for statistics in [false, true] {
        let memory = vec![batch(&relation, vec![ints([3])])];
        let options = PartTableOptions {
            memory,
            statistics,
            ..world.options(&relation)
        };
        let frame = world.frame_of(options);
        assert_eq!(
            text(frame.clone().sort_by(vec![col("a")]).unwrap()).await,
            ["1", "2", "3"]
        );
        let counted = frame.aggregate(vec![], vec![count(lit(1i64))]).unwrap();
        assert_eq!(text(counted.clone()).await, ["3"]);
        assert_eq!(plan(counted).await.contains("DataSourceExec"), !statistics);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_moments_of_the_past() {
    let relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    for value in 0..5 {
        world
            .insert(&relation, &batch(&relation, vec![ints([value])]))
            .await;
    }
    let removed = vec![Arc::clone(&world.snapshot.files[0])];
    world.commit(&relation, &[], &removed).await;
    world.reload().await;
    assert_eq!(world.snapshot.rows(), 4);
    let (storage, part) = (&world.storage, world.part);
    assert_eq!(
        storage.load_version(part, 4, 5, "t").await.unwrap().rows(),
        5
    );
    assert_eq!(
        storage.load_version(part, 0, 5, "t").await.unwrap().rows(),
        1
    );
    for version in [-1, 6] {
        let error = storage
            .load_version(part, version, 5, "t")
            .await
            .unwrap_err();
        assert!(matches!(error, Error::NoSuchVersion { .. }), "{error}");
    }
    for (moment, version) in [(1000, 0), (1999, 0), (2000, 1), (99_000, 5)] {
        let snapshot = storage.load_at(part, moment, 5, "t").await.unwrap();
        assert_eq!(snapshot.version, Some(version), "{moment}");
    }
    let snapshot = storage.load_at(part, 99_000, 2, "t").await.unwrap();
    assert_eq!(snapshot.version, Some(2));
    let error = storage.load_at(part, 999, 5, "t").await.unwrap_err();
    assert!(matches!(error, Error::NoSuchVersion { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_committed_is_refused() {
    let relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    world
        .insert(&relation, &batch(&relation, vec![ints([1])]))
        .await;
    let store = world.storage.store(world.part.space);
    let entry = |version: i64| {
        let name = format!("_delta_log/{version:020}.json");
        crate::storage::file_path(world.part, &name)
    };
    let foreign = r#"{"commitInfo":{"timestamp":1,"operation":"WRITE"}}"#;
    store.put(&entry(1), foreign.into()).await.unwrap();
    let (storage, part) = (&world.storage, world.part);
    let error = storage.load(part, 0, "t").await.unwrap_err();
    assert!(matches!(error, Error::ForeignCommit { .. }), "{error}");
    let write = storage.write_log_entry(part, 1, "{}", Uuid::new_v4(), "t");
    let error = write.await.unwrap_err();
    assert!(matches!(error, Error::ForeignCommit { .. }), "{error}");
    store.delete(&entry(1)).await.unwrap();
    storage.load(part, 0, "t").await.unwrap();
    // An entry of ours above the visible version is a commit that runs just now.
    let ours = format!(
        r#"{{"commitInfo":{{"timestamp":1,"tesseraCommit":"{}"}}}}"#,
        Uuid::new_v4()
    );
    store.put(&entry(1), ours.into()).await.unwrap();
    assert_eq!(storage.load(part, 0, "t").await.unwrap().version, Some(0));
    store.put(&entry(0), "{torn".into()).await.unwrap();
    let error = storage.load(part, 0, "t").await.unwrap_err();
    assert!(matches!(error, Error::ForeignCommit { .. }), "{error}");
    store.delete(&entry(0)).await.unwrap();
    store.delete(&entry(1)).await.unwrap();
    let error = storage.load(part, 0, "t").await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_cleaned_and_unused_files_go() {
    use std::time::Duration;
    let relation = relation(vec![
        column(1, "a", SqlType::Int4),
        column(2, "i", SqlType::Interval),
    ]);
    let mut world = World::new(&relation).await;
    for value in 0..6 {
        let none = new_null_array(&SqlType::Interval.arrow(&utc()), 1);
        world
            .insert(&relation, &batch(&relation, vec![ints([value]), none]))
            .await;
    }
    let part = world.part;
    world.storage.checkpoint(part, 4).await.unwrap();
    world.reload().await;
    let old = world.storage.load_version(part, 2, 5, "t").await.unwrap();
    assert_eq!(old.rows(), 3);
    assert!(
        world
            .storage
            .clean_log(part, 5, Duration::ZERO)
            .await
            .unwrap()
            > 0
    );
    world.reload().await;
    assert_eq!(
        text(
            world
                .frame(&relation)
                .aggregate(vec![], vec![max(col("a"))])
                .unwrap()
        )
        .await,
        ["5"]
    );
    let error = world
        .storage
        .load_version(part, 2, 5, "t")
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NoSuchVersion { .. }), "{error:?}");

    let compaction = world
        .storage
        .compact(part, &relation, &world.snapshot)
        .await
        .unwrap();
    assert_eq!((compaction.added.len(), compaction.removed.len()), (1, 6));
    let before: Vec<_> = world.snapshot.files.clone();
    world
        .commit(&relation, &compaction.added, &compaction.removed)
        .await;
    world.reload().await;
    assert_eq!(world.snapshot.files.len(), 1);
    let frame = world.frame(&relation).sort_by(vec![col("a")]).unwrap();
    let found = text(frame.select(vec![col("a")]).unwrap()).await;
    assert_eq!(found, ["0", "1", "2", "3", "4", "5"]);
    let again = world
        .storage
        .compact(part, &relation, &world.snapshot)
        .await
        .unwrap();
    assert!(again.added.is_empty() && again.removed.is_empty());

    let keep = world
        .snapshot
        .files
        .iter()
        .map(|file| file.path.clone())
        .collect();
    let hour = Duration::from_secs(3600);
    assert_eq!(world.storage.vacuum(part, &keep, hour).await.unwrap(), 0);
    assert_eq!(
        world
            .storage
            .vacuum(part, &keep, Duration::ZERO)
            .await
            .unwrap(),
        before.len()
    );
    assert_eq!(rows(world.frame(&relation)).await.num_rows(), 6);
    world
        .storage
        .erase(crate::storage::Erase::Space(part.space))
        .await
        .unwrap();
    assert!(!world.folder.path().join("tenants").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_keeps_the_defaults_of_before() {
    let mut relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    for value in [1, 2] {
        world
            .insert(&relation, &batch(&relation, vec![ints([value])]))
            .await;
    }
    let interval = column(2, "i", SqlType::Interval);
    let missing_default = Some("interval '1 day'".to_owned());
    table(&mut relation).columns.push(Column {
        missing_default,
        ..interval
    });
    table(&mut relation).schema_version = 2;
    world.reload().await;
    let left = world
        .storage
        .compact(world.part, &relation, &world.snapshot)
        .await
        .unwrap();
    assert!(left.removed.is_empty());
    let defaults = HashMap::from([(2, ScalarValue::new_interval_mdn(0, 1, 0))]);
    let joined = world
        .storage
        .compact_with(world.part, &relation, &world.snapshot, &defaults);
    let joined = joined.await.unwrap();
    world
        .commit(&relation, &joined.added, &joined.removed)
        .await;
    world.reload().await;
    let frame = world.frame(&relation).sort_by(vec![col("a")]).unwrap();
    assert_eq!(text(frame).await, ["1|1days", "2|1days"]);
    let null = new_null_array(&SqlType::Interval.arrow(&utc()), 1);
    world
        .insert(&relation, &batch(&relation, vec![ints([3]), null]))
        .await;
    world.reload().await;
    let again = world
        .storage
        .compact(world.part, &relation, &world.snapshot)
        .await
        .unwrap();
    assert_eq!(
        again.removed.len(),
        2,
        "files that have the column need no default"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_rolled_and_read_in_parallel() {
    let relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    let options = WriteOptions {
        file_bytes: 1 << 20,
        group_rows: 100_000,
        ..WriteOptions::default()
    };
    let mut writer = world
        .storage
        .writer_with(world.part, &relation, options)
        .unwrap();
    // Numbers without a pattern, so that the files are not tiny.
    let mut seed = 1u32;
    let mut total = 0i64;
    for _ in 0..100 {
        let values: Vec<i32> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 1) as i32
        })
        .take(10_000)
        .collect();
        total += values.iter().map(|value| i64::from(*value)).sum::<i64>();
        writer
            .write(&batch(&relation, vec![ints(values)]))
            .await
            .unwrap();
    }
    let files = writer.finish().await.unwrap();
    assert!(files.len() >= 3, "{}", files.len());
    world.commit(&relation, &files, &[]).await;
    world.reload().await;
    let sum = datafusion::functions_aggregate::expr_fn::sum(col("a"));
    let frame = world.frame(&relation).aggregate(vec![], vec![sum]).unwrap();
    let plan = plan(frame.clone()).await;
    assert!(plan.contains("2 groups"), "{plan}");
    assert_eq!(text(frame).await, [total.to_string()]);
    let mut writer = world.storage.writer(world.part, &relation).unwrap();
    writer
        .write(&batch(&relation, vec![ints([1])]))
        .await
        .unwrap();
    writer.abort().await;
    let mut writer = world.storage.writer(world.part, &relation).unwrap();
    let wrong = batch(
        &self::relation(vec![column(1, "b", SqlType::Text)]),
        vec![Arc::new(StringViewArray::from(vec!["no number"]))],
    );
    let error = writer.write(&wrong).await.unwrap_err();
    assert!(matches!(error, Error::Unstorable(_)), "{error}");
    writer
        .write(&batch(&relation, vec![ints([1])]))
        .await
        .unwrap();
    let error = writer.finish().await.unwrap_err();
    assert!(matches!(error, Error::Unstorable(_)), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_rows_are_united_with_their_names() {
    let tenant = Column {
        physical: String::new(),
        nullable: false,
        ..column(1, TENANT_COLUMN, SqlType::Text)
    };
    let relation = relation(vec![tenant, column(2, "a", SqlType::Int4)]);
    let mut worlds = Vec::new();
    let mut world = World::new(&relation).await;
    for (index, name) in ["acme", "globex", "initech"].into_iter().enumerate() {
        world.part.space = Space::Tenant(TenantId::generate());
        world.snapshot = Snapshot::empty();
        world
            .insert(&relation, &batch(&relation, vec![ints([index as i32])]))
            .await;
        worlds.push((
            Arc::<str>::from(name),
            world.part,
            world.snapshot.files.clone(),
        ));
    }
    let mut own = world.options(&relation);
    assert!(
        PartTable::new(PartTableOptions {
            tenant_name: None,
            ..own
        })
        .is_err()
    );
    own = world.options(&relation);
    own.tenant_name = Some(Arc::from("initech"));
    own.memory = vec![batch(&relation, vec![ints([20])])];
    let frame = world.frame_of(own).sort_by(vec![col("a")]).unwrap();
    assert_eq!(text(frame).await, ["initech|2", "initech|20"]);

    let opened = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let files: HashMap<Part, Vec<Arc<DataFile>>> = worlds
        .iter()
        .map(|(_, part, files)| (*part, files.clone()))
        .collect();
    let log = Arc::clone(&opened);
    let open: OpenBranch = Arc::new(move |part| {
        log.lock().push(part);
        let files = files[&part].clone();
        Box::pin(async move {
            Ok(BranchRows {
                files,
                memory: Vec::new(),
            })
        })
    });
    let branches = worlds
        .iter()
        .map(|(name, part, _)| UnionBranch {
            tenant_name: Arc::clone(name),
            part: *part,
        })
        .collect();
    let union = UnionTable::new(UnionTableOptions {
        relation: Arc::new(relation.clone()),
        branches,
        open,
        zone: utc(),
        defaults: HashMap::new(),
        statistics: true,
    });
    let union = Arc::new(union.unwrap());
    for pushdown in [false, true] {
        world.pushdown = pushdown;
        let frame = || world.session().read_table(Arc::clone(&union) as _).unwrap();
        let sorted = |frame: DataFrame| text(frame.sort_by(vec![col("a")]).unwrap());
        assert_eq!(sorted(frame()).await, ["acme|0", "globex|1", "initech|2"]);
        opened.lock().clear();
        let one = frame()
            .filter(col(TENANT_COLUMN).eq(lit("globex")))
            .unwrap();
        assert_eq!(sorted(one).await, ["globex|1"]);
        assert_eq!(*opened.lock(), [worlds[1].1]);
        opened.lock().clear();
        let wanted = col(TENANT_COLUMN)
            .in_list(vec![lit("acme"), lit("nobody")], false)
            .or(col(TENANT_COLUMN).eq(lit("initech")));
        assert_eq!(
            sorted(frame().filter(wanted).unwrap()).await,
            ["acme|0", "initech|2"]
        );
        assert_eq!(*opened.lock(), [worlds[0].1, worlds[2].1]);
        let both = frame().filter(col("a").gt(lit(0))).unwrap();
        assert_eq!(sorted(both).await, ["globex|1", "initech|2"]);
        let names = frame()
            .aggregate(vec![col(TENANT_COLUMN)], vec![count(lit(1i64))])
            .unwrap();
        let names = names.sort_by(vec![col(TENANT_COLUMN)]).unwrap();
        assert_eq!(text(names).await, ["acme|1", "globex|1", "initech|1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dynamic_filters_reach_the_files() {
    let mut relation = relation(vec![
        column(1, "a", SqlType::Int4),
        column(2, "b", SqlType::Text),
    ]);
    table(&mut relation).columns[0].physical = "p1".to_owned();
    let mut world = World::new(&relation).await;
    for file in 0..4 {
        let texts = Arc::new(StringViewArray::from(vec!["x", "y"]));
        let rows = batch(&relation, vec![ints([file * 2, file * 2 + 1]), texts]);
        world.insert(&relation, &rows).await;
    }
    world.pushdown = true;
    let top = world
        .frame(&relation)
        .sort(vec![col("a").sort(false, false)])
        .unwrap();
    let top = top.limit(0, Some(1)).unwrap();
    let plan_text = plan(top.clone()).await;
    assert!(plan_text.contains("DynamicFilter"), "{plan_text}");
    assert_eq!(text(top).await, ["7|y"]);
    // The name differs from the file's, and yet nothing stands between scan and filter.
    let filtered = world.frame(&relation).filter(col("a").gt(lit(5))).unwrap();
    let plan_text = plan(filtered.clone()).await;
    assert!(!plan_text.contains("FilterExec"), "{plan_text}");
    assert!(!plan_text.contains("ProjectionExec"), "{plan_text}");
    assert_eq!(
        text(filtered.sort_by(vec![col("a")]).unwrap()).await,
        ["6|x", "7|y"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_columns_counts_its_rows() {
    let relation = relation(Vec::new());
    let mut world = World::new(&relation).await;
    let options = RecordBatchOptions::new().with_row_count(Some(3));
    let schema = Arc::new(Schema::empty());
    let rows = RecordBatch::try_new_with_options(schema, Vec::new(), &options).unwrap();
    world.insert(&relation, &rows).await;
    world.reload().await;
    let options = PartTableOptions {
        statistics: false,
        ..world.options(&relation)
    };
    let counted = world
        .frame_of(options)
        .aggregate(vec![], vec![count(lit(1i64))])
        .unwrap();
    assert_eq!(text(counted).await, ["3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_are_apart() {
    let relation = relation(vec![column(1, "a", SqlType::Int4)]);
    let mut world = World::new(&relation).await;
    world
        .insert(&relation, &batch(&relation, vec![ints([1])]))
        .await;
    let other = world.storage.store(Space::Tenant(TenantId::generate()));
    let own = crate::storage::file_path(world.part, &world.snapshot.files[0].path);
    other.get(&own).await.unwrap_err();
    let prefix = world.part.space.prefix();
    let id = prefix.trim_start_matches("tenants/");
    for path in [
        format!("../{id}/{own}"),
        format!("{prefix}/{own}"),
        format!("/{prefix}/{own}"),
    ] {
        other.get(&Path::from(path)).await.unwrap_err();
    }
    let read_only = world.storage.read_only_store(world.part.space);
    assert!(read_only.get(&own).await.is_ok());
    read_only.put(&own, "x".into()).await.unwrap_err();
    read_only.delete(&own).await.unwrap_err();
    assert!(read_only.get(&own).await.is_ok());
}
