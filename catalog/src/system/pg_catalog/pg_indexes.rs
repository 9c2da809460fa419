//! `pg_indexes`: the indexes that stand for keys, by name.

use crate::system::rows::{Rows, row};
use crate::system::scene::{Scene, index_keys};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_indexes",
    12043,
    "
    schemaname name, tablename name, indexname name, tablespace name, indexdef text",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for relation in scene.relations() {
        for key in index_keys(relation) {
            row!(
                rows,
                schemaname: scene.schema_name(scene.schema_of(relation)),
                tablename: &relation.name,
                indexname: &key.name,
                indexdef: scene.index_text(relation, key, false),
            );
        }
    }
}
