//! Functions over enums: the place of a word in the order, and what PostgreSQL has for all enums.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, StringViewArray, UInt32Array, new_null_array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Expr, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use tessera_catalog::enum_type::EnumType;
use tessera_catalog::sql_type::SqlType;
use tessera_udfs::pg::PgError;

use crate::planner::cast::single;

/// The place of an enum's word among the others, by which it is compared.
pub(super) fn place_of(expr: Expr, enumerated: &Arc<EnumType>) -> Expr {
    ScalarUDF::new_from_impl(Place {
        enumerated: Arc::clone(enumerated),
        signature: Signature::any(1, Volatility::Immutable),
    })
    .call(vec![expr])
}

/// The last of several words, or the first.
pub(super) fn extreme_of(args: Vec<Expr>, enumerated: &Arc<EnumType>, greatest: bool) -> Expr {
    ScalarUDF::new_from_impl(Extreme {
        enumerated: Arc::clone(enumerated),
        greatest,
        signature: Signature::variadic_any(Volatility::Immutable),
    })
    .call(args)
}

/// `min` or `max` of an enum's words.
pub(super) fn edge_of(enumerated: &Arc<EnumType>, greatest: bool) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Edge {
        enumerated: Arc::clone(enumerated),
        greatest,
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

/// `enum_first`, `enum_last` or `enum_range`, if a name is one of these.
pub(in crate::planner) fn enum_call(name: &str, zone: &Arc<str>) -> Option<Arc<ScalarUDF>> {
    let kind = match name {
        "enum_first" => Kind::First,
        "enum_last" => Kind::Last,
        "enum_range" => Kind::Range,
        _ => return None,
    };
    Some(Arc::new(ScalarUDF::new_from_impl(Call {
        kind,
        zone: Arc::clone(zone),
        signature: Signature::variadic_any(Volatility::Immutable),
    })))
}

/// The stored words of one argument.
fn words(value: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    let array = value.to_array(rows)?;
    Ok(compute::cast(&array, &DataType::Utf8View)?)
}

fn is_scalar(args: &[ColumnarValue]) -> bool {
    args.iter()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)))
}

/// One value for all rows where all arguments are that.
fn answered(array: ArrayRef, scalar: bool) -> Result<ColumnarValue> {
    Ok(match scalar {
        true => ColumnarValue::Scalar(single(&array)?),
        false => ColumnarValue::Array(array),
    })
}

fn field_of(sql_type: &SqlType, name: &str) -> FieldRef {
    // Neither words nor lists of them have a zone.
    sql_type.field(name, true, &Arc::from("UTC"))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Place {
    enumerated: Arc<EnumType>,
    signature: Signature,
}

impl ScalarUDFImpl for Place {
    fn name(&self) -> &str {
        "enum_place"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = is_scalar(&args.args);
        let rows = if scalar { 1 } else { args.number_rows };
        let Some(value) = args.args.first() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::UInt32(None)));
        };
        let words = words(value, rows)?;
        let place = |word: &str| {
            self.enumerated
                .place(word)
                .and_then(|n| u32::try_from(n).ok())
        };
        let places = words.as_string_view().iter();
        let places: UInt32Array = places.map(|word| word.and_then(place)).collect();
        answered(Arc::new(places), scalar)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    enumerated: Arc<EnumType>,
    greatest: bool,
    signature: Signature,
}

