//! Aggregates as data: what is kept of the rows, and what is made of it. This file alone implements the
//! engine's traits; NULLs, casts, constants, orders and states are settled here, once for all.
//!
//! - Rows in which a value is NULL are left out.
//! - The state of a [`Fold`] is a list of numbers; [`Work::Rows`] keeps the rows themselves and orders them at the
//!   end, ties by the values, so that the answer depends on the rows alone.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, RecordBatchOptions,
};
use arrow::compute::{
    SortColumn, SortOptions, and, cast, concat, filter, is_not_null, lexsort_to_indices, take,
};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ColumnarValue;

use super::declaration::{Declaration, Parameter, Takes};
use crate::error::Error;
use crate::pg::{PgError, call_name, is_number};
use crate::relation::{Class, Options, Value};

/// An aggregate.
pub(crate) struct AggregateSpec {
    pub(crate) declaration: Declaration,
    /// The type of the result from the types of the values.
    pub(crate) returns: fn(&[FieldRef]) -> DataType,
    pub(crate) work: Work,
}

/// How an aggregate works.
pub(crate) enum Work {
    /// Takes numbers batch by batch.
    Fold(fn(&Options) -> Result<Box<dyn Fold>, Error>),
    /// Keeps the rows and computes at the end.
    Rows(fn(&Rows, &Options) -> Result<ScalarValue>),
}

/// What becomes of rows of numbers, of which none is NULL.
pub(crate) trait Fold: Debug + Send + Sync {
    /// Takes rows.
    fn add(&mut self, columns: &[Float64Array]);
    /// Forgets rows that were taken before, the oldest first.
    fn remove(&mut self, columns: &[Float64Array]);
    /// Takes what another of its kind has taken.
    fn merge(&mut self, state: &Float64Array);
    /// What it has taken.
    fn state(&self) -> Vec<f64>;
    /// The answer so far.
    fn result(&mut self) -> ScalarValue;
    /// The memory that it holds beside itself.
    fn bytes(&self) -> usize {
        0
    }
}

/// A group's rows, in order.
pub(crate) struct Rows {
    columns: Vec<ArrayRef>,
}

impl Rows {
    /// The values of all parameters.
    pub(crate) fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }

    /// The values of a parameter.
    pub(crate) fn column(&self, parameter: usize) -> &ArrayRef {
        &self.columns[parameter]
    }

    /// The values of a parameter that takes numbers.
    pub(crate) fn numbers(&self, parameter: usize) -> &[f64] {
        self.columns[parameter]
            .as_primitive::<Float64Type>()
            .values()
    }
}

impl AggregateSpec {
    /// The aggregate as the engine registers it.
    pub(crate) fn udaf(&'static self) -> AggregateUDF {
        AggregateUDF::from(Analytic {
            spec: self,
            signature: Signature::user_defined(Volatility::Immutable),
            options: None,
        })
    }
}

/// The engine's view of an [`AggregateSpec`].
struct Analytic {
    spec: &'static AggregateSpec,
    signature: Signature,
    /// Once they are known, calls have values only.
    options: Option<Options>,
}

impl Debug for Analytic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Analytic")
            .field("name", &self.spec.declaration.name)
            .field("options", &self.options)
            .finish()
    }
}

impl PartialEq for Analytic {
    fn eq(&self, other: &Self) -> bool {
        self.spec.declaration.name == other.spec.declaration.name && self.options == other.options
    }
}

impl Eq for Analytic {}

impl Hash for Analytic {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.declaration.name.hash(state);
        // The engine takes calls of one name and one hash for the same.
        format!("{:?}", self.options).hash(state);
    }
}

impl Analytic {
    fn values(&self) -> usize {
        self.spec.declaration.values()
    }

    fn check(&self, fields: &[FieldRef]) -> Result<()> {
        let parameters = self.spec.declaration.parameters;
        let expected = match self.options {
            Some(_) => self.values(),
            None => parameters.len(),
        };
        let fits = |(parameter, field): (&Parameter, &FieldRef)| match parameter.takes {
            Takes::Value(Class::Number) => *field.data_type() == DataType::Float64,
            Takes::Value(Class::Text) => *field.data_type() == DataType::Utf8View,
            Takes::Value(class) => class.accepts(field.data_type()),
            Takes::OrderKey | Takes::Option(_) => true,
        };
        if fields.len() == expected && parameters.iter().zip(fields).all(fits) {
            return Ok(());
        }
        let shown = &fields[..fields.len().min(self.values())];
        Err(PgError::UndefinedFunction(call_name(self.spec.declaration.name, shown, &[])).into())
    }

