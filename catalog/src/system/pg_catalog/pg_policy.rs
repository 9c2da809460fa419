//! `pg_policy` and `pg_policies`: the row policies that the session's database has made.

use crate::id::Oid;
use crate::model::{Policy, Relation};
use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene};
use crate::system::table::SystemTable;
use crate::system::tessera::masks::roles;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_policy",
    3256,
    r#"
    oid oid, polname name, polrelid oid, polcmd "char", polpermissive bool, polroles oid[],
    polqual text, polwithcheck text"#,
    rows,
);

pub(in crate::system) static PG_POLICIES: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_policies",
    12018,
    "
    schemaname name, tablename name, policyname name, permissive text, roles name[], cmd text,
    qual text, with_check text",
    named_rows,
);

fn policies(scene: &Scene) -> impl Iterator<Item = (&Relation, &Policy)> {
    scene.secured().flat_map(|(relation, security)| {
        let policies = security.policies.iter();
        policies.map(move |policy| (relation, policy))
    })
}

fn rows(scene: &Scene, rows: &mut Rows) {
    for (relation, policy) in policies(scene) {
        let roles: Vec<Oid> = policy.roles.iter().map(|of| of.role).collect();
        row!(
            rows,
            oid: policy.oid,
            polname: &policy.name,
            polrelid: relation.oid,
            polcmd: policy.command.letter(),
            polpermissive: policy.permissive,
            polroles: roles,
            polqual: policy.using.as_ref().map(|condition| &condition.definition),
            polwithcheck: policy.check.as_ref().map(|condition| &condition.definition),
        );
    }
}

fn named_rows(scene: &Scene, rows: &mut Rows) {
    for (relation, policy) in policies(scene) {
        let class = Class::Relation(relation);
        row!(
            rows,
            schemaname: scene.schema_name(class.schema(scene)),
            tablename: &relation.name,
            policyname: &policy.name,
            permissive: if policy.permissive { "PERMISSIVE" } else { "RESTRICTIVE" },
            roles: roles(scene, &policy.roles),
            cmd: policy.command.keyword(),
            qual: policy.using.as_ref().map(|condition| &condition.definition),
            with_check: policy.check.as_ref().map(|condition| &condition.definition),
        );
    }
}
