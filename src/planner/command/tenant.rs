//! CREATE, ALTER and DROP TENANT, the same said of DATABASE, and the rotation of the key that wraps
//! tenants' keys.

use datafusion::sql::sqlparser::tokenizer::Token;

use super::plan;
use crate::error::{Error, Result};
use crate::planner::ast::Tenant;
use crate::planner::cursor::Cursor;

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Tenant>> {
    if cursor.accept(&["ALTER", "SYSTEM", "ROTATE", "MASTER", "KEY"]) {
        return Ok(Some(Tenant::RotateMasterKey));
    }
    for (keyword, database) in [("TENANT", false), ("DATABASE", true)] {
        if cursor.accept(&["CREATE", keyword]) {
            let name = cursor.identifier()?;
            let encrypted = cursor.accept(&["ENCRYPTED"]);
            return Ok(Some(Tenant::Create {
                name,
                options: created_with(cursor)?,
                encrypted,
                database,
            }));
        }
        if cursor.accept(&["ALTER", keyword]) {
            return alter(cursor, database).map(Some);
        }
        if cursor.accept(&["DROP", keyword]) {
            let if_exists = cursor.accept(&["IF", "EXISTS"]);
            let names = cursor.identifiers()?;
            let mut cascade = false;
            let mut force = false;
            while !cursor.is_done() {
                if cursor.accept(&["CASCADE"]) {
                    cascade = true;
                } else if cursor.accept(&["WITH"]) || cursor.peek() == &Token::LParen {
                    cursor.expect_token(&Token::LParen)?;
                    cursor.expect(&["FORCE"])?;
                    cursor.expect_token(&Token::RParen)?;
                    force = true;
                } else if !cursor.accept(&["RESTRICT"]) {
                    return Err(cursor.unexpected());
                }
            }
            return Ok(Some(Tenant::Drop {
                names,
                if_exists,
                cascade,
                force,
                database,
            }));
        }
    }
    Ok(None)
}

/// `WITH (admin = 'boss', password = '…')`, or PostgreSQL's options of CREATE DATABASE.
fn created_with(cursor: &mut Cursor<'_>) -> Result<Vec<(String, String)>> {
    cursor.accept(&["WITH"]);
    if cursor.peek() == &Token::LParen {
        return cursor.parenthesised(|cursor| {
            let name = cursor.identifier()?;
            cursor.expect_token(&Token::Eq)?;
            Ok((name, cursor.value()?))
        });
    }
    if cursor.is_done() {
        return Ok(Vec::new());
    }
    let option = cursor.identifier()?;
    cursor.accept_token(&Token::Eq);
    let value = cursor.value()?;
    match option.as_str() {
        // What every database here has anyway.
        "encoding" if matches!(value.to_lowercase().as_str(), "utf8" | "utf-8" | "unicode") => {}
        "template" if matches!(value.as_str(), "template0" | "template1") => {}
        _ => {
            return Err(Error::Unsupported(format!(
                "CREATE DATABASE with {} = {value}",
                option.to_uppercase()
            )));
        }
    }
    created_with(cursor)
}

fn alter(cursor: &mut Cursor<'_>, database: bool) -> Result<Tenant> {
    let name = cursor.identifier()?;
    if cursor.accept(&["ROTATE", "KEY"]) {
        return Ok(Tenant::RotateKey { name });
    }
    for (word, on) in [("ON", true), ("OFF", false)] {
        if cursor.accept(&["SET", "ENCRYPTION", word]) {
            return Ok(Tenant::SetEncryption { name, on });
        }
    }
    if cursor.accept(&["RENAME", "TO"]) {
        return Ok(Tenant::Rename {
            name,
            to: cursor.identifier()?,
            database,
        });
    }
    if cursor.accept(&["SUSPEND"]) {
        return Ok(Tenant::Suspend {
            name,
            suspended: true,
        });
    }
    if cursor.accept(&["RESUME"]) {
        return Ok(Tenant::Suspend {
            name,
            suspended: false,
        });
    }
    if let Some(quotas) = plan::quotas(cursor)? {
        return Ok(match quotas {
            Some(quotas) => Tenant::SetQuota { name, quotas },
            None => Tenant::ResetQuota { name },
        });
    }
    if cursor.accept(&["SET", "PLAN"]) {
        let plan = Some(cursor.identifier()?);
        return Ok(Tenant::SetPlan { name, plan });
    }
    if cursor.accept(&["RESET", "PLAN"]) {
        return Ok(Tenant::SetPlan { name, plan: None });
    }
    if cursor.accept(&["RESET"]) {
        let setting = cursor.identifier()?;
        return Ok(Tenant::Set {
            name,
            options: vec![(setting, None)],
            database,
        });
    }
    cursor.expect(&["SET"])?;
    set(cursor, name, database)
}

/// What a tenant's sessions start with.
fn set(cursor: &mut Cursor<'_>, name: String, database: bool) -> Result<Tenant> {
    if cursor.peek() == &Token::LParen {
        let options = cursor.parenthesised(|cursor| {
            let name = cursor.identifier()?;
            cursor.expect_token(&Token::Eq)?;
            Ok((name, Some(cursor.value()?)))
        })?;
        return Ok(Tenant::Set {
            name,
            options,
            database,
        });
    }
    let setting = cursor.identifier()?;
    if !cursor.accept(&["TO"]) {
        cursor.expect_token(&Token::Eq)?;
    }
    let value = if cursor.accept(&["DEFAULT"]) {
        None
    } else {
        Some(cursor.list(Cursor::value)?.join(", "))
    };
    Ok(Tenant::Set {
        name,
        options: vec![(setting, value)],
        database,
    })
}
