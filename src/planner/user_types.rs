//! The types that users made, by the names that one statement gives them.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{DataType, Ident, ObjectName};
use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::model::{Database, TYPE_SCHEMA, UserType};
use tessera_catalog::sql_type::SqlType;

use super::scope::{SYSTEM_SCHEMAS, Scope, is_lent};
use crate::error::{Error, Result};

/// What the names of types mean to one statement; cheap to clone.
#[derive(Debug, Clone)]
pub struct UserTypes {
    system: Arc<Database>,
    database: Arc<Database>,
    search_path: Arc<[String]>,
}

impl UserTypes {
    /// Those of a statement's names.
    pub fn of(scope: &Scope) -> Self {
        Self {
            system: Arc::clone(&scope.system),
            database: Arc::clone(&scope.database),
            search_path: Arc::from(scope.search_path.as_slice()),
        }
    }

    /// The type of this number: the database's own, or one that the system lends.
    pub fn by_oid(&self, oid: Oid) -> Option<&Arc<UserType>> {
        let own = self.database.types.get(&oid);
        own.or_else(|| self.system.types.get(&oid).filter(|t| self.is_lent(t)))
    }

    /// The type that a name means.
    pub fn find(&self, schema: Option<&str>, name: &str) -> Option<&Arc<UserType>> {
        match schema {
            Some(TYPE_SCHEMA) => self.by_oid(Oid(name.parse().ok()?)),
            Some(schema) => self.find_in(schema, name),
            None => {
                let mut path = self.search_path.iter();
                path.find_map(|schema| self.find_in(schema, name))
            }
        }
    }

    /// The type that a written name means, if it is a user's.
    pub fn named(&self, written: &ObjectName) -> Option<&Arc<UserType>> {
        let parts: Vec<String> = written
            .0
            .iter()
            .filter_map(|part| part.as_ident())
            .map(folded)
            .collect();
        match parts.as_slice() {
            [name] => self.find(None, name),
            [schema, name] => self.find(Some(schema), name),
            [database, schema, name] if *database == self.database.name => {
                self.find(Some(schema), name)
            }
            _ => None,
        }
    }

    /// The user's type that a written type is; arrays of one are not.
    pub fn written(&self, written: &DataType) -> Option<&Arc<UserType>> {
        let DataType::Custom(name, _) = written else {
            return None;
        };
        // PostgreSQL's own come first, unless another schema is said.
        let bare = name.0.len() == 1;
        if bare && super::types::built_in(written).is_some() {
            return None;
        }
        self.named(name)
    }

    /// What the parts of a name mean: a user's type, or that of its arrays.
    pub(super) fn sql_type(&self, parts: &[String], modified: bool) -> Result<Option<SqlType>> {
        let (schema, name) = match parts {
            [name] => (None, name),
            [schema, name] => (Some(schema.as_str()), name),
            [database, schema, name] if *database == self.database.name => {
                (Some(schema.as_str()), name)
            }
            _ => return Ok(None),
        };
        if let Some(found) = self.find(schema, name) {
            if modified {
                return Err(Error::Syntax {
                    message: format!("type modifier is not allowed for type \"{name}\""),
                    position: None,
                });
            }
            return Ok(Some(found.sql_type()));
        }
        if let Some(schema) = schema.filter(|schema| !self.has_schema(schema)) {
            return Err(Error::NoSuchSchema(schema.to_owned()));
        }
        let element = name
            .strip_prefix('_')
            .and_then(|name| self.find(schema, name));
        element.map(|element| array_of(element)).transpose()
    }

    /// The type with this number on the wire.
    pub fn sql_type_of(&self, oid: u32) -> Option<SqlType> {
        SqlType::from_oid(oid)
            .or_else(|| Some(self.by_oid(Oid(oid))?.sql_type()))
            .or_else(|| {
                let types = self.database.types.values();
                let lent = self.system.types.values().filter(|t| self.is_lent(t));
                let found = types.chain(lent).find(|t| t.array_oid.0 == oid)?;
                array_of(found).ok()
            })
    }

    fn find_in(&self, schema: &str, name: &str) -> Option<&Arc<UserType>> {
        let own = self.database.schema_named(schema);
        if let Some(found) = own.and_then(|own| self.database.type_named(own.oid, name)) {
            return Some(found);
        }
        let lent = self.system.schema_named(schema)?;
        let found = self.system.type_named(lent.oid, name)?;
        self.is_lent(found).then_some(found)
    }

    /// Whether there is a schema of this name for the session.
    fn has_schema(&self, name: &str) -> bool {
        if SYSTEM_SCHEMAS.contains(&name) || self.database.schema_named(name).is_some() {
            return true;
        }
        let Some(lent) = self.system.schema_named(name) else {
            return false;
        };
        let holds = |schema: Oid| schema == lent.oid && schema != Oid::INTERNAL_SCHEMA;
        let mut relations = self.system.relations.values();
        relations.any(|relation| holds(relation.schema) && is_lent(relation))
            || self.system.types.values().any(|found| holds(found.schema))
    }

    /// Whether a type of the system's database is one that the session may use.
    fn is_lent(&self, of_system: &UserType) -> bool {
        self.database.id == DatabaseId::System || of_system.schema != Oid::INTERNAL_SCHEMA
    }
}

/// The type of arrays of a user's type.
fn array_of(element: &UserType) -> Result<SqlType> {
    if element.domain().is_some() {
        return Err(Error::Unsupported(format!(
            "an array of the domain \"{}\"",
            element.name
        )));
    }
    Ok(SqlType::Array(Box::new(element.sql_type())))
}

/// A user's type as texts of the catalog name it: by its number.
pub(super) fn by_number(oid: Oid) -> DataType {
    let parts = [TYPE_SCHEMA.to_owned(), oid.to_string()];
    let parts = parts.map(|part| Ident::with_quote('"', part));
    DataType::Custom(ObjectName::from(Vec::from(parts)), Vec::new())
}

fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}
