//! Files through a sealed store, and what becomes of them when somebody lays hands on the disk.

use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode};

use super::format::{CHUNK_BYTES, HEADER_BYTES};
use super::ring::{DataKey, OpenRing, Ring, Secret};
use super::{MasterKeySource, SealError, SealedStore};
use crate::id::{Space, TenantId};
use crate::model::Encryption;
use uuid::Uuid;

/// A text that must not be seen where it is not meant to be.
const SECRET: &[u8] = b"{the secret word is quokka}";

fn key(number: u8) -> Arc<DataKey> {
    let secret = Secret::new([number; 32]);
    Arc::new(DataKey::new(Uuid::from_u128(number.into()), secret))
}

fn ring(keys: &[u8], on: bool, plain_is_fine: bool) -> Ring {
    let keys: Vec<_> = keys.iter().map(|number| key(*number)).collect();
    Ring::Open(Arc::new(OpenRing {
        active: keys.last().filter(|_| on).map(Arc::clone),
        keys,
        plain_is_fine,
    }))
}

/// A store in memory, and the same encrypted by a key of this number.
fn sealed(number: u8) -> (Arc<InMemory>, SealedStore) {
    let inner = Arc::new(InMemory::new());
    let store = SealedStore::new(Arc::clone(&inner) as _, space(number));
    store.set_ring(ring(&[number], true, false));
    (inner, store)
}

fn space(number: u8) -> Space {
    let id = Uuid::from_u128(number.into());
    Space::Tenant(
        crate::id::DatabaseId::from_uuid(id)
            .tenant()
            .expect("a tenant"),
    )
}

/// Bytes that repeat at no chunk's length.
fn noise(length: usize) -> Bytes {
    (0..length).map(|n| ((n % 251) ^ (n / 251)) as u8).collect()
}

async fn raw(inner: &InMemory, path: &Path) -> Vec<u8> {
    inner
        .get(path)
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap()
        .to_vec()
}

async fn read(store: &SealedStore, path: &Path) -> Result<Bytes, SealError> {
    let found = async { store.get(path).await?.bytes().await };
    found
        .await
        .map_err(|error| SealError::behind(&error).expect("a seal's error"))
}

#[tokio::test]
async fn files_come_back_whole_and_in_ranges() {
    let (inner, store) = sealed(1);
    let lengths = [
        0,
        1,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        3 * CHUNK_BYTES,
        3 * CHUNK_BYTES + 7,
        9 << 20,
    ];
    for (number, length) in lengths.into_iter().enumerate() {
        let path = Path::from(format!("t/{number}.parquet"));
        let bytes = noise(length);
        store.put(&path, bytes.clone().into()).await.unwrap();
        // As it was just written, as it is remembered, and by one that remembers nothing.
        let fresh = SealedStore::new(Arc::clone(&inner) as _, space(1));
        fresh.set_ring(ring(&[1], true, false));
        for store in [&store, &store, &fresh] {
            assert_eq!(store.head(&path).await.unwrap().size, length as u64);
            let found = store.get(&path).await.unwrap();
            assert_eq!(found.meta.size, length as u64);
            assert_eq!(found.bytes().await.unwrap(), bytes);
        }
        let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
        let listed = listed.iter().find(|meta| meta.location == path).unwrap();
        assert_eq!(listed.size, length as u64);
        if length == 0 {
            continue;
        }
        let ends = [0, 1, length / 3, length / 2, length - 1, length];
        let ranges: Vec<_> = ends
            .iter()
            .flat_map(|from| ends.iter().map(move |to| *from as u64..*to as u64))
            .filter(|range| range.start < range.end)
            .collect();
        let found = store.get_ranges(&path, &ranges).await.unwrap();
        for (range, found) in ranges.iter().zip(found) {
            let wanted = &bytes[range.start as usize..range.end as usize];
            assert!(found == wanted, "{range:?} of {length}");
            let one = store.get_range(&path, range.clone()).await.unwrap();
            assert!(one == wanted, "{range:?} of {length}");
        }
        let tail = GetOptions::new().with_range(Some(GetRange::Suffix(5)));
        let tail = store.get_opts(&path, tail).await.unwrap();
        let tail = tail.bytes().await.unwrap();
        assert_eq!(tail, bytes[length.saturating_sub(5)..]);
        assert!(
            store
                .get_ranges(&path, std::slice::from_ref(&(0..length as u64 + 1)))
                .await
                .is_err()
        );
    }
}

