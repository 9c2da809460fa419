//! Schemas as a scene shows them: the built-in ones, the database's own, and those that the system lends.

use std::borrow::Cow;

use super::{Scene, lent_acl::reaches_tenants};
use crate::id::Oid;
use crate::model::{Acl, AclItem, Privilege, Privileges};

/// A schema as the session sees it.
#[derive(Debug, Clone)]
pub struct Namespace<'a> {
    pub oid: Oid,
    pub name: &'a str,
    pub owner: Oid,
    pub acl: Option<Cow<'a, Acl>>,
    pub comment: Option<&'a str>,
}

impl Scene {
    /// All schemas that have a row in `pg_namespace`.
    pub fn namespaces(&self) -> Vec<Namespace<'_>> {
        let mut found: Vec<Namespace<'_>> = BUILT_IN
            .iter()
            .map(|(oid, name, comment)| Namespace {
                oid: *oid,
                name,
                owner: self.bootstrap_role(),
                acl: Some(Cow::Owned(usable_by_all(self.bootstrap_role()))),
                comment: Some(comment),
            })
            .collect();
        found.extend(self.database.schemas.values().map(|schema| Namespace {
            oid: schema.oid,
            name: &schema.name,
            owner: self.shown(schema.owner),
            acl: schema.acl.as_ref().map(Cow::Borrowed),
            comment: schema.comment.as_deref(),
        }));
        if self.in_tenant() {
            let schemas = self
                .lent_schemas()
                .iter()
                .filter_map(|oid| self.system.schemas.get(oid));
            found.extend(
                schemas
                    .filter(|schema| self.database.schema_named(&schema.name).is_none())
                    .map(|schema| Namespace {
                        oid: schema.oid,
                        name: &schema.name,
                        owner: Oid::OPERATOR,
                        acl: Some(Cow::Owned(lent_schema_acl(schema.acl.as_ref()))),
                        comment: schema.comment.as_deref(),
                    }),
            );
        }
        found
    }

    /// The schema with this number.
    pub fn namespace(&self, oid: Oid) -> Option<Namespace<'_>> {
        self.namespaces()
            .into_iter()
            .find(|schema| schema.oid == oid)
    }

    /// The number of the schema of this name.
    pub fn schema_named(&self, name: &str) -> Option<Oid> {
        if let Some(found) = BUILT_IN.iter().find(|row| row.1 == name) {
            return Some(found.0);
        }
        if let Some(schema) = self.database.schema_named(name) {
            return Some(schema.oid);
        }
        let schema = self.system.schema_named(name)?;
        self.lent_schemas()
            .contains(&schema.oid)
            .then_some(schema.oid)
    }

    /// A schema's name.
    pub fn schema_name(&self, oid: Oid) -> Option<&str> {
        if let Some(found) = BUILT_IN.iter().find(|row| row.0 == oid) {
            return Some(found.1);
        }
        if let Some(schema) = self.database.schemas.get(&oid) {
            return Some(&schema.name);
        }
        // The system's other schemas are nobody's business in a tenant.
        let lent = self.lent_schemas().contains(&oid);
        self.system
            .schemas
            .get(&oid)
            .filter(|_| lent)
            .map(|schema| schema.name.as_str())
    }

    /// The system's schemas that hold something the tenant sees.
    fn lent_schemas(&self) -> &[Oid] {
        self.lent_schemas.get_or_init(|| {
            let mut lent: Vec<Oid> = self
                .lent_relations()
                .map(|relation| relation.schema)
                .collect();
            let types = self.in_tenant().then_some(&self.system.types);
            let types = types.into_iter().flat_map(|types| types.values());
            let schemas = types.map(|user_type| user_type.schema);
            lent.extend(schemas.filter(|schema| *schema != Oid::INTERNAL_SCHEMA));
            lent.sort_unstable();
            lent.dedup();
            lent
        })
    }

    /// The schemas in which a bare name is looked up, in order; `pg_catalog` is always among them.
    pub fn path(&self) -> &[Oid] {
        self.path.get_or_init(|| {
            let names = self.search_path.iter().map(|name| match name.as_str() {
                "$user" => self.current_role(),
                name => name,
            });
            let mut path: Vec<Oid> = names.filter_map(|name| self.schema_named(name)).collect();
            if !path.contains(&Oid::PG_CATALOG) {
                path.insert(0, Oid::PG_CATALOG);
            }
            path
        })
    }
}

const BUILT_IN: [(Oid, &str, &str); 3] = [
    (Oid::PG_CATALOG, "pg_catalog", "system catalog schema"),
    (
        Oid::INFORMATION_SCHEMA,
        "information_schema",
        "the SQL standard's views of the catalog",
    ),
    (Oid::TESSERA_SCHEMA, "tessera", "the server's own views"),
];

/// The number of a schema that every database has from birth.
pub(super) fn built_in_oid(name: &str) -> Oid {
    BUILT_IN
        .iter()
        .find(|row| row.1 == name)
        .map_or(Oid::PUBLIC, |row| row.0)
}

pub(super) fn built_in_name(oid: Oid) -> Option<&'static str> {
    BUILT_IN.iter().find(|row| row.0 == oid).map(|row| row.1)
}

fn usable_by_all(owner: Oid) -> Acl {
    let mut acl = Acl::of_owner(owner, Privileges::of_schema());
    acl.grant(Oid::PUBLIC, owner, Privilege::Usage.into(), false);
    acl
}

/// What the system granted to tenants on a lent schema; everyone may use one without a list.
fn lent_schema_acl(acl: Option<&Acl>) -> Acl {
    match acl {
        None => usable_by_all(Oid::OPERATOR),
        Some(acl) => {
            let mut lent = Acl::of_owner(Oid::OPERATOR, Privileges::of_schema());
            let items = acl.0.iter().filter(|item| reaches_tenants(item.grantee));
            lent.0.extend(items.map(|item| AclItem {
                grantor: Oid::OPERATOR,
                ..*item
            }));
            lent
        }
    }
}
