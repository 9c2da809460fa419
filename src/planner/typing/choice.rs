//! CASE, COALESCE, GREATEST, LEAST and NULLIF: calls while the plan is made, so that the types of all
//! their values are seen, and the engine's own expressions once these are settled.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, internal_err};
use datafusion::functions::core::{coalesce, greatest, least};
use datafusion::logical_expr::expr::{Case, Cast, Placeholder, ScalarFunction};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use tessera_catalog::sql_type::SqlType;
use tessera_udfs::pg::{NumericOperator, PgError, is_exact};

use super::common::{Known, become_type, common_type, known, known_field, named};
use super::enum_calls::extreme_of;
use super::numbers;

/// The call that stands for CASE without an operand.
pub(in crate::planner) const CASE: &str = "\u{4}case";
/// The call that stands for CASE with an operand, its first argument.
pub(in crate::planner) const CASE_OF: &str = "\u{4}case_of";
/// The call that stands for a minus before anything but a literal.
pub(in crate::planner) const NEGATIVE: &str = "\u{4}negative";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Case { operand: bool },
    Coalesce,
    Greatest,
    Least,
    NullIf,
    Negative,
}

/// One of the calls.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Choice {
    kind: Kind,
    zone: Arc<str>,
    signature: Signature,
}

/// The call of this name, if it is one of these.
pub(in crate::planner) fn choice(name: &str, zone: &Arc<str>) -> Option<Arc<ScalarUDF>> {
    let kind = match name {
        CASE => Kind::Case { operand: false },
        CASE_OF => Kind::Case { operand: true },
        "coalesce" => Kind::Coalesce,
        "greatest" => Kind::Greatest,
        "least" => Kind::Least,
        "nullif" => Kind::NullIf,
        NEGATIVE => Kind::Negative,
        _ => return None,
    };
    Some(Arc::new(ScalarUDF::new_from_impl(Choice {
        kind,
        zone: Arc::clone(zone),
        signature: Signature::variadic_any(Volatility::Immutable),
    })))
}

impl Choice {
    /// Places of the arguments among which one is chosen, in PostgreSQL's order; and of conditions.
    fn places(&self, count: usize) -> (Vec<usize>, Vec<usize>) {
        let Kind::Case { operand } = self.kind else {
            return ((0..count).collect(), Vec::new());
        };
        let first = usize::from(operand);
        let branches = (count - first.min(count)) / 2;
        let conditions: Vec<usize> = (0..branches).map(|n| first + 2 * n).collect();
        let mut results = Vec::with_capacity(branches + 1);
        if (count - first.min(count)) % 2 == 1 {
            results.push(count - 1);
        }
        results.extend(conditions.iter().map(|place| place + 1));
        (results, conditions)
    }

    fn title(&self) -> &'static str {
        match self.kind {
            Kind::Case { .. } => "CASE",
            Kind::Coalesce => "COALESCE",
            Kind::Greatest => "GREATEST",
            Kind::Least => "LEAST",
            Kind::NullIf => "NULLIF",
            Kind::Negative => "-",
        }
    }

    /// The type of the answer; `None` if no value has one.
    fn answer(&self, types: &[Known]) -> Result<Known> {
        let (results, conditions) = self.places(types.len());
        match self.kind {
            Kind::Negative => return Ok(types.first().cloned().flatten()),
            Kind::NullIf => {
                let pair = common_type(types, "NULLIF");
                return match (pair, types) {
                    (Ok(common), [Some(SqlType::Numeric(limits)), _]) => {
                        Ok(common.map(|_| SqlType::Numeric(*limits)))
                    }
                    (Ok(common), [Some(first), _]) if is_text(first) => {
                        Ok(common.map(|_| first.clone()))
                    }
                    (Ok(common), _) => Ok(common),
                    (Err(_), [Some(left), Some(right)]) => Err(PgError::UndefinedOperator(
                        format!("{} = {}", named(left), named(right)),
                    )
                    .into()),
                    (Err(error), _) => Err(error),
                };
            }
            Kind::Case { operand: false } => {
                for place in conditions {
                    if let Some(Some(wrong)) = types.get(place)
                        && *wrong != SqlType::Bool
                    {
                        let text = format!(
                            "argument of CASE/WHEN must be type boolean, not type {}",
                            named(wrong)
                        );
                        return Err(PgError::DatatypeMismatch(text).into());
                    }
                }
            }
            _ => {}
        }
        let among: Vec<Known> = results
            .into_iter()
            .filter_map(|place| types.get(place).cloned())
            .collect();
        common_type(&among, self.title())
    }
}

