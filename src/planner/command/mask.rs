//! CREATE, ALTER and DROP MASKING POLICY, and ALTER TABLE … SET MASKING POLICY.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::{Error, Result};
use crate::planner::ast::{Mask, MaskKind};
use crate::planner::cursor::Cursor;

const POLICY: [&str; 2] = ["MASKING", "POLICY"];

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Mask>> {
    if cursor.accept(&["CREATE", "MASKING", "POLICY"]) {
        let name = cursor.identifier()?;
        cursor.expect(&["USING"])?;
        let kind = kind(cursor)?;
        let roles = roles(cursor, "TO")?;
        let except = roles_of_except(cursor)?;
        return Ok(Some(Mask::Create {
            name,
            kind,
            roles: roles.unwrap_or_default(),
            except: except.unwrap_or_default(),
        }));
    }
    if cursor.accept(&["ALTER", "MASKING", "POLICY"]) {
        return alter(cursor).map(Some);
    }
    if cursor.accept(&["DROP", "MASKING", "POLICY"]) {
        let if_exists = cursor.accept(&["IF", "EXISTS"]);
        let name = cursor.identifier()?;
        let cascade = cursor.accept(&["CASCADE"]);
        if !cascade {
            cursor.accept(&["RESTRICT"]);
        }
        return Ok(Some(Mask::Drop {
            name,
            if_exists,
            cascade,
        }));
    }
    if cursor.starts_with(&["ALTER", "TABLE"]) && names_policy(cursor) {
        return on_column(cursor).map(Some);
    }
    Ok(None)
}

/// Whether the statement ends with a masking policy.
fn names_policy(cursor: &Cursor<'_>) -> bool {
    let count = cursor.rest().len();
    let at = |ahead: usize| {
        ["SET", "UNSET"]
            .iter()
            .any(|word| cursor.is_at(ahead, word))
            && cursor.is_at(ahead + 1, POLICY[0])
            && cursor.is_at(ahead + 2, POLICY[1])
    };
    (2..count).any(at)
}

fn on_column(cursor: &mut Cursor<'_>) -> Result<Mask> {
    cursor.expect(&["ALTER", "TABLE"])?;
    cursor.accept(&["ONLY"]);
    let table = cursor.object_name()?;
    cursor.expect(&["ALTER"])?;
    cursor.accept(&["COLUMN"]);
    let column = cursor.identifier()?;
    let policy = if cursor.accept(&["UNSET", "MASKING", "POLICY"]) {
        None
    } else {
        cursor.expect(&["SET", "MASKING", "POLICY"])?;
        Some(cursor.identifier()?)
    };
    Ok(Mask::OnColumn {
        table,
        column,
        policy,
    })
}

fn alter(cursor: &mut Cursor<'_>) -> Result<Mask> {
    let name = cursor.identifier()?;
    if cursor.accept(&["RENAME", "TO"]) {
        return Ok(Mask::Rename {
            name,
            to: cursor.identifier()?,
        });
    }
    let kind = match cursor.accept(&["USING"]) {
        true => Some(kind(cursor)?),
        false => None,
    };
    let roles = roles(cursor, "TO")?;
    let except = roles_of_except(cursor)?;
    if kind.is_none() && roles.is_none() && except.is_none() {
        return Err(cursor.unexpected());
    }
    Ok(Mask::Alter {
        name,
        kind,
        roles,
        except,
    })
}

fn roles(cursor: &mut Cursor<'_>, word: &str) -> Result<Option<Vec<crate::planner::ast::Name>>> {
    match cursor.accept(&[word]) {
        true => cursor.list(Cursor::role).map(Some),
        false => Ok(None),
    }
}

/// EXCEPT NONE takes the exceptions away.
fn roles_of_except(cursor: &mut Cursor<'_>) -> Result<Option<Vec<crate::planner::ast::Name>>> {
    if cursor.accept(&["EXCEPT", "NONE"]) {
        return Ok(Some(Vec::new()));
    }
    roles(cursor, "EXCEPT")
}

fn kind(cursor: &mut Cursor<'_>) -> Result<MaskKind> {
    for (word, kind) in [
        ("FULL", MaskKind::Full),
        ("NULL", MaskKind::Null),
        ("HASH", MaskKind::Hash),
    ] {
        if cursor.accept(&[word]) {
            return Ok(kind);
        }
    }
    if cursor.accept(&["PARTIAL"]) {
        cursor.expect_token(&Token::LParen)?;
        let first = length(cursor)?;
        cursor.expect_token(&Token::Comma)?;
        let padding = cursor.string()?;
        cursor.expect_token(&Token::Comma)?;
        let last = length(cursor)?;
        cursor.expect_token(&Token::RParen)?;
        return Ok(MaskKind::Partial {
            first,
            padding,
            last,
        });
    }
    cursor.expect_token(&Token::LParen)?;
    let expression = cursor.expression()?;
    cursor.expect_token(&Token::RParen)?;
    Ok(MaskKind::Expression(Box::new(expression)))
}

fn length(cursor: &mut Cursor<'_>) -> Result<u32> {
    let length = cursor.integer()?;
    u32::try_from(length).map_err(|_| {
        Error::InvalidParameterValue(format!("invalid length of a partial mask: {length}"))
    })
}
