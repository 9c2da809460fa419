//! Types that users make: enums and domains.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::acl::Acl;
use super::relation::{Relation, RelationBody, sql_type_name};
use crate::enum_type::EnumType;
use crate::id::Oid;
use crate::sql_type::SqlType;

/// A type of one schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserType {
    pub oid: Oid,
    /// The number of the type of its arrays.
    pub array_oid: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    /// Everyone may use a type without a list.
    pub acl: Option<Acl>,
    pub comment: Option<String>,
    pub body: UserTypeBody,
}

/// What a type is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum UserTypeBody {
    /// Words, in their order.
    Enum(Vec<EnumValue>),
    Domain(Domain),
}

/// A word of an enum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnumValue {
    pub oid: Oid,
    pub label: String,
    /// What stands for it in files: the label under which it was made.
    pub stored: String,
    /// `pg_enum.enumsortorder`.
    pub sort_order: f32,
}

/// A type whose values are those of another that meet conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// The type below all domains.
    #[serde(with = "sql_type_name")]
    pub base: SqlType,
    /// The domain that this one narrows, if it stands on one.
    pub parent: Option<Oid>,
    pub nullable: bool,
    /// As of [`super::Column`].
    pub default: Option<String>,
    pub checks: Vec<DomainCheck>,
}

/// A condition on a domain's values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainCheck {
    pub oid: Oid,
    pub name: String,
    /// SQL text over the column `value`.
    pub expression: String,
    /// Whether the values that were there first are known to meet it.
    pub validated: bool,
}

impl UserType {
    /// The domain, if it is one.
    pub fn domain(&self) -> Option<&Domain> {
        match &self.body {
            UserTypeBody::Domain(domain) => Some(domain),
            UserTypeBody::Enum(_) => None,
        }
    }

    /// The words, if it is an enum.
    pub fn values(&self) -> Option<&[EnumValue]> {
        match &self.body {
            UserTypeBody::Enum(values) => Some(values),
            UserTypeBody::Domain(_) => None,
        }
    }

    /// What a value of the type is: the enum itself, or what lies below a domain.
    pub fn sql_type(&self) -> SqlType {
        match &self.body {
            UserTypeBody::Domain(domain) => domain.base.clone(),
            UserTypeBody::Enum(values) => {
                let words = values.iter().map(|v| (v.label.as_str(), v.stored.as_str()));
                let made = EnumType::new(self.oid, self.array_oid, &self.name, words);
                SqlType::Enum(made)
            }
        }
    }

    /// The enum, if it is one.
    pub fn enum_type(&self) -> Option<Arc<EnumType>> {
        match self.sql_type() {
            SqlType::Enum(enumerated) if self.domain().is_none() => Some(enumerated),
            _ => None,
        }
    }

    /// The types that this one stands on.
    pub fn needs(&self) -> impl Iterator<Item = Oid> {
        let domain = self.domain();
        let base = domain.and_then(|domain| domain.base.enum_oid());
        base.into_iter().chain(domain.and_then(|d| d.parent))
    }

    /// The word in messages and tags.
    pub fn kind(&self) -> &'static str {
        match self.body {
            UserTypeBody::Enum(_) => "type",
            UserTypeBody::Domain(_) => "domain",
        }
    }
}

impl Relation {
    /// The enums that its columns have.
    pub fn enums(&self) -> impl Iterator<Item = Oid> {
        let columns = self.table().into_iter().flat_map(|table| &table.columns);
        let columns = columns.map(|column| &column.sql_type);
        let of_view = self.view().into_iter().flat_map(|view| &view.columns);
        columns
            .chain(of_view.map(|column| &column.sql_type))
            .filter_map(SqlType::enum_oid)
    }

    /// The types of users that its columns have.
    pub fn user_types(&self) -> Vec<Oid> {
        let mut found = Vec::new();
        match &self.body {
            RelationBody::Table(table) => {
                for column in table.live_columns() {
                    found.extend(column.sql_type.enum_oid());
                    found.extend(column.domain);
                }
            }
            RelationBody::View(view) => {
                let types = view.columns.iter().map(|c| &c.sql_type);
                found.extend(types.filter_map(SqlType::enum_oid));
            }
            RelationBody::Sequence(_) => {}
        }
        let texts = self.expressions();
        found.extend(texts.iter().flat_map(|text| named_types(text)));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The texts of expressions that are planned whenever the relation is used.
    pub fn expressions(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        match &self.body {
            RelationBody::Table(table) => {
                for column in table.live_columns() {
                    found.extend(column.default.as_deref());
                    found.extend(column.generated.as_deref());
                }
                found.extend(table.checks.iter().map(|check| check.expression.as_str()));
                found.extend(table.query.iter().map(|query| query.bound.as_str()));
            }
            RelationBody::View(view) => found.push(&view.bound),
            RelationBody::Sequence(_) => {}
        }
        found
    }

    /// The same with its enums as `newest` knows them; `None` when it has none of these.
    pub fn with_enums(&self, newest: &dyn Fn(Oid) -> Option<Arc<EnumType>>) -> Option<Self> {
        if !self.enums().any(|oid| newest(oid).is_some()) {
            return None;
        }
        let mut changed = self.clone();
        let types: Vec<&mut SqlType> = match &mut changed.body {
            RelationBody::Table(table) => {
                table.columns.iter_mut().map(|c| &mut c.sql_type).collect()
            }
            RelationBody::View(view) => view.columns.iter_mut().map(|c| &mut c.sql_type).collect(),
            RelationBody::Sequence(_) => Vec::new(),
        };
        for sql_type in types {
            if let Some(enumerated) = sql_type.enum_oid().and_then(newest) {
                *sql_type = sql_type.with_enum(enumerated);
            }
        }
        Some(changed)
    }
}

/// The schema that stands before a type's number in texts of the catalog; no client's name has it.
pub const TYPE_SCHEMA: &str = "\u{3}type";

/// How a text of the catalog names a type: by its number.
pub fn type_text(oid: Oid) -> String {
    format!("\"{TYPE_SCHEMA}\".\"{oid}\"")
}

/// The types that a text of the catalog names.
pub fn named_types(text: &str) -> impl Iterator<Item = Oid> + '_ {
    text.match_indices("\"\u{3}type\".\"")
        .filter_map(|(at, found)| {
            let number = text[at + found.len()..].split('"').next()?;
            number.parse().ok().map(Oid)
        })
}
