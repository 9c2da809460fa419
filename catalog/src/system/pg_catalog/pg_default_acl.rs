//! `pg_default_acl`: what `ALTER DEFAULT PRIVILEGES` set.

use crate::id::Oid;
use crate::model::DefaultAclKind;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_default_acl",
    826,
    r#"
    oid oid, defaclrole oid, defaclnamespace oid, defaclobjtype "char", defaclacl text[]"#,
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for (number, default) in (1u32..).zip(&scene.database.default_acls) {
        row!(
            rows,
            oid: number,
            defaclrole: scene.shown(default.role),
            defaclnamespace: default.schema.unwrap_or(Oid(0)),
            defaclobjtype: match default.kind {
                DefaultAclKind::Table => 'r',
                DefaultAclKind::Function => 'f',
                DefaultAclKind::Schema => 'n',
            },
            defaclacl: scene.acl_texts(Some(&default.acl)),
        );
    }
}