fn is_text(sql_type: &SqlType) -> bool {
    matches!(
        sql_type,
        SqlType::Varchar(_) | SqlType::Char(_) | SqlType::Name
    )
}

impl ScalarUDFImpl for Choice {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Case { operand: false } => CASE,
            Kind::Case { operand: true } => CASE_OF,
            Kind::Coalesce => "coalesce",
            Kind::Greatest => "greatest",
            Kind::Least => "least",
            Kind::NullIf => "nullif",
            Kind::Negative => NEGATIVE,
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} depends on its fields", self.title())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<Known> = args
            .arg_fields
            .iter()
            .zip(args.scalar_arguments)
            .map(|(field, literal)| known_field(field, *literal))
            .collect();
        if self.kind == Kind::Negative
            && let Some(field) = args.arg_fields.first()
        {
            check_signed(field)?;
            return Ok(Arc::new(field.as_ref().clone().with_nullable(true)));
        }
        let answer = self.answer(&types)?.unwrap_or(SqlType::Text);
        Ok(answer.field(self.name(), true, &self.zone))
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        internal_err!("{} is settled before it runs", self.title())
    }
}

fn check_signed(field: &Field) -> Result<()> {
    let data_type = field.data_type();
    let signed = data_type.is_numeric()
        || is_exact(data_type)
        || matches!(data_type, DataType::Interval(_) | DataType::Null);
    if signed {
        return Ok(());
    }
    Err(PgError::UndefinedOperator(format!("- {}", named(&SqlType::of(field)))).into())
}

/// Makes the engine's own expression of a call whose arguments are settled.
pub(super) fn settle(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else {
        return Ok(Transformed::no(expr));
    };
    let Some(choice) = func.inner().downcast_ref::<Choice>() else {
        return Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction {
            func,
            args,
        })));
    };
    let types = args
        .iter()
        .map(|arg| known(arg, schema))
        .collect::<Result<Vec<Known>>>()?;
    let answer = choice.answer(&types)?.unwrap_or(SqlType::Text);
    let settled = match choice.kind {
        Kind::Case { operand } => case(choice, operand, args, &types, &answer, schema)?,
        Kind::NullIf => null_if(args, &answer, schema, &choice.zone)?,
        Kind::Negative => negative(args, schema),
        Kind::Coalesce | Kind::Greatest | Kind::Least => {
            let args = args
                .into_iter()
                .map(|arg| become_type(arg, &answer, schema, &choice.zone))
                .collect::<Result<Vec<Expr>>>()?;
            chosen(choice.kind, &answer, args)
        }
    };
    let settled = match choice.kind {
        Kind::Negative => settled,
        _ => told(settled, &answer, schema, &choice.zone)?,
    };
    Ok(Transformed::yes(settled))
}

/// An expression that tells its type where the engine's own tells only how values are kept, as of `json`.
fn told(expr: Expr, answer: &SqlType, schema: &DFSchema, zone: &Arc<str>) -> Result<Expr> {
    let (_, field) = expr.to_field(schema)?;
    let wanted = answer.field("", true, zone);
    let same = field.data_type() == wanted.data_type();
    if wanted.metadata().is_empty() || !same || SqlType::of(&field) == *answer {
        return Ok(expr);
    }
    Ok(Expr::Cast(Cast::new_from_field(Box::new(expr), wanted)))
}

