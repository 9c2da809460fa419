//! SQL types as functions see them: which Arrow type holds each, what each is called, what casts by itself.
//!
//! It knows PostgreSQL's implicit casts, and nothing of any function.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;

/// The field metadata key that names a SQL type which Arrow does not have.
pub(crate) const SQL_TYPE: &str = "tessera.type";

/// The Arrow type of `numeric` without a precision: its exact text. No other type lies in it.
pub(crate) const EXACT: DataType = DataType::LargeUtf8;

/// An argument's or result's SQL type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Ty {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Text,
    Bytea,
    Date,
    Time,
    Timetz,
    Timestamp,
    Timestamptz,
    Interval,
    Json,
    Jsonb,
    Uuid,
    /// An array of anything.
    Array,
    /// A value of anything.
    Any,
}

impl Ty {
    /// The Arrow type that holds it; `None` where the argument's own type stays.
    pub(crate) fn arrow(self, zone: &Arc<str>) -> Option<DataType> {
        Some(match self {
            Self::Bool => DataType::Boolean,
            Self::Int2 => DataType::Int16,
            Self::Int4 => DataType::Int32,
            Self::Int8 => DataType::Int64,
            Self::Float4 => DataType::Float32,
            Self::Float8 => DataType::Float64,
            Self::Text | Self::Json | Self::Jsonb | Self::Uuid => DataType::Utf8View,
            Self::Bytea => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Timetz => DataType::Time64(TimeUnit::Nanosecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone))),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Numeric => EXACT,
            Self::Array | Self::Any => return None,
        })
    }

    /// The metadata of a field of this type, where Arrow's type does not say it.
    fn metadata(self) -> HashMap<String, String> {
        let name = match self {
            Self::Json => "json",
            Self::Jsonb => "jsonb",
            Self::Uuid => "uuid",
            _ => return HashMap::new(),
        };
        HashMap::from([(SQL_TYPE.to_owned(), name.to_owned())])
    }

    /// A nullable field of this type.
    pub(crate) fn field(self, name: &str, zone: &Arc<str>) -> Field {
        let data_type = self.arrow(zone).unwrap_or(DataType::Null);
        Field::new(name, data_type, true).with_metadata(self.metadata())
    }

    /// What it costs to pass a value of Arrow type `from` as this type, or `None` if it can't be passed.
    ///
    /// Zero is the same type; small costs are PostgreSQL's implicit casts, preferred types first;
    /// large ones are what PostgreSQL does for literals only, whose type the engine has already chosen.
    pub(crate) fn cost(self, from: &DataType) -> Option<u32> {
        use DataType as D;
        let from = match from {
            D::Dictionary(_, value) => value.as_ref(),
            other => other,
        };
        if self == Self::Any {
            return Some(if matches!(from, D::Null) { 2 } else { 50 });
        }
        match from {
            D::Null => Some(if self == Self::Text { 0 } else { 1 }),
            D::Boolean => (self == Self::Bool).then_some(0),
            D::Int8 | D::Int16 | D::UInt8 => self.cost_of_integer(0),
            D::Int32 | D::UInt16 => self.cost_of_integer(1),
            D::Int64 | D::UInt32 | D::UInt64 => self.cost_of_integer(2),
            D::Float16 | D::Float32 => match self {
                Self::Float4 => Some(0),
                Self::Float8 => Some(1),
                Self::Numeric => Some(30),
                _ => None,
            },
            D::Float64 => match self {
                Self::Float8 => Some(0),
                Self::Numeric => Some(30),
                Self::Float4 => Some(31),
                _ => None,
            },
            D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => {
                match self {
                    Self::Numeric => Some(0),
                    Self::Float8 => Some(4),
                    Self::Float4 => Some(5),
                    _ => None,
                }
            }
            D::LargeUtf8 => match self {
                Self::Numeric => Some(0),
                Self::Float8 => Some(4),
                Self::Float4 => Some(5),
                _ => None,
            },
            D::Utf8 | D::Utf8View => match self {
                Self::Text | Self::Json | Self::Jsonb | Self::Uuid => Some(0),
                Self::Array => None,
                Self::Bytea => Some(10),
                Self::Numeric => Some(37),
                Self::Timestamptz => Some(38),
                Self::Float8 => Some(39),
                _ => Some(40),
            },
            D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => {
                (self == Self::Bytea).then_some(0)
            }
            D::Date32 | D::Date64 => match self {
                Self::Date => Some(0),
                Self::Timestamptz => Some(1),
                Self::Timestamp => Some(2),
                _ => None,
            },
            D::Time64(TimeUnit::Nanosecond) => (self == Self::Timetz).then_some(0),
            D::Time32(_) | D::Time64(_) => match self {
                Self::Time => Some(0),
                Self::Timetz => Some(1),
                _ => None,
            },
            // More than a literal of unknown type costs as the one instead of the other.
            D::Timestamp(_, None) => match self {
                Self::Timestamp => Some(0),
                Self::Timestamptz => Some(3),
                _ => None,
            },
            D::Timestamp(_, Some(_)) => (self == Self::Timestamptz).then_some(0),
            D::Interval(_) | D::Duration(_) => (self == Self::Interval).then_some(0),
            D::List(_) | D::LargeList(_) | D::FixedSizeList(..) | D::ListView(_) => {
                (self == Self::Array).then_some(0)
            }
            _ => None,
        }
    }

    fn cost_of_integer(self, size: u32) -> Option<u32> {
        let own = match self {
            Self::Int2 => 0,
            Self::Int4 => 1,
            Self::Int8 => 2,
            Self::Numeric => return Some(4),
            Self::Float8 => return Some(3),
            Self::Float4 => return Some(6),
            _ => return None,
        };
        Some(if own >= size {
            own - size
        } else {
            20 + size - own
        })
    }

    /// The Arrow type that an argument of Arrow type `from` is cast to for this parameter.
    pub(crate) fn accept(self, from: &DataType, zone: &Arc<str>) -> DataType {
        use DataType as D;
        match (self, from) {
            // The zone is part of the value's type and stays.
            (Self::Timestamptz, D::Timestamp(_, Some(own))) => {
                D::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(own)))
            }
            (Self::Numeric, D::Decimal128(..)) => from.clone(),
            (Self::Numeric, D::Decimal32(p, s) | D::Decimal64(p, s)) => D::Decimal128(*p, *s),
            (Self::Numeric, integer) if integer.is_integer() => D::Decimal128(20, 0),
            (Self::Numeric, _) => EXACT,
            // Text given as bytea is read in bytea's own notation, which a cast would not do.
            (Self::Bytea, D::Utf8 | D::Utf8View) => D::Utf8View,
            (Self::Array, D::LargeList(item) | D::FixedSizeList(item, _) | D::ListView(item)) => {
                D::List(Arc::clone(item))
            }
            (Self::Any, D::Dictionary(_, value)) => value.as_ref().clone(),
            (Self::Any, D::Utf8) => D::Utf8View,
            (Self::Array | Self::Any, _) => from.clone(),
            _ => self.arrow(zone).unwrap_or_else(|| from.clone()),
        }
    }
}

