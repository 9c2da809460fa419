//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, RFC 7677).
//!
//! A verifier holds what is needed to check a password and not the password. Knows no connection:
//! messages come and go as bytes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac};
use rand::RngCore;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::{Error, Result};

/// The fewest iterations a verifier may have.
pub const MIN_ITERATIONS: u32 = 4096;

/// The most iterations a verifier may have: a client works as long as they say.
pub const MAX_ITERATIONS: u32 = 10_000_000;

/// The mechanism without channel binding.
pub const SCRAM: &str = "SCRAM-SHA-256";

/// The mechanism bound to the TLS channel.
pub const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";

const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 18;

type Key = [u8; 32];

/// What the server keeps of a password, in PostgreSQL's notation
/// `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl Verifier {
    /// Derives a verifier with a fresh salt.
    pub fn generate(password: &str, iterations: u32) -> Self {
        let mut salt = [0; SALT_BYTES];
        rand::rng().fill_bytes(&mut salt);
        Self::derive(
            password,
            &salt,
            iterations.clamp(MIN_ITERATIONS, MAX_ITERATIONS),
        )
    }

    /// Reads a verifier; `None` if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (parameters, keys) = text.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
        let (iterations, salt) = parameters.split_once(':')?;
        let (stored_key, server_key) = keys.split_once(':')?;
        let iterations = iterations
            .parse()
            .ok()
            .filter(|count| (1..=MAX_ITERATIONS).contains(count))?;
        let key = |text: &str| BASE64.decode(text).ok()?.try_into().ok();
        Some(Self {
            iterations,
            salt: BASE64.decode(salt).ok()?,
            stored_key: key(stored_key)?,
            server_key: key(server_key)?,
        })
    }

    /// A verifier that no password fits, with a salt that is the same each time.
    pub fn mock(salt: &[u8], iterations: u32) -> Self {
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: [0; 32],
            server_key: [0; 32],
        }
    }

    /// How many rounds it was made by.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    fn derive(password: &str, salt: &[u8], iterations: u32) -> Self {
        // As in PostgreSQL, a password that cannot be normalised is taken as it is.
        let normalised = stringprep::saslprep(password);
        let password = normalised.as_deref().unwrap_or(password);
        let mut salted: Key = [0; 32];
        pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, iterations, &mut salted);
        let client_key = hmac(&salted, &[b"Client Key"]);
        Self {
            iterations,
            salt: salt.to_vec(),
            stored_key: Sha256::digest(client_key).into(),
            server_key: hmac(&salted, &[b"Server Key"]),
        }
    }

    /// Whether the password is the one that the verifier was made of.
    pub fn verify(&self, password: &str) -> bool {
        let other = Self::derive(password, &self.salt, self.iterations);
        other.stored_key.ct_eq(&self.stored_key).into()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| BASE64.encode(bytes);
        let (stored, server) = (text(&self.stored_key), text(&self.server_key));
        write!(
            f,
            "SCRAM-SHA-256${}:{}${stored}:{server}",
            self.iterations,
            text(&self.salt)
        )
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

/// One login by SCRAM.
#[derive(Debug)]
pub struct Exchange {
    verifier: Verifier,
    /// Whether the login fails whatever the client proves.
    doomed: bool,
    /// The certificate's hash, where TLS has one.
    channel: Option<Vec<u8>>,
    /// The server's part of the nonce.
    nonce: String,
    opened: Option<Opened>,
}

/// What the first message fixed.
#[derive(Debug)]
struct Opened {
    gs2_header: String,
    bound: bool,
    nonce: String,
    auth_prefix: String,
}

impl Exchange {
    /// Starts a login; `channel` is the hash of the server's certificate if the client came by TLS.
    pub fn new(verifier: Verifier, doomed: bool, channel: Option<Vec<u8>>) -> Self {
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        Self {
            verifier,
            doomed,
            channel,
            nonce: BASE64.encode(nonce),
            opened: None,
        }
    }

    /// The mechanisms to offer, the better first.
    pub fn mechanisms(&self) -> &'static [&'static str] {
        if self.channel.is_some() {
            &[SCRAM_PLUS, SCRAM]
        } else {
            &[SCRAM]
        }
    }

    /// Answers the client's first message.
    ///
    /// # Errors
    ///
    /// 08P01 for a message that is not SCRAM's, 28000 for a downgraded channel binding.
    pub fn first(&mut self, mechanism: &str, message: &[u8]) -> Result<Vec<u8>> {
        let plus = match mechanism {
            SCRAM => false,
            SCRAM_PLUS if self.channel.is_some() => true,
            _ => {
                return Err(malformed(
                    "The client selected an invalid SASL authentication mechanism.",
                ));
            }
        };
        let message =
            std::str::from_utf8(message).map_err(|_| malformed("The message is not UTF-8."))?;
        let mut parts = message.splitn(3, ',');
        let (Some(flag), Some(authzid), Some(bare)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed("The message has no GS2 header."));
        };
        match (flag, plus) {
            ("p=tls-server-end-point", true) | ("n", false) => {}
            ("y", false) if self.channel.is_none() => {}
            ("y", false) => {
                return Err(Error::Function {
                    sqlstate: "28000",
                    message: "SCRAM channel binding negotiation error".to_owned(),
                    detail: Some(
                        "The client supports SCRAM channel binding but thinks the server does not. However, this server does support channel binding."
                            .to_owned(),
                    ),
                    hint: None,
                });
            }
            _ => {
                return Err(malformed(
                    "The channel-binding flag does not fit the mechanism.",
                ));
            }
        }
        if !authzid.is_empty() {
            return Err(malformed("Authorization identities are not supported."));
        }
        // The user's name is the one of the start-up packet; the one here is not read.
        let mut attributes = bare.split(',');
        let (user, nonce) = (attributes.next(), attributes.next());
        let nonce = match (user, nonce.and_then(|nonce| nonce.strip_prefix("r="))) {
            (Some(user), Some(nonce)) if user.starts_with("n=") && printable(nonce) => nonce,
            _ => return Err(malformed("The message has no nonce.")),
        };
        let nonce = format!("{nonce}{}", self.nonce);
        let salt = BASE64.encode(&self.verifier.salt);
        let answer = format!("r={nonce},s={salt},i={}", self.verifier.iterations);
        self.opened = Some(Opened {
            gs2_header: format!("{flag},{authzid},"),
            bound: plus,
            nonce,
            auth_prefix: format!("{bare},{answer}"),
        });
        Ok(answer.into_bytes())
    }

    /// Checks the client's proof: the server's own proof to send if it is right, `None` if not.
    ///
    /// # Errors
    ///
    /// 08P01 for a message that is not SCRAM's.
    pub fn last(&mut self, message: &[u8]) -> Result<Option<Vec<u8>>> {
        let opened = self
            .opened
            .take()
            .ok_or_else(|| malformed("The message came too early."))?;
        let message =
            std::str::from_utf8(message).map_err(|_| malformed("The message is not UTF-8."))?;
        let (before, proof) = message
            .rsplit_once(",p=")
            .ok_or_else(|| malformed("The message has no proof."))?;
        let mut attributes = before.split(',');
        let binding = attributes.next().and_then(|text| text.strip_prefix("c="));
        let nonce = attributes.next().and_then(|text| text.strip_prefix("r="));
        let (Some(binding), Some(nonce)) = (binding, nonce) else {
            return Err(malformed("The message lacks an attribute."));
        };
        let mut expected = opened.gs2_header.into_bytes();
        if opened.bound {
            expected.extend_from_slice(self.channel.as_deref().unwrap_or_default());
        }
        if BASE64.encode(expected) != binding {
            return Err(malformed("SCRAM channel binding check failed."));
        }
        if nonce != opened.nonce {
            return Err(malformed("The nonce does not match."));
        }
        let proof: Key = BASE64
            .decode(proof)
            .ok()
            .and_then(|proof| proof.try_into().ok())
            .ok_or_else(|| malformed("The proof is not of the right length."))?;
        let auth_message = [opened.auth_prefix.as_bytes(), b",", before.as_bytes()];
        let signature = hmac(&self.verifier.stored_key, &auth_message);
        let mut client_key = proof;
        client_key
            .iter_mut()
            .zip(signature)
            .for_each(|(byte, mask)| *byte ^= mask);
        let stored: Key = Sha256::digest(client_key).into();
        let right: bool = stored.ct_eq(&self.verifier.stored_key).into();
        let own_proof = hmac(&self.verifier.server_key, &auth_message);
        Ok((right && !self.doomed).then(|| format!("v={}", BASE64.encode(own_proof)).into_bytes()))
    }
}

