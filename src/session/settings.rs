//! Settings: one row for each variable of SET and SHOW.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::format::encode::{ByteaOutput, DateOrder, DateStyle, Display, IntervalStyle};

/// What a setting's value may be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Bool,
    /// From, to, and the unit that SHOW adds.
    Integer(i64, i64, &'static str),
    Float(f64, f64),
    Text,
    Enum(&'static [&'static str]),
    TimeZone,
    DateStyle,
    Encoding,
    SearchPath,
}

/// Who may set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Context {
    /// Anyone, at any time.
    User,
    /// An operator alone.
    Operator,
    /// Nobody: it tells what the server is.
    Internal,
}

struct Row {
    name: &'static str,
    kind: Kind,
    default: &'static str,
    context: Context,
    /// Told to the client whenever it changes.
    reported: bool,
    text: &'static str,
}

const fn row(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    context: Context,
    text: &'static str,
) -> Row {
    Row {
        name,
        kind,
        default,
        context,
        reported: false,
        text,
    }
}

const fn reported(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    context: Context,
    text: &'static str,
) -> Row {
    Row {
        name,
        kind,
        default,
        context,
        reported: true,
        text,
    }
}

/// The version of PostgreSQL that clients take the server for.
pub const SERVER_VERSION: &str = "15.18";

const ISOLATION: Kind = Kind::Enum(&[
    "serializable",
    "repeatable read",
    "read committed",
    "read uncommitted",
]);
const MILLISECONDS: Kind = Kind::Integer(0, i32::MAX as i64, "ms");

use Context::{Internal, Operator, User};
use Kind::{Bool, Enum, Float, Integer, Text};

