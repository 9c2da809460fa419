//! `information_schema.table_constraints`: keys, checks and NOT NULLs of tables that the role owns
//! or may do more with than read.

use super::yes_or_no;
use crate::model::{KeyKind, Relation};
use crate::system::rows::{Rows, row};
use crate::system::scene::{Constraint, Scene, attributes};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "table_constraints",
    13411,
    "
    constraint_catalog name, constraint_schema name, constraint_name name, table_catalog name,
    table_schema name, table_name name, constraint_type varchar, is_deferrable varchar(3),
    initially_deferred varchar(3), enforced varchar(3), nulls_distinct varchar(3)",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for relation in scene
        .relations()
        .filter(|relation| changes(scene, relation))
        .collect::<Vec<_>>()
    {
        if !rows.may_have("table_name", &relation.name) {
            continue;
        }
        for constraint in constraints(relation) {
            let (kind, enforced) = match constraint {
                Constraint::Check(_) => ("CHECK", true),
                Constraint::Key(key) => match key.kind {
                    KeyKind::Primary => ("PRIMARY KEY", key.enforced),
                    KeyKind::Unique => ("UNIQUE", key.enforced),
                    KeyKind::Foreign(_) => ("FOREIGN KEY", key.enforced),
                    KeyKind::Index(_) => continue,
                },
            };
            let unique = matches!(kind, "UNIQUE");
            let deferred = match constraint {
                Constraint::Key(key) => key.foreign().map(|f| (f.deferrable, f.deferred)),
                Constraint::Check(_) => None,
            };
            let deferred = deferred.unwrap_or_default();
            add(
                scene,
                rows,
                relation,
                (constraint.name(), kind),
                (enforced, unique, deferred),
            );
        }
        for name in not_nulls(scene, relation).into_iter().map(|found| found.0) {
            add(
                scene,
                rows,
                relation,
                (&name, "CHECK"),
                (true, false, (false, false)),
            );
        }
    }
}

fn add(
    scene: &Scene,
    rows: &mut Rows,
    relation: &Relation,
    (name, kind): (&str, &str),
    (enforced, unique, deferred): (bool, bool, (bool, bool)),
) {
    let schema = scene.schema_name(scene.schema_of(relation));
    row!(
        rows,
        constraint_catalog: &scene.database.name,
        constraint_schema: schema,
        constraint_name: name,
        table_catalog: &scene.database.name,
        table_schema: schema,
        table_name: &relation.name,
        constraint_type: kind,
        is_deferrable: yes_or_no(deferred.0),
        initially_deferred: yes_or_no(deferred.1),
        enforced: yes_or_no(enforced),
        nulls_distinct: unique.then_some("YES"),
    );
}

/// Whether the role owns the table or has a right on it beyond SELECT.
pub(super) fn changes(scene: &Scene, relation: &Relation) -> bool {
    use crate::model::Privilege::Select;
    let me = scene.me();
    let class = crate::system::scene::Class::Relation(relation);
    let held = scene.held_on_any_column(&me, class).privileges;
    me.is(scene.owner_of(relation)) || held.iter().any(|privilege| privilege != Select)
}

/// A table's keys and checks.
pub(super) fn constraints(relation: &Relation) -> impl Iterator<Item = Constraint<'_>> {
    relation.table().into_iter().flat_map(|table| {
        let checks = table.checks.iter().map(Constraint::Check);
        table.keys.iter().map(Constraint::Key).chain(checks)
    })
}

/// Names and conditions of the checks that stand for NOT NULL, with PostgreSQL's way to name them.
pub(super) fn not_nulls(scene: &Scene, relation: &Relation) -> Vec<(String, String)> {
    if relation.table().is_none() {
        return Vec::new();
    }
    let columns = attributes(relation);
    let held = columns
        .iter()
        .filter(|column| column.not_null && !column.dropped);
    held.map(|column| {
        let (schema, number) = (scene.schema_of(relation), column.number);
        let name = format!("{schema}_{}_{number}_not_null", relation.oid);
        (name, format!("{} IS NOT NULL", column.name))
    })
    .collect()
}
