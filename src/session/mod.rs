//! Stand-in for the session, with canned answers for the wire's own tests.

pub mod reply;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringViewArray};
use arrow::datatypes::{Field, Schema};
use datafusion::common::ScalarValue;
use parking_lot::Mutex;
use tessera_catalog::sql_type::SqlType;
use tokio_util::sync::CancellationToken;

pub use reply::*;

use crate::auth::Login;
use crate::error::{Error, Result};
use crate::wire::encode::Display;

#[derive(Debug, Default)]
pub struct Engine {
    pub stored: Mutex<HashMap<String, Vec<RecordBatch>>>,
}

#[derive(Debug)]
pub struct Notice {
    pub severity: &'static str,
    pub sqlstate: &'static str,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

#[derive(Debug)]
pub struct Statement(String);

#[derive(Debug)]
pub struct Prepared {
    text: String,
    parameters: Vec<SqlType>,
    columns: Option<Columns>,
}

impl Prepared {
    pub fn parameters(&self) -> &[SqlType] {
        &self.parameters
    }
    pub fn columns(&self) -> Option<&Columns> {
        self.columns.as_ref()
    }
}

#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    cancel: Arc<Mutex<CancellationToken>>,
    terminate: CancellationToken,
}

impl Interrupt {
    pub fn cancel(&self) {
        self.cancel.lock().cancel();
    }
    pub fn terminate(&self) {
        self.terminate.cancel();
    }
    pub async fn terminated(&self) {
        self.terminate.cancelled().await;
    }
}

#[derive(Debug, Clone)]
pub struct Peer {
    pub pid: i32,
    pub address: Option<std::net::SocketAddr>,
    pub tls: Option<TlsSession>,
}

#[derive(Debug, Clone)]
pub struct TlsSession {
    pub version: String,
    pub cipher: String,
}

#[derive(Debug)]
pub struct Session {
    engine: Arc<Engine>,
    login: Login,
    prepared: HashMap<String, Arc<Prepared>>,
    status: u8,
    notices: Vec<Notice>,
    changes: Vec<(String, String)>,
    interrupt: Interrupt,
}

