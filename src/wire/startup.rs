//! From the first byte to the login: TLS, the protocol's version, start-up settings, the proof.

use std::net::IpAddr;

use bytes::Bytes;
use tokio_rustls::TlsAcceptor;

use super::backend;
use super::cancel::{LONG_KEY_BYTES, SHORT_KEY_BYTES};
use super::frontend::Reader;
use super::link::Link;
use crate::auth::certificate::Certificate;
use crate::auth::scram::{SCRAM, SCRAM_PLUS};
use crate::auth::token::MAX_TOKEN_MESSAGE_BYTES;
use crate::auth::token::bearer::{self, First, OAUTHBEARER};
use crate::auth::{Attempt, Authenticator, Channel, Method, needs_tls};
use crate::error::{Error, Result};

const SSL_REQUEST: u32 = (1234 << 16) | 5679;
const GSS_REQUEST: u32 = (1234 << 16) | 5680;
const CANCEL_REQUEST: u32 = (1234 << 16) | 5678;

/// The newest minor version of protocol 3 that is spoken; 3.1 was never made.
const NEWEST_MINOR: u16 = 2;

/// The first byte of a TLS handshake.
const TLS_HANDSHAKE: u8 = 0x16;

/// The name of PostgreSQL's protocol in TLS.
pub const ALPN: &[u8] = b"postgresql";

const AUTH_OK: u32 = 0;
const AUTH_CLEARTEXT: u32 = 3;
const AUTH_SASL: u32 = 10;
const AUTH_SASL_CONTINUE: u32 = 11;
const AUTH_SASL_FINAL: u32 = 12;

/// The length of a mechanism's first message that is still to come.
const FIRST_MESSAGE_LATER: u32 = u32::MAX;

/// TLS as the server offers it.
#[derive(Clone)]
pub struct Tls {
    pub acceptor: TlsAcceptor,
    /// The hash of the certificate, for channel binding; `None` if its signature names no hash.
    pub end_point: Option<Vec<u8>>,
}

/// What a connection wants.
pub(super) enum Start {
    Session(Startup),
    Cancel {
        pid: i32,
        key: Bytes,
    },
    /// The client left, or only looked whether someone listens.
    Gone,
}

/// A start-up packet, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Startup {
    pub(super) user: String,
    pub(super) database: String,
    /// Settings in the order in which they apply.
    pub(super) settings: Vec<(String, String)>,
    pub(super) key_bytes: usize,
    /// What to tell the client of the protocol, if it asked for more than there is.
    negotiation: Option<(u32, Vec<String>)>,
}

/// Reads packets until one says what the connection is for; TLS begins on the way.
pub(super) async fn start(link: &mut Link, tls: Option<&Tls>, tls_required: bool) -> Result<Start> {
    if link.peek().await? == Some(TLS_HANDSHAKE) {
        let tls =
            tls.ok_or_else(|| Error::Protocol("invalid length of startup packet".to_owned()))?;
        link.start_tls(&tls.acceptor).await?;
        if link.tls().and_then(|tls| tls.alpn_protocol()) != Some(ALPN) {
            let message = "received direct TLS connection request without ALPN protocol negotiation extension";
            return Err(Error::Protocol(message.to_owned()));
        }
    }
    let mut gss_asked = false;
    loop {
        let Some(packet) = link.read_packet().await? else {
            return Ok(Start::Gone);
        };
        let mut reader = Reader::new(packet);
        match reader.u32()? {
            SSL_REQUEST if link.tls().is_none() => {
                // What lies here already was sent in plain text by the client or a man in between.
                if link.has_input() {
                    let message = "received unencrypted data after SSL request";
                    return Err(Error::Protocol(message.to_owned()));
                }
                let Some(tls) = tls else {
                    link.out.push(b'N');
                    link.flush().await?;
                    continue;
                };
                link.out.push(b'S');
                link.flush().await?;
                link.start_tls(&tls.acceptor).await?;
            }
            GSS_REQUEST if !gss_asked => {
                if link.has_input() {
                    let message = "received unencrypted data after GSSAPI encryption request";
                    return Err(Error::Protocol(message.to_owned()));
                }
                gss_asked = true;
                link.out.push(b'N');
                link.flush().await?;
            }
            CANCEL_REQUEST => {
                let pid = reader.u32()? as i32;
                return Ok(Start::Cancel {
                    pid,
                    key: reader.rest(),
                });
            }
            version => {
                let startup = read_startup(version, reader)?;
                if tls_required && link.tls().is_none() {
                    return Err(needs_tls());
                }
                return Ok(Start::Session(startup));
            }
        }
    }
}

