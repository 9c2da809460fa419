//! What names mean to one statement: the objects that its transaction sees, in its search path.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::ScalarUDF;
use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::model::{Database, Relation, Scope as Reach};

use super::source::Found;
use super::user_types::UserTypes;
use crate::error::{Error, Result};

/// The names of one statement.
#[derive(Clone)]
pub struct Scope {
    /// The system's database: common and shared tables.
    pub system: Arc<Database>,
    /// The session's own; the same as `system` for an operator's session there.
    pub database: Arc<Database>,
    /// Schemas in which unqualified names are looked up, `pg_catalog` first unless named.
    pub search_path: Vec<String>,
    pub zone: Arc<str>,
    /// The engine's functions, planners and options.
    pub state: Arc<SessionState>,
    /// Whether policies narrow rows; a statement that they would narrow fails otherwise.
    pub row_security: bool,
    /// What only the session knows: its own functions, catalogs and temporary tables.
    pub session: Arc<dyn SessionNames>,
}

/// Names that a session adds to those of its database.
pub trait SessionNames: Send + Sync {
    /// A function that answers for this session, such as `current_user`.
    fn function(&self, name: &str) -> Option<Arc<ScalarUDF>>;
    /// Names of such functions.
    fn function_names(&self) -> Vec<String>;
    /// A table of `pg_catalog`, `information_schema` or `tessera`; with `hidden` also the columns
    /// that `*` leaves out.
    fn system_table(
        &self,
        schema: &str,
        name: &str,
        hidden: bool,
    ) -> Option<Arc<dyn TableProvider>>;
    /// Whether `pg_authid` is open to the session's role.
    fn shows_logins(&self) -> bool;
    /// Whether the audit and the reports are open to the session's role.
    fn shows_reports(&self) -> bool;
    /// The rows of a function of the catalogs that takes no arguments.
    fn system_rows(&self, function: &str) -> Option<Arc<dyn TableProvider>>;
    /// Whether planning has looked at what changes from one statement to the next.
    fn is_momentary(&self) -> bool;
    /// A temporary table.
    fn temporary_table(&self, name: &str) -> Option<Arc<dyn TableProvider>>;
}

/// The schemas that no one creates.
pub const SYSTEM_SCHEMAS: [&str; 3] = ["pg_catalog", "information_schema", "tessera"];

impl Scope {
    /// Whether this is an operator's session in the system's database.
    pub fn is_system(&self) -> bool {
        self.database.id == DatabaseId::System
    }

    /// What names of types mean.
    pub fn user_types(&self) -> UserTypes {
        UserTypes::of(self)
    }

    /// The relation of this name, in a schema or on the search path.
    pub fn find(&self, schema: Option<&str>, name: &str) -> Option<Found> {
        match schema {
            Some(schema) => self.find_in(schema, name),
            None => self
                .search_path
                .iter()
                .find_map(|schema| self.find_in(schema, name)),
        }
    }

    /// The relation of this name or PostgreSQL's error.
    pub fn relation(&self, schema: Option<&str>, name: &str) -> Result<Found> {
        self.find(schema, name)
            .ok_or_else(|| self.missing(schema, name))
    }

    fn missing(&self, schema: Option<&str>, name: &str) -> Error {
        match schema {
            Some(schema) => Error::NoSuchRelation(format!("{schema}.{name}")),
            None => Error::NoSuchRelation(name.to_owned()),
        }
    }

    /// Whether a schema of this name exists for the session.
    pub fn has_schema(&self, name: &str) -> bool {
        SYSTEM_SCHEMAS.contains(&name) || self.schema_oid(name).is_some()
    }

    /// The number of a schema that holds tables: the own one, or the system's that is lent.
    pub fn schema_oid(&self, name: &str) -> Option<Oid> {
        if let Some(schema) = self.database.schema_named(name) {
            return Some(schema.oid);
        }
        let schema = self.system.schema_named(name)?;
        self.is_lent_schema(schema.oid).then_some(schema.oid)
    }

    /// A schema's name, own or lent.
    pub fn schema_name(&self, oid: Oid) -> Option<&str> {
        let own = self.database.schemas.get(&oid);
        own.or_else(|| self.system.schemas.get(&oid))
            .map(|schema| schema.name.as_str())
    }

    /// Whether tenants see this schema of the system's database.
    fn is_lent_schema(&self, schema: Oid) -> bool {
        let mut relations = self.system.relations.values();
        let mut types = self.system.types.values();
        schema != Oid::INTERNAL_SCHEMA
            && (relations.any(|r| r.schema == schema && is_lent(r))
                || types.any(|t| t.schema == schema))
    }

    fn find_in(&self, schema: &str, name: &str) -> Option<Found> {
        let found = |relation: &Arc<Relation>, home| Found {
            relation: Arc::clone(relation),
            home,
            schema_name: schema.to_owned(),
        };
        if let Some(own) = self.database.schema_named(schema)
            && let Some(relation) = self.database.relation_named(own.oid, name)
        {
            return Some(found(relation, self.database.id));
        }
        if self.is_system() {
            return None;
        }
        let lent = self.system.schema_named(schema)?;
        let relation = self.system.relation_named(lent.oid, name)?;
        is_lent(relation).then(|| found(relation, DatabaseId::System))
    }

    /// The relation of this number, own or lent.
    pub fn relation_by_oid(&self, oid: Oid) -> Option<Found> {
        let found = |relation: &Arc<Relation>, home| {
            Some(Found {
                relation: Arc::clone(relation),
                home,
                schema_name: self.schema_name(relation.schema)?.to_owned(),
            })
        };
        if let Some(relation) = self.database.relations.get(&oid) {
            return found(relation, self.database.id);
        }
        let relation = self
            .system
            .relations
            .get(&oid)
            .filter(|relation| is_lent(relation))?;
        found(relation, DatabaseId::System)
    }

    /// The schema in which CREATE puts an unqualified name: the first of the search path that exists.
    pub fn creation_schema(&self) -> Option<Oid> {
        self.search_path
            .iter()
            .filter(|name| !SYSTEM_SCHEMAS.contains(&name.as_str()))
            .find_map(|name| self.schema_oid(name))
    }
}

/// Whether tenants see this relation of the system's database.
pub fn is_lent(relation: &Relation) -> bool {
    relation
        .table()
        .is_some_and(|table| matches!(table.scope, Reach::Common | Reach::Shared))
}
