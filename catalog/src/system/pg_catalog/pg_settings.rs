//! `pg_settings`: what `SHOW ALL` shows, with where each value comes from.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_settings",
    12104,
    "
    name text, setting text, unit text, category text, short_desc text, extra_desc text,
    context text, vartype text, source text, min_val text, max_val text, enumvals text[],
    boot_val text, reset_val text, sourcefile text, sourceline int4, pending_restart bool",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for setting in scene.settings.iter() {
        row!(
            rows,
            name: &setting.name,
            setting: &setting.setting,
            unit: setting.unit.as_ref(),
            category: &setting.category,
            short_desc: &setting.short_desc,
            context: &setting.context,
            vartype: &setting.vartype,
            source: &setting.source,
            min_val: setting.min_val.as_ref(),
            max_val: setting.max_val.as_ref(),
            enumvals: setting.enumvals.clone(),
            boot_val: setting.boot_val.as_ref(),
            reset_val: setting.reset_val.as_ref(),
            pending_restart: false,
        );
    }
}
