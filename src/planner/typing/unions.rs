//! Columns of UNION have one type each, found as PostgreSQL finds it.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Union};
use tessera_catalog::sql_type::SqlType;

use super::common::{Known, become_type, common_type};

/// The zone of moments whose columns have none of their own.
const DEFAULT_ZONE: &str = "UTC";

/// Casts the columns of each input to those of all.
pub(super) fn settle(union: Union) -> Result<LogicalPlan> {
    let width = union.schema.fields().len();
    let alike = union
        .inputs
        .iter()
        .all(|input| input.schema().fields().len() == width);
    if !alike {
        return LogicalPlan::Union(union).recompute_schema();
    }
    let mut types = Vec::with_capacity(width);
    for column in 0..width {
        let among: Vec<Known> = union
            .inputs
            .iter()
            .map(|input| {
                let field = input.schema().field(column);
                // A text without a type of its own is a literal of a select list.
                let unknown = matches!(field.data_type(), DataType::Utf8 | DataType::Null);
                (!unknown).then(|| SqlType::of(field))
            })
            .collect();
        let common = common_type(&among, "UNION")?;
        types.push(common.or_else(|| (!alike_in(&union, column)).then_some(SqlType::Text)));
    }
    let zone = zone_of(&union);
    let inputs = union
        .inputs
        .iter()
        .map(|input| with_types(input, &types, &zone))
        .collect::<Result<Vec<_>>>()?;
    Ok(LogicalPlan::Union(Union::try_new(inputs)?))
}

/// Whether a column has one type in all inputs.
fn alike_in(union: &Union, column: usize) -> bool {
    let mut types = union
        .inputs
        .iter()
        .map(|input| input.schema().field(column).data_type());
    let first = types.next();
    types.all(|other| Some(other) == first)
}

fn zone_of(union: &Union) -> Arc<str> {
    let mut fields = union
        .inputs
        .iter()
        .flat_map(|input| input.schema().fields());
    fields
        .find_map(|field| match field.data_type() {
            DataType::Timestamp(_, Some(zone)) => Some(Arc::clone(zone)),
            _ => None,
        })
        .unwrap_or_else(|| Arc::from(DEFAULT_ZONE))
}

fn with_types(
    input: &Arc<LogicalPlan>,
    types: &[Known],
    zone: &Arc<str>,
) -> Result<Arc<LogicalPlan>> {
    let schema = input.schema();
    let mut changed = false;
    let mut outputs = Vec::with_capacity(types.len());
    for (pair, wanted) in schema.iter().zip(types) {
        let column = Expr::Column(Column::from(pair));
        let Some(wanted) = wanted else {
            outputs.push(column);
            continue;
        };
        let cast = become_type(column.clone(), wanted, schema, zone)?;
        outputs.push(if cast == column {
            column
        } else {
            changed = true;
            cast.alias_qualified(pair.0.cloned(), pair.1.name())
        });
    }
    if !changed {
        return Ok(Arc::clone(input));
    }
    let plan = LogicalPlanBuilder::from(input.as_ref().clone())
        .project(outputs)?
        .build()?;
    Ok(Arc::new(plan))
}
