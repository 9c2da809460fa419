//! `pg_opclass`: the default btree operator classes of the types.

use crate::id::Oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_opclass",
    2616,
    "
    oid oid, opcmethod oid, opcname name, opcnamespace oid, opcowner oid, opcfamily oid,
    opcintype oid, opcdefault bool, opckeytype oid",
    rows,
);

/// Number, name, family and type.
const CLASSES: [(u32, &str, u32, u32); 21] = [
    (1978, "int4_ops", 1976, 23),
    (1979, "int2_ops", 1976, 21),
    (1981, "oid_ops", 1989, 26),
    (3122, "date_ops", 434, 1082),
    (3123, "float8_ops", 1970, 701),
    (3124, "int8_ops", 1976, 20),
    (3125, "numeric_ops", 1988, 1700),
    (3126, "text_ops", 1994, 25),
    (3127, "timestamptz_ops", 434, 1184),
    (3128, "timestamp_ops", 434, 1114),
    (10003, "bool_ops", 424, 16),
    (10004, "bpchar_ops", 426, 1042),
    (10006, "bytea_ops", 428, 17),
    (10007, "char_ops", 429, 18),
    (10012, "float4_ops", 1970, 700),
    (10022, "interval_ops", 1982, 1186),
    (10028, "name_ops", 1994, 19),
    (10038, "time_ops", 1996, 1083),
    (10041, "timetz_ops", 2000, 1266),
    (10065, "uuid_ops", 2968, 2950),
    (10088, "jsonb_ops", 4033, 3802),
];

fn rows(scene: &Scene, rows: &mut Rows) {
    for (oid, name, family, sql_type) in CLASSES {
        row!(
            rows,
            oid: oid,
            opcmethod: crate::system::oid::BTREE,
            opcname: name,
            opcnamespace: Oid::PG_CATALOG,
            opcowner: scene.bootstrap_role(),
            opcfamily: family,
            opcintype: sql_type,
            opcdefault: true,
            opckeytype: 0,
        );
    }
}
