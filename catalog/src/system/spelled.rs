//! Expressions as `pg_get_expr` writes them: each cast that PostgreSQL adds by itself is spelled out, and
//! brackets stand where its printer puts them (`ruleutils.c` of PostgreSQL 15).
//!
//! What is not known here is left as it was written: [`spelled`] gives nothing for it.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, UnaryOperator, Value};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::names::quote_ident;
use super::scene::{Attribute, attributes};
use crate::model::Relation;
use crate::sql_type::SqlType;

/// A column that an expression may name.
pub(super) struct Named<'a> {
    pub(super) name: &'a str,
    pub(super) sql_type: &'a SqlType,
}

/// The columns that expressions of a relation may name. One of a domain is left out: its operators are
/// its base's, by a cast that depends on what stands beside it.
pub(super) fn named<'a>(columns: &'a [Attribute<'a>]) -> Vec<Named<'a>> {
    let plain = columns.iter().filter(|c| !c.dropped && c.domain.is_none());
    plain
        .map(|column| Named {
            name: &column.name,
            sql_type: column.sql_type,
        })
        .collect()
}

/// An expression over a relation's columns.
pub(super) fn spelled_of(relation: &Relation, text: &str, pretty: bool) -> Option<String> {
    spelled(text, &named(&attributes(relation)), None, pretty)
}

/// An expression's text, `pretty` with no more brackets than it needs. What a value is stored as, if it is
/// a default, gives untyped literals their type.
pub(super) fn spelled(
    text: &str,
    columns: &[Named<'_>],
    stored_as: Option<&SqlType>,
    pretty: bool,
) -> Option<String> {
    let mut parser = Parser::new(&PostgreSqlDialect {}).try_with_sql(text).ok()?;
    let expr = parser.parse_expr().ok()?;
    let at_end = parser.peek_token().token == datafusion::sql::sqlparser::tokenizer::Token::EOF;
    let printer = Printer { columns, pretty };
    let mut node = printer.node(&expr).filter(|_| at_end)?;
    if let Some(stored_as) = stored_as {
        node = node.assigned(stored_as)?;
    }
    Some(node.text)
}

/// How a node stands among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A column, a constant, a call, a cast: it never needs brackets.
    Simple,
    /// An operator, by its text.
    Operator(&'static str),
    And,
    Or,
    Not,
    /// `IS NULL` and its like.
    Test,
    /// `= ANY (…)`.
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// A constant, whose text depends on what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Constant {
    /// `'…'` whose type is not known yet.
    Untyped(String),
    Number,
}

#[derive(Debug, Clone)]
struct Node {
    text: String,
    sql_type: SqlType,
    shape: Shape,
    constant: Option<Constant>,
}

impl Node {
    fn simple(text: impl Into<String>, sql_type: SqlType) -> Self {
        Self {
            text: text.into(),
            sql_type,
            shape: Shape::Simple,
            constant: None,
        }
    }

    /// What a column of this type takes: a literal of no type gets it, a cast is not shown.
    fn assigned(self, sql_type: &SqlType) -> Option<Self> {
        match self.constant {
            Some(Constant::Untyped(_)) => self.typed(sql_type),
            _ => Some(self),
        }
    }

    /// An untyped literal as one of a type.
    fn typed(self, sql_type: &SqlType) -> Option<Self> {
        let Some(Constant::Untyped(value)) = &self.constant else {
            return Some(self);
        };
        let label = label(sql_type)?;
        is_canonical(value, sql_type).then(|| {
            let quoted = value.replace('\'', "''");
            Self::simple(format!("'{quoted}'::{label}"), plain(sql_type))
        })
    }
}

struct Printer<'a> {
    columns: &'a [Named<'a>],
    pretty: bool,
}

