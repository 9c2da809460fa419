//! `pg_sequences`: sequences by name, and how far they have gone.

use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_sequences",
    12048,
    "
    schemaname name, sequencename name, sequenceowner name, data_type regtype,
    start_value int8, min_value int8, max_value int8, increment_by int8, cycle bool,
    cache_size int8, last_value int8",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for relation in scene.relations() {
        let Some(sequence) = relation.sequence() else {
            continue;
        };
        let class = Class::Relation(relation);
        row!(
            rows,
            schemaname: scene.schema_name(class.schema(scene)),
            sequencename: &relation.name,
            sequenceowner: scene.role_label(class.owner(scene)),
            data_type: sequence.sql_type.oid(),
            start_value: sequence.start,
            min_value: sequence.min,
            max_value: sequence.max,
            increment_by: sequence.increment,
            cycle: sequence.cycle,
            cache_size: sequence.cache,
            last_value: scene.last_value(sequence),
        );
    }
}
