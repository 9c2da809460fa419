//! `pg_matviews`: materialised views with their queries.

use crate::system::rows::{Rows, row};
use crate::system::scene::{Scene, index_keys};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_matviews",
    12038,
    "
    schemaname name, matviewname name, matviewowner name, tablespace name, hasindexes bool,
    ispopulated bool, definition text",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for relation in scene.relations() {
        let Some(query) = relation.materialized() else {
            continue;
        };
        row!(
            rows,
            schemaname: scene.schema_name(scene.schema_of(relation)),
            matviewname: &relation.name,
            matviewowner: scene.role_label(scene.owner_of(relation)),
            hasindexes: index_keys(relation).next().is_some(),
            ispopulated: query.populated,
            definition: scene.view_text(relation),
        );
    }
}
