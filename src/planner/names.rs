//! Names to sources and functions, for the engine's planner.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableFunctionArgs;
use datafusion::common::{DFSchema, Result as EngineResult, TableReference, plan_datafusion_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, RelationPlanner, TypePlanner,
};
use datafusion::logical_expr::{
    AggregateUDF, Expr, ExprSchemable, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::sqlparser::ast;
use tessera_udfs::pg::{call_name, missing_function};

use super::rewrite::counted::{self, WITH_TIES};
use super::rewrite::from_functions::PLACE_OF_ROW;
use super::rewrite::operators::{ARRAY_OF_ROWS, ELEMENTS_AND_PLACES};
use super::rewrite::single_value::{array_of_rows, elements_and_places};
use super::rewrite::{domains, fractions, locks, time_travel};
use super::row_ids;
use super::scope::{SYSTEM_SCHEMAS, Scope};
use super::source::{AsOf, ProvidedRef, TableRef};
use super::types::Types;
use super::typing;
use super::user_types::UserTypes;
use super::view;
use crate::error::{Error, Result};
use tessera_udfs::pg::sets::place;

/// Calls that the engine's planner reads by itself before it looks a name up.
const BUILT_IN: [&str; 4] = ["struct", "grouping", "unnest", "row"];

/// The catalogs that tell how roles log in, which PostgreSQL keeps from all but superusers.
const LOGINS: [(&str, &str); 3] = [
    ("table", "pg_authid"),
    ("view", "pg_hba_file_rules"),
    ("view", "pg_ident_file_mappings"),
];
/// The schema of the audit and the reports.
const REPORTS: &str = "tessera";

/// The deepest nesting of views.
const MAX_VIEW_DEPTH: usize = 32;

/// Looks names up in a scope while one statement is planned.
pub(super) struct Names<'a> {
    pub(super) scope: &'a Scope,
    /// What a view's numbered names stand for; empty outside views.
    pub(super) references: &'a [tessera_catalog::model::Reference],
    pub(super) depth: usize,
    /// The rows that a policy's condition is about.
    own: Option<Arc<dyn TableSource>>,
    /// Whether a marked name is the target of a statement that changes rows.
    targets: bool,
    /// Whether the statement names a column that `*` leaves out of system tables.
    hidden: AtomicBool,
    pub(super) user_types: UserTypes,
    sources: Mutex<HashMap<TableReference, Arc<dyn TableSource>>>,
}

impl<'a> Names<'a> {
    pub(super) fn new(scope: &'a Scope) -> Self {
        Self {
            scope,
            references: &[],
            depth: 0,
            own: None,
            targets: false,
            hidden: AtomicBool::new(false),
            user_types: scope.user_types(),
            sources: Mutex::default(),
        }
    }

    /// Names of a statement that changes rows of a marked table.
    pub(super) fn of_change(scope: &'a Scope) -> Self {
        Self {
            targets: true,
            ..Self::new(scope)
        }
    }

    /// Names inside a view's query, `depth` views below the statement.
    pub(super) fn of_view(
        scope: &'a Scope,
        references: &'a [tessera_catalog::model::Reference],
        depth: usize,
    ) -> Result<Self> {
        if depth > MAX_VIEW_DEPTH {
            return Err(Error::TooComplex("views nest too deeply".to_owned()));
        }
        Ok(Self {
            scope,
            references,
            depth,
            own: None,
            targets: false,
            hidden: AtomicBool::new(false),
            user_types: scope.user_types(),
            sources: Mutex::default(),
        })
    }

    /// Names inside a policy's condition over `own` rows.
    pub(super) fn of_condition(
        scope: &'a Scope,
        references: &'a [tessera_catalog::model::Reference],
        own: Arc<dyn TableSource>,
    ) -> Self {
        Self {
            references,
            own: Some(own),
            ..Self::new(scope)
        }
    }

    /// Whether system tables show the columns that `*` leaves out.
    pub(super) fn show_hidden(&self, hidden: bool) {
        self.hidden.store(hidden, Ordering::Relaxed);
    }

