//! `pg_stat_activity`: sessions of the own database; an operator sees all.

use std::borrow::Cow;

use crate::id::Oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::{ActivityRow, OPERATOR_NAME, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_stat_activity",
    12222,
    "
    datid oid, datname name, pid int4, leader_pid int4, usesysid oid, usename name,
    application_name text, client_addr text, client_hostname text, client_port int4,
    backend_start timestamptz, xact_start timestamptz, query_start timestamptz,
    state_change timestamptz, wait_event_type text, wait_event text, state text, backend_xid int8,
    backend_xmin int8, query_id int8, query text, backend_type text",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for session in visible(scene) {
        let operator = is_operator(scene, session);
        let user = match &session.user {
            Some(_) if operator => Some((Oid::OPERATOR, OPERATOR_NAME)),
            user => user.as_ref().map(|(oid, name)| (*oid, name.as_str())),
        };
        let mine = user.is_none_or(|(oid, _)| me.is(oid));
        let open = mine && !(operator && scene.role != Oid::OPERATOR);
        row!(
            rows,
            datid: session.database.as_ref().map(|_| match scene.in_tenant() {
                true => scene.database_oid(),
                false => session.database.as_ref().map_or(Oid(0), |database| database.0),
            }),
            datname: session.database.as_ref().map(|database| &database.1),
            pid: session.pid,
            usesysid: user.map(|user| user.0),
            usename: user.map(|user| user.1),
            application_name: if operator && !open { "" } else { session.application_name.as_str() },
            client_addr: open.then_some(session.client_addr.as_ref()).flatten(),
            client_port: open.then_some(session.client_port).flatten(),
            backend_start: open.then_some(session.backend_start).flatten(),
            xact_start: open.then_some(session.xact_start).flatten(),
            query_start: open.then_some(session.query_start).flatten(),
            state_change: open.then_some(session.state_change).flatten(),
            state: open.then_some(session.state.as_ref()).flatten(),
            query: match () {
                () if open => Cow::Borrowed(session.query.as_str()),
                () if operator => Cow::Borrowed(""),
                () => Cow::Borrowed("<insufficient privilege>"),
            },
            backend_type: open.then_some(session.backend_type.as_str()),
        );
    }
}

/// The sessions that the scene may show: never another tenant's.
pub(super) fn visible(scene: &Scene) -> impl Iterator<Item = &ActivityRow> {
    let own = |session: &&ActivityRow| match &session.database {
        Some((_, name)) => *name == scene.database.name,
        None => false,
    };
    scene
        .activity
        .iter()
        .filter(move |session| !scene.in_tenant() || own(session))
}

/// Whether a tenant looks at an operator's session.
fn is_operator(scene: &Scene, session: &ActivityRow) -> bool {
    let of_tenant = |oid: Oid| oid.is_of_tenant() || oid == Oid::TENANT_ADMIN;
    scene.in_tenant()
        && session
            .user
            .as_ref()
            .is_some_and(|(oid, _)| !of_tenant(*oid))
}
