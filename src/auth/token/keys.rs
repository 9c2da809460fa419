//! An issuer's public keys: a JSON Web Key Set (RFC 7517) from a file or a URL, kept for a while.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::IssuerSettings;
use super::jwt::Algorithm;
use crate::error::{Error, Result};

/// The longest key set that is read, and the most keys of it that are kept.
const MAX_KEY_SET_BYTES: usize = 256 * 1024;
const MAX_KEYS: usize = 64;

/// How long a key set may take to come.
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// How often it is asked for at most, whatever keys tokens name.
const MIN_REFRESH: Duration = Duration::from_secs(10);

/// A public key with what its owner says of it.
#[derive(Debug, Clone)]
pub(super) struct Key {
    id: Option<String>,
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, Clone)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// The keys of an issuer that can check signatures.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys(Vec<Key>);

/// Where keys come from, and those that came last.
#[derive(Debug)]
pub(super) struct KeySource {
    place: Place,
    refresh: Duration,
    max_age: Duration,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Url {
        url: String,
        client: reqwest::Client,
    },
}

#[derive(Debug, Default)]
struct Kept {
    keys: Arc<Keys>,
    read_at: Option<Instant>,
    tried_at: Option<Instant>,
}

impl KeySource {
    pub(super) fn new(settings: &IssuerSettings) -> Result<Self> {
        let place = match (&settings.jwks_file, &settings.jwks_url) {
            (Some(path), _) => Place::File(path.clone()),
            (None, Some(url)) => Place::Url {
                url: url.clone(),
                client: client(settings)?,
            },
            (None, None) => return Err(Error::internal("an issuer without keys")),
        };
        Ok(Self {
            place,
            refresh: Duration::from_secs(settings.jwks_refresh_s),
            max_age: Duration::from_secs(settings.jwks_max_age_s),
            kept: Mutex::default(),
        })
    }

    /// The keys among which this one must be. They are read anew when they have grown old or lack it;
    /// all who ask meanwhile wait for the one answer.
    pub(super) async fn for_key(&self, id: Option<&str>) -> Result<Arc<Keys>, &'static str> {
        let mut kept = self.kept.lock().await;
        let older = |moment: Option<Instant>, age| moment.is_none_or(|at| at.elapsed() >= age);
        let lacks =
            id.is_some_and(|id| !kept.keys.0.iter().any(|key| key.id.as_deref() == Some(id)));
        if (older(kept.read_at, self.refresh) || lacks) && older(kept.tried_at, MIN_REFRESH) {
            kept.tried_at = Some(Instant::now());
            match self.read().await {
                Ok(keys) => {
                    kept.keys = Arc::new(keys);
                    kept.read_at = Some(Instant::now());
                }
                Err(cause) => tracing::warn!(cause, "an issuer's keys could not be read"),
            }
        }
        if older(kept.read_at, self.max_age) {
            return Err("the issuer's keys could not be read");
        }
        Ok(Arc::clone(&kept.keys))
    }

    async fn read(&self) -> Result<Keys, String> {
        let bytes = match &self.place {
            Place::File(path) => {
                let size = tokio::fs::metadata(path).await.map(|found| found.len());
                if size.map_err(|error| error.to_string())? > MAX_KEY_SET_BYTES as u64 {
                    return Err("the key set is too long".to_owned());
                }
                tokio::fs::read(path)
                    .await
                    .map_err(|error| error.to_string())?
            }
            Place::Url { url, client } => fetch(client, url).await?,
        };
        Keys::read(&bytes)
    }
}

fn client(settings: &IssuerSettings) -> Result<reqwest::Client> {
    let fault = |error: &dyn std::fmt::Display| {
        Error::Start(format!("issuer \"{}\": {error}", settings.issuer))
    };
    let mut builder = reqwest::Client::builder()
        .timeout(FETCH_TIMEOUT)
        // Where the operator pointed is where keys come from.
        .redirect(reqwest::redirect::Policy::none());
    if let Some(path) = &settings.jwks_ca_file {
        let pem = std::fs::read(path).map_err(|error| fault(&error))?;
        for certificate in
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| fault(&error))?
        {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| fault(&error))
}

async fn fetch(client: &reqwest::Client, url: &str) -> Result<Vec<u8>, String> {
    let answer = client.get(url).send().await;
    let answer = answer.and_then(reqwest::Response::error_for_status);
    let mut answer = answer.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("the answer's status is {}", answer.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
        if bytes.len() + chunk.len() > MAX_KEY_SET_BYTES {
            return Err("the key set is too long".to_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

impl Keys {
    /// Reads a key set; keys that cannot check signatures are left out.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let set: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let keys = set.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or("there is no list of keys")?.iter();
        let keys = keys.filter_map(|key| Key::read(key.as_object()?));
        Ok(Self(keys.take(MAX_KEYS).collect()))
    }

    /// The key of this name; without a name the only one that fits the algorithm.
    pub(super) fn choose(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<&Key, &'static str> {
        let mut fitting = self
            .0
            .iter()
            .filter(|key| key.fits(algorithm) && id.is_none_or(|id| key.id.as_deref() == Some(id)));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err("the token's key is not one of the issuer's"),
            (Some(_), Some(_)) => Err("the token does not say which of several keys signed it"),
        }
    }
}

impl Key {
    fn read(key: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        let bytes = |name: &str| BASE64URL.decode(text(name)?).ok();
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if let Some(operations) = key.get("key_ops").and_then(Value::as_array)
            && !operations.iter().any(|operation| operation == "verify")
        {
            return None;
        }
        let point = |length: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            let fits = x.len() == length && y.len() == length;
            fits.then(|| [&[0x04][..], &x, &y].concat())
        };
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => Material::Rsa {
                n: without_zeros(bytes("n")?),
                e: without_zeros(bytes("e")?),
            },
            ("EC", Some("P-256")) => Material::P256(point(32)?),
            ("EC", Some("P-384")) => Material::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x")?),
            _ => return None,
        };
        let algorithm = match text("alg") {
            None => None,
            // A key for something that is not known here is for nothing else.
            Some(name) => Some(Algorithm::named(name)?),
        };
        Some(Self {
            id: text("kid").map(str::to_owned),
            algorithm,
            material,
        })
    }

    /// Whether signatures of the algorithm can be this key's.
    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let kind = match self.material {
            Material::Rsa { .. } => {
                matches!(algorithm, RS256 | RS384 | RS512 | PS256 | PS384 | PS512)
            }
            Material::P256(_) => algorithm == ES256,
            Material::P384(_) => algorithm == ES384,
            Material::Ed25519(_) => algorithm == EdDSA,
        };
        kind && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether this key signed the text.
    pub(super) fn signed(&self, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let by = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(algorithm, key)
                .verify(text, signature)
                .is_ok()
        };
        match &self.material {
            Material::Rsa { n, e } => {
                let Some(parameters) = rsa(algorithm) else {
                    return false;
                };
                RsaPublicKeyComponents { n, e }
                    .verify(parameters, text, signature)
                    .is_ok()
            }
            Material::P256(key) => by(&signature::ECDSA_P256_SHA256_FIXED, key),
            Material::P384(key) => by(&signature::ECDSA_P384_SHA384_FIXED, key),
            Material::Ed25519(key) => by(&signature::ED25519, key),
        }
    }
}

/// RSA takes keys from 2048 bits on.
fn rsa(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => None,
    }
}

fn without_zeros(number: Vec<u8>) -> Vec<u8> {
    let begin = number.iter().take_while(|byte| **byte == 0).count();
    number[begin..].to_vec()
}
