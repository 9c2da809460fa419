//! Types of `$1`, `$2`, …: as declared, as cast in the text, as the engine infers, or else text.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{Cast, Placeholder};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::sqlparser::ast::{
    self, Expr as SqlExpr, LimitClause, Query, SetExpr, Value, Visitor,
};
use tessera_catalog::sql_type::SqlType;

use super::types::sql_type;
use super::user_types::UserTypes;
use crate::error::{Error, Result};
use tessera_udfs::walk::walk;

/// The most parameters of a statement, as on the wire.
const MAX_PARAMETERS: usize = 65_535;

/// What is known of parameters before planning, by number from 1.
#[derive(Debug, Default, Clone)]
pub struct Parameters {
    types: HashMap<usize, SqlType>,
    /// Those that the statement names.
    seen: HashSet<usize>,
    highest: usize,
}

impl Parameters {
    /// Reads what the text and the client tell of a statement's parameters.
    ///
    /// # Errors
    /// More parameters than the protocol can carry, or a declared type that does not exist.
    pub fn of(
        statement: &ast::Statement,
        declared: &[u32],
        user_types: &UserTypes,
    ) -> Result<Self> {
        let mut found = Self::default();
        if let ControlFlow::Break(error) = walk(statement, &mut Finder(&mut found, user_types)) {
            return Err(error);
        }
        for (index, oid) in declared.iter().enumerate().filter(|(_, oid)| **oid != 0) {
            let told = user_types
                .sql_type_of(*oid)
                .ok_or_else(|| Error::NoSuchType(oid.to_string()))?;
            if told != SqlType::Unknown {
                found.types.insert(index + 1, told);
            }
        }
        found.highest = found.highest.max(declared.len());
        let _: ControlFlow<()> = walk(statement, &mut Beside(&mut found, user_types));
        Ok(found)
    }

    /// Tells the type of a parameter unless it is known already.
    pub fn suggest(&mut self, number: usize, sql_type: &SqlType) {
        self.highest = self.highest.max(number);
        self.types.entry(number).or_insert_with(|| sql_type.clone());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.highest
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.highest == 0
    }

    /// For the engine's planner: the types as far as they are known.
    pub fn fields(&self, zone: &Arc<str>) -> Vec<Option<FieldRef>> {
        (1..=self.highest)
            .map(|number| Some(self.types.get(&number)?.field("", true, zone)))
            .collect()
    }

    /// All types once a plan is made: what the engine inferred, and text for the rest, which is also
    /// told to the plan.
    ///
    /// # Errors
    /// A parameter that is used as two types.
    pub fn resolve(
        &self,
        plan: LogicalPlan,
        zone: &Arc<str>,
    ) -> Result<(LogicalPlan, Vec<SqlType>)> {
        if self.highest == 0 {
            return Ok((plan, Vec::new()));
        }
        let inferred = first_uses(&plan)?;
        let mut types = Vec::with_capacity(self.highest);
        for number in 1..=self.highest {
            let known = self.types.get(&number);
            if known.is_none() && !self.seen.contains(&number) {
                return Err(Error::UndeterminedParameter(number));
            }
            types.push(match (known, inferred.get(&number)) {
                (Some(known), _) => known.clone(),
                (None, Some(field)) => wide(SqlType::of(field)),
                (None, None) => SqlType::Text,
            });
        }
        let plan = plan
            .transform_up_with_subqueries(|node| {
                node.map_expressions(|expr| {
                    expr.transform_up(|expr| {
                        let Expr::Placeholder(Placeholder { id, field }) = expr else {
                            return Ok(Transformed::no(expr));
                        };
                        let known = types.get(number_of(&id).wrapping_sub(1));
                        let known = known.unwrap_or(&SqlType::Text).field("", true, zone);
                        let typed = Expr::Placeholder(Placeholder {
                            id,
                            field: Some(Arc::clone(&known)),
                        });
                        // Its first use gives a parameter its type; elsewhere it is cast.
                        Ok(Transformed::yes(match field {
                            Some(field) if is_read_as(&field, &known) => {
                                Expr::Cast(Cast::new_from_field(Box::new(typed), field))
                            }
                            _ => typed,
                        }))
                    })
                })
            })?
            .data;
        Ok((plan, types))
    }
}

