//! Files that hold changed rows are read again and written anew, with the rows that stay.

mod changes;
mod reread;
mod rows;

use std::collections::BTreeSet;

use datafusion::arrow::array::RecordBatch;
use futures::StreamExt;
use tessera_catalog::id::Part;
use tessera_catalog::model::{Column, Table};

pub(super) use changes::{Changes, collect};

use super::change::{Action, Planned};
use super::referred::{Removal, Settling, referrers};
use crate::error::Result;
use crate::execute::{self, Execution, Limits};
use crate::planner::Scope;
use crate::policy::{self, Caller, Granted, Judged, RowChecks};
use crate::session::Session;
use crate::session::command::default;
use crate::session::foreign::ForeignGuard;
use crate::session::keys::{KeyCheck, KeyGuard};
use crate::session::opener::Opened;
use crate::session::write::{RowWriter, Writing, table};
use reread::runs;
use rows::Run;

/// What INSERT … ON CONFLICT DO UPDATE is about.
pub(super) struct Arbitration<'a> {
    /// All rows that the statement brings.
    pub(super) proposed: &'a [RecordBatch],
    /// The rows in their way, whoever may see them; none where no policy binds the caller.
    pub(super) conflicting: Vec<RecordBatch>,
}

/// What a change has done.
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) returned: Vec<RecordBatch>,
    /// The rows that went, where others may refer to them.
    pub(super) removal: Removal,
}

/// The writing half of a change.
pub(super) struct Rewrite<'a> {
    pub(super) planned: &'a Planned,
    pub(super) rules: &'a RowChecks,
    pub(super) opened: &'a Opened,
    pub(super) caller: &'a Caller,
    pub(super) scope: &'a Scope,
    pub(super) limits: Limits,
    /// Whether RETURNING wants the rows.
    pub(super) returns: bool,
}

