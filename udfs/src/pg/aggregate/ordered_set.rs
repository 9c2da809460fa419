//! `mode()`, `percentile_disc(p)` and `percentile_cont(p) WITHIN GROUP (ORDER BY x)`; `p` may be an array of
//! percentiles, and `x` of `percentile_cont` an interval.
//!
//! All values of a group are kept until its end.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, make_comparator};
use arrow::compute::{SortOptions, concat, sort_to_indices, take};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, IntervalMonthDayNanoType, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use super::super::datetime::arithmetic::between;
use super::super::error::PgError;
use super::super::numeric::key::key_of_text;
use super::super::value::Interval;
use super::interval_average::INTERVAL;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    Mode,
    PercentileDisc,
    PercentileCont,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OrderedSet {
    which: Which,
    signature: Signature,
}

/// All aggregates of ordered sets.
pub(super) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    let make = |which| {
        Arc::new(AggregateUDF::from(OrderedSet {
            which,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    };
    [Which::Mode, Which::PercentileDisc, Which::PercentileCont]
        .map(make)
        .to_vec()
}

fn is_list(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..)
    )
}

impl AggregateUDFImpl for OrderedSet {
    fn name(&self) -> &str {
        match self.which {
            Which::Mode => "mode",
            Which::PercentileDisc => "percentile_disc",
            Which::PercentileCont => "percentile_cont",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match (self.which, types) {
            (Which::Mode, [value]) => Ok(vec![value.clone()]),
            (Which::PercentileDisc | Which::PercentileCont, [value, fraction]) => {
                let value = match self.which {
                    Which::PercentileCont if *value != INTERVAL => DataType::Float64,
                    _ => value.clone(),
                };
                let fraction = if is_list(fraction) {
                    DataType::new_list(DataType::Float64, true)
                } else {
                    DataType::Float64
                };
                Ok(vec![value, fraction])
            }
            _ => {
                let name = self.name();
                Err(PgError::UndefinedFunction(format!("{name}()")).into())
            }
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let fields: Vec<FieldRef> = types
            .iter()
            .map(|data_type| Arc::new(Field::new("", data_type.clone(), true)))
            .collect();
        Ok(self.return_field(&fields)?.data_type().clone())
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let value = fields[0].as_ref().clone().with_nullable(true);
        let several = fields.get(1).is_some_and(|f| is_list(f.data_type()));
        Ok(Arc::new(if several {
            let item = value.with_name(Field::LIST_FIELD_DEFAULT_NAME);
            Field::new(self.name(), DataType::List(Arc::new(item)), true)
        } else {
            value.with_name(self.name())
        }))
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    // The values are sorted at the end, whatever order they come in.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let item = Field::new_list_field(args.input_fields[0].data_type().clone(), true);
        Ok(vec![Arc::new(Field::new(
            format!("{}[values]", args.name),
            DataType::List(Arc::new(item)),
            true,
        ))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let descending = args
            .order_bys
            .first()
            .is_some_and(|order| order.options.descending);
        let asked = match self.which {
            Which::Mode => Asked::Mode,
            Which::PercentileDisc | Which::PercentileCont => fractions(&args)?,
        };
        Ok(Box::new(Values {
            batches: Vec::new(),
            data_type: args.expr_fields[0].data_type().clone(),
            returned: args.return_field.data_type().clone(),
            asked,
            between: self.which == Which::PercentileCont,
            descending,
        }))
    }
}

/// What is asked of the values.
#[derive(Debug)]
enum Asked {
    Mode,
    /// NULL gives NULL.
    One(Option<f64>),
    Several(Vec<Option<f64>>),
    /// An array that is NULL.
    Nothing,
}

/// The percentiles, which are the same for all rows.
fn fractions(args: &AccumulatorArgs<'_>) -> Result<Asked> {
    let fields = args.schema.fields().iter();
    let fields: Vec<Field> = fields
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    let nulls = fields
        .iter()
        .map(|field| arrow::array::new_null_array(field.data_type(), 1));
    let one_row = RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields.clone())),
        nulls.collect(),
        &RecordBatchOptions::new().with_row_count(Some(1)),
    )?;
    let given = args.exprs[1].evaluate(&one_row)?.into_array(1)?;
    if let Some(lists) = given.as_list_opt::<i32>() {
        if lists.is_null(0) {
            return Ok(Asked::Nothing);
        }
        let items = arrow::compute::cast(&lists.value(0), &DataType::Float64)?;
        let items = items.as_primitive::<Float64Type>().iter();
        return Ok(Asked::Several(items.map(checked).collect::<Result<_>>()?));
    }
    let given = arrow::compute::cast(&given, &DataType::Float64)?;
    let given = given.as_primitive::<Float64Type>();
    Ok(Asked::One(checked(given.iter().next().flatten())?))
}

fn checked(fraction: Option<f64>) -> Result<Option<f64>> {
    match fraction {
        Some(fraction) if !(0.0..=1.0).contains(&fraction) => {
            let text = format!("percentile value {fraction} is not between 0 and 1");
            Err(PgError::NumberOutOfRange(text).into())
        }
        fraction => Ok(fraction),
    }
}

#[derive(Debug)]
struct Values {
    batches: Vec<ArrayRef>,
    data_type: DataType,
    returned: DataType,
    asked: Asked,
    /// Whether a percentile may lie between two values.
    between: bool,
    descending: bool,
}

impl Values {
    fn all(&self) -> Result<ArrayRef> {
        let parts: Vec<&dyn Array> = self.batches.iter().map(AsRef::as_ref).collect();
        if parts.is_empty() {
            Ok(arrow::array::new_empty_array(&self.data_type))
        } else {
            Ok(concat(&parts)?)
        }
    }

