//! One login under way: what was asked for, how it must be proved, and how it ended.

use std::sync::Arc;

use super::host_rules::{ClientCertificate, ClientName, HostRule, HostRules, RuleMethod};
use super::scram::Exchange;
use super::{Candidate, Channel, ConnectionLimits, Login, Slot};
use crate::error::{Error, Result};

/// One login under way.
pub struct Attempt {
    user: String,
    database: String,
    pub(super) rule: Option<Arc<HostRule>>,
    rules: Arc<HostRules>,
    channel: Channel,
    candidate: Option<Candidate>,
    method: Method,
    /// Why it fails whatever the client proves, or why it failed; for the log alone.
    reason: Option<&'static str>,
    /// The proof was looked at and found wrong.
    disproved: bool,
    /// The proof was found right.
    proved: bool,
}

/// How the client is asked to prove itself.
#[derive(Debug)]
pub enum Method {
    /// Not at all: it is refused, or what TLS and the rules know is enough.
    Nothing,
    Refused(Box<Error>),
    Scram(Box<Exchange>),
    /// The password itself, or a token in its place.
    Password,
    /// A token by OAUTHBEARER; with what to tell a client that has none.
    Bearer(Vec<u8>),
}

impl Attempt {
    pub(super) fn new(
        user: &str,
        database: &str,
        candidate: Option<Candidate>,
        rules: Arc<HostRules>,
        channel: Channel,
    ) -> Self {
        Self {
            user: user.to_owned(),
            database: database.to_owned(),
            rule: None,
            rules,
            channel,
            candidate,
            method: Method::Nothing,
            reason: None,
            disproved: false,
            proved: false,
        }
    }

    /// How the client is asked to prove itself.
    pub fn method(&mut self) -> &mut Method {
        &mut self.method
    }

