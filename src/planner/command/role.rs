//! CREATE, ALTER and DROP ROLE, SET ROLE and what is owned.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::plan;
use crate::error::{Error, Result};
use crate::planner::ast::{Role, RoleOptions};
use crate::planner::cursor::Cursor;

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Role>> {
    for (keyword, login) in [("ROLE", false), ("USER", true), ("GROUP", false)] {
        if cursor.accept(&["CREATE", keyword]) {
            let if_not_exists = cursor.accept(&["IF", "NOT", "EXISTS"]);
            let role = cursor.role()?;
            let mut options = options(cursor)?;
            options.login = options.login.or(Some(login));
            return Ok(Some(Role::Create {
                role,
                options,
                if_not_exists,
            }));
        }
        if cursor.accept(&["ALTER", keyword]) {
            return alter(cursor).map(Some);
        }
        if !cursor.starts_with(&["DROP", keyword, "MAPPING"]) && cursor.accept(&["DROP", keyword]) {
            let if_exists = cursor.accept(&["IF", "EXISTS"]);
            let roles = cursor.list(Cursor::role)?;
            return Ok(Some(Role::Drop { roles, if_exists }));
        }
    }
    if cursor.accept(&["REASSIGN", "OWNED", "BY"]) {
        let from = cursor.list(Cursor::role)?;
        cursor.expect(&["TO"])?;
        return Ok(Some(Role::ReassignOwned {
            from,
            to: cursor.role()?,
        }));
    }
    if cursor.accept(&["DROP", "OWNED", "BY"]) {
        let by = cursor.list(Cursor::role)?;
        let cascade = cursor.accept(&["CASCADE"]);
        if !cascade {
            cursor.accept(&["RESTRICT"]);
        }
        return Ok(Some(Role::DropOwned { by, cascade }));
    }
    assume(cursor)
}

/// SET ROLE and SET SESSION AUTHORIZATION.
fn assume(cursor: &mut Cursor<'_>) -> Result<Option<Role>> {
    if cursor.accept(&["RESET", "ROLE"]) {
        return Ok(Some(Role::SetRole {
            name: None,
            local: false,
        }));
    }
    if cursor.accept(&["RESET", "SESSION", "AUTHORIZATION"]) {
        return Ok(Some(Role::SetSessionAuthorization { name: None }));
    }
    let local = cursor.starts_with(&["SET", "LOCAL", "ROLE"]);
    if local || cursor.starts_with(&["SET", "SESSION", "ROLE"]) {
        cursor.expect(&["SET"])?;
        cursor.advance();
        cursor.expect(&["ROLE"])?;
    } else if !cursor.accept(&["SET", "ROLE"]) {
        if !(cursor.accept(&["SET", "SESSION", "AUTHORIZATION"])
            || cursor.accept(&["SET", "SESSION", "SESSION", "AUTHORIZATION"]))
        {
            return Ok(None);
        }
        let name = if cursor.accept(&["DEFAULT"]) {
            None
        } else {
            Some(name(cursor)?)
        };
        return Ok(Some(Role::SetSessionAuthorization { name }));
    }
    if !cursor.accept(&["TO"]) {
        cursor.accept_token(&Token::Eq);
    }
    let name = if cursor.accept(&["NONE"]) || cursor.accept(&["DEFAULT"]) {
        None
    } else {
        Some(name(cursor)?)
    };
    Ok(Some(Role::SetRole { name, local }))
}

fn name(cursor: &mut Cursor<'_>) -> Result<String> {
    match cursor.peek() {
        Token::SingleQuotedString(_) => cursor.string(),
        _ => cursor.identifier(),
    }
}

