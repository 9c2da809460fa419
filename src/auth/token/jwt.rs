//! JSON Web Tokens in their compact form (RFC 7519, RFC 7515), and what of their claims must hold.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{IssuerSettings, MAX_TOKEN_MESSAGE_BYTES};

/// Algorithms of signatures, all by a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    /// The algorithm of this name; none for those by a shared secret, and for no signature at all.
    pub(super) fn named(name: &str) -> Option<Self> {
        serde_json::from_value(Value::String(name.to_owned())).ok()
    }
}

/// A token taken apart; nothing of it is believed yet.
#[derive(Debug)]
pub(super) struct Token<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    /// The text that is signed.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
    payload: &'a str,
}

impl<'a> Token<'a> {
    /// Takes a token apart.
    pub(super) fn read(text: &'a str) -> Result<Self, &'static str> {
        let malformed = "the token is not a signed JWT";
        if text.len() > MAX_TOKEN_MESSAGE_BYTES {
            return Err(malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(malformed)?;
        if payload.contains('.') {
            return Err(malformed);
        }
        let header = object(header).ok_or(malformed)?;
        if header.contains_key("crit") {
            return Err("the token demands extensions that are not known");
        }
        let kind = header.get("typ").map(|kind| kind.as_str().unwrap_or("?"));
        if kind.is_some_and(|kind| !is_jwt(kind)) {
            return Err("the token is of another type");
        }
        let algorithm = header.get("alg").and_then(Value::as_str);
        let algorithm = algorithm.and_then(Algorithm::named);
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(key_id)) => Some(key_id.clone()),
            Some(_) => return Err(malformed),
        };
        Ok(Self {
            algorithm: algorithm
                .ok_or("the token is signed by an algorithm that is not allowed")?,
            key_id,
            signed,
            signature: BASE64URL.decode(signature).map_err(|_| malformed)?,
            payload,
        })
    }

    /// The claims, once the signature was found right.
    pub(super) fn claims(&self) -> Result<Map<String, Value>, &'static str> {
        object(self.payload).ok_or("the token's claims cannot be read")
    }
}

fn is_jwt(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let kind = kind.strip_prefix("application/").unwrap_or(&kind);
    matches!(kind, "jwt" | "at+jwt")
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = BASE64URL.decode(part).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Checks who made the token, for whom, and for when.
pub(super) fn check_claims(
    settings: &IssuerSettings,
    claims: &Map<String, Value>,
    now: i64,
) -> Result<(), &'static str> {
    if claims.get("iss").and_then(Value::as_str) != Some(&settings.issuer) {
        return Err("the token is of another issuer");
    }
    let for_us = match claims.get("aud") {
        Some(Value::String(audience)) => *audience == settings.audience,
        Some(Value::Array(audiences)) => audiences
            .iter()
            .any(|audience| audience.as_str() == Some(&settings.audience)),
        _ => false,
    };
    if !for_us {
        return Err("the token is for another audience");
    }
    let skew = settings.clock_skew_s as f64;
    let now = now as f64;
    // A moment that is there and not a number is not overlooked.
    let moment = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_f64()
            .map(Some)
            .ok_or("the token's times cannot be read"),
    };
    match moment("exp")? {
        None => return Err("the token has no end"),
        Some(end) if now >= end + skew => return Err("the token has expired"),
        Some(_) => {}
    }
    for name in ["nbf", "iat"] {
        if moment(name)?.is_some_and(|begin| now + skew < begin) {
            return Err("the token is not valid yet");
        }
    }
    Ok(())
}