const ROWS: &[Row] = &[
    reported(
        "application_name",
        Text,
        "",
        User,
        "Name of the client's program.",
    ),
    row(
        "backslash_quote",
        Enum(&["safe_encoding", "on", "off"]),
        "safe_encoding",
        User,
        "Whether \\' is read in strings.",
    ),
    row(
        "bytea_output",
        Enum(&["hex", "escape"]),
        "hex",
        User,
        "How bytea is written.",
    ),
    reported(
        "client_encoding",
        Kind::Encoding,
        "UTF8",
        User,
        "Encoding of the client's text.",
    ),
    row(
        "client_min_messages",
        Enum(&[
            "debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error",
        ]),
        "notice",
        User,
        "Lowest level of messages sent.",
    ),
    reported(
        "DateStyle",
        Kind::DateStyle,
        "ISO, MDY",
        User,
        "How dates are written and read.",
    ),
    row(
        "default_transaction_deferrable",
        Bool,
        "off",
        User,
        "Whether new transactions are deferrable.",
    ),
    row(
        "default_transaction_isolation",
        ISOLATION,
        "read committed",
        User,
        "Isolation of new transactions.",
    ),
    reported(
        "default_transaction_read_only",
        Bool,
        "off",
        User,
        "Whether new transactions only read.",
    ),
    row(
        "escape_string_warning",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "extra_float_digits",
        Integer(-15, 3, ""),
        "1",
        User,
        "Digits of floating-point numbers.",
    ),
    row(
        "idle_in_transaction_session_timeout",
        MILLISECONDS,
        "600000",
        User,
        "How long a session may wait inside a transaction.",
    ),
    reported(
        "in_hot_standby",
        Bool,
        "off",
        Internal,
        "Whether the server only reads.",
    ),
    reported(
        "integer_datetimes",
        Bool,
        "on",
        Internal,
        "Times are whole microseconds.",
    ),
    reported(
        "IntervalStyle",
        Enum(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
        "postgres",
        User,
        "How intervals are written.",
    ),
    reported(
        "is_superuser",
        Bool,
        "off",
        Internal,
        "Whether the role is a superuser.",
    ),
    row("lc_collate", Text, "C", Internal, "Order of text."),
    row(
        "lc_ctype",
        Text,
        "C.UTF-8",
        Internal,
        "Classes of characters.",
    ),
    row("lc_messages", Text, "C", User, "Language of messages."),
    row("lc_monetary", Text, "C", User, "How money is written."),
    row("lc_numeric", Text, "C", User, "How numbers are written."),
    row("lc_time", Text, "C", User, "How times are written."),
    row(
        "lock_timeout",
        MILLISECONDS,
        "0",
        User,
        "How long to wait for a lock.",
    ),
    row(
        "max_connections",
        Integer(1, 262_143, ""),
        "1000",
        Internal,
        "Most sessions at once.",
    ),
    row(
        "max_identifier_length",
        Integer(63, 63, ""),
        "63",
        Internal,
        "Longest name, in bytes.",
    ),
    row(
        "max_index_keys",
        Integer(32, 32, ""),
        "32",
        Internal,
        "Most columns of a key.",
    ),
    row(
        "memory_limit",
        Text,
        "",
        Operator,
        "Most memory of the tenant's statements.",
    ),
    row(
        "password_encryption",
        Enum(&["scram-sha-256", "argon2id"]),
        "scram-sha-256",
        User,
        "How new passwords are kept.",
    ),
    row("role", Text, "none", User, "The role whose rights count."),
    row(
        "row_security",
        Bool,
        "on",
        User,
        "Whether policies narrow queries or make them fail.",
    ),
    row(
        "search_path",
        Kind::SearchPath,
        "\"$user\", public",
        User,
        "Schemas of unqualified names.",
    ),
    reported(
        "server_encoding",
        Text,
        "UTF8",
        Internal,
        "Encoding of the database.",
    ),
    reported(
        "server_version",
        Text,
        SERVER_VERSION,
        Internal,
        "The PostgreSQL version that clients see.",
    ),
    row(
        "server_version_num",
        Integer(0, 999_999, ""),
        "150018",
        Internal,
        "The same as a number.",
    ),
    reported(
        "session_authorization",
        Text,
        "",
        Internal,
        "Who logged in.",
    ),
    reported(
        "standard_conforming_strings",
        Enum(&["on"]),
        "on",
        User,
        "Backslashes in strings are plain.",
    ),
    row(
        "statement_timeout",
        MILLISECONDS,
        "300000",
        User,
        "How long a statement may run.",
    ),
    row(
        "synchronous_commit",
        Enum(&["on"]),
        "on",
        User,
        "Commits are durable when they return.",
    ),
    row(
        "synchronize_seqscans",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "temp_buffers",
        Text,
        "8MB",
        User,
        "Kept for clients that set it.",
    ),
    reported(
        "TimeZone",
        Kind::TimeZone,
        "UTC",
        User,
        "The session's time zone.",
    ),
    row(
        "transaction_deferrable",
        Bool,
        "off",
        User,
        "Whether this transaction is deferrable.",
    ),
    row(
        "transaction_isolation",
        ISOLATION,
        "read committed",
        User,
        "Isolation of this transaction.",
    ),
    row(
        "transaction_read_only",
        Bool,
        "off",
        User,
        "Whether this transaction only reads.",
    ),
    row(
        "work_mem",
        Text,
        "4MB",
        User,
        "Kept for clients that set it; memory_limit bounds statements.",
    ),
    row(
        "maintenance_work_mem",
        Text,
        "64MB",
        User,
        "Kept for clients that set it.",
    ),
    row("geqo", Bool, "on", User, "Kept for clients that set it."),
    row("jit", Bool, "off", User, "Kept for clients that set it."),
    row(
        "enable_seqscan",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "enable_nestloop",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "enable_hashjoin",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "enable_mergejoin",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "enable_bitmapscan",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "enable_indexscan",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "random_page_cost",
        Float(0.0, 1e10),
        "4",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "seq_page_cost",
        Float(0.0, 1e10),
        "1",
        User,
        "Kept for clients that set it.",
    ),
    row(
        "default_table_access_method",
        Enum(&["heap"]),
        "heap",
        User,
        "How tables are kept, as PostgreSQL calls it.",
    ),
    row(
        "default_tablespace",
        Enum(&[""]),
        "",
        User,
        "There is one place for tables.",
    ),
    row(
        "quote_all_identifiers",
        Enum(&["off"]),
        "off",
        User,
        "Definitions quote the names that need it.",
    ),
    row(
        "check_function_bodies",
        Bool,
        "on",
        User,
        "Kept for clients that set it.",
    ),
    row("jit", Bool, "off", User, "Kept for clients that set it."),
    row(
        "block_size",
        Text,
        "8192",
        Internal,
        "Bytes of a page, in which sizes are counted.",
    ),
    row("lc_collate", Text, "C.UTF-8", Internal, "Order of texts."),
    row(
        "lc_messages",
        Enum(&["C.UTF-8", "C", "en_US.UTF-8", "en_US.utf8"]),
        "C.UTF-8",
        User,
        "Messages are English.",
    ),
    row(
        "xmloption",
        Enum(&["content", "document"]),
        "content",
        User,
        "Kept for clients that set it.",
    ),
];

fn find(name: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name))
}

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

