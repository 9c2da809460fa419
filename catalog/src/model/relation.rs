//! Tables and views.

use serde::{Deserialize, Serialize};

use super::acl::Acl;
use super::sequence::{Identity, Sequence};
use crate::id::{Oid, TableUuid};
use crate::sql_type::SqlType;

/// A table or view of one schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relation {
    pub oid: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    pub acl: Option<Acl>,
    pub comment: Option<String>,
    pub body: RelationBody,
}

/// What a relation is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum RelationBody {
    Table(Table),
    View(View),
    Sequence(Sequence),
}

/// Who has a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    /// Its own database alone: a tenant's table, or one of the schema `internal`.
    Own,
    /// Every tenant its own rows; made by an operator.
    Common,
    /// One set of rows that tenants may read; made by an operator.
    Shared,
}

/// A stored table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub uuid: TableUuid,
    pub scope: Scope,
    /// In order of their numbers; dropped ones stay, so that no number or file column is used twice.
    pub columns: Vec<Column>,
    pub checks: Vec<Check>,
    pub keys: Vec<Key>,
    /// Grows with each change of the columns, so that a part knows whether its log has the newest.
    pub schema_version: u64,
    /// Of a materialised view, the query whose rows it holds.
    #[serde(default)]
    pub query: Option<Materialized>,
    /// Whether the audit records who reads its rows.
    #[serde(default)]
    pub sensitive: bool,
}

/// The query of a materialised view, bound as a view's is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Materialized {
    pub definition: String,
    pub bound: String,
    pub references: Vec<Reference>,
    /// Whether it has been run since the view was made or emptied.
    pub populated: bool,
}

impl Table {
    /// The columns that exist, in order.
    pub fn live_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.dropped)
    }

    /// Its foreign keys, enforced or not.
    pub fn foreign_keys(&self) -> impl Iterator<Item = (&Key, &ForeignKey)> {
        let keys = self.keys.iter();
        keys.filter_map(|key| Some((key, key.foreign()?)))
    }

    /// The live column of this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.live_columns().find(|column| column.name == name)
    }
}

/// The name of the column that tells the tenant in a common table.
pub const TENANT_COLUMN: &str = "tenant_id";

/// A column of a stored table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// `pg_attribute.attnum`, and the field id in files: from 1, never used twice.
    pub number: i16,
    pub name: String,
    /// The column's name in files, made at its birth and never changed; empty for the column
    /// `tenant_id` of a common table, which no file holds.
    pub physical: String,
    /// What values are; of a column of a domain, the type below it.
    #[serde(with = "sql_type_name")]
    pub sql_type: SqlType,
    /// The domain that the column has for its type.
    #[serde(default)]
    pub domain: Option<Oid>,
    /// How many digits of seconds values keep, where the type says so.
    #[serde(default)]
    pub fraction: Option<u8>,
    pub nullable: bool,
    /// The default's expression as SQL text.
    pub default: Option<String>,
    /// What files from before this column hold in it: SQL text of a constant.
    pub missing_default: Option<String>,
    /// Whether the default is the column's own sequence.
    #[serde(default)]
    pub identity: Option<Identity>,
    /// The expression over the table's other columns that makes the value.
    #[serde(default)]
    pub generated: Option<String>,
    pub acl: Option<Acl>,
    pub comment: Option<String>,
    pub dropped: bool,
}

impl Column {
    /// Whether the column is the unstored tenant's name of a common table.
    pub fn is_tenant(&self) -> bool {
        self.physical.is_empty()
    }
}

/// A CHECK constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    pub oid: Oid,
    pub name: String,
    /// The condition as SQL text.
    pub expression: String,
}

/// A declared key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub oid: Oid,
    pub name: String,
    pub kind: KeyKind,
    /// Numbers of the key's columns, in order.
    pub columns: Vec<i16>,
    /// Whether writes are checked against it.
    pub enforced: bool,
    /// Whether rows that agree where they are not NULL count as equal.
    #[serde(default)]
    pub nulls_not_distinct: bool,
}

impl Key {
    /// Whether the key is one that an index would hold.
    pub fn has_index(&self) -> bool {
        match self.kind {
            KeyKind::Primary | KeyKind::Unique | KeyKind::Index(_) => true,
            KeyKind::Foreign(_) => false,
        }
    }

    /// Whether it has a row in `pg_constraint`.
    pub fn is_constraint(&self) -> bool {
        !matches!(self.kind, KeyKind::Index(_))
    }

    /// Whether rows differ in it, if it is enforced.
    pub fn is_unique(&self) -> bool {
        match &self.kind {
            KeyKind::Primary | KeyKind::Unique => true,
            KeyKind::Index(index) => index.unique,
            KeyKind::Foreign(_) => false,
        }
    }

    /// The index, if CREATE INDEX made it.
    pub fn index(&self) -> Option<&Index> {
        match &self.kind {
            KeyKind::Index(index) => Some(index),
            KeyKind::Primary | KeyKind::Unique | KeyKind::Foreign(_) => None,
        }
    }

    /// What the key refers to, if it is a foreign one.
    pub fn foreign(&self) -> Option<&ForeignKey> {
        match &self.kind {
            KeyKind::Foreign(foreign) => Some(foreign),
            KeyKind::Primary | KeyKind::Unique | KeyKind::Index(_) => None,
        }
    }

    /// Whether no two rows may have the same values in the key's columns.
    pub fn is_checked(&self) -> bool {
        self.enforced && self.is_unique()
    }
}

