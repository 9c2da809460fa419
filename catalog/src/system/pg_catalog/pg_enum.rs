//! `pg_enum`: the words of enums and their order.

use crate::id::Oid;
use crate::model::UserType;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_enum",
    3501,
    "
    oid oid, enumtypid oid, enumsortorder float4, enumlabel name",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    match rows.numbers("enumtypid") {
        Some(numbers) => {
            for user_type in numbers.iter().filter_map(|n| scene.user_type(Oid(*n))) {
                add(rows, user_type);
            }
        }
        None => {
            for user_type in scene.user_types() {
                add(rows, user_type);
            }
        }
    }
}

fn add(rows: &mut Rows, user_type: &UserType) {
    for value in user_type.values().unwrap_or_default() {
        row!(
            rows,
            oid: value.oid,
            enumtypid: user_type.oid,
            enumsortorder: f64::from(value.sort_order),
            enumlabel: &value.label,
        );
    }
}
