//! CREATE, ALTER, DROP and COMMENT ON of enums and domains.

use datafusion::sql::sqlparser::ast::{Expr, ObjectName};
use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::{Error, Result};
use crate::planner::ast::{
    DomainAction, DomainConstraint, DomainRule, EnumPlace, TypeAction, UserTypeStatement,
};
use crate::planner::cursor::Cursor;

/// Reads a statement about types, or nothing if it is of another kind.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<UserTypeStatement>> {
    if cursor.accept(&["CREATE", "TYPE"]) {
        return create_type(cursor).map(Some);
    }
    if cursor.accept(&["CREATE", "DOMAIN"]) {
        return create_domain(cursor).map(Some);
    }
    for (word, domain) in [("TYPE", false), ("DOMAIN", true)] {
        if cursor.accept(&["ALTER", word]) {
            let name = cursor.object_name()?;
            let action = alter(cursor, domain)?;
            return Ok(Some(UserTypeStatement::Alter {
                name,
                domain,
                action,
            }));
        }
        if cursor.accept(&["DROP", word]) {
            let if_exists = cursor.accept(&["IF", "EXISTS"]);
            let names = cursor.list(Cursor::object_name)?;
            return Ok(Some(UserTypeStatement::Drop {
                names,
                domain,
                if_exists,
                cascade: behavior(cursor),
            }));
        }
        if cursor.accept(&["COMMENT", "ON", word]) {
            let name = cursor.object_name()?;
            cursor.expect(&["IS"])?;
            let comment = match cursor.accept(&["NULL"]) {
                true => None,
                false => Some(cursor.string()?),
            };
            return Ok(Some(UserTypeStatement::Alter {
                name,
                domain,
                action: TypeAction::Comment(comment.filter(|text| !text.is_empty())),
            }));
        }
    }
    Ok(None)
}

/// CASCADE, or RESTRICT or nothing.
fn behavior(cursor: &mut Cursor<'_>) -> bool {
    let cascade = cursor.accept(&["CASCADE"]);
    if !cascade {
        cursor.accept(&["RESTRICT"]);
    }
    cascade
}

fn create_type(cursor: &mut Cursor<'_>) -> Result<UserTypeStatement> {
    let name = cursor.object_name()?;
    if cursor.accept(&["AS", "ENUM"]) {
        cursor.expect_token(&Token::LParen)?;
        let labels = match cursor.peek() {
            Token::RParen => Vec::new(),
            _ => cursor.list(Cursor::string)?,
        };
        cursor.expect_token(&Token::RParen)?;
        return Ok(UserTypeStatement::CreateEnum { name, labels });
    }
    let what = match (cursor.accept(&["AS", "RANGE"]), cursor.accept(&["AS"])) {
        (true, _) => "CREATE TYPE … AS RANGE: a range type",
        (false, true) => "CREATE TYPE … AS (…): a composite type",
        (false, false) => "CREATE TYPE of a base type",
    };
    Err(Error::Unsupported(what.to_owned()))
}

fn create_domain(cursor: &mut Cursor<'_>) -> Result<UserTypeStatement> {
    let name = cursor.object_name()?;
    cursor.accept(&["AS"]);
    let data_type = cursor.data_type()?;
    let mut default = None;
    let mut constraints = Vec::new();
    while !cursor.is_done() {
        if cursor.accept(&["COLLATE"]) {
            collation(&cursor.object_name()?)?;
        } else if cursor.accept(&["DEFAULT"]) {
            if default.is_some() {
                return Err(Error::Syntax {
                    message: "multiple default expressions".to_owned(),
                    position: None,
                });
            }
            default = Some(match cursor.expression()? {
                // What follows a default is a rule of the domain.
                Expr::IsNotNull(value) => {
                    constraints.push(DomainConstraint {
                        name: None,
                        rule: DomainRule::NotNull,
                    });
                    value
                }
                value => Box::new(value),
            });
        } else {
            constraints.push(constraint(cursor)?);
        }
    }
    Ok(UserTypeStatement::CreateDomain {
        name,
        data_type,
        default,
        constraints,
    })
}

fn collation(name: &ObjectName) -> Result<()> {
    let last = name.0.last().and_then(|part| part.as_ident());
    match last.map(|ident| ident.value.as_str()) {
        Some("C" | "default" | "POSIX") => Ok(()),
        _ => Err(Error::Unsupported(format!("COLLATE {name} of a domain"))),
    }
}

