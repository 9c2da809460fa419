//! A reader of tokens, for the statements that the SQL parser does not know.

use datafusion::sql::sqlparser::ast::{DataType, Expr, ObjectName, Query, VisitMut};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::ast::{Name, RoleName};
use super::depth;
use super::dialect::Tessera;
use super::keyword::is_keyword;
use super::parse::syntax_at;
use crate::error::{Error, Result};

/// The tokens of one statement, read from the left. White space and comments are not among them.
pub(super) struct Cursor<'a> {
    text: &'a str,
    tokens: &'a [TokenWithSpan],
    next: usize,
}

impl<'a> Cursor<'a> {
    /// A reader at the first of `tokens`, which stand in `text`.
    pub(super) fn new(text: &'a str, tokens: &'a [TokenWithSpan]) -> Self {
        Self {
            text,
            tokens,
            next: 0,
        }
    }

    /// The tokens not yet read.
    pub(super) fn rest(&self) -> &'a [TokenWithSpan] {
        &self.tokens[self.next.min(self.tokens.len())..]
    }

    /// The next token without reading it.
    pub(super) fn peek(&self) -> &'a Token {
        self.peek_at(0)
    }

    /// The token `ahead` of the next.
    pub(super) fn peek_at(&self, ahead: usize) -> &'a Token {
        self.tokens
            .get(self.next + ahead)
            .map_or(&Token::EOF, |token| &token.token)
    }

    /// Reads one token.
    pub(super) fn advance(&mut self) -> &'a Token {
        let token = self.peek();
        self.next += 1;
        token
    }

    /// Whether the token `ahead` is this keyword.
    pub(super) fn is_at(&self, ahead: usize, keyword: &str) -> bool {
        is_keyword(self.peek_at(ahead), keyword)
    }

    /// Whether the next tokens are these keywords.
    pub(super) fn starts_with(&self, keywords: &[&str]) -> bool {
        keywords
            .iter()
            .enumerate()
            .all(|(ahead, keyword)| self.is_at(ahead, keyword))
    }

    /// Reads the keywords if all of them come next.
    pub(super) fn accept(&mut self, keywords: &[&str]) -> bool {
        let found = self.starts_with(keywords);
        if found {
            self.next += keywords.len();
        }
        found
    }

    /// Reads the keywords or fails.
    pub(super) fn expect(&mut self, keywords: &[&str]) -> Result<()> {
        if self.accept(keywords) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Reads a punctuation token if it comes next.
    pub(super) fn accept_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == token;
        if found {
            self.next += 1;
        }
        found
    }

    /// Reads a punctuation token or fails.
    pub(super) fn expect_token(&mut self, token: &Token) -> Result<()> {
        if self.accept_token(token) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Whether all has been read.
    pub(super) fn is_done(&self) -> bool {
        self.next >= self.tokens.len()
    }

    /// Fails unless all has been read.
    pub(super) fn expect_end(&self) -> Result<()> {
        if self.is_done() {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// The error at the next token.
    pub(super) fn unexpected(&self) -> Error {
        syntax_at(self.text, self.tokens.get(self.next))
    }

    /// Reads an identifier, folded to lower case unless quoted.
    pub(super) fn identifier(&mut self) -> Result<String> {
        match self.peek() {
            Token::Word(word) => {
                let name = match word.quote_style {
                    Some(_) => word.value.clone(),
                    None => word.value.to_lowercase(),
                };
                self.next += 1;
                Ok(name)
            }
            _ => Err(self.unexpected()),
        }
    }

    /// Reads identifiers between commas.
    pub(super) fn identifiers(&mut self) -> Result<Vec<String>> {
        self.list(Self::identifier)
    }

    /// Reads what `item` reads, between commas.
    pub(super) fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.accept_token(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Reads `(a, b, …)`.
    pub(super) fn parenthesised<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.expect_token(&Token::LParen)?;
        let items = self.list(item)?;
        self.expect_token(&Token::RParen)?;
        Ok(items)
    }

    /// Reads a string literal.
    pub(super) fn string(&mut self) -> Result<String> {
        let text = match self.peek() {
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => text.clone(),
            Token::DollarQuotedString(text) => text.value.clone(),
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        Ok(text)
    }

    /// Reads a whole number with an optional sign.
    pub(super) fn integer(&mut self) -> Result<i64> {
        let negative = self.accept_token(&Token::Minus);
        if !negative {
            self.accept_token(&Token::Plus);
        }
        let value = match self.peek() {
            Token::Number(digits, _) => digits.parse::<i64>().map_err(|_| self.unexpected())?,
            _ => return Err(self.unexpected()),
        };
        self.next += 1;
        Ok(if negative { -value } else { value })
    }

    /// Reads a value as SET and WITH take it: a word, a string or a number.
    pub(super) fn value(&mut self) -> Result<String> {
        match self.peek() {
            Token::Minus | Token::Plus => {
                let negative = self.advance() == &Token::Minus;
                match self.advance() {
                    Token::Number(digits, _) if negative => Ok(format!("-{digits}")),
                    Token::Number(digits, _) => Ok(digits.clone()),
                    _ => {
                        self.next -= 1;
                        Err(self.unexpected())
                    }
                }
            }
            Token::Number(digits, _) => {
                self.next += 1;
                Ok(digits.clone())
            }
            Token::Word(word) => {
                self.next += 1;
                Ok(word.value.clone())
            }
            _ => self.string(),
        }
    }

    /// Reads a role's name, with `IN TENANT` where an operator says it.
    pub(super) fn role(&mut self) -> Result<Name> {
        let quoted = matches!(self.peek(), Token::Word(word) if word.quote_style.is_some());
        let name = self.identifier()?;
        let name = match name.as_str() {
            "public" if !quoted => RoleName::Public,
            "current_user" | "current_role" if !quoted => RoleName::CurrentUser,
            "session_user" if !quoted => RoleName::SessionUser,
            _ => RoleName::Named(name),
        };
        let tenant = if self.accept(&["IN", "TENANT"]) {
            Some(self.identifier()?)
        } else {
            None
        };
        Ok(Name { name, tenant })
    }

    /// Reads with the SQL parser, which starts at the next token.
    fn with_parser<T: VisitMut>(
        &mut self,
        read: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
    ) -> Result<T> {
        let dialect = Tessera;
        let mut parser = Parser::new(&dialect)
            .with_recursion_limit(depth::MAX_BRACKETS)
            .with_tokens_with_locations(self.rest().to_vec());
        let mut value = read(&mut parser).map_err(|error| {
            super::parse::parser_error(self.text, &error, self.rest(), parser.index())
        })?;
        depth::balance(&mut value);
        self.next += parser.index();
        Ok(value)
    }

    /// Reads an expression.
    pub(super) fn expression(&mut self) -> Result<Expr> {
        self.with_parser(|parser| parser.parse_expr())
    }

    /// Reads a query.
    pub(super) fn query(&mut self) -> Result<Box<Query>> {
        self.with_parser(|parser| parser.parse_query())
    }

    /// Reads a type.
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        self.with_parser(|parser| parser.parse_data_type())
    }

    /// Reads a name with optional qualifiers.
    pub(super) fn object_name(&mut self) -> Result<ObjectName> {
        self.with_parser(|parser| parser.parse_object_name(false))
    }
}
