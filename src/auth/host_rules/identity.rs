//! Maps from names that others vouch for, as of certificates and tokens, to roles: `pg_ident.conf`.

use regex::{Regex, RegexBuilder};

use super::parse::Fields;

/// The size up to which a pattern may grow when it is made ready.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// All lines of all maps.
#[derive(Debug, Clone, Default)]
pub struct IdentityMap {
    pub(super) mappings: Vec<Mapping>,
}

/// One line: a name of the system outside, and the role that it may be.
#[derive(Debug, Clone)]
pub(super) struct Mapping {
    pub(super) map: String,
    pub(super) system: String,
    pub(super) user: String,
    /// Of a system name that begins with a slash.
    pattern: Option<Regex>,
}

impl IdentityMap {
    /// Whether the name may be this role by the map; without a map they must be equal.
    pub fn allows(&self, map: Option<&str>, name: &str, user: &str) -> bool {
        let Some(map) = map else {
            return name == user;
        };
        let mut of_map = self.mappings.iter().filter(|mapping| mapping.map == map);
        of_map.any(|mapping| mapping.allows(name, user))
    }
}

impl Mapping {
    /// Reads a line.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in PostgreSQL's words.
    pub(super) fn read(fields: Fields) -> Result<Self, String> {
        let mut words = fields.into_iter().map(|field| {
            let mut words = field.into_iter();
            match (words.next(), words.next()) {
                (Some(word), None) => Ok(word.text),
                _ => Err("multiple values in ident field".to_owned()),
            }
        });
        let mut next =
            || -> Result<String, String> { words.next().ok_or("missing entry at end of line")? };
        let (map, system, user) = (next()?, next()?, next()?);
        let pattern = system.strip_prefix('/').map(|pattern| {
            RegexBuilder::new(pattern)
                .size_limit(MAX_PATTERN_BYTES)
                .build()
                .map_err(|error| format!("invalid regular expression \"{pattern}\": {error}"))
        });
        let pattern = pattern.transpose()?;
        let groups = pattern.as_ref().map_or(0, |pattern| pattern.captures_len());
        if user.contains("\\1") && pattern.is_some() && groups < 2 {
            return Err(format!(
                "regular expression \"{system}\" has no subexpressions as requested by \
                 backreference in \"{user}\""
            ));
        }
        Ok(Self {
            map,
            system,
            user,
            pattern,
        })
    }

    fn allows(&self, name: &str, user: &str) -> bool {
        let Some(pattern) = &self.pattern else {
            return self.system == name && self.user == user;
        };
        let Some(found) = pattern.captures(name) else {
            return false;
        };
        let first = found.get(1).map_or("", |group| group.as_str());
        self.user.replacen("\\1", first, 1) == user
    }
}
