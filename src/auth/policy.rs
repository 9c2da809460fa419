//! What is asked of new passwords, and how they are kept.

use tessera_catalog::model::Role;

use super::password::{PasswordEncryption, fits, make_verifier};
use super::scram::{MIN_ITERATIONS, Verifier};
use crate::error::{Error, Result};

/// The most former passwords that may be kept.
pub const MAX_HISTORY: usize = 24;

/// What the server asks of new passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// In characters. From 1 on, the role's name may not be in the password either.
    pub min_length: usize,
    /// So many passwords before the new one must not come back.
    pub history: usize,
    /// Rounds of new SCRAM verifiers.
    pub scram_iterations: u32,
    /// What `password_encryption` is unless a session says otherwise.
    pub encryption: &'static str,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_length: 0,
            history: 0,
            scram_iterations: MIN_ITERATIONS,
            encryption: "scram-sha-256",
        }
    }
}

impl PasswordPolicy {
    /// Gives a role a password, kept as `password_encryption` names it; one that is a verifier or a hash
    /// already is kept as it is, and what can be known of it is asked all the same.
    ///
    /// # Errors
    ///
    /// 22023 for a password that the policy refuses.
    pub async fn give(&self, role: &mut Role, password: &str, encryption: &str) -> Result<()> {
        let encryption = match encryption {
            "argon2id" => PasswordEncryption::Argon2id,
            _ => PasswordEncryption::ScramSha256 {
                iterations: self.scram_iterations,
            },
        };
        if is_md5(password) {
            return Err(Error::Unsupported("a password kept by MD5".to_owned()));
        }
        let policy = self.clone();
        let (name, password) = (role.name.clone(), password.to_owned());
        let former = role.password.iter().chain(&role.former_passwords);
        let former: Vec<String> = former.take(self.history).cloned().collect();
        // Off the network's threads, since hashing takes a while.
        let work = tokio::task::spawn_blocking(move || {
            policy.check(&name, &password, &former)?;
            make_verifier(&password, encryption).map(|kept| (kept, former))
        });
        let (kept, former) = work
            .await
            .map_err(|error| Error::Internal(Box::new(error)))??;
        role.former_passwords = former;
        role.password = Some(kept);
        Ok(())
    }

    /// Checks a password that is no role's yet.
    ///
    /// # Errors
    ///
    /// As [`PasswordPolicy::give`].
    pub fn check(&self, name: &str, password: &str, former: &[String]) -> Result<()> {
        let refuse = |message: &str| Err(Error::InvalidParameterValue(message.to_owned()));
        let kept = Verifier::parse(password).is_some() || super::password::is_argon2id(password);
        if kept {
            if self.min_length > 0 && fits(name, password) {
                return refuse("password must not equal user name");
            }
            if former.iter().any(|former| former == password) {
                return refuse(USED_BEFORE);
            }
            return Ok(());
        }
        if password.chars().count() < self.min_length {
            return refuse("password is too short");
        }
        if self.min_length > 0 && password.to_lowercase().contains(&name.to_lowercase()) {
            return refuse("password must not contain user name");
        }
        if former.iter().any(|former| fits(password, former)) {
            return refuse(USED_BEFORE);
        }
        Ok(())
    }
}

const USED_BEFORE: &str = "password was used before";

/// PostgreSQL's older form of a kept password.
fn is_md5(password: &str) -> bool {
    password.strip_prefix("md5").is_some_and(|digest| {
        digest.len() == 32
            && digest
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tessera_catalog::id::Oid;

    fn policy() -> PasswordPolicy {
        PasswordPolicy {
            min_length: 8,
            history: 2,
            ..PasswordPolicy::default()
        }
    }

    /// The messages are those of PostgreSQL's `passwordcheck`.
    #[test]
    fn short_passwords_and_those_with_the_name_are_refused() {
        let check = |password: &str| policy().check("alice", password, &[]);
        let message = |password: &str| check(password).unwrap_err().to_string();
        assert_eq!(message("short"), "password is too short");
        assert_eq!(message("äöüßäöü"), "password is too short");
        assert_eq!(
            message("mAlIcEs one"),
            "password must not contain user name"
        );
        assert!(check("long enough").is_ok());
        let own = Verifier::generate("alice", 4096).to_string();
        assert_eq!(message(&own), "password must not equal user name");
        assert!(check(&Verifier::generate("x", 4096).to_string()).is_ok());
        assert!(PasswordPolicy::default().check("a", "a", &[]).is_ok());
    }

    #[tokio::test]
    async fn former_passwords_do_not_come_back_for_a_while() {
        let mut role = Role::new(Oid(1), "alice");
        let policy = policy();
        for (password, encryption, fine) in [
            ("the first one", "scram-sha-256", true),
            ("the first one", "scram-sha-256", false),
            ("the second one", "argon2id", true),
            ("the first one", "scram-sha-256", false),
            ("the second one", "scram-sha-256", false),
            ("the third one", "scram-sha-256", true),
            ("the first one", "scram-sha-256", true),
        ] {
            let given = policy.give(&mut role, password, encryption).await;
            assert_eq!(given.is_ok(), fine, "{password}");
            assert!(role.former_passwords.len() <= policy.history);
        }
    }
}
