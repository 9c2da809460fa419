//! `FOR UPDATE` and its kin: the tables that they name are marked, since who locks a row must also be
//! allowed to change it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Ident, LockClause, LockType, NonBlock, ObjectNamePart, Query, SetExpr, Statement, TableAlias,
    TableFactor, TableWithJoins, VisitorMut,
};
use tessera_catalog::locks::Mode;
use tessera_udfs::walk::walk_mut;

use crate::planner::source::{LockWait, RowLock};

/// Between a locked table's name and how it is locked.
const MARK: char = '\u{7}';

/// Marks the tables of locking clauses.
pub(in crate::planner) fn mark_locked(statement: &mut Statement) {
    let _ = walk_mut(statement, &mut Marker::default());
}

/// A marked name's table, and how it is locked.
pub(in crate::planner) fn unmark(name: &str) -> Option<(&str, RowLock)> {
    let (table, how) = name.rsplit_once(MARK)?;
    let mut how = how.chars();
    let mode = match how.next() {
        Some('s') => Mode::Share,
        _ => Mode::Exclusive,
    };
    let wait = match how.next() {
        Some('r') => LockWait::Refuse,
        Some('s') => LockWait::Skip,
        _ => LockWait::Wait,
    };
    Some((table, RowLock { mode, wait }))
}

/// What a locking clause says, as [`unmark`] reads it.
fn code(lock: &LockClause) -> String {
    let mode = match lock.lock_type {
        LockType::Share => 's',
        LockType::Update => 'x',
    };
    let wait = match lock.nonblock {
        None => 'w',
        Some(NonBlock::Nowait) => 'r',
        Some(NonBlock::SkipLocked) => 's',
    };
    format!("{MARK}{mode}{wait}")
}

#[derive(Default)]
struct Marker {
    /// Names of `WITH` so far, which are no tables.
    named: Vec<String>,
}

impl VisitorMut for Marker {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.named
            .extend(ctes.map(|cte| cte.alias.name.value.to_lowercase()));
        let SetExpr::Select(select) = query.body.as_mut() else {
            return ControlFlow::Continue(());
        };
        for lock in std::mem::take(&mut query.locks) {
            let code = code(&lock);
            let of = lock.of.map(|name| name.to_string().to_lowercase());
            for from in &mut select.from {
                mark_in(from, of.as_deref(), (&self.named, &code));
            }
        }
        ControlFlow::Continue(())
    }
}

/// The names of `WITH`, and what marks a table.
type Marking<'a> = (&'a [String], &'a str);

fn mark_in(from: &mut TableWithJoins, of: Option<&str>, marking: Marking<'_>) {
    mark(&mut from.relation, of, marking);
    for join in &mut from.joins {
        mark(&mut join.relation, of, marking);
    }
}

fn mark(factor: &mut TableFactor, of: Option<&str>, marking: Marking<'_>) {
    match factor {
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => mark_in(table_with_joins, of, marking),
        TableFactor::Derived {
            subquery, alias, ..
        } => {
            let called = alias.as_ref().map(|alias| &alias.name.value);
            let is_meant = |of: &str| called.is_some_and(|called| is_called(of, called));
            if of.is_none_or(is_meant)
                && let SetExpr::Select(select) = subquery.body.as_mut()
            {
                for from in &mut select.from {
                    mark_in(from, None, marking);
                }
            }
        }
        TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } => {
            let (named, code) = marking;
            let qualified = name.0.len() > 1;
            let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut() else {
                return;
            };
            if !qualified && named.contains(&last.value.to_lowercase()) {
                return;
            }
            let called = alias.as_ref().map_or(&*last, |alias| &alias.name).clone();
            if of.is_some_and(|of| !is_called(of, &called.value)) {
                return;
            }
            if last.value.contains(MARK) {
                return;
            }
            if alias.is_none() {
                *alias = Some(TableAlias {
                    explicit: false,
                    name: called,
                    columns: Vec::new(),
                    at: None,
                });
            }
            let table = match last.quote_style {
                Some(_) => last.value.clone(),
                None => last.value.to_lowercase(),
            };
            *last = Ident::with_quote('"', format!("{table}{code}"));
        }
        _ => {}
    }
}

fn is_called(of: &str, name: &str) -> bool {
    of.trim_matches('"') == name.to_lowercase()
}
