//! WITH and statements that change rows: in it, after it, or both.
//!
//! All parts see the rows that were there before the statement. A part hands on what it returns as
//! [`Given`] rows under its name. Parts that the main one reads run before it, the others after it.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{self, Cte, Query, SetExpr, With};
use futures::StreamExt;
use tessera_catalog::sql_type::SqlType;

use super::given::{Given, with_given};
use super::modify::{self, Around};
use super::names::{folded, parts};
use super::{insert, lock, query};
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::ast::Body;
use crate::planner::{self, Scope, is_change, params};
use crate::policy::{Caller, GuardedPlan, Purpose};
use crate::session::Session;
use crate::session::prepared::Prepared;
use crate::session::reply::{Columns, Reply, Rows, RowsTag};
use tessera_udfs::walk;

/// The most that the parts of one statement hand on to each other, in bytes.
const MAX_GIVEN_BYTES: usize = 256 << 20;

/// The word by which a read-only transaction refuses the statement.
pub(super) fn verb(query: &Query) -> &'static str {
    match query.body.as_ref() {
        SetExpr::Insert(_) => "INSERT",
        SetExpr::Update(_) => "UPDATE",
        SetExpr::Delete(_) => "DELETE",
        SetExpr::Merge(_) => "MERGE",
        _ => "SELECT",
    }
}

/// A statement with its parts planned.
struct Combined {
    parts: Vec<Part>,
    main: Work,
    main_scope: Scope,
    parameters: Vec<SqlType>,
}

/// A part that runs by itself.
struct Part {
    name: String,
    work: Work,
    scope: Scope,
    /// Where its rows go, if anything may read them.
    given: Option<Given>,
    /// Whether the main part reads its rows, itself or by way of others.
    is_read: bool,
}

/// What a part does.
enum Work {
    Query(LogicalPlan, Columns),
    Insert(Box<insert::Planned>),
    Change(Box<modify::Planned>),
}

pub(super) async fn describe(
    session: &mut Session,
    query: &Query,
    declared: &[u32],
) -> Result<(Vec<SqlType>, Option<Columns>)> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let planned = plan(query, scope, declared)?;
    Ok((planned.parameters, planned.main.columns()))
}

pub(super) async fn run(
    session: &mut Session,
    query: &Query,
    prepared: &Prepared,
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> Result<Reply> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let declared: Vec<u32> = prepared.parameters.iter().map(SqlType::oid).collect();
    let Combined {
        mut parts,
        mut main,
        main_scope,
        ..
    } = plan(query, scope, &declared)?;
    for work in parts.iter().map(|part| &part.work).chain([&main]) {
        work.check(&caller)?;
    }
    // What is waited for comes before the one moment that all parts see.
    let works = parts.iter_mut().map(|part| &mut part.work);
    for work in works.chain([&mut main]) {
        work.lock(session, &caller).await?;
    }
    session.transaction.begin_together();
    let (before, after): (Vec<Part>, Vec<Part>) = match &main {
        // Its rows are read as the client takes them, when all changes are to be made.
        Work::Query(..) => (parts, Vec::new()),
        Work::Insert(_) | Work::Change(_) => parts.into_iter().partition(|part| part.is_read),
    };
    for part in before {
        part.run(session, &caller, &parameters, limits).await?;
    }
    let asked = (&caller, &main_scope);
    let reply = main.run(session, asked, parameters.clone(), limits).await?;
    for part in after {
        part.run(session, &caller, &parameters, limits).await?;
    }
    session.transaction.end_together();
    Ok(reply)
}

