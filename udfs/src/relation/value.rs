//! The values of options: from what SQL gave to what the declared type allows.
//! NULL is refused; text that reads as a number or boolean is one, as an untyped literal is in PostgreSQL.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;

use super::signature::{ValueType, type_name};
use crate::error::{Error, Result};

/// A checked value of an option: plain data, so that a call can be sent to another process.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Value>),
}

/// A value that a signature can hold.
#[derive(Debug, Clone, Copy)]
pub enum Constant {
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(&'static str),
}

impl From<Constant> for Value {
    fn from(constant: Constant) -> Self {
        match constant {
            Constant::Boolean(value) => Value::Boolean(value),
            Constant::Integer(value) => Value::Integer(value),
            Constant::Number(value) => Value::Number(value),
            Constant::Text(value) => Value::Text(value.to_owned()),
        }
    }
}

impl ValueType {
    /// The type that a parameter (`$1`) in this place has.
    pub fn parameter_type(self) -> DataType {
        match self {
            ValueType::Boolean => DataType::Boolean,
            ValueType::Integer { .. } => DataType::Int64,
            ValueType::Number { .. } | ValueType::Numbers => DataType::Float64,
            ValueType::Text
            | ValueType::Choice(_)
            | ValueType::Integers { .. }
            | ValueType::Texts(_) => DataType::Utf8,
        }
    }

    /// The type that a parameter inside a list in this place has.
    pub fn element_type(self) -> DataType {
        match self {
            ValueType::Integers { .. } => DataType::Int64,
            other => other.parameter_type(),
        }
    }

    /// Turns one SQL value into a value of this type.
    ///
    /// # Errors
    /// When the value is NULL, of another type, or not allowed.
    pub fn scalar(self, argument: &str, scalar: &ScalarValue) -> Result<Value> {
        if scalar.is_null() {
            return Err(Error::NullValue {
                argument: argument.to_owned(),
            });
        }
        if let Some(values) = elements(scalar) {
            return self.list(argument, &values);
        }
        match self {
            ValueType::Boolean => boolean(scalar).map(Value::Boolean),
            ValueType::Integer { .. } => integer(scalar).map(Value::Integer),
            ValueType::Number { .. } => number(scalar).map(Value::Number),
            ValueType::Text => text(scalar).map(|value| Value::Text(value.to_owned())),
            ValueType::Choice(words) => match text(scalar) {
                Some(value) => return word(argument, words, value).map(Value::Text),
                None => None,
            },
            ValueType::Integers { words, min, max } => {
                return match text(scalar) {
                    Some(value) if integer(scalar).is_none() => {
                        word_or_integers(argument, words, value, min, max)
                    }
                    _ => self.list(argument, std::slice::from_ref(scalar)),
                };
            }
            ValueType::Numbers | ValueType::Texts(_) => {
                return self.list(argument, std::slice::from_ref(scalar));
            }
        }
        .ok_or_else(|| self.mismatch(argument, scalar))
        .and_then(|value| self.within(argument, value))
    }

    /// Turns a list of SQL values into a value of this type.
    ///
    /// # Errors
    /// When this is not a list type, or for an element as [`ValueType::scalar`].
    pub fn list(self, argument: &str, scalars: &[ScalarValue]) -> Result<Value> {
        let element = match self {
            ValueType::Integers { min, max, .. } => ValueType::Integer { min, max },
            ValueType::Numbers => ValueType::Number {
                min: f64::NEG_INFINITY,
                max: f64::INFINITY,
                closed: true,
            },
            ValueType::Texts([]) => ValueType::Text,
            ValueType::Texts(words) => ValueType::Choice(words),
            ValueType::Boolean
            | ValueType::Integer { .. }
            | ValueType::Number { .. }
            | ValueType::Text
            | ValueType::Choice(_) => {
                return Err(Error::WrongType {
                    argument: argument.to_owned(),
                    wanted: self.wanted(),
                    found: "a list".to_owned(),
                });
            }
        };
        if scalars.is_empty() {
            return Err(Error::InvalidValue {
                argument: argument.to_owned(),
                value: "{}".to_owned(),
                hint: "The list must not be empty.".to_owned(),
            });
        }
        let values = scalars
            .iter()
            .map(|scalar| element.scalar(argument, scalar));
        values.collect::<Result<_>>().map(Value::List)
    }

    fn within(self, argument: &str, value: Value) -> Result<Value> {
        let (allowed, range) = match (self, &value) {
            (ValueType::Integer { min, max }, Value::Integer(given)) => (
                (min..=max).contains(given),
                format!("between {min} and {max}"),
            ),
            (
                ValueType::Number {
                    min,
                    max,
                    closed: true,
                },
                Value::Number(given),
            ) => (
                (min..=max).contains(given),
                format!("between {min} and {max}"),
            ),
            (
                ValueType::Number {
                    min,
                    max,
                    closed: false,
                },
                Value::Number(given),
            ) => (
                *given > min && *given < max,
                format!("greater than {min} and less than {max}"),
            ),
            _ => (true, String::new()),
        };
        if allowed {
            return Ok(value);
        }
        Err(Error::InvalidValue {
            argument: argument.to_owned(),
            value: value.to_string(),
            hint: format!("It must be {range}."),
        })
    }

