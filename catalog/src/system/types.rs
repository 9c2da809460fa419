//! The types of users that a session sees: its own database's, and those that the system lends.

use std::borrow::Cow;
use std::sync::Arc;

use super::access::{Held, Who, type_acl};
use super::definition::condition_text;
use super::names::quote_ident;
use super::scene::Scene;
use crate::id::Oid;
use crate::model::{
    Acl, DomainCheck, Privilege, Relation, TYPE_SCHEMA, UserType, named_types, type_text,
};
use crate::sql_type::SqlType;

/// What a number in `pg_type` stands for.
#[derive(Debug, Clone)]
pub(super) enum Typed<'a> {
    /// One of PostgreSQL's own.
    BuiltIn(SqlType),
    User(&'a UserType),
    /// Of arrays of a user's type.
    ArrayOf(&'a UserType),
}

impl Typed<'_> {
    /// What values of it are; those of a domain are of the type below.
    pub(super) fn sql_type(&self) -> SqlType {
        match self {
            Self::BuiltIn(sql_type) => sql_type.clone(),
            Self::User(user_type) => user_type.sql_type(),
            Self::ArrayOf(user_type) => SqlType::Array(Box::new(user_type.sql_type())),
        }
    }
}

impl Scene {
    /// The types of users, by number.
    pub(super) fn user_types(&self) -> impl Iterator<Item = &UserType> {
        let lent = self.in_tenant().then_some(&self.system);
        let lent = lent.into_iter().flat_map(|system| system.types.values());
        let lent = lent.filter(|user_type| user_type.schema != Oid::INTERNAL_SCHEMA);
        let own = self.database.types.values();
        lent.chain(own).map(Arc::as_ref)
    }

    /// The type of a user with this number.
    pub(super) fn user_type(&self, oid: Oid) -> Option<&UserType> {
        if let Some(own) = self.database.types.get(&oid) {
            return Some(own);
        }
        let lent = self.system.types.get(&oid)?;
        (lent.schema != Oid::INTERNAL_SCHEMA).then_some(lent)
    }

