//! Statements that the SQL parser does not read as PostgreSQL does, by their first words.

mod copy;
mod discard;
mod fetch;
mod grant;
mod index;
mod mask;
mod plan;
mod policy;
mod refresh;
mod role;
mod sequence;
mod tenant;
mod transaction;
mod user_type;

use datafusion::sql::sqlparser::tokenizer::Token;
use tessera_catalog::locks::{MODES, Mode};

use super::ast::{Body, Set};
use super::cursor::Cursor;
use crate::error::Result;
use discard::discard;
use fetch::fetch_direction;

pub(super) use copy::copy;
pub use sequence::serial;
pub(super) use sequence::{order_identity_options, take_overriding};

/// Reads a statement of these kinds, or nothing if it is of another.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Body>> {
    if let Some(transaction) = transaction::read(cursor)? {
        return Ok(Some(Body::Transaction(transaction)));
    }
    if let Some(tenant) = tenant::read(cursor)? {
        return Ok(Some(Body::Tenant(tenant)));
    }
    if let Some(plan) = plan::read(cursor)? {
        return Ok(Some(Body::Plan(plan)));
    }
    if let Some(role) = role::read(cursor)? {
        return Ok(Some(Body::Role(role)));
    }
    if let Some(sequence) = sequence::read(cursor)? {
        return Ok(Some(Body::Sequence(Box::new(sequence))));
    }
    if let Some(refresh) = refresh::read(cursor)? {
        return Ok(Some(refresh));
    }
    if let Some(statement) = user_type::read(cursor)? {
        return Ok(Some(Body::UserType(Box::new(statement))));
    }
    if let Some(index) = index::read(cursor)? {
        return Ok(Some(Body::Index(Box::new(index))));
    }
    if let Some(mask) = mask::read(cursor)? {
        return Ok(Some(Body::Mask(Box::new(mask))));
    }
    if let Some(policy) = policy::read(cursor)? {
        return Ok(Some(Body::Policy(Box::new(policy))));
    }
    if let Some(body) = grant::read(cursor)? {
        return Ok(Some(body));
    }
    setting(cursor)
        .transpose()
        .or_else(|| cursor_statement(cursor).transpose())
        .transpose()
}

fn setting(cursor: &mut Cursor<'_>) -> Result<Option<Body>> {
    if cursor.accept(&["SET", "CONSTRAINTS"]) {
        let names = match cursor.accept(&["ALL"]) {
            true => None,
            false => Some(cursor.list(Cursor::object_name)?),
        };
        let deferred = cursor.accept(&["DEFERRED"]);
        if !deferred {
            cursor.expect(&["IMMEDIATE"])?;
        }
        return Ok(Some(Body::Constraints { names, deferred }));
    }
    if cursor.accept(&["SET"]) {
        let local = cursor.accept(&["LOCAL"]);
        if !local {
            cursor.accept(&["SESSION"]);
        }
        if cursor.accept(&["TIME", "ZONE"]) {
            let value = time_zone(cursor)?;
            return Ok(Some(Body::Set(Set {
                name: "timezone".to_owned(),
                value,
                local,
            })));
        }
        if cursor.accept(&["NAMES"]) {
            let value = Some(cursor.value()?);
            return Ok(Some(Body::Set(Set {
                name: "client_encoding".to_owned(),
                value,
                local,
            })));
        }
        let name = setting_name(cursor)?;
        if !cursor.accept(&["TO"]) {
            cursor.expect_token(&Token::Eq)?;
        }
        let value = if cursor.accept(&["DEFAULT"]) {
            None
        } else {
            Some(cursor.list(Cursor::value)?.join(", "))
        };
        return Ok(Some(Body::Set(Set { name, value, local })));
    }
    if cursor.accept(&["RESET"]) {
        if cursor.accept(&["ALL"]) {
            return Ok(Some(Body::Reset(None)));
        }
        if cursor.accept(&["TIME", "ZONE"]) {
            return Ok(Some(Body::Reset(Some("timezone".to_owned()))));
        }
        return Ok(Some(Body::Reset(Some(setting_name(cursor)?))));
    }
    if cursor.accept(&["SHOW"]) {
        if cursor.accept(&["ALL"]) {
            return Ok(Some(Body::Show(None)));
        }
        if cursor.accept(&["TIME", "ZONE"]) {
            return Ok(Some(Body::Show(Some("timezone".to_owned()))));
        }
        if cursor.accept(&["TRANSACTION", "ISOLATION", "LEVEL"]) {
            return Ok(Some(Body::Show(Some("transaction_isolation".to_owned()))));
        }
        if cursor.accept(&["SESSION", "AUTHORIZATION"]) {
            return Ok(Some(Body::Show(Some("session_authorization".to_owned()))));
        }
        return Ok(Some(Body::Show(Some(setting_name(cursor)?))));
    }
    Ok(None)
}

/// The value after SET TIME ZONE; `None` for DEFAULT and LOCAL.
fn time_zone(cursor: &mut Cursor<'_>) -> Result<Option<String>> {
    if cursor.accept(&["DEFAULT"]) || cursor.accept(&["LOCAL"]) {
        return Ok(None);
    }
    if cursor.accept(&["INTERVAL"]) {
        let value = cursor.string()?;
        if cursor.accept(&["HOUR"]) {
            cursor.accept(&["TO", "MINUTE"]);
        }
        return Ok(Some(value));
    }
    cursor.value().map(Some)
}

/// A setting's name, which may have a prefix: `app.user`.
fn setting_name(cursor: &mut Cursor<'_>) -> Result<String> {
    let mut name = cursor.identifier()?;
    while cursor.accept_token(&Token::Period) {
        name.push('.');
        name.push_str(&cursor.identifier()?);
    }
    Ok(name)
}

