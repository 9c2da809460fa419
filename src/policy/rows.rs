//! Row security: which policies bind a caller on a table, and the condition that they make together.
//!
//! A table has one layer of policies in its own database; one that the operator lends has the
//! operator's, which bind every role of a tenant, and beside it the tenant's own. A row must pass
//! each layer: one permissive policy of it, and all restrictive ones. Layers and policies are read
//! afresh for every statement.

use std::sync::Arc;

use tessera_catalog::model::{Condition, Policy, PolicyCommand, Reference, RowSecurity};

use super::rights::Caller;
use crate::error::{Error, Result};
use crate::planner::condition::renumbered;
use crate::planner::source::{Found, TableRef};

/// What the rows of a table are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A query.
    Read,
    /// A statement that changes rows finds them.
    Change {
        verb: Verb,
        /// Whether it also looks at them outside its query, in RETURNING.
        returns: bool,
    },
    /// The server itself checks what a change of the table's definition demands.
    Definition,
}

/// A statement that changes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Update,
    Delete,
    Merge,
    /// INSERT … ON CONFLICT DO UPDATE, which updates only what UPDATE and SELECT may both see.
    Upsert,
}

/// The layers of policies that bind a caller on one table.
pub(super) struct Bound<'a> {
    caller: &'a Caller,
    layers: Vec<&'a RowSecurity>,
}

impl<'a> Bound<'a> {
    /// The layers, or `None` where nothing binds the caller.
    ///
    /// # Errors
    /// 42501 when something does and `row_security` is off.
    pub(super) fn of(
        caller: &'a Caller,
        found: &'a Found,
        row_security: bool,
    ) -> Result<Option<Self>> {
        let layers = layers(caller, found);
        if layers.is_empty() {
            return Ok(None);
        }
        if !row_security {
            let table = &found.relation.name;
            return Err(Error::InsufficientPrivilege(format!(
                "query would be affected by row-level security policy for table \"{table}\""
            )));
        }
        Ok(Some(Self { caller, layers }))
    }

    /// Which stored rows are there for the commands, all of them.
    pub(super) fn stored(&self, commands: &[PolicyCommand]) -> Result<Joined> {
        let mut joined = Joined::default();
        for (layer, command) in self.each(commands) {
            let (permissive, restrictive) = self.policies(layer, command);
            let using = |policy: &'a Policy| policy.using.as_ref();
            joined.any(permissive.filter_map(using))?;
            for condition in restrictive.filter_map(using) {
                joined.all(condition)?;
            }
        }
        Ok(joined)
    }

    /// What new rows of the commands must fulfil: by each permissive set, which has no name, and
    /// each restrictive policy.
    pub(super) fn new_rows(&self, commands: &[(PolicyCommand, Half)]) -> Result<Vec<Rule>> {
        let mut rules = Vec::new();
        for (command, half) in commands {
            for layer in &self.layers {
                let (permissive, restrictive) = self.policies(layer, *command);
                let mut joined = Joined::default();
                joined.any(permissive.filter_map(|policy| half.of(policy)))?;
                rules.push(Rule {
                    policy: None,
                    condition: joined,
                });
                for policy in restrictive {
                    let Some(condition) = half.of(policy) else {
                        continue;
                    };
                    let mut joined = Joined::default();
                    joined.all(condition)?;
                    rules.push(Rule {
                        policy: Some(policy.name.clone()),
                        condition: joined,
                    });
                }
            }
        }
        Ok(rules)
    }

    fn each(
        &self,
        commands: &[PolicyCommand],
    ) -> impl Iterator<Item = (&'a RowSecurity, PolicyCommand)> {
        let layers = self.layers.iter().copied();
        layers.flat_map(move |layer| commands.iter().map(move |command| (layer, *command)))
    }

