//! `pg_timezone_names`: the time zones that `SET TIME ZONE` takes, as they stand now.

use chrono::{Offset, Utc};
use chrono_tz::{OffsetComponents, OffsetName, TZ_VARIANTS};

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_timezone_names",
    12126,
    "
    name text, abbrev text, utc_offset interval, is_dst bool",
    rows,
);

fn rows(_: &Scene, rows: &mut Rows) {
    const MICROS: i64 = 1_000_000;
    let now = Utc::now();
    for zone in TZ_VARIANTS {
        let local = now.with_timezone(&zone);
        let offset = local.offset();
        let seconds = offset.fix().local_minus_utc();
        row!(
            rows,
            name: zone.name(),
            abbrev: match offset.abbreviation() {
                Some(abbreviation) => abbreviation.to_owned(),
                None => numeric(seconds),
            },
            utc_offset: i64::from(seconds) * MICROS,
            is_dst: !offset.dst_offset().is_zero(),
        );
    }
}

/// The abbreviation of a zone that has none, such as `+0545`.
fn numeric(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.abs() / 60;
    match minutes % 60 {
        0 => format!("{sign}{:02}", minutes / 60),
        rest => format!("{sign}{:02}{rest:02}", minutes / 60),
    }
}
