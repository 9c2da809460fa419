//! REFRESH MATERIALIZED VIEW.

use crate::error::Result;
use crate::planner::ast::Body;
use crate::planner::cursor::Cursor;

/// Reads REFRESH, or nothing if it is another statement.
pub(super) fn read(cursor: &mut Cursor<'_>) -> Result<Option<Body>> {
    if !cursor.accept(&["REFRESH", "MATERIALIZED", "VIEW"]) {
        return Ok(None);
    }
    let concurrently = cursor.accept(&["CONCURRENTLY"]);
    let name = cursor.object_name()?;
    let with_data = !cursor.accept(&["WITH", "NO", "DATA"]);
    if with_data {
        cursor.accept(&["WITH", "DATA"]);
    }
    Ok(Some(Body::Refresh {
        name,
        concurrently,
        with_data,
    }))
}
