//! The catalog's objects: plain data, no I/O.

mod acl;
mod constraints;
mod database;
mod encryption;
mod mask;
mod quota;
mod relation;
mod role;
mod row_security;
mod schema;
mod sequence;
mod tenant;
mod usage;
mod user_type;

pub use acl::{Acl, AclItem, Privilege, Privileges};
pub use database::{Change, Database};
pub use encryption::{Encryption, WrappedKey};
pub use mask::{Mask, MaskedColumn, MaskingPolicy};
pub use quota::{
    Allowance, MAX_CPU_SHARE, Plan, Quota, Quotas, Source, USUAL_CPU_SHARE, Unit, in_force,
};
pub use relation::{
    Check, Column, ForeignAction, ForeignKey, Index, IndexPart, Key, KeyKind, Materialized,
    Reference, Relation, RelationBody, Scope, TENANT_COLUMN, Table, View, ViewColumn,
};
pub use role::{Membership, Role};
pub use row_security::{Condition, Policy, PolicyCommand, PolicyRole, Reader, RowSecurity};
pub use schema::{DefaultAcl, DefaultAclKind, Schema};
pub use sequence::{Identity, Sequence, draw_text, drawn_sequences};
pub use tenant::Tenant;
pub use usage::{Period, Usage, Used, today};
pub use user_type::{
    Domain, DomainCheck, EnumValue, TYPE_SCHEMA, UserType, UserTypeBody, named_types, type_text,
};
