//! `information_schema.tables`: tables and views that the role may use in some way.

use super::yes_or_no;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "tables",
    13425,
    "
    table_catalog name, table_schema name, table_name name, table_type varchar,
    self_referencing_column_name name, reference_generation varchar,
    user_defined_type_catalog name, user_defined_type_schema name, user_defined_type_name name,
    is_insertable_into varchar(3), is_typed varchar(3), commit_action varchar",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for class in scene.classes() {
        if matches!(class, Class::Index(..)) || !rows.may_have("table_name", class.name()) {
            continue;
        }
        if !matches!(class.kind(), 'r' | 'v') || !scene.shows(class) {
            continue;
        }
        let table = class.kind() == 'r';
        row!(
            rows,
            table_catalog: &scene.database.name,
            table_schema: scene.schema_name(class.schema(scene)),
            table_name: class.name(),
            table_type: if table { "BASE TABLE" } else { "VIEW" },
            is_insertable_into: yes_or_no(table),
            is_typed: "NO",
        );
    }
}
