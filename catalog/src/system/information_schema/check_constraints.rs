//! `information_schema.check_constraints`: checks and NOT NULLs of tables that the role owns.

use super::table_constraints::not_nulls;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;
use crate::system::types::shown_condition;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "check_constraints",
    13260,
    "
    constraint_catalog name, constraint_schema name, constraint_name name, check_clause varchar",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for relation in scene
        .relations()
        .filter(|relation| me.is(scene.owner_of(relation)))
    {
        let Some(table) = relation.table() else {
            continue;
        };
        let checks = table
            .checks
            .iter()
            .map(|c| (c.name.clone(), scene.check_clause(relation, c)));
        for (name, clause) in checks.chain(not_nulls(scene, relation)) {
            row!(
                rows,
                constraint_catalog: &scene.database.name,
                constraint_schema: scene.schema_name(scene.schema_of(relation)),
                constraint_name: name,
                check_clause: clause,
            );
        }
    }
    for (user_type, check) in scene.domain_checks() {
        if !me.is(scene.shown(user_type.owner)) {
            continue;
        }
        let condition = shown_condition(&scene.with_type_names(&check.expression));
        row!(
            rows,
            constraint_catalog: &scene.database.name,
            constraint_schema: scene.schema_name(scene.schema_of_type(user_type)),
            constraint_name: &check.name,
            check_clause: format!("({condition})"),
        );
    }
}
