//! Rows and bytes of relations, for the catalogs that tell them.

use std::collections::HashMap;
use std::sync::Arc;

use tessera_catalog::id::{DatabaseId, Oid, Space};
use tessera_catalog::model::{Database, Reader};

use super::engine::Engine;
use super::sequences::wait;
use crate::error::Result;

/// Who asks for the sizes of relations.
pub(super) struct RelationSizes {
    pub(super) engine: Arc<Engine>,
    pub(super) system: Arc<Database>,
    pub(super) database: Arc<Database>,
    pub(super) role: Oid,
    pub(super) roles: Vec<Oid>,
    pub(super) superuser: bool,
}

impl RelationSizes {
    /// Waits where the first of them is read: most statements read none.
    pub(super) fn wait(&self) -> HashMap<Oid, (i64, i64)> {
        let read = wait(self.read()).and_then(|sizes| sizes);
        read.unwrap_or_else(|error| {
            tracing::error!(%error, "the sizes of relations cannot be read");
            HashMap::new()
        })
    }

    /// Rows and bytes of all relations that the database reads. Of a table behind policies that bind the
    /// role nothing is told: the numbers count hidden rows.
    async fn read(&self) -> Result<HashMap<Oid, (i64, i64)>> {
        let mut spaces = vec![Space::Shared];
        match self.database.id {
            DatabaseId::Tenant(tenant) => spaces.push(Space::Tenant(tenant)),
            DatabaseId::System => spaces.push(Space::System),
        }
        let reader = Reader {
            system: &self.system,
            database: &self.database,
            role: self.role,
            roles: &self.roles,
            superuser: self.superuser,
        };
        let mut numbers = HashMap::new();
        for database in [&self.system, &self.database] {
            let lent = database.id != self.database.id;
            let tables = database.relations.values();
            let tables = tables.filter(|relation| reader.bound_by(relation, lent).is_empty());
            numbers.extend(tables.filter_map(|r| Some((r.table()?.uuid, r.oid))));
        }
        let mut sizes: HashMap<Oid, (i64, i64)> = HashMap::new();
        for space in spaces {
            for (table, part) in self.engine.catalog.parts_in(space).await? {
                if let Some(oid) = numbers.get(&table) {
                    let total = sizes.entry(*oid).or_default();
                    total.0 = total.0.saturating_add_unsigned(part.rows);
                    total.1 = total.1.saturating_add_unsigned(part.bytes);
                }
            }
        }
        Ok(sizes)
    }
}
