//! The engine's errors in our words, converted once at their root cause.

use datafusion::arrow::error::ArrowError;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use tessera_catalog::encryption::SealError;

use crate::error::Error;

/// What PostgreSQL says of a function or an operator that it does not find.
const HINT: &str =
    "matches the given name and argument types. You might need to add explicit type casts.";

/// Our error for one of the engine's.
pub fn engine_error(error: DataFusionError) -> Error {
    if let Some(cause) = SealError::behind(&error) {
        return Error::sealed(&cause);
    }
    match error {
        DataFusionError::External(cause) => external(cause),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
            engine_error(*inner)
        }
        DataFusionError::Shared(shared) => match shared.find_root() {
            DataFusionError::External(cause) => {
                borrowed(cause.as_ref()).unwrap_or_else(|| by_text(&cause.to_string()))
            }
            DataFusionError::ResourcesExhausted(_) => out_of_memory(),
            DataFusionError::ArrowError(arrow, _) => match arrow.as_ref() {
                ArrowError::IoError(_, cause) => shared_io_error(cause),
                other => arrow_error(&other.to_string(), other),
            },
            DataFusionError::IoError(cause) => shared_io_error(cause),
            other => by_text(&other.to_string()),
        },
        DataFusionError::Collection(mut errors) if !errors.is_empty() => {
            engine_error(errors.swap_remove(0))
        }
        DataFusionError::SchemaError(cause, _) => schema_error(*cause),
        DataFusionError::ArrowError(arrow, _) => match *arrow {
            ArrowError::ExternalError(cause) => external(cause),
            ArrowError::IoError(_, cause) => io_error(cause),
            other => arrow_error(&other.to_string(), &other),
        },
        DataFusionError::ResourcesExhausted(_) => out_of_memory(),
        DataFusionError::NotImplemented(what) => {
            if let Some(error) = misplaced(&what) {
                return error;
            }
            let what = what
                .trim_end_matches(" is not supported")
                .trim_end_matches(" not supported");
            Error::Unsupported(lower_first(what))
        }
        DataFusionError::ParquetError(cause) => Error::Internal(cause),
        DataFusionError::ObjectStore(cause) => Error::StoreUnavailable(cause),
        DataFusionError::IoError(cause) => io_error(cause),
        DataFusionError::Plan(text)
        | DataFusionError::Execution(text)
        | DataFusionError::Internal(text)
        | DataFusionError::Configuration(text) => by_text(&text),
        DataFusionError::SQL(cause, _) => Error::Syntax {
            message: lower_first(&cause.to_string()),
            position: None,
        },
        other => Error::Internal(Box::new(other)),
    }
}

/// What a file failed with: no room on the disk or for the tenant, or a fault of ours.
fn io_error(cause: std::io::Error) -> Error {
    if cause.kind() == std::io::ErrorKind::StorageFull {
        return Error::DiskFull;
    }
    if cause.get_ref().is_none() {
        return Error::Internal(Box::new(cause));
    }
    match cause.into_inner() {
        Some(inner) => external(inner),
        None => Error::internal("a file failed without a cause"),
    }
}

/// The same for a failure that others hold too.
fn shared_io_error(cause: &std::io::Error) -> Error {
    if cause.kind() == std::io::ErrorKind::StorageFull {
        return Error::DiskFull;
    }
    let own = cause.get_ref().and_then(|own| own.downcast_ref::<Error>());
    match own {
        Some(Error::OutOfMemory { detail }) => Error::OutOfMemory {
            detail: detail.clone(),
        },
        _ => Error::internal(cause.to_string()),
    }
}

fn out_of_memory() -> Error {
    Error::OutOfMemory {
        detail: "The statement needs more memory than it may use.".to_owned(),
    }
}

/// An error that one of our own parts put into the engine.
fn external(cause: Box<dyn std::error::Error + Send + Sync>) -> Error {
    let cause = match cause.downcast::<Error>() {
        Ok(own) => return *own,
        Err(cause) => cause,
    };
    let cause = match cause.downcast::<DataFusionError>() {
        Ok(inner) => return engine_error(*inner),
        Err(cause) => cause,
    };
    match cause.downcast::<tessera_catalog::error::Error>() {
        Ok(inner) => (*inner).into(),
        Err(cause) => functions(cause),
    }
}

