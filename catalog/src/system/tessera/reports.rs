//! The audit and the reports over it and over rights: their columns. Their rows are read from the
//! catalog's database while a query runs, so the session provides them; here they have none.

use crate::system::table::{SystemTable, no_rows};

pub(in crate::system) static AUDIT_LOG: SystemTable = SystemTable::view(
    "tessera",
    "audit_log",
    13_120,
    "
    number int8, at timestamptz, tenant text, kind text, tag text, object text, login text, role text,
    operator bool, session text, client_addr text, sqlstate text, fingerprint text, statement text,
    row_count int8, byte_count int8, repeats int8, hash text",
    no_rows,
);

/// What the function `tessera.audit_verify()` answers; no view.
pub(in crate::system) static AUDIT_VERIFY: SystemTable = SystemTable::view(
    "tessera",
    "audit_verify",
    13_121,
    "
    valid bool, checked int8, first_number int8, last_number int8, pruned_to int8, head text,
    broken_at int8, problem text",
    no_rows,
);

pub(in crate::system) static WHO_CAN_READ: SystemTable = SystemTable::view(
    "tessera",
    "who_can_read",
    13_122,
    "
    tenant text, role text, can_login bool, schemaname text, relation text, kind text, through text[],
    columns text[], policies text[], masked_columns text[]",
    no_rows,
);

pub(in crate::system) static UNUSED_ROLES: SystemTable = SystemTable::view(
    "tessera",
    "unused_roles",
    13_123,
    "
    tenant text, role text, last_login timestamptz",
    no_rows,
);

pub(in crate::system) static LAST_LOGINS: SystemTable = SystemTable::view(
    "tessera",
    "last_logins",
    13_124,
    "
    tenant text, role text, last_login timestamptz, logins int8, last_failure timestamptz,
    failures int8",
    no_rows,
);

pub(in crate::system) static FAILED_LOGINS: SystemTable = SystemTable::view(
    "tessera",
    "failed_logins",
    13_125,
    "
    at timestamptz, tenant text, login text, client_addr text, sqlstate text, repeats int8",
    no_rows,
);

pub(in crate::system) static TABLES_WITHOUT_POLICIES: SystemTable = SystemTable::view(
    "tessera",
    "tables_without_policies",
    13_126,
    "
    tenant text, schemaname text, tablename text, scope text, row_security bool, sensitive bool",
    no_rows,
);

/// The views among them.
pub(in crate::system) static VIEWS: [&SystemTable; 6] = [
    &AUDIT_LOG,
    &WHO_CAN_READ,
    &UNUSED_ROLES,
    &LAST_LOGINS,
    &FAILED_LOGINS,
    &TABLES_WITHOUT_POLICIES,
];
