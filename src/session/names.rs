//! Names that a session adds: functions that answer for it, catalogs, temporary tables.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::{ListArray, StringViewArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::catalog::TableProvider;
use datafusion::common::{Result as EngineResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use parking_lot::Mutex;
use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::sql_type::SqlType;

use super::advisory::Locking;
use super::catalogs::Catalogs;
use super::engine::Engine;
use super::notify::Notifying;
use super::sequences::Drawing;
use super::settings::Settings;
use crate::error::Error;
use crate::planner::SessionNames;

/// The functions that answer for the session, beside those of sequences.
const OWN: [&str; 23] = [
    "current_user",
    "current_role",
    "user",
    "session_user",
    "current_database",
    "current_catalog",
    "current_tenant",
    "current_schema",
    "current_schemas",
    "current_setting",
    "set_config",
    "pg_backend_pid",
    "pg_cancel_backend",
    "pg_terminate_backend",
    super::reload::NAME,
    "version",
    "inet_client_addr",
    "inet_client_port",
    "pg_postmaster_start_time",
    "pg_conf_load_time",
    "pg_is_in_recovery",
    "pg_my_temp_schema",
    "txid_current",
];

/// One statement's view of its session.
pub(super) struct Names {
    answers: Answers,
    drawing: Arc<Drawing>,
    /// Made when the statement calls one of [`OWN`]: most call none.
    functions: OnceLock<HashMap<&'static str, Arc<ScalarUDF>>>,
    catalogs: Catalogs,
    locking: Locking,
    notifying: Notifying,
}

/// What the functions answer.
pub(super) struct Answers {
    pub(super) current_user: String,
    pub(super) session_user: String,
    pub(super) database: String,
    pub(super) tenant: Option<String>,
    /// Schemas of the search path that exist, without the system's.
    pub(super) schemas: Vec<String>,
    pub(super) pid: i32,
    pub(super) client: Option<std::net::SocketAddr>,
    /// Microseconds since 1970.
    pub(super) server_started_at: i64,
    pub(super) transaction_number: i64,
    pub(super) zone: Arc<str>,
    pub(super) settings: Arc<Mutex<Settings>>,
    pub(super) operator: bool,
    pub(super) signals: Signals,
}

/// Whose statements and sessions the session may end.
#[derive(Clone)]
pub(super) struct Signals {
    pub(super) engine: Arc<Engine>,
    pub(super) database: DatabaseId,
    /// The current role and all whose rights it inherits.
    pub(super) roles: Vec<Oid>,
    /// All of the database's, as a tenant's admin.
    pub(super) all_here: bool,
    /// All of the server's.
    pub(super) everywhere: bool,
}

impl Names {
    pub(super) fn new(
        answers: Answers,
        drawing: Drawing,
        catalogs: Catalogs,
        (locking, notifying): (Locking, Notifying),
    ) -> Self {
        Self {
            answers,
            drawing: Arc::new(drawing),
            functions: OnceLock::new(),
            catalogs,
            locking,
            notifying,
        }
    }

    /// A function that answers for the session.
    fn own(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let is_own = OWN.contains(&name) || super::sequences::FUNCTIONS.contains(&name);
        let functions = || self.functions.get_or_init(|| self.make());
        is_own.then(|| functions().get(name).map(Arc::clone))?
    }

    fn make(&self) -> HashMap<&'static str, Arc<ScalarUDF>> {
        let answers = &self.answers;
        let text = |value: &str| Some(ScalarValue::Utf8View(Some(value.to_owned())));
        let mut functions = HashMap::new();
        let mut add = |name: &'static str, sql_type: SqlType, value: Option<ScalarValue>| {
            let value =
                value.or_else(|| ScalarValue::try_new_null(&sql_type.arrow(&answers.zone)).ok());
            let constant = Constant {
                name,
                field: sql_type.field(name, true, &answers.zone),
                value: value.unwrap_or(ScalarValue::Null),
                signature: Signature::nullary(Volatility::Stable),
            };
            functions.insert(name, Arc::new(ScalarUDF::new_from_impl(constant)));
        };
        for name in ["current_user", "current_role", "user"] {
            add(name, SqlType::Name, text(&answers.current_user));
        }
        add("session_user", SqlType::Name, text(&answers.session_user));
        add("current_database", SqlType::Name, text(&answers.database));
        add("current_catalog", SqlType::Name, text(&answers.database));
        add(
            "current_tenant",
            SqlType::Text,
            answers.tenant.as_deref().and_then(text),
        );
        add(
            "current_schema",
            SqlType::Name,
            answers.schemas.first().and_then(|s| text(s)),
        );
        add(
            "pg_backend_pid",
            SqlType::Int4,
            Some(ScalarValue::Int32(Some(answers.pid))),
        );
        let version = format!(
            "PostgreSQL {} (Tessera {}) on {}",
            super::settings::SERVER_VERSION,
            env!("CARGO_PKG_VERSION"),
            std::env::consts::ARCH
        );
        add("version", SqlType::Text, text(&version));
        let client = answers.client.map(|client| client.ip().to_string());
        add(
            "inet_client_addr",
            SqlType::Text,
            client.as_deref().and_then(text),
        );
        let port = answers.client.map(|client| i32::from(client.port()));
        add(
            "inet_client_port",
            SqlType::Int4,
            port.map(|port| ScalarValue::Int32(Some(port))),
        );
        let moment = |micros: i64| {
            ScalarValue::TimestampMicrosecond(Some(micros), Some(Arc::clone(&answers.zone)))
        };
        let started = Some(moment(answers.server_started_at));
        add(
            "pg_postmaster_start_time",
            SqlType::Timestamptz,
            started.clone(),
        );
        add("pg_conf_load_time", SqlType::Timestamptz, started);
        add(
            "pg_is_in_recovery",
            SqlType::Bool,
            Some(ScalarValue::Boolean(Some(false))),
        );
        add(
            "pg_my_temp_schema",
            SqlType::Oid,
            Some(ScalarValue::UInt32(Some(0))),
        );
        add(
            "txid_current",
            SqlType::Int8,
            Some(ScalarValue::Int64(Some(answers.transaction_number))),
        );
        let settings = &answers.settings;
        for function in [
            setting(SettingCall::Current, settings, answers),
            setting(SettingCall::Set, settings, answers),
            schemas(&answers.schemas, &answers.zone),
            signal("pg_cancel_backend", answers),
            signal("pg_terminate_backend", answers),
        ] {
            functions.insert(function.0, Arc::new(function.1));
        }
        let signals = &answers.signals;
        let logins = Arc::clone(&signals.engine.logins);
        let reload = super::reload::function(logins, signals.everywhere);
        functions.insert(super::reload::NAME, Arc::new(reload));
        for name in super::sequences::FUNCTIONS {
            functions.insert(name, Arc::new(self.drawing.function(name)));
        }
        debug_assert_eq!(
            functions.len(),
            OWN.len() + super::sequences::FUNCTIONS.len()
        );
        functions
    }
}

