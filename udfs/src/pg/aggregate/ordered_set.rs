//! `mode() WITHIN GROUP (ORDER BY x)` and `percentile_disc(p) WITHIN GROUP (ORDER BY x)`, for values of any type.
//!
//! All values of a group are kept until its end.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, make_comparator};
use arrow::compute::{SortOptions, concat, sort};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Signature, TypeSignature,
    Volatility,
};

use super::super::error::PgError;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Which {
    Mode,
    PercentileDisc,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OrderedSet {
    which: Which,
    signature: Signature,
}

/// Both aggregates.
pub(super) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    let mode = Signature::any(1, Volatility::Immutable);
    let disc = Signature::one_of(vec![TypeSignature::Any(2)], Volatility::Immutable);
    let make = |which, signature| Arc::new(AggregateUDF::from(OrderedSet { which, signature }));
    vec![make(Which::Mode, mode), make(Which::PercentileDisc, disc)]
}

impl AggregateUDFImpl for OrderedSet {
    fn name(&self) -> &str {
        match self.which {
            Which::Mode => "mode",
            Which::PercentileDisc => "percentile_disc",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types[0].clone())
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        Ok(Arc::new(
            fields[0]
                .as_ref()
                .clone()
                .with_name(self.name())
                .with_nullable(true),
        ))
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
        let fraction = match self.which {
            Which::Mode => None,
            Which::PercentileDisc => Some(fraction(&args)?),
        };
        let data_type = args.expr_fields[0].data_type().clone();
        Ok(Box::new(Values {
            batches: Vec::new(),
            data_type,
            fraction,
            descending,
        }))
    }
}

/// The percentile, which must be a constant; NULL gives NULL.
fn fraction(args: &AccumulatorArgs<'_>) -> Result<Option<f64>> {
    let empty = arrow::record_batch::RecordBatch::new_empty(Arc::new(args.schema.clone()));
    let value = match args.exprs[1].evaluate(&empty)? {
        ColumnarValue::Scalar(value) => value.cast_to(&DataType::Float64)?,
        ColumnarValue::Array(_) => return plan_err!("the percentile must be a constant"),
    };
    match value {
        ScalarValue::Float64(Some(fraction)) if (0.0..=1.0).contains(&fraction) => {
            Ok(Some(fraction))
        }
        ScalarValue::Float64(Some(fraction)) => {
            let text = format!("percentile value {fraction} is not between 0 and 1");
            Err(PgError::NumberOutOfRange(text).into())
        }
        _ => Ok(None),
    }
}

#[derive(Debug)]
struct Values {
    batches: Vec<ArrayRef>,
    data_type: DataType,
    /// `None` for the mode.
    fraction: Option<Option<f64>>,
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
        let options = SortOptions {
            descending: self.descending,
            nulls_first: false,
        };
        let sorted = sort(&self.all()?, Some(options))?;
        let index = match self.fraction {
            _ if sorted.is_empty() => None,
            Some(fraction) => fraction
                .map(|fraction| ((fraction * sorted.len() as f64).ceil() as usize).max(1) - 1),
            None => most_frequent(&sorted)?,
        };
        match index {
            Some(index) => ScalarValue::try_from_array(&sorted, index),
            None => ScalarValue::try_from(&self.data_type),
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

/// The first of the most frequent values of a sorted column.
fn most_frequent(sorted: &ArrayRef) -> Result<Option<usize>> {
    let compare = make_comparator(sorted, sorted, SortOptions::default())?;
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
