//! CREATE TABLE, of columns or of a query's rows.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{self, CreateTable, ForeignKeyConstraint, TableConstraint};
use futures::StreamExt;
use tessera_catalog::id::{Oid, TableUuid};
use tessera_catalog::model::{
    Acl, AclItem, Change, Column, Privilege, Privileges, Relation, RelationBody, Scope as Reach,
    TENANT_COLUMN, Table, draw_text,
};
use tessera_catalog::sql_type::SqlType;

use super::super::names::{creation, folded, temporary_creation};
use super::super::user_type::usage;
use super::super::{default, grant, query, sequence};
use super::column::{self, DeclaredKey, Defined};
use super::foreign::{self, Referring};
use super::like::Like;
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::Scope;
use crate::planner::ast::SequenceOptions;
use crate::planner::source::Found;
use crate::policy::{Caller, Judged, RowChecks, check_columns};
use crate::session::Session;
use crate::session::reply::{Notice, Reply};
use crate::session::transaction::AtCommit;
use crate::session::write::{RowWriter, Writing};

pub(in crate::session::command) async fn create(
    session: &mut Session,
    create: &CreateTable,
    shared: bool,
    limits: Limits,
) -> Result<Reply> {
    refuse(create)?;
    let caller = session.caller().await?;
    if shared && !(caller.is_system() && caller.operator) {
        return Err(Error::InsufficientPrivilege(
            "only operators create shared tables, in the system database".to_owned(),
        ));
    }
    let scope = session.scope(&caller).await?;
    let place = if create.temporary {
        temporary_creation(&scope, &caller, &create.name)
    } else {
        creation(&scope, &caller, &create.name)
    };
    let (schema, name) = match place {
        Err(Error::AlreadyExists { kind, name }) if create.if_not_exists => {
            session.notice(Notice {
                sqlstate: "42P07",
                ..Notice::plain(format!("{kind} \"{name}\" already exists, skipping"))
            });
            return Ok(Reply::Done {
                tag: "CREATE TABLE".to_owned(),
            });
        }
        other => other?,
    };
    let reach = match (caller.is_system(), shared) {
        _ if create.temporary => Reach::Own,
        (true, true) => Reach::Shared,
        (true, false) if schema.oid != Oid::INTERNAL_SCHEMA => Reach::Common,
        _ => Reach::Own,
    };
    let source = match &create.query {
        Some(written) => Some(query::plan(written, &scope, &[])?),
        None => None,
    };
    let mut table = Table {
        uuid: TableUuid::generate(),
        scope: reach,
        columns: Vec::new(),
        checks: Vec::new(),
        keys: Vec::new(),
        schema_version: 1,
        query: None,
        sensitive: is_sensitive(create)?,
    };
    if let Some((plan, _, _)) = &source {
        let named: Vec<String> = create.columns.iter().map(|c| folded(&c.name)).collect();
        add_query_columns(&mut table, plan, &named, reach)?;
    }
    let catalog = session.engine.catalog.clone();
    if reach == Reach::Own && !create.temporary {
        session.check_tables(&scope.database).await?;
    }
    let next_oid = || catalog.next_oid(&scope.database);
    let oid = next_oid();
    let owner = grant::creator(&caller);
    let place = NewTable {
        oid,
        owner,
        name: &name,
        schema: (schema.oid, &schema.name),
        caller: &caller,
    };
    let sequences = add_columns(&mut table, create, &place, &scope, &next_oid)?;
    usage::check_columns(&caller, &scope, &table)?;
    let relation = Relation {
        oid,
        schema: schema.oid,
        owner,
        acl: first_acl(&caller, reach, schema.oid),
        comment: None,
        body: RelationBody::Table(table),
        name,
    };
    let found = Found {
        relation: Arc::new(relation.clone()),
        home: scope.database.id,
        schema_name: schema.name.clone(),
    };
    let mut changes: Vec<Change> = sequences.into_iter().map(Change::PutRelation).collect();
    changes.extend([
        Change::PutRelation(relation),
        Change::NextOid(next_oid().0 + 1),
    ]);
    session.transaction.change(&scope.database, changes);
    match create.on_commit {
        Some(ast::OnCommit::Drop) => session.transaction.at_commit(oid, AtCommit::Drop),
        Some(ast::OnCommit::DeleteRows) => session.transaction.at_commit(oid, AtCommit::Empty),
        Some(ast::OnCommit::PreserveRows) | None => {}
    }
    session.version += 1;
    match source {
        None => Ok(Reply::Done {
            tag: "CREATE TABLE".to_owned(),
        }),
        Some(_) if create.without_rowid => Ok(Reply::Done {
            tag: "CREATE TABLE AS".to_owned(),
        }),
        Some((plan, _, _)) => fill(session, &found, plan, &scope, limits).await,
    }
}

