//! `pg_sequence`: what sequences count.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_sequence",
    2224,
    "
    seqrelid oid, seqtypid oid, seqstart int8, seqincrement int8, seqmax int8, seqmin int8,
    seqcache int8, seqcycle bool",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for relation in scene.relations() {
        let Some(sequence) = relation.sequence() else {
            continue;
        };
        row!(
            rows,
            seqrelid: relation.oid,
            seqtypid: sequence.sql_type.oid(),
            seqstart: sequence.start,
            seqincrement: sequence.increment,
            seqmax: sequence.max,
            seqmin: sequence.min,
            seqcache: sequence.cache,
            seqcycle: sequence.cycle,
        );
    }
}
