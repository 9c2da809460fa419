//! The guard: every plan passes here, and nothing that it does not know gets through.
//!
//! Relations are references until now. [`guard`] checks the caller's rights on each, puts views in
//! place, guarded with the rights of their owner, and policies between a table and everything above
//! it. What comes out names the tables whose states are to be loaded; [`Checked::open`] then opens
//! them through the [`Opener`].

use std::sync::{Arc, Mutex};

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::DefaultTableSource;
use datafusion::common::TableReference;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::logical_plan::TableScan;
use datafusion::logical_expr::{
    Distinct, DistinctOn, Expr, LogicalPlan, LogicalPlanBuilder, Subquery, TableSource,
};
use tessera_catalog::id::Oid;
use tessera_catalog::model::{MaskingPolicy, PolicyCommand, Privilege};

use super::barrier::Barrier;
use super::checks::{NewRows, NewRowsTable};
use super::columns::{Positions, asked_of_inputs};
use super::functions::check_calls;
use super::masks::{masks, shown};
use super::rights::{Caller, Granted, Object, check, check_columns};
use super::rows::{Bound, Joined, Purpose, Verb};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::condition::Narrowed;
use crate::planner::source::{Found, ProvidedRef, TableRef, ViewRef};

/// A plan whose rights have been checked and whose tables are open.
#[derive(Debug, Clone)]
pub struct GuardedPlan {
    plan: LogicalPlan,
}

impl GuardedPlan {
    /// The plan, for execution.
    pub fn plan(&self) -> &LogicalPlan {
        &self.plan
    }

    /// The plan, for execution.
    pub fn into_plan(self) -> LogicalPlan {
        self.plan
    }
}

/// Opens a table once the guard has agreed.
pub trait Opener: Sync {
    /// The rows that a reference stands for. `statistics` tells whether the engine may answer from
    /// file statistics alone.
    ///
    /// # Errors
    /// A state of the table that does not exist, or damaged files.
    fn open(&self, table: &TableRef, statistics: bool) -> Result<Arc<dyn TableProvider>>;
}

/// A plan whose rights have been checked and whose tables are yet to be opened.
#[derive(Debug)]
pub struct Checked {
    plan: LogicalPlan,
    tables: Vec<TableRef>,
    reads_target: bool,
}

impl Checked {
    /// The tables that the plan reads, those of views and policies too.
    pub fn tables(&self) -> &[TableRef] {
        &self.tables
    }

    /// Whether the plan looks at the rows that the statement changes, beside their places.
    pub fn reads_target(&self) -> bool {
        self.reads_target
    }

    /// Opens the tables.
    ///
    /// # Errors
    /// What opening meets.
    pub fn open(self, opener: &dyn Opener) -> Result<GuardedPlan> {
        Ok(GuardedPlan {
            plan: opened(self.plan, opener)?,
        })
    }
}

/// Checks a plan for a caller; `purpose` is what the rows of a marked target are wanted for.
///
/// # Errors
/// 42501 for what the caller may not do, 0A000 for a node that has no rule here.
pub fn guard(
    plan: LogicalPlan,
    caller: &Caller,
    scope: &Scope,
    purpose: Purpose,
) -> Result<Checked> {
    guard_inside(plan, caller, scope, purpose, &[])
}

fn guard_inside(
    plan: LogicalPlan,
    caller: &Caller,
    scope: &Scope,
    purpose: Purpose,
    active: &[Oid],
) -> Result<Checked> {
    let asked = (0..plan.schema().fields().len()).collect();
    let noted = Mutex::default();
    let guard = Guard {
        caller,
        invoker: caller,
        scope,
        purpose,
        active,
        noted: &noted,
    };
    let plan = guard.node(plan, &asked)?;
    let noted = noted
        .into_inner()
        .map_err(|_| Error::internal("a guard's list is lost"))?;
    Ok(Checked {
        plan,
        tables: noted.tables,
        reads_target: noted.reads_target,
    })
}

/// Checks a plan that judges new rows of a table by its policies.
pub(super) fn guard_rule(
    plan: LogicalPlan,
    caller: &Caller,
    scope: &Scope,
    table: Oid,
) -> Result<Checked> {
    guard_inside(plan, caller, scope, Purpose::Read, &[table])
}

