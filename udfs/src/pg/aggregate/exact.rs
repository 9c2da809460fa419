//! Sums, averages, extremes and moments of exact numbers, with PostgreSQL's digits.
//!
//! Where the argument is a float or another plain type, the engine's own aggregate of the same name
//! works. Source of the scales: `numeric_stddev_internal` and `numeric_avg` of PostgreSQL 15.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeStringArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::{
    Result, ScalarValue, internal_datafusion_err, internal_err, not_impl_err,
};
use datafusion::functions_aggregate as engine;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility,
};

use super::super::error::PgError;
use super::super::numeric::{Decimal, Numeric, key_of_text};
use super::super::types::EXACT;
use super::decimal_sums::{self, Asked, DecimalSum, DecimalSums};
use super::interval_average::{self, INTERVAL, IntervalAverage};

/// Digits that a `bigint` has.
const BIGINT_DIGITS: u8 = 19;
/// Digits of a decimal's sum beyond the decimal's own, as the engine has them.
const SUM_DIGITS: u8 = 10;
const MAX_DIGITS: u8 = 38;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    Sum,
    Average,
    Least,
    Greatest,
    Variance { sample: bool },
    Deviation { sample: bool },
}

/// An aggregate that is exact for exact arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Exact {
    which: Which,
    name: &'static str,
    aliases: Vec<String>,
    engine: Arc<AggregateUDF>,
    signature: Signature,
}

