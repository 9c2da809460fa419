//! `pg_attrdef`: columns' defaults.

use crate::id::Oid;
use crate::model::Relation;
use crate::system::oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Scene, attributes};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_attrdef",
    2604,
    "
    oid oid, adrelid oid, adnum int2, adbin text",
    rows,
)
.found_by(&["adrelid"]);

fn rows(scene: &Scene, rows: &mut Rows) {
    match rows.numbers("adrelid") {
        Some(numbers) => {
            for relation in numbers.iter().filter_map(|n| scene.relation(Oid(*n))) {
                add(scene, rows, relation);
            }
        }
        None => {
            for relation in scene.relations() {
                add(scene, rows, relation);
            }
        }
    }
}

fn add(scene: &Scene, rows: &mut Rows, relation: &Relation) {
    let columns = attributes(relation);
    for column in columns.iter().filter(|column| !column.dropped) {
        if let Some(text) = column.default {
            row!(
                rows,
                oid: oid::default(relation.oid, column.number),
                adrelid: relation.oid,
                adnum: column.number,
                adbin: scene.default_text(text, column.sql_type, &columns),
            );
        }
    }
}
