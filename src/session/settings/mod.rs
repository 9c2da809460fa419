//! Settings: a session's values of the variables of SET and SHOW.

mod rows;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use rows::SERVER_VERSION;
pub(crate) use value::{bytes, split_names};

use crate::error::{Error, Result};
use crate::format::encode::{ByteaOutput, DateOrder, DateStyle, Display, IntervalStyle};
use rows::Context::{Internal, Operator, User};
use rows::Kind::{Bool, Enum, Float, Integer, Text};
use rows::{ROWS, find};
use value::{ROLE, checked, with_time_unit};

/// One row of `pg_settings` and SHOW ALL.
#[derive(Debug, Clone)]
pub struct Shown {
    pub name: String,
    pub value: String,
    pub text: &'static str,
    pub default: String,
    pub context: &'static str,
    pub kind: &'static str,
    pub unit: Option<&'static str>,
}

/// A session's values.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What the session starts with and RESET goes back to.
    defaults: BTreeMap<String, String>,
    /// What SET changed.
    values: BTreeMap<String, String>,
    /// What SET LOCAL changed, until the transaction's end.
    local: BTreeMap<String, String>,
    /// `values` as the transaction found them, for its rollback.
    before: Option<BTreeMap<String, String>>,
}

impl Settings {
    /// The built-in defaults.
    pub fn new() -> Self {
        Self {
            defaults: BTreeMap::new(),
            values: BTreeMap::new(),
            local: BTreeMap::new(),
            before: None,
        }
    }

    /// Sets what the session starts with.
    ///
    /// # Errors
    /// An unknown name or a value that does not fit.
    pub fn set_default(&mut self, name: &str, value: &str) -> Result<()> {
        let (key, value) = checked(name, value)?;
        self.defaults.insert(key, value);
        Ok(())
    }

    /// The same for a value that the client brings at its start.
    ///
    /// # Errors
    /// Also a name that is not for the client to set: what the server tells is not what a client says.
    pub fn set_at_start(&mut self, name: &str, value: &str, operator: bool) -> Result<()> {
        check_context(name, operator)?;
        self.set_default(name, value)
    }

    /// Sets what the server itself tells, which no client can.
    pub fn set_internal(&mut self, name: &str, value: impl Into<String>) {
        self.defaults.insert(name.to_owned(), value.into());
    }

    /// Shows the role that the session acts as now.
    pub fn show_role(&mut self, name: &str, local: bool) {
        let (key, value) = (ROLE.to_owned(), name.to_owned());
        if local {
            self.local.insert(key, value);
        } else {
            self.local.remove(&key);
            self.values.insert(key, value);
        }
    }

    /// SET; `None` for DEFAULT.
    ///
    /// # Errors
    /// An unknown or fixed name, or a value that does not fit.
    pub fn set(
        &mut self,
        name: &str,
        value: Option<&str>,
        local: bool,
        operator: bool,
    ) -> Result<()> {
        check_context(name, operator)?;
        let (key, value) = match value {
            Some(value) => checked(name, value)?,
            None => {
                let key = key(name)?;
                let default = self.default_of(&key);
                (key, default)
            }
        };
        if local {
            self.local.insert(key, value);
        } else {
            self.local.remove(&key);
            self.values.insert(key, value);
        }
        Ok(())
    }

    /// RESET of one setting or all.
    ///
    /// # Errors
    /// An unknown or fixed name.
    pub fn reset(&mut self, name: Option<&str>, operator: bool) -> Result<()> {
        match name {
            Some(name) => self.set(name, None, false, operator),
            None => {
                self.values
                    .retain(|name, _| name == "role" || name.starts_with("transaction_"));
                self.local.clear();
                Ok(())
            }
        }
    }

    /// The value in force.
    ///
    /// # Errors
    /// An unknown name.
    pub fn get(&self, name: &str) -> Result<String> {
        let key = key(name)?;
        let value = self
            .local
            .get(&key)
            .or_else(|| self.values.get(&key))
            .cloned();
        match value {
            Some(value) => Ok(value),
            None if find(&key).is_some() || self.defaults.contains_key(&key) => {
                Ok(self.default_of(&key))
            }
            None => Err(Error::UnknownSetting(name.to_owned())),
        }
    }

    fn default_of(&self, key: &str) -> String {
        let own = self.defaults.get(key).cloned();
        own.unwrap_or_else(|| find(key).map_or("", |row| row.default).to_owned())
    }

    /// The value in force of a setting that exists.
    pub fn value(&self, name: &'static str) -> String {
        self.get(name).unwrap_or_default()
    }

    /// The value as a whole number, with its unit as listed.
    pub fn number(&self, name: &'static str) -> i64 {
        self.value(name).parse().unwrap_or_default()
    }

    /// The value as on or off.
    pub fn is_on(&self, name: &'static str) -> bool {
        self.value(name) == "on"
    }