#[tokio::test]
async fn files_in_parts_are_the_same_as_whole_ones() {
    let (inner, store) = sealed(1);
    for parts in [
        vec![],
        vec![0],
        vec![5],
        vec![7 << 20, 1, 7 << 20],
        vec![CHUNK_BYTES; 3],
    ] {
        let path = Path::from("t/parts.parquet");
        let mut upload = store.put_multipart(&path).await.unwrap();
        let bytes = noise(parts.iter().sum());
        let mut at = 0;
        for part in parts {
            upload
                .put_part(bytes.slice(at..at + part).into())
                .await
                .unwrap();
            at += part;
        }
        upload.complete().await.unwrap();
        assert_eq!(read(&store, &path).await.unwrap(), bytes);
        let chunks = bytes.len().div_ceil(CHUNK_BYTES).max(1);
        let sealed = raw(&inner, &path).await;
        assert_eq!(sealed.len(), HEADER_BYTES + bytes.len() + 16 * chunks);
    }
}

#[tokio::test]
async fn nothing_is_seen_from_outside_and_no_two_files_are_alike() {
    let (inner, store) = sealed(1);
    let (a, b) = (Path::from("t/a.parquet"), Path::from("t/_delta_log/0.json"));
    for path in [&a, &b] {
        store.put(path, SECRET.repeat(9_000).into()).await.unwrap();
    }
    let (a, b) = (raw(&inner, &a).await, raw(&inner, &b).await);
    for sealed in [&a, &b] {
        assert!(
            !sealed
                .windows(8)
                .any(|bytes| SECRET.windows(8).any(|word| word == bytes))
        );
    }
    assert_ne!(a[HEADER_BYTES..], b[HEADER_BYTES..]);
}

#[tokio::test]
async fn every_changed_byte_is_found() {
    let (inner, store) = sealed(1);
    let path = Path::from("t/a.parquet");
    let length = 2 * CHUNK_BYTES + 100;
    store.put(&path, noise(length).into()).await.unwrap();
    let good = raw(&inner, &path).await;
    let places = (0..HEADER_BYTES)
        .step_by(3)
        .chain((HEADER_BYTES..good.len()).step_by(4_999))
        .chain([good.len() - 1, HEADER_BYTES + CHUNK_BYTES + 3]);
    for place in places {
        let mut bad = good.clone();
        bad[place] ^= 1;
        inner.put(&path, bad.into()).await.unwrap();
        assert!(read(&store, &path).await.is_err(), "byte {place}");
    }
    // A chunk beside a damaged one is not harmed by it.
    let mut bad = good.clone();
    bad[HEADER_BYTES + CHUNK_BYTES + 20] ^= 1;
    inner.put(&path, bad.into()).await.unwrap();
    let first = store.get_range(&path, 0..100).await.unwrap();
    assert_eq!(first, noise(length)[..100]);
    assert!(store.get_range(&path, 0..length as u64).await.is_err());
}

#[tokio::test]
async fn cut_swapped_and_reordered_chunks_are_found() {
    let (inner, store) = sealed(1);
    let path = Path::from("t/a.parquet");
    let chunk = CHUNK_BYTES + 16;
    store
        .put(&path, noise(3 * CHUNK_BYTES).into())
        .await
        .unwrap();
    let good = raw(&inner, &path).await;
    let swapped = [
        &good[..HEADER_BYTES],
        &good[HEADER_BYTES + chunk..HEADER_BYTES + 2 * chunk],
        &good[HEADER_BYTES..HEADER_BYTES + chunk],
        &good[HEADER_BYTES + 2 * chunk..],
    ];
    let doubled = [&good[..HEADER_BYTES + chunk], &good[HEADER_BYTES..]];
    for bad in [
        good[..HEADER_BYTES + 2 * chunk].to_vec(),
        good[..HEADER_BYTES + chunk].to_vec(),
        good[..HEADER_BYTES + 16].to_vec(),
        good[..HEADER_BYTES].to_vec(),
        good[..good.len() - 1].to_vec(),
        [&good[..], &good[HEADER_BYTES..HEADER_BYTES + chunk]].concat(),
        swapped.concat(),
        doubled.concat(),
    ] {
        let length = bad.len();
        inner.put(&path, bad.into()).await.unwrap();
        let found = read(&store, &path).await;
        assert_eq!(found, Err(SealError::Damaged(path.to_string())), "{length}");
    }
}

