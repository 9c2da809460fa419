//! CREATE, ALTER and DROP PLAN, and the lists of quotas that tenants and roles are given.

use datafusion::sql::sqlparser::tokenizer::Token;

use crate::error::Result;
use crate::planner::ast::Plan;
use crate::planner::cursor::Cursor;

pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Plan>> {
    if cursor.accept(&["CREATE", "PLAN"]) {
        let name = cursor.identifier()?;
        let options = match cursor.accept(&["WITH"]) {
            true => cursor.parenthesised(option)?,
            false => Vec::new(),
        };
        return Ok(Some(Plan::Create { name, options }));
    }
    if cursor.accept(&["ALTER", "PLAN"]) {
        return alter(cursor).map(Some);
    }
    if cursor.accept(&["DROP", "PLAN"]) {
        let if_exists = cursor.accept(&["IF", "EXISTS"]);
        let name = cursor.identifier()?;
        cursor.accept(&["RESTRICT"]);
        return Ok(Some(Plan::Drop { name, if_exists }));
    }
    Ok(None)
}

fn alter(cursor: &mut Cursor<'_>) -> Result<Plan> {
    let name = cursor.identifier()?;
    if cursor.accept(&["RENAME", "TO"]) {
        let to = cursor.identifier()?;
        return Ok(Plan::Rename { name, to });
    }
    if cursor.accept(&["RESET"]) {
        let names = cursor.parenthesised(Cursor::identifier)?;
        let options = names.into_iter().map(|option| (option, None)).collect();
        return Ok(Plan::Alter { name, options });
    }
    if !cursor.accept(&["SET"]) {
        cursor.expect(&["WITH"])?;
    }
    let options = cursor.parenthesised(option)?.into_iter();
    let options = options.map(|(option, value)| (option, Some(value)));
    Ok(Plan::Alter {
        name,
        options: options.collect(),
    })
}

/// `SET QUOTA (name = value, …)`, `RESET QUOTA (name, …)`, or `RESET QUOTA` of all.
#[expect(
    clippy::type_complexity,
    reason = "nothing, all, or the quotas with their values"
)]
pub(super) fn quotas(
    cursor: &mut Cursor<'_>,
) -> Result<Option<Option<Vec<(String, Option<String>)>>>> {
    if cursor.accept(&["SET", "QUOTA"]) {
        let given = cursor.parenthesised(option)?.into_iter();
        let given = given.map(|(quota, value)| (quota, Some(value)));
        return Ok(Some(Some(given.collect())));
    }
    if cursor.accept(&["RESET", "QUOTA"]) {
        if cursor.is_done() {
            return Ok(Some(None));
        }
        let names = cursor.parenthesised(Cursor::identifier)?;
        let given = names.into_iter().map(|quota| (quota, None)).collect();
        return Ok(Some(Some(given)));
    }
    Ok(None)
}

/// `name = value`.
fn option(cursor: &mut Cursor<'_>) -> Result<(String, String)> {
    let name = cursor.identifier()?;
    cursor.expect_token(&Token::Eq)?;
    Ok((name, cursor.value()?))
}
