//! Which expressions may be evaluated on rows that a policy hides.
//!
//! Such an expression tells nothing of its operands: it cannot fail, takes no time that its operands
//! could stretch, and has no effect. Everything else waits until the policy has spoken. The list is
//! closed: what is not on it is not leakproof.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, CastExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr,
    Literal, NotExpr,
};

/// Operators that compare or join truth values, and never fail on values of a plain type.
const OPERATORS: [(Operator, &str); 10] = [
    (Operator::Eq, "compares"),
    (Operator::NotEq, "compares"),
    (Operator::Lt, "compares"),
    (Operator::LtEq, "compares"),
    (Operator::Gt, "compares"),
    (Operator::GtEq, "compares"),
    (Operator::IsDistinctFrom, "compares, NULL included"),
    (Operator::IsNotDistinctFrom, "compares, NULL included"),
    (Operator::And, "joins truth values"),
    (Operator::Or, "joins truth values"),
];

/// Whether values of a type compare by their bytes, without a function that could fail.
fn is_plain(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Null
            | DataType::Boolean
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
            | DataType::Date32
            | DataType::Time64(_)
            | DataType::Timestamp(..)
            | DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
    )
}

/// Whether every value of a type is one of the other, so that the cast cannot fail.
fn widens(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    let text = |kind: &T| matches!(kind, T::Utf8 | T::LargeUtf8 | T::Utf8View);
    from == to
        || (text(from) && text(to))
        || matches!(
            (from, to),
            (T::Int8, T::Int16 | T::Int32 | T::Int64)
                | (T::Int16, T::Int32 | T::Int64)
                | (T::Int32, T::Int64)
                | (T::UInt8, T::UInt16 | T::UInt32 | T::UInt64)
                | (T::UInt16, T::UInt32 | T::UInt64)
                | (T::UInt32, T::UInt64 | T::Int64)
                | (T::Int8 | T::Int16 | T::Int32, T::Float64)
                | (T::Float32, T::Float64)
        )
}

/// Whether an expression of a plan is leakproof over rows of `schema`.
pub(super) fn is_leakproof(expr: &Expr, schema: &DFSchema) -> bool {
    let inner = |expr: &Expr| is_leakproof(expr, schema);
    let plain = |expr: &Expr| {
        expr.get_type(schema)
            .is_ok_and(|data_type| is_plain(&data_type))
    };
    match expr {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Alias(alias) => inner(&alias.expr),
        Expr::BinaryExpr(binary) => {
            OPERATORS.iter().any(|(operator, _)| *operator == binary.op)
                && plain(&binary.left)
                && plain(&binary.right)
                && inner(&binary.left)
                && inner(&binary.right)
        }
        Expr::Not(of)
        | Expr::IsNull(of)
        | Expr::IsNotNull(of)
        | Expr::IsTrue(of)
        | Expr::IsFalse(of)
        | Expr::IsUnknown(of)
        | Expr::IsNotTrue(of)
        | Expr::IsNotFalse(of)
        | Expr::IsNotUnknown(of) => inner(of),
        Expr::Between(between) => [&between.expr, &between.low, &between.high]
            .into_iter()
            .all(|of| plain(of) && inner(of)),
        Expr::InList(list) => {
            plain(&list.expr)
                && inner(&list.expr)
                && list.list.iter().all(|item| plain(item) && inner(item))
        }
        Expr::Cast(cast) => {
            cast.expr
                .get_type(schema)
                .is_ok_and(|from| widens(&from, cast.field.data_type()))
                && inner(&cast.expr)
        }
        _ => false,
    }
}

/// The same for the engine's own filters, such as those that a join makes of its other side.
pub(super) fn is_leakproof_physical(
    expr: &Arc<dyn PhysicalExpr>,
    schema: &datafusion::arrow::datatypes::Schema,
) -> bool {
    let inner = |expr: &Arc<dyn PhysicalExpr>| is_leakproof_physical(expr, schema);
    let plain = |expr: &Arc<dyn PhysicalExpr>| {
        expr.data_type(schema)
            .is_ok_and(|data_type| is_plain(&data_type))
    };
    if expr.is::<Column>() || expr.is::<Literal>() {
        return true;
    }
    if let Some(binary) = expr.downcast_ref::<BinaryExpr>() {
        return OPERATORS
            .iter()
            .any(|(operator, _)| operator == binary.op())
            && plain(binary.left())
            && plain(binary.right())
            && inner(binary.left())
            && inner(binary.right());
    }
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return cast
            .expr()
            .data_type(schema)
            .is_ok_and(|from| widens(&from, cast.cast_type()))
            && inner(cast.expr());
    }
    if expr.is::<DynamicFilterPhysicalExpr>() {
        // Its keys are known now, its bounds come later: comparisons of the keys with constants.
        return expr
            .children()
            .iter()
            .all(|key| key.is::<Column>() && plain(key));
    }
    let closed = expr.is::<NotExpr>()
        || expr.is::<IsNullExpr>()
        || expr.is::<IsNotNullExpr>()
        || expr.is::<InListExpr>();
    closed && expr.children().into_iter().all(|of| plain(of) && inner(of))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{Field, Schema};
    use datafusion::logical_expr::{cast, col, lit, try_cast};

    use super::*;

    fn schema() -> DFSchema {
        let fields = vec![
            Field::new("n", DataType::Int32, true),
            Field::new("t", DataType::Utf8View, true),
        ];
        DFSchema::try_from(Schema::new(fields)).expect("a schema")
    }

    #[test]
    fn comparisons_of_plain_values_are_leakproof() {
        for expr in [
            col("n").eq(lit(1)),
            col("n").gt(lit(1)).and(col("t").not_eq(lit("x"))),
            col("n").is_null(),
            col("n").in_list(vec![lit(1), lit(2)], false),
            col("n").between(lit(1), lit(2)),
            cast(col("n"), DataType::Int64).lt(lit(5_i64)),
        ] {
            assert!(is_leakproof(&expr, &schema()), "{expr}");
        }
    }

    #[test]
    fn what_can_fail_or_is_not_listed_is_not() {
        for expr in [
            (lit(1) / col("n")).eq(lit(1)),
            (col("n") + lit(1)).gt(lit(1)),
            cast(col("t"), DataType::Int32).eq(lit(1)),
            try_cast(col("t"), DataType::Int32).eq(lit(1)),
            col("t").like(lit("a%")),
            Expr::Negative(Box::new(col("n"))).eq(lit(1)),
            cast(col("n"), DataType::Int16).eq(lit(1_i16)),
            datafusion::functions::expr_fn::upper(col("t")).eq(lit("A")),
        ] {
            assert!(!is_leakproof(&expr, &schema()), "{expr}");
        }
    }
}
