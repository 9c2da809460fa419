//! COPY in and out, as batches; the wire reads and writes the formats.

use std::sync::Arc;

use datafusion::common::{Column as PlanColumn, DFSchema};
use datafusion::logical_expr::Expr;
use datafusion::sql::sqlparser::ast;
use tessera_catalog::model::{Column, Privilege, RelationBody, Scope as Reach};

use super::{default, names, query};
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::Scope;
use crate::planner::ast::{Body, Copy, CopySource, CopyValue, Statement};
use crate::planner::source::{AsOf, Found, TableRef};
use crate::policy::{COPY_OUT, Caller, Judged, check_calls, check_columns};
use crate::session::Session;
use crate::session::copy_sink::{CopySink, Shape};
use crate::session::foreign::ForeignGuard;
use crate::session::keys::{KeyCheck, KeyGuard};
use crate::session::reply::{
    Columns, CopyFormat, CopyHeader, CopyIn, CopyOptions, CopyOut, ForceColumns, LogVerbosity,
    OutColumn, Reply,
};
use crate::session::write::{RowWriter, Writing, table, table_schema};

pub(super) async fn run(session: &mut Session, copy: &Copy, limits: Limits) -> Result<Reply> {
    let options = options(&copy.options, copy.from)?;
    let caller = session.caller().await?;
    if !copy.from {
        caller.check_feature(COPY_OUT, "COPY TO")?;
    }
    let scope = session.scope(&caller).await?;
    match &copy.source {
        CopySource::Query(statement) => {
            let written = match &statement.body {
                Body::Query(written) => written,
                Body::Write(_) | Body::Combined(_) => {
                    return copy_returned(session, statement, options, limits).await;
                }
                _ => {
                    return Err(Error::Unsupported(
                        "COPY of a statement that is not a query".to_owned(),
                    ));
                }
            };
            let (plan, _, columns) = query::answer(written, &scope, &[])?;
            check_force(&options, &columns, false)?;
            let guarded = query::guard(session, plan, &caller, &scope).await?;
            let batches = query::stream(session, guarded, &scope, limits);
            Ok(Reply::CopyOut(CopyOut {
                columns,
                options,
                batches,
            }))
        }
        CopySource::Table { name, columns } => {
            let found = names::relation(&scope, name)?;
            if copy.from {
                copy_in(session, &caller, &scope, found, (options, copy), limits).await
            } else {
                copy_out(session, &caller, &scope, found, columns, options, limits).await
            }
        }
    }
}

/// COPY of what a statement that changes rows returns.
async fn copy_returned(
    session: &mut Session,
    statement: &Statement,
    options: CopyOptions,
    limits: Limits,
) -> Result<Reply> {
    let prepared = super::prepare(session, statement.clone(), &[]).await?;
    let Some(columns) = prepared.columns.as_ref().map(Arc::clone) else {
        return Err(Error::Function {
            sqlstate: "0A000",
            message: "COPY query must have a RETURNING clause".to_owned(),
            hint: None,
            detail: None,
        });
    };
    check_force(&options, &columns, false)?;
    let reply = super::run(session, &Arc::new(prepared), Vec::new(), limits).await?;
    let Reply::Rows(rows) = reply else {
        return Err(Error::internal(
            "a statement with RETURNING returned nothing",
        ));
    };
    Ok(Reply::CopyOut(CopyOut {
        columns,
        options,
        batches: rows.batches,
    }))
}

