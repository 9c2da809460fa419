//! The functions that clients ask the catalogs with, over one session's [`Scene`].
//!
//! Each is a row of a table: its name, how many arguments it takes, the type of its result and a
//! function from one row's arguments to a value. Whether an object is named by text or by number is
//! seen from the argument, so one row covers all of PostgreSQL's overloads.

mod definitions;
mod lookups;
mod privileges;
mod sizes;

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::error::LookupError;
use super::rows::{Builder, Value};
use super::scene::Scene;
use crate::sql_type::SqlType;

/// All of them, looking at `scene`.
pub fn functions(scene: Arc<Scene>) -> Vec<Arc<ScalarUDF>> {
    all().map(|function| made(function, &scene)).collect()
}

/// The one of this name, looking at `scene`.
pub fn function(name: &str, scene: &Arc<Scene>) -> Option<Arc<ScalarUDF>> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> =
        LazyLock::new(|| all().map(|function| (function.name, function)).collect());
    Some(made(BY_NAME.get(name)?, scene))
}

/// Their names.
pub fn function_names() -> impl Iterator<Item = &'static str> {
    all().map(|function| function.name)
}

fn all() -> impl Iterator<Item = &'static Function> {
    let all = [
        definitions::FUNCTIONS,
        lookups::FUNCTIONS,
        privileges::FUNCTIONS,
        sizes::FUNCTIONS,
    ];
    all.into_iter().flatten()
}

fn made(function: &'static Function, scene: &Arc<Scene>) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(CatalogUdf {
        function,
        scene: Arc::clone(scene),
        signature: Signature::user_defined(Volatility::Stable),
    }))
}

/// A function over the catalogs.
struct Function {
    name: &'static str,
    arguments: RangeInclusive<usize>,
    /// The result's type by name.
    result: &'static str,
    /// Whether a NULL argument makes the result NULL.
    strict: bool,
    body: Body,
}

type Body = for<'a> fn(&'a Scene, &[Arg<'a>]) -> Result<Value<'a>, LookupError>;

impl Function {
    const fn strict(
        name: &'static str,
        arguments: RangeInclusive<usize>,
        result: &'static str,
        body: Body,
    ) -> Self {
        Self {
            name,
            arguments,
            result,
            strict: true,
            body,
        }
    }

    const fn lenient(
        name: &'static str,
        arguments: RangeInclusive<usize>,
        result: &'static str,
        body: Body,
    ) -> Self {
        Self {
            name,
            arguments,
            result,
            strict: false,
            body,
        }
    }
}

/// One argument of one row.
#[derive(Debug, Clone, Copy)]
enum Arg<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Text(&'a str),
}

impl<'a> Arg<'a> {
    /// The number, or none.
    fn int(self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(n),
            Self::Text(text) => text.trim().parse().ok(),
            Self::Null | Self::Bool(_) => None,
        }
    }

    /// The number of an object; 0 for what cannot be one.
    fn oid(self) -> u32 {
        self.int().and_then(|n| u32::try_from(n).ok()).unwrap_or(0)
    }

    fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Int(_) => None,
        }
    }
}

#[derive(Debug)]
struct CatalogUdf {
    function: &'static Function,
    scene: Arc<Scene>,
    signature: Signature,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for CatalogUdf {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name && Arc::ptr_eq(&self.scene, &other.scene)
    }
}

impl Eq for CatalogUdf {}

impl Hash for CatalogUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
        Arc::as_ptr(&self.scene).hash(state);
    }
}

impl CatalogUdf {
    fn result(&self) -> FieldRef {
        let sql_type = SqlType::parse(self.function.result).unwrap_or(SqlType::Text);
        sql_type.field(self.function.name, true, &self.scene.zone)
    }
}

impl ScalarUDFImpl for CatalogUdf {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let coerced: Option<Vec<DataType>> = arg_types.iter().map(carrier).collect();
        match coerced {
            Some(types) if self.function.arguments.contains(&types.len()) => Ok(types),
            _ => {
                let names: Vec<String> = arg_types
                    .iter()
                    .map(|t| SqlType::from_arrow(t).to_string())
                    .collect();
                plan_err!(
                    "function {}({}) does not exist",
                    self.function.name,
                    names.join(", ")
                )
            }
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.result().data_type().clone())
    }

    fn return_field_from_args(&self, _: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(self.result())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let count = if constant { 1 } else { args.number_rows };
        let columns = args
            .args
            .iter()
            .map(Carried::new)
            .collect::<Result<Vec<_>>>()?;
        let mut builder = Builder::new(args.return_field.data_type());
        let mut row = Vec::with_capacity(columns.len());
        for index in 0..count {
            row.clear();
            row.extend(columns.iter().map(|column| column.at(index)));
            let null = self.function.strict && row.iter().any(|arg| matches!(arg, Arg::Null));
            match null {
                true => builder.put(&Value::Null),
                false => builder.put(&(self.function.body)(&self.scene, &row)?),
            }
        }
        let array = builder.finish();
        if constant {
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &array, 0,
            )?))
        } else {
            Ok(ColumnarValue::Array(array))
        }
    }
}

/// The type in which an argument is read.
fn carrier(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Null => Some(DataType::Null),
        DataType::Boolean => Some(DataType::Boolean),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(DataType::Utf8View),
        DataType::Dictionary(_, value) => carrier(value),
        DataType::Decimal128(_, _) => Some(DataType::Int64),
        number if number.is_integer() => Some(DataType::Int64),
        _ => None,
    }
}

/// An argument's values for all rows.
enum Carried {
    Constant(ScalarValue),
    Nulls,
    Bools(arrow::array::BooleanArray),
    Ints(Int64Array),
    Texts(StringViewArray),
}

impl Carried {
    fn new(value: &ColumnarValue) -> Result<Self> {
        let array: &ArrayRef = match value {
            ColumnarValue::Scalar(scalar) => return Ok(Self::Constant(scalar.clone())),
            ColumnarValue::Array(array) => array,
        };
        Ok(match array.data_type() {
            DataType::Null => Self::Nulls,
            DataType::Boolean => Self::Bools(array.as_boolean().clone()),
            DataType::Int64 => Self::Ints(array.as_primitive::<Int64Type>().clone()),
            DataType::Utf8View => Self::Texts(array.as_string_view().clone()),
            other => return internal_err!("a catalog function was given {other}"),
        })
    }

    fn at(&self, index: usize) -> Arg<'_> {
        match self {
            Self::Constant(scalar) => match scalar {
                ScalarValue::Boolean(Some(value)) => Arg::Bool(*value),
                ScalarValue::Int64(Some(value)) => Arg::Int(*value),
                other => other.try_as_str().flatten().map_or(Arg::Null, Arg::Text),
            },
            Self::Nulls => Arg::Null,
            Self::Bools(array) if array.is_valid(index) => Arg::Bool(array.value(index)),
            Self::Ints(array) if array.is_valid(index) => Arg::Int(array.value(index)),
            Self::Texts(array) if array.is_valid(index) => Arg::Text(array.value(index)),
            Self::Bools(_) | Self::Ints(_) | Self::Texts(_) => Arg::Null,
        }
    }
}
