//! `information_schema.constraint_column_usage`: columns of owned tables that constraints use; for a
//! foreign key those it refers to.

use super::table_constraints::constraints;
use crate::model::KeyKind;
use crate::system::definition::{bare_column_name, check_columns};
use crate::system::rows::{Rows, row};
use crate::system::scene::{Constraint, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "constraint_column_usage",
    13300,
    "
    table_catalog name, table_schema name, table_name name, column_name name,
    constraint_catalog name, constraint_schema name, constraint_name name",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for relation in scene.relations() {
        for constraint in constraints(relation) {
            let (table, columns) = match constraint {
                Constraint::Check(check) => (relation, check_columns(relation, &check.expression)),
                Constraint::Key(key) => match &key.kind {
                    KeyKind::Index(_) => continue,
                    KeyKind::Primary | KeyKind::Unique => (relation, key.columns.clone()),
                    KeyKind::Foreign(foreign) => match scene.relation(foreign.relation) {
                        Some(other) => (other, foreign.columns.clone()),
                        None => continue,
                    },
                },
            };
            if !me.is(scene.owner_of(table)) {
                continue;
            }
            for number in columns {
                row!(
                    rows,
                    table_catalog: &scene.database.name,
                    table_schema: scene.schema_name(scene.schema_of(table)),
                    table_name: &table.name,
                    column_name: bare_column_name(table, number),
                    constraint_catalog: &scene.database.name,
                    constraint_schema: scene.schema_name(scene.schema_of(relation)),
                    constraint_name: constraint.name(),
                );
            }
        }
    }
}
