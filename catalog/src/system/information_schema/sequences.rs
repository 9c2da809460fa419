//! `information_schema.sequences`: sequences that the role may use.

use super::yes_or_no;
use crate::system::information_schema::columns::{Precision, data_type};
use crate::system::rows::{Rows, row};
use crate::system::scene::{Class, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "sequences",
    13386,
    "
    sequence_catalog name, sequence_schema name, sequence_name name, data_type varchar,
    numeric_precision int4, numeric_precision_radix int4, numeric_scale int4,
    start_value varchar, minimum_value varchar, maximum_value varchar, increment varchar,
    cycle_option varchar(3)",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    for relation in scene.relations() {
        let Some(sequence) = relation.sequence() else {
            continue;
        };
        let class = Class::Relation(relation);
        // Identity columns' own are not shown.
        if !scene.shows(class) || scene.is_of_identity(sequence) {
            continue;
        }
        let precision = Precision::of(&sequence.sql_type);
        row!(
            rows,
            sequence_catalog: &scene.database.name,
            sequence_schema: scene.schema_name(class.schema(scene)),
            sequence_name: &relation.name,
            data_type: data_type(&sequence.sql_type),
            numeric_precision: precision.digits,
            numeric_precision_radix: precision.radix,
            numeric_scale: precision.scale,
            start_value: sequence.start.to_string(),
            minimum_value: sequence.min.to_string(),
            maximum_value: sequence.max.to_string(),
            increment: sequence.increment.to_string(),
            cycle_option: yes_or_no(sequence.cycle),
        );
    }
}
