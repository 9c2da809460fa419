//! ALTER TABLE: one change of the catalog, whatever number of tenants have rows.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::sql::sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, Expr, RenameTableNameKind,
    TableConstraint,
};
use tessera_catalog::model::{
    Change, Column, Database, Key, Relation, RelationBody, Scope as Reach, Table,
};

use super::super::names::{check_new_name, check_owner, folded, qualified};
use super::super::user_type::usage;
use super::super::{default, lock, sequence};
use super::add_column::add_column;
use super::column;
use super::constraint::{add_foreign_key, check_new_key, no_constraint, release_keys};
use super::create::{add_constraint, sensitive};
use super::retype::{self, Retyping};
use super::{anew, existing};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::source::Found;
use crate::policy::Caller;
use crate::session::Session;
use crate::session::reply::{Notice, Reply};

pub(in crate::session::command) async fn alter(
    session: &mut Session,
    alter: &AlterTable,
) -> Result<Reply> {
    let done = || {
        Ok(Reply::Done {
            tag: "ALTER TABLE".to_owned(),
        })
    };
    lock::definitions(session, std::slice::from_ref(&alter.name)).await?;
    for operation in &alter.operations {
        let caller = session.caller().await?;
        let scope = session.scope(&caller).await?;
        let (schema, name) = qualified(&alter.name, &scope.database.name)?;
        let Some(found) = scope.find(schema.as_deref(), &name) else {
            if alter.if_exists {
                session.notice(Notice::plain(format!(
                    "relation \"{name}\" does not exist, skipping"
                )));
                return done();
            }
            return Err(scope
                .relation(schema.as_deref(), &name)
                .err()
                .unwrap_or_else(|| Error::NoSuchRelation(name.clone())));
        };
        if super::super::policy::switch(session, &caller, &found, operation)? {
            continue;
        }
        check_owner(&caller, &found)?;
        let mut relation = found.relation.as_ref().clone();
        match operation {
            AlterTableOperation::RenameTable { table_name } => {
                let (RenameTableNameKind::To(to) | RenameTableNameKind::As(to)) = table_name;
                relation.name = new_name(&scope, &found, &qualified(to, &scope.database.name)?.1)?;
            }
            AlterTableOperation::OwnerTo { new_owner } => {
                let owner = new_owner.to_string();
                relation.owner = super::super::role::new_owner(&caller, &owner)?;
            }
            other => {
                let of_query = relation.materialized().is_some();
                let RelationBody::Table(table) = &mut relation.body else {
                    return Err(Error::WrongKind {
                        name: relation.name,
                        wanted: "table",
                    });
                };
                if of_query {
                    return Err(Error::Unsupported(
                        "this ALTER TABLE of a materialized view".to_owned(),
                    ));
                }
                let filled = change(session, table, other, &found, &scope).await?;
                if adds_type(other) {
                    usage::check_columns(&caller, &scope, table)?;
                }
                table.schema_version += 1;
                let former = found.relation.table();
                match (former, filled) {
                    (Some(former), None) => reshape_pending(session, former, table, &scope)?,
                    (_, Some(filled)) => {
                        write_anew(session, &found, relation, filled).await?;
                        continue;
                    }
                    (None, None) => {}
                }
            }
        }
        put(session, &caller, relation);
    }
    done()
}

/// What a change asks of the rows that are there.
pub(super) struct Filled {
    /// Expressions over the old columns, by the new column's number.
    pub(super) values: HashMap<i16, Expr>,
    /// Keys that are to be checked when the rows are written.
    pub(super) keys: Vec<Key>,
}

/// Writes the rows of a table in its new form, and then checks the keys that they are to have.
async fn write_anew(
    session: &mut Session,
    found: &Found,
    mut changed: Relation,
    filled: Filled,
) -> Result<()> {
    anew::write(session, found, &changed, &filled.values).await?;
    let caller = session.caller().await?;
    put(session, &caller, changed.clone());
    for key in filled.keys {
        let caller = session.caller().await?;
        let scope = session.scope(&caller).await?;
        // While it is being checked nobody may take it for granted.
        let mut unsure = changed.clone();
        if let RelationBody::Table(table) = &mut unsure.body {
            table.keys.retain(|own| own.oid != key.oid);
        }
        put(session, &caller, unsure.clone());
        let now = Found {
            relation: Arc::new(unsure),
            ..found.clone()
        };
        let RelationBody::Table(table) = &mut changed.body else {
            return Err(Error::internal("a table was expected"));
        };
        if key.is_checked() {
            existing::check_unique(session, table, &key, &now, &scope).await?;
        }
        if !table.keys.iter().any(|own| own.oid == key.oid) {
            table.keys.push(key);
        }
        put(session, &caller, changed.clone());
    }
    Ok(())
}

