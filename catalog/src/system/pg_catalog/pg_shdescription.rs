//! `pg_shdescription`: comments on roles and databases.

use crate::system::oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_shdescription",
    2396,
    "
    objoid oid, classoid oid, description text",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for (object, class, text) in shared_comments(scene) {
        row!(rows, objoid: object, classoid: class, description: text);
    }
}

/// Number, catalog and text of every comment on a role or database.
pub(in crate::system) fn shared_comments(scene: &Scene) -> Vec<(u32, u32, &str)> {
    let roles = scene
        .database
        .roles
        .values()
        .filter_map(|role| Some((role.oid.0, oid::PG_AUTHID, role.comment.as_deref()?)));
    let mut all: Vec<(u32, u32, &str)> = roles.collect();
    match scene.database.id.tenant() {
        Some(id) => {
            let comment = scene
                .system
                .tenants
                .get(&id)
                .and_then(|tenant| tenant.comment.as_deref());
            all.extend(comment.map(|text| (scene.database_oid().0, oid::PG_DATABASE, text)));
        }
        None => all.extend(scene.system.tenants.values().filter_map(|tenant| {
            Some((tenant.oid.0, oid::PG_DATABASE, tenant.comment.as_deref()?))
        })),
    }
    all
}
