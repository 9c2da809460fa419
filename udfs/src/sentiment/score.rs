//! `sentiment(text)`: VADER's compound score from -1 to 1, to four digits; 0 for a text without words, NULL for NULL.
//! Reference: vaderSentiment 3.3.2.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float64Array};
use arrow::datatypes::DataType;
use datafusion::common::Result;

use crate::function::{Declaration, Parameter, Role, ScalarSpec};
use crate::math::sentiment::Vader;
use crate::pg::function::{Call, Overload, Spec};
use crate::pg::types::Ty;
use crate::relation::Class;

pub(super) static SENTIMENT: ScalarSpec = ScalarSpec {
    declaration: Declaration {
        name: "sentiment",
        role: Role::Scalar,
        parameters: &[Parameter::value("text", Class::Text)],
        returns: || DataType::Float64,
    },
    function: Spec::immutable(
        "sentiment",
        &[Overload::new(&[Ty::Text], Ty::Float8, compound)],
    ),
};

fn compound(call: &Call<'_>) -> Result<ArrayRef> {
    let texts = call.args[0].array.as_string_view();
    let mut vader = Vader::new();
    let score = |row| {
        let place = call.at(0, row)?;
        Some(vader.scores(texts.value(place)).compound)
    };
    Ok(Arc::new(
        (0..call.rows).map(score).collect::<Float64Array>(),
    ))
}