    fn sorted(&self) -> Result<ArrayRef> {
        let all = self.all()?;
        let options = SortOptions {
            descending: self.descending,
            nulls_first: false,
        };
        let order = sort_to_indices(&ordered_by(&all), Some(options), None)?;
        Ok(take(&all, &order, None)?)
    }

    /// The value below which this share of the sorted values lies.
    fn percentile(&self, sorted: &ArrayRef, fraction: Option<f64>) -> Result<ScalarValue> {
        let Some(fraction) = fraction else {
            return ScalarValue::try_from(&self.data_type);
        };
        let count = sorted.len();
        if !self.between {
            let index = ((fraction * count as f64).ceil() as usize).max(1) - 1;
            return ScalarValue::try_from_array(sorted, index.min(count - 1));
        }
        let place = fraction * (count - 1) as f64;
        let (first, second) = (place.floor() as usize, place.ceil() as usize);
        let share = place - place.floor();
        if first == second {
            return ScalarValue::try_from_array(sorted, first);
        }
        if let Some(spans) = sorted.as_primitive_opt::<IntervalMonthDayNanoType>() {
            let [low, high] = [first, second].map(|at| Interval::from_arrow(spans.value(at)));
            let value = between(low, high, share)?.into_arrow();
            return Ok(ScalarValue::IntervalMonthDayNano(Some(value)));
        }
        let values = sorted.as_primitive::<Float64Type>();
        let (low, high) = (values.value(first), values.value(second));
        Ok(ScalarValue::Float64(Some(low + share * (high - low))))
    }

    fn push(&mut self, values: &ArrayRef) -> Result<()> {
        // NULLs don't count.
        let valid = arrow::compute::is_not_null(values)?;
        self.batches.push(arrow::compute::filter(values, &valid)?);
        Ok(())
    }
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.push(&values[0])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
            self.push(&lists.value(row))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![
            SingleRowListArrayBuilder::new(self.all()?).build_list_scalar(),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sorted = self.sorted()?;
        let null = || ScalarValue::try_from(&self.returned);
        if sorted.is_empty() {
            return null();
        }
        match &self.asked {
            Asked::Nothing => null(),
            Asked::Mode => match most_frequent(&sorted)? {
                Some(index) => ScalarValue::try_from_array(&sorted, index),
                None => null(),
            },
            Asked::One(fraction) => self.percentile(&sorted, *fraction),
            Asked::Several(fractions) => {
                let values = fractions.iter().map(|f| self.percentile(&sorted, *f));
                let values = values.collect::<Result<Vec<_>>>()?;
                let DataType::List(item) = &self.returned else {
                    return internal_err!("percentiles returned as {}", self.returned);
                };
                let values = if values.is_empty() {
                    arrow::array::new_empty_array(item.data_type())
                } else {
                    ScalarValue::iter_to_array(values)?
                };
                let list = SingleRowListArrayBuilder::new(values).with_field(item);
                Ok(list.build_list_scalar())
            }
        }
    }

    fn size(&self) -> usize {
        size_of_val(self)
            + self
                .batches
                .iter()
                .map(|batch| batch.get_array_memory_size())
                .sum::<usize>()
    }
}

/// What values are ordered by: spans by their length, exact numbers by their keys.
fn ordered_by(values: &ArrayRef) -> ArrayRef {
    if let Some(spans) = values.as_primitive_opt::<IntervalMonthDayNanoType>() {
        let lengths = spans.iter().map(|span| {
            let span = Interval::from_arrow(span?);
            let days = i128::from(span.months) * 30 + i128::from(span.days);
            Some(days * i128::from(super::super::calendar::DAY) + i128::from(span.micros))
        });
        return Arc::new(lengths.collect::<arrow::array::Decimal128Array>());
    }
    if let Some(numbers) = values.as_string_opt::<i64>() {
        let mut keys = arrow::array::BinaryBuilder::with_capacity(numbers.len(), 0);
        let mut key = Vec::new();
        for number in numbers {
            key.clear();
            if let Some(number) = number {
                key_of_text(number.as_bytes(), &mut key);
            }
            keys.append_option(number.map(|_| &key));
        }
        return Arc::new(keys.finish());
    }
    Arc::clone(values)
}

/// The first of the most frequent values of a sorted column.
fn most_frequent(sorted: &ArrayRef) -> Result<Option<usize>> {
    let keys = ordered_by(sorted);
    let compare = make_comparator(&keys, &keys, SortOptions::default())?;
    let (mut best, mut best_count, mut start) = (None, 0, 0);
    for index in 1..=sorted.len() {
        if index < sorted.len() && compare(start, index).is_eq() {
            continue;
        }
        if index - start > best_count {
            (best, best_count) = (Some(start), index - start);
        }
        start = index;
    }
    Ok(best)
}