/// Checks a plan over rows that the statement itself has written: RETURNING's functions and sub-queries.
///
/// # Errors
/// As [`guard`].
pub fn guard_own(
    plan: LogicalPlan,
    caller: &Caller,
    found: &Found,
    scope: &Scope,
) -> Result<GuardedPlan> {
    for expr in plan.expressions() {
        check_calls(caller, &expr)?;
        if expr.exists(|expr| Ok(is_subquery(expr)))? {
            return Err(unknown("a sub-query in RETURNING"));
        }
    }
    let masks = masks(caller, found);
    if masks.is_empty() {
        return Ok(GuardedPlan { plan });
    }
    let masked = plan.transform_up(|node| match node {
        LogicalPlan::TableScan(scan) => {
            let masked = written(scan, &masks, found, scope)?;
            Ok(Transformed::yes(masked))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(GuardedPlan { plan: masked.data })
}

/// Rows that a statement wrote, as their masks show them.
fn written(
    scan: TableScan,
    masks: &[(i16, &MaskingPolicy)],
    found: &Found,
    scope: &Scope,
) -> Result<LogicalPlan> {
    let name = scan.table_name.clone();
    let plan = LogicalPlan::TableScan(scan);
    let columns = plan.schema().columns();
    let live = found.relation.table().into_iter();
    let live: Vec<_> = live.flat_map(|table| table.live_columns()).collect();
    let beside = columns.iter().skip(live.len()).cloned().collect::<Vec<_>>();
    let beside = beside.into_iter();
    let outputs = columns
        .into_iter()
        .zip(live)
        .map(|(column, of)| {
            let name = column.name.clone();
            Ok(shown(masks, of, Expr::Column(column), scope)?.alias(name))
        })
        .collect::<Result<Vec<_>>>()?;
    // What comes from beside the table was masked where it was read.
    let beside = beside.map(|column| {
        let name = column.name.clone();
        Expr::Column(column).alias(name)
    });
    let plan = LogicalPlanBuilder::from(plan).project(outputs.into_iter().chain(beside))?;
    Ok(plan.alias(name)?.build()?)
}

/// The stored rows of a table that a statement may change, for it to keep those that stay.
///
/// # Errors
/// A grant that is none to change rows, which is a bug.
pub fn guard_changed(granted: &Granted, stored: Arc<dyn TableProvider>) -> Result<GuardedPlan> {
    if !matches!(granted.privilege(), Privilege::Update | Privilege::Delete) {
        return Err(Error::internal("changing rows without a right to"));
    }
    let name = granted.found().relation.name.as_str();
    let source = provider_as_source(stored);
    let plan = LogicalPlanBuilder::scan(TableReference::bare(name), source, None)?.build()?;
    Ok(GuardedPlan { plan })
}

pub(super) fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
    )
}

/// A stored table that has passed the guard. Nothing else opens one.
#[derive(Debug)]
struct Passed {
    table: TableRef,
    schema: SchemaRef,
    statistics: bool,
}

impl Passed {
    fn new(table: TableRef, statistics: bool) -> Self {
        Self {
            schema: TableSource::schema(&table),
            table,
            statistics,
        }
    }
}

impl TableSource for Passed {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The rows of a table that policies leave, yet to be opened.
#[derive(Debug)]
struct Narrow {
    name: Arc<str>,
    plan: LogicalPlan,
    schema: SchemaRef,
    masked: Arc<[String]>,
}

impl TableSource for Narrow {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

struct Guard<'a> {
    caller: &'a Caller,
    /// Whoever runs the statement, for views that ask for its rights.
    invoker: &'a Caller,
    scope: &'a Scope,
    purpose: Purpose,
    /// Tables whose policies are being put in place.
    active: &'a [Oid],
    noted: &'a Mutex<Noted>,
}

/// What a guard has come by.
#[derive(Default)]
struct Noted {
    tables: Vec<TableRef>,
    reads_target: bool,
}

impl Guard<'_> {
    fn node(&self, node: LogicalPlan, asked: &Positions) -> Result<LogicalPlan> {
        datafusion_stack(|| self.node_on_stack(node, asked))
    }

    fn node_on_stack(&self, node: LogicalPlan, asked: &Positions) -> Result<LogicalPlan> {
        match &node {
            LogicalPlan::TableScan(scan) => return self.scan(scan, asked),
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::RecursiveQuery(_) => {}
            LogicalPlan::Extension(extension) => {
                if !tessera_udfs::is_known_node(extension.node.as_ref()) {
                    return Err(unknown(extension.node.name()));
                }
                check(
                    self.caller,
                    Privilege::Execute,
                    Object::Function(extension.node.name()),
                )?;
            }
            LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => return Err(unknown(&node.display().to_string())),
        }
        let mut asked_of_inputs = asked_of_inputs(&node, asked)?.into_iter();
        let expressions = node
            .expressions()
            .into_iter()
            .map(|expr| self.expression(expr))
            .collect::<Result<Vec<_>>>()?;
        let inputs = node
            .inputs()
            .into_iter()
            .cloned()
            .map(|input| self.node(input, &asked_of_inputs.next().unwrap_or_default()))
            .collect::<Result<Vec<_>>>()?;
        rebuilt(node, expressions, inputs)
    }

    /// Checks an expression's functions and guards its sub-queries.
    fn expression(&self, expr: Expr) -> Result<Expr> {
        check_calls(self.caller, &expr)?;
        with_subqueries(expr, &|plan| {
            let asked = (0..plan.schema().fields().len()).collect();
            self.node(plan, &asked)
        })
    }

    fn scan(&self, scan: &TableScan, asked: &Positions) -> Result<LogicalPlan> {
        if let Some(table) = scan.source.downcast_ref::<TableRef>() {
            let columns = asked_columns(asked, scan, |index| table.columns.get(index).map(|c| c.0));
            if table.locked.is_some() {
                check(
                    self.caller,
                    Privilege::Update,
                    Object::Relation(&table.found),
                )?;
            }
            if table.row_ids && !columns.is_empty() {
                self.noted()?.reads_target = true;
            }
            // A row's place alone tells nothing; the right to change the rows is the statement's.
            let is_place = table.row_ids && columns.is_empty();
            if !is_place && self.purpose != Purpose::Definition {
                check_columns(self.caller, Privilege::Select, &table.found, &columns)?;
            }
            return self.open_table(scan, table, &columns);
        }
        // What is about to be narrowed has passed already.
        if scan.source.is::<Passed>() || scan.source.is::<NewRows>() {
            return Ok(LogicalPlan::TableScan(scan.clone()));
        }
        if let Some(view) = scan.source.downcast_ref::<ViewRef>() {
            let columns = asked_columns(asked, scan, |index| i16::try_from(index + 1).ok());
            check_columns(self.caller, Privilege::Select, &view.found, &columns)?;
            if view.locked.is_some() {
                let view = Object::Relation(&view.found);
                check(self.caller, Privilege::Update, view)?;
            }
            return self.open_view(scan, view);
        }
        if let Some(provided) = scan.source.downcast_ref::<ProvidedRef>() {
            if let Some(function) = &provided.function {
                check(self.caller, Privilege::Execute, Object::Function(function))?;
            }
            let source = provider_as_source(Arc::clone(&provided.provider));
            return rescanned(scan, source);
        }
        // The only provider that the engine's own planner puts into a plan.
        if let Some(source) = scan.source.downcast_ref::<DefaultTableSource>()
            && (source.table_provider.as_ref() as &dyn std::any::Any).is::<CteWorkTable>()
        {
            return Ok(LogicalPlan::TableScan(scan.clone()));
        }
        Err(unknown(&format!("a scan of {}", scan.table_name)))
    }

    /// A table's rows, behind a barrier where policies narrow them.
    fn open_table(&self, scan: &TableScan, table: &TableRef, asked: &[i16]) -> Result<LogicalPlan> {
        if self.purpose == Purpose::Definition {
            return self.pass(scan, table, true);
        }
        let bound = Bound::of(self.caller, &table.found, self.scope.row_security)?;
        let masks = masks(self.caller, &table.found);
        if bound.is_none() && masks.is_empty() {
            return self.pass(scan, table, true);
        }
        let name = table.found.relation.name.as_str();
        let oid = table.found.relation.oid;
        let joined = match &bound {
            Some(bound) => bound.stored(&self.commands(table, !asked.is_empty()))?,
            None => Joined::default(),
        };
        if joined.subqueries && self.active.contains(&oid) {
            return Err(Error::PolicyRecursion(name.to_owned()));
        }
        let active: Vec<Oid> = self.active.iter().copied().chain([oid]).collect();
        let inside = Guard {
            active: &active,
            purpose: Purpose::Read,
            ..*self
        };
        let plan = inside.narrowed(table, &joined, &masks)?;
        let masked = table
            .columns
            .iter()
            .filter(|(number, _)| masks.iter().any(|(column, _)| column == number));
        let masked: Vec<String> = masked.map(|(_, name)| name.clone()).collect();
        let source = Narrow {
            name: Arc::from(name),
            plan,
            schema: TableSource::schema(table),
            masked: Arc::from(masked),
        };
        rescanned(scan, Arc::new(source))
    }

    /// The commands whose policies narrow the rows of a scan.
    fn commands(&self, table: &TableRef, reads: bool) -> Vec<PolicyCommand> {
        if table.locked.is_some() {
            return vec![PolicyCommand::Select, PolicyCommand::Update];
        }
        let Purpose::Change { verb, returns } = self.purpose else {
            return vec![PolicyCommand::Select];
        };
        if !table.row_ids {
            return vec![PolicyCommand::Select];
        }
        let mut commands = match verb {
            Verb::Update => vec![PolicyCommand::Update],
            Verb::Delete => vec![PolicyCommand::Delete],
            Verb::Upsert => return vec![PolicyCommand::Update, PolicyCommand::Select],
            // What MERGE may do with a row is judged when it is known what it does.
            Verb::Merge => Vec::new(),
        };
        if reads || returns {
            commands.push(PolicyCommand::Select);
        }
        commands
    }

    /// The table's rows that fulfil a condition, in the columns of the reference.
    fn narrowed(
        &self,
        table: &TableRef,
        joined: &Joined,
        masks: &[(i16, &MaskingPolicy)],
    ) -> Result<LogicalPlan> {
        let stored = table.found.relation.table();
        let own = joined.rows(table, &self.scope.zone);
        let names: Vec<String> = own.columns.iter().map(|(_, name)| name.clone()).collect();
        let numbers: Vec<i16> = own.columns.iter().map(|(number, _)| *number).collect();
        let text = joined.text();
        let narrowed = Narrowed {
            table: joined
                .table
                .as_deref()
                .unwrap_or(&table.found.relation.name),
            text: &text,
            references: &joined.references,
        };
        self.note(&own)?;
        let passed = Passed::new(own, false);
        let plan = narrowed.plan(Arc::new(passed), self.scope)?;
        let asked = (0..plan.schema().fields().len()).collect();
        let plan = self.node(plan, &asked)?;
        let columns = plan.schema().columns();
        let place = |number: i16| numbers.iter().position(|n| *n == number);
        let mut outputs = Vec::with_capacity(table.columns.len() + 2);
        for (number, name) in &table.columns {
            let column = place(*number).and_then(|place| columns.get(place));
            let column = column.ok_or_else(|| Error::internal("a column has gone"))?;
            let value = Expr::Column(column.clone());
            let of = stored.and_then(|t| t.columns.iter().find(|c| c.number == *number));
            let of = of.ok_or_else(|| Error::internal("a column has gone"))?;
            outputs.push(shown(masks, of, value, self.scope)?.alias(name));
        }
        // The places of rows come last.
        for column in columns.iter().skip(names.len()) {
            outputs.push(Expr::Column(column.clone()).alias(&column.name));
        }
        Ok(LogicalPlanBuilder::from(plan).project(outputs)?.build()?)
    }

    /// A scan of a table that needs no more than its rights.
    fn pass(&self, scan: &TableScan, table: &TableRef, statistics: bool) -> Result<LogicalPlan> {
        self.note(table)?;
        rescanned(scan, Arc::new(Passed::new(table.clone(), statistics)))
    }

    fn note(&self, table: &TableRef) -> Result<()> {
        self.noted()?.tables.push(table.clone());
        Ok(())
    }

    fn noted(&self) -> Result<std::sync::MutexGuard<'_, Noted>> {
        self.noted
            .lock()
            .map_err(|_| Error::internal("a guard's list is lost"))
    }

    /// A view's own plan under the view's name, guarded with the rights of its owner unless it asks
    /// for its reader's.
    fn open_view(&self, scan: &TableScan, view: &ViewRef) -> Result<LogicalPlan> {
        let definition = view
            .found
            .relation
            .view()
            .ok_or_else(|| unknown("a view"))?;
        let plan = view.plan.as_ref().clone();
        let owner;
        let reader = if definition.security_invoker {
            self.invoker
        } else {
            owner = self.caller.acting_as(view.found.relation.owner);
            &owner
        };
        let inner = Guard {
            caller: reader,
            purpose: Purpose::Read,
            ..*self
        };
        let asked = (0..plan.schema().fields().len()).collect();
        let plan = inner.node(plan, &asked)?;
        let outputs: Vec<Expr> = plan
            .schema()
            .columns()
            .into_iter()
            .zip(view.schema().fields())
            .map(|(column, field)| {
                let typed = typed_as(Expr::Column(column), field);
                typed.alias(field.name())
            })
            .collect();
        let plan = LogicalPlanBuilder::from(plan).project(outputs)?;
        let plan = plan.alias(scan.table_name.clone())?;
        let plan = match &scan.projection {
            Some(projection) => plan.select(projection.iter().copied())?,
            None => plan,
        };
        Ok(plan.build()?)
    }
}