impl Printer<'_> {
    fn node(&self, expr: &Expr) -> Option<Node> {
        match expr {
            Expr::Nested(inner) => self.node(inner),
            Expr::Identifier(ident) => {
                let name = match ident.quote_style {
                    Some(_) => ident.value.clone(),
                    None => ident.value.to_lowercase(),
                };
                self.column(&name)
            }
            Expr::Value(value) => constant(&value.value, false),
            Expr::UnaryOp {
                op: UnaryOperator::Minus,
                expr,
            } => match expr.as_ref() {
                Expr::Value(value) => constant(&value.value, true),
                _ => None,
            },
            Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr,
            } => {
                let inner = self.node(expr)?;
                let text = format!("NOT {}", self.within(&inner, Shape::Not, Side::Left));
                Some(self.bracketed(text, SqlType::Bool, Shape::Not))
            }
            Expr::IsNull(inner) => self.test(inner, "IS NULL"),
            Expr::IsNotNull(inner) => self.test(inner, "IS NOT NULL"),
            Expr::IsTrue(inner) => self.test(inner, "IS TRUE"),
            Expr::IsNotTrue(inner) => self.test(inner, "IS NOT TRUE"),
            Expr::IsFalse(inner) => self.test(inner, "IS FALSE"),
            Expr::IsNotFalse(inner) => self.test(inner, "IS NOT FALSE"),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::Between {
                expr,
                negated: false,
                low,
                high,
            } => {
                let value = self.node(expr)?;
                let low = self.compared(value.clone(), ">=", self.node(low)?)?;
                let high = self.compared(value, "<=", self.node(high)?)?;
                Some(self.all(&[low, high], "AND", Shape::And))
            }
            Expr::Cast {
                expr, data_type, ..
            } => self.cast(expr, data_type),
            Expr::Function(_) => self.call(expr),
            other => self.matches(other),
        }
    }

    /// Patterns and lists.
    fn matches(&self, expr: &Expr) -> Option<Node> {
        match expr {
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char: None,
            } => self.like(expr, pattern, if *negated { "!~~" } else { "~~" }),
            Expr::ILike {
                negated,
                any: false,
                expr,
                pattern,
                escape_char: None,
            } => self.like(expr, pattern, if *negated { "!~~*" } else { "~~*" }),
            Expr::InList {
                expr,
                list,
                negated,
            } => self.in_list(expr, list, *negated),
            _ => None,
        }
    }

    fn column(&self, name: &str) -> Option<Node> {
        let found = self.columns.iter().find(|column| column.name == name)?;
        Some(Node::simple(quote_ident(name), plain(found.sql_type)))
    }

    fn binary(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<Node> {
        let text = match op {
            BinaryOperator::And | BinaryOperator::Or => return self.chain(left, right, op),
            BinaryOperator::Eq => "=",
            BinaryOperator::NotEq => "<>",
            BinaryOperator::Lt => "<",
            BinaryOperator::LtEq => "<=",
            BinaryOperator::Gt => ">",
            BinaryOperator::GtEq => ">=",
            BinaryOperator::Plus => "+",
            BinaryOperator::Minus => "-",
            BinaryOperator::Multiply => "*",
            BinaryOperator::Divide => "/",
            BinaryOperator::Modulo => "%",
            BinaryOperator::StringConcat => "||",
            _ => return None,
        };
        let (left, right) = (self.node(left)?, self.node(right)?);
        match op {
            BinaryOperator::StringConcat => {
                let (left, right) = (self.as_text(left)?, self.as_text(right)?);
                Some(self.operator(&left, text, &right, SqlType::Text))
            }
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => {
                rank(&left.sql_type).and(rank(&right.sql_type))?;
                let (left, right) = self.matched(left, right)?;
                let wider = match rank(&left.sql_type) >= rank(&right.sql_type) {
                    true => left.sql_type.clone(),
                    false => right.sql_type.clone(),
                };
                Some(self.operator(&left, text, &right, wider))
            }
            _ => self.compared(left, text, right),
        }
    }

    /// A chain of AND or OR, which PostgreSQL keeps flat.
    fn chain(&self, left: &Expr, right: &Expr, op: &BinaryOperator) -> Option<Node> {
        let parts = self.flat(left, right, op)?;
        Some(match op {
            BinaryOperator::And => self.all(&parts, "AND", Shape::And),
            _ => self.all(&parts, "OR", Shape::Or),
        })
    }

    fn flat(&self, left: &Expr, right: &Expr, op: &BinaryOperator) -> Option<Vec<Node>> {
        let mut parts = Vec::new();
        for side in [left, right] {
            match side {
                Expr::BinaryOp {
                    left,
                    op: inner,
                    right,
                } if inner == op => parts.extend(self.flat(left, right, op)?),
                other => parts.push(self.node(other)?),
            }
        }
        Some(parts)
    }

    fn all(&self, parts: &[Node], word: &str, shape: Shape) -> Node {
        let texts: Vec<String> = parts
            .iter()
            .map(|part| self.within(part, shape, Side::Left))
            .collect();
        self.bracketed(texts.join(&format!(" {word} ")), SqlType::Bool, shape)
    }

    fn test(&self, inner: &Expr, words: &str) -> Option<Node> {
        let inner = self.node(inner)?;
        let text = format!("{} {words}", self.within(&inner, Shape::Test, Side::Left));
        Some(self.bracketed(text, SqlType::Bool, Shape::Test))
    }

    fn compared(&self, left: Node, op: &'static str, right: Node) -> Option<Node> {
        let (left, right) = self.matched(left, right)?;
        Some(self.operator(&left, op, &right, SqlType::Bool))
    }

    fn like(&self, value: &Expr, pattern: &Expr, op: &'static str) -> Option<Node> {
        let value = self.as_text(self.node(value)?)?;
        let pattern = self.as_text(self.node(pattern)?)?;
        Some(self.operator(&value, op, &pattern, SqlType::Bool))
    }

    fn in_list(&self, value: &Expr, list: &[Expr], negated: bool) -> Option<Node> {
        let value = self.node(value)?;
        let mut items = Vec::new();
        for item in list {
            // A single value is compared, and other expressions are rare enough.
            let item = constant_of(item)?;
            items.push(match &item.constant {
                Some(Constant::Untyped(_)) => item.typed(&value.sql_type)?,
                _ => item,
            });
        }
        let [first, _, ..] = items.as_slice() else {
            let op = if negated { "<>" } else { "=" };
            return self.compared(value, op, items.pop()?);
        };
        let kind = first.sql_type.clone();
        let (same, numbers) = (
            kind == value.sql_type,
            rank(&kind).is_some() && kind == SqlType::Int4 && is_whole(&value.sql_type),
        );
        if !(same || numbers) || items.iter().any(|item| item.sql_type != kind) {
            return None;
        }
        let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
        let array = format!("ARRAY[{}]", texts.join(", "));
        let (value, array) = match kind {
            SqlType::Varchar(_) => {
                let array = match self.pretty {
                    true => format!("{array}::text[]"),
                    false => format!("({array})::text[]"),
                };
                (self.as_text(value)?, array)
            }
            _ => (value, array),
        };
        let (op, word) = if negated { ("<>", "ALL") } else { ("=", "ANY") };
        let value = self.within(&value, Shape::Any, Side::Left);
        let text = format!("{value} {op} {word} ({array})");
        Some(self.bracketed(text, SqlType::Bool, Shape::Any))
    }

    fn cast(&self, inner: &Expr, data_type: &DataType) -> Option<Node> {
        let sql_type = SqlType::parse(&data_type.to_string())?;
        let inner = self.node(inner)?;
        if let Some(Constant::Untyped(_)) = inner.constant {
            // A length is applied by a cast of its own.
            return (plain(&sql_type) == sql_type)
                .then(|| inner.typed(&sql_type))
                .flatten();
        }
        if inner.sql_type == sql_type {
            return Some(inner);
        }
        let text = match self.pretty {
            true => format!("{}::{sql_type}", self.under_cast(&inner)),
            false => format!("({})::{sql_type}", inner.text),
        };
        Some(Node::simple(text, plain(&sql_type)))
    }

    /// Functions whose arguments and results are known.
    fn call(&self, expr: &Expr) -> Option<Node> {
        use datafusion::sql::sqlparser::ast::{
            FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart,
        };
        let Expr::Function(function) = expr else {
            return None;
        };
        let [part] = function.name.0.as_slice() else {
            return None;
        };
        let name = ObjectNamePart::as_ident(part)?.value.to_lowercase();
        let list = match &function.args {
            FunctionArguments::None => {
                let (word, result) = match name.as_str() {
                    "current_date" => ("CURRENT_DATE", SqlType::Date),
                    "current_timestamp" => ("CURRENT_TIMESTAMP", SqlType::Timestamptz),
                    "localtimestamp" => ("LOCALTIMESTAMP", SqlType::Timestamp),
                    "current_user" => ("CURRENT_USER", SqlType::Name),
                    "session_user" => ("SESSION_USER", SqlType::Name),
                    _ => return None,
                };
                return Some(Node::simple(word, result));
            }
            FunctionArguments::List(list) => list,
            FunctionArguments::Subquery(_) => return None,
        };
        let mut arguments = Vec::new();
        for argument in &list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument else {
                return None;
            };
            arguments.push(self.node(argument)?);
        }
        let result = match (name.as_str(), arguments.len()) {
            ("now" | "transaction_timestamp" | "clock_timestamp", 0) => SqlType::Timestamptz,
            ("gen_random_uuid", 0) => SqlType::Uuid,
            ("random", 0) => SqlType::Float8,
            ("lower" | "upper", 1) => SqlType::Text,
            ("length" | "char_length" | "character_length" | "octet_length", 1) => SqlType::Int4,
            _ => return None,
        };
        let texts: Option<Vec<String>> = arguments
            .into_iter()
            .map(|argument| Some(self.as_text(argument)?.text))
            .collect();
        Some(Node::simple(
            format!("{name}({})", texts?.join(", ")),
            result,
        ))
    }

    /// Both sides of an operator in the types in which PostgreSQL applies it.
    fn matched(&self, left: Node, right: Node) -> Option<(Node, Node)> {
        let is_untyped = |node: &Node| matches!(node.constant, Some(Constant::Untyped(_)));
        let (left, right) = match (is_untyped(&left), is_untyped(&right)) {
            (true, true) => (self.as_text(left)?, self.as_text(right)?),
            (true, false) => {
                let kind = operand(&right.sql_type);
                (left.typed(&kind)?, right)
            }
            (false, true) => {
                let kind = operand(&left.sql_type);
                (left, right.typed(&kind)?)
            }
            (false, false) => (left, right),
        };
        let is_varying = |node: &Node| matches!(node.sql_type, SqlType::Varchar(_));
        let is_text = |node: &Node| node.sql_type == SqlType::Text;
        if (is_varying(&left) || is_text(&left)) && (is_varying(&right) || is_text(&right)) {
            return Some((self.as_text(left)?, self.as_text(right)?));
        }
        if left.sql_type == right.sql_type {
            return Some((left, right));
        }
        let (a, b) = (rank(&left.sql_type)?, rank(&right.sql_type)?);
        // Whole numbers of different widths have operators of their own, and so do both floats.
        if is_whole(&left.sql_type) && is_whole(&right.sql_type) {
            return Some((left, right));
        }
        let mut wider = if a > b { &left } else { &right }.sql_type.clone();
        if wider == SqlType::Float4 {
            wider = SqlType::Float8;
        }
        let is_float = |node: &Node| matches!(node.sql_type, SqlType::Float4 | SqlType::Float8);
        let needs = |node: &Node| node.sql_type != wider && !is_float(node);
        let (cast_left, cast_right) = (needs(&left), needs(&right));
        let left = if cast_left {
            self.converted(&left, &wider)
        } else {
            left
        };
        let right = if cast_right {
            self.converted(&right, &wider)
        } else {
            right
        };
        Some((left, right))
    }

    fn as_text(&self, node: Node) -> Option<Node> {
        match node.sql_type {
            SqlType::Unknown => node.typed(&SqlType::Text),
            SqlType::Text => Some(node),
            SqlType::Varchar(_) => Some(self.converted(&node, &SqlType::Text)),
            _ => None,
        }
    }

    /// A cast that nobody wrote.
    fn converted(&self, node: &Node, sql_type: &SqlType) -> Node {
        let text = match self.pretty {
            true => format!("{}::{sql_type}", self.under_cast(node)),
            false => format!("({})::{sql_type}", node.text),
        };
        Node::simple(text, sql_type.clone())
    }

    fn under_cast(&self, node: &Node) -> String {
        match node.shape {
            Shape::Simple => node.text.clone(),
            _ => format!("({})", node.text),
        }
    }

    fn operator(&self, left: &Node, op: &'static str, right: &Node, result: SqlType) -> Node {
        let shape = Shape::Operator(op);
        let text = format!(
            "{} {op} {}",
            self.within(left, shape, Side::Left),
            self.within(right, shape, Side::Right)
        );
        self.bracketed(text, result, shape)
    }

    /// Without `pretty` everything that could need brackets has them.
    fn bracketed(&self, text: String, sql_type: SqlType, shape: Shape) -> Node {
        let text = match self.pretty {
            true => text,
            false => format!("({text})"),
        };
        Node {
            text,
            sql_type,
            shape,
            constant: None,
        }
    }

    /// A node's text below another; `isSimpleNode` of `ruleutils.c`.
    fn within(&self, node: &Node, parent: Shape, side: Side) -> String {
        let arithmetic = |op: &str| match op {
            "+" | "-" => Some(1),
            "*" | "/" | "%" => Some(2),
            _ => None,
        };
        let is_simple = match (node.shape, parent) {
            (Shape::Simple, _) => true,
            (Shape::Operator(op), Shape::Operator(above)) => {
                match (arithmetic(op), arithmetic(above)) {
                    (Some(inner), Some(outer)) => {
                        inner > outer || (inner == outer && side == Side::Left)
                    }
                    _ => false,
                }
            }
            (Shape::Operator(_) | Shape::Test, Shape::And | Shape::Or | Shape::Not) => true,
            (Shape::Not | Shape::And, Shape::And | Shape::Or) => true,
            (Shape::Or, Shape::Or) => true,
            _ => false,
        };
        match is_simple || !self.pretty {
            true => node.text.clone(),
            false => format!("({})", node.text),
        }
    }
}