/// `[CONSTRAINT name] CHECK (…) | NOT NULL | NULL`.
fn constraint(cursor: &mut Cursor<'_>) -> Result<DomainConstraint> {
    let name = match cursor.accept(&["CONSTRAINT"]) {
        true => Some(cursor.identifier()?),
        false => None,
    };
    let rule = if cursor.accept(&["NOT", "NULL"]) {
        DomainRule::NotNull
    } else if cursor.accept(&["NULL"]) {
        DomainRule::Null
    } else if cursor.accept(&["CHECK"]) {
        DomainRule::Check(Box::new(condition(cursor)?))
    } else {
        return Err(cursor.unexpected());
    };
    Ok(DomainConstraint { name, rule })
}

/// An expression in parentheses.
fn condition(cursor: &mut Cursor<'_>) -> Result<Expr> {
    cursor.expect_token(&Token::LParen)?;
    let condition = cursor.expression()?;
    cursor.expect_token(&Token::RParen)?;
    Ok(condition)
}

fn alter(cursor: &mut Cursor<'_>, domain: bool) -> Result<TypeAction> {
    if cursor.accept(&["RENAME", "TO"]) {
        return Ok(TypeAction::Rename(cursor.identifier()?));
    }
    if cursor.accept(&["OWNER", "TO"]) {
        return Ok(TypeAction::Owner(cursor.identifier()?));
    }
    if cursor.accept(&["SET", "SCHEMA"]) {
        return Ok(TypeAction::Schema(cursor.identifier()?));
    }
    if domain {
        return alter_domain(cursor).map(|action| TypeAction::Domain(Box::new(action)));
    }
    if cursor.accept(&["ADD", "VALUE"]) {
        let if_not_exists = cursor.accept(&["IF", "NOT", "EXISTS"]);
        let label = cursor.string()?;
        let place = if cursor.accept(&["BEFORE"]) {
            EnumPlace::Before(cursor.string()?)
        } else if cursor.accept(&["AFTER"]) {
            EnumPlace::After(cursor.string()?)
        } else {
            EnumPlace::Last
        };
        return Ok(TypeAction::AddValue {
            label,
            if_not_exists,
            place,
        });
    }
    if cursor.accept(&["RENAME", "VALUE"]) {
        let from = cursor.string()?;
        cursor.expect(&["TO"])?;
        let to = cursor.string()?;
        return Ok(TypeAction::RenameValue { from, to });
    }
    for words in ["ADD", "DROP", "ALTER", "RENAME"] {
        if cursor.starts_with(&[words, "ATTRIBUTE"]) {
            return Err(Error::Unsupported(format!(
                "ALTER TYPE … {words} ATTRIBUTE"
            )));
        }
    }
    Err(cursor.unexpected())
}

fn alter_domain(cursor: &mut Cursor<'_>) -> Result<DomainAction> {
    if cursor.accept(&["SET", "DEFAULT"]) {
        return Ok(DomainAction::SetDefault(Some(Box::new(
            cursor.expression()?,
        ))));
    }
    if cursor.accept(&["DROP", "DEFAULT"]) {
        return Ok(DomainAction::SetDefault(None));
    }
    if cursor.accept(&["SET", "NOT", "NULL"]) {
        return Ok(DomainAction::SetNullable(false));
    }
    if cursor.accept(&["DROP", "NOT", "NULL"]) {
        return Ok(DomainAction::SetNullable(true));
    }
    if cursor.accept(&["DROP", "CONSTRAINT"]) {
        let if_exists = cursor.accept(&["IF", "EXISTS"]);
        let name = cursor.identifier()?;
        behavior(cursor);
        return Ok(DomainAction::DropConstraint { name, if_exists });
    }
    if cursor.accept(&["RENAME", "CONSTRAINT"]) {
        let from = cursor.identifier()?;
        cursor.expect(&["TO"])?;
        let to = cursor.identifier()?;
        return Ok(DomainAction::RenameConstraint { from, to });
    }
    if cursor.accept(&["VALIDATE", "CONSTRAINT"]) {
        return Ok(DomainAction::ValidateConstraint(cursor.identifier()?));
    }
    cursor.expect(&["ADD"])?;
    let constraint = constraint(cursor)?;
    let not_valid = cursor.accept(&["NOT", "VALID"]);
    Ok(DomainAction::AddConstraint {
        constraint,
        not_valid,
    })
}