impl ScalarUDFImpl for Extreme {
    fn name(&self) -> &str {
        if self.greatest { "greatest" } else { "least" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let sql_type = SqlType::Enum(Arc::clone(&self.enumerated));
        Ok(field_of(&sql_type, self.name()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = is_scalar(&args.args);
        let rows = if scalar { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|arg| words(arg, rows));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let columns: Vec<&StringViewArray> = columns.iter().map(|c| c.as_string_view()).collect();
        let chosen = (0..rows).map(|row| {
            let given = columns.iter().filter(|column| column.is_valid(row));
            let given = given.map(|column| column.value(row));
            match self.greatest {
                true => given.max_by_key(|word| self.enumerated.place(word)),
                false => given.min_by_key(|word| self.enumerated.place(word)),
            }
        });
        let chosen: StringViewArray = chosen.collect();
        answered(Arc::new(chosen), scalar)
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Edge {
    enumerated: Arc<EnumType>,
    greatest: bool,
    signature: Signature,
}

impl AggregateUDFImpl for Edge {
    fn name(&self) -> &str {
        if self.greatest { "max" } else { "min" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn return_field(&self, _fields: &[FieldRef]) -> Result<FieldRef> {
        let sql_type = SqlType::Enum(Arc::clone(&self.enumerated));
        Ok(field_of(&sql_type, self.name()))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let name = format!("{}[place]", args.name);
        Ok(vec![Arc::new(Field::new(name, DataType::UInt32, true))])
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(EdgeSoFar {
            enumerated: Arc::clone(&self.enumerated),
            greatest: self.greatest,
            place: None,
        }))
    }
}

#[derive(Debug)]
struct EdgeSoFar {
    enumerated: Arc<EnumType>,
    greatest: bool,
    place: Option<u32>,
}

impl EdgeSoFar {
    fn add(&mut self, place: u32) {
        self.place = Some(match self.place {
            None => place,
            Some(known) if self.greatest => known.max(place),
            Some(known) => known.min(place),
        });
    }
}

impl Accumulator for EdgeSoFar {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(values) = values.first() else {
            return Ok(());
        };
        let words = compute::cast(values, &DataType::Utf8View)?;
        for word in words.as_string_view().iter().flatten() {
            let place = self.enumerated.place(word);
            if let Some(place) = place.and_then(|place| u32::try_from(place).ok()) {
                self.add(place);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let place = self.place.and_then(|place| usize::try_from(place).ok());
        let word = place.and_then(|place| self.enumerated.stored_words().nth(place));
        Ok(ScalarValue::Utf8View(word.map(str::to_owned)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::UInt32(self.place)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        use datafusion::arrow::datatypes::UInt32Type;
        if let Some(states) = states.first() {
            for place in states.as_primitive::<UInt32Type>().iter().flatten() {
                self.add(place);
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    First,
    Last,
    Range,
}

/// A function of which the argument's type alone, or its bounds, tell the answer.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Call {
    kind: Kind,
    zone: Arc<str>,
    signature: Signature,
}

impl Call {
    /// The enum of which the arguments are.
    fn enumerated(&self, fields: &[FieldRef]) -> Result<Arc<EnumType>> {
        let fits = match self.kind {
            Kind::Range => (1..=2).contains(&fields.len()),
            Kind::First | Kind::Last => fields.len() == 1,
        };
        let found = fields.iter().find_map(|field| match SqlType::of(field) {
            SqlType::Enum(enumerated) if fits => Some(enumerated),
            _ => None,
        });
        found.ok_or_else(|| {
            let types = fields.iter().map(|field| SqlType::of(field).to_string());
            let types: Vec<String> = types.collect();
            let call = format!("{}({})", self.name(), types.join(", "));
            PgError::UndefinedFunction(call).into()
        })
    }
}

impl ScalarUDFImpl for Call {
    fn name(&self) -> &str {
        match self.kind {
            Kind::First => "enum_first",
            Kind::Last => "enum_last",
            Kind::Range => "enum_range",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        datafusion::common::internal_err!("the type of {} depends on its fields", self.name())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let word = SqlType::Enum(self.enumerated(args.arg_fields)?);
        let sql_type = match self.kind {
            Kind::Range => SqlType::Array(Box::new(word)),
            Kind::First | Kind::Last => word,
        };
        Ok(sql_type.field(self.name(), true, &self.zone))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let enumerated = self.enumerated(&args.arg_fields)?;
        let word = match self.kind {
            Kind::First => enumerated.stored_words().next(),
            Kind::Last => enumerated.stored_words().next_back(),
            Kind::Range => return range(&args, &enumerated),
        };
        let word = word.map(str::to_owned);
        Ok(ColumnarValue::Scalar(ScalarValue::Utf8View(word)))
    }
}

/// The words from one to another; NULL, or none, is no bound.
fn range(args: &ScalarFunctionArgs, enumerated: &EnumType) -> Result<ColumnarValue> {
    let scalar = is_scalar(&args.args);
    let rows = if scalar { 1 } else { args.number_rows };
    let bounded = args.args.len() == 2;
    let bound = |index: usize| match args.args.get(index).filter(|_| bounded) {
        Some(value) => words(value, rows),
        None => Ok(new_null_array(&DataType::Utf8View, rows)),
    };
    let (lows, highs) = (bound(0)?, bound(1)?);
    let all: Vec<&str> = enumerated.stored_words().collect();
    let mut items: Vec<&str> = Vec::new();
    let mut lengths = Vec::with_capacity(rows);
    let place = |bounds: &ArrayRef, row: usize| {
        let bounds = bounds.as_string_view();
        let word = bounds.is_valid(row).then(|| bounds.value(row));
        word.and_then(|word| enumerated.place(word))
    };
    for row in 0..rows {
        let first = place(&lows, row).unwrap_or(0);
        let end = place(&highs, row).map_or(all.len(), |last| last + 1);
        let within = all.get(first..end).unwrap_or_default();
        items.extend_from_slice(within);
        lengths.push(within.len());
    }
    let DataType::List(item) = args.return_field.data_type() else {
        return datafusion::common::internal_err!("enum_range gives a list");
    };
    let items: ArrayRef = Arc::new(StringViewArray::from(items));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let lists = ListArray::try_new(Arc::clone(item), offsets, items, None)?;
    answered(Arc::new(lists), scalar)
}