/// PostgreSQL's name of the type of a field, as `format_type` writes it.
pub(crate) fn type_name(field: &Field) -> String {
    use DataType as D;
    if let Some(name) = field.metadata().get(SQL_TYPE) {
        return spelled(name);
    }
    let name = match field.data_type() {
        D::Null => "unknown",
        D::Boolean => "boolean",
        D::Int8 | D::Int16 | D::UInt8 => "smallint",
        D::Int32 | D::UInt16 => "integer",
        D::Int64 => "bigint",
        D::UInt32 => "oid",
        D::UInt64 => "numeric",
        D::Float16 | D::Float32 => "real",
        D::Float64 => "double precision",
        D::Decimal32(..) | D::Decimal64(..) | D::Decimal128(..) | D::Decimal256(..) => "numeric",
        D::LargeUtf8 => "numeric",
        D::Utf8 | D::Utf8View => "text",
        D::Binary | D::LargeBinary | D::BinaryView | D::FixedSizeBinary(_) => "bytea",
        D::Date32 | D::Date64 => "date",
        D::Time64(TimeUnit::Nanosecond) => "time with time zone",
        D::Time32(_) | D::Time64(_) => "time without time zone",
        D::Timestamp(_, None) => "timestamp without time zone",
        D::Timestamp(_, Some(_)) => "timestamp with time zone",
        D::Interval(_) | D::Duration(_) => "interval",
        D::Dictionary(_, value) => return type_name(&Field::new("", value.as_ref().clone(), true)),
        D::List(item) | D::LargeList(item) | D::FixedSizeList(item, _) | D::ListView(item) => {
            let item = type_name(item);
            return if item.ends_with("[]") {
                item
            } else {
                item + "[]"
            };
        }
        D::Struct(_) => "record",
        _ => "unknown",
    };
    name.to_owned()
}

/// Whether values of this type are numbers, exact ones among them.
pub(crate) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || *data_type == EXACT
}

/// The long spelling of a type that the metadata names, without its modifier.
fn spelled(name: &str) -> String {
    if let Some(facts) = name.strip_prefix("enum:") {
        return enum_name(facts);
    }
    let base = name.split('(').next().unwrap_or(name).trim();
    let array = if name.trim_end().ends_with("[]") {
        "[]"
    } else {
        ""
    };
    let base = base.trim_end_matches("[]");
    let long = match base {
        "varchar" => "character varying",
        "char" | "bpchar" => "character",
        "int2" => "smallint",
        "int4" | "int" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "bool" => "boolean",
        "timestamptz" => "timestamp with time zone",
        "timestamp" => "timestamp without time zone",
        "time" => "time without time zone",
        "timetz" => "time with time zone",
        other => other,
    };
    format!("{long}{array}")
}

/// The name of an enum, of which the metadata tells all in JSON.
fn enum_name(facts: &str) -> String {
    let (facts, array) = match facts.strip_suffix("[]") {
        Some(facts) => (facts, "[]"),
        None => (facts, ""),
    };
    let name = facts.split_once("\"name\":\"").map(|(_, rest)| rest);
    let name = name.and_then(|rest| rest.split('"').next());
    format!("{}{array}", name.unwrap_or("enum"))
}

/// PostgreSQL's name of a call: `lpad(text, integer)`. Text literals have no type yet, and whole ones are integers.
pub fn call_name(name: &str, fields: &[FieldRef], constants: &[Option<&ScalarValue>]) -> String {
    let types = fields.iter().enumerate().map(|(index, field)| {
        match constants.get(index).copied().flatten() {
            Some(ScalarValue::Utf8(_)) => "unknown".to_owned(),
            Some(ScalarValue::Int64(Some(value))) if i32::try_from(*value).is_ok() => {
                "integer".to_owned()
            }
            _ => type_name(field),
        }
    });
    format!("{name}({})", types.collect::<Vec<_>>().join(", "))
}
