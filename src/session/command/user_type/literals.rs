//! Words of enums in texts that the catalog keeps, when a word gets another name.
//!
//! A default that is the word itself gets the new one. Any other expression keeps the word from being
//! renamed, because a text does not tell whose word a literal in it is.

use std::collections::BTreeSet;

use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::model::{Change, Database, Relation, RelationBody};

use crate::error::{Error, Result};
use crate::policy::Caller;
use crate::session::Session;

/// Renames a word where it is a default, or refuses to.
///
/// # Errors
/// 0A000 for a word that an expression names.
pub(super) async fn rename(
    session: &mut Session,
    caller: &Caller,
    user_type: Oid,
    from: &str,
    to: &str,
) -> Result<()> {
    let (from, to) = (literal(from), literal(to));
    let database = &caller.database;
    if !user_type.is_of_tenant() {
        check_tenants(session, database, user_type, &from).await?;
    }
    let mut changes = Vec::new();
    for relation in database.relations.values() {
        if !sees(relation, database, user_type) {
            continue;
        }
        let renamed = with_defaults(relation, user_type, &from, &to);
        let newest = renamed.as_ref().unwrap_or(relation);
        if let Some(place) = place_of(newest, database, &from) {
            return Err(Error::Unsupported(format!(
                "renaming the value {from}, which {place} names,"
            )));
        }
        changes.extend(renamed.map(Change::PutRelation));
    }
    for domain in database.types.values() {
        let texts = domain.domain().into_iter().flat_map(|d| {
            let checks = d.checks.iter().map(|check| &check.expression);
            checks.chain(&d.default)
        });
        let stands_on_it = domain.needs().any(|needed| needed == user_type);
        if stands_on_it && texts.into_iter().any(|text| text.contains(&from)) {
            return Err(Error::Unsupported(format!(
                "renaming the value {from}, which domain \"{}\" names,",
                domain.name
            )));
        }
    }
    session.transaction.change(database, changes);
    Ok(())
}

fn literal(label: &str) -> String {
    format!("'{}'", label.replace('\'', "''"))
}

/// Whether a relation has columns of a type, or reads one that has.
fn sees(relation: &Relation, database: &Database, user_type: Oid) -> bool {
    let has = |relation: &Relation| relation.user_types().contains(&user_type);
    let mut read = relation.references().iter();
    has(relation) || read.any(|of| database.relations.get(&of.relation).is_some_and(|r| has(r)))
}

/// The relation with its defaults renamed, if one of them is the word.
fn with_defaults(relation: &Relation, user_type: Oid, from: &str, to: &str) -> Option<Relation> {
    let is_word = |column: &tessera_catalog::model::Column| {
        column.sql_type.enum_oid() == Some(user_type) && column.default.as_deref() == Some(from)
    };
    let table = relation.table()?;
    if !table.live_columns().any(is_word) {
        return None;
    }
    let mut renamed = relation.clone();
    if let RelationBody::Table(table) = &mut renamed.body {
        for column in table.columns.iter_mut().filter(|column| is_word(column)) {
            column.default = Some(to.to_owned());
        }
    }
    Some(renamed)
}

/// What of a relation names the word, for a message.
fn place_of(relation: &Relation, database: &Database, literal: &str) -> Option<String> {
    let name = &relation.name;
    if relation
        .expressions()
        .iter()
        .any(|text| text.contains(literal))
    {
        return Some(format!("an expression of \"{name}\""));
    }
    let secured = database.row_security.get(&relation.oid)?;
    let mut conditions = secured.conditions();
    conditions
        .any(|(_, condition)| condition.bound.contains(literal))
        .then(|| format!("a policy of \"{name}\""))
}

/// Looks through what tenants have of one of the system's enums.
async fn check_tenants(
    session: &Session,
    system: &Database,
    user_type: Oid,
    literal: &str,
) -> Result<()> {
    let catalog = &session.engine.catalog;
    let having = system.relations.values();
    let having = having.filter(|relation| relation.user_types().contains(&user_type));
    let mut objects = BTreeSet::new();
    for needed in having.map(|relation| relation.oid).chain([user_type]) {
        objects.extend(catalog.dependants_of(needed).await?);
    }
    let mut naming = 0;
    for (database, object) in objects {
        if database == DatabaseId::System {
            continue;
        }
        let database = catalog.database(database).await?;
        let Some(relation) = database.relations.get(&object) else {
            continue;
        };
        naming += usize::from(place_of(relation, &database, literal).is_some());
    }
    if naming == 0 {
        return Ok(());
    }
    Err(Error::Unsupported(format!(
        "renaming the value {literal}, which {naming} objects of tenants name,"
    )))
}
