//! The second factor: one-time codes by time (TOTP, RFC 6238), which follow the password.
//!
//! Secrets are kept sealed by a key that lies beside the catalog and not in it, each for its role alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::RngCore;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use subtle::ConstantTimeEq;
use tessera_catalog::id::{DatabaseId, Oid};

use crate::error::{Error, Result};

/// How long a code is valid.
const STEP_SECONDS: i64 = 30;
const DIGITS: usize = 6;

/// How many steps a client's clock may be off.
const WINDOW: i64 = 1;

/// As long as the hash that codes are made by (RFC 4226, section 4).
const SECRET_BYTES: usize = 20;

/// What sealed texts begin with, so that another way can follow.
const SEALED: &str = "aes256gcm$";

/// Seals what the catalog keeps of second factors.
pub struct Sealer {
    key: Option<LessSafeKey>,
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

/// A role, as sealed secrets are bound to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub home: DatabaseId,
    pub role: Oid,
}

impl Owner {
    fn bytes(self) -> Vec<u8> {
        let role = self.role.0.to_be_bytes();
        [&self.home.as_uuid().as_bytes()[..], &role].concat()
    }
}

impl Sealer {
    /// A sealer by the key that is kept in the data folder.
    pub fn new(login_key: &[u8; 32]) -> Self {
        let key = super::scram::hmac(login_key, &[b"second factors"]);
        let key = UnboundKey::new(&AES_256_GCM, &key).ok();
        Self {
            key: key.map(LessSafeKey::new),
        }
    }

    /// A sealer without a key, which seals nothing.
    pub fn without_key() -> Self {
        Self { key: None }
    }

    /// Makes a role a new secret: what to keep, and what the authenticator is told.
    ///
    /// # Errors
    ///
    /// When there is no key.
    pub fn enrol(&self, owner: Owner, account: &str) -> Result<(String, String)> {
        let mut secret = [0; SECRET_BYTES];
        rand::rng().fill_bytes(&mut secret);
        let sealed = self
            .seal(&secret, owner)
            .ok_or_else(|| Error::internal("a second factor could not be sealed"))?;
        let label: String = url::form_urlencoded::byte_serialize(account.as_bytes()).collect();
        // Spaces of a label are written as in a path.
        let label = label.replace('+', "%20");
        let secret = base32(&secret);
        let uri = format!(
            "otpauth://totp/Tessera:{label}?secret={secret}&issuer=Tessera&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
        );
        Ok((sealed, uri))
    }

    fn seal(&self, secret: &[u8], owner: Owner) -> Option<String> {
        let mut nonce = [0; NONCE_LEN];
        rand::rng().fill_bytes(&mut nonce);
        let mut bytes = secret.to_vec();
        self.key
            .as_ref()?
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(owner.bytes()),
                &mut bytes,
            )
            .ok()?;
        let bytes = [&nonce[..], &bytes].concat();
        Some(format!("{SEALED}{}", BASE64.encode(bytes)))
    }

    fn open(&self, sealed: &str, owner: Owner) -> Option<Vec<u8>> {
        let bytes = BASE64.decode(sealed.strip_prefix(SEALED)?).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let key = self.key.as_ref()?;
        let opened = key.open_in_place(nonce, Aad::from(owner.bytes()), &mut sealed);
        opened.ok().map(|secret| secret.to_vec())
    }

    /// The time step whose code this is, around `now` in seconds since 1970; none if it is no such code.
    pub fn step(&self, sealed: &str, owner: Owner, code: &[u8], now: i64) -> Option<i64> {
        let secret = self.open(sealed, owner)?;
        step_of(&secret, code, now)
    }
}

/// The password, and the code behind it; no code where there is no room for one.
pub fn split(text: &[u8]) -> (&[u8], &[u8]) {
    text.len()
        .checked_sub(DIGITS)
        .map_or((text, &[][..]), |at| text.split_at(at))
}

fn step_of(secret: &[u8], code: &[u8], now: i64) -> Option<i64> {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let current = now.div_euclid(STEP_SECONDS);
    let mut found = None;
    // All are tried, so that time does not tell which it was.
    for step in current - WINDOW..=current + WINDOW {
        let expected = code_at(&key, step);
        if bool::from(expected.as_bytes().ct_eq(code)) {
            found = Some(step);
        }
    }
    found
}

/// The code of a step (RFC 4226, section 5.3).
fn code_at(key: &hmac::Key, step: i64) -> String {
    let tag = hmac::sign(key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag.last().copied().unwrap_or(0) & 0x0f);
    let word = tag.get(offset..offset + 4).map_or(0, |bytes| {
        bytes
            .iter()
            .fold(0, |word: u32, byte| word << 8 | u32::from(*byte))
    });
    format!("{:0DIGITS$}", (word & 0x7fff_ffff) % 1_000_000)
}

/// RFC 4648's base 32, without padding, as authenticators take it.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut written = String::new();
    let (mut word, mut bits) = (0u32, 0u32);
    for byte in bytes {
        word = word << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            written.push(char::from(ALPHABET[(word >> bits & 31) as usize]));
        }
        word &= (1 << bits) - 1;
    }
    if bits > 0 {
        written.push(char::from(ALPHABET[(word << (5 - bits) & 31) as usize]));
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times and codes of RFC 6238, appendix B, by SHA-1, of whose eight digits we take the last six.
    #[test]
    fn codes_are_those_of_the_rfc() {
        let secret = b"12345678901234567890";
        for (now, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = Some(now / 30);
            assert_eq!(step_of(secret, code.as_bytes(), now), step);
            assert_eq!(step_of(secret, code.as_bytes(), now + 30), step);
            assert_eq!(step_of(secret, code.as_bytes(), now - 30), step);
            assert_eq!(step_of(secret, code.as_bytes(), now + 60), None);
            assert_eq!(step_of(secret, code.as_bytes(), now - 60), None);
        }
        assert_eq!(step_of(secret, b"", 59), None);
        assert_eq!(step_of(secret, b"2870820", 59), None);
    }

    /// The vectors of RFC 4648, section 10, without their padding.
    #[test]
    fn secrets_are_written_in_base_32() {
        for (text, written) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(text.as_bytes()), written);
        }
    }

    #[test]
    fn a_secret_is_of_its_role_alone() {
        let sealer = Sealer::new(&[7; 32]);
        let owner = |role| Owner {
            home: DatabaseId::System,
            role: Oid(role),
        };
        let (sealed, uri) = sealer.enrol(owner(1), "ann lee@acme").unwrap();
        assert!(
            uri.starts_with("otpauth://totp/Tessera:ann%20lee%40acme?secret="),
            "{uri}"
        );
        let secret = sealer.open(&sealed, owner(1)).unwrap();
        assert_eq!(secret.len(), SECRET_BYTES);
        assert!(uri.contains(&base32(&secret)) && !sealed.contains(&base32(&secret)));
        assert_eq!(sealer.open(&sealed, owner(2)), None);
        assert_eq!(Sealer::new(&[8; 32]).open(&sealed, owner(1)), None);
        assert_eq!(Sealer::without_key().open(&sealed, owner(1)), None);
    }

    #[test]
    fn the_code_follows_the_password() {
        assert_eq!(split(b"secret123456"), (&b"secret"[..], &b"123456"[..]));
        assert_eq!(split(b"123456"), (&b""[..], &b"123456"[..]));
        assert_eq!(split(b"12345"), (&b"12345"[..], &b""[..]));
    }
}
