//! The one place that every attempt to log in passes on its way into the record.

use std::net::SocketAddr;

use super::Engine;
use super::audit::RefusedLogin;
use crate::error::Result;

/// The code of a client that left.
const CONNECTION_LOST: &str = "08006";

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginOutcome {
    Accepted,
    Refused,
}

/// An attempt to log in. Names are as the client sent them, whether they exist or not.
#[derive(Debug, Clone, Copy)]
pub struct LoginEvent<'a> {
    pub outcome: LoginOutcome,
    /// The database that was asked for.
    pub tenant: &'a str,
    pub role: &'a str,
    pub address: SocketAddr,
    pub tls: bool,
    /// The method of the host rule that decided; empty if none did.
    pub method: &'a str,
    /// What the client was told, and why in truth; empty if it was let in.
    pub sqlstate: &'static str,
    pub reason: &'a str,
    /// Whether the client proved who it is.
    pub proved: bool,
}

/// Records an attempt in the log, and a refused one in the audit. It is called before the client hears how it
/// ended; that a session began is recorded by the session.
///
/// # Errors
///
/// When the attempt cannot be recorded; then nobody is let in.
pub async fn record(engine: &Engine, event: &LoginEvent<'_>) -> Result<()> {
    let LoginEvent {
        outcome,
        tenant,
        role,
        address,
        tls,
        method,
        sqlstate,
        reason,
        proved,
    } = *event;
    // The log writes texts with quotes and escapes, so that no name can look like another field or line.
    match outcome {
        LoginOutcome::Accepted => {
            tracing::info!(tenant, role, %address, tls, method, "login");
        }
        LoginOutcome::Refused => {
            tracing::warn!(tenant, role, %address, tls, method, sqlstate, reason, "login refused");
            // Who leaves has proved nothing wrong: clients look first how they are asked.
            if sqlstate != CONNECTION_LOST {
                let refused = RefusedLogin {
                    user: role,
                    database: tenant,
                    address,
                    sqlstate,
                    proved,
                };
                engine.audit_refused_login(refused).await;
            }
        }
    }
    Ok(())
}
