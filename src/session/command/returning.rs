//! RETURNING: a select list over the rows that a statement wrote, and over what it read beside them.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::MemTable;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{self, SelectItem, SelectItemQualifiedWildcardKind};

use super::names::{folded, parts};
use crate::error::{Error, Result};
use crate::planner::{self, Scope};
use crate::session::reply::Columns;
use tessera_udfs::walk;

/// What columns from beside the table are called among the written rows; no table has such names.
const BESIDE: &str = "\u{4}beside";

/// The rows that a select list is over.
pub(super) struct Over<'a> {
    /// The table's columns, under its name or alias.
    pub(super) schema: &'a SchemaRef,
    pub(super) qualifier: &'a str,
    /// Columns of FROM, USING or MERGE's source.
    pub(super) beside: Option<&'a DFSchema>,
    /// Whether `*` names those before the table's, as MERGE's does.
    pub(super) beside_first: bool,
}

/// A select list, planned over a table's columns under its name or alias.
pub(super) struct Returning {
    list: Vec<Expr>,
    /// The table's columns, then those from beside it that the list names.
    schema: SchemaRef,
    qualifier: String,
    /// Places of the latter among the columns that there are beside the table.
    beside: Vec<usize>,
    pub(super) columns: Columns,
}

impl Returning {
    /// Plans the list.
    pub(super) fn plan(items: &[SelectItem], over: &Over<'_>, scope: &Scope) -> Result<Self> {
        let own =
            DFSchema::try_from_qualified_schema(TableReference::bare(over.qualifier), over.schema)?;
        let all = match over.beside {
            None => own,
            Some(beside) if over.beside_first => beside.join(&own)?,
            Some(beside) => own.join(beside)?,
        };
        let mut returning = Self {
            list: listed(items, &all, scope)?,
            schema: Arc::clone(over.schema),
            qualifier: over.qualifier.to_owned(),
            beside: Vec::new(),
            columns: Arc::from([]),
        };
        if let Some(beside) = over.beside {
            returning.take_beside(beside)?;
        }
        returning.columns = super::query::columns(&returning.over(Vec::new())?);
        Ok(returning)
    }

    /// Puts the columns from beside the table behind its own.
    fn take_beside(&mut self, beside: &DFSchema) -> Result<()> {
        let mut taken: Vec<usize> = Vec::new();
        let qualifier = TableReference::bare(self.qualifier.as_str());
        let list = std::mem::take(&mut self.list).into_iter().enumerate();
        self.list = list
            .map(|(index, expr)| {
                let name = expr.qualified_name().1;
                let moved = expr.transform_up(|expr| {
                    let Expr::Column(column) = &expr else {
                        return Ok(Transformed::no(expr));
                    };
                    let Some(place) = beside.maybe_index_of_column(column) else {
                        return Ok(Transformed::no(expr));
                    };
                    let at = taken.iter().position(|known| *known == place);
                    let at = at.unwrap_or_else(|| {
                        taken.push(place);
                        taken.len() - 1
                    });
                    let name = format!("{BESIDE}{at}");
                    let column = Column::new(Some(qualifier.clone()), name);
                    Ok(Transformed::yes(Expr::Column(column)))
                })?;
                Ok(match moved.data {
                    column @ Expr::Column(_) if moved.transformed => {
                        column.alias(planner::numbered(&name, index))
                    }
                    other => other,
                })
            })
            .collect::<Result<_>>()?;
        let fields = taken.iter().enumerate().map(|(at, place)| {
            let field = beside.field(*place).as_ref().clone();
            Arc::new(field.with_name(format!("{BESIDE}{at}")).with_nullable(true))
        });
        let fields = self.schema.fields().iter().cloned().chain(fields);
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self.beside = taken;
        Ok(())
    }

    /// The list over written rows.
    pub(super) fn over(&self, rows: Vec<RecordBatch>) -> Result<LogicalPlan> {
        let table = MemTable::try_new(Arc::clone(&self.schema), vec![rows])?;
        let source = provider_as_source(Arc::new(table));
        Ok(
            LogicalPlanBuilder::scan(TableReference::bare(self.qualifier.as_str()), source, None)?
                .project(self.list.clone())?
                .build()?,
        )
    }

    /// The columns of the rows that the list is over.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns of what the list gives.
    pub(super) fn output(&self) -> Result<DFSchemaRef> {
        Ok(Arc::clone(self.over(Vec::new())?.schema()))
    }

    /// Places of the columns from beside the table that the list needs, in the order of the rows.
    pub(super) fn beside(&self) -> &[usize] {
        &self.beside
    }

    /// The table's columns that the list names, for the right to read them.
    pub(super) fn reads(&self) -> Vec<String> {
        let mut names = Vec::new();
        for expr in &self.list {
            let named = expr.column_refs().into_iter();
            let own = named.filter(|column| !column.name.starts_with(BESIDE));
            names.extend(own.map(|column| column.name.clone()));
        }
        names
    }
}

/// Refuses a name without a table that two tables have.
fn check_ambiguous(item: &SelectItem, over: &DFSchema) -> Result<()> {
    let flow = walk::expressions(item, &mut |expr| {
        let ast::Expr::Identifier(ident) = expr else {
            return ControlFlow::Continue(());
        };
        let name = folded(ident);
        match over.qualified_fields_with_unqualified_name(&name).len() {
            0 | 1 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(name),
        }
    });
    match flow {
        ControlFlow::Break(name) => Err(Error::AmbiguousColumn(name)),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn listed(items: &[SelectItem], over: &DFSchema, scope: &Scope) -> Result<Vec<Expr>> {
    let mut list = Vec::new();
    for (index, item) in items.iter().enumerate() {
        check_ambiguous(item, over)?;
        match item {
            SelectItem::Wildcard(_) => {
                // What has a name that nobody can write is not for `*`.
                let columns = over.columns().into_iter();
                let shown = columns.filter(|column| !column.name.starts_with('\u{4}'));
                list.extend(shown.map(Expr::Column));
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let wanted = parts(name).pop().unwrap_or_default();
                let before = list.len();
                let columns = over.columns().into_iter();
                let own = columns.filter(|column| {
                    let relation = column.relation.as_ref();
                    relation.is_some_and(|relation| relation.table() == wanted)
                });
                list.extend(own.map(Expr::Column));
                if list.len() == before {
                    return Err(Error::Function {
                        sqlstate: "42P01",
                        message: format!("missing FROM-clause entry for table \"{wanted}\""),
                        hint: None,
                        detail: None,
                    });
                }
            }
            SelectItem::UnnamedExpr(expr) => {
                let name = planner::output_name(expr);
                let planned = planner::expression(expr.clone(), over, scope, &[])?;
                list.push(match planned {
                    column @ Expr::Column(_) if !list.contains(&column) => column,
                    other => other.alias(planner::numbered(&name, index)),
                });
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let planned = planner::expression(expr.clone(), over, scope, &[])?;
                list.push(planned.alias(folded(alias)));
            }
            other => return Err(Error::Unsupported(format!("RETURNING {other}"))),
        }
    }
    Ok(list)
}
