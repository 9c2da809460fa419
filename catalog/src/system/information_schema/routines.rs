//! `information_schema.routines`: functions that the role may call.

use super::columns::data_type;
use super::yes_or_no;
use crate::model::Privilege;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "routines",
    13377,
    "
    specific_catalog name, specific_schema name, specific_name name, routine_catalog name,
    routine_schema name, routine_name name, routine_type varchar, module_catalog name,
    module_schema name, module_name name, udt_catalog name, udt_schema name, udt_name name,
    data_type varchar, character_maximum_length int4, character_octet_length int4,
    character_set_catalog name, character_set_schema name, character_set_name name,
    collation_catalog name, collation_schema name, collation_name name, numeric_precision int4,
    numeric_precision_radix int4, numeric_scale int4, datetime_precision int4,
    interval_type varchar, interval_precision int4, type_udt_catalog name, type_udt_schema name,
    type_udt_name name, scope_catalog name, scope_schema name, scope_name name,
    maximum_cardinality int4, dtd_identifier name, routine_body varchar,
    routine_definition varchar, external_name varchar, external_language varchar,
    parameter_style varchar, is_deterministic varchar(3), sql_data_access varchar,
    is_null_call varchar(3), sql_path varchar, schema_level_routine varchar(3),
    max_dynamic_result_sets int4, is_user_defined_cast varchar(3),
    is_implicitly_invocable varchar(3), security_type varchar, to_sql_specific_catalog name,
    to_sql_specific_schema name, to_sql_specific_name name, as_locator varchar(3),
    created timestamptz, last_altered timestamptz, new_savepoint_level varchar(3),
    is_udt_dependent varchar(3), result_cast_from_data_type varchar,
    result_cast_as_locator varchar(3), result_cast_char_max_length int4,
    result_cast_char_octet_length int4, result_cast_char_set_catalog name,
    result_cast_char_set_schema name, result_cast_char_set_name name,
    result_cast_collation_catalog name, result_cast_collation_schema name,
    result_cast_collation_name name, result_cast_numeric_precision int4,
    result_cast_numeric_precision_radix int4, result_cast_numeric_scale int4,
    result_cast_datetime_precision int4, result_cast_interval_type varchar,
    result_cast_interval_precision int4, result_cast_type_udt_catalog name,
    result_cast_type_udt_schema name, result_cast_type_udt_name name,
    result_cast_scope_catalog name, result_cast_scope_schema name, result_cast_scope_name name,
    result_cast_maximum_cardinality int4, result_cast_dtd_identifier name",
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
        row!(
            rows,
            specific_catalog: &scene.database.name,
            specific_schema: "pg_catalog",
            specific_name: format!("{}_{}", function.name, function.oid),
            routine_catalog: &scene.database.name,
            routine_schema: "pg_catalog",
            routine_name: &function.name,
            routine_type: (function.kind == 'f').then_some("FUNCTION"),
            data_type: data_type(&function.result),
            type_udt_catalog: &scene.database.name,
            type_udt_schema: "pg_catalog",
            type_udt_name: function.result.typname(),
            dtd_identifier: "0",
            routine_body: "EXTERNAL",
            external_language: "INTERNAL",
            parameter_style: "GENERAL",
            is_deterministic: yes_or_no(function.volatility == 'i'),
            sql_data_access: "MODIFIES",
            is_null_call: yes_or_no(function.strict),
            schema_level_routine: "YES",
            max_dynamic_result_sets: 0,
            security_type: "INVOKER",
            as_locator: "NO",
            is_udt_dependent: "NO",
        );
    }
}
