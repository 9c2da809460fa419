//! The chance of a row in a sample that can be repeated: a number from 0 to 1 that depends on a seed and on
//! what the row holds.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::row::{RowConverter, SortField};
use datafusion::common::Result;

use super::error::PgError;
use super::function::{Call, Overload, Spec};
use super::types::Ty;
use super::value::{Reader, rows};

/// The name of the call: `drawn(seed, row)`.
pub const DRAWN: &str = "\u{4}drawn";

/// How many different chances there are.
const STEPS: f64 = (1_u64 << 53) as f64;

pub(super) const SPEC: Spec = Spec::immutable(
    DRAWN,
    &[Overload::new(&[Ty::Float8, Ty::Any], Ty::Float8, drawn)],
);

fn drawn(call: &Call<'_>) -> Result<ArrayRef> {
    let seeds = Reader::<f64>::of(call, 0)?;
    let row = &call.args[1];
    let field = SortField::new(row.array.data_type().clone());
    let converter = RowConverter::new(vec![field])?;
    let bytes = converter.convert_columns(&[Arc::clone(&row.array)])?;
    rows(call, |at| {
        let Some(seed) = seeds.get(at)? else {
            return Err(PgError::InvalidRepeat);
        };
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(seed.to_bits());
        hasher.write(bytes.row(at * row.stride).as_ref());
        Ok(Some((hasher.finish() >> 11) as f64 / STEPS))
    })
}
