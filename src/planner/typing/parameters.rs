//! Types of parameters among the arguments of functions.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::expr::{Placeholder, ScalarFunction};
use datafusion::logical_expr::{Expr, ExprSchemable};

/// Gives each parameter of a call the type that the function takes in its place.
pub(super) fn settle(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::ScalarFunction(mut call) = expr else {
        return Transformed::no(expr);
    };
    if !call.args.iter().any(is_untyped) {
        return Transformed::no(Expr::ScalarFunction(call));
    }
    let wanted = match call.name() {
        "array_has" => of_array_has(&call, schema),
        _ => of_signature(&call, schema),
    };
    let mut changed = false;
    for (arg, wanted) in call.args.iter_mut().zip(wanted) {
        if let (Expr::Placeholder(Placeholder { field, .. }), Some(wanted)) = (arg, wanted)
            && field.is_none()
        {
            *field = Some(wanted);
            changed = true;
        }
    }
    Transformed::new_transformed(Expr::ScalarFunction(call), changed)
}

fn is_untyped(expr: &Expr) -> bool {
    matches!(expr, Expr::Placeholder(placeholder) if placeholder.field.is_none())
}

fn field_of(expr: &Expr, schema: &DFSchema) -> Option<FieldRef> {
    let (_, field) = expr.to_field(schema).ok()?;
    Some(Arc::new(
        field.as_ref().clone().with_name("").with_nullable(true),
    ))
}

/// `x = ANY (list)`: a list of what `x` is, or an element of the list.
fn of_array_has(call: &ScalarFunction, schema: &DFSchema) -> Vec<Option<FieldRef>> {
    let [list, element] = call.args.as_slice() else {
        return Vec::new();
    };
    let of_list = field_of(element, schema)
        .filter(|_| !is_untyped(element))
        .map(|item| {
            let item = Arc::new(
                item.as_ref()
                    .clone()
                    .with_name(Field::LIST_FIELD_DEFAULT_NAME),
            );
            Arc::new(Field::new("", DataType::List(item), true))
        });
    let of_element = field_of(list, schema).and_then(|list| match list.data_type() {
        DataType::List(item) => Some(Arc::new(
            item.as_ref().clone().with_name("").with_nullable(true),
        )),
        _ => None,
    });
    vec![of_list, of_element]
}

fn of_signature(call: &ScalarFunction, schema: &DFSchema) -> Vec<Option<FieldRef>> {
    let given: Option<Vec<FieldRef>> = call.args.iter().map(|arg| field_of(arg, schema)).collect();
    let coerced = given.and_then(|given| {
        datafusion::logical_expr::type_coercion::functions::fields_with_udf(
            &given,
            call.func.as_ref(),
        )
        .ok()
    });
    let coerced = coerced.unwrap_or_default().into_iter();
    coerced
        .map(|field| {
            let known = !field.data_type().is_null();
            let view = match field.data_type() {
                DataType::Utf8 => DataType::Utf8View,
                other => other.clone(),
            };
            known.then(|| Arc::new(Field::new("", view, true)))
        })
        .collect()
}