#[tokio::test]
async fn a_file_is_right_in_its_place_alone() {
    let (inner, store) = sealed(1);
    let (other_inner, other) = sealed(2);
    let (a, b) = (Path::from("t/a.parquet"), Path::from("t/b.parquet"));
    store.put(&a, SECRET.into()).await.unwrap();
    store.put(&b, b"other".as_slice().into()).await.unwrap();
    let bytes = raw(&inner, &a).await;
    inner.put(&b, bytes.clone().into()).await.unwrap();
    assert_eq!(
        read(&store, &b).await,
        Err(SealError::Damaged(b.to_string()))
    );
    // Another tenant's store has not even the key; with it, the place is still another.
    other_inner.put(&a, bytes.into()).await.unwrap();
    let unknown = SealError::UnknownKey {
        file: a.to_string(),
        key: Uuid::from_u128(1),
    };
    assert_eq!(read(&other, &a).await, Err(unknown));
    other.set_ring(ring(&[1, 2], true, false));
    assert_eq!(
        read(&other, &a).await,
        Err(SealError::Damaged(a.to_string()))
    );
    // A copy is no move behind the store's back.
    store.put(&b, SECRET.into()).await.unwrap();
    let c = Path::from("t/c.parquet");
    store.copy(&b, &c).await.unwrap();
    store.rename(&c, &Path::from("t/d.parquet")).await.unwrap();
    assert_eq!(
        read(&store, &Path::from("t/d.parquet")).await.unwrap(),
        SECRET
    );
    assert!(store.get(&c).await.is_err());
}

#[tokio::test]
async fn a_plain_file_is_refused_among_encrypted_ones() {
    let (inner, store) = sealed(1);
    let path = Path::from("t/a.parquet");
    inner.put(&path, SECRET.into()).await.unwrap();
    assert_eq!(
        read(&store, &path).await,
        Err(SealError::NotSealed(path.to_string()))
    );
    store.set_ring(ring(&[1], true, true));
    assert_eq!(read(&store, &path).await.unwrap(), SECRET);
    store.set_ring(Ring::Locked(Arc::from("no master key is configured")));
    let locked = read(&store, &path).await.unwrap_err();
    assert!(matches!(locked, SealError::Locked(_)), "{locked}");
    assert!(store.put(&path, SECRET.into()).await.is_err());
    // What is locked can still be erased.
    assert_eq!(
        store
            .list(None)
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .len(),
        1
    );
    store.delete(&path).await.unwrap();
}

