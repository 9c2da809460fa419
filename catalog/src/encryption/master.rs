//! The server's master key, by which tenants' data keys are wrapped: AES-256-GCM with a random nonce,
//! bound to the tenant and the key's id. Knows nothing of where it comes from.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::ring::{KEY_BYTES, Secret};
use crate::id::TenantId;
use crate::model::WrappedKey;

/// How many bytes of its digest name a master key.
const ID_BYTES: usize = 8;

/// A master key.
pub(super) struct MasterKey {
    id: String,
    key: LessSafeKey,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MasterKey").field(&self.id).finish()
    }
}

impl MasterKey {
    pub(super) fn new(secret: &Secret) -> Option<Self> {
        let digest = Sha256::new()
            .chain_update(b"tessera master key")
            .chain_update(secret.as_slice())
            .finalize();
        let key = UnboundKey::new(&AES_256_GCM, secret.as_slice()).ok()?;
        Some(Self {
            id: hex(&digest[..ID_BYTES]),
            key: LessSafeKey::new(key),
        })
    }

    /// Its name, from which it cannot be found out.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn wrap(
        &self,
        tenant: TenantId,
        id: Uuid,
        secret: &Secret,
        at: i64,
    ) -> Option<WrappedKey> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).ok()?;
        // Sealed in place: no copy of the key is left.
        let mut sealed = Vec::with_capacity(KEY_BYTES + AES_256_GCM.tag_len());
        sealed.extend_from_slice(secret.as_slice());
        let unique = Nonce::assume_unique_for_key(nonce);
        let aad = Aad::from(bound_to(tenant, id));
        self.key
            .seal_in_place_append_tag(unique, aad, &mut sealed)
            .ok()?;
        Some(WrappedKey {
            id,
            master: self.id.clone(),
            created_at: at,
            wrapped: hex(&nonce) + &hex(&sealed),
        })
    }

    pub(super) fn unwrap(&self, tenant: TenantId, key: &WrappedKey) -> Option<Secret> {
        let bytes = Zeroizing::new(unhex(&key.wrapped)?);
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(bound_to(tenant, key.id));
        let opened = self.key.open_in_place(nonce, aad, &mut sealed).ok()?;
        let mut secret = Secret::default();
        if opened.len() != KEY_BYTES {
            return None;
        }
        secret.copy_from_slice(opened);
        Some(secret)
    }
}

fn bound_to(tenant: TenantId, key: Uuid) -> Vec<u8> {
    let tenant = tenant.as_uuid();
    [&b"tessera data key"[..], tenant.as_bytes(), key.as_bytes()].concat()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of pairs of digits.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? << 4 | digit(*low)?).ok(),
        _ => None,
    };
    pairs.map(byte).collect()
}
