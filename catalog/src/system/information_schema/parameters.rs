//! `information_schema.parameters`: arguments of the functions that the role may call.

use super::columns::data_type;
use crate::model::Privilege;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "parameters",
    13334,
    "
    specific_catalog name, specific_schema name, specific_name name, ordinal_position int4,
    parameter_mode varchar, is_result varchar(3), as_locator varchar(3), parameter_name name,
    data_type varchar, character_maximum_length int4, character_octet_length int4,
    character_set_catalog name, character_set_schema name, character_set_name name,
    collation_catalog name, collation_schema name, collation_name name, numeric_precision int4,
    numeric_precision_radix int4, numeric_scale int4, datetime_precision int4,
    interval_type varchar, interval_precision int4, udt_catalog name, udt_schema name,
    udt_name name, scope_catalog name, scope_schema name, scope_name name,
    maximum_cardinality int4, dtd_identifier name, parameter_default varchar",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for function in scene.functions.iter() {
        if !scene
            .held_on_function(&me, &function.name)
            .has(Privilege::Execute, false)
        {
            continue;
        }
        for (position, argument) in function.args.iter().enumerate() {
            row!(
                rows,
                specific_catalog: &scene.database.name,
                specific_schema: "pg_catalog",
                specific_name: format!("{}_{}", function.name, function.oid),
                ordinal_position: position as i64 + 1,
                parameter_mode: "IN",
                is_result: "NO",
                as_locator: "NO",
                parameter_name: function.arg_names.get(position).filter(|name| !name.is_empty()),
                data_type: data_type(argument),
                udt_catalog: &scene.database.name,
                udt_schema: "pg_catalog",
                udt_name: argument.typname(),
                dtd_identifier: (position + 1).to_string(),
            );
        }
    }
}
