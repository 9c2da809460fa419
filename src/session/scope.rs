//! What names mean to a statement: the schemas, functions and system tables that it sees.

use std::sync::Arc;

use datafusion::execution::SessionState;
use tessera_catalog::id::Oid;

use super::advisory::Locking;
use super::catalogs::{Catalogs, Viewer};
use super::names::{Answers, Names, Signals};
use super::notify::Notifying;
use super::{Session, sequences, transaction};
use crate::error::Result;
use crate::format::Display;
use crate::planner::{self, Scope};
use crate::policy::Caller;

impl Session {
    /// What names mean to the next statement.
    pub(super) async fn scope(&mut self, caller: &Caller) -> Result<Scope> {
        let (zone, search_path, display, row_security) = {
            let settings = self.settings.lock();
            (
                settings.zone(),
                settings.search_path(&self.role_name),
                settings.display(),
                settings.is_on("row_security"),
            )
        };
        let settings = Arc::clone(&self.settings);
        let state = self.engine_state(display)?;
        let mut scope = Scope {
            system: Arc::clone(&caller.system),
            database: Arc::clone(&caller.database),
            search_path,
            zone: Arc::clone(&zone),
            state,
            row_security,
            session: Arc::new(NoNames),
        };
        let schemas = scope
            .search_path
            .iter()
            .filter(|name| scope.has_schema(name))
            .cloned()
            .collect();
        // Temporary tables are found first unless the path names their schema.
        let temporary = transaction::TEMPORARY_SCHEMA_NAME;
        if self.transaction.has_temporary() && !scope.search_path.iter().any(|s| s == temporary) {
            scope.search_path.insert(0, temporary.to_owned());
        }
        let answers = Answers {
            current_user: self.role_name.clone(),
            session_user: self.login.user.clone(),
            database: self.login.database_name.clone(),
            tenant: self
                .login
                .database
                .tenant()
                .map(|_| caller.database.name.clone()),
            schemas,
            pid: self.peer.pid,
            client: self.peer.address,
            server_started_at: self.engine.started_at,
            transaction_number: self.transaction.number,
            zone,
            settings,
            operator: caller.superuser,
            signals: Signals {
                engine: Arc::clone(&self.engine),
                database: self.login.database,
                roles: caller.roles.clone(),
                all_here: caller.superuser || caller.roles.contains(&Oid::TENANT_ADMIN),
                everywhere: caller.superuser && self.is_system(),
            },
        };
        let catalogs = self.catalogs(caller, &scope);
        let locking = Locking {
            advisory: self.advisory.clone(),
            locks: self.engine.catalog.locks().clone(),
            owner: self.owner(),
            settings: Arc::clone(&self.settings),
            zone: Arc::clone(&scope.zone),
        };
        let notifying = Notifying {
            outbox: Arc::clone(&self.outbox),
            engine: Arc::clone(&self.engine),
            database: self.login.database,
            zone: Arc::clone(&scope.zone),
        };
        let drawing = sequences::Drawing {
            catalog: self.engine.catalog.clone(),
            caller: caller.clone(),
            search_path: scope.search_path.clone(),
            memory: Arc::clone(&self.sequences),
            read_only: self.transaction.read_only,
        };
        scope.session = Arc::new(Names::new(answers, drawing, catalogs, (locking, notifying)));
        Ok(scope)
    }

    pub(super) fn catalogs(&self, caller: &Caller, scope: &Scope) -> Catalogs {
        let viewer = Viewer {
            system: Arc::clone(&caller.system),
            database: Arc::clone(&caller.database),
            role: caller.role,
            roles: caller.roles.clone(),
            superuser: caller.superuser,
            zone: Arc::clone(&scope.zone),
            search_path: scope.search_path.clone(),
        };
        Catalogs::new(
            viewer,
            Arc::clone(&self.settings),
            Arc::clone(&self.engine),
            Arc::clone(&scope.state),
            (
                self.prepared.clone(),
                self.cursors.clone(),
                Arc::clone(&self.mailbox),
            ),
        )
    }

    pub(super) fn engine_state(&mut self, display: Display) -> Result<Arc<SessionState>> {
        if let Some((made_for, state)) = &self.state
            && *made_for == display
        {
            return Ok(Arc::clone(state));
        }
        let state = self.engine.state(self.login.database, display)?;
        self.state = Some((display, Arc::clone(&state)));
        Ok(state)
    }
}

/// A session's names before they are known.
struct NoNames;

impl planner::SessionNames for NoNames {
    fn function(&self, _name: &str) -> Option<Arc<datafusion::logical_expr::ScalarUDF>> {
        None
    }

    fn function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn system_table(
        &self,
        _schema: &str,
        _name: &str,
        _hidden: bool,
    ) -> Option<Arc<dyn datafusion::catalog::TableProvider>> {
        None
    }

    fn shows_logins(&self) -> bool {
        false
    }

    fn shows_reports(&self) -> bool {
        false
    }

    fn system_rows(&self, _function: &str) -> Option<Arc<dyn datafusion::catalog::TableProvider>> {
        None
    }

    fn is_momentary(&self) -> bool {
        false
    }

    fn temporary_table(&self, _name: &str) -> Option<Arc<dyn datafusion::catalog::TableProvider>> {
        None
    }
}
