//! How many sessions there are, of the server, of each database and of each role.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tessera_catalog::id::{DatabaseId, Oid};

use super::Candidate;
use crate::error::{Error, Result};

/// Counts sessions against the limits of the server, the tenants and the roles.
#[derive(Debug, Clone)]
pub struct ConnectionLimits {
    counts: Arc<Mutex<Counts>>,
    max_connections: usize,
    reserved_for_operators: usize,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    databases: HashMap<DatabaseId, u32>,
    roles: HashMap<(DatabaseId, Oid), u32>,
}

/// A session's place under the limits, given back when dropped.
#[derive(Debug)]
pub struct Slot {
    counts: Arc<Mutex<Counts>>,
    database: Option<DatabaseId>,
    role: (DatabaseId, Oid),
}

impl ConnectionLimits {
    /// Limits for `max_connections` sessions, the last of them for operators alone.
    pub fn new(max_connections: usize, reserved_for_operators: usize) -> Self {
        Self {
            counts: Arc::default(),
            max_connections,
            reserved_for_operators,
        }
    }

    pub(super) fn take(&self, candidate: &Candidate, database: DatabaseId) -> Result<Slot> {
        // An operator counts towards no tenant's limit, and towards its own limit in any database.
        let home = if candidate.operator {
            DatabaseId::System
        } else {
            database
        };
        let role = (home, candidate.role);
        let counted = (!candidate.operator).then_some(database);
        let mut counts = self.counts.lock();
        if counts.all >= self.max_connections {
            return Err(Error::TooManyConnections(
                "sorry, too many clients already".to_owned(),
            ));
        }
        if !candidate.operator && counts.all + self.reserved_for_operators >= self.max_connections {
            let message = "remaining connection slots are reserved for operators";
            return Err(Error::TooManyConnections(message.to_owned()));
        }
        let of_role = counts.roles.get(&role).copied().unwrap_or(0);
        let role_limit = u32::try_from(candidate.role_connection_limit).ok();
        if role_limit.is_some_and(|limit| of_role >= limit) && !candidate.superuser {
            let message = format!("too many connections for role \"{}\"", candidate.user);
            return Err(Error::TooManyConnections(message));
        }
        if let Some(counted) = counted {
            let of_database = counts.databases.entry(counted).or_default();
            if candidate
                .database_connection_limit
                .is_some_and(|limit| *of_database >= limit)
            {
                let name = candidate
                    .database
                    .as_ref()
                    .map(|(_, name)| name.as_str())
                    .unwrap_or_default();
                let message = format!("too many connections for database \"{name}\"");
                return Err(Error::TooManyConnections(message));
            }
            *of_database += 1;
        }
        counts.all += 1;
        *counts.roles.entry(role).or_default() += 1;
        Ok(Slot {
            counts: Arc::clone(&self.counts),
            database: counted,
            role,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        counts.all -= 1;
        if let Some(database) = &self.database {
            give_back(&mut counts.databases, database);
        }
        give_back(&mut counts.roles, &self.role);
    }
}

fn give_back<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
