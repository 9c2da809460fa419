//! `tessera.masking_policies` and `tessera.column_masks`: what stands in place of which columns.

use crate::id::Oid;
use crate::model::PolicyRole;
use crate::system::rows::{Rows, Value, row};
use crate::system::scene::{Class, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static MASKING_POLICIES: SystemTable = SystemTable::view(
    "tessera",
    "masking_policies",
    13_100,
    "
    oid oid, policyname name, policyowner name, kind text, mask text, roles name[],
    except_roles name[]",
    policies,
);

pub(in crate::system) static COLUMN_MASKS: SystemTable = SystemTable::view(
    "tessera",
    "column_masks",
    13_101,
    "
    schemaname name, tablename name, columnname name, policyname name, kind text",
    columns,
);

fn policies(scene: &Scene, rows: &mut Rows) {
    for policy in scene.database.masking_policies.values() {
        row!(
            rows,
            oid: policy.oid,
            policyname: &policy.name,
            policyowner: scene.role_label(policy.owner),
            kind: policy.mask.keyword(),
            mask: policy.mask.to_string(),
            roles: roles(scene, &policy.roles),
            except_roles: roles(scene, &policy.except),
        );
    }
}

fn columns(scene: &Scene, rows: &mut Rows) {
    for (relation, secured) in scene.secured() {
        for masked in &secured.masks {
            let mut live = relation.table().into_iter().flat_map(|t| t.live_columns());
            let column = live.find(|column| column.number == masked.column);
            let policy = scene.database.masking_policies.get(&masked.policy);
            let (Some(column), Some(policy)) = (column, policy) else {
                continue;
            };
            let class = Class::Relation(relation);
            row!(
                rows,
                schemaname: scene.schema_name(class.schema(scene)),
                tablename: &relation.name,
                columnname: &column.name,
                policyname: &policy.name,
                kind: policy.mask.keyword(),
            );
        }
    }
}

/// The names of a policy's roles; those of tenants with their tenant.
pub(in crate::system) fn roles<'a>(scene: &'a Scene, roles: &[PolicyRole]) -> Vec<Value<'a>> {
    let named = roles.iter().map(|of| {
        let tenant = of.tenant.map(|tenant| scene.database.tenants.get(&tenant));
        match tenant {
            None if of.role == Oid::PUBLIC => Value::from("public"),
            None => Value::from(scene.role_label(of.role)),
            Some(tenant) => {
                let tenant = tenant.map_or("?", |tenant| tenant.name.as_str());
                Value::from(format!("{} IN TENANT {tenant}", of.role))
            }
        }
    });
    named.collect()
}
