//! `information_schema.view_column_usage`: owned tables' columns that owned views read.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "view_column_usage",
    13468,
    "
    view_catalog name, view_schema name, view_name name, table_catalog name, table_schema name,
    table_name name, column_name name",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for relation in scene
        .relations()
        .filter(|relation| me.is(scene.owner_of(relation)))
    {
        for reference in relation
            .view()
            .into_iter()
            .flat_map(|view| &view.references)
        {
            let table = scene.relation(reference.relation);
            let Some(table) = table.filter(|table| me.is(scene.owner_of(table))) else {
                continue;
            };
            for (_, column) in &reference.columns {
                row!(
                    rows,
                    view_catalog: &scene.database.name,
                    view_schema: scene.schema_name(scene.schema_of(relation)),
                    view_name: &relation.name,
                    table_catalog: &scene.database.name,
                    table_schema: scene.schema_name(scene.schema_of(table)),
                    table_name: &table.name,
                    column_name: column,
                );
            }
        }
    }
}
