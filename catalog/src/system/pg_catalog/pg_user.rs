//! `pg_user`: roles that can log in.

use super::pg_roles::role_settings;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_user",
    12014,
    "
    usename name, usesysid oid, usecreatedb bool, usesuper bool, userepl bool, usebypassrls bool,
    passwd text, valuntil timestamptz, useconfig text[]",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for role in scene.all_roles().iter().filter(|role| role.login) {
        row!(
            rows,
            usename: &role.name,
            usesysid: role.oid,
            usecreatedb: role.create_db,
            usesuper: role.superuser,
            userepl: false,
            usebypassrls: role.bypass_rls,
            passwd: "********",
            valuntil: role.valid_until,
            useconfig: role_settings(role),
        );
    }
}