/// Whether a parameter is another type where it stands than it is by itself.
fn is_read_as(field: &FieldRef, known: &FieldRef) -> bool {
    let word = |field: &FieldRef| SqlType::of(field).enum_oid();
    field.data_type() != known.data_type() || word(field) != word(known)
}

/// The number in a placeholder's name.
fn number_of(id: &str) -> usize {
    id.trim_start_matches('$').parse().unwrap_or(0)
}

/// What the engine takes each parameter for where it stands first.
fn first_uses(plan: &LogicalPlan) -> Result<HashMap<usize, FieldRef>> {
    let mut found = HashMap::new();
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Placeholder(Placeholder {
                    id,
                    field: Some(field),
                }) = expr
                {
                    found
                        .entry(number_of(id))
                        .or_insert_with(|| Arc::clone(field));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}

/// A parameter beside a decimal of the engine's is any number, and beside `varchar`, which is compared as
/// text, it is text.
fn wide(sql_type: SqlType) -> SqlType {
    match sql_type {
        SqlType::Numeric(Some(_)) => SqlType::Numeric(None),
        SqlType::Unknown | SqlType::Varchar(_) => SqlType::Text,
        other => other,
    }
}

/// The number of a placeholder.
pub(crate) fn number(expr: &SqlExpr) -> Option<usize> {
    match expr {
        SqlExpr::Value(value) => match &value.value {
            Value::Placeholder(name) => name.strip_prefix('$')?.parse().ok(),
            _ => None,
        },
        SqlExpr::Nested(inner) => number(inner),
        _ => None,
    }
}

struct Finder<'a>(&'a mut Parameters, &'a UserTypes);

impl Visitor for Finder<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<Error> {
        if let SqlExpr::Cast {
            expr, data_type, ..
        } = expr
            && let Some(number) = number(expr)
            && let Ok(cast_to) = sql_type(data_type, self.1)
        {
            self.0.suggest(number, &without_modifier(cast_to));
        }
        if let Some(number) = number(expr) {
            if number == 0 || number > MAX_PARAMETERS {
                return ControlFlow::Break(Error::Syntax {
                    message: format!("there is no parameter ${number}"),
                    position: None,
                });
            }
            self.0.seen.insert(number);
            self.0.highest = self.0.highest.max(number);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause {
            let offset = offset.as_ref().map(|offset| &offset.value);
            for number in limit.iter().chain(offset).filter_map(number) {
                self.0.suggest(number, &SqlType::Int8);
            }
        }
        ControlFlow::Continue(())
    }
}

/// In a column of VALUES a parameter of unknown type has that of the others.
struct Beside<'a>(&'a mut Parameters, &'a UserTypes);

impl Visitor for Beside<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let SetExpr::Values(values) = query.body.as_ref() else {
            return ControlFlow::Continue(());
        };
        let [first, _, ..] = values.rows.as_slice() else {
            return ControlFlow::Continue(());
        };
        for place in 0..first.content.len() {
            let cells = || values.rows.iter().filter_map(|row| row.content.get(place));
            let known = cells().find_map(|cell| match cell {
                SqlExpr::Cast { data_type, .. } => {
                    sql_type(data_type, self.1).ok().map(without_modifier)
                }
                other => self.0.types.get(&number(other)?).cloned(),
            });
            if let Some(known) = known {
                for number in cells().filter_map(number) {
                    self.0.suggest(number, &known);
                }
            }
        }
        ControlFlow::Continue(())
    }
}

/// The type that a cast gives its parameter: the value itself is not yet cut to a length.
fn without_modifier(sql_type: SqlType) -> SqlType {
    match sql_type {
        SqlType::Varchar(_) => SqlType::Varchar(None),
        SqlType::Char(_) => SqlType::Text,
        other => other,
    }
}