async fn copy_out(
    session: &mut Session,
    caller: &Caller,
    scope: &Scope,
    found: Found,
    named: &[String],
    options: CopyOptions,
    limits: Limits,
) -> Result<Reply> {
    use datafusion::logical_expr::LogicalPlanBuilder;
    let RelationBody::Table(stored) = &found.relation.body else {
        return Err(Error::WrongKindHint {
            message: format!("cannot copy from view \"{}\"", found.relation.name),
            hint: "Try the COPY (SELECT ...) TO variant.",
        });
    };
    let targets = targets(stored.live_columns(), named, &found.relation.name)?;
    let columns: Columns = targets
        .iter()
        .map(|column| OutColumn {
            name: column.name.clone(),
            sql_type: column.sql_type.clone(),
            table: found.relation.oid.0,
            column: column.number,
        })
        .collect();
    check_force(&options, &columns, false)?;
    let list: Vec<Expr> = targets
        .iter()
        .map(|c| Expr::Column(PlanColumn::new(Some(found.relation.name.clone()), &c.name)))
        .collect();
    let source = Arc::new(TableRef::new(found.clone(), AsOf::Now, &scope.zone));
    let plan = LogicalPlanBuilder::scan(found.relation.name.clone(), source, None)?
        .project(list)?
        .build()?;
    let guarded = query::guard(session, plan, caller, scope).await?;
    let batches = query::stream(session, guarded, scope, limits);
    Ok(Reply::CopyOut(CopyOut {
        columns,
        options,
        batches,
    }))
}

async fn copy_in(
    session: &mut Session,
    caller: &Caller,
    scope: &Scope,
    found: Found,
    (options, copy): (CopyOptions, &Copy),
    limits: Limits,
) -> Result<Reply> {
    let CopySource::Table { columns: named, .. } = &copy.source else {
        return Err(Error::internal("COPY into what is no table"));
    };
    if found.relation.view().is_some() {
        return Err(Error::WrongKindHint {
            message: format!("cannot copy to view \"{}\"", found.relation.name),
            hint: "Insert into the tables that the view reads.",
        });
    }
    names::check_changeable(&found)?;
    let stored = table(&found.relation)?;
    let targets = targets(stored.live_columns(), named, &found.relation.name)?;
    let numbers: Vec<i16> = targets.iter().map(|column| column.number).collect();
    let granted = check_columns(caller, Privilege::Insert, &found, &numbers)?;
    super::insert::check_lent(caller, &found)?;
    let judged = [Judged::Inserted];
    let rules = query::row_checks(session, &found, caller, scope, &judged, false).await?;
    if rules.binds() {
        return Err(Error::CopyNarrowed);
    }
    session.transaction.check_room(&found.relation)?;
    super::lock::adds_to(session, &found, caller).await?;
    let columns: Columns = targets
        .iter()
        .map(|column| OutColumn {
            name: column.name.clone(),
            sql_type: column.sql_type.clone(),
            table: found.relation.oid.0,
            column: column.number,
        })
        .collect();
    check_force(&options, &columns, true)?;
    let shape = shape(
        &targets,
        stored.live_columns(),
        copy.filter.as_ref(),
        (caller, scope),
        stored,
    )?;
    let keys = KeyGuard::new(session, &found.relation, &scope.zone, KeyCheck::AtOnce)?;
    let foreign = ForeignGuard::new(session, caller, &found.relation, &scope.zone, None)?;
    let writer = RowWriter::new(
        &granted,
        Writing {
            keys,
            foreign,
            generated: default::compile_generated(stored, caller, scope)?,
            storage: session.engine.catalog.storage(),
            cpu: session.cpu(),
            database: &caller.database,
            system: &caller.system,
            zone: &scope.zone,
            checks: default::compile_checks(stored, caller, scope)?,
            operation: "WRITE",
        },
    )?;
    let room = session.room_for_rows().await?;
    let sink = CopySink {
        shape,
        room,
        writer,
        rules,
        execution: session.execution(&scope.state, limits),
        inbox: Arc::clone(&session.inbox),
        kept: None,
    };
    let relation = found.relation.name.clone();
    Ok(Reply::CopyIn(Box::new(CopyIn {
        relation,
        columns,
        options,
        limits,
        sink,
    })))
}

