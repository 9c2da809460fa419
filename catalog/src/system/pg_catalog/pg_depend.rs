//! `pg_depend`: which relations and columns views read, and which indexes belong to which keys.

use crate::id::Oid;
use crate::model::Relation;
use crate::system::oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Scene, index_keys};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_depend",
    2608,
    r#"
    classid oid, objid oid, objsubid int4, refclassid oid, refobjid oid, refobjsubid int4,
    deptype "char""#,
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for (relation, column, number) in scene.relations().flat_map(typed_columns) {
        let from = (oid::PG_CLASS, relation);
        let of = (oid::PG_TYPE, number, 0);
        row!(
            rows,
            classid: from.0,
            objid: from.1,
            objsubid: column,
            refclassid: of.0,
            refobjid: of.1,
            refobjsubid: of.2,
            deptype: 'n',
        );
    }
    for relation in scene.relations() {
        if !relation.references().is_empty() {
            let rule = (oid::PG_REWRITE, relation.oid);
            add(rows, rule, (oid::PG_CLASS, relation.oid, 0), 'i');
            for reference in relation.references() {
                if scene.relation(reference.relation).is_none() {
                    continue;
                }
                for (column, _) in &reference.columns {
                    add(
                        rows,
                        rule,
                        (oid::PG_CLASS, reference.relation, *column),
                        'n',
                    );
                }
            }
        }
        if let Some((table, column)) = relation.sequence().and_then(|s| s.owned_by) {
            let kind = match relation.sequence().is_some_and(|s| scene.is_of_identity(s)) {
                true => 'i',
                false => 'a',
            };
            let from = (oid::PG_CLASS, relation.oid);
            add(rows, from, (oid::PG_CLASS, table, column), kind);
        }
        for key in index_keys(relation) {
            if key.index().is_some() {
                for column in &key.columns {
                    let index = (oid::PG_CLASS, key.oid);
                    add(rows, index, (oid::PG_CLASS, relation.oid, *column), 'a');
                }
                continue;
            }
            let constraint = (oid::PG_CONSTRAINT, key.oid);
            add(
                rows,
                (oid::PG_CLASS, key.oid),
                (oid::PG_CONSTRAINT, key.oid, 0),
                'i',
            );
            for column in &key.columns {
                add(
                    rows,
                    constraint,
                    (oid::PG_CLASS, relation.oid, *column),
                    'a',
                );
            }
        }
    }
}

/// The columns of a table that have a user's type.
fn typed_columns(relation: &Relation) -> impl Iterator<Item = (Oid, i16, Oid)> {
    let columns = relation.table().into_iter().flat_map(|t| t.live_columns());
    columns.filter_map(|column| {
        let number = column.domain.or_else(|| column.sql_type.enum_oid())?;
        Some((relation.oid, column.number, number))
    })
}

fn add(rows: &mut Rows, from: (u32, Oid), to: (u32, Oid, i16), kind: char) {
    row!(
        rows,
        classid: from.0,
        objid: from.1,
        objsubid: 0,
        refclassid: to.0,
        refobjid: to.1,
        refobjsubid: to.2,
        deptype: kind,
    );
}
