//! The guard: every plan passes here, and nothing that it does not know gets through.
//!
//! Relations are references until now. The guard checks the caller's rights on each, then opens it:
//! tables through the [`Opener`], views by guarding their own plan with the rights of their owner.
//! Row policies will stand between a table and everything above it, in `open_table`.

use std::sync::Arc;

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
use tessera_catalog::model::Privilege;

use super::columns::{Positions, asked_of_inputs};
use super::functions::check_calls;
use super::rights::{Caller, Granted, Object, check, check_columns};
use crate::error::{Error, Result};
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
    fn open(
        &self,
        table: &TableRef,
        caller: &Caller,
        statistics: bool,
    ) -> Result<Arc<dyn TableProvider>>;
}

/// Checks a plan for a caller and opens its tables.
///
/// # Errors
/// 42501 for what the caller may not do, 0A000 for a node that has no rule here.
pub fn guard(plan: LogicalPlan, caller: &Caller, opener: &dyn Opener) -> Result<GuardedPlan> {
    let asked = (0..plan.schema().fields().len()).collect();
    let guard = Guard { caller, opener };
    Ok(GuardedPlan {
        plan: guard.node(plan, &asked)?,
    })
}

/// Checks a plan over rows that the statement itself has written: RETURNING's functions and sub-queries.
///
/// # Errors
/// As [`guard`].
pub fn guard_own(plan: LogicalPlan, caller: &Caller) -> Result<GuardedPlan> {
    for expr in plan.expressions() {
        check_calls(caller, &expr)?;
        if expr.exists(|expr| Ok(is_subquery(expr)))? {
            return Err(unknown("a sub-query in RETURNING"));
        }
    }
    Ok(GuardedPlan { plan })
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

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_)
    )
}

struct Guard<'a> {
    caller: &'a Caller,
    opener: &'a dyn Opener,
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
        let guarded = expr.transform_up(|expr| {
            Ok(match expr {
                Expr::ScalarSubquery(subquery) => {
                    Transformed::yes(Expr::ScalarSubquery(self.subquery(subquery)?))
                }
                Expr::Exists(mut exists) => {
                    exists.subquery = self.subquery(exists.subquery)?;
                    Transformed::yes(Expr::Exists(exists))
                }
                Expr::InSubquery(mut inside) => {
                    inside.subquery = self.subquery(inside.subquery)?;
                    Transformed::yes(Expr::InSubquery(inside))
                }
                Expr::SetComparison(mut set) => {
                    set.subquery = self.subquery(set.subquery)?;
                    Transformed::yes(Expr::SetComparison(set))
                }
                other => Transformed::no(other),
            })
        })?;
        Ok(guarded.data)
    }

    fn subquery(&self, subquery: Subquery) -> Result<Subquery> {
        let asked = (0..subquery.subquery.schema().fields().len()).collect();
        let plan = self.node(subquery.subquery.as_ref().clone(), &asked)?;
        Ok(Subquery {
            subquery: Arc::new(plan),
            ..subquery
        })
    }

    fn scan(&self, scan: &TableScan, asked: &Positions) -> Result<LogicalPlan> {
        if let Some(table) = scan.source.downcast_ref::<TableRef>() {
            let columns = asked_columns(asked, scan, |index| table.columns.get(index).map(|c| c.0));
            // A row's place alone tells nothing; the right to change the rows is the statement's.
            if !(table.row_ids && columns.is_empty()) {
                check_columns(self.caller, Privilege::Select, &table.found, &columns)?;
            }
            return self.open_table(scan, table);
        }
        if let Some(view) = scan.source.downcast_ref::<ViewRef>() {
            let columns = asked_columns(asked, scan, |index| i16::try_from(index + 1).ok());
            check_columns(self.caller, Privilege::Select, &view.found, &columns)?;
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

    fn open_table(&self, scan: &TableScan, table: &TableRef) -> Result<LogicalPlan> {
        let provider = self.opener.open(table, self.caller, true)?;
        rescanned(scan, provider_as_source(provider))
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
        let inner = if definition.security_invoker {
            guard(plan, self.caller, self.opener)?
        } else {
            guard(
                plan,
                &self.caller.acting_as(view.found.relation.owner),
                self.opener,
            )?
        };
        let outputs: Vec<Expr> = inner
            .plan
            .schema()
            .columns()
            .into_iter()
            .zip(view.schema().fields())
            .map(|(column, field)| {
                let typed = typed_as(Expr::Column(column), field);
                typed.alias(field.name())
            })
            .collect();
        let plan = LogicalPlanBuilder::from(inner.plan).project(outputs)?;
        let plan = plan.alias(scan.table_name.clone())?;
        let plan = match &scan.projection {
            Some(projection) => plan.select(projection.iter().copied())?,
            None => plan,
        };
        Ok(plan.build()?)
    }
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
