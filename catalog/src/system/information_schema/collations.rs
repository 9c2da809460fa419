//! `information_schema.collations`: the collations that have an encoding of their own or none.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "collations",
    13265,
    "
    collation_catalog name, collation_schema name, collation_name name, pad_attribute varchar",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for name in ["default", "C", "POSIX"] {
        row!(
            rows,
            collation_catalog: &scene.database.name,
            collation_schema: "pg_catalog",
            collation_name: name,
            pad_attribute: "NO PAD",
        );
    }
}
