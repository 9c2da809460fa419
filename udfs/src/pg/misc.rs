//! `pg_typeof`, `num_nulls`, `num_nonnulls`, `gen_random_uuid`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringViewArray};
use datafusion::common::Result;

use super::function::{Call, Overload, Ret, Spec};
use super::output::put;
use super::types::{Ty, type_name};
use super::value::{rows, text_rows};

const PG_TYPEOF: Spec = Spec::stable(
    "pg_typeof",
    &[Overload::new(&[Ty::Any], Ty::Text, |call| {
        let name = call
            .fields
            .first()
            .map(|field| type_name(field))
            .unwrap_or_default();
        Ok(Arc::new(StringViewArray::from_iter_values(
            std::iter::repeat_n(name, call.rows),
        )))
    })],
);

/// How many arguments are NULL, or are not; a single array argument is not taken apart.
fn count(call: &Call<'_>, null: bool) -> Result<ArrayRef> {
    rows(call, |row| {
        let is_null = |index: usize| {
            let arg = &call.args[index];
            arg.array.is_null(row * arg.stride) || arg.array.data_type().is_null()
        };
        Ok(Some(
            (0..call.args.len())
                .filter(|index| is_null(*index) == null)
                .count() as i32,
        ))
    })
}

const NUM_NULLS: Spec = Spec::immutable(
    "num_nulls",
    &[Overload::new(&[Ty::Any], Ty::Int4, |call| count(call, true)).variadic()],
);

const NUM_NONNULLS: Spec = Spec::immutable(
    "num_nonnulls",
    &[Overload::new(&[Ty::Any], Ty::Int4, |call| count(call, false)).variadic()],
);

const GEN_RANDOM_UUID: Spec = Spec::volatile(
    "gen_random_uuid",
    &[Overload::returning(&[], Ret::Is(Ty::Uuid), |call| {
        text_rows(call, |_, out| {
            put!(out, "{}", uuid::Uuid::new_v4().hyphenated());
            Ok(true)
        })
    })],
)
.also(&["uuid_generate_v4"]);

/// The functions of no topic.
pub(crate) fn specs() -> Vec<Spec> {
    vec![
        PG_TYPEOF,
        NUM_NULLS,
        NUM_NONNULLS,
        GEN_RANDOM_UUID,
        super::sample::SPEC,
    ]
}
