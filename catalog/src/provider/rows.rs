//! Stored rows with their places, for statements that replace some of them.
//!
//! Every row comes with the number of its file and its place there. Files are read whole and in
//! order, by streams that the optimiser cannot look into: a filter that reached the file reader
//! would make the count wrong. Statistics still leave out files that hold no wanted row.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};

use super::scan::{Located, ScanRequest, prune, scan_whole_file};
use super::shape::Shape;
use super::union::BranchRows;
use crate::error::Result as CatalogResult;
use crate::id::Part;
use crate::model::Relation;
use crate::storage::{ALL_SPACES_URL, file_path};

/// One part whose rows may be replaced.
#[derive(Debug, Clone)]
pub struct RowsBranch {
    /// The value of `tenant_id`, for a common table.
    pub tenant_name: Option<Arc<str>>,
    pub part: Part,
    pub rows: BranchRows,
}

/// What a [`RowsTable`] is made of.
#[derive(Debug)]
pub struct RowsTableOptions {
    pub relation: Arc<Relation>,
    pub branches: Vec<RowsBranch>,
    /// Whether the parts are of several spaces, as an operator's are.
    pub all_spaces: bool,
    /// The session's time zone.
    pub zone: Arc<str>,
    /// As in [`super::PartTableOptions::defaults`].
    pub defaults: HashMap<i16, ScalarValue>,
    /// The two columns that name a row: its file, counted over all branches from 0, or for rows in
    /// memory their batch, counted from -1 downwards; and its place there, from 0.
    pub ids: [FieldRef; 2],
}

/// Parts of a table as the query engine scans them for UPDATE, DELETE and MERGE.
#[derive(Debug)]
pub struct RowsTable {
    shape: Shape,
    schema: SchemaRef,
    url: ObjectStoreUrl,
    files: Vec<Located>,
    memory: Vec<RecordBatch>,
}

impl RowsTable {
    /// A table over the branches.
    ///
    /// # Errors
    ///
    /// [`crate::error::Error::Unstorable`] for a view, or rows that do not fit the table's columns.
    pub fn new(options: RowsTableOptions) -> CatalogResult<Self> {
        let shape = Shape::new(&options.relation, &options.zone, &options.defaults)?;
        let fields = shape.schema.fields().iter().cloned().chain(options.ids);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let url = match options.branches.first() {
            Some(branch) if !options.all_spaces => branch.part.space.url(),
            _ => ALL_SPACES_URL.to_owned(),
        };
        let mut files = Vec::new();
        let mut memory = Vec::new();
        for branch in options.branches {
            for batch in &branch.rows.memory {
                memory.push(shape.complete(batch, branch.tenant_name.as_deref())?);
            }
            for file in branch.rows.files {
                let below_space = file_path(branch.part, &file.path);
                let path = if options.all_spaces {
                    format!("{}/{below_space}", branch.part.space.prefix()).into()
                } else {
                    below_space
                };
                files.push(Located {
                    file,
                    path,
                    tenant: branch.tenant_name.as_ref().map(Arc::clone),
                });
            }
        }
        Ok(Self {
            shape,
            schema,
            url: ObjectStoreUrl::parse(url)?,
            files,
            memory,
        })
    }

    /// The files that may hold wanted rows, with their numbers.
    fn wanted(&self, request: &ScanRequest<'_>) -> Result<Vec<(i64, &Located)>> {
        let mut kept = prune(&self.shape, &self.files, request)?
            .into_iter()
            .peekable();
        let numbered = (0_i64..).zip(&self.files);
        Ok(numbered
            .filter(|(_, file)| kept.next_if(|kept| std::ptr::eq(*kept, *file)).is_some())
            .collect())
    }
}

