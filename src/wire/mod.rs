//! PostgreSQL's wire protocol: bytes in, calls of the session, bytes out.
//!
//! `start-up → login → session`: [`serve`] takes one connection through all of it. Messages are read
//! by a codec of our own (`frontend`), since lengths, counts and UTF-8 are to be checked before
//! anything is believed, and results are written straight from Arrow columns (`encode`). Knows no SQL.

pub mod cancel;
pub mod copy;
pub mod fuzz;
pub mod sqlstate;
pub mod startup;

mod backend;
mod connection;
mod end_point;
mod extended;
mod frontend;
mod link;
mod portal;
mod rows;
mod simple;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::auth::guesses::Guesses;
use crate::auth::{Authenticator, ConnectionLimits, Login, Slot};
use crate::error::{Error, Result};
use crate::session::{Engine, Peer, RefusedLogin, Session, TlsSession};
use cancel::{CancelKey, CancelKeys};
use connection::Connection;
pub use end_point::end_point;
use link::Link;
use startup::{Start, Startup, Tls};

/// What all connections share.
pub struct Gate {
    pub engine: Arc<Engine>,
    pub authenticator: Authenticator,
    pub limits: ConnectionLimits,
    pub guesses: Guesses,
    pub cancel_keys: CancelKeys,
    pub tls: Option<Tls>,
    pub tls_required: bool,
    pub settings: WireSettings,
    /// Where batches are encoded and COPY data is decoded.
    pub cpu: Handle,
    /// Cancelled when the server stops: sessions end as soon as they are idle.
    pub stopping: CancellationToken,
}

/// Limits of a connection.
#[derive(Debug, Clone, Copy)]
pub struct WireSettings {
    pub authentication_timeout: Duration,
    pub client_connection_check_interval: Duration,
    pub max_message_bytes: usize,
}

/// A client that is logged in, with its session.
struct Opened {
    session: Session,
    key: CancelKey,
    slot: Slot,
}

/// Serves one connection to its end. `finished_login` is dropped when the login is over.
pub async fn serve(
    socket: TcpStream,
    address: SocketAddr,
    gate: Arc<Gate>,
    finished_login: impl Send,
) {
    let _ = socket.set_nodelay(true);
    let mut link = Link::new(socket);
    let opening = open(&mut link, address, &gate);
    let opened = match tokio::time::timeout(gate.settings.authentication_timeout, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::AuthenticationTimeout),
    };
    if let Err(Error::InvalidPassword(_)) = &opened {
        tokio::time::sleep(gate.guesses.refused(address.ip(), Instant::now())).await;
    }
    drop(finished_login);
    match opened {
        Ok(Some(opened)) => {
            let Opened { session, key, slot } = opened;
            let connection = Connection::new(link, session, &gate);
            connection.run().await;
            drop((key, slot));
        }
        Ok(None) => link.close().await,
        Err(Error::ConnectionLost) => {}
        Err(error) => {
            log_refusal(&error, address);
            backend::error_response(&mut link.out, &error, true);
            link.close().await;
        }
    }
}

/// Everything up to the first ReadyForQuery; `None` if the connection wanted no session.
async fn open(link: &mut Link, address: SocketAddr, gate: &Gate) -> Result<Option<Opened>> {
    let startup = match startup::start(link, gate.tls.as_ref(), gate.tls_required).await? {
        Start::Session(startup) => startup,
        Start::Cancel { pid, key } => {
            gate.cancel_keys.cancel(pid, &key);
            return Ok(None);
        }
        Start::Gone => return Ok(None),
    };
    let (login, slot) = log_in(link, &startup, address, gate).await?;
    let mut session = Session::open(Arc::clone(&gate.engine), login, startup.settings).await?;
    let key = gate
        .cancel_keys
        .register(startup.key_bytes, session.interrupt());
    session.set_peer(Peer {
        pid: key.pid,
        address: Some(address),
        tls: describe_tls(link),
    });
    session.audit_login().await?;
    startup::accept(link);
    for (name, value) in session.initial_parameters() {
        backend::parameter_status(&mut link.out, &name, &value);
    }
    backend::backend_key_data(&mut link.out, key.pid, &key.key);
    link.log_in(gate.settings.max_message_bytes, session.interrupt());
    Ok(Some(Opened { session, key, slot }))
}

async fn log_in(
    link: &mut Link,
    startup: &Startup,
    address: SocketAddr,
    gate: &Gate,
) -> Result<(Login, Slot)> {
    let (user, database) = (startup.user.as_str(), startup.database.as_str());
    let proof = startup::authenticate(link, startup, &gate.authenticator, gate.tls.as_ref()).await;
    let proved = proof.is_ok();
    let admitted = proof.and_then(|attempt| attempt.admit(&gate.limits));
    match &admitted {
        Ok(_) => tracing::info!(user, database, %address, tls = link.tls().is_some(), "login"),
        // Nothing was proved wrong: clients look first how they are asked.
        Err(Error::ConnectionLost) => tracing::info!(user, database, %address, "login given up"),
        Err(error) => {
            let code = sqlstate::sqlstate(error);
            tracing::warn!(user, database, %address, code, "login refused");
            let refused = RefusedLogin {
                user,
                database,
                address,
                sqlstate: code,
                proved,
            };
            gate.engine.audit_refused_login(refused).await;
        }
    }
    admitted
}

fn describe_tls(link: &Link) -> Option<TlsSession> {
    let tls = link.tls()?;
    let version = match tls.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => "TLSv1.2",
    };
    let cipher = tls
        .negotiated_cipher_suite()
        .map(|suite| format!("{:?}", suite.suite()));
    Some(TlsSession {
        version: version.to_owned(),
        cipher: cipher.unwrap_or_default(),
    })
}

fn log_refusal(error: &Error, address: SocketAddr) {
    match error {
        Error::Internal(cause) => {
            tracing::error!(%address, %cause, "a login failed by a fault of ours")
        }
        other => tracing::info!(%address, error = %other, "connection refused"),
    }
}
