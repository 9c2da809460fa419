//! `FOR UPDATE` and its kin: the tables that they name are marked, since who locks a row must also be
//! allowed to change it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Ident, ObjectNamePart, Query, SetExpr, Statement, TableAlias, TableFactor, TableWithJoins,
    VisitorMut,
};
use tessera_udfs::walk::walk_mut;

/// What a locked table's name ends with.
const MARK: &str = "\u{7}";

/// Marks the tables of locking clauses.
pub(in crate::planner) fn mark_locked(statement: &mut Statement) {
    let _ = walk_mut(statement, &mut Marker::default());
}

/// A marked name's table.
pub(in crate::planner) fn unmark(name: &str) -> Option<&str> {
    name.strip_suffix(MARK)
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
            let of = lock.of.map(|name| name.to_string().to_lowercase());
            for from in &mut select.from {
                mark_in(from, of.as_deref(), &self.named);
            }
        }
        ControlFlow::Continue(())
    }
}

fn mark_in(from: &mut TableWithJoins, of: Option<&str>, named: &[String]) {
    mark(&mut from.relation, of, named);
    for join in &mut from.joins {
        mark(&mut join.relation, of, named);
    }
}

fn mark(factor: &mut TableFactor, of: Option<&str>, named: &[String]) {
    match factor {
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => mark_in(table_with_joins, of, named),
        TableFactor::Table {
            name,
            alias,
            args: None,
            ..
        } => {
            let qualified = name.0.len() > 1;
            let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut() else {
                return;
            };
            if !qualified && named.contains(&last.value.to_lowercase()) {
                return;
            }
            let called = alias.as_ref().map_or(&*last, |alias| &alias.name).clone();
            if of.is_some_and(|of| of.trim_matches('"') != called.value.to_lowercase()) {
                return;
            }
            if last.value.ends_with(MARK) {
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
            *last = Ident::with_quote('"', format!("{table}{MARK}"));
        }
        _ => {}
    }
}
