//! FOREIGN KEY and REFERENCES: what may refer to what, and what depends on it.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    ConstraintReferenceMatchKind, DeferrableInitial, ForeignKeyConstraint, Ident, ReferentialAction,
};
use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::key::KeyColumns;
use tessera_catalog::model::{
    Change, Column, Database, ForeignAction, ForeignKey, Key, KeyKind, Privilege, Relation,
    RelationBody, Scope as Reach, Table,
};
use tessera_catalog::sql_type::SqlType;

use super::super::names::{folded, qualified};
use super::column;
use super::existing::{first_rows_as, hold_still, quoted};
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::source::Found;
use crate::policy::{Caller, check_columns};
use crate::session::Session;
use crate::session::foreign::comparable;
use crate::session::keys::key_text;
use crate::session::transaction::TEMPORARY_SCHEMA;

/// The table that gets a foreign key, made or changed by the statement.
pub(super) struct Referring<'a> {
    pub(super) oid: Oid,
    pub(super) name: &'a str,
    pub(super) schema: (Oid, &'a str),
    pub(super) home: DatabaseId,
}

/// Makes a foreign key of a declaration; `columns` are those of the table's, in order.
///
/// # Errors
/// PostgreSQL's for tables, columns and keys that do not fit, 42P16 for tables that may not refer to
/// each other, 42501 without REFERENCES.
pub(super) fn declared(
    constraint: &ForeignKeyConstraint,
    columns: &[Ident],
    own: &Referring<'_>,
    table: &Table,
    caller: &Caller,
    scope: &Scope,
) -> Result<(Option<String>, Key)> {
    let said = constraint.characteristics.as_ref();
    let is_enforced = said.is_none_or(|said| said.enforced != Some(false));
    let deferred = said.is_some_and(|said| said.initially == Some(DeferrableInitial::Deferred));
    let deferrable = said.and_then(|said| said.deferrable);
    if deferred && deferrable == Some(false) {
        return Err(Error::Syntax {
            message: "constraint declared INITIALLY DEFERRED must be DEFERRABLE".to_owned(),
            position: None,
        });
    }
    let match_full = match constraint.match_kind {
        None | Some(ConstraintReferenceMatchKind::Simple) => false,
        Some(ConstraintReferenceMatchKind::Full) => true,
        Some(ConstraintReferenceMatchKind::Partial) => {
            return Err(Error::Function {
                sqlstate: "0A000",
                message: "MATCH PARTIAL not yet implemented".to_owned(),
                hint: None,
                detail: None,
            });
        }
    };
    let parent = parent(constraint, own, scope)?;
    let of_parent = match &parent {
        Some(found) => found
            .relation
            .table()
            .filter(|t| t.query.is_none())
            .ok_or_else(|| Error::Function {
                sqlstate: "42809",
                message: format!(
                    "referenced relation \"{}\" is not a table",
                    found.relation.name
                ),
                hint: None,
                detail: None,
            })?,
        None => table,
    };
    let name = parent
        .as_ref()
        .map_or(own.name, |found| &found.relation.name);
    check_places(own, table, parent.as_ref(), of_parent, is_enforced)?;
    let numbers = numbers(columns, table)?;
    let theirs = match constraint.referred_columns.as_slice() {
        [] => primary(of_parent, name)?,
        named => self::numbers(named, of_parent)?,
    };
    if let Some(found) = &parent {
        check_columns(caller, Privilege::References, found, &theirs)?;
    }
    let (numbers, theirs) = without_tenant(numbers, theirs, table, of_parent)?;
    if !is_key(of_parent, &theirs, is_enforced) {
        return Err(invalid(format!(
            "there is no unique constraint matching given keys for referenced table \"{name}\""
        )));
    }
    let key = Key {
        oid: Oid::PUBLIC,
        name: String::new(),
        columns: numbers,
        enforced: is_enforced,
        nulls_not_distinct: false,
        kind: KeyKind::Foreign(ForeignKey {
            relation: parent.as_ref().map_or(own.oid, |found| found.relation.oid),
            columns: theirs,
            on_update: action(constraint.on_update),
            on_delete: action(constraint.on_delete),
            match_full,
            deferrable: deferrable.unwrap_or(deferred),
            deferred,
        }),
    };
    check_actions(&key, table)?;
    check_types(&key, table, of_parent, constraint.name.as_ref(), own.name)?;
    Ok((constraint.name.as_ref().map(folded), key))
}

