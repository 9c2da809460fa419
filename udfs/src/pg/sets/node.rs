//! A row for each element of the sets that are made of a row.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, DFSchemaRef, Result, TableReference, internal_err};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};

use super::function::element;

/// The columns of the input, and behind them one for each set. The sets of a row go in step: a shorter one
/// is NULL where it has ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetRows {
    input: LogicalPlan,
    sets: Vec<SetColumn>,
    /// Whether a row without elements stays, with NULL in their place.
    keeps_empty: bool,
    schema: Schema,
}

/// A column of elements.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetColumn {
    /// The whole set of a row; `None` for the number of a row among those of its input row, from 1.
    pub rows: Option<Expr>,
    /// The column's name.
    pub name: String,
}

/// A schema that follows from the rest, so it does not count in comparisons.
#[derive(Debug, Clone)]
struct Schema(DFSchemaRef);

impl PartialEq for Schema {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Schema {}

impl Hash for Schema {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// Whether a node is a [`SetRows`].
pub fn is_set_rows(node: &dyn UserDefinedLogicalNode) -> bool {
    node.as_any().is::<SetRows>()
}

/// The same node that keeps rows without elements, with NULL in their place.
pub fn keeping_empty(node: &dyn UserDefinedLogicalNode) -> Option<SetRows> {
    let node = node.as_any().downcast_ref::<SetRows>()?;
    Some(SetRows {
        keeps_empty: true,
        ..node.clone()
    })
}

impl SetRows {
    /// The rows of `sets` over `input`.
    ///
    /// # Errors
    /// An expression that gives no set.
    pub fn new(input: LogicalPlan, sets: Vec<SetColumn>, keeps_empty: bool) -> Result<Self> {
        let mut fields: Vec<(Option<TableReference>, FieldRef)> = input
            .schema()
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)))
            .collect();
        for set in &sets {
            let field = match &set.rows {
                Some(rows) => element(rows.to_field(input.schema())?.1.as_ref(), &set.name)?,
                None => Field::new(&set.name, DataType::Int64, true),
            };
            fields.push((None, Arc::new(field)));
        }
        let schema = DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?;
        Ok(Self {
            input,
            sets,
            keeps_empty,
            schema: Schema(Arc::new(schema)),
        })
    }

    pub(super) fn keeps_empty(&self) -> bool {
        self.keeps_empty
    }

    pub(super) fn sets(&self) -> &[SetColumn] {
        &self.sets
    }

    pub(super) fn result(&self) -> &DFSchema {
        &self.schema.0
    }
}

impl UserDefinedLogicalNodeCore for SetRows {
    fn name(&self) -> &str {
        "rows_of_sets"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema.0
    }

    fn expressions(&self) -> Vec<Expr> {
        self.sets
            .iter()
            .filter_map(|set| set.rows.clone())
            .collect()
    }

    /// A filter on columns of the input may go below.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.sets.iter().map(|set| set.name.clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets = self.sets.iter().map(|set| match &set.rows {
            Some(rows) => rows.to_string(),
            None => "ordinality".to_owned(),
        });
        write!(f, "ProjectSet: {}", sets.collect::<Vec<_>>().join(", "))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let Ok([input]) = <[LogicalPlan; 1]>::try_from(inputs) else {
            return internal_err!("rows of sets have one input");
        };
        let mut exprs = exprs.into_iter();
        let mut sets = self.sets.clone();
        for set in sets.iter_mut().filter(|set| set.rows.is_some()) {
            let Some(rows) = exprs.next() else {
                return internal_err!("rows of sets miss an expression");
            };
            set.rows = Some(rows.unalias());
        }
        Self::new(input, sets, self.keeps_empty)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let input = self.input.schema();
        let mut needed: HashSet<usize> = output_columns
            .iter()
            .copied()
            .filter(|index| *index < input.fields().len())
            .collect();
        for column in self.sets.iter().filter_map(|set| set.rows.as_ref()) {
            for column in column.column_refs() {
                needed.extend(input.maybe_index_of_column(column));
            }
        }
        let mut needed: Vec<usize> = needed.into_iter().collect();
        needed.sort_unstable();
        Some(vec![needed])
    }
}

impl PartialOrd for SetRows {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            return Some(Ordering::Equal);
        }
        let names =
            |node: &Self| -> Vec<String> { node.sets.iter().map(|set| set.name.clone()).collect() };
        let by_name = names(self).cmp(&names(other));
        match by_name {
            Ordering::Equal => self.input.partial_cmp(&other.input).filter(|o| o.is_ne()),
            order => Some(order),
        }
    }
}