    /// The method's name in the rules; none if no rule fits.
    pub fn method_name(&self) -> &'static str {
        self.rule.as_ref().map_or("", |rule| rule.method.name())
    }

    /// Why it was refused, for the log alone.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// Whether the client proved who it is.
    pub fn is_proved(&self) -> bool {
        self.proved
    }

    /// Whether a proof was found wrong, as a guess would be.
    pub fn was_disproved(&self) -> bool {
        self.disproved
    }

    /// Whether the client may send a message as long as a token.
    pub fn takes_token(&self) -> bool {
        self.rule
            .as_ref()
            .is_some_and(|rule| rule.method.takes_token())
    }

    pub(super) fn channel(&self) -> &Channel {
        &self.channel
    }

    pub(super) fn rules(&self) -> &HostRules {
        &self.rules
    }

    pub(super) fn candidate(&self) -> Option<&Candidate> {
        self.candidate.as_ref()
    }

    pub(super) fn set_method(&mut self, method: Method) {
        self.method = method;
    }

    pub(super) fn refuse_at_once(&mut self, reason: &'static str, error: Error) {
        self.reason = Some(reason);
        self.method = Method::Refused(Box::new(error));
    }

    /// Remembers why no proof will do.
    pub(super) fn doubted(&mut self, reason: &'static str) {
        self.reason.get_or_insert(reason);
    }

    /// Drops a candidate that no proof lets in.
    pub(super) fn doubt(&mut self, rule: &HostRule) {
        let by_password = match rule.method {
            RuleMethod::Stored
            | RuleMethod::ScramSha256
            | RuleMethod::Password
            | RuleMethod::Argon2id => true,
            RuleMethod::Trust
            | RuleMethod::Reject
            | RuleMethod::Cert
            | RuleMethod::OAuth
            | RuleMethod::Jwt => false,
        };
        let now = chrono::Utc::now().timestamp_micros();
        let reason = match &self.candidate {
            None => "there is no such role",
            Some(candidate) if !candidate.can_login => "the role cannot log in",
            // As in PostgreSQL, an end is the password's and not the role's.
            Some(candidate)
                if by_password && candidate.valid_until.is_some_and(|until| until <= now) =>
            {
                "the password has expired"
            }
            Some(candidate) if by_password && candidate.password.is_none() => {
                self.reason = Some("the role has no password");
                return;
            }
            Some(_) => return,
        };
        self.candidate = None;
        self.reason = Some(reason);
    }

    /// Ends the attempt with a proof that was found wrong.
    pub(super) fn fail(&mut self, reason: &'static str) -> Result<()> {
        self.disproved = true;
        self.reason.get_or_insert(reason);
        Err(self.refuse())
    }

    /// Notes that the proof was found right.
    pub(super) fn succeed(&mut self) -> Result<()> {
        if self.candidate.is_none() {
            return self.fail("there is no such role");
        }
        self.proved = true;
        Ok(())
    }

    /// Answers the last message of SCRAM with the server's own proof.
    ///
    /// # Errors
    ///
    /// The refusal of a wrong proof, or 08P01 for a message that is not SCRAM's.
    pub fn finish_scram(&mut self, message: &[u8]) -> Result<Vec<u8>> {
        let Method::Scram(exchange) = &mut self.method else {
            return Err(self.refuse());
        };
        match exchange.last(message)? {
            Some(proof) => self.succeed().map(|()| proof),
            None => {
                self.fail("the password is wrong")?;
                Err(self.refuse())
            }
        }
    }

    /// The refusal of a client that was asked for no proof.
    pub fn refused(&mut self) -> Error {
        match std::mem::replace(&mut self.method, Method::Nothing) {
            Method::Refused(error) => *error,
            _ => self.refuse(),
        }
    }

    /// Goes on where the client is asked for nothing.
    ///
    /// # Errors
    ///
    /// The refusal.
    pub fn pass(&mut self) -> Result<()> {
        match self.rule.as_ref().map(|rule| rule.method) {
            // The certificate's name is looked at when the client is admitted.
            Some(RuleMethod::Trust | RuleMethod::Cert) => self.succeed(),
            _ => self.fail("no proof was given"),
        }
    }

    /// Ends the attempt of a client that has no token.
    ///
    /// # Errors
    ///
    /// Always, the refusal.
    pub fn go_without_token(&mut self) -> Result<()> {
        self.reason.get_or_insert("the client has no token yet");
        Err(self.refuse())
    }

    /// The error for a wrong proof, which is the same for all reasons.
    pub fn refuse(&self) -> Error {
        let user = &self.user;
        match self.rule.as_ref().map(|rule| rule.method) {
            Some(RuleMethod::Cert) => Error::InvalidAuthorization(format!(
                "certificate authentication failed for user \"{user}\""
            )),
            Some(RuleMethod::OAuth) => Error::InvalidAuthorization(format!(
                "OAuth bearer authentication failed for user \"{user}\""
            )),
            Some(RuleMethod::Trust) => Error::InvalidAuthorization(format!(
                "\"trust\" authentication failed for user \"{user}\""
            )),
            _ => Error::InvalidPassword(user.clone()),
        }
    }

    /// PostgreSQL's words for a connection that no rule fits.
    pub(super) fn no_entry(&self) -> Error {
        Error::InvalidAuthorization(format!(
            "no pg_hba.conf entry for host {}",
            self.described()
        ))
    }

    /// PostgreSQL's words for a connection that a rule rejects.
    pub(super) fn rejected(&self) -> Error {
        Error::InvalidAuthorization(format!(
            "pg_hba.conf rejects connection for host {}",
            self.described()
        ))
    }

    fn described(&self) -> String {
        let host = self
            .channel
            .peer
            .map(|peer| peer.to_canonical().to_string());
        let (host, user, database) = (host.unwrap_or_default(), &self.user, &self.database);
        let encryption = match self.channel.tls {
            true => "SSL encryption",
            false => "no encryption",
        };
        format!("\"{host}\", user \"{user}\", database \"{database}\", {encryption}")
    }

    /// Whether the certificate says what the rule wants of it.
    fn certificate_fits(&self) -> bool {
        let Some(rule) = &self.rule else {
            return false;
        };
        if rule.options.certificate != ClientCertificate::Named {
            return true;
        }
        let Some(certificate) = &self.channel.certificate else {
            return false;
        };
        // As in PostgreSQL a map is for the method that is the certificate alone.
        let map = rule.options.map.as_deref();
        let map = map.filter(|_| rule.method == RuleMethod::Cert);
        let fits = |name: &str| self.rules.maps.allows(map, name, &self.user);
        match rule.options.client_name {
            ClientName::CommonName => certificate.common_name.as_deref().is_some_and(fits),
            ClientName::Subject => fits(&certificate.subject_rfc2253),
            ClientName::Alternative => certificate.alternative_names.iter().any(|name| fits(name)),
        }
    }

    /// Admits the client once its proof was found right, within the limits on sessions.
    ///
    /// # Errors
    ///
    /// The refusal without a right proof or with another's certificate; 3D000 for no such database, 55000
    /// for a suspended one, 42501 without CONNECT on it, 53300 at a limit.
    pub fn admit(&mut self, limits: &ConnectionLimits) -> Result<(Login, Slot)> {
        if self.proved && !self.certificate_fits() {
            self.proved = false;
            self.fail("the certificate is another's")?;
        }
        let candidate = match self.candidate.take() {
            Some(candidate) if self.proved => candidate,
            _ => return Err(self.refuse()),
        };
        let Some((database, database_name)) = candidate.database.clone() else {
            self.reason = Some("there is no such database");
            return Err(Error::NoSuchDatabase(self.database.clone()));
        };
        if candidate.suspended {
            self.reason = Some("the tenant is suspended");
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
            self.reason = Some("the role has no CONNECT");
            let message = format!("permission denied for database \"{database_name}\"");
            return Err(Error::InsufficientPrivilege(message));
        }
        let slot = limits.take(&candidate, database).inspect_err(|_| {
            self.reason = Some("too many sessions");
        })?;
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

    /// Takes the attempt as proved, for tests of what comes after.
    #[cfg(test)]
    pub(super) fn prove(mut self) -> Self {
        self.proved = self.candidate.is_some();
        self
    }
}
