//! Files that hold changed rows are read again and written anew, with the rows that stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, AsArray, BooleanArray, Int64Array, RecordBatch, UInt32Array, UInt64Array,
};
use datafusion::arrow::compute::{self, concat_batches, kernels::cmp::distinct, kernels::zip::zip};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use futures::StreamExt;
use tessera_catalog::id::{Part, Space};
use tessera_catalog::model::{Column, Table};
use tessera_catalog::provider::{BranchRows, RowsBranch};
use tessera_catalog::storage::DataFile;

use super::as_schema;
use super::change::{Action, LEADING_COLUMNS, Planned};
use super::referred::{Removal, Settling, referrers};
use crate::error::{Error, Result};
use crate::execute::{self, BatchStream, Execution, Limits};
use crate::planner::Scope;
use crate::policy::{self, Caller, Granted, Judged, RowChecks};
use crate::session::Session;
use crate::session::command::default;
use crate::session::foreign::ForeignGuard;
use crate::session::keys::{KeyCheck, KeyGuard};
use crate::session::opener::{Opened, space};
use crate::session::write::{RowWriter, Writing, table, tenant_index};

/// A row that is changed.
#[derive(Debug, Clone, Copy)]
struct Touched {
    file: i64,
    row: i64,
    action: usize,
    /// Its new values' row in [`Changes::values`].
    value: u64,
}

/// All that a statement changes.
pub(super) struct Changes {
    /// By file and row, each once.
    touched: Vec<Touched>,
    /// Rows of `values` that are new in the table.
    inserted: Vec<u64>,
    /// The new values, and what RETURNING names beside the table; none for a plain DELETE.
    values: Option<RecordBatch>,
    /// What all this takes, and the rows for RETURNING with it.
    memory: MemoryReservation,
}

/// Takes in what a change's query finds.
///
/// # Errors
/// 21000 when MERGE would change a row twice, 53200 when they take too much memory, and what the query
/// meets.
pub(super) async fn collect(
    mut found: BatchStream,
    planned: &Planned,
    scope: &Scope,
) -> Result<Changes> {
    let pool = &scope.state.runtime_env().memory_pool;
    let memory = MemoryConsumer::new(planned.verb).register(pool);
    let mut touched = Vec::new();
    let mut inserted = Vec::new();
    let mut values: Vec<RecordBatch> = Vec::new();
    let mut count = 0_u64;
    let beside = planned.returning.as_ref().map_or(0, |r| r.beside().len());
    let given = planned.values.len() + beside;
    let of_values: Vec<usize> = (LEADING_COLUMNS..LEADING_COLUMNS + given).collect();
    while let Some(batch) = found.next().await {
        let batch = batch?;
        let [files, rows, actions] = [0, 1, 2].map(|column| {
            let numbers: &Int64Array = batch.column(column).as_primitive::<Int64Type>();
            numbers
        });
        for index in 0..batch.num_rows() {
            if actions.is_null(index) {
                continue;
            }
            let action = usize::try_from(actions.value(index)).unwrap_or(usize::MAX);
            let value = count + index as u64;
            match planned.actions.get(action) {
                None => return Err(Error::internal("no such action")),
                Some(Action::Nothing) => {}
                Some(Action::Insert) => inserted.push(value),
                Some(Action::Update(_) | Action::Delete) => touched.push(Touched {
                    file: files.value(index),
                    row: rows.value(index),
                    action,
                    value,
                }),
            }
        }
        count += batch.num_rows() as u64;
        memory.try_grow(batch.num_rows() * size_of::<Touched>())?;
        if !of_values.is_empty() {
            let batch = batch.project(&of_values).map_err(engine)?;
            memory.try_grow(batch.get_array_memory_size())?;
            values.push(batch);
        }
    }
    // Stable: of several matches the first counts.
    touched.sort_by_key(|touched| (touched.file, touched.row));
    let all = touched.len();
    touched.dedup_by_key(|touched| (touched.file, touched.row));
    if touched.len() < all && planned.verb == "MERGE" {
        return Err(Error::MergedTwice);
    }
    let values = joined(values, &memory)?;
    Ok(Changes {
        touched,
        inserted,
        values,
        memory,
    })
}

