//! SQL types: what a column is called in SQL, how Arrow holds it, and its number on the wire.
//!
//! This is the one place where PostgreSQL's names, OIDs and type modifiers meet Arrow's types. An
//! Arrow type alone does not tell a `uuid` from a `text`, so a field carries its SQL type under
//! [`TYPE_KEY`] whenever the Arrow type would not be read back as the same SQL type.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};

use crate::enum_type::EnumType;
use crate::id::Oid;

/// The key of a field's metadata that holds the SQL type's name.
pub const TYPE_KEY: &str = "tessera.type";

/// The most digits a `numeric` column can hold.
pub const MAX_NUMERIC_PRECISION: u8 = 38;

/// The longest `varchar(n)` and `char(n)`, as in PostgreSQL.
pub const MAX_CHARACTER_LENGTH: u32 = 10_485_760;

/// A SQL type with its modifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SqlType {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    /// `numeric(p, s)`, or `numeric` without limits when `None`.
    Numeric(Option<(u8, i8)>),
    Text,
    /// `character varying(n)`, without a limit when `None`.
    Varchar(Option<u32>),
    /// `character(n)`; its values are kept without the padding.
    Char(u32),
    /// `name`: an identifier in the catalogs.
    Name,
    /// `"char"`: one byte, in the catalogs.
    InternalChar,
    Bytea,
    Date,
    Time,
    /// `time with time zone`, packed as [`crate::zoned_time`] has it.
    Timetz,
    Timestamp,
    Timestamptz,
    Interval,
    Uuid,
    Json,
    Jsonb,
    Oid,
    /// `regclass`, `regtype` and their kin, by name.
    Reg(RegType),
    /// `int2vector`, in the catalogs.
    Int2Vector,
    /// `oidvector`, in the catalogs.
    OidVector,
    /// An enum of a user's, with its words.
    Enum(Arc<EnumType>),
    /// An array of any of the others.
    Array(Box<SqlType>),
    /// A row of anonymous fields.
    Record,
    /// The type of an untyped NULL or literal.
    Unknown,
    /// The type of a function that returns nothing.
    Void,
}

/// The `reg*` types: an OID that is written as the object's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RegType {
    Class,
    Type,
    Namespace,
    Proc,
    Role,
    Procedure,
    Operator,
    Oper,
}

impl RegType {
    const ALL: [(RegType, &'static str, u32, u32); 8] = [
        (Self::Class, "regclass", 2205, 2210),
        (Self::Type, "regtype", 2206, 2211),
        (Self::Namespace, "regnamespace", 4089, 4090),
        (Self::Proc, "regproc", 24, 1008),
        (Self::Role, "regrole", 4096, 4097),
        (Self::Procedure, "regprocedure", 2202, 2207),
        (Self::Operator, "regoperator", 2204, 2209),
        (Self::Oper, "regoper", 2203, 2208),
    ];

    fn row(self) -> &'static (RegType, &'static str, u32, u32) {
        let index = Self::ALL.iter().position(|row| row.0 == self);
        &Self::ALL[index.unwrap_or_default()]
    }
}

