//! `rank(x) WITHIN GROUP (ORDER BY y)` and its kin: what a row that is not there would have for its rank,
//! counted among those that are.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, DuplicateTreatment, ExactNumberInfo, Expr, Function,
    FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, OrderByExpr, Value,
};

use super::functions::called;

/// A row's place is before, or before or at, that of the row that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Before,
    At,
}

/// The counts that such a call stands for; `None` for any other call.
pub(super) fn counted(function: &Function) -> Option<Expr> {
    let name = function.name.0.last()?.as_ident()?.value.to_lowercase();
    let known = ["rank", "dense_rank", "percent_rank", "cume_dist"].contains(&name.as_str());
    if !known || function.within_group.is_empty() || function.over.is_some() {
        return None;
    }
    let values = plain_arguments(function)?;
    let keys = &function.within_group;
    if values.len() != keys.len() {
        return None;
    }
    let filter = function.filter.as_deref();
    let rows = |until| counting(Vec::new(), Some(placed(keys, &values, until)), filter);
    Some(match name.as_str() {
        "rank" => plus_one(rows(Until::Before)),
        "dense_rank" => {
            let before = placed(keys, &values, Until::Before);
            let distinct = match keys.as_slice() {
                [key] => vec![key.expr.clone()],
                several => vec![Expr::Tuple(
                    several.iter().map(|key| key.expr.clone()).collect(),
                )],
            };
            let counted = counting(distinct, Some(before.clone()), filter);
            match keys.as_slice() {
                // A count of values leaves NULL out, which is one of them here.
                [key] => {
                    let null = Expr::IsNull(Box::new(key.expr.clone()));
                    let null = binary(null, BinaryOperator::And, before);
                    let null = counting(Vec::new(), Some(null), filter);
                    let one = called("least", vec![null, number(1)]);
                    plus_one(binary(counted, BinaryOperator::Plus, one))
                }
                _ => plus_one(counted),
            }
        }
        "percent_rank" => {
            let before = as_float(rows(Until::Before));
            let all = counting(Vec::new(), None, filter);
            // Without rows the rank is 0, and nothing is divided by nothing.
            let all = called("greatest", vec![all, number(1)]);
            binary(before, BinaryOperator::Divide, all)
        }
        _ => {
            let until = as_float(plus_one(rows(Until::At)));
            let all = plus_one(counting(Vec::new(), None, filter));
            binary(until, BinaryOperator::Divide, all)
        }
    })
}

fn plain_arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let values = list.args.iter().map(|arg| match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
        _ => None,
    });
    values.collect()
}

/// `count(*)`, or the count of different values, of the rows of which a condition holds.
fn counting(distinct: Vec<Expr>, condition: Option<Expr>, filter: Option<&Expr>) -> Expr {
    let filter = match (condition, filter) {
        (Some(condition), Some(filter)) => Some(binary(
            nested(filter.clone()),
            BinaryOperator::And,
            condition,
        )),
        (condition, filter) => condition.or_else(|| filter.cloned()),
    };
    let Expr::Function(mut count) = called("count", Vec::new()) else {
        return number(0);
    };
    let treatment = (!distinct.is_empty()).then_some(DuplicateTreatment::Distinct);
    let mut args: Vec<FunctionArgExpr> = distinct.into_iter().map(FunctionArgExpr::Expr).collect();
    if args.is_empty() {
        args.push(FunctionArgExpr::Wildcard);
    }
    count.args = FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment: treatment,
        args: args.into_iter().map(FunctionArg::Unnamed).collect(),
        clauses: Vec::new(),
    });
    count.filter = filter.map(Box::new);
    Expr::Function(count)
}

/// Whether a row comes before the one with these values, or also whether it comes beside it.
fn placed(keys: &[OrderByExpr], values: &[Expr], until: Until) -> Expr {
    let mut rest: Option<Expr> =
        (until == Until::At).then(|| Expr::Value(Value::Boolean(true).into()));
    for (key, value) in keys.iter().zip(values).rev() {
        let before = before(key, value);
        let same = Expr::IsNotDistinctFrom(
            Box::new(nested(key.expr.clone())),
            Box::new(nested(value.clone())),
        );
        rest = Some(match rest {
            Some(rest) => {
                let beside = nested(binary(same, BinaryOperator::And, rest));
                nested(binary(before, BinaryOperator::Or, beside))
            }
            None => before,
        });
    }
    rest.unwrap_or_else(|| Expr::Value(Value::Boolean(false).into()))
}

/// Whether a row's key comes before a value in the key's order.
fn before(key: &OrderByExpr, value: &Expr) -> Expr {
    let descending = key.options.asc == Some(false);
    let nulls_first = key.options.nulls_first.unwrap_or(descending);
    let op = if descending {
        BinaryOperator::Gt
    } else {
        BinaryOperator::Lt
    };
    let own = nested(key.expr.clone());
    let value = nested(value.clone());
    let (null, other) = if nulls_first {
        (own.clone(), value.clone())
    } else {
        (value.clone(), own.clone())
    };
    let by_null = binary(
        Expr::IsNull(Box::new(null)),
        BinaryOperator::And,
        Expr::IsNotNull(Box::new(other)),
    );
    nested(binary(
        nested(binary(own, op, value)),
        BinaryOperator::Or,
        nested(by_null),
    ))
}

fn plus_one(expr: Expr) -> Expr {
    nested(binary(expr, BinaryOperator::Plus, number(1)))
}

fn as_float(expr: Expr) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(expr),
        data_type: DataType::Double(ExactNumberInfo::None),
        array: false,
        format: None,
    }
}

fn number(value: i64) -> Expr {
    Expr::Value(Value::Number(value.to_string(), false).into())
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }
}
