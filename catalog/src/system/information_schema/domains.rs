//! `information_schema.domains` and its kin: domains, their conditions, and where they are used.

use super::columns::{Precision, data_type, udt_schema};
use super::yes_or_no;
use crate::model::UserType;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "domains",
    13320,
    "
    domain_catalog name, domain_schema name, domain_name name, data_type varchar,
    character_maximum_length int4, character_octet_length int4, character_set_catalog name,
    character_set_schema name, character_set_name name, collation_catalog name,
    collation_schema name, collation_name name, numeric_precision int4,
    numeric_precision_radix int4, numeric_scale int4, datetime_precision int4,
    interval_type varchar, interval_precision int4, domain_default varchar, udt_catalog name,
    udt_schema name, udt_name name, scope_catalog name, scope_schema name, scope_name name,
    maximum_cardinality int4, dtd_identifier name",
    domains,
);

pub(in crate::system) static DOMAIN_CONSTRAINTS: SystemTable = SystemTable::view(
    "information_schema",
    "domain_constraints",
    13310,
    "
    constraint_catalog name, constraint_schema name, constraint_name name,
    domain_catalog name, domain_schema name, domain_name name, is_deferrable varchar(3),
    initially_deferred varchar(3)",
    constraints,
);

pub(in crate::system) static COLUMN_DOMAIN_USAGE: SystemTable = SystemTable::view(
    "information_schema",
    "column_domain_usage",
    13280,
    "
    domain_catalog name, domain_schema name, domain_name name, table_catalog name,
    table_schema name, table_name name, column_name name",
    columns,
);

pub(in crate::system) static DOMAIN_UDT_USAGE: SystemTable = SystemTable::view(
    "information_schema",
    "domain_udt_usage",
    13315,
    "
    udt_catalog name, udt_schema name, udt_name name, domain_catalog name, domain_schema name,
    domain_name name",
    bases,
);

fn schema<'a>(scene: &'a Scene, user_type: &UserType) -> Option<&'a str> {
    scene.schema_name(scene.schema_of_type(user_type))
}

fn domains(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for user_type in scene.user_types() {
        let Some(domain) = user_type.domain() else {
            continue;
        };
        if scene.held_on_type(&me, user_type).privileges.is_empty() {
            continue;
        }
        let precision = Precision::of(&domain.base);
        row!(
            rows,
            domain_catalog: &scene.database.name,
            domain_schema: schema(scene, user_type),
            domain_name: &user_type.name,
            data_type: data_type(&domain.base),
            character_maximum_length: precision.characters,
            character_octet_length: precision.octets,
            numeric_precision: precision.digits,
            numeric_precision_radix: precision.radix,
            numeric_scale: precision.scale,
            datetime_precision: precision.fraction,
            domain_default: domain
                .default
                .as_deref()
                .map(|text| scene.default_text(text, &domain.base, &[])),
            udt_catalog: &scene.database.name,
            udt_schema: udt_schema(scene, &domain.base),
            udt_name: domain.base.typname(),
            dtd_identifier: "1",
        );
    }
}

fn constraints(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for (user_type, check) in scene.domain_checks() {
        if !me.is(scene.shown(user_type.owner)) {
            continue;
        }
        row!(
            rows,
            constraint_catalog: &scene.database.name,
            constraint_schema: schema(scene, user_type),
            constraint_name: &check.name,
            domain_catalog: &scene.database.name,
            domain_schema: schema(scene, user_type),
            domain_name: &user_type.name,
            is_deferrable: yes_or_no(false),
            initially_deferred: yes_or_no(false),
        );
    }
}

fn columns(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for (relation, column, user_type) in scene.domain_columns() {
        if !me.is(scene.shown(user_type.owner)) {
            continue;
        }
        row!(
            rows,
            domain_catalog: &scene.database.name,
            domain_schema: schema(scene, user_type),
            domain_name: &user_type.name,
            table_catalog: &scene.database.name,
            table_schema: scene.schema_name(scene.schema_of(relation)),
            table_name: &relation.name,
            column_name: column,
        );
    }
}

fn bases(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for user_type in scene.user_types() {
        let Some(domain) = user_type.domain() else {
            continue;
        };
        if !me.is(scene.shown(user_type.owner)) {
            continue;
        }
        row!(
            rows,
            udt_catalog: &scene.database.name,
            udt_schema: udt_schema(scene, &domain.base),
            udt_name: domain.base.typname(),
            domain_catalog: &scene.database.name,
            domain_schema: schema(scene, user_type),
            domain_name: &user_type.name,
        );
    }
}
