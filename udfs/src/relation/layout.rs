//! Which column of which relation each argument means, once the relations' columns are known.
//! It is made when a call is planned, and again wherever the operator is made from a [`Call`](super::Call);
//! it knows nothing of plans, so both places get the same answer.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};

use super::signature::{Argument, Class, Kind, Presence, Rows, Signature, Wanted, type_name};
use crate::error::{Error, Result};

/// The column arguments of a call by name, as written or inferred.
pub type ColumnNames = Vec<(String, Vec<String>)>;

/// The columns that a call reads. Each relation's are its id columns, then those that order its rows, then the rest.
#[derive(Debug, Clone)]
pub struct Layout {
    signature: &'static Signature,
    relations: Vec<RelationLayout>,
    ids: usize,
    arguments: Vec<(&'static str, Vec<ColumnRef>)>,
}

/// The columns read from one relation.
#[derive(Debug, Clone)]
pub struct RelationLayout {
    pub name: &'static str,
    pub rows: Rows,
    /// The columns as the function gets them.
    pub fields: Vec<FieldRef>,
    /// Where they stand in the relation as it was given.
    pub(super) sources: Vec<usize>,
    /// Those that order the rows of a group.
    pub(super) order: Vec<usize>,
}

/// A column of one of a call's relations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnRef {
    pub(super) relation: usize,
    pub(super) index: usize,
}

impl Layout {
    /// Finds the columns of a call.
    ///
    /// # Errors
    /// When a column is missing, ambiguous, or of a type that its argument does not take,
    /// and when a required argument is absent or can't be inferred.
    pub fn resolve(
        signature: &'static Signature,
        given: &ColumnNames,
        relations: &[(String, Vec<FieldRef>)],
    ) -> Result<Self> {
        let mut layout = Layout {
            signature,
            relations: Vec::new(),
            ids: 0,
            arguments: Vec::new(),
        };
        for (name, fields) in relations {
            let declared = signature
                .named(name)
                .find_map(|argument| match argument.kind {
                    Kind::Relation { rows, columns } => Some((argument.name, rows, columns)),
                    _ => None,
                });
            let Some((name, rows, columns)) = declared else {
                return Err(layout.missing(name));
            };
            let mut relation = RelationLayout {
                name,
                rows: layout.rows(rows, fields),
                fields: Vec::new(),
                sources: Vec::new(),
                order: Vec::new(),
            };
            match columns {
                Wanted::Arguments => layout.take_arguments(&mut relation, given, fields)?,
                Wanted::Like(arguments) => layout.take_like(&mut relation, arguments, fields)?,
                Wanted::Named(columns) => layout.take_named(&mut relation, columns, fields)?,
            }
            layout.relations.push(relation);
        }
        Ok(layout)
    }

    /// The relations of the call; the first is the one that the column arguments speak of.
    pub fn relations(&self) -> &[RelationLayout] {
        &self.relations
    }

    /// The id columns, as they are returned.
    pub fn ids(&self) -> &[FieldRef] {
        self.relations
            .first()
            .map_or(&[], |relation| &relation.fields[..self.ids])
    }

    /// The field of a column.
    pub fn field(&self, column: ColumnRef) -> &FieldRef {
        &self.relations[column.relation].fields[column.index]
    }

    /// The columns of an argument; none if it was left out.
    pub fn columns(&self, argument: &str) -> &[ColumnRef] {
        let found = self.arguments.iter().find(|(name, _)| *name == argument);
        found.map_or(&[], |(_, columns)| columns)
    }

    /// The column of an argument that is required or inferred.
    ///
    /// # Errors
    /// When the signature does not ensure that there is one.
    pub fn column(&self, argument: &str) -> Result<ColumnRef> {
        self.columns(argument)
            .first()
            .copied()
            .ok_or_else(|| self.missing(argument))
    }

