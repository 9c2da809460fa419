//! One statement's view of the system catalogs, made when the statement first names one of them.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, OnceLock};

use datafusion::catalog::TableProvider;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{ScalarUDF, Signature, TypeSignature, Volatility};
use parking_lot::Mutex;
use tessera_catalog::id::{DatabaseId, Oid, Part};
use tessera_catalog::locks::{AdvisoryKey, Listed, Target};
use tessera_catalog::model::Database;
use tessera_catalog::sql_type::SqlType;
use tessera_catalog::system::{
    self, ActivityRow, FunctionRow, Functions, LockRow, Scene, SettingRow, listed,
};

use super::channels::Mailbox;
use super::cursor::Cursors;
use super::engine::Engine;
use super::prepared::PreparedStatements;
use super::registry::Activity;
use super::relation_sizes::RelationSizes;
use super::reports;
use super::settings::Settings;

/// The schema of reports.
const REPORTS: &str = "tessera";

/// The number of the first function in `pg_proc`; those below are types' own functions.
const FIRST_FUNCTION_OID: u32 = 12_000;

static FUNCTION_NAMES: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| system::function_names().collect());

/// What the catalogs are made from.
pub(super) struct Catalogs {
    pub(super) system: Arc<Database>,
    pub(super) database: Arc<Database>,
    pub(super) role: Oid,
    pub(super) roles: Vec<Oid>,
    pub(super) superuser: bool,
    pub(super) zone: Arc<str>,
    pub(super) search_path: Vec<String>,
    pub(super) settings: Arc<Mutex<Settings>>,
    pub(super) engine: Arc<Engine>,
    pub(super) state: Arc<SessionState>,
    /// The session's own statements and cursors.
    pub(super) own: (PreparedStatements, Cursors, Arc<Mailbox>),
    made: OnceLock<Arc<Scene>>,
}

/// Whose catalogs they are.
pub(super) struct Viewer {
    pub(super) system: Arc<Database>,
    pub(super) database: Arc<Database>,
    pub(super) role: Oid,
    pub(super) roles: Vec<Oid>,
    pub(super) superuser: bool,
    pub(super) zone: Arc<str>,
    pub(super) search_path: Vec<String>,
}

impl Catalogs {
    pub(super) fn new(
        viewer: Viewer,
        settings: Arc<Mutex<Settings>>,
        engine: Arc<Engine>,
        state: Arc<SessionState>,
        own: (PreparedStatements, Cursors, Arc<Mailbox>),
    ) -> Self {
        Self {
            system: viewer.system,
            database: viewer.database,
            role: viewer.role,
            roles: viewer.roles,
            superuser: viewer.superuser,
            zone: viewer.zone,
            search_path: viewer.search_path,
            settings,
            engine,
            state,
            own,
            made: OnceLock::new(),
        }
    }

    /// Whether the session's role sees how others log in.
    pub(super) fn shows_logins(&self) -> bool {
        self.superuser
    }

    /// Whether the audit and the reports are open to the session's role: to operators, and to a tenant's
    /// admins.
    pub(super) fn shows_reports(&self) -> bool {
        let is_admin =
            self.database.id != DatabaseId::System && self.roles.contains(&Oid::TENANT_ADMIN);
        self.superuser || is_admin
    }

    fn report(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        let viewer = reports::Viewer::of(self.database.id);
        reports::provider(name, &self.engine.catalog, viewer, &self.zone)
    }

    /// A function that reads the catalogs.
    pub(super) fn function(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        if !FUNCTION_NAMES.contains(name) {
            return None;
        }
        system::function(name, self.made())
    }

    /// A table of `pg_catalog` or `information_schema`; with `hidden` its system columns too.
    pub(super) fn table(
        &self,
        schema: &str,
        name: &str,
        hidden: bool,
    ) -> Option<Arc<dyn TableProvider>> {
        let table = system::table(schema, name)?;
        if let Some(report) = self.report(table.name).filter(|_| schema == REPORTS) {
            // What it shows changes from one statement to the next.
            self.made();
            return Some(report);
        }
        let scene = Arc::clone(self.made());
        Some(match hidden {
            true => system::provider_with_hidden(table, scene),
            false => system::provider(table, scene),
        })
    }

    /// The rows of a function without arguments that returns a set.
    pub(super) fn table_function(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        if name == system::AUDIT_VERIFY {
            self.made();
            return self.report(name);
        }
        let table = system::table_function(name)?;
        Some(system::provider(table, Arc::clone(self.made())))
    }

    /// Whether the statement has looked at them.
    pub(super) fn is_made(&self) -> bool {
        self.made.get().is_some()
    }

    fn made(&self) -> &Arc<Scene> {
        self.made.get_or_init(|| Arc::new(self.scene()))
    }

