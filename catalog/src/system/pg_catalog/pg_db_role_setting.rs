//! `pg_db_role_setting`: what `ALTER ROLE … SET` keeps for new sessions.

use super::pg_roles::role_settings;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_db_role_setting",
    2964,
    "
    setdatabase oid, setrole oid, setconfig text[]",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for role in scene.database.roles.values() {
        if let Some(settings) = role_settings(role) {
            row!(rows, setdatabase: 0, setrole: role.oid, setconfig: settings);
        }
    }
}
