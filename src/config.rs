//! Settings of the process, read from a TOML file. Each has its unit in its name, and a key that is
//! not known is an error. Knows nothing of sessions' settings (`SET`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::auth::policy::MAX_HISTORY;
use crate::auth::token::IssuerSettings;
use crate::error::{Error, Result};

/// A file with every setting at its default, each explained.
pub const EXAMPLE: &str = include_str!("../tessera.toml");

/// The greatest weight of a tenant.
const MAX_CPU_SHARE: u64 = 10_000;

/// The settings of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    pub listen: Listen,
    pub connections: Connections,
    pub passwords: Passwords,
    pub logins: Logins,
    pub resources: Resources,
    pub tenants: Tenants,
    pub storage: Storage,
    pub encryption: Encrypting,
    pub audit: Audit,
    pub log: Log,
}

/// Where clients connect, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    pub address: SocketAddr,
    pub without_tls: WithoutTls,
    /// Empty for no TLS.
    pub tls_certificate_file: PathBuf,
    pub tls_key_file: PathBuf,
    /// Who signs clients' certificates; empty if none are asked for.
    pub tls_client_ca_file: PathBuf,
    pub tls_client_crl_file: PathBuf,
}

/// What a client without TLS may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WithoutTls {
    /// Connect on a loopback address only.
    Loopback,
    /// Connect from anywhere.
    Insecure,
}

/// Limits on connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    pub max_connections: usize,
    pub reserved_for_operators: usize,
    pub max_unfinished_logins: usize,
    pub authentication_timeout_ms: u64,
    pub client_connection_check_interval_ms: u64,
    pub max_message_bytes: usize,
    pub shutdown_timeout_ms: u64,
}

/// How new passwords are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Passwords {
    pub encryption: Encryption,
    pub scram_iterations: u32,
    pub min_length: usize,
    pub history: usize,
}

/// Who may log in and how, beside passwords.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logins {
    /// Empty for the rule that asks everyone for the password.
    pub hba_file: PathBuf,
    pub ident_file: PathBuf,
    pub free_refusals: u32,
    pub max_refusal_wait_ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<IssuerSettings>,
}

/// The form of new passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encryption {
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    #[serde(rename = "argon2id")]
    Argon2id,
}

impl Encryption {
    /// The name in `password_encryption`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScramSha256 => "scram-sha-256",
            Self::Argon2id => "argon2id",
        }
    }
}

/// What the whole server may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// 0 for six tenths of the machine's memory.
    pub memory_limit_bytes: u64,
    /// Columns of tables that are kept decoded; `None` for a sixth of the machine's memory.
    pub decoded_columns_bytes: Option<u64>,
    pub temporary_disk_limit_bytes: u64,
    /// 0 for one a core.
    pub cpu_threads: usize,
    /// 0 for one a core, at most four.
    pub network_threads: usize,
}

/// What a tenant has unless its own settings say otherwise; 0 for no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tenants {
    pub max_connections: u32,
    pub max_statements: u64,
    pub max_queued_statements: u64,
    pub memory_limit_bytes: u64,
    /// The weight beside others when the processors are busy.
    pub cpu_share: u64,
    pub max_statement_time_ms: u64,
    pub spill_limit_bytes: u64,
    pub max_result_rows: u64,
    pub storage_limit_bytes: u64,
    pub max_tables: u64,
    pub copy_bytes_per_second: u64,
    pub statement_timeout_ms: u64,
    pub idle_in_transaction_timeout_ms: u64,
}

/// Where tables lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Storage {
    /// A URL of an object store, or none for the data folder.
    pub url: Option<String>,
    /// Keys, endpoints and the like, as the object store names them.
    pub options: BTreeMap<String, String>,
}

/// Where the key comes from that wraps tenants' keys; at most one of the three is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Encrypting {
    /// Empty for no file.
    pub master_key_file: PathBuf,
    /// The name of an environment variable; empty for none.
    pub master_key_variable: String,
    /// A program and its arguments; empty for none.
    pub master_key_command: Vec<String>,
}

/// What becomes of the audit's records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// 0 for good.
    pub retention_days: u32,
    /// Where they go as lines of JSON; empty for nowhere.
    pub file: PathBuf,
}

