//! One scalar function of PostgreSQL: a name and its overloads, chosen as PostgreSQL chooses.
//!
//! Functions are plain data ([`Spec`]); this file is the only one that implements DataFusion's trait.
//! What an overload computes, it does not know.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::error::PgError;
use super::types::{Ty, call_name};

/// The zone of a session that has set none.
const DEFAULT_ZONE: &str = "UTC";

/// What an overload returns.
#[derive(Clone, Copy)]
pub(crate) enum Ret {
    /// Always this type.
    Is(Ty),
    /// An array of this type.
    ListOf(Ty),
    /// The type of this argument.
    Arg(usize),
    /// Decided from the arguments.
    By(fn(&Planned<'_>) -> Result<Field>),
}

/// What is known of a call while it is planned.
pub(crate) struct Planned<'a> {
    pub(crate) fields: &'a [FieldRef],
    pub(crate) constants: &'a [Option<&'a ScalarValue>],
    pub(crate) zone: &'a Arc<str>,
}

impl Planned<'_> {
    /// The constant text at this position.
    pub(crate) fn text(&self, index: usize) -> Option<&str> {
        self.constants
            .get(index)
            .copied()
            .flatten()
            .and_then(|value| value.try_as_str().flatten())
    }
}

/// One way to call a function.
#[derive(Clone, Copy)]
pub(crate) struct Overload {
    args: &'static [Ty],
    /// The last parameter may repeat.
    variadic: bool,
    ret: Ret,
    eval: fn(&Call<'_>) -> Result<ArrayRef>,
}

impl Overload {
    pub(crate) const fn new(
        args: &'static [Ty],
        ret: Ty,
        eval: fn(&Call<'_>) -> Result<ArrayRef>,
    ) -> Self {
        Self {
            args,
            variadic: false,
            ret: Ret::Is(ret),
            eval,
        }
    }

    pub(crate) const fn returning(
        args: &'static [Ty],
        ret: Ret,
        eval: fn(&Call<'_>) -> Result<ArrayRef>,
    ) -> Self {
        Self {
            args,
            variadic: false,
            ret,
            eval,
        }
    }

    pub(crate) const fn variadic(self) -> Self {
        Self {
            variadic: true,
            ..self
        }
    }

    fn parameter(&self, index: usize) -> Option<Ty> {
        match self.args.get(index) {
            Some(ty) => Some(*ty),
            None if self.variadic => self.args.last().copied(),
            None => None,
        }
    }

    fn cost(&self, types: &[DataType]) -> Option<u32> {
        let fits = if self.variadic {
            types.len() >= self.args.len()
        } else {
            types.len() == self.args.len()
        };
        if !fits {
            return None;
        }
        types
            .iter()
            .enumerate()
            .map(|(index, from)| self.parameter(index)?.cost(from))
            .sum()
    }
}

/// A function as data.
#[derive(Clone, Copy)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) aliases: &'static [&'static str],
    pub(crate) volatility: Volatility,
    /// The argument whose order the result keeps while the others are constant.
    pub(crate) ordered_by: Option<usize>,
    pub(crate) overloads: &'static [Overload],
}

impl Spec {
    /// A function of its arguments alone.
    pub(crate) const fn immutable(name: &'static str, overloads: &'static [Overload]) -> Self {
        Self {
            name,
            aliases: &[],
            volatility: Volatility::Immutable,
            ordered_by: None,
            overloads,
        }
    }

    /// A function that also reads the session, such as its zone.
    pub(crate) const fn stable(name: &'static str, overloads: &'static [Overload]) -> Self {
        Self {
            name,
            aliases: &[],
            volatility: Volatility::Stable,
            ordered_by: None,
            overloads,
        }
    }

    /// A function that answers anew for each row.
    pub(crate) const fn volatile(name: &'static str, overloads: &'static [Overload]) -> Self {
        Self {
            name,
            aliases: &[],
            volatility: Volatility::Volatile,
            ordered_by: None,
            overloads,
        }
    }

    pub(crate) const fn also(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(crate) const fn ordered_by(self, index: usize) -> Self {
        Self {
            ordered_by: Some(index),
            ..self
        }
    }

    /// The function as the engine registers it.
    pub(crate) fn udf(self) -> ScalarUDF {
        ScalarUDF::from(PgFunction::new(self, Arc::from(DEFAULT_ZONE)))
    }

    fn choose(&self, types: &[DataType]) -> Option<&Overload> {
        let costs = self
            .overloads
            .iter()
            .filter_map(|overload| Some((overload.cost(types)?, overload)));
        costs
            .min_by_key(|(cost, _)| *cost)
            .map(|(_, overload)| overload)
    }
}

/// The engine's view of a [`Spec`], in a session's zone.
struct PgFunction {
    spec: Spec,
    aliases: Vec<String>,
    signature: Signature,
    zone: Arc<str>,
}

impl std::fmt::Debug for PgFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PgFunction")
            .field("name", &self.spec.name)
            .field("zone", &self.zone)
            .finish()
    }
}

impl PartialEq for PgFunction {
    fn eq(&self, other: &Self) -> bool {
        self.spec.name == other.spec.name && self.zone == other.zone
    }
}

impl Eq for PgFunction {}

impl Hash for PgFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
        self.zone.hash(state);
    }
}

