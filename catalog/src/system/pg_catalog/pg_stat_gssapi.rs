//! `pg_stat_gssapi`: no session uses GSSAPI.

use super::pg_stat_activity::visible;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_stat_gssapi",
    12253,
    "
    pid int4, gss_authenticated bool, principal text, encrypted bool",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for session in visible(scene) {
        row!(rows, pid: session.pid, gss_authenticated: false, encrypted: false);
    }
}