#[tokio::test]
async fn files_are_rewritten_under_another_key_while_they_are_read() {
    let (inner, store) = sealed(1);
    let big = Bytes::from([b"PAR1", &noise(9 << 20)[..]].concat());
    let (a, b) = (Path::from("t/a.parquet"), Path::from("t/b.parquet"));
    store.put(&a, SECRET.into()).await.unwrap();
    store.put(&b, big.clone().into()).await.unwrap();
    // Both are remembered under the first key.
    assert_eq!(read(&store, &a).await.unwrap(), SECRET);
    let reader = store.clone();
    let mut upload = store
        .put_multipart(&Path::from("t/c.parquet"))
        .await
        .unwrap();
    store.set_ring(ring(&[1, 2], true, true));
    assert!(
        !store.is_settled(),
        "a file is being written under the first key"
    );
    upload.put_part(SECRET.into()).await.unwrap();
    upload.complete().await.unwrap();
    drop(upload);
    assert!(store.is_settled());
    assert_eq!(store.stale_files().await.unwrap().len(), 3);
    let first = reader.get_range(&b, 0..10).await.unwrap();
    for stale in store.stale_files().await.unwrap() {
        store.rewrite(&stale.location).await.unwrap();
    }
    assert!(store.stale_files().await.unwrap().is_empty());
    assert_eq!(first, reader.get_range(&b, 0..10).await.unwrap());
    assert!(read(&reader, &b).await.unwrap() == big);
    store.set_ring(ring(&[2], true, false));
    assert_eq!(read(&reader, &a).await.unwrap(), SECRET);
    // And to plain files.
    store.set_ring(ring(&[2], false, true));
    for stale in store.stale_files().await.unwrap() {
        store.rewrite(&stale.location).await.unwrap();
    }
    assert_eq!(read(&store, &a).await.unwrap(), SECRET);
    store.set_ring(Ring::Plain);
    assert_eq!(raw(&inner, &a).await, SECRET);
    assert!(raw(&inner, &b).await == big);
}

