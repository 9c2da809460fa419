//! `pg_roles`: roles, for everyone.

use crate::model::Role;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_roles",
    12000,
    "
    rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool,
    rolcanlogin bool, rolreplication bool, rolconnlimit int4, rolpassword text,
    rolvaliduntil timestamptz, rolbypassrls bool, rolconfig text[], oid oid",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for role in scene.all_roles() {
        row!(
            rows,

            rolname: &role.name,
            rolsuper: role.superuser,
            rolinherit: role.inherit,
            rolcreaterole: role.create_role,
            rolcreatedb: role.create_db,
            rolcanlogin: role.login,
            rolreplication: false,

            rolconnlimit: role.connection_limit,
            rolpassword: "********",
            rolvaliduntil: role.valid_until,
            rolbypassrls: role.bypass_rls,
            rolconfig: role_settings(&role),
            oid: role.oid,
        );
    }
}

/// What `ALTER ROLE … SET` keeps, as PostgreSQL writes it; `None` if there is nothing.
pub(super) fn role_settings(role: &Role) -> Option<Vec<String>> {
    let all: Vec<String> = role
        .settings
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    (!all.is_empty()).then_some(all)
}