impl SqlType {
    /// The type that `name` means, as in `numeric(10,2)`, `character varying(5)` or `integer[]`.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        if let Some(element) = name.strip_suffix("[]") {
            return Some(Self::Array(Box::new(Self::parse(element)?)));
        }
        if let Some(enumerated) = EnumType::parse(name) {
            return Some(Self::Enum(enumerated));
        }
        let (base, arguments) = match name.split_once('(') {
            Some((base, rest)) => (base.trim(), Some(rest.trim_end().strip_suffix(')')?)),
            None => (name, None),
        };
        let length = || arguments.map(|a| a.trim().parse::<u32>()).transpose().ok();
        Some(match base.to_ascii_lowercase().as_str() {
            "boolean" | "bool" => Self::Bool,
            "smallint" | "int2" => Self::Int2,
            "integer" | "int" | "int4" => Self::Int4,
            "bigint" | "int8" => Self::Int8,
            "real" | "float4" => Self::Float4,
            "double precision" | "float8" => Self::Float8,
            "numeric" | "decimal" => Self::Numeric(match arguments {
                None => None,
                Some(list) => {
                    let mut parts = list.split(',').map(str::trim);
                    let precision = parts.next()?.parse().ok()?;
                    let scale = parts.next().map_or(Ok(0), str::parse).ok()?;
                    Some((precision, scale))
                }
            }),
            "text" => Self::Text,
            "character varying" | "varchar" => Self::Varchar(length()?),
            "bpchar" if arguments.is_none() => Self::Char(0),
            "character" | "char" | "bpchar" if name != "\"char\"" => {
                Self::Char(length()?.unwrap_or(1))
            }
            "name" => Self::Name,
            "\"char\"" => Self::InternalChar,
            "bytea" => Self::Bytea,
            "date" => Self::Date,
            "time" | "time without time zone" => Self::Time,
            "timetz" | "time with time zone" => Self::Timetz,
            "timestamp" | "timestamp without time zone" => Self::Timestamp,
            "timestamptz" | "timestamp with time zone" => Self::Timestamptz,
            "interval" => Self::Interval,
            "uuid" => Self::Uuid,
            "json" => Self::Json,
            "jsonb" => Self::Jsonb,
            "oid" => Self::Oid,
            "int2vector" => Self::Int2Vector,
            "oidvector" => Self::OidVector,
            "record" => Self::Record,
            "unknown" => Self::Unknown,
            "void" => Self::Void,
            other => {
                let row = RegType::ALL.iter().find(|row| row.1 == other)?;
                Self::Reg(row.0)
            }
        })
    }

    /// The OID of the type in `pg_type`.
    pub fn oid(&self) -> u32 {
        match self {
            Self::Bool => 16,
            Self::Bytea => 17,
            Self::InternalChar => 18,
            Self::Name => 19,
            Self::Int8 => 20,
            Self::Int2 => 21,
            Self::Int2Vector => 22,
            Self::Int4 => 23,
            Self::Text => 25,
            Self::Oid => 26,
            Self::OidVector => 30,
            Self::Json => 114,
            Self::Float4 => 700,
            Self::Float8 => 701,
            Self::Unknown => 705,
            Self::Char(_) => 1042,
            Self::Varchar(_) => 1043,
            Self::Date => 1082,
            Self::Time => 1083,
            Self::Timestamp => 1114,
            Self::Timestamptz => 1184,
            Self::Interval => 1186,
            Self::Timetz => 1266,
            Self::Numeric(_) => 1700,
            Self::Record => 2249,
            Self::Void => 2278,
            Self::Uuid => 2950,
            Self::Jsonb => 3802,
            Self::Reg(kind) => kind.row().2,
            Self::Enum(enumerated) => enumerated.oid().0,
            Self::Array(element) => element.array_oid(),
        }
    }

    /// The OID of the array of this type.
    pub fn array_oid(&self) -> u32 {
        match self {
            Self::Bool => 1000,
            Self::Bytea => 1001,
            Self::InternalChar => 1002,
            Self::Name => 1003,
            Self::Int2 => 1005,
            Self::Int2Vector => 1006,
            Self::Int4 => 1007,
            Self::Text | Self::Unknown | Self::Void => 1009,
            Self::OidVector => 1013,
            Self::Char(_) => 1014,
            Self::Varchar(_) => 1015,
            Self::Int8 => 1016,
            Self::Float4 => 1021,
            Self::Float8 => 1022,
            Self::Oid => 1028,
            Self::Timestamp => 1115,
            Self::Date => 1182,
            Self::Time => 1183,
            Self::Timestamptz => 1185,
            Self::Interval => 1187,
            Self::Timetz => 1270,
            Self::Json => 199,
            Self::Numeric(_) => 1231,
            Self::Record => 2287,
            Self::Uuid => 2951,
            Self::Jsonb => 3807,
            Self::Reg(kind) => kind.row().3,
            Self::Enum(enumerated) => enumerated.array_oid().0,
            Self::Array(element) => element.array_oid(),
        }
    }

    /// The type with this OID, without a modifier.
    pub fn from_oid(oid: u32) -> Option<Self> {
        Self::SCALARS
            .iter()
            .cloned()
            .chain(RegType::ALL.iter().map(|row| Self::Reg(row.0)))
            .find_map(|scalar| {
                if scalar.oid() == oid {
                    Some(scalar)
                } else if scalar.array_oid() == oid
                    && scalar != Self::Unknown
                    && scalar != Self::Void
                {
                    Some(Self::Array(Box::new(scalar)))
                } else {
                    None
                }
            })
    }

    /// Every type that is neither an array nor a `reg*` type, without modifiers.
    pub const SCALARS: [SqlType; 29] = [
        Self::Bool,
        Self::Bytea,
        Self::InternalChar,
        Self::Name,
        Self::Int8,
        Self::Int2,
        Self::Int2Vector,
        Self::Int4,
        Self::Text,
        Self::Oid,
        Self::OidVector,
        Self::Json,
        Self::Float4,
        Self::Float8,
        Self::Unknown,
        Self::Char(0),
        Self::Varchar(None),
        Self::Date,
        Self::Time,
        Self::Timetz,
        Self::Timestamp,
        Self::Timestamptz,
        Self::Interval,
        Self::Numeric(None),
        Self::Record,
        Self::Void,
        Self::Uuid,
        Self::Jsonb,
        Self::Reg(RegType::Class),
    ];

    /// PostgreSQL's type modifier: -1 without one.
    pub fn typmod(&self) -> i32 {
        match self {
            Self::Numeric(Some((precision, scale))) => {
                ((i32::from(*precision) << 16) | (i32::from(*scale) & 0x7ff)) + 4
            }
            Self::Varchar(Some(n)) | Self::Char(n) if *n > 0 => *n as i32 + 4,
            Self::Array(element) => element.typmod(),
            _ => -1,
        }
    }

    /// The size that `pg_type.typlen` and RowDescription give: -1 for variable length.
    pub fn typlen(&self) -> i16 {
        match self {
            Self::Bool | Self::InternalChar => 1,
            Self::Int2 => 2,
            Self::Int4
            | Self::Float4
            | Self::Date
            | Self::Oid
            | Self::Reg(_)
            | Self::Void
            | Self::Enum(_) => 4,
            Self::Int8 | Self::Float8 | Self::Time | Self::Timestamp | Self::Timestamptz => 8,
            Self::Timetz => 12,
            Self::Interval | Self::Uuid => 16,
            Self::Name => 64,
            Self::Unknown => -2,
            _ => -1,
        }
    }

    /// The name in `pg_type.typname`, such as `int4`.
    pub fn typname(&self) -> String {
        let name = match self {
            Self::Bool => "bool",
            Self::Int2 => "int2",
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Float4 => "float4",
            Self::Float8 => "float8",
            Self::Numeric(_) => "numeric",
            Self::Text => "text",
            Self::Varchar(_) => "varchar",
            Self::Char(_) => "bpchar",
            Self::Name => "name",
            Self::InternalChar => "char",
            Self::Bytea => "bytea",
            Self::Date => "date",
            Self::Time => "time",
            Self::Timetz => "timetz",
            Self::Timestamp => "timestamp",
            Self::Timestamptz => "timestamptz",
            Self::Interval => "interval",
            Self::Uuid => "uuid",
            Self::Json => "json",
            Self::Jsonb => "jsonb",
            Self::Oid => "oid",
            Self::Int2Vector => "int2vector",
            Self::OidVector => "oidvector",
            Self::Record => "record",
            Self::Unknown => "unknown",
            Self::Void => "void",
            Self::Reg(kind) => kind.row().1,
            Self::Enum(enumerated) => enumerated.name(),
            Self::Array(element) => return format!("_{}", element.typname()),
        };
        name.to_owned()
    }

    /// A text from which [`SqlType::parse`] makes the type again.
    pub fn serial(&self) -> String {
        match self {
            Self::Enum(enumerated) => enumerated.serial().to_owned(),
            Self::Array(element) => format!("{}[]", element.serial()),
            other => other.to_string(),
        }
    }

    /// The number of the enum that values or elements of this type are of.
    pub fn enum_oid(&self) -> Option<Oid> {
        match self {
            Self::Enum(enumerated) => Some(enumerated.oid()),
            Self::Array(element) => element.enum_oid(),
            _ => None,
        }
    }

    /// This type with other words for its enum.
    pub fn with_enum(&self, enumerated: Arc<EnumType>) -> Self {
        match self {
            Self::Enum(_) => Self::Enum(enumerated),
            Self::Array(element) => Self::Array(Box::new(element.with_enum(enumerated))),
            other => other.clone(),
        }
    }

    /// How Arrow holds a value of this type while a query runs; `zone` is the session's time zone.
    pub fn arrow(&self, zone: &Arc<str>) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int2 => DataType::Int16,
            Self::Int4 => DataType::Int32,
            Self::Int8 => DataType::Int64,
            Self::Float4 => DataType::Float32,
            Self::Float8 => DataType::Float64,
            Self::Numeric(Some((precision, scale))) => DataType::Decimal128(*precision, *scale),
            Self::Oid | Self::Reg(_) => DataType::UInt32,
            Self::Bytea => DataType::BinaryView,
            Self::Date => DataType::Date32,
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            // No other type lies in this one.
            Self::Timetz => DataType::Time64(TimeUnit::Nanosecond),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(zone))),
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Unknown => DataType::Null,
            // No other type lies in this one, so that nothing else has to tell it.
            Self::Numeric(None) => DataType::LargeUtf8,
            Self::Text
            | Self::Varchar(_)
            | Self::Char(_)
            | Self::Name
            | Self::InternalChar
            | Self::Uuid
            | Self::Json
            | Self::Jsonb
            | Self::Enum(_)
            | Self::Void
            | Self::Record => DataType::Utf8View,
            Self::Int2Vector => DataType::new_list(DataType::Int16, true),
            Self::OidVector => DataType::new_list(DataType::UInt32, true),
            Self::Array(element) => DataType::List(element.field("item", true, zone)),
        }
    }

    /// A field of this type that remembers the SQL type where Arrow's does not tell it.
    pub fn field(&self, name: &str, nullable: bool, zone: &Arc<str>) -> FieldRef {
        let field = Field::new(name, self.arrow(zone), nullable);
        Arc::new(field.with_metadata(self.metadata(zone)))
    }

    /// The metadata that tells this type from the others of its Arrow type; empty if none is needed.
    pub fn metadata(&self, zone: &Arc<str>) -> HashMap<String, String> {
        if Self::from_arrow(&self.arrow(zone)) == *self {
            HashMap::new()
        } else {
            HashMap::from([(TYPE_KEY.to_owned(), self.serial())])
        }
    }

    /// The SQL type of a field: what its metadata says, or what its Arrow type is taken for.
    pub fn of(field: &Field) -> Self {
        let by_arrow = Self::from_arrow(field.data_type());
        let named = field.metadata().get(TYPE_KEY);
        match named.and_then(|name| Self::parse(name)) {
            // A name that no longer fits, as after a cast that kept its input's metadata, is void.
            Some(named) if named.holds(field.data_type()) => named,
            _ => by_arrow,
        }
    }

    /// Whether values of this type can lie in an array of `data_type`.
    fn holds(&self, data_type: &DataType) -> bool {
        let zone: Arc<str> = Arc::from("UTC");
        let own = self.arrow(&zone);
        match (&own, data_type) {
            (DataType::Utf8View, other) => matches!(other, DataType::Utf8View | DataType::Utf8),
            (DataType::List(_), other) => matches!(
                other,
                DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _)
            ),
            (DataType::UInt32, other) => matches!(other, DataType::UInt32 | DataType::Int64),
            (own, other) => own == other,
        }
    }

    /// The SQL type that an Arrow type is taken for when nothing else is known.
    pub fn from_arrow(data_type: &DataType) -> Self {
        match data_type {
            DataType::Null => Self::Unknown,
            DataType::Boolean => Self::Bool,
            DataType::Int8 | DataType::UInt8 | DataType::Int16 => Self::Int2,
            DataType::UInt16 | DataType::Int32 => Self::Int4,
            DataType::UInt32 => Self::Oid,
            DataType::Int64 | DataType::UInt64 => Self::Int8,
            DataType::Float16 | DataType::Float32 => Self::Float4,
            DataType::Float64 => Self::Float8,
            DataType::Decimal32(p, s)
            | DataType::Decimal64(p, s)
            | DataType::Decimal128(p, s)
            | DataType::Decimal256(p, s) => Self::Numeric(Some((*p, *s))),
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Bytea,
            DataType::Date32 | DataType::Date64 => Self::Date,
            DataType::Time64(TimeUnit::Nanosecond) => Self::Timetz,
            DataType::Time32(_) | DataType::Time64(_) => Self::Time,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::Timestamptz,
            DataType::Interval(_) | DataType::Duration(_) => Self::Interval,
            DataType::List(field)
            | DataType::LargeList(field)
            | DataType::ListView(field)
            | DataType::LargeListView(field)
            | DataType::FixedSizeList(field, _) => match Self::of(field) {
                nested @ Self::Array(_) => nested,
                element => Self::Array(Box::new(element)),
            },
            DataType::Dictionary(_, value) => Self::from_arrow(value),
            DataType::RunEndEncoded(_, value) => Self::of(value),
            DataType::Struct(_) | DataType::Map(_, _) | DataType::Union(_, _) => Self::Record,
            DataType::LargeUtf8 => Self::Numeric(None),
            DataType::Utf8 | DataType::Utf8View => Self::Text,
        }
    }
}

