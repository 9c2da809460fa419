//! `information_schema.information_schema_catalog_name`: the database's name.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "information_schema_catalog_name",
    13227,
    "
    catalog_name name",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    row!(rows, catalog_name: &scene.database.name);
}