/// What each part does and the plan that finds or makes its rows, for EXPLAIN; nothing is run.
pub(super) async fn explained(
    session: &mut Session,
    written: &Body,
    parameters: Vec<ScalarValue>,
) -> Result<Vec<(String, GuardedPlan)>> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let query = match written {
        Body::Combined(query) => query.as_ref().clone(),
        Body::Write(statement) => {
            let mut query = modify::skeleton("SELECT 1")?;
            query.body = Box::new(SetExpr::Insert(statement.as_ref().clone()));
            query
        }
        _ => return Err(Error::Unsupported("EXPLAIN of this statement".to_owned())),
    };
    let planned = plan(&query, scope, &[])?;
    let main = (&planned.main, &planned.main_scope, None);
    let parts = planned.parts.iter();
    let parts = parts.map(|part| (&part.work, &part.scope, Some(part.name.as_str())));
    let mut explained = Vec::new();
    for (work, scope, name) in std::iter::once(main).chain(parts) {
        work.check(&caller)?;
        let guarded = work.guarded(session, (&caller, scope), parameters.clone());
        let what = match (name, work.what()) {
            (None, what) => what,
            (Some(name), None) => Some(format!("CTE {name}")),
            (Some(name), Some(what)) => Some(format!("CTE {name}: {what}")),
        };
        explained.push((what.unwrap_or_default(), guarded.await?));
    }
    Ok(explained)
}

impl Part {
    /// Runs the part to its end, and gives its rows to those that read them.
    async fn run(
        self,
        session: &mut Session,
        caller: &Caller,
        parameters: &[ScalarValue],
        limits: Limits,
    ) -> Result<()> {
        if !self.is_read && matches!(self.work, Work::Query(..)) {
            return Ok(());
        }
        let asked = (caller, &self.scope);
        let reply = self.work.run(session, asked, parameters.to_vec(), limits);
        let Reply::Rows(mut rows) = reply.await? else {
            return Ok(());
        };
        let mut kept = Vec::new();
        let mut bytes = 0;
        while let Some(batch) = rows.batches.next().await {
            let batch = batch?;
            let Some(given) = &self.given else { continue };
            bytes += batch.get_array_memory_size();
            if bytes > MAX_GIVEN_BYTES {
                return Err(Error::OutOfMemory {
                    detail: format!(
                        "The parts of a statement hand on at most {MAX_GIVEN_BYTES} bytes."
                    ),
                });
            }
            kept.push(renamed(&batch, given)?);
        }
        match &self.given {
            Some(given) if !given.tell(kept) => {
                Err(Error::internal("the rows of a statement came twice"))
            }
            _ => Ok(()),
        }
    }
}

fn renamed(batch: &RecordBatch, given: &Given) -> Result<RecordBatch> {
    modify::as_schema(batch, given.columns())
}

impl Work {
    fn columns(&self) -> Option<Columns> {
        match self {
            Self::Query(_, columns) => Some(Arc::clone(columns)),
            Self::Insert(planned) => planned.returning.as_ref().map(|r| Arc::clone(&r.columns)),
            Self::Change(planned) => planned.returning.as_ref().map(|r| Arc::clone(&r.columns)),
        }
    }

    /// What is done to which table.
    fn what(&self) -> Option<String> {
        match self {
            Self::Query(..) => None,
            Self::Insert(planned) => Some(format!("Insert on {}", planned.found.relation.name)),
            Self::Change(planned) => {
                let verb = match planned.verb {
                    "UPDATE" => "Update",
                    "DELETE" => "Delete",
                    _ => "Merge",
                };
                Some(format!("{verb} on {}", planned.found.relation.name))
            }
        }
    }

    /// The plan that finds or makes the rows.
    async fn guarded(
        &self,
        session: &mut Session,
        (caller, scope): (&Caller, &Scope),
        parameters: Vec<ScalarValue>,
    ) -> Result<GuardedPlan> {
        let (plan, purpose) = match self {
            Self::Query(plan, _) => (plan, Purpose::Read),
            Self::Insert(planned) => (&planned.plan, Purpose::Read),
            Self::Change(planned) => (&planned.plan, planned.purpose()),
        };
        let plan = query::bind(plan.clone(), parameters)?;
        query::guard_for(session, plan, caller, scope, purpose).await
    }

