//! From a configuration to a server that runs: the catalog is opened, the runtimes start, and one
//! line says when clients can connect.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tessera_catalog::{Catalog, CatalogLimits, CatalogOptions};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::auth;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::server::{Server, stop_signal};
use crate::session::{CatalogDirectory, Engine, EngineLimits, write_lines};

/// The variable that names the first operator's password.
pub const ADMIN_PASSWORD_VARIABLE: &str = "TESSERA_ADMIN_PASSWORD";

/// The stack of a thread that plans statements. It is only reserved: what a statement's tree does
/// not reach takes no memory. The parser's limits on depth and chains are made for this size.
const THREAD_STACK_BYTES: usize = 128 << 20;

/// What a start needs beyond the configuration.
#[derive(Debug, Clone)]
pub struct Start {
    pub data: PathBuf,
    /// The first operator's password, for the first start.
    pub admin_password: Option<String>,
}

/// Work to be done when the server accepts connections and before it says that it is ready; it is told
/// where clients connect, and may open sessions of its own.
pub type Prelude = Box<dyn FnOnce(SocketAddr, Arc<Engine>) -> PreludeFuture + Send>;
/// The same as it runs.
pub type PreludeFuture = std::pin::Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// Runs a server until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting, as one clear line.
pub fn run(config: &Config, start: &Start, prelude: Option<Prelude>) -> Result<()> {
    let network = runtime("network", threads(config.resources.network_threads))?;
    let cpu = runtime("query", threads(config.resources.cpu_threads))?;
    let result = network.block_on(serve(config, start, &cpu, prelude));
    cpu.shutdown_background();
    network.shutdown_background();
    result
}

async fn serve(
    config: &Config,
    start: &Start,
    cpu: &Runtime,
    prelude: Option<Prelude>,
) -> Result<()> {
    std::fs::create_dir_all(&start.data)
        .map_err(|error| cannot("create the data folder", &start.data, &error))?;
    let admin_password_verifier = match &start.admin_password {
        // The catalog takes it at its birth alone, which an earlier start may not have come to.
        Some(password) => {
            Some(auth::keep_password(password, config.passwords.encryption.name()).await?)
        }
        None if !start.data.join(tessera_catalog::CATALOG_FILE).exists() => {
            return Err(no_operator());
        }
        None => None,
    };
    let options = CatalogOptions {
        data: start.data.clone(),
        storage_url: config.storage.url.clone(),
        storage_options: config.storage.options.clone().into_iter().collect(),
        admin_password_verifier,
    };
    let catalog_limits = CatalogLimits {
        audit_retention: config.audit.retention(),
        ..CatalogLimits::default()
    };
    let catalog = Catalog::open_with(options, catalog_limits)
        .await
        .map_err(start_error)?;
    let lines = AuditLines::start(config, &catalog)?;
    let limits = engine_limits(config, &start.data)?;
    let handle = cpu.handle().clone();
    let engine = Arc::new(Engine::new(catalog.clone(), handle.clone(), limits));
    let directory = CatalogDirectory::new(catalog.clone(), config.tenants.max_connections);
    let mock_key = mock_key(&start.data)?;
    let server = Server::bind(
        config,
        Arc::clone(&engine),
        Arc::new(directory),
        mock_key,
        handle,
    )
    .await?;
    let address = server.address()?;
    // Signals are listened for before anyone can think the server ready.
    let stop = async {
        if let Err(error) = stop_signal().await {
            tracing::error!(%error, "signals cannot be received");
            std::future::pending::<()>().await;
        }
    };
    let serving = server.run(stop);
    tokio::pin!(serving);
    match prelude {
        None => {
            say(&format!("tessera is ready on {address}"));
            serving.await;
        }
        Some(prelude) => {
            tokio::select! {
                () = &mut serving => {}
                done = prelude(address, engine) => {
                    done?;
                    say(&format!("tessera is ready on {address}"));
                    serving.await;
                }
            }
        }
    }
    if let Some(lines) = lines {
        lines.finish().await;
    }
    catalog.close().await;
    Ok(())
}

