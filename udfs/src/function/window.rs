//! Window functions as data: a number for each row of an ordered partition. This file alone implements the engine's traits.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema};
use datafusion::common::Result;
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use super::aggregate::options;
use super::declaration::Declaration;
use crate::pg::{PgError, call_name, is_number};
use crate::relation::Options;

/// The numbers of a partition to the results; `None` is NULL.
pub(crate) type Compute = fn(&[Option<f64>], &Options) -> Vec<Option<f64>>;

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
        Ok(Box::new(Partition {
            spec: self.spec,
            options: options(&self.spec.declaration, exprs, &Schema::empty())?,
        }))
    }

    fn limit_effect(&self, _args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

struct Partition {
    spec: &'static WindowSpec,
    options: Options,
}

impl Debug for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.spec.declaration.name)
    }
}

impl PartitionEvaluator for Partition {
    fn evaluate_all(&mut self, values: &[ArrayRef], _rows: usize) -> Result<ArrayRef> {
        let numbers = cast(&values[0], &DataType::Float64)?;
        let numbers: Vec<Option<f64>> = numbers.as_primitive::<Float64Type>().iter().collect();
        let results = (self.spec.compute)(&numbers, &self.options);
        Ok(Arc::new(Float64Array::from(results)))
    }
}
