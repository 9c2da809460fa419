//! `FOR VERSION AS OF` and `FOR TIMESTAMP AS OF`: the version becomes part of the name that is
//! looked up, because the engine's own table factors have no place for it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Statement, TableAlias, TableFactor, TableVersion,
    UnaryOperator, Value, VisitorMut,
};

use crate::error::{Error, Result};
use crate::planner::source::AsOf;
use tessera_udfs::walk::walk_mut;

/// What stands between a table's name and its version.
const MARK: &str = "\u{2}";

/// Moves versions into names.
///
/// # Errors
/// A version that is no constant, or another form of time travel.
pub(in crate::planner) fn mark_versions(statement: &mut Statement) -> Result<()> {
    match walk_mut(statement, &mut Marker) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// A marked name's table and version.
pub(in crate::planner) fn unmark(name: &str) -> Result<(&str, AsOf)> {
    let Some((table, version)) = name.split_once(MARK) else {
        return Ok((name, AsOf::Now));
    };
    let as_of = match version.split_at_checked(1) {
        Some(("v", number)) => number.parse().ok().map(AsOf::Version),
        Some(("t", text)) => microseconds(text).map(AsOf::Timestamp),
        _ => None,
    };
    let invalid = || {
        Error::InvalidDatetime(format!(
            "invalid input syntax for type timestamp: \"{}\"",
            version.get(1..).unwrap_or_default()
        ))
    };
    Ok((table, as_of.ok_or_else(invalid)?))
}

/// Reads a date, or a date and time with or without an offset; without one it is UTC.
fn microseconds(text: &str) -> Option<i64> {
    use chrono::{DateTime, NaiveDate, NaiveDateTime};
    let text = text.trim();
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp_micros());
    }
    for format in ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z"] {
        if let Ok(moment) = DateTime::parse_from_str(text, format) {
            return Some(moment.timestamp_micros());
        }
    }
    for format in [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(moment) = NaiveDateTime::parse_from_str(text, format) {
            return Some(moment.and_utc().timestamp_micros());
        }
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}

struct Marker;

impl VisitorMut for Marker {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let TableFactor::Table {
            name,
            version,
            alias,
            ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        let Some(version) = version.take() else {
            return ControlFlow::Continue(());
        };
        match mark(&version) {
            Ok(suffix) => {
                if alias.is_none() {
                    *alias = name
                        .0
                        .last()
                        .and_then(ObjectNamePart::as_ident)
                        .map(|ident| TableAlias {
                            explicit: false,
                            name: ident.clone(),
                            columns: Vec::new(),
                            at: None,
                        });
                }
                add_suffix(name, &suffix);
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn add_suffix(name: &mut ObjectName, suffix: &str) {
    if let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut() {
        let table = match last.quote_style {
            Some(_) => last.value.clone(),
            None => last.value.to_lowercase(),
        };
        *last = Ident::with_quote('"', format!("{table}{MARK}{suffix}"));
    }
}

fn mark(version: &TableVersion) -> Result<String> {
    match version {
        TableVersion::VersionAsOf(expr) => Ok(format!("v{}", constant(expr)?)),
        TableVersion::TimestampAsOf(expr) => Ok(format!("t{}", constant(expr)?)),
        other => Err(Error::Unsupported(format!(
            "time travel written as {other}"
        ))),
    }
}

fn constant(expr: &Expr) -> Result<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => Ok(digits.clone()),
            Value::SingleQuotedString(text) => Ok(text.clone()),
            other => Err(Error::Unsupported(format!("time travel to {other}"))),
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => Ok(format!("-{}", constant(expr)?)),
        Expr::TypedString(typed) => constant(&Expr::Value(typed.value.clone())),
        Expr::Cast { expr, .. } | Expr::Nested(expr) => constant(expr),
        _ => Err(Error::Unsupported(
            "time travel to a moment that is not a constant".to_owned(),
        )),
    }
}
