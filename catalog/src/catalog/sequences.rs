//! Values of sequences: drawn from memory, kept durable in blocks.
//!
//! A block is durable before its first value is given, so a crash skips values and repeats none. What
//! a transaction draws stays drawn when it is rolled back.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::Catalog;
use crate::error::{Error, Result};
use crate::id::{DatabaseId, TableUuid};
use crate::model::Sequence;

/// The smallest block; each further one is twice the last.
const MIN_BLOCK: u64 = 32;
/// The greatest block of a sequence from which single values are drawn.
const MAX_BLOCK: u64 = 1_024;

/// The sequences in use.
#[derive(Debug, Default)]
pub(super) struct Sequences(Mutex<HashMap<(DatabaseId, TableUuid), Arc<Drawn>>>);

type Drawn = tokio::sync::Mutex<Option<Position>>;

/// How far a sequence has gone in one database.
#[derive(Debug, Clone, Copy)]
struct Position {
    last: i64,
    is_called: bool,
    /// Values that may be given before more must be made durable.
    left: u64,
    block: u64,
}

/// The last value of a sequence, and whether it was given.
pub type SequenceValue = (i64, bool);

impl Catalog {
    /// Draws the next values of a sequence in a database.
    ///
    /// # Errors
    ///
    /// [`Error::SequenceEnd`] when there are not so many, [`Error::Database`] when the catalog's
    /// database fails.
    pub async fn next_values(
        &self,
        database: DatabaseId,
        sequence: &Sequence,
        count: usize,
    ) -> Result<Vec<i64>> {
        let drawn = self.drawn(database, sequence);
        let mut position = drawn.lock().await;
        let mut at = self.position(database, sequence, &position).await?;
        let mut values = Vec::with_capacity(count);
        while values.len() < count {
            if at.left == 0 {
                let missing = (count - values.len()) as u64;
                at = self.reserve(database, sequence, at, missing).await?;
            }
            let Some(next) = sequence.after(at.last, at.is_called) else {
                return Err(Error::SequenceEnd);
            };
            values.push(next);
            at = Position {
                last: next,
                is_called: true,
                left: at.left - 1,
                ..at
            };
            *position = Some(at);
        }
        Ok(values)
    }

    /// Sets how far a sequence has gone.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn set_sequence(
        &self,
        database: DatabaseId,
        sequence: &Sequence,
        (last, is_called): SequenceValue,
    ) -> Result<()> {
        let drawn = self.drawn(database, sequence);
        let mut position = drawn.lock().await;
        self.shared
            .store
            .put_sequence(sequence.uuid, database, last, is_called)
            .await?;
        *position = Some(Position {
            last,
            is_called,
            left: 0,
            block: MIN_BLOCK,
        });
        Ok(())
    }

    /// How far a sequence has gone.
    ///
    /// # Errors
    ///
    /// [`Error::Database`] when the catalog's database fails.
    pub async fn sequence_value(
        &self,
        database: DatabaseId,
        sequence: &Sequence,
    ) -> Result<SequenceValue> {
        let drawn = self.drawn(database, sequence);
        let position = drawn.lock().await;
        let at = self.position(database, sequence, &position).await?;
        Ok((at.last, at.is_called))
    }

    fn drawn(&self, database: DatabaseId, sequence: &Sequence) -> Arc<Drawn> {
        let mut sequences = self.shared.sequences.0.lock();
        let known = sequences.entry((database, sequence.uuid)).or_default();
        Arc::clone(known)
    }

    async fn position(
        &self,
        database: DatabaseId,
        sequence: &Sequence,
        known: &Option<Position>,
    ) -> Result<Position> {
        if let Some(known) = known {
            return Ok(*known);
        }
        let stored = self.shared.store.sequence(sequence.uuid, database).await?;
        let (last, is_called) = stored.unwrap_or((sequence.first(), false));
        Ok(Position {
            last,
            is_called,
            left: 0,
            block: MIN_BLOCK,
        })
    }

    /// Makes the next block durable: at least so many values, if there are.
    async fn reserve(
        &self,
        database: DatabaseId,
        sequence: &Sequence,
        at: Position,
        wanted: u64,
    ) -> Result<Position> {
        let (mut last, mut is_called, mut left) = (at.last, at.is_called, 0);
        let block = wanted.max(at.block);
        while left < block {
            let Some(next) = sequence.after(last, is_called) else {
                break;
            };
            (last, is_called, left) = (next, true, left + 1);
        }
        if left == 0 {
            return Err(Error::SequenceEnd);
        }
        self.shared
            .store
            .put_sequence(sequence.uuid, database, last, is_called)
            .await?;
        Ok(Position {
            left,
            block: (at.block * 2).min(MAX_BLOCK),
            ..at
        })
    }
}
