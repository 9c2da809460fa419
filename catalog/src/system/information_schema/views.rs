//! `information_schema.views`: views that the role may use in some way; the query for owners alone.

use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "views",
    13483,
    "
    table_catalog name, table_schema name, table_name name, view_definition varchar,
    check_option varchar, is_updatable varchar(3), is_insertable_into varchar(3),
    is_trigger_updatable varchar(3), is_trigger_deletable varchar(3),
    is_trigger_insertable_into varchar(3)",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for class in scene.classes().filter(|class| class.kind() == 'v') {
        if !scene.shows(class) {
            continue;
        }
        row!(
            rows,
            table_catalog: &scene.database.name,
            table_schema: scene.schema_name(class.schema(scene)),
            table_name: class.name(),
            view_definition: match class {
                Class::Relation(relation) if me.is(class.owner(scene)) => scene.view_text(relation),
                Class::Relation(_) | Class::Index(..) | Class::System(_) => None,
            },
            check_option: "NONE",
            is_updatable: "NO",
            is_insertable_into: "NO",
            is_trigger_updatable: "NO",
            is_trigger_deletable: "NO",
            is_trigger_insertable_into: "NO",
        );
    }
}
