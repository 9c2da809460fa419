//! CREATE and ALTER SEQUENCE, and the options that they share with identity columns.

use datafusion::sql::sqlparser::ast::{DataType, ObjectName};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Error, Result};
use crate::planner::ast::{Sequence, SequenceOptions};
use crate::planner::cursor::Cursor;
use crate::planner::keyword::is;

/// Reads a statement about sequences, or nothing if it is of another kind.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Sequence>> {
    for temporary in [&["CREATE", "TEMP"][..], &["CREATE", "TEMPORARY"]] {
        if cursor.starts_with(temporary) && cursor.is_at(2, "SEQUENCE") {
            return Err(Error::Unsupported("CREATE TEMPORARY SEQUENCE".to_owned()));
        }
    }
    if cursor.accept(&["CREATE", "SEQUENCE"]) {
        let if_not_exists = cursor.accept(&["IF", "NOT", "EXISTS"]);
        return Ok(Some(Sequence::Create {
            if_not_exists,
            name: cursor.object_name()?,
            options: options(cursor)?,
        }));
    }
    if !cursor.accept(&["ALTER", "SEQUENCE"]) {
        return Ok(None);
    }
    let if_exists = cursor.accept(&["IF", "EXISTS"]);
    let name = cursor.object_name()?;
    if cursor.accept(&["RENAME", "TO"]) {
        let to = cursor.identifier()?;
        return Ok(Some(Sequence::Rename {
            name,
            if_exists,
            to,
        }));
    }
    if cursor.accept(&["OWNER", "TO"]) {
        let owner = cursor.identifier()?;
        return Ok(Some(Sequence::Owner {
            name,
            if_exists,
            owner,
        }));
    }
    if cursor.is_at(0, "SET") {
        return Err(Error::Unsupported("ALTER SEQUENCE … SET".to_owned()));
    }
    Ok(Some(Sequence::Alter {
        name,
        if_exists,
        options: options(cursor)?,
    }))
}

fn options(cursor: &mut Cursor<'_>) -> Result<SequenceOptions> {
    let mut options = SequenceOptions::default();
    while !cursor.is_done() && cursor.peek() != &Token::RParen {
        option(cursor, &mut options)?;
    }
    Ok(options)
}

fn option(cursor: &mut Cursor<'_>, options: &mut SequenceOptions) -> Result<()> {
    if cursor.accept(&["AS"]) {
        put(&mut options.data_type, cursor.data_type()?)
    } else if cursor.accept(&["INCREMENT"]) {
        cursor.accept(&["BY"]);
        put(&mut options.increment, cursor.integer()?)
    } else if cursor.accept(&["MINVALUE"]) {
        put(&mut options.min, Some(cursor.integer()?))
    } else if cursor.accept(&["NO", "MINVALUE"]) {
        put(&mut options.min, None)
    } else if cursor.accept(&["MAXVALUE"]) {
        put(&mut options.max, Some(cursor.integer()?))
    } else if cursor.accept(&["NO", "MAXVALUE"]) {
        put(&mut options.max, None)
    } else if cursor.accept(&["START"]) {
        cursor.accept(&["WITH"]);
        put(&mut options.start, cursor.integer()?)
    } else if cursor.accept(&["RESTART"]) {
        let with = cursor.accept(&["WITH"]);
        let is_number = matches!(
            cursor.peek(),
            Token::Number(..) | Token::Minus | Token::Plus
        );
        let value = match with || is_number {
            true => Some(cursor.integer()?),
            false => None,
        };
        put(&mut options.restart, value)
    } else if cursor.accept(&["CACHE"]) {
        put(&mut options.cache, cursor.integer()?)
    } else if cursor.accept(&["CYCLE"]) {
        put(&mut options.cycle, true)
    } else if cursor.accept(&["NO", "CYCLE"]) {
        put(&mut options.cycle, false)
    } else if cursor.accept(&["OWNED", "BY", "NONE"]) {
        put(&mut options.owned_by, None)
    } else if cursor.accept(&["OWNED", "BY"]) {
        put(&mut options.owned_by, Some(cursor.object_name()?))
    } else {
        Err(cursor.unexpected())
    }
}

fn put<T>(slot: &mut Option<T>, value: T) -> Result<()> {
    if slot.replace(value).is_some() {
        return Err(Error::Syntax {
            message: "conflicting or redundant options".to_owned(),
            position: None,
        });
    }
    Ok(())
}

/// The type of values that a serial column's name stands for.
pub fn serial(data_type: &DataType) -> Option<DataType> {
    let DataType::Custom(ObjectName(parts), arguments) = data_type else {
        return None;
    };
    let [part] = parts.as_slice() else {
        return None;
    };
    let name = part.as_ident().filter(|_| arguments.is_empty())?;
    match name.value.to_lowercase().as_str() {
        "serial" | "serial4" => Some(DataType::Integer(None)),
        "bigserial" | "serial8" => Some(DataType::BigInt(None)),
        "smallserial" | "serial2" => Some(DataType::SmallInt(None)),
        _ => None,
    }
}

/// Words that begin an option of an identity column, in the order that the SQL parser wants.
const IDENTITY_OPTIONS: [&str; 6] = [
    "INCREMENT",
    "MINVALUE",
    "MAXVALUE",
    "START",
    "CACHE",
    "CYCLE",
];

/// Puts the options of identity columns into the order in which the SQL parser reads them.
pub(in crate::planner) fn order_identity_options(tokens: &mut [TokenWithSpan]) {
    let mut index = 1;
    while index + 1 < tokens.len() {
        index += 1;
        let opens = tokens[index].token == Token::LParen
            && is(&tokens[index - 1], "IDENTITY")
            && is(&tokens[index - 2], "AS");
        if !opens {
            continue;
        }
        let start = index + 1;
        let length = tokens[start..]
            .iter()
            .position(|token| token.token == Token::RParen)
            .unwrap_or_default();
        let inner = &mut tokens[start..start + length];
        let rank = |token: &TokenWithSpan| IDENTITY_OPTIONS.iter().position(|k| is(token, k));
        let mut options: Vec<(usize, Vec<TokenWithSpan>)> = Vec::new();
        let mut negated = None;
        for token in inner.iter() {
            if is(token, "NO") {
                negated = Some(token.clone());
            } else if let Some(rank) = rank(token) {
                let words = negated.take().into_iter().chain([token.clone()]);
                options.push((rank, words.collect()));
            } else if let Some((_, words)) = options.last_mut() {
                words.push(token.clone());
            } else {
                // Not an option that is known: the SQL parser tells.
                options.push((usize::MAX, vec![token.clone()]));
            }
        }
        options.sort_by_key(|(rank, _)| *rank);
        let ordered = options.into_iter().flat_map(|(_, words)| words);
        for (place, token) in inner.iter_mut().zip(ordered) {
            *place = token;
        }
    }
}

/// What INSERT … OVERRIDING says, taken out of the tokens, which the SQL parser does not know.
pub(in crate::planner) fn take_overriding(tokens: &mut Vec<TokenWithSpan>) -> Option<bool> {
    let at = tokens.windows(3).position(|three| {
        is(&three[0], "OVERRIDING")
            && (is(&three[1], "SYSTEM") || is(&three[1], "USER"))
            && is(&three[2], "VALUE")
    })?;
    let system = is(&tokens[at + 1], "SYSTEM");
    tokens.drain(at..at + 3);
    Some(system)
}
