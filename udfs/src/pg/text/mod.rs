//! Functions on text and bytes.

pub(crate) mod bytes;
pub(crate) mod case;
pub(crate) mod chars;
pub(crate) mod concat;
pub(crate) mod encode;
pub(crate) mod pad;
pub(crate) mod quote;
pub(crate) mod regexp;
pub(crate) mod split;
pub(crate) mod substr;

use super::error::{PgError, PgResult};
use super::function::Spec;

/// The longest text or bytea that a function makes.
pub(crate) const MAX_TEXT_BYTES: usize = 64 << 20;

/// The most text that one column of a batch may hold.
pub(crate) const MAX_COLUMN_BYTES: usize = 512 << 20;

/// The most elements that a text is split into.
pub(crate) const MAX_ITEMS: usize = 1 << 22;

/// Collects the parts of a text, if they are not too many.
pub(crate) fn bounded<T>(parts: impl Iterator<Item = T>) -> PgResult<Vec<T>> {
    let parts: Vec<T> = parts.take(MAX_ITEMS + 1).collect();
    if parts.len() > MAX_ITEMS {
        return Err(PgError::ProgramLimit(format!(
            "array size exceeds the maximum allowed ({MAX_ITEMS})"
        )));
    }
    Ok(parts)
}

/// Refuses a result of this many bytes if it is too long.
pub(crate) fn check_length(bytes: usize) -> PgResult<()> {
    if bytes > MAX_TEXT_BYTES {
        Err(PgError::too_large())
    } else {
        Ok(())
    }
}

/// The functions on text.
pub(crate) fn specs() -> Vec<Spec> {
    let mut specs = Vec::new();
    specs.extend_from_slice(substr::SPECS);
    specs.extend_from_slice(pad::SPECS);
    specs.extend_from_slice(split::SPECS);
    specs.extend_from_slice(chars::SPECS);
    specs.extend_from_slice(quote::SPECS);
    specs.extend_from_slice(regexp::SPECS);
    specs.extend_from_slice(encode::SPECS);
    specs.extend_from_slice(concat::SPECS);
    specs.extend_from_slice(case::SPECS);
    specs.extend_from_slice(bytes::SPECS);
    specs
}
