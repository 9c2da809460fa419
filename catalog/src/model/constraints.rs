//! Which relations have the constraints and indexes of a database: worked out once for each of its states.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::relation::{Key, Relation};
use crate::id::Oid;

/// Relations by their constraints' numbers and their indexes' names.
#[derive(Default)]
pub(super) struct Constraints {
    relations: HashMap<Oid, Oid>,
    indexes: HashMap<String, Vec<(Oid, Oid)>>,
}

impl Constraints {
    fn of(relations: &HashMap<Oid, Arc<Relation>>) -> Self {
        let mut found = Self::default();
        for relation in relations.values() {
            let Some(table) = relation.table() else {
                continue;
            };
            let keys = table.keys.iter().map(|key| key.oid);
            let checks = table.checks.iter().map(|check| check.oid);
            let all = keys.chain(checks).map(|oid| (oid, relation.oid));
            found.relations.extend(all);
            for key in table.keys.iter().filter(|key| key.has_index()) {
                let named = found.indexes.entry(key.name.clone()).or_default();
                named.push((relation.oid, key.oid));
            }
        }
        found
    }
}

/// [`Constraints`] once somebody asked for them. A copy, which may change, starts without them.
#[derive(Default)]
pub(super) struct Known(OnceLock<Constraints>);

impl Known {
    fn get(&self, relations: &HashMap<Oid, Arc<Relation>>) -> &Constraints {
        self.0.get_or_init(|| Constraints::of(relations))
    }

    /// The relation that has a constraint.
    pub(super) fn relation<'a>(
        &self,
        relations: &'a HashMap<Oid, Arc<Relation>>,
        constraint: Oid,
    ) -> Option<&'a Arc<Relation>> {
        relations.get(self.get(relations).relations.get(&constraint)?)
    }

    /// The indexes of a name, in whichever schema.
    pub(super) fn indexes<'a>(
        &'a self,
        relations: &'a HashMap<Oid, Arc<Relation>>,
        name: &str,
    ) -> impl Iterator<Item = (&'a Arc<Relation>, &'a Key)> {
        let named = self.get(relations).indexes.get(name);
        named.into_iter().flatten().filter_map(|(relation, key)| {
            let relation = relations.get(relation)?;
            let mut keys = relation.table()?.keys.iter();
            Some((relation, keys.find(|found| found.oid == *key)?))
        })
    }
}

impl Clone for Known {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Known")
    }
}
