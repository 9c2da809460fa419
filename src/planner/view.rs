//! Views: bound to object numbers when they are made, planned again whenever they are read.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::TableSource;
use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, Query, Statement as Sql, TableAlias, TableFactor, VisitorMut,
};
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Reference, RelationBody};

use super::ast::Body;
use super::names::Names;
use super::query::plan_with;
use super::rewrite::domains::bind_types;
use super::scope::{SYSTEM_SCHEMAS, Scope};
use super::size::Size;
use super::source::{AsOf, Found, RowLock, TableRef, ViewRef};
use crate::error::{Error, Result};
use tessera_udfs::walk::walk_mut;

/// The schema of the names that stand in a bound query; no identifier of a client reaches it, since
/// it is looked up only while a view's own query is planned.
pub(super) const REFERENCE_SCHEMA: &str = "\u{3}reference";
/// The name in that schema of the rows that a condition is about.
pub(super) const OWN_ROWS: &str = "own";

/// Replaces each relation's name in a view's query by a number that [`Reference`]s explain.
///
/// # Errors
/// A relation that does not exist, or one that a view cannot read.
pub fn bind(query: &Query, scope: &Scope) -> Result<(String, Vec<Reference>)> {
    bind_with(query, scope, false)
}

/// The same for a query over [`OWN_ROWS`], which it leaves as they are named.
pub(super) fn bind_beside(query: &Query, scope: &Scope) -> Result<(String, Vec<Reference>)> {
    bind_with(query, scope, true)
}

fn bind_with(query: &Query, scope: &Scope, own: bool) -> Result<(String, Vec<Reference>)> {
    let mut statement = Sql::Query(Box::new(query.clone()));
    bind_types(&mut statement, scope);
    // A relation that is a function's argument is bound like any other.
    tessera_udfs::rewrite_calls(&mut statement).map_err(DataFusionError::from)?;
    let mut binder = Binder {
        scope,
        own,
        references: Vec::new(),
        numbers: HashMap::new(),
        ctes: Vec::new(),
    };
    if let ControlFlow::Break(error) = walk_mut(&mut statement, &mut binder) {
        return Err(error);
    }
    Ok((statement.to_string(), binder.references))
}

struct Binder<'a> {
    scope: &'a Scope,
    /// Whether the next relation is [`OWN_ROWS`], which come first.
    own: bool,
    references: Vec<Reference>,
    numbers: HashMap<Oid, usize>,
    ctes: Vec<Vec<String>>,
}

impl VisitorMut for Binder<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let names = query.with.iter().flat_map(|with| &with.cte_tables);
        self.ctes
            .push(names.map(|cte| folded(&cte.alias.name)).collect());
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<Error> {
        self.ctes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        if std::mem::take(&mut self.own) {
            return ControlFlow::Continue(());
        }
        match self.bind(name, alias) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Binder<'_> {
    fn bind(&mut self, name: &mut ObjectName, alias: &mut Option<TableAlias>) -> Result<()> {
        let parts: Vec<String> = name
            .0
            .iter()
            .filter_map(ObjectNamePart::as_ident)
            .map(folded)
            .collect();
        let (schema, table) = match parts.as_slice() {
            [table] => (None, table.as_str()),
            [schema, table] | [_, schema, table] => (Some(schema.as_str()), table.as_str()),
            _ => return Err(Error::Unsupported(format!("the name {name}"))),
        };
        if schema.is_none() && self.ctes.iter().flatten().any(|cte| cte == table) {
            return Ok(());
        }
        let session = &self.scope.session;
        if schema == Some("pg_temp")
            || (schema.is_none() && session.temporary_table(table).is_some())
        {
            return Err(Error::Unsupported(
                "a view over a temporary table".to_owned(),
            ));
        }
        let system = schema.is_some_and(|schema| SYSTEM_SCHEMAS.contains(&schema))
            || (schema.is_none() && session.system_table("pg_catalog", table, false).is_some());
        if system {
            return Ok(());
        }
        let found = self.scope.relation(schema, table)?;
        let number = self.number(&found);
        if alias.is_none() {
            *alias = Some(TableAlias {
                explicit: false,
                name: Ident::with_quote('"', table),
                columns: Vec::new(),
                at: None,
            });
        }
        *name = ObjectName::from(vec![
            Ident::with_quote('"', REFERENCE_SCHEMA),
            Ident::with_quote('"', number.to_string()),
        ]);
        Ok(())
    }

    fn number(&mut self, found: &Found) -> usize {
        let references = &mut self.references;
        *self.numbers.entry(found.relation.oid).or_insert_with(|| {
            let columns = match &found.relation.body {
                RelationBody::Table(table) => table
                    .live_columns()
                    .map(|c| (c.number, c.name.clone()))
                    .collect(),
                RelationBody::Sequence(_) => Vec::new(),
                RelationBody::View(view) => (1..)
                    .zip(view.columns.iter().map(|c| c.name.clone()))
                    .collect(),
            };
            references.push(Reference {
                relation: found.relation.oid,
                columns,
            });
            references.len() - 1
        })
    }
}

fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

/// The source that a numbered name of a bound query stands for.
pub(super) fn reference(names: &Names<'_>, number: &str) -> Result<Arc<dyn TableSource>> {
    let reference = number
        .parse::<usize>()
        .ok()
        .and_then(|number| names.references.get(number))
        .ok_or_else(|| Error::internal("a view names no such relation"))?;
    let found = names
        .scope
        .relation_by_oid(reference.relation)
        .ok_or_else(|| Error::NoSuchRelation(reference.relation.to_string()))?;
    if found.relation.view().is_some() {
        return source(names, found, None);
    }
    check_populated(&found)?;
    let columns = reference.columns.clone();
    let table = TableRef::with_columns(found, AsOf::Now, columns, &names.scope.zone);
    Ok(Arc::new(table.with_keys(names.scope.is_system())))
}

/// The plan of a bound query.
///
/// # Errors
/// As planning.
pub fn bound_plan(
    bound: &str,
    references: &[Reference],
    scope: &Scope,
) -> Result<datafusion::logical_expr::LogicalPlan> {
    let statements = super::parse(bound)?;
    let Some(Body::Query(query)) = statements.into_iter().next().map(|s| s.body) else {
        return Err(Error::internal("a view's definition is not a query"));
    };
    let inner = Names::of_view(scope, references, 1)?;
    plan_with(&inner, Sql::Query(query), &[])
}

/// Refuses to read a materialised view that nobody has filled.
pub(super) fn check_populated(found: &Found) -> Result<()> {
    let query = found.relation.materialized();
    if query.is_none_or(|query| query.populated) {
        return Ok(());
    }
    Err(Error::Function {
        sqlstate: "55000",
        message: format!(
            "materialized view \"{}\" has not been populated",
            found.relation.name
        ),
        hint: Some("Use the REFRESH MATERIALIZED VIEW command.".to_owned()),
        detail: None,
    })
}

/// A view's source: its query planned over the objects it was bound to.
pub(super) fn source(
    names: &Names<'_>,
    found: Found,
    locked: Option<RowLock>,
) -> Result<Arc<dyn TableSource>> {
    let Some(view) = found.relation.view() else {
        return Err(Error::internal("not a view"));
    };
    let statements = super::parse(&view.bound)?;
    let Some(Body::Query(query)) = statements.into_iter().next().map(|s| s.body) else {
        return Err(Error::internal("a view's definition is not a query"));
    };
    let inner = Names::of_view(names.scope, &view.references, names.depth + 1)?;
    let planned = plan_with(&inner, Sql::Query(query), &[])?;
    let zone = &names.scope.zone;
    let fields: Vec<_> = view
        .columns
        .iter()
        .map(|column| column.sql_type.field(&column.name, true, zone))
        .collect();
    let schema = Arc::new(Schema::new(fields));
    Ok(Arc::new(ViewRef {
        size: Size::of(&planned)?,
        plan: Arc::new(planned),
        locked,
        schema,
        found,
    }))
}