/// A checked plan with its tables open, sub-queries included.
fn opened(plan: LogicalPlan, opener: &dyn Opener) -> Result<LogicalPlan> {
    datafusion_stack(|| {
        if let LogicalPlan::TableScan(scan) = &plan {
            return open_scan(scan, opener);
        }
        let expressions = plan
            .expressions()
            .into_iter()
            .map(|expr| with_subqueries(expr, &|plan| opened(plan, opener)))
            .collect::<Result<Vec<_>>>()?;
        let inputs = plan
            .inputs()
            .into_iter()
            .cloned()
            .map(|input| opened(input, opener))
            .collect::<Result<Vec<_>>>()?;
        rebuilt(plan, expressions, inputs)
    })
}

fn open_scan(scan: &TableScan, opener: &dyn Opener) -> Result<LogicalPlan> {
    if let Some(passed) = scan.source.downcast_ref::<Passed>() {
        let provider = opener.open(&passed.table, passed.statistics)?;
        return rescanned(scan, provider_as_source(provider));
    }
    if let Some(narrow) = scan.source.downcast_ref::<Narrow>() {
        let plan = opened(narrow.plan.clone(), opener)?;
        let masked = Arc::clone(&narrow.masked);
        let barrier = Barrier::new(Arc::clone(&narrow.name), plan, masked);
        return rescanned(scan, provider_as_source(Arc::new(barrier)));
    }
    if let Some(NewRows(rows)) = scan.source.downcast_ref::<NewRows>() {
        let provider = NewRowsTable(Arc::clone(rows));
        return rescanned(scan, provider_as_source(Arc::new(provider)));
    }
    if scan.source.is::<DefaultTableSource>() {
        return Ok(LogicalPlan::TableScan(scan.clone()));
    }
    Err(unknown(&format!("a scan of {}", scan.table_name)))
}

