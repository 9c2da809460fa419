//! Listens, admits connections within limits, and stops without cutting statements off.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::guesses::Guesses;
use crate::auth::{Authenticator, ConnectionLimits, Directory};
use crate::config::{Config, Listen, WithoutTls};
use crate::error::{Error, Result};
use crate::session::Engine;
use crate::wire::cancel::CancelKeys;
use crate::wire::startup::{ALPN, Tls};
use crate::wire::{Gate, WireSettings, end_point, serve};

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// The longest wait after a failed accept, as when the process has no file descriptors left.
const MAX_ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How long ended sessions may take to say so.
const FAREWELL: Duration = Duration::from_secs(2);

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    gate: Arc<Gate>,
    logins: Arc<Semaphore>,
    shutdown_timeout: Duration,
}

impl Server {
    /// Listens on the configured address.
    ///
    /// `mock_key` is kept with the catalog, so that unknown names look the same after a restart.
    ///
    /// # Errors
    ///
    /// When the address cannot be used, TLS cannot start, or TLS is demanded and not configured.
    pub async fn bind(
        config: &Config,
        engine: Arc<Engine>,
        directory: Arc<dyn Directory>,
        mock_key: [u8; 32],
    ) -> Result<Self> {
        let connections = &config.connections;
        let (tls, tls_required) = transport(&config.listen)?;
        let logins = Arc::clone(&engine.logins);
        let authenticator =
            Authenticator::new(directory, logins, &config.logins.issuers, mock_key)?;
        let gate = Gate {
            engine,
            authenticator,
            limits: ConnectionLimits::new(
                connections.max_connections,
                connections.reserved_for_operators,
            ),
            guesses: Guesses::new(
                config.logins.free_refusals,
                Duration::from_millis(config.logins.max_refusal_wait_ms),
            ),
            cancel_keys: CancelKeys::default(),
            tls,
            tls_required,
            settings: WireSettings {
                authentication_timeout: Duration::from_millis(
                    connections.authentication_timeout_ms,
                ),
                client_connection_check_interval: Duration::from_millis(
                    connections.client_connection_check_interval_ms,
                ),
                max_message_bytes: connections.max_message_bytes,
            },
            stopping: CancellationToken::new(),
        };
        Ok(Self {
            listener: listen(config.listen.address)?,
            gate: Arc::new(gate),
            logins: Arc::new(Semaphore::new(connections.max_unfinished_logins)),
            shutdown_timeout: Duration::from_millis(connections.shutdown_timeout_ms),
        })
    }

    /// The address that clients connect to.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener
            .local_addr()
            .map_err(|error| Error::Start(format!("cannot listen: {error}")))
    }

    /// Serves until `stop` is done; then idle sessions end at once and running statements when they
    /// are done, or after the shutdown timeout.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let Self {
            listener,
            gate,
            logins,
            shutdown_timeout,
        } = self;
        let connections = TaskTracker::new();
        tokio::select! {
            () = accept(&listener, &gate, &logins, &connections) => {}
            () = stop => {}
        }
        drop(listener);
        gate.stopping.cancel();
        connections.close();
        tracing::info!(connections = connections.len(), "stopping");
        if tokio::time::timeout(shutdown_timeout, connections.wait())
            .await
            .is_err()
        {
            gate.cancel_keys.terminate_all();
            let _ = tokio::time::timeout(FAREWELL, connections.wait()).await;
        }
        tracing::info!("stopped");
    }
}

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
///
/// When signals cannot be received.
pub async fn stop_signal() -> Result<()> {
    let refused = |error: io::Error| Error::Start(format!("cannot receive signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    gate: &Arc<Gate>,
    logins: &Arc<Semaphore>,
    connections: &TaskTracker,
) {
    let mut pause = Duration::from_millis(10);
    loop {
        match listener.accept().await {
            Ok((socket, address)) => {
                pause = Duration::from_millis(10);
                admit(socket, address, gate, logins, connections);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_ACCEPT_PAUSE);
            }
        }
    }
}

fn admit(
    socket: TcpStream,
    address: SocketAddr,
    gate: &Arc<Gate>,
    logins: &Arc<Semaphore>,
    connections: &TaskTracker,
) {
    // Beyond the limit the connection is closed: unfinished logins end by their deadline.
    match Arc::clone(logins).try_acquire_owned() {
        Ok(login) => {
            connections.spawn(serve(socket, address, Arc::clone(gate), login));
        }
        Err(_) => tracing::warn!(%address, "too many unfinished logins"),
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener> {
    use tokio::net::TcpSocket;
    let open = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|error: io::Error| {
        let advice = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "; stop what uses it, or choose another address with --listen, such as 127.0.0.1:0 for a free port"
            }
            _ => "",
        };
        Error::Start(format!("cannot listen on {address}: {error}{advice}"))
    })
}

/// TLS as configured, and whether it is demanded.
fn transport(listen: &Listen) -> Result<(Option<Tls>, bool)> {
    let required = !listen.address.ip().is_loopback() && listen.without_tls == WithoutTls::Loopback;
    if listen.tls_certificate_file.as_os_str().is_empty() {
        if required {
            let message = format!(
                "listening on {} needs TLS: set tls_certificate_file and tls_key_file, or without_tls = \"insecure\"",
                listen.address
            );
            return Err(Error::Start(message));
        }
        return Ok((None, false));
    }
    Ok((Some(load_tls(listen)?), required))
}

fn load_tls(listen: &Listen) -> Result<Tls> {
    let (chain_file, key_file) = (&listen.tls_certificate_file, &listen.tls_key_file);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(chain_file)
        .and_then(Iterator::collect)
        .map_err(|error| fault(chain_file, &error))?;
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|error| fault(key_file, &error))?;
    let end_point = match chain.first() {
        Some(certificate) => end_point(certificate),
        None => return Err(fault(chain_file, &"no certificate in it")),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = client_verifier(listen, Arc::clone(&provider))?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| fault(chain_file, &error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .map_err(|error| fault(key_file, &error))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Tls {
        acceptor: TlsAcceptor::from(Arc::new(config)),
        end_point,
    })
}

/// What is done with clients' certificates: none is asked for, or one that is shown must be good.
fn client_verifier(
    listen: &Listen,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>> {
    let (roots_file, revoked_file) = (&listen.tls_client_ca_file, &listen.tls_client_crl_file);
    if roots_file.as_os_str().is_empty() {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(roots_file)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| fault(roots_file, &error))?;
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|error| fault(roots_file, &error))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if !revoked_file.as_os_str().is_empty() {
        let revoked = CertificateRevocationListDer::pem_file_iter(revoked_file)
            .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
            .map_err(|error| fault(revoked_file, &error))?;
        builder = builder.with_crls(revoked);
    }
    // Rules say who needs one.
    builder
        .allow_unauthenticated()
        .build()
        .map_err(|error| fault(roots_file, &error))
}

fn fault(file: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Start(format!("TLS file {}: {error}", file.display()))
}
