//! The files that hold the rules: read at the start and at SIGHUP, and shown as they are now.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::RwLock;
use tessera_catalog::system::{HostRuleRow, IdentityMappingRow, LoginFiles};

use super::identity::Mapping;
use super::parse::{self, Word};
use super::{
    Addresses, ClientCertificate, ClientName, HostRule, HostRules, IdentityMap, RuleOptions,
    Transport,
};
use crate::error::{Error, Result};

/// The rules of a server without a file: everyone from everywhere by the password, as it is kept.
const DEFAULT_RULES: &str = "host all all all stored";

/// The longest file that is read.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// The rules in force, and where they come from.
#[derive(Debug)]
pub struct RuleFiles {
    rules: Option<PathBuf>,
    maps: Option<PathBuf>,
    in_force: RwLock<Arc<HostRules>>,
}

/// A line that was read, or what is wrong with it.
type Line<T> = (usize, std::result::Result<T, String>);

impl Default for RuleFiles {
    fn default() -> Self {
        let rules = read_rules(DEFAULT_RULES).into_iter();
        let rules = rules.filter_map(|(_, rule)| rule.ok().map(Arc::new));
        Self {
            rules: None,
            maps: None,
            in_force: RwLock::new(Arc::new(HostRules {
                rules: rules.collect(),
                maps: IdentityMap::default(),
            })),
        }
    }
}

impl RuleFiles {
    /// Reads the files; an empty path is that of no file.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or a line of it is wrong.
    pub fn open(rules: &Path, maps: &Path) -> Result<Self> {
        let given = |path: &Path| (!path.as_os_str().is_empty()).then(|| path.to_owned());
        let files = Self {
            rules: given(rules),
            maps: given(maps),
            ..Self::default()
        };
        files.reload()?;
        Ok(files)
    }

    /// The rules that count now.
    pub fn current(&self) -> Arc<HostRules> {
        Arc::clone(&self.in_force.read())
    }

    /// Reads the files anew; with an error what was in force stays so.
    ///
    /// # Errors
    ///
    /// As [`RuleFiles::open`].
    pub fn reload(&self) -> Result<()> {
        let rules = checked(
            self.rules.as_deref(),
            read_rules(&self.text(self.rules.as_deref(), DEFAULT_RULES)?),
        )?;
        let maps = checked(
            self.maps.as_deref(),
            read_maps(&self.text(self.maps.as_deref(), "")?),
        )?;
        for rule in &rules {
            let missing =
                |map: &&String| !maps.iter().any(|mapping: &Mapping| mapping.map == **map);
            if let Some(map) = rule.options.map.as_ref().filter(missing) {
                tracing::warn!(map, line = rule.line, "a rule names a map without entries");
            }
        }
        *self.in_force.write() = Arc::new(HostRules {
            rules: rules.into_iter().map(Arc::new).collect(),
            maps: IdentityMap { mappings: maps },
        });
        Ok(())
    }

    fn text(&self, path: Option<&Path>, default: &str) -> Result<String> {
        let Some(path) = path else {
            return Ok(default.to_owned());
        };
        let fault =
            |error: &dyn std::fmt::Display| Error::Start(format!("{}: {error}", path.display()));
        let size = std::fs::metadata(path)
            .map_err(|error| fault(&error))?
            .len();
        if size > MAX_FILE_BYTES {
            return Err(fault(&"the file is too long"));
        }
        std::fs::read_to_string(path).map_err(|error| fault(&error))
    }

    /// What the files say now, faults too, for the operator's catalogs.
    pub fn rows(&self) -> LoginFiles {
        let unread = |error: Error| error.to_string();
        let rules = match self.text(self.rules.as_deref(), DEFAULT_RULES) {
            Ok(text) => read_rules(&text).into_iter().map(rule_row).collect(),
            Err(error) => vec![HostRuleRow {
                error: Some(unread(error)),
                ..HostRuleRow::default()
            }],
        };
        let mappings = match self.text(self.maps.as_deref(), "") {
            Ok(text) => read_maps(&text).into_iter().map(mapping_row).collect(),
            Err(error) => vec![IdentityMappingRow {
                error: Some(unread(error)),
                ..IdentityMappingRow::default()
            }],
        };
        LoginFiles { rules, mappings }
    }
}

