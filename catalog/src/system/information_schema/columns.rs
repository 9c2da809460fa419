//! `information_schema.columns`: columns on which the role has any right.

use super::yes_or_no;
use crate::model::Identity;
use crate::model::Privileges;
use crate::sql_type::SqlType;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Attribute, Class, Scene, attributes};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "information_schema",
    "columns",
    13295,
    "
    table_catalog name, table_schema name, table_name name, column_name name,
    ordinal_position int4, column_default varchar, is_nullable varchar(3), data_type varchar,
    character_maximum_length int4, character_octet_length int4, numeric_precision int4,
    numeric_precision_radix int4, numeric_scale int4, datetime_precision int4,
    interval_type varchar, interval_precision int4, character_set_catalog name,
    character_set_schema name, character_set_name name, collation_catalog name,
    collation_schema name, collation_name name, domain_catalog name, domain_schema name,
    domain_name name, udt_catalog name, udt_schema name, udt_name name, scope_catalog name,
    scope_schema name, scope_name name, maximum_cardinality int4, dtd_identifier name,
    is_self_referencing varchar(3), is_identity varchar(3), identity_generation varchar,
    identity_start varchar, identity_increment varchar, identity_maximum varchar,
    identity_minimum varchar, identity_cycle varchar(3), is_generated varchar,
    generation_expression varchar, is_updatable varchar(3)",
    rows,
);

fn rows(scene: &Scene, rows: &mut Rows) {
    let me = scene.me();
    for class in scene.classes() {
        if !rows.may_have("table_name", class.name()) {
            continue;
        }
        let Some(schema) = scene.schema_name(class.schema(scene)) else {
            continue;
        };
        if !rows.may_have("table_schema", schema) {
            continue;
        }
        match class {
            Class::Relation(relation) => {
                let owns = me.is(class.owner(scene));
                let table = class.kind() == 'r';
                for column in attributes(relation).iter().filter(|column| !column.dropped) {
                    let shown = || {
                        let held = scene.held_on_column(&me, relation, column);
                        !held
                            .privileges
                            .intersection(Privileges::of_column())
                            .is_empty()
                    };
                    if owns || shown() {
                        add(scene, rows, (schema, &relation.name), column, (owns, table));
                    }
                }
            }
            Class::System(system) if scene.shows(class) => {
                for (number, column) in (1..).zip(system.columns()) {
                    let column = Attribute {
                        number,
                        name: column.name.into(),
                        sql_type: &column.sql_type,
                        domain: None,
                        fraction: None,
                        not_null: false,
                        default: None,
                        identity: None,
                        draws: None,
                        generated: false,
                        missing_default: None,
                        acl: None,
                        comment: None,
                        dropped: false,
                    };
                    add(scene, rows, (schema, system.name), &column, (false, false));
                }
            }
            Class::System(_) | Class::Index(..) => {}
        }
    }
}

fn add(
    scene: &Scene,
    rows: &mut Rows,
    (schema, table): (&str, &str),
    column: &Attribute<'_>,
    (owns, updatable): (bool, bool),
) {
    let sql_type = column.sql_type;
    let precision = Precision::of(sql_type);
    let domain = column.domain.and_then(|oid| scene.user_type(oid));
    let sequence = column
        .draws
        .and_then(|number| scene.relation(number)?.sequence());
    row!(
        rows,
        table_catalog: &scene.database.name,
        table_schema: schema,
        table_name: table,
        column_name: column.name.as_ref(),
        ordinal_position: column.number,
        column_default: column
            .default
            .filter(|_| owns && !column.generated)
            .map(|text| scene.default_text(text, sql_type, &[])),
        is_nullable: yes_or_no(!column.not_null),
        data_type: data_type(sql_type),
        character_maximum_length: precision.characters,
        character_octet_length: precision.octets,
        numeric_precision: precision.digits,
        numeric_precision_radix: precision.radix,
        numeric_scale: precision.scale,
        datetime_precision: column.fraction.map(i64::from).or(precision.fraction),
        domain_catalog: domain.map(|_| &scene.database.name),
        domain_schema: domain.and_then(|d| scene.schema_name(scene.schema_of_type(d))),
        domain_name: domain.map(|domain| &domain.name),
        udt_catalog: &scene.database.name,
        udt_schema: udt_schema(scene, sql_type),
        udt_name: sql_type.typname(),
        dtd_identifier: column.number.to_string(),
        is_self_referencing: "NO",
        is_identity: yes_or_no(column.identity.is_some()),
        identity_generation: column.identity.map(|identity| match identity {
            Identity::Always => "ALWAYS",
            Identity::ByDefault => "BY DEFAULT",
        }),
        identity_start: sequence.map(|sequence| sequence.start.to_string()),
        identity_increment: sequence.map(|sequence| sequence.increment.to_string()),
        identity_maximum: sequence.map(|sequence| sequence.max.to_string()),
        identity_minimum: sequence.map(|sequence| sequence.min.to_string()),
        identity_cycle: yes_or_no(sequence.is_some_and(|sequence| sequence.cycle)),
        is_generated: if column.generated { "ALWAYS" } else { "NEVER" },
        generation_expression: column.default.filter(|_| owns && column.generated),
        is_updatable: yes_or_no(updatable),
    );
}