/// The table that is referred to; `None` for the own one.
fn parent(
    constraint: &ForeignKeyConstraint,
    own: &Referring<'_>,
    scope: &Scope,
) -> Result<Option<Found>> {
    let (schema, name) = qualified(&constraint.foreign_table, &scope.database.name)?;
    if name == own.name
        && schema
            .as_deref()
            .is_none_or(|schema| schema == own.schema.1)
    {
        return Ok(None);
    }
    let found = scope.relation(schema.as_deref(), &name)?;
    Ok((found.relation.oid != own.oid).then_some(found))
}

/// A foreign key stays within one tenant, and among tables that live as long as each other.
fn check_places(
    own: &Referring<'_>,
    child: &Table,
    parent: Option<&Found>,
    of_parent: &Table,
    enforced: bool,
) -> Result<()> {
    let Some(parent) = parent else {
        return Ok(());
    };
    let temporary = |schema: Oid| schema == TEMPORARY_SCHEMA;
    match (temporary(own.schema.0), temporary(parent.relation.schema)) {
        (true, false) => {
            return Err(Error::InvalidDefinition(
                "constraints on temporary tables may reference only temporary tables".to_owned(),
            ));
        }
        (false, true) => {
            return Err(Error::InvalidDefinition(
                "constraints on permanent tables may reference only permanent tables".to_owned(),
            ));
        }
        _ => {}
    }
    let in_tenant = own.home != DatabaseId::System;
    match (child.scope, of_parent.scope) {
        (Reach::Own, Reach::Own)
        | (Reach::Common, Reach::Common)
        | (Reach::Shared, Reach::Shared) => Ok(()),
        (Reach::Own, Reach::Common) if in_tenant => Ok(()),
        (Reach::Common, Reach::Shared) if !enforced => Ok(()),
        (Reach::Own, Reach::Shared) if in_tenant && !enforced => Ok(()),
        (Reach::Common, Reach::Shared) | (Reach::Own, Reach::Shared)
            if in_tenant || child.scope == Reach::Common =>
        {
            Err(Error::InvalidDefinition(format!(
                "a foreign key to the shared table \"{}\" must be NOT ENFORCED",
                parent.relation.name
            )))
        }
        _ => Err(Error::InvalidDefinition(format!(
            "a foreign key of \"{}\" to \"{}\" would leave its tenant",
            own.name, parent.relation.name
        ))),
    }
}

fn numbers(names: &[Ident], table: &Table) -> Result<Vec<i16>> {
    let number = |name: &Ident| {
        let name = folded(name);
        let column = table.column(&name);
        column
            .map(|column| column.number)
            .ok_or_else(|| Error::Function {
                sqlstate: "42703",
                message: format!(
                    "column \"{name}\" referenced in foreign key constraint does not exist"
                ),
                hint: None,
                detail: None,
            })
    };
    names.iter().map(number).collect()
}

fn primary(table: &Table, name: &str) -> Result<Vec<i16>> {
    let key = table.keys.iter().find(|key| key.kind == KeyKind::Primary);
    key.map(|key| key.columns.clone())
        .ok_or_else(|| Error::Function {
            sqlstate: "42704",
            message: format!("there is no primary key for referenced table \"{name}\""),
            hint: None,
            detail: None,
        })
}

/// The columns without the unstored names of the tenant, which always agree.
fn without_tenant(
    own: Vec<i16>,
    theirs: Vec<i16>,
    table: &Table,
    of_parent: &Table,
) -> Result<(Vec<i16>, Vec<i16>)> {
    let is_tenant = |table: &Table, number: i16| {
        let column = table.columns.iter().find(|c| c.number == number);
        column.is_some_and(Column::is_tenant)
    };
    if own.len() != theirs.len() {
        let (mut own, mut theirs) = (own, theirs);
        own.retain(|number| !is_tenant(table, *number));
        theirs.retain(|number| !is_tenant(of_parent, *number));
        if own.len() != theirs.len() {
            return Err(invalid(
                "number of referencing and referenced columns for foreign key disagree".to_owned(),
            ));
        }
        return Ok((own, theirs));
    }
    let pairs = own.into_iter().zip(theirs);
    let pairs: Vec<(i16, i16)> = pairs
        .filter(|(own, other)| !(is_tenant(table, *own) && is_tenant(of_parent, *other)))
        .collect();
    if pairs.is_empty()
        || pairs
            .iter()
            .any(|(own, other)| is_tenant(table, *own) || is_tenant(of_parent, *other))
    {
        return Err(Error::InvalidDefinition(
            "a foreign key cannot be made of the tenant's name".to_owned(),
        ));
    }
    Ok(pairs.into_iter().unzip())
}

