//! Text to statements: PostgreSQL's grammar by the SQL parser, and our own words read on the tokens.
//!
//! Length and nesting are bounded here, before anything recurses over the text.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::aside::{SHORT_TEXT_BYTES, aside};
use super::ast::{Body, Discard, Explain, Fetch, Statement};
use super::command;
use super::cursor::Cursor;
use super::depth;
use super::dialect::Tessera;
use super::exclusion;
use super::locking_words;
use super::rewrite::from_functions::ROWS_FROM;
use super::rewrite::whole_rows::EXPANDED_RECORD;
use super::rewrite::{create_table, do_nothing};
use crate::error::{Error, Result};

/// The longest text of one message, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 16 << 20;

/// Splits a text into its statements.
///
/// # Errors
/// A syntax error with its position, or a text beyond the limits.
pub fn parse(text: &str) -> Result<Vec<Statement>> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Error::ProgramLimit(format!(
            "statement is too long: {} bytes, at most {MAX_TEXT_BYTES}",
            text.len()
        )));
    }
    match text.len() {
        ..=SHORT_TEXT_BYTES => statements(text),
        _ => aside(|| statements(text)),
    }
}

fn statements(text: &str) -> Result<Vec<Statement>> {
    let tokens = tokenize(text)?;
    let mut statements = Vec::new();
    let mut anchor = Anchor::START;
    for piece in tokens.split(|token| token.token == Token::SemiColon) {
        if piece.is_empty() {
            continue;
        }
        anchor.go_on(text, piece[0].span.start);
        statements.push(parse_one(text, piece, anchor)?);
    }
    if statements.is_empty() {
        statements.push(Statement {
            text: Arc::from(""),
            body: Body::Empty,
        });
    }
    Ok(statements)
}

fn tokenize(text: &str) -> Result<Vec<TokenWithSpan>> {
    let dialect = Tessera;
    let tokens = Tokenizer::new(&dialect, text)
        .tokenize_with_location()
        .map_err(|error| {
            let message = if error.message.starts_with("Unterminated string literal") {
                let rest = text.get(byte_offset(text, error.location)..);
                let rest = rest.unwrap_or_default();
                format!("unterminated quoted string at or near \"{rest}\"")
            } else {
                lower_first(&error.message)
            };
            Error::Syntax {
                message,
                position: Some(char_position(text, error.location)),
            }
        })?;
    let mut kept: Vec<TokenWithSpan> = tokens
        .into_iter()
        .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
        .collect();
    depth::check(&kept)?;
    select_nothing(&mut kept);
    trim_blanks(&mut kept);
    spell_out_tables(&mut kept);
    command::order_identity_options(&mut kept);
    name_expansions(&mut kept);
    join_time_travel(&mut kept);
    spell_plainly(&mut kept);
    locking_words::spell(&mut kept);
    exclusion::spell(&mut kept);
    Ok(kept)
}

/// `TRIM(BOTH FROM x)` is `TRIM(BOTH x)`.
fn trim_blanks(tokens: &mut Vec<TokenWithSpan>) {
    let is = |token: &Token, keywords: &[&str]| {
        matches!(token, Token::Word(word) if word.quote_style.is_none()
            && keywords.iter().any(|keyword| word.value.eq_ignore_ascii_case(keyword)))
    };
    let mut at = 2;
    while at < tokens.len() {
        if is(&tokens[at].token, &["FROM"]) {
            let side = is(&tokens[at - 1].token, &["BOTH", "LEADING", "TRAILING"]);
            let open = if side { at - 2 } else { at - 1 };
            let trims = open > 0
                && tokens[open].token == Token::LParen
                && is(&tokens[open - 1].token, &["TRIM"]);
            if trims {
                tokens.remove(at);
            }
        }
        at += 1;
    }
}