/// An expression with each sub-query's plan replaced by what `change` makes of it.
fn with_subqueries(
    expr: Expr,
    change: &dyn Fn(LogicalPlan) -> Result<LogicalPlan>,
) -> Result<Expr> {
    let changed = |subquery: Subquery| -> Result<Subquery> {
        let plan = change(subquery.subquery.as_ref().clone())?;
        Ok(Subquery {
            subquery: Arc::new(plan),
            ..subquery
        })
    };
    let guarded = expr.transform_up(|expr| {
        Ok(match expr {
            Expr::ScalarSubquery(subquery) => {
                Transformed::yes(Expr::ScalarSubquery(changed(subquery)?))
            }
            Expr::Exists(mut exists) => {
                exists.subquery = changed(exists.subquery)?;
                Transformed::yes(Expr::Exists(exists))
            }
            Expr::InSubquery(mut inside) => {
                inside.subquery = changed(inside.subquery)?;
                Transformed::yes(Expr::InSubquery(inside))
            }
            Expr::SetComparison(mut set) => {
                set.subquery = changed(set.subquery)?;
                Transformed::yes(Expr::SetComparison(set))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(guarded.data)
}

/// A view keeps the types it was made with.
fn typed_as(expr: Expr, field: &datafusion::arrow::datatypes::FieldRef) -> Expr {
    use datafusion::logical_expr::Cast;
    Expr::Cast(Cast::new_from_field(Box::new(expr), Arc::clone(field)))
}

/// The numbers of the columns that are asked of a scan.
fn asked_columns(
    asked: &Positions,
    scan: &TableScan,
    number: impl Fn(usize) -> Option<i16>,
) -> Vec<i16> {
    let index = |position: &usize| match &scan.projection {
        Some(projection) => projection.get(*position).copied(),
        None => Some(*position),
    };
    asked.iter().filter_map(index).filter_map(number).collect()
}

/// The same scan of an opened source.
fn rescanned(scan: &TableScan, source: Arc<dyn TableSource>) -> Result<LogicalPlan> {
    let projection = scan.projection.clone();
    let opened = LogicalPlanBuilder::scan_with_filters(
        scan.table_name.clone(),
        source,
        projection,
        scan.filters.clone(),
    )?
    .build()?;
    // Column names of the reference, which a view may hold from before a column was renamed.
    let renamed = opened
        .schema()
        .fields()
        .iter()
        .zip(scan.projected_schema.fields())
        .any(|(new, old)| new.name() != old.name());
    if !renamed {
        return Ok(opened);
    }
    let table: TableReference = scan.table_name.clone();
    let outputs: Vec<Expr> = opened
        .schema()
        .columns()
        .into_iter()
        .zip(scan.projected_schema.fields())
        .map(|(column, field)| Expr::Column(column).alias(field.name()))
        .collect();
    let plan = LogicalPlanBuilder::from(opened)
        .project(outputs)?
        .alias(table)?;
    Ok(plan.build()?)
}

/// The node with guarded expressions and inputs; columns are found again by name, so types that an
/// opened relation made more exact reach the top.
fn rebuilt(
    node: LogicalPlan,
    expressions: Vec<Expr>,
    inputs: Vec<LogicalPlan>,
) -> Result<LogicalPlan> {
    Ok(match node {
        // These have no expressions that could have changed, and no builder of their own.
        LogicalPlan::Subquery(subquery) => {
            let input = inputs
                .into_iter()
                .next()
                .ok_or_else(|| unknown("an empty sub-query"))?;
            LogicalPlan::Subquery(Subquery {
                subquery: Arc::new(input),
                ..subquery
            })
        }
        // The engine's own rebuilding takes no order.
        LogicalPlan::Distinct(Distinct::On(on)) => {
            LogicalPlan::Distinct(Distinct::On(distinct_on(on, expressions, inputs)?))
        }
        LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) if inputs.is_empty() => {
            node.with_new_exprs(expressions, inputs)?
        }
        other => other.with_new_exprs(expressions, inputs)?,
    })
}

/// DISTINCT ON with guarded expressions, which come in the order ON, SELECT, ORDER BY.
fn distinct_on(
    on: DistinctOn,
    mut expressions: Vec<Expr>,
    inputs: Vec<LogicalPlan>,
) -> Result<DistinctOn> {
    let input = inputs
        .into_iter()
        .next()
        .ok_or_else(|| unknown("DISTINCT ON without input"))?;
    let sorts = expressions.split_off(on.on_expr.len() + on.select_expr.len());
    let select = expressions.split_off(on.on_expr.len());
    let order = on.sort_expr.map(|former| {
        let sorted = former.iter().zip(sorts);
        sorted.map(|(sort, expr)| sort.with_expr(expr)).collect()
    });
    Ok(DistinctOn::try_new(
        expressions,
        select,
        order,
        Arc::new(input),
    )?)
}

fn unknown(what: &str) -> Error {
    Error::Unsupported(format!("{what} in a query"))
}

/// Runs deep recursion on a stack that grows.
fn datafusion_stack<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, run)
}
