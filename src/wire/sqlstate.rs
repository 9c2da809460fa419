//! Errors as clients branch on them: SQLSTATE and severity of each of the server's errors.
//!
//! The one place where codes are given; the match is exhaustive, so a new error asks for its code.

use tessera_catalog::model::Quota;

use crate::error::Error;

/// The SQLSTATE of what went well.
pub(super) const SUCCESS: &str = "00000";

/// The SQLSTATE of an error.
pub fn sqlstate(error: &Error) -> &'static str {
    match error {
        Error::Syntax { .. } => "42601",
        Error::CopyNarrowed
        | Error::Unsupported(_)
        | Error::ResultTypeChanged
        | Error::UnsupportedProtocol(_) => "0A000",
        Error::NoSuchRelation(_) => "42P01",
        Error::NoSuchSchema(_) => "3F000",
        Error::NoSuchColumn(_) | Error::NoSuchColumnOf { .. } => "42703",
        Error::AmbiguousColumn(_) => "42702",
        Error::NoSuchFunction(_) => "42883",
        Error::NoSuchType(_) | Error::UnknownSetting(_) | Error::NoSuchPolicy { .. } => "42704",
        Error::PolicyExists { .. } => "42710",
        Error::NoSuchObject { kind, .. } => missing(kind),
        Error::AlreadyExists { kind, .. } => taken(kind),
        Error::DuplicateColumn(_) | Error::ColumnExists { .. } => "42701",
        Error::WrongKind { .. } | Error::WrongKindHint { .. } => "42809",
        Error::InvalidDefinition(_) | Error::CommonWithoutTenant => "42P16",
        Error::InvalidGrant(_) => "0LP01",
        Error::InvalidCursorState(_) => "55000",
        Error::InvalidName(_) => "42602",
        Error::ReservedName(_) => "42939",
        Error::DatatypeMismatch(_) => "42804",
        Error::CannotCoerce(_) => "42846",
        Error::Grouping(_) => "42803",
        Error::IndeterminateParameter(_) => "42P18",
        Error::InvalidParameterValue(_) | Error::ParameterOutOfRange { .. } => "22023",
        Error::FixedSetting(_) => "55P02",
        Error::DependentObjects { .. } => "2BP01",
        Error::ObjectInUse { .. } => "55006",
        Error::NameUsedByTenants { kind, .. } => taken(kind),
        Error::PermissionDenied { .. }
        | Error::InsufficientPrivilege(_)
        | Error::NotInPlan { .. }
        | Error::MustOwn { .. }
        | Error::RowSecurity(_)
        | Error::PolicyViolated(_) => "42501",
        Error::PolicyRecursion(_) => "42P17",
        Error::InvalidPassword(_) => "28P01",
        Error::InvalidAuthorization(_) => "28000",
        Error::NoSuchDatabase(_) => "3D000",
        Error::NotNull { .. } | Error::ContainsNulls { .. } | Error::DomainNotNull(_) => "23502",
        Error::DomainCheck { .. } => "23514",
        Error::Check { .. } | Error::CheckOfExisting { .. } => "23514",
        Error::Unique { .. } | Error::UniqueOfExisting { .. } => "23505",
        Error::ForeignKey { .. } | Error::MixedNulls { .. } | Error::StillReferenced { .. } => {
            "23503"
        }
        Error::TooLong(_) => "22001",
        Error::OutOfRange(_) => "22003",
        Error::DivisionByZero => "22012",
        Error::InvalidText(_) => "22P02",
        Error::InvalidDatetime(_) => "22007",
        Error::DatetimeOverflow(_) => "22008",
        Error::InvalidBinary(_) => "22P03",
        Error::BadCopy(_) => "22P04",
        Error::InvalidEncoding(_) => "22021",
        Error::Cardinality | Error::MergedTwice | Error::UpsertedTwice => "21000",
        Error::Function { sqlstate, .. } => sqlstate,
        Error::TransactionAborted => "25P02",
        Error::ActiveTransaction(_) => "25001",
        Error::NoActiveTransaction(_) => "25P01",
        Error::ReadOnly(_) => "25006",
        Error::NoSuchSavepoint(_) => "3B001",
        Error::Serialization | Error::ReadMoved => "40001",
        Error::Deadlock => "40P01",
        Error::LockTimeout | Error::LockNotAvailable { .. } => "55P03",
        Error::NoSuchStatement(_) => "26000",
        Error::UndeterminedParameter(_) => "42P18",
        Error::DuplicateStatement(_) => "42P05",
        Error::NoSuchPortal(_) | Error::NoSuchCursor(_) => "34000",
        Error::DuplicateCursor(_) => "42P03",
        Error::Protocol(_) | Error::BrokenProtocol(_) => "08P01",
        Error::Cancelled | Error::StatementTimeout | Error::AuthenticationTimeout => "57014",
        Error::Terminated => "57P01",
        Error::ShuttingDown => "57P03",
        Error::IdleInTransaction => "25P03",
        Error::TooManyConnections(_) => "53300",
        Error::OutOfMemory { .. } => "53200",
        Error::ProgramLimit(_) => "54000",
        Error::OverQuota {
            quota: Quota::ResultRows,
            ..
        } => "54000",
        Error::ConfigurationLimit(_) | Error::OverQuota { .. } => "53400",
        Error::TooComplex(_) => "54001",
        Error::DiskFull => "53100",
        Error::Damaged(_) => "XX001",
        Error::StoreUnavailable(_) => "58030",
        Error::ConnectionLost => "08006",
        Error::Start(_) => "F0000",
        Error::Internal(_) => "XX000",
        Error::At { source, .. }
        | Error::Placed { source, .. }
        | Error::InSchema { source, .. } => sqlstate(source),
    }
}