/// An error of the functions, or one of which nothing is known.
fn functions(cause: Box<dyn std::error::Error + Send + Sync>) -> Error {
    match borrowed(cause.as_ref()) {
        Some(error) => error,
        None => Error::Internal(cause),
    }
}

/// An error of the functions, which is told by its code and texts alone.
fn borrowed(cause: &(dyn std::error::Error + 'static)) -> Option<Error> {
    use tessera_catalog::system::LookupError;
    use tessera_udfs::pg::PgError;
    let mut current = Some(cause);
    while let Some(cause) = current {
        if let Some(error) = cause.downcast_ref::<PgError>() {
            let hint = match error {
                PgError::UndefinedFunction(_) => Some(format!("No function {HINT}")),
                PgError::UndefinedOperator(_) => Some(format!("No operator {HINT}")),
                _ => None,
            };
            return Some(coded(error.sqlstate(), error.to_string(), hint, None));
        }
        if let Some(error) = cause.downcast_ref::<LookupError>() {
            return Some(coded(error.sqlstate(), error.to_string(), None, None));
        }
        if let Some(error) = cause.downcast_ref::<tessera_udfs::Error>() {
            let code = sqlstate_of_call(error);
            return Some(coded(code, error.to_string(), error.hint(), error.detail()));
        }
        current = cause.source();
    }
    None
}

fn coded(
    sqlstate: &'static str,
    message: String,
    hint: Option<String>,
    detail: Option<String>,
) -> Error {
    Error::Function {
        sqlstate,
        message,
        hint,
        detail,
    }
}

/// The code of a refused call of one of our own functions.
fn sqlstate_of_call(error: &tessera_udfs::Error) -> &'static str {
    use tessera_udfs::Error as Call;
    match error {
        Call::UnknownArgument { .. }
        | Call::MissingArgument { .. }
        | Call::TooManyArguments { .. } => "42883",
        Call::DuplicateArgument { .. }
        | Call::PositionalArgument { .. }
        | Call::PositionalAfterNamed => "42601",
        Call::UndefinedColumn { .. } => "42703",
        Call::AmbiguousColumn { .. } => "42702",
        Call::UndecidedColumn { .. } | Call::NotConstant { .. } => "42P10",
        Call::ColumnType { .. } | Call::WrongType { .. } => "42804",
        Call::InvalidValue { .. } => "22023",
        Call::NullValue { .. } => "22004",
        Call::NotARelation { .. } | Call::NoWindow { .. } | Call::NoOrder { .. } => "42809",
        Call::NotSupported { .. } => "0A000",
        Call::Group { .. } => "22000",
        Call::Internal { .. } => "XX000",
    }
}

fn schema_error(cause: SchemaError) -> Error {
    match cause {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => missing_column(&field, &valid_fields),
        SchemaError::AmbiguousReference { field } => Error::AmbiguousColumn(field.name),
        SchemaError::DuplicateUnqualifiedField { name } => Error::AmbiguousColumn(name),
        SchemaError::DuplicateQualifiedField { qualifier, .. } => coded(
            "42712",
            format!(
                "table name \"{}\" specified more than once",
                qualifier.table()
            ),
            None,
            None,
        ),
    }
}

/// A column that no relation in FROM has, or of a relation that is not in FROM.
fn missing_column(field: &Column, valid: &[Column]) -> Error {
    let Some(relation) = &field.relation else {
        return match similar_column(&field.name, valid) {
            Some(hint) => {
                let text = format!("column \"{}\" does not exist", field.name);
                coded("42703", text, Some(hint), None)
            }
            None => Error::NoSuchColumn(field.name.clone()),
        };
    };
    let named = |other: &Column| {
        let of = other.relation.as_ref();
        of.is_some_and(|of| of.table() == relation.table())
    };
    if !valid.is_empty() && !valid.iter().any(named) {
        let text = format!(
            "missing FROM-clause entry for table \"{}\"",
            relation.table()
        );
        return coded("42P01", text, None, None);
    }
    let text = format!("column {}.{} does not exist", relation.table(), field.name);
    let own: Vec<Column> = valid.iter().filter(|other| named(other)).cloned().collect();
    coded("42703", text, similar_column(&field.name, &own), None)
}

/// The most letters that a name may differ in from the one that was perhaps meant.
const MAX_DISTANCE: usize = 3;

