//! `pg_stat_ssl`: which sessions are encrypted.

use super::pg_stat_activity::visible;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_stat_ssl",
    12249,
    "
    pid int4, ssl bool, version text, cipher text, bits int4, client_dn text,
    client_serial numeric, issuer_dn text",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for session in visible(scene) {
        // As of other things, a session's own role and its members are told.
        let mine = session.user.as_ref().is_some_and(|(oid, _)| me.is(*oid));
        let tls = session.tls.as_ref().filter(|_| mine);
        let certificate = session.certificate.as_ref().filter(|_| tls.is_some());
        row!(
            rows,
            pid: session.pid,
            ssl: tls.is_some(),
            version: tls.map(|tls| &tls.0),
            cipher: tls.map(|tls| &tls.1),
            client_dn: certificate.map(|certificate| &certificate.0),
            client_serial: certificate.map(|certificate| &certificate.1),
            issuer_dn: certificate.map(|certificate| &certificate.2),
        );
    }
}
