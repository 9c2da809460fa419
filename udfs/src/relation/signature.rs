//! What a table function takes, declared as data: the planner checks every call against it.
//! It knows nothing of SQL text, plans or execution.

use datafusion::arrow::datatypes::{DataType, TimeUnit};

use super::value::Constant;

use crate::pg::is_number;

/// The name that every table function's group columns go by.
pub const ID_COLS: &str = "id_cols";
/// The argument that every table function has: what happens to a group that can't be computed.
pub const ON_ERROR: &str = "on_error";
/// The values of [`ON_ERROR`]: the reason goes to the column `status`, or the query fails.
pub const ON_ERROR_CHOICES: &[&str] = &["status", "abort"];

/// The declaration of one table function.
#[derive(Debug)]
pub struct Signature {
    /// The name in SQL, lower case.
    pub name: &'static str,
    /// Everything it takes but [`ON_ERROR`], which every function has. The first is a relation.
    pub arguments: &'static [Argument],
}

/// One argument. Two arguments may share a name when one is a relation and the other is not:
/// `weights => 'equal'` and `weights => (SELECT …)`.
#[derive(Debug, Clone, Copy)]
pub struct Argument {
    pub name: &'static str,
    pub kind: Kind,
    /// Whether a call without it is refused.
    pub required: bool,
}

/// What an argument is.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Rows to work on.
    Relation { rows: Rows, columns: Wanted },
    /// The columns of the first relation whose values tell the groups apart.
    Ids,
    /// Columns of the first relation.
    Column {
        class: Class,
        /// Several, in a list.
        many: bool,
        /// When left out, the only column of the class that no other argument names.
        inferred: bool,
        /// The rows of a group come in this order.
        orders: bool,
    },
    /// A constant.
    Option {
        value: ValueType,
        default: Option<Constant>,
    },
}

/// How the rows of a relation reach the groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    /// Each group gets the rows that have its id columns' values.
    Grouped,
    /// Every group gets all rows; they are held in memory once.
    Shared,
    /// Grouped if the relation has the id columns, else shared: one for all or one for each.
    Either,
}

/// Which columns of a relation are read.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// Those that the column arguments name: the first relation.
    Arguments,
    /// Those of the same names as the first relation's id columns and these column arguments.
    Like(&'static [&'static str]),
    /// Those of fixed names.
    Named(&'static [(&'static str, Class, Presence)]),
}

/// Whether a column of a fixed name must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Required,
    Optional,
}

/// A family of column types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Anything.
    Any,
    /// Date, timestamp, or an integer that counts steps; only the first two are inferred.
    Time,
    /// Integer, floating point or decimal.
    Number,
    /// Text.
    Text,
    /// What names a thing: text or an integer; only the first is inferred.
    Key,
}

/// The type of an option.
#[derive(Debug, Clone, Copy)]
pub enum ValueType {
    Boolean,
    Integer {
        min: i64,
        max: i64,
    },
    /// From `min` to `max`, with the bounds themselves only if `closed`.
    Number {
        min: f64,
        max: f64,
        closed: bool,
    },
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, an integer, or a list of integers.
    Integers {
        words: &'static [&'static str],
        min: i64,
        max: i64,
    },
    /// A list of numbers.
    Numbers,
    /// A list of these words, or of any text if there are none.
    Texts(&'static [&'static str]),
}

impl ValueType {
    /// Any finite number.
    pub const ANY_NUMBER: Self = Self::Number {
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
        closed: false,
    };
    /// A finite number above zero.
    pub const POSITIVE: Self = Self::Number {
        min: 0.0,
        max: f64::INFINITY,
        closed: false,
    };
    /// A number between zero and one.
    pub const PROBABILITY: Self = Self::Number {
        min: 0.0,
        max: 1.0,
        closed: false,
    };
    /// Any integer.
    pub const ANY_INTEGER: Self = Self::Integer {
        min: i64::MIN,
        max: i64::MAX,
    };
}

impl Signature {
    /// The declared arguments of a name: none, one, or a relation and something else.
    pub fn named(&self, name: &str) -> impl Iterator<Item = &'static Argument> {
        self.arguments
            .iter()
            .chain([&ON_ERROR_ARGUMENT])
            .filter(move |argument| argument.name == name)
    }

    /// The declared columns, id columns first.
    pub fn columns(&self) -> impl Iterator<Item = &'static Argument> {
        let ids = self
            .arguments
            .iter()
            .filter(|a| matches!(a.kind, Kind::Ids));
        let others = self
            .arguments
            .iter()
            .filter(|a| matches!(a.kind, Kind::Column { .. }));
        ids.chain(others)
    }

    /// The declared options, [`ON_ERROR`] included.
    pub fn options(&self) -> impl Iterator<Item = &'static Argument> {
        self.arguments
            .iter()
            .chain([&ON_ERROR_ARGUMENT])
            .filter(|argument| matches!(argument.kind, Kind::Option { .. }))
    }

    /// All names that a call may use, in the declared order.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for argument in self.arguments.iter().chain([&ON_ERROR_ARGUMENT]) {
            if !names.iter().any(|name| name == argument.name) {
                names.push(argument.name.to_owned());
            }
        }
        names
    }
}

static ON_ERROR_ARGUMENT: Argument =
    Argument::option(ON_ERROR, ValueType::Choice(ON_ERROR_CHOICES)).or(Constant::Text("status"));

