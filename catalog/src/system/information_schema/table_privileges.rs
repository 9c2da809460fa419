//! `information_schema.table_privileges`: privileges on tables that the role gave or was given, PUBLIC's included.

use super::grants::{Grant, grantee, grants};
use super::yes_or_no;
use crate::model::{Privilege, Privileges};
use crate::system::access::acl_of_system_table;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "table_privileges",
    13416,
    "
    grantor name, grantee name, table_catalog name, table_schema name, table_name name,
    privilege_type varchar, is_grantable varchar(3), with_hierarchy varchar(3)",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for class in scene.classes() {
        let acl = match class {
            Class::Relation(relation) => scene.acl_of(relation).map(|acl| acl.into_owned()),
            Class::System(table) => Some(acl_of_system_table(scene.bootstrap_role(), table.name)),
            Class::Index(..) => continue,
        };
        let owner = class.owner(scene);
        for Grant { item, privilege } in
            grants(scene, acl.as_ref(), owner, Privileges::of_table(), true)
        {
            row!(
                rows,
                grantor: scene.role_label(scene.shown(item.grantor)),
                grantee: grantee(scene, item.grantee),
                table_catalog: &scene.database.name,
                table_schema: scene.schema_name(class.schema(scene)),
                table_name: class.name(),
                privilege_type: privilege.keyword(),
                is_grantable: yes_or_no(item.grantable.contains(privilege)),
                with_hierarchy: yes_or_no(privilege == Privilege::Select),
            );
        }
    }
}