    fn options(&self, exprs: &[Arc<dyn PhysicalExpr>], schema: &Schema) -> Result<Options> {
        match &self.options {
            Some(options) => Ok(options.clone()),
            None => options(&self.spec.declaration, &exprs[self.values()..], schema),
        }
    }

    fn start(&self, args: &AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let name = self.spec.declaration.name;
        if args.is_distinct {
            let feature = format!("DISTINCT in aggregate \"{name}\"");
            return Err(Error::NotSupported { feature }.into());
        }
        let options = self.options(args.exprs, args.schema)?;
        let values = self.values();
        match self.spec.work {
            Work::Fold(start) => Ok(Box::new(Folded {
                fold: start(&options)?,
                parameters: &self.spec.declaration.parameters[..values],
            })),
            Work::Rows(finish) => {
                let fields = args.expr_fields.iter().take(values);
                let mut kept: Vec<DataType> = fields
                    .zip(self.spec.declaration.parameters)
                    .map(|(field, parameter)| kept_type(parameter, field))
                    .collect();
                for order in args.order_bys {
                    kept.push(order.expr.data_type(args.schema)?);
                }
                Ok(Box::new(Kept {
                    finish,
                    options,
                    declaration: &self.spec.declaration,
                    arguments: args.exprs.len(),
                    order: args.order_bys.iter().map(|order| order.options).collect(),
                    kept,
                    returns: args.return_field.data_type().clone(),
                    batches: VecDeque::new(),
                }))
            }
        }
    }
}

/// The options of a call from its arguments behind the values.
///
/// # Errors
/// For what is not constant, and for values that the options do not take.
pub(super) fn options(
    declaration: &'static Declaration,
    exprs: &[Arc<dyn PhysicalExpr>],
    schema: &Schema,
) -> Result<Options> {
    let parameters = &declaration.parameters[declaration.values()..];
    // Constants need no columns, but the expressions may have been made for a schema with some.
    let one = RecordBatch::try_new_with_options(
        Arc::new(Schema::new(schema.fields().clone())),
        schema
            .fields()
            .iter()
            .map(|field| arrow::array::new_empty_array(field.data_type()))
            .collect(),
        &RecordBatchOptions::new().with_row_count(Some(0)),
    )?;
    let mut values = Vec::with_capacity(parameters.len());
    for (parameter, expr) in parameters.iter().zip(exprs) {
        let ColumnarValue::Scalar(value) = expr.evaluate(&one)? else {
            let argument = parameter.name.to_owned();
            return Err(Error::NotConstant { argument }.into());
        };
        if let Some(value) = option(parameter, &value)? {
            values.push((parameter.name.to_owned(), value));
        }
    }
    Ok(Options::of(declaration.name, values))
}

/// None for an option that was not given and has no default.
fn option(parameter: &Parameter, value: &ScalarValue) -> Result<Option<Value>, Error> {
    match parameter.takes {
        Takes::Option(_)
            if value.is_null() && parameter.default.is_none() && !parameter.required =>
        {
            Ok(None)
        }
        Takes::Option(kind) => kind.scalar(parameter.name, value).map(Some),
        _ => Ok(None),
    }
}

