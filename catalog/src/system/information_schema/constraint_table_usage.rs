//! `information_schema.constraint_table_usage`: owned tables that keys use; for a foreign key the
//! one it refers to.

use crate::model::KeyKind;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "constraint_table_usage",
    13305,
    "
    table_catalog name, table_schema name, table_name name, constraint_catalog name,
    constraint_schema name, constraint_name name",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for relation in scene.relations() {
        for key in relation.table().into_iter().flat_map(|table| &table.keys) {
            let table = match &key.kind {
                KeyKind::Index(_) => None,
                KeyKind::Primary | KeyKind::Unique => Some(relation),
                KeyKind::Foreign(foreign) => scene.relation(foreign.relation),
            };
            let Some(table) = table.filter(|table| me.is(scene.owner_of(table))) else {
                continue;
            };
            row!(
                rows,
                table_catalog: &scene.database.name,
                table_schema: scene.schema_name(scene.schema_of(table)),
                table_name: &table.name,
                constraint_catalog: &scene.database.name,
                constraint_schema: scene.schema_name(scene.schema_of(relation)),
                constraint_name: &key.name,
            );
        }
    }
}
