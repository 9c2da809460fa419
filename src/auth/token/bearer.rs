//! The messages of OAUTHBEARER (RFC 7628), the server's side.

use serde_json::json;

use super::IssuerSettings;
use crate::error::{Error, Result};

/// The mechanism's name.
pub const OAUTHBEARER: &str = "OAUTHBEARER";

/// What ends a part of a message; alone it is the client's answer to a refusal.
const SEPARATOR: char = '\x01';

/// What a client's first message brings.
#[derive(Debug, PartialEq, Eq)]
pub enum First {
    Token(String),
    /// It has none yet and asks where to get one.
    Discovery,
}

/// Reads a client's first message.
///
/// # Errors
///
/// 08P01 for a message that is not the mechanism's.
pub fn first(message: &[u8]) -> Result<First> {
    let message =
        std::str::from_utf8(message).map_err(|_| malformed("The message is not UTF-8."))?;
    let mut parts = message.splitn(3, ',');
    let (Some(flag), Some(authzid), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed("The message has no GS2 header."));
    };
    if !matches!(flag, "n" | "y") {
        return Err(malformed(
            "The server does not support channel binding for OAuth.",
        ));
    }
    if !authzid.is_empty() {
        return Err(malformed("Authorization identities are not supported."));
    }
    let pairs = rest
        .strip_prefix(SEPARATOR)
        .and_then(|rest| rest.strip_suffix(SEPARATOR))
        .and_then(|rest| rest.strip_suffix(SEPARATOR))
        .ok_or_else(|| malformed("The message is not framed by separators."))?;
    let mut token = None;
    for pair in pairs.split(SEPARATOR) {
        let (key, value) = pair
            .split_once('=')
            .filter(|(key, _)| {
                !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphabetic())
            })
            .ok_or_else(|| malformed("The message has a part that is no key and value."))?;
        // Host and port say where the client thinks that it is; other keys are to be passed over.
        if key == "auth" && token.replace(value).is_some() {
            return Err(malformed("The message contains multiple auth values."));
        }
    }
    let token = token.ok_or_else(|| malformed("The message does not contain an auth value."))?;
    if token.is_empty() {
        return Ok(First::Discovery);
    }
    let (scheme, token) = token.split_once(' ').unwrap_or((token, ""));
    let token = token.trim_start_matches(' ');
    let of_a_token = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
    };
    if !scheme.eq_ignore_ascii_case("Bearer") || token.is_empty() || !token.bytes().all(of_a_token)
    {
        return Err(malformed("The auth value is no bearer token."));
    }
    Ok(First::Token(token.to_owned()))
}

/// Tells a client without a right token where to get one.
pub fn challenge(issuer: &IssuerSettings, scope: Option<&str>) -> Vec<u8> {
    let base = issuer.issuer.trim_end_matches('/');
    let document = format!("{base}/.well-known/openid-configuration");
    json!({
        "status": "invalid_token",
        "openid-configuration": document,
        "scope": scope.unwrap_or(&issuer.scope),
    })
    .to_string()
    .into_bytes()
}

/// Checks that the client has understood that it was refused.
///
/// # Errors
///
/// 08P01 for any other message.
pub fn understood(message: &[u8]) -> Result<()> {
    if message == [SEPARATOR as u8] {
        return Ok(());
    }
    Err(malformed("The client did not send a kvsep response."))
}

fn malformed(detail: &str) -> Error {
    Error::Function {
        sqlstate: "08P01",
        message: "malformed OAUTHBEARER message".to_owned(),
        detail: Some(detail.to_owned()),
        hint: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message of RFC 7628, section 4.1.
    #[test]
    fn the_message_of_the_rfc_brings_a_token() {
        let message = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        assert!(first(message).is_err(), "no one logs in for another");
        let message = b"n,,\x01host=server.example.com\x01port=143\x01auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
        let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==".to_owned();
        assert_eq!(first(message).unwrap(), First::Token(token));
        assert_eq!(first(b"y,,\x01auth=\x01\x01").unwrap(), First::Discovery);
    }

    #[test]
    fn other_messages_are_refused() {
        for message in [
            &b""[..],
            b"n,,",
            b"n,,\x01",
            b"n,,\x01\x01",
            b"p=x,,\x01auth=Bearer a\x01\x01",
            b"n,,\x01auth=Bearer a\x01",
            b"n,,\x01auth=Bearer \x01\x01",
            b"n,,\x01auth=Basic a\x01\x01",
            b"n,,\x01auth=Bearer a b\x01\x01",
            b"n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01",
            b"n,,\x01host=a\x01\x01",
            b"n,,\x01auth=Bearer \xff\x01\x01",
        ] {
            assert!(first(message).is_err(), "{message:?}");
        }
        assert!(understood(b"\x01").is_ok());
        assert!(understood(b"").is_err() && understood(b"\x01\x01").is_err());
    }
}