/// The task that writes the audit to a file, if there is to be one.
struct AuditLines {
    stop: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl AuditLines {
    fn start(config: &Config, catalog: &Catalog) -> Result<Option<Self>> {
        let path = config.audit.file.clone();
        if path.as_os_str().is_empty() {
            return Ok(None);
        }
        // A server that was told to write it does not start without.
        let mut options = std::fs::OpenOptions::new();
        let opened = options.append(true).create(true).open(&path);
        opened.map_err(|error| cannot("write the audit's file", &path, &error))?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(write_lines(catalog.clone(), path, stop.clone()));
        Ok(Some(Self { stop, task }))
    }

    /// Writes what is left.
    async fn finish(self) {
        self.stop.cancel();
        match self.task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the audit was not written to its file"),
            Err(error) => tracing::error!(%error, "the audit's file was given up"),
        }
    }
}

/// The one place that writes to standard output: what people and their scripts wait for.
#[expect(
    clippy::print_stdout,
    reason = "the server's line that it is ready, and the demo's help"
)]
pub fn say(line: &str) {
    use std::io::Write;
    println!("{line}");
    let _ = std::io::stdout().flush();
}

fn runtime(name: &str, threads: usize) -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name(format!("tessera-{name}"))
        .thread_stack_size(THREAD_STACK_BYTES)
        .enable_all()
        .build()
        .map_err(|error| Error::Start(format!("cannot start the {name} runtime: {error}")))
}

/// A configured number of threads, or one a core.
fn threads(configured: usize) -> usize {
    if configured > 0 {
        return configured;
    }
    std::thread::available_parallelism().map_or(2, usize::from)
}

fn engine_limits(config: &Config, data: &Path) -> Result<EngineLimits> {
    let spill_folder = data.join("spill");
    // What a killed server left there is of no use to anyone.
    let _ = std::fs::remove_dir_all(&spill_folder);
    std::fs::create_dir_all(&spill_folder)
        .map_err(|error| cannot("create the spill folder", &spill_folder, &error))?;
    let memory_bytes = match config.resources.memory_limit_bytes {
        0 => memory_of_machine() / 10 * 6,
        bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
    };
    let tenant_memory_bytes = match config.tenants.memory_limit_bytes {
        0 => memory_bytes / 2,
        bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
    };
    Ok(EngineLimits {
        memory_bytes,
        tenant_memory_bytes,
        decoded_columns_bytes: config
            .resources
            .decoded_columns_bytes
            .map_or(memory_of_machine() / 6, |bytes| {
                usize::try_from(bytes).unwrap_or(usize::MAX)
            }),
        spill_bytes: config.resources.temporary_disk_limit_bytes,
        spill_folder,
        partitions: threads(config.resources.cpu_threads),
        tenant_settings: vec![
            (
                "statement_timeout".to_owned(),
                config.tenants.statement_timeout_ms.to_string(),
            ),
            (
                "idle_in_transaction_session_timeout".to_owned(),
                config.tenants.idle_in_transaction_timeout_ms.to_string(),
            ),
        ],
    })
}

/// The machine's memory in bytes; 4 GiB where the system does not tell.
fn memory_of_machine() -> usize {
    let told = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace().nth(1)?.parse::<usize>().ok()
        });
    told.map_or(4 << 30, |kilobytes| kilobytes << 10)
}

/// The key of what unknown names are shown at login: the same after a restart.
fn mock_key(data: &Path) -> Result<[u8; 32]> {
    use rand::RngCore;
    let path = data.join("login.key");
    if let Ok(kept) = std::fs::read(&path)
        && let Ok(key) = kept.try_into()
    {
        return Ok(key);
    }
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    std::fs::write(&path, key).map_err(|error| cannot("write", &path, &error))?;
    Ok(key)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::Start(format!("cannot {what} {}: {error}", path.display()))
}

fn no_operator() -> Error {
    Error::Start(format!(
        "set {ADMIN_PASSWORD_VARIABLE} to the password of the first operator, admin"
    ))
}

fn start_error(error: tessera_catalog::error::Error) -> Error {
    match error {
        tessera_catalog::error::Error::Unusable(message) => Error::Start(message),
        tessera_catalog::error::Error::NoOperator => no_operator(),
        other => {
            let mut message = other.to_string();
            let mut cause = std::error::Error::source(&other);
            while let Some(inner) = cause {
                message = format!("{message}: {inner}");
                cause = inner.source();
            }
            Error::Start(message)
        }
    }
}
