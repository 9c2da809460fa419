//! What a tenant or a role may use at most, and the plans that bundle it with features.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::database::Database;
use super::tenant::Tenant;
use crate::id::Oid;

/// Something that is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quota {
    /// Sessions at a time.
    Connections,
    /// Statements that run at a time.
    Statements,
    /// Statements that wait until others end.
    QueuedStatements,
    /// Memory of running statements, in bytes.
    Memory,
    /// The weight beside others when the processors are busy.
    CpuShare,
    /// The longest that a statement may take, in milliseconds.
    StatementTime,
    /// Temporary files of running statements, in bytes.
    Spill,
    /// Rows that one statement may return.
    ResultRows,
    /// Files of the tenant's visible rows, in bytes.
    Storage,
    /// Tables and materialised views of the tenant's own.
    Tables,
    /// Data of COPY in either direction, in bytes a second.
    CopyRate,
}

/// How a quota's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Count,
    Bytes,
    Milliseconds,
    BytesPerSecond,
}

/// The weight of who has no other.
pub const USUAL_CPU_SHARE: u64 = 100;
/// The greatest weight.
pub const MAX_CPU_SHARE: u64 = 10_000;

impl Quota {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::Connections,
        Self::Statements,
        Self::QueuedStatements,
        Self::Memory,
        Self::CpuShare,
        Self::StatementTime,
        Self::Spill,
        Self::ResultRows,
        Self::Storage,
        Self::Tables,
        Self::CopyRate,
    ];

    /// The name in SQL and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Statements => "statements",
            Self::QueuedStatements => "queued_statements",
            Self::Memory => "memory",
            Self::CpuShare => "cpu_share",
            Self::StatementTime => "statement_time",
            Self::Spill => "spill",
            Self::ResultRows => "result_rows",
            Self::Storage => "storage",
            Self::Tables => "tables",
            Self::CopyRate => "copy_rate",
        }
    }

    /// The quota of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quota| quota.name() == name)
    }

    /// How its values are written.
    pub fn unit(self) -> Unit {
        match self {
            Self::Memory | Self::Spill | Self::Storage => Unit::Bytes,
            Self::StatementTime => Unit::Milliseconds,
            Self::CopyRate => Unit::BytesPerSecond,
            Self::Connections
            | Self::Statements
            | Self::QueuedStatements
            | Self::CpuShare
            | Self::ResultRows
            | Self::Tables => Unit::Count,
        }
    }

    /// Whether a role can have one that is narrower than its tenant's.
    pub fn is_of_roles(self) -> bool {
        match self {
            Self::Connections
            | Self::Statements
            | Self::Memory
            | Self::StatementTime
            | Self::ResultRows => true,
            Self::QueuedStatements
            | Self::CpuShare
            | Self::Spill
            | Self::Storage
            | Self::Tables
            | Self::CopyRate => false,
        }
    }

    /// Reads a value as SQL writes it: `none` for no limit, a number, or a number with a unit.
    pub fn parse(self, text: &str) -> Option<Option<u64>> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("none") && self != Self::CpuShare {
            return Some(None);
        }
        let text = match self.unit() {
            Unit::BytesPerSecond => text.strip_suffix("/s").unwrap_or(text),
            _ => text,
        };
        let end = text.find(|c: char| !c.is_ascii_digit());
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let factor: u64 = match (self.unit(), unit.trim()) {
            (_, "") => 1,
            (Unit::Bytes | Unit::BytesPerSecond, unit) => match unit {
                "B" => 1,
                "kB" | "KB" => 1 << 10,
                "MB" => 1 << 20,
                "GB" => 1 << 30,
                "TB" => 1 << 40,
                _ => return None,
            },
            (Unit::Milliseconds, unit) => match unit {
                "ms" => 1,
                "s" => 1_000,
                "min" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                _ => return None,
            },
            (Unit::Count, _) => return None,
        };
        let value = number.parse::<u64>().ok()?.checked_mul(factor)?;
        // The catalogs show it as a bigint.
        i64::try_from(value).ok()?;
        let fits = match self {
            Self::CpuShare => (1..=MAX_CPU_SHARE).contains(&value),
            // Without any of these nothing could be done, not even be changed.
            Self::Memory | Self::StatementTime | Self::CopyRate | Self::Statements => value > 0,
            _ => true,
        };
        fits.then_some(Some(value))
    }

    fn index(self) -> usize {
        self as usize
    }
}