/// `SELECT` without a list and without FROM is a row without columns, which the SQL parser does not read.
fn select_nothing(tokens: &mut Vec<TokenWithSpan>) {
    let is = |token: &Token, keywords: &[&str]| {
        matches!(token, Token::Word(word) if word.quote_style.is_none()
            && keywords.iter().any(|keyword| word.value.eq_ignore_ascii_case(keyword)))
    };
    let ends = |token: Option<&TokenWithSpan>| match token.map(|token| &token.token) {
        None | Some(Token::RParen | Token::SemiColon) => true,
        Some(word) => is(word, &["WHERE", "UNION", "EXCEPT", "INTERSECT"]),
    };
    let mut at = 0;
    while at < tokens.len() {
        // `GRANT SELECT` and its like name a right.
        let begins = at == 0
            || matches!(tokens[at - 1].token, Token::LParen | Token::SemiColon)
            || is(&tokens[at - 1].token, &["AS", "ALL", "UNION", "EXISTS"]);
        if begins && is(&tokens[at].token, &["SELECT"]) && ends(tokens.get(at + 1)) {
            let span = tokens[at].span;
            let one = [
                Token::make_keyword("FROM"),
                Token::LParen,
                Token::make_keyword("VALUES"),
                Token::LParen,
                Token::Number("1".to_owned(), false),
                Token::RParen,
                Token::RParen,
                Token::make_keyword("AS"),
                Token::make_word("nothing", Some('"')),
            ];
            let one = one.map(|token| TokenWithSpan { token, span });
            tokens.splice(at + 1..at + 1, one);
        }
        at += 1;
    }
}

/// Makes `(TABLE t)` and `UNION TABLE t` what they are short for; the SQL parser knows it at the start of a
/// statement alone.
fn spell_out_tables(tokens: &mut Vec<TokenWithSpan>) {
    use datafusion::sql::sqlparser::tokenizer::Span;
    let begins_query = |token: &Token| {
        *token == Token::LParen
            || matches!(token, Token::Word(word) if word.quote_style.is_none()
                && ["UNION", "ALL", "DISTINCT", "EXCEPT", "INTERSECT"]
                    .iter()
                    .any(|keyword| word.value.eq_ignore_ascii_case(keyword)))
    };
    let is_short = |place: &[TokenWithSpan]| {
        begins_query(&place[0].token)
            && matches!(&place[1].token, Token::Word(word)
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("TABLE"))
            && matches!(place[2].token, Token::Word(_))
    };
    if !tokens.windows(3).any(is_short) {
        return;
    }
    let before = std::mem::take(tokens);
    for (index, token) in before.iter().enumerate() {
        let place = index
            .checked_sub(1)
            .and_then(|from| before.get(from..from + 3));
        if !place.is_some_and(is_short) {
            tokens.push(token.clone());
            continue;
        }
        let span: Span = token.span;
        let spelled = [
            Token::make_keyword("SELECT"),
            Token::Mul,
            Token::make_keyword("FROM"),
        ];
        tokens.extend(spelled.map(|token| TokenWithSpan { token, span }));
    }
}

/// Makes calls of `(record).*` and of `ROWS FROM (…)`, which the SQL parser does not read.
fn name_expansions(tokens: &mut Vec<TokenWithSpan>) {
    let is = |token: &TokenWithSpan, keyword: &str| {
        matches!(&token.token, Token::Word(word)
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
    };
    let mut opened: Vec<usize> = Vec::new();
    // Before which brackets the call's name comes, and which tokens go.
    let mut named: HashSet<usize> = HashSet::new();
    let mut gone: HashSet<usize> = HashSet::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => opened.push(index),
            Token::RParen => {
                let after = tokens.get(index + 1..index + 3);
                let expands = after.is_some_and(|after| {
                    after[0].token == Token::Period && after[1].token == Token::Mul
                });
                if let (Some(open), true) = (opened.pop(), expands) {
                    named.insert(open);
                    gone.extend([index + 1, index + 2]);
                }
            }
            _ => {}
        }
        let place = tokens.get(index..index + 3);
        let rows_from = place.is_some_and(|place| {
            is(&place[0], "ROWS") && is(&place[1], "FROM") && place[2].token == Token::LParen
        });
        if rows_from {
            gone.insert(index + 1);
        }
    }
    if gone.is_empty() {
        return;
    }
    let before = std::mem::take(tokens);
    for (index, mut token) in before.into_iter().enumerate() {
        if gone.contains(&index) {
            continue;
        }
        if named.contains(&index) {
            let span = token.span;
            let token = Token::make_word(EXPANDED_RECORD, None);
            tokens.push(TokenWithSpan { token, span });
        }
        if is(&token, "ROWS") && gone.contains(&(index + 1)) {
            token.token = Token::make_word(ROWS_FROM, None);
        }
        tokens.push(token);
    }
}