/// A name's key and the value in its normal form.
/// The setting that shows the role that the session acts as, and what it shows when that is its own.
const ROLE: &str = "role";
const NO_ROLE: &str = "none";

fn checked(name: &str, value: &str) -> Result<(String, String)> {
    let key = key(name)?;
    let Some(row) = find(&key) else {
        return Ok((key, value.to_owned()));
    };
    // What it shows is what policies may ask for: only a change of the role changes it.
    if key == ROLE && value != NO_ROLE {
        return Err(Error::Unsupported(
            "changing the role by other means than SET ROLE".to_owned(),
        ));
    }
    let invalid = || {
        Error::InvalidParameterValue(format!(
            "invalid value for parameter \"{}\": \"{value}\"",
            row.name
        ))
    };
    let value = match row.kind {
        Bool => match parse_bool(value) {
            Some(true) => "on".to_owned(),
            Some(false) => "off".to_owned(),
            None => {
                return Err(Error::InvalidParameterValue(format!(
                    "parameter \"{}\" requires a Boolean value",
                    row.name
                )));
            }
        },
        Integer(from, to, unit) => {
            let number = if unit == "ms" {
                parse_milliseconds(value).ok_or_else(invalid)?
            } else {
                value.trim().parse::<i64>().map_err(|_| invalid())?
            };
            if !(from..=to).contains(&number) {
                return Err(Error::InvalidParameterValue(format!(
                    "{number} is outside the valid range for parameter \"{}\" ({from} .. {to})",
                    row.name
                )));
            }
            number.to_string()
        }
        Float(from, to) => {
            let number = value.trim().parse::<f64>().map_err(|_| invalid())?;
            if !(from..=to).contains(&number) {
                return Err(invalid());
            }
            value.trim().to_owned()
        }
        Text => value.to_owned(),
        Enum(allowed) => {
            let folded = value.to_lowercase();
            let folded = if allowed.contains(&"on") {
                match parse_bool(&folded) {
                    Some(true) => "on".to_owned(),
                    Some(false) => "off".to_owned(),
                    None => folded,
                }
            } else {
                folded
            };
            if !allowed.contains(&folded.as_str()) {
                return Err(invalid());
            }
            folded
        }
        Kind::TimeZone => time_zone(value).ok_or_else(invalid)?,
        Kind::DateStyle => date_style(value).ok_or_else(invalid)?,
        // Letters and digits alone count, as in PostgreSQL: asyncpg sends quotes with it.
        Kind::Encoding => match alphanumerics(value).as_str() {
            "utf8" | "unicode" | "sqlascii" => "UTF8".to_owned(),
            _ => return Err(invalid()),
        },
        Kind::SearchPath => value.to_owned(),
    };
    Ok((key, value))
}

