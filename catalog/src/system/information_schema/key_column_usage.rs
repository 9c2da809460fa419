//! `information_schema.key_column_usage`: columns of keys, of tables that the role may use.

use crate::model::{KeyKind, Privileges, Relation};
use crate::system::rows::{Rows, row};
use crate::system::scene::{Scene, attributes};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "key_column_usage",
    13329,
    "
    constraint_catalog name, constraint_schema name, constraint_name name, table_catalog name,
    table_schema name, table_name name, column_name name, ordinal_position int4,
    position_in_unique_constraint int4",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for relation in scene.relations() {
        let Some(table) = relation.table() else {
            continue;
        };
        if table.keys.is_empty() || !rows.may_have("table_name", &relation.name) {
            continue;
        }
        let owns = me.is(scene.owner_of(relation));
        let schema = scene.schema_name(scene.schema_of(relation));
        let columns = attributes(relation);
        for key in table.keys.iter().filter(|key| key.is_constraint()) {
            for (position, number) in (1i64..).zip(&key.columns) {
                let Some(column) = columns.iter().find(|column| column.number == *number) else {
                    continue;
                };
                let held = scene.held_on_column(&me, relation, column).privileges;
                if !owns && held.intersection(Privileges::of_column()).is_empty() {
                    continue;
                }
                row!(
                    rows,
                    constraint_catalog: &scene.database.name,
                    constraint_schema: schema,
                    constraint_name: &key.name,
                    table_catalog: &scene.database.name,
                    table_schema: schema,
                    table_name: &relation.name,
                    column_name: column.name.as_ref(),
                    ordinal_position: position,
                    position_in_unique_constraint: match &key.kind {
                        KeyKind::Foreign(foreign) => {
                            let columns = &foreign.columns;
                            let theirs = columns.get(position as usize - 1);
                            position_in(scene.relation(foreign.relation), columns, theirs)
                        }
                        KeyKind::Primary | KeyKind::Unique | KeyKind::Index(_) => None,
                    },
                );
            }
        }
    }
}

/// Where a referenced column stands in the other table's key over the same columns.
fn position_in(other: Option<&Relation>, columns: &[i16], column: Option<&i16>) -> Option<i64> {
    let keys = &other?.table()?.keys;
    let same = |numbers: &[i16]| {
        numbers.len() == columns.len() && numbers.iter().all(|number| columns.contains(number))
    };
    let key = keys
        .iter()
        .find(|key| key.is_unique() && same(&key.columns))?;
    let place = key
        .columns
        .iter()
        .position(|number| Some(number) == column)?;
    i64::try_from(place + 1).ok()
}
