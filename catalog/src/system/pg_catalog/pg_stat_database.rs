//! `pg_stat_database`: the databases that `pg_database` shows; nothing is counted.

use super::pg_stat_activity::visible;
use crate::id::Oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_stat_database",
    12266,
    "
    datid oid, datname name, numbackends int4, xact_commit int8, xact_rollback int8,
    blks_read int8, blks_hit int8, tup_returned int8, tup_fetched int8, tup_inserted int8,
    tup_updated int8, tup_deleted int8, conflicts int8, temp_files int8, temp_bytes int8,
    deadlocks int8, checksum_failures int8, checksum_last_failure timestamptz,
    blk_read_time float8, blk_write_time float8, session_time float8, active_time float8,
    idle_in_transaction_time float8, sessions int8, sessions_abandoned int8, sessions_fatal int8,
    sessions_killed int8, stats_reset timestamptz",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    add(scene, rows, scene.database_oid(), &scene.database.name);
    if !scene.in_tenant() {
        for tenant in scene.system.tenants.values() {
            add(scene, rows, tenant.oid, &tenant.name);
        }
    }
}

fn add(scene: &Scene, rows: &mut Rows, number: Oid, name: &str) {
    let here = |database: &Option<(Oid, String)>| database.as_ref().is_some_and(|d| d.1 == name);
    row!(
        rows,
        datid: number,
        datname: name,
        numbackends: visible(scene).filter(|session| here(&session.database)).count() as i64,
        xact_commit: 0,
        xact_rollback: 0,
        blks_read: 0,
        blks_hit: 0,
        tup_returned: 0,
        tup_fetched: 0,
        tup_inserted: 0,
        tup_updated: 0,
        tup_deleted: 0,
        conflicts: 0,
        temp_files: 0,
        temp_bytes: 0,
        deadlocks: 0,
        blk_read_time: 0,
        blk_write_time: 0,
        session_time: 0,
        active_time: 0,
        idle_in_transaction_time: 0,
        sessions: 0,
        sessions_abandoned: 0,
        sessions_fatal: 0,
        sessions_killed: 0,
    );
}
