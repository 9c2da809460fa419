//! `pg_tablespace`: PostgreSQL's two; where rows lie is the server's affair.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_tablespace",
    1213,
    "
    oid oid, spcname name, spcowner oid, spcacl text[], spcoptions text[]",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for (oid, name) in [(1663, "pg_default"), (1664, "pg_global")] {
        row!(rows, oid: oid, spcname: name, spcowner: scene.bootstrap_role());
    }
}