/// PostgreSQL's hint at the columns whose names are nearest, if one or two are near enough.
fn similar_column(name: &str, valid: &[Column]) -> Option<String> {
    let near = |other: &Column| {
        let distance = datafusion::common::utils::datafusion_strsim::levenshtein(name, &other.name);
        (distance <= MAX_DISTANCE && distance * 2 <= name.len()).then_some(distance)
    };
    let best = valid.iter().filter_map(near).min()?;
    let nearest: Vec<String> = valid
        .iter()
        .filter(|other| near(other) == Some(best))
        .map(|other| match &other.relation {
            Some(relation) => format!("\"{}.{}\"", relation.table(), other.name),
            None => format!("\"{}\"", other.name),
        })
        .collect();
    match nearest.as_slice() {
        [one] => Some(format!("Perhaps you meant to reference the column {one}.")),
        [one, two] => Some(format!(
            "Perhaps you meant to reference the column {one} or the column {two}."
        )),
        _ => None,
    }
}

fn arrow_error(text: &str, arrow: &ArrowError) -> Error {
    match arrow {
        ArrowError::DivideByZero => Error::DivisionByZero,
        ArrowError::ArithmeticOverflow(_) => Error::OutOfRange("value out of range".to_owned()),
        ArrowError::CastError(message) if message.starts_with("Can't cast value ") => {
            let to = message.rsplit("to type ").next().unwrap_or_default();
            Error::OutOfRange(format!("{} out of range", type_called(to)))
        }
        ArrowError::CastError(message) | ArrowError::ParseError(message) => {
            Error::InvalidText(lower_first(message))
        }
        ArrowError::ComputeError(message) if message.contains("verflow") => {
            Error::OutOfRange("value out of range".to_owned())
        }
        ArrowError::InvalidArgumentError(message) if message.contains("too large to store") => {
            Error::OutOfRange("numeric field overflow".to_owned())
        }
        _ => by_text(text),
    }
}

/// The engine tells most of its errors as text alone; these are the ones that clients branch on.
fn by_text(text: &str) -> Error {
    let first = text.lines().next().unwrap_or(text);
    if let Some(name) = between(first, "Invalid function '", "'") {
        return Error::NoSuchFunction(format!("function {name} does not exist"));
    }
    if first.contains("must be in GROUP BY") || first.contains("must appear in the GROUP BY") {
        let whole =
            between(text, "column \"", "\"").or_else(|| between(text, "expression \"", "\""));
        let column = whole.unwrap_or("?");
        return Error::Grouping(format!(
            "column \"{column}\" must appear in the GROUP BY clause or be used in an aggregate \
             function"
        ));
    }
    if let Some(error) = known(first) {
        return error;
    }
    if first.contains("Cannot infer common argument type")
        || first.contains("Cannot coerce arithmetic expression")
        || first.contains("failed to coerce")
        || first.contains("No function matches")
        || first.contains("Failed to coerce arguments")
        || first.contains("does not support zero arguments")
    {
        return Error::NoSuchFunction(lower_first(first));
    }
    if first.contains("returned more than one row")
        || first.contains("more than one row returned by a subquery")
    {
        return Error::Cardinality;
    }
    if first.contains("ivide by zero") {
        return Error::DivisionByZero;
    }
    if let Some(start) = first.find("invalid input syntax for type ") {
        return Error::InvalidText(first[start..].to_owned());
    }
    if first.contains("verflow") {
        return Error::OutOfRange("value out of range".to_owned());
    }
    Error::InvalidDefinition(lower_first(first))
}