fn chosen(kind: Kind, answer: &SqlType, args: Vec<Expr>) -> Expr {
    let exact = *answer == SqlType::Numeric(None);
    if let (SqlType::Enum(enumerated), Kind::Greatest | Kind::Least) = (answer, kind) {
        return extreme_of(args, enumerated, kind == Kind::Greatest);
    }
    match kind {
        Kind::Greatest if exact => NumericOperator::Greatest.call(args),
        Kind::Least if exact => NumericOperator::Least.call(args),
        Kind::Greatest => greatest().call(args),
        Kind::Least => least().call(args),
        _ => coalesce().call(args),
    }
}

fn case(
    choice: &Choice,
    operand: bool,
    args: Vec<Expr>,
    types: &[Known],
    answer: &SqlType,
    schema: &DFSchema,
) -> Result<Expr> {
    let mut args = args.into_iter();
    let mut operand = operand.then(|| args.next()).flatten();
    let rest: Vec<Expr> = args.collect();
    let otherwise = (rest.len() % 2 == 1).then(|| rest[rest.len() - 1].clone());
    let mut branches = Vec::with_capacity(rest.len() / 2);
    for (index, pair) in rest.chunks_exact(2).enumerate() {
        let condition = match &operand {
            Some(_) => {
                let own = types.get(1 + 2 * index).cloned().flatten();
                let of = types.first().cloned().flatten();
                match (own, of) {
                    (None, Some(of)) => become_type(pair[0].clone(), &of, schema, &choice.zone)?,
                    _ => pair[0].clone(),
                }
            }
            None => become_boolean(pair[0].clone()),
        };
        let result = become_type(pair[1].clone(), answer, schema, &choice.zone)?;
        branches.push((Box::new(condition), Box::new(result)));
    }
    let exact = |expr: &Expr| numbers::is_exact_expr(expr, schema);
    if let Some(subject) = &operand
        && (exact(subject) || branches.iter().any(|(when, _)| exact(when)))
    {
        for (when, _) in &mut branches {
            let equal = BinaryExpr::new(
                Box::new(subject.clone()),
                Operator::Eq,
                Box::new(std::mem::take(when.as_mut())),
            );
            let compared = numbers::settle(Expr::BinaryExpr(equal), schema)?;
            **when = compared.data;
        }
        operand = None;
    }
    let otherwise = otherwise
        .map(|expr| become_type(expr, answer, schema, &choice.zone))
        .transpose()?;
    Ok(Expr::Case(Case::new(
        operand.map(Box::new),
        branches,
        otherwise.map(Box::new),
    )))
}

/// A parameter that is a condition is a boolean.
fn become_boolean(expr: Expr) -> Expr {
    match expr {
        Expr::Placeholder(Placeholder { id, field: None }) => {
            let field = Some(Arc::new(Field::new("", DataType::Boolean, true)));
            Expr::Placeholder(Placeholder { id, field })
        }
        other => other,
    }
}

fn null_if(args: Vec<Expr>, answer: &SqlType, schema: &DFSchema, zone: &Arc<str>) -> Result<Expr> {
    let [left, right]: [Expr; 2] = match args.try_into() {
        Ok(pair) => pair,
        Err(_) => {
            return Err(PgError::Syntax("NULLIF takes two arguments".to_owned()).into());
        }
    };
    let typed = |expr: Expr| match known(&expr, schema)? {
        None => become_type(expr, answer, schema, zone),
        Some(_) => Ok(expr),
    };
    let (left, right) = (typed(left)?, typed(right)?);
    let equal = BinaryExpr::new(Box::new(left.clone()), Operator::Eq, Box::new(right));
    let equal = numbers::settle(Expr::BinaryExpr(equal), schema)?.data;
    let null = Expr::Literal(ScalarValue::try_from(&left.get_type(schema)?)?, None);
    Ok(Expr::Case(Case::new(
        None,
        vec![(Box::new(equal), Box::new(null))],
        Some(Box::new(left)),
    )))
}

fn negative(args: Vec<Expr>, schema: &DFSchema) -> Expr {
    let inner = args.into_iter().next().unwrap_or_default();
    if numbers::is_exact_expr(&inner, schema) {
        return NumericOperator::Negate.call(vec![inner]);
    }
    Expr::Negative(Box::new(inner))
}
