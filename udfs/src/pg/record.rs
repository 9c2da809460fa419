//! Records: `ROW(a, b)`, and whole rows as values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StructArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{DFSchema, Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// The function of a record: whether it is NULL when all of its fields are, then a name and a value for each
/// field.
pub const RECORD: &str = "record_of_fields";

/// The function that makes records.
pub(super) fn record() -> ScalarUDF {
    ScalarUDF::new_from_impl(Record {
        signature: Signature::variadic_any(Volatility::Immutable),
    })
}

/// The values of a record's fields, if an expression is a record that is written out.
pub fn fields_of_record(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::ScalarFunction(call) if call.name() == RECORD => {
            Some(call.args.iter().skip(2).step_by(2).cloned().collect())
        }
        _ => None,
    }
}

/// A record of all columns of a relation; `None` if there is no such relation.
pub(super) fn whole_row(relation: &str, extended: bool, schema: &DFSchema) -> Option<Expr> {
    let name = |text: &str| Expr::Literal(ScalarValue::Utf8(Some(text.to_owned())), None);
    let mut args = vec![Expr::Literal(ScalarValue::Boolean(Some(extended)), None)];
    for (qualifier, field) in schema.iter() {
        if qualifier.is_some_and(|of| of.table() == relation) {
            args.push(name(field.name()));
            args.push(Expr::Column((qualifier, field).into()));
        }
    }
    (args.len() > 1).then(|| record().call(args))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Record {
    signature: Signature,
}

impl ScalarUDFImpl for Record {
    fn name(&self) -> &str {
        RECORD
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("a record's type depends on its fields")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let mut fields = Vec::with_capacity(args.arg_fields.len() / 2);
        for (place, field) in args.arg_fields.iter().enumerate().skip(2).step_by(2) {
            let name = args.scalar_arguments.get(place - 1).copied().flatten();
            let Some(Some(name)) = name.map(ScalarValue::try_as_str) else {
                return internal_err!("a record's field without a name");
            };
            let name = name.unwrap_or_default();
            fields.push(field.as_ref().clone().with_name(name).with_nullable(true));
        }
        let record = DataType::Struct(Fields::from(fields));
        Ok(Arc::new(Field::new("row", record, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::Struct(fields) = args.return_field.data_type() else {
            return internal_err!("a record of no fields");
        };
        let extended = matches!(
            args.args.first(),
            Some(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))
        );
        let values = args.args.iter().skip(2).step_by(2);
        let columns = values.map(|value| value.to_array(args.number_rows));
        let columns = columns.collect::<Result<Vec<ArrayRef>>>()?;
        let nulls = extended.then(|| present(&columns, args.number_rows));
        let records =
            StructArray::try_new_with_length(fields.clone(), columns, nulls, args.number_rows)?;
        Ok(ColumnarValue::Array(Arc::new(records)))
    }
}

/// Rows in which some column is not NULL.
fn present(columns: &[ArrayRef], rows: usize) -> NullBuffer {
    let mut any = BooleanBuffer::new_unset(rows);
    for column in columns {
        any = match column.logical_nulls() {
            Some(nulls) => &any | nulls.inner(),
            None => BooleanBuffer::new_set(rows),
        };
    }
    NullBuffer::new(any)
}