    fn scene(&self) -> Scene {
        let mut scene = Scene::new(
            Arc::clone(&self.system),
            Arc::clone(&self.database),
            self.role,
        );
        scene.roles.clone_from(&self.roles);
        scene.superuser = self.superuser;
        scene.zone = Arc::clone(&self.zone);
        scene.search_path.clone_from(&self.search_path);
        scene.started_at = self.engine.started_at;
        let settings = Arc::clone(&self.settings);
        scene.settings = listed(move || setting_rows(&settings));
        let here = Here::of(self);
        scene.activity = listed(move || here.activity());
        let here = Here::of(self);
        scene.locks = listed(move || here.locks());
        let (prepared, cursors, mailbox) = self.own.clone();
        scene.prepared = listed(move || prepared.rows());
        scene.cursors = listed(move || cursors.rows());
        scene.listening = listed(move || mailbox.channels());
        scene.functions = function_rows(&self.state);
        let (catalog, database) = (self.engine.catalog.clone(), self.database.id);
        scene.sequence_values = Some(Arc::new(move |sequence| {
            let value = super::sequences::wait(catalog.sequence_value(database, sequence));
            let (last, is_called) = value.ok()?.ok()?;
            is_called.then_some(last)
        }));
        if self.shows_logins() {
            let logins = Arc::clone(&self.engine.logins);
            scene.login_files = Some(Arc::new(move || logins.rules.rows()));
        }
        scene.default_quotas = self.engine.limits.quotas.clone();
        scene.uses = Some(Arc::new(super::share::Seen::new(
            Arc::clone(&self.engine),
            Arc::clone(&self.database),
        )));
        let (sizes, known) = (self.relation_sizes(), OnceLock::new());
        scene.sizes = Arc::new(move |relation| {
            let known: &HashMap<Oid, (i64, i64)> = known.get_or_init(|| sizes.wait());
            known.get(&relation).copied().unwrap_or_default()
        });
        scene
    }

    fn relation_sizes(&self) -> RelationSizes {
        RelationSizes {
            engine: Arc::clone(&self.engine),
            system: Arc::clone(&self.system),
            database: Arc::clone(&self.database),
            role: self.role,
            roles: self.roles.clone(),
            superuser: self.superuser,
        }
    }
}

/// Where the session is, for what others do there.
struct Here {
    engine: Arc<Engine>,
    system: Arc<Database>,
    database: Arc<Database>,
}

impl Here {
    fn of(catalogs: &Catalogs) -> Self {
        Self {
            engine: Arc::clone(&catalogs.engine),
            system: Arc::clone(&catalogs.system),
            database: Arc::clone(&catalogs.database),
        }
    }

    /// Locks of the database's sessions; an operator's in the system's database are of all.
    fn locks(&self) -> Vec<LockRow> {
        let own = match self.database.id {
            DatabaseId::System => None,
            tenant => Some(tenant),
        };
        let listed = self.engine.catalog.locks().list(own);
        let tables = [&self.system, &self.database];
        let number = |part: Part| {
            let mut relations = tables.iter().flat_map(|db| db.relations.values());
            let found = relations.find(|r| r.table().is_some_and(|t| t.uuid == part.table));
            found.map(|relation| relation.oid.0)
        };
        let row = |lock: Listed| {
            let (kind, relation, advisory) = match lock.target {
                Target::Table(part) => ("relation", number(part), None),
                Target::Rows(part) => ("tuple", number(part), None),
                Target::Advisory(_, AdvisoryKey::One(key)) => {
                    let key = key.cast_unsigned();
                    ("advisory", None, Some(((key >> 32) as u32, key as u32, 1)))
                }
                Target::Advisory(_, AdvisoryKey::Two(class, object)) => {
                    let parts = (class.cast_unsigned(), object.cast_unsigned(), 2);
                    ("advisory", None, Some(parts))
                }
            };
            LockRow {
                kind,
                database: system::oid::database(lock.owner.database).0,
                relation,
                advisory,
                pid: lock.owner.pid,
                mode: lock.mode.name(),
                granted: lock.granted,
            }
        };
        listed.into_iter().map(row).collect()
    }

    fn activity(&self) -> Vec<ActivityRow> {
        let own = match self.database.id {
            DatabaseId::System => None,
            tenant => Some(tenant),
        };
        let sessions = self.engine.registry.activity(own);
        sessions
            .into_iter()
            .map(|session| self.activity_row(session))
            .collect()
    }

