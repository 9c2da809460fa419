//! What can be wrong with a call of one of our functions, one variant a cause.
//! It travels through DataFusion as `DataFusionError::External`; [`Error::find`] gets it back.
//! It knows nothing of SQLSTATE: the server maps variants to codes, which the comments suggest.

use std::error::Error as StdError;

use datafusion::error::DataFusionError;

/// A refused call: the message is fit for a client, [`Error::hint`] and [`Error::detail`] are its further fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The call names an argument that the function does not have (42883).
    #[error("function \"{function}\" has no argument named \"{argument}\"")]
    UnknownArgument {
        function: String,
        argument: String,
        allowed: Vec<String>,
    },

    /// An argument without which the function can't run is absent (42883).
    #[error("function \"{function}\" needs the argument \"{argument}\"")]
    MissingArgument {
        function: String,
        argument: String,
        hint: String,
    },

    /// The same argument is given twice (42601).
    #[error("argument name \"{argument}\" used more than once")]
    DuplicateArgument { argument: String },

    /// An argument after the first has no name (42601).
    #[error("function \"{function}\" takes its options by name")]
    PositionalArgument {
        function: String,
        allowed: Vec<String>,
    },

    /// A nameless argument follows a named one (42601).
    #[error("positional argument cannot follow named argument")]
    PositionalAfterNamed,

    /// There are more arguments than the function has (42883).
    #[error("function \"{function}\" has too many arguments")]
    TooManyArguments {
        function: String,
        allowed: Vec<String>,
    },

    /// A window function stands without a window (42809).
    #[error("window function {function} requires an OVER clause")]
    NoWindow { function: String },

    /// What depends on an order is called without one (42809).
    #[error("function {function} requires ORDER BY")]
    NoOrder { function: String, window: bool },

    /// An argument names a column that its relation does not have (42703).
    #[error("column \"{column}\" of argument \"{argument}\" does not exist")]
    UndefinedColumn {
        column: String,
        argument: String,
        candidates: Vec<String>,
    },

    /// A relation has several columns of the name that an argument gives (42702).
    #[error("column reference \"{column}\" of argument \"{argument}\" is ambiguous")]
    AmbiguousColumn { column: String, argument: String },

    /// A column argument was left out and no single column fits it (42P10).
    #[error("cannot tell which column is \"{argument}\"")]
    UndecidedColumn {
        argument: String,
        wanted: &'static str,
        candidates: Vec<String>,
    },

    /// A column's type is not one that the argument takes (42804).
    #[error("column \"{column}\" of argument \"{argument}\" must be {wanted}, not {found}")]
    ColumnType {
        column: String,
        argument: String,
        wanted: &'static str,
        found: String,
    },

    /// An option has a value of a type that it does not take (42804).
    #[error("argument \"{argument}\" must be {wanted}, not {found}")]
    WrongType {
        argument: String,
        wanted: String,
        found: String,
    },

    /// An option has a value of the right type that it does not allow (22023).
    #[error("invalid value for argument \"{argument}\": \"{value}\"")]
    InvalidValue {
        argument: String,
        value: String,
        hint: String,
    },

    /// An option is NULL (22004).
    #[error("argument \"{argument}\" must not be null")]
    NullValue { argument: String },

    /// An option depends on rows or on something that changes within the query (42P10).
    #[error("argument \"{argument}\" must be a constant")]
    NotConstant { argument: String },

    /// A relation argument is neither a query nor the name of a relation (42809).
    #[error("argument \"{argument}\" must be a query in parentheses or the name of a table")]
    NotARelation { argument: String },

    /// Something that is understood but can't be done (0A000).
    #[error("{feature} is not supported")]
    NotSupported { feature: String },

    /// A group could not be computed and `on_error` is `abort` (22000).
    #[error("function \"{function}\" failed: {reason}")]
    Group {
        function: String,
        group: String,
        reason: String,
    },

    /// A relation or an argument that the code asks for is not in the function's signature: a bug of ours (XX000).
    #[error("function \"{function}\" has no \"{item}\" in its signature")]
    Internal { function: String, item: String },
}

/// The `Result` of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The hint for the client, as whole sentences.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoOrder {
                function,
                window: true,
            } => Some(format!("Write {function}(...) OVER (ORDER BY ...).")),
            Error::NoOrder {
                function,
                window: false,
            } => Some(format!("Write {function}(... ORDER BY ...).")),
            Error::UnknownArgument { allowed, .. } | Error::TooManyArguments { allowed, .. } => {
                Some(format!("Its arguments are: {}.", allowed.join(", ")))
            }
            Error::PositionalArgument { allowed, .. } => Some(format!(
                "Only the first argument may go without a name; write the others as name => value. The names are: {}.",
                allowed.join(", ")
            )),
            Error::UndefinedColumn { candidates, .. } => Some(listed("The columns are", candidates)),
            Error::AmbiguousColumn { .. } => {
                Some("Give the columns of the query different names.".to_owned())
            }
            Error::UndecidedColumn {
                argument,
                wanted,
                candidates,
            } => Some(if candidates.is_empty() {
                format!("There is no column that is {wanted}.")
            } else {
                format!(
                    "Write {argument} => and one of: {}.",
                    candidates.join(", ")
                )
            }),
            Error::MissingArgument { hint, .. } | Error::InvalidValue { hint, .. } => {
                Some(hint.clone())
            }
            Error::NotARelation { argument } => Some(format!(
                "Write a query in parentheses, as in {argument} => (SELECT ...); a name in quotes is not looked up."
            )),
            Error::Group { .. } => Some(
                "With on_error => 'status' the reason stands in the column \"status\" and the other groups are computed.".to_owned(),
            ),
            Error::DuplicateArgument { .. }
            | Error::PositionalAfterNamed
            | Error::NoWindow { .. }
            | Error::ColumnType { .. }
            | Error::WrongType { .. }
            | Error::NullValue { .. }
            | Error::NotConstant { .. }
            | Error::NotSupported { .. }
            | Error::Internal { .. } => None,
        }
    }

    /// The detail for the client, as whole sentences.
    pub fn detail(&self) -> Option<String> {
        match self {
            Error::Group { group, .. } if !group.is_empty() => {
                Some(format!("The group is {group}."))
            }
            _ => None,
        }
    }

    /// Finds our error in what DataFusion returned, however it was wrapped on the way.
    pub fn find(error: &DataFusionError) -> Option<&Error> {
        let mut current: Option<&(dyn StdError + 'static)> = Some(error);
        while let Some(cause) = current {
            if let Some(found) = cause.downcast_ref::<Error>() {
                return Some(found);
            }
            current = cause.source();
        }
        None
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

fn listed(what: &str, names: &[String]) -> String {
    if names.is_empty() {
        "There are no columns.".to_owned()
    } else {
        format!("{what}: {}.", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn is_found_however_it_was_wrapped() {
        let ours = Error::DuplicateArgument {
            argument: "horizon".to_owned(),
        };
        let plain = || DataFusionError::from(ours.clone());
        for wrapped in [
            plain(),
            plain().context("an optimiser rule failed"),
            DataFusionError::Shared(Arc::new(plain())),
            DataFusionError::Collection(vec![plain()]),
            DataFusionError::External(Box::new(plain())),
        ] {
            assert_eq!(Error::find(&wrapped), Some(&ours));
        }
        assert_eq!(
            Error::find(&DataFusionError::Plan("another".to_owned())),
            None
        );
    }
}
