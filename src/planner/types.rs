//! Type names in SQL text to SQL types.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType as ArrowType, Field, FieldRef};
use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CharacterLength, DataType, ExactNumberInfo, TimezoneInfo,
};
use datafusion::sql::sqlparser::parser::Parser;
use tessera_catalog::sql_type::{MAX_CHARACTER_LENGTH, MAX_NUMERIC_PRECISION, SqlType};

use super::dialect::Tessera;
use super::user_types::{self, UserTypes};
use crate::error::{Error, Result};

/// Tells the engine what our types are in Arrow, with the session's time zone in `timestamptz`.
#[derive(Debug)]
pub(super) struct Types {
    pub(super) zone: Arc<str>,
    pub(super) user_types: UserTypes,
}

impl TypePlanner for Types {
    fn plan_type_field(&self, written: &DataType) -> EngineResult<Option<FieldRef>> {
        let mut field = sql_type(written, &self.user_types)?.field("", true, &self.zone);
        // Only the literals of deep arrays are cast to types that are written so.
        for _ in 1..written_depth(written) {
            let item = field
                .as_ref()
                .clone()
                .with_name(Field::LIST_FIELD_DEFAULT_NAME);
            field = Arc::new(Field::new("", ArrowType::List(Arc::new(item)), true));
        }
        Ok(Some(field))
    }
}

/// How many brackets follow the element's type.
fn written_depth(written: &DataType) -> usize {
    match written {
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(element, _)
            | ArrayElemTypeDef::AngleBracket(element)
            | ArrayElemTypeDef::Parenthesis(element),
        ) => 1 + written_depth(element),
        _ => 0,
    }
}

/// The largest precision that PostgreSQL takes.
const MAX_WRITTEN_PRECISION: u64 = 1000;

/// The SQL type that a type name means.
///
/// # Errors
/// A type that does not exist, or a modifier beyond its limits.
pub fn sql_type(written: &DataType, user_types: &UserTypes) -> Result<SqlType> {
    typed(written, Some(user_types))
}

/// The SQL type that a type name means, if PostgreSQL has it itself.
pub(super) fn built_in(written: &DataType) -> Option<SqlType> {
    typed(written, None).ok()
}

fn typed(written: &DataType, user_types: Option<&UserTypes>) -> Result<SqlType> {
    use DataType as D;
    Ok(match written {
        D::Boolean | D::Bool => SqlType::Bool,
        D::SmallInt(_) | D::Int2(_) => SqlType::Int2,
        D::Int(_) | D::Integer(_) | D::Int4(_) => SqlType::Int4,
        D::BigInt(_) | D::Int8(_) => SqlType::Int8,
        D::Real | D::Float4 => SqlType::Float4,
        D::Float8 | D::DoublePrecision | D::Double(_) => SqlType::Float8,
        D::Float(info) => match info {
            ExactNumberInfo::Precision(bits) if *bits == 0 || *bits > 53 => {
                return Err(Error::InvalidParameterValue(
                    "precision for type float must be at least 1 bit and less than 54 bits".into(),
                ));
            }
            ExactNumberInfo::Precision(bits) if *bits < 25 => SqlType::Float4,
            _ => SqlType::Float8,
        },
        D::Numeric(info) | D::Decimal(info) | D::Dec(info) => numeric(*info)?,
        D::Text => SqlType::Text,
        D::Varchar(length) | D::CharacterVarying(length) | D::CharVarying(length) => {
            SqlType::Varchar(character_length(length.as_ref(), "varchar")?)
        }
        D::Char(length) | D::Character(length) => {
            SqlType::Char(character_length(length.as_ref(), "char")?.unwrap_or(1))
        }
        D::Bytea => SqlType::Bytea,
        D::Date => SqlType::Date,
        D::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => SqlType::Time,
        D::Time(..) => SqlType::Timetz,
        D::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => SqlType::Timestamp,
        D::Timestamp(..) => SqlType::Timestamptz,
        D::Interval { .. } => SqlType::Interval,
        D::Uuid => SqlType::Uuid,
        D::JSON => SqlType::Json,
        D::JSONB => SqlType::Jsonb,
        D::Regclass => named("regclass")?,
        D::Array(
            ArrayElemTypeDef::SquareBracket(element, _)
            | ArrayElemTypeDef::AngleBracket(element)
            | ArrayElemTypeDef::Parenthesis(element),
        ) => match typed(element, user_types)? {
            _ if user_types.is_some_and(|types| is_domain(element, types)) => {
                return Err(Error::Unsupported(format!(
                    "an array of the domain {element}"
                )));
            }
            nested @ SqlType::Array(_) => nested,
            element => SqlType::Array(Box::new(element)),
        },
        D::Custom(name, arguments) => {
            let mut parts: Vec<String> = name
                .0
                .iter()
                .filter_map(|part| part.as_ident())
                .map(|ident| match ident.quote_style {
                    // The one-byte type is named only in quotes; `char` without them is `character`.
                    Some(_) if ident.value == "char" => "\"char\"".to_owned(),
                    Some(_) => ident.value.clone(),
                    None => ident.value.to_lowercase(),
                })
                .collect();
            let named_parts = parts.clone();
            if parts.len() > 1 && matches!(parts[0].as_str(), "pg_catalog" | "information_schema") {
                parts.remove(0);
            }
            let mut written = parts.join(".");
            if !arguments.is_empty() {
                written = format!("{written}({})", arguments.join(","));
            }
            match (named(&written), user_types) {
                (Err(Error::NoSuchType(_)), Some(types)) => {
                    let found = types.sql_type(&named_parts, !arguments.is_empty())?;
                    found.ok_or_else(|| Error::NoSuchType(named_parts.join(".")))?
                }
                (found, _) => found?,
            }
        }
        other => named(&other.to_string().to_lowercase())?,
    })
}

