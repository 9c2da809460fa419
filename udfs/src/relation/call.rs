//! A call with all its options known, as plain data: what another process needs, beside the inputs,
//! to make the same operator.

use super::layout::ColumnNames;
use super::signature::{Kind, ON_ERROR, Signature};
use super::value::Value;
use crate::error::{Error, Result};

/// A call of a table function.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function's name.
    pub function: String,
    /// The relation arguments in the order of the inputs.
    pub relations: Vec<String>,
    /// The column arguments, inferred ones included.
    pub columns: ColumnNames,
    /// The options that were given; the others have their defaults.
    pub options: Vec<(String, Value)>,
}

/// The options of a call, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    function: &'static str,
    values: Vec<(String, Value)>,
}

impl Options {
    /// Fills in the defaults.
    ///
    /// # Errors
    /// When a required option is absent.
    pub fn new(signature: &'static Signature, given: &[(String, Value)]) -> Result<Self> {
        let mut values = given.to_vec();
        for argument in signature.options() {
            let Kind::Option { default, .. } = argument.kind else {
                continue;
            };
            if given.iter().any(|(name, _)| name == argument.name) {
                continue;
            }
            match default {
                Some(default) => values.push((argument.name.to_owned(), default.into())),
                None if argument.required => {
                    return Err(Error::MissingArgument {
                        function: signature.name.to_owned(),
                        argument: argument.name.to_owned(),
                        hint: format!("Write {} => and its value.", argument.name),
                    });
                }
                None => {}
            }
        }
        Ok(Self {
            function: signature.name,
            values,
        })
    }

    /// Options with their defaults filled in already.
    pub(crate) fn of(function: &'static str, values: Vec<(String, Value)>) -> Self {
        Self { function, values }
    }

    /// The name of the function.
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// The value of an option; none if it was not given and has no default.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values
            .iter()
            .find(|(option, _)| option == name)
            .map(|(_, value)| value)
    }

    /// An integer option that has a default or is required.
    ///
    /// # Errors
    /// When the signature has no such option, which is a bug of the function; so for the others below.
    pub fn integer(&self, name: &str) -> Result<i64> {
        match self.get(name) {
            Some(Value::Integer(value)) => Ok(*value),
            _ => Err(self.internal(name)),
        }
    }

    /// An integer option as a count.
    ///
    /// # Errors
    /// When it is negative, or as [`Options::integer`].
    pub fn count(&self, name: &str) -> Result<usize> {
        usize::try_from(self.integer(name)?).map_err(|_| self.internal(name))
    }

    /// A numeric option.
    ///
    /// # Errors
    /// As [`Options::integer`].
    pub fn number(&self, name: &str) -> Result<f64> {
        match self.get(name) {
            Some(Value::Number(value)) => Ok(*value),
            _ => Err(self.internal(name)),
        }
    }

    /// A text option, or a choice.
    ///
    /// # Errors
    /// As [`Options::integer`].
    pub fn text(&self, name: &str) -> Result<&str> {
        match self.get(name) {
            Some(Value::Text(value)) => Ok(value),
            _ => Err(self.internal(name)),
        }
    }

    /// A boolean option.
    ///
    /// # Errors
    /// As [`Options::integer`].
    pub fn boolean(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            Some(Value::Boolean(value)) => Ok(*value),
            _ => Err(self.internal(name)),
        }
    }

    /// The integers of an option; none if it is absent or a word.
    pub fn integers(&self, name: &str) -> Vec<i64> {
        let integer = |value: &Value| match value {
            Value::Integer(value) => Some(*value),
            _ => None,
        };
        self.list(name).iter().filter_map(integer).collect()
    }

    /// The numbers of an option; none if it is absent.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        let number = |value: &Value| match value {
            Value::Number(value) => Some(*value),
            _ => None,
        };
        self.list(name).iter().filter_map(number).collect()
    }

    /// The words of an option; none if it is absent.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let mut texts = Vec::new();
        for value in self.list(name) {
            if let Value::Text(text) = value {
                texts.push(text.as_str());
            }
        }
        texts
    }

    fn list(&self, name: &str) -> &[Value] {
        match self.get(name) {
            Some(Value::List(values)) => values,
            Some(single) => std::slice::from_ref(single),
            None => &[],
        }
    }

    /// Whether a group that can't be computed ends the query.
    pub(super) fn aborts(&self) -> bool {
        matches!(self.get(ON_ERROR), Some(Value::Text(choice)) if choice == "abort")
    }

    fn internal(&self, item: &str) -> Error {
        Error::Internal {
            function: self.function.to_owned(),
            item: item.to_owned(),
        }
    }
}
