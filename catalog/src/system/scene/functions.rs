//! The functions that SQL can call, found by number and name.

use std::collections::HashMap;

use super::{FunctionRow, Scene};

/// All functions; the same for all sessions.
#[derive(Debug, Default)]
pub struct Functions {
    rows: Vec<FunctionRow>,
    by_number: HashMap<u32, usize>,
    by_name: HashMap<String, Vec<usize>>,
}

impl Functions {
    /// Functions in the order in which they are listed.
    pub fn new(rows: Vec<FunctionRow>) -> Self {
        let mut by_number = HashMap::new();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, function) in rows.iter().enumerate() {
            by_number.insert(function.oid, place);
            by_name
                .entry(function.name.clone())
                .or_default()
                .push(place);
        }
        Self {
            rows,
            by_number,
            by_name,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &FunctionRow> {
        self.rows.iter()
    }
}

impl Scene {
    /// The function with this number.
    pub fn function(&self, oid: u32) -> Option<&FunctionRow> {
        let functions = &self.functions;
        functions.rows.get(*functions.by_number.get(&oid)?)
    }

    /// All functions of this name.
    pub fn functions_named(&self, name: &str) -> Vec<&FunctionRow> {
        let places = self.functions.by_name.get(name);
        places
            .into_iter()
            .flatten()
            .filter_map(|place| self.functions.rows.get(*place))
            .collect()
    }
}
