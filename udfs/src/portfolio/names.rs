//! Assets by name: columns of names as text, and rows of further relations by the asset that they speak of.

use std::collections::HashMap;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::DataType;

use crate::relation::{Failure, Group, Layout};

/// The values of a key column as text.
pub(super) fn keys(column: &ArrayRef) -> Result<StringArray, Failure> {
    Ok(cast(column, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// A further relation of a call, in a group.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    layout: &'a Layout,
    group: &'a Group<'a>,
    relation: &'static str,
}

impl<'a> Rows<'a> {
    /// The rows of a relation; none if the call has it not.
    pub(super) fn of(
        layout: &'a Layout,
        group: &'a Group<'a>,
        relation: &'static str,
    ) -> Option<Self> {
        let given = layout.relations().iter().any(|r| r.name == relation);
        given.then_some(Self {
            layout,
            group,
            relation,
        })
    }

    /// Whether every group sees the same rows, so that some may speak of assets that this one has not.
    pub(super) fn are_shared(&self) -> bool {
        let shared = |r: &&crate::relation::RelationLayout| {
            r.name == self.relation && r.rows == crate::relation::Rows::Shared
        };
        !self.layout.ids().is_empty() && self.layout.relations().iter().any(|r| shared(&r))
    }

    /// A column of text or keys; NULL throughout if the relation has it not.
    pub(super) fn texts(&self, column: &str) -> Result<Vec<Option<String>>, Failure> {
        match self.layout.column_of(self.relation, column) {
            Some(column) => {
                let keys = keys(self.group.column(column))?;
                Ok(keys.iter().map(|key| key.map(str::to_owned)).collect())
            }
            None => Ok(vec![None; self.len()]),
        }
    }

    /// A column of numbers; NULL and infinity are none.
    ///
    /// # Errors
    /// When one is NaN.
    pub(super) fn numbers(&self, column: &str) -> Result<Vec<Option<f64>>, Failure> {
        match self.layout.column_of(self.relation, column) {
            Some(place) => {
                let values = self.group.numbers(place)?;
                let given = self.group.column(place);
                if (0..values.len()).any(|row| values[row].is_nan() && given.is_valid(row)) {
                    return Err(Failure::refused(format_args!(
                        "{} has a {column} that is not a number",
                        self.relation
                    )));
                }
                let values = values.into_iter();
                Ok(values
                    .map(|value| value.is_finite().then_some(value))
                    .collect())
            }
            None => Ok(vec![None; self.len()]),
        }
    }

    /// A number for each asset; assets without one have none, and names that are not assets are passed over.
    ///
    /// # Errors
    /// When an asset has two rows.
    pub(super) fn by_asset(&self, names: &[String], column: &str) -> Result<ByAsset, Failure> {
        let places: HashMap<&str, usize> = names
            .iter()
            .enumerate()
            .map(|(i, name)| (name.as_str(), i))
            .collect();
        let mut values = vec![None; names.len()];
        let mut seen = vec![false; names.len()];
        let mut unknown = None;
        for (asset, value) in self.texts("asset")?.into_iter().zip(self.numbers(column)?) {
            let Some(asset) = asset else { continue };
            let Some(place) = places.get(asset.as_str()) else {
                unknown.get_or_insert(asset);
                continue;
            };
            if std::mem::replace(&mut seen[*place], true) {
                return Err(Failure::refused(format_args!(
                    "{} has two rows of asset \"{asset}\"",
                    self.relation
                )));
            }
            values[*place] = value;
        }
        Ok(ByAsset {
            relation: self.relation,
            values,
            unknown,
            shared: self.are_shared(),
        })
    }

    fn len(&self) -> usize {
        let any = ["asset", "kind"]
            .into_iter()
            .find_map(|column| self.layout.column_of(self.relation, column));
        any.map_or(0, |column| self.group.column(column).len())
    }
}

/// A number for each asset, as a relation gives it.
#[derive(Debug)]
pub(super) struct ByAsset {
    relation: &'static str,
    values: Vec<Option<f64>>,
    unknown: Option<String>,
    shared: bool,
}

impl ByAsset {
    /// The numbers, when every asset must have one.
    ///
    /// # Errors
    /// Naming the first asset that has none.
    pub(super) fn all(self, names: &[String]) -> Result<Vec<f64>, Failure> {
        match self.values.iter().position(Option::is_none) {
            Some(place) => Err(Failure::refused(format_args!(
                "{} has no value of asset \"{}\"",
                self.relation, names[place]
            ))),
            None => Ok(self.values.into_iter().flatten().collect()),
        }
    }

    /// The numbers, zero where there is none. A name that is no asset is refused unless the rows are all groups'.
    ///
    /// # Errors
    /// Naming the first name that is no asset.
    pub(super) fn or_zero(self) -> Result<Vec<f64>, Failure> {
        match self.unknown {
            Some(name) if !self.shared => Err(unknown(self.relation, &name)),
            _ => Ok(self
                .values
                .into_iter()
                .map(|value| value.unwrap_or(0.0))
                .collect()),
        }
    }
}

pub(super) fn unknown(relation: &str, name: &str) -> Failure {
    Failure::refused(format_args!(
        "{relation} names \"{name}\", which is no asset of the data"
    ))
}