#[tokio::test]
async fn a_name_is_given_once() {
    let (_, store) = sealed(1);
    let path = Path::from("t/_delta_log/00000000000000000000.json");
    let create = || store.put_opts(&path, SECRET.into(), PutMode::Create.into());
    create().await.unwrap();
    let error = create().await.unwrap_err();
    assert!(
        matches!(error, object_store::Error::AlreadyExists { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_text_is_kept_for_its_place() {
    let (_, store) = sealed(1);
    let (a, b) = (Path::from("t/0.json"), Path::from("t/1.json"));
    let text = String::from_utf8(SECRET.to_vec()).unwrap();
    let kept = store.seal_text(&a, text.clone()).unwrap();
    assert!(!kept.contains("quokka"));
    assert_eq!(store.open_text(&a, &kept).await.unwrap(), text);
    assert!(store.open_text(&b, &kept).await.is_err());
    // What was kept before encryption is read as it is.
    assert_eq!(store.open_text(&a, "{}").await.unwrap(), "{}");
    let plain = SealedStore::new(Arc::new(InMemory::new()), Space::Shared);
    assert_eq!(plain.seal_text(&a, text.clone()).unwrap(), text);
}

fn key_file(folder: &FsPath, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("master.key");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[tokio::test]
async fn keys_are_wrapped_by_the_master_key_and_wrapped_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = ("11".repeat(32), "2f".repeat(32));
    let path = key_file(folder.path(), &first);
    let keys = super::Keys::open(Some(MasterKeySource::File(path))).await;
    let tenant = TenantId::generate();
    let wrapped = keys.generate(tenant).unwrap();
    assert_eq!(wrapped.master, keys.master_id().unwrap());
    let mut acme = some_tenant(tenant);
    acme.encryption = Encryption::born(wrapped.clone());
    assert!(matches!(keys.ring(&acme), Ring::Open(_)));
    // It is of no use to another tenant, nor under another id.
    let globex = crate::model::Tenant {
        id: TenantId::generate(),
        ..acme.clone()
    };
    assert!(matches!(keys.ring(&globex), Ring::Locked(_)));
    // The second key is in force, the first still opens; then only the second is there.
    key_file(folder.path(), &format!("# new\n{second}\n\n{first}\n"));
    let open = [Arc::new(acme.clone())];
    keys.reload(&open).await.unwrap();
    assert!(matches!(keys.ring(&acme), Ring::Open(_)));
    let again = keys.rewrap(tenant, &wrapped).unwrap();
    assert_ne!(again.master, wrapped.master);
    key_file(folder.path(), &second);
    let error = keys.reload(&open).await.unwrap_err().to_string();
    assert!(
        error.contains("acme") && error.contains(&wrapped.master),
        "{error}"
    );
    assert!(matches!(keys.ring(&acme), Ring::Open(_)));
    keys.reload(&[]).await.unwrap();
    let Ring::Locked(reason) = keys.ring(&acme) else {
        panic!("the first key is gone");
    };
    assert!(reason.contains(&wrapped.master), "{reason}");
    acme.encryption = Encryption::born(again);
    assert!(matches!(keys.ring(&acme), Ring::Open(_)));
    // What is wrong is told without the key, and changes nothing.
    for wrong in [&second[1..], "", "no hex", &format!("{second}{second}")] {
        key_file(folder.path(), wrong);
        let error = keys.reload(&[]).await.unwrap_err().to_string();
        assert!(!error.contains("2f2f"), "{error}");
    }
    assert!(matches!(keys.ring(&acme), Ring::Open(_)));
}

#[tokio::test]
async fn a_key_comes_from_a_file_of_its_owner_or_a_command() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = key_file(folder.path(), &"ab".repeat(32));
    let of_file = super::Keys::open(Some(MasterKeySource::File(path.clone()))).await;
    let words = ["cat".to_owned(), path.display().to_string()];
    let of_command = super::Keys::open(Some(MasterKeySource::Command(words.to_vec()))).await;
    assert_eq!(
        of_file.master_id().unwrap(),
        of_command.master_id().unwrap()
    );
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    for (source, what) in [
        (MasterKeySource::File(path), "access for others"),
        (
            MasterKeySource::File(folder.path().join("none")),
            "could not read",
        ),
        (MasterKeySource::Command(vec!["false".to_owned()]), "failed"),
        (
            MasterKeySource::Environment("TESSERA_NO_SUCH".to_owned()),
            "is not set",
        ),
    ] {
        let keys = super::Keys::open(Some(source)).await;
        let error = keys.generate(TenantId::generate()).unwrap_err().to_string();
        assert!(error.contains(what), "{error}");
    }
}

#[tokio::test]
async fn a_temporary_file_tells_nothing() {
    use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
    use datafusion::execution::spill_file::{SpillFile, TempFileFactory};
    use std::io::Write;

    use datafusion::execution::disk_manager::DiskManager;

    /// The engine's own files.
    struct Plain(Arc<DiskManager>);

    impl TempFileFactory for Plain {
        fn create_temp_file(
            &self,
            description: &str,
        ) -> datafusion::common::Result<Arc<dyn SpillFile>> {
            self.0.create_tmp_file(description)
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let mode = DiskManagerMode::Directories(vec![folder.path().to_owned()]);
    let disk = Arc::new(
        DiskManagerBuilder::default()
            .with_mode(mode)
            .build()
            .unwrap(),
    );
    let bytes = [SECRET.repeat(10_000), noise(200_000).to_vec()].concat();
    for seals in [false, true] {
        let plain = Arc::new(Plain(Arc::clone(&disk)));
        let files = super::SpillFiles::new(plain, move || seals);
        let file: Arc<dyn SpillFile> = files.create_temp_file("a test").unwrap();
        let mut writer = file.open_writer().unwrap();
        for piece in bytes.chunks(777) {
            writer.write_all(piece).unwrap();
        }
        writer.flush().unwrap();
        writer.write_all(b"end").unwrap();
        writer.finish().unwrap();
        let read: Vec<Bytes> = file.read_stream().unwrap().try_collect().await.unwrap();
        assert!(read.concat() == [&bytes[..], b"end"].concat());
        assert_eq!(holds(folder.path(), SECRET), !seals);
        assert!(disk.used_disk_space() >= bytes.len() as u64);
        drop((writer, file));
        assert_eq!(disk.used_disk_space(), 0);
    }
}

fn holds(folder: &FsPath, secret: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, secret);
        }
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(secret.len()).any(|found| found == secret)
    })
}

fn some_tenant(id: TenantId) -> crate::model::Tenant {
    crate::model::Tenant {
        id,
        oid: crate::id::Oid(20_000),
        name: "acme".to_owned(),
        suspended: false,
        created_at: 0,
        settings: std::collections::BTreeMap::new(),
        quotas: crate::model::Quotas::default(),
        plan: None,
        encryption: Encryption::default(),
        acl: None,
        comment: None,
    }
}