    fn source(&self, name: &TableReference) -> Result<Arc<dyn TableSource>> {
        if let Some(database) = name.catalog()
            && database != self.scope.database.name
        {
            return Err(Error::Unsupported(format!(
                "cross-database reference \"{name}\": databases other than your own"
            )));
        }
        let schema = name.schema();
        if schema == Some(view::REFERENCE_SCHEMA)
            && name.table() == view::OWN_ROWS
            && let Some(own) = &self.own
        {
            return Ok(Arc::clone(own));
        }
        if schema == Some(view::REFERENCE_SCHEMA) && !self.references.is_empty() {
            return view::reference(self, name.table());
        }
        if self.targets
            && let Some(table) = row_ids::unmark(name.table())
        {
            let found = self.scope.relation(schema, table)?;
            let target = TableRef::new(found, AsOf::Now, &self.scope.zone);
            return Ok(Arc::new(target.with_row_ids()));
        }
        let (table, locked) = match locks::unmark(name.table()) {
            Some((table, how)) => (table, Some(how)),
            None => (name.table(), None),
        };
        let (table, as_of) = time_travel::unmark(table)?;
        let logins = LOGINS
            .iter()
            .find(|(_, name)| *name == table && schema.is_none_or(|schema| schema == "pg_catalog"));
        if let Some((kind, name)) = logins
            && !self.scope.session.shows_logins()
        {
            return Err(Error::PermissionDenied {
                kind,
                name: (*name).to_owned(),
            });
        }
        self.check_report(schema, table)?;
        if let Some(source) = self.session_table(schema, table) {
            return Ok(source);
        }
        let found = self.scope.relation(schema, table)?;
        if found.relation.view().is_some() {
            return view::source(self, found, locked);
        }
        view::check_populated(&found)?;
        let table = TableRef::new(found, as_of, &self.scope.zone);
        let table = table.with_keys(self.scope.is_system());
        Ok(Arc::new(match locked {
            Some(how) => table.locked(how),
            None => table,
        }))
    }

    /// Checks that the session's role may see a report, if the name is one's.
    fn check_report(&self, schema: Option<&str>, name: &str) -> Result<()> {
        use tessera_catalog::system;
        let path = &self.scope.search_path;
        let named = match schema {
            Some(schema) => schema == REPORTS,
            None => path.iter().any(|schema| schema == REPORTS),
        };
        if !named || !system::is_report(name) || self.scope.session.shows_reports() {
            return Ok(());
        }
        Err(Error::PermissionDenied {
            kind: "view",
            name: name.to_owned(),
        })
    }

    /// Whether a name in FROM is that of a stored table.
    pub(super) fn is_table(&self, factor: &ast::TableFactor) -> bool {
        self.source_of(factor)
            .is_some_and(|source| source.downcast_ref::<TableRef>().is_some())
    }

    /// The names of a plain table's columns.
    pub(super) fn columns_of(&self, factor: &ast::TableFactor) -> Option<Vec<String>> {
        let fields = self.source_of(factor)?.schema();
        let names = fields.fields().iter().map(|field| field.name().clone());
        let hidden = [row_ids::FILE_COLUMN, row_ids::ROW_COLUMN];
        Some(
            names
                .filter(|name| !hidden.contains(&name.as_str()))
                .collect(),
        )
    }

    fn source_of(&self, factor: &ast::TableFactor) -> Option<Arc<dyn TableSource>> {
        let ast::TableFactor::Table {
            name, args: None, ..
        } = factor
        else {
            return None;
        };
        let part = |ident: &ast::Ident| match ident.quote_style {
            Some(_) => ident.value.clone(),
            None => ident.value.to_lowercase(),
        };
        let parts: Option<Vec<String>> = name
            .0
            .iter()
            .map(|name| name.as_ident().map(part))
            .collect();
        let table = match parts?.as_slice() {
            [table] => TableReference::bare(table.as_str()),
            [schema, table] => TableReference::partial(schema.as_str(), table.as_str()),
            _ => return None,
        };
        self.get_table_source(table).ok()
    }

    /// A system table or a temporary one; these come before all others of the same bare name.
    fn session_table(&self, schema: Option<&str>, name: &str) -> Option<Arc<dyn TableSource>> {
        let session = &self.scope.session;
        let provider = match schema {
            Some("pg_temp") => session.temporary_table(name),
            Some(schema) if SYSTEM_SCHEMAS.contains(&schema) => {
                session.system_table(schema, name, self.hidden.load(Ordering::Relaxed))
            }
            Some(_) => None,
            None => session.temporary_table(name).or_else(|| {
                // `pg_catalog` is searched first unless the path names it later.
                let path = &self.scope.search_path;
                let named = path.iter().any(|schema| schema == "pg_catalog");
                let first = (!named).then_some("pg_catalog");
                first
                    .into_iter()
                    .chain(path.iter().map(String::as_str))
                    .find_map(|schema| {
                        if SYSTEM_SCHEMAS.contains(&schema) {
                            return session.system_table(
                                schema,
                                name,
                                self.hidden.load(Ordering::Relaxed),
                            );
                        }
                        None
                    })
            }),
        }?;
        Some(Arc::new(ProvidedRef {
            function: None,
            provider,
        }))
    }
}

/// The error for a function in FROM that is not there.
fn no_such_rows(name: &str, args: &[Expr]) -> Error {
    let schema = DFSchema::empty();
    let fields: Vec<_> = args
        .iter()
        .filter_map(|arg| arg.to_field(&schema).ok().map(|(_, field)| field))
        .collect();
    let constants: Vec<_> = args
        .iter()
        .map(|arg| match arg {
            Expr::Literal(value, _) => Some(value),
            _ => None,
        })
        .collect();
    let call = call_name(name, &fields, &constants);
    Error::NoSuchFunction(format!("function {call} does not exist"))
}

