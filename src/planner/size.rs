//! How large a plan may become.
//!
//! A view or a WITH query stands in a plan once for each time it is named, so a few lines of SQL that
//! name each other twice stand for a million steps. What WITH multiplies is counted on the parsed
//! statement, because planning itself walks over the plan again and again; the rest on the plan, before
//! anything of ours walks over it.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, Visitor};
use tessera_udfs::walk::walk;

use super::source::ViewRef;
use crate::error::{Error, Result};

/// The most relations of one statement, with those of its WITH queries put in.
const MAX_RELATIONS: usize = 4_096;
/// The most steps of one plan, with those of its views and sub-queries.
const MAX_STEPS: usize = 32_768;
/// The most conditions that all have to hold, in all steps together: the engine chains them, one level
/// of its tree each.
const MAX_CONDITIONS: usize = 2_500;

/// Fails if a statement stands for too many relations.
///
/// # Errors
/// 54001 beyond [`MAX_RELATIONS`].
pub(super) fn check_statement(statement: &Statement) -> Result<()> {
    let mut counter = Relations::default();
    match walk(statement, &mut counter) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::TooComplex(format!(
            "with its WITH queries put in it reads more than {MAX_RELATIONS} relations"
        ))),
    }
}

/// What a plan comes to when its views are put in.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    steps: usize,
    /// Conditions that all have to hold.
    conditions: usize,
}

impl Size {
    /// Counts a plan, up to the limits.
    ///
    /// # Errors
    /// 54001 beyond [`MAX_STEPS`] or [`MAX_CONDITIONS`].
    pub(super) fn of(plan: &LogicalPlan) -> Result<Self> {
        let mut size = Self::default();
        plan.apply_with_subqueries(|step| {
            size.add(step);
            Ok(match size.is_too_large() {
                true => TreeNodeRecursion::Stop,
                false => TreeNodeRecursion::Continue,
            })
        })?;
        if size.steps > MAX_STEPS {
            return Err(Error::TooComplex(format!(
                "with its views and WITH queries put in it has more than {MAX_STEPS} steps"
            )));
        }
        if size.conditions > MAX_CONDITIONS {
            return Err(Error::TooComplex(format!(
                "more than {MAX_CONDITIONS} conditions are chained by AND; a list of values may be longer in IN (…)"
            )));
        }
        Ok(size)
    }

    fn add(&mut self, step: &LogicalPlan) {
        self.steps += 1;
        match step {
            LogicalPlan::Filter(filter) => {
                self.conditions += split_conjunction(&filter.predicate).len();
            }
            LogicalPlan::Join(join) => {
                let filter = join.filter.as_ref();
                self.conditions += filter.map_or(0, |filter| split_conjunction(filter).len());
            }
            LogicalPlan::TableScan(scan) => {
                if let Some(view) = scan.source.downcast_ref::<ViewRef>() {
                    self.steps += view.size.steps;
                    self.conditions += view.size.conditions;
                }
            }
            _ => {}
        }
    }

    fn is_too_large(&self) -> bool {
        self.steps > MAX_STEPS || self.conditions > MAX_CONDITIONS
    }
}

/// Counts relations, a WITH query as often as it is named.
#[derive(Default)]
struct Relations {
    /// What each WITH query stands for.
    known: HashMap<String, usize>,
    /// Which queries are those of a WITH, by where they stand in memory.
    named: HashMap<*const Query, String>,
    /// The queries around the current place, with what they stand for so far.
    open: Vec<usize>,
}

impl Relations {
    fn add(&mut self, relations: usize) -> ControlFlow<()> {
        let Some(count) = self.open.last_mut() else {
            return ControlFlow::Continue(());
        };
        *count = count.saturating_add(relations);
        match *count > MAX_RELATIONS {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Visitor for Relations {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = cte.alias.name.value.to_lowercase();
            self.named
                .insert(std::ptr::from_ref(cte.query.as_ref()), name);
        }
        self.open.push(0);
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let relations = self.open.pop().unwrap_or_default();
        match self.named.remove(&std::ptr::from_ref(query)) {
            Some(name) => {
                self.known.insert(name, relations.max(1));
                ControlFlow::Continue(())
            }
            None => self.add(relations),
        }
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<()> {
        let name = relation.0.last().and_then(|part| part.as_ident());
        let known = name.and_then(|name| self.known.get(&name.value.to_lowercase()));
        let relations = known.copied().unwrap_or(1);
        self.add(relations)
    }
}
