//! `information_schema.enabled_roles`: the role and all it is a member of.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "enabled_roles",
    13325,
    "
    role_name name",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for role in scene.all_roles().iter().filter(|role| me.is(role.oid)) {
        row!(rows, role_name: &role.name);
    }
}
