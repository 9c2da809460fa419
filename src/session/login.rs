//! The one place that every attempt to log in passes on its way into the record.

use std::net::SocketAddr;

use super::Engine;
use crate::error::Result;

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
    pub sqlstate: &'a str,
    pub reason: &'a str,
}

/// Records an attempt. It is called before the client hears how it ended, and for one that is let in
/// before its session can do anything.
///
/// # Errors
///
/// When the attempt cannot be recorded; then nobody is let in.
pub async fn record(_engine: &Engine, event: &LoginEvent<'_>) -> Result<()> {
    let LoginEvent {
        outcome,
        tenant,
        role,
        address,
        tls,
        method,
        sqlstate,
        reason,
    } = *event;
    // The log writes texts with quotes and escapes, so that no name can look like another field or line.
    match outcome {
        LoginOutcome::Accepted => {
            tracing::info!(tenant, role, %address, tls, method, "login");
        }
        LoginOutcome::Refused => {
            tracing::warn!(tenant, role, %address, tls, method, sqlstate, reason, "login refused");
        }
    }
    Ok(())
}