pub(super) fn read_rules(text: &str) -> Vec<Line<HostRule>> {
    let lines = parse::lines(text).into_iter();
    lines
        .map(|(line, fields)| (line, parse::rule(line, fields)))
        .collect()
}

pub(super) fn read_maps(text: &str) -> Vec<Line<Mapping>> {
    let lines = parse::lines(text).into_iter();
    lines
        .map(|(line, fields)| (line, Mapping::read(fields)))
        .collect()
}

/// The lines, if all of them are right.
fn checked<T>(path: Option<&Path>, lines: Vec<Line<T>>) -> Result<Vec<T>> {
    let name = path.map_or_else(String::new, |path| path.display().to_string());
    let read = lines.into_iter().map(|(line, read)| {
        read.map_err(|error| Error::Start(format!("{name}, line {line}: {error}")))
    });
    read.collect()
}

fn number(line: usize) -> i32 {
    i32::try_from(line).unwrap_or(i32::MAX)
}

fn rule_row((line, rule): Line<HostRule>) -> HostRuleRow {
    let rule = match rule {
        Ok(rule) => rule,
        Err(error) => {
            return HostRuleRow {
                line_number: number(line),
                error: Some(error),
                ..HostRuleRow::default()
            };
        }
    };
    let kind = match rule.transport {
        Transport::Any => "host",
        Transport::Tls => "hostssl",
        Transport::Plain => "hostnossl",
        Transport::Gss => "hostgssenc",
        Transport::NotGss => "hostnogssenc",
    };
    let (address, netmask) = match rule.addresses {
        Addresses::All => ("all".to_owned(), None),
        Addresses::SameHost => ("samehost".to_owned(), None),
        Addresses::Network { address, mask } => (address.to_string(), Some(mask.to_string())),
    };
    let texts = |words: &[Word]| words.iter().map(|word| word.text.clone()).collect();
    let options = options(&rule.options);
    HostRuleRow {
        line_number: number(line),
        kind: Some(kind.to_owned()),
        database: Some(texts(&rule.databases)),
        user_name: Some(texts(&rule.users)),
        address: Some(address),
        netmask,
        auth_method: Some(rule.method.name().to_owned()),
        options: (!options.is_empty()).then_some(options),
        error: None,
    }
}

/// Options in PostgreSQL's order, defaults of the method among them.
fn options(options: &RuleOptions) -> Vec<String> {
    let certificate = match options.certificate {
        ClientCertificate::NotAsked => None,
        ClientCertificate::Valid => Some("verify-ca".to_owned()),
        ClientCertificate::Named => Some("verify-full".to_owned()),
    };
    let name = match options.client_name {
        ClientName::CommonName => None,
        ClientName::Subject => Some("DN".to_owned()),
        ClientName::Alternative => Some("SAN".to_owned()),
    };
    let all = [
        ("map", options.map.clone()),
        ("clientcert", certificate),
        ("clientname", name),
        ("issuer", options.issuer.clone()),
        ("scope", options.scope.clone()),
    ];
    all.into_iter()
        .filter_map(|(option, value)| Some(format!("{option}={}", value?)))
        .collect()
}

fn mapping_row((line, mapping): Line<Mapping>) -> IdentityMappingRow {
    match mapping {
        Ok(mapping) => IdentityMappingRow {
            line_number: number(line),
            map_name: Some(mapping.map),
            sys_name: Some(mapping.system),
            pg_username: Some(mapping.user),
            error: None,
        },
        Err(error) => IdentityMappingRow {
            line_number: number(line),
            error: Some(error),
            ..IdentityMappingRow::default()
        },
    }
}