/// Gives the rows that the transaction holds in memory the table's new columns.
fn reshape_pending(
    session: &mut Session,
    former: &Table,
    table: &Table,
    scope: &Scope,
) -> Result<()> {
    use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
    use datafusion::common::ScalarValue;
    use datafusion::error::DataFusionError;
    let stored = |table: &Table| -> Vec<Column> {
        let live = table.live_columns().filter(|column| !column.is_tenant());
        live.cloned().collect()
    };
    let (before, after) = (stored(former), stored(table));
    let schema = Arc::new(Schema::new(
        after
            .iter()
            .map(|column| column.sql_type.field(&column.name, true, &scope.zone))
            .collect::<Vec<_>>(),
    ));
    for (part, rows) in session.transaction.rows_of(table.uuid) {
        let mut reshaped = Vec::with_capacity(rows.len());
        for batch in rows {
            let mut columns = Vec::with_capacity(after.len());
            for column in &after {
                let place = before.iter().position(|b| b.number == column.number);
                columns.push(match (place, &column.missing_default) {
                    (Some(place), _) => {
                        let wanted = column.sql_type.arrow(&scope.zone);
                        datafusion::arrow::compute::cast(batch.column(place), &wanted)
                            .map_err(DataFusionError::from)?
                    }
                    (None, Some(text)) => {
                        crate::session::constant::from_text(text, &column.sql_type, &scope.zone)?
                            .to_array_of_size(batch.num_rows())?
                    }
                    (None, None) => ScalarValue::try_new_null(&column.sql_type.arrow(&scope.zone))?
                        .to_array_of_size(batch.num_rows())?,
                });
            }
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), columns, &options)
                .map_err(DataFusionError::from)?;
            reshaped.push(batch);
        }
        session.transaction.replace_rows(&part, reshaped);
    }
    Ok(())
}

fn put(session: &mut Session, caller: &Caller, relation: Relation) {
    session.transaction.reshape(&relation);
    session
        .transaction
        .change(&caller.database, vec![Change::PutRelation(relation)]);
    session.version += 1;
}

/// Whether a change gives a column its type.
fn adds_type(operation: &AlterTableOperation) -> bool {
    matches!(
        operation,
        AlterTableOperation::AddColumn { .. }
            | AlterTableOperation::AlterColumn {
                op: AlterColumnOperation::SetDataType { .. },
                ..
            }
    )
}

fn new_name(scope: &Scope, found: &Found, name: &str) -> Result<String> {
    check_new_name(name)?;
    if scope.find(Some(&found.schema_name), name).is_some() {
        return Err(Error::AlreadyExists {
            kind: "relation",
            name: name.to_owned(),
        });
    }
    Ok(name.to_owned())
}

