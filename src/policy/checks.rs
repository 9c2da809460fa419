//! What policies say of new rows: every row is judged here before it is written, whatever statement
//! it comes from. [`Allowed`] is the proof, without which no writer takes a row.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{Expr, LogicalPlanBuilder, TableSource, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;
use tessera_catalog::model::PolicyCommand;

use super::functions::check_calls;
use super::guard::{Checked, GuardedPlan, Opener, guard_rule, is_subquery};
use super::masks::masks;
use super::rights::Caller;
use super::rows::{Bound, Half, Rule};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::condition::{self, Narrowed};
use crate::planner::source::{AsOf, Found, TableRef};

/// What a statement does with rows, as far as policies judge them one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Judged {
    /// A row that INSERT, COPY or MERGE adds.
    Inserted,
    /// A row as UPDATE or MERGE leaves it.
    Updated,
    /// A row that MERGE is about to update.
    MergeUpdated,
    /// A row that MERGE is about to delete.
    MergeDeleted,
    /// A row in the way of INSERT … ON CONFLICT DO UPDATE.
    Conflicting,
}

/// Runs a plan that looks for a row.
pub trait Runner: Sync {
    /// Whether the plan has any row.
    ///
    /// # Errors
    /// What the plan meets.
    fn any_row(&self, plan: GuardedPlan) -> BoxFuture<'_, Result<bool>>;
}

/// Rows that policies allow to be written.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    batch: &'a RecordBatch,
    tells: bool,
}

impl<'a> Allowed<'a> {
    /// The rows.
    pub fn batch(&self) -> &'a RecordBatch {
        self.batch
    }

    /// Whether an error may show the caller what is in them.
    pub fn tells(&self) -> bool {
        self.tells
    }
}

/// The rules for the rows that one statement writes to one table.
#[derive(Debug)]
pub struct RowChecks {
    table: String,
    bound: bool,
    /// Whether errors may show what is in rows.
    tells: bool,
    rules: Vec<Compiled>,
}

impl RowChecks {
    /// Of a table that the statement itself makes, and which nobody has narrowed yet.
    pub fn of_new_table(name: &str) -> Self {
        Self {
            table: name.to_owned(),
            bound: false,
            tells: true,
            rules: Vec::new(),
        }
    }

    /// Whether any policy binds the caller on the table.
    pub fn binds(&self) -> bool {
        self.bound
    }

    /// Judges rows of the table's live columns.
    ///
    /// # Errors
    /// 42501 for a row that a policy does not allow.
    pub async fn allow<'a>(
        &self,
        batch: &'a RecordBatch,
        what: Judged,
        runner: &dyn Runner,
    ) -> Result<Allowed<'a>> {
        for rule in self.rules.iter().filter(|rule| rule.judged == what) {
            if batch.num_rows() > 0 && !rule.holds(batch, runner).await? {
                return Err(Error::PolicyViolated(self.violated(rule)));
            }
        }
        Ok(Allowed {
            batch,
            tells: self.tells,
        })
    }

    fn violated(&self, rule: &Compiled) -> String {
        let policy = match &rule.policy {
            Some(name) => format!("policy \"{name}\""),
            None => "policy".to_owned(),
        };
        let table = &self.table;
        match rule.judged {
            Judged::Inserted | Judged::Updated => {
                format!("new row violates row-level security {policy} for table \"{table}\"")
            }
            Judged::Conflicting => format!(
                "new row violates row-level security {policy} (USING expression) for table \
                 \"{table}\""
            ),
            Judged::MergeUpdated | Judged::MergeDeleted => format!(
                "target row violates row-level security {policy} (USING expression) for table \
                 \"{table}\""
            ),
        }
    }
}

/// A rule that is ready to judge.
struct Compiled {
    judged: Judged,
    policy: Option<String>,
    condition: Condition,
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled")
            .field("judged", &self.judged)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

enum Condition {
    /// Looks at the row alone.
    Plain(Arc<dyn PhysicalExpr>),
    /// Looks at other rows too: a plan that gives those of a batch that fail.
    Query(Arc<Batch>, GuardedPlan),
}

impl Compiled {
    async fn holds(&self, batch: &RecordBatch, runner: &dyn Runner) -> Result<bool> {
        match &self.condition {
            Condition::Plain(condition) => {
                let judged = condition.evaluate(batch)?.into_array(batch.num_rows())?;
                let Some(judged) = judged.as_boolean_opt() else {
                    // NULL for every row: not true.
                    return Ok(false);
                };
                Ok(judged.null_count() == 0 && judged.true_count() == judged.len())
            }
            Condition::Query(rows, failing) => {
                rows.put(batch)?;
                runner.any_row(failing.clone()).await.map(|any| !any)
            }
        }
    }
}

/// Rules whose tables are yet to be opened.
#[derive(Debug)]
pub struct CheckedRules {
    table: String,
    bound: bool,
    tells: bool,
    rules: Vec<(Judged, Option<String>, Unopened)>,
}

enum Unopened {
    Plain(Arc<dyn PhysicalExpr>),
    Query(Arc<Batch>, Checked),
}

impl fmt::Debug for Unopened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Query(..) => "Query",
        })
    }
}

impl CheckedRules {
    /// The tables that the rules read.
    pub fn tables(&self) -> impl Iterator<Item = &TableRef> {
        self.rules.iter().flat_map(|(_, _, rule)| match rule {
            Unopened::Plain(_) => &[],
            Unopened::Query(_, checked) => checked.tables(),
        })
    }