/// Makes `integer ARRAY` into `integer[]`, and `$tag$text$tag$` into a text in quotes where it is no body of a
/// function: the SQL parser knows them in some places alone.
fn spell_plainly(tokens: &mut Vec<TokenWithSpan>) {
    let is = |token: &Token, keywords: &[&str]| {
        matches!(token, Token::Word(word) if word.quote_style.is_none()
            && keywords.iter().any(|keyword| word.value.eq_ignore_ascii_case(keyword)))
    };
    let is_special = |token: &TokenWithSpan| {
        matches!(token.token, Token::DollarQuotedString(_)) || is(&token.token, &["ARRAY"])
    };
    if !tokens.iter().any(is_special) {
        return;
    }
    let mut rest = std::mem::take(tokens).into_iter().peekable();
    while let Some(mut token) = rest.next() {
        let Some(before) = tokens.last().map(|token| &token.token) else {
            tokens.push(token);
            continue;
        };
        if let Token::DollarQuotedString(quoted) = &token.token
            && !is(before, &["AS", "DO", "LANGUAGE"])
        {
            token.token = Token::SingleQuotedString(quoted.value.clone());
        }
        let after = rest.peek().map(|token| &token.token);
        let follows_type = matches!(before, Token::Word(_) | Token::RParen)
            && !is(before, &["AS"])
            && !matches!(after, Some(Token::LBracket | Token::LParen));
        if follows_type && is(&token.token, &["ARRAY"]) {
            let span = token.span;
            let brackets = [Token::LBracket, Token::RBracket];
            tokens.extend(brackets.map(|token| TokenWithSpan { token, span }));
            continue;
        }
        tokens.push(token);
    }
}