/// What WITH (…) says of who reads the table.
fn is_sensitive(create: &CreateTable) -> Result<bool> {
    match &create.table_options {
        ast::CreateTableOptions::None => Ok(false),
        ast::CreateTableOptions::With(options) => Ok(sensitive(options)?.unwrap_or_default()),
        _ => Err(Error::Unsupported("options of a table".to_owned())),
    }
}

/// The one storage parameter that tables have, if it is named.
///
/// # Errors
/// 0A000 for PostgreSQL's others, 22023 for a value that is no truth value.
pub(super) fn sensitive(options: &[ast::SqlOption]) -> Result<Option<bool>> {
    let mut sensitive = None;
    for option in options {
        let (key, value) = match option {
            ast::SqlOption::KeyValue { key, value } => (folded(key), value.to_string()),
            ast::SqlOption::Ident(key) => (folded(key), "true".to_owned()),
            other => return Err(Error::Unsupported(format!("option {other} of a table"))),
        };
        if key != "sensitive" {
            return Err(Error::Unsupported(format!("storage parameter \"{key}\"")));
        }
        sensitive = Some(match value.trim_matches('\'').to_lowercase().as_str() {
            "true" | "on" | "yes" | "1" => true,
            "false" | "off" | "no" | "0" => false,
            _ => {
                let message = format!("invalid value for boolean option \"{key}\": {value}");
                return Err(Error::InvalidParameterValue(message));
            }
        });
    }
    Ok(sensitive)
}

fn refuse(create: &CreateTable) -> Result<()> {
    let refused = [
        (create.or_replace, "CREATE OR REPLACE TABLE"),
        (create.external, "CREATE EXTERNAL TABLE"),
        (create.like.is_some(), "CREATE TABLE … LIKE"),
        (create.inherits.is_some(), "INHERITS"),
        (
            create.partition_by.is_some() || create.partition_of.is_some(),
            "PARTITION BY",
        ),
        (create.clone.is_some(), "CLONE"),
    ];
    if create.on_commit.is_some() && !create.temporary {
        return Err(Error::InvalidDefinition(
            "ON COMMIT can only be used on temporary tables".to_owned(),
        ));
    }
    match refused.iter().find(|(found, _)| *found) {
        Some((_, what)) => Err(Error::Unsupported((*what).to_owned())),
        None => Ok(()),
    }
}

/// Where a table is or will be.
pub(super) struct NewTable<'a> {
    pub(super) oid: Oid,
    pub(super) owner: Oid,
    pub(super) name: &'a str,
    pub(super) schema: (Oid, &'a str),
    pub(super) caller: &'a Caller,
}

/// Adds the columns and the constraints; gives the sequences that come with them.
fn add_columns(
    table: &mut Table,
    create: &CreateTable,
    place: &NewTable<'_>,
    scope: &Scope,
    next_oid: &impl Fn() -> Oid,
) -> Result<Vec<Relation>> {
    let relation = place.name;
    let mut sequences = Vec::new();
    let common = table.scope == Reach::Common;
    if common && table.columns.is_empty() {
        table.columns.push(column::tenant_column(1)?);
    }
    let mut likes = Vec::new();
    let mut constraints = Vec::new();
    let mut referring: Vec<(Vec<ast::Ident>, ForeignKeyConstraint)> = Vec::new();
    if create.query.is_none() {
        for definition in &create.columns {
            let number = table.columns.len() + 1;
            if let Some(like) = Like::of(definition, place.caller, scope)? {
                for (mut column, draws) in like.columns(number, scope)? {
                    if let Some(options) = draws {
                        let (oid, taken) = (next_oid(), &sequences);
                        sequences.push(place.sequence(&mut column, &options, oid, scope, taken)?);
                    }
                    add_column(table, column)?;
                }
                likes.push(like);
                continue;
            }
            let Defined {
                mut column,
                checks,
                keys,
                references,
                draws,
            } = column::read(definition, number, scope)?;
            if let Some(options) = draws {
                let made = place.sequence(&mut column, &options, next_oid(), scope, &sequences)?;
                sequences.push(made);
            }
            if common && column.name == TENANT_COLUMN {
                check_tenant_column(&column, number)?;
                continue;
            }
            let number = column.number;
            add_column(table, column)?;
            constraints.push((number, checks, keys));
            referring.extend(
                references
                    .into_iter()
                    .map(|of| (vec![definition.name.clone()], of)),
            );
        }
    }
    for like in &likes {
        like.add_constraints(table, relation, next_oid)?;
    }
    for (number, checks, keys) in constraints {
        for (name, condition) in checks {
            let check = column::check(name, &condition, table, relation, scope, next_oid())?;
            table.checks.push(check);
        }
        for declared in keys {
            let key = column::key(declared, vec![number], table, relation, next_oid())?;
            table.keys.push(key);
        }
    }
    for constraint in &create.constraints {
        match constraint {
            TableConstraint::ForeignKey(of) => referring.push((of.columns.clone(), of.clone())),
            other => add_constraint(table, other, relation, scope, next_oid())?,
        }
    }
    // These may refer to the table's own keys.
    let own = Referring {
        oid: place.oid,
        name: place.name,
        schema: place.schema,
        home: scope.database.id,
    };
    for (columns, constraint) in referring {
        let declared = foreign::declared(&constraint, &columns, &own, table, place.caller, scope)?;
        let key = foreign::named(declared.0, declared.1, table, relation, next_oid())?;
        table.keys.push(key);
    }
    for column in table.columns.iter().filter(|c| c.generated.is_some()) {
        default::check_generated(column, table, scope)?;
    }
    Ok(sequences)
}

