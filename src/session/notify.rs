//! `pg_notify` and `pg_notification_queue_usage`: what queries do with channels.
//!
//! What a query sends lies in the session's outbox until its transaction takes it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, StringViewArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use parking_lot::Mutex;
use tessera_catalog::id::DatabaseId;
use tessera_catalog::sql_type::SqlType;

use super::channels::Outgoing;
use super::engine::Engine;
use crate::error::Error;

/// What the functions work with.
#[derive(Clone)]
pub(super) struct Notifying {
    pub(super) outbox: Arc<Mutex<Outgoing>>,
    pub(super) engine: Arc<Engine>,
    pub(super) database: DatabaseId,
    pub(super) zone: Arc<str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    Notify,
    Usage,
}

/// The functions' names.
pub(super) const NAMES: [&str; 2] = ["pg_notify", "pg_notification_queue_usage"];

/// The function of a name.
pub(super) fn function(notifying: &Notifying, name: &str) -> Option<ScalarUDF> {
    let text = DataType::Utf8View;
    let (name, call, result, signature) = match name {
        "pg_notify" => {
            let signature = Signature::exact(vec![text.clone(), text], Volatility::Volatile);
            (NAMES[0], Call::Notify, SqlType::Void, signature)
        }
        "pg_notification_queue_usage" => {
            let signature = Signature::nullary(Volatility::Volatile);
            (NAMES[1], Call::Usage, SqlType::Float8, signature)
        }
        _ => return None,
    };
    Some(ScalarUDF::new_from_impl(NotifyFunction {
        name,
        call,
        notifying: notifying.clone(),
        result: result.field(name, true, &notifying.zone),
        signature,
    }))
}

struct NotifyFunction {
    name: &'static str,
    call: Call,
    notifying: Notifying,
    result: FieldRef,
    signature: Signature,
}

impl std::fmt::Debug for NotifyFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for NotifyFunction {
    fn eq(&self, other: &Self) -> bool {
        self.call == other.call && Arc::ptr_eq(&self.notifying.outbox, &other.notifying.outbox)
    }
}

impl Eq for NotifyFunction {}

impl Hash for NotifyFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.call.hash(state);
    }
}

impl ScalarUDFImpl for NotifyFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(self.result.data_type().clone())
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> EngineResult<FieldRef> {
        Ok(Arc::clone(&self.result))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let rows = args.number_rows;
        let answer: ArrayRef = match self.call {
            Call::Usage => {
                let Notifying {
                    engine, database, ..
                } = &self.notifying;
                let usage = engine.channels.usage(*database);
                Arc::new(Float64Array::from_value(usage, rows))
            }
            Call::Notify => {
                let texts = args
                    .args
                    .into_iter()
                    .map(|value| Ok(cast(&value.into_array(rows)?, &DataType::Utf8View)?))
                    .collect::<EngineResult<Vec<_>>>()?;
                self.notify(&texts, rows)?;
                let nothing = std::iter::repeat_n("", rows);
                Arc::new(StringViewArray::from_iter_values(nothing))
            }
        };
        Ok(ColumnarValue::Array(answer))
    }
}

impl NotifyFunction {
    /// Sends a message for each row; NULL is an empty text, as in PostgreSQL.
    fn notify(&self, texts: &[ArrayRef], rows: usize) -> EngineResult<()> {
        let [channels, payloads] = texts else {
            return Err(Error::internal("pg_notify without its arguments").into());
        };
        let (channels, payloads) = (channels.as_string_view(), payloads.as_string_view());
        let text = |values: &StringViewArray, row: usize| match values.is_null(row) {
            true => String::new(),
            false => values.value(row).to_owned(),
        };
        let mut outbox = self.notifying.outbox.lock();
        for row in 0..rows {
            outbox.notify(&text(channels, row), &text(payloads, row))?;
        }
        Ok(())
    }
}
