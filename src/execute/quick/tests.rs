//! The same answers as the engine's own operators and expressions, over generated rows.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int16Array, Int32Array,
    Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, Literal, in_list, is_not_null, is_null, not,
};
use datafusion::physical_plan::displayable;
use datafusion::physical_plan::filter::FilterExecBuilder;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::{ExecutionPlan, collect};

use super::condition::Condition;
use super::quick;

type Expression = Arc<dyn PhysicalExpr>;

/// Numbers that are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn draw(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.draw() % end as u64) as usize
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

const TEXTS: [&str; 9] = [
    "",
    "a",
    "MAIL",
    "SHIP",
    "twelve bytes",
    "thirteen byte",
    "DELIVER IN PERSON",
    "DELIVER IN PERSOM",
    "é",
];

const MICROSECONDS: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
const DECIMALS: DataType = DataType::Decimal128(38, 2);

/// A few numbers near each other, and the ends of what fits.
fn number(seeded: &mut Seeded, least: i128, most: i128) -> i128 {
    match seeded.below(16) {
        0 => least,
        1 => most,
        _ => seeded.below(7) as i128 - 3,
    }
}

/// A decimal of which some need more than 64 bits.
fn wide(seeded: &mut Seeded) -> i128 {
    let limit = 10_i128.pow(38) - 1;
    match seeded.below(40) {
        0 => i128::from(i64::MAX) + 1,
        1 => i128::from(i64::MIN) - 1,
        2 => number(seeded, -limit, limit),
        _ => number(seeded, i128::from(i64::MIN), i128::from(i64::MAX)),
    }
}

fn literal(seeded: &mut Seeded, data_type: &DataType) -> ScalarValue {
    let of = |seeded: &mut Seeded, least: i64, most: i64| {
        number(seeded, i128::from(least), i128::from(most)) as i64
    };
    match data_type {
        DataType::Boolean => ScalarValue::Boolean(Some(seeded.one_in(2))),
        DataType::Int16 => {
            let value = of(seeded, i64::from(i16::MIN), i64::from(i16::MAX));
            ScalarValue::Int16(Some(value as i16))
        }
        DataType::Int32 => {
            let value = of(seeded, i64::from(i32::MIN), i64::from(i32::MAX));
            ScalarValue::Int32(Some(value as i32))
        }
        DataType::Date32 => {
            let value = of(seeded, -90_000_000, 90_000_000);
            ScalarValue::Date32(Some(value as i32))
        }
        DataType::Int64 => ScalarValue::Int64(Some(of(seeded, i64::MIN, i64::MAX))),
        DataType::Timestamp(..) => {
            let end = 8_000_000_000_000_000_000;
            ScalarValue::TimestampMicrosecond(Some(of(seeded, -end, end)), None)
        }
        DataType::Decimal128(precision, scale) => {
            ScalarValue::Decimal128(Some(wide(seeded)), *precision, *scale)
        }
        DataType::Utf8View => ScalarValue::Utf8View(Some(seeded.pick(&TEXTS).to_owned())),
        other => panic!("no literals of {other}"),
    }
}

/// Two columns of each type.
fn schema() -> SchemaRef {
    let types = [
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::Date32,
        MICROSECONDS,
        DECIMALS,
        DataType::Boolean,
        DataType::Utf8View,
    ];
    let field = |at: usize| Field::new(format!("c{at}"), types[at / 2].clone(), true);
    let fields: Vec<Field> = (0..types.len() * 2).map(field).collect();
    Arc::new(Schema::new(fields))
}

