//! Reads the argument list of a call: what is a relation, what names columns, what is an option.
//! It works on the parsed SQL alone and plans nothing.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, TableFactor, Value, ValueWithSpan,
};

use super::layout::ColumnNames;
use super::rewrite;
use super::signature::{Argument, Kind, Signature};
use crate::error::{Error, Result};

/// The arguments of a call, sorted by what they are.
#[derive(Debug)]
pub(super) struct Arguments {
    /// In the order of the signature, the first relation first.
    pub(super) relations: Vec<(&'static Argument, TableFactor)>,
    pub(super) columns: ColumnNames,
    pub(super) options: Vec<OptionArgument>,
}

/// An option as written.
#[derive(Debug)]
pub(super) struct OptionArgument {
    pub(super) argument: &'static Argument,
    pub(super) is_list: bool,
    pub(super) values: Vec<Expr>,
}

impl Arguments {
    /// Sorts the arguments of a call.
    ///
    /// # Errors
    /// For unknown, repeated, nameless and missing arguments, and for expressions that can't be what
    /// the argument is.
    pub(super) fn read(
        signature: &'static Signature,
        arguments: Vec<FunctionArg>,
        normalize: &dyn Fn(Ident) -> String,
    ) -> Result<Self> {
        let mut read = Self {
            relations: Vec::new(),
            columns: Vec::new(),
            options: Vec::new(),
        };
        let mut seen: Vec<String> = Vec::new();
        for (position, argument) in arguments.into_iter().enumerate() {
            let (name, value) = match named(argument, normalize) {
                (Some(name), value) => (name, value),
                (None, value) if position == 0 => (first_name(signature), value),
                (None, _) => {
                    return Err(Error::PositionalArgument {
                        function: signature.name.to_owned(),
                        allowed: signature.names(),
                    });
                }
            };
            if seen.contains(&name) {
                return Err(Error::DuplicateArgument { argument: name });
            }
            let value = value.ok_or_else(|| Error::NotConstant {
                argument: name.clone(),
            })?;
            read.add(declared(signature, &name, &value)?, value, normalize)?;
            seen.push(name);
        }
        for argument in signature.arguments {
            let relation = matches!(argument.kind, Kind::Relation { .. });
            if relation && argument.required && !seen.iter().any(|name| name == argument.name) {
                return Err(Error::MissingArgument {
                    function: signature.name.to_owned(),
                    argument: argument.name.to_owned(),
                    hint: format!("Write {}((SELECT ...), ...).", signature.name),
                });
            }
        }
        let order = |argument: &Argument| {
            signature
                .arguments
                .iter()
                .position(|declared| declared.name == argument.name)
        };
        read.relations.sort_by_key(|(argument, _)| order(argument));
        Ok(read)
    }

    fn add(
        &mut self,
        argument: &'static Argument,
        value: Expr,
        normalize: &dyn Fn(Ident) -> String,
    ) -> Result<()> {
        match argument.kind {
            Kind::Relation { .. } => {
                let relation = relation(value).ok_or_else(|| Error::NotARelation {
                    argument: argument.name.to_owned(),
                })?;
                self.relations.push((argument, relation));
            }
            Kind::Ids | Kind::Column { .. } => {
                let (_, values) = list(value);
                let names = values
                    .into_iter()
                    .map(|value| column(argument, value, normalize));
                let names = names.collect::<Result<Vec<_>>>()?;
                self.columns.push((argument.name.to_owned(), names));
            }
            Kind::Option { .. } => {
                let (is_list, values) = list(value);
                if values.iter().any(not_constant) {
                    return Err(Error::NotConstant {
                        argument: argument.name.to_owned(),
                    });
                }
                self.options.push(OptionArgument {
                    argument,
                    is_list,
                    values,
                });
            }
        }
        Ok(())
    }
}

fn named(
    argument: FunctionArg,
    normalize: &dyn Fn(Ident) -> String,
) -> (Option<String>, Option<Expr>) {
    let (name, value) = match argument {
        FunctionArg::Named { name, arg, .. } => (Some(normalize(name)), arg),
        FunctionArg::ExprNamed {
            name: Expr::Identifier(name),
            arg,
            ..
        } => (Some(normalize(name)), arg),
        FunctionArg::ExprNamed { name, arg, .. } => (Some(name.to_string()), arg),
        FunctionArg::Unnamed(arg) => (None, arg),
    };
    match value {
        FunctionArgExpr::Expr(value) => (name, Some(value)),
        _ => (name, None),
    }
}

fn first_name(signature: &Signature) -> String {
    signature
        .arguments
        .first()
        .map(|argument| argument.name.to_owned())
        .unwrap_or_default()
}

/// Where a relation and something else share a name, a sub-query is the relation.
fn declared(signature: &'static Signature, name: &str, value: &Expr) -> Result<&'static Argument> {
    let candidates: Vec<&'static Argument> = signature.named(name).collect();
    let is_query = matches!(unnested(value), Expr::Subquery(_));
    let fits =
        |argument: &&&'static Argument| matches!(argument.kind, Kind::Relation { .. }) == is_query;
    let found = candidates.iter().find(fits).or(candidates.first());
    found.copied().ok_or_else(|| Error::UnknownArgument {
        function: signature.name.to_owned(),
        argument: name.to_owned(),
        allowed: signature.names(),
    })
}

fn unnested(value: &Expr) -> &Expr {
    match value {
        Expr::Nested(inner) => unnested(inner),
        other => other,
    }
}

fn relation(value: Expr) -> Option<TableFactor> {
    match value {
        Expr::Nested(inner) => relation(*inner),
        Expr::Subquery(query) => Some(TableFactor::Derived {
            lateral: false,
            subquery: query,
            alias: None,
            sample: None,
        }),
        Expr::Identifier(name) => Some(rewrite::table(ObjectName::from(vec![name]))),
        Expr::CompoundIdentifier(names) => Some(rewrite::table(ObjectName::from(names))),
        _ => None,
    }
}

fn list(value: Expr) -> (bool, Vec<Expr>) {
    match value {
        Expr::Nested(inner) => list(*inner),
        Expr::Tuple(values) => (true, values),
        Expr::Array(array) => (true, array.elem),
        value => (false, vec![value]),
    }
}

fn column(argument: &Argument, value: Expr, normalize: &dyn Fn(Ident) -> String) -> Result<String> {
    match value {
        Expr::Nested(inner) => column(argument, *inner, normalize),
        Expr::Identifier(name) => Ok(normalize(name)),
        Expr::Value(ValueWithSpan {
            value: Value::SingleQuotedString(name) | Value::EscapedStringLiteral(name),
            ..
        }) => Ok(name),
        other => Err(Error::WrongType {
            argument: argument.name.to_owned(),
            wanted: "the name of a column".to_owned(),
            found: format!("the expression {other}"),
        }),
    }
}

fn not_constant(value: &Expr) -> bool {
    matches!(
        unnested(value),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Subquery(_) | Expr::Exists { .. }
    )
}
