//! The contract of object stores, and what a folder adds to it.

use std::os::unix::fs::symlink;

use object_store::ObjectStoreExt;
#[cfg(feature = "store-contract")]
use object_store::integration;
use tempfile::TempDir;

use super::*;

fn store() -> (TempDir, LocalStore) {
    let folder = TempDir::new().unwrap();
    let store = LocalStore::open(folder.path()).unwrap();
    (folder, store)
}

#[cfg(feature = "store-contract")]
#[tokio::test]
async fn it_keeps_the_contract_of_object_stores() {
    let (_folder, store) = store();
    integration::put_get_delete_list(&store).await;
    integration::list_with_offset_exclusivity(&store).await;
    integration::get_opts(&store).await;
    integration::list_uses_directories_correctly(&store).await;
    integration::list_with_delimiter(&store).await;
    integration::rename_and_copy(&store).await;
    integration::copy_if_not_exists(&store).await;
    integration::copy_rename_nonexistent_object(&store).await;
    integration::stream_get(&store).await;
    integration::put_opts(&store, false).await;
    integration::multipart_out_of_order(&store).await;
    integration::multipart_race_condition(&store, true).await;
}

#[tokio::test]
async fn links_are_refused() {
    let (folder, store) = store();
    let outside = TempDir::new().unwrap();
    fs::write(outside.path().join("secret"), "x").unwrap();
    symlink(outside.path(), folder.path().join("out")).unwrap();
    symlink(outside.path().join("secret"), folder.path().join("file")).unwrap();
    for name in ["out/secret", "file"] {
        let path = Path::from(name);
        let error = store.get(&path).await.unwrap_err();
        assert!(
            matches!(error, object_store::Error::PermissionDenied { .. }),
            "{error}"
        );
        let error = store.put(&path, "y".into()).await.unwrap_err();
        assert!(
            matches!(error, object_store::Error::PermissionDenied { .. }),
            "{error}"
        );
    }
    let listed: Vec<_> = store.list(None).try_collect().await.unwrap();
    assert!(listed.is_empty(), "{listed:?}");
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"x");
}

#[tokio::test]
async fn a_path_cannot_climb_out() {
    let (folder, store) = store();
    let inner = folder.path().join("inner");
    let rooted = LocalStore::open(&inner).unwrap();
    store.put(&Path::from("secret"), "x".into()).await.unwrap();
    rooted.get(&Path::from("../secret")).await.unwrap_err();
    assert!(Path::parse("../secret").is_err());
    store.get(&Path::from(".staging/x")).await.unwrap_err();
}

#[tokio::test]
async fn nothing_is_left_of_an_aborted_or_dropped_upload() {
    let (folder, store) = store();
    let path = Path::from("a/b");
    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part("12".into()).await.unwrap();
    upload.abort().await.unwrap();
    let mut upload = store.put_multipart(&path).await.unwrap();
    upload.put_part("12".into()).await.unwrap();
    drop(upload);
    assert_eq!(
        fs::read_dir(folder.path().join(STAGING)).unwrap().count(),
        0
    );
    store.get(&path).await.unwrap_err();
}

#[tokio::test]
async fn create_wins_once() {
    let (_folder, store) = store();
    let path = Path::from("t/_delta_log/0.json");
    let puts = (0..16).map(|i| {
        let (store, path) = (store.clone(), path.clone());
        async move {
            store
                .put_opts(&path, format!("{i}").into(), PutMode::Create.into())
                .await
        }
    });
    let results = futures::future::join_all(puts).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[tokio::test]
async fn empty_folders_go_and_come_back() {
    let (folder, store) = store();
    let path = Path::from("a/b/c");
    store.put(&path, "1".into()).await.unwrap();
    store.delete(&path).await.unwrap();
    assert!(!folder.path().join("a").exists());
    store.put(&path, "2".into()).await.unwrap();
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "2");
}

#[test]
fn a_full_disk_is_told() {
    let full = io::Error::from(ErrorKind::StorageFull);
    let error = failed(FsPath::new("x"), full);
    assert!(matches!(CatalogError::from(error), CatalogError::DiskFull));
    let other = failed(FsPath::new("x"), io::Error::from(ErrorKind::TimedOut));
    assert!(matches!(CatalogError::from(other), CatalogError::Store(_)));
}