fn constant_of(expr: &Expr) -> Option<Node> {
    match expr {
        Expr::Value(value) => constant(&value.value, false),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match expr.as_ref() {
            Expr::Value(value) => constant(&value.value, true),
            _ => None,
        },
        _ => None,
    }
}

fn constant(value: &Value, negative: bool) -> Option<Node> {
    match value {
        Value::Boolean(value) if !negative => Some(Node::simple(
            if *value { "true" } else { "false" },
            SqlType::Bool,
        )),
        Value::SingleQuotedString(text) if !negative => Some(Node {
            text: format!("'{}'", text.replace('\'', "''")),
            sql_type: SqlType::Unknown,
            shape: Shape::Simple,
            constant: Some(Constant::Untyped(text.clone())),
        }),
        Value::Number(digits, _) => number(digits, negative),
        _ => None,
    }
}

fn number(digits: &str, negative: bool) -> Option<Node> {
    let plain_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let has_point = digits.contains('.') && !digits.contains(['e', 'E']);
    let is_fraction = has_point && digits.starts_with(|c: char| c.is_ascii_digit());
    if !plain_digits && !is_fraction {
        return None;
    }
    let sql_type = match (plain_digits, digits.parse::<i64>()) {
        (true, Ok(n)) if n <= i64::from(i32::MAX) => SqlType::Int4,
        (true, Ok(_)) => SqlType::Int8,
        _ => SqlType::Numeric(None),
    };
    let text = match (&sql_type, negative) {
        (SqlType::Int4, false) => digits.trim_start_matches('0').to_owned(),
        (SqlType::Numeric(_), false) => digits.to_owned(),
        (_, true) => format!("'-{digits}'::{sql_type}"),
        (_, false) => format!("'{digits}'::{sql_type}"),
    };
    let text = if text.is_empty() {
        "0".to_owned()
    } else {
        text
    };
    Some(Node {
        constant: Some(Constant::Number),
        ..Node::simple(text, sql_type)
    })
}

