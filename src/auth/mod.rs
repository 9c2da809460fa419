//! Who a client is: a name, a database and a proof become a [`Login`].
//!
//! A name that does not exist or may not log in takes the same steps as one that does, with the same
//! answers and the same work. Knows nothing of the protocol's bytes.

pub mod guesses;
pub mod limits;
pub mod password;
pub mod scram;

use std::sync::Arc;

use async_trait::async_trait;
use tessera_catalog::id::{DatabaseId, Oid};

use crate::error::{Error, Result};
use password::Hasher;
use scram::{Exchange, Verifier};

pub use limits::{ConnectionLimits, Slot};
pub use password::{PasswordEncryption, keep_password, make_verifier};

/// Where names are looked up.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The role that `user` means for `database`: one of the system database's if it has that name,
    /// else one of the tenant that `database` names.
    async fn find(&self, user: &str, database: &str) -> Result<Option<Candidate>>;

    /// The part of the server's login roles, from 0 to 1, whose password is kept by argon2id.
    async fn argon2id_share(&self) -> f64;
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
    /// Microseconds since 1970 after which the password is no longer taken.
    pub valid_until: Option<i64>,
    /// At most so many sessions of the role; -1 for no limit.
    pub role_connection_limit: i32,
    /// The database asked for; `None` if there is none of that name.
    pub database: Option<(DatabaseId, String)>,
    /// It has CONNECT on the database.
    pub may_connect: bool,
    /// At most so many sessions of the tenant, operators' not counted.
    pub database_connection_limit: Option<u32>,
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

/// Checks credentials.
pub struct Authenticator {
    directory: Arc<dyn Directory>,
    /// Keys what unknown names are shown, so that it is the same each time and after a restart.
    mock_key: [u8; 32],
    scram_iterations: u32,
    hasher: Hasher,
}

/// One login under way.
pub struct Attempt {
    user: String,
    database: String,
    candidate: Option<Candidate>,
    method: Method,
}

/// How the client is asked to prove itself.
#[derive(Debug)]
pub enum Method {
    Scram(Box<Exchange>),
    /// The password itself, over TLS.
    Password,
}

/// What is known of the channel by which a client came.
#[derive(Debug, Clone, Default)]
pub struct Channel {
    pub tls: bool,
    /// The hash of the server's certificate, for channel binding.
    pub end_point: Option<Vec<u8>>,
}

impl Authenticator {
    /// An authenticator over a directory; `mock_key` is kept with the catalog.
    ///
    /// # Errors
    ///
    /// When password hashing does not work.
    pub fn new(
        directory: Arc<dyn Directory>,
        mock_key: [u8; 32],
        scram_iterations: u32,
    ) -> Result<Self> {
        Ok(Self {
            directory,
            mock_key,
            scram_iterations,
            hasher: Hasher::new()?,
        })
    }

    /// Looks up the name and chooses how to ask for the proof.
    ///
    /// # Errors
    ///
    /// When the catalog cannot be read.
    pub async fn begin(&self, user: &str, database: &str, channel: Channel) -> Result<Attempt> {
        let found = self.directory.find(user, database).await?;
        let argon2id_share = self.directory.argon2id_share().await;
        let now = chrono::Utc::now().timestamp_micros();
        let candidate = found.filter(|candidate| {
            candidate.can_login && candidate.valid_until.is_none_or(|until| until > now)
        });
        let stored = candidate
            .as_ref()
            .and_then(|candidate| candidate.password.as_deref());
        let verifier = stored.and_then(Verifier::parse);
        // Derived for everyone, so that it takes the same time for everyone.
        let mock = self.mock(user, database);
        let by_argon2id = match (stored, &verifier) {
            (Some(stored), None) => password::is_argon2id(stored),
            (_, Some(_)) => false,
            (None, None) => mock.draw < argon2id_share,
        };
        let method = if by_argon2id && channel.tls {
            Method::Password
        } else {
            let doomed = verifier.is_none();
            {
                let exchange =
                    Exchange::new(verifier.unwrap_or(mock.verifier), doomed, channel.end_point);
                Method::Scram(Box::new(exchange))
            }
        };
        let (user, database) = (user.to_owned(), database.to_owned());
        Ok(Attempt {
            user,
            database,
            candidate,
            method,
        })
    }

    /// Checks a password that the client sent by [`Method::Password`].
    pub async fn verify(&self, attempt: &Attempt, password: &[u8]) -> bool {
        let stored = attempt
            .candidate
            .as_ref()
            .and_then(|candidate| candidate.password.clone());
        self.hasher.verify(password.to_vec(), stored).await
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
        Mock {
            verifier: Verifier::mock(&salt[..16], self.scram_iterations),
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

impl Attempt {
    /// How the client is asked to prove itself.
    pub fn method(&mut self) -> &mut Method {
        &mut self.method
    }

    /// The error for a wrong proof, which is the same for all reasons.
    pub fn refuse(&self) -> Error {
        Error::InvalidPassword(self.user.clone())
    }

    /// Admits the client once its proof was found right, within the limits on sessions.
    ///
    /// # Errors
    ///
    /// 3D000 for no such database, 55000 for a suspended one, 42501 without CONNECT on it, 53300 at a
    /// limit.
    pub fn admit(self, limits: &ConnectionLimits) -> Result<(Login, Slot)> {
        let Some(candidate) = self.candidate else {
            return Err(Error::InvalidPassword(self.user));
        };
        let Some((database, database_name)) = candidate.database.clone() else {
            return Err(Error::NoSuchDatabase(self.database));
        };
        if candidate.suspended {
            return Err(Error::Function {
                sqlstate: "55000",
                message: format!(
                    "database \"{database_name}\" is not currently accepting connections"
                ),
                detail: Some("The operator has suspended it.".to_owned()),
                hint: None,
            });
        }
        if !candidate.may_connect && !candidate.superuser {
            let message = format!("permission denied for database \"{database_name}\"");
            return Err(Error::InsufficientPrivilege(message));
        }
        let slot = limits.take(&candidate, database)?;
        let login = Login {
            user: candidate.user,
            role: candidate.role,
            operator: candidate.operator,
            superuser: candidate.superuser,
            database,
            database_name,
        };
        Ok((login, slot))
    }
}

#[cfg(test)]
mod tests;
