//! Puts PostgreSQL's functions where SQL has syntax instead of a call: operators on dates and intervals,
//! `extract`, `substring`, `position`, `overlay`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::common::{Column, DFSchema, Result, ScalarValue, TableReference};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::datetime::{arithmetic, extract};
use super::function::Spec;
use super::number::exact::NumericOperator;
use super::types::is_number;
use super::{operators, record, text};

/// Plans what PostgreSQL plans differently from the engine.
#[derive(Debug)]
pub struct PgExprPlanner;

/// What an operand is to an operator on dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    Date,
    Time,
    Moment,
    Interval,
    Number,
    /// A literal that has no type of its own yet.
    Unknown,
    Other,
}

fn operand(expr: &Expr, schema: &DFSchema) -> Operand {
    if let Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Utf8View(_) | ScalarValue::Null, _) =
        expr
    {
        return Operand::Unknown;
    }
    match expr.get_type(schema) {
        Ok(DataType::Date32 | DataType::Date64) => Operand::Date,
        Ok(DataType::Time32(_) | DataType::Time64(_)) => Operand::Time,
        Ok(DataType::Timestamp(..)) => Operand::Moment,
        Ok(DataType::Interval(_) | DataType::Duration(_)) => Operand::Interval,
        Ok(data_type) if is_number(&data_type) => Operand::Number,
        _ => Operand::Other,
    }
}

fn is_zoned_time(expr: &Expr, schema: &DFSchema) -> bool {
    let held = expr.get_type(schema);
    held.is_ok_and(|held| held == DataType::Time64(TimeUnit::Nanosecond))
}

fn cast(expr: Expr, to: DataType) -> Expr {
    datafusion::logical_expr::cast(expr, to)
}

/// A literal without a type of its own that is compared with an array is read as such an array.
fn typed_literals(mut expr: RawBinaryExpr, schema: &DFSchema) -> Result<RawBinaryExpr> {
    let untyped = |side: &Expr| {
        matches!(
            side,
            Expr::Literal(ScalarValue::Utf8(_) | ScalarValue::Utf8View(_), _)
        )
    };
    let list = |side: &Expr| {
        side.to_field(schema)
            .ok()
            .map(|(_, field)| field)
            .filter(|field| matches!(field.data_type(), DataType::List(_)))
    };
    let typed = |literal: Expr, field| {
        Expr::Cast(datafusion::logical_expr::Cast::new_from_field(
            Box::new(literal),
            field,
        ))
    };
    if untyped(&expr.right)
        && let Some(field) = list(&expr.left)
    {
        expr.right = typed(expr.right, field);
    } else if untyped(&expr.left)
        && let Some(field) = list(&expr.right)
    {
        expr.left = typed(expr.left, field);
    }
    Ok(expr)
}

/// The operator between a relation's name and whether an outer join may have left it out, which stands for
/// its whole row.
pub const WHOLE_ROW: &str = "whole_row";

fn whole_row(expr: &RawBinaryExpr, schema: &DFSchema) -> Option<Expr> {
    let BinaryOperator::PGCustomBinaryOperator(parts) = &expr.op else {
        return None;
    };
    let ([name], Expr::Literal(relation, _), Expr::Literal(ScalarValue::Boolean(extended), _)) =
        (parts.as_slice(), &expr.left, &expr.right)
    else {
        return None;
    };
    let relation = relation.try_as_str().flatten()?;
    (name == WHOLE_ROW)
        .then(|| record::whole_row(relation, extended.unwrap_or(false), schema))
        .flatten()
}

fn call(spec: Spec, args: Vec<Expr>) -> Expr {
    ScalarUDF::call(&spec.udf(), args)
}

fn interval_type() -> DataType {
    DataType::Interval(IntervalUnit::MonthDayNano)
}

