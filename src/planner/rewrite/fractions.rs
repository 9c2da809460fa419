//! `CAST(x AS timestamp(p))` and its kin: the cast without digits, and a call that rounds to them.

use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType as ArrowType, FieldRef};
use datafusion::common::{Result as EngineResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, Value, VisitMut, VisitorMut};

use super::functions::called;
use crate::format::fraction::{MOST_DIGITS, rounded};
use tessera_udfs::walk::walk_mut;

/// The call that rounds a moment or span to so many digits of seconds.
pub(in crate::planner) const ROUNDED: &str = "\u{4}rounded_seconds";

/// Spells casts with digits of seconds out.
pub(in crate::planner) fn spell_out<T: VisitMut>(node: &mut T) {
    let _: ControlFlow<()> = walk_mut(node, &mut SpellOut);
}

/// The digits of seconds that a type says it keeps.
pub fn digits_of(data_type: &DataType) -> Option<u8> {
    let digits = match data_type {
        DataType::Timestamp(digits, _) | DataType::Time(digits, _) => *digits,
        DataType::Interval { precision, .. } => *precision,
        _ => None,
    };
    let most = u64::from(MOST_DIGITS);
    digits.and_then(|digits| u8::try_from(digits.min(most)).ok())
}

fn without_digits(data_type: &mut DataType) {
    match data_type {
        DataType::Timestamp(digits, _) | DataType::Time(digits, _) => *digits = None,
        DataType::Interval { precision, .. } => *precision = None,
        _ => {}
    }
}

struct SpellOut;

impl VisitorMut for SpellOut {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let written = match expr {
            Expr::Cast { data_type, .. } => data_type,
            Expr::TypedString(typed) => &mut typed.data_type,
            _ => return ControlFlow::Continue(()),
        };
        let Some(digits) = digits_of(written) else {
            return ControlFlow::Continue(());
        };
        without_digits(written);
        let data_type = written.clone();
        let null = Expr::Value(Value::Null.into());
        let value = match std::mem::replace(expr, null) {
            Expr::Cast { expr, .. } => *expr,
            Expr::TypedString(typed) => Expr::Value(typed.value),
            other => other,
        };
        let cast = Expr::Cast {
            kind: CastKind::Cast,
            expr: Box::new(value),
            data_type,
            array: false,
            format: None,
        };
        let digits = Expr::Value(Value::Number(digits.to_string(), false).into());
        *expr = called(ROUNDED, vec![cast, digits]);
        ControlFlow::Continue(())
    }
}

/// The function behind [`ROUNDED`].
pub(in crate::planner) fn function() -> Arc<ScalarUDF> {
    static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
        Arc::new(ScalarUDF::new_from_impl(Rounded {
            signature: Signature::any(2, Volatility::Immutable),
        }))
    });
    Arc::clone(&FUNCTION)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Rounded {
    signature: Signature,
}

impl ScalarUDFImpl for Rounded {
    fn name(&self) -> &str {
        ROUNDED
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[ArrowType]) -> EngineResult<ArrowType> {
        Ok(types.first().cloned().unwrap_or(ArrowType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> EngineResult<FieldRef> {
        let Some(field) = args.arg_fields.first() else {
            return datafusion::common::internal_err!("rounding of nothing");
        };
        Ok(Arc::new(field.as_ref().clone().with_nullable(true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let (Some(value), Some(ColumnarValue::Scalar(digits))) =
            (args.args.first(), args.args.get(1))
        else {
            return datafusion::common::internal_err!("rounding to digits that are no constant");
        };
        let digits = digits.cast_to(&ArrowType::UInt8)?;
        let ScalarValue::UInt8(Some(digits)) = digits else {
            return Ok(value.clone());
        };
        Ok(match value {
            ColumnarValue::Array(array) => ColumnarValue::Array(rounded(array, digits)),
            ColumnarValue::Scalar(value) => {
                let array = rounded(&value.to_array()?, digits);
                ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?)
            }
        })
    }
}
