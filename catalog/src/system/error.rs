//! What a name or privilege in a catalog function can be wrong about.

use datafusion::error::DataFusionError;
use thiserror::Error;

/// A name that a catalog function could not follow, with PostgreSQL's words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LookupError {
    /// No relation of this name.
    #[error("relation \"{0}\" does not exist")]
    NoRelation(String),
    /// No relation of this number.
    #[error("relation with OID {0} does not exist")]
    NoRelationNumber(u32),
    /// No column of this name.
    #[error("column \"{column}\" of relation \"{relation}\" does not exist")]
    NoColumn { column: String, relation: String },
    /// No type of this name.
    #[error("type \"{0}\" does not exist")]
    NoType(String),
    /// No schema of this name.
    #[error("schema \"{0}\" does not exist")]
    NoSchema(String),
    /// No role of this name.
    #[error("role \"{0}\" does not exist")]
    NoRole(String),
    /// No database of this name that the session may know.
    #[error("database \"{0}\" does not exist")]
    NoDatabase(String),
    /// No function of this name.
    #[error("function \"{0}\" does not exist")]
    NoFunction(String),
    /// Several functions of this name.
    #[error("more than one function named \"{0}\"")]
    ManyFunctions(String),
    /// No operator of this name.
    #[error("operator does not exist: {0}")]
    NoOperator(String),
    /// A word that is no privilege of the object's kind.
    #[error("unrecognized privilege type: \"{0}\"")]
    NoPrivilege(String),
    /// Text that is no name at all.
    #[error("invalid name syntax")]
    NoName,
    /// A name of another database.
    #[error("cross-database references are not implemented: \"{0}\"")]
    OtherDatabase(String),
}

impl LookupError {
    /// The SQLSTATE that PostgreSQL gives.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::NoRelation(_) | Self::NoRelationNumber(_) => "42P01",
            Self::NoColumn { .. } => "42703",
            Self::NoType(_) | Self::NoRole(_) => "42704",
            Self::NoSchema(_) => "3F000",
            Self::NoDatabase(_) => "3D000",
            Self::NoFunction(_) | Self::NoOperator(_) => "42883",
            Self::ManyFunctions(_) => "42725",
            Self::NoPrivilege(_) => "22023",
            Self::NoName => "42602",
            Self::OtherDatabase(_) => "0A000",
        }
    }
}

impl From<LookupError> for DataFusionError {
    fn from(error: LookupError) -> Self {
        Self::External(Box::new(error))
    }
}