/// Whether the error ends the connection.
pub fn is_fatal(error: &Error) -> bool {
    match error {
        Error::Terminated
        | Error::IdleInTransaction
        | Error::AuthenticationTimeout
        | Error::TooManyConnections(_)
        | Error::InvalidPassword(_)
        | Error::InvalidAuthorization(_)
        | Error::UnsupportedProtocol(_)
        | Error::BrokenProtocol(_)
        | Error::ShuttingDown
        | Error::ConnectionLost => true,
        Error::At { source, .. }
        | Error::Placed { source, .. }
        | Error::InSchema { source, .. } => is_fatal(source),
        _ => false,
    }
}

fn missing(kind: &str) -> &'static str {
    match kind {
        "relation" | "table" | "view" | "materialized view" | "sequence" | "foreign table" => {
            "42P01"
        }
        "schema" => "3F000",
        "database" | "tenant" => "3D000",
        "function" | "aggregate" | "procedure" | "operator" => "42883",
        "column" => "42703",
        "cursor" | "portal" => "34000",
        "prepared statement" => "26000",
        _ => "42704",
    }
}

fn taken(kind: &str) -> &'static str {
    match kind {
        "relation" | "table" | "view" | "materialized view" | "sequence" | "index" => "42P07",
        "schema" => "42P06",
        "database" | "tenant" => "42P04",
        "function" | "aggregate" | "procedure" => "42723",
        "column" => "42701",
        "cursor" | "portal" => "42P03",
        "prepared statement" => "42P05",
        _ => "42710",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_clients_branch_on() {
        let role = |name: &str| Error::AlreadyExists {
            kind: "role",
            name: name.to_owned(),
        };
        let table = Error::NoSuchObject {
            kind: "table",
            name: "t".to_owned(),
        };
        for (error, code) in [
            (
                Error::Syntax {
                    message: String::new(),
                    position: None,
                },
                "42601",
            ),
            (Error::NoSuchRelation("t".to_owned()), "42P01"),
            (table, "42P01"),
            (role("r"), "42710"),
            (Error::InvalidText(String::new()), "22P02"),
            (
                Error::InvalidText(String::new()).at("COPY t, line 1"),
                "22P02",
            ),
            (Error::TransactionAborted, "25P02"),
            (Error::Cancelled, "57014"),
            (Error::internal("x"), "XX000"),
        ] {
            assert_eq!(sqlstate(&error), code, "{error:?}");
        }
    }

    #[test]
    fn only_errors_of_the_connection_end_it() {
        assert!(is_fatal(&Error::Terminated.at("COPY t, line 1")));
        assert!(!is_fatal(&Error::Cancelled));
    }
}
