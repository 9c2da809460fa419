//! Tokens of OpenID Connect issuers: signed claims that say who someone is.
//!
//! A token counts when its issuer signed it with a key of the operator's choice, for this server, and
//! for now. Whose login it is, tenant and role, is read from its claims. Only signatures by a public
//! key are taken: no token can name a weaker way. Knows no connection.

pub mod bearer;
mod jwt;
mod keys;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use keys::KeySource;

pub use jwt::Algorithm;

/// The longest message in which a token may come, as in PostgreSQL.
pub const MAX_TOKEN_MESSAGE_BYTES: usize = 65_535;

/// An issuer as the operator describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerSettings {
    /// Its URL, as tokens name it in `iss`.
    pub issuer: String,
    /// Its keys: one of a file and a URL.
    pub jwks_file: Option<PathBuf>,
    pub jwks_url: Option<String>,
    /// Who may sign the certificate of the URL's server, beside those whom the system trusts.
    pub jwks_ca_file: Option<PathBuf>,
    /// What tokens for this server name in `aud`.
    pub audience: String,
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// The tenant of all its tokens, or the claim that names it; one of both.
    pub tenant: Option<String>,
    pub tenant_claim: Option<String>,
    /// The claim that names the roles, one or a list; a JSON pointer if it begins with a slash.
    #[serde(default = "default_role_claim")]
    pub role_claim: String,
    /// What clients are told to ask the issuer for.
    #[serde(default = "default_scope")]
    pub scope: String,
    #[serde(default = "default_skew")]
    pub clock_skew_s: u64,
    /// Keys are read anew when they are older, and when a token names one that is not there.
    #[serde(default = "default_refresh")]
    pub jwks_refresh_s: u64,
    /// Keys that could not be read anew for so long are not believed.
    #[serde(default = "default_max_age")]
    pub jwks_max_age_s: u64,
}

fn default_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]
}

fn default_role_claim() -> String {
    "roles".to_owned()
}

fn default_scope() -> String {
    "openid".to_owned()
}

fn default_skew() -> u64 {
    30
}

fn default_refresh() -> u64 {
    300
}

fn default_max_age() -> u64 {
    3600
}

/// The largest difference between clocks that may be allowed.
const MAX_SKEW_S: u64 = 300;

impl IssuerSettings {
    /// Refuses what cannot work or is not safe.
    ///
    /// # Errors
    ///
    /// One line that names the issuer.
    pub fn check(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::Start(format!("issuer \"{}\": {what}", self.issuer)));
        if self.issuer.is_empty() || self.audience.is_empty() {
            return refuse("issuer and audience are needed");
        }
        if self.jwks_file.is_some() == self.jwks_url.is_some() {
            return refuse("one of jwks_file and jwks_url is needed");
        }
        if self.tenant.is_some() == self.tenant_claim.is_some() {
            return refuse("one of tenant and tenant_claim is needed");
        }
        if self.algorithms.is_empty() {
            return refuse("algorithms must name one");
        }
        if self.clock_skew_s > MAX_SKEW_S {
            return refuse("clock_skew_s must be at most 300");
        }
        if self.jwks_refresh_s == 0 || self.jwks_max_age_s < self.jwks_refresh_s {
            return refuse("jwks_max_age_s must be at least jwks_refresh_s, and that at least 1");
        }
        if let Some(url) = &self.jwks_url {
            let parsed = url::Url::parse(url).ok();
            let loopback = |url: &url::Url| match url.host() {
                Some(url::Host::Ipv4(address)) => address.is_loopback(),
                Some(url::Host::Ipv6(address)) => address.is_loopback(),
                _ => false,
            };
            let safe = parsed.is_some_and(|url| {
                url.scheme() == "https" || (url.scheme() == "http" && loopback(&url))
            });
            if !safe {
                return refuse("jwks_url must begin with https://");
            }
        }
        Ok(())
    }
}

/// An issuer and its keys.
#[derive(Debug)]
pub struct Issuer {
    pub settings: IssuerSettings,
    keys: KeySource,
}

/// What a token says of its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub tenants: Vec<String>,
    pub roles: Vec<String>,
}

impl Issuer {
    /// An issuer whose keys are read when the first token comes.
    ///
    /// # Errors
    ///
    /// When what its settings name cannot be used.
    pub fn new(settings: IssuerSettings) -> Result<Self> {
        settings.check()?;
        let keys = KeySource::new(&settings)?;
        Ok(Self { settings, keys })
    }

    /// Checks a token and reads whose it is; `now` is in seconds since 1970.
    ///
    /// # Errors
    ///
    /// Why it does not count, for the log; never with anything of the token in it.
    pub async fn check(&self, token: &str, now: i64) -> std::result::Result<Bearer, &'static str> {
        let token = jwt::Token::read(token)?;
        if !self.settings.algorithms.contains(&token.algorithm) {
            return Err("the token is signed by an algorithm that is not allowed");
        }
        let keys = self.keys.for_key(token.key_id.as_deref()).await?;
        let key = keys.choose(token.key_id.as_deref(), token.algorithm)?;
        if !key.signed(token.algorithm, token.signed.as_bytes(), &token.signature) {
            return Err("the token's signature is wrong");
        }
        let claims = token.claims()?;
        jwt::check_claims(&self.settings, &claims, now)?;
        Ok(self.bearer(&claims))
    }

    fn bearer(&self, claims: &Map<String, Value>) -> Bearer {
        let tenants = match (&self.settings.tenant, &self.settings.tenant_claim) {
            (Some(tenant), _) => vec![tenant.clone()],
            (None, Some(claim)) => texts(claims, claim),
            (None, None) => Vec::new(),
        };
        Bearer {
            tenants,
            roles: texts(claims, &self.settings.role_claim),
        }
    }
}

/// The texts of a claim that is one or a list of them.
fn texts(claims: &Map<String, Value>, claim: &str) -> Vec<String> {
    let found = match claim.strip_prefix('/') {
        None => claims.get(claim),
        Some(path) => {
            let mut names = path.split('/');
            let first = names.next().and_then(|name| claims.get(name));
            names
                .try_fold(first, |value, name| Some(value?.get(name)))
                .flatten()
        }
    };
    match found {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(values)) => {
            let texts = values.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
