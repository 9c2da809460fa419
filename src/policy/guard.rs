//! The guard: every plan passes here, and nothing that it does not know gets through.
//!
//! Relations are references until now. [`guard`] checks the caller's rights on each, puts views in
//! place, guarded with the rights of their owner, and policies between a table and everything above
//! it. What comes out names the tables whose states are to be loaded; [`Checked::open`] then opens
//! them through the [`Opener`].

mod open;
mod own;
mod rebuild;

use std::sync::{Arc, Mutex};

use datafusion::catalog::TableProvider;
use datafusion::catalog::default_table_source::DefaultTableSource;
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::logical_plan::TableScan;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, TableSource};
use tessera_catalog::id::Oid;
use tessera_catalog::model::{MaskingPolicy, PolicyCommand, Privilege};

use self::open::{Narrow, Passed, opened};
pub use self::own::{guard_changed, guard_own};
use self::rebuild::{asked_columns, rebuilt, rescanned, typed_as, with_subqueries};
use super::checks::NewRows;
use super::columns::{Positions, asked_of_inputs};
use super::functions::check_calls;
use super::masks::{masks, shown};
use super::rights::{Caller, Object, check, check_columns};
use super::rows::{Bound, Joined, Purpose, Verb};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::condition::Narrowed;
use crate::planner::source::{ProvidedRef, TableRef, ViewRef};

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

pub(super) fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
    )
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

fn unknown(what: &str) -> Error {
    Error::Unsupported(format!("{what} in a query"))
}

/// Runs deep recursion on a stack that grows.
fn datafusion_stack<T>(run: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(256 * 1024, 4 * 1024 * 1024, run)
}
