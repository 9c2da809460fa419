//! `pg_rewrite`: the rule that stands for each view's query.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_rewrite",
    2618,
    r#"
    oid oid, rulename name, ev_class oid, ev_type "char", ev_enabled "char", is_instead bool,
    ev_qual text, ev_action text"#,
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for relation in scene
        .relations()
        .filter(|relation| relation.view().is_some() || relation.materialized().is_some())
    {
        row!(
            rows,
            oid: relation.oid,
            rulename: "_RETURN",
            ev_class: relation.oid,
            ev_type: '1',
            ev_enabled: 'O',
            is_instead: true,
            ev_qual: "<>",
            ev_action: "<>",
        );
    }
}