/// Quotas that were given; what is not named is left to others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quotas(pub BTreeMap<Quota, Option<u64>>);

impl Quotas {
    /// What was given: `Some(None)` is no limit in so many words.
    pub fn get(&self, quota: Quota) -> Option<Option<u64>> {
        self.0.get(&quota).copied()
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Quotas and features that tenants are given together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub oid: Oid,
    pub name: String,
    pub quotas: Quotas,
    /// Features that are switched off; all others are on.
    pub without: BTreeSet<String>,
}

/// Where a quota in force comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Tenant,
    Plan,
    Default,
}

/// Every quota in force: `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    limits: [Option<u64>; Quota::ALL.len()],
}

impl Allowance {
    /// No limits, as operators have.
    pub fn unbounded() -> Self {
        Self {
            limits: [None; Quota::ALL.len()],
        }
    }

    /// A tenant's: its own, else its plan's, else the default.
    pub fn of_tenant(system: &Database, tenant: &Tenant, defaults: &Quotas) -> Self {
        let mut limits = [None; Quota::ALL.len()];
        for quota in Quota::ALL {
            limits[quota.index()] = in_force(system, tenant, defaults, quota).0;
        }
        Self { limits }
    }

    /// The limit of one quota.
    pub fn get(&self, quota: Quota) -> Option<u64> {
        self.limits[quota.index()]
    }
}

/// A tenant's limit of one quota, and where it comes from.
pub fn in_force(
    system: &Database,
    tenant: &Tenant,
    defaults: &Quotas,
    quota: Quota,
) -> (Option<u64>, Source) {
    if let Some(own) = tenant.quotas.get(quota).or_else(|| former(tenant, quota)) {
        return (own, Source::Tenant);
    }
    let plan = tenant.plan.and_then(|plan| system.plans.get(&plan));
    if let Some(of_plan) = plan.and_then(|plan| plan.quotas.get(quota)) {
        return (of_plan, Source::Plan);
    }
    (defaults.get(quota).flatten(), Source::Default)
}

/// What was kept among the settings before there were quotas.
fn former(tenant: &Tenant, quota: Quota) -> Option<Option<u64>> {
    match quota {
        Quota::Connections => quota.parse(tenant.settings.get("max_connections")?),
        Quota::Memory => {
            let text = tenant.settings.get("memory_limit")?.trim();
            match text.parse::<u64>() {
                Ok(kilobytes) => Some(kilobytes.checked_mul(1 << 10)),
                Err(_) => quota.parse(text),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_units() {
        for (quota, text, value) in [
            (Quota::Connections, "5", Some(Some(5))),
            (Quota::Connections, "none", Some(None)),
            (Quota::Connections, "5MB", None),
            (Quota::Connections, "-1", None),
            (Quota::Memory, "2GB", Some(Some(2 << 30))),
            (Quota::Memory, "0", None),
            (Quota::Memory, "9999999999TB", None),
            (Quota::StatementTime, "30s", Some(Some(30_000))),
            (Quota::StatementTime, "30MB", None),
            (Quota::CopyRate, "10MB/s", Some(Some(10 << 20))),
            (Quota::CopyRate, "10", Some(Some(10))),
            (Quota::CpuShare, "none", None),
            (Quota::CpuShare, "0", None),
            (Quota::Storage, "0", Some(Some(0))),
            (Quota::Tables, "", None),
        ] {
            assert_eq!(quota.parse(text), value, "{quota:?} {text}");
        }
    }

    #[test]
    fn places_are_those_of_the_list() {
        for (place, quota) in Quota::ALL.into_iter().enumerate() {
            assert_eq!(quota.index(), place);
            assert_eq!(Quota::named(quota.name()), Some(quota));
        }
    }
}