impl AggregateUDFImpl for Analytic {
    fn name(&self) -> &str {
        self.spec.declaration.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} depends on its fields", self.name())
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        self.check(fields)?;
        let data_type = (self.spec.returns)(fields);
        Ok(Arc::new(Field::new(self.name(), data_type, true)))
    }

    // What fits nothing keeps its type: `return_field` then refuses it with a code.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let accept = |(index, from): (usize, &DataType)| {
            let parameter = self.spec.declaration.parameters.get(index);
            match parameter.map(|parameter| parameter.takes) {
                Some(Takes::Value(Class::Number)) if is_number(from) || from.is_null() => {
                    DataType::Float64
                }
                Some(Takes::Value(Class::Text)) if Class::Text.accepts(from) || from.is_null() => {
                    DataType::Utf8View
                }
                _ => from.clone(),
            }
        };
        Ok(types.iter().enumerate().map(accept).collect())
    }

    // The rows are put in order here, whatever order they come in.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        match self.spec.work {
            Work::Fold(_) => AggregateOrderSensitivity::Insensitive,
            Work::Rows(_) => AggregateOrderSensitivity::Beneficial,
        }
    }

    // It makes no difference, but the engine asks.
    fn with_beneficial_ordering(
        self: Arc<Self>,
        _ordered: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        Ok(Some(self))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = |name: String, item: &DataType| {
            let item = Field::new_list_field(item.clone(), true);
            Arc::new(Field::new(name, DataType::List(Arc::new(item)), true))
        };
        if let Work::Fold(_) = self.spec.work {
            return Ok(vec![list(
                format!("{}[state]", args.name),
                &DataType::Float64,
            )]);
        }
        let values = args
            .input_fields
            .iter()
            .take(self.values())
            .zip(self.spec.declaration.parameters);
        let values = values.map(|(field, parameter)| kept_type(parameter, field));
        let orders = args
            .ordering_fields
            .iter()
            .map(|field| field.data_type().clone());
        let states = values.chain(orders).enumerate();
        Ok(states
            .map(|(index, item)| list(format!("{}[{index}]", args.name), &item))
            .collect())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.start(&args)
    }

    // Options that are known are taken out of the arguments: they are checked while planning, and no batch
    // repeats them.
    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        if self.options.is_some() || self.values() == self.spec.declaration.parameters.len() {
            return None;
        }
        let spec = self.spec;
        let signature = self.signature.clone();
        Some(Box::new(move |mut call: AggregateFunction, _| {
            let values = spec.declaration.values();
            let given = call.params.args.get(values..).unwrap_or_default();
            let parameters = &spec.declaration.parameters[values..];
            let mut known = Vec::with_capacity(parameters.len());
            for (parameter, expr) in parameters.iter().zip(given) {
                let Expr::Literal(value, _) = expr else {
                    return Ok(Expr::AggregateFunction(call));
                };
                if let Some(value) = option(parameter, value)? {
                    known.push((parameter.name.to_owned(), value));
                }
            }
            call.params.args.truncate(values);
            call.func = Arc::new(AggregateUDF::from(Analytic {
                spec,
                signature: signature.clone(),
                options: Some(Options::of(spec.declaration.name, known)),
            }));
            Ok(Expr::AggregateFunction(call))
        }))
    }
}

/// The type in which a parameter's values are kept.
fn kept_type(parameter: &Parameter, field: &Field) -> DataType {
    match parameter.takes {
        Takes::Value(Class::Number) => DataType::Float64,
        _ => field.data_type().clone(),
    }
}

/// The rows of which no value is NULL; what comes behind the values may be.
fn complete(columns: &[ArrayRef], parameters: &[Parameter]) -> Result<Vec<ArrayRef>> {
    let is_value =
        |parameter: &Parameter| matches!(parameter.takes, Takes::Value(_)) && !parameter.nullable;
    let with_nulls = columns
        .iter()
        .zip(parameters)
        .filter(|(column, parameter)| is_value(parameter) && column.logical_null_count() > 0);
    let mut keep: Option<BooleanArray> = None;
    for (column, _) in with_nulls {
        let valid = is_not_null(column)?;
        keep = Some(match keep {
            Some(keep) => and(&keep, &valid)?,
            None => valid,
        });
    }
    match keep {
        None => Ok(columns.to_vec()),
        Some(keep) => columns
            .iter()
            .map(|column| Ok(filter(column, &keep)?))
            .collect(),
    }
}

#[derive(Debug)]
struct Folded {
    fold: Box<dyn Fold>,
    parameters: &'static [Parameter],
}

impl Folded {
    fn columns(&self, values: &[ArrayRef]) -> Result<Vec<Float64Array>> {
        let numbers = |column: &ArrayRef| Ok(cast(column, &DataType::Float64)?);
        let columns = values[..self.parameters.len()]
            .iter()
            .map(numbers)
            .collect::<Result<Vec<_>>>()?;
        let columns = complete(&columns, self.parameters)?;
        let numbers = columns
            .iter()
            .map(|column| column.as_primitive::<Float64Type>().clone());
        Ok(numbers.collect())
    }
}

impl Accumulator for Folded {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns = self.columns(values)?;
        self.fold.add(&columns);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns = self.columns(values)?;
        self.fold.remove(&columns);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists = states[0].as_list::<i32>();
        for row in (0..lists.len()).filter(|row| lists.is_valid(*row)) {
            let state = lists.value(row);
            self.fold.merge(state.as_primitive::<Float64Type>());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let state: ArrayRef = Arc::new(Float64Array::from(self.fold.state()));
        Ok(vec![
            SingleRowListArrayBuilder::new(state).build_list_scalar(),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.fold.result())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.fold.bytes()
    }
}

struct Kept {
    finish: fn(&Rows, &Options) -> Result<ScalarValue>,
    options: Options,
    declaration: &'static Declaration,
    /// Where the arguments end and the ordering expressions begin.
    arguments: usize,
    order: Vec<SortOptions>,
    /// The types of what is kept.
    kept: Vec<DataType>,
    returns: DataType,
    batches: VecDeque<Vec<ArrayRef>>,
}

impl Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept")
            .field("name", &self.declaration.name)
            .field("batches", &self.batches.len())
            .finish()
    }
}

