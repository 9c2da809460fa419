//! What a transaction hands to the catalog when it is committed.

use tessera_catalog::commit::{Commit, DatabaseChange, PartChange};

use super::reads::read;
use super::{Changes, Isolation, Transaction};

impl Transaction {
    /// Takes everything to be committed and ends the transaction.
    pub(in crate::session) fn take_commit(&mut self) -> Commit {
        let Self {
            changes:
                Changes {
                    overlays,
                    mut parts,
                    temporary,
                    outgoing: _,
                    unmoved,
                    relied,
                    audit,
                    ..
                },
            temporary: former,
            isolation,
            snapshots,
            mut unions,
            read_unions,
            ..
        } = std::mem::take(self);
        self.temporary = temporary.unwrap_or_else(|| former.clone());
        self.temporary.end_transaction();
        self.former_temporary = former;
        let databases = overlays
            .into_values()
            .map(|overlay| DatabaseChange {
                base: overlay.base,
                changes: overlay.changes,
            })
            .collect();
        let references = parts
            .values_mut()
            .flat_map(|pending| std::mem::take(&mut pending.references))
            .chain(relied)
            .map(|referring| referring.reference)
            .collect();
        let parts: Vec<PartChange> = parts
            .into_values()
            .filter(|p| !(p.added.is_empty() && p.rows.is_empty() && p.removed.is_empty()))
            .map(|pending| PartChange {
                part: pending.part,
                database: pending.database,
                relation: pending.relation,
                added: pending.added,
                rows: pending.rows,
                removed: pending.removed,
                claims: pending.claims,
                referred_by: pending.referred_by,
                operation: pending.operation,
            })
            .collect();
        let (read, read_tables) = match isolation {
            Isolation::Serializable => {
                unions.retain(|table, _| read_unions.contains(table));
                read(&snapshots, unions)
            }
            Isolation::ReadCommitted | Isolation::RepeatableRead => Default::default(),
        };
        Commit {
            databases,
            parts,
            unmoved,
            references,
            audit,
            read,
            read_tables,
        }
    }
}