fn targets<'a>(
    live: impl Iterator<Item = &'a Column>,
    named: &[String],
    relation: &str,
) -> Result<Vec<&'a Column>> {
    let live: Vec<&Column> = live.collect();
    if named.is_empty() {
        // Generated columns are made of the others, in and out.
        return Ok(live.into_iter().filter(|c| c.generated.is_none()).collect());
    }
    let mut targets: Vec<&Column> = Vec::with_capacity(named.len());
    for name in named {
        let column =
            live.iter()
                .find(|c| c.name == *name)
                .ok_or_else(|| Error::NoSuchColumnOf {
                    column: name.clone(),
                    relation: relation.to_owned(),
                })?;
        if targets.iter().any(|target| target.number == column.number) {
            return Err(Error::DuplicateColumn(name.clone()));
        }
        if column.generated.is_some() {
            return Err(Error::Function {
                sqlstate: "42P10",
                message: format!("column \"{name}\" is a generated column"),
                hint: None,
                detail: Some("Generated columns cannot be used in COPY.".to_owned()),
            });
        }
        targets.push(column);
    }
    Ok(targets)
}

/// How COPY's columns become the table's: those that are given as they come, defaults for the rest.
fn shape<'a>(
    targets: &[&Column],
    live: impl Iterator<Item = &'a Column>,
    filter: Option<&ast::Expr>,
    (caller, scope): (&Caller, &Scope),
    stored: &tessera_catalog::model::Table,
) -> Result<Shape> {
    use datafusion::arrow::datatypes::Schema;
    let fields: Vec<_> = targets
        .iter()
        .map(|c| c.sql_type.field(&c.name, true, &scope.zone))
        .collect();
    let given = DFSchema::try_from(Schema::new(fields))?;
    let tenant = stored.live_columns().find(|column| column.is_tenant());
    let tenant = tenant.map(|column| Expr::Column(PlanColumn::new_unqualified(&column.name)));
    let columns = live
        .map(|column| {
            let expr = match targets.iter().any(|target| target.number == column.number) {
                true => Expr::Column(PlanColumn::new_unqualified(&column.name)),
                false => {
                    let value = default::of_row(column, scope, tenant.as_ref())?;
                    default::check_calls(stored, caller, &value)?;
                    value
                }
            };
            Ok(scope.state.create_physical_expr(expr, &given)?)
        })
        .collect::<Result<_>>()?;
    let filter = match filter {
        Some(filter) => {
            let all = DFSchema::try_from(table_schema(stored, &scope.zone).as_ref().clone())?;
            default::no_subquery(filter, "COPY FROM WHERE condition")?;
            let condition = default::condition(filter, &all, scope)?;
            check_calls(caller, &condition)?;
            Some(scope.state.create_physical_expr(condition, &all)?)
        }
        None => None,
    };
    debug_assert!(stored.scope != Reach::Own || !stored.live_columns().any(Column::is_tenant));
    Ok(Shape { columns, filter })
}

fn invalid(message: impl Into<String>) -> Error {
    Error::InvalidParameterValue(message.into())
}

fn on_off(name: &str, value: &CopyValue) -> Result<bool> {
    match value {
        CopyValue::None => Ok(true),
        CopyValue::Text(text) => match text.to_lowercase().as_str() {
            "true" | "on" | "1" | "yes" => Ok(true),
            "false" | "off" | "0" | "no" => Ok(false),
            _ => Err(Error::Syntax {
                message: format!("{name} requires a Boolean value"),
                position: None,
            }),
        },
        CopyValue::Columns(_) | CopyValue::AllColumns => Err(Error::Syntax {
            message: format!("{name} requires a Boolean value"),
            position: None,
        }),
    }
}

fn text(name: &str, value: &CopyValue) -> Result<String> {
    match value {
        CopyValue::Text(text) => Ok(text.clone()),
        _ => Err(Error::Syntax {
            message: format!("{name} requires a parameter"),
            position: None,
        }),
    }
}