    /// How the session wants values written and read.
    pub fn display(&self) -> Display {
        let style = self.value("DateStyle");
        let (style, order) = style.split_once(", ").unwrap_or(("ISO", "MDY"));
        Display {
            date_style: match style {
                "SQL" => DateStyle::Sql,
                "Postgres" => DateStyle::Postgres,
                "German" => DateStyle::German,
                _ => DateStyle::Iso,
            },
            date_order: match order {
                "DMY" => DateOrder::Dmy,
                "YMD" => DateOrder::Ymd,
                _ => DateOrder::Mdy,
            },
            interval_style: match self.value("IntervalStyle").as_str() {
                "postgres_verbose" => IntervalStyle::PostgresVerbose,
                "sql_standard" => IntervalStyle::SqlStandard,
                "iso_8601" => IntervalStyle::Iso8601,
                _ => IntervalStyle::Postgres,
            },
            zone: self.value("TimeZone").parse().unwrap_or_default(),
            extra_float_digits: i32::try_from(self.number("extra_float_digits")).unwrap_or(1),
            bytea_output: match self.value("bytea_output").as_str() {
                "escape" => ByteaOutput::Escape,
                _ => ByteaOutput::Hex,
            },
        }
    }

    /// The session's time zone.
    pub fn zone(&self) -> Arc<str> {
        Arc::from(self.value("TimeZone"))
    }

    /// The schemas of the search path; `$user` is the role's name.
    pub fn search_path(&self, user: &str) -> Vec<String> {
        split_names(&self.value("search_path"))
            .into_iter()
            .map(|name| {
                if name == "$user" {
                    user.to_owned()
                } else {
                    name
                }
            })
            .collect()
    }

    /// What SHOW prints: numbers with their unit.
    ///
    /// # Errors
    /// An unknown name.
    pub fn show(&self, name: &str) -> Result<(String, String)> {
        let value = self.get(name)?;
        let row = find(name);
        let shown = match row.map(|row| row.kind) {
            Some(Integer(_, _, "ms")) => with_time_unit(&value),
            _ => value,
        };
        Ok((
            row.map_or_else(|| name.to_owned(), |row| row.name.to_owned()),
            shown,
        ))
    }

    /// All settings, by name.
    pub fn all(&self) -> Vec<Shown> {
        let own = self
            .values
            .keys()
            .chain(self.local.keys())
            .filter(|name| find(name).is_none());
        let mut names: Vec<String> = ROWS.iter().map(|row| row.name.to_owned()).collect();
        names.extend(own.cloned());
        names.sort_by_key(|name| name.to_lowercase());
        names.dedup();
        names
            .into_iter()
            .map(|name| {
                let row = find(&name);
                let unit = match row.map(|row| row.kind) {
                    Some(Integer(_, _, unit)) if !unit.is_empty() => Some(unit),
                    _ => None,
                };
                Shown {
                    value: self.get(&name).unwrap_or_default(),
                    default: self.default_of(&name),
                    text: row.map_or("", |row| row.text),
                    context: match row.map_or(User, |row| row.context) {
                        User => "user",
                        Operator => "superuser",
                        Internal => "internal",
                    },
                    kind: match row.map_or(Text, |row| row.kind) {
                        Bool => "bool",
                        Integer(..) => "integer",
                        Float(..) => "real",
                        Enum(_) => "enum",
                        _ => "string",
                    },
                    unit,
                    name,
                }
            })
            .collect()
    }

    /// What clients are told at the start and on change, with today's values.
    pub fn reported(&self) -> Vec<(String, String)> {
        ROWS.iter()
            .filter(|row| row.reported)
            .map(|row| (row.name.to_owned(), self.value(row.name)))
            .collect()
    }

    /// Remembers the values for a rollback.
    pub fn begin(&mut self) {
        self.before.get_or_insert_with(|| self.values.clone());
    }

    /// Ends the transaction: what was local goes, and on a rollback what was set.
    pub fn end(&mut self, committed: bool) {
        self.local.clear();
        if let Some(before) = self.before.take()
            && !committed
        {
            self.values = before;
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

/// The key under which a name is kept: as listed, or a client's own `prefix.name`.
fn key(name: &str) -> Result<String> {
    if let Some(row) = find(name) {
        return Ok(row.name.to_owned());
    }
    if name.contains('.') && !name.starts_with('.') && !name.ends_with('.') {
        return Ok(name.to_lowercase());
    }
    Err(Error::UnknownSetting(name.to_owned()))
}

fn check_context(name: &str, operator: bool) -> Result<()> {
    match find(name).map(|row| row.context) {
        Some(Internal) => Err(Error::FixedSetting(name.to_owned())),
        Some(Operator) if !operator => Err(Error::InsufficientPrivilege(format!(
            "permission denied to set parameter \"{name}\""
        ))),
        _ => Ok(()),
    }
}