    /// Opens what the rules read.
    ///
    /// # Errors
    /// What opening meets.
    pub fn open(self, opener: &dyn Opener) -> Result<RowChecks> {
        let rules = self.rules.into_iter().map(|(judged, policy, rule)| {
            let condition = match rule {
                Unopened::Plain(condition) => Condition::Plain(condition),
                Unopened::Query(rows, checked) => Condition::Query(rows, checked.open(opener)?),
            };
            Ok(Compiled {
                judged,
                policy,
                condition,
            })
        });
        Ok(RowChecks {
            table: self.table,
            bound: self.bound,
            tells: self.tells,
            rules: rules.collect::<Result<_>>()?,
        })
    }
}

/// The rules of a caller's statement for the rows that it writes to a table; `reads` tells whether it
/// also looks at them, as RETURNING does.
///
/// # Errors
/// 42501 when a policy binds the caller and `row_security` is off; a policy that cannot be planned.
pub fn row_checks(
    found: &Found,
    caller: &Caller,
    scope: &Scope,
    judged: &[Judged],
    reads: bool,
) -> Result<CheckedRules> {
    let bound = Bound::of(caller, found, scope.row_security)?;
    let mut rules = Vec::new();
    for what in judged {
        let Some(bound) = &bound else { continue };
        for rule in bound.new_rows(&commands(*what, reads))? {
            let unopened = compile(&rule, found, caller, scope)?;
            rules.push((*what, rule.policy, unopened));
        }
    }
    Ok(CheckedRules {
        table: found.relation.name.clone(),
        bound: bound.is_some(),
        tells: bound.is_none() && masks(caller, found).is_empty(),
        rules,
    })
}

/// Whether a caller sees all of a table's rows as they are, so that an error may show them.
pub fn shows_rows(caller: &Caller, found: &Found) -> bool {
    let bound = Bound::of(caller, found, true);
    matches!(bound, Ok(None)) && masks(caller, found).is_empty()
}

fn commands(what: Judged, reads: bool) -> Vec<(PolicyCommand, Half)> {
    let mut commands = vec![match what {
        Judged::Inserted => (PolicyCommand::Insert, Half::Check),
        Judged::Updated => (PolicyCommand::Update, Half::Check),
        Judged::MergeUpdated => return vec![(PolicyCommand::Update, Half::Using)],
        Judged::MergeDeleted => return vec![(PolicyCommand::Delete, Half::Using)],
        Judged::Conflicting => {
            return vec![
                (PolicyCommand::Update, Half::Using),
                (PolicyCommand::Select, Half::Using),
            ];
        }
    }];
    if reads {
        commands.push((PolicyCommand::Select, Half::Using));
    }
    commands
}

fn compile(rule: &Rule, found: &Found, caller: &Caller, scope: &Scope) -> Result<Unopened> {
    let own = TableRef::new(found.clone(), AsOf::Now, &scope.zone);
    let own = rule.condition.rows(&own, &scope.zone);
    let name = rule.condition.table.as_deref();
    let name = name.unwrap_or(&found.relation.name);
    let text = rule.condition.text();
    let schema = nullable(&TableSource::schema(&own));
    let qualified = DFSchema::try_from_qualified_schema(name, &schema)?;
    if rule.condition.references.is_empty() {
        let expr = condition::expression(&text, &qualified, scope)?;
        if !expr.exists(|expr| Ok(is_subquery(expr)))? {
            check_calls(caller, &expr)?;
            let condition = scope.state.create_physical_expr(expr, &qualified)?;
            return Ok(Unopened::Plain(condition));
        }
    }
    let rows = Arc::new(Batch {
        schema,
        rows: Mutex::default(),
    });
    let failing = format!("({text}) IS NOT TRUE");
    let narrowed = Narrowed {
        table: name,
        text: &failing,
        references: &rule.condition.references,
    };
    let plan = narrowed.plan(Arc::new(NewRows(Arc::clone(&rows))), scope)?;
    let plan = LogicalPlanBuilder::from(plan).limit(0, Some(1))?.build()?;
    let checked = guard_rule(plan, caller, scope, found.relation.oid)?;
    Ok(Unopened::Query(rows, checked))
}

/// Rows are judged before their NULLs are.
fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields = fields.map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows that are being judged.
#[derive(Debug)]
pub(super) struct Batch {
    schema: SchemaRef,
    rows: Mutex<Option<RecordBatch>>,
}

impl Batch {
    fn put(&self, batch: &RecordBatch) -> Result<()> {
        let columns = batch.columns().to_vec();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns);
        let batch = batch.map_err(DataFusionError::from)?;
        let mut rows = self.rows.lock().map_err(|_| Error::internal("poisoned"))?;
        *rows = Some(batch);
        Ok(())
    }
}

/// The rows that are being judged, in a plan that is not yet open.
#[derive(Debug)]
pub(super) struct NewRows(pub(super) Arc<Batch>);

impl TableSource for NewRows {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }
}

/// The same in an open plan.
#[derive(Debug)]
pub(super) struct NewRowsTable(pub(super) Arc<Batch>);

#[async_trait]
impl TableProvider for NewRowsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.0.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let rows = self
            .0
            .rows
            .lock()
            .map_err(|_| DataFusionError::Internal("poisoned".to_owned()))?
            .clone();
        let rows: Vec<RecordBatch> = rows.into_iter().collect();
        let schema = Arc::clone(&self.0.schema);
        Ok(MemorySourceConfig::try_new_exec(
            &[rows],
            schema,
            projection.cloned(),
        )?)
    }
}