    /// What has this number in `pg_type`.
    pub(super) fn type_by_oid(&self, oid: u32) -> Option<Typed<'_>> {
        if let Some(found) = SqlType::from_oid(oid) {
            return Some(Typed::BuiltIn(found));
        }
        if let Some(found) = self.user_type(Oid(oid)) {
            return Some(Typed::User(found));
        }
        let array = self.user_types().find(|t| t.array_oid.0 == oid)?;
        Some(Typed::ArrayOf(array))
    }

    /// The schema in which the session sees a type.
    pub(super) fn schema_of_type(&self, user_type: &UserType) -> Oid {
        if self.database.schemas.contains_key(&user_type.schema) {
            return user_type.schema;
        }
        let name = self.system.schemas.get(&user_type.schema);
        let own = name.and_then(|schema| self.database.schema_named(&schema.name));
        own.map_or(user_type.schema, |schema| schema.oid)
    }

    /// The type of a user of this name in a schema.
    pub(super) fn type_named(&self, schema: Oid, name: &str) -> Option<&UserType> {
        self.user_types()
            .find(|t| t.name == name && self.schema_of_type(t) == schema)
    }

    /// The type of a user that a name means, with a schema or by the search path.
    pub(super) fn find_user_type(&self, schema: Option<&str>, name: &str) -> Option<Typed<'_>> {
        let in_schema = |schema: Oid| {
            let named = self.type_named(schema, name).map(Typed::User);
            named.or_else(|| {
                let element = name.strip_prefix('_')?;
                self.type_named(schema, element).map(Typed::ArrayOf)
            })
        };
        match schema {
            Some(schema) => in_schema(self.schema_named(schema)?),
            None => self.path().iter().find_map(|schema| in_schema(*schema)),
        }
    }

    /// Whether a bare name finds this type.
    pub(super) fn type_is_visible(&self, user_type: &UserType) -> bool {
        let schema = self.schema_of_type(user_type);
        let mut path = self.path().iter();
        let first = path.find(|step| self.type_named(**step, &user_type.name).is_some());
        first == Some(&schema)
    }

    /// A type's name, with its schema's where the bare one finds another or none.
    pub(super) fn type_label(&self, user_type: &UserType) -> String {
        let name = quote_ident(&user_type.name);
        if self.type_is_visible(user_type) {
            return name.into_owned();
        }
        let schema = self.schema_name(self.schema_of_type(user_type));
        format!("{}.{name}", quote_ident(schema.unwrap_or_default()))
    }

    /// A SQL type's name as this session reads it.
    pub(super) fn sql_type_label(&self, sql_type: &SqlType) -> String {
        match sql_type {
            SqlType::Array(element) => format!("{}[]", self.sql_type_label(element)),
            SqlType::Enum(enumerated) => match self.user_type(enumerated.oid()) {
                Some(found) => self.type_label(found),
                None => sql_type.to_string(),
            },
            other => other.to_string(),
        }
    }

    /// A text of the catalog as a client reads it: types by name, not by number.
    pub(super) fn with_type_names<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !text.contains(TYPE_SCHEMA) {
            return Cow::Borrowed(text);
        }
        let mut shown = text.to_owned();
        for oid in named_types(text) {
            if let Some(found) = self.user_type(oid) {
                shown = shown.replace(&type_text(oid), &self.type_label(found));
            }
        }
        Cow::Owned(shown)
    }

    /// A type's list as the session sees it; `None` stands for PostgreSQL's default.
    pub(super) fn acl_of_type<'a>(&'a self, user_type: &'a UserType) -> Option<Cow<'a, Acl>> {
        let acl = user_type.acl.as_ref()?;
        if self.database.types.contains_key(&user_type.oid) {
            return Some(Cow::Borrowed(acl));
        }
        let mut lent = acl.clone();
        for item in &mut lent.0 {
            (item.grantee, item.grantor) = (self.shown(item.grantee), self.shown(item.grantor));
        }
        Some(Cow::Owned(lent))
    }

    /// What `who` holds on a type.
    pub(super) fn held_on_type(&self, who: &Who<'_>, user_type: &UserType) -> Held {
        let owner = self.shown(user_type.owner);
        let acl = match self.acl_of_type(user_type) {
            Some(acl) => acl,
            None => Cow::Owned(type_acl(owner)),
        };
        who.held(Some(&acl), owner, Privilege::Usage.into())
    }

    /// The number of the type below a domain, or of the type itself if it is none.
    pub(super) fn base_type(&self, oid: u32) -> Option<u32> {
        match self.type_by_oid(oid)? {
            Typed::User(user_type) => Some(user_type.sql_type().oid()),
            Typed::BuiltIn(_) | Typed::ArrayOf(_) => Some(oid),
        }
    }

    /// A domain's check, by its number.
    pub(super) fn domain_check(&self, oid: Oid) -> Option<(&UserType, &DomainCheck)> {
        self.domain_checks().find(|(_, check)| check.oid == oid)
    }

    /// The checks of all domains.
    pub(super) fn domain_checks(&self) -> impl Iterator<Item = (&UserType, &DomainCheck)> {
        self.user_types().flat_map(|user_type| {
            let checks = user_type.domain().into_iter().flat_map(|d| &d.checks);
            checks.map(move |check| (user_type, check))
        })
    }

    /// A domain's check as `ALTER DOMAIN … ADD CONSTRAINT name` would take it.
    pub(super) fn domain_check_text(&self, check: &DomainCheck, pretty: bool) -> String {
        let valid = if check.validated { "" } else { " NOT VALID" };
        let condition = shown_condition(&self.with_type_names(&check.expression));
        format!("{}{valid}", condition_text(&condition, pretty))
    }

    /// The columns of the session's tables that have a domain for their type.
    pub(super) fn domain_columns(&self) -> impl Iterator<Item = (&Relation, &str, &UserType)> {
        self.relations().flat_map(move |relation| {
            let columns = relation.table().into_iter().flat_map(|t| t.live_columns());
            columns.filter_map(move |column| {
                let domain = self.user_type(column.domain?)?;
                Some((relation, column.name.as_str(), domain))
            })
        })
    }
}

/// The word VALUE in a domain's condition, which stands in it as a column.
pub const DOMAIN_VALUE: &str = "value";

/// A domain's condition with VALUE as SQL writes it.
pub(super) fn shown_condition(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || matches!(c, '\'' | '"' | '_'))
    {
        let (before, word) = rest.split_at(start);
        shown.push_str(before);
        let first = word.chars().next().unwrap_or_default();
        let end = if matches!(first, '\'' | '"') {
            word[1..].find(first).map_or(word.len(), |at| at + 2)
        } else {
            let is_part = |c: char| c.is_alphanumeric() || c == '_';
            word.find(|c| !is_part(c)).unwrap_or(word.len())
        };
        let (word, after) = word.split_at(end);
        let value = word.eq_ignore_ascii_case(DOMAIN_VALUE);
        shown.push_str(if value { "VALUE" } else { word });
        rest = after;
    }
    shown.push_str(rest);
    shown
}