impl Audit {
    /// How long records are kept; for good if `None`.
    pub fn retention(&self) -> Option<std::time::Duration> {
        const DAY: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
        (self.retention_days > 0).then(|| DAY * self.retention_days)
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub format: LogFormat,
    pub filter: String,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is not TOML, has an unknown key or a value out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let fault = |error: &dyn std::fmt::Display| {
            Error::Start(format!("config file {}: {error}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| fault(&error))?;
        Self::parse(&text).map_err(|error| fault(&error))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// When it is not TOML, has an unknown key or a value out of range.
    pub fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text)
            .map_err(|error| Error::Start(error.to_string().trim_end().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::Start(what.to_owned()));
        let Connections {
            max_connections,
            reserved_for_operators,
            ..
        } = self.connections;
        if max_connections == 0 || reserved_for_operators >= max_connections {
            return refuse("max_connections must be more than reserved_for_operators");
        }
        if self.connections.max_unfinished_logins == 0 {
            return refuse("max_unfinished_logins must be at least 1");
        }
        if self.connections.authentication_timeout_ms == 0 {
            return refuse("authentication_timeout_ms must be at least 1");
        }
        if self.connections.client_connection_check_interval_ms == 0 {
            return refuse("client_connection_check_interval_ms must be at least 1");
        }
        if !(64 * 1024..=1 << 30).contains(&self.connections.max_message_bytes) {
            return refuse("max_message_bytes must be between 65536 and 1073741824");
        }
        if self.passwords.scram_iterations < crate::auth::scram::MIN_ITERATIONS {
            return refuse("scram_iterations must be at least 4096");
        }
        if self.passwords.history > MAX_HISTORY {
            return refuse("history must be at most 24");
        }
        for issuer in &self.logins.issuers {
            issuer.check()?;
        }
        let client_files = [
            &self.listen.tls_client_ca_file,
            &self.listen.tls_client_crl_file,
        ];
        let given = client_files.map(|file| !file.as_os_str().is_empty());
        if given[1] && !given[0] {
            return refuse("tls_client_crl_file needs tls_client_ca_file");
        }
        if given[0] && self.listen.tls_certificate_file.as_os_str().is_empty() {
            return refuse("tls_client_ca_file needs tls_certificate_file");
        }
        let sources = [
            !self.encryption.master_key_file.as_os_str().is_empty(),
            !self.encryption.master_key_variable.is_empty(),
            !self.encryption.master_key_command.is_empty(),
        ];
        if sources.iter().filter(|given| **given).count() > 1 {
            return refuse(
                "of master_key_file, master_key_variable and master_key_command one is enough",
            );
        }
        if !(1..=MAX_CPU_SHARE).contains(&self.tenants.cpu_share) {
            return refuse("cpu_share must be between 1 and 10000");
        }
        let (certificate, key) = (&self.listen.tls_certificate_file, &self.listen.tls_key_file);
        if certificate.as_os_str().is_empty() != key.as_os_str().is_empty() {
            return refuse("tls_certificate_file and tls_key_file go together");
        }
        Ok(())
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 5432)),
            without_tls: WithoutTls::Loopback,
            tls_certificate_file: PathBuf::new(),
            tls_key_file: PathBuf::new(),
            tls_client_ca_file: PathBuf::new(),
            tls_client_crl_file: PathBuf::new(),
        }
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            max_connections: 1000,
            reserved_for_operators: 3,
            max_unfinished_logins: 2000,
            authentication_timeout_ms: 10_000,
            client_connection_check_interval_ms: 1_000,
            max_message_bytes: 64 * 1024 * 1024,
            shutdown_timeout_ms: 30_000,
        }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            encryption: Encryption::ScramSha256,
            scram_iterations: 4096,
            min_length: 0,
            history: 0,
        }
    }
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            hba_file: PathBuf::new(),
            ident_file: PathBuf::new(),
            free_refusals: 5,
            max_refusal_wait_ms: 2_000,
            issuers: Vec::new(),
        }
    }
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            memory_limit_bytes: 0,
            decoded_columns_bytes: None,
            temporary_disk_limit_bytes: 100 << 30,
            cpu_threads: 0,
            network_threads: 0,
        }
    }
}

impl Default for Tenants {
    fn default() -> Self {
        Self {
            max_connections: 100,
            max_statements: 64,
            max_queued_statements: 0,
            memory_limit_bytes: 0,
            cpu_share: 100,
            max_statement_time_ms: 0,
            spill_limit_bytes: 0,
            max_result_rows: 0,
            storage_limit_bytes: 0,
            max_tables: 0,
            copy_bytes_per_second: 0,
            statement_timeout_ms: 300_000,
            idle_in_transaction_timeout_ms: 600_000,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "warn,tessera=info".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_the_default_and_names_every_setting() {
        assert_eq!(Config::parse(EXAMPLE).unwrap(), Config::default());
        let written = toml::to_string(&Config::default()).unwrap();
        for line in written.lines().filter(|line| !line.is_empty()) {
            assert!(EXAMPLE.lines().any(|example| example == line), "{line}");
        }
    }

    #[test]
    fn what_is_not_known_or_not_sensible_is_refused() {
        for text in [
            "[listen]\nport = 1",
            "[nothing]",
            "[passwords]\nscram_iterations = 1000",
            "[connections]\nmax_connections = 3",
            "[listen]\ntls_key_file = \"key.pem\"",
            "[listen]\nwithout_tls = \"yes\"",
            "[listen]\ntls_client_ca_file = \"ca.pem\"",
            "[passwords]\nhistory = 1000",
            "[encryption]\nmaster_key = \"00\"",
            "[encryption]\nmaster_key_file = \"k\"\nmaster_key_variable = \"K\"",
            "[[logins.issuers]]\nissuer = \"https://id.example\"",
        ] {
            assert!(Config::parse(text).is_err(), "{text}");
        }
        assert_eq!(Config::parse("").unwrap(), Config::default());
    }

    #[test]
    fn an_issuer_is_described_by_a_few_lines() {
        let issuer = |more: &str| {
            Config::parse(&format!(
                "[[logins.issuers]]\nissuer = \"https://id.example\"\naudience = \"tessera\"\n{more}"
            ))
        };
        let fine = "jwks_url = \"https://id.example/keys\"\ntenant_claim = \"tenant\"\n";
        let read = issuer(fine).unwrap();
        assert_eq!(read.logins.issuers[0].role_claim, "roles");
        for wrong in [
            "jwks_url = \"http://id.example/keys\"\ntenant = \"acme\"",
            "jwks_url = \"http://localhost/keys\"\ntenant = \"acme\"",
            "jwks_url = \"https://id.example/keys\"",
            "tenant = \"acme\"",
            "jwks_file = \"k\"\ntenant = \"acme\"\nalgorithms = [\"HS256\"]",
            "jwks_file = \"k\"\ntenant = \"acme\"\nalgorithms = [\"none\"]",
            "jwks_file = \"k\"\ntenant = \"acme\"\nalgorithms = []",
            "jwks_file = \"k\"\ntenant = \"acme\"\nclock_skew_s = 3600",
        ] {
            assert!(issuer(wrong).is_err(), "{wrong}");
        }
    }
}
