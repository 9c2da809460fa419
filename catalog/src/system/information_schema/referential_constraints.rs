//! `information_schema.referential_constraints`: foreign keys of tables that the role may change.

use super::table_constraints::changes;
use crate::model::KeyKind;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "referential_constraints",
    13339,
    "
    constraint_catalog name, constraint_schema name, constraint_name name,
    unique_constraint_catalog name, unique_constraint_schema name, unique_constraint_name name,
    match_option varchar, update_rule varchar, delete_rule varchar",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for relation in scene
        .relations()
        .filter(|relation| changes(scene, relation))
    {
        let Some(table) = relation.table() else {
            continue;
        };
        for key in &table.keys {
            let KeyKind::Foreign(foreign) = &key.kind else {
                continue;
            };
            let target = scene
                .referenced_key(foreign.relation, &foreign.columns)
                .and_then(|oid| scene.class(oid));
            let target_name = match target {
                Some(Class::Index(_, key)) => Some(&key.name),
                _ => None,
            };
            row!(
                rows,
                constraint_catalog: &scene.database.name,
                constraint_schema: scene.schema_name(scene.schema_of(relation)),
                constraint_name: &key.name,
                unique_constraint_catalog: target_name.map(|_| &scene.database.name),
                unique_constraint_schema: target.and_then(|t| scene.schema_name(t.schema(scene))),
                unique_constraint_name: target_name,
                match_option: if foreign.match_full { "FULL" } else { "NONE" },
                update_rule: foreign.on_update.keyword(),
                delete_rule: foreign.on_delete.keyword(),
            );
        }
    }
}