impl SessionNames for Names {
    fn function(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        let own = self.own(name);
        own.or_else(|| self.catalogs.function(name)).or_else(|| {
            // Rarely called, and so made when they are.
            let function = super::advisory::function(&self.locking, name);
            let function = function.or_else(|| super::notify::function(&self.notifying, name));
            function.map(Arc::new)
        })
    }

    fn function_names(&self) -> Vec<String> {
        OWN.into_iter()
            .chain(super::sequences::FUNCTIONS)
            .chain(super::advisory::names())
            .chain(super::notify::NAMES)
            .chain(tessera_catalog::system::function_names())
            .map(str::to_owned)
            .collect()
    }

    fn system_table(
        &self,
        schema: &str,
        name: &str,
        hidden: bool,
    ) -> Option<Arc<dyn TableProvider>> {
        self.catalogs.table(schema, name, hidden)
    }

    fn shows_logins(&self) -> bool {
        self.catalogs.shows_logins()
    }

    fn shows_reports(&self) -> bool {
        self.catalogs.shows_reports()
    }

    fn system_rows(&self, function: &str) -> Option<Arc<dyn TableProvider>> {
        self.catalogs.table_function(function)
    }

    fn is_momentary(&self) -> bool {
        self.catalogs.is_made()
    }

    fn temporary_table(&self, _name: &str) -> Option<Arc<dyn TableProvider>> {
        None
    }
}

