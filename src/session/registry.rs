//! Live sessions, for cancel requests, `pg_stat_activity` and the end of a tenant's sessions.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tessera_catalog::id::{DatabaseId, Oid};

use crate::execute::Interrupt;

/// What others may see of a session.
#[derive(Debug, Clone)]
pub struct Activity {
    pub pid: i32,
    pub database: DatabaseId,
    pub user: String,
    pub role: Oid,
    pub operator: bool,
    pub application_name: String,
    pub client: Option<std::net::SocketAddr>,
    /// Version and cipher of its TLS.
    pub tls: Option<(String, String)>,
    /// The subject, the serial number and the issuer of the client's certificate.
    pub certificate: Option<(String, String, String)>,
    /// Microseconds since 1970, as the others.
    pub backend_start: i64,
    pub transaction_start: Option<i64>,
    pub query_start: Option<i64>,
    pub state_change: i64,
    pub state: &'static str,
    pub query: Arc<str>,
}

/// A session's entry.
#[derive(Debug)]
pub struct Entry {
    pub activity: Mutex<Activity>,
    pub interrupt: Interrupt,
}

/// All live sessions.
#[derive(Debug, Default)]
pub struct Registry {
    entries: Mutex<HashMap<i32, Arc<Entry>>>,
}

impl Registry {
    /// Adds a session.
    pub fn add(&self, activity: Activity, interrupt: Interrupt) -> Arc<Entry> {
        let pid = activity.pid;
        let entry = Arc::new(Entry {
            activity: Mutex::new(activity),
            interrupt,
        });
        self.entries.lock().insert(pid, Arc::clone(&entry));
        entry
    }

    /// Takes a session away.
    pub fn remove(&self, pid: i32) {
        self.entries.lock().remove(&pid);
    }

    /// The session of this number.
    pub fn get(&self, pid: i32) -> Option<Arc<Entry>> {
        self.entries.lock().get(&pid).map(Arc::clone)
    }

    /// What the sessions of one database do, or of all for an operator.
    pub fn activity(&self, database: Option<DatabaseId>) -> Vec<Activity> {
        let entries = self.entries.lock();
        let all = entries.values().map(|entry| entry.activity.lock().clone());
        all.filter(|a| database.is_none_or(|database| a.database == database))
            .collect()
    }

    /// How many sessions a database has, other than the one of this number.
    pub fn count(&self, database: DatabaseId) -> usize {
        self.entries
            .lock()
            .values()
            .filter(|e| e.activity.lock().database == database)
            .count()
    }

    /// How many sessions a tenant has, operators' not counted.
    pub fn count_of_tenant(&self, database: DatabaseId) -> usize {
        let own = |entry: &&Arc<Entry>| {
            let activity = entry.activity.lock();
            activity.database == database && !activity.operator
        };
        self.entries.lock().values().filter(own).count()
    }

    /// Ends a database's sessions.
    pub fn terminate(&self, database: DatabaseId) {
        for entry in self.entries.lock().values() {
            if entry.activity.lock().database == database {
                entry.interrupt.terminate();
            }
        }
    }
}