#[async_trait]
impl TableProvider for RowsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Filters leave out files here, and nothing more.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let every: Vec<usize>;
        let wanted = match projection {
            Some(projection) => projection,
            None => {
                every = (0..self.schema.fields().len()).collect();
                &every
            }
        };
        let width = self.shape.schema.fields().len();
        let stored: Vec<usize> = wanted.iter().copied().filter(|c| *c < width).collect();
        let outputs = wanted
            .iter()
            .map(|column| match column.checked_sub(width) {
                Some(0) => Output::File,
                Some(_) => Output::Row,
                None => Output::Stored(stored.iter().position(|c| c == column).unwrap_or(0)),
            })
            .collect::<Arc<[Output]>>();
        let request = ScanRequest {
            state,
            projection,
            filters,
            limit: None,
            statistics: false,
        };
        let streams = state.config().target_partitions().max(1);
        let mut groups: Vec<Vec<Input>> = Vec::new();
        groups.resize_with(streams, Vec::new);
        for (place, (number, file)) in self.wanted(&request)?.into_iter().enumerate() {
            let plan = scan_whole_file(&self.shape, &self.url, file, &stored, &request)?;
            let rows = Rows::Stored(plan);
            groups[place % streams].push(Input { number, rows });
        }
        for (place, batch) in (1_i64..).zip(&self.memory) {
            let rows = Rows::Memory(batch.project(&stored)?);
            let number = -place;
            groups[0].push(Input { number, rows });
        }
        groups.retain(|group| !group.is_empty());
        if groups.is_empty() {
            groups.push(Vec::new());
        }
        let schema = Arc::new(self.schema.project(wanted)?);
        let partitions = groups
            .into_iter()
            .map(|inputs| {
                Arc::new(Numbered {
                    schema: Arc::clone(&schema),
                    inputs,
                    outputs: Arc::clone(&outputs),
                }) as Arc<dyn PartitionStream>
            })
            .collect();
        let exec = StreamingTableExec::try_new(schema, partitions, None, [], false, None)?;
        Ok(Arc::new(exec))
    }
}

/// Where a column of the scan comes from.
#[derive(Debug, Clone, Copy)]
enum Output {
    Stored(usize),
    File,
    Row,
}

/// A file or a batch, and its number.
#[derive(Debug, Clone)]
struct Input {
    number: i64,
    rows: Rows,
}

#[derive(Debug, Clone)]
enum Rows {
    /// A plan of one partition that gives all rows of one file, in order.
    Stored(Arc<dyn ExecutionPlan>),
    Memory(RecordBatch),
}

/// Reads one input after the other and counts their rows.
#[derive(Debug)]
struct Numbered {
    schema: SchemaRef,
    inputs: Vec<Input>,
    outputs: Arc<[Output]>,
}

impl PartitionStream for Numbered {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (schema, outputs) = (Arc::clone(&self.schema), Arc::clone(&self.outputs));
        let numbered = stream::iter(self.inputs.clone()).flat_map(move |input| {
            let batches: BoxStream<'static, Result<RecordBatch>> = match input.rows {
                Rows::Memory(batch) => stream::once(std::future::ready(Ok(batch))).boxed(),
                Rows::Stored(plan) => match plan.execute(0, Arc::clone(&context)) {
                    Ok(batches) => batches.boxed(),
                    Err(error) => stream::once(std::future::ready(Err(error))).boxed(),
                },
            };
            let (schema, outputs) = (Arc::clone(&schema), Arc::clone(&outputs));
            let mut first = 0;
            batches.map(move |batch| {
                let batch = batch?;
                let numbered = number(&batch, &schema, &outputs, input.number, first)?;
                first += numbered.num_rows() as i64;
                Ok(numbered)
            })
        });
        Box::pin(RecordBatchStreamAdapter::new(
            Arc::clone(&self.schema),
            numbered,
        ))
    }
}

/// The batch with its file's number and its rows' places, the first of which is `first`.
fn number(
    batch: &RecordBatch,
    schema: &SchemaRef,
    outputs: &[Output],
    file: i64,
    first: i64,
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns = outputs
        .iter()
        .map(|output| match output {
            Output::Stored(column) => Arc::clone(batch.column(*column)),
            Output::File => Arc::new(Int64Array::from_value(file, rows)) as ArrayRef,
            Output::Row => {
                let places = Int64Array::from_iter_values((first..).take(rows));
                Arc::new(places) as ArrayRef
            }
        })
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}
