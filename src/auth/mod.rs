//! Who a client is: a name, a database and a proof become a [`Login`].
//!
//! Host rules say how the proof is asked for. A name that does not exist or may not log in takes the same
//! steps as one that does, with the same answers and the same work. Knows nothing of the protocol's bytes.

pub mod attempt;
pub mod certificate;
pub mod der;
pub mod guesses;
pub mod host_rules;
pub mod limits;
pub mod password;
pub mod policy;
pub mod scram;
pub mod second_factor;
pub mod token;

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tessera_catalog::id::{DatabaseId, Oid};

use crate::error::{Error, Result};
use certificate::Certificate;
use host_rules::{ClientCertificate, Connection, HostRule, RuleFiles, RuleMethod};
use password::Hasher;
use scram::{Exchange, Verifier};
use second_factor::{Owner, Sealer};
use token::{Issuer, IssuerSettings};

pub use attempt::{Attempt, Method};
pub use limits::{ConnectionLimits, Slot};
pub use password::{PasswordEncryption, make_verifier};
pub use policy::PasswordPolicy;

/// Where names are looked up.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The role that `user` means for `database`: one of the system database's if it has that name,
    /// else one of the tenant that `database` names.
    async fn find(&self, user: &str, database: &str) -> Result<Option<Candidate>>;

    /// The part of the server's login roles, from 0 to 1, that are asked for the password itself.
    async fn password_share(&self) -> f64;

    /// Spends a role's one-time code of a time step; false if it or a later one was spent before.
    async fn spend_code(&self, owner: Owner, step: i64) -> Result<bool>;
}

/// A role that may become a login.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub user: String,
    pub role: Oid,
    /// Whether it is a role of the system database.
    pub operator: bool,
    pub superuser: bool,
    /// It has LOGIN.
    pub can_login: bool,
    /// Its tenant is suspended, which it is told once it has proved who it is.
    pub suspended: bool,
    /// A SCRAM-SHA-256 verifier or an argon2id hash.
    pub password: Option<String>,
    /// The sealed secret of its second factor.
    pub second_factor: Option<String>,
    /// Microseconds since 1970 after which the password is no longer taken.
    pub valid_until: Option<i64>,
    /// At most so many sessions of the role; -1 for no limit.
    pub role_connection_limit: i32,
    /// The database that the role is of, and its name.
    pub home: (DatabaseId, String),
    /// The names of the role and of all that it is a member of.
    pub groups: Vec<String>,
    /// The database asked for; `None` if there is none of that name.
    pub database: Option<(DatabaseId, String)>,
    /// It has CONNECT on the database.
    pub may_connect: bool,
    /// At most so many sessions of the tenant, operators' not counted.
    pub database_connection_limit: Option<u32>,
}

impl Candidate {
    fn owner(&self) -> Owner {
        Owner {
            home: self.home.0,
            role: self.role,
        }
    }
}

/// A client that has proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub role: Oid,
    pub operator: bool,
    pub superuser: bool,
    pub database: DatabaseId,
    pub database_name: String,
}

/// What of logins the whole server shares: rules, and what is asked of passwords.
#[derive(Debug)]
pub struct Logins {
    pub rules: RuleFiles,
    pub passwords: PasswordPolicy,
    pub sealer: Sealer,
    /// Whether clients can come by TLS.
    pub tls: bool,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            rules: RuleFiles::default(),
            passwords: PasswordPolicy::default(),
            sealer: Sealer::without_key(),
            tls: false,
        }
    }
}

/// Checks credentials.
pub struct Authenticator {
    directory: Arc<dyn Directory>,
    logins: Arc<Logins>,
    issuers: Vec<Issuer>,
    /// Keys what unknown names are shown, so that it is the same each time and after a restart.
    mock_key: [u8; 32],
    hasher: Hasher,
}

/// What is known of the channel by which a client came.
#[derive(Debug, Clone, Default)]
pub struct Channel {
    pub tls: bool,
    /// The hash of the server's certificate, for channel binding.
    pub end_point: Option<Vec<u8>>,
    /// Where the client is, and the server's address that it chose.
    pub peer: Option<IpAddr>,
    pub local: Option<IpAddr>,
    /// The client's certificate, which TLS found good.
    pub certificate: Option<Certificate>,
}

impl Channel {
    /// Whether nobody on the way can read what is sent.
    fn is_private(&self) -> bool {
        self.tls
            || self
                .peer
                .is_some_and(|peer| peer.to_canonical().is_loopback())
    }
}

