//! `pg_listening_channels()`: what the session listens to.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

/// The rows of the function; it is no relation, so it has no number.
pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_listening_channels",
    0,
    "
    pg_listening_channels text",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for channel in scene.listening.iter() {
        row!(rows, pg_listening_channels: channel);
    }
}
