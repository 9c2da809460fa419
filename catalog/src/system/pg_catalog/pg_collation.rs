//! `pg_collation`: texts are compared by their bytes, under three names.

use crate::id::Oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_collation",
    3456,
    r#"
    oid oid, collname name, collnamespace oid, collowner oid, collprovider "char",
    collisdeterministic bool, collencoding int4, collcollate text, collctype text,
    colliculocale text, collversion text"#,
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for (oid, name, provider) in [(100, "default", 'd'), (950, "C", 'c'), (951, "POSIX", 'c')] {
        row!(
            rows,
            oid: oid,
            collname: name,
            collnamespace: Oid::PG_CATALOG,
            collowner: scene.bootstrap_role(),
            collprovider: provider,
            collisdeterministic: true,
            collencoding: -1,
            collcollate: (provider == 'c').then_some(name),
            collctype: (provider == 'c').then_some(name),
        );
    }
}