    /// The column of this name in a further relation; none without the relation or the column.
    pub fn column_of(&self, relation: &str, column: &str) -> Option<ColumnRef> {
        let index = self.relations.iter().position(|r| r.name == relation)?;
        let fields = &self.relations[index].fields;
        let column = fields.iter().position(|field| field.name() == column)?;
        Some(ColumnRef {
            relation: index,
            index: column,
        })
    }

    /// The column of a further relation that answers to a column argument of the first.
    pub fn column_like(&self, relation: &str, column: ColumnRef) -> Option<ColumnRef> {
        self.column_of(relation, self.field(column).name())
    }

    /// The column arguments by name, inferred ones included: with them the same call resolves to the same columns.
    pub fn names(&self) -> ColumnNames {
        let names = self.arguments.iter().map(|(argument, columns)| {
            let columns = columns
                .iter()
                .map(|column| self.field(*column).name().clone());
            ((*argument).to_owned(), columns.collect())
        });
        names.collect()
    }

    /// Whose rows a relation's are: with any of the id columns it is each group's own.
    fn rows(&self, declared: Rows, fields: &[FieldRef]) -> Rows {
        let is_id = |field: &FieldRef| self.ids().iter().any(|id| id.name() == field.name());
        match declared {
            Rows::Either if fields.iter().any(is_id) => Rows::Grouped,
            Rows::Either => Rows::Shared,
            declared => declared,
        }
    }

    fn take_arguments(
        &mut self,
        relation: &mut RelationLayout,
        given: &ColumnNames,
        fields: &[FieldRef],
    ) -> Result<()> {
        let mut chosen: Vec<(&'static Argument, Vec<usize>)> = Vec::new();
        for argument in self.signature.columns() {
            if let Some((_, names)) = given.iter().find(|(name, _)| name == argument.name) {
                chosen.push((argument, positions(argument, names, fields)?));
            }
        }
        for argument in self.signature.columns() {
            if chosen.iter().any(|(other, _)| other.name == argument.name) {
                continue;
            }
            if let Kind::Column {
                class,
                inferred: true,
                ..
            } = argument.kind
            {
                let position = infer(argument.name, class, &chosen, fields)?;
                chosen.push((argument, vec![position]));
            } else if argument.required {
                return Err(self.missing(argument.name));
            }
        }
        // An order in which it makes no difference what was given and what inferred: the operator is told all.
        let declared = |name| {
            self.signature
                .columns()
                .position(|column| column.name == name)
        };
        chosen.sort_by_key(|(argument, _)| {
            let rank = match argument.kind {
                Kind::Ids => 0,
                Kind::Column { orders: true, .. } => 1,
                _ => 2,
            };
            (rank, declared(argument.name))
        });
        for (argument, positions) in chosen {
            let mut columns = Vec::new();
            for position in positions {
                let index = relation.take(position, Arc::clone(&fields[position]));
                columns.push(ColumnRef { relation: 0, index });
                if matches!(argument.kind, Kind::Column { orders: true, .. }) {
                    relation.order.push(index);
                }
            }
            if matches!(argument.kind, Kind::Ids) {
                self.ids = columns.len();
            }
            self.arguments.push((argument.name, columns));
        }
        Ok(())
    }

    /// Columns of the first relation's names and types; other types are cast by the planner.
    fn take_like(
        &self,
        relation: &mut RelationLayout,
        arguments: &'static [&'static str],
        fields: &[FieldRef],
    ) -> Result<()> {
        self.take_ids(relation, fields)?;
        for argument in arguments {
            for column in self.columns(argument) {
                let model = self.field(*column);
                let position = position(relation.name, model.name(), fields)?;
                let index = relation.take(position, like(&fields[position], model.data_type()));
                if self.relations[0].order.contains(&column.index) {
                    relation.order.push(index);
                }
            }
        }
        Ok(())
    }

