//! A column's definition in CREATE and ALTER TABLE.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{self, ColumnDef, ColumnOption, GeneratedAs};
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Check, Column, Identity, Key, KeyKind, TENANT_COLUMN, Table};
use tessera_catalog::sql_type::SqlType;

use super::super::default;
use super::super::names::{check_new_name, folded};
use super::super::sequence::identity_options;
use crate::error::{Error, Result};
use crate::planner::ast::SequenceOptions;
use crate::planner::{Scope, digits_of, serial, sql_type};

/// The most columns of a table, as in PostgreSQL.
pub(super) const MAX_COLUMNS: usize = 1600;

/// A column and the constraints that its definition carries.
pub(super) struct Defined {
    pub(super) column: Column,
    pub(super) checks: Vec<(Option<String>, ast::Expr)>,
    pub(super) keys: Vec<DeclaredKey>,
    /// REFERENCES, with the constraint's name.
    pub(super) references: Vec<ast::ForeignKeyConstraint>,
    /// The options of the sequence from which the column draws its values.
    pub(super) draws: Option<SequenceOptions>,
}

/// A key as it is declared.
pub(super) struct DeclaredKey {
    name: Option<String>,
    kind: KeyKind,
    enforced: bool,
    nulls_not_distinct: bool,
}

impl DeclaredKey {
    /// PRIMARY KEY.
    ///
    /// # Errors
    /// 0A000 for one that is checked at the end of a transaction.
    pub(super) fn primary(name: Option<String>, key: &ast::PrimaryKeyConstraint) -> Result<Self> {
        Ok(Self {
            name,
            kind: KeyKind::Primary,
            enforced: enforced(key.characteristics.as_ref())?,
            nulls_not_distinct: false,
        })
    }

    /// UNIQUE.
    ///
    /// # Errors
    /// As [`DeclaredKey::primary`].
    pub(super) fn unique(name: Option<String>, key: &ast::UniqueConstraint) -> Result<Self> {
        Ok(Self {
            name,
            kind: KeyKind::Unique,
            enforced: enforced(key.characteristics.as_ref())?,
            nulls_not_distinct: key.nulls_distinct == ast::NullsDistinctOption::NotDistinct,
        })
    }
}

/// Names that PostgreSQL keeps for its own columns.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Reads a definition; the number is the column's for ever.
pub(super) fn read(definition: &ColumnDef, number: usize, scope: &Scope) -> Result<Defined> {
    let name = folded(&definition.name);
    check_new_name(&name)?;
    if SYSTEM_COLUMNS.contains(&name.as_str()) {
        return Err(Error::ReservedName(format!(
            "column name \"{name}\" conflicts with a system column name"
        )));
    }
    let serial = serial(&definition.data_type);
    let written = serial.as_ref().unwrap_or(&definition.data_type);
    let sql_type = sql_type(written, &scope.user_types())?;
    check_storable(&sql_type, &name)?;
    let mut column = new_column(name, sql_type, number)?;
    column.domain = domain_of(written, scope);
    column.fraction = fraction_of(written)?;
    let mut draws = serial.map(|data_type| SequenceOptions {
        data_type: Some(data_type),
        ..SequenceOptions::default()
    });
    column.nullable = draws.is_none();
    let mut checks = Vec::new();
    let mut keys = Vec::new();
    let mut references = Vec::new();
    for option in &definition.options {
        let constraint = option.name.as_ref().map(folded);
        match &option.option {
            ColumnOption::Null => column.nullable = true,
            ColumnOption::NotNull => column.nullable = false,
            ColumnOption::Default(expr) => {
                column.default = Some(default::check(expr, &column, scope)?);
            }
            ColumnOption::Check(check) => checks.push((constraint, check.expr.as_ref().clone())),
            ColumnOption::PrimaryKey(key) => {
                column.nullable = false;
                keys.push(DeclaredKey::primary(constraint, key)?);
            }
            ColumnOption::Unique(key) => keys.push(DeclaredKey::unique(constraint, key)?),
            ColumnOption::ForeignKey(foreign) => references.push(ast::ForeignKeyConstraint {
                name: option.name.clone(),
                ..foreign.clone()
            }),
            ColumnOption::Collation(name) if is_own_collation(name) => {}
            ColumnOption::Generated {
                generated_as: GeneratedAs::ExpStored,
                generation_expr: Some(expr),
                ..
            } => {
                let mut bound = expr.clone();
                crate::planner::bind_types(&mut bound, scope);
                column.generated = Some(bound.to_string());
            }
            ColumnOption::Generated {
                generated_as: as_identity @ (GeneratedAs::Always | GeneratedAs::ByDefault),
                generation_expr: None,
                sequence_options,
                ..
            } => {
                column.identity = Some(match as_identity {
                    GeneratedAs::Always => Identity::Always,
                    _ => Identity::ByDefault,
                });
                column.nullable = false;
                let options = identity_options(sequence_options.as_deref().unwrap_or_default())?;
                draws = Some(SequenceOptions {
                    data_type: Some(identity_type(&column, definition)?),
                    ..options
                });
            }
            other => return Err(Error::Unsupported(format!("the column option {other}"))),
        }
    }
    check_single_source(&column, draws.is_some())?;
    Ok(Defined {
        column,
        checks,
        keys,
        references,
        draws,
    })
}