fn column(seeded: &mut Seeded, data_type: &DataType, rows: usize, nulls: usize) -> ArrayRef {
    let values: Vec<Option<ScalarValue>> = (0..rows)
        .map(|_| {
            let null = nulls > 0 && seeded.one_in(nulls);
            (!null).then(|| literal(seeded, data_type))
        })
        .collect();
    macro_rules! array {
        ($array:ty, $variant:pat => $value:expr) => {{
            let values = values.into_iter().map(|value| match value {
                Some($variant) => $value,
                _ => None,
            });
            Arc::new(values.collect::<$array>()) as ArrayRef
        }};
    }
    match data_type {
        DataType::Boolean => array!(BooleanArray, ScalarValue::Boolean(value) => value),
        DataType::Int16 => array!(Int16Array, ScalarValue::Int16(value) => value),
        DataType::Int32 => array!(Int32Array, ScalarValue::Int32(value) => value),
        DataType::Int64 => array!(Int64Array, ScalarValue::Int64(value) => value),
        DataType::Date32 => array!(Date32Array, ScalarValue::Date32(value) => value),
        DataType::Timestamp(..) => {
            array!(TimestampMicrosecondArray, ScalarValue::TimestampMicrosecond(value, _) => value)
        }
        DataType::Utf8View => array!(StringViewArray, ScalarValue::Utf8View(value) => value),
        DataType::Decimal128(precision, scale) => {
            let values = values.into_iter().map(|value| match value {
                Some(ScalarValue::Decimal128(value, ..)) => value,
                _ => None,
            });
            let values: Decimal128Array = values.collect();
            Arc::new(values.with_precision_and_scale(*precision, *scale).unwrap())
        }
        other => panic!("no columns of {other}"),
    }
}

/// Rows of all types, cut out of more.
fn batch(seeded: &mut Seeded) -> RecordBatch {
    let sizes = [0, 1, 63, 64, 65, 200, 1000];
    let (rows, before, after) = (seeded.pick(&sizes), seeded.below(70), seeded.below(3));
    let schema = schema();
    let columns = schema.fields().iter().map(|field| {
        let nulls = seeded.pick(&[0, 2, 10]);
        column(seeded, field.data_type(), before + rows + after, nulls)
    });
    let columns = columns.collect();
    RecordBatch::try_new(Arc::clone(&schema), columns)
        .unwrap()
        .slice(before, rows)
}

fn name(at: usize) -> Expression {
    Arc::new(Column::new(&format!("c{at}"), at))
}

fn value(value: ScalarValue) -> Expression {
    Arc::new(Literal::new(value))
}

fn binary(left: Expression, operator: Operator, right: Expression) -> Expression {
    Arc::new(BinaryExpr::new(left, operator, right))
}

const COMPARISONS: [Operator; 6] = [
    Operator::Eq,
    Operator::NotEq,
    Operator::Lt,
    Operator::LtEq,
    Operator::Gt,
    Operator::GtEq,
];

fn leaf(seeded: &mut Seeded, schema: &Schema) -> Expression {
    let at = seeded.below(schema.fields().len());
    let data_type = schema.field(at).data_type();
    let operator = seeded.pick(&COMPARISONS);
    match seeded.below(8) {
        0 => is_null(name(at)).unwrap(),
        1 => is_not_null(name(at)).unwrap(),
        2 => binary(name(at), operator, name(at ^ 1)),
        3 => binary(value(literal(seeded, data_type)), operator, name(at)),
        4 => {
            let list = (0..1 + seeded.below(4)).map(|_| value(literal(seeded, data_type)));
            let list = list.collect();
            in_list(name(at), list, &seeded.one_in(2), schema).unwrap()
        }
        5 if data_type == &DataType::Boolean => name(at),
        6 if data_type == &DataType::Boolean => not(name(at)).unwrap(),
        _ => binary(name(at), operator, value(literal(seeded, data_type))),
    }
}

fn condition(seeded: &mut Seeded, schema: &Schema, depth: usize) -> Expression {
    if depth == 0 || seeded.one_in(4) {
        return leaf(seeded, schema);
    }
    let left = condition(seeded, schema, depth - 1);
    let right = condition(seeded, schema, depth - 1);
    binary(
        left,
        seeded.pick(&[Operator::And, Operator::And, Operator::Or]),
        right,
    )
}

