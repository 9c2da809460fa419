//! `regclass` and its kin: numbers of objects that are read and written as names.
//!
//! Only a session knows what the names mean, so casts from and to text become calls of its
//! functions here, and what goes to a client gets the names beside the numbers.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, ListArray, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use tessera_catalog::sql_type::{SqlType, TYPE_KEY};

use crate::error::Result;
use crate::planner::cast::plainly;
use crate::planner::scope::Scope;

/// Reads and writes the names of objects in a plan's casts.
pub(in crate::planner) fn cast_names(plan: LogicalPlan, scope: &Scope) -> Result<LogicalPlan> {
    let cast = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let replaced = expr.transform_up(|expr| replace(expr, &schema, scope))?;
            Ok(replaced.update_data(|expr| name.restore(expr)))
        })?;
        if !node.transformed {
            return Ok(node);
        }
        Ok(Transformed::yes(node.data.recompute_schema()?))
    })?;
    Ok(cast.data)
}

fn replace(expr: Expr, schema: &DFSchema, scope: &Scope) -> EngineResult<Transformed<Expr>> {
    let Expr::Cast(cast) = &expr else {
        return from_zero(expr, schema);
    };
    let target = SqlType::of(&cast.field);
    let to_text = matches!(
        target,
        SqlType::Text | SqlType::Varchar(_) | SqlType::Name | SqlType::Char(_)
    );
    let Ok((_, from)) = cast.expr.to_field(schema) else {
        return Ok(Transformed::no(expr));
    };
    let source = SqlType::of(&from);
    let name = match (&source, &target) {
        (SqlType::Reg(_), SqlType::Reg(_)) => return Ok(Transformed::no(expr)),
        (_, SqlType::Reg(_)) if is_string(from.data_type()) => format!("{}in", target.typname()),
        (SqlType::Reg(_), _) if to_text => format!("{}out", source.typname()),
        _ if leaks(&from, &source, &target) => {
            let (inner, field) = (cast.expr.as_ref().clone(), Arc::clone(&cast.field));
            return Ok(Transformed::yes(plainly(inner, field, &scope.zone)));
        }
        _ => return Ok(Transformed::no(expr)),
    };
    match scope.session.function(&name) {
        Some(function) => Ok(Transformed::yes(Expr::ScalarFunction(
            ScalarFunction::new_udf(function, vec![cast.expr.as_ref().clone()]),
        ))),
        None => Ok(Transformed::no(expr)),
    }
}

/// Whether the engine's own cast would give its result the type that the source's field tells.
fn leaks(from: &Field, source: &SqlType, target: &SqlType) -> bool {
    let catalog = matches!(
        source,
        SqlType::Reg(_) | SqlType::Name | SqlType::InternalChar
    );
    catalog && source != target && from.metadata().contains_key(TYPE_KEY)
}

/// Elements of `int2vector` and `oidvector` are counted from 0, those of the engine's lists from 1.
fn from_zero(expr: Expr, schema: &DFSchema) -> EngineResult<Transformed<Expr>> {
    let Expr::ScalarFunction(mut call) = expr else {
        return Ok(Transformed::no(expr));
    };
    let vector = call.name() == "array_element"
        && call.args.first().is_some_and(|list| {
            list.to_field(schema).is_ok_and(|(_, field)| {
                matches!(
                    SqlType::of(&field),
                    SqlType::Int2Vector | SqlType::OidVector
                )
            })
        });
    if vector && let Some(index) = call.args.get_mut(1) {
        let one = Expr::Literal(ScalarValue::Int64(Some(1)), None);
        *index = std::mem::take(index) + one;
        return Ok(Transformed::yes(Expr::ScalarFunction(call)));
    }
    Ok(Transformed::no(Expr::ScalarFunction(call)))
}

fn is_string(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

/// Puts the name beside the number in each column that holds objects, for the client.
///
/// # Errors
/// What the engine cannot plan, which is a bug.
pub fn name_objects(plan: LogicalPlan, scope: &Scope) -> Result<LogicalPlan> {
    let schema = Arc::clone(plan.schema());
    if !schema.fields().iter().any(|field| is_object(field)) {
        return Ok(plan);
    }
    let named = datafusion::functions::core::named_struct();
    let key = |text: &str| Expr::Literal(ScalarValue::Utf8(Some(text.to_owned())), None);
    let outputs = schema.iter().map(|(qualifier, field)| {
        let column = Expr::Column((qualifier, field).into());
        let function = |kind: &SqlType| match kind {
            SqlType::Reg(_) => scope.session.function(&format!("{}out", kind.typname())),
            _ => None,
        };
        let kind = SqlType::of(field);
        if let SqlType::Array(item) = &kind
            && let Some(written) = function(item)
        {
            let function = ScalarUDF::new_from_impl(NamedItems::new(written));
            let call = ScalarFunction::new_udf(Arc::new(function), vec![column]);
            return Expr::ScalarFunction(call).alias(field.name());
        }
        let Some(written) = function(&kind) else {
            return column;
        };
        let name = Expr::ScalarFunction(ScalarFunction::new_udf(written, vec![column.clone()]));
        let arguments = vec![key("oid"), column, key("name"), name];
        Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&named), arguments))
            .alias(field.name())
    });
    let outputs: Vec<Expr> = outputs.collect();
    Ok(LogicalPlanBuilder::from(plan).project(outputs)?.build()?)
}

fn is_object(field: &Field) -> bool {
    match SqlType::of(field) {
        SqlType::Reg(_) => true,
        SqlType::Array(item) => matches!(*item, SqlType::Reg(_)),
        _ => false,
    }
}

/// Puts its name beside each number in a list.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NamedItems {
    written: Arc<ScalarUDF>,
    signature: Signature,
}

impl NamedItems {
    fn new(written: Arc<ScalarUDF>) -> Self {
        Self {
            written,
            signature: Signature::any(1, Volatility::Stable),
        }
    }

    fn item() -> FieldRef {
        let fields = Fields::from(vec![
            Field::new("oid", DataType::UInt32, true),
            Field::new("name", DataType::Utf8View, true),
        ]);
        Arc::new(Field::new("item", DataType::Struct(fields), true))
    }
}

impl ScalarUDFImpl for NamedItems {
    fn name(&self) -> &str {
        "\u{4}named_items"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::List(Self::item()))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let rows = args.number_rows;
        let Some(given) = args.args.into_iter().next() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Null));
        };
        let lists = given.into_array(rows)?;
        let lists = lists.as_list::<i32>();
        let numbers = cast(lists.values(), &DataType::UInt32)?;
        let field = Arc::new(Field::new("oid", DataType::Int64, true));
        let asked = cast(&numbers, &DataType::Int64)?;
        let names = self.written.invoke_with_args(ScalarFunctionArgs {
            args: vec![ColumnarValue::Array(asked)],
            arg_fields: vec![field],
            number_rows: numbers.len(),
            return_field: Arc::new(Field::new("name", DataType::Utf8View, true)),
            config_options: args.config_options,
        })?;
        let names = cast(&names.into_array(numbers.len())?, &DataType::Utf8View)?;
        let item = Self::item();
        let DataType::Struct(fields) = item.data_type() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Null));
        };
        let named = StructArray::try_new(fields.clone(), vec![numbers, names], None)?;
        let (offsets, nulls) = (lists.offsets().clone(), lists.nulls().cloned());
        let named = ListArray::try_new(item, offsets, Arc::new(named), nulls)?;
        Ok(ColumnarValue::Array(Arc::new(named)))
    }
}