/// Reads and checks COPY's options.
fn options(given: &[(String, CopyValue)], from: bool) -> Result<CopyOptions> {
    for (index, (name, _)) in given.iter().enumerate() {
        if given[..index].iter().any(|(other, _)| other == name) {
            return Err(Error::Syntax {
                message: "conflicting or redundant options".to_owned(),
                position: None,
            });
        }
    }
    let find = |name: &str| {
        given
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value)
    };
    let format = match find("format")
        .map(|value| text("format", value))
        .transpose()?
    {
        None => CopyFormat::Text,
        Some(name) => match name.to_lowercase().as_str() {
            "text" => CopyFormat::Text,
            "csv" => CopyFormat::Csv,
            "binary" => CopyFormat::Binary,
            _ => return Err(invalid(format!("COPY format \"{name}\" not recognized"))),
        },
    };
    let mut options = CopyOptions::new(format);
    for (name, value) in given {
        match name.as_str() {
            "format" => {}
            "delimiter" => options.delimiter = delimiter(&text(name, value)?, format)?,
            "null" => {
                let null = text(name, value)?;
                if null.contains(['\r', '\n']) {
                    return Err(invalid(
                        "COPY null representation cannot use newline or carriage return",
                    ));
                }
                options.null = null;
            }
            "header" => {
                options.header = match value {
                    CopyValue::Text(word) if word.eq_ignore_ascii_case("match") => {
                        if !from {
                            return Err(Error::Unsupported("HEADER MATCH with COPY TO".to_owned()));
                        }
                        CopyHeader::Match
                    }
                    other if on_off(name, other)? => CopyHeader::On,
                    _ => CopyHeader::Off,
                };
            }
            "quote" | "escape" => {
                if format != CopyFormat::Csv {
                    return Err(Error::Unsupported(format!("COPY {name} outside CSV mode")));
                }
                let character = text(name, value)?;
                let &[byte] = character.as_bytes() else {
                    return Err(invalid(format!(
                        "COPY {name} must be a single one-byte character"
                    )));
                };
                if name == "quote" {
                    options.quote = byte;
                    if find("escape").is_none() {
                        options.escape = byte;
                    }
                } else {
                    options.escape = byte;
                }
            }
            "force_quote" => options.force_quote = force(value, format, !from, "FORCE_QUOTE")?,
            "force_not_null" => {
                options.force_not_null = force(value, format, from, "FORCE_NOT_NULL")?;
            }
            "force_null" => options.force_null = force(value, format, from, "FORCE_NULL")?,
            "encoding" => {
                let encoding = text(name, value)?;
                let folded = encoding.to_lowercase().replace(['-', '_'], "");
                if !matches!(folded.as_str(), "utf8" | "unicode" | "sqlascii") {
                    return Err(Error::Unsupported(format!(
                        "COPY with ENCODING '{encoding}'"
                    )));
                }
            }
            "freeze" if !on_off(name, value)? => {}
            "on_error" => match text(name, value)?.to_lowercase().as_str() {
                "stop" => {}
                "ignore" if from && format != CopyFormat::Binary => options.on_error_ignore = true,
                "ignore" => {
                    return Err(Error::Unsupported(
                        "ON_ERROR ignore with this COPY".to_owned(),
                    ));
                }
                other => return Err(invalid(format!("COPY ON_ERROR \"{other}\" not recognized"))),
            },
            "reject_limit" => {
                let limit = text(name, value)?;
                let limit: u64 =
                    limit
                        .parse()
                        .ok()
                        .filter(|limit| *limit > 0)
                        .ok_or_else(|| {
                            invalid(format!("REJECT_LIMIT ({limit}) must be greater than zero"))
                        })?;
                options.reject_limit = Some(limit);
            }
            "log_verbosity" => {
                options.log_verbosity = match text(name, value)?.to_lowercase().as_str() {
                    "silent" => LogVerbosity::Silent,
                    "default" => LogVerbosity::Default,
                    "verbose" => LogVerbosity::Verbose,
                    other => {
                        return Err(invalid(format!(
                            "COPY LOG_VERBOSITY \"{other}\" not recognized"
                        )));
                    }
                };
            }
            "freeze" | "oids" => return Err(Error::Unsupported(format!("COPY with {name}"))),
            other => {
                return Err(Error::Syntax {
                    message: format!("option \"{other}\" not recognized"),
                    position: None,
                });
            }
        }
    }
    check_together(&options, given)?;
    Ok(options)
}

