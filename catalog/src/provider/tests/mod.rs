//! Rows through files and back: every type, every change of columns, every way of not reading a file.

mod filters;
mod past;
mod samples;
mod types;
mod upkeep;

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
