//! `pg_cursors`: the session's open cursors.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_cursors",
    12077,
    "
    name text, statement text, is_holdable bool, is_binary bool, is_scrollable bool,
    creation_time timestamptz",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for cursor in scene.cursors.iter() {
        row!(
            rows,
            name: &cursor.name,
            statement: &cursor.statement,
            is_holdable: cursor.is_holdable,
            is_binary: cursor.is_binary,
            is_scrollable: cursor.is_scrollable,
            creation_time: cursor.creation_time,
        );
    }
}
