//! Advisory locks: numbers that clients of one database lock, for the session or the transaction.
//!
//! The functions run inside queries. One that waits holds no thread meanwhile, and ends with its
//! statement.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringViewArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::async_udf::{AsyncScalarUDF, AsyncScalarUDFImpl};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};
use parking_lot::Mutex;
use tessera_catalog::locks::{AdvisoryKey, Lock, Locks, Mode, Owner, Target};
use tessera_catalog::sql_type::SqlType;
use tokio_util::sync::CancellationToken;

use super::reply::Notice;
use super::settings::Settings;
use crate::error::{Error, Result};

/// The most advisory locks that one session holds.
const MAX_ADVISORY_LOCKS: usize = 10_000;

/// What a session holds; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Advisory {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    session: Vec<Lock>,
    transaction: Vec<Lock>,
    notices: Vec<Notice>,
    /// Cancelled when the transaction in which statements may take locks is over.
    running: CancellationToken,
    is_closed: bool,
}

impl Advisory {
    /// Ends what still waits: its statement is over.
    pub(super) fn end_waits(&self) {
        let mut held = self.shared.held.lock();
        std::mem::take(&mut held.running).cancel();
    }

    /// How many locks the transaction has, for a savepoint.
    pub(super) fn of_transaction(&self) -> usize {
        self.shared.held.lock().transaction.len()
    }

    /// Gives back what the transaction locked after a savepoint; 0 for its end.
    pub(super) fn roll_back_to(&self, count: usize) {
        let dropped = self.shared.held.lock().transaction.split_off(count);
        drop(dropped);
    }

    /// Gives back the session's locks.
    pub(super) fn unlock_all(&self) {
        let dropped = std::mem::take(&mut self.shared.held.lock().session);
        drop(dropped);
    }

    /// Gives back everything, for good.
    pub(super) fn close(&self) {
        self.end_waits();
        let mut held = self.shared.held.lock();
        held.is_closed = true;
        let dropped = (
            std::mem::take(&mut held.session),
            std::mem::take(&mut held.transaction),
        );
        drop(held);
        drop(dropped);
    }

    /// Warnings since the last call.
    pub(super) fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut self.shared.held.lock().notices)
    }

    /// Keeps a lock that a function took while `running` was the transaction.
    fn keep(&self, lock: Lock, holder: Holder, running: &CancellationToken) -> Result<()> {
        let mut held = self.shared.held.lock();
        if held.is_closed || running.is_cancelled() {
            return Err(Error::Cancelled);
        }
        if held.session.len() + held.transaction.len() >= MAX_ADVISORY_LOCKS {
            return Err(Error::Function {
                sqlstate: "53200",
                message: "out of shared memory".to_owned(),
                hint: None,
                detail: Some(format!(
                    "A session holds at most {MAX_ADVISORY_LOCKS} advisory locks."
                )),
            });
        }
        match holder {
            Holder::Session => held.session.push(lock),
            Holder::Transaction => held.transaction.push(lock),
        }
        Ok(())
    }

    fn unlock(&self, target: Target, mode: Mode) -> bool {
        let mut held = self.shared.held.lock();
        let fits = |lock: &Lock| lock.target() == target && lock.mode() == mode;
        let Some(place) = held.session.iter().rposition(fits) else {
            held.notices.push(Notice::warning(
                "01000",
                format!("you don't own a lock of type {}", mode.name()),
            ));
            return false;
        };
        let lock = held.session.swap_remove(place);
        drop(held);
        drop(lock);
        true
    }

    fn running(&self) -> CancellationToken {
        self.shared.held.lock().running.clone()
    }
}

/// How long a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Holder {
    Session,
    Transaction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Call {
    Lock(Holder, Mode),
    Try(Holder, Mode),
    Unlock(Mode),
    UnlockAll,
}

/// The functions by name.
const FUNCTIONS: [(&str, Call); 11] = {
    use Call::{Lock, Try, Unlock, UnlockAll};
    use Holder::{Session, Transaction};
    use Mode::{Exclusive, Share};
    [
        ("pg_advisory_lock", Lock(Session, Exclusive)),
        ("pg_advisory_lock_shared", Lock(Session, Share)),
        ("pg_advisory_xact_lock", Lock(Transaction, Exclusive)),
        ("pg_advisory_xact_lock_shared", Lock(Transaction, Share)),
        ("pg_try_advisory_lock", Try(Session, Exclusive)),
        ("pg_try_advisory_lock_shared", Try(Session, Share)),
        ("pg_try_advisory_xact_lock", Try(Transaction, Exclusive)),
        ("pg_try_advisory_xact_lock_shared", Try(Transaction, Share)),
        ("pg_advisory_unlock", Unlock(Exclusive)),
        ("pg_advisory_unlock_shared", Unlock(Share)),
        ("pg_advisory_unlock_all", UnlockAll),
    ]
};

/// What the functions work with.
#[derive(Clone)]
pub(super) struct Locking {
    pub(super) advisory: Advisory,
    pub(super) locks: Locks,
    pub(super) owner: Owner,
    pub(super) settings: Arc<Mutex<Settings>>,
    pub(super) zone: Arc<str>,
}

/// The functions' names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.iter().map(|(name, _)| *name)
}

