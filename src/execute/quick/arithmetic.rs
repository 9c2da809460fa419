//! Decimal arithmetic in expressions: the engine's answers, of the engine's types, sooner.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, RecordBatch};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, FieldRef, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result as EngineResult, ScalarValue, internal_err};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use datafusion::physical_expr_common::datum::apply;

use super::decimal::{Arithmetic, Operand, Scaling, compute};

/// The digits of a decimal at most, and behind its point.
const MAX_DIGITS: u8 = 38;
const MAX_SCALE: i8 = 38;

type Expression = Arc<dyn PhysicalExpr>;

/// An expression with its sums, differences and products of decimals computed here.
///
/// # Errors
/// An expression without a type, which is a bug.
pub(super) fn quick_arithmetic(
    expression: Expression,
    schema: &Schema,
) -> EngineResult<Transformed<Expression>> {
    expression.transform_up(|expression| {
        Ok(match DecimalArithmetic::of(&expression, schema) {
            Some(quick) => Transformed::yes(Arc::new(quick) as Expression),
            None => Transformed::no(expression),
        })
    })
}

/// A sum, difference or product of two decimals.
#[derive(Debug)]
struct DecimalArithmetic {
    /// The engine's expression, which says what it is.
    original: Expression,
    arithmetic: Arithmetic,
    left: Expression,
    right: Expression,
}

impl DecimalArithmetic {
    fn of(expression: &Expression, schema: &Schema) -> Option<Self> {
        let binary = expression.downcast_ref::<BinaryExpr>()?;
        let arithmetic = match binary.op() {
            Operator::Plus => Arithmetic::Add,
            Operator::Minus => Arithmetic::Subtract,
            Operator::Multiply => Arithmetic::Multiply,
            _ => return None,
        };
        let decimal = |of: &Expression| {
            let data_type = of.data_type(schema).ok()?;
            matches!(data_type, DataType::Decimal128(..)).then_some(())
        };
        decimal(binary.left())?;
        decimal(binary.right())?;
        Some(Self {
            original: Arc::clone(expression),
            arithmetic,
            left: Arc::clone(binary.left()),
            right: Arc::clone(binary.right()),
        })
    }

    /// The answer where every value fits in 64 bits.
    fn narrow(&self, left: &ColumnarValue, right: &ColumnarValue) -> Option<Decimal128Array> {
        let (left, right) = (Side::of(left)?, Side::of(right)?);
        let (digits, scale, by) = answer_type(self.arithmetic, left.digits, right.digits)?;
        let values = compute(self.arithmetic, left.operand, right.operand, by)?;
        let nulls = NullBuffer::union(left.nulls, right.nulls);
        let answers = Decimal128Array::try_new(values.into(), nulls).ok()?;
        answers.with_precision_and_scale(digits, scale).ok()
    }
}

/// One side's numbers, digits and NULLs.
struct Side<'a> {
    operand: Operand<'a>,
    digits: (u8, i8),
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Side<'a> {
    fn of(value: &'a ColumnarValue) -> Option<Self> {
        match value {
            ColumnarValue::Array(column) => {
                let DataType::Decimal128(precision, scale) = column.data_type() else {
                    return None;
                };
                Some(Self {
                    operand: Operand::Many(column.as_primitive::<Decimal128Type>().values()),
                    digits: (*precision, *scale),
                    nulls: column.nulls(),
                })
            }
            ColumnarValue::Scalar(ScalarValue::Decimal128(Some(value), precision, scale)) => {
                Some(Self {
                    operand: Operand::One(*value),
                    digits: (*precision, *scale),
                    nulls: None,
                })
            }
            ColumnarValue::Scalar(_) => None,
        }
    }
}

/// The type of an answer as the engine has it, and what brings the operands to its scale; `None` where
/// the engine has an error for it, or the scales are too far apart.
fn answer_type(
    arithmetic: Arithmetic,
    (left, left_scale): (u8, i8),
    (right, right_scale): (u8, i8),
) -> Option<(u8, i8, Scaling)> {
    if left_scale < 0 || right_scale < 0 {
        return None;
    }
    if arithmetic == Arithmetic::Multiply {
        let scale = left_scale.checked_add(right_scale)?;
        let digits = left.saturating_add(right).saturating_add(1).min(MAX_DIGITS);
        let by = Scaling { left: 1, right: 1 };
        return (scale <= MAX_SCALE).then_some((digits, scale, by));
    }
    let scale = left_scale.max(right_scale);
    let whole =
        (i16::from(left) - i16::from(left_scale)).max(i16::from(right) - i16::from(right_scale));
    let digits = u8::try_from(i16::from(scale) + whole + 1).ok()?;
    let by = |of: i8| {
        let zeros = u32::try_from(scale - of).ok()?;
        10_i64.checked_pow(zeros)
    };
    let by = Scaling {
        left: by(left_scale)?,
        right: by(right_scale)?,
    };
    Some((digits.min(MAX_DIGITS), scale, by))
}

impl fmt::Display for DecimalArithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.original.fmt(f)
    }
}

impl PartialEq for DecimalArithmetic {
    fn eq(&self, other: &Self) -> bool {
        self.original.eq(&other.original)
    }
}

impl Eq for DecimalArithmetic {}

impl Hash for DecimalArithmetic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.original.hash(state);
    }
}

impl PhysicalExpr for DecimalArithmetic {
    fn data_type(&self, input_schema: &Schema) -> EngineResult<DataType> {
        self.original.data_type(input_schema)
    }

    fn nullable(&self, input_schema: &Schema) -> EngineResult<bool> {
        self.original.nullable(input_schema)
    }

    fn return_field(&self, input_schema: &Schema) -> EngineResult<FieldRef> {
        self.original.return_field(input_schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> EngineResult<ColumnarValue> {
        let (left, right) = (self.left.evaluate(batch)?, self.right.evaluate(batch)?);
        if let Some(answers) = self.narrow(&left, &right) {
            return Ok(ColumnarValue::Array(Arc::new(answers) as ArrayRef));
        }
        match self.arithmetic {
            Arithmetic::Add => apply(&left, &right, numeric::add),
            Arithmetic::Subtract => apply(&left, &right, numeric::sub),
            Arithmetic::Multiply => apply(&left, &right, numeric::mul),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.left, &self.right]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> EngineResult<Arc<dyn PhysicalExpr>> {
        let Ok([left, right]) = <[Expression; 2]>::try_from(children) else {
            return internal_err!("arithmetic has two sides");
        };
        let pair = vec![Arc::clone(&left), Arc::clone(&right)];
        Ok(Arc::new(Self {
            original: Arc::clone(&self.original).with_new_children(pair)?,
            arithmetic: self.arithmetic,
            left,
            right,
        }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.original.fmt_sql(f)
    }
}
