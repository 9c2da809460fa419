//! A call in a logical plan. Its inputs are plain plans and its options plain expressions, so policies,
//! optimiser and parameters reach into it as into any other node.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DFSchema, DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use super::call::{Call, Options};
use super::layout::Layout;
use super::signature::{ID_COLS, Kind, Rows};
use super::value::Value;
use super::{TableFunction, output_schema};
use crate::error::Error;

/// A call of a table function over its inputs.
#[derive(Debug, Clone)]
pub struct TableFunctionNode {
    function: Arc<dyn TableFunction>,
    /// Without options: those are `options` until they are all known.
    call: Call,
    options: Vec<OptionExprs>,
    inputs: Vec<LogicalPlan>,
    layout: Layout,
    schema: DFSchemaRef,
}

/// An option that may still hold parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct OptionExprs {
    pub(super) name: String,
    pub(super) is_list: bool,
    pub(super) exprs: Vec<Expr>,
}

impl TableFunctionNode {
    /// A call over inputs that hold the layout's columns in its order.
    pub(super) fn new(
        function: Arc<dyn TableFunction>,
        call: Call,
        options: Vec<OptionExprs>,
        inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let layout = Layout::resolve(function.signature(), &call.columns, &fields(&call, &inputs))?;
        let schema = output_schema(function.as_ref(), &layout)?;
        let schema = Arc::new(DFSchema::try_from(schema)?);
        let node = Self {
            function,
            call,
            options,
            inputs,
            layout,
            schema,
        };
        node.check_options()?;
        Ok(node)
    }

    /// The function that is called.
    pub fn function(&self) -> &Arc<dyn TableFunction> {
        &self.function
    }

    /// The columns of the inputs that are read.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The columns of the result.
    pub fn result(&self) -> &DFSchema {
        &self.schema
    }

    /// The call as plain data.
    ///
    /// # Errors
    /// When a parameter is not bound, or an option has a wrong value.
    pub fn call(&self) -> Result<Call> {
        let mut call = self.call.clone();
        for option in &self.options {
            match self.value(option)? {
                Some(value) => call.options.push((option.name.clone(), value)),
                None => {
                    return Err(Error::NotConstant {
                        argument: option.name.clone(),
                    }
                    .into());
                }
            }
        }
        Ok(call)
    }

    /// Checks the options that are known, and all together once all are.
    fn check_options(&self) -> Result<()> {
        let mut known = Vec::with_capacity(self.options.len());
        for option in &self.options {
            if let Some(value) = self.value(option)? {
                known.push((option.name.clone(), value));
            }
        }
        if known.len() == self.options.len() {
            let options = Options::new(self.function.signature(), &known)?;
            self.function.bind(&self.layout, &options)?;
        }
        Ok(())
    }

    fn value(&self, option: &OptionExprs) -> Result<Option<Value>> {
        let kinds = self.function.signature().named(&option.name);
        let value_type = kinds.into_iter().find_map(|argument| match argument.kind {
            Kind::Option { value, .. } => Some(value),
            Kind::Relation { .. } | Kind::Ids | Kind::Column { .. } => None,
        });
        let Some(value_type) = value_type else {
            return internal_err!("option {} is not declared", option.name);
        };
        let mut scalars = Vec::with_capacity(option.exprs.len());
        for expr in &option.exprs {
            match expr {
                Expr::Literal(scalar, _) => scalars.push(scalar.clone()),
                _ => return Ok(None),
            }
        }
        Ok(Some(match scalars.as_slice() {
            [scalar] if !option.is_list => value_type.scalar(&option.name, scalar)?,
            scalars => value_type.list(&option.name, scalars)?,
        }))
    }
}

fn fields(call: &Call, inputs: &[LogicalPlan]) -> Vec<(String, Vec<FieldRef>)> {
    let fields = inputs.iter().map(|input| input.schema().fields().to_vec());
    call.relations.iter().cloned().zip(fields).collect()
}

impl UserDefinedLogicalNodeCore for TableFunctionNode {
    fn name(&self) -> &str {
        self.function.signature().name
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.options
            .iter()
            .flat_map(|option| option.exprs.iter().cloned())
            .collect()
    }

