//! `information_schema.character_sets`: the one encoding.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "character_sets",
    13250,
    "
    character_set_catalog name, character_set_schema name, character_set_name name,
    character_repertoire name, form_of_use name, default_collate_catalog name,
    default_collate_schema name, default_collate_name name",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    row!(
        rows,
        character_set_name: "UTF8",
        character_repertoire: "UCS",
        form_of_use: "UTF8",
        default_collate_catalog: &scene.database.name,
        default_collate_schema: "pg_catalog",
        default_collate_name: "C",
    );
}
