//! Names and numbers: what a name in a query means here, and how a number is written as a name.

use std::borrow::Cow;

use super::error::LookupError;
use super::scene::{Class, FunctionRow, Scene};
use super::types::Typed;
use crate::id::Oid;
use crate::sql_type::{RegType, SqlType};

/// Words that PostgreSQL quotes when it writes an identifier: its reserved words and those that may
/// only name functions, types or columns.
const QUOTED_WORDS: &str = " all analyse analyze and any array as asc asymmetric authorization \
    between bigint binary bit boolean both case cast char character check coalesce collate collation \
    column concurrently constraint create cross current_catalog current_date current_role \
    current_schema current_time current_timestamp current_user dec decimal default deferrable desc \
    distinct do else end except exists extract false fetch float for foreign freeze from full grant \
    greatest group grouping having ilike in initially inner inout int integer intersect interval into \
    is isnull join lateral leading least left like limit localtime localtimestamp national natural \
    nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps \
    overlay placing position precision primary real references returning right row select \
    session_user setof similar smallint some substring symmetric table tablesample then time timestamp \
    to trailing treat trim true union unique user using values varchar variadic verbose when where \
    window with xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi \
    xmlroot xmlserialize xmltable ";

/// An identifier as SQL reads it back.
pub fn quote_ident(name: &str) -> Cow<'_, str> {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !QUOTED_WORDS.contains(&format!(" {name} "));
    if plain {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
    }
}

/// A role's name within an `aclitem`.
pub(super) fn quote_acl_name(name: &str) -> Cow<'_, str> {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
    if plain {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
    }
}

/// The parts of a dotted name, folded to lower case where they are not quoted.
pub fn split_name(text: &str) -> Result<Vec<String>, LookupError> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted)?,
            None => {
                let end = rest.find(['.', '"']).unwrap_or(rest.len());
                let part = rest[..end].trim();
                if part.is_empty() || part.contains(char::is_whitespace) {
                    return Err(LookupError::NoName);
                }
                (part.to_lowercase(), &rest[end..])
            }
        };
        parts.push(part);
        match after.trim_start().strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if after.trim().is_empty() => return Ok(parts),
            None => return Err(LookupError::NoName),
        }
    }
}

/// The text up to the closing quote, and what follows.
fn quoted_part(text: &str) -> Result<(String, &str), LookupError> {
    let mut part = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '"' {
            part.push(c);
        } else if chars.next_if(|(_, next)| *next == '"').is_some() {
            part.push('"');
        } else if part.is_empty() {
            return Err(LookupError::NoName);
        } else {
            return Ok((part, &text[at + 1..]));
        }
    }
    Err(LookupError::NoName)
}

/// A number in place of a name; `-` is 0.
fn as_number(text: &str) -> Option<u32> {
    if text == "-" {
        Some(0)
    } else {
        text.parse().ok()
    }
}

