//! `pg_index`: the indexes that stand for primary and unique keys.

use crate::id::Oid;
use crate::model::{Key, KeyKind, Relation};
use crate::system::oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene, attributes, index_keys};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_index",
    2610,
    "
    indexrelid oid, indrelid oid, indnatts int2, indnkeyatts int2, indisunique bool,
    indnullsnotdistinct bool, indisprimary bool, indisexclusion bool, indimmediate bool,
    indisclustered bool, indisvalid bool, indcheckxmin bool, indisready bool, indislive bool,
    indisreplident bool, indkey int2vector, indcollation oidvector, indclass oidvector,
    indoption int2vector, indexprs text, indpred text",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    if let Some(numbers) = rows.numbers("indexrelid") {
        for class in numbers.iter().filter_map(|n| scene.class(Oid(*n))) {
            if let Class::Index(relation, key) = class {
                add(rows, relation, key);
            }
        }
    } else if let Some(numbers) = rows.numbers("indrelid") {
        for relation in numbers.iter().filter_map(|n| scene.relation(Oid(*n))) {
            index_keys(relation).for_each(|key| add(rows, relation, key));
        }
    } else {
        for relation in scene.relations() {
            index_keys(relation).for_each(|key| add(rows, relation, key));
        }
    }
}

fn add(rows: &mut Rows, relation: &Relation, key: &Key) {
    let types = || {
        let columns = attributes(relation);
        let of = |n: &i16| {
            columns
                .iter()
                .find(|c| c.number == *n)
                .map(|c| c.sql_type.clone())
        };
        key.columns.iter().filter_map(of).collect::<Vec<_>>()
    };
    row!(
        rows,
        indexrelid: key.oid,
        indrelid: relation.oid,
        indnatts: key.columns.len() as i64,
        indnkeyatts: key.columns.len() as i64,
        indisunique: true,
        indnullsnotdistinct: key.nulls_not_distinct,
        indisprimary: key.kind == KeyKind::Primary,
        indisexclusion: false,
        indimmediate: true,
        indisclustered: false,
        indisvalid: true,
        indcheckxmin: false,
        indisready: true,
        indislive: true,
        indisreplident: false,
        indkey: key.columns.clone(),
        indcollation: types().iter().map(oid::collation).collect::<Vec<_>>(),
        indclass: types().iter().map(oid::operator_class).collect::<Vec<_>>(),
        indoption: vec![0i16; key.columns.len()],
    );
}