    fn parameters(&self) -> &[SqlType] {
        match self {
            Self::Query(..) => &[],
            Self::Insert(planned) => &planned.parameters,
            Self::Change(planned) => &planned.parameters,
        }
    }

    fn check(&self, caller: &Caller) -> Result<()> {
        match self {
            Self::Query(..) => Ok(()),
            Self::Insert(planned) => planned.check(caller).map(drop),
            Self::Change(planned) => planned.check(caller).map(drop),
        }
    }

    async fn lock(&mut self, session: &mut Session, caller: &Caller) -> Result<()> {
        match self {
            Self::Query(plan, _) => {
                *plan = lock::rows_of_query(session, plan.clone(), caller).await?;
                Ok(())
            }
            Self::Insert(planned) if !planned.looks_for_keys() => {
                lock::adds_to(session, &planned.found, caller).await
            }
            Self::Insert(planned) => lock::rows_of(session, &planned.found, caller).await,
            Self::Change(planned) => lock::rows_of(session, &planned.found, caller).await,
        }
    }

    async fn run(
        self,
        session: &mut Session,
        asked: (&Caller, &Scope),
        parameters: Vec<ScalarValue>,
        limits: Limits,
    ) -> Result<Reply> {
        match self {
            Self::Query(plan, columns) => {
                let (caller, scope) = asked;
                let plan = query::bind(plan, parameters)?;
                let guarded = query::guard(session, plan, caller, scope).await?;
                let batches = query::stream(session, guarded, scope, limits);
                Ok(Reply::Rows(Rows {
                    columns,
                    batches,
                    tag: RowsTag::Counted("SELECT"),
                }))
            }
            Self::Insert(planned) => {
                insert::perform(session, *planned, asked, parameters, limits).await
            }
            Self::Change(planned) => {
                modify::perform(session, *planned, asked, parameters, limits).await
            }
        }
    }

    /// The columns of its rows, under the names that the rest of the statement calls them.
    fn given(&self, cte: &Cte) -> Result<Option<Given>> {
        let output = match self {
            Self::Query(plan, _) => Arc::clone(plan.schema()),
            Self::Insert(planned) => match &planned.returning {
                Some(returning) => returning.output()?,
                None => return Ok(None),
            },
            Self::Change(planned) => match &planned.returning {
                Some(returning) => returning.output()?,
                None => return Ok(None),
            },
        };
        let names = &cte.alias.columns;
        if names.len() > output.fields().len() {
            return Err(Error::Function {
                sqlstate: "42P10",
                message: format!(
                    "WITH query \"{}\" has {} columns available but {} columns specified",
                    folded(&cte.alias.name),
                    output.fields().len(),
                    names.len()
                ),
                hint: None,
                detail: None,
            });
        }
        let fields = output.fields().iter().enumerate().map(|(index, field)| {
            let name = match names.get(index) {
                Some(named) => folded(&named.name),
                None => planner::shown(field.name()).to_owned(),
            };
            field.as_ref().clone().with_name(name).with_nullable(true)
        });
        let schema = Schema::new(fields.collect::<Vec<_>>());
        Ok(Some(Given::new(Arc::new(schema))))
    }
}

/// What planning the parts has come to.
struct Planner<'a> {
    scope: Scope,
    /// The queries of WITH that are read where they are named.
    with: With,
    /// Types of parameters so far; 0 unknown.
    declared: Vec<u32>,
    types: Vec<Option<SqlType>>,
    read: &'a BTreeSet<usize>,
}

