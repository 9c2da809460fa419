//! `pg_authid`: roles, for superusers alone; how passwords are kept is never shown.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_authid",
    1260,
    "
    oid oid, rolname name, rolsuper bool, rolinherit bool, rolcreaterole bool, rolcreatedb bool,
    rolcanlogin bool, rolreplication bool, rolbypassrls bool, rolconnlimit int4, rolpassword text,
    rolvaliduntil timestamptz",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    if !scene.superuser {
        return;
    }
    for role in scene.all_roles() {
        row!(
            rows,
            oid: role.oid,
            rolname: &role.name,
            rolsuper: role.superuser,
            rolinherit: role.inherit,
            rolcreaterole: role.create_role,
            rolcreatedb: role.create_db,
            rolcanlogin: role.login,
            rolreplication: false,
            rolbypassrls: role.bypass_rls,
            rolconnlimit: role.connection_limit,

            rolvaliduntil: role.valid_until,

        );
    }
}
