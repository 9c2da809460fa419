//! What a function takes, declared as data. It knows nothing of SQL text, plans or execution.

use arrow::datatypes::DataType;

use crate::relation::{Class, Constant, ValueType};

/// The declaration of one function.
#[derive(Debug)]
pub(crate) struct Declaration {
    /// The name in SQL, lower case.
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// Values first, options after them.
    pub(crate) parameters: &'static [Parameter],
    /// The result as `\df` shows it.
    pub(crate) returns: fn() -> DataType,
}

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// For each row.
    Scalar,
    /// Over a group's rows, in any order, or over a window's frame.
    Aggregate,
    /// Over a group's rows in the order that the call gives, or over an ordered window's frame.
    OrderedAggregate,
    /// For each row of an ordered window.
    Window,
    /// For each row beside those of its frame, in whatever window.
    Framed,
}

/// One parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) takes: Takes,
    pub(crate) default: Option<Constant>,
    /// Whether a call without it is refused.
    pub(crate) required: bool,
    /// Whether a NULL here leaves the row in; [`Rows::numbers`](super::Rows::numbers) is not for such a column.
    pub(crate) nullable: bool,
}

/// What a parameter takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Takes {
    /// A value of each row.
    Value(Class),
    /// A value of each row that is the first ordering expression unless it is given.
    OrderKey,
    /// A constant.
    Option(ValueType),
}

impl Declaration {
    /// The names of the parameters.
    pub(crate) fn names(&self) -> Vec<String> {
        let names = self.parameters.iter().map(|p| p.name.to_owned());
        names.collect()
    }

    /// How many parameters take a value of each row; they are the first.
    pub(crate) fn values(&self) -> usize {
        let option = |parameter: &Parameter| matches!(parameter.takes, Takes::Option(_));
        let first = self.parameters.iter().position(option);
        first.unwrap_or(self.parameters.len())
    }
}

impl Parameter {
    /// The probability that an interval or a bound is meant to hold with.
    pub(crate) const CONFIDENCE_LEVEL: Self =
        Self::option("confidence_level", ValueType::PROBABILITY).or(Constant::Number(0.95));
    /// What random numbers depend on.
    pub(crate) const SEED: Self =
        Self::option("seed", ValueType::ANY_INTEGER).or(Constant::Integer(0));

    /// A value of each row.
    pub(crate) const fn value(name: &'static str, class: Class) -> Self {
        Self {
            name,
            takes: Takes::Value(class),
            default: None,
            required: true,
            nullable: false,
        }
    }

    /// A value of each row that may be NULL.
    pub(crate) const fn nullable(name: &'static str, class: Class) -> Self {
        Self {
            nullable: true,
            ..Self::value(name, class)
        }
    }

    /// A number of each row.
    pub(crate) const fn number(name: &'static str) -> Self {
        Self::value(name, Class::Number)
    }

    /// The value that the rows are ordered by.
    pub(crate) const fn order_key(name: &'static str) -> Self {
        Self {
            name,
            takes: Takes::OrderKey,
            default: None,
            required: false,
            nullable: false,
        }
    }

    /// A constant.
    pub(crate) const fn option(name: &'static str, value: ValueType) -> Self {
        Self {
            name,
            takes: Takes::Option(value),
            default: None,
            required: false,
            nullable: false,
        }
    }

    /// The same with a default.
    pub(crate) const fn or(self, default: Constant) -> Self {
        Self {
            default: Some(default),
            required: false,
            ..self
        }
    }
}
