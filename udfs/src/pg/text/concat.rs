//! `concat` and `concat_ws`, which take values of any type.

use arrow::array::ArrayRef;
use datafusion::common::Result;

use super::super::error::PgError;
use super::super::function::{Call, Overload, Spec};
use super::super::output::write_value;
use super::super::types::Ty;
use super::super::value::{Reader, text_rows};
use super::check_length;

const CONCAT: Spec = Spec::stable(
    "concat",
    &[Overload::new(&[Ty::Any], Ty::Text, |call| concat(call, 0)).variadic()],
);

const CONCAT_WS: Spec = Spec::stable(
    "concat_ws",
    &[Overload::new(&[Ty::Text, Ty::Any], Ty::Text, |call| concat(call, 1)).variadic()],
);

/// Joins the values from argument `first` on; those that are NULL are left out.
fn concat(call: &Call<'_>, first: usize) -> Result<ArrayRef> {
    let separators = if first > 0 {
        Some(Reader::<&str>::of(call, 0)?)
    } else {
        None
    };
    text_rows(call, |row, out| {
        let separator = match &separators {
            Some(separators) => match separators.get(row)? {
                Some(separator) => separator,
                None => return Ok(false),
            },
            None => "",
        };
        let mut written = false;
        for index in first..call.args.len() {
            let Some(at) = call.at(index, row) else {
                continue;
            };
            if std::mem::replace(&mut written, true) {
                out.push_str(separator);
            }
            write_value(out, &call.args[index].array, at).map_err(PgError::of_engine)?;
            check_length(out.len())?;
        }
        Ok(true)
    })
}

pub(super) const SPECS: &[Spec] = &[CONCAT, CONCAT_WS];
