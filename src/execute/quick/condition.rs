//! A filter's condition, taken apart.
//!
//! What [`Test`] can say is asked first, the cheapest first: none of it fails or has an effect, so it may
//! come before what was written before it. All else keeps its order and sees only the rows that are left,
//! so nothing fails that would not have failed where the parts are evaluated as written.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::FilterBuilder;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::{Result as EngineResult, ScalarValue};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, InListExpr, IsNotNullExpr, IsNullExpr, Literal, NotExpr,
};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, split_conjunction};

use super::mask::Mask;
use super::test::{Comparison, Range, Test, Text, is_whole};

/// Members of a list that are compared one after the other; the engine looks longer lists up.
const MAX_MEMBERS: usize = 8;

type Expression = Arc<dyn PhysicalExpr>;

/// A condition that is ready to be asked.
#[derive(Debug)]
pub(super) struct Condition {
    tests: Vec<Test>,
    rest: Vec<Remaining>,
}

/// A part that is no test, and the columns that it needs.
#[derive(Debug)]
struct Remaining {
    expression: Expression,
    columns: Vec<usize>,
}

impl Condition {
    /// Takes a condition over rows of a schema apart.
    pub(super) fn new(predicate: &Expression, schema: &Schema) -> Self {
        let (mut tests, mut rest) = (Vec::new(), Vec::new());
        for part in split_conjunction(predicate) {
            match test(part, schema) {
                Some(test) => tests.push(test),
                None => rest.push(Remaining {
                    expression: Arc::clone(part),
                    columns: collect_columns(part).iter().map(Column::index).collect(),
                }),
            }
        }
        let width = |column: usize| schema.field(column).data_type().primitive_width();
        let mut tests = together(tests);
        tests.sort_by_key(|test| test.cost(&|column| width(column).unwrap_or(1)));
        Self { tests, rest }
    }

    /// The rows for which the condition is true.
    ///
    /// # Errors
    /// What a part that is no test meets.
    pub(super) fn rows(&self, batch: &RecordBatch) -> EngineResult<Mask> {
        let mut mask = Mask::all(batch.num_rows());
        for test in &self.tests {
            if mask.is_empty() {
                return Ok(mask);
            }
            test.keep(batch, &mut mask)?;
        }
        for part in &self.rest {
            if mask.is_empty() {
                return Ok(mask);
            }
            part.keep(batch, &mut mask)?;
        }
        Ok(mask)
    }

    /// How many parts are tests.
    #[cfg(test)]
    pub(super) fn tests(&self) -> &[Test] {
        &self.tests
    }
}

impl Remaining {
    /// Evaluates the part on the rows that are left, and takes those away for which it is not true.
    fn keep(&self, batch: &RecordBatch, mask: &mut Mask) -> EngineResult<()> {
        let left = mask.count();
        let answers = if left == batch.num_rows() {
            self.expression.evaluate(batch)?
        } else {
            let batch = self.only(batch, mask.clone().into_array(), left)?;
            self.expression.evaluate(&batch)?
        };
        match answers {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => {}
            ColumnarValue::Scalar(_) => mask.clear(),
            ColumnarValue::Array(answers) => mask.keep_answers(answers.as_boolean()),
        }
        Ok(())
    }

    /// The rows that are left, of the columns that are needed; in place of the others stands what costs
    /// nothing, their first rows.
    fn only(
        &self,
        batch: &RecordBatch,
        kept: BooleanArray,
        left: usize,
    ) -> EngineResult<RecordBatch> {
        let filter = FilterBuilder::new(&kept).optimize().build();
        let columns = batch.columns().iter().enumerate().map(|(at, column)| {
            Ok(match self.columns.contains(&at) {
                true => filter.filter(column)?,
                false => column.slice(0, left),
            })
        });
        let columns = columns.collect::<EngineResult<Vec<ArrayRef>>>()?;
        let options =
            datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(left));
        let schema = batch.schema();
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }
}

/// Makes one range of all that are asked of a column.
fn together(tests: Vec<Test>) -> Vec<Test> {
    let mut joined: Vec<Test> = Vec::with_capacity(tests.len());
    for test in tests {
        let Test::Range { column, range } = test else {
            joined.push(test);
            continue;
        };
        let same = joined.iter_mut().find_map(|other| match other {
            Test::Range { column: of, range } if *of == column => Some(range),
            _ => None,
        });
        match same {
            Some(other) => *other = other.intersect(range),
            None => joined.push(Test::Range { column, range }),
        }
    }
    joined
}

/// The test that an expression is, if it is one.
fn test(expression: &Expression, schema: &Schema) -> Option<Test> {
    if let Some(binary) = expression.downcast_ref::<BinaryExpr>() {
        return match binary.op() {
            Operator::And => {
                let parts = split_conjunction(expression);
                let tests = parts.into_iter().map(|part| test(part, schema));
                Some(Test::All(together(tests.collect::<Option<_>>()?)))
            }
            Operator::Or => {
                let (left, right) = (test(binary.left(), schema)?, test(binary.right(), schema)?);
                Some(either(left, right))
            }
            operator => comparison(binary.left(), *operator, binary.right(), schema),
        };
    }
    if let Some(list) = expression.downcast_ref::<InListExpr>() {
        return members(list, schema);
    }
    if let Some(null) = expression.downcast_ref::<IsNullExpr>() {
        let column = column(null.arg(), schema)?.0;
        return Some(Test::Null { column, null: true });
    }
    if let Some(null) = expression.downcast_ref::<IsNotNullExpr>() {
        let column = column(null.arg(), schema)?.0;
        return Some(Test::Null {
            column,
            null: false,
        });
    }
    let (of, value) = match expression.downcast_ref::<NotExpr>() {
        Some(not) => (not.arg(), false),
        None => (expression, true),
    };
    match column(of, schema)? {
        (column, DataType::Boolean) => Some(Test::Truth { column, value }),
        _ => None,
    }
}

