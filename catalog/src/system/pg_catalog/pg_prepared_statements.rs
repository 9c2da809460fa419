//! `pg_prepared_statements`: the session's own.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_prepared_statements",
    12095,
    "
    name text, statement text, prepare_time timestamptz, parameter_types regtype[], from_sql bool,
    generic_plans int8, custom_plans int8",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for prepared in scene.prepared.iter() {
        row!(
            rows,
            name: &prepared.name,
            statement: &prepared.statement,
            prepare_time: prepared.prepare_time,
            parameter_types: prepared.parameter_types.iter().map(|t| t.oid()).collect::<Vec<_>>(),
            from_sql: prepared.from_sql,
            generic_plans: 0,
            custom_plans: 0,
        );
    }
}
