//! Window frames with EXCLUDE: an aggregate, or the first, last or n-th value, over a frame from which
//! the current row, its peers or both are taken.
//!
//! As in PostgreSQL, what is computed over such a frame is computed anew for each row.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array, make_comparator};
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::{
    AccumulatorArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs,
};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF,
    WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use super::error::PgError;

/// Which rows a frame leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exclusion {
    CurrentRow,
    /// The current row and those that are equal to it in the window's order.
    Group,
    /// Those that are equal to the current row, which stays.
    Ties,
}

/// What is computed over a frame.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Framed {
    Aggregate(Arc<AggregateUDF>),
    First,
    Last,
    Nth,
}

/// The function that computes over frames without the excluded rows. With `filtered`, its last argument
/// says which rows count.
pub fn excluding(inner: Framed, exclusion: Exclusion, filtered: bool) -> Arc<WindowUDF> {
    Arc::new(WindowUDF::new_from_impl(Excluding {
        inner,
        exclusion,
        filtered,
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Excluding {
    inner: Framed,
    exclusion: Exclusion,
    filtered: bool,
    signature: Signature,
}

impl Excluding {
    /// How many arguments are the inner function's own.
    fn own(&self, given: usize) -> usize {
        given - usize::from(self.filtered && given > 0)
    }
}

impl WindowUDFImpl for Excluding {
    fn name(&self) -> &str {
        match &self.inner {
            Framed::Aggregate(inner) => inner.name(),
            Framed::First => "first_value",
            Framed::Last => "last_value",
            Framed::Nth => "nth_value",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let own = self.own(types.len());
        let mut coerced = match &self.inner {
            Framed::Aggregate(inner) if own > 0 => {
                let fields = types[..own].iter().map(|data_type| {
                    Arc::new(arrow::datatypes::Field::new("", data_type.clone(), true))
                });
                let fields = fields_with_udf(&fields.collect::<Vec<_>>(), inner.as_ref())?;
                fields.iter().map(|f| f.data_type().clone()).collect()
            }
            Framed::Nth if own == 2 => vec![types[0].clone(), DataType::Int64],
            _ => types[..own].to_vec(),
        };
        coerced.extend(types[own..].iter().map(|_| DataType::Boolean));
        Ok(coerced)
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let fields = args.input_fields();
        let own = &fields[..self.own(fields.len())];
        let field = match &self.inner {
            Framed::Aggregate(inner) => inner.return_field(own)?,
            _ => match own.first() {
                Some(value) => Arc::clone(value),
                None => return internal_err!("{} has no argument", self.name()),
            },
        };
        Ok(Arc::new(
            field
                .as_ref()
                .clone()
                .with_name(args.name())
                .with_nullable(true),
        ))
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let own = self.own(args.input_fields().len());
        let fields = args.input_fields()[..own].to_vec();
        let exprs = args.input_exprs()[..own].to_vec();
        let what = match &self.inner {
            Framed::Aggregate(inner) => {
                let name = inner.name().to_owned();
                What::Aggregate {
                    returned: inner.return_field(&fields)?,
                    schema: Schema::new(fields.clone()),
                    inner: Arc::clone(inner),
                    fields,
                    exprs,
                    name,
                }
            }
            Framed::First => What::First,
            Framed::Last => What::Last,
            Framed::Nth => What::Nth,
        };
        Ok(Box::new(Evaluator {
            what,
            exclusion: self.exclusion,
            own,
            filtered: self.filtered,
            row: 0,
            peers: 0..0,
        }))
    }

    fn limit_effect(&self, _args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

#[derive(Debug)]
enum What {
    Aggregate {
        inner: Arc<AggregateUDF>,
        returned: FieldRef,
        schema: Schema,
        fields: Vec<FieldRef>,
        exprs: Vec<Arc<dyn PhysicalExpr>>,
        name: String,
    },
    First,
    Last,
    Nth,
}

/// One partition; it is asked for its rows in their order, one after the other.
#[derive(Debug)]
struct Evaluator {
    what: What,
    exclusion: Exclusion,
    own: usize,
    filtered: bool,
    row: usize,
    /// The rows equal to the current one in the window's order.
    peers: Range<usize>,
}

impl PartitionEvaluator for Evaluator {
    fn uses_window_frame(&self) -> bool {
        true
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        let row = self.row;
        self.row += 1;
        let orders = values.get(self.own + usize::from(self.filtered)..);
        if !self.peers.contains(&row) {
            self.peers = row..peers_end(orders.unwrap_or_default(), row, values)?;
        }
        let left_out = |at: usize| match self.exclusion {
            Exclusion::CurrentRow => at == row,
            Exclusion::Group => self.peers.contains(&at),
            Exclusion::Ties => at != row && self.peers.contains(&at),
        };
        let counts = self.filtered.then(|| values[self.own].as_boolean());
        let kept = range
            .clone()
            .filter(|at| !left_out(*at) && counts.is_none_or(|c| c.is_valid(*at) && c.value(*at)));
        self.computed(values, kept, row)
    }
}

impl Evaluator {
    fn computed(
        &self,
        values: &[ArrayRef],
        mut kept: impl DoubleEndedIterator<Item = usize>,
        row: usize,
    ) -> Result<ScalarValue> {
        let own = &values[..self.own];
        let at = match &self.what {
            What::Aggregate { .. } => {
                let rows = UInt64Array::from_iter_values(kept.map(|at| at as u64));
                let taken = own.iter().map(|array| take(array, &rows, None));
                let taken = taken.collect::<std::result::Result<Vec<_>, _>>()?;
                let mut accumulator = self.accumulator()?;
                accumulator.update_batch(&taken)?;
                return accumulator.evaluate();
            }
            What::First => kept.next(),
            What::Last => kept.next_back(),
            What::Nth => match ScalarValue::try_from_array(&own[1], row)? {
                ScalarValue::Int64(Some(n)) if n > 0 => {
                    usize::try_from(n - 1).ok().and_then(|n| kept.nth(n))
                }
                ScalarValue::Int64(Some(_)) => {
                    return Err(PgError::NthValue.into());
                }
                _ => None,
            },
        };
        match at {
            Some(at) => ScalarValue::try_from_array(&own[0], at),
            None => ScalarValue::try_from(own[0].data_type()),
        }
    }

    fn accumulator(&self) -> Result<Box<dyn Accumulator>> {
        let What::Aggregate {
            inner,
            returned,
            schema,
            fields,
            exprs,
            name,
        } = &self.what
        else {
            return internal_err!("no aggregate");
        };
        inner.accumulator(AccumulatorArgs {
            return_field: Arc::clone(returned),
            schema,
            ignore_nulls: false,
            order_bys: &[],
            is_reversed: false,
            name,
            is_distinct: false,
            exprs,
            expr_fields: fields,
        })
    }
}

/// Behind the last row that is equal to this one in the window's order; without an order, all are.
fn peers_end(orders: &[ArrayRef], row: usize, values: &[ArrayRef]) -> Result<usize> {
    let rows = values.first().map_or(0, |array| array.len());
    let compare = orders
        .iter()
        .map(|order| make_comparator(order, order, SortOptions::default()))
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let equal = |other: usize| compare.iter().all(|compare| compare(row, other).is_eq());
    let mut end = row + 1;
    while end < rows && equal(end) {
        end += 1;
    }
    Ok(end)
}