/// The rows for which the engine finds a condition true.
fn expected(predicate: &Expression, batch: &RecordBatch) -> Vec<bool> {
    let answers = predicate.evaluate(batch).unwrap();
    let answers = answers.into_array(batch.num_rows()).unwrap();
    let answers = answers.as_boolean().iter();
    answers.map(|answer| answer == Some(true)).collect()
}

#[test]
fn conditions_keep_the_rows_that_the_engine_keeps() {
    let mut seeded = Seeded(0x9e37_79b9_7f4a_7c15);
    let schema = schema();
    let (mut tested, mut kept) = (0, 0);
    for round in 0..3000 {
        let batch = batch(&mut seeded);
        let predicate = condition(&mut seeded, &schema, round % 4);
        let condition = Condition::new(&predicate, &schema);
        tested += condition.tests().len();
        let rows = condition.rows(&batch).unwrap().into_array();
        assert_eq!(rows.null_count(), 0);
        let rows: Vec<bool> = rows.values().iter().collect();
        assert_eq!(rows, expected(&predicate, &batch), "{predicate}");
        kept += rows.iter().filter(|kept| **kept).count();
    }
    assert!(
        tested > 2000 && kept > 10_000,
        "{tested} tests, {kept} rows"
    );
}

#[test]
fn what_can_fail_sees_only_the_rows_that_are_left() {
    let schema = schema();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for field in schema.fields() {
        columns.push(column(&mut Seeded(7), field.data_type(), 5, 0));
    }
    columns[4] = Arc::new(Int64Array::from(vec![0, 1, 0, 2, 4]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
    let int = |value_of: i64| value(ScalarValue::Int64(Some(value_of)));
    let divided = binary(int(4), Operator::Divide, name(4));
    let fails = binary(divided, Operator::Gt, int(1));
    let not_zero = binary(name(4), Operator::NotEq, int(0));
    let predicate = binary(fails, Operator::And, not_zero);
    assert!(predicate.evaluate(&batch).is_err());
    let condition = Condition::new(&predicate, &schema);
    let rows = condition.rows(&batch).unwrap().into_array();
    let rows: Vec<bool> = rows.values().iter().collect();
    assert_eq!(rows, [false, true, false, true, false]);
    // Where a row is left that it fails for, it fails.
    let all = binary(name(4), Operator::GtEq, int(0));
    let divided = binary(int(4), Operator::Divide, name(4));
    let predicate = binary(all, Operator::And, binary(divided, Operator::Gt, int(1)));
    assert!(Condition::new(&predicate, &schema).rows(&batch).is_err());
}

fn source(batches: Vec<RecordBatch>, schema: &SchemaRef) -> Arc<dyn ExecutionPlan> {
    MemorySourceConfig::try_new_exec(&[batches], Arc::clone(schema), None).unwrap()
}

fn rows_of(plan: Arc<dyn ExecutionPlan>) -> RecordBatch {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let schema = plan.schema();
    let batches = runtime.block_on(collect(plan, Arc::new(TaskContext::default())));
    concat_batches(&schema, &batches.unwrap()).unwrap()
}

#[test]
fn filters_give_the_engines_rows_in_its_order() {
    let mut seeded = Seeded(0x1234_5678_9abc_def1);
    let schema = schema();
    for round in 0..200 {
        let batches = (0..8).map(|_| batch(&mut seeded)).collect();
        let predicate = condition(&mut seeded, &schema, round % 3);
        let columns = (round % 2 == 1).then(|| vec![5, 0, 15]);
        let filter = FilterExecBuilder::new(predicate, source(batches, &schema))
            .with_batch_size(seeded.pick(&[10, 300, 2000]))
            .apply_projection(columns)
            .unwrap()
            .build()
            .unwrap();
        let filter: Arc<dyn ExecutionPlan> = Arc::new(filter);
        let quicker = quick(Arc::clone(&filter)).unwrap();
        assert!(!quicker.is::<datafusion::physical_plan::filter::FilterExec>());
        let shown = |plan: &Arc<dyn ExecutionPlan>| {
            let shown = displayable(plan.as_ref()).indent(true);
            shown.to_string()
        };
        assert_eq!(shown(&filter), shown(&quicker));
        assert_eq!(rows_of(filter), rows_of(quicker));
    }
}

/// Decimals of some digits, of which few need more than 64 bits, with NULLs.
fn decimals(seeded: &mut Seeded, rows: usize, precision: u8, scale: i8) -> Decimal128Array {
    let limit = 10_i128.pow(u32::from(precision));
    let values = (0..rows).map(|_| {
        let value = match seeded.below(500) {
            0 => limit - 1,
            1 => 1 - limit,
            _ => (i128::from(seeded.draw()) - i128::from(u64::MAX / 2)) % limit.min(1 << 40),
        };
        (!seeded.one_in(5)).then_some(value)
    });
    let values: Decimal128Array = values.collect();
    values.with_precision_and_scale(precision, scale).unwrap()
}

#[test]
fn decimals_are_computed_as_the_engine_does() {
    let mut seeded = Seeded(0xfeed_beef_cafe_f00d);
    let types = [(1, 0), (15, 2), (18, 6), (20, 0), (31, 4), (38, 10)];
    let operators = [Operator::Plus, Operator::Minus, Operator::Multiply];
    let (mut answered, mut failed) = (0, 0);
    for _ in 0..2000 {
        let (left, right) = (seeded.pick(&types), seeded.pick(&types));
        let rows = seeded.pick(&[0, 1, 255, 256, 600]);
        let field = |name: &str, (precision, scale): (u8, i8)| {
            Field::new(name, DataType::Decimal128(precision, scale), true)
        };
        let schema = Arc::new(Schema::new(vec![field("l", left), field("r", right)]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(decimals(&mut seeded, rows, left.0, left.1)),
            Arc::new(decimals(&mut seeded, rows, right.0, right.1)),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        let batch = batch.slice(rows / 5, rows - rows / 5);
        let side = |seeded: &mut Seeded, at: usize, name: &str, (precision, scale): (u8, i8)| {
            if !seeded.one_in(3) {
                return Arc::new(Column::new(name, at)) as Expression;
            }
            let one = decimals(seeded, 1, precision, scale);
            value(ScalarValue::try_from_array(&one, 0).unwrap())
        };
        let operator = seeded.pick(&operators);
        let left = side(&mut seeded, 0, "l", left);
        let right = side(&mut seeded, 1, "r", right);
        let original = binary(left, operator, right);
        let quicker = super::quick_arithmetic(Arc::clone(&original), &schema).unwrap();
        assert!(quicker.transformed);
        assert_eq!(quicker.data.to_string(), original.to_string());
        let rows = batch.num_rows();
        let array = |of: &Expression| of.evaluate(&batch).and_then(|of| of.into_array(rows));
        match (array(&original), array(&quicker.data)) {
            (Ok(original), Ok(quicker)) => {
                answered += 1;
                assert_eq!(&original, &quicker);
                assert_eq!(original.data_type(), quicker.data_type());
            }
            (Err(original), Err(quicker)) => {
                failed += 1;
                assert_eq!(original.to_string(), quicker.to_string());
            }
            (original, quicker) => panic!("{original:?} is not {quicker:?}"),
        }
    }
    assert!(answered > 1000 && failed > 0, "{answered}, {failed}");
}

#[test]
fn projections_are_computed_in_place() {
    let schema = schema();
    let batch = batch(&mut Seeded(99));
    let sum = binary(name(10), Operator::Plus, name(11));
    let expressions = [(sum, "sum"), (name(0), "same")].map(|(expr, alias)| ProjectionExpr {
        expr,
        alias: alias.to_owned(),
    });
    let plan = ProjectionExec::try_new(expressions, source(vec![batch], &schema)).unwrap();
    let plan: Arc<dyn ExecutionPlan> = Arc::new(plan);
    let quicker = quick(Arc::clone(&plan)).unwrap();
    assert!(!quicker.is::<ProjectionExec>());
    assert_eq!(quicker.name(), "ProjectionExec");
    assert_eq!(rows_of(plan), rows_of(quicker));
}
