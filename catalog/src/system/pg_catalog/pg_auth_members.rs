//! `pg_auth_members`: who is a member of which role.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_auth_members",
    1261,
    "
    roleid oid, member oid, grantor oid, admin_option bool",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for membership in &scene.database.memberships {
        row!(
            rows,
            roleid: membership.role,
            member: membership.member,
            grantor: scene.shown(membership.grantor),
            admin_option: membership.admin_option,
        );
    }
}
