//! `array_agg`: the engine's, with the bytes of long texts counted.
//!
//! The engine's own sizes leave out the buffers that string views point into, so that a tenant could
//! gather any amount of text beside its limit of memory.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};

use crate::pg::types::SQL_TYPE;

/// The aggregate under the engine's name.
pub(crate) fn array_agg() -> Arc<AggregateUDF> {
    let engine = array_agg_udaf();
    Arc::new(AggregateUDF::from(ArrayAgg { engine }))
}

/// The engine's aggregate, whose accumulators are counted anew.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayAgg {
    engine: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for ArrayAgg {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engine.return_type(types)
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        let field = self.engine.return_field(fields)?;
        let Some(item) = fields
            .first()
            .and_then(|item| item.metadata().get(SQL_TYPE))
        else {
            return Ok(field);
        };
        // The engine's list does not say of what SQL type its items are.
        let list = match item.ends_with("[]") {
            true => item.clone(),
            false => format!("{item}[]"),
        };
        let said = HashMap::from([(SQL_TYPE.to_owned(), list)]);
        Ok(Arc::new(field.as_ref().clone().with_metadata(said)))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.engine.state_fields(args)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.engine.order_sensitivity()
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        satisfied: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let engine = self.engine.as_ref().clone();
        let Some(engine) = engine.with_beneficial_ordering(satisfied)? else {
            return Ok(None);
        };
        let engine = Arc::new(engine);
        Ok(Some(Arc::new(Self { engine })))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Reversed(array_agg())
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.engine.supports_null_handling_clause()
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Counted {
            engine: self.engine.accumulator(args)?,
            viewed_bytes: 0,
        }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        self.engine.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(CountedGroups {
            engine: self.engine.create_groups_accumulator(args)?,
            viewed_bytes: 0,
        }))
    }
}

/// The bytes of the values that views point to, wherever in the arrays they are.
fn viewed_bytes(arrays: &[ArrayRef]) -> usize {
    arrays.iter().map(viewed).sum()
}

fn viewed(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::Utf8View => array.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => array.as_binary_view().total_buffer_bytes_used(),
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let offsets = lists.value_offsets();
            let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
            match (usize::try_from(first), usize::try_from(last - first)) {
                (Ok(first), Ok(length)) => viewed(&lists.values().slice(first, length)),
                _ => 0,
            }
        }
        DataType::Struct(_) => viewed_bytes(array.as_struct().columns()),
        _ => 0,
    }
}

#[derive(Debug)]
struct Counted {
    engine: Box<dyn Accumulator>,
    viewed_bytes: usize,
}

impl Accumulator for Counted {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.viewed_bytes += viewed_bytes(values);
        self.engine.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.viewed_bytes += viewed_bytes(states);
        self.engine.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.viewed_bytes = self.viewed_bytes.saturating_sub(viewed_bytes(values));
        self.engine.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.engine.supports_retract_batch()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.engine.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.engine.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.engine.size() + self.viewed_bytes
    }
}

struct CountedGroups {
    engine: Box<dyn GroupsAccumulator>,
    viewed_bytes: usize,
}

impl CountedGroups {
    /// What is left of a group's texts cannot be told until all groups are gone.
    fn emitted(&mut self, emit_to: EmitTo) {
        if matches!(emit_to, EmitTo::All) {
            self.viewed_bytes = 0;
        }
    }
}

impl GroupsAccumulator for CountedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.viewed_bytes += viewed_bytes(values);
        self.engine.update_batch(values, groups, filter, total)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.viewed_bytes += viewed_bytes(values);
        self.engine.merge_batch(values, groups, total)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let array = self.engine.evaluate(emit_to)?;
        self.emitted(emit_to);
        Ok(array)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let state = self.engine.state(emit_to)?;
        self.emitted(emit_to);
        Ok(state)
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.engine.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.engine.size() + self.viewed_bytes
    }
}
