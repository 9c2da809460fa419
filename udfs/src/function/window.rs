//! Window functions as data: a number for each row of an ordered partition. This file alone implements the engine's traits.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use super::aggregate::options;
use super::declaration::Declaration;
use crate::pg::{PgError, call_name, is_number};
use crate::relation::Options;

/// All numbers of a partition to all results; `None` is NULL.
pub(crate) type OfPartition = fn(&[Option<f64>], &Options) -> Vec<Option<f64>>;

/// What a window function makes of its numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Compute {
    /// Frames make no difference.
    Partition(OfPartition),
    /// Each row's number beside those of its frame, which are followed from row to row.
    Frame(fn(&Options) -> Box<dyn Frame>),
}

/// What is known of the numbers in a frame that moves.
pub(crate) trait Frame: Send {
    /// Takes a number into the frame.
    fn enter(&mut self, value: f64);
    /// Forgets a number that entered before.
    fn leave(&mut self, value: f64);
    /// The result of a row with this number.
    fn result(&self, value: f64) -> Option<f64>;
    /// The same with nothing in the frame.
    fn clear(&mut self);
}

/// A window function of one column of numbers.
pub(crate) struct WindowSpec {
    pub(crate) declaration: Declaration,
    pub(crate) compute: Compute,
}

impl WindowSpec {
    /// The function as the engine registers it.
    pub(crate) fn udwf(&'static self) -> WindowUDF {
        WindowUDF::from(Analytic {
            spec: self,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    }
}

/// The engine's view of a [`WindowSpec`].
struct Analytic {
    spec: &'static WindowSpec,
    signature: Signature,
}

impl Debug for Analytic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.spec.declaration.name)
    }
}

impl PartialEq for Analytic {
    fn eq(&self, other: &Self) -> bool {
        self.spec.declaration.name == other.spec.declaration.name
    }
}

impl Eq for Analytic {}

impl Hash for Analytic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.declaration.name.hash(state);
    }
}

impl WindowUDFImpl for Analytic {
    fn name(&self) -> &str {
        self.spec.declaration.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = types.to_vec();
        if let Some(first) = types.first_mut()
            && (is_number(first) || first.is_null())
        {
            *first = DataType::Float64;
        }
        Ok(types)
    }

    fn field(&self, args: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        let fields = args.input_fields();
        let fits = |field: &FieldRef| *field.data_type() == DataType::Float64;
        let complete = fields.len() == self.spec.declaration.parameters.len();
        if complete && fields.first().is_some_and(fits) {
            return Ok(Arc::new(Field::new(args.name(), DataType::Float64, true)));
        }
        let shown = &fields[..fields.len().min(1)];
        Err(PgError::UndefinedFunction(call_name(self.name(), shown, &[])).into())
    }

    fn partition_evaluator(
        &self,
        args: PartitionEvaluatorArgs<'_>,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let exprs = args.input_exprs().get(1..).unwrap_or_default();
        let options = options(&self.spec.declaration, exprs, &Schema::empty())?;
        let name = self.spec.declaration.name;
        Ok(match self.spec.compute {
            Compute::Partition(compute) => Box::new(Partition {
                name,
                compute,
                options,
            }),
            Compute::Frame(start) => Box::new(Moving {
                name,
                frame: start(&options),
                numbers: None,
                row: 0,
                known: 0..0,
            }),
        })
    }

    fn limit_effect(&self, _args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

struct Partition {
    name: &'static str,
    compute: OfPartition,
    options: Options,
}

impl Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartitionEvaluator for Partition {
    fn evaluate_all(&mut self, values: &[ArrayRef], _rows: usize) -> Result<ArrayRef> {
        let numbers = cast(&values[0], &DataType::Float64)?;
        let numbers: Vec<Option<f64>> = numbers.as_primitive::<Float64Type>().iter().collect();
        let results = (self.compute)(&numbers, &self.options);
        Ok(Arc::new(Float64Array::from(results)))
    }
}

/// The engine asks row by row, in order, with the row's frame.
struct Moving {
    name: &'static str,
    frame: Box<dyn Frame>,
    numbers: Option<Float64Array>,
    row: usize,
    known: Range<usize>,
}

impl Debug for Moving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Moving {
    fn move_to(&mut self, range: &Range<usize>) -> Result<()> {
        let Some(numbers) = &self.numbers else {
            return internal_err!("{} has no rows", self.name);
        };
        let (before, range) = (self.known.clone(), range.clone());
        let each = |rows: Range<usize>| rows.filter(|row| numbers.is_valid(*row));
        let apart = range.start >= before.end || range.end <= before.start;
        if apart {
            self.frame.clear();
            each(range.clone()).for_each(|row| self.frame.enter(numbers.value(row)));
        } else {
            for row in each(range.start..before.start).chain(each(before.end..range.end)) {
                self.frame.enter(numbers.value(row));
            }
            for row in each(before.start..range.start).chain(each(range.end..before.end)) {
                self.frame.leave(numbers.value(row));
            }
        }
        self.known = range;
        Ok(())
    }
}

impl PartitionEvaluator for Moving {
    fn uses_window_frame(&self) -> bool {
        true
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        if self.numbers.is_none() {
            let numbers = cast(&values[0], &DataType::Float64)?;
            self.numbers = Some(numbers.as_primitive::<Float64Type>().clone());
        }
        self.move_to(range)?;
        let Some(numbers) = &self.numbers else {
            return internal_err!("{} has no rows", self.name);
        };
        let row = self.row;
        self.row += 1;
        let value = numbers.is_valid(row).then(|| numbers.value(row));
        let result = value.and_then(|value| self.frame.result(value));
        Ok(ScalarValue::Float64(result))
    }
}
