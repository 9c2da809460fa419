//! Relations, their indexes and constraints as a scene shows them, by number and name.

use std::sync::Arc;

use super::Scene;
use super::attribute::index_keys;
use super::schemas::{built_in_name, built_in_oid};
use crate::id::Oid;
use crate::model::{Key, KeyKind, Relation, Scope};
use crate::system::table::SystemTable;
use crate::system::{all_tables, table, table_by_oid};

/// Anything that has a row in `pg_class`.
#[derive(Debug, Clone, Copy)]
pub enum Class<'a> {
    Relation(&'a Relation),
    /// The index that stands for a primary or unique key.
    Index(&'a Relation, &'a Key),
    System(&'static SystemTable),
}

impl Scene {
    /// Tables and views that the session's database has: its own and those the system lends it.
    pub fn relations(&self) -> impl Iterator<Item = &Relation> {
        self.database
            .relations
            .values()
            .map(Arc::as_ref)
            .chain(self.lent_relations())
    }

    /// The table or view with this number.
    pub fn relation(&self, oid: Oid) -> Option<&Relation> {
        if let Some(own) = self.database.relations.get(&oid) {
            return Some(own);
        }
        self.system
            .relations
            .get(&oid)
            .map(Arc::as_ref)
            .filter(|relation| is_lendable(relation))
    }

    pub(super) fn lent_relations(&self) -> impl Iterator<Item = &Relation> {
        let system = self.in_tenant().then_some(&self.system);
        let all = system
            .into_iter()
            .flat_map(|system| system.relations.values());
        all.map(Arc::as_ref)
            .filter(|relation| is_lendable(relation))
    }

    /// Whether the relation is the system's and the session a tenant's.
    pub fn is_lent(&self, relation: &Relation) -> bool {
        self.in_tenant() && !self.database.relations.contains_key(&relation.oid)
    }

    /// The schema in which the session sees a relation.
    pub fn schema_of(&self, relation: &Relation) -> Oid {
        if !self.is_lent(relation) || self.database.schemas.contains_key(&relation.schema) {
            return relation.schema;
        }
        // A schema of the same name that the tenant had before.
        let name = self
            .system
            .schemas
            .get(&relation.schema)
            .map(|schema| schema.name.as_str());
        let own = name.and_then(|name| self.database.schema_named(name));
        own.map_or(relation.schema, |schema| schema.oid)
    }

    /// The owner that the session sees.
    pub fn owner_of(&self, relation: &Relation) -> Oid {
        self.shown(relation.owner)
    }

    /// The relation or index of this name in a schema.
    pub fn class_named(&self, schema: Oid, name: &str) -> Option<Class<'_>> {
        if let Some(schema) = built_in_name(schema) {
            return table(schema, name).map(Class::System);
        }
        if let Some(own) = self.database.relation_named(schema, name) {
            return Some(Class::Relation(own));
        }
        if self.in_tenant() {
            let schema_name = self.schema_name(schema)?;
            let lent = self
                .system
                .schema_named(schema_name)
                .and_then(|schema| self.system.relation_named(schema.oid, name))
                .filter(|relation| is_lendable(relation));
            if let Some(relation) = lent {
                return Some(Class::Relation(relation));
            }
        }
        let lent = self.in_tenant().then(|| self.system.indexes_named(name));
        let lent = lent.into_iter().flatten();
        let own = self.database.indexes_named(name);
        let mut indexes = own.chain(lent.filter(|(relation, _)| is_lendable(relation)));
        let found = indexes.find(|(relation, _)| self.schema_of(relation) == schema);
        found.map(|(relation, key)| Class::Index(relation, key))
    }

    /// What has this number in `pg_class`.
    pub fn class(&self, oid: Oid) -> Option<Class<'_>> {
        if let Some(relation) = self.relation(oid) {
            return Some(Class::Relation(relation));
        }
        if let Some(table) = table_by_oid(oid.0) {
            return Some(Class::System(table));
        }
        let (relation, constraint) = self.constraint(oid)?;
        match constraint {
            Constraint::Key(key) if key.has_index() => Some(Class::Index(relation, key)),
            Constraint::Key(_) | Constraint::Check(_) => None,
        }
    }

    /// All that has a row in `pg_class`.
    pub fn classes(&self) -> impl Iterator<Item = Class<'_>> {
        let own = self.relations().flat_map(|relation| {
            let indexes = index_keys(relation).map(move |key| Class::Index(relation, key));
            std::iter::once(Class::Relation(relation)).chain(indexes)
        });
        own.chain(all_tables().map(Class::System))
    }

    /// A relation's key or check, by its number.
    pub fn constraint(&self, oid: Oid) -> Option<(&Relation, Constraint<'_>)> {
        let lent = || self.system.relation_of_constraint(oid);
        let own = self.database.relation_of_constraint(oid);
        let relation = own.or_else(|| lent().filter(|relation| is_lendable(relation)))?;
        let table = relation.table()?;
        let key = table
            .keys
            .iter()
            .find(|key| key.oid == oid)
            .map(Constraint::Key);
        let check = || {
            table
                .checks
                .iter()
                .find(|check| check.oid == oid)
                .map(Constraint::Check)
        };
        Some((relation, key.or_else(check)?))
    }

    /// The key of a table that a foreign key over these columns refers to.
    pub fn referenced_key(&self, relation: Oid, columns: &[i16]) -> Option<Oid> {
        let same = |numbers: &[i16]| {
            numbers.len() == columns.len() && numbers.iter().all(|n| columns.contains(n))
        };
        let keys = index_keys(self.relation(relation)?);
        let mut keys = keys.filter(|key| key.is_unique());
        keys.find(|key| same(&key.columns)).map(|key| key.oid)
    }

    /// Whether a foreign key of a table that the session sees refers to a table.
    pub fn is_referred_to(&self, relation: Oid) -> bool {
        let own = self.database.references_to(relation).next().is_some();
        own || self.in_tenant() && self.system.references_to(relation).next().is_some()
    }
}