/// The domain that a column's type is.
pub(super) fn domain_of(written: &ast::DataType, scope: &Scope) -> Option<Oid> {
    let types = scope.user_types();
    let found = types.written(written)?;
    found.domain().map(|_| found.oid)
}

/// The digits of seconds that a column's type keeps.
///
/// # Errors
/// 0A000 for those of an array's elements.
pub(super) fn fraction_of(written: &ast::DataType) -> Result<Option<u8>> {
    use ast::ArrayElemTypeDef::{AngleBracket, Parenthesis, SquareBracket};
    if let ast::DataType::Array(
        SquareBracket(element, _) | AngleBracket(element) | Parenthesis(element),
    ) = written
        && fraction_of(element)?.is_some()
    {
        return Err(Error::Unsupported(format!("the type {written}")));
    }
    Ok(digits_of(written))
}

/// A column gets its values in one way.
fn check_single_source(column: &Column, draws: bool) -> Result<()> {
    let has_default = column.default.is_some();
    let syntax = |message: String| Error::Syntax {
        message,
        position: None,
    };
    match (&column.generated, has_default, draws) {
        (Some(_), true, _) => Err(syntax(format!(
            "both default and generation expression specified for column \"{}\"",
            column.name
        ))),
        (Some(_), _, true) => Err(syntax(format!(
            "both identity and generation expression specified for column \"{}\"",
            column.name
        ))),
        (None, true, true) if column.identity.is_some() => Err(syntax(format!(
            "both default and identity specified for column \"{}\"",
            column.name
        ))),
        (None, true, true) => Err(syntax(format!(
            "multiple default values specified for column \"{}\"",
            column.name
        ))),
        _ => Ok(()),
    }
}

/// The type of an identity column's sequence.
fn identity_type(column: &Column, definition: &ColumnDef) -> Result<ast::DataType> {
    match column.sql_type {
        SqlType::Int2 | SqlType::Int4 | SqlType::Int8 => Ok(definition.data_type.clone()),
        _ => Err(Error::InvalidParameterValue(
            "identity column type must be smallint, integer, or bigint".to_owned(),
        )),
    }
}

fn is_own_collation(name: &ast::ObjectName) -> bool {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.is_some_and(|ident| matches!(ident.value.as_str(), "C" | "default" | "POSIX"))
}

/// A column with nothing but a name and a type.
pub(in crate::session::command) fn new_column(
    name: String,
    sql_type: SqlType,
    number: usize,
) -> Result<Column> {
    let number = i16::try_from(number)
        .ok()
        .filter(|number| usize::from(number.unsigned_abs()) <= MAX_COLUMNS)
        .ok_or_else(|| {
            Error::ProgramLimit(format!("tables can have at most {MAX_COLUMNS} columns"))
        })?;
    Ok(Column {
        number,
        physical: name.clone(),
        name,
        sql_type,
        nullable: true,
        default: None,
        domain: None,
        fraction: None,
        missing_default: None,
        identity: None,
        generated: None,
        acl: None,
        comment: None,
        dropped: false,
    })
}

/// The column of a common table that no file holds.
pub(super) fn tenant_column(number: usize) -> Result<Column> {
    let column = new_column(TENANT_COLUMN.to_owned(), SqlType::Text, number)?;
    Ok(Column {
        physical: String::new(),
        nullable: false,
        ..column
    })
}

