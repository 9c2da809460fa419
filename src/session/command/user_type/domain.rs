//! Domains: what they stand on and what they demand of values.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::common::{DFSchema, ToDFSchema};
use datafusion::sql::sqlparser::ast::{DataType, Expr, Ident, ObjectName};
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Domain, DomainCheck, Relation, UserType, UserTypeBody};
use tessera_catalog::sql_type::SqlType;
use tessera_catalog::system::DOMAIN_VALUE;

use super::super::names::check_new_name;
use super::super::table::column::{any_row, check_storable};
use super::super::{default, grant};
use super::{creation, put, usage};
use crate::error::{Error, Result};
use crate::planner::ast::{DomainAction, DomainConstraint, DomainRule};
use crate::planner::source::Found;
use crate::planner::{Scope, bind_types, sql_type};
use crate::session::Session;
use crate::session::reply::Notice;
use tessera_udfs::walk;

pub(super) async fn create(
    session: &mut Session,
    name: &ObjectName,
    data_type: &DataType,
    (default, constraints): (Option<&Expr>, &[DomainConstraint]),
) -> Result<()> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let (schema, name) = creation(session, &scope, &caller, name).await?;
    let types = scope.user_types();
    let base = sql_type(data_type, &types)?;
    let below = types.written(data_type);
    if let Some(below) = below {
        usage::check(&caller, below)?;
    }
    check_base(&base, &name)?;
    let catalog = session.engine.catalog.clone();
    let next_oid = || catalog.next_oid(&scope.database);
    let (oid, array_oid) = (next_oid(), next_oid());
    let mut domain = Domain {
        base,
        parent: below.filter(|t| t.domain().is_some()).map(|t| t.oid),
        nullable: true,
        default: None,
        checks: Vec::new(),
    };
    if let Some(default) = default {
        domain.default = Some(default_text(default, &domain, &scope)?);
    }
    let mut said: Option<bool> = None;
    for constraint in constraints {
        let nullable = match &constraint.rule {
            DomainRule::NotNull => false,
            DomainRule::Null => true,
            DomainRule::Check(condition) => {
                let given = constraint.name.clone();
                let check = check(given, condition, &domain, &name, &scope, next_oid())?;
                domain.checks.push(check);
                continue;
            }
        };
        if said.is_some_and(|former| former != nullable) {
            return Err(Error::Syntax {
                message: "conflicting NULL/NOT NULL constraints".to_owned(),
                position: None,
            });
        }
        said = Some(nullable);
        domain.nullable = nullable;
    }
    let made = UserType {
        oid,
        array_oid,
        schema: schema.oid,
        name,
        owner: grant::creator(&caller),
        acl: None,
        comment: None,
        body: UserTypeBody::Domain(domain),
    };
    put(session, &caller.database, made);
    Ok(())
}

fn check_base(base: &SqlType, name: &str) -> Result<()> {
    if matches!(base, SqlType::Record | SqlType::Unknown | SqlType::Void) {
        return Err(Error::DatatypeMismatch(format!(
            "\"{base}\" is not a valid base type for a domain"
        )));
    }
    check_storable(base, name)
}

fn default_text(default: &Expr, domain: &Domain, scope: &Scope) -> Result<String> {
    let column =
        super::super::table::column::new_column(DOMAIN_VALUE.to_owned(), domain.base.clone(), 1)?;
    default::check(default, &column, scope)
}

/// A condition with a name of its own, after it was planned over VALUE.
fn check(
    name: Option<String>,
    condition: &Expr,
    domain: &Domain,
    domain_name: &str,
    scope: &Scope,
    oid: Oid,
) -> Result<DomainCheck> {
    let schema = value_schema(&domain.base, scope)?;
    default::condition(condition, &schema, scope).map_err(|error| match error {
        Error::NoSuchColumn(name) => Error::NoSuchColumn(name),
        other => other,
    })?;
    let taken = |candidate: &str| domain.checks.iter().any(|c| c.name == candidate);
    let name = match name {
        Some(name) if taken(&name) => {
            return Err(Error::Function {
                sqlstate: "42710",
                message: format!(
                    "constraint \"{name}\" for domain \"{domain_name}\" already exists"
                ),
                hint: None,
                detail: None,
            });
        }
        Some(name) => {
            check_new_name(&name)?;
            name
        }
        None => {
            let base = format!("{domain_name}_check");
            match taken(&base) {
                false => base,
                true => (1..)
                    .map(|n| format!("{base}{n}"))
                    .find(|name| !taken(name))
                    .unwrap_or(base),
            }
        }
    };
    let mut condition = condition.clone();
    bind_types(&mut condition, scope);
    Ok(DomainCheck {
        oid,
        name,
        expression: condition.to_string(),
        validated: true,
    })
}

