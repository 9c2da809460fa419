//! Host rules: who may log in from where, to which database and how, in the form of PostgreSQL's
//! `pg_hba.conf` and `pg_ident.conf`.
//!
//! The first rule that fits a connection decides, and where none fits the connection is refused. Knows
//! names and addresses, and nothing of how a proof is checked.

mod files;
mod identity;
mod parse;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

pub use files::RuleFiles;
pub use identity::IdentityMap;
use parse::Word;

/// Which connections a rule is about, by their encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Any,
    Tls,
    Plain,
    /// Encrypted by GSSAPI, which no connection is.
    Gss,
    /// Not encrypted by GSSAPI, as every connection.
    NotGss,
}

/// How a client must prove itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleMethod {
    /// Not at all; only for addresses of the machine itself.
    Trust,
    Reject,
    /// As the role's password is kept: SCRAM-SHA-256, or the password itself over TLS for argon2id
    /// and for a second factor.
    Stored,
    ScramSha256,
    /// The password itself, over TLS.
    Password,
    /// The password itself, over TLS, for roles whose password is kept by argon2id.
    Argon2id,
    /// A certificate.
    Cert,
    /// An issuer's token by OAUTHBEARER.
    OAuth,
    /// An issuer's token in place of a password.
    Jwt,
}

/// What is asked of a client's certificate beside another method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientCertificate {
    #[default]
    NotAsked,
    /// It is there, and its chain is good.
    Valid,
    /// Its name is the user's too.
    Named,
}

/// Which name of a certificate counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientName {
    #[default]
    CommonName,
    Subject,
    Alternative,
}

/// The addresses that a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    All,
    SameHost,
    /// An address as it is written, and the bits of it that count.
    Network {
        address: IpAddr,
        mask: IpAddr,
    },
}

/// What stands behind the method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleOptions {
    pub certificate: ClientCertificate,
    pub client_name: ClientName,
    pub map: Option<String>,
    pub issuer: Option<String>,
    pub scope: Option<String>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRule {
    /// Where it stands in its file, from 1.
    pub line: usize,
    pub transport: Transport,
    databases: Vec<Word>,
    users: Vec<Word>,
    pub addresses: Addresses,
    pub method: RuleMethod,
    pub options: RuleOptions,
}

/// All rules and the maps that they name.
#[derive(Debug, Clone, Default)]
pub struct HostRules {
    pub rules: Vec<Arc<HostRule>>,
    pub maps: IdentityMap,
}

/// What rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'a> {
    pub tls: bool,
    /// Where the client is, and the server's address that it chose; `None` in tests of other things.
    pub peer: Option<IpAddr>,
    pub local: Option<IpAddr>,
    pub database: &'a str,
    pub user: &'a str,
    /// The names of the user's role and of all that it is a member of; none for one that does not exist.
    pub groups: &'a [String],
}

impl HostRules {
    /// The first rule that fits.
    pub fn deciding(&self, connection: &Connection<'_>) -> Option<&Arc<HostRule>> {
        self.rules.iter().find(|rule| rule.fits(connection))
    }
}

impl HostRule {
    fn fits(&self, connection: &Connection<'_>) -> bool {
        let transport = match self.transport {
            Transport::Any | Transport::NotGss => true,
            Transport::Tls => connection.tls,
            Transport::Plain => !connection.tls,
            Transport::Gss => false,
        };
        transport
            && self.addresses.hold(connection)
            && self.names_database(connection)
            && self.names_user(connection)
    }

    fn names_database(&self, connection: &Connection<'_>) -> bool {
        let Connection {
            database,
            user,
            groups,
            ..
        } = connection;
        self.databases.iter().any(|word| match word.keyword() {
            Some("all") => true,
            Some("sameuser") => user == database,
            Some("samerole" | "samegroup") => groups.iter().any(|group| group == database),
            // Of replication, which there is none of.
            Some("replication") => false,
            _ => word.text == *database,
        })
    }

    fn names_user(&self, connection: &Connection<'_>) -> bool {
        self.users.iter().any(|word| {
            if word.keyword() == Some("all") {
                return true;
            }
            match word.keyword().and_then(|word| word.strip_prefix('+')) {
                Some(group) => connection.groups.iter().any(|of| of == group),
                None => word.text == connection.user,
            }
        })
    }
}

impl Addresses {
    fn hold(self, connection: &Connection<'_>) -> bool {
        match self {
            Self::All => true,
            // A client on the machine itself comes from the address that it went to, or by loopback.
            Self::SameHost => connection.peer.is_some_and(|peer| {
                let peer = peer.to_canonical();
                let local = connection.local.map(|local| local.to_canonical());
                peer.is_loopback() || local == Some(peer)
            }),
            Self::Network { address, mask } => connection.peer.is_some_and(|peer| {
                let of_peer = masked(peer.to_canonical(), mask);
                of_peer.is_some() && of_peer == masked(address, mask)
            }),
        }
    }

    /// Whether only the machine itself can have these addresses.
    fn are_loopback(self) -> bool {
        let Self::Network { address, mask } = self else {
            return false;
        };
        let whole = match mask {
            IpAddr::V4(mask) => u32::from(mask) >= u32::from(std::net::Ipv4Addr::new(255, 0, 0, 0)),
            IpAddr::V6(mask) => u128::from(mask) == u128::MAX,
        };
        address.is_loopback() && whole
    }
}

/// The network of an address; `None` if the mask is of the other kind of addresses.
fn masked(address: IpAddr, mask: IpAddr) -> Option<IpAddr> {
    match (address, mask) {
        (IpAddr::V4(address), IpAddr::V4(mask)) => Some(IpAddr::V4(address & mask)),
        (IpAddr::V6(address), IpAddr::V6(mask)) => Some(IpAddr::V6(address & mask)),
        _ => None,
    }
}

impl RuleMethod {
    const NAMES: [(&'static str, Self); 9] = [
        ("trust", Self::Trust),
        ("reject", Self::Reject),
        ("stored", Self::Stored),
        ("scram-sha-256", Self::ScramSha256),
        ("password", Self::Password),
        ("argon2id", Self::Argon2id),
        ("cert", Self::Cert),
        ("oauth", Self::OAuth),
        ("jwt", Self::Jwt),
    ];

    /// Its name in rules.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, method)| *method == self);
        found.map_or("", |(name, _)| name)
    }

    /// Whether the client sends what can be used again by whoever reads it.
    pub fn sends_secret(self) -> bool {
        match self {
            Self::Password | Self::Argon2id | Self::OAuth | Self::Jwt => true,
            Self::Trust | Self::Reject | Self::Stored | Self::ScramSha256 | Self::Cert => false,
        }
    }

    /// Whether its proof is an issuer's token.
    pub fn takes_token(self) -> bool {
        matches!(self, Self::OAuth | Self::Jwt)
    }
}