impl Authenticator {
    /// An authenticator over a directory; `mock_key` is kept with the catalog.
    ///
    /// # Errors
    ///
    /// When password hashing does not work, or an issuer's settings cannot be used.
    pub fn new(
        directory: Arc<dyn Directory>,
        logins: Arc<Logins>,
        issuers: &[IssuerSettings],
        mock_key: [u8; 32],
    ) -> Result<Self> {
        let issuers = issuers.iter().cloned().map(Issuer::new);
        Ok(Self {
            directory,
            issuers: issuers.collect::<Result<_>>()?,
            mock_key,
            hasher: Hasher::new(logins.passwords.scram_iterations)?,
            logins,
        })
    }

    /// Looks up the name and chooses how to ask for the proof. What is refused without asking is told by
    /// the attempt's method.
    ///
    /// # Errors
    ///
    /// When the catalog cannot be read.
    pub async fn begin(&self, user: &str, database: &str, channel: Channel) -> Result<Attempt> {
        let found = self.directory.find(user, database).await?;
        let password_share = self.directory.password_share().await;
        let connection = Connection {
            tls: channel.tls,
            peer: channel.peer,
            local: channel.local,
            database,
            user,
            groups: found.as_ref().map_or(&[], |found| found.groups.as_slice()),
        };
        let rules = self.logins.rules.current();
        let rule = rules.deciding(&connection).map(Arc::clone);
        let mut attempt = Attempt::new(user, database, found, rules, channel);
        let Some(rule) = rule else {
            attempt.refuse_at_once("no host rule fits", attempt.no_entry());
            return Ok(attempt);
        };
        attempt.rule = Some(Arc::clone(&rule));
        if let Some((reason, error)) = self.refusal(&rule, &attempt) {
            attempt.refuse_at_once(reason, error);
            return Ok(attempt);
        }
        attempt.doubt(&rule);
        // Derived for everyone, so that it takes the same time for everyone.
        let mock = self.mock(user, database);
        let method = self.method(&rule, &mut attempt, mock, password_share);
        attempt.set_method(method);
        Ok(attempt)
    }

    /// What a rule refuses, whoever asks.
    fn refusal(&self, rule: &HostRule, attempt: &Attempt) -> Option<(&'static str, Error)> {
        let channel = attempt.channel();
        if rule.method == RuleMethod::Reject {
            return Some(("a host rule rejects it", attempt.rejected()));
        }
        // As in PostgreSQL, a rule by certificate wants one before it looks at the name in it.
        if rule.options.certificate != ClientCertificate::NotAsked && channel.certificate.is_none()
        {
            let message = "connection requires a valid client certificate".to_owned();
            return Some((
                "no client certificate",
                Error::InvalidAuthorization(message),
            ));
        }
        let private = match rule.method.takes_token() {
            true => channel.is_private(),
            false => channel.tls,
        };
        (rule.method.sends_secret() && !private).then(|| ("no TLS", needs_tls()))
    }

    fn method(
        &self,
        rule: &HostRule,
        attempt: &mut Attempt,
        mock: Mock,
        password_share: f64,
    ) -> Method {
        let by_password = match rule.method {
            RuleMethod::Trust | RuleMethod::Cert | RuleMethod::Reject => return Method::Nothing,
            RuleMethod::OAuth => {
                let scope = rule.options.scope.as_deref();
                let issuer = self.issuer(rule);
                let challenge =
                    issuer.map(|issuer| token::bearer::challenge(&issuer.settings, scope));
                return Method::Bearer(challenge.unwrap_or_default());
            }
            RuleMethod::Jwt | RuleMethod::Password | RuleMethod::Argon2id => true,
            RuleMethod::ScramSha256 => false,
            RuleMethod::Stored => {
                let private = attempt.channel().tls;
                private
                    && match attempt.candidate() {
                        Some(candidate) if candidate.second_factor.is_some() => true,
                        Some(candidate) => match candidate.password.as_deref() {
                            Some(stored) => password::is_argon2id(stored),
                            None => mock.draw < password_share,
                        },
                        None => mock.draw < password_share,
                    }
            }
        };
        if by_password {
            return Method::Password;
        }
        let candidate = attempt.candidate();
        let code = candidate.is_some_and(|candidate| candidate.second_factor.is_some());
        let stored = candidate.and_then(|candidate| candidate.password.as_deref());
        let verifier = stored.and_then(Verifier::parse);
        // A code cannot follow a proof, of which the server knows no password.
        let verifier = verifier.filter(|_| !code);
        let doomed = verifier.is_none();
        if doomed {
            attempt.doubted("the role has no password that this method could take");
        }
        let end_point = attempt.channel().end_point.clone();
        let exchange = Exchange::new(verifier.unwrap_or(mock.verifier), doomed, end_point);
        Method::Scram(Box::new(exchange))
    }