    /// A filter on id columns leaves out whole groups, so it may go below, unless some input has no id columns.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let shared = self
            .layout
            .relations()
            .iter()
            .any(|relation| relation.rows == Rows::Shared);
        let ids = if shared { &[] } else { self.layout.ids() };
        let names = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().clone());
        names
            .filter(|name| !ids.iter().any(|id| id.name() == name))
            .collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableFunction: {}(", self.function.signature().name)?;
        let columns = self.call.columns.iter().map(|(name, columns)| {
            let list = columns.join(", ");
            if name == ID_COLS || columns.len() > 1 {
                format!("{name} => ({list})")
            } else {
                format!("{name} => {list}")
            }
        });
        let options = self.options.iter().map(|option| {
            let exprs: Vec<String> = option.exprs.iter().map(explained).collect();
            let list = exprs.join(", ");
            if option.is_list {
                format!("{} => ({list})", option.name)
            } else {
                format!("{} => {list}", option.name)
            }
        });
        let parts: Vec<String> = columns.chain(options).collect();
        write!(f, "{})", parts.join(", "))
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let expected: usize = self.options.iter().map(|option| option.exprs.len()).sum();
        if exprs.len() != expected || inputs.len() != self.inputs.len() {
            return internal_err!(
                "wrong number of inputs or expressions for {}",
                self.call.function
            );
        }
        let mut exprs = exprs.into_iter().map(unaliased);
        let options: Vec<OptionExprs> = self
            .options
            .iter()
            .map(|option| OptionExprs {
                exprs: exprs.by_ref().take(option.exprs.len()).collect(),
                ..option.clone()
            })
            .collect();
        // An optimiser that proves a column not null changes nothing of what was described to the client.
        let same_columns = inputs.iter().zip(&self.inputs).all(|(new, old)| {
            new.schema().fields().iter().map(name_and_type).eq(old
                .schema()
                .fields()
                .iter()
                .map(name_and_type))
        });
        if !same_columns {
            return Self::new(
                Arc::clone(&self.function),
                self.call.clone(),
                options,
                inputs,
            );
        }
        let changed = options != self.options;
        let node = Self {
            options,
            inputs,
            ..self.clone()
        };
        if changed {
            node.check_options()?;
        }
        Ok(node)
    }
}

fn name_and_type(field: &FieldRef) -> (&String, &DataType) {
    (field.name(), field.data_type())
}

/// Replacing a parameter keeps its name by an alias, which means nothing here.
fn unaliased(expr: Expr) -> Expr {
    match expr {
        Expr::Alias(alias) => unaliased(*alias.expr),
        other => other,
    }
}

fn explained(expr: &Expr) -> String {
    match expr {
        Expr::Literal(scalar, _) => match scalar.try_as_str() {
            Some(Some(text)) => format!("'{}'", text.replace('\'', "''")),
            _ => scalar.to_string(),
        },
        Expr::Placeholder(placeholder) => placeholder.id.clone(),
        other => other.to_string(),
    }
}

impl PartialEq for TableFunctionNode {
    fn eq(&self, other: &Self) -> bool {
        self.call == other.call
            && self.options == other.options
            && self.schema == other.schema
            && self.inputs == other.inputs
    }
}

// A `Call` here holds no options, so no floating point.
impl Eq for TableFunctionNode {}

impl Hash for TableFunctionNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.call.function.hash(state);
        self.call.relations.hash(state);
        self.call.columns.hash(state);
        self.options.hash(state);
        self.inputs.hash(state);
    }
}

impl PartialOrd for TableFunctionNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            return Some(Ordering::Equal);
        }
        let key = |node: &Self| (node.call.function.clone(), node.call.columns.clone());
        let options = |node: &Self| -> Vec<Expr> { node.expressions() };
        match key(self).cmp(&key(other)) {
            Ordering::Equal => match options(self).partial_cmp(&options(other))? {
                Ordering::Equal => self
                    .inputs
                    .partial_cmp(&other.inputs)
                    .filter(|order| order.is_ne()),
                order => Some(order),
            },
            order => Some(order),
        }
    }
}