/// A function without arguments whose answer the session knows beforehand.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    field: FieldRef,
    value: ScalarValue,
    signature: Signature,
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> EngineResult<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

/// `current_schemas(boolean)`.
fn schemas(path: &[String], zone: &Arc<str>) -> (&'static str, ScalarUDF) {
    let field = SqlType::Array(Box::new(SqlType::Name)).field("current_schemas", true, zone);
    let function = Schemas {
        field,
        path: path.to_vec(),
        signature: Signature::exact(vec![DataType::Boolean], Volatility::Stable),
    };
    ("current_schemas", ScalarUDF::new_from_impl(function))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Schemas {
    field: FieldRef,
    path: Vec<String>,
    signature: Signature,
}

impl ScalarUDFImpl for Schemas {
    fn name(&self) -> &str {
        "current_schemas"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> EngineResult<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let implicit = matches!(
            args.args.first(),
            Some(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))
        );
        let system = implicit && !self.path.iter().any(|schema| schema == "pg_catalog");
        let names: Vec<ScalarValue> = system
            .then(|| "pg_catalog".to_owned())
            .into_iter()
            .chain(self.path.iter().cloned())
            .map(|name| ScalarValue::Utf8View(Some(name)))
            .collect();
        let items = match names.is_empty() {
            true => datafusion::arrow::array::new_empty_array(&DataType::Utf8View),
            false => ScalarValue::iter_to_array(names)?,
        };
        let DataType::List(item) = self.field.data_type() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Null));
        };
        let list = ListArray::try_new(
            Arc::clone(item),
            OffsetBuffer::from_lengths([items.len()]),
            items,
            None,
        )?;
        Ok(ColumnarValue::Scalar(ScalarValue::List(Arc::new(list))))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum SettingCall {
    /// `current_setting(name [, missing_ok])`.
    Current,
    /// `set_config(name, value, is_local)`.
    Set,
}

/// Reads and changes settings from a query.
struct SettingFunction {
    call: SettingCall,
    settings: Arc<Mutex<Settings>>,
    operator: bool,
    signature: Signature,
}

fn setting(
    call: SettingCall,
    settings: &Arc<Mutex<Settings>>,
    answers: &Answers,
) -> (&'static str, ScalarUDF) {
    use datafusion::logical_expr::TypeSignature;
    let (name, signature) = match call {
        SettingCall::Current => (
            "current_setting",
            Signature::one_of(
                vec![
                    TypeSignature::Exact(vec![DataType::Utf8View]),
                    TypeSignature::Exact(vec![DataType::Utf8View, DataType::Boolean]),
                ],
                Volatility::Stable,
            ),
        ),
        SettingCall::Set => (
            "set_config",
            Signature::exact(
                vec![DataType::Utf8View, DataType::Utf8View, DataType::Boolean],
                Volatility::Volatile,
            ),
        ),
    };
    let function = SettingFunction {
        call,
        settings: Arc::clone(settings),
        operator: answers.operator,
        signature,
    };
    (name, ScalarUDF::new_from_impl(function))
}

impl std::fmt::Debug for SettingFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SettingFunction")
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}

impl PartialEq for SettingFunction {
    fn eq(&self, other: &Self) -> bool {
        self.call == other.call && Arc::ptr_eq(&self.settings, &other.settings)
    }
}

impl Eq for SettingFunction {}

impl std::hash::Hash for SettingFunction {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.call.hash(state);
    }
}

