//! Password hashes that need the password itself: argon2id, and passwords as ALTER ROLE gives them.
//! What is asked of new passwords stands in `policy`.
//!
//! Memory-hard hashes are computed on few threads at once, so a flood of logins cannot take the
//! process's memory or its network threads.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
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

/// How many groups addresses fall into.
const TURNS: u64 = 256;

/// The most memory, passes and lanes of a hash that was made elsewhere: every login pays for it.
const MAX_MEMORY_KIB: u32 = 65_536;
const MAX_PASSES: u32 = 10;
const MAX_LANES: u32 = 4;

/// The most rounds of a SCRAM verifier that the server goes through itself, where it is sent the password.
const MAX_OWN_ITERATIONS: u32 = 600_000;

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

/// Whether the stored text is an argon2id hash of bearable cost.
pub fn is_argon2id(stored: &str) -> bool {
    let bearable = |hash: PasswordHash<'_>| {
        Params::try_from(&hash).is_ok_and(|params| {
            params.m_cost() <= MAX_MEMORY_KIB
                && params.t_cost() <= MAX_PASSES
                && params.p_cost() <= MAX_LANES
        })
    };
    stored.starts_with("$argon2id$") && PasswordHash::new(stored).is_ok_and(bearable)
}

/// Whether the password is the one that the stored text was made of.
pub(super) fn fits(password: &str, stored: &str) -> bool {
    match Verifier::parse(stored) {
        Some(verifier) => verifier.iterations() <= MAX_OWN_ITERATIONS && verifier.verify(password),
        None => is_argon2id(stored) && argon2id_fits(password.as_bytes(), stored),
    }
}

fn argon2id_fits(password: &[u8], stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
}

/// Checks passwords that were sent, few at a time.
#[derive(Debug, Clone)]
pub struct Hasher {
    slots: Arc<Semaphore>,
    /// A turn for each group of addresses, so that a flood from one makes others wait for few hashes.
    turns: Arc<[Semaphore]>,
    turn_of: RandomState,
    /// Hashes that no password fits, for the work of it.
    nobody: Arc<(String, Verifier)>,
}

impl Hasher {
    /// A pool of hashing threads; SCRAM verifiers usually have so many rounds.
    ///
    /// # Errors
    ///
    /// When hashing does not work at all.
    pub fn new(scram_iterations: u32) -> Result<Self> {
        let mut random = [0; 24];
        rand::rng().fill_bytes(&mut random);
        let secret = base64::engine::general_purpose::STANDARD.encode(random);
        let verifier = Verifier::generate(&secret, scram_iterations.min(MAX_OWN_ITERATIONS));
        Ok(Self {
            slots: Arc::new(Semaphore::new(MAX_CONCURRENT_HASHES)),
            turns: (0..TURNS).map(|_| Semaphore::new(1)).collect(),
            turn_of: RandomState::new(),
            nobody: Arc::new((hash(&secret)?, verifier)),
        })
    }

    /// Whether the password fits what is stored of it, a SCRAM verifier or an argon2id hash. Whichever it
    /// is, and when there is none, the work of both is done.
    pub async fn verify(
        &self,
        password: Vec<u8>,
        stored: Option<String>,
        peer: Option<IpAddr>,
    ) -> bool {
        let turn = (self.turn_of.hash_one(peer) % TURNS) as usize;
        let _turn = match self.turns.get(turn) {
            Some(turn) => turn.acquire().await.ok(),
            None => None,
        };
        let Ok(permit) = Arc::clone(&self.slots).acquire_owned().await else {
            return false;
        };
        let nobody = Arc::clone(&self.nobody);
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let scram = stored.as_deref().and_then(Verifier::parse);
            let scram = scram.filter(|verifier| verifier.iterations() <= MAX_OWN_ITERATIONS);
            let argon2id = stored.as_deref().filter(|stored| is_argon2id(stored));
            let (no_hash, no_verifier) = &*nobody;
            let text = std::str::from_utf8(&password);
            let verifier = scram.as_ref().unwrap_or(no_verifier);
            let by_scram = verifier.verify(text.unwrap_or_default()) && text.is_ok();
            let by_argon2id = argon2id_fits(&password, argon2id.unwrap_or(no_hash));
            (by_scram && scram.is_some()) || (by_argon2id && argon2id.is_some())
        });
        work.await.unwrap_or(false)
    }
}

fn hash(password: &str) -> Result<String> {
    let mut random = [0; 16];
    rand::rng().fill_bytes(&mut random);
    let internal =
        |error: argon2::password_hash::Error| Error::internal(format!("argon2id: {error}"));
    let salt = SaltString::encode_b64(&random).map_err(internal)?;
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .map_err(|error| Error::internal(format!("argon2id: {error}")))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(argon2
        .hash_password(password.as_bytes(), &salt)
        .map_err(internal)?
        .to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_fits_its_password_alone() {
        let stored = make_verifier("secret", PasswordEncryption::Argon2id).unwrap();
        assert!(is_argon2id(&stored));
        let hasher = Hasher::new(4096).unwrap();
        assert!(
            hasher
                .verify(b"secret".to_vec(), Some(stored.clone()), None)
                .await
        );
        assert!(
            !hasher
                .verify(b"Secret".to_vec(), Some(stored.clone()), None)
                .await
        );
        assert!(!hasher.verify(b"secret".to_vec(), None, None).await);
        // A SCRAM verifier is checked too, where the password is sent.
        let verifier = Verifier::generate("secret", 4096).to_string();
        for (password, right) in [(&b"secret"[..], true), (b"Secret", false), (b"\xff", false)] {
            let verified = hasher.verify(password.to_vec(), Some(verifier.clone()), None);
            assert_eq!(verified.await, right);
        }
        // What is stored already is stored as it is.
        let scram = PasswordEncryption::ScramSha256 { iterations: 4096 };
        assert_eq!(make_verifier(&stored, scram).unwrap(), stored);
    }

    #[test]
    fn a_hash_that_costs_too_much_is_none() {
        let stored = make_verifier("secret", PasswordEncryption::Argon2id).unwrap();
        for (cost, too_much) in [
            ("m=19456", "m=4194304"),
            ("t=2", "t=1000"),
            ("p=1", "p=200"),
        ] {
            assert!(is_argon2id(&stored) && !is_argon2id(&stored.replace(cost, too_much)));
        }
    }
}