/// The engine's texts whose code is not that of a wrong definition.
fn known(text: &str) -> Option<Error> {
    let told =
        |code: &'static str, message: &str| Some(coded(code, message.to_owned(), None, None));
    if let Some(predicate) = between(text, "non-boolean predicate '", "' returning ") {
        let of = text.rsplit("returning ").next().unwrap_or_default();
        let literal = predicate.starts_with("Int64(");
        let name = if literal { "integer" } else { type_called(of) };
        let text = format!("argument of WHERE must be type boolean, not type {name}");
        return Some(Error::DatatypeMismatch(text));
    }
    if let Some(name) = between(text, "Function '", "' failed to match any signature") {
        let given = between(text, "but received ", " (").unwrap_or("unknown");
        let text = format!("function {name}({}) does not exist", type_called(given));
        return Some(Error::NoSuchFunction(text));
    }
    if let Some(name) = between(text, "WITH query name \"", "\"") {
        return told(
            "42712",
            &format!("WITH query name \"{name}\" specified more than once"),
        );
    }
    if let Some(place) = between(text, "out of bounds, specified: ", ",") {
        return told(
            "42P10",
            &format!("ORDER BY position {place} is not in select list"),
        );
    }
    let fixed = [
        (
            "ggregate functions are not allowed in the WHERE",
            "42803",
            "aggregate functions are not allowed in WHERE",
        ),
        (
            "ggregate function calls cannot be nested",
            "42803",
            "aggregate function calls cannot be nested",
        ),
        (
            "SELECT DISTINCT ON expressions must match",
            "42P10",
            "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
        ),
        (
            "or SELECT DISTINCT, ORDER BY",
            "42P10",
            "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
        ),
        ("LIMIT must be >= 0", "2201W", "LIMIT must not be negative"),
        ("OFFSET must be >=", "2201X", "OFFSET must not be negative"),
        (
            "xpected LIMIT to be an integer",
            "22P02",
            "LIMIT must be a whole number",
        ),
        (
            "UNION queries have different number",
            "42601",
            "each UNION query must have the same number of columns",
        ),
        (
            "INTERSECT query must have the same number",
            "42601",
            "each INTERSECT query must have the same number of columns",
        ),
        (
            "EXCEPT query must have the same number",
            "42601",
            "each EXCEPT query must have the same number of columns",
        ),
        (
            "should only return one column",
            "42601",
            "subquery must return only one column",
        ),
        (
            "data length across values list",
            "42601",
            "VALUES lists must all be the same length",
        ),
        (
            "NTILE requires a positive",
            "22014",
            "argument of ntile must be greater than zero",
        ),
        (
            "ercentile value must be between",
            "22003",
            "percentile value is not between 0 and 1",
        ),
    ];
    let (_, code, message) = fixed.iter().find(|(part, ..)| text.contains(part))?;
    told(code, message)
}

/// Calls where PostgreSQL allows none, which the engine sees as late as when it makes operators.
fn misplaced(what: &str) -> Option<Error> {
    if let Some((from, to)) = what
        .strip_prefix("Unsupported CAST from ")
        .and_then(|types| types.split_once(" to "))
    {
        let text = format!(
            "cannot cast type {} to {}",
            type_called(from),
            type_called(to)
        );
        return Some(Error::CannotCoerce(text));
    }
    let expression = what.strip_prefix("Physical plan does not support logical expression ")?;
    Some(if expression.starts_with("AggregateFunction") {
        Error::Grouping("aggregate functions are not allowed in GROUP BY".to_owned())
    } else if expression.starts_with("WindowFunction") {
        coded(
            "42P20",
            "window functions are not allowed in WHERE".to_owned(),
            None,
            None,
        )
    } else {
        let kind = expression.split(['(', ' ', '{']).next().unwrap_or_default();
        Error::Unsupported(match kind {
            "OuterReferenceColumn" => "this correlation of a sub-query".to_owned(),
            "ScalarSubquery" | "Exists" | "InSubquery" | "SetComparison" => {
                "a sub-query in this place".to_owned()
            }
            other => format!("{other} in this place"),
        })
    })
}

/// PostgreSQL's name for one of the engine's types.
fn type_called(data_type: &str) -> &str {
    let base = data_type
        .split(['(', '.', ')', ' '])
        .next()
        .unwrap_or_default();
    match base {
        "Boolean" => "boolean",
        "Int16" => "smallint",
        "Int32" => "integer",
        "Int64" => "bigint",
        "Float32" => "real",
        "Float64" => "double precision",
        "Utf8" | "Utf8View" | "LargeUtf8" | "String" => "text",
        "Decimal" | "Decimal128" | "Decimal256" => "numeric",
        "Date32" => "date",
        "Time64" => "time without time zone",
        "Timestamp" => "timestamp without time zone",
        "Interval" => "interval",
        "Binary" => "bytea",
        other => other,
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(name, _)| name)
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    if message.chars().nth(1).is_some_and(char::is_uppercase) {
        return message.to_owned();
    }
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
