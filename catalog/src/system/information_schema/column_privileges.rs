//! `information_schema.column_privileges`: privileges on columns, by table or by column, that the role gave or was given.

use super::grants::{Grant, grantee, grants};
use super::yes_or_no;
use crate::model::Privileges;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Scene, attributes};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "column_privileges",
    13285,
    "
    grantor name, grantee name, table_catalog name, table_schema name, table_name name,
    column_name name, privilege_type varchar, is_grantable varchar(3)",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let all = Privileges::of_column();
    for relation in scene.relations() {
        let owner = scene.owner_of(relation);
        let whole = grants(scene, scene.acl_of(relation).as_deref(), owner, all, true);
        for column in attributes(relation).iter().filter(|column| !column.dropped) {
            let own = scene.column_acl(relation, column.number, column.acl);
            let own = match &own {
                Some(acl) => grants(scene, Some(acl), owner, all, true),
                None => Vec::new(),
            };
            for Grant { item, privilege } in whole.iter().chain(&own) {
                row!(
                    rows,
                    grantor: scene.role_label(scene.shown(item.grantor)),
                    grantee: grantee(scene, item.grantee),
                    table_catalog: &scene.database.name,
                    table_schema: scene.schema_name(scene.schema_of(relation)),
                    table_name: &relation.name,
                    column_name: column.name.as_ref(),
                    privilege_type: privilege.keyword(),
                    is_grantable: yes_or_no(item.grantable.contains(*privilege)),
                );
            }
        }
    }
}