/// What a key is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyKind {
    Primary,
    Unique,
    Foreign(ForeignKey),
    /// Made by CREATE INDEX: no constraint, but held all the same if it is unique.
    Index(Index),
}

/// What CREATE INDEX said; rows are found without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    pub unique: bool,
    /// The access method's name.
    pub method: String,
    pub parts: Vec<IndexPart>,
    /// Numbers of the columns after INCLUDE.
    pub include: Vec<i16>,
    /// The condition after WHERE as SQL text.
    pub predicate: Option<String>,
}

/// A column or an expression of an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPart {
    /// The column's number, 0 for an expression.
    pub column: i16,
    /// The expression as SQL text.
    pub expression: Option<String>,
    pub descending: bool,
    pub nulls_first: bool,
}

impl IndexPart {
    /// The bits of `pg_index.indoption`.
    pub fn option(&self) -> i16 {
        i16::from(self.descending) | i16::from(self.nulls_first) << 1
    }
}

/// What a foreign key refers to, and what happens when that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The table that is referred to.
    pub relation: Oid,
    /// Numbers of its columns, in the order of the key's own.
    pub columns: Vec<i16>,
    #[serde(default)]
    pub on_update: ForeignAction,
    #[serde(default)]
    pub on_delete: ForeignAction,
    /// MATCH FULL: a row's key is NULL in all columns or in none.
    #[serde(default)]
    pub match_full: bool,
    /// Whether SET CONSTRAINTS can put off its check to the end of the transaction.
    #[serde(default)]
    pub deferrable: bool,
    /// Whether it is put off unless SET CONSTRAINTS says otherwise.
    #[serde(default)]
    pub deferred: bool,
}

/// What happens to rows whose key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ForeignAction {
    /// The statement fails, unless the key is there again at its end.
    #[default]
    NoAction,
    /// The statement fails.
    Restrict,
    /// They go too, or take over the new key.
    Cascade,
    SetNull,
    SetDefault,
}

impl ForeignAction {
    /// The letter in `pg_constraint.confupdtype` and `confdeltype`.
    pub fn letter(self) -> char {
        match self {
            Self::NoAction => 'a',
            Self::Restrict => 'r',
            Self::Cascade => 'c',
            Self::SetNull => 'n',
            Self::SetDefault => 'd',
        }
    }

    /// The words in SQL.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::Cascade => "CASCADE",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
        }
    }
}

/// A view: a query over objects that are named by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// The query as its author wrote it, for `pg_get_viewdef`.
    pub definition: String,
    /// The query with each relation replaced by a name that only [`View::references`] explains.
    pub bound: String,
    /// What the names in [`View::bound`] stand for.
    pub references: Vec<Reference>,
    pub columns: Vec<ViewColumn>,
    /// Whether it runs with the rights of the one who reads it.
    pub security_invoker: bool,
    pub security_barrier: bool,
}

/// A relation that a view reads, and the columns it had when the view was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    pub relation: Oid,
    /// Number and the name at that time, in order.
    pub columns: Vec<(i16, String)>,
}

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewColumn {
    pub name: String,
    #[serde(with = "sql_type_name")]
    pub sql_type: SqlType,
    /// Whether it is a number that is worked out: its precision is the server's, and not told.
    #[serde(default)]
    pub calculated: bool,
    pub acl: Option<Acl>,
    pub comment: Option<String>,
}

impl ViewColumn {
    /// The type that clients are told.
    pub fn shown_type(&self) -> &SqlType {
        static NUMBER: SqlType = SqlType::Numeric(None);
        if self.calculated {
            &NUMBER
        } else {
            &self.sql_type
        }
    }
}

impl Relation {
    /// The table, unless this is a view.
    pub fn table(&self) -> Option<&Table> {
        match &self.body {
            RelationBody::Table(table) => Some(table),
            RelationBody::View(_) | RelationBody::Sequence(_) => None,
        }
    }

    /// The view, unless this is a table.
    pub fn view(&self) -> Option<&View> {
        match &self.body {
            RelationBody::View(view) => Some(view),
            RelationBody::Table(_) | RelationBody::Sequence(_) => None,
        }
    }

    /// The sequence, if this is one.
    pub fn sequence(&self) -> Option<&Sequence> {
        match &self.body {
            RelationBody::Sequence(sequence) => Some(sequence),
            RelationBody::Table(_) | RelationBody::View(_) => None,
        }
    }

    /// The query of a materialised view.
    pub fn materialized(&self) -> Option<&Materialized> {
        self.table()?.query.as_ref()
    }

    /// What the query of a view reads, materialised or not.
    pub fn references(&self) -> &[Reference] {
        let view = self.view().map(|view| view.references.as_slice());
        let stored = self.materialized().map(|query| query.references.as_slice());
        view.or(stored).unwrap_or_default()
    }

    /// The letter in `pg_class.relkind`.
    pub fn kind_letter(&self) -> char {
        match &self.body {
            RelationBody::Table(table) if table.query.is_some() => 'm',
            RelationBody::Table(_) => 'r',
            RelationBody::View(_) => 'v',
            RelationBody::Sequence(_) => 'S',
        }
    }
}

/// Keeps a SQL type as its name.
pub(super) mod sql_type_name {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::sql_type::SqlType;

    pub(in crate::model) fn serialize<S: Serializer>(
        value: &SqlType,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.serial())
    }

    pub(in crate::model) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SqlType, D::Error> {
        let name = String::deserialize(from)?;
        SqlType::parse(&name).ok_or_else(|| D::Error::custom(format!("unknown type \"{name}\"")))
    }
}
