//! From a configuration to a server that runs: the catalog is opened, the runtimes start, and one
//! line says when clients can connect.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tessera_catalog::encryption::MasterKeySource;
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Quota, Quotas, Role};
use tessera_catalog::{Catalog, CatalogLimits, CatalogOptions};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::auth::host_rules::RuleFiles;
use crate::auth::second_factor::Sealer;
use crate::auth::{Logins, PasswordPolicy};
use crate::config::{Config, Encrypting, Tenants};
use crate::error::{Error, Result};
use crate::server::{Server, stop_signal};
use crate::session::{
    CatalogDirectory, Engine, EngineLimits, Fair, give_way, go_first, write_lines,
};

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
    let processors = threads(config.resources.cpu_threads);
    let front = runtime("query", Fair::front_threads(processors))?;
    let back = builder("long", Fair::back_threads(processors))
        .on_thread_start(give_way)
        .build()
        .map_err(|error| cannot_start("long", &error))?;
    let fair = Fair::new(front.handle().clone(), back.handle().clone(), processors);
    let result = network.block_on(serve(config, start, Arc::new(fair), prelude));
    back.shutdown_background();
    front.shutdown_background();
    network.shutdown_background();
    result
}

async fn serve(
    config: &Config,
    start: &Start,
    fair: Arc<Fair>,
    prelude: Option<Prelude>,
) -> Result<()> {
    std::fs::create_dir_all(&start.data)
        .map_err(|error| cannot("create the data folder", &start.data, &error))?;
    let login_key = login_key(&start.data)?;
    let logins = Arc::new(logins(config, &login_key)?);
    let admin_password_verifier = match &start.admin_password {
        // The catalog takes it at its birth alone, which an earlier start may not have come to.
        Some(password) => Some(first_password(&logins, password).await?),
        None if !start.data.join(tessera_catalog::CATALOG_FILE).exists() => {
            return Err(no_operator());
        }
        None => None,
    };
    let options = CatalogOptions {
        data: start.data.clone(),
        storage_url: config.storage.url.clone(),
        storage_options: config.storage.options.clone().into_iter().collect(),
        master_key: master_key(&config.encryption),
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
    let directory = CatalogDirectory::new(catalog.clone(), limits.quotas.clone());
    let engine = Engine::new(catalog.clone(), fair, limits).with_logins(Arc::clone(&logins));
    let engine = Arc::new(engine);
    let server = Server::bind(config, Arc::clone(&engine), Arc::new(directory), login_key).await?;
    let address = server.address()?;
    let reloading = tokio::spawn(reload_on_signal(logins)?);
    // Signals are listened for before anyone can think the server ready.
    let stop = async {
        if let Err(error) = stop_signal().await {
            tracing::error!(%error, "signals cannot be received");
            std::future::pending::<()>().await;
        }
    };
    let keeping = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&engine).keep_usage()));
    let kept = Arc::clone(&engine);
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
    reloading.abort();
    drop(keeping);
    kept.flush_usage().await;
    if let Some(lines) = lines {
        lines.finish().await;
    }
    catalog.close().await;
    Ok(())
}

/// Where the master key comes from.
fn master_key(config: &Encrypting) -> Option<MasterKeySource> {
    if !config.master_key_file.as_os_str().is_empty() {
        return Some(MasterKeySource::File(config.master_key_file.clone()));
    }
    if !config.master_key_variable.is_empty() {
        let name = config.master_key_variable.clone();
        return Some(MasterKeySource::Environment(name));
    }
    let command = &config.master_key_command;
    (!command.is_empty()).then(|| MasterKeySource::Command(command.clone()))
}

/// Who may log in and how, as configured.
fn logins(config: &Config, login_key: &[u8; 32]) -> Result<Logins> {
    let files = RuleFiles::open(&config.logins.hba_file, &config.logins.ident_file)?;
    for rule in &files.current().rules {
        let issuer = rule.options.issuer.as_deref();
        let known = |name: &str| config.logins.issuers.iter().any(|of| of.issuer == name);
        if let Some(unknown) = issuer.filter(|name| !known(name)) {
            return Err(Error::Start(format!(
                "{}, line {}: there is no issuer \"{unknown}\" in the configuration",
                config.logins.hba_file.display(),
                rule.line
            )));
        }
    }
    Ok(Logins {
        rules: files,
        passwords: PasswordPolicy {
            min_length: config.passwords.min_length,
            history: config.passwords.history,
            scram_iterations: config.passwords.scram_iterations,
            encryption: config.passwords.encryption.name(),
        },
        sealer: Sealer::new(login_key),
        tls: !config.listen.tls_certificate_file.as_os_str().is_empty(),
    })
}

