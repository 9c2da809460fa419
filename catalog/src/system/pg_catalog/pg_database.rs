//! `pg_database`: a tenant sees its own database alone, an operator all.

use crate::id::Oid;
use crate::system::oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_database",
    1262,
    r#"
    oid oid, datname name, datdba oid, encoding int4, datlocprovider "char", datistemplate bool,
    datallowconn bool, datconnlimit int4, datfrozenxid int8, datminmxid int8, dattablespace oid,
    datcollate text, datctype text, daticulocale text, datcollversion text, datacl text[]"#,
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let acl = scene.acl_texts(scene.database_acl().as_ref());
    let own = (scene.database_oid(), scene.database.name.as_str());
    add(rows, own, scene.database_owner(), false, acl);
    if scene.in_tenant() {
        return;
    }
    for tenant in scene.system.tenants.values() {
        let acl = scene.acl_texts(tenant.acl.as_ref());
        add(
            rows,
            (tenant.oid, tenant.name.as_str()),
            Oid::OPERATOR,
            tenant.suspended,
            acl,
        );
    }
}

fn add(
    rows: &mut Rows,
    (number, name): (Oid, &str),
    owner: Oid,
    suspended: bool,
    acl: Option<Vec<String>>,
) {
    row!(
        rows,
        oid: number,
        datname: name,
        datdba: owner,
        encoding: 6,
        datlocprovider: 'c',
        datistemplate: false,
        datallowconn: !suspended,
        datconnlimit: -1,
        datfrozenxid: 0,
        datminmxid: 0,
        dattablespace: oid::DEFAULT_TABLESPACE,
        datcollate: "C",
        datctype: "C",
        datacl: acl,
    );
}
