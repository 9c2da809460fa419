//! `pg_stat_*_tables`, `pg_statio_*_tables` and `pg_stat_*_indexes`: tables and keys by name with
//! their numbers of rows; accesses are not counted.

use crate::id::Oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static PG_STAT_ALL_TABLES: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_stat_all_tables",
    12142,
    "
    relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, idx_scan int8,
    idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, n_tup_del int8, n_tup_hot_upd int8,
    n_live_tup int8, n_dead_tup int8, n_mod_since_analyze int8, n_ins_since_vacuum int8,
    last_vacuum timestamptz, last_autovacuum timestamptz, last_analyze timestamptz,
    last_autoanalyze timestamptz, vacuum_count int8, autovacuum_count int8, analyze_count int8,
    autoanalyze_count int8",
    all_tables,
);

pub(in crate::system) static PG_STAT_USER_TABLES: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_stat_user_tables",
    12161,
    "
    relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, idx_scan int8,
    idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, n_tup_del int8, n_tup_hot_upd int8,
    n_live_tup int8, n_dead_tup int8, n_mod_since_analyze int8, n_ins_since_vacuum int8,
    last_vacuum timestamptz, last_autovacuum timestamptz, last_analyze timestamptz,
    last_autoanalyze timestamptz, vacuum_count int8, autovacuum_count int8, analyze_count int8,
    autoanalyze_count int8",
    user_tables,
);

pub(in crate::system) static PG_STAT_SYS_TABLES: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_stat_sys_tables",
    12152,
    "
    relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, idx_scan int8,
    idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, n_tup_del int8, n_tup_hot_upd int8,
    n_live_tup int8, n_dead_tup int8, n_mod_since_analyze int8, n_ins_since_vacuum int8,
    last_vacuum timestamptz, last_autovacuum timestamptz, last_analyze timestamptz,
    last_autoanalyze timestamptz, vacuum_count int8, autovacuum_count int8, analyze_count int8,
    autoanalyze_count int8",
    sys_tables,
);

pub(in crate::system) static PG_STATIO_ALL_TABLES: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_statio_all_tables",
    12170,
    "
    relid oid, schemaname name, relname name, heap_blks_read int8, heap_blks_hit int8,
    idx_blks_read int8, idx_blks_hit int8, toast_blks_read int8, toast_blks_hit int8,
    tidx_blks_read int8, tidx_blks_hit int8",
    all_io,
);

pub(in crate::system) static PG_STATIO_USER_TABLES: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_statio_user_tables",
    12179,
    "
    relid oid, schemaname name, relname name, heap_blks_read int8, heap_blks_hit int8,
    idx_blks_read int8, idx_blks_hit int8, toast_blks_read int8, toast_blks_hit int8,
    tidx_blks_read int8, tidx_blks_hit int8",
    user_io,
);

pub(in crate::system) static PG_STATIO_SYS_TABLES: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_statio_sys_tables",
    12175,
    "
    relid oid, schemaname name, relname name, heap_blks_read int8, heap_blks_hit int8,
    idx_blks_read int8, idx_blks_hit int8, toast_blks_read int8, toast_blks_hit int8,
    tidx_blks_read int8, tidx_blks_hit int8",
    sys_io,
);

pub(in crate::system) static PG_STAT_ALL_INDEXES: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_stat_all_indexes",
    12183,
    "
    relid oid, indexrelid oid, schemaname name, relname name, indexrelname name, idx_scan int8,
    idx_tup_read int8, idx_tup_fetch int8",
    all_indexes,
);

pub(in crate::system) static PG_STAT_USER_INDEXES: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_stat_user_indexes",
    12192,
    "
    relid oid, indexrelid oid, schemaname name, relname name, indexrelname name, idx_scan int8,
    idx_tup_read int8, idx_tup_fetch int8",
    all_indexes,
);

fn all_tables(scene: &Scene, rows: &mut Rows) {
    tables(scene, rows, |_| true);
}

fn user_tables(scene: &Scene, rows: &mut Rows) {
    tables(scene, rows, is_user);
}

fn sys_tables(scene: &Scene, rows: &mut Rows) {
    tables(scene, rows, |class| !is_user(class));
}

fn all_io(scene: &Scene, rows: &mut Rows) {
    io(scene, rows, |_| true);
}

fn user_io(scene: &Scene, rows: &mut Rows) {
    io(scene, rows, is_user);
}

fn sys_io(scene: &Scene, rows: &mut Rows) {
    io(scene, rows, |class| !is_user(class));
}

fn is_user(class: &Class<'_>) -> bool {
    matches!(class, Class::Relation(_))
}

fn tables(scene: &Scene, rows: &mut Rows, shown: fn(&Class<'_>) -> bool) {
    for class in scene
        .classes()
        .filter(|class| class.kind() == 'r' && shown(class))
    {
        row!(
            rows,
            relid: class.oid(),
            schemaname: scene.schema_name(class.schema(scene)),
            relname: class.name(),
            seq_scan: 0,
            seq_tup_read: 0,
            n_tup_ins: 0,
            n_tup_upd: 0,
            n_tup_del: 0,
            n_tup_hot_upd: 0,
            n_live_tup: live_rows(scene, class),
            n_dead_tup: 0,
            n_mod_since_analyze: 0,
            n_ins_since_vacuum: 0,
            vacuum_count: 0,
            autovacuum_count: 0,
            analyze_count: 0,
            autoanalyze_count: 0,
        );
    }
}

fn live_rows(scene: &Scene, class: Class<'_>) -> i64 {
    match class {
        Class::Relation(relation) => (scene.sizes)(relation.oid).0,
        Class::Index(..) | Class::System(_) => 0,
    }
}

fn io(scene: &Scene, rows: &mut Rows, shown: fn(&Class<'_>) -> bool) {
    for class in scene
        .classes()
        .filter(|class| class.kind() == 'r' && shown(class))
    {
        row!(
            rows,
            relid: class.oid(),
            schemaname: scene.schema_name(class.schema(scene)),
            relname: class.name(),
            heap_blks_read: 0,
            heap_blks_hit: 0,
        );
    }
}

fn all_indexes(scene: &Scene, rows: &mut Rows) {
    for class in scene.classes() {
        let Class::Index(relation, key) = class else {
            continue;
        };
        row!(
            rows,
            relid: relation.oid,
            indexrelid: Oid(key.oid.0),
            schemaname: scene.schema_name(scene.schema_of(relation)),
            relname: &relation.name,
            indexrelname: &key.name,
            idx_scan: 0,
            idx_tup_read: 0,
            idx_tup_fetch: 0,
        );
    }
}
