//! `information_schema.schemata`: schemas that the role owns or holds any right on.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "schemata",
    13382,
    "
    catalog_name name, schema_name name, schema_owner name, default_character_set_catalog name,
    default_character_set_schema name, default_character_set_name name, sql_path varchar",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for schema in scene.namespaces() {
        if me.is(schema.owner) || !scene.held_on_schema(&me, &schema).privileges.is_empty() {
            row!(
                rows,
                catalog_name: &scene.database.name,
                schema_name: schema.name,
                schema_owner: scene.role_label(schema.owner),
            );
        }
    }
}
