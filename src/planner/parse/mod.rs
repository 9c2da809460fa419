//! Text to statements: PostgreSQL's grammar by the SQL parser, and our own words read on the tokens.
//!
//! Length and nesting are bounded here, before anything recurses over the text.

mod explain;
mod misplaced;
mod place;
mod tokens;
mod wrong;

use std::sync::Arc;

use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

pub(super) use place::char_position;
pub(super) use wrong::{parser_error, syntax_at};

use super::aside::{SHORT_TEXT_BYTES, aside};
use super::ast::{Body, Statement};
use super::command;
use super::cursor::Cursor;
use super::depth;
use super::dialect::Tessera;
use super::keyword::begin_with;
use super::rewrite::{create_table, do_nothing};
use crate::error::{Error, Result};
use explain::explain;
use misplaced::misplaced_word;
use place::Anchor;
use tokens::{tokenize, with_values};

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
        let words = ["WHERE", "CURRENT", "OF"];
        let mut places = tokens.windows(words.len());
        if places.any(|place| begin_with(place, &words)) {
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

/// The statement that EXPLAIN, PREPARE or DECLARE wraps.
fn inner(text: &str, cursor: &Cursor<'_>, anchor: Anchor) -> Result<Statement> {
    // Neither explains or prepares the other: no chain of them is deeper than one.
    let wraps = cursor.starts_with(&["EXPLAIN"]) || cursor.starts_with(&["PREPARE"]);
    if cursor.is_done() || wraps {
        return Err(cursor.unexpected());
    }
    parse_one(text, cursor.rest(), anchor)
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
