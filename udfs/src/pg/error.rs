//! What can go wrong inside a function of PostgreSQL's: each variant is one SQLSTATE, its text is PostgreSQL's.
//!
//! The error travels as `DataFusionError::External`, so that the server can take it back by downcast.
//! It knows nothing of the wire protocol.

use datafusion::error::DataFusionError;

/// The result of a function body.
pub(crate) type PgResult<T> = Result<T, PgError>;

/// An error of a PostgreSQL function, with PostgreSQL's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PgError {
    /// Division by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A number does not fit its type; the text says which.
    #[error("{0}")]
    NumberOutOfRange(String),
    /// A date, time or interval does not fit its type; the text says which.
    #[error("{0}")]
    DatetimeOverflow(String),
    /// A date or time can't be read from the text.
    #[error("{0}")]
    InvalidDatetimeFormat(String),
    /// An argument has a value that the function does not take.
    #[error("{0}")]
    InvalidParameter(String),
    /// The text is not a value of the type.
    #[error("{0}")]
    InvalidText(String),
    /// The root of a negative number, or zero to a negative power.
    #[error("{0}")]
    InvalidPower(&'static str),
    /// The logarithm of zero or of a negative number.
    #[error("{0}")]
    InvalidLogarithm(&'static str),
    /// The row that `nth_value` is asked for.
    #[error("argument of nth_value must be greater than zero")]
    NthValue,
    /// The seed of a sample is NULL.
    #[error("TABLESAMPLE REPEATABLE parameter cannot be null")]
    InvalidRepeat,
    /// Bounds or count of `width_bucket` make no sense.
    #[error("{0}")]
    InvalidBucket(&'static str),
    /// The pattern is not a regular expression.
    #[error("invalid regular expression: {0}")]
    InvalidRegex(String),
    /// A pattern's escape is wrong.
    #[error("{0}")]
    InvalidEscape(&'static str),
    /// Bytes that are no text, or a character that is none.
    #[error("{0}")]
    InvalidEncoding(String),
    /// A character that the other encoding does not have.
    #[error("{0}")]
    Untranslatable(String),
    /// A NULL stands where none may.
    #[error("{0}")]
    NullNotAllowed(String),
    /// An array has the wrong shape.
    #[error("{0}")]
    ArraySubscript(String),
    /// The substring's length is negative.
    #[error("negative substring length not allowed")]
    NegativeSubstring,
    /// No function has this name and these argument types.
    #[error("function {0} does not exist")]
    UndefinedFunction(String),
    /// No operator has this name and these argument types.
    #[error("operator does not exist: {0}")]
    UndefinedOperator(String),
    /// The arguments' types don't go together.
    #[error("{0}")]
    DatatypeMismatch(String),
    /// There is no cast between the types.
    #[error("{0}")]
    CannotCoerce(String),
    /// The text does not follow a grammar.
    #[error("{0}")]
    Syntax(String),
    /// PostgreSQL has it and this server does not.
    #[error("{0}")]
    NotSupported(String),
    /// The result would be larger than a value may be.
    #[error("{0}")]
    ProgramLimit(String),
}

impl PgError {
    /// PostgreSQL's five-character code of this error.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::DivisionByZero => "22012",
            Self::NumberOutOfRange(_) => "22003",
            Self::DatetimeOverflow(_) => "22008",
            Self::InvalidDatetimeFormat(_) => "22007",
            Self::InvalidParameter(_) => "22023",
            Self::InvalidText(_) => "22P02",
            Self::InvalidPower(_) => "2201F",
            Self::InvalidLogarithm(_) => "2201E",
            Self::NthValue => "22016",
            Self::InvalidRepeat => "2202G",
            Self::InvalidBucket(_) => "2201G",
            Self::InvalidRegex(_) => "2201B",
            Self::InvalidEscape(_) => "22025",
            Self::InvalidEncoding(_) => "22021",
            Self::Untranslatable(_) => "22P05",
            Self::NullNotAllowed(_) => "22004",
            Self::ArraySubscript(_) => "2202E",
            Self::NegativeSubstring => "22011",
            Self::UndefinedFunction(_) | Self::UndefinedOperator(_) => "42883",
            Self::DatatypeMismatch(_) => "42804",
            Self::CannotCoerce(_) => "42846",
            Self::Syntax(_) => "42601",
            Self::NotSupported(_) => "0A000",
            Self::ProgramLimit(_) => "54000",
        }
    }

    pub(crate) fn out_of_range(what: &str) -> Self {
        Self::NumberOutOfRange(format!("{what} out of range"))
    }

    pub(crate) fn timestamp_range() -> Self {
        Self::DatetimeOverflow("timestamp out of range".to_owned())
    }

    pub(crate) fn date_range() -> Self {
        Self::DatetimeOverflow("date out of range".to_owned())
    }

    pub(crate) fn interval_range() -> Self {
        Self::DatetimeOverflow("interval out of range".to_owned())
    }

    pub(crate) fn too_large() -> Self {
        Self::ProgramLimit("requested length too large".to_owned())
    }
}

impl PgError {
    /// The error of ours that the engine's error carries, or its text.
    pub(crate) fn of_engine(error: DataFusionError) -> Self {
        if let DataFusionError::External(cause) = &error
            && let Some(error) = cause.downcast_ref::<Self>()
        {
            return error.clone();
        }
        Self::NotSupported(error.to_string())
    }
}

impl From<PgError> for DataFusionError {
    fn from(error: PgError) -> Self {
        Self::External(Box::new(error))
    }
}