impl PgFunction {
    fn new(spec: Spec, zone: Arc<str>) -> Self {
        Self {
            spec,
            aliases: spec
                .aliases
                .iter()
                .map(|alias| (*alias).to_owned())
                .collect(),
            signature: Signature::user_defined(spec.volatility),
            zone,
        }
    }
}

/// The zone of the first argument that has one: it is the session's at the time the value was made.
fn carried_zone(types: &[DataType]) -> Option<Arc<str>> {
    types.iter().find_map(|data_type| match data_type {
        DataType::Timestamp(_, Some(zone)) => Some(Arc::clone(zone)),
        _ => None,
    })
}

impl ScalarUDFImpl for PgFunction {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} depends on its fields", self.spec.name)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let zone = config
            .execution
            .time_zone
            .as_deref()
            .unwrap_or(DEFAULT_ZONE);
        Some(ScalarUDF::from(Self::new(self.spec, Arc::from(zone))))
    }

    // A call that fits no overload keeps its types: `return_field_from_args` then refuses it with a code,
    // which an error from here would lose.
    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let Some(overload) = self.spec.choose(types) else {
            return Ok(types.to_vec());
        };
        let zone = carried_zone(types).unwrap_or_else(|| Arc::clone(&self.zone));
        let accepted =
            types
                .iter()
                .enumerate()
                .map(|(index, from)| match overload.parameter(index) {
                    Some(ty) => ty.accept(from, &zone),
                    None => from.clone(),
                });
        Ok(accepted.collect())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args
            .arg_fields
            .iter()
            .map(|field| field.data_type().clone())
            .collect();
        let Some(overload) = self.spec.choose(&types) else {
            return Err(PgError::UndefinedFunction(call_name(
                self.spec.name,
                args.arg_fields,
                args.scalar_arguments,
            ))
            .into());
        };
        let zone = carried_zone(&types).unwrap_or_else(|| Arc::clone(&self.zone));
        let field = match overload.ret {
            Ret::Is(ty) => ty.field(self.spec.name, &zone),
            Ret::ListOf(ty) => {
                let item = ty.field(Field::LIST_FIELD_DEFAULT_NAME, &zone);
                Field::new(self.spec.name, DataType::List(Arc::new(item)), true)
            }
            Ret::Arg(index) => match args.arg_fields.get(index) {
                Some(field) => field
                    .as_ref()
                    .clone()
                    .with_name(self.spec.name)
                    .with_nullable(true),
                None => return internal_err!("{} has no argument {index}", self.spec.name),
            },
            Ret::By(decide) => decide(&Planned {
                fields: args.arg_fields,
                constants: args.scalar_arguments,
                zone: &zone,
            })?,
        };
        Ok(Arc::new(field))
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        let Some(index) = self.spec.ordered_by else {
            return Ok(SortProperties::Unordered);
        };
        let constant = |other: usize| {
            other == index || inputs[other].sort_properties == SortProperties::Singleton
        };
        match inputs.get(index) {
            Some(input) if (0..inputs.len()).all(constant) => Ok(input.sort_properties),
            _ => Ok(SortProperties::Unordered),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        let Some(overload) = self.spec.choose(&types) else {
            return Err(PgError::UndefinedFunction(call_name(
                self.spec.name,
                &args.arg_fields,
                &[],
            ))
            .into());
        };
        let constant = self.spec.volatility != Volatility::Volatile
            && args
                .args
                .iter()
                .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = args.args.iter().map(|arg| match arg {
            ColumnarValue::Array(array) => Ok(Argument {
                array: Arc::clone(array),
                stride: 1,
            }),
            ColumnarValue::Scalar(value) => Ok(Argument {
                array: value.to_array()?,
                stride: 0,
            }),
        });
        let call = Call {
            name: self.spec.name,
            args: arrays.collect::<Result<_>>()?,
            fields: &args.arg_fields,
            rows: if constant { 1 } else { args.number_rows },
            ret: &args.return_field,
            config: &args.config_options,
        };
        let result = (overload.eval)(&call)?;
        if constant {
            // A list keeps its elements' field, which a scalar made of its value would not.
            let value = match result.as_list_opt::<i32>() {
                Some(list) => ScalarValue::List(Arc::new(list.slice(0, 1))),
                None => ScalarValue::try_from_array(&result, 0)?,
            };
            return Ok(ColumnarValue::Scalar(value));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// An argument: a column, or a constant that every row reads.
pub(crate) struct Argument {
    pub(crate) array: ArrayRef,
    pub(crate) stride: usize,
}

/// One evaluation of a function over a batch.
pub(crate) struct Call<'a> {
    pub(crate) name: &'static str,
    pub(crate) args: Vec<Argument>,
    pub(crate) fields: &'a [FieldRef],
    pub(crate) rows: usize,
    pub(crate) ret: &'a Field,
    pub(crate) config: &'a ConfigOptions,
}

impl Call<'_> {
    /// The session's zone, by name.
    pub(crate) fn zone(&self) -> &str {
        self.config
            .execution
            .time_zone
            .as_deref()
            .unwrap_or(DEFAULT_ZONE)
    }

    /// The position in argument `index` of the value for `row`, or `None` if it is NULL.
    pub(crate) fn at(&self, index: usize, row: usize) -> Option<usize> {
        let arg = &self.args[index];
        let row = row * arg.stride;
        let null = arg.array.is_null(row) || arg.array.data_type().is_null();
        (!null).then_some(row)
    }
}
