//! `pg_am`: access methods, PostgreSQL's names for them.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_am",
    2601,
    r#"
    oid oid, amname name, amhandler regproc, amtype "char""#,
    rows,
);

const METHODS: [(u32, &str, u32, char); 3] = [
    (2, "heap", 3, 't'),
    (403, "btree", 330, 'i'),
    (405, "hash", 331, 'i'),
];

fn rows(_: &Scene, rows: &mut Rows) {
    for (oid, name, handler, kind) in METHODS {
        row!(rows, oid: oid, amname: name, amhandler: handler, amtype: kind);
    }
}
