//! Which files are read again, and whose rows are whose.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, Int64Array, RecordBatch};
use datafusion::arrow::datatypes::Int64Type;
use tessera_catalog::id::{Part, Space};
use tessera_catalog::provider::{BranchRows, RowsBranch};
use tessera_catalog::storage::DataFile;

use super::Rewrite;
use super::changes::{Changes, Touched};
use crate::error::{Error, Result};
use crate::session::command::modify::change::Action;
use crate::session::write::RowWriter;

/// What is read again, and under which numbers it was read before.
#[derive(Default)]
pub(super) struct Reread {
    pub(super) branches: Vec<RowsBranch>,
    pub(super) files: Vec<(i64, Space)>,
    pub(super) memory: Vec<(i64, Space)>,
}

/// A batch cut where another file begins, with the numbers that files had in the change's query.
pub(super) fn runs(batch: &RecordBatch, reread: &Reread) -> Result<Vec<(i64, Space, RecordBatch)>> {
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

impl Rewrite<'_> {
    /// Takes away the files that hold changed rows, and tells which of them must be read again.
    pub(super) fn reread(
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
}
