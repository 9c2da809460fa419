//! `tessera.encryption`: whether and with which keys tenants' files are encrypted. An operator sees all,
//! a tenant itself.

use crate::id::DatabaseId;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static ENCRYPTION: SystemTable = SystemTable::view(
    "tessera",
    "encryption",
    13_115,
    "
    tenantname name, encrypted bool, key_id text, key_created timestamptz, master_key text,
    former_keys int4, rewriting bool, files_left int8",
    encryption,
);

fn encryption(scene: &Scene, rows: &mut Rows) {
    for tenant in scene.system.tenants.values() {
        let is_own = scene.database.id == DatabaseId::Tenant(tenant.id);
        if scene.in_tenant() && !is_own {
            continue;
        }
        let encryption = &tenant.encryption;
        let active = encryption.active();
        let former = encryption.keys.len() - usize::from(active.is_some());
        let left = match encryption.rewriting {
            true => scene.in_use(tenant.id).stale_files,
            false => Some(0),
        };
        row!(
            rows,
            tenantname: &tenant.name,
            encrypted: encryption.on,
            key_id: active.map(|key| key.id.to_string()),
            key_created: active.map(|key| key.created_at),
            // Which master key there is is the operators' business.
            master_key: active.filter(|_| !scene.in_tenant()).map(|key| key.master.clone()),
            former_keys: former as i32,
            rewriting: encryption.rewriting,
            files_left: left.and_then(|left| i64::try_from(left).ok()),
        );
    }
}