pub(super) fn read_startup(version: u32, mut reader: Reader) -> Result<Startup> {
    let (major, minor) = ((version >> 16) as u16, version as u16);
    if major != 3 {
        let message = format!(
            "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.{NEWEST_MINOR}"
        );
        return Err(Error::UnsupportedProtocol(message));
    }
    let mut user = None;
    let mut database = None;
    let mut settings = Vec::new();
    let mut unknown = Vec::new();
    loop {
        let name = reader.cstring()?;
        if name.is_empty() {
            break;
        }
        let value = reader.cstring()?;
        match name.as_str() {
            "user" => user = Some(value),
            "database" => database = Some(value),
            "options" => settings.extend(read_options(&value)?),
            "replication" => {
                if !matches!(value.as_str(), "false" | "off" | "no" | "0") {
                    return Err(Error::Unsupported("replication".to_owned()));
                }
            }
            _ if name.starts_with("_pq_.") => unknown.push(name),
            _ => settings.push((name, value)),
        }
    }
    reader.end().map_err(|_| {
        Error::Protocol(
            "invalid startup packet layout: expected terminator as last byte".to_owned(),
        )
    })?;
    let user = user.filter(|user| !user.is_empty()).ok_or_else(|| {
        Error::InvalidAuthorization(
            "no PostgreSQL user name specified in startup packet".to_owned(),
        )
    })?;
    let database = database
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| user.clone());
    let agreed = minor.min(NEWEST_MINOR);
    // 3.1 was never made: who asks for it gets 3.0.
    let agreed = if agreed == 1 { 0 } else { agreed };
    let negotiate = agreed != minor || !unknown.is_empty();
    Ok(Startup {
        user: truncate(user),
        database: truncate(database),
        settings,
        key_bytes: if agreed >= 2 {
            LONG_KEY_BYTES
        } else {
            SHORT_KEY_BYTES
        },
        negotiation: negotiate.then_some(((3 << 16) | u32::from(agreed), unknown)),
    })
}

/// A name, cut to the length that names have.
fn truncate(mut name: String) -> String {
    const MAX_NAME_BYTES: usize = 63;
    let end = (0..=MAX_NAME_BYTES.min(name.len()))
        .rev()
        .find(|end| name.is_char_boundary(*end));
    name.truncate(end.unwrap_or_default());
    name
}

