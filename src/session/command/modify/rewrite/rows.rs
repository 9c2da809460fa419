//! The rows that a change writes: kept, with new values, or new, and those that RETURNING wants.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, AsArray, BooleanArray, RecordBatch, UInt32Array, UInt64Array,
};
use datafusion::arrow::compute::{self, kernels::cmp::distinct, kernels::zip::zip};
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::error::DataFusionError;
use tessera_catalog::id::Space;

use super::Rewrite;
use super::changes::{Changes, Touched};
use crate::error::{Error, Result};
use crate::execute::Execution;
use crate::policy::Judged;
use crate::session::command::modify::as_schema;
use crate::session::command::modify::change::Action;
use crate::session::command::modify::referred::Removal;
use crate::session::opener::space;
use crate::session::write::{RowWriter, table, tenant_index};

/// Consecutive rows of one file, or of one batch in memory.
pub(super) struct Run<'a> {
    pub(super) rows: &'a RecordBatch,
    pub(super) file: i64,
    pub(super) space: Space,
    pub(super) execution: &'a Execution,
}

impl Rewrite<'_> {
    /// Writes consecutive rows of one file anew, but for those that are deleted.
    pub(super) async fn file_rows(
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
    pub(super) fn give_back(
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
    pub(super) fn inserted(
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
    pub(super) fn in_order(&self, changes: &Changes) -> Result<Vec<Vec<u64>>> {
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
    pub(super) fn with_beside(
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

fn take(rows: &RecordBatch, indices: Vec<u32>) -> Result<RecordBatch> {
    compute::take_record_batch(rows, &UInt32Array::from(indices)).map_err(engine)
}

pub(super) fn engine(error: ArrowError) -> Error {
    Error::from(DataFusionError::from(error))
}