    fn activity_row(&self, session: Activity) -> ActivityRow {
        let name = match session.database {
            id if id == self.database.id => self.database.name.clone(),
            DatabaseId::System => self.system.name.clone(),
            DatabaseId::Tenant(id) => self
                .system
                .tenants
                .get(&id)
                .map(|tenant| tenant.name.clone())
                .unwrap_or_default(),
        };
        ActivityRow {
            pid: session.pid,
            database: Some((system::oid::database(session.database), name)),
            user: Some((session.role, session.user)),
            application_name: session.application_name,
            client_addr: session.client.map(|client| client.ip().to_string()),
            client_port: session.client.map(|client| i32::from(client.port())),
            backend_start: Some(session.backend_start),
            xact_start: session.transaction_start,
            query_start: session.query_start,
            state_change: Some(session.state_change),
            state: Some(session.state.to_owned()),
            query: session.query.to_string(),
            backend_type: "client backend".to_owned(),
            tls: session.tls,
            certificate: session.certificate,
        }
    }
}

/// The rows of `pg_settings`.
fn setting_rows(settings: &Mutex<Settings>) -> Vec<SettingRow> {
    let all = settings.lock().all();
    all.into_iter()
        .map(|shown| {
            let source = if shown.value == shown.default {
                "default"
            } else {
                "session"
            };
            SettingRow {
                name: shown.name,
                setting: shown.value,
                unit: shown.unit.map(str::to_owned),
                category: "Tessera".to_owned(),
                short_desc: shown.text.to_owned(),
                context: shown.context.to_owned(),
                vartype: shown.kind.to_owned(),
                source: source.to_owned(),
                boot_val: Some(shown.default.clone()),
                reset_val: Some(shown.default),
                ..SettingRow::default()
            }
        })
        .collect()
}

/// The functions of every session, in the order of their names; they are the same for all.
fn function_rows(state: &SessionState) -> Arc<Functions> {
    static ROWS: OnceLock<Arc<Functions>> = OnceLock::new();
    Arc::clone(ROWS.get_or_init(|| {
        let mut rows = Vec::new();
        for (name, function) in state.scalar_functions() {
            rows.push(function_row(name, 'f', function.signature()));
        }
        for (name, function) in state.aggregate_functions() {
            rows.push(function_row(name, 'a', function.signature()));
        }
        for (name, function) in state.window_functions() {
            rows.push(function_row(name, 'w', function.signature()));
        }
        for name in state.table_functions().keys() {
            let mut row = function_row(name, 'f', &Signature::variadic_any(Volatility::Stable));
            row.returns_set = true;
            row.result = SqlType::Record;
            rows.push(row);
        }
        for name in system::function_names() {
            rows.push(function_row(
                name,
                'f',
                &Signature::variadic_any(Volatility::Stable),
            ));
        }
        let listed = tessera_udfs::listing();
        rows.retain(|row| !listed.iter().any(|own| own.name == row.name));
        rows.extend(listed.into_iter().map(listed_row));
        rows.sort_by(|a, b| (&a.name, a.kind).cmp(&(&b.name, b.kind)));
        rows.dedup_by(|a, b| a.name == b.name);
        for (oid, row) in (FIRST_FUNCTION_OID..).zip(&mut rows) {
            row.oid = oid;
        }
        Arc::new(Functions::new(rows))
    }))
}

/// A function with named arguments as `pg_proc` shows it.
fn listed_row(function: tessera_udfs::Listed) -> FunctionRow {
    let shape = |argument: &tessera_udfs::ListedArgument| match &argument.shape {
        tessera_udfs::Shape::Value(data_type) => SqlType::from_arrow(data_type),
        tessera_udfs::Shape::Any => SqlType::Unknown,
        tessera_udfs::Shape::Relation => SqlType::Record,
    };
    let arguments = &function.arguments;
    FunctionRow {
        args: arguments.iter().map(shape).collect(),
        arg_names: arguments.iter().map(|a| a.name.to_owned()).collect(),
        arg_defaults: arguments.iter().map(|a| a.default.clone()).collect(),
        result: function
            .result
            .as_ref()
            .map_or(SqlType::Record, SqlType::from_arrow),
        returns_set: function.result.is_none(),
        strict: false,
        ..function_row(
            function.name,
            function.kind,
            &Signature::variadic_any(Volatility::Immutable),
        )
    }
}

/// A function as `pg_proc` shows it. The engine's functions take arguments of many types and tell
/// their result only of given ones, so what is not fixed is shown as text.
fn function_row(name: &str, kind: char, signature: &Signature) -> FunctionRow {
    let args = match &signature.type_signature {
        TypeSignature::Exact(types) => types.iter().map(SqlType::from_arrow).collect(),
        _ => Vec::new(),
    };
    FunctionRow {
        oid: 0,
        name: name.to_owned(),
        kind,
        args,
        arg_names: Vec::new(),
        arg_defaults: Vec::new(),
        result: SqlType::Text,
        returns_set: false,
        volatility: match signature.volatility {
            Volatility::Immutable => 'i',
            Volatility::Stable => 's',
            Volatility::Volatile => 'v',
        },
        strict: true,
        comment: None,
    }
}