fn text(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

impl ScalarUDFImpl for SettingFunction {
    fn name(&self) -> &str {
        match self.call {
            SettingCall::Current => "current_setting",
            SettingCall::Set => "set_config",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let row = |row: usize| -> EngineResult<Option<String>> {
            let values = args.args.iter().map(|argument| match argument {
                ColumnarValue::Scalar(value) => Ok(value.clone()),
                ColumnarValue::Array(array) => ScalarValue::try_from_array(array, row),
            });
            self.value(&values.collect::<EngineResult<Vec<ScalarValue>>>()?)
        };
        let same = |argument: &ColumnarValue| matches!(argument, ColumnarValue::Scalar(_));
        if args.args.iter().all(same) {
            return Ok(ColumnarValue::Scalar(ScalarValue::Utf8View(row(0)?)));
        }
        let values = (0..args.number_rows).map(row);
        let values = values.collect::<EngineResult<StringViewArray>>()?;
        Ok(ColumnarValue::Array(Arc::new(values)))
    }
}

impl SettingFunction {
    /// The setting of one row's arguments.
    fn value(&self, arguments: &[ScalarValue]) -> EngineResult<Option<String>> {
        let Some(name) = arguments.first().and_then(text) else {
            return Ok(None);
        };
        let mut settings = self.settings.lock();
        match self.call {
            SettingCall::Current => {
                let missing_ok = matches!(arguments.get(1), Some(ScalarValue::Boolean(Some(true))));
                match settings.show(name) {
                    Ok((_, value)) => Ok(Some(value)),
                    Err(Error::UnknownSetting(_)) if missing_ok => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
            SettingCall::Set => {
                let local = matches!(arguments.get(2), Some(ScalarValue::Boolean(Some(true))));
                let value = arguments.get(1).and_then(text);
                settings.begin();
                settings.set(name, value, local, self.operator)?;
                Ok(Some(settings.get(name)?))
            }
        }
    }
}

/// `pg_cancel_backend(pid)` and `pg_terminate_backend(pid [, timeout])`.
struct Signal {
    name: &'static str,
    signals: Signals,
    signature: Signature,
}

fn signal(name: &'static str, answers: &Answers) -> (&'static str, ScalarUDF) {
    use datafusion::logical_expr::TypeSignature;
    let one = TypeSignature::Exact(vec![DataType::Int64]);
    let two = TypeSignature::Exact(vec![DataType::Int64, DataType::Int64]);
    let function = Signal {
        name,
        signals: answers.signals.clone(),
        signature: Signature::one_of(vec![one, two], Volatility::Volatile),
    };
    (name, ScalarUDF::new_from_impl(function))
}

impl std::fmt::Debug for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Signal {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.signals.engine, &other.signals.engine)
    }
}

impl Eq for Signal {}

impl std::hash::Hash for Signal {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Signal {
    /// Whether there was such a session; another database's is as if it were not there.
    fn send(&self, pid: i32) -> Result<bool, Error> {
        let signals = &self.signals;
        let Some(entry) = signals.engine.registry.get(pid) else {
            return Ok(false);
        };
        let activity = entry.activity.lock();
        if activity.database != signals.database && !signals.everywhere {
            return Ok(false);
        }
        let own = signals.roles.contains(&activity.role) && !activity.operator;
        let here = signals.all_here && !activity.operator;
        drop(activity);
        if !(signals.everywhere || own || here) {
            let message = match self.name {
                "pg_cancel_backend" => "must be a member of the role whose query is being canceled",
                _ => "must be a member of the role whose process is being terminated",
            };
            return Err(Error::InsufficientPrivilege(message.to_owned()));
        }
        match self.name {
            "pg_cancel_backend" => entry.interrupt.cancel(),
            _ => entry.interrupt.terminate(),
        }
        Ok(true)
    }
}

impl ScalarUDFImpl for Signal {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray};
        use datafusion::arrow::datatypes::Int64Type;
        let rows = args.number_rows;
        let Some(pids) = args.args.into_iter().next() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Boolean(None)));
        };
        let pids = pids.into_array(rows)?;
        let sent = pids
            .as_primitive::<Int64Type>()
            .iter()
            .map(|pid| {
                let pid = pid.map(|pid| i32::try_from(pid).unwrap_or_default());
                pid.map(|pid| self.send(pid)).transpose()
            })
            .collect::<Result<BooleanArray, Error>>()?;
        let sent: ArrayRef = Arc::new(sent);
        Ok(ColumnarValue::Array(sent))
    }
}
