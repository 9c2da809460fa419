//! `corr`, the covariances and the regressions, which take exact and whole numbers too: they become
//! `double precision`, as PostgreSQL casts them by itself.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::Result;
use datafusion::functions_aggregate::correlation::corr_udaf;
use datafusion::functions_aggregate::covariance::{covar_pop_udaf, covar_samp_udaf};
use datafusion::functions_aggregate::regr;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, Signature, Volatility,
};

use super::super::error::PgError;
use super::super::types::is_number;

/// All of them.
pub(super) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    let inner = [
        corr_udaf(),
        covar_pop_udaf(),
        covar_samp_udaf(),
        regr::regr_avgx_udaf(),
        regr::regr_avgy_udaf(),
        regr::regr_count_udaf(),
        regr::regr_intercept_udaf(),
        regr::regr_r2_udaf(),
        regr::regr_slope_udaf(),
        regr::regr_sxx_udaf(),
        regr::regr_sxy_udaf(),
        regr::regr_syy_udaf(),
    ];
    let of_floats = |inner| {
        Arc::new(AggregateUDF::from(OfFloats {
            inner,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    };
    inner.map(of_floats).to_vec()
}

/// One of the engine's own, of which only the types of the arguments are other.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfFloats {
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

impl AggregateUDFImpl for OfFloats {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let taken = |from: &DataType| {
            is_number(from) || matches!(from, DataType::Null | DataType::Utf8 | DataType::Utf8View)
        };
        if types.len() == 2 && types.iter().all(taken) {
            return Ok(vec![DataType::Float64; 2]);
        }
        Err(PgError::UndefinedFunction(format!("{}()", self.name())).into())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.accumulator(args)
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        self.inner.create_sliding_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(args)
    }
}