/// One list of arguments from several, for the functions that have much in common. `N` is the length of all of them.
pub const fn joined<const N: usize>(parts: &[&[Argument]]) -> [Argument; N] {
    let mut all = [Argument::ids(); N];
    let (mut filled, mut part) = (0, 0);
    while part < parts.len() {
        let mut place = 0;
        while place < parts[part].len() {
            all[filled] = parts[part][place];
            filled += 1;
            place += 1;
        }
        part += 1;
    }
    assert!(filled == N, "the length of the list is another");
    all
}

impl Argument {
    /// The probability that an interval or a bound is meant to hold with.
    pub const CONFIDENCE_LEVEL: Self =
        Self::option("confidence_level", ValueType::PROBABILITY).or(Constant::Number(0.95));
    /// What random numbers depend on.
    pub const SEED: Self = Self::option("seed", ValueType::ANY_INTEGER).or(Constant::Integer(0));

    /// The first relation, whose columns the column arguments name.
    pub const fn data(name: &'static str) -> Self {
        Self::relation(name, Rows::Grouped, Wanted::Arguments).required()
    }

    /// A further relation.
    pub const fn relation(name: &'static str, rows: Rows, columns: Wanted) -> Self {
        Self {
            name,
            kind: Kind::Relation { rows, columns },
            required: false,
        }
    }

    /// The group columns, [`ID_COLS`].
    pub const fn ids() -> Self {
        Self {
            name: ID_COLS,
            kind: Kind::Ids,
            required: false,
        }
    }

    /// One column.
    pub const fn column(name: &'static str, class: Class) -> Self {
        let kind = Kind::Column {
            class,
            many: false,
            inferred: false,
            orders: false,
        };
        Self {
            name,
            kind,
            required: false,
        }
    }

    /// One column or a list of columns.
    pub const fn columns(name: &'static str, class: Class) -> Self {
        let kind = Kind::Column {
            class,
            many: true,
            inferred: false,
            orders: false,
        };
        Self {
            name,
            kind,
            required: false,
        }
    }

    /// A constant.
    pub const fn option(name: &'static str, value: ValueType) -> Self {
        Self {
            name,
            kind: Kind::Option {
                value,
                default: None,
            },
            required: false,
        }
    }

    /// The same, refused when absent.
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same column, inferred when absent.
    pub const fn inferred(mut self) -> Self {
        if let Kind::Column {
            class,
            many,
            orders,
            ..
        } = self.kind
        {
            self.kind = Kind::Column {
                class,
                many,
                inferred: true,
                orders,
            };
        }
        self
    }

    /// The same column, by which the rows of a group are ordered.
    pub const fn orders(mut self) -> Self {
        if let Kind::Column {
            class,
            many,
            inferred,
            ..
        } = self.kind
        {
            self.kind = Kind::Column {
                class,
                many,
                inferred,
                orders: true,
            };
        }
        self
    }

    /// The same option with a default.
    pub const fn or(mut self, default: Constant) -> Self {
        if let Kind::Option { value, .. } = self.kind {
            self.kind = Kind::Option {
                value,
                default: Some(default),
            };
        }
        self
    }
}

impl Class {
    /// Whether a column of this type may be given.
    pub fn accepts(self, data_type: &DataType) -> bool {
        match self {
            Class::Any => true,
            Class::Time => self.infers(data_type) || data_type.is_integer(),
            Class::Number => is_number(data_type) && *data_type != DataType::Float16,
            Class::Text => matches!(data_type, DataType::Utf8 | DataType::Utf8View),
            Class::Key => Class::Text.accepts(data_type) || data_type.is_integer(),
        }
    }

    /// Whether a column of this type may be taken for the argument when none is given.
    pub fn infers(self, data_type: &DataType) -> bool {
        match self {
            Class::Time => matches!(
                data_type,
                DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _)
            ),
            Class::Key => Class::Text.accepts(data_type),
            Class::Any | Class::Number | Class::Text => self.accepts(data_type),
        }
    }

    /// The class in an error message, with its article.
    pub fn wanted(self) -> &'static str {
        match self {
            Class::Any => "a column",
            Class::Time => "a date, timestamp or integer",
            Class::Number => "a number",
            Class::Text => "text",
            Class::Key => "text or an integer",
        }
    }
}

/// The name of a type as PostgreSQL's users know it.
pub(crate) fn type_name(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Null => "unknown",
        DataType::Boolean => "boolean",
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "integer",
        DataType::Int64 | DataType::UInt32 => "bigint",
        DataType::UInt64
        | DataType::Decimal32(_, _)
        | DataType::Decimal64(_, _)
        | DataType::Decimal128(_, _)
        | DataType::Decimal256(_, _)
        | DataType::LargeUtf8 => "numeric",
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Float64 => "double precision",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Timestamp(_, None) => "timestamp without time zone",
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Time64(TimeUnit::Nanosecond) => "time with time zone",
        DataType::Time32(_) | DataType::Time64(_) => "time without time zone",
        DataType::Interval(_) | DataType::Duration(_) => "interval",
        DataType::Utf8 | DataType::Utf8View => "text",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "bytea",
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => {
            return format!("{}[]", type_name(item.data_type()));
        }
        DataType::Dictionary(_, value) => return type_name(value),
        DataType::Struct(_)
        | DataType::Union(_, _)
        | DataType::Map(_, _)
        | DataType::RunEndEncoded(_, _) => "record",
    };
    name.to_owned()
}