/// The one column over which a domain's conditions are planned.
fn value_schema(base: &SqlType, scope: &Scope) -> Result<DFSchema> {
    let field = base.field(DOMAIN_VALUE, true, &scope.zone);
    Ok(Arc::new(Schema::new(vec![field])).to_dfschema()?)
}

/// What a domain demands of a column's values, the innermost domain's first.
pub(in crate::session::command) fn rules_of(
    domain: Oid,
    scope: &Scope,
) -> Result<Vec<(String, Option<DomainCheck>)>> {
    let types = scope.user_types();
    let mut chain = Vec::new();
    let mut name = None;
    let mut next = Some(domain);
    while let Some(oid) = next {
        let found = types
            .by_oid(oid)
            .ok_or_else(|| Error::NoSuchType(oid.to_string()))?;
        let body = found
            .domain()
            .ok_or_else(|| Error::internal("a domain was expected"))?;
        name.get_or_insert_with(|| found.name.clone());
        chain.push(body.clone());
        next = body.parent;
    }
    // Errors name the domain itself, whichever of those below it made the rule.
    let name = name.unwrap_or_default();
    let mut rules = Vec::new();
    for body in chain.into_iter().rev() {
        if !body.nullable {
            rules.push((name.clone(), None));
        }
        let checks = body.checks.into_iter();
        rules.extend(checks.map(|check| (name.clone(), Some(check))));
    }
    Ok(rules)
}

/// A domain's condition on a column's values.
pub(in crate::session::command) fn on_column(expression: &str, column: &str) -> Result<Expr> {
    let mut condition = default::parse(expression)?;
    let replaced = walk::expressions_mut(&mut condition, &mut |expr| {
        if let Expr::Identifier(ident) = expr
            && ident.value.eq_ignore_ascii_case(DOMAIN_VALUE)
        {
            *ident = Ident::with_quote('"', column);
        }
        std::ops::ControlFlow::<()>::Continue(())
    });
    debug_assert!(replaced.is_continue());
    Ok(condition)
}