/// Makes `FOR VERSION AS OF` and `FOR TIMESTAMP AS OF` what the SQL parser calls them.
fn join_time_travel(tokens: &mut Vec<TokenWithSpan>) {
    let is = |token: &TokenWithSpan, keyword: &str| {
        matches!(&token.token, Token::Word(word)
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
    };
    let is_long = |place: &[TokenWithSpan]| {
        is(&place[0], "FOR")
            && (is(&place[1], "VERSION") || is(&place[1], "TIMESTAMP"))
            && is(&place[2], "AS")
            && is(&place[3], "OF")
    };
    let long: HashSet<usize> = tokens
        .windows(4)
        .enumerate()
        .filter(|(_, place)| is_long(place))
        .map(|(index, _)| index)
        .collect();
    if !long.is_empty() {
        let mut index = 0;
        tokens.retain(|_| {
            index += 1;
            !long.contains(&(index - 1))
        });
    }
}

/// A place that is known in bytes. Those after it are found from there, so that a text of many statements
/// is walked through once and not from its start for each.
#[derive(Clone, Copy)]
struct Anchor {
    place: Location,
    offset: usize,
}

impl Anchor {
    /// The start of a text.
    const START: Self = Self {
        place: Location { line: 1, column: 1 },
        offset: 0,
    };

    /// Goes on to a place of the text, which must not lie before.
    fn go_on(&mut self, text: &str, place: Location) {
        for letter in text.get(self.offset..).unwrap_or_default().chars() {
            if self.place >= place {
                return;
            }
            self.offset += letter.len_utf8();
            match letter {
                '\n' => {
                    self.place.line += 1;
                    self.place.column = 1;
                }
                _ => self.place.column += 1,
            }
        }
    }
}

/// Reads one statement, which begins at or after the anchor.
fn parse_one(text: &str, tokens: &[TokenWithSpan], mut anchor: Anchor) -> Result<Statement> {
    anchor.go_on(text, tokens[0].span.start);
    let mut end = anchor;
    if let Some(last) = tokens.last() {
        end.go_on(text, last.span.end);
    }
    let own = text.get(anchor.offset..end.offset).unwrap_or(text);
    Ok(Statement {
        text: Arc::from(own.trim_end()),
        body: body(text, tokens, anchor)?,
    })
}

/// Reads one statement; the first words decide who reads the rest.
fn body(text: &str, tokens: &[TokenWithSpan], anchor: Anchor) -> Result<Body> {
    let mut cursor = Cursor::new(text, tokens);
    if let Some(body) = command::read(&mut cursor)? {
        cursor.expect_end()?;
        return Ok(body);
    }
    if cursor.accept(&["EXPLAIN"]) {
        return explain(text, &mut cursor, anchor);
    }
    if cursor.accept(&["PREPARE"]) {
        let name = cursor.identifier()?;
        let types = if cursor.peek() == &Token::LParen {
            cursor.parenthesised(Cursor::data_type)?
        } else {
            Vec::new()
        };
        cursor.expect(&["AS"])?;
        let statement = Box::new(inner(text, &cursor, anchor)?);
        return Ok(Body::Prepare {
            name,
            types,
            statement,
        });
    }
    if cursor.accept(&["COPY"]) {
        let body = command::copy(&mut cursor, |tokens| parse_one(text, tokens, anchor))?;
        cursor.expect_end()?;
        return Ok(body);
    }
    let mut shared = false;
    let mut owned;
    let mut tokens = tokens;
    if cursor.starts_with(&["CREATE", "SHARED", "TABLE"]) {
        shared = true;
        owned = tokens.to_vec();
        owned.remove(1);
        tokens = &owned;
    }
    if cursor.starts_with(&["CREATE", "VIEW"])
        || cursor.starts_with(&["CREATE", "OR", "REPLACE", "VIEW"])
    {
        owned = with_values(tokens);
        tokens = &owned;
    }
    if cursor.starts_with(&["UPDATE"]) || cursor.starts_with(&["DELETE"]) {
        let is = |token: &TokenWithSpan, keyword: &str| {
            matches!(&token.token, Token::Word(word)
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
        };
        let words = ["WHERE", "CURRENT", "OF"];
        let mut places = tokens.windows(words.len());
        if places.any(|place| place.iter().zip(words).all(|(t, word)| is(t, word))) {
            return Err(Error::Unsupported("WHERE CURRENT OF".to_owned()));
        }
    }
    let mut no_data = false;
    if is_create_table(&cursor) {
        (owned, no_data) = create_table::replace(tokens)?;
        tokens = &owned;
    }
    if cursor.starts_with(&["CREATE", "MATERIALIZED", "VIEW"]) {
        owned = tokens.to_vec();
        no_data = create_table::take_data(&mut owned);
        tokens = &owned;
    }
    if cursor.starts_with(&["MERGE"]) || cursor.starts_with(&["WITH"]) {
        owned = do_nothing::replace(tokens);
        tokens = &owned;
    }
    let mut overriding = None;
    if cursor.starts_with(&["INSERT"]) {
        owned = tokens.to_vec();
        overriding = command::take_overriding(&mut owned);
        tokens = &owned;
    }
    if cursor.starts_with(&["SELECT", "INTO"]) {
        return Err(Error::Unsupported(
            "SELECT INTO without a select list".to_owned(),
        ));
    }
    // `TABLE t …` is `SELECT * FROM t …`; the SQL parser's own reading drops what follows.
    if cursor.starts_with(&["TABLE"]) {
        let words = [
            Token::make_keyword("SELECT"),
            Token::Mul,
            Token::make_keyword("FROM"),
        ];
        let place = tokens[0].span;
        let words = words
            .into_iter()
            .map(|token| TokenWithSpan::new(token, place));
        owned = words.chain(tokens[1..].iter().cloned()).collect();
        tokens = &owned;
    }
    let mut body = sql(text, tokens, shared)?;
    if let (true, Body::Define(statement) | Body::DefineShared(statement)) = (no_data, &mut body) {
        // The SQL parser has no place for it; no PostgreSQL statement uses these.
        match statement.as_mut() {
            ast::Statement::CreateTable(create) => create.without_rowid = true,
            ast::Statement::CreateView(create) => create.with_no_schema_binding = true,
            _ => {}
        }
    }
    if let Body::Query(query) = &mut body
        && let Some(into) = create_table::take_into(query)
    {
        body = made_of(query, into)?;
    }
    if let (Some(system), Body::Write(statement)) = (overriding, &mut body)
        && let ast::Statement::Insert(insert) = statement.as_mut()
    {
        // The SQL parser has no place for it; no PostgreSQL statement uses this one.
        insert.priority = Some(match system {
            true => ast::MysqlInsertPriority::HighPriority,
            false => ast::MysqlInsertPriority::LowPriority,
        });
    }
    Ok(body)
}

/// Whether a statement makes a table, of whatever kind.
fn is_create_table(cursor: &Cursor<'_>) -> bool {
    let kinds = ["TEMP", "TEMPORARY", "UNLOGGED", "SHARED", "LOCAL", "GLOBAL"];
    let skipped = (1..3).take_while(|ahead| kinds.iter().any(|kind| cursor.is_at(*ahead, kind)));
    cursor.is_at(0, "CREATE") && cursor.is_at(1 + skipped.count(), "TABLE")
}

/// `SELECT … INTO t …` as `CREATE TABLE t AS SELECT …`.
fn made_of(query: &ast::Query, into: ast::SelectInto) -> Result<Body> {
    let made = statements("CREATE TABLE t AS SELECT 1")?.into_iter().next();
    let Some(Body::Define(mut statement)) = made.map(|statement| statement.body) else {
        return Err(Error::internal("CREATE TABLE was expected"));
    };
    if let ast::Statement::CreateTable(create) = statement.as_mut() {
        create.name = into.name;
        create.temporary = into.temporary;
        create.query = Some(Box::new(query.clone()));
    }
    Ok(Body::Define(statement))
}

/// A view's `WITH (option)` as `WITH (option = true)`, which the SQL parser wants spelled out.
fn with_values(tokens: &[TokenWithSpan]) -> Vec<TokenWithSpan> {
    let mut spelled = Vec::with_capacity(tokens.len());
    let mut inside = false;
    let mut before = &Token::EOF;
    for (index, token) in tokens.iter().enumerate() {
        let is = |keyword: &str| {
            matches!(&token.token, Token::Word(word)
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
        };
        if is("AS") {
            spelled.extend_from_slice(&tokens[index..]);
            return spelled;
        }
        let ends = matches!(token.token, Token::Comma | Token::RParen);
        if inside && ends && matches!(before, Token::Word(_)) {
            let previous = index.checked_sub(2).and_then(|index| tokens.get(index));
            if previous.is_some_and(|token| matches!(token.token, Token::LParen | Token::Comma)) {
                let words = [Token::Eq, Token::make_keyword("TRUE")];
                let words = words.map(|word| TokenWithSpan::new(word, token.span));
                spelled.extend(words);
            }
        }
        if token.token == Token::LParen {
            inside = matches!(before, Token::Word(word)
                if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("WITH"));
        }
        before = &token.token;
        spelled.push(token.clone());
    }
    spelled
}

/// The statement that EXPLAIN, PREPARE or DECLARE wraps.
fn inner(text: &str, cursor: &Cursor<'_>, anchor: Anchor) -> Result<Statement> {
    // Neither explains or prepares the other: no chain of them is deeper than one.
    let wraps = cursor.starts_with(&["EXPLAIN"]) || cursor.starts_with(&["PREPARE"]);
    if cursor.is_done() || wraps {
        return Err(cursor.unexpected());
    }
    parse_one(text, cursor.rest(), anchor)
}

fn explain(text: &str, cursor: &mut Cursor<'_>, anchor: Anchor) -> Result<Body> {
    let mut explain = (false, false, None);
    if cursor.accept_token(&Token::LParen) {
        loop {
            let option = cursor.identifier()?;
            let value = match cursor.peek() {
                Token::Comma | Token::RParen => None,
                _ => Some(cursor.value()?.to_lowercase()),
            };
            let on = !matches!(value.as_deref(), Some("off" | "false" | "0"));
            match option.as_str() {
                "analyze" => explain.0 = on,
                "verbose" => explain.1 = on,
                "format" => explain.2 = value,
                "costs" | "settings" | "buffers" | "wal" | "timing" | "summary" => {}
                other => {
                    return Err(Error::Syntax {
                        message: format!("unrecognized EXPLAIN option \"{other}\""),
                        position: None,
                    });
                }
            }
            if !cursor.accept_token(&Token::Comma) {
                break;
            }
        }
        cursor.expect_token(&Token::RParen)?;
    } else {
        explain.0 = cursor.accept(&["ANALYZE"]);
        explain.1 = cursor.accept(&["VERBOSE"]);
    }
    let (analyze, verbose, format) = explain;
    let statement = Box::new(inner(text, cursor, anchor)?);
    Ok(Body::Explain(Explain {
        analyze,
        verbose,
        format,
        statement,
    }))
}

fn sql(text: &str, tokens: &[TokenWithSpan], shared: bool) -> Result<Body> {
    use ast::Statement as S;
    if let Some(misplaced) = misplaced_word(tokens) {
        return Err(syntax_at(text, Some(misplaced)));
    }
    let dialect = Tessera;
    let mut parser = Parser::new(&dialect)
        .with_recursion_limit(depth::MAX_BRACKETS)
        .with_tokens_with_locations(tokens.to_vec());
    let mut statement = parser
        .parse_statement()
        .map_err(|error| parser_error(text, &error, tokens, parser.index()))?;
    depth::balance(&mut statement);
    if parser.index() < tokens.len() {
        return Err(syntax_at(text, tokens.get(parser.index())));
    }
    Ok(match statement {
        S::Query(query) if changes_rows(&query) => Body::Combined(query),
        S::Query(query) => Body::Query(query),
        S::Insert(_) | S::Update(_) | S::Delete(_) | S::Merge(_) => {
            Body::Write(Box::new(statement))
        }
        S::CreateTable(_) if shared => Body::DefineShared(Box::new(statement)),
        S::CreateTable(_)
        | S::CreateView(_)
        | S::AlterTable(_)
        | S::AlterView { .. }
        | S::CreateSchema { .. }
        | S::AlterSchema(_)
        | S::Drop { .. }
        | S::Truncate(_)
        | S::CreateIndex(_) => Body::Define(Box::new(statement)),
        S::Comment { .. } => Body::Comment(Box::new(statement)),
        other => {
            let words: Vec<String> = other
                .to_string()
                .split_whitespace()
                .take(2)
                .map(str::to_uppercase)
                .collect();
            Body::Unsupported(words.join(" "))
        }
    })
}

/// Words that the SQL parser would take for a table's name after FROM.
const NO_TABLE_NAMES: [&str; 9] = [
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "UNION",
    "INTERSECT",
    "EXCEPT",
];

/// A word that the SQL parser reads and PostgreSQL does not.
fn misplaced_word(tokens: &[TokenWithSpan]) -> Option<&TokenWithSpan> {
    let word = |token: &TokenWithSpan, wanted: &str| {
        matches!(&token.token, Token::Word(word)
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(wanted))
    };
    if let [insert, next, ..] = tokens
        && word(insert, "INSERT")
        && !word(next, "INTO")
    {
        return Some(next);
    }
    let mut pairs = tokens.windows(2);
    let named_so = |pair: &&[TokenWithSpan]| {
        word(&pair[0], "FROM") && NO_TABLE_NAMES.iter().any(|name| word(&pair[1], name))
    };
    pairs.find(named_so).map(|pair| &pair[1])
}

/// Whether a query or anything in its WITH is a statement that changes rows.
pub fn changes_rows(query: &ast::Query) -> bool {
    let with = query.with.iter().flat_map(|with| &with.cte_tables);
    is_change(&query.body) || with.into_iter().any(|cte| is_change(&cte.query.body))
}

/// Whether a query's body is a statement that changes rows.
pub fn is_change(body: &ast::SetExpr) -> bool {
    use ast::SetExpr as E;
    matches!(
        body,
        E::Insert(_) | E::Update(_) | E::Delete(_) | E::Merge(_)
    )
}

/// PostgreSQL's text for a token that should not be there.
pub(super) fn syntax_at(text: &str, token: Option<&TokenWithSpan>) -> Error {
    match token {
        Some(token) => {
            let start = byte_offset(text, token.span.start);
            let end = byte_offset(text, token.span.end);
            let near = text.get(start..end).unwrap_or_default();
            Error::Syntax {
                message: format!("syntax error at or near \"{near}\""),
                position: Some(char_position(text, token.span.start)),
            }
        }
        None => Error::Syntax {
            message: "syntax error at end of input".to_owned(),
            position: Some(text.chars().count() + 1),
        },
    }
}

/// The SQL parser's error in PostgreSQL's words: it names the token where it stopped.
pub(super) fn parser_error(
    text: &str,
    error: &ParserError,
    tokens: &[TokenWithSpan],
    index: usize,
) -> Error {
    match error {
        ParserError::RecursionLimitExceeded => Error::TooComplex("it nests too deeply".to_owned()),
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => {
            // "Expected: …, found: token at Line: 1, Column: 8" tells best where it stopped.
            let found = message.rsplit_once("Line: ").and_then(|(_, place)| {
                let (line, column) = place.split_once(", Column: ")?;
                Some((
                    line.parse::<u64>().ok()?,
                    column.trim().parse::<u64>().ok()?,
                ))
            });
            let token = match found {
                Some((line, column)) => tokens
                    .iter()
                    .find(|t| t.span.start.line == line && t.span.start.column == column),
                None if message.contains("found: EOF") => None,
                None => tokens.get(index.saturating_sub(1)),
            };
            syntax_at(text, token)
        }
    }
}

/// The byte at which a token's place lies.
fn byte_offset(text: &str, place: Location) -> usize {
    let mut offset = 0;
    let mut rest = text;
    for _ in 1..place.line {
        match rest.find('\n') {
            Some(end) => {
                offset += end + 1;
                rest = &rest[end + 1..];
            }
            None => return text.len(),
        }
    }
    let column = usize::try_from(place.column)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let within = rest
        .char_indices()
        .nth(column)
        .map_or(rest.len(), |(byte, _)| byte);
    offset + within
}

/// The place as PostgreSQL counts it: characters from 1.
pub(super) fn char_position(text: &str, place: Location) -> usize {
    let offset = byte_offset(text, place);
    text.get(..offset)
        .map_or(0, |before| before.chars().count())
        + 1
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// Reads FETCH's and MOVE's direction; the cursor's name follows.
pub(super) fn fetch_direction(cursor: &mut Cursor<'_>) -> Result<Fetch> {
    let count = |cursor: &mut Cursor<'_>| -> Result<Option<i64>> {
        match cursor.peek() {
            Token::Number(..) | Token::Minus | Token::Plus => cursor.integer().map(Some),
            _ => Ok(None),
        }
    };
    let signed = |count: i64| {
        if count < 0 {
            Fetch::Backward(count.unsigned_abs())
        } else {
            Fetch::Forward(count as u64)
        }
    };
    if cursor.accept(&["NEXT"]) {
        return Ok(Fetch::Forward(1));
    }
    if cursor.accept(&["PRIOR"]) {
        return Ok(Fetch::Backward(1));
    }
    if cursor.accept(&["FIRST"]) {
        return Ok(Fetch::Absolute(1));
    }
    if cursor.accept(&["LAST"]) {
        return Ok(Fetch::Absolute(-1));
    }
    if cursor.accept(&["ABSOLUTE"]) {
        return Ok(Fetch::Absolute(cursor.integer()?));
    }
    if cursor.accept(&["RELATIVE"]) {
        return Ok(Fetch::Relative(cursor.integer()?));
    }
    if cursor.accept(&["ALL"]) {
        return Ok(Fetch::ForwardAll);
    }
    if cursor.accept(&["FORWARD"]) {
        if cursor.accept(&["ALL"]) {
            return Ok(Fetch::ForwardAll);
        }
        return Ok(signed(count(cursor)?.unwrap_or(1)));
    }
    if cursor.accept(&["BACKWARD"]) {
        if cursor.accept(&["ALL"]) {
            return Ok(Fetch::BackwardAll);
        }
        return Ok(signed(-count(cursor)?.unwrap_or(1)));
    }
    Ok(signed(count(cursor)?.unwrap_or(1)))
}

/// Reads DISCARD's target.
pub(super) fn discard(cursor: &mut Cursor<'_>) -> Result<Discard> {
    for (keyword, target) in [
        ("ALL", Discard::All),
        ("PLANS", Discard::Plans),
        ("SEQUENCES", Discard::Sequences),
        ("TEMPORARY", Discard::Temporary),
        ("TEMP", Discard::Temporary),
    ] {
        if cursor.accept(&[keyword]) {
            return Ok(target);
        }
    }
    Err(cursor.unexpected())
}
