//! Files that are not as new ones are: which they are, and bringing them there.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt, Result};

use super::error::SealError;
use super::file::PIECE_BYTES;
use super::store::{Look, PARALLEL_HEADERS, SealedStore};

impl SealedStore {
    /// Whether no file is being written in another way than new ones are.
    pub(crate) fn is_settled(&self) -> bool {
        let Ok(Some(ring)) = self.ring() else {
            return false;
        };
        let active = ring.active.as_ref().map(|key| key.id);
        let mut former = ring.keys.iter().filter(|key| Some(key.id) != active);
        former.all(|key| key.uploads().are_none())
            && (active.is_none() || self.plain_uploads.are_none())
    }

    /// The files that are not as new ones are.
    pub(crate) async fn stale_files(&self) -> Result<Vec<ObjectMeta>> {
        let Some(ring) = self.ring()? else {
            return Ok(Vec::new());
        };
        let active = ring.active.as_ref().map(|key| key.id);
        let stale = |meta: ObjectMeta| {
            let ring = &ring;
            async move {
                match self
                    .look(ring, &meta.location, &GetOptions::default(), 0)
                    .await
                {
                    Ok(Look::Plain) => Ok(active.is_some().then_some(meta)),
                    Ok(Look::Sealed(known, _)) => {
                        Ok((Some(known.header.key()) != active).then_some(meta))
                    }
                    Err(object_store::Error::NotFound { .. }) => Ok(None),
                    // One that cannot be read counts, and must not keep the others.
                    Err(error) if SealError::behind(&error).is_some() => Ok(Some(meta)),
                    Err(error) => Err(error),
                }
            }
        };
        self.inner
            .list(None)
            .map_ok(stale)
            .try_buffer_unordered(PARALLEL_HEADERS)
            .try_filter_map(|found| async move { Ok(found) })
            .try_collect()
            .await
    }

    /// Writes a file anew in its place, as new files are written; nothing when it is gone.
    pub(crate) async fn rewrite(&self, location: &Path) -> Result<()> {
        let found = match self.get_opts(location, GetOptions::default()).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        if found.meta.size <= PIECE_BYTES {
            let bytes = found.bytes().await?;
            self.put(location, bytes.into()).await?;
        } else {
            let mut upload = self.put_multipart(location).await?;
            let mut pieces = found.into_stream();
            let copied = async {
                while let Some(piece) = pieces.try_next().await? {
                    upload.put_part(piece.into()).await?;
                }
                Ok(())
            };
            match copied.await {
                Ok(()) => upload.complete().await.map(|_| ())?,
                Err(error) => {
                    upload.abort().await.ok();
                    return Err(error);
                }
            }
        }
        self.forget(location);
        Ok(())
    }
}
