//! Encryption of a tenant's files: CREATE TENANT … ENCRYPTED, SET ENCRYPTION, ROTATE KEY, and ALTER
//! SYSTEM ROTATE MASTER KEY. The files themselves are rewritten behind the statements.

use tessera_catalog::id::TenantId;
use tessera_catalog::model::{Change, Encryption, Tenant};

use crate::error::{Error, Result};
use crate::policy::Caller;
use crate::session::Session;
use crate::session::reply::Notice;

/// The most keys that a tenant's files may lie under at a time.
const MAX_KEYS: usize = 16;

/// That of a tenant whose files are encrypted from the first on.
pub(super) fn born(session: &Session, tenant: TenantId) -> Result<Encryption> {
    let key = session.engine.catalog.keys().generate(tenant)?;
    Ok(Encryption::born(key))
}

/// Turns encryption on or off; whether that changes anything.
pub(super) fn set(session: &mut Session, tenant: &mut Tenant, on: bool) -> Result<bool> {
    let word = if on { "on" } else { "off" };
    if tenant.encryption.on == on {
        session.notice(Notice::plain(format!(
            "encryption of tenant \"{}\" is already {word}",
            tenant.name
        )));
        return Ok(false);
    }
    // Without its keys no file could be rewritten.
    session.engine.catalog.keys().check(tenant)?;
    if on {
        turn_to_new_key(session, tenant)?;
    } else {
        tenant.encryption.turn_off();
    }
    tell(
        session,
        tenant,
        &format!("encryption is {word} for new files"),
    );
    Ok(true)
}

/// Encrypts new files with a new key.
pub(super) fn rotate(session: &mut Session, tenant: &mut Tenant) -> Result<()> {
    if !tenant.encryption.on {
        return Err(Error::Function {
            sqlstate: "55000",
            message: format!("files of tenant \"{}\" are not encrypted", tenant.name),
            detail: None,
            hint: Some(format!(
                "Use ALTER TENANT {} SET ENCRYPTION ON.",
                tenant.name
            )),
        });
    }
    session.engine.catalog.keys().check(tenant)?;
    turn_to_new_key(session, tenant)?;
    tell(session, tenant, "new files are encrypted with a new key");
    Ok(())
}

fn turn_to_new_key(session: &Session, tenant: &mut Tenant) -> Result<()> {
    if tenant.encryption.keys.len() >= MAX_KEYS {
        return Err(Error::Function {
            sqlstate: "55000",
            message: format!(
                "files of tenant \"{}\" are still encrypted with {MAX_KEYS} former keys",
                tenant.name
            ),
            detail: None,
            hint: Some("tessera.encryption shows how many are to be rewritten.".to_owned()),
        });
    }
    let key = session.engine.catalog.keys().generate(tenant.id)?;
    tenant.encryption.turn_to(key);
    Ok(())
}

fn tell(session: &mut Session, tenant: &Tenant, what: &str) {
    session.notice(Notice {
        detail: Some(
            "Former files are rewritten in the background; tessera.encryption shows how many are \
             left, and their keys are erased after the last."
                .to_owned(),
        ),
        ..Notice::plain(format!("tenant \"{}\": {what}", tenant.name))
    });
}

/// Reads the master key anew, and wraps every tenant's keys by it.
pub(super) async fn rotate_master(session: &mut Session, caller: &Caller) -> Result<()> {
    let catalog = session.engine.catalog.clone();
    catalog.reload_master_keys().await?;
    let keys = catalog.keys();
    let (mut changes, mut count, mut lost) = (Vec::new(), 0, Vec::new());
    for tenant in caller.system.tenants.values() {
        let wrapped: Result<Vec<_>, _> = tenant
            .encryption
            .keys
            .iter()
            .map(|key| keys.rewrap(tenant.id, key))
            .collect();
        let Ok(wrapped) = wrapped else {
            lost.push(tenant.name.clone());
            continue;
        };
        if wrapped != tenant.encryption.keys {
            count += wrapped.len();
            let mut tenant = tenant.as_ref().clone();
            tenant.encryption.keys = wrapped;
            changes.push(Change::PutTenant(tenant));
        }
    }
    let tenants = changes.len();
    session.transaction.change(&caller.system, changes);
    let detail = (!lost.is_empty()).then(|| {
        format!(
            "The keys of {} tenants are wrapped by a master key that is not at hand, among them \
             \"{}\".",
            lost.len(),
            lost[0]
        )
    });
    session.notice(Notice {
        detail,
        ..Notice::plain(format!(
            "{count} keys of {tenants} tenants are now wrapped by master key {}",
            keys.master_id()?
        ))
    });
    Ok(())
}

/// What the notice of DROP says of a tenant's keys.
pub(super) fn shredded(tenant: &Tenant) -> String {
    match tenant.encryption.keys.len() {
        0 => String::new(),
        keys => format!(
            " Its {keys} keys are erased from the catalog: no copy of its encrypted files can be \
             read any more, except with a copy of the catalog and the master key."
        ),
    }
}
