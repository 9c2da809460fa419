//! Foreign keys that are checked when the transaction ends: what did not hold when a statement ended,
//! and whether it does now.

use std::collections::HashMap;
use std::sync::Arc;

use tessera_catalog::commit::{Expects, KeyReference};
use tessera_catalog::id::{Oid, Part, Space};
use tessera_catalog::key::{KeyColumns, KeySet};
use tessera_catalog::model::{ForeignKey, Key, Relation};

use super::Session;
use super::foreign::{foreign_name, parent};
use super::keys::{KeyCheck, KeyGuard};
use super::transaction::{Referring, TEMPORARY_SCHEMA};
use super::write::table;
use crate::error::{Error, Result};

/// A key that is not as a deferred foreign key needs it.
#[derive(Debug, Clone)]
pub(super) struct Deferred {
    /// The table that refers, and its foreign key.
    pub(super) child: Oid,
    pub(super) constraint: Oid,
    pub(super) space: Space,
    /// The keys, as text where errors may show them.
    pub(super) keys: HashMap<u128, Option<String>>,
    /// Whether the keys went, rather than rows that refer to them came.
    pub(super) went: bool,
}

/// What SET CONSTRAINTS said in this transaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Modes {
    all: Option<bool>,
    named: HashMap<Oid, bool>,
}

impl Modes {
    /// Whether a foreign key is checked at the end of the transaction.
    pub(super) fn is_deferred(&self, key: &Key, foreign: &ForeignKey) -> bool {
        let named = self.named.get(&key.oid).copied();
        foreign.deferrable && named.or(self.all).unwrap_or(foreign.deferred)
    }

    /// Takes in SET CONSTRAINTS; without names it is about all.
    pub(super) fn set(&mut self, named: Option<&[Oid]>, deferred: bool) {
        match named {
            None => {
                self.all = Some(deferred);
                self.named.clear();
            }
            Some(named) => self.named.extend(named.iter().map(|oid| (*oid, deferred))),
        }
    }
}

impl Session {
    /// Checks what waits for the end of the transaction, or only what these foreign keys wait for.
    ///
    /// # Errors
    /// 23503 for the first that does not hold.
    pub(super) async fn check_deferred(&mut self, only: Option<&[Oid]>) -> Result<()> {
        for deferred in self.transaction.take_deferred(only) {
            self.check_one(deferred).await?;
        }
        Ok(())
    }

    async fn check_one(&mut self, deferred: Deferred) -> Result<()> {
        let caller = self.caller().await?;
        let zone = self.settings.lock().zone();
        let relation = |oid: &Oid| {
            let own = caller.database.relations.get(oid);
            own.or_else(|| caller.system.relations.get(oid))
                .map(Arc::clone)
        };
        // Dropped in the meantime, table or constraint.
        let Some(child) = relation(&deferred.child) else {
            return Ok(());
        };
        let of_child = table(&child)?;
        let key = of_child
            .keys
            .iter()
            .find(|key| key.oid == deferred.constraint);
        let Some((key, foreign)) = key.and_then(|key| Some((key, key.foreign()?))) else {
            return Ok(());
        };
        let Some(parent) = parent(&caller, foreign) else {
            return Ok(());
        };
        let space = deferred.space;
        let wanted: Vec<u128> = deferred.keys.keys().copied().collect();
        let own = vec![KeyColumns::of(of_child, key)];
        let mut referring = KeyGuard::over(self, &child, &zone, own, KeyCheck::AtEnd)?;
        let referred = referring.held(space, 0, &[], &wanted).await?;
        let theirs = KeyColumns::referenced(table(&parent)?, key.oid, &foreign.columns);
        let mut there = KeyGuard::over(self, &parent, &zone, vec![theirs], KeyCheck::AtEnd)?;
        let needed: Vec<u128> = referred.iter().copied().collect();
        let new = there.held_by_own(space, 0, &[], &needed).await?;
        let before = there.held_before(space, 0, &[], &needed).await?;
        if let Some(missing) = needed
            .iter()
            .find(|hash| !new.contains(*hash) && !before.contains(*hash))
        {
            return Err(broken(&deferred, *missing, key, (&child, &parent)));
        }
        let present: KeySet = before.difference(&new).copied().collect();
        self.rely(
            Expects::Present,
            (&mut there, &parent),
            (key, &child, &parent),
            space,
            present,
        )
        .await?;
        if deferred.went {
            let absent = wanted.iter().filter(|hash| !referred.contains(*hash));
            let absent: KeySet = absent.copied().collect();
            self.rely(
                Expects::Absent,
                (&mut referring, &child),
                (key, &child, &parent),
                space,
                absent,
            )
            .await?;
        }
        Ok(())
    }

    async fn rely(
        &mut self,
        expects: Expects,
        (looked, relation): (&mut KeyGuard, &Arc<Relation>),
        (foreign_key, child, parent): (&Key, &Relation, &Relation),
        space: Space,
        hashes: KeySet,
    ) -> Result<()> {
        if hashes.is_empty() || relation.schema == TEMPORARY_SCHEMA {
            return Ok(());
        }
        let base = looked.base(space).await?;
        let (key, defaults) = looked.key(0);
        let reference = KeyReference {
            expects,
            constraint: foreign_key.oid,
            part: Part {
                space,
                table: table(relation)?.uuid,
            },
            relation: Arc::clone(relation),
            key: key.clone(),
            defaults: Arc::new(defaults.clone()),
            hashes: Arc::new(hashes),
            base,
        };
        let name = foreign_name(foreign_key, child, parent);
        self.transaction.rely_on(Referring { reference, name });
        Ok(())
    }
}

fn broken(
    deferred: &Deferred,
    hash: u128,
    key: &Key,
    (child, parent): (&Relation, &Relation),
) -> Error {
    let text = deferred.keys.get(&hash).cloned().flatten();
    if deferred.went {
        return Error::StillReferenced {
            parent: parent.name.clone(),
            relation: child.name.clone(),
            constraint: key.name.clone(),
            key: text,
        };
    }
    Error::ForeignKey {
        relation: child.name.clone(),
        constraint: key.name.clone(),
        key: text,
        parent: parent.name.clone(),
    }
}
