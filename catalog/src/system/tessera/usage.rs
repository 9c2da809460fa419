//! `tessera.plans`, `tessera.quotas` and `tessera.tenant_usage`: what tenants may use, and what they
//! did. An operator sees all, a tenant itself; a plan is shown to a tenant that has it.

use std::collections::BTreeMap;

use crate::id::{DatabaseId, TenantId};
use crate::model::{Period, Plan, Quota, Source, Tenant, Unit, in_force, today};
use crate::system::rows::{Rows, Value, row};
use crate::system::scene::{InUse, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static PLANS: SystemTable = SystemTable::view(
    "tessera",
    "plans",
    13_110,
    "
    planname name, quotas text[], without text[], tenants int8",
    plans,
);

pub(in crate::system) static QUOTAS: SystemTable = SystemTable::view(
    "tessera",
    "quotas",
    13_111,
    "
    tenantname name, rolename name, quota text, value int8, unit text, source text, in_use int8",
    quotas,
);

pub(in crate::system) static TENANT_USAGE: SystemTable = SystemTable::view(
    "tessera",
    "tenant_usage",
    13_112,
    "
    tenantname name, period text, period_start timestamptz, queries int8, rejected int8,
    connections int8, connections_now int8, connections_quota int8, rows_read int8,
    bytes_read int8, rows_written int8, bytes_written int8, rows_returned int8,
    cpu_seconds float8, memory_gb_seconds float8, storage_bytes int8, storage_quota int8",
    usage,
);

/// The tenants that the session may know of.
fn visible(scene: &Scene) -> Vec<&Tenant> {
    match scene.database.id {
        DatabaseId::System => scene.system.tenants.values().map(AsRef::as_ref).collect(),
        DatabaseId::Tenant(id) => {
            let own = scene.system.tenants.get(&id);
            own.map(AsRef::as_ref).into_iter().collect()
        }
    }
}

fn plans(scene: &Scene, rows: &mut Rows) {
    let tenants = visible(scene);
    for plan in scene.system.plans.values() {
        let count = tenants.iter().filter(|t| t.plan == Some(plan.oid)).count();
        if scene.in_tenant() && count == 0 {
            continue;
        }
        row!(
            rows,
            planname: &plan.name,
            quotas: written(plan),
            without: plan.without.iter().map(Value::from).collect::<Vec<_>>(),
            tenants: (!scene.in_tenant()).then_some(count as i64),
        );
    }
}

/// The quotas of a plan as `name=value`.
fn written(plan: &Plan) -> Vec<Value<'_>> {
    let quotas = plan.quotas.0.iter();
    let quotas = quotas.map(|(quota, limit)| match limit {
        Some(limit) => Value::from(format!("{}={limit}", quota.name())),
        None => Value::from(format!("{}=none", quota.name())),
    });
    quotas.collect()
}

fn quotas(scene: &Scene, rows: &mut Rows) {
    for tenant in visible(scene) {
        let used = scene.in_use(tenant.id);
        for quota in Quota::ALL {
            let (limit, source) = in_force(&scene.system, tenant, &scene.default_quotas, quota);
            row!(
                rows,
                tenantname: &tenant.name,
                quota: quota.name(),
                value: limit.map(signed),
                unit: unit(quota),
                source: match source {
                    Source::Tenant => "tenant",
                    Source::Plan => "plan",
                    Source::Default => "default",
                },
                in_use: of_quota(&used, quota).map(signed),
            );
        }
    }
    if let DatabaseId::Tenant(id) = scene.database.id {
        let tenant = scene.system.tenants.get(&id);
        for role in scene.database.roles.values() {
            let connections = u64::try_from(role.connection_limit).ok();
            let connections = connections.map(|limit| (Quota::Connections, Some(limit)));
            let others = role.quotas.0.iter().map(|(quota, limit)| (*quota, *limit));
            for (quota, limit) in connections.into_iter().chain(others) {
                row!(
                    rows,
                    tenantname: tenant.map(|tenant| &tenant.name),
                    rolename: &role.name,
                    quota: quota.name(),
                    value: limit.map(signed),
                    unit: unit(quota),
                    source: "role",
                );
            }
        }
    }
}

fn unit(quota: Quota) -> Option<&'static str> {
    match quota.unit() {
        Unit::Count => None,
        Unit::Bytes => Some("B"),
        Unit::Milliseconds => Some("ms"),
        Unit::BytesPerSecond => Some("B/s"),
    }
}

/// What is used of a quota at the moment; `None` where that is no amount or is not known.
fn of_quota(used: &InUse, quota: Quota) -> Option<u64> {
    match quota {
        Quota::Connections => Some(used.connections),
        Quota::Statements => Some(used.statements),
        Quota::QueuedStatements => Some(used.queued_statements),
        Quota::Memory => Some(used.memory_bytes),
        Quota::Spill => Some(used.spill_bytes),
        Quota::Storage => Some(used.storage_bytes),
        Quota::Tables => used.tables,
        Quota::CpuShare | Quota::StatementTime | Quota::ResultRows | Quota::CopyRate => None,
    }
}

fn usage(scene: &Scene, rows: &mut Rows) {
    const MICROS_A_DAY: i64 = 86_400_000_000;
    let tenants: BTreeMap<TenantId, &Tenant> = visible(scene)
        .into_iter()
        .map(|tenant| (tenant.id, tenant))
        .collect();
    let day = today();
    for usage in scene.usage() {
        let Some(tenant) = tenants.get(&usage.tenant) else {
            continue;
        };
        let is_now = usage.first_day == usage.period.first_day(day);
        let now = is_now.then(|| scene.in_use(tenant.id));
        let quota = |quota| {
            let (limit, _) = in_force(&scene.system, tenant, &scene.default_quotas, quota);
            is_now.then_some(limit).flatten().map(signed)
        };
        let used = usage.used;
        row!(
            rows,
            tenantname: &tenant.name,
            period: Period::name(usage.period),
            period_start: usage.first_day * MICROS_A_DAY,
            queries: signed(used.queries),
            rejected: signed(used.rejected),
            connections: signed(used.connections),
            connections_now: now.as_ref().map(|now| signed(now.connections)),
            connections_quota: quota(Quota::Connections),
            rows_read: signed(used.rows_read),
            bytes_read: signed(used.bytes_read),
            rows_written: signed(used.rows_written),
            bytes_written: signed(used.bytes_written),
            rows_returned: signed(used.rows_returned),
            cpu_seconds: used.cpu_micros as f64 / 1e6,
            memory_gb_seconds: used.memory_kib_ms as f64 / f64::from(1 << 20) / 1e3,
            storage_bytes: now.as_ref().map(|now| signed(now.storage_bytes)),
            storage_quota: quota(Quota::Storage),
        );
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