/// One of two tests; texts of one column become one list.
fn either(left: Test, right: Test) -> Test {
    match (left, right) {
        (
            Test::Texts {
                column,
                texts: mut list,
                among: true,
            },
            Test::Texts {
                column: other,
                texts,
                among: true,
            },
        ) if column == other => {
            list.extend(texts);
            Test::Texts {
                column,
                texts: list,
                among: true,
            }
        }
        (Test::Any(mut tests), right) => {
            tests.push(right);
            Test::Any(tests)
        }
        (left, right) => Test::Any(vec![left, right]),
    }
}

fn column<'a>(expression: &Expression, schema: &'a Schema) -> Option<(usize, &'a DataType)> {
    let index = expression.downcast_ref::<Column>()?.index();
    let field = schema.fields().get(index)?;
    Some((index, field.data_type()))
}

fn comparison(
    left: &Expression,
    operator: Operator,
    right: &Expression,
    schema: &Schema,
) -> Option<Test> {
    match (column(left, schema), column(right, schema)) {
        (Some((left, data_type)), Some((right, other))) => {
            let same = is_whole(data_type) && data_type == other;
            let comparison = comparison_of(operator)?;
            same.then_some(Test::Pair {
                left,
                right,
                comparison,
            })
        }
        (Some((column, data_type)), None) => {
            let value = right.downcast_ref::<Literal>()?.value();
            with_literal(column, data_type, operator, value)
        }
        (None, Some((column, data_type))) => {
            let value = left.downcast_ref::<Literal>()?.value();
            with_literal(column, data_type, operator.swap()?, value)
        }
        (None, None) => None,
    }
}

fn comparison_of(operator: Operator) -> Option<Comparison> {
    Some(match operator {
        Operator::Eq => Comparison::Equal,
        Operator::NotEq => Comparison::NotEqual,
        Operator::Lt => Comparison::Less,
        Operator::LtEq => Comparison::LessOrEqual,
        Operator::Gt => Comparison::Greater,
        Operator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn with_literal(
    column: usize,
    data_type: &DataType,
    operator: Operator,
    literal: &ScalarValue,
) -> Option<Test> {
    let comparison = comparison_of(operator)?;
    if data_type == &DataType::Utf8View {
        let text = text(literal)?;
        let among = match comparison {
            Comparison::Equal => true,
            Comparison::NotEqual => false,
            _ => return None,
        };
        let texts = vec![text];
        return Some(Test::Texts {
            column,
            texts,
            among,
        });
    }
    let value = whole(literal, data_type)?;
    let (least, most) = (i128::MIN, i128::MAX);
    let (low, high) = match comparison {
        Comparison::Equal => (value, value),
        Comparison::NotEqual => return Some(Test::Not { column, value }),
        Comparison::Less => (least, value.checked_sub(1)?),
        Comparison::LessOrEqual => (least, value),
        Comparison::Greater => (value.checked_add(1)?, most),
        Comparison::GreaterOrEqual => (value, most),
    };
    let range = Range { low, high };
    Some(Test::Range { column, range })
}

/// A list of literals: texts as one test, numbers as a test each.
fn members(list: &InListExpr, schema: &Schema) -> Option<Test> {
    let (column, data_type) = column(list.expr(), schema)?;
    if list.is_empty() || list.len() > MAX_MEMBERS {
        return None;
    }
    let literals = list.list().iter().map(|member| {
        let literal = member.downcast_ref::<Literal>()?;
        Some(literal.value())
    });
    let literals: Vec<&ScalarValue> = literals.collect::<Option<_>>()?;
    let among = !list.negated();
    if data_type == &DataType::Utf8View {
        let texts = literals.into_iter().map(text).collect::<Option<_>>()?;
        return Some(Test::Texts {
            column,
            texts,
            among,
        });
    }
    let operator = if among { Operator::Eq } else { Operator::NotEq };
    let tests = literals
        .into_iter()
        .map(|literal| with_literal(column, data_type, operator, literal));
    let tests = tests.collect::<Option<_>>()?;
    Some(match among {
        true => Test::Any(tests),
        false => Test::All(tests),
    })
}

fn text(literal: &ScalarValue) -> Option<Text> {
    match literal {
        ScalarValue::Utf8View(Some(text)) => Text::new(text),
        _ => None,
    }
}

/// The number that a literal of a column's type is stored as.
fn whole(literal: &ScalarValue, data_type: &DataType) -> Option<i128> {
    use ScalarValue as S;
    if !is_whole(data_type) || literal.data_type() != *data_type {
        return None;
    }
    match literal {
        S::Int8(Some(value)) => Some(i128::from(*value)),
        S::Int16(Some(value)) => Some(i128::from(*value)),
        S::Int32(Some(value)) | S::Date32(Some(value)) => Some(i128::from(*value)),
        S::Int64(Some(value))
        | S::Time64Microsecond(Some(value))
        | S::TimestampSecond(Some(value), _)
        | S::TimestampMillisecond(Some(value), _)
        | S::TimestampMicrosecond(Some(value), _)
        | S::TimestampNanosecond(Some(value), _) => Some(i128::from(*value)),
        S::Decimal128(Some(value), _, _) => Some(*value),
        _ => None,
    }
}
