//! `pg_hba_file_rules` and `pg_ident_file_mappings`: who may log in from where and how, for operators
//! alone, as the server's files say at this moment.

use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_hba_file_rules",
    12114,
    "
    line_number int4, type text, database text[], user_name text[], address text,
    netmask text, auth_method text, options text[], error text",
    rules,
);

pub(in crate::system) static PG_IDENT_FILE_MAPPINGS: SystemTable = SystemTable::view(
    "pg_catalog",
    "pg_ident_file_mappings",
    12118,
    "
    line_number int4, map_name text, sys_name text, pg_username text, error text",
    mappings,
);

fn rules(scene: &Scene, rows: &mut Rows) {
    let Some(files) = scene.login_files.as_ref().filter(|_| scene.superuser) else {
        return;
    };
    for rule in files().rules {
        row!(
            rows,
            line_number: rule.line_number,
            type: rule.kind,
            database: rule.database,
            user_name: rule.user_name,
            address: rule.address,
            netmask: rule.netmask,
            auth_method: rule.auth_method,
            options: rule.options,
            error: rule.error,
        );
    }
}

fn mappings(scene: &Scene, rows: &mut Rows) {
    let Some(files) = scene.login_files.as_ref().filter(|_| scene.superuser) else {
        return;
    };
    for mapping in files().mappings {
        row!(
            rows,
            line_number: mapping.line_number,
            map_name: mapping.map_name,
            sys_name: mapping.sys_name,
            pg_username: mapping.pg_username,
            error: mapping.error,
        );
    }
}