/// The name in `data_type`.
pub(super) fn data_type(sql_type: &SqlType) -> String {
    match sql_type {
        SqlType::Array(_) | SqlType::Int2Vector | SqlType::OidVector => "ARRAY".to_owned(),
        SqlType::Varchar(_) => "character varying".to_owned(),
        SqlType::Char(_) => "character".to_owned(),
        SqlType::Numeric(_) => "numeric".to_owned(),
        SqlType::Enum(_) => "USER-DEFINED".to_owned(),
        other => other.to_string(),
    }
}

/// The schema in `udt_schema`.
pub(super) fn udt_schema<'a>(scene: &'a Scene, sql_type: &SqlType) -> Option<&'a str> {
    let user_type = sql_type.enum_oid().and_then(|oid| scene.user_type(oid));
    match user_type {
        Some(user_type) => scene.schema_name(scene.schema_of_type(user_type)),
        None => Some("pg_catalog"),
    }
}

/// The lengths and precisions that information_schema gives for a type.
#[derive(Default)]
pub(in crate::system) struct Precision {
    pub(in crate::system) characters: Option<i64>,
    pub(in crate::system) octets: Option<i64>,
    pub(in crate::system) digits: Option<i64>,
    pub(in crate::system) radix: Option<i64>,
    pub(in crate::system) scale: Option<i64>,
    pub(in crate::system) fraction: Option<i64>,
}

impl Precision {
    /// Those of `sql_type`.
    pub(in crate::system) fn of(sql_type: &SqlType) -> Self {
        const MAX_OCTETS: i64 = 1 << 30;
        let binary = |digits, scale| Self {
            digits: Some(digits),
            radix: Some(2),
            scale,
            ..Self::default()
        };
        match sql_type {
            SqlType::Int2 => binary(16, Some(0)),
            SqlType::Int4 => binary(32, Some(0)),
            SqlType::Int8 => binary(64, Some(0)),
            SqlType::Float4 => binary(24, None),
            SqlType::Float8 => binary(53, None),
            SqlType::Numeric(limits) => Self {
                digits: limits.map(|limits| i64::from(limits.0)),
                radix: Some(10),
                scale: limits.map(|limits| i64::from(limits.1)),
                ..Self::default()
            },
            SqlType::Text | SqlType::Varchar(None) => Self {
                octets: Some(MAX_OCTETS),
                ..Self::default()
            },
            SqlType::Varchar(Some(n)) | SqlType::Char(n) => Self {
                characters: Some(i64::from(*n)),
                octets: Some(i64::from(*n) * 4),
                ..Self::default()
            },
            SqlType::Date => Self {
                fraction: Some(0),
                ..Self::default()
            },
            SqlType::Time
            | SqlType::Timetz
            | SqlType::Timestamp
            | SqlType::Timestamptz
            | SqlType::Interval => Self {
                fraction: Some(6),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}