async fn change(
    session: &mut Session,
    table: &mut Table,
    operation: &AlterTableOperation,
    found: &Found,
    scope: &Scope,
) -> Result<Option<Filled>> {
    let relation = found.relation.name.clone();
    match operation {
        AlterTableOperation::AddColumn {
            column_def,
            if_not_exists,
            column_position,
            ..
        } => {
            if column_position.is_some() {
                return Err(Error::Unsupported("ADD COLUMN at a position".to_owned()));
            }
            return add_column(session, table, column_def, *if_not_exists, found, scope).await;
        }
        AlterTableOperation::DropColumn {
            column_names,
            if_exists,
            drop_behavior,
            ..
        } => {
            for name in column_names {
                let cascade = drop_behavior.is_some_and(|b| {
                    matches!(b, datafusion::sql::sqlparser::ast::DropBehavior::Cascade)
                });
                let of = (found, &scope.database);
                drop_column(session, table, &folded(name), *if_exists, cascade, of)?;
                let name = folded(name);
                let object = format!("column {name} of table {relation}");
                let by = |child: &str, key: &str| {
                    format!(
                        "constraint {key} on table {child} depends on column {name} of table \
                         {relation}"
                    )
                };
                release_keys(session, table, of, *drop_behavior, (object, &by)).await?;
            }
        }
        AlterTableOperation::RenameColumn {
            old_column_name,
            new_column_name,
        } => {
            let (old, new) = (folded(old_column_name), folded(new_column_name));
            rename_column(table, &old, &new, &relation)?;
        }
        AlterTableOperation::AlterColumn { column_name, op } => {
            let name = folded(column_name);
            if let AlterColumnOperation::SetDataType {
                data_type, using, ..
            } = op
            {
                let wanted = crate::planner::sql_type(data_type, &scope.user_types())?;
                let to = Retyping {
                    wanted,
                    domain: column::domain_of(data_type, scope),
                    fraction: column::fraction_of(data_type)?,
                    using: using.as_ref(),
                };
                return retype::change(table, &name, to, (found, scope));
            }
            alter_column(session, table, &name, op, found, scope).await?;
        }
        AlterTableOperation::AddConstraint { constraint, .. } => {
            let oid = session.engine.catalog.next_oid(&scope.database);
            let (before, keys_before) = (table.checks.len(), table.keys.len());
            match constraint {
                TableConstraint::ForeignKey(declared) => {
                    let columns = declared.columns.clone();
                    let of = (found, scope);
                    add_foreign_key(session, table, declared, &columns, of).await?;
                    return Ok(None);
                }
                other => add_constraint(table, other, &relation, scope, oid)?,
            }
            for key in &table.keys[keys_before..] {
                check_new_key(session, table, key, found, scope).await?;
            }
            for check in &table.checks[before..] {
                let broken = format!("({}) IS FALSE", check.expression);
                if column::any_row(session, found, &broken).await? {
                    return Err(Error::CheckOfExisting {
                        constraint: check.name.clone(),
                        relation,
                    });
                }
            }
        }
        AlterTableOperation::SetOptionsParens { options } => {
            if let Some(sensitive) = sensitive(options)? {
                table.sensitive = sensitive;
            }
        }
        AlterTableOperation::ValidateConstraint { name } => {
            let name = folded(name);
            let is_key = table.keys.iter().any(|key| key.name == name);
            if is_key || table.checks.iter().any(|check| check.name == name) {
                // Rows were checked when it was added.
                return Ok(None);
            }
            return Err(no_constraint(&name, &relation));
        }
        AlterTableOperation::DropConstraint {
            name,
            if_exists,
            drop_behavior,
        } => {
            let name = folded(name);
            let before = (table.checks.len(), table.keys.len());
            table.checks.retain(|check| check.name != name);
            table.keys.retain(|key| key.name != name);
            let object = format!("constraint {name} on table {relation}");
            let of = (found, &scope.database);
            let by = |child: &str, key: &str| {
                format!("constraint {key} on table {child} depends on index {name}")
            };
            release_keys(session, table, of, *drop_behavior, (object, &by)).await?;
            if before == (table.checks.len(), table.keys.len()) {
                if *if_exists {
                    session.notice(Notice::plain(format!(
                        "constraint \"{name}\" of relation \"{relation}\" does not exist, skipping"
                    )));
                    return Ok(None);
                }
                return Err(no_constraint(&name, &relation));
            }
        }
        AlterTableOperation::RenameConstraint { old_name, new_name } => {
            let (old, new) = (folded(old_name), folded(new_name));
            check_new_name(&new)?;
            let checks = table.checks.iter_mut().map(|check| &mut check.name);
            let keys = table.keys.iter_mut().map(|key| &mut key.name);
            match checks.chain(keys).find(|name| **name == old) {
                Some(name) => *name = new,
                None => return Err(no_constraint(&old, &relation)),
            }
        }
        other => {
            let words: Vec<String> = other
                .to_string()
                .split_whitespace()
                .take(3)
                .map(str::to_owned)
                .collect();
            return Err(Error::Unsupported(format!(
                "ALTER TABLE … {}",
                words.join(" ")
            )));
        }
    }
    Ok(None)
}

fn drop_column(
    session: &mut Session,
    table: &mut Table,
    name: &str,
    if_exists: bool,
    cascade: bool,
    (found, database): (&Found, &Arc<Database>),
) -> Result<()> {
    let relation = &found.relation.name;
    if table.column(name).is_none() {
        if if_exists {
            session.notice(Notice::plain(format!(
                "column \"{name}\" of relation \"{relation}\" does not exist, skipping"
            )));
            return Ok(());
        }
        return Err(Error::NoSuchColumnOf {
            column: name.to_owned(),
            relation: relation.clone(),
        });
    }
    check_not_tenant(table, name)?;
    let number = table.column(name).map_or(0, |column| column.number);
    if let Some(view) = reader_of(database, found, number) {
        if cascade {
            return Err(Error::Unsupported(
                "DROP COLUMN … CASCADE over views".to_owned(),
            ));
        }
        return Err(Error::DependentObjects {
            object: format!("column {name} of table {relation}"),
            detail: format!("view {view} depends on column {name} of table {relation}"),
        });
    }
    if let Some((policy, of)) =
        super::super::policy::reader_of(database, found.relation.oid, Some(number))
    {
        if cascade {
            return Err(Error::Unsupported(
                "DROP COLUMN … CASCADE over policies".to_owned(),
            ));
        }
        return Err(Error::DependentObjects {
            object: format!("column {name} of table {relation}"),
            detail: format!(
                "policy {policy} on table {of} depends on column {name} of table {relation}"
            ),
        });
    }
    // Constraints that name the column go with it, as in PostgreSQL.
    let word = format!("\"{name}\"");
    table.checks.retain(|check| {
        !names_column(&check.expression, name) && !check.expression.contains(&word)
    });
    let Some(column) = table
        .columns
        .iter_mut()
        .find(|c| !c.dropped && c.name == name)
    else {
        return Ok(());
    };
    column.dropped = true;
    column.nullable = true;
    column.default = None;
    column.acl = None;
    column.name = format!("........pg.dropped.{}........", column.number);
    let number = column.number;
    column.identity = None;
    let names_it = |text: &String| names_column(text, name) || text.contains(&word);
    table.keys.retain(|key| {
        let index = key.index();
        let named = index.is_some_and(|index| {
            let expressions = index
                .parts
                .iter()
                .filter_map(|part| part.expression.as_ref());
            index.include.contains(&number) || expressions.chain(&index.predicate).any(names_it)
        });
        !named && !key.columns.contains(&number)
    });
    let own = sequence::owned_by(database, found.relation.oid, Some(number));
    let gone = own.into_iter().map(Change::DropRelation).collect();
    session.transaction.change(database, gone);
    Ok(())
}

