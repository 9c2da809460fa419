//! `pg_namespace`: schemas.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_namespace",
    2615,
    "
    oid oid, nspname name, nspowner oid, nspacl text[]",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for schema in scene.namespaces() {
        row!(
            rows,
            oid: schema.oid,
            nspname: schema.name,
            nspowner: schema.owner,
            nspacl: scene.acl_texts(schema.acl.as_deref()),
        );
    }
}
