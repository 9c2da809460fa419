//! How a client came, and what other sessions see of it.

use std::sync::Arc;

use super::{Activity, Session, Status};

/// How a client came.
#[derive(Debug, Clone)]
pub struct Peer {
    pub pid: i32,
    pub address: Option<std::net::SocketAddr>,
    pub tls: Option<TlsSession>,
}

/// What TLS was agreed on.
#[derive(Debug, Clone)]
pub struct TlsSession {
    pub version: String,
    pub cipher: String,
    /// The subject, the serial number and the issuer of the client's certificate, if it showed one.
    pub certificate: Option<(String, String, String)>,
}

impl Session {
    /// Tells the session how its client came, and lists it among the live ones.
    pub fn set_peer(&mut self, peer: Peer) {
        let now = chrono::Utc::now().timestamp_micros();
        let activity = Activity {
            pid: peer.pid,
            database: self.login.database,
            user: self.login.user.clone(),
            role: self.login.role,
            operator: self.login.operator,
            application_name: self.settings.lock().value("application_name"),
            client: peer.address,
            tls: peer
                .tls
                .as_ref()
                .map(|tls| (tls.version.clone(), tls.cipher.clone())),
            certificate: peer.tls.as_ref().and_then(|tls| tls.certificate.clone()),
            backend_start: now,
            transaction_start: None,
            query_start: None,
            state_change: now,
            state: "idle",
            query: Arc::from(""),
        };
        self.entry = Some(self.engine.registry.add(activity, self.interrupt.clone()));
        self.peer = peer;
    }

    pub(super) fn show_activity(&self, state: &'static str, query: Option<&Arc<str>>) {
        let Some(entry) = &self.entry else { return };
        let now = chrono::Utc::now().timestamp_micros();
        let mut activity = entry.activity.lock();
        activity.state = state;
        activity.state_change = now;
        let started = self.transaction.started_at;
        activity.transaction_start = (self.transaction.status != Status::Idle).then_some(started);
        if let Some(query) = query {
            activity.query = Arc::clone(query);
            activity.query_start = Some(now);
        }
    }
}
