//! `pg_index`: indexes, and those that stand for primary and unique keys.

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
)
.found_by(&["indexrelid", "indrelid"]);

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
    let attributes = attributes(relation);
    let sql_type = |number: i16| {
        let column = attributes.iter().find(|column| column.number == number);
        column.map(|column| column.sql_type)
    };
    let index = key.index();
    let keyed: Vec<i16> = match index {
        Some(index) => index.parts.iter().map(|part| part.column).collect(),
        None => key.columns.clone(),
    };
    let included = index.map_or(&[][..], |index| &index.include);
    let all: Vec<i16> = keyed.iter().chain(included).copied().collect();
    let options = match index {
        Some(index) => index.parts.iter().map(|part| part.option()).collect(),
        None => vec![0_i16; keyed.len()],
    };
    let expressions = index.map(|index| {
        let parts = index
            .parts
            .iter()
            .filter_map(|part| part.expression.clone());
        parts.collect::<Vec<_>>().join(", ")
    });
    row!(
        rows,
        indexrelid: key.oid,
        indrelid: relation.oid,
        indnatts: all.len() as i64,
        indnkeyatts: keyed.len() as i64,
        indisunique: key.is_unique(),
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
        indkey: all,
        indcollation: keyed
            .iter()
            .map(|number| sql_type(*number).map_or(0, oid::collation))
            .collect::<Vec<_>>(),
        indclass: keyed
            .iter()
            .map(|number| sql_type(*number).map_or(0, oid::operator_class))
            .collect::<Vec<_>>(),
        indoption: options,
        indexprs: expressions.filter(|text| !text.is_empty()),
        indpred: index.and_then(|index| index.predicate.clone()),
    );
}