/// Whether columns are those of a key of the table, in any order.
fn is_key(table: &Table, numbers: &[i16], enforced: bool) -> bool {
    let mut keys = table
        .keys
        .iter()
        .filter(|key| key.is_unique() && (key.enforced || !enforced));
    keys.any(|key| {
        let own: Vec<i16> = KeyColumns::of(table, key).numbers().collect();
        own.len() == numbers.len() && own.iter().all(|number| numbers.contains(number))
    })
}

fn check_actions(key: &Key, table: &Table) -> Result<()> {
    use ForeignAction::{Cascade, SetDefault, SetNull};
    let generated = |number: &i16| {
        let column = table.columns.iter().find(|c| c.number == *number);
        column.is_some_and(|column| column.generated.is_some())
    };
    let Some(foreign) = key.foreign().filter(|_| key.columns.iter().any(generated)) else {
        return Ok(());
    };
    let event = match (foreign.on_update, foreign.on_delete) {
        (Cascade | SetDefault | SetNull, _) => "ON UPDATE",
        (_, SetDefault | SetNull) => "ON DELETE",
        _ => return Ok(()),
    };
    Err(Error::Syntax {
        message: format!(
            "invalid {event} action for foreign key constraint containing generated column"
        ),
        position: None,
    })
}

fn check_types(
    key: &Key,
    table: &Table,
    of_parent: &Table,
    name: Option<&Ident>,
    relation: &str,
) -> Result<()> {
    let Some(foreign) = key.foreign() else {
        return Ok(());
    };
    let column =
        |table: &Table, number: i16| table.columns.iter().find(|c| c.number == number).cloned();
    for (own, other) in key.columns.iter().zip(&foreign.columns) {
        let (Some(own), Some(other)) = (column(table, *own), column(of_parent, *other)) else {
            continue;
        };
        if comparable(&own.sql_type, &other.sql_type) {
            continue;
        }
        if is_number(&own.sql_type) && is_number(&other.sql_type) {
            return Err(Error::Unsupported(format!(
                "a foreign key from type {} to type {}",
                own.sql_type, other.sql_type
            )));
        }
        let name = match name {
            Some(name) => folded(name),
            None => format!("{relation}_{}_fkey", own.name),
        };
        return Err(Error::Function {
            sqlstate: "42804",
            message: format!("foreign key constraint \"{name}\" cannot be implemented"),
            hint: None,
            detail: Some(format!(
                "Key columns \"{}\" and \"{}\" are of incompatible types: {} and {}.",
                own.name, other.name, own.sql_type, other.sql_type
            )),
        });
    }
    Ok(())
}

fn is_number(sql_type: &SqlType) -> bool {
    use SqlType::{Float4, Float8, Int2, Int4, Int8, Numeric};
    matches!(sql_type, Int2 | Int4 | Int8 | Float4 | Float8 | Numeric(_))
}

fn action(written: Option<ReferentialAction>) -> ForeignAction {
    match written {
        None | Some(ReferentialAction::NoAction) => ForeignAction::NoAction,
        Some(ReferentialAction::Restrict) => ForeignAction::Restrict,
        Some(ReferentialAction::Cascade) => ForeignAction::Cascade,
        Some(ReferentialAction::SetNull) => ForeignAction::SetNull,
        Some(ReferentialAction::SetDefault) => ForeignAction::SetDefault,
    }
}

fn invalid(message: String) -> Error {
    Error::Function {
        sqlstate: "42830",
        message,
        hint: None,
        detail: None,
    }
}

/// Checks that rows that are there refer to what is there, and keeps both tables as they are until the
/// new foreign key is committed.
///
/// # Errors
/// 23503 with the first key that is not there.
pub(super) async fn check_existing(
    session: &mut Session,
    table: &Table,
    key: &Key,
    found: &Found,
    scope: &Scope,
) -> Result<()> {
    let (Some(foreign), true) = (key.foreign(), key.enforced) else {
        return Ok(());
    };
    let parent = match foreign.relation == found.relation.oid {
        true => found.clone(),
        false => scope
            .relation_by_oid(foreign.relation)
            .ok_or_else(|| Error::internal("a foreign key to a table that is gone"))?,
    };
    hold_still(session, found).await?;
    hold_still(session, &parent).await?;
    if let Some(of_parent) = parent.relation.table() {
        session.transaction.know_reference(of_parent.uuid, key.oid);
    }
    let own = KeyColumns::of(table, key);
    let caller = session.caller().await?;
    let caller = Caller {
        superuser: true,
        ..caller
    };
    let text = dangling(table, key, foreign, &parent, scope.is_system());
    let Some(rows) = first_rows_as(session, &caller, found, &text).await? else {
        return check_mixed(session, table, key, (found, &parent), &caller).await;
    };
    Err(Error::ForeignKey {
        relation: found.relation.name.clone(),
        constraint: key.name.clone(),
        key: key_text(table, &own, rows.columns(), 0),
        parent: parent.relation.name.clone(),
    })
}

