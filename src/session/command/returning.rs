//! RETURNING: a select list over the rows that a statement wrote.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::MemTable;
use datafusion::common::DFSchema;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::SelectItem;

use crate::error::{Error, Result};
use crate::planner::{self, Scope};
use crate::session::reply::Columns;

/// A select list, planned over a table's columns under its name or alias.
pub(super) struct Returning {
    list: Vec<Expr>,
    schema: SchemaRef,
    qualifier: String,
    pub(super) columns: Columns,
}

impl Returning {
    /// Plans the list over columns of `schema`, which are `qualifier`'s.
    pub(super) fn plan(
        items: &[SelectItem],
        schema: &SchemaRef,
        qualifier: &str,
        scope: &Scope,
    ) -> Result<Self> {
        let over = DFSchema::try_from_qualified_schema(qualifier, schema)?;
        let mut list = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match item {
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) => {
                    for column in over.columns() {
                        list.push(Expr::Column(column));
                    }
                }
                SelectItem::UnnamedExpr(expr) => {
                    let name = planner::output_name(expr);
                    let planned = planner::expression(expr.clone(), &over, scope, &[])?;
                    list.push(match planned {
                        column @ Expr::Column(_) if !list.contains(&column) => column,
                        other => other.alias(planner::numbered(&name, index)),
                    });
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    let planned = planner::expression(expr.clone(), &over, scope, &[])?;
                    list.push(planned.alias(super::names::folded(alias)));
                }
                other => return Err(Error::Unsupported(format!("RETURNING {other}"))),
            }
        }
        let mut returning = Self {
            list,
            schema: Arc::clone(schema),
            qualifier: qualifier.to_owned(),
            columns: Arc::from([]),
        };
        returning.columns = super::query::columns(&returning.over(Vec::new())?);
        Ok(returning)
    }

    /// The list over written rows.
    pub(super) fn over(&self, rows: Vec<RecordBatch>) -> Result<LogicalPlan> {
        let table = MemTable::try_new(Arc::clone(&self.schema), vec![rows])?;
        let source = provider_as_source(Arc::new(table));
        Ok(
            LogicalPlanBuilder::scan(self.qualifier.clone(), source, None)?
                .project(self.list.clone())?
                .build()?,
        )
    }

    /// The columns that the list names, for the right to read them.
    pub(super) fn reads(&self) -> Vec<String> {
        let mut names = Vec::new();
        for expr in &self.list {
            names.extend(
                expr.column_refs()
                    .into_iter()
                    .map(|column| column.name.clone()),
            );
        }
        names
    }
}