fn printable(nonce: &str) -> bool {
    !nonce.is_empty()
        && nonce
            .bytes()
            .all(|byte| (0x21..=0x7e).contains(&byte) && byte != b',')
}

/// HMAC-SHA-256 of the parts, one after the other.
pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    // HMAC takes keys of any length, so this cannot fail.
    #[allow(clippy::expect_used)]
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

fn malformed(detail: &str) -> Error {
    Error::Function {
        sqlstate: "08P01",
        message: "malformed SCRAM message".to_owned(),
        detail: Some(detail.to_owned()),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3.
    fn rfc_7677() -> Exchange {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let mut exchange = Exchange::new(Verifier::derive("pencil", &salt, 4096), false, None);
        exchange.nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned();
        exchange
    }

    const PROOF: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    #[test]
    fn the_exchange_of_the_rfc() {
        let mut exchange = rfc_7677();
        let first = exchange
            .first(SCRAM, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
            .unwrap();
        assert_eq!(
            String::from_utf8(first).unwrap(),
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        let last = exchange.last(PROOF.as_bytes()).unwrap().unwrap();
        assert_eq!(last, b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_doomed_login_fails_with_the_right_proof() {
        let mut exchange = rfc_7677();
        exchange.doomed = true;
        exchange
            .first(SCRAM, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
            .unwrap();
        assert_eq!(exchange.last(PROOF.as_bytes()).unwrap(), None);
    }

    #[test]
    fn a_verifier_of_postgresql_15_is_read_and_written() {
        // From pg_authid of PostgreSQL 15.
        let text = include_str!("scram_verifiers.txt");
        for line in text.lines() {
            let (password, stored) = line.split_once('\t').unwrap();
            let verifier = Verifier::parse(stored).unwrap();
            assert!(verifier.verify(password), "{password}");
            assert!(!verifier.verify("another"));
            assert_eq!(verifier.to_string(), stored);
        }
    }

    #[test]
    fn channel_binding_is_not_downgraded() {
        let verifier = Verifier::generate("secret", 1);
        assert_eq!(verifier.iterations, MIN_ITERATIONS);
        let mut exchange = Exchange::new(verifier, false, Some(vec![1; 32]));
        assert_eq!(exchange.mechanisms(), [SCRAM_PLUS, SCRAM]);
        assert!(exchange.first(SCRAM, b"y,,n=,r=abc").is_err());
        assert!(
            exchange
                .first(SCRAM, b"p=tls-server-end-point,,n=,r=abc")
                .is_err()
        );
        assert!(exchange.first(SCRAM_PLUS, b"n,,n=,r=abc").is_err());
        assert!(
            exchange
                .first(SCRAM_PLUS, b"p=tls-server-end-point,,n=,r=abc")
                .is_ok()
        );
    }

    #[test]
    fn messages_that_are_none_are_refused() {
        for message in [
            &b""[..],
            b"n",
            b"n,,",
            b"n,,n=u",
            b"n,,n=u,r=",
            b"n,,n=u,r=a\x01",
            b"n,a=x,n=u,r=a",
            b"\xff",
        ] {
            assert!(rfc_7677().first(SCRAM, message).is_err(), "{message:?}");
        }
        for message in [
            &b""[..],
            b"c=biws",
            b"c=biws,r=x,p=",
            b"c=,r=,p=AAAA",
            b"p=x",
        ] {
            let mut exchange = rfc_7677();
            exchange
                .first(SCRAM, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
                .unwrap();
            assert!(exchange.last(message).is_err(), "{message:?}");
        }
        assert!(rfc_7677().last(PROOF.as_bytes()).is_err());
    }
}
