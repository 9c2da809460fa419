//! `pg_opfamily`: the families of the operator classes.

use crate::id::Oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_opfamily",
    2753,
    "
    oid oid, opfmethod oid, opfname name, opfnamespace oid, opfowner oid",
    rows,
);

const FAMILIES: [(u32, &str); 15] = [
    (424, "bool_ops"),
    (426, "bpchar_ops"),
    (428, "bytea_ops"),
    (429, "char_ops"),
    (434, "datetime_ops"),
    (1970, "float_ops"),
    (1976, "integer_ops"),
    (1982, "interval_ops"),
    (1988, "numeric_ops"),
    (1989, "oid_ops"),
    (1994, "text_ops"),
    (1996, "time_ops"),
    (2000, "timetz_ops"),
    (2968, "uuid_ops"),
    (4033, "jsonb_ops"),
];

fn rows(scene: &Scene, rows: &mut Rows) {
    for (oid, name) in FAMILIES {
        row!(
            rows,
            oid: oid,
            opfmethod: crate::system::oid::BTREE,
            opfname: name,
            opfnamespace: Oid::PG_CATALOG,
            opfowner: scene.bootstrap_role(),
        );
    }
}
