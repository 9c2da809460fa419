//! Statements about the session itself: its transaction, its settings, and what it keeps open.

/// Transaction control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transaction {
    Begin {
        modes: TransactionModes,
        tag: &'static str,
    },
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// SET TRANSACTION.
    Modes(TransactionModes),
    /// SET SESSION CHARACTERISTICS AS TRANSACTION.
    SessionModes(TransactionModes),
}

/// Modes named in BEGIN or SET TRANSACTION; what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransactionModes {
    pub isolation: Option<String>,
    pub read_only: Option<bool>,
    pub deferrable: Option<bool>,
}

/// SET of one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    pub name: String,
    /// `None` for DEFAULT.
    pub value: Option<String>,
    pub local: bool,
}

/// DISCARD's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temporary,
}

/// FETCH's and MOVE's directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    Forward(u64),
    ForwardAll,
    Backward(u64),
    BackwardAll,
    Absolute(i64),
    Relative(i64),
}