/// A type without its length or precision, which operators do not ask for.
fn plain(sql_type: &SqlType) -> SqlType {
    match sql_type {
        SqlType::Varchar(_) => SqlType::Varchar(None),
        SqlType::Numeric(_) => SqlType::Numeric(None),
        SqlType::Char(_) => SqlType::Char(0),
        other => other.clone(),
    }
}

/// The type that an untyped literal takes beside one of this type.
fn operand(sql_type: &SqlType) -> SqlType {
    match sql_type {
        SqlType::Varchar(_) => SqlType::Text,
        other => other.clone(),
    }
}

/// A type as it stands behind a literal.
fn label(sql_type: &SqlType) -> Option<String> {
    Some(match plain(sql_type) {
        SqlType::Enum(_) | SqlType::Unknown | SqlType::Reg(_) => return None,
        SqlType::Char(_) => "bpchar".to_owned(),
        other => other.to_string(),
    })
}

/// Whether a value of the type is written back as this text.
fn is_canonical(text: &str, sql_type: &SqlType) -> bool {
    match sql_type {
        SqlType::Text | SqlType::Varchar(_) | SqlType::Name | SqlType::Json => true,
        SqlType::Date => {
            let shape = text.bytes().map(|byte| byte.is_ascii_digit());
            shape.eq("dddd-dd-dd".bytes().map(|byte| byte == b'd'))
        }
        _ => false,
    }
}

/// The order in which numbers give way to each other.
fn rank(sql_type: &SqlType) -> Option<u8> {
    Some(match sql_type {
        SqlType::Int2 => 1,
        SqlType::Int4 => 2,
        SqlType::Int8 => 3,
        SqlType::Numeric(_) => 4,
        SqlType::Float4 => 5,
        SqlType::Float8 => 6,
        _ => return None,
    })
}

fn is_whole(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Int2 | SqlType::Int4 | SqlType::Int8)
}