fn cursor_statement(cursor: &mut Cursor<'_>) -> Result<Option<Body>> {
    if cursor.accept(&["EXECUTE"]) {
        let name = cursor.identifier()?;
        let parameters = if cursor.peek() == &Token::LParen {
            cursor.parenthesised(Cursor::expression)?
        } else {
            Vec::new()
        };
        return Ok(Some(Body::Execute { name, parameters }));
    }
    if cursor.accept(&["DEALLOCATE"]) {
        cursor.accept(&["PREPARE"]);
        let all = cursor.accept(&["ALL"]);
        return Ok(Some(Body::Deallocate(if all {
            None
        } else {
            Some(cursor.identifier()?)
        })));
    }
    if cursor.accept(&["DECLARE"]) {
        return declare(cursor).map(Some);
    }
    for (keyword, discard) in [("FETCH", false), ("MOVE", true)] {
        if cursor.accept(&[keyword]) {
            let direction = fetch_direction(cursor)?;
            if !cursor.accept(&["FROM"]) {
                cursor.accept(&["IN"]);
            }
            let name = cursor.identifier()?;
            return Ok(Some(Body::Fetch {
                cursor: name,
                direction,
                discard,
            }));
        }
    }
    if cursor.accept(&["CLOSE"]) {
        let all = cursor.accept(&["ALL"]);
        return Ok(Some(Body::CloseCursor(if all {
            None
        } else {
            Some(cursor.identifier()?)
        })));
    }
    if cursor.accept(&["DISCARD"]) {
        return discard(cursor).map(|target| Some(Body::Discard(target)));
    }
    if cursor.accept(&["LISTEN"]) {
        return Ok(Some(Body::Listen(cursor.identifier()?)));
    }
    if cursor.accept(&["UNLISTEN"]) {
        let all = cursor.accept_token(&Token::Mul);
        let channel = (!all).then(|| cursor.identifier()).transpose()?;
        return Ok(Some(Body::Unlisten(channel)));
    }
    if cursor.accept(&["NOTIFY"]) {
        let channel = cursor.identifier()?;
        let has_payload = cursor.accept_token(&Token::Comma);
        let payload = has_payload.then(|| cursor.string()).transpose()?;
        return Ok(Some(Body::Notify { channel, payload }));
    }
    if cursor.accept(&["LOCK"]) {
        return lock(cursor).map(Some);
    }
    for tag in ["ANALYZE", "VACUUM", "CHECKPOINT"] {
        if cursor.accept(&[tag]) {
            while !cursor.is_done() {
                cursor.advance();
            }
            return Ok(Some(Body::NoOp(tag)));
        }
    }
    for words in [
        &["DO"][..],
        &["CALL"],
        &["CLUSTER"],
        &["CREATE", "FUNCTION"],
        &["CREATE", "TRIGGER"],
        &["CREATE", "EXTENSION"],
        &["SECURITY", "LABEL"],
        &["PREPARE", "TRANSACTION"],
        &["COMMIT", "PREPARED"],
        &["ROLLBACK", "PREPARED"],
        &["IMPORT", "FOREIGN"],
        &["LOAD"],
    ] {
        if cursor.starts_with(words) {
            while !cursor.is_done() {
                cursor.advance();
            }
            return Ok(Some(Body::Unsupported(words.join(" "))));
        }
    }
    Ok(None)
}

/// Reads LOCK TABLE after its first word.
fn lock(cursor: &mut Cursor<'_>) -> Result<Body> {
    cursor.accept(&["TABLE"]);
    let name = |cursor: &mut Cursor<'_>| {
        cursor.accept(&["ONLY"]);
        let name = cursor.object_name()?;
        cursor.accept_token(&Token::Mul);
        Ok(name)
    };
    let names = cursor.list(name)?;
    let mut mode = Mode::AccessExclusive;
    if cursor.accept(&["IN"]) {
        // The longest first: one mode's words may begin another's.
        let mut modes = MODES;
        modes.sort_by_key(|mode| std::cmp::Reverse(mode.words().len()));
        let named = modes.into_iter().find(|mode| {
            let words: Vec<&str> = mode.words().split(' ').collect();
            cursor.accept(&words)
        });
        mode = named.ok_or_else(|| cursor.unexpected())?;
        cursor.expect(&["MODE"])?;
    }
    let nowait = cursor.accept(&["NOWAIT"]);
    Ok(Body::Lock {
        names,
        mode,
        nowait,
    })
}

fn declare(cursor: &mut Cursor<'_>) -> Result<Body> {
    let name = cursor.identifier()?;
    let mut scroll = None;
    loop {
        if cursor.accept(&["BINARY"]) {
            return Err(crate::error::Error::Unsupported(
                "DECLARE BINARY".to_owned(),
            ));
        } else if cursor.accept(&["NO", "SCROLL"]) {
            scroll = Some(false);
        } else if cursor.accept(&["SCROLL"]) {
            scroll = Some(true);
        } else if !(cursor.accept(&["INSENSITIVE"]) || cursor.accept(&["ASENSITIVE"])) {
            break;
        }
    }
    cursor.expect(&["CURSOR"])?;
    let hold = cursor.accept(&["WITH", "HOLD"]);
    if !hold {
        cursor.accept(&["WITHOUT", "HOLD"]);
    }
    cursor.expect(&["FOR"])?;
    Ok(Body::Declare {
        name,
        scroll,
        hold,
        query: cursor.query()?,
    })
}
