//! Rows that are written out in the statement, such as `SELECT 1`, by which pools ask whether a
//! connection lives: nothing is to be planned or computed for them.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The row of a plan that is one row of literals.
pub(super) fn row(plan: &LogicalPlan) -> Option<RecordBatch> {
    let LogicalPlan::Projection(projection) = plan else {
        return None;
    };
    match projection.input.as_ref() {
        LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => {}
        _ => return None,
    }
    let schema = Arc::clone(projection.schema.inner());
    let fields = schema.fields().iter();
    let columns = projection.expr.iter().zip(fields).map(|(expr, field)| {
        let value = literal(expr)?;
        let is_fit = value.data_type() == *field.data_type();
        let is_fit = is_fit && (field.is_nullable() || !value.is_null());
        is_fit.then(|| value.to_array_of_size(1).ok())?
    });
    let columns = columns.collect::<Option<Vec<ArrayRef>>>()?;
    // Without columns a batch does not know of its row.
    (!columns.is_empty())
        .then(|| RecordBatch::try_new(schema, columns).ok())
        .flatten()
}

fn literal(expr: &Expr) -> Option<&ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value),
        Expr::Alias(alias) => literal(&alias.expr),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{LogicalPlanBuilder, lit};

    use super::*;

    fn of(exprs: Vec<Expr>) -> Option<RecordBatch> {
        let plan = LogicalPlanBuilder::empty(true).project(exprs).unwrap();
        row(&plan.build().unwrap())
    }

    #[test]
    fn a_row_of_literals_is_known_without_planning() {
        let batch = of(vec![lit(1), lit("a").alias("word")]).unwrap();
        assert_eq!((batch.num_rows(), batch.num_columns()), (1, 2));
        assert_eq!(batch.schema().field(1).name(), "word");
        assert!(
            of(vec![lit(ScalarValue::Int32(None))])
                .unwrap()
                .column(0)
                .is_null(0)
        );
    }

    #[test]
    fn whatever_computes_or_reads_is_planned() {
        assert!(of(vec![lit(1) + lit(2)]).is_none());
        let no_row = LogicalPlanBuilder::empty(false)
            .project(vec![lit(1)])
            .unwrap();
        assert!(row(&no_row.build().unwrap()).is_none());
        let filtered = LogicalPlanBuilder::empty(true).filter(lit(false)).unwrap();
        let filtered = filtered.project(vec![lit(1)]).unwrap().build().unwrap();
        assert!(row(&filtered).is_none());
    }
}