impl Scene {
    /// What `regclass` makes of a text; `None` if there is no such relation.
    ///
    /// # Errors
    ///
    /// If the text is no name, or names another database.
    pub fn find_class(&self, text: &str) -> Result<Option<Class<'_>>, LookupError> {
        let parts = split_name(text)?;
        let (schema, name) = self.schema_and_name(&parts)?;
        Ok(match schema {
            Some(schema) => self
                .schema_named(schema)
                .and_then(|schema| self.class_named(schema, name)),
            None => self
                .path()
                .iter()
                .find_map(|schema| self.class_named(*schema, name)),
        })
    }

    fn schema_and_name<'p>(
        &self,
        parts: &'p [String],
    ) -> Result<(Option<&'p str>, &'p str), LookupError> {
        match parts {
            [name] => Ok((None, name)),
            [schema, name] => Ok((Some(schema), name)),
            [database, schema, name] if *database == self.database.name => Ok((Some(schema), name)),
            [_, _, _] => Err(LookupError::OtherDatabase(parts.join("."))),
            _ => Err(LookupError::NoName),
        }
    }

    /// Whether a bare name finds this relation.
    pub fn class_is_visible(&self, class: Class<'_>) -> bool {
        let (schema, name) = (class.schema(self), class.name());
        for step in self.path() {
            if *step == schema {
                return true;
            }
            if self.class_named(*step, name).is_some() {
                return false;
            }
        }
        false
    }

    /// A relation's name, with its schema's where the bare one finds another or none.
    pub fn class_label(&self, class: Class<'_>) -> String {
        let name = quote_ident(class.name());
        if self.class_is_visible(class) {
            name.into_owned()
        } else {
            self.qualified(class)
        }
    }

    /// A relation's name with its schema's.
    pub fn qualified(&self, class: Class<'_>) -> String {
        let schema = self.schema_name(class.schema(self)).unwrap_or_default();
        format!("{}.{}", quote_ident(schema), quote_ident(class.name()))
    }

    /// The type of this name, as `regtype` reads it.
    ///
    /// # Errors
    ///
    /// If the text is no name.
    pub fn find_type(&self, text: &str) -> Result<Option<SqlType>, LookupError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(LookupError::NoName);
        }
        if text == "char" {
            return Ok(Some(SqlType::Char(1)));
        }
        let bare = text.strip_prefix("pg_catalog.").unwrap_or(text);
        let by_typname = || {
            let element = SqlType::parse(bare.strip_prefix('_')?)?;
            Some(SqlType::Array(Box::new(element)))
        };
        if let Some(found) = SqlType::parse(bare).or_else(by_typname) {
            return Ok(Some(found));
        }
        Ok(self.find_typed(text)?.map(|found| found.sql_type()))
    }

    /// The number of the type of this name; a domain has its own.
    fn find_type_number(&self, text: &str) -> Result<Option<u32>, LookupError> {
        match self.find_typed(text)? {
            Some(Typed::User(found)) => Ok(Some(found.oid.0)),
            Some(Typed::ArrayOf(found)) => Ok(Some(found.array_oid.0)),
            Some(Typed::BuiltIn(_)) | None => Ok(self.find_type(text)?.map(|found| found.oid())),
        }
    }

    /// The user's type of this name, or that of its arrays.
    fn find_typed(&self, text: &str) -> Result<Option<Typed<'_>>, LookupError> {
        let (element, array) = match text.trim().strip_suffix("[]") {
            Some(element) => (element.trim_end(), true),
            None => (text.trim(), false),
        };
        // What is no plain name is a type with words or limits, and not a user's.
        let Ok(parts) = split_name(element) else {
            return Ok(None);
        };
        let (schema, name) = self.schema_and_name(&parts)?;
        Ok(match (self.find_user_type(schema, name), array) {
            (Some(Typed::User(found)), true) => Some(Typed::ArrayOf(found)),
            (found, _) => found,
        })
    }

    /// The function that `regproc` makes of a text.
    ///
    /// # Errors
    ///
    /// If the text is no name, or several functions share it.
    pub fn find_function(&self, text: &str) -> Result<Option<u32>, LookupError> {
        let parts = split_name(text)?;
        let (schema, name) = self.schema_and_name(&parts)?;
        if schema.is_some_and(|schema| schema != "pg_catalog") {
            return Ok(None);
        }
        let found = self.functions_named(name);
        match found.as_slice() {
            [] => Ok(super::pg_catalog::pg_proc::type_function(name)),
            [one] => Ok(Some(one.oid)),
            _ => Err(LookupError::ManyFunctions(text.to_owned())),
        }
    }

    /// The function that `regprocedure` makes of a text such as `abs(integer)`.
    ///
    /// # Errors
    ///
    /// If the text is no such thing.
    pub fn find_procedure(&self, text: &str) -> Result<Option<u32>, LookupError> {
        let (name, rest) = text.split_once('(').ok_or(LookupError::NoName)?;
        let list = rest
            .trim_end()
            .strip_suffix(')')
            .ok_or(LookupError::NoName)?;
        let parts = split_name(name)?;
        let (_, name) = self.schema_and_name(&parts)?;
        let mut wanted = Vec::new();
        for arg in list.split(',').map(str::trim).filter(|arg| !arg.is_empty()) {
            match self.find_type(arg)? {
                Some(found) => wanted.push(found.oid()),
                None => return Err(LookupError::NoType(arg.to_owned())),
            }
        }
        let same = |function: &&FunctionRow| {
            function
                .args
                .iter()
                .map(SqlType::oid)
                .eq(wanted.iter().copied())
        };
        Ok(self
            .functions_named(name)
            .into_iter()
            .find(same)
            .map(|function| function.oid))
    }

    /// What a `reg*` type makes of a text.
    ///
    /// # Errors
    ///
    /// If there is no such thing.
    pub fn reg_in(&self, kind: RegType, text: &str) -> Result<u32, LookupError> {
        if let Some(number) = as_number(text.trim()) {
            return Ok(number);
        }
        let owned = || text.to_owned();
        match self.reg_find(kind, text)? {
            Some(number) => Ok(number),
            None => Err(match kind {
                RegType::Class => LookupError::NoRelation(owned()),
                RegType::Type => LookupError::NoType(owned()),
                RegType::Namespace => LookupError::NoSchema(owned()),
                RegType::Role => LookupError::NoRole(owned()),
                RegType::Proc | RegType::Procedure => LookupError::NoFunction(owned()),
                RegType::Oper | RegType::Operator => LookupError::NoOperator(owned()),
            }),
        }
    }

    /// What `to_regclass` and its kin make of a text; `None` if there is no such thing.
    ///
    /// # Errors
    ///
    /// If the text is no name at all.
    pub fn reg_find(&self, kind: RegType, text: &str) -> Result<Option<u32>, LookupError> {
        match kind {
            RegType::Class => Ok(self.find_class(text)?.map(|class| class.oid().0)),
            RegType::Type => self.find_type_number(text),
            RegType::Namespace => Ok(self.schema_named(&single(text)?).map(|oid| oid.0)),
            RegType::Role => Ok(self.role_named(&single(text)?).map(|oid| oid.0)),
            RegType::Proc => self.find_function(text),
            RegType::Procedure => self.find_procedure(text),
            RegType::Oper | RegType::Operator => Ok(None),
        }
    }

    /// How a `reg*` value is written.
    pub fn reg_out(&self, kind: RegType, number: u32) -> String {
        let known = match kind {
            _ if number == 0 => return "-".to_owned(),
            RegType::Class => self.class(Oid(number)).map(|class| self.class_label(class)),
            RegType::Type => self.type_by_oid(number).map(|found| match found {
                Typed::BuiltIn(found) => found.to_string(),
                Typed::User(found) => self.type_label(found),
                Typed::ArrayOf(found) => format!("{}[]", self.type_label(found)),
            }),
            RegType::Namespace => self
                .schema_name(Oid(number))
                .map(|name| quote_ident(name).into_owned()),
            RegType::Role => self
                .role_name(Oid(number))
                .map(|name| quote_ident(name).into_owned()),
            RegType::Proc => self
                .function_name(number)
                .map(|name| quote_ident(name).into_owned()),
            RegType::Procedure => self.function(number).map(|function| {
                let args: Vec<String> = function.args.iter().map(SqlType::to_string).collect();
                format!("{}({})", quote_ident(&function.name), args.join(","))
            }),
            RegType::Oper | RegType::Operator => {
                super::pg_catalog::pg_operator::name(number).map(str::to_owned)
            }
        };
        known.unwrap_or_else(|| number.to_string())
    }

    /// A function's name, those of types' input and output included.
    pub fn function_name(&self, number: u32) -> Option<&str> {
        match self.function(number) {
            Some(function) => Some(&function.name),
            None => super::pg_catalog::pg_proc::type_function_name(number),
        }
    }
}

/// A name of one part.
fn single(text: &str) -> Result<String, LookupError> {
    let mut parts = split_name(text)?;
    match (parts.pop(), parts.is_empty()) {
        (Some(name), true) => Ok(name),
        _ => Err(LookupError::NoName),
    }
}
