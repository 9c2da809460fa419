//! `information_schema.applicable_roles`: memberships whose rights the role has.

use super::yes_or_no;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "applicable_roles",
    13236,
    "
    grantee name, role_name name, is_grantable varchar(3)",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for membership in &scene.database.memberships {
        if me.is(membership.member) {
            row!(
                rows,
                grantee: scene.role_label(membership.member),
                role_name: scene.role_label(membership.role),
                is_grantable: yes_or_no(membership.admin_option),
            );
        }
    }
}
