//! How deep the tree of a statement may become.
//!
//! It is found on the tokens, before anything recurses over the tree. Long chains of `AND` and `OR`,
//! which programs write, are then made as deep as their logarithm; other operators make a level each.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::error::{Error, Result};
use tessera_udfs::walk::walk_mut;

/// The most tokens of one statement.
const MAX_TOKENS: usize = 1 << 20;
/// The deepest nesting of brackets and sub-expressions.
pub(super) const MAX_BRACKETS: usize = 256;
/// The longest chain of operators around one value; each may be a level of the tree.
const MAX_OPERATORS: usize = 1_000;
/// The most conditions in a row.
const MAX_CONDITIONS: usize = 20_000;
/// Chains of conditions up to this stay as they are written.
const SHORT_CHAIN: usize = 16;

/// Keywords that make an expression one level deeper.
const OPERATORS: [&str; 18] = [
    "NOT", "IS", "IN", "LIKE", "ILIKE", "SIMILAR", "COLLATE", "AT", "ISNULL", "NOTNULL",
    "OPERATOR", "OVERLAPS", "RLIKE", "REGEXP", "GLOB", "MATCH", "MEMBER", "DIV",
];

/// Keywords of expressions that may have AND and OR inside or below them: from here on a condition does
/// not end a row of operators.
const FENCES: [&str; 3] = ["CASE", "BETWEEN", "XOR"];

/// Keywords that make a query one level deeper.
const COMBINERS: [&str; 4] = ["UNION", "INTERSECT", "EXCEPT", "JOIN"];

/// One level of brackets.
#[derive(Default)]
struct Chain {
    /// Operators since the last comma, or the last condition that stands for itself.
    operators: usize,
    /// One of [`FENCES`] came since the last comma.
    is_fenced: bool,
    /// Relations that are put together.
    relations: usize,
    /// Conditions since the last comma.
    conditions: usize,
    /// Between FROM and WHERE, where a comma is a join.
    in_from: bool,
}

impl Chain {
    fn depth(&self) -> usize {
        // AND within OR: two balanced trees, one above the other.
        let bits = usize::BITS - self.conditions.leading_zeros();
        let balanced = 2 * bits as usize;
        self.operators + self.relations + balanced.min(self.conditions)
    }

    fn take_word(&mut self, word: &str) {
        let among = |words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
        if among(&["AND", "OR"]) {
            self.conditions += 1;
            self.operators = match self.is_fenced {
                true => self.operators + 1,
                false => 0,
            };
        } else if among(&FENCES) {
            self.is_fenced = true;
            self.operators += 1;
        } else if among(&OPERATORS) {
            self.operators += 1;
        } else if among(&COMBINERS) {
            self.relations += 1;
        } else if among(&["FROM"]) {
            self.in_from = true;
        } else if among(&["SELECT", "WHERE", "GROUP", "ORDER", "VALUES"]) {
            self.in_from = false;
        }
    }
}

/// Bounds how deep the tree of a statement can become: by brackets, and by operators in a row,
/// of which each makes a level too. A comma ends such a row.
///
/// # Errors
/// 54001.
pub(super) fn check(tokens: &[TokenWithSpan]) -> Result<()> {
    let too_complex = || {
        Err(Error::TooComplex(
            "it nests too deeply or chains too many operators".to_owned(),
        ))
    };
    if tokens.len() > MAX_TOKENS {
        return too_complex();
    }
    let mut outer: Vec<Chain> = Vec::new();
    let mut outer_depth = 0_usize;
    let mut chain = Chain::default();
    for token in tokens {
        match &token.token {
            Token::SemiColon => {
                outer.clear();
                outer_depth = 0;
                chain = Chain::default();
            }
            Token::LParen | Token::LBracket | Token::LBrace => {
                chain.operators += usize::from(token.token == Token::LBracket);
                outer_depth += chain.depth();
                outer.push(std::mem::take(&mut chain));
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                if let Some(enclosing) = outer.pop() {
                    outer_depth -= enclosing.depth();
                    chain = enclosing;
                }
            }
            Token::Comma if !chain.in_from => {
                chain.operators = 0;
                chain.conditions = 0;
                chain.is_fenced = false;
            }
            Token::Comma => chain.relations += 1,
            Token::Word(word) if word.quote_style.is_none() => chain.take_word(&word.value),
            Token::Word(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::Placeholder(_)
            | Token::Period => {}
            _ => chain.operators += 1,
        }
        let too_deep = outer.len() > MAX_BRACKETS || outer_depth + chain.depth() > MAX_OPERATORS;
        if too_deep || chain.conditions > MAX_CONDITIONS {
            return too_complex();
        }
    }
    Ok(())
}

/// Makes long chains of conditions as deep as their logarithm.
pub(super) fn balance(tree: &mut impl VisitMut) {
    let _: ControlFlow<()> = walk_mut(tree, &mut Balance);
}

struct Balance;

impl VisitorMut for Balance {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::BinaryOp { op, .. } = expr else {
            return ControlFlow::Continue(());
        };
        let op = op.clone();
        if matches!(op, BinaryOperator::And | BinaryOperator::Or)
            && chained(expr, &op) > SHORT_CHAIN
        {
            let mut conditions = Vec::new();
            let null = Expr::value(Value::Null);
            let mut rest = std::mem::replace(expr, null);
            loop {
                match rest {
                    Expr::BinaryOp {
                        left,
                        op: next,
                        right,
                    } if next == op => {
                        conditions.push(*right);
                        rest = *left;
                    }
                    first => {
                        conditions.push(first);
                        break;
                    }
                }
            }
            conditions.reverse();
            if let Some(balanced) = joined(conditions, &op) {
                *expr = balanced;
            }
        }
        ControlFlow::Continue(())
    }
}

/// How many conditions hang on one another from the left.
fn chained(expr: &Expr, op: &BinaryOperator) -> usize {
    let mut length = 1;
    let mut rest = expr;
    while let Expr::BinaryOp { left, op: next, .. } = rest
        && next == op
    {
        length += 1;
        rest = left;
    }
    length
}

/// A balanced tree of conditions in their order; none of none.
fn joined(mut conditions: Vec<Expr>, op: &BinaryOperator) -> Option<Expr> {
    if conditions.len() <= 1 {
        return conditions.pop();
    }
    let rest = conditions.split_off(conditions.len() / 2);
    Some(Expr::BinaryOp {
        left: Box::new(joined(conditions, op)?),
        op: op.clone(),
        right: Box::new(joined(rest, op)?),
    })
}