    fn mismatch(self, argument: &str, scalar: &ScalarValue) -> Error {
        Error::WrongType {
            argument: argument.to_owned(),
            wanted: self.wanted(),
            found: type_name(&scalar.data_type()),
        }
    }

    fn wanted(self) -> String {
        match self {
            ValueType::Boolean => "boolean".to_owned(),
            ValueType::Integer { .. } => "an integer".to_owned(),
            ValueType::Number { .. } => "a number".to_owned(),
            ValueType::Text | ValueType::Choice(_) => "text".to_owned(),
            ValueType::Integers { words: [], .. } => "an integer or a list of integers".to_owned(),
            ValueType::Integers { words, .. } => {
                format!("'{}', an integer or a list of integers", words.join("', '"))
            }
            ValueType::Numbers => "a list of numbers".to_owned(),
            ValueType::Texts(_) => "a list of text".to_owned(),
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Boolean(value) => write!(f, "{value}"),
            Value::Integer(value) => write!(f, "{value}"),
            Value::Number(value) => write!(f, "{value}"),
            Value::Text(value) => f.write_str(value),
            Value::List(values) => {
                f.write_str("(")?;
                for (i, value) in values.iter().enumerate() {
                    let comma = if i == 0 { "" } else { ", " };
                    write!(f, "{comma}{value}")?;
                }
                f.write_str(")")
            }
        }
    }
}

fn elements(scalar: &ScalarValue) -> Option<Vec<ScalarValue>> {
    let array = match scalar {
        ScalarValue::List(list) => list.value(0),
        ScalarValue::LargeList(list) => list.value(0),
        ScalarValue::FixedSizeList(list) => list.value(0),
        _ => return None,
    };
    (0..array.len())
        .map(|i| ScalarValue::try_from_array(&array, i).ok())
        .collect()
}

fn text(scalar: &ScalarValue) -> Option<&str> {
    scalar.try_as_str().flatten()
}

fn boolean(scalar: &ScalarValue) -> Option<bool> {
    match scalar {
        ScalarValue::Boolean(value) => *value,
        _ => match text(scalar)?.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "off" | "0" => Some(false),
            _ => None,
        },
    }
}

fn integer(scalar: &ScalarValue) -> Option<i64> {
    match text(scalar) {
        Some(text) => text.trim().parse().ok(),
        None if scalar.data_type().is_integer() => match scalar.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(value)) => value,
            _ => None,
        },
        None => None,
    }
}

/// NaN is no number here: it would pass no range.
fn number(scalar: &ScalarValue) -> Option<f64> {
    let value = match text(scalar) {
        Some(text) => text.trim().parse().ok(),
        None if scalar.data_type().is_numeric() => match scalar.cast_to(&DataType::Float64) {
            Ok(ScalarValue::Float64(value)) => value,
            _ => None,
        },
        None => None,
    };
    value.filter(|value: &f64| !value.is_nan())
}

fn word(argument: &str, words: &[&str], value: &str) -> Result<String> {
    let found = words
        .iter()
        .find(|word| word.eq_ignore_ascii_case(value.trim()));
    found
        .map(|word| (*word).to_owned())
        .ok_or_else(|| Error::InvalidValue {
            argument: argument.to_owned(),
            value: value.to_owned(),
            hint: format!("Allowed are: {}.", words.join(", ")),
        })
}

/// Reads `auto`, or a list as a parameter of type text gives it: `24, 168`, `(24, 168)` or `{24,168}`.
fn word_or_integers(
    argument: &str,
    words: &[&str],
    value: &str,
    min: i64,
    max: i64,
) -> Result<Value> {
    let inner = value
        .trim()
        .trim_start_matches(['(', '{'])
        .trim_end_matches([')', '}']);
    let parts: Vec<ScalarValue> = inner
        .split(',')
        .map(|part| ScalarValue::from(part.trim()))
        .collect();
    if parts.iter().all(|part| integer(part).is_some()) {
        return ValueType::Integers {
            words: &[],
            min,
            max,
        }
        .list(argument, &parts);
    }
    word(argument, words, value)
        .map(Value::Text)
        .map_err(|error| match error {
            Error::InvalidValue {
                argument,
                value,
                hint,
            } => Error::InvalidValue {
                argument,
                value,
                hint: format!("{} Integers and lists of integers are allowed too.", hint),
            },
            other => other,
        })
}