    /// The permissive and the restrictive policies of a layer that are for a command and the caller.
    fn policies(
        &self,
        layer: &'a RowSecurity,
        command: PolicyCommand,
    ) -> (
        impl Iterator<Item = &'a Policy>,
        impl Iterator<Item = &'a Policy>,
    ) {
        let caller = self.caller;
        let fits = move |policy: &&Policy| {
            (policy.command == PolicyCommand::All || policy.command == command)
                && caller.reader().is_any(&policy.roles)
        };
        let of_kind = move |permissive: bool| {
            let fitting = layer.policies.iter().filter(fits);
            fitting.filter(move |policy| policy.permissive == permissive)
        };
        (of_kind(true), of_kind(false))
    }
}

/// Which of a policy's conditions new rows are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Half {
    /// WITH CHECK, or USING where there is none.
    Check,
    /// USING, since the statement also reads the rows.
    Using,
}

impl Half {
    fn of(self, policy: &Policy) -> Option<&Condition> {
        match self {
            Self::Check => policy.check.as_ref().or(policy.using.as_ref()),
            Self::Using => policy.using.as_ref(),
        }
    }
}

/// One thing that a new row must fulfil.
pub(super) struct Rule {
    /// The restrictive policy that says so.
    pub(super) policy: Option<String>,
    pub(super) condition: Joined,
}

/// Conditions joined into one text over one set of names.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// What the conditions call the table.
    pub(super) table: Option<String>,
    /// Number and name of the columns that the conditions may name.
    pub(super) columns: Vec<(i16, String)>,
    pub(super) references: Vec<Reference>,
    /// Whether any of them has a sub-query.
    pub(super) subqueries: bool,
    all: Vec<String>,
}

impl Joined {
    /// The rows that the conditions are about: all live columns of the table, under the names that
    /// the conditions know, and others under names that nothing can say.
    pub(super) fn rows(&self, table: &TableRef, zone: &Arc<str>) -> TableRef {
        let live = table
            .found
            .relation
            .table()
            .into_iter()
            .flat_map(|table| table.live_columns());
        let columns = live
            .map(|column| {
                let known = self.columns.iter().find(|(n, _)| *n == column.number);
                let name = known.map_or_else(
                    || format!("\u{6}{}", column.number),
                    |(_, name)| name.clone(),
                );
                (column.number, name)
            })
            .collect();
        let rows = TableRef::with_columns(table.found.clone(), table.as_of, columns, zone);
        if table.row_ids {
            return rows.with_row_ids();
        }
        rows
    }

    /// The text; rows are there where it is true.
    pub(super) fn text(&self) -> String {
        match self.all.is_empty() {
            true => "true".to_owned(),
            false => self.all.join(" AND "),
        }
    }

    /// Adds that one of some conditions must hold; without any, none does.
    fn any<'c>(&mut self, conditions: impl Iterator<Item = &'c Condition>) -> Result<()> {
        let texts = conditions
            .map(|condition| self.take(condition))
            .collect::<Result<Vec<_>>>()?;
        self.all.push(match texts.is_empty() {
            true => "false".to_owned(),
            false => format!("({})", texts.join(" OR ")),
        });
        Ok(())
    }

    /// Adds that a condition must hold.
    fn all(&mut self, condition: &Condition) -> Result<()> {
        let text = self.take(condition)?;
        self.all.push(text);
        Ok(())
    }

    /// A condition's text among the others.
    fn take(&mut self, condition: &Condition) -> Result<String> {
        let table = self.table.get_or_insert_with(|| condition.table.clone());
        let mut fits = *table == condition.table;
        for (number, name) in &condition.columns {
            let known = self
                .columns
                .iter()
                .find(|(n, known)| n == number || known == name);
            match known {
                Some((n, known)) => fits &= n == number && known == name,
                None => self.columns.push((*number, name.clone())),
            }
        }
        if !fits {
            return Err(Error::Unsupported(format!(
                "policies on \"{table}\" from before and after it or a column was renamed"
            )));
        }
        self.subqueries |= condition.subqueries;
        let text = renumbered(&condition.bound, self.references.len());
        self.references.extend(condition.references.iter().cloned());
        Ok(format!("({text})"))
    }
}

fn layers<'a>(caller: &'a Caller, found: &Found) -> Vec<&'a RowSecurity> {
    let lent = found.home != caller.database.id;
    caller.reader().bound_by(&found.relation, lent)
}