fn add_column(table: &mut Table, column: Column) -> Result<()> {
    if table.columns.iter().any(|other| other.name == column.name) {
        return Err(Error::DuplicateColumn(column.name));
    }
    table.columns.push(column);
    Ok(())
}

impl NewTable<'_> {
    /// The sequence from which a column draws, after the column's default is said so.
    pub(super) fn sequence(
        &self,
        column: &mut Column,
        options: &SequenceOptions,
        oid: Oid,
        scope: &Scope,
        taken: &[Relation],
    ) -> Result<Relation> {
        let mut made = sequence::sequence(None, options, scope)?;
        made.owned_by = Some((self.oid, column.number));
        column.default = Some(draw_text(oid));
        let of_table = (self.name, self.owner);
        Ok(sequence::of_column(
            made,
            self.schema,
            of_table,
            column,
            oid,
            scope,
            taken,
        ))
    }
}

/// Adds a table constraint.
pub(super) fn add_constraint(
    table: &mut Table,
    constraint: &TableConstraint,
    relation: &str,
    scope: &Scope,
    oid: Oid,
) -> Result<()> {
    match constraint {
        TableConstraint::Check(check) => {
            let name = check.name.as_ref().map(folded);
            let check = column::check(name, &check.expr, table, relation, scope, oid)?;
            table.checks.push(check);
        }
        TableConstraint::PrimaryKey(key) => {
            let numbers = column::numbers(&column::key_names(&key.columns)?, table)?;
            for column in table
                .columns
                .iter_mut()
                .filter(|c| numbers.contains(&c.number))
            {
                column.nullable = false;
            }
            let declared = DeclaredKey::primary(key.name.as_ref().map(folded), key)?;
            let key = column::key(declared, numbers, table, relation, oid)?;
            table.keys.push(key);
        }
        TableConstraint::Unique(key) => {
            let numbers = column::numbers(&column::key_names(&key.columns)?, table)?;
            let declared = DeclaredKey::unique(key.name.as_ref().map(folded), key)?;
            let key = column::key(declared, numbers, table, relation, oid)?;
            table.keys.push(key);
        }
        other => return Err(Error::Unsupported(format!("the constraint {other}"))),
    }
    Ok(())
}

fn check_tenant_column(column: &Column, number: usize) -> Result<()> {
    if column.sql_type != SqlType::Text {
        return Err(Error::InvalidDefinition(format!(
            "column \"{TENANT_COLUMN}\" of a common table is text"
        )));
    }
    if number != 2 {
        return Err(Error::InvalidDefinition(format!(
            "column \"{TENANT_COLUMN}\" of a common table comes first"
        )));
    }
    Ok(())
}