fn delimiter(character: &str, format: CopyFormat) -> Result<u8> {
    let &[byte] = character.as_bytes() else {
        return Err(invalid(
            "COPY delimiter must be a single one-byte character",
        ));
    };
    if matches!(byte, b'\r' | b'\n') {
        return Err(invalid(
            "COPY delimiter cannot be newline or carriage return",
        ));
    }
    if format == CopyFormat::Text
        && (byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'\\' | b'.'))
    {
        return Err(invalid(format!("COPY delimiter cannot be \"{character}\"")));
    }
    Ok(byte)
}

fn force(
    value: &CopyValue,
    format: CopyFormat,
    direction: bool,
    name: &str,
) -> Result<ForceColumns> {
    if format != CopyFormat::Csv {
        return Err(Error::Unsupported(format!("COPY {name} outside CSV mode")));
    }
    if !direction {
        return Err(Error::Unsupported(format!("COPY {name} in this direction")));
    }
    match value {
        CopyValue::AllColumns => Ok(ForceColumns::All),
        CopyValue::Columns(columns) => Ok(ForceColumns::Some(columns.clone())),
        _ => Err(Error::Syntax {
            message: format!(
                "argument to option \"{}\" must be a list of column names",
                name.to_lowercase()
            ),
            position: None,
        }),
    }
}

/// Options that exclude each other.
fn check_together(options: &CopyOptions, given: &[(String, CopyValue)]) -> Result<()> {
    let has = |name: &str| given.iter().any(|(own, _)| own == name);
    if options.format == CopyFormat::Binary {
        for name in ["delimiter", "null", "header"] {
            if has(name) {
                return Err(Error::Syntax {
                    message: format!("cannot specify {} in BINARY mode", name.to_uppercase()),
                    position: None,
                });
            }
        }
        return Ok(());
    }
    if options.null.as_bytes().contains(&options.delimiter) {
        return Err(invalid(
            "COPY delimiter character must not appear in the NULL specification",
        ));
    }
    if options.format == CopyFormat::Csv {
        if options.quote == options.delimiter {
            return Err(invalid("COPY delimiter and quote must be different"));
        }
        if options.null.as_bytes().contains(&options.quote) {
            return Err(invalid(
                "CSV quote character must not appear in the NULL specification",
            ));
        }
    }
    if options.reject_limit.is_some() && !options.on_error_ignore {
        return Err(invalid(
            "COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE",
        ));
    }
    Ok(())
}

/// Columns of FORCE options must be among those copied.
fn check_force(options: &CopyOptions, columns: &Columns, from: bool) -> Result<()> {
    let lists: &[(&ForceColumns, &str)] = if from {
        &[
            (&options.force_not_null, "FORCE_NOT_NULL"),
            (&options.force_null, "FORCE_NULL"),
        ]
    } else {
        &[(&options.force_quote, "FORCE_QUOTE")]
    };
    for (list, name) in lists {
        let ForceColumns::Some(named) = list else {
            continue;
        };
        if let Some(missing) = named
            .iter()
            .find(|n| !columns.iter().any(|c| c.name == **n))
        {
            return Err(Error::InvalidDefinition(format!(
                "{name} column \"{missing}\" not referenced by COPY"
            )));
        }
    }
    Ok(())
}
