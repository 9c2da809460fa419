//! `pg_description`: comments on the database's own objects.

use crate::id::Oid;
use crate::model::Relation;
use crate::system::oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Scene, attributes};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_description",
    2609,
    "
    objoid oid, classoid oid, objsubid int4, description text",
    rows,
)
.found_by(&["objoid"]);

fn rows(scene: &Scene, rows: &mut Rows) {
    match rows.numbers("objoid") {
        Some(numbers) => {
            for relation in numbers.iter().filter_map(|n| scene.relation(Oid(*n))) {
                of_relation(rows, relation);
            }
        }
        None => {
            for relation in scene.relations() {
                of_relation(rows, relation);
            }
        }
    }
    for schema in scene.namespaces() {
        add(rows, schema.oid.0, oid::PG_NAMESPACE, 0, schema.comment);
    }
    for user_type in scene.user_types() {
        let text = user_type.comment.as_deref();
        add(rows, user_type.oid.0, oid::PG_TYPE, 0, text);
    }
    for function in scene.functions.iter() {
        add(
            rows,
            function.oid,
            oid::PG_PROC,
            0,
            function.comment.as_deref(),
        );
    }
}

fn of_relation(rows: &mut Rows, relation: &Relation) {
    add(
        rows,
        relation.oid.0,
        oid::PG_CLASS,
        0,
        relation.comment.as_deref(),
    );
    for column in attributes(relation).iter().filter(|column| !column.dropped) {
        add(
            rows,
            relation.oid.0,
            oid::PG_CLASS,
            column.number,
            column.comment,
        );
    }
}

fn add(rows: &mut Rows, object: u32, class: u32, column: i16, text: Option<&str>) {
    if let Some(text) = text {
        row!(rows, objoid: object, classoid: class, objsubid: column, description: text);
    }
}
