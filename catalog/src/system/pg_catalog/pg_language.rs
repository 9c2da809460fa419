//! `pg_language`: PostgreSQL's three built-in languages; functions here are `internal`.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_language",
    2612,
    "
    oid oid, lanname name, lanowner oid, lanispl bool, lanpltrusted bool, lanplcallfoid oid,
    laninline oid, lanvalidator oid, lanacl text[]",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for (oid, name, validator) in [(12, "internal", 2246), (13, "c", 2247), (14, "sql", 2248)] {
        row!(
            rows,
            oid: oid,
            lanname: name,
            lanowner: scene.bootstrap_role(),
            lanispl: false,
            lanpltrusted: name == "sql",
            lanplcallfoid: 0,
            laninline: 0,
            lanvalidator: validator,
        );
    }
}