fn is_domain(written: &DataType, types: &UserTypes) -> bool {
    types.written(written).is_some_and(|t| t.domain().is_some())
}

fn named(name: &str) -> Result<SqlType> {
    match name {
        "serial" | "serial4" | "bigserial" | "serial8" | "smallserial" => {
            return Err(Error::Unsupported(format!("type {name}")));
        }
        // Domains of information_schema.
        "sql_identifier" => return Ok(SqlType::Name),
        "cardinal_number" => return Ok(SqlType::Int4),
        "character_data" | "yes_or_no" => return Ok(SqlType::Varchar(None)),
        _ => {}
    }
    SqlType::parse(name).ok_or_else(|| Error::NoSuchType(name.to_owned()))
}

fn numeric(info: ExactNumberInfo) -> Result<SqlType> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => return Ok(SqlType::Numeric(None)),
        ExactNumberInfo::Precision(precision) => (precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (precision, scale),
    };
    let limit = u64::from(MAX_NUMERIC_PRECISION);
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(p), Ok(s)) if (1..=MAX_NUMERIC_PRECISION).contains(&p) && s >= 0 && s as u8 <= p => {
            Ok(SqlType::Numeric(Some((p, s))))
        }
        _ if precision == 0 || precision > MAX_WRITTEN_PRECISION => {
            Err(Error::InvalidParameterValue(format!(
                "NUMERIC precision {precision} must be between 1 and {MAX_WRITTEN_PRECISION}"
            )))
        }
        _ if limit < precision => Err(Error::Unsupported(format!(
            "type numeric with {precision} digits: at most {limit} are; numeric without a \
                 precision holds any number of digits"
        ))),
        _ => Err(Error::InvalidParameterValue(format!(
            "NUMERIC scale {scale} must be between 0 and precision {precision}"
        ))),
    }
}

fn character_length(length: Option<&CharacterLength>, name: &str) -> Result<Option<u32>> {
    let length = match length {
        None | Some(CharacterLength::Max) => return Ok(None),
        Some(CharacterLength::IntegerLength { length, .. }) => *length,
    };
    if length == 0 {
        return Err(Error::InvalidParameterValue(format!(
            "length for type {name} must be at least 1"
        )));
    }
    match u32::try_from(length) {
        Ok(length) if length <= MAX_CHARACTER_LENGTH => Ok(Some(length)),
        _ => Err(Error::InvalidParameterValue(format!(
            "length for type {name} cannot exceed {MAX_CHARACTER_LENGTH}"
        ))),
    }
}

/// A type as the parser would have read it.
///
/// # Errors
/// A type whose name the parser does not read, which is a bug.
pub(crate) fn written_type(sql_type: &SqlType) -> Result<DataType> {
    match sql_type {
        SqlType::Enum(enumerated) => return Ok(user_types::by_number(enumerated.oid())),
        SqlType::Array(element) if element.enum_oid().is_some() => {
            let element = Box::new(written_type(element)?);
            return Ok(DataType::Array(ArrayElemTypeDef::SquareBracket(
                element, None,
            )));
        }
        _ => {}
    }
    let text = sql_type.to_string();
    Parser::new(&Tessera)
        .try_with_sql(&text)
        .and_then(|mut parser| parser.parse_data_type())
        .map_err(|error| Error::Internal(Box::new(error)))
}