/// The name of a column in files: its own unless a former column of the table had it.
pub(super) fn physical_name(table: &Table, name: &str) -> String {
    let taken = |candidate: &str| table.columns.iter().any(|c| c.physical == candidate);
    if !taken(name) {
        return name.to_owned();
    }
    let free = (2..)
        .map(|n| format!("{name}_{n}"))
        .find(|candidate| !taken(candidate));
    free.unwrap_or_default()
}

/// Types that live in catalogs and expressions alone.
pub(in crate::session::command) fn check_storable(sql_type: &SqlType, column: &str) -> Result<()> {
    match sql_type {
        SqlType::Record | SqlType::Unknown | SqlType::Void => Err(Error::InvalidDefinition(
            format!("column \"{column}\" has pseudo-type {sql_type}"),
        )),
        SqlType::Reg(_) | SqlType::Int2Vector | SqlType::OidVector | SqlType::InternalChar => {
            Err(Error::Unsupported(format!("a column of type {sql_type}")))
        }
        SqlType::Array(element) => check_storable(element, column),
        _ => Ok(()),
    }
}

/// Whether a key is checked: it is, unless a statement says NOT ENFORCED.
pub(super) fn enforced(characteristics: Option<&ast::ConstraintCharacteristics>) -> Result<bool> {
    let Some(characteristics) = characteristics else {
        return Ok(true);
    };
    if characteristics.deferrable == Some(true)
        || characteristics.initially == Some(ast::DeferrableInitial::Deferred)
    {
        return Err(Error::Unsupported("DEFERRABLE of a constraint".to_owned()));
    }
    Ok(characteristics.enforced != Some(false))
}

/// A CHECK constraint with a name of its own, after its condition was planned over the columns.
pub(super) fn check(
    name: Option<String>,
    expression: &ast::Expr,
    table: &Table,
    relation: &str,
    scope: &Scope,
    oid: Oid,
) -> Result<Check> {
    use datafusion::common::ToDFSchema;
    let schema = crate::session::write::table_schema(table, &scope.zone).to_dfschema()?;
    let planned = default::condition(expression, &schema, scope)?;
    let columns = planned.column_refs();
    let taken = |candidate: &str| {
        table.checks.iter().any(|c| c.name == candidate)
            || table.keys.iter().any(|k| k.name == candidate)
    };
    let name = match name {
        Some(name) if taken(&name) => {
            return Err(Error::AlreadyExists {
                kind: "constraint",
                name,
            });
        }
        Some(name) => name,
        None => {
            let single = (columns.len() == 1)
                .then(|| columns.iter().next())
                .flatten();
            let base = match single {
                Some(column) => format!("{relation}_{}_check", column.name),
                None => format!("{relation}_check"),
            };
            free_name(base, taken)
        }
    };
    let mut bound = expression.clone();
    crate::planner::bind_types(&mut bound, scope);
    Ok(Check {
        oid,
        name,
        expression: bound.to_string(),
    })
}

/// A key with a name of its own.
pub(super) fn key(
    declared: DeclaredKey,
    columns: Vec<i16>,
    table: &Table,
    relation: &str,
    oid: Oid,
) -> Result<Key> {
    let DeclaredKey {
        name,
        kind,
        enforced,
        nulls_not_distinct,
    } = declared;
    if kind == KeyKind::Primary && table.keys.iter().any(|k| k.kind == KeyKind::Primary) {
        return Err(Error::InvalidDefinition(format!(
            "multiple primary keys for table \"{relation}\" are not allowed"
        )));
    }
    check_equality(table, &columns)?;
    let name = constraint_name(name, &kind, &columns, table, relation)?;
    Ok(Key {
        oid,
        name,
        kind,
        columns,
        enforced,
        nulls_not_distinct,
    })
}

/// Checks that values of columns can be compared by what they are stored as.
///
/// # Errors
/// 42704 for a type without an order.
pub(super) fn check_equality(table: &Table, columns: &[i16]) -> Result<()> {
    let find = |number: &i16| table.columns.iter().find(|c| c.number == *number);
    let mut columns = columns.iter().filter_map(find);
    if let Some(column) = columns.find(|column| !has_equality(&column.sql_type)) {
        return Err(Error::Function {
            sqlstate: "42704",
            message: format!(
                "data type {} has no default operator class for access method \"btree\"",
                column.sql_type
            ),
            hint: Some(
                "You must specify an operator class for the index or define a default operator \
                 class for the data type."
                    .to_owned(),
            ),
            detail: None,
        });
    }
    Ok(())
}