/// The aggregates, in place of the engine's of the same names.
pub(super) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    let make = |which, name, aliases: &[&str], engine| {
        Arc::new(AggregateUDF::from(Exact {
            which,
            name,
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            engine,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    };
    let variance = |sample| Which::Variance { sample };
    let deviation = |sample| Which::Deviation { sample };
    vec![
        make(Which::Sum, "sum", &[], engine::sum::sum_udaf()),
        make(
            Which::Average,
            "avg",
            &["mean"],
            engine::average::avg_udaf(),
        ),
        make(Which::Least, "min", &[], engine::min_max::min_udaf()),
        make(Which::Greatest, "max", &[], engine::min_max::max_udaf()),
        make(
            variance(true),
            "var_samp",
            &["variance", "var", "var_sample"],
            engine::variance::var_samp_udaf(),
        ),
        make(
            variance(false),
            "var_pop",
            &["var_population"],
            engine::variance::var_pop_udaf(),
        ),
        make(
            deviation(true),
            "stddev_samp",
            &["stddev"],
            engine::stddev::stddev_udaf(),
        ),
        make(
            deviation(false),
            "stddev_pop",
            &[],
            engine::stddev::stddev_pop_udaf(),
        ),
    ]
}

/// The engine's aggregate that does what this one does for arguments of this type, if that is as
/// exact: the engine knows it and is quick with it.
pub fn plain_aggregate(function: &AggregateUDF, argument: &DataType) -> Option<Arc<AggregateUDF>> {
    let exact = function.inner().downcast_ref::<Exact>()?;
    (!exact.is_own(argument) && !exact.averages_intervals(argument))
        .then(|| Arc::clone(&exact.engine))
}

/// Whether a function is one of these.
pub fn is_numeric_aggregate(function: &AggregateUDF) -> bool {
    function.inner().downcast_ref::<Exact>().is_some()
}

impl Exact {
    fn averages_intervals(&self, argument: &DataType) -> bool {
        self.which == Which::Average && matches!(argument, DataType::Interval(_))
    }

    /// Whether arguments of this type are this aggregate's own affair.
    fn is_own(&self, argument: &DataType) -> bool {
        let whole = argument.is_integer();
        match (self.which, argument) {
            (_, argument) if *argument == EXACT => true,
            // The sum of numbers of nearly all digits may have more.
            (Which::Sum, DataType::Decimal128(precision, _)) => {
                *precision > MAX_DIGITS - SUM_DIGITS + 2
            }
            (Which::Sum | Which::Least | Which::Greatest, _) => false,
            (_, DataType::Decimal128(..)) => true,
            _ => whole,
        }
    }
}

impl AggregateUDFImpl for Exact {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [DataType::Interval(_)] if self.which == Which::Average => Ok(vec![INTERVAL]),
            [argument] if self.is_own(argument) => Ok(vec![match argument {
                whole if whole.is_integer() => DataType::Decimal128(BIGINT_DIGITS, 0),
                other => other.clone(),
            }]),
            [DataType::Int64] if self.which == Which::Sum => {
                Ok(vec![DataType::Decimal128(BIGINT_DIGITS, 0)])
            }
            _ => self.coerced_by_engine(types),
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [DataType::Interval(_)] if self.which == Which::Average => Ok(INTERVAL),
            [argument] if self.is_own(argument) => Ok(EXACT),
            _ => self.engine.return_type(types),
        }
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        match fields {
            [field] if self.averages_intervals(field.data_type()) => {
                Ok(Arc::new(Field::new(self.name, INTERVAL, true)))
            }
            [field] if self.is_own(field.data_type()) => {
                Ok(Arc::new(Field::new(self.name, EXACT, true)))
            }
            _ => self.engine.return_field(fields),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let Some(argument) = args.input_fields.first().map(|field| field.data_type()) else {
            return internal_err!("{} of nothing", self.name);
        };
        if self.averages_intervals(argument) {
            return Ok(interval_average::state_fields(args.name));
        }
        if !self.is_own(argument) {
            return self.engine.state_fields(args);
        }
        let field = |part: &str, data_type| {
            Arc::new(Field::new(
                format!("{}[{part}]", args.name),
                data_type,
                true,
            ))
        };
        if args.is_distinct {
            let item = Field::new_list_field(EXACT, true);
            return Ok(vec![field("values", DataType::List(Arc::new(item)))]);
        }
        if let (Some(_), DataType::Decimal128(_, scale)) = (self.asked(), argument) {
            return Ok(decimal_sums::state_fields(args.name, *scale));
        }
        Ok(match (self.which, argument) {
            (Which::Least | Which::Greatest, _) => vec![field("value", EXACT)],
            _ => {
                let mut fields: Vec<FieldRef> = PARTS
                    .iter()
                    .map(|part| field(part, DataType::Int64))
                    .collect();
                fields.push(field("sum", EXACT));
                fields.push(field("squares", EXACT));
                fields
            }
        })
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let argument = argument(&args)?;
        if self.averages_intervals(&argument) {
            if args.is_distinct {
                return not_impl_err!("avg(DISTINCT interval)");
            }
            return Ok(Box::new(IntervalAverage::default()));
        }
        if !self.is_own(&argument) {
            return self.engine.accumulator(args);
        }
        if args.is_distinct {
            return Ok(Box::new(Distinct {
                which: self.which,
                values: HashMap::new(),
            }));
        }
        if let (Some(asked), DataType::Decimal128(_, scale)) = (self.asked(), &argument) {
            return Ok(Box::new(DecimalSum::new(asked, *scale)));
        }
        Ok(match (self.which, &argument) {
            (Which::Least | Which::Greatest, _) => Box::new(Extreme {
                greatest: self.which == Which::Greatest,
                value: None,
            }),
            _ => Box::new(Moments::new(self.which)),
        })
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        match argument(&args) {
            Ok(argument) if self.averages_intervals(&argument) => false,
            Ok(argument) if self.is_own(&argument) => {
                !args.is_distinct
                    && self.asked().is_some()
                    && matches!(argument, DataType::Decimal128(..))
            }
            _ => self.engine.groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let argument = argument(&args)?;
        match (self.asked(), &argument) {
            (Some(asked), DataType::Decimal128(_, scale)) if self.is_own(&argument) => {
                Ok(Box::new(DecimalSums::new(asked, *scale)))
            }
            _ => self.engine.create_groups_accumulator(args),
        }
    }
}

impl Exact {
    /// What is asked of decimals, if it is their sum or what follows from it.
    fn asked(&self) -> Option<Asked> {
        match self.which {
            Which::Sum => Some(Asked::Sum),
            Which::Average => Some(Asked::Average),
            _ => None,
        }
    }

    fn coerced_by_engine(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let fields: Vec<FieldRef> = types
            .iter()
            .map(|data_type| Arc::new(Field::new("", data_type.clone(), true)))
            .collect();
        let coerced = datafusion::logical_expr::type_coercion::functions::fields_with_udf(
            &fields,
            self.engine.as_ref(),
        )?;
        Ok(coerced
            .iter()
            .map(|field| field.data_type().clone())
            .collect())
    }
}

fn argument(args: &AccumulatorArgs<'_>) -> Result<DataType> {
    let field = args.expr_fields.first();
    field
        .map(|field| field.data_type().clone())
        .ok_or_else(|| internal_datafusion_err!("an aggregate of nothing"))
}

fn text_of(number: &Numeric) -> ScalarValue {
    ScalarValue::LargeUtf8(Some(number.to_string()))
}

/// Every number of a column that is there.
fn each(array: &ArrayRef, mut f: impl FnMut(Numeric) -> Result<(), PgError>) -> Result<()> {
    match array.data_type() {
        DataType::Decimal128(_, scale) => {
            let scale = i32::from(*scale);
            for value in array.as_primitive::<Decimal128Type>().iter().flatten() {
                f(Numeric::new(value, scale))?;
            }
        }
        _ => {
            for text in texts(array)?.iter().flatten() {
                f(Numeric::parse(text)?)?;
            }
        }
    }
    Ok(())
}

fn texts(array: &ArrayRef) -> Result<&LargeStringArray> {
    array
        .as_string_opt::<i64>()
        .ok_or_else(|| internal_datafusion_err!("no numbers are held as {}", array.data_type()))
}

/// The least or the greatest number; of equal ones the first.
#[derive(Debug)]
struct Extreme {
    greatest: bool,
    value: Option<Numeric>,
}

impl Accumulator for Extreme {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |number| {
            let better = match &self.value {
                Some(best) if self.greatest => number.compare(best).is_gt(),
                Some(best) => number.compare(best).is_lt(),
                None => true,
            };
            if better {
                self.value = Some(number);
            }
            Ok(())
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::LargeUtf8(
            self.value.as_ref().map(ToString::to_string),
        ))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

/// Each number once, whatever its digits.
#[derive(Debug)]
struct Distinct {
    which: Which,
    /// The first of equal numbers by what they compare as.
    values: HashMap<Vec<u8>, Numeric>,
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut text = Vec::new();
        each(&values[0], |number| {
            let mut key = Vec::new();
            text.clear();
            number.write(&mut text);
            key_of_text(&text, &mut key);
            self.values.entry(key).or_insert(number);
            Ok(())
        })
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if matches!(self.which, Which::Least | Which::Greatest) {
            let best = self.values.values().reduce(|best, value| {
                let greater = value.compare(best).is_gt();
                if greater == (self.which == Which::Greatest) {
                    value
                } else {
                    best
                }
            });
            return Ok(ScalarValue::LargeUtf8(best.map(ToString::to_string)));
        }
        let mut moments = Moments::new(self.which);
        for value in self.values.values() {
            moments.add(value, 1)?;
        }
        moments.evaluate()
    }

    fn size(&self) -> usize {
        // A key, a number of one machine integer and the table's own slot.
        size_of_val(self) + self.values.capacity() * 3 * size_of::<Numeric>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Vec<ScalarValue> = self.values.values().map(text_of).collect();
        let list = ScalarValue::new_list_nullable(&values, &EXACT);
        Ok(vec![ScalarValue::List(list)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[list])?;
        }
        Ok(())
    }
}

/// What is counted beside the sums.
const PARTS: [&str; 4] = ["count", "nan", "infinity", "-infinity"];

/// How many numbers there are, their sum and the sum of their squares.
#[derive(Debug)]
struct Moments {
    which: Which,
    /// Of all numbers, NaN, infinity and -infinity; see [`PARTS`].
    counts: [i64; 4],
    sum: Decimal,
    squares: Decimal,
}

impl Moments {
    fn new(which: Which) -> Self {
        Self {
            which,
            counts: [0; 4],
            sum: Decimal::new(0, 0),
            squares: Decimal::new(0, 0),
        }
    }

    fn squared(&self) -> bool {
        !matches!(self.which, Which::Sum | Which::Average)
    }

    fn add(&mut self, number: &Numeric, sign: i64) -> Result<(), PgError> {
        self.counts[0] += sign;
        match number {
            Numeric::NaN => self.counts[1] += sign,
            Numeric::Infinity => self.counts[2] += sign,
            Numeric::NegativeInfinity => self.counts[3] += sign,
            Numeric::Finite(number) => {
                let square = if self.squared() {
                    Some(number.multiply(number)?)
                } else {
                    None
                };
                if sign > 0 {
                    self.sum = self.sum.add(number)?;
                    if let Some(square) = square {
                        self.squares = self.squares.add(&square)?;
                    }
                } else {
                    self.sum = self.sum.subtract(number)?;
                    if let Some(square) = square {
                        self.squares = self.squares.subtract(&square)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn total(&self) -> Numeric {
        match self.counts {
            [_, nan, above, below] if nan > 0 || (above > 0 && below > 0) => Numeric::NaN,
            [_, _, above, _] if above > 0 => Numeric::Infinity,
            [_, _, _, below] if below > 0 => Numeric::NegativeInfinity,
            _ => Numeric::Finite(self.sum.clone()),
        }
    }

    /// (n Σx² - (Σx)²) / n², or / (n (n - 1)) of a sample; the root of it for a deviation.
    fn spread(&self, sample: bool, root: bool) -> Result<Option<Numeric>, PgError> {
        let [count, nan, above, below] = self.counts;
        if count == 0 || (sample && count == 1) {
            return Ok(None);
        }
        if nan + above + below > 0 {
            return Ok(Some(Numeric::NaN));
        }
        let whole = |value: i64| Decimal::new(i128::from(value), 0);
        let square = self.sum.multiply(&self.sum)?;
        let above = whole(count).multiply(&self.squares)?.subtract(&square)?;
        if above.signum() <= 0 {
            return Ok(Some(Numeric::new(0, 0)));
        }
        let other = if sample { count - 1 } else { count };
        let below = whole(count).multiply(&whole(other))?;
        let scale = above.quotient_scale(&below);
        let variance = above.divide_to(&below, scale)?;
        Ok(Some(Numeric::Finite(if root {
            variance.root_to(scale)
        } else {
            variance
        })))
    }

    fn answer(&self) -> Result<Option<Numeric>, PgError> {
        if self.counts[0] == 0 {
            return Ok(None);
        }
        Ok(match self.which {
            Which::Average => {
                let count = Numeric::new(i128::from(self.counts[0]), 0);
                Some(self.total().divide(&count)?)
            }
            Which::Variance { sample } => self.spread(sample, false)?,
            Which::Deviation { sample } => self.spread(sample, true)?,
            Which::Sum | Which::Least | Which::Greatest => Some(self.total()),
        })
    }
}

impl Accumulator for Moments {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |number| self.add(&number, 1))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        each(&values[0], |number| self.add(&number, -1))
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let answer = self.answer()?;
        Ok(ScalarValue::LargeUtf8(
            answer.map(|value| value.to_string()),
        ))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state: Vec<ScalarValue> = self
            .counts
            .iter()
            .map(|count| ScalarValue::Int64(Some(*count)))
            .collect();
        for sum in [&self.sum, &self.squares] {
            state.push(ScalarValue::LargeUtf8(Some(sum.to_string())));
        }
        Ok(state)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let (counts, sums) = states.split_at(PARTS.len());
        for (own, counts) in self.counts.iter_mut().zip(counts) {
            *own += counts
                .as_primitive::<Int64Type>()
                .iter()
                .flatten()
                .sum::<i64>();
        }
        let [sums, squares] = sums else {
            return internal_err!("sums have two parts");
        };
        each(sums, |sum| {
            if let Numeric::Finite(sum) = &sum {
                self.sum = self.sum.add(sum)?;
            }
            Ok(())
        })?;
        each(squares, |sum| {
            if let Numeric::Finite(sum) = &sum {
                self.squares = self.squares.add(sum)?;
            }
            Ok(())
        })
    }
}
