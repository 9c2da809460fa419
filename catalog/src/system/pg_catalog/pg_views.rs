//! `pg_views`: views with their queries, the system's without.

use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_views",
    12028,
    "
    schemaname name, viewname name, viewowner name, definition text",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for class in scene.classes().filter(|class| class.kind() == 'v') {
        row!(
            rows,
            schemaname: scene.schema_name(class.schema(scene)),
            viewname: class.name(),
            viewowner: scene.role_label(class.owner(scene)),
            definition: match class {
                Class::Relation(relation) => scene.view_text(relation),
                Class::Index(..) | Class::System(_) => None,
            },
        );
    }
}
