//! All spaces' stores as one, for the operators' union over tenants: a path begins with its space's
//! prefix, and is read by the store of that space, which knows its keys.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::{Path, PathPart};
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use uuid::Uuid;

use super::{Storage, StoreRef};
use crate::id::{DatabaseId, Space};

/// All spaces, to be read.
#[derive(Debug)]
pub(super) struct AllSpaces {
    storage: Storage,
}

impl AllSpaces {
    pub(super) fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// The space's store, the space's prefix and the path below it.
    fn route(&self, location: &Path) -> Result<(StoreRef, Path, Path)> {
        let (space, rest) = split(location).ok_or_else(|| object_store::Error::NotFound {
            path: location.to_string(),
            source: "the path is in no space".into(),
        })?;
        Ok((self.storage.store(space), Path::from(space.prefix()), rest))
    }

    fn listed(
        &self,
        prefix: Option<&Path>,
        list: impl FnOnce(StoreRef, &Path) -> BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.route(prefix.unwrap_or(&Path::default())) {
            Ok((store, space, rest)) => list(store, &rest)
                .map_ok(move |meta| below(&space, meta))
                .boxed(),
            Err(error) => futures::stream::once(std::future::ready(Err(error))).boxed(),
        }
    }
}

impl fmt::Display for AllSpaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AllSpaces({:?})", self.storage)
    }
}

fn split(location: &Path) -> Option<(Space, Path)> {
    let mut parts = location.parts();
    let first = parts.next()?;
    let space = match first.as_ref() {
        "system" => Space::System,
        "shared" => Space::Shared,
        "tenants" => {
            let tenant = parts.next()?;
            let tenant = Uuid::parse_str(tenant.as_ref()).ok()?;
            Space::Tenant(DatabaseId::from_uuid(tenant).tenant()?)
        }
        _ => return None,
    };
    Some((space, parts.collect()))
}

fn join(space: &Path, path: &Path) -> Path {
    let parts: Vec<PathPart<'_>> = space.parts().chain(path.parts()).collect();
    parts.into_iter().collect()
}

fn below(space: &Path, meta: ObjectMeta) -> ObjectMeta {
    ObjectMeta {
        location: join(space, &meta.location),
        ..meta
    }
}

fn refused<T>(operation: &str) -> Result<T> {
    Err(object_store::Error::NotImplemented {
        operation: operation.to_owned(),
        implementer: "AllSpaces".to_owned(),
    })
}

#[async_trait]
impl ObjectStore for AllSpaces {
    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        refused("put")
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        refused("put_multipart")
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let (store, space, rest) = self.route(location)?;
        let found = store.get_opts(&rest, options).await?;
        Ok(GetResult {
            meta: below(&space, found.meta),
            ..found
        })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (store, _, rest) = self.route(location)?;
        store.get_ranges(&rest, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        locations
            .map(|location| location.and_then(|_| refused("delete")))
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(prefix, |store, rest| store.list(Some(rest)))
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let offset = split(offset).map(|(_, rest)| rest).unwrap_or_default();
        self.listed(prefix, |store, rest| {
            store.list_with_offset(Some(rest), &offset)
        })
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let (store, space, rest) = self.route(prefix.unwrap_or(&Path::default()))?;
        let listed = store.list_with_delimiter(Some(&rest)).await?;
        let objects = listed.objects.into_iter().map(|meta| below(&space, meta));
        let folders = listed.common_prefixes.iter().map(|path| join(&space, path));
        Ok(ListResult {
            objects: objects.collect(),
            common_prefixes: folders.collect(),
        })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        refused("copy")
    }
}