fn plan(query: &Query, scope: Scope, declared: &[u32]) -> Result<Combined> {
    let with = query.with.as_ref();
    let ctes: &[Cte] = with.map_or(&[], |with| with.cte_tables.as_slice());
    let recursive = with.is_some_and(|with| with.recursive);
    let mut main = query.clone();
    main.with = None;
    check(query, ctes)?;
    let read = read_by_main(ctes, &main);
    let mut planner = Planner {
        scope,
        with: With {
            with_token: ast::helpers::attached_token::AttachedToken::empty(),
            recursive,
            cte_tables: Vec::new(),
        },
        declared: declared.to_vec(),
        types: Vec::new(),
        read: &read,
    };
    let mut parts = Vec::new();
    for (index, cte) in ctes.iter().enumerate() {
        let name = folded(&cte.alias.name);
        let later = ctes[index + 1..].iter().map(|cte| cte.query.as_ref());
        let uses: usize = later.chain([&main]).map(|q| mentions(q, &name)).sum();
        parts.extend(planner.part(index, cte, uses)?);
    }
    let main = planner.work(&main)?;
    Ok(Combined {
        parts,
        main,
        main_scope: planner.scope.clone(),
        parameters: planner.all_types()?,
    })
}

/// What PostgreSQL refuses before it looks at names.
fn check(query: &Query, ctes: &[Cte]) -> Result<()> {
    let mut names = HashSet::new();
    for cte in ctes {
        let name = folded(&cte.alias.name);
        let recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        if recursive && is_change(&cte.query.body) && mentions(&cte.query, &name) > 0 {
            return Err(Error::Function {
                sqlstate: "42P19",
                message: format!(
                    "recursive query \"{name}\" must not contain data-modifying statements"
                ),
                hint: None,
                detail: None,
            });
        }
        if !names.insert(name.clone()) {
            return Err(Error::Function {
                sqlstate: "42712",
                message: format!("WITH query name \"{name}\" specified more than once"),
                hint: None,
                detail: None,
            });
        }
    }
    Ok(())
}

impl Planner<'_> {
    /// Plans one entry of WITH: nothing where it is read in the place of its only mention.
    fn part(&mut self, index: usize, cte: &Cte, uses: usize) -> Result<Option<Part>> {
        let name = folded(&cte.alias.name);
        let changes = is_change(&cte.query.body);
        if !changes && uses < 2 {
            self.with.cte_tables.push(cte.clone());
            return Ok(None);
        }
        let work = if changes {
            self.work(&cte.query)?
        } else {
            // What several parts read is computed once.
            self.with.cte_tables.push(cte.clone());
            let name = &cte.alias.name;
            let mut all = modify::skeleton(&format!("SELECT * FROM {name}"))?;
            all.with = None;
            let work = self.work(&all)?;
            self.with.cte_tables.pop();
            work
        };
        let given = work.given(cte)?;
        let scope = self.scope.clone();
        let part = Part {
            name: name.clone(),
            work,
            scope,
            given: given.clone(),
            is_read: self.read.contains(&index),
        };
        match &given {
            Some(given) => self.scope = with_given(&self.scope, &name, given),
            None if uses > 0 => {
                return Err(Error::Function {
                    sqlstate: "0A000",
                    message: format!("WITH query \"{name}\" does not have a RETURNING clause"),
                    hint: None,
                    detail: None,
                });
            }
            None => {}
        }
        Ok(Some(part))
    }

    /// Plans a statement of the whole, and takes in what it tells of parameters.
    fn work(&mut self, query: &Query) -> Result<Work> {
        let mentioned = self.parameters_of(query);
        // Parameters of other parts are nothing that this one could tell of.
        let highest = mentioned.iter().max().copied().unwrap_or_default();
        let mut declared = self.declared.clone();
        declared.resize(declared.len().max(highest), 0);
        for (index, oid) in declared.iter_mut().enumerate() {
            if *oid == 0 && !mentioned.contains(&(index + 1)) {
                *oid = SqlType::Text.oid();
            }
        }
        let with = (!self.with.cte_tables.is_empty()).then_some(&self.with);
        let around = Around {
            scope: &self.scope,
            declared: &declared,
            with,
        };
        let (work, types) = match query.body.as_ref() {
            SetExpr::Insert(statement)
            | SetExpr::Update(statement)
            | SetExpr::Delete(statement)
            | SetExpr::Merge(statement) => {
                let work = match statement {
                    ast::Statement::Insert(written) => {
                        Work::Insert(Box::new(insert::plan(written, &around)?))
                    }
                    other => Work::Change(Box::new(modify::plan(other, &around)?)),
                };
                let types = work.parameters().to_vec();
                (work, types)
            }
            _ => {
                let query = around.before(query.clone())?;
                let (plan, types, columns) = query::answer(&query, &self.scope, &declared)?;
                (Work::Query(plan, columns), types)
            }
        };
        self.learn(&mentioned, types);
        Ok(work)
    }

    fn parameters_of(&self, query: &Query) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let attached = self.with.cte_tables.iter().map(|cte| cte.query.as_ref());
        for query in attached.chain([query]) {
            let flow = walk::expressions(query, &mut |expr| {
                found.extend(params::number(expr));
                ControlFlow::<()>::Continue(())
            });
            debug_assert!(flow.is_continue());
        }
        found
    }

    fn learn(&mut self, mentioned: &BTreeSet<usize>, types: Vec<SqlType>) {
        for (index, told) in types.into_iter().enumerate() {
            if !mentioned.contains(&(index + 1)) {
                continue;
            }
            if self.types.len() <= index {
                self.types.resize(index + 1, None);
            }
            if self.declared.len() <= index {
                self.declared.resize(index + 1, 0);
            }
            if self.types[index].is_none() {
                self.declared[index] = told.oid();
                self.types[index] = Some(told);
            }
        }
    }

    fn all_types(&self) -> Result<Vec<SqlType>> {
        let count = self.types.len().max(self.declared.len());
        let types = self.scope.user_types();
        let all = (0..count).map(|index| {
            let known = self.types.get(index).cloned().flatten();
            let declared = self.declared.get(index).copied().filter(|oid| *oid != 0);
            known
                .or_else(|| types.sql_type_of(declared?))
                .ok_or(Error::UndeterminedParameter(index + 1))
        });
        all.collect()
    }
}

