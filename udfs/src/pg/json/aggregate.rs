//! `json_agg`, `jsonb_agg`, `json_object_agg` and `jsonb_object_agg`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use super::super::aggregate::array_agg;
use super::super::error::PgError;
use super::super::text::check_length;
use super::super::types::Ty;
use super::build::{write_json, write_key};
use super::parse;

/// One of the four.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JsonAggregate {
    name: &'static str,
    object: bool,
    jsonb: bool,
    signature: Signature,
}

/// The aggregates that make JSON.
pub(crate) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    let make = |name, object: bool, jsonb| {
        let signature = Signature::any(if object { 2 } else { 1 }, Volatility::Immutable);
        Arc::new(AggregateUDF::from(JsonAggregate {
            name,
            object,
            jsonb,
            signature,
        }))
    };
    vec![
        make("json_agg", false, false),
        make("jsonb_agg", false, true),
        make("json_object_agg", true, false),
        make("jsonb_object_agg", true, true),
    ]
}

impl AggregateUDFImpl for JsonAggregate {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field(&self, _fields: &[FieldRef]) -> Result<FieldRef> {
        let ty = if self.jsonb { Ty::Jsonb } else { Ty::Json };
        Ok(Arc::new(ty.field(self.name, &Arc::from("UTC"))))
    }

    // Arrays are gathered by the engine's `array_agg`, which knows ORDER BY and DISTINCT.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        if self.object {
            AggregateOrderSensitivity::HardRequirement
        } else {
            array_agg().order_sensitivity()
        }
    }

    // The gatherer sorts by itself, so order that is there already changes nothing.
    fn with_beneficial_ordering(
        self: Arc<Self>,
        _satisfied: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if !self.object {
            let return_field = list_field(args.input_fields);
            return array_agg().state_fields(StateFieldsArgs {
                return_field,
                ..args
            });
        }
        Ok(vec![Arc::new(Field::new(
            format!("{}[members]", args.name),
            DataType::LargeUtf8,
            true,
        ))])
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let fields: Vec<FieldRef> = args.expr_fields.iter().map(Arc::clone).collect();
        if self.object {
            return Ok(Box::new(Members {
                text: None,
                fields,
                jsonb: self.jsonb,
            }));
        }
        let return_field = list_field(args.expr_fields);
        let inner = array_agg().accumulator(AccumulatorArgs {
            return_field,
            ..args
        })?;
        Ok(Box::new(Items {
            inner,
            fields,
            jsonb: self.jsonb,
        }))
    }
}

/// What `array_agg` of the first argument returns.
fn list_field(fields: &[FieldRef]) -> FieldRef {
    let data_type = fields
        .first()
        .map_or(DataType::Null, |field| field.data_type().clone());
    Arc::new(Field::new_list(
        "array_agg",
        Field::new_list_field(data_type, true),
        true,
    ))
}

fn printed(text: String, jsonb: bool) -> Result<ScalarValue> {
    if !jsonb {
        return Ok(ScalarValue::Utf8View(Some(text)));
    }
    let mut out = String::new();
    parse(&text)?.canonical().write(&mut out);
    Ok(ScalarValue::Utf8View(Some(out)))
}

/// The items of an array, gathered as `array_agg` does.
#[derive(Debug)]
struct Items {
    inner: Box<dyn Accumulator>,
    fields: Vec<FieldRef>,
    jsonb: bool,
}

impl Accumulator for Items {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (ScalarValue::List(list), Some(field)) = (self.inner.evaluate()?, self.fields.first())
        else {
            return internal_err!("array_agg gave no list");
        };
        if list.is_null(0) {
            return Ok(ScalarValue::Utf8View(None));
        }
        let items = list.value(0);
        let mut text = String::from("[");
        // Records and arrays stand on lines of their own.
        let nested = items.data_type().is_nested();
        for row in 0..items.len() {
            if row > 0 {
                text.push_str(if nested && items.is_valid(row) {
                    ", \n "
                } else {
                    ", "
                });
            }
            write_json(&mut text, &items, field, row)?;
        }
        text.push(']');
        printed(text, self.jsonb)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.inner.size()
    }
}

/// The members of an object so far, without their brackets.
#[derive(Debug)]
struct Members {
    text: Option<String>,
    fields: Vec<FieldRef>,
    jsonb: bool,
}

impl Members {
    /// The text, ready for another member.
    fn next(&mut self) -> &mut String {
        match &mut self.text {
            Some(text) => {
                text.push_str(", ");
                text
            }
            empty => empty.insert(String::new()),
        }
    }
}

impl Accumulator for Members {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let ([keys, values], Some(field)) = (values, self.fields.get(1).map(Arc::clone)) else {
            return internal_err!("an object is aggregated from keys and values");
        };
        for row in 0..keys.len() {
            if keys.is_null(row) || keys.data_type().is_null() {
                return Err(
                    PgError::NullNotAllowed("field name must not be null".to_owned()).into(),
                );
            }
            let text = self.next();
            write_key(text, keys, row)?;
            text.push_str(" : ");
            write_json(text, values, &field, row)?;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(members) = states.first() else {
            return Ok(());
        };
        for member in members.as_string::<i64>().iter().flatten() {
            let text = self.next();
            text.push_str(member);
            check_length(text.len())?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::LargeUtf8(self.text.clone())])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match &self.text {
            Some(members) => printed(format!("{{ {members} }}"), self.jsonb),
            None => Ok(ScalarValue::Utf8View(None)),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.text.as_ref().map_or(0, String::capacity)
    }
}