/// Changes a domain's rules; whether anything changed.
pub(super) async fn alter(
    session: &mut Session,
    scope: &Scope,
    changed: &mut UserType,
    action: &DomainAction,
) -> Result<bool> {
    let (oid, name) = (changed.oid, changed.name.clone());
    let UserTypeBody::Domain(domain) = &mut changed.body else {
        return Err(Error::internal("a domain was expected"));
    };
    match action {
        DomainAction::SetDefault(None) => domain.default = None,
        DomainAction::SetDefault(Some(expr)) => {
            domain.default = Some(default_text(expr, domain, scope)?);
        }
        DomainAction::SetNullable(nullable) => {
            if !nullable && domain.nullable {
                check_no_nulls(session, scope, oid).await?;
            }
            domain.nullable = *nullable;
        }
        DomainAction::AddConstraint {
            constraint,
            not_valid,
        } => {
            let condition = match &constraint.rule {
                DomainRule::Check(condition) => condition,
                DomainRule::NotNull => {
                    check_no_nulls(session, scope, oid).await?;
                    domain.nullable = false;
                    return Ok(true);
                }
                DomainRule::Null => {
                    return Err(Error::Unsupported("ADD NULL of a domain".to_owned()));
                }
            };
            let number = session.engine.catalog.next_oid(&scope.database);
            let given = constraint.name.clone();
            let mut added = check(given, condition, domain, &name, scope, number)?;
            added.validated = !not_valid;
            if !not_valid {
                check_values(session, scope, oid, &added.expression).await?;
            }
            domain.checks.push(added);
        }
        DomainAction::DropConstraint {
            name: gone,
            if_exists,
        } => {
            let before = domain.checks.len();
            domain.checks.retain(|check| check.name != *gone);
            if domain.checks.len() == before {
                if !if_exists {
                    return Err(no_constraint(gone, &name));
                }
                session.notice(Notice::plain(format!(
                    "constraint \"{gone}\" of domain \"{name}\" does not exist, skipping"
                )));
                return Ok(false);
            }
        }
        DomainAction::RenameConstraint { from, to } => {
            check_new_name(to)?;
            if domain.checks.iter().any(|check| check.name == *to) {
                return Err(Error::Function {
                    sqlstate: "42710",
                    message: format!("constraint \"{to}\" for domain {name} already exists"),
                    hint: None,
                    detail: None,
                });
            }
            let found = domain.checks.iter_mut().find(|check| check.name == *from);
            let found = found.ok_or_else(|| Error::Function {
                sqlstate: "42704",
                message: format!("constraint \"{from}\" for domain {name} does not exist"),
                hint: None,
                detail: None,
            })?;
            found.name.clone_from(to);
        }
        DomainAction::ValidateConstraint(of) => {
            let found = domain.checks.iter_mut().find(|check| check.name == *of);
            let found = found.ok_or_else(|| no_constraint(of, &name))?;
            check_values(session, scope, oid, &found.expression).await?;
            found.validated = true;
        }
    }
    Ok(true)
}

fn no_constraint(constraint: &str, domain: &str) -> Error {
    Error::Function {
        sqlstate: "42704",
        message: format!("constraint \"{constraint}\" of domain \"{domain}\" does not exist"),
        hint: None,
        detail: None,
    }
}

/// Refuses a new rule for values in tables that this session does not see.
async fn check_reach(session: &Session, domain: Oid) -> Result<()> {
    let of_tenants = usage::of_tenants(session, domain).await?;
    if of_tenants == 0 {
        return Ok(());
    }
    Err(Error::Function {
        sqlstate: "0A000",
        message: format!(
            "a new rule of a domain that {of_tenants} objects of tenants use is not supported"
        ),
        hint: Some("Add a CHECK constraint as NOT VALID: new values are held to it.".to_owned()),
        detail: None,
    })
}

fn in_table(relation: &Arc<Relation>, scope: &Scope) -> Option<Found> {
    let mut found = scope.relation_by_oid(relation.oid)?;
    found.relation = Arc::clone(relation);
    Some(found)
}

async fn check_no_nulls(session: &mut Session, scope: &Scope, domain: Oid) -> Result<()> {
    check_reach(session, domain).await?;
    for (relation, column) in usage::columns_of_domain(&scope.database, domain) {
        let Some(found) = in_table(&relation, scope) else {
            continue;
        };
        let quoted = column.replace('"', "\"\"");
        if any_row(session, &found, &format!("\"{quoted}\" IS NULL")).await? {
            return Err(Error::Function {
                sqlstate: "23502",
                message: format!(
                    "column \"{column}\" of table \"{}\" contains null values",
                    relation.name
                ),
                hint: None,
                detail: None,
            });
        }
    }
    Ok(())
}

async fn check_values(
    session: &mut Session,
    scope: &Scope,
    domain: Oid,
    expression: &str,
) -> Result<()> {
    check_reach(session, domain).await?;
    for (relation, column) in usage::columns_of_domain(&scope.database, domain) {
        let Some(found) = in_table(&relation, scope) else {
            continue;
        };
        let condition = on_column(expression, &column)?;
        if any_row(session, &found, &format!("({condition}) IS FALSE")).await? {
            return Err(Error::Function {
                sqlstate: "23514",
                message: format!(
                    "column \"{column}\" of table \"{}\" contains values that violate the new \
                     constraint",
                    relation.name
                ),
                hint: None,
                detail: None,
            });
        }
    }
    Ok(())
}
