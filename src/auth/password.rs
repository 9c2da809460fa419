//! Password hashes that need the password itself: argon2id, and passwords as ALTER ROLE gives them.
//!
//! Memory-hard hashes are computed on few threads at once, so a flood of logins cannot take the
//! process's memory or its network threads.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use rand::RngCore;
use tokio::sync::Semaphore;

use super::scram::Verifier;
use crate::error::{Error, Result};

/// Memory of one argon2id hash, in KiB (OWASP's second recommendation).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// How many hashes are computed at once.
const MAX_CONCURRENT_HASHES: usize = 2;

/// How a new password is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordEncryption {
    ScramSha256 { iterations: u32 },
    Argon2id,
}

/// What to store for a password given in SQL: a verifier or hash already made is kept as it is.
///
/// # Errors
///
/// When the password could not be hashed.
pub fn make_verifier(password: &str, encryption: PasswordEncryption) -> Result<String> {
    if Verifier::parse(password).is_some() || is_argon2id(password) {
        return Ok(password.to_owned());
    }
    match encryption {
        PasswordEncryption::ScramSha256 { iterations } => {
            Ok(Verifier::generate(password, iterations).to_string())
        }
        PasswordEncryption::Argon2id => hash(password),
    }
}

/// What to store for a password, by the name that `password_encryption` gives the way; off the
/// network's threads, since it takes a while.
///
/// # Errors
///
/// When the password could not be hashed.
pub async fn keep_password(password: &str, encryption: &str) -> Result<String> {
    let encryption = match encryption {
        "argon2id" => PasswordEncryption::Argon2id,
        _ => PasswordEncryption::ScramSha256 { iterations: DEFAULT_ITERATIONS },
    };
    let password = password.to_owned();
    tokio::task::spawn_blocking(move || make_verifier(&password, encryption))
        .await
        .map_err(|error| Error::Internal(Box::new(error)))?
}

/// Rounds of a new SCRAM verifier, as PostgreSQL's.
const DEFAULT_ITERATIONS: u32 = 4096;

/// Whether the stored text is an argon2id hash.
pub fn is_argon2id(stored: &str) -> bool {
    stored.starts_with("$argon2id$") && PasswordHash::new(stored).is_ok()
}

/// Checks passwords against argon2id hashes, few at a time.
#[derive(Debug, Clone)]
pub struct Hasher {
    slots: Arc<Semaphore>,
    /// A hash that no password fits, for the work of it.
    nobody: Arc<str>,
}

impl Hasher {
    /// A pool of hashing threads.
    ///
    /// # Errors
    ///
    /// When hashing does not work at all.
    pub fn new() -> Result<Self> {
        let mut random = [0; 24];
        rand::rng().fill_bytes(&mut random);
        let secret = base64::engine::general_purpose::STANDARD.encode(random);
        Ok(Self {
            slots: Arc::new(Semaphore::new(MAX_CONCURRENT_HASHES)),
            nobody: hash(&secret)?.into(),
        })
    }

    /// Whether the password fits the hash; with no hash the same work is done and nothing fits.
    pub async fn verify(&self, password: Vec<u8>, stored: Option<String>) -> bool {
        let Ok(permit) = Arc::clone(&self.slots).acquire_owned().await else {
            return false;
        };
        let nobody = Arc::clone(&self.nobody);
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let hash = stored.as_deref().unwrap_or(&nobody);
            let fits = PasswordHash::new(hash)
                .is_ok_and(|hash| Argon2::default().verify_password(&password, &hash).is_ok());
            fits && stored.is_some()
        });
        work.await.unwrap_or(false)
    }
}

fn hash(password: &str) -> Result<String> {
    let mut random = [0; 16];
    rand::rng().fill_bytes(&mut random);
    let internal = |error: argon2::password_hash::Error| Error::internal(format!("argon2id: {error}"));
    let salt = SaltString::encode_b64(&random).map_err(internal)?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| Error::internal(format!("argon2id: {error}")))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(argon2.hash_password(password.as_bytes(), &salt).map_err(internal)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_fits_its_password_alone() {
        let stored = make_verifier("secret", PasswordEncryption::Argon2id).unwrap();
        assert!(is_argon2id(&stored));
        let hasher = Hasher::new().unwrap();
        assert!(hasher.verify(b"secret".to_vec(), Some(stored.clone())).await);
        assert!(!hasher.verify(b"Secret".to_vec(), Some(stored.clone())).await);
        assert!(!hasher.verify(b"secret".to_vec(), None).await);
        // What is stored already is stored as it is.
        let scram = PasswordEncryption::ScramSha256 { iterations: 4096 };
        assert_eq!(make_verifier(&stored, scram).unwrap(), stored);
    }
}