fn alter(cursor: &mut Cursor<'_>) -> Result<Role> {
    let role = cursor.role()?;
    if cursor.accept(&["IN", "DATABASE"]) {
        return Err(Error::Unsupported("ALTER ROLE IN DATABASE".to_owned()));
    }
    if cursor.accept(&["RENAME", "TO"]) {
        return Ok(Role::Rename {
            role,
            to: cursor.identifier()?,
        });
    }
    if cursor.accept(&["SET", "MFA"]) {
        cursor.expect(&["TOTP"])?;
        return Ok(Role::SecondFactor { role, wanted: true });
    }
    if cursor.accept(&["RESET", "MFA"]) {
        return Ok(Role::SecondFactor {
            role,
            wanted: false,
        });
    }
    if let Some(quotas) = plan::quotas(cursor)? {
        return Ok(match quotas {
            Some(quotas) => Role::SetQuota { role, quotas },
            None => Role::ResetQuota { role },
        });
    }
    if cursor.accept(&["RESET"]) {
        let name = if cursor.accept(&["ALL"]) {
            None
        } else {
            Some(cursor.identifier()?)
        };
        return Ok(Role::Set {
            role,
            name,
            value: None,
        });
    }
    if cursor.accept(&["SET"]) {
        let mut name = cursor.identifier()?;
        while cursor.accept_token(&Token::Period) {
            name = format!("{name}.{}", cursor.identifier()?);
        }
        if !cursor.accept(&["TO"]) {
            cursor.expect_token(&Token::Eq)?;
        }
        let value = if cursor.accept(&["DEFAULT"]) {
            None
        } else {
            Some(cursor.list(Cursor::value)?.join(", "))
        };
        return Ok(Role::Set {
            role,
            name: Some(name),
            value,
        });
    }
    Ok(Role::Alter {
        role,
        options: options(cursor)?,
    })
}

fn options(cursor: &mut Cursor<'_>) -> Result<RoleOptions> {
    let mut options = RoleOptions::default();
    cursor.accept(&["WITH"]);
    while !cursor.is_done() {
        if cursor.accept(&["CONNECTION", "LIMIT"]) {
            let limit = cursor.integer()?;
            options.connection_limit = Some(i32::try_from(limit).map_err(|_| {
                Error::InvalidParameterValue(format!("invalid connection limit: {limit}"))
            })?);
        } else if cursor.accept(&["VALID", "UNTIL"]) {
            options.valid_until = Some(cursor.string()?);
        } else if cursor.accept(&["ENCRYPTED", "PASSWORD"]) || cursor.accept(&["PASSWORD"]) {
            options.password = Some(if cursor.accept(&["NULL"]) {
                None
            } else {
                Some(cursor.string()?)
            });
        } else if cursor.accept(&["IN", "ROLE"]) || cursor.accept(&["IN", "GROUP"]) {
            options.in_roles = cursor.list(Cursor::role)?;
        } else if cursor.accept(&["ADMIN"]) {
            options.admins = cursor.list(Cursor::role)?;
        } else if cursor.accept(&["ROLE"]) || cursor.accept(&["USER"]) {
            options.members = cursor.list(Cursor::role)?;
        } else if cursor.accept(&["SYSID"]) {
            cursor.integer()?;
        } else {
            flag(cursor, &mut options)?;
        }
    }
    Ok(options)
}

fn flag(cursor: &mut Cursor<'_>, options: &mut RoleOptions) -> Result<()> {
    for (keyword, target, value) in [
        ("SUPERUSER", &mut options.superuser, true),
        ("CREATEDB", &mut options.create_db, true),
        ("CREATEROLE", &mut options.create_role, true),
        ("INHERIT", &mut options.inherit, true),
        ("LOGIN", &mut options.login, true),
        ("REPLICATION", &mut options.replication, true),
        ("BYPASSRLS", &mut options.bypass_rls, true),
    ] {
        if cursor.accept(&[keyword]) {
            *target = Some(value);
            return Ok(());
        }
        if cursor.accept(&[&format!("NO{keyword}")]) {
            *target = Some(!value);
            return Ok(());
        }
    }
    Err(cursor.unexpected())
}