/// Settings of the `options` parameter: `-c name=value`, `-cname=value` and `--name=value`.
fn read_options(text: &str) -> Result<Vec<(String, String)>> {
    let mut words = split_words(text).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match (word.strip_prefix("-c"), word.strip_prefix("--")) {
            (Some(""), _) => words.next(),
            (Some(rest), _) | (None, Some(rest)) => Some(rest.to_owned()),
            (None, None) => None,
        };
        let Some((name, value)) = setting
            .as_deref()
            .and_then(|setting| setting.split_once('='))
        else {
            let message = format!("invalid command-line argument for server process: {word}");
            return Err(Error::Syntax {
                message,
                position: None,
            });
        };
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

/// Words between spaces; a backslash keeps the next character as it is.
fn split_words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => word.get_or_insert_default().extend(letters.next()),
            space if space.is_ascii_whitespace() => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// The certificate that the client showed, if TLS asked for one.
pub(super) fn client_certificate(link: &Link) -> Option<Certificate> {
    let shown = link.tls()?.peer_certificates()?;
    shown.first().and_then(|first| Certificate::read(first))
}

/// Finds out how the client is to prove who it is.
///
/// # Errors
///
/// When the catalog cannot be read.
pub(super) async fn ask(
    link: &mut Link,
    startup: &Startup,
    peer: IpAddr,
    authenticator: &Authenticator,
    tls: Option<&Tls>,
) -> Result<Attempt> {
    if let Some((version, unknown)) = &startup.negotiation {
        backend::negotiate_protocol_version(&mut link.out, *version, unknown);
    }
    let under_tls = link.tls().is_some();
    let end_point = tls
        .filter(|_| under_tls)
        .and_then(|tls| tls.end_point.clone());
    let channel = Channel {
        tls: under_tls,
        end_point,
        peer: Some(peer),
        local: link.local_address(),
        certificate: client_certificate(link),
    };
    authenticator
        .begin(&startup.user, &startup.database, channel)
        .await
}

/// Has the client prove who it is.
///
/// # Errors
///
/// The refusal of a wrong proof, which is the same for all reasons; 08P01 for a message that does not fit.
pub(super) async fn prove(
    link: &mut Link,
    attempt: &mut Attempt,
    authenticator: &Authenticator,
) -> Result<()> {
    if attempt.takes_token() {
        link.let_messages_be(MAX_TOKEN_MESSAGE_BYTES);
    }
    match attempt.method() {
        Method::Refused(_) => Err(attempt.refused()),
        Method::Nothing => attempt.pass(),
        Method::Password => {
            backend::authentication(&mut link.out, AUTH_CLEARTEXT, &[]);
            link.flush().await?;
            let password = read_password(link).await?;
            let text = password.strip_suffix(b"\0").unwrap_or(&password);
            authenticator.check_password(attempt, text).await
        }
        Method::Bearer(_) => prove_by_token(link, attempt, authenticator).await,
        Method::Scram(_) => prove_by_scram(link, attempt).await,
    }
}

async fn prove_by_scram(link: &mut Link, attempt: &mut Attempt) -> Result<()> {
    let Method::Scram(exchange) = attempt.method() else {
        return Err(attempt.refuse());
    };
    offer(link, exchange.mechanisms()).await?;
    let mut reader = Reader::new(read_password(link).await?);
    let mechanism = match reader.cstring()?.as_str() {
        SCRAM_PLUS => SCRAM_PLUS,
        SCRAM => SCRAM,
        _ => "",
    };
    let length = reader.u32()? as usize;
    let first = reader.take(length)?;
    reader.end()?;
    let answer = exchange.first(mechanism, &first)?;
    backend::authentication(&mut link.out, AUTH_SASL_CONTINUE, &answer);
    link.flush().await?;
    let last = read_password(link).await?;
    let proof = attempt.finish_scram(&last)?;
    backend::authentication(&mut link.out, AUTH_SASL_FINAL, &proof);
    Ok(())
}

async fn prove_by_token(
    link: &mut Link,
    attempt: &mut Attempt,
    authenticator: &Authenticator,
) -> Result<()> {
    let Method::Bearer(challenge) = attempt.method() else {
        return Err(attempt.refuse());
    };
    let challenge = std::mem::take(challenge);
    offer(link, &[OAUTHBEARER]).await?;
    let mut reader = Reader::new(read_password(link).await?);
    if reader.cstring()? != OAUTHBEARER {
        return Err(Error::Protocol(
            "client selected an invalid SASL authentication mechanism".to_owned(),
        ));
    }
    let message = match reader.u32()? {
        FIRST_MESSAGE_LATER => {
            reader.end()?;
            backend::authentication(&mut link.out, AUTH_SASL_CONTINUE, &[]);
            link.flush().await?;
            read_password(link).await?
        }
        length => {
            let message = reader.take(length as usize)?;
            reader.end()?;
            message
        }
    };
    let outcome = match bearer::first(&message)? {
        First::Discovery => attempt.go_without_token(),
        First::Token(token) => authenticator.check_token(attempt, &token).await,
    };
    let Err(refusal) = outcome else {
        return Ok(());
    };
    backend::authentication(&mut link.out, AUTH_SASL_CONTINUE, &challenge);
    link.flush().await?;
    bearer::understood(&read_password(link).await?)?;
    Err(refusal)
}

/// Tells the client the mechanisms among which it may choose.
async fn offer(link: &mut Link, mechanisms: &[&str]) -> Result<()> {
    let mut offered = Vec::new();
    for name in mechanisms {
        backend::cstring(&mut offered, name);
    }
    offered.push(0);
    backend::authentication(&mut link.out, AUTH_SASL, &offered);
    link.flush().await
}

/// Tells the client that it is in.
pub(super) fn accept(link: &mut Link) {
    backend::authentication(&mut link.out, AUTH_OK, &[]);
}

async fn read_password(link: &mut Link) -> Result<Bytes> {
    match link.read_message().await? {
        Some((b'p', body)) => Ok(body),
        Some((tag, _)) => Err(Error::Protocol(format!(
            "expected password response, got message type {tag}"
        ))),
        None => Err(Error::ConnectionLost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(text: &'static [u8]) -> Reader {
        Reader::new(Bytes::from_static(text))
    }

    #[test]
    fn options_are_settings() {
        let read = read_options(r"-c search_path=a\ b -cwork_mem=1MB --enable-x=on").unwrap();
        let expected = [
            ("search_path", "a b"),
            ("work_mem", "1MB"),
            ("enable_x", "on"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read, expected);
        assert!(read_options("-x").is_err());
        assert!(read_options("-c").is_err());
    }

    #[test]
    fn versions_and_unknown_options_are_negotiated() {
        let old = read_startup(3 << 16, packet(b"user\0a\0\0")).unwrap();
        assert_eq!((old.key_bytes, old.negotiation), (SHORT_KEY_BYTES, None));
        assert_eq!(old.database, "a");
        let new = read_startup((3 << 16) | 2, packet(b"user\0a\0database\0b\0\0")).unwrap();
        assert_eq!((new.key_bytes, new.negotiation), (LONG_KEY_BYTES, None));
        let newer = packet(b"user\0a\0_pq_.x\0y\0application_name\0psql\0\0");
        let newer = read_startup((3 << 16) | 9999, newer).unwrap();
        assert_eq!(
            newer.negotiation,
            Some(((3 << 16) | 2, vec!["_pq_.x".to_owned()]))
        );
        assert_eq!(
            newer.settings,
            [("application_name".to_owned(), "psql".to_owned())]
        );
        assert!(matches!(
            read_startup(2 << 16, packet(b"user\0a\0\0")),
            Err(Error::UnsupportedProtocol(_))
        ));
    }

    #[test]
    fn broken_packets_are_refused() {
        for text in [
            &b""[..],
            b"\0",
            b"user",
            b"user\0",
            b"user\0a",
            b"user\0a\0",
            b"user\0a\0\0x",
            b"user\0\0\0",
        ] {
            assert!(read_startup(3 << 16, Reader::new(Bytes::copy_from_slice(text))).is_err());
        }
    }
}
