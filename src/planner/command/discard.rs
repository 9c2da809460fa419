//! What DISCARD names.

use crate::error::Result;
use crate::planner::ast::Discard;
use crate::planner::cursor::Cursor;

/// Reads DISCARD's target.
pub(super) fn discard(cursor: &mut Cursor<'_>) -> Result<Discard> {
    for (keyword, target) in [
        ("ALL", Discard::All),
        ("PLANS", Discard::Plans),
        ("SEQUENCES", Discard::Sequences),
        ("TEMPORARY", Discard::Temporary),
        ("TEMP", Discard::Temporary),
    ] {
        if cursor.accept(&[keyword]) {
            return Ok(target);
        }
    }
    Err(cursor.unexpected())
}
