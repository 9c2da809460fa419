//! The engine's errors in our words, converted once at their root cause.

use datafusion::arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::error::Error;

/// Our error for one of the engine's.
pub fn engine_error(error: DataFusionError) -> Error {
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
            DataFusionError::ArrowError(arrow, _) => arrow_error(&arrow.to_string(), arrow),
            other => by_text(&other.to_string()),
        },
        DataFusionError::Collection(mut errors) if !errors.is_empty() => {
            engine_error(errors.swap_remove(0))
        }
        DataFusionError::SchemaError(cause, _) => schema_error(*cause),
        DataFusionError::ArrowError(arrow, _) => match *arrow {
            ArrowError::ExternalError(cause) => external(cause),
            other => arrow_error(&other.to_string(), &other),
        },
        DataFusionError::ResourcesExhausted(_) => out_of_memory(),
        DataFusionError::NotImplemented(what) => {
            let what = what
                .trim_end_matches(" is not supported")
                .trim_end_matches(" not supported");
            Error::Unsupported(lower_first(what))
        }
        DataFusionError::ParquetError(cause) => Error::Internal(cause),
        DataFusionError::ObjectStore(cause) => Error::StoreUnavailable(cause),
        DataFusionError::IoError(cause) if cause.kind() == std::io::ErrorKind::StorageFull => {
            Error::DiskFull
        }
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
            return Some(coded(error.sqlstate(), error.to_string(), None, None));
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
        Call::UnknownArgument { .. } | Call::MissingArgument { .. } => "42883",
        Call::DuplicateArgument { .. } | Call::PositionalArgument { .. } => "42601",
        Call::UndefinedColumn { .. } => "42703",
        Call::AmbiguousColumn { .. } => "42702",
        Call::UndecidedColumn { .. } | Call::NotConstant { .. } => "42P10",
        Call::ColumnType { .. } | Call::WrongType { .. } => "42804",
        Call::InvalidValue { .. } => "22023",
        Call::NullValue { .. } => "22004",
        Call::NotARelation { .. } => "42809",
        Call::NotSupported { .. } => "0A000",
        Call::Group { .. } => "22000",
        Call::Internal { .. } => "XX000",
    }
}

fn schema_error(cause: SchemaError) -> Error {
    match cause {
        SchemaError::FieldNotFound { field, .. } => Error::NoSuchColumn(field.flat_name()),
        SchemaError::AmbiguousReference { field } => Error::AmbiguousColumn(field.name),
        SchemaError::DuplicateUnqualifiedField { name } => Error::AmbiguousColumn(name),
        SchemaError::DuplicateQualifiedField { name, .. } => Error::AmbiguousColumn(name),
    }
}

fn arrow_error(text: &str, arrow: &ArrowError) -> Error {
    match arrow {
        ArrowError::DivideByZero => Error::DivisionByZero,
        ArrowError::ArithmeticOverflow(_) => Error::OutOfRange("value out of range".to_owned()),
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
        let column = between(first, "expression \"", "\"").unwrap_or("?");
        return Error::Grouping(format!(
            "column \"{column}\" must appear in the GROUP BY clause or be used in an aggregate \
             function"
        ));
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
    if first.contains("returned more than one row") {
        return Error::Cardinality;
    }
    if first.contains("ivide by zero") {
        return Error::DivisionByZero;
    }
    if first.contains("verflow") {
        return Error::OutOfRange("value out of range".to_owned());
    }
    Error::InvalidDefinition(lower_first(first))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(name, _)| name)
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
