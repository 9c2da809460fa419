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
use tokio_util::sync::CancellationToken;

use crate::auth::guesses::{Guess, Guesses};
use crate::auth::{Authenticator, ConnectionLimits, Login, Slot};
use crate::error::{Error, Result};
use crate::session::login::{self, LoginEvent, LoginOutcome};
use crate::session::{Engine, Peer, Session, TlsSession};
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

/// The names that a client wants to log in by, once it has said them.
#[derive(Default)]
struct Asked {
    user: String,
    database: String,
    method: &'static str,
    tls: bool,
    /// The client proved who it is.
    proved: bool,
    /// How the attempt ended was recorded.
    recorded: bool,
    /// How long to wait before the client is told.
    wait: Duration,
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
    let mut asked = Asked::default();
    let opening = open(&mut link, address, &gate, &mut asked);
    let opened = match tokio::time::timeout(gate.settings.authentication_timeout, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(Error::AuthenticationTimeout),
    };
    if let Err(error) = &opened
        && !asked.recorded
        && !asked.user.is_empty()
    {
        let reason = match error {
            Error::ConnectionLost => "the client left",
            Error::AuthenticationTimeout => "it took too long",
            _ => "the exchange failed",
        };
        // What cannot be recorded was refused anyway.
        let _ = record(&gate, &asked, address, Some(error), reason).await;
    }
    tokio::time::sleep(asked.wait).await;
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
async fn open(
    link: &mut Link,
    address: SocketAddr,
    gate: &Gate,
    asked: &mut Asked,
) -> Result<Option<Opened>> {
    let startup = match startup::start(link, gate.tls.as_ref(), gate.tls_required).await? {
        Start::Session(startup) => startup,
        Start::Cancel { pid, key } => {
            gate.cancel_keys.cancel(pid, &key);
            return Ok(None);
        }
        Start::Gone => return Ok(None),
    };
    asked.user.clone_from(&startup.user);
    asked.database.clone_from(&startup.database);
    asked.tls = link.tls().is_some();
    let (login, slot) = log_in(link, &startup, address, gate, asked).await?;
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
    asked: &mut Asked,
) -> Result<(Login, Slot)> {
    let (user, database) = (startup.user.as_str(), startup.database.as_str());
    let tls = gate.tls.as_ref();
    let mut attempt = startup::ask(link, startup, address.ip(), &gate.authenticator, tls).await?;
    asked.method = attempt.method_name();
    let proof = startup::prove(link, &mut attempt, &gate.authenticator).await;
    let admitted = proof.and_then(|()| attempt.admit(&gate.limits));
    asked.proved = attempt.is_proved();
    // Counted before anything is told, so that who leaves early has guessed as well.
    let guess = Guess {
        address: address.ip(),
        user,
        database,
    };
    let now = Instant::now();
    asked.wait = match &admitted {
        Ok(_) => gate.guesses.accepted(guess, now),
        Err(_) if attempt.was_disproved() => gate.guesses.refused(guess, now),
        Err(_) => Duration::ZERO,
    };
    if let Err(Error::TooManyConnections(_)) = &admitted {
        gate.engine.note_refused_login(database);
    }
    let reason = match &admitted {
        Ok(_) => "",
        Err(Error::ConnectionLost) => "the client left",
        Err(_) => attempt.reason().unwrap_or("the exchange failed"),
    };
    asked.recorded = true;
    record(gate, asked, address, admitted.as_ref().err(), reason).await?;
    if admitted.is_ok() {
        tokio::time::sleep(std::mem::take(&mut asked.wait)).await;
    }
    admitted
}

/// Records how an attempt ended.
async fn record(
    gate: &Gate,
    asked: &Asked,
    address: SocketAddr,
    refusal: Option<&Error>,
    reason: &str,
) -> Result<()> {
    let event = LoginEvent {
        outcome: match refusal {
            None => LoginOutcome::Accepted,
            Some(_) => LoginOutcome::Refused,
        },
        tenant: &asked.database,
        role: &asked.user,
        address,
        tls: asked.tls,
        method: asked.method,
        sqlstate: refusal.map_or("", sqlstate::sqlstate),
        reason,
        proved: asked.proved,
    };
    login::record(&gate.engine, &event).await
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
    let certificate = startup::client_certificate(link);
    Some(TlsSession {
        version: version.to_owned(),
        cipher: cipher.unwrap_or_default(),
        certificate: certificate.map(|of| (of.subject, of.serial, of.issuer)),
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
