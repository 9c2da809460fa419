//! CREATE, ALTER and DROP POLICY.

use datafusion::sql::sqlparser::tokenizer::Token;
use tessera_catalog::model::PolicyCommand;

use crate::error::{Error, Result};
use crate::planner::ast::Policy;
use crate::planner::cursor::Cursor;

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Policy>> {
    if cursor.accept(&["CREATE", "POLICY"]) {
        return create(cursor).map(Some);
    }
    if cursor.accept(&["ALTER", "POLICY"]) {
        return alter(cursor).map(Some);
    }
    if cursor.accept(&["DROP", "POLICY"]) {
        let if_exists = cursor.accept(&["IF", "EXISTS"]);
        let name = cursor.identifier()?;
        cursor.expect(&["ON"])?;
        let table = cursor.object_name()?;
        if !cursor.accept(&["CASCADE"]) {
            cursor.accept(&["RESTRICT"]);
        }
        return Ok(Some(Policy::Drop {
            name,
            table,
            if_exists,
        }));
    }
    Ok(None)
}

fn create(cursor: &mut Cursor<'_>) -> Result<Policy> {
    let name = cursor.identifier()?;
    cursor.expect(&["ON"])?;
    let table = cursor.object_name()?;
    let mut permissive = true;
    if cursor.accept(&["AS"]) {
        permissive = match cursor.identifier()?.as_str() {
            "permissive" => true,
            "restrictive" => false,
            other => {
                return Err(Error::Function {
                    sqlstate: "42601",
                    message: format!("unrecognized row security option \"{other}\""),
                    hint: Some(
                        "Only PERMISSIVE or RESTRICTIVE policies are supported currently."
                            .to_owned(),
                    ),
                    detail: None,
                });
            }
        };
    }
    let mut command = PolicyCommand::All;
    if cursor.accept(&["FOR"]) {
        let commands = [
            PolicyCommand::All,
            PolicyCommand::Select,
            PolicyCommand::Insert,
            PolicyCommand::Update,
            PolicyCommand::Delete,
        ];
        let found = commands
            .into_iter()
            .find(|command| cursor.accept(&[command.keyword()]));
        command = found.ok_or_else(|| cursor.unexpected())?;
    }
    let roles = if cursor.accept(&["TO"]) {
        cursor.list(Cursor::role)?
    } else {
        Vec::new()
    };
    let (using, check) = conditions(cursor)?;
    Ok(Policy::Create {
        name,
        table,
        permissive,
        command,
        roles,
        using,
        check,
    })
}

fn alter(cursor: &mut Cursor<'_>) -> Result<Policy> {
    let name = cursor.identifier()?;
    cursor.expect(&["ON"])?;
    let table = cursor.object_name()?;
    if cursor.accept(&["RENAME", "TO"]) {
        return Ok(Policy::Rename {
            name,
            table,
            to: cursor.identifier()?,
        });
    }
    let roles = if cursor.accept(&["TO"]) {
        Some(cursor.list(Cursor::role)?)
    } else {
        None
    };
    let (using, check) = conditions(cursor)?;
    Ok(Policy::Alter {
        name,
        table,
        roles,
        using,
        check,
    })
}

type Conditions = (
    Option<datafusion::sql::sqlparser::ast::Expr>,
    Option<datafusion::sql::sqlparser::ast::Expr>,
);

fn conditions(cursor: &mut Cursor<'_>) -> Result<Conditions> {
    let mut given = (None, None);
    if cursor.accept(&["USING"]) {
        given.0 = Some(condition(cursor)?);
    }
    if cursor.accept(&["WITH", "CHECK"]) {
        given.1 = Some(condition(cursor)?);
    }
    Ok(given)
}

fn condition(cursor: &mut Cursor<'_>) -> Result<datafusion::sql::sqlparser::ast::Expr> {
    cursor.expect_token(&Token::LParen)?;
    let condition = cursor.expression()?;
    cursor.expect_token(&Token::RParen)?;
    Ok(condition)
}