/// A query for rows that refer to nothing.
fn dangling(
    table: &Table,
    key: &Key,
    foreign: &ForeignKey,
    parent: &Found,
    all_tenants: bool,
) -> String {
    let name = |table: &Table, number: i16| {
        let column = table.columns.iter().find(|c| c.number == number);
        quoted(
            column
                .map(|column| column.name.as_str())
                .unwrap_or_default(),
        )
    };
    let of_parent = parent.relation.table();
    let names: Vec<(String, String)> = key
        .columns
        .iter()
        .zip(&foreign.columns)
        .map(|(own, other)| {
            let other = of_parent.map_or_else(String::new, |of| name(of, *other));
            (name(table, *own), other)
        })
        .collect();
    let each = |text: &dyn Fn(&(String, String)) -> String, between: &str| {
        names.iter().map(text).collect::<Vec<_>>().join(between)
    };
    let mut on = each(&|(own, other)| format!("p.{other} = c.{own}"), " AND ");
    if all_tenants && table.scope == Reach::Common {
        on.push_str(" AND p.tenant_id = c.tenant_id");
    }
    let list = each(&|(own, _)| format!("c.{own}"), ", ");
    let set = each(&|(own, _)| format!("c.{own} IS NOT NULL"), " AND ");
    let first = names.first().map_or("", |(_, other)| other.as_str());
    format!(
        "SELECT {list} FROM {{table}} AS c LEFT JOIN {}.{} AS p ON {on} WHERE {set} AND p.{first} IS \
         NULL LIMIT 1",
        quoted(&parent.schema_name),
        quoted(&parent.relation.name),
    )
}

/// MATCH FULL: no row has NULL in some of the key's columns.
async fn check_mixed(
    session: &mut Session,
    table: &Table,
    key: &Key,
    (found, _): (&Found, &Found),
    caller: &Caller,
) -> Result<()> {
    if !key.foreign().is_some_and(|foreign| foreign.match_full) || key.columns.len() < 2 {
        return Ok(());
    }
    let columns = table
        .columns
        .iter()
        .filter(|c| key.columns.contains(&c.number));
    let names: Vec<String> = columns.map(|column| quoted(&column.name)).collect();
    let row = format!("num_nulls({})", names.join(", "));
    let text = format!(
        "SELECT 1 FROM {{table}} WHERE {row} > 0 AND {row} < {} LIMIT 1",
        names.len()
    );
    match first_rows_as(session, caller, found, &text).await? {
        None => Ok(()),
        Some(_) => Err(Error::MixedNulls {
            relation: found.relation.name.clone(),
            constraint: key.name.clone(),
        }),
    }
}

/// The foreign keys of a database's tables that a table's keys or columns must stay for: those for
/// which `needs` holds, with their tables.
pub(in crate::session::command) fn dependants(
    database: &Database,
    relation: Oid,
    needs: impl Fn(&ForeignKey) -> bool,
) -> Vec<(Arc<Relation>, String)> {
    let referring = database.references_to(relation);
    referring
        .filter(|(_, _, foreign)| needs(foreign))
        .map(|(child, key, _)| (Arc::clone(child), key.name.clone()))
        .collect()
}

/// The changes that take foreign keys from their tables.
pub(in crate::session::command) fn without(dependants: &[(Arc<Relation>, String)]) -> Vec<Change> {
    let mut changed: Vec<Relation> = Vec::new();
    for (child, name) in dependants {
        let place = changed.iter().position(|known| known.oid == child.oid);
        let place = place.unwrap_or_else(|| {
            changed.push(child.as_ref().clone());
            changed.len() - 1
        });
        if let RelationBody::Table(table) = &mut changed[place].body {
            table.keys.retain(|key| key.name != *name);
        }
    }
    changed.into_iter().map(Change::PutRelation).collect()
}

/// Whether a foreign key still finds a key over its columns.
pub(super) fn finds_key(table: &Table, foreign: &ForeignKey) -> bool {
    is_key(table, &foreign.columns, false)
}

/// A name for a foreign key that has none.
pub(super) fn named(
    name: Option<String>,
    mut key: Key,
    table: &Table,
    relation: &str,
    oid: Oid,
) -> Result<Key> {
    let kind = key.kind.clone();
    key.oid = oid;
    key.name = column::constraint_name(name, &kind, &key.columns, table, relation)?;
    Ok(key)
}