impl Session {
    pub async fn open(
        engine: Arc<Engine>,
        login: Login,
        startup: Vec<(String, String)>,
    ) -> Result<Self> {
        if let Some((name, _)) = startup.iter().find(|(name, _)| name == "no_such_setting") {
            return Err(Error::UnknownSetting(name.clone()));
        }
        Ok(Self {
            engine,
            login,
            prepared: HashMap::new(),
            status: b'I',
            notices: Vec::new(),
            changes: Vec::new(),
            interrupt: Interrupt::default(),
        })
    }
    pub fn set_peer(&mut self, _peer: Peer) {}
    pub fn parse(&self, text: &str) -> Result<Vec<Statement>> {
        Ok(text
            .split(';')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| Statement(text.to_owned()))
            .collect())
    }
    pub async fn prepare(
        &mut self,
        statement: Statement,
        declared: &[u32],
    ) -> Result<Arc<Prepared>> {
        let text = statement.0;
        let int = || Arc::from([OutColumn::plain("n", SqlType::Int4)]);
        let (parameters, columns): (Vec<SqlType>, Option<Columns>) = match text.as_str() {
            "select 1" => (vec![], Some(int())),
            "select series" | "select slow" | "select failing" => (vec![], Some(int())),
            "select $1::int" => (vec![SqlType::Int4], Some(int())),
            "select user" => (
                vec![],
                Some(Arc::from([OutColumn::plain("user", SqlType::Text)])),
            ),
            t if t.starts_with("echo ") => {
                let of =
                    SqlType::parse(&t[5..]).ok_or_else(|| Error::NoSuchType(t[5..].to_owned()))?;
                (
                    vec![of.clone()],
                    Some(Arc::from([OutColumn::plain("v", of)])),
                )
            }
            "begin" | "commit" | "rollback" | "notice" | "set" => (vec![], None),
            t if t.starts_with("copy") => (vec![], None),
            _ => {
                return Err(Error::Syntax {
                    message: format!("syntax error at or near \"{text}\""),
                    position: Some(1),
                });
            }
        };
        let _ = declared;
        Ok(Arc::new(Prepared {
            text,
            parameters,
            columns,
        }))
    }
    pub fn prepare_empty(&self) -> Arc<Prepared> {
        Arc::new(Prepared {
            text: String::new(),
            parameters: vec![],
            columns: None,
        })
    }
    pub fn store_prepared(&mut self, name: &str, prepared: Arc<Prepared>) -> Result<()> {
        if !name.is_empty() && self.prepared.contains_key(name) {
            return Err(Error::DuplicateStatement(name.to_owned()));
        }
        self.prepared.insert(name.to_owned(), prepared);
        Ok(())
    }
    pub fn prepared(&self, name: &str) -> Result<Arc<Prepared>> {
        self.prepared
            .get(name)
            .cloned()
            .ok_or_else(|| Error::NoSuchStatement(name.to_owned()))
    }
    pub fn close_prepared(&mut self, name: &str) {
        self.prepared.remove(name);
    }
    pub async fn execute(
        &mut self,
        prepared: &Arc<Prepared>,
        parameters: Vec<ScalarValue>,
    ) -> Result<Reply> {
        *self.interrupt.cancel.lock() = CancellationToken::new();
        let token = self.interrupt.cancel.lock().clone();
        let terminate = self.interrupt.terminate.clone();
        if self.status == b'E' && prepared.text != "rollback" {
            return Err(Error::TransactionAborted);
        }
        let rows = |arrays: Vec<ArrayRef>| {
            let batch = batch(arrays);
            let columns = prepared.columns.clone().unwrap_or_else(|| Arc::from([]));
            let batches: BatchStream = Box::pin(futures::stream::iter(batch.map(Ok)));
            Reply::Rows(Rows {
                columns,
                batches,
                tag: RowsTag::Counted("SELECT"),
            })
        };
        let done = |tag: &str| {
            Ok(Reply::Done {
                tag: tag.to_owned(),
            })
        };
        match prepared.text.as_str() {
            "" => Ok(Reply::Empty),
            "select 1" => Ok(rows(vec![Arc::new(Int32Array::from(vec![1]))])),
            "select user" => Ok(rows(vec![Arc::new(StringViewArray::from(vec![
                self.login.user.as_str(),
            ]))])),
            "select series" => Ok(rows(vec![Arc::new(Int32Array::from_iter_values(
                0..20_000,
            ))])),
            "select failing" => {
                let columns = prepared.columns.clone().unwrap_or_else(|| Arc::from([]));
                let batches: BatchStream = Box::pin(futures::stream::iter(
                    batch(vec![Arc::new(Int32Array::from(vec![1]))])
                        .map(Ok)
                        .into_iter()
                        .chain([Err(Error::DivisionByZero)]),
                ));
                Ok(Reply::Rows(Rows {
                    columns,
                    batches,
                    tag: RowsTag::Counted("SELECT"),
                }))
            }
            "select slow" => {
                tokio::select! {
                    () = token.cancelled() => Err(Error::Cancelled),
                    () = terminate.cancelled() => Err(Error::Terminated),
                    () = tokio::time::sleep(std::time::Duration::from_secs(30)) => Ok(Reply::Empty),
                }
            }
            "begin" => {
                self.status = b'T';
                done("BEGIN")
            }
            "commit" => {
                self.status = b'I';
                done("COMMIT")
            }
            "rollback" => {
                self.status = b'I';
                done("ROLLBACK")
            }
            "set" => {
                self.changes
                    .push(("application_name".to_owned(), "x".to_owned()));
                done("SET")
            }
            "notice" => {
                self.notices.push(Notice {
                    severity: "NOTICE",
                    sqlstate: "00000",
                    message: "table \"t\" does not exist, skipping".to_owned(),
                    detail: None,
                    hint: None,
                });
                done("DROP TABLE")
            }
            text if text.starts_with("copy") => self.copy(text),
            _ => Ok(rows(vec![
                parameters
                    .first()
                    .ok_or_else(|| Error::internal("parameter"))?
                    .to_array()
                    .map_err(|error| Error::Internal(Box::new(error)))?,
            ])),
        }
    }
    fn copy(&self, text: &str) -> Result<Reply> {
        let mut options = CopyOptions::new(match text {
            t if t.contains("csv") => CopyFormat::Csv,
            t if t.contains("binary") => CopyFormat::Binary,
            _ => CopyFormat::Text,
        });
        if text.contains("header") {
            options.header = CopyHeader::On;
        }
        if text.contains("ignore") {
            options.on_error_ignore = true;
        }
        let columns: Columns = Arc::from([
            OutColumn::plain("a", SqlType::Int4),
            OutColumn::plain("b", SqlType::Text),
            OutColumn::plain("c", SqlType::Numeric(Some((10, 2)))),
            OutColumn::plain("d", SqlType::Date),
        ]);
        if text.contains("from") {
            let sink = CopySink::new(Arc::clone(&self.engine));
            return Ok(Reply::CopyIn(CopyIn {
                relation: "t".to_owned(),
                columns,
                options,
                sink,
            }));
        }
        let stored = self
            .engine
            .stored
            .lock()
            .get("t")
            .cloned()
            .unwrap_or_default();
        let batches: BatchStream = Box::pin(futures::stream::iter(stored.into_iter().map(Ok)));
        Ok(Reply::CopyOut(CopyOut {
            columns,
            options,
            batches,
        }))
    }
    pub fn begin_implicit_block(&mut self) {}
    pub async fn end_implicit(&mut self, _ok: bool) -> Result<()> {
        Ok(())
    }
    pub fn fail(&mut self, _error: &Error) {
        if self.status == b'T' {
            self.status = b'E';
        }
    }
    pub fn status(&self) -> u8 {
        self.status
    }
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
    pub fn take_parameter_changes(&mut self) -> Vec<(String, String)> {
        std::mem::take(&mut self.changes)
    }
    pub fn initial_parameters(&self) -> Vec<(String, String)> {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        vec![
            pair("server_version", "15.0"),
            pair("client_encoding", "UTF8"),
            pair("DateStyle", "ISO, MDY"),
            pair("TimeZone", "UTC"),
            pair("integer_datetimes", "on"),
            pair("standard_conforming_strings", "on"),
        ]
    }
    pub fn display(&self) -> Display {
        Display::default()
    }
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }
    pub fn idle_limit(&self) -> Option<(std::time::Duration, Error)> {
        None
    }
}

fn batch(arrays: Vec<ArrayRef>) -> Option<RecordBatch> {
    let fields: Vec<Field> = arrays
        .iter()
        .map(|array| Field::new("c", array.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).ok()
}