/// The name of a key, given or made as PostgreSQL makes it.
///
/// # Errors
/// 42710 for a constraint's, 42P07 for an index's name that the table has.
pub(super) fn constraint_name(
    given: Option<String>,
    kind: &KeyKind,
    columns: &[i16],
    table: &Table,
    relation: &str,
) -> Result<String> {
    let taken = |candidate: &str| {
        table.keys.iter().any(|k| k.name == candidate)
            || table.checks.iter().any(|c| c.name == candidate)
    };
    let find = |number: &i16| table.columns.iter().find(|c| c.number == *number);
    let names = columns.iter().filter_map(find);
    let names: Vec<&str> = names.map(|column| column.name.as_str()).collect();
    let base = match kind {
        KeyKind::Primary => format!("{relation}_pkey"),
        KeyKind::Unique => format!("{relation}_{}_key", names.join("_")),
        KeyKind::Foreign(_) => format!("{relation}_{}_fkey", names.join("_")),
        KeyKind::Index(_) => format!("{relation}_{}_idx", names.join("_")),
    };
    match given {
        Some(name) if taken(&name) => Err(match kind {
            KeyKind::Foreign(_) => Error::Function {
                sqlstate: "42710",
                message: format!(
                    "constraint \"{name}\" for relation \"{relation}\" already exists"
                ),
                hint: None,
                detail: None,
            },
            KeyKind::Primary | KeyKind::Unique | KeyKind::Index(_) => Error::AlreadyExists {
                kind: "relation",
                name,
            },
        }),
        Some(name) => Ok(name),
        None => Ok(free_name(base, taken)),
    }
}

/// Whether values of a type can be compared by what they are stored as.
fn has_equality(sql_type: &SqlType) -> bool {
    match sql_type {
        SqlType::Json | SqlType::Jsonb => false,
        SqlType::Array(element) => has_equality(element),
        _ => true,
    }
}

fn free_name(base: String, taken: impl Fn(&str) -> bool) -> String {
    if !taken(&base) {
        return base;
    }
    (1..)
        .map(|n| format!("{base}{n}"))
        .find(|name| !taken(name))
        .unwrap_or(base)
}

/// The numbers of columns by name.
pub(super) fn numbers(names: &[String], table: &Table) -> Result<Vec<i16>> {
    names
        .iter()
        .map(|name| {
            let column = table.column(name);
            column
                .map(|column| column.number)
                .ok_or_else(|| Error::NoSuchColumn(name.clone()))
        })
        .collect()
}

/// Scans that tell whether rows that exist break a new rule.
pub(in crate::session::command) async fn any_row(
    session: &mut crate::session::Session,
    found: &crate::planner::source::Found,
    condition: &str,
) -> Result<bool> {
    let text = format!("SELECT 1 FROM {{table}} WHERE {condition} LIMIT 1");
    let rows = super::existing::first_rows(session, found, &text).await?;
    Ok(rows.is_some())
}

/// Names in a list of key columns.
pub(super) fn key_names(columns: &[ast::IndexColumn]) -> Result<Vec<String>> {
    columns
        .iter()
        .map(|column| match &column.column.expr {
            ast::Expr::Identifier(ident) => Ok(folded(ident)),
            other => Err(Error::Unsupported(format!(
                "a key over the expression {other}"
            ))),
        })
        .collect()
}

/// Keeps an `Arc` of a scope's zone at hand for values kept as text.
pub(super) fn constant_text(
    expr: datafusion::logical_expr::Expr,
    sql_type: &SqlType,
    scope: &Scope,
) -> Result<Option<String>> {
    let value = crate::session::constant::evaluate(expr, scope)?;
    if value.is_null() {
        return Ok(None);
    }
    if let (SqlType::Enum(_), Some(word)) = (sql_type, value.try_as_str()) {
        // The stored word, which no renaming changes.
        return Ok(word.map(str::to_owned));
    }
    let array: Arc<dyn datafusion::arrow::array::Array> = value.to_array()?;
    crate::format::text_of(&array, 0, sql_type).map(Some)
}
