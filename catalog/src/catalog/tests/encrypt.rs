//! Tenants whose files are encrypted: what lies on the disk, and what becomes of it when keys change.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use super::bed::{Bed, birth, limits, open, part, tenant, values};
use crate::catalog::group::FaultPoint;
use crate::catalog::maintenance;
use crate::catalog::shared::Fault;
use crate::encryption::SealError;
use crate::error::Error;
use crate::id::{DatabaseId, Space, TenantId};
use crate::model::{Change, Encryption, Scope, Tenant, WrappedKey};

/// The file from which a test's catalog has its master key.
const KEY_FILE: &str = "master.key";
/// How long upkeep may take to do what was asked for.
const PATIENCE: Duration = Duration::from_secs(30);

fn write_key(folder: &Path, text: &str) {
    let path = folder.join(KEY_FILE);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A catalog with a master key.
async fn bed() -> Bed {
    let folder = tempfile::tempdir().unwrap();
    write_key(folder.path(), &"5a".repeat(32));
    let catalog = open(folder.path(), limits()).await.unwrap();
    Bed { folder, catalog }
}

async fn encrypted_tenant(bed: &Bed, name: &str) -> TenantId {
    let mut tenant = tenant(&bed.catalog, name);
    let key = bed.catalog.keys().generate(tenant.id).unwrap();
    tenant.encryption = Encryption::born(key);
    let id = tenant.id;
    let commit = birth(&bed.catalog, vec![tenant]);
    bed.catalog.commit(commit).await.unwrap();
    id
}

fn now(bed: &Bed, id: TenantId) -> Tenant {
    bed.catalog.system().tenants[&id].as_ref().clone()
}

async fn change(bed: &Bed, id: TenantId, change: impl FnOnce(&mut Encryption, WrappedKey)) {
    let mut tenant = now(bed, id);
    let key = bed.catalog.keys().generate(id).unwrap();
    change(&mut tenant.encryption, key);
    bed.put(DatabaseId::System, vec![Change::PutTenant(tenant)])
        .await
        .unwrap();
}

/// Waits until all files are as new ones are.
async fn rewritten(bed: &Bed, id: TenantId) -> Encryption {
    let begin = std::time::Instant::now();
    loop {
        let encryption = now(bed, id).encryption;
        if !encryption.rewriting {
            return encryption;
        }
        assert!(
            begin.elapsed() < PATIENCE,
            "{:?}",
            bed.catalog.stale_files(id)
        );
        bed.catalog.shared.needs.look();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many files of the tenant begin as encrypted ones, and how many do not.
fn forms(folder: &Path, id: TenantId) -> (usize, usize) {
    let mut count = (0, 0);
    let mut folders = vec![folder.join("tables").join(Space::Tenant(id).prefix())];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if std::fs::read(path).unwrap().starts_with(b"TESSENC") {
                count.0 += 1;
            } else {
                count.1 += 1;
            }
        }
    }
    count
}

/// Whether any file below a folder holds some bytes.
fn holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let found = std::fs::read(path).unwrap();
        found.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[tokio::test]
async fn files_log_and_redo_records_are_encrypted() {
    let bed = bed().await;
    let acme = encrypted_tenant(&bed, "acme").await;
    let space = Space::Tenant(acme);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    // A number that the log would tell as the least of the file's.
    *bed.catalog.shared.fault.lock() = Some(Fault::At(FaultPoint::Durable));
    let lost = bed.insert(values(space, &sales, &[918_273_645])).await;
    assert!(lost.is_err());
    assert!(!holds(bed.folder.path(), b"918273645"));
    let bed = bed.kill().await;
    assert_eq!(bed.rows(part(space, &sales)).await, 1);
    bed.insert(values(space, &sales, &[918_273_645, 2]))
        .await
        .unwrap();
    assert_eq!(bed.rows(part(space, &sales)).await, 3);
    // A checkpoint too, and a start that reads it.
    bed.catalog.close().await;
    let bed = bed.kill().await;
    let storage = bed.catalog.storage();
    storage.checkpoint(part(space, &sales), 1).await.unwrap();
    assert_eq!(bed.rows(part(space, &sales)).await, 3);
    let bed = bed.kill().await;
    assert_eq!(bed.rows(part(space, &sales)).await, 3);
    let (encrypted, plain) = forms(bed.folder.path(), acme);
    assert!(encrypted >= 6 && plain == 0, "{encrypted} {plain}");
    assert!(!holds(bed.folder.path(), b"918273645"));
}

#[tokio::test]
async fn a_key_is_rotated_whenever_the_server_ends() {
    let mut bed = bed().await;
    let acme = encrypted_tenant(&bed, "acme").await;
    let space = Space::Tenant(acme);
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    for value in 0..20 {
        bed.insert(values(space, &sales, &[value])).await.unwrap();
    }
    let mut keys = vec![now(&bed, acme).encryption.keys[0].id];
    for _ in 0..3 {
        change(&bed, acme, |encryption, key| encryption.turn_to(key)).await;
        let store = bed.catalog.shared.storage.sealed(space);
        if let Some(stale) = store.stale_files().await.unwrap().first() {
            store.rewrite(&stale.location).await.unwrap();
        }
        bed = bed.kill().await;
        assert_eq!(bed.rows(part(space, &sales)).await, 20);
        let encryption = rewritten(&bed, acme).await;
        let [key] = &encryption.keys[..] else {
            panic!("{encryption:?}");
        };
        assert!(!keys.contains(&key.id));
        keys.push(key.id);
        let store = bed.catalog.shared.storage.sealed(space);
        assert!(store.stale_files().await.unwrap().is_empty());
        bed.reopen().await;
        assert_eq!(bed.rows(part(space, &sales)).await, 20);
    }
    assert_eq!(forms(bed.folder.path(), acme).1, 0);
    // Off and on again.
    change(&bed, acme, |encryption, _| encryption.turn_off()).await;
    assert!(rewritten(&bed, acme).await.keys.is_empty());
    assert_eq!(forms(bed.folder.path(), acme).0, 0);
    change(&bed, acme, |encryption, key| encryption.turn_to(key)).await;
    bed.insert(values(space, &sales, &[20])).await.unwrap();
    rewritten(&bed, acme).await;
    assert_eq!(forms(bed.folder.path(), acme).1, 0);
    bed.reopen().await;
    assert_eq!(bed.rows(part(space, &sales)).await, 21);
}

#[tokio::test]
async fn a_dropped_tenants_keys_are_gone_from_the_catalogs_files() {
    let bed = bed().await;
    let acme = encrypted_tenant(&bed, "acme").await;
    let globex = encrypted_tenant(&bed, "globex").await;
    let wrapped = |id| now(&bed, id).encryption.keys[0].wrapped.clone();
    let (gone, former) = (wrapped(acme), wrapped(globex));
    assert!(holds(bed.folder.path(), gone.as_bytes()));
    bed.put(DatabaseId::System, vec![Change::DropTenant(acme)])
        .await
        .unwrap();
    // So is a key that was rotated away.
    change(&bed, globex, |encryption, key| encryption.turn_to(key)).await;
    rewritten(&bed, globex).await;
    maintenance::round(&bed.catalog.shared).await;
    assert!(!holds(bed.folder.path(), gone.as_bytes()));
    assert!(!holds(bed.folder.path(), former.as_bytes()));
    assert!(holds(bed.folder.path(), wrapped(globex).as_bytes()));
}

#[tokio::test]
async fn without_its_master_key_a_tenant_is_closed_and_others_are_not() {
    let mut bed = bed().await;
    let acme = encrypted_tenant(&bed, "acme").await;
    let plain = bed.tenant("plain").await;
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    for tenant in [acme, plain] {
        let space = Space::Tenant(tenant);
        bed.insert(values(space, &sales, &[1])).await.unwrap();
    }
    let locked = |error: &Error| matches!(error, Error::Sealed(SealError::Locked(_)));
    for text in ["6b".repeat(32), String::new()] {
        write_key(bed.folder.path(), &text);
        bed.reopen().await;
        let (acme, plain) = (Space::Tenant(acme), Space::Tenant(plain));
        let error = bed
            .catalog
            .snapshot(part(acme, &sales), "t")
            .await
            .unwrap_err();
        assert!(locked(&error), "{error}");
        let error = bed.insert(values(acme, &sales, &[2])).await.unwrap_err();
        assert!(locked(&error), "{error}");
        bed.insert(values(plain, &sales, &[2])).await.unwrap();
    }
    assert_eq!(bed.rows(part(Space::Tenant(plain), &sales)).await, 3);
    // The key is there again.
    write_key(bed.folder.path(), &"5a".repeat(32));
    bed.catalog.reload_master_keys().await.unwrap();
    assert_eq!(bed.rows(part(Space::Tenant(acme), &sales)).await, 1);
    // One that would close a tenant is not taken.
    write_key(bed.folder.path(), &"6b".repeat(32));
    assert!(bed.catalog.reload_master_keys().await.is_err());
    bed.insert(values(Space::Tenant(acme), &sales, &[2]))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_small_write_of_a_closed_tenant_keeps_nobody_from_committing() {
    let mut bed = bed().await;
    let acme = encrypted_tenant(&bed, "acme").await;
    let plain = bed.tenant("plain").await;
    let sales = bed.table(DatabaseId::System, "sales", Scope::Common).await;
    write_key(bed.folder.path(), "");
    bed.reopen().await;
    let writes = (0..10).map(|value| {
        let tenant = if value % 2 == 0 { acme } else { plain };
        bed.insert(values(Space::Tenant(tenant), &sales, &[value]))
    });
    let done = futures::future::join_all(writes).await;
    for (value, done) in done.iter().enumerate() {
        assert_eq!(done.is_ok(), value % 2 == 1, "{value}: {done:?}");
    }
}