/// What is kept of the first operator's password.
async fn first_password(logins: &Logins, password: &str) -> Result<String> {
    let mut admin = Role::new(Oid::OPERATOR, "admin");
    let encryption = logins.passwords.encryption;
    let given = logins.passwords.give(&mut admin, password, encryption);
    given.await.map_err(|error| match error {
        Error::InvalidParameterValue(message) => {
            Error::Start(format!("{ADMIN_PASSWORD_VARIABLE}: {message}"))
        }
        other => other,
    })?;
    admin
        .password
        .ok_or_else(|| Error::internal("a password was not kept"))
}

/// Reads the host rules anew at each SIGHUP; wrong ones are logged, and those in force stay.
fn reload_on_signal(logins: Arc<Logins>) -> Result<impl Future<Output = ()> + Send> {
    let mut signals = signal(SignalKind::hangup())
        .map_err(|error| Error::Start(format!("cannot receive signals: {error}")))?;
    Ok(async move {
        while signals.recv().await.is_some() {
            match logins.rules.reload() {
                Ok(()) => tracing::info!("the host rules were read anew"),
                Err(error) => tracing::error!(%error, "the host rules stay as they were"),
            }
        }
    })
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

pub(crate) fn runtime(name: &str, threads: usize) -> Result<Runtime> {
    let built = builder(name, threads).on_thread_start(go_first).build();
    built.map_err(|error| cannot_start(name, &error))
}

pub(crate) fn builder(name: &str, threads: usize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(threads)
        .thread_name(format!("tessera-{name}"))
        .thread_stack_size(THREAD_STACK_BYTES)
        .enable_all();
    builder
}

fn cannot_start(name: &str, error: &std::io::Error) -> Error {
    Error::Start(format!("cannot start the {name} runtime: {error}"))
}

/// A configured number of threads, or one a core.
fn threads(configured: usize) -> usize {
    if configured > 0 {
        return configured;
    }
    std::thread::available_parallelism().map_or(2, usize::from)
}

pub(crate) fn engine_limits(config: &Config, data: &Path) -> Result<EngineLimits> {
    let spill_folder = data.join("spill");
    // What a killed server left there is of no use to anyone.
    let _ = std::fs::remove_dir_all(&spill_folder);
    std::fs::create_dir_all(&spill_folder)
        .map_err(|error| cannot("create the spill folder", &spill_folder, &error))?;
    let memory_bytes = match config.resources.memory_limit_bytes {
        0 => memory_of_machine() / 10 * 6,
        bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
    };
    Ok(EngineLimits {
        memory_bytes,
        quotas: quotas(&config.tenants, memory_bytes as u64),
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

/// What a tenant may use that has no quotas of its own.
fn quotas(tenants: &Tenants, memory_bytes: u64) -> Quotas {
    let memory = match tenants.memory_limit_bytes {
        0 => memory_bytes / 2,
        bytes => bytes,
    };
    let given = [
        (Quota::Connections, u64::from(tenants.max_connections)),
        (Quota::Statements, tenants.max_statements),
        (Quota::QueuedStatements, tenants.max_queued_statements),
        (Quota::Memory, memory),
        (Quota::CpuShare, tenants.cpu_share),
        (Quota::StatementTime, tenants.max_statement_time_ms),
        (Quota::Spill, tenants.spill_limit_bytes),
        (Quota::ResultRows, tenants.max_result_rows),
        (Quota::Storage, tenants.storage_limit_bytes),
        (Quota::Tables, tenants.max_tables),
        (Quota::CopyRate, tenants.copy_bytes_per_second),
    ];
    let limit = |(quota, limit): (Quota, u64)| (quota, (limit > 0).then_some(limit));
    Quotas(given.into_iter().map(limit).collect())
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

/// The key of what unknown names are shown at login, and of secrets that roles log in by: the same after
/// a restart, and for the server's own eyes.
fn login_key(data: &Path) -> Result<[u8; 32]> {
    use rand::RngCore;
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = data.join("login.key");
    match std::fs::read(&path) {
        Ok(kept) => {
            return kept
                .try_into()
                .map_err(|_| Error::Start(format!("{} is not the key of logins", path.display())));
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(cannot("read", &path, &error)),
    }
    let mut key = [0; 32];
    rand::rng().fill_bytes(&mut key);
    // Written whole or not at all, whenever the process ends.
    let begun = data.join("login.key.new");
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&begun)
        .and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&begun, &path));
    written.map_err(|error| cannot("write", &path, &error))?;
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
