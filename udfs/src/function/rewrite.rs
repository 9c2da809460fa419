//! Makes calls with named arguments plain: `volatility(ret, periods_per_year => 52)` reads `volatility(ret, 52)`.
//! Every declared function's call is checked here, before it is planned: names, number, order, constants.

use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast::{
    self, CastKind, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments, Ident, ObjectName, UnaryOperator, Value, ValueWithSpan, VisitMut,
    VisitorMut, WindowType,
};

use super::declaration::{Declaration, Parameter, Role, Takes};
use crate::error::{Error, Result};
use crate::relation::{Class, Constant};
use crate::walk::walk_mut;

/// Rewrites every call of a declared function in a statement or expression.
///
/// # Errors
/// For calls that no declaration allows.
pub(crate) fn rewrite(
    node: &mut impl VisitMut,
    find: fn(&str) -> Option<&'static Declaration>,
) -> Result<()> {
    match walk_mut(node, &mut Rewriter { find }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter {
    find: fn(&str) -> Option<&'static Declaration>,
}

impl VisitorMut for Rewriter {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Error> {
        let Expr::Function(call) = expr else {
            return ControlFlow::Continue(());
        };
        let Some(declaration) = called(&call.name).and_then(|name| (self.find)(&name)) else {
            return ControlFlow::Continue(());
        };
        match plain(call, declaration) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

fn called(name: &ObjectName) -> Option<String> {
    let [part] = name.0.as_slice() else {
        return None;
    };
    part.as_ident().map(folded)
}

fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn plain(call: &mut Function, declaration: &'static Declaration) -> Result<()> {
    check_order(call, declaration)?;
    let key = order_key(call);
    let FunctionArguments::List(list) = &mut call.args else {
        return Ok(());
    };
    let mut slots: Vec<Option<Expr>> = vec![None; declaration.parameters.len()];
    let mut named = false;
    for (position, argument) in std::mem::take(&mut list.args).into_iter().enumerate() {
        let (name, value) = parts(argument);
        let FunctionArgExpr::Expr(value) = value else {
            return Err(Error::NotConstant {
                argument: name.unwrap_or_else(|| "*".to_owned()),
            });
        };
        let place = match name {
            Some(name) => {
                named = true;
                place(declaration, &name)?
            }
            None if named => {
                return Err(Error::PositionalAfterNamed);
            }
            None if position >= slots.len() => return Err(too_many(declaration)),
            None => position,
        };
        if slots[place].is_some() {
            let argument = declaration.parameters[place].name.to_owned();
            return Err(Error::DuplicateArgument { argument });
        }
        slots[place] = Some(checked(&declaration.parameters[place], value)?);
    }
    list.args = filled(declaration, slots, key)?
        .into_iter()
        .map(|value| FunctionArg::Unnamed(FunctionArgExpr::Expr(value)))
        .collect();
    Ok(())
}

fn parts(argument: FunctionArg) -> (Option<String>, FunctionArgExpr) {
    match argument {
        FunctionArg::Named { name, arg, .. } => (Some(folded(&name)), arg),
        FunctionArg::ExprNamed {
            name: Expr::Identifier(name),
            arg,
            ..
        } => (Some(folded(&name)), arg),
        FunctionArg::ExprNamed { name, arg, .. } => (Some(name.to_string()), arg),
        FunctionArg::Unnamed(arg) => (None, arg),
    }
}

fn place(declaration: &Declaration, name: &str) -> Result<usize> {
    let found = declaration.parameters.iter().position(|p| p.name == name);
    found.ok_or_else(|| Error::UnknownArgument {
        function: declaration.name.to_owned(),
        argument: name.to_owned(),
        allowed: declaration.names(),
    })
}

fn too_many(declaration: &Declaration) -> Error {
    Error::TooManyArguments {
        function: declaration.name.to_owned(),
        allowed: declaration.names(),
    }
}

/// The values in their places, defaults between and behind them.
fn filled(
    declaration: &'static Declaration,
    slots: Vec<Option<Expr>>,
    mut key: Option<Expr>,
) -> Result<Vec<Expr>> {
    let mut values = Vec::with_capacity(slots.len());
    for (parameter, slot) in declaration.parameters.iter().zip(slots) {
        let value = match (slot, parameter.takes) {
            (Some(value), _) => value,
            (None, Takes::OrderKey) => key.take().unwrap_or_else(null),
            (None, _) => match parameter.default {
                Some(default) => literal(default),
                None if parameter.required => {
                    return Err(Error::MissingArgument {
                        function: declaration.name.to_owned(),
                        argument: parameter.name.to_owned(),
                        hint: format!("Its arguments are: {}.", declaration.names().join(", ")),
                    });
                }
                None => null(),
            },
        };
        values.push(value);
    }
    Ok(values)
}

/// A parameter gets its type, and a literal is checked at once.
fn checked(parameter: &Parameter, value: Expr) -> Result<Expr> {
    if let Expr::Value(ValueWithSpan {
        value: Value::Placeholder(_),
        ..
    }) = &value
    {
        return Ok(typed(parameter, value));
    }
    if let (Takes::Option(kind), Some(constant)) = (parameter.takes, scalar(&value)) {
        kind.scalar(parameter.name, &constant)?;
    }
    Ok(value)
}

fn typed(parameter: &Parameter, value: Expr) -> Expr {
    let data_type = match parameter.takes {
        Takes::Value(Class::Number) => DataType::Float64,
        Takes::Value(Class::Text) => DataType::Utf8,
        Takes::Value(Class::Any | Class::Key | Class::Time) | Takes::OrderKey => {
            return value;
        }
        Takes::Option(kind) => kind.parameter_type(),
    };
    let data_type = match data_type {
        DataType::Boolean => ast::DataType::Boolean,
        DataType::Int64 => ast::DataType::BigInt(None),
        DataType::Float64 => ast::DataType::DoublePrecision,
        _ => ast::DataType::Text,
    };
    Expr::Cast {
        kind: CastKind::DoubleColon,
        expr: Box::new(value),
        data_type,
        array: false,
        format: None,
    }
}

/// The value of a literal.
fn scalar(value: &Expr) -> Option<ScalarValue> {
    match value {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => match text.parse::<i64>() {
                Ok(whole) => Some(ScalarValue::Int64(Some(whole))),
                Err(_) => text.parse().ok().map(|x| ScalarValue::Float64(Some(x))),
            },
            Value::SingleQuotedString(text) => Some(ScalarValue::Utf8(Some(text.clone()))),
            Value::Boolean(value) => Some(ScalarValue::Boolean(Some(*value))),
            Value::Null => Some(ScalarValue::Null),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match scalar(expr)? {
            ScalarValue::Int64(Some(x)) => Some(ScalarValue::Int64(Some(-x))),
            ScalarValue::Float64(Some(x)) => Some(ScalarValue::Float64(Some(-x))),
            _ => None,
        },
        Expr::Nested(inner) => scalar(inner),
        _ => None,
    }
}

fn literal(constant: Constant) -> Expr {
    let number = |text: String| match text.strip_prefix('-') {
        Some(size) => Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(Expr::value(Value::Number(size.to_owned(), false))),
        },
        None => Expr::value(Value::Number(text, false)),
    };
    match constant {
        Constant::Boolean(value) => Expr::value(Value::Boolean(value)),
        Constant::Integer(value) => number(value.to_string()),
        Constant::Number(value) => number(value.to_string()),
        Constant::Text(value) => Expr::value(Value::SingleQuotedString(value.to_owned())),
    }
}

fn null() -> Expr {
    Expr::value(Value::Null)
}

fn check_order(call: &Function, declaration: &Declaration) -> Result<()> {
    let function = || declaration.name.to_owned();
    let in_order = match &call.over {
        Some(WindowType::NamedWindow(_)) => true,
        Some(WindowType::WindowSpec(window)) => {
            window.window_name.is_some() || !window.order_by.is_empty()
        }
        None => call_order(call).is_some(),
    };
    match (declaration.role, &call.over) {
        (Role::Window | Role::Framed, None) => Err(Error::NoWindow {
            function: function(),
        }),
        (Role::Window | Role::OrderedAggregate, _) if !in_order => Err(Error::NoOrder {
            function: function(),
            window: call.over.is_some(),
        }),
        _ => Ok(()),
    }
}

/// The `ORDER BY` within a call's brackets.
fn call_order(call: &Function) -> Option<&[ast::OrderByExpr]> {
    let FunctionArguments::List(list) = &call.args else {
        return None;
    };
    list.clauses.iter().find_map(|clause| match clause {
        FunctionArgumentClause::OrderBy(order) => Some(order.as_slice()),
        _ => None,
    })
}

/// The first expression that the call's rows are ordered by, if the call itself says.
fn order_key(call: &Function) -> Option<Expr> {
    let order = match &call.over {
        Some(WindowType::WindowSpec(window)) => window.order_by.as_slice(),
        Some(WindowType::NamedWindow(_)) => &[],
        None => call_order(call)?,
    };
    order.first().map(|first| first.expr.clone())
}
