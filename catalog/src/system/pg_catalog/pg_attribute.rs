//! `pg_attribute`: columns of tables, views, indexes and the system relations.

use crate::id::Oid;
use crate::model::Identity;
use crate::sql_type::SqlType;
use crate::system::oid;
use crate::system::pg_catalog::pg_type::TypeFacts;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Attribute, Class, Scene, attributes};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_attribute",
    1249,
    r#"
    attrelid oid, attname name, atttypid oid, attstattarget int4, attlen int2, attnum int2,
    attndims int4, attcacheoff int4, atttypmod int4, attbyval bool, attalign "char",
    attstorage "char", attcompression "char", attnotnull bool, atthasdef bool, atthasmissing bool,
    attidentity "char", attgenerated "char", attisdropped bool, attislocal bool, attinhcount int4,
    attcollation oid, attacl text[], attoptions text[], attfdwoptions text[], attmissingval text"#,
    rows,
)
.found_by(&["attrelid"]);

fn rows(scene: &Scene, rows: &mut Rows) {
    match rows.numbers("attrelid") {
        Some(numbers) => {
            for class in numbers
                .into_iter()
                .filter_map(|number| scene.class(Oid(number)))
            {
                add_all(scene, rows, class);
            }
        }
        None => {
            for class in scene.classes() {
                add_all(scene, rows, class);
            }
        }
    }
}

fn add_all(scene: &Scene, rows: &mut Rows, class: Class<'_>) {
    match class {
        Class::Relation(relation) => {
            for column in attributes(relation) {
                let acl = scene.column_acl(relation, column.number, column.acl);
                add(rows, relation.oid, &column, scene.acl_texts(acl.as_deref()));
            }
        }
        Class::Index(relation, key) => {
            let columns = attributes(relation);
            let keyed = key
                .columns
                .iter()
                .filter_map(|n| columns.iter().find(|c| c.number == *n));
            for (number, column) in (1..).zip(keyed) {
                let column = Attribute {
                    number,
                    not_null: false,
                    default: None,
                    ..column.clone()
                };
                add(rows, key.oid, &column, None);
            }
        }
        Class::System(table) => {
            for (number, column) in (1..).zip(table.columns()) {
                let column = Attribute {
                    number,
                    name: column.name.into(),
                    sql_type: &column.sql_type,
                    domain: None,
                    fraction: None,
                    not_null: false,
                    default: None,
                    identity: None,
                    draws: None,
                    generated: false,
                    missing_default: None,
                    acl: None,
                    comment: None,
                    dropped: false,
                };
                add(rows, Oid(table.oid), &column, None);
            }
        }
    }
}

fn add(rows: &mut Rows, relation: Oid, column: &Attribute<'_>, acl: Option<Vec<String>>) {
    let sql_type = column.sql_type;
    let facts = TypeFacts::of(sql_type);
    row!(
        rows,
        attrelid: relation,
        attname: column.name.as_ref(),
        atttypid: match column.domain {
            _ if column.dropped => Oid(0),
            Some(domain) => domain,
            None => Oid(sql_type.oid()),
        },
        attstattarget: if column.dropped { 0 } else { -1 },
        attlen: sql_type.typlen(),
        attnum: column.number,
        attndims: i32::from(matches!(sql_type, SqlType::Array(_))),
        attcacheoff: -1,
        // A domain keeps its own limits.
        atttypmod: match (column.domain, column.fraction) {
            (Some(_), _) => -1,
            // The upper half tells the fields that an interval keeps: all.
            (None, Some(digits)) if *sql_type == SqlType::Interval => {
                0x7fff << 16 | i32::from(digits)
            }
            (None, Some(digits)) => i32::from(digits),
            (None, None) => sql_type.typmod(),
        },
        attbyval: facts.by_value,
        attalign: facts.align,
        attstorage: facts.storage,
        attcompression: "",
        attnotnull: column.not_null && !column.dropped,
        atthasdef: column.default.is_some() && !column.dropped,
        atthasmissing: column.missing_default.is_some(),
        attidentity: match column.identity {
            Some(Identity::Always) => "a",
            Some(Identity::ByDefault) => "d",
            None => "",
        },
        attgenerated: if column.generated { "s" } else { "" },
        attisdropped: column.dropped,
        attislocal: true,
        attinhcount: 0,
        attcollation: if column.dropped { 0 } else { oid::collation(sql_type) },
        attacl: acl,
    );
}