impl fmt::Display for SqlType {
    /// The name that `format_type` gives, such as `character varying(10)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Bool => "boolean",
            Self::Int2 => "smallint",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Float4 => "real",
            Self::Float8 => "double precision",
            Self::Numeric(Some((precision, scale))) => {
                return write!(f, "numeric({precision},{scale})");
            }
            Self::Numeric(None) => "numeric",
            Self::Varchar(Some(n)) => return write!(f, "character varying({n})"),
            Self::Varchar(None) => "character varying",
            Self::Char(0) => "bpchar",
            Self::Char(n) => return write!(f, "character({n})"),
            Self::InternalChar => "\"char\"",
            Self::Time => "time without time zone",
            Self::Timetz => "time with time zone",
            Self::Timestamp => "timestamp without time zone",
            Self::Timestamptz => "timestamp with time zone",
            Self::Array(element) => return write!(f, "{element}[]"),
            Self::Enum(enumerated) => {
                return f.write_str(&crate::system::quote_ident(enumerated.name()));
            }
            other => return f.write_str(&other.typname()),
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back() {
        for name in [
            "integer",
            "numeric(10,2)",
            "numeric",
            "character varying(5)",
            "character(3)",
            "\"char\"",
            "timestamp with time zone",
            "time with time zone",
            "uuid",
            "text[]",
            "regclass",
        ] {
            assert_eq!(SqlType::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_field_keeps_its_sql_type() {
        let zone: Arc<str> = Arc::from("Europe/Paris");
        for sql_type in SqlType::SCALARS {
            if matches!(sql_type, SqlType::Unknown | SqlType::Void) {
                continue;
            }
            let array = SqlType::Array(Box::new(sql_type.clone()));
            assert_eq!(SqlType::of(&sql_type.field("c", true, &zone)), sql_type);
            assert_eq!(SqlType::of(&array.field("c", true, &zone)), array);
        }
    }

    #[test]
    fn oids_are_read_back() {
        for sql_type in SqlType::SCALARS {
            assert_eq!(SqlType::from_oid(sql_type.oid()), Some(sql_type));
        }
        let array = SqlType::Array(Box::new(SqlType::Int4));
        assert_eq!(SqlType::from_oid(1007), Some(array));
    }
}