impl Rewrite<'_> {
    /// Makes the changes in the session's transaction: how many rows, and the rows for RETURNING.
    ///
    /// # Errors
    /// Constraints that new rows break, other tenants' rows, and what reading and writing meet.
    pub(super) async fn run(
        &self,
        session: &mut Session,
        granted: &Granted,
        changes: Changes,
    ) -> Result<(u64, Vec<RecordBatch>)> {
        let done = self.write(session, granted, changes, None).await?;
        self.settled(session, done).await
    }

    /// As [`Rewrite::run`], for a statement that did something else where a key was there.
    pub(super) async fn run_arbitrated(
        &self,
        session: &mut Session,
        granted: &Granted,
        changes: Changes,
        arbitration: Arbitration<'_>,
    ) -> Result<(u64, Vec<RecordBatch>)> {
        let done = self
            .write(session, granted, changes, Some(arbitration))
            .await?;
        self.settled(session, done).await
    }

    /// What refers to the rows that went is dealt with when all is written.
    async fn settled(
        &self,
        session: &mut Session,
        done: Written,
    ) -> Result<(u64, Vec<RecordBatch>)> {
        let by = Settling {
            caller: self.caller,
            scope: self.scope,
            limits: self.limits,
        };
        by.settle(session, done.removal).await?;
        Ok((done.rows, done.returned))
    }

    /// Makes the changes, and leaves it to the caller to settle what refers to rows that went.
    pub(super) async fn write(
        &self,
        session: &mut Session,
        granted: &Granted,
        changes: Changes,
        arbitration: Option<Arbitration<'_>>,
    ) -> Result<Written> {
        let of_table = table(&granted.found().relation)?;
        let relation = &granted.found().relation;
        let changed = self.changed(of_table);
        let mut removal =
            Removal::of(session, self.caller, granted.found(), changed.as_deref()).await?;
        let keys = match self.touches_keys(of_table) {
            true => KeyGuard::new(session, relation, &self.scope.zone, KeyCheck::AtEnd)?,
            false => None,
        };
        let keys = keys.map(|keys| keys.arbitrated(arbitration.is_some()));
        let inserts = self.planned.actions.contains(&Action::Insert);
        let changed = changed.filter(|_| !inserts);
        let (caller, zone) = (self.caller, &self.scope.zone);
        let foreign = ForeignGuard::new(session, caller, relation, zone, changed.as_deref())?;
        let mut writer = RowWriter::new(
            granted,
            Writing {
                keys,
                foreign,
                generated: default::compile_generated(of_table, self.caller, self.scope)?,
                storage: session.engine.catalog.storage(),
                cpu: session.cpu(),
                database: &self.caller.database,
                system: &self.caller.system,
                zone: &self.scope.zone,
                checks: default::compile_checks(of_table, self.caller, self.scope)?,
                operation: match self.planned.verb {
                    "INSERT" => "MERGE",
                    verb => verb,
                },
            },
        )?
        .apart(session.transaction.is_together());
        let execution = session.execution(&self.scope.state, self.limits);
        if let Some(arbitration) = arbitration {
            let proposed = arbitration.proposed.iter();
            let proposed: Vec<RecordBatch> = proposed
                .map(|rows| writer.completed(rows))
                .collect::<Result<_>>()?;
            self.arbitrate(&proposed, &arbitration.conflicting, &execution)
                .await?;
        }
        let mut returned = Vec::new();
        let mut emptied: BTreeSet<Part> = BTreeSet::new();
        let whole = !removal.is_watching();
        let reread = self.reread(&changes, &mut writer, &mut emptied, whole);
        if !reread.branches.is_empty() {
            let stored = self.opened.rows(granted.found(), reread.branches.clone())?;
            let guarded = policy::guard_changed(granted, stored)?;
            // How many rows files hold tells of those that policies hide: nobody observes this.
            let mut batches = execute::run(guarded, &execution);
            while let Some(batch) = batches.next().await {
                for (file, space, rows) in runs(&batch?, &reread)? {
                    let run = Run {
                        rows: &rows,
                        file,
                        space,
                        execution: &execution,
                    };
                    let into = (&mut writer, &mut returned, &mut removal);
                    self.file_rows(run, &changes, into).await?;
                }
            }
        }
        for inserted in self.in_order(&changes)? {
            let rows = self.inserted(&changes, &inserted, &writer)?;
            let rows = writer.completed(&rows)?;
            let allowed = self.rules.allow(&rows, Judged::Inserted, &execution);
            let written = writer.write(allowed.await?).await?;
            let written = self.with_beside(written, &inserted, &changes)?;
            self.give_back(written, &changes, &mut returned)?;
        }
        let written = writer.finish().await?;
        for part in emptied {
            session.transaction.replace_rows(&part, Vec::new());
        }
        for mut part in written {
            if !part.removed.is_empty() {
                let place = (part.part.space, removal.lends_keys());
                part.referred_by = referrers(session, self.caller, relation.oid, place).await?;
            }
            session.transaction.write(part);
        }
        let rows = changes.touched.len() + changes.inserted.len();
        Ok(Written {
            rows: rows as u64,
            returned,
            removal,
        })
    }

    /// Numbers of the columns that rows get new values in; `None` when rows go.
    fn changed(&self, of_table: &Table) -> Option<Vec<i16>> {
        let live: Vec<&Column> = of_table.live_columns().collect();
        let mut changed: Vec<i16> = live
            .iter()
            .filter(|column| column.generated.is_some())
            .map(|column| column.number)
            .collect();
        for action in &self.planned.actions {
            match action {
                Action::Update(places) => {
                    let columns = places.iter().filter_map(|place| live.get(*place));
                    changed.extend(columns.map(|column| column.number));
                }
                Action::Delete => return None,
                Action::Insert | Action::Nothing => {}
            }
        }
        Some(changed)
    }

    /// Judges all rows that a statement brings, inserted or not, and those in their way.
    async fn arbitrate(
        &self,
        proposed: &[RecordBatch],
        conflicting: &[RecordBatch],
        execution: &Execution,
    ) -> Result<()> {
        for rows in proposed {
            self.rules.allow(rows, Judged::Inserted, execution).await?;
        }
        for rows in conflicting {
            let judged = Judged::Conflicting;
            self.rules.allow(rows, judged, execution).await?;
        }
        Ok(())
    }

    /// Whether rows may have keys afterwards that they did not have before.
    fn touches_keys(&self, of_table: &Table) -> bool {
        let live: Vec<i16> = of_table
            .live_columns()
            .map(|column| column.number)
            .collect();
        let is_of_key = |place: &usize| {
            let number = live.get(*place);
            number.is_some_and(|number| {
                let mut keys = of_table.keys.iter().filter(|key| key.is_checked());
                keys.any(|key| key.columns.contains(number))
            })
        };
        let generated = of_table.columns.iter().filter(|c| c.generated.is_some());
        let mut keys = of_table.keys.iter().filter(|key| key.is_checked());
        if keys.any(|key| generated.clone().any(|c| key.columns.contains(&c.number))) {
            return true;
        }
        self.planned.actions.iter().any(|action| match action {
            Action::Insert => true,
            Action::Update(places) => places.iter().any(is_of_key),
            Action::Delete | Action::Nothing => false,
        })
    }
}