/// Gives a new table the columns of a query, the first of them under names of their own.
///
/// # Errors
/// More names than columns, or a name twice.
pub(super) fn add_query_columns(
    table: &mut Table,
    plan: &LogicalPlan,
    named: &[String],
    reach: Reach,
) -> Result<()> {
    let given = query::columns(plan);
    let names: Vec<String> = match named {
        [] => given.iter().map(|column| column.name.clone()).collect(),
        named if named.len() > given.len() => {
            return Err(Error::Syntax {
                message: "too many column names were specified".to_owned(),
                position: None,
            });
        }
        named => {
            let rest = given
                .iter()
                .skip(named.len())
                .map(|column| column.name.clone());
            named.iter().cloned().chain(rest).collect()
        }
    };
    if reach == Reach::Common {
        if !names.iter().any(|name| name == TENANT_COLUMN) {
            return Err(Error::CommonWithoutTenant);
        }
        table.columns.push(column::tenant_column(1)?);
    }
    for (name, column) in names.into_iter().zip(given.iter()) {
        if reach == Reach::Common && name == TENANT_COLUMN {
            continue;
        }
        if table.columns.iter().any(|other| other.name == name) {
            return Err(Error::DuplicateColumn(name));
        }
        let sql_type = match &column.sql_type {
            SqlType::Name => SqlType::Text,
            SqlType::Oid | SqlType::Reg(_) => SqlType::Int8,
            other => other.clone(),
        };
        let number = table.columns.len() + 1;
        table
            .columns
            .push(column::new_column(name, sql_type, number)?);
    }
    Ok(())
}

/// CREATE TABLE AS: the query's rows, in the columns' order.
pub(super) async fn fill(
    session: &mut Session,
    found: &Found,
    plan: LogicalPlan,
    scope: &Scope,
    limits: Limits,
) -> Result<Reply> {
    let caller = session.caller().await?;
    let table = crate::session::write::table(&found.relation)?;
    let outputs = query::columns(&plan);
    let schema = Arc::clone(plan.schema());
    let mut list = Vec::new();
    for (index, column) in table.live_columns().enumerate() {
        // The tenant's column comes first in the table, wherever the query has it.
        let by_name = outputs.iter().position(|output| output.name == column.name);
        let position = match table.scope {
            Reach::Common => by_name.unwrap_or(index),
            Reach::Own | Reach::Shared => index,
        };
        let (qualifier, field) = schema.qualified_field(position);
        let from = Expr::Column(datafusion::common::Column::new(
            qualifier.cloned(),
            field.name(),
        ));
        let zone = &scope.zone;
        let value = crate::planner::assign(from, &schema, &column.sql_type, zone, &column.name)?;
        list.push(value.alias(&column.name));
    }
    let plan = LogicalPlanBuilder::from(plan).project(list)?.build()?;
    let numbers: Vec<i16> = table.live_columns().map(|column| column.number).collect();
    let granted = check_columns(&caller, Privilege::Insert, found, &numbers)?;
    let guarded = query::guard(session, plan, &caller, scope).await?;
    let mut batches = query::stream(session, guarded, scope, limits);
    let mut writer = RowWriter::new(
        &granted,
        Writing {
            keys: None,
            foreign: None,
            generated: Arc::from([]),
            storage: session.engine.catalog.storage(),
            cpu: session.cpu(),
            database: &caller.database,
            system: &caller.system,
            zone: &scope.zone,
            checks: default::compile_checks(table, &caller, scope)?,
            operation: "CREATE TABLE AS SELECT",
        },
    )?;
    let rules = RowChecks::of_new_table(&found.relation.name);
    let execution = session.execution(&scope.state, limits);
    while let Some(batch) = batches.next().await {
        let batch = super::super::modify::as_schema(&batch?, writer.schema())?;
        let allowed = rules.allow(&batch, Judged::Inserted, &execution).await?;
        writer.write(allowed).await?;
    }
    let rows = writer.written();
    for part in writer.finish().await? {
        session.transaction.write(part);
    }
    Ok(Reply::Done {
        tag: format!("SELECT {rows}"),
    })
}

/// The privileges that a new table starts with.
fn first_acl(caller: &Caller, reach: Reach, schema: Oid) -> Option<Acl> {
    let owner = grant::creator(caller);
    let own = grant::default_acl(caller, owner, schema, Privileges::of_table());
    if reach != Reach::Common {
        return own;
    }
    // Every tenant's admin holds these on a common table, unless the operator takes them away.
    let mut acl = own.unwrap_or_else(|| Acl::of_owner(owner, Privileges::of_table()));
    let lent: Privileges = [
        Privilege::Select,
        Privilege::Insert,
        Privilege::Update,
        Privilege::Delete,
    ]
    .into_iter()
    .collect();
    acl.0.push(AclItem {
        grantee: Oid::TENANT_ADMIN,
        grantor: owner,
        privileges: lent,
        grantable: lent,
    });
    Some(acl)
}
