//! Functions: `pg_catalog.` before a built-in name, and calls without brackets.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, ObjectNamePart, VisitMut, VisitorMut,
};
use tessera_udfs::walk::walk_mut;

/// Names that are calls though nothing says so.
const WITHOUT_BRACKETS: [&str; 11] = [
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "localtime",
    "localtimestamp",
    "session_user",
    "user",
];

/// Makes calls of the names that are calls, and takes the schema off built-in functions.
pub(in crate::planner) fn plain_calls(node: &mut impl VisitMut) {
    let _: ControlFlow<()> = walk_mut(node, &mut Calls);
}

struct Calls;

impl VisitorMut for Calls {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) if is_call(ident) => *expr = call(&ident.value.to_lowercase()),
            Expr::Function(function) => {
                strip_schema(&mut function.name);
                // `current_date` and its like parse as functions without arguments.
                if matches!(function.args, FunctionArguments::None) {
                    function.args = no_arguments();
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn is_call(ident: &Ident) -> bool {
    ident.quote_style.is_none()
        && WITHOUT_BRACKETS
            .iter()
            .any(|name| ident.value.eq_ignore_ascii_case(name))
}

fn no_arguments() -> FunctionArguments {
    FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: None,
        args: Vec::new(),
        clauses: Vec::new(),
    })
}

fn call(name: &str) -> Expr {
    called(name, Vec::new())
}

/// A call of a function by name.
pub(in crate::planner) fn called(name: &str, arguments: Vec<Expr>) -> Expr {
    let plain = |argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(plain).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `pg_catalog.format_type(…)` is `format_type(…)`: every built-in lies in `pg_catalog`.
pub(in crate::planner) fn strip_schema(name: &mut ObjectName) {
    if name.0.len() == 2
        && let Some(ObjectNamePart::Identifier(schema)) = name.0.first()
        && (schema.value.eq_ignore_ascii_case("pg_catalog")
            || schema.value.eq_ignore_ascii_case("tessera") && is_own(name.0.last()))
    {
        name.0.remove(0);
    }
}

/// Whether a name is that of a function of the schema `tessera`.
fn is_own(name: Option<&ObjectNamePart>) -> bool {
    let name = name.and_then(ObjectNamePart::as_ident);
    name.is_some_and(|name| {
        name.value
            .eq_ignore_ascii_case(tessera_catalog::system::AUDIT_VERIFY)
    })
}