    /// Checks what the client sent by [`Method::Password`]: a password, with a one-time code behind it
    /// where the role has a second factor, or a token.
    ///
    /// # Errors
    ///
    /// The refusal, which is the same for all reasons; or a catalog that cannot be written.
    pub async fn check_password(&self, attempt: &mut Attempt, text: &[u8]) -> Result<()> {
        let method = attempt.rule.as_ref().map(|rule| rule.method);
        if method == Some(RuleMethod::Jwt) {
            let token = String::from_utf8_lossy(text).into_owned();
            return self.check_token(attempt, &token).await;
        }
        let candidate = attempt.candidate();
        let sealed = candidate.and_then(|candidate| candidate.second_factor.clone());
        let owner = candidate.map(Candidate::owner);
        let stored = candidate.and_then(|candidate| candidate.password.clone());
        let stored = stored.filter(|stored| match method {
            Some(RuleMethod::Argon2id) => password::is_argon2id(stored),
            _ => true,
        });
        let (password, code) = match sealed {
            Some(_) => second_factor::split(text),
            None => (text, &[][..]),
        };
        let peer = attempt.channel().peer;
        if !self.hasher.verify(password.to_vec(), stored, peer).await {
            return attempt.fail("the password is wrong");
        }
        if let (Some(sealed), Some(owner)) = (sealed, owner) {
            let now = chrono::Utc::now().timestamp();
            let Some(step) = self.logins.sealer.step(&sealed, owner, code, now) else {
                return attempt.fail("the one-time code is wrong");
            };
            if !self.directory.spend_code(owner, step).await? {
                return attempt.fail("the one-time code was used before");
            }
        }
        attempt.succeed()
    }

    /// Checks an issuer's token.
    ///
    /// # Errors
    ///
    /// The refusal, which is the same for all reasons.
    pub async fn check_token(&self, attempt: &mut Attempt, token: &str) -> Result<()> {
        let Some(rule) = attempt.rule.clone() else {
            return attempt.fail("no host rule fits");
        };
        let Some(issuer) = self.issuer(&rule) else {
            return attempt.fail("the rule's issuer is not configured");
        };
        let now = chrono::Utc::now().timestamp();
        let bearer = match issuer.check(token, now).await {
            Ok(bearer) => bearer,
            Err(reason) => return attempt.fail(reason),
        };
        let Some(candidate) = attempt.candidate() else {
            return attempt.fail("the role cannot log in");
        };
        if !bearer.tenants.contains(&candidate.home.1) {
            return attempt.fail("the token is of another tenant");
        }
        let map = rule.options.map.as_deref();
        let maps = &attempt.rules().maps;
        let mut roles = bearer.roles.iter();
        if !roles.any(|name| maps.allows(map, name, &candidate.user)) {
            return attempt.fail("the token does not name the role");
        }
        attempt.succeed()
    }

    fn issuer(&self, rule: &HostRule) -> Option<&Issuer> {
        let name = rule.options.issuer.as_deref()?;
        let mut issuers = self.issuers.iter();
        issuers.find(|issuer| issuer.settings.issuer == name)
    }

    fn mock(&self, user: &str, database: &str) -> Mock {
        let derive = |what: &[u8]| {
            scram::hmac(
                &self.mock_key,
                &[what, user.as_bytes(), b"\0", database.as_bytes()],
            )
        };
        let salt = derive(b"salt");
        let draw = derive(b"draw");
        let draw = u32::from_be_bytes([draw[0], draw[1], draw[2], draw[3]]);
        let iterations = self.logins.passwords.scram_iterations;
        Mock {
            verifier: Verifier::mock(&salt[..16], iterations),
            draw: f64::from(draw) / (f64::from(u32::MAX) + 1.0),
        }
    }
}

/// What an unknown name is shown.
struct Mock {
    verifier: Verifier,
    /// From 0 to below 1: chooses the method.
    draw: f64,
}

/// The refusal of a client that would send its secret for all to read.
pub fn needs_tls() -> Error {
    Error::Function {
        sqlstate: "28000",
        message: "connection requires TLS".to_owned(),
        detail: None,
        hint: Some("Connect with sslmode=require or stronger.".to_owned()),
    }
}

#[cfg(test)]
mod tests;