/// What INSERT … ON CONFLICT DO UPDATE is about.
pub(super) struct Arbitration<'a> {
    /// All rows that the statement brings.
    pub(super) proposed: &'a [RecordBatch],
    /// The rows in their way, whoever may see them; none where no policy binds the caller.
    pub(super) conflicting: Vec<RecordBatch>,
}

/// The batches as one, which stands beside them for a moment.
fn joined(batches: Vec<RecordBatch>, memory: &MemoryReservation) -> Result<Option<RecordBatch>> {
    let Some(first) = batches.first() else {
        return Ok(None);
    };
    let apart: usize = batches.iter().map(RecordBatch::get_array_memory_size).sum();
    memory.try_grow(apart)?;
    let joined = concat_batches(&first.schema(), &batches).map_err(engine)?;
    memory.shrink(apart);
    Ok(Some(joined))
}

/// What is read again, and under which numbers it was read before.
#[derive(Default)]
struct Reread {
    branches: Vec<RowsBranch>,
    files: Vec<(i64, Space)>,
    memory: Vec<(i64, Space)>,
}

/// Consecutive rows of one file, or of one batch in memory.
struct Run<'a> {
    rows: &'a RecordBatch,
    file: i64,
    space: Space,
    execution: &'a Execution,
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

    /// Takes away the files that hold changed rows, and tells which of them must be read again.
    fn reread(
        &self,
        changes: &Changes,
        writer: &mut RowWriter,
        emptied: &mut BTreeSet<Part>,
        whole: bool,
    ) -> Reread {
        let mut reread = Reread::default();
        let (mut next_file, mut next_batch) = (0_i64, -1_i64);
        for branch in self.opened.target() {
            let space = branch.part.space;
            let mut rows = BranchRows::default();
            for file in &branch.rows.files {
                let number = next_file;
                next_file += 1;
                let touched = changes.of_file(number);
                if touched.is_empty() {
                    continue;
                }
                writer.remove(space, Arc::clone(file));
                if !(whole && self.all_gone(touched, file)) {
                    rows.files.push(Arc::clone(file));
                    reread.files.push((number, space));
                }
            }
            let batches = branch.rows.memory.len();
            let numbers: Vec<i64> = (0..batches)
                .map(|place| next_batch - place as i64)
                .collect();
            next_batch -= batches as i64;
            if numbers
                .iter()
                .any(|number| !changes.of_file(*number).is_empty())
            {
                emptied.insert(branch.part);
                writer.remove_memory(space);
                rows.memory.clone_from(&branch.rows.memory);
                reread
                    .memory
                    .extend(numbers.into_iter().map(|number| (number, space)));
            }
            if !rows.files.is_empty() || !rows.memory.is_empty() {
                reread.branches.push(RowsBranch {
                    rows,
                    ..branch.clone()
                });
            }
        }
        reread
    }

    /// Whether nothing of a file stays and nobody asks what was in it.
    fn all_gone(&self, touched: &[Touched], file: &DataFile) -> bool {
        let judged = self.rules.binds() && self.planned.verb == "MERGE";
        let deleted = |touched: &Touched| self.planned.actions[touched.action] == Action::Delete;
        !(self.returns || judged)
            && touched.len() as u64 == file.rows
            && touched.iter().all(deleted)
    }

    /// Writes consecutive rows of one file anew, but for those that are deleted.
    async fn file_rows(
        &self,
        run: Run<'_>,
        changes: &Changes,
        (writer, returned, removal): (&mut RowWriter, &mut Vec<RecordBatch>, &mut Removal),
    ) -> Result<()> {
        let Run {
            rows,
            file,
            space,
            execution,
        } = run;
        let width = rows.num_columns() - 2;
        let places = rows.column(width + 1).as_primitive::<Int64Type>();
        let live: Vec<usize> = (0..width).collect();
        let stored = as_schema(&rows.project(&live).map_err(engine)?, writer.schema())?;
        let touched = changes.of_file(file);
        let (mut kept, mut updated, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
        let (mut changed, mut gone) = (Vec::new(), Vec::new());
        for (index, place) in (0_u32..).zip(places.values()) {
            match touched.binary_search_by_key(place, |touched| touched.row) {
                Err(_) => kept.push(index),
                Ok(found) => match &self.planned.actions[touched[found].action] {
                    Action::Delete => {
                        deleted.push(index);
                        gone.push(touched[found].value);
                    }
                    Action::Update(_) => {
                        updated.push(index);
                        changed.push(touched[found]);
                    }
                    Action::Insert | Action::Nothing => kept.push(index),
                },
            }
        }
        if kept.len() == rows.num_rows() {
            return writer.keep(space, stored).await;
        }
        if !kept.is_empty() {
            writer.keep(space, take(&stored, kept)?).await?;
        }
        if !updated.is_empty() {
            let old = take(&stored, updated)?;
            let rules = self.rules;
            rules.allow(&old, Judged::MergeUpdated, execution).await?;
            let new = self.updated(&old, &changed, changes)?;
            let new = writer.completed(&new)?;
            let allowed = rules.allow(&new, Judged::Updated, execution).await?;
            let written = writer.write(allowed).await?;
            removal.updated(space, &old, &written);
            let values: Vec<u64> = changed.iter().map(|touched| touched.value).collect();
            let written = self.with_beside(written, &values, changes)?;
            self.give_back(written, changes, returned)?;
        }
        if !deleted.is_empty() {
            let old = take(&stored, deleted)?;
            let rules = self.rules;
            rules.allow(&old, Judged::MergeDeleted, execution).await?;
            removal.deleted(space, &old);
            let old = self.with_beside(old, &gone, changes)?;
            self.give_back(old, changes, returned)?;
        }
        Ok(())
    }

    /// Keeps rows for RETURNING, if there is one.
    fn give_back(
        &self,
        rows: RecordBatch,
        changes: &Changes,
        returned: &mut Vec<RecordBatch>,
    ) -> Result<()> {
        if self.returns {
            changes.memory.try_grow(rows.get_array_memory_size())?;
            returned.push(rows);
        }
        Ok(())
    }

    /// Old rows with their new values.
    fn updated(
        &self,
        old: &RecordBatch,
        changed: &[Touched],
        changes: &Changes,
    ) -> Result<RecordBatch> {
        let Some(values) = &changes.values else {
            return Err(Error::internal("an update without values"));
        };
        let taken = UInt64Array::from_iter_values(changed.iter().map(|touched| touched.value));
        let tenant = tenant_index(table(&self.planned.found.relation)?);
        let mut columns = old.columns().to_vec();
        for (place, value) in self.planned.values.iter().zip(values.columns()) {
            let new = compute::take(value, &taken, None).map_err(engine)?;
            let new = compute::cast(&new, columns[*place].data_type()).map_err(engine)?;
            let assigned: BooleanArray = changed
                .iter()
                .map(|touched| Some(self.assigns(touched.action, *place)))
                .collect();
            let new = if assigned.true_count() == changed.len() {
                new
            } else {
                zip(&assigned, &new, &columns[*place]).map_err(engine)?
            };
            // No statement moves rows from one tenant to another.
            if tenant == Some(*place)
                && distinct(&new, &columns[*place])
                    .map_err(engine)?
                    .true_count()
                    > 0
            {
                return Err(Error::RowSecurity(self.planned.found.relation.name.clone()));
            }
            columns[*place] = new;
        }
        RecordBatch::try_new(old.schema(), columns).map_err(engine)
    }

    fn assigns(&self, action: usize, place: usize) -> bool {
        match self.planned.actions.get(action) {
            Some(Action::Update(places)) => places.contains(&place),
            Some(Action::Delete | Action::Insert | Action::Nothing) | None => false,
        }
    }

    /// The rows that MERGE inserts; it has values for all columns.
    fn inserted(
        &self,
        changes: &Changes,
        inserted: &[u64],
        writer: &RowWriter,
    ) -> Result<RecordBatch> {
        let Some(values) = &changes.values else {
            return Err(Error::internal("an insert without values"));
        };
        let own: Vec<usize> = (0..self.planned.values.len()).collect();
        let values = values.project(&own).map_err(engine)?;
        as_schema(&taken(&values, inserted)?, writer.schema())
    }

    /// New rows in groups that a writer gives back in their order: an operator's go to the tenants
    /// that they name.
    fn in_order(&self, changes: &Changes) -> Result<Vec<Vec<u64>>> {
        if changes.inserted.is_empty() {
            return Ok(Vec::new());
        }
        let found = &self.planned.found;
        let of_table = table(&found.relation)?;
        let beside = self.planned.returning.as_ref().map(|r| r.beside());
        let is_union = space(found, of_table, self.caller.database.id).is_none();
        let tenants = changes.values.as_ref().map(|values| values.column(0));
        let (true, Some(tenants)) = (is_union && beside.is_some_and(|b| !b.is_empty()), tenants)
        else {
            return Ok(vec![changes.inserted.clone()]);
        };
        let mut groups: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for row in &changes.inserted {
            let index = usize::try_from(*row).unwrap_or(usize::MAX);
            let name = array_value_to_string(tenants, index).map_err(engine)?;
            groups.entry(name).or_default().push(*row);
        }
        Ok(groups.into_values().collect())
    }

    /// Written rows with what RETURNING names beside them; `values` are their rows among the values.
    fn with_beside(
        &self,
        rows: RecordBatch,
        values: &[u64],
        changes: &Changes,
    ) -> Result<RecordBatch> {
        let Some(returning) = &self.planned.returning else {
            return Ok(rows);
        };
        let (Some(all), false) = (&changes.values, returning.beside().is_empty()) else {
            return Ok(rows);
        };
        let own = self.planned.values.len();
        let of_beside: Vec<usize> = (own..own + returning.beside().len()).collect();
        let beside = taken(&all.project(&of_beside).map_err(engine)?, values)?;
        let columns = rows.columns().iter().chain(beside.columns());
        let columns = columns
            .zip(returning.schema().fields())
            .map(|(column, field)| compute::cast(column, field.data_type()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(engine)?;
        RecordBatch::try_new(Arc::clone(returning.schema()), columns).map_err(engine)
    }
}

fn taken(rows: &RecordBatch, indices: &[u64]) -> Result<RecordBatch> {
    compute::take_record_batch(rows, &UInt64Array::from(indices.to_vec())).map_err(engine)
}

impl Changes {
    /// The changed rows of one file, or of one batch in memory.
    fn of_file(&self, file: i64) -> &[Touched] {
        let start = self.touched.partition_point(|touched| touched.file < file);
        let end = self.touched.partition_point(|touched| touched.file <= file);
        &self.touched[start..end]
    }
}

/// A batch cut where another file begins, with the numbers that files had in the change's query.
fn runs(batch: &RecordBatch, reread: &Reread) -> Result<Vec<(i64, Space, RecordBatch)>> {
    let column = batch.num_columns() - 2;
    let files: &Int64Array = batch.column(column).as_primitive::<Int64Type>();
    let mut cut = Vec::new();
    let mut start = 0;
    while start < batch.num_rows() {
        let file = files.value(start);
        let same = files.values()[start..]
            .iter()
            .take_while(|other| **other == file)
            .count();
        let known = if file < 0 {
            reread
                .memory
                .get(usize::try_from(-1 - file).unwrap_or(usize::MAX))
        } else {
            reread
                .files
                .get(usize::try_from(file).unwrap_or(usize::MAX))
        };
        let (number, space) = *known.ok_or_else(|| Error::internal("a file without a number"))?;
        cut.push((number, space, batch.slice(start, same)));
        start += same;
    }
    Ok(cut)
}

fn take(rows: &RecordBatch, indices: Vec<u32>) -> Result<RecordBatch> {
    compute::take_record_batch(rows, &UInt32Array::from(indices)).map_err(engine)
}

fn engine(error: ArrowError) -> Error {
    Error::from(DataFusionError::from(error))
}