/// The function of a name.
pub(super) fn function(locking: &Locking, name: &str) -> Option<ScalarUDF> {
    let (name, call) = *FUNCTIONS.iter().find(|(own, _)| *own == name)?;
    let signature = match call {
        Call::UnlockAll => Signature::nullary(Volatility::Volatile),
        Call::Lock(..) | Call::Try(..) | Call::Unlock(_) => Signature::one_of(
            vec![
                TypeSignature::Exact(vec![DataType::Int64]),
                // Of `integer`s; literals are whole numbers of any size here still.
                TypeSignature::Exact(vec![DataType::Int64, DataType::Int64]),
            ],
            Volatility::Volatile,
        ),
    };
    let result = match call {
        Call::Lock(..) | Call::UnlockAll => SqlType::Void,
        Call::Try(..) | Call::Unlock(_) => SqlType::Bool,
    };
    let function = AdvisoryFunction {
        name,
        call,
        locking: locking.clone(),
        result: result.field(name, true, &locking.zone),
        signature,
    };
    Some(match call {
        Call::Lock(..) => AsyncScalarUDF::new(Arc::new(function)).into_scalar_udf(),
        Call::Try(..) | Call::Unlock(_) | Call::UnlockAll => ScalarUDF::new_from_impl(function),
    })
}

struct AdvisoryFunction {
    name: &'static str,
    call: Call,
    locking: Locking,
    result: FieldRef,
    signature: Signature,
}

impl std::fmt::Debug for AdvisoryFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for AdvisoryFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && Arc::ptr_eq(
                &self.locking.advisory.shared,
                &other.locking.advisory.shared,
            )
    }
}

impl Eq for AdvisoryFunction {}

impl Hash for AdvisoryFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for AdvisoryFunction {
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
        let mut answers = Vec::with_capacity(rows);
        for key in keys(self.name, args)? {
            answers.push(key.map(|key| self.answer(key)).transpose()?);
        }
        Ok(ColumnarValue::Array(self.answered(answers)))
    }
}

#[async_trait]
impl AsyncScalarUDFImpl for AdvisoryFunction {
    async fn invoke_async_with_args(
        &self,
        args: ScalarFunctionArgs,
    ) -> EngineResult<ColumnarValue> {
        let mut answers = Vec::with_capacity(args.number_rows);
        for key in keys(self.name, args)? {
            answers.push(match key {
                Some(key) => Some(self.wait(key).await?),
                None => None,
            });
        }
        Ok(ColumnarValue::Array(self.answered(answers)))
    }
}

impl AdvisoryFunction {
    /// The column of the result.
    fn answered(&self, answers: Vec<Option<bool>>) -> ArrayRef {
        match self.result.data_type() {
            DataType::Boolean => Arc::new(BooleanArray::from(answers)),
            _ => {
                let nothing = answers.iter().map(|answer| answer.map(|_| ""));
                Arc::new(StringViewArray::from_iter(nothing))
            }
        }
    }

    fn target(&self, key: Key) -> Result<Target> {
        let database = self.locking.owner.database;
        let key = key.ok_or_else(|| Error::internal("an advisory lock without a number"))?;
        Ok(Target::Advisory(database, key))
    }

    /// What does not wait.
    fn answer(&self, key: Key) -> Result<bool> {
        let Locking {
            advisory,
            locks,
            owner,
            ..
        } = &self.locking;
        match self.call {
            Call::UnlockAll => {
                advisory.unlock_all();
                Ok(true)
            }
            Call::Unlock(mode) => Ok(advisory.unlock(self.target(key)?, mode)),
            Call::Try(holder, mode) => {
                let running = advisory.running();
                match locks.try_lock(self.target(key)?, mode, *owner) {
                    Some(lock) => advisory.keep(lock, holder, &running).map(|()| true),
                    None => Ok(false),
                }
            }
            Call::Lock(..) => Err(Error::internal("a lock was taken without waiting")),
        }
    }

    /// What waits, as long as its statement runs.
    async fn wait(&self, key: Key) -> Result<bool> {
        let Call::Lock(holder, mode) = self.call else {
            return self.answer(key);
        };
        let Locking {
            advisory,
            locks,
            owner,
            settings,
            ..
        } = &self.locking;
        let (target, running) = (self.target(key)?, advisory.running());
        let lock = match locks.try_lock(target, mode, *owner) {
            Some(lock) => lock,
            None => {
                let limit = settings.lock().number("lock_timeout");
                let limited = async {
                    match u64::try_from(limit) {
                        Ok(limit) if limit > 0 => {
                            tokio::time::sleep(Duration::from_millis(limit)).await;
                        }
                        _ => std::future::pending().await,
                    }
                };
                tokio::select! {
                    biased;
                    () = running.cancelled() => return Err(Error::Cancelled),
                    lock = locks.lock(target, mode, *owner) => lock?,
                    () = limited => return Err(Error::LockTimeout),
                }
            }
        };
        advisory.keep(lock, holder, &running).map(|()| true)
    }
}

/// The number that a row names; none for a function without arguments.
type Key = Option<AdvisoryKey>;

/// The numbers of all rows; `None` for a row with a NULL.
fn keys(name: &str, args: ScalarFunctionArgs) -> EngineResult<Vec<Option<Key>>> {
    let rows = args.number_rows;
    let columns = args.args.into_iter();
    let columns = columns
        .map(|value| Ok(cast(&value.into_array(rows)?, &DataType::Int64)?))
        .collect::<EngineResult<Vec<_>>>()?;
    let columns: Vec<&Int64Array> = columns
        .iter()
        .map(|c| c.as_primitive::<Int64Type>())
        .collect();
    let small = |value: i64| {
        i32::try_from(value).map_err(|_| {
            Error::NoSuchFunction(format!("function {name}(bigint, bigint) does not exist"))
        })
    };
    let mut keys = Vec::with_capacity(rows);
    for row in 0..rows {
        if columns.iter().any(|column| column.is_null(row)) {
            keys.push(None);
            continue;
        }
        keys.push(Some(match columns.as_slice() {
            [one] => Some(AdvisoryKey::One(one.value(row))),
            [class, object] => Some(AdvisoryKey::Two(
                small(class.value(row))?,
                small(object.value(row))?,
            )),
            _ => None,
        }));
    }
    Ok(keys)
}
