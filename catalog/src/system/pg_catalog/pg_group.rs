//! `pg_group`: roles that cannot log in, with their members.

use crate::id::Oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_group",
    12010,
    "
    groname name, grosysid oid, grolist oid[]",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for role in scene.all_roles().iter().filter(|role| !role.login) {
        let members = scene
            .database
            .memberships
            .iter()
            .filter(|m| m.role == role.oid);
        let members: Vec<Oid> = members.map(|m| m.member).collect();
        row!(rows, groname: &role.name, grosysid: role.oid, grolist: members);
    }
}
