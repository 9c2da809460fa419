//! `pg_locks`: what sessions of the database hold and wait for.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_locks",
    12073,
    "
    locktype text, database oid, relation oid, page int4, tuple int2, virtualxid text,
    transactionid int8, classid oid, objid oid, objsubid int2, virtualtransaction text,
    pid int4, mode text, granted bool, fastpath bool, waitstart timestamptz",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for lock in scene.locks.iter() {
        let (class, object, part) = match lock.advisory {
            Some((class, object, part)) => (Some(class), Some(object), Some(part)),
            None => (None, None, None),
        };
        row!(
            rows,
            locktype: lock.kind,
            database: lock.database,
            relation: lock.relation,
            classid: class,
            objid: object,
            objsubid: part,
            virtualtransaction: format!("{}/0", lock.pid),
            pid: lock.pid,
            mode: lock.mode,
            granted: lock.granted,
            fastpath: false,
        );
    }
}
