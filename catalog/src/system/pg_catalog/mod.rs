//! `pg_catalog`: PostgreSQL's system catalogs, one file each; those without rows share one.

mod empty;
pub(in crate::system) mod pg_aggregate;
pub(in crate::system) mod pg_am;
pub(in crate::system) mod pg_attrdef;
pub(in crate::system) mod pg_attribute;
pub(in crate::system) mod pg_auth_members;
pub(in crate::system) mod pg_authid;
pub(in crate::system) mod pg_cast;
pub(in crate::system) mod pg_class;
pub(in crate::system) mod pg_collation;
pub(in crate::system) mod pg_constraint;
pub(in crate::system) mod pg_cursors;
pub(in crate::system) mod pg_database;
pub(in crate::system) mod pg_db_role_setting;
pub(in crate::system) mod pg_default_acl;
pub(in crate::system) mod pg_depend;
pub(in crate::system) mod pg_description;
pub(in crate::system) mod pg_enum;
pub(in crate::system) mod pg_get_keywords;
pub(in crate::system) mod pg_group;
pub(in crate::system) mod pg_hba_file_rules;
pub(in crate::system) mod pg_index;
pub(in crate::system) mod pg_indexes;
pub(in crate::system) mod pg_language;
pub(in crate::system) mod pg_listening_channels;
pub(in crate::system) mod pg_locks;
pub(in crate::system) mod pg_matviews;
pub(in crate::system) mod pg_namespace;
pub(in crate::system) mod pg_opclass;
pub(in crate::system) mod pg_operator;
pub(in crate::system) mod pg_opfamily;
pub(in crate::system) mod pg_policy;
pub(in crate::system) mod pg_prepared_statements;
pub(in crate::system) mod pg_proc;
pub(in crate::system) mod pg_rewrite;
pub(in crate::system) mod pg_roles;
pub(in crate::system) mod pg_sequence;
pub(in crate::system) mod pg_sequences;
pub(in crate::system) mod pg_settings;
pub(in crate::system) mod pg_shadow;
pub(in crate::system) mod pg_shdescription;
pub(in crate::system) mod pg_stat_activity;
pub(in crate::system) mod pg_stat_database;
pub(in crate::system) mod pg_stat_gssapi;
pub(in crate::system) mod pg_stat_ssl;
pub(in crate::system) mod pg_stat_tables;
pub(in crate::system) mod pg_tables;
pub(in crate::system) mod pg_tablespace;
pub(in crate::system) mod pg_timezone_abbrevs;
pub(in crate::system) mod pg_timezone_names;
pub(in crate::system) mod pg_type;
pub(in crate::system) mod pg_user;
pub(in crate::system) mod pg_views;

use super::table::SystemTable;

/// Those with rows.
static FILLED: [&SystemTable; 59] = [
    &pg_aggregate::TABLE,
    &pg_am::TABLE,
    &pg_attrdef::TABLE,
    &pg_attribute::TABLE,
    &pg_auth_members::TABLE,
    &pg_authid::TABLE,
    &pg_cast::TABLE,
    &pg_class::TABLE,
    &pg_collation::TABLE,
    &pg_constraint::TABLE,
    &pg_cursors::TABLE,
    &pg_database::TABLE,
    &pg_db_role_setting::TABLE,
    &pg_default_acl::TABLE,
    &pg_depend::TABLE,
    &pg_description::TABLE,
    &pg_enum::TABLE,
    &pg_group::TABLE,
    &pg_hba_file_rules::TABLE,
    &pg_hba_file_rules::PG_IDENT_FILE_MAPPINGS,
    &pg_index::TABLE,
    &pg_indexes::TABLE,
    &pg_language::TABLE,
    &pg_locks::TABLE,
    &pg_matviews::TABLE,
    &pg_namespace::TABLE,
    &pg_opclass::TABLE,
    &pg_operator::TABLE,
    &pg_opfamily::TABLE,
    &pg_policy::TABLE,
    &pg_policy::PG_POLICIES,
    &pg_prepared_statements::TABLE,
    &pg_proc::TABLE,
    &pg_rewrite::TABLE,
    &pg_roles::TABLE,
    &pg_sequence::TABLE,
    &pg_sequences::TABLE,
    &pg_settings::TABLE,
    &pg_shadow::TABLE,
    &pg_shdescription::TABLE,
    &pg_stat_activity::TABLE,
    &pg_stat_database::TABLE,
    &pg_stat_gssapi::TABLE,
    &pg_stat_ssl::TABLE,
    &pg_tables::TABLE,
    &pg_tablespace::TABLE,
    &pg_timezone_abbrevs::TABLE,
    &pg_timezone_names::TABLE,
    &pg_type::TABLE,
    &pg_user::TABLE,
    &pg_views::TABLE,
    &pg_stat_tables::PG_STAT_ALL_INDEXES,
    &pg_stat_tables::PG_STAT_ALL_TABLES,
    &pg_stat_tables::PG_STAT_SYS_TABLES,
    &pg_stat_tables::PG_STAT_USER_INDEXES,
    &pg_stat_tables::PG_STAT_USER_TABLES,
    &pg_stat_tables::PG_STATIO_ALL_TABLES,
    &pg_stat_tables::PG_STATIO_SYS_TABLES,
    &pg_stat_tables::PG_STATIO_USER_TABLES,
];

/// Those without rows.
pub(super) fn empty_tables() -> impl Iterator<Item = &'static SystemTable> {
    empty::tables()
}

/// All of them.
pub(super) fn tables() -> impl Iterator<Item = &'static SystemTable> {
    FILLED.into_iter().chain(empty::tables())
}