impl ContextProvider for Names<'_> {
    fn get_table_source(&self, name: TableReference) -> EngineResult<Arc<dyn TableSource>> {
        let mut sources = self
            .sources
            .lock()
            .map_err(|_| plan_datafusion_err!("poisoned"))?;
        if let Some(source) = sources.get(&name) {
            return Ok(Arc::clone(source));
        }
        let source = self.source(&name)?;
        sources.insert(name, Arc::clone(&source));
        Ok(source)
    }

    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<Expr>,
    ) -> EngineResult<Arc<dyn TableSource>> {
        use datafusion::logical_expr::simplify::SimplifyContext;
        use datafusion::optimizer::simplify_expressions::ExprSimplifier;
        let state = &self.scope.state;
        let short = name.strip_prefix("pg_catalog.").unwrap_or(name);
        let is_verdict = short == tessera_catalog::system::AUDIT_VERIFY;
        // The chain is of all tenants.
        if is_verdict && !(self.scope.is_system() && self.scope.session.shows_reports()) {
            return Err(Error::PermissionDenied {
                kind: "function",
                name: short.to_owned(),
            }
            .into());
        }
        if args.is_empty()
            && let Some(provider) = self.scope.session.system_rows(short)
        {
            return Ok(Arc::new(ProvidedRef {
                function: Some(short.to_owned()),
                provider,
            }));
        }
        let function = state
            .table_functions()
            .get(short)
            .ok_or_else(|| no_such_rows(short, &args))?;
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(state.config_options()))
            .build();
        let simplifier = ExprSimplifier::new(context);
        let schema = DFSchema::empty();
        let args = args
            .into_iter()
            .map(|arg| {
                simplifier
                    .coerce(arg, &schema)
                    .and_then(|arg| simplifier.simplify(arg))
            })
            .collect::<EngineResult<Vec<_>>>()?;
        let provider = function
            .create_table_provider_with_args(TableFunctionArgs::new(&args, state.as_ref()))?;
        Ok(Arc::new(ProvidedRef {
            function: Some(short.to_owned()),
            provider,
        }))
    }

    fn create_cte_work_table(
        &self,
        name: &str,
        schema: SchemaRef,
    ) -> EngineResult<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(
            name, schema,
        ))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.scope.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        self.scope.state.relation_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        Some(Arc::new(Types {
            zone: Arc::clone(&self.scope.zone),
            user_types: self.user_types.clone(),
        }))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if name == ARRAY_OF_ROWS {
            return Some(array_of_rows());
        }
        if name == ELEMENTS_AND_PLACES {
            return Some(elements_and_places());
        }
        if name == WITH_TIES {
            return Some(counted::marker());
        }
        if name == PLACE_OF_ROW {
            return Some(place());
        }
        if let Some(choice) = typing::choice(name, &self.scope.zone) {
            return Some(choice);
        }
        if name == fractions::ROUNDED {
            return Some(fractions::function());
        }
        if let Some(number) = domains::domain_of(name) {
            // A rule that does not plan leaves the call unknown, which is an error too.
            return super::domain::check_of(number, self.scope).ok();
        }
        if let Some(call) = typing::enum_call(name, &self.scope.zone) {
            return Some(call);
        }
        let session = self.scope.session.function(name);
        let state = &self.scope.state;
        let known = session.or_else(|| state.scalar_functions().get(name).cloned());
        known.or_else(|| {
            let elsewhere = state.aggregate_functions().contains_key(name)
                || state.window_functions().contains_key(name)
                || BUILT_IN.contains(&name);
            (!elsewhere).then(|| missing_function(name))
        })
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.scope.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.scope.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.scope.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        let mut names = self.scope.session.function_names();
        names.extend(self.scope.state.scalar_functions().keys().cloned());
        names
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.scope
            .state
            .aggregate_functions()
            .keys()
            .cloned()
            .collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.scope
            .state
            .window_functions()
            .keys()
            .cloned()
            .collect()
    }
}

/// The parts of a name as `regclass` reads it, folded unless quoted.
///
/// # Errors
/// A text that is no name.
pub fn name_parts(text: &str) -> crate::error::Result<Vec<String>> {
    let invalid = || crate::error::Error::InvalidName(format!("invalid name syntax: \"{text}\""));
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut chars = quoted.char_indices().peekable();
            let end = loop {
                match chars.next() {
                    Some((_, '"')) if chars.next_if(|(_, next)| *next == '"').is_some() => {
                        part.push('"');
                    }
                    Some((at, '"')) => break at + 1,
                    Some((_, other)) => part.push(other),
                    None => return Err(invalid()),
                }
            };
            parts.push(part);
            rest = &quoted[end..];
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            parts.push(rest[..end].trim().to_lowercase());
            rest = &rest[end..];
        }
        if parts.last().is_none_or(String::is_empty) {
            return Err(invalid());
        }
        match rest.strip_prefix('.') {
            Some(next) => rest = next,
            None if rest.is_empty() => return Ok(parts),
            None => return Err(invalid()),
        }
    }
}
