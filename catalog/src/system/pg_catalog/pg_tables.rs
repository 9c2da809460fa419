//! `pg_tables`: tables by name, the system's included.

use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene, index_keys};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_tables",
    12033,
    "
    schemaname name, tablename name, tableowner name, tablespace name, hasindexes bool,
    hasrules bool, hastriggers bool, rowsecurity bool",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for class in scene.classes().filter(|class| class.kind() == 'r') {
        row!(
            rows,
            schemaname: scene.schema_name(class.schema(scene)),
            tablename: class.name(),
            tableowner: scene.role_label(class.owner(scene)),
            hasindexes: matches!(class, Class::Relation(relation) if index_keys(relation).next().is_some()),
            hasrules: false,
            hastriggers: false,
            rowsecurity: matches!(class, Class::Relation(relation)
                if scene.row_security(relation.oid).is_some_and(|s| s.enabled)),
        );
    }
}