    fn take_named(
        &self,
        relation: &mut RelationLayout,
        columns: &'static [(&'static str, Class, Presence)],
        fields: &[FieldRef],
    ) -> Result<()> {
        self.take_ids(relation, fields)?;
        for (name, class, presence) in columns {
            match position(relation.name, name, fields) {
                Ok(position) => {
                    check(relation.name, *class, &fields[position])?;
                    relation.take(position, Arc::clone(&fields[position]));
                }
                Err(Error::UndefinedColumn { .. }) if *presence == Presence::Optional => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn take_ids(&self, relation: &mut RelationLayout, fields: &[FieldRef]) -> Result<()> {
        if relation.rows == Rows::Grouped {
            for id in self.ids() {
                let position = position(relation.name, id.name(), fields)?;
                relation.take(position, like(&fields[position], id.data_type()));
            }
        }
        Ok(())
    }

    fn missing(&self, argument: &str) -> Error {
        Error::MissingArgument {
            function: self.signature.name.to_owned(),
            argument: argument.to_owned(),
            hint: format!("Write {argument} => and a column of the first argument."),
        }
    }
}

impl RelationLayout {
    /// A column that several arguments name is read once.
    fn take(&mut self, source: usize, field: FieldRef) -> usize {
        if let Some(index) = self.sources.iter().position(|taken| *taken == source) {
            return index;
        }
        self.sources.push(source);
        self.fields.push(field);
        self.fields.len() - 1
    }
}

fn like(field: &FieldRef, data_type: &DataType) -> FieldRef {
    if field.data_type() == data_type {
        return Arc::clone(field);
    }
    Arc::new(Field::new(field.name(), data_type.clone(), true))
}

fn positions(
    argument: &'static Argument,
    names: &[String],
    fields: &[FieldRef],
) -> Result<Vec<usize>> {
    let (class, many) = match argument.kind {
        Kind::Column { class, many, .. } => (class, many),
        _ => (Class::Any, true),
    };
    if !many && names.len() != 1 {
        return Err(Error::WrongType {
            argument: argument.name.to_owned(),
            wanted: "one column".to_owned(),
            found: "a list".to_owned(),
        });
    }
    let mut positions = Vec::with_capacity(names.len());
    for name in names {
        let position = position(argument.name, name, fields)?;
        check(argument.name, class, &fields[position])?;
        if positions.contains(&position) {
            return Err(Error::InvalidValue {
                argument: argument.name.to_owned(),
                value: name.clone(),
                hint: "Each column may be named once.".to_owned(),
            });
        }
        positions.push(position);
    }
    Ok(positions)
}

fn position(argument: &str, name: &str, fields: &[FieldRef]) -> Result<usize> {
    let mut found = fields
        .iter()
        .enumerate()
        .filter(|(_, field)| field.name() == name);
    match (found.next(), found.next()) {
        (Some((position, _)), None) => Ok(position),
        (Some(_), Some(_)) => Err(Error::AmbiguousColumn {
            column: name.to_owned(),
            argument: argument.to_owned(),
        }),
        (None, _) => Err(Error::UndefinedColumn {
            column: name.to_owned(),
            argument: argument.to_owned(),
            candidates: fields.iter().map(|field| field.name().clone()).collect(),
        }),
    }
}

fn check(argument: &str, class: Class, field: &Field) -> Result<()> {
    if class.accepts(field.data_type()) {
        return Ok(());
    }
    Err(Error::ColumnType {
        column: field.name().clone(),
        argument: argument.to_owned(),
        wanted: class.wanted(),
        found: type_name(field.data_type()),
    })
}

fn infer(
    argument: &str,
    class: Class,
    chosen: &[(&'static Argument, Vec<usize>)],
    fields: &[FieldRef],
) -> Result<usize> {
    let free = |position: &usize| !chosen.iter().any(|(_, taken)| taken.contains(position));
    let fits = |position: &usize| class.infers(fields[*position].data_type());
    let candidates: Vec<usize> = (0..fields.len()).filter(free).filter(fits).collect();
    match candidates.as_slice() {
        [only] => Ok(*only),
        _ => Err(Error::UndecidedColumn {
            argument: argument.to_owned(),
            wanted: class.wanted(),
            candidates: candidates
                .iter()
                .map(|i| fields[*i].name().clone())
                .collect(),
        }),
    }
}
