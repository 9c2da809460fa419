//! A statement of which several parts change rows: none of them sees what the others do.

use std::collections::HashMap;

use tessera_catalog::id::Part;

use super::{Isolation, PendingPart, Transaction};

/// What the parts of one statement see, when several of them change rows: all that was there before it.
#[derive(Debug, Default)]
pub(super) struct Before {
    pub(super) parts: HashMap<Part, PendingPart>,
}

impl Transaction {
    /// Begins a statement of which several parts change rows: all of them see what is there now.
    pub(in crate::session) fn begin_together(&mut self) {
        let parts = self.changes.parts.iter().chain(&self.temporary().parts);
        let parts = parts.map(|(part, pending)| (*part, pending.clone()));
        self.before = Some(Before {
            parts: parts.collect(),
        });
        if self.isolation == Isolation::ReadCommitted {
            self.unions.clear();
            self.snapshots.clear();
        }
    }

    /// Ends it: what it did is there for the next statement.
    pub(in crate::session) fn end_together(&mut self) {
        self.before = None;
        if self.isolation == Isolation::ReadCommitted {
            self.unions.clear();
            self.snapshots.clear();
        }
        for pending in self.changes.parts.values_mut() {
            pending.settle();
        }
        if let Some(temporary) = &mut self.changes.temporary {
            for pending in temporary.parts.values_mut() {
                pending.settle();
            }
        }
    }

    /// Whether a statement of which several parts change rows runs.
    pub(in crate::session) fn is_together(&self) -> bool {
        self.before.is_some()
    }
}