/// How often a query names a relation, but for the table that it changes.
fn mentions(query: &Query, name: &str) -> usize {
    let mut count = 0;
    let flow = walk::relations(query, &mut |relation| {
        count += usize::from(matches!(parts(relation).as_slice(), [one] if one == name));
        ControlFlow::<()>::Continue(())
    });
    debug_assert!(flow.is_continue());
    let is_own = |table: &ast::ObjectName| matches!(parts(table).as_slice(), [one] if one == name);
    let factor = |factor: &ast::TableFactor| match factor {
        ast::TableFactor::Table { name, .. } => is_own(name),
        _ => false,
    };
    let changes_it = match query.body.as_ref() {
        SetExpr::Insert(ast::Statement::Insert(insert)) => match &insert.table {
            ast::TableObject::TableName(name) => is_own(name),
            _ => false,
        },
        SetExpr::Update(ast::Statement::Update(update)) => factor(&update.table.relation),
        SetExpr::Delete(ast::Statement::Delete(delete)) => {
            let (ast::FromTable::WithFromKeyword(from) | ast::FromTable::WithoutKeyword(from)) =
                &delete.from;
            from.first().is_some_and(|table| factor(&table.relation))
        }
        SetExpr::Merge(ast::Statement::Merge(merge)) => factor(&merge.table),
        _ => false,
    };
    count.saturating_sub(usize::from(changes_it))
}

/// Which entries of WITH the main part reads, itself or by way of others.
fn read_by_main(ctes: &[Cte], main: &Query) -> BTreeSet<usize> {
    let mut read = BTreeSet::new();
    let mut readers = vec![main];
    while let Some(reader) = readers.pop() {
        for (index, cte) in ctes.iter().enumerate() {
            if mentions(reader, &folded(&cte.alias.name)) > 0 && read.insert(index) {
                readers.push(&cte.query);
            }
        }
    }
    read
}