fn alphanumerics(value: &str) -> String {
    let kept = value.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

fn parse_bool(value: &str) -> Option<bool> {
    match value.trim().to_lowercase().as_str() {
        "on" | "true" | "t" | "yes" | "y" | "1" => Some(true),
        "off" | "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// A duration with an optional unit, in milliseconds.
fn parse_milliseconds(value: &str) -> Option<i64> {
    let value = value.trim();
    let split = value.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-'));
    let (number, unit) = value.split_at(split.unwrap_or(value.len()));
    let factor = match unit.trim() {
        "" | "ms" => 1.0,
        "us" => 0.001,
        "s" => 1000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    Some((number.parse::<f64>().ok()? * factor).round() as i64)
}

fn with_time_unit(milliseconds: &str) -> String {
    let Ok(number) = milliseconds.parse::<i64>() else {
        return milliseconds.to_owned();
    };
    for (factor, unit) in [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1000, "s"),
    ] {
        if number != 0 && number % factor == 0 {
            return format!("{}{unit}", number / factor);
        }
    }
    if number == 0 {
        "0".to_owned()
    } else {
        format!("{number}ms")
    }
}

/// A zone's canonical name; offsets in POSIX's and ISO's way.
fn time_zone(value: &str) -> Option<String> {
    let value = value.trim();
    if let Ok(zone) = chrono_tz::Tz::from_str_insensitive(value) {
        return Some(zone.name().to_owned());
    }
    // A bare number is whole hours east of UTC; POSIX's names count them westwards, and so does an
    // offset with minutes.
    let hours = match value.parse::<i32>() {
        Ok(hours) => hours,
        Err(_) => -hours_of_offset(value)?,
    };
    Some(match hours {
        0 => "UTC".to_owned(),
        -12..=14 => format!("Etc/GMT{:+}", -hours),
        _ => return None,
    })
}

/// The whole hours of `+02:00`, or of `UTC+2` and `<-02>+2` whose name says nothing.
fn hours_of_offset(value: &str) -> Option<i32> {
    let value = match value.strip_prefix('<') {
        Some(rest) => rest.split_once('>')?.1,
        None => value.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    let (hours, minutes) = value.split_once(':').unwrap_or((value, "0"));
    let whole = minutes.bytes().all(|digit| digit == b'0');
    hours.parse().ok().filter(|_| whole)
}

/// `style, order`, with what is not named as it is by default.
fn date_style(value: &str) -> Option<String> {
    let mut style = "ISO";
    let mut order = "MDY";
    for word in value.split(',') {
        match word.trim().to_lowercase().as_str() {
            "iso" => style = "ISO",
            "sql" => style = "SQL",
            "postgres" => style = "Postgres",
            "german" => {
                style = "German";
                order = "DMY";
            }
            "mdy" | "us" | "noneuropean" => order = "MDY",
            "dmy" | "european" | "euro" => order = "DMY",
            "ymd" => order = "YMD",
            "default" => {}
            _ => return None,
        }
    }
    Some(format!("{style}, {order}"))
}

/// Names between commas, quoted or folded.
pub(crate) fn split_names(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut quoted = false;
    let mut was_quoted = false;
    let mut characters = list.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                name.push('"');
            }
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            ',' if !quoted => {
                push_name(&mut names, &mut name, was_quoted);
                was_quoted = false;
            }
            c if quoted => name.push(c),
            c if c.is_whitespace() => {}
            c => name.extend(c.to_lowercase()),
        }
    }
    push_name(&mut names, &mut name, was_quoted);
    names
}

fn push_name(names: &mut Vec<String>, name: &mut String, quoted: bool) {
    if !name.is_empty() || quoted {
        names.push(std::mem::take(name));
    }
}

/// A size with PostgreSQL's units, in bytes; without one it is kilobytes, as for `work_mem`.
pub(crate) fn bytes(value: &str) -> Result<usize> {
    let trimmed = value.trim();
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let factor: Option<usize> = match unit.trim() {
        "B" => Some(1),
        "" | "kB" | "KB" => Some(1 << 10),
        "MB" => Some(1 << 20),
        "GB" => Some(1 << 30),
        "TB" => Some(1 << 40),
        _ => None,
    };
    let bytes = number
        .parse::<usize>()
        .ok()
        .zip(factor)
        .and_then(|(n, f)| n.checked_mul(f));
    bytes.ok_or_else(|| {
        Error::InvalidParameterValue(format!(
            "invalid value for parameter \"memory_limit\": \"{value}\""
        ))
    })
}