impl ExprPlanner for PgExprPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        use BinaryOperator as Op;
        use Operand as O;
        if let Some(planned) = whole_row(&expr, schema) {
            return Ok(PlannerResult::Planned(planned));
        }
        if let Some(planned) = operators::on_json(&expr, schema)? {
            return Ok(PlannerResult::Planned(planned));
        }
        if let Some(planned) = operators::on_patterns(&expr, schema) {
            return Ok(PlannerResult::Planned(planned));
        }
        if let Some(planned) = operators::array_and_nothing(&expr, schema) {
            return Ok(PlannerResult::Planned(planned));
        }
        if let Some(planned) = operators::on_arrays(&expr) {
            return Ok(PlannerResult::Planned(planned));
        }
        let expr = operators::typed_parameters(expr, schema);
        if expr.op == Op::PGExp {
            let power = NumericOperator::Power.call(vec![expr.left, expr.right]);
            return Ok(PlannerResult::Planned(power));
        }
        let known = matches!(expr.op, Op::Plus | Op::Minus | Op::Multiply | Op::Divide);
        if !known {
            let expr = operators::typed(typed_literals(expr, schema)?, schema)?;
            let intervals = operand(&expr.left, schema) == Operand::Interval
                && operand(&expr.right, schema) == Operand::Interval;
            let comparison = matches!(
                expr.op,
                Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq
            );
            return Ok(PlannerResult::Original(if intervals && comparison {
                RawBinaryExpr {
                    op: expr.op,
                    left: call(arithmetic::LENGTH, vec![expr.left]),
                    right: call(arithmetic::LENGTH, vec![expr.right]),
                }
            } else {
                expr
            }));
        }
        let kinds = (operand(&expr.left, schema), operand(&expr.right, schema));
        let spec = match (&expr.op, kinds) {
            (Op::Plus, (O::Date | O::Moment, O::Date | O::Moment)) => {
                return Err(operators::missing(&expr, schema));
            }
            (
                Op::Plus,
                (
                    O::Date | O::Time | O::Moment | O::Interval,
                    O::Date | O::Time | O::Interval | O::Moment,
                ),
            ) => arithmetic::PLUS,
            (Op::Plus, (O::Date, O::Number) | (O::Number, O::Date)) => arithmetic::PLUS,
            (Op::Minus, (O::Time, O::Time))
                if is_zoned_time(&expr.left, schema) || is_zoned_time(&expr.right, schema) =>
            {
                return Err(operators::missing(&expr, schema));
            }
            (
                Op::Minus,
                (
                    O::Date | O::Time | O::Moment | O::Interval,
                    O::Date | O::Time | O::Moment | O::Interval,
                ),
            ) => arithmetic::MINUS,
            (Op::Minus, (O::Date, O::Number)) => arithmetic::MINUS,
            (Op::Multiply, (O::Interval, O::Number) | (O::Number, O::Interval)) => {
                arithmetic::TIMES
            }
            (Op::Divide, (O::Interval, O::Number)) => arithmetic::DIVIDE,
            (Op::Plus | Op::Minus, (O::Date | O::Time | O::Moment | O::Interval, O::Unknown)) => {
                let target = match (&expr.op, kinds.0) {
                    // No difference of two times with zones is known.
                    _ if is_zoned_time(&expr.left, schema) => interval_type(),
                    (Op::Minus, O::Moment | O::Date | O::Time) => expr.left.get_type(schema)?,
                    _ => interval_type(),
                };
                let spec = if expr.op == Op::Plus {
                    arithmetic::PLUS
                } else {
                    arithmetic::MINUS
                };
                return Ok(PlannerResult::Planned(call(
                    spec,
                    vec![expr.left, cast(expr.right, target)],
                )));
            }
            (Op::Plus | Op::Minus, (O::Unknown, O::Date | O::Time | O::Moment | O::Interval)) => {
                let target = match (&expr.op, kinds.1) {
                    (Op::Minus, _) => expr.right.get_type(schema)?,
                    (_, O::Interval) => interval_type(),
                    _ => interval_type(),
                };
                let spec = if expr.op == Op::Plus {
                    arithmetic::PLUS
                } else {
                    arithmetic::MINUS
                };
                return Ok(PlannerResult::Planned(call(
                    spec,
                    vec![cast(expr.left, target), expr.right],
                )));
            }
            _ => {
                let expr = operators::typed(expr, schema)?;
                return Ok(match operators::exact(&expr, schema) {
                    Some(call) => PlannerResult::Planned(call),
                    None => PlannerResult::Original(expr),
                });
            }
        };
        Ok(PlannerResult::Planned(call(
            spec,
            vec![expr.left, expr.right],
        )))
    }

    /// `a.b` names column `b` of relation `a`, never a field of column `a`: where no relation here is called
    /// so, one of an outer query may be. Its type is found once the two queries are joined.
    fn plan_compound_identifier(
        &self,
        field: &Field,
        _qualifier: Option<&TableReference>,
        nested_names: &[String],
    ) -> Result<PlannerResult<Vec<Expr>>> {
        let [name] = nested_names else {
            return Ok(PlannerResult::Original(Vec::new()));
        };
        if matches!(field.data_type(), DataType::Struct(_)) {
            return Ok(PlannerResult::Original(Vec::new()));
        }
        let column = Column::new(Some(field.name().as_str()), name);
        let unknown = Arc::new(Field::new(name, DataType::Null, true));
        Ok(PlannerResult::Planned(Expr::OuterReferenceColumn(
            unknown, column,
        )))
    }

    fn plan_extract(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        // The parser writes some fields back in its own spelling, quoted ones with quotes.
        let mut args = args;
        if let Some(Expr::Literal(value, _)) = args.first_mut()
            && let ScalarValue::Utf8(Some(name)) = value
        {
            // In the type that the function takes: a cast around it would hide the field, and with it the answer's digits.
            let name = name.trim_matches(['\'', '"']).to_ascii_lowercase();
            *value = ScalarValue::Utf8View(Some(name));
        }
        Ok(PlannerResult::Planned(ScalarUDF::call(
            &extract::extract_udf(),
            args,
        )))
    }

    fn plan_substring(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(call(text::substr::SUBSTRING, args)))
    }

    fn plan_position(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(call(text::substr::STRPOS, args)))
    }

    fn plan_overlay(&self, args: Vec<Expr>) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(call(text::substr::OVERLAY, args)))
    }
}

/// The planners, to go before the engine's own.
pub fn expr_planners() -> Vec<Arc<dyn ExprPlanner>> {
    vec![Arc::new(PgExprPlanner)]
}
