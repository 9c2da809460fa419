//! Whether rows refer to keys that went and are not there again.

use std::sync::Arc;

use tessera_catalog::commit::{Expects, KeyReference};
use tessera_catalog::id::{Part, Space};
use tessera_catalog::key::{KeyColumns, KeySet};
use tessera_catalog::model::{ForeignAction, ForeignKey, Key, Privilege, Relation};

use super::{Rows, Settling};
use crate::error::{Error, Result};
use crate::planner::source::Found;
use crate::policy::{self, check_columns};
use crate::session::Session;
use crate::session::deferred::Deferred;
use crate::session::foreign::{converted, foreign_name};
use crate::session::keys::{KeyCheck, KeyGuard, key_text};
use crate::session::transaction::{Referring, TEMPORARY_SCHEMA};
use crate::session::write::table;

/// Whether rows of one space refer to keys that went.
pub(super) struct Check<'a> {
    pub(super) parent: &'a Found,
    pub(super) child: &'a Arc<Relation>,
    pub(super) key: &'a Key,
    pub(super) foreign: &'a ForeignKey,
    /// A tenant's own table, in an operator's statement.
    pub(super) own: bool,
    pub(super) space: Space,
}

impl Check<'_> {
    pub(super) async fn run(
        &self,
        session: &mut Session,
        settling: &Settling<'_>,
        rows: &Rows,
    ) -> Result<()> {
        let zone = &settling.scope.zone;
        let count = rows.count();
        let theirs = KeyColumns::referenced(
            table(&self.parent.relation)?,
            self.key.oid,
            &self.foreign.columns,
        );
        let went = theirs.hashes(&rows.old, count)?;
        let action = match rows.new {
            Some(_) => self.foreign.on_update,
            None => self.foreign.on_delete,
        };
        let wanted: Vec<u128> = went.iter().flatten().copied().collect();
        let relation = &self.parent.relation;
        let again = match action {
            ForeignAction::Restrict => KeySet::default(),
            _ => {
                let mut parent =
                    KeyGuard::over(session, relation, zone, vec![theirs], KeyCheck::AtEnd)?;
                parent.held(self.space, 0, &rows.old, &wanted).await?
            }
        };
        let own = KeyColumns::of(table(self.child)?, self.key);
        let types: Vec<_> = own.types().map(|t| t.arrow(zone)).collect();
        let columns = converted(&rows.old, &types)?;
        let keys = own.hashes(&columns, count)?;
        let is_gone = |row: &usize| went[*row].is_some_and(|hash| !again.contains(&hash));
        let gone: KeySet = (0..count)
            .filter(is_gone)
            .filter_map(|row| keys[row])
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        let wanted: Vec<u128> = gone.iter().copied().collect();
        let mut child = KeyGuard::over(session, self.child, zone, vec![own], KeyCheck::AtEnd)?;
        let held = child.held(self.space, 0, &columns, &wanted).await?;
        let is_late = action == ForeignAction::NoAction
            && session
                .transaction
                .constraints
                .is_deferred(self.key, self.foreign);
        let mut gone = gone;
        if is_late && !held.is_empty() {
            gone.retain(|hash| !held.contains(hash));
            let text = |hash: &u128| {
                let row = keys.iter().position(|key| *key == Some(*hash))?;
                self.shown(settling, rows, row)
            };
            let later = held.iter().map(|hash| (*hash, text(hash)));
            session.transaction.defer(Deferred {
                child: self.child.oid,
                constraint: self.key.oid,
                space: self.space,
                keys: later.collect(),
                went: true,
            });
            if gone.is_empty() {
                return Ok(());
            }
        } else if !held.is_empty() {
            let row = keys
                .iter()
                .position(|k| k.is_some_and(|k| held.contains(&k)));
            return Err(self.refused(settling, rows, row.unwrap_or_default(), action));
        }
        if self.child.schema == TEMPORARY_SCHEMA {
            return Ok(());
        }
        let base = child.base(self.space).await?;
        let (key, defaults) = child.key(0);
        let reference = KeyReference {
            expects: Expects::Absent,
            constraint: self.key.oid,
            part: Part {
                space: self.space,
                table: table(self.child)?.uuid,
            },
            relation: Arc::clone(self.child),
            key: key.clone(),
            defaults: Arc::new(defaults.clone()),
            hashes: Arc::new(gone),
            base,
        };
        let name = foreign_name(self.key, self.child, relation);
        session.transaction.rely_on(Referring { reference, name });
        Ok(())
    }

    pub(super) fn refused(
        &self,
        settling: &Settling<'_>,
        rows: &Rows,
        row: usize,
        action: ForeignAction,
    ) -> Error {
        if !matches!(action, ForeignAction::NoAction | ForeignAction::Restrict) {
            if self.own {
                return Error::Unsupported(format!(
                    "ON DELETE and ON UPDATE actions of the foreign key \"{}\" of a tenant's own \
                     table, for a statement in the system database",
                    self.key.name
                ));
            }
            // Rows that came while the action ran.
            return Error::Serialization;
        }
        Error::StillReferenced {
            parent: self.parent.relation.name.clone(),
            relation: self.child.name.clone(),
            constraint: self.key.name.clone(),
            key: self.shown(settling, rows, row),
        }
    }

    /// A key that went as text, if the caller may see it.
    fn shown(&self, settling: &Settling<'_>, rows: &Rows, row: usize) -> Option<String> {
        let (relation, caller) = (&self.parent.relation, settling.caller);
        let columns = &self.foreign.columns;
        let tells = check_columns(caller, Privilege::Select, self.parent, columns).is_ok()
            && policy::shows_rows(caller, self.parent);
        let of = relation.table().filter(|_| tells)?;
        let theirs = KeyColumns::referenced(of, self.key.oid, columns);
        key_text(of, &theirs, &rows.old, row)
    }
}