/// The name of a view of the same database that was made over a table while it had a column.
pub(super) fn reader_of(database: &Database, found: &Found, number: i16) -> Option<String> {
    let reads = |relation: &Relation| {
        relation.references().iter().any(|reference| {
            reference.relation == found.relation.oid
                && reference
                    .columns
                    .iter()
                    .any(|(column, _)| *column == number)
        })
    };
    database
        .relations
        .values()
        .find(|relation| reads(relation))
        .map(|r| r.name.clone())
}

/// Whether an expression's text has the column's name as a word.
pub(super) fn names_column(expression: &str, name: &str) -> bool {
    expression
        .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .any(|word| word.eq_ignore_ascii_case(name))
}

fn check_not_tenant(table: &Table, name: &str) -> Result<()> {
    let tenant = table.column(name).is_some_and(|column| column.is_tenant());
    if table.scope == Reach::Common && tenant {
        return Err(Error::InvalidDefinition(format!(
            "column \"{name}\" of a common table cannot be altered"
        )));
    }
    Ok(())
}

fn rename_column(table: &mut Table, from: &str, to: &str, relation: &str) -> Result<()> {
    check_new_name(to)?;
    if table.column(from).is_none() {
        return Err(Error::NoSuchColumn(from.to_owned()));
    }
    check_not_tenant(table, from)?;
    if table.column(to).is_some() {
        return Err(Error::ColumnExists {
            column: to.to_owned(),
            relation: relation.to_owned(),
        });
    }
    if table
        .checks
        .iter()
        .any(|check| names_column(&check.expression, from))
    {
        return Err(Error::Unsupported(
            "renaming a column that a CHECK constraint names".to_owned(),
        ));
    }
    let indexes = table.keys.iter().filter_map(|key| key.index());
    let texts = indexes.flat_map(|index| {
        let expressions = index
            .parts
            .iter()
            .filter_map(|part| part.expression.as_ref());
        expressions.chain(&index.predicate)
    });
    if texts.into_iter().any(|text| names_column(text, from)) {
        return Err(Error::Unsupported(
            "renaming a column that the expression of an index names".to_owned(),
        ));
    }
    if let Some(column) = table
        .columns
        .iter_mut()
        .find(|c| !c.dropped && c.name == from)
    {
        column.name = to.to_owned();
    }
    Ok(())
}

async fn alter_column(
    session: &mut Session,
    table: &mut Table,
    name: &str,
    operation: &AlterColumnOperation,
    found: &Found,
    scope: &Scope,
) -> Result<()> {
    let relation = found.relation.name.clone();
    check_not_tenant(table, name)?;
    let column = table
        .columns
        .iter_mut()
        .find(|column| !column.dropped && column.name == name)
        .ok_or_else(|| Error::NoSuchColumnOf {
            column: name.to_owned(),
            relation: relation.clone(),
        })?;
    match operation {
        AlterColumnOperation::SetNotNull => {
            let quoted = name.replace('"', "\"\"");
            if column::any_row(session, found, &format!("\"{quoted}\" IS NULL")).await? {
                return Err(Error::ContainsNulls {
                    column: name.to_owned(),
                    relation,
                });
            }
            column.nullable = false;
        }
        AlterColumnOperation::DropNotNull => column.nullable = true,
        AlterColumnOperation::SetDefault { value } => {
            column.default = Some(default::check(value, column, scope)?);
        }
        AlterColumnOperation::DropDefault => column.default = None,
        other => return Err(Error::Unsupported(format!("ALTER COLUMN {other}"))),
    }
    Ok(())
}