/// A named condition on a table's rows.
#[derive(Debug, Clone, Copy)]
pub enum Constraint<'a> {
    Key(&'a Key),
    Check(&'a crate::model::Check),
}

impl Constraint<'_> {
    /// Its number.
    pub fn oid(&self) -> Oid {
        match self {
            Self::Key(key) => key.oid,
            Self::Check(check) => check.oid,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Key(key) => &key.name,
            Self::Check(check) => &check.name,
        }
    }

    /// The letter in `pg_constraint.contype`.
    pub fn letter(&self) -> char {
        match self {
            Self::Check(_) => 'c',
            Self::Key(key) => match key.kind {
                KeyKind::Primary => 'p',
                KeyKind::Unique => 'u',
                KeyKind::Foreign(_) => 'f',
                KeyKind::Index(_) => ' ',
            },
        }
    }
}

impl Class<'_> {
    /// Its number.
    pub fn oid(&self) -> Oid {
        match self {
            Self::Relation(relation) => relation.oid,
            Self::Index(_, key) => key.oid,
            Self::System(table) => Oid(table.oid),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Relation(relation) => &relation.name,
            Self::Index(_, key) => &key.name,
            Self::System(table) => table.name,
        }
    }

    /// Its schema.
    pub fn schema(&self, scene: &Scene) -> Oid {
        match self {
            Self::Relation(relation) | Self::Index(relation, _) => scene.schema_of(relation),
            Self::System(table) => built_in_oid(table.schema),
        }
    }

    /// Its owner.
    pub fn owner(&self, scene: &Scene) -> Oid {
        match self {
            Self::Relation(relation) | Self::Index(relation, _) => scene.owner_of(relation),
            Self::System(_) => scene.bootstrap_role(),
        }
    }

    /// The letter in `relkind`.
    pub fn kind(&self) -> char {
        match self {
            Self::Relation(relation) => relation.kind_letter(),
            Self::Index(_, _) => 'i',
            Self::System(table) => table.kind,
        }
    }
}

fn is_lendable(relation: &Relation) -> bool {
    relation.table().is_some_and(|table| match table.scope {
        Scope::Common | Scope::Shared => true,
        Scope::Own => false,
    })
}