impl Kept {
    /// The values and the ordering expressions of complete rows.
    fn read(&self, arguments: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let values = self.declaration.values();
        let mut columns = Vec::with_capacity(values + self.order.len());
        for (column, parameter) in arguments[..values].iter().zip(self.declaration.parameters) {
            columns.push(match parameter.takes {
                Takes::Value(Class::Number) => cast(column, &DataType::Float64)?,
                _ => Arc::clone(column),
            });
        }
        let orders = arguments.get(self.arguments..).unwrap_or_default();
        columns.extend(orders.iter().take(self.order.len()).map(Arc::clone));
        complete(&columns, self.declaration.parameters)
    }

    fn push(&mut self, columns: Vec<ArrayRef>) {
        if columns.first().is_some_and(|column| !column.is_empty()) {
            self.batches.push_back(columns);
        }
    }

    /// All rows as they came; none if there are none.
    fn all(&self) -> Result<Option<Vec<ArrayRef>>> {
        let Some(first) = self.batches.front() else {
            return Ok(None);
        };
        let column = |index: usize| {
            let parts: Vec<&dyn Array> = self.batches.iter().map(|b| b[index].as_ref()).collect();
            Ok(concat(&parts)?)
        };
        (0..first.len())
            .map(column)
            .collect::<Result<_>>()
            .map(Some)
    }

    /// The values in order.
    fn ordered(&self, columns: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        let (values, orders) = columns.split_at(self.declaration.values());
        if orders.is_empty() {
            return Ok(values.to_vec());
        }
        let sortable = values
            .iter()
            .filter(|column| !column.data_type().is_nested());
        let ties = sortable.map(|column| (column, SortOptions::default()));
        let keys = orders.iter().zip(self.order.iter().copied()).chain(ties);
        let keys: Vec<SortColumn> = keys
            .map(|(values, options)| SortColumn {
                values: Arc::clone(values),
                options: Some(options),
            })
            .collect();
        let indices = lexsort_to_indices(&keys, None)?;
        values
            .iter()
            .map(|column| Ok(take(column, &indices, None)?))
            .collect()
    }
}

impl Accumulator for Kept {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns = self.read(values)?;
        self.push(columns);
        Ok(())
    }

    // Frames lose their oldest rows first.
    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let mut left = self.read(values)?.first().map_or(0, |column| column.len());
        while left > 0 {
            let Some(front) = self.batches.pop_front() else {
                return internal_err!("{} forgets more than it has", self.declaration.name);
            };
            let rows = front[0].len();
            if rows > left {
                let rest = front.iter().map(|column| column.slice(left, rows - left));
                self.batches.push_front(rest.collect());
            }
            left = left.saturating_sub(rows);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists: Vec<_> = states.iter().map(|state| state.as_list::<i32>()).collect();
        let Some(first) = lists.first() else {
            return Ok(());
        };
        for row in (0..first.len()).filter(|row| first.is_valid(*row)) {
            self.push(lists.iter().map(|list| list.value(row)).collect());
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Some(columns) = self.all()? else {
            let none = |item: &DataType| ScalarValue::new_null_list(item.clone(), true, 1);
            return Ok(self.kept.iter().map(none).collect());
        };
        let list = |column| SingleRowListArrayBuilder::new(column).build_list_scalar();
        Ok(columns.into_iter().map(list).collect())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.all()? {
            None => ScalarValue::try_from(&self.returns),
            Some(columns) => {
                let columns = self.ordered(&columns)?;
                (self.finish)(&Rows { columns }, &self.options)
            }
        }
    }

    fn size(&self) -> usize {
        let columns = self.batches.iter().flatten();
        size_of_val(self) + columns.map(bytes).sum::<usize>()
    }
}

/// What a column's rows take, which may be a part of something larger.
fn bytes(column: &ArrayRef) -> usize {
    let own = column.to_data().get_slice_memory_size();
    own.unwrap_or_else(|_| column.get_array_memory_size())
}
