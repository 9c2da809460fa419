//! From a call in FROM to a logical node: plans the inputs as any other query, finds the columns, checks the options.
//! It looks nothing up by string, and sees the catalog only through DataFusion's planner.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::sqlparser::ast::{FunctionArg, ObjectName, TableFactor, VisitMut};

use super::arguments::{Arguments, OptionArgument};
use super::layout::{Layout, RelationLayout};
use super::node::{OptionExprs, TableFunctionNode};
use super::rewrite;
use super::signature::{Kind, Signature};
use super::{Call, TableFunction};
use crate::error::Error;

/// The table functions that a session knows; plans their calls.
#[derive(Clone)]
pub struct TableFunctions {
    functions: Arc<[Arc<dyn TableFunction>]>,
}

impl TableFunctions {
    /// A set of functions.
    pub fn new(functions: Vec<Arc<dyn TableFunction>>) -> Self {
        Self {
            functions: functions.into(),
        }
    }

    /// The functions' declarations.
    pub fn signatures(&self) -> Vec<&'static Signature> {
        self.functions
            .iter()
            .map(|function| function.signature())
            .collect()
    }

    /// The function that a call names.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn TableFunction>> {
        self.functions
            .iter()
            .find(|function| function.signature().name == name)
    }

    /// Makes `forecast(sales, …)` read `forecast((SELECT * FROM sales), …)`, everywhere in a statement.
    pub fn rewrite_relation_arguments(&self, node: &mut impl VisitMut) {
        rewrite::rewrite(node, &self.signatures());
    }

    fn called(&self, name: &ObjectName) -> Option<&Arc<dyn TableFunction>> {
        self.get(rewrite::signature(&self.signatures(), name)?.name)
    }
}

impl fmt::Debug for TableFunctions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self
            .functions
            .iter()
            .map(|function| function.signature().name);
        f.debug_list().entries(names).finish()
    }
}

impl RelationPlanner for TableFunctions {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let function = match &relation {
            TableFactor::Table {
                name,
                args: Some(_),
                ..
            }
            | TableFactor::Function { name, .. } => self.called(name).cloned(),
            _ => None,
        };
        let Some(function) = function else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let (arguments, alias) = match relation {
            TableFactor::Table {
                args: Some(arguments),
                alias,
                with_ordinality: false,
                ..
            } => (arguments.args, alias),
            TableFactor::Function {
                lateral: false,
                args,
                alias,
                with_ordinality: false,
                ..
            } => (args, alias),
            TableFactor::Function { lateral: true, .. } => {
                return Err(unsupported(&function, "LATERAL").into());
            }
            _ => return Err(unsupported(&function, "WITH ORDINALITY").into()),
        };
        let name = function.signature().name;
        let plan = plan_call(function, arguments, context)?;
        let plan = match alias {
            Some(_) => plan,
            // Without an alias the function's name is the table's, as in PostgreSQL.
            None => LogicalPlanBuilder::from(plan).alias(name)?.build()?,
        };
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan, alias,
        ))))
    }
}

fn plan_call(
    function: Arc<dyn TableFunction>,
    arguments: Vec<FunctionArg>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let signature = function.signature();
    let normalize = |ident| context.normalize_ident(ident);
    let arguments = Arguments::read(signature, arguments, &normalize)?;

    let mut options = Vec::with_capacity(arguments.options.len());
    for option in arguments.options {
        options.push(plan_option(option, context)?);
    }

    let mut inputs = Vec::with_capacity(arguments.relations.len());
    let mut fields = Vec::with_capacity(arguments.relations.len());
    for (argument, relation) in arguments.relations {
        let input = context.plan(relation)?;
        if reaches_out(&input)? {
            return Err(unsupported(&function, "a reference to an outer query").into());
        }
        fields.push((argument.name.to_owned(), input.schema().fields().to_vec()));
        inputs.push(input);
    }

    let layout = Layout::resolve(signature, &arguments.columns, &fields)?;
    let inputs = inputs
        .into_iter()
        .zip(layout.relations())
        .map(|(input, relation)| project(input, relation))
        .collect::<Result<Vec<_>>>()?;

    let relations = fields.into_iter().map(|(name, _)| name).collect();
    let call = Call {
        function: signature.name.to_owned(),
        relations,
        columns: layout.names(),
        options: Vec::new(),
    };
    let node = TableFunctionNode::new(function, call, options, inputs)?;
    Ok(LogicalPlan::Extension(Extension {
        node: Arc::new(node),
    }))
}

/// Whether a relation refers to columns that it does not bring along itself, at any depth.
fn reaches_out(input: &LogicalPlan) -> Result<bool> {
    let mut references = Vec::new();
    let mut schemas = Vec::new();
    input.apply_with_subqueries(|plan| {
        schemas.push(Arc::clone(plan.schema()));
        plan.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::OuterReferenceColumn(_, column) = expr {
                    references.push(column.clone());
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(references
        .iter()
        .any(|column| !schemas.iter().any(|schema| schema.has_column(column))))
}

/// The columns that the function reads, in the layout's order, under their bare names.
fn project(input: LogicalPlan, relation: &RelationLayout) -> Result<LogicalPlan> {
    let columns = relation
        .sources
        .iter()
        .zip(&relation.fields)
        .map(|(source, field)| {
            let (qualifier, found) = input.schema().qualified_field(*source);
            let column = Expr::from((qualifier, found));
            if found.data_type() != field.data_type() {
                return datafusion::logical_expr::cast(column, field.data_type().clone())
                    .alias(field.name());
            }
            match qualifier {
                Some(_) => column.alias(field.name()),
                None => column,
            }
        });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::from(input).project(columns)?.build()
}

fn plan_option(
    option: OptionArgument,
    context: &mut dyn RelationPlannerContext,
) -> Result<OptionExprs> {
    let name = option.argument.name;
    let parameter = match option.argument.kind {
        Kind::Option { value, .. } if option.is_list => value.element_type(),
        Kind::Option { value, .. } => value.parameter_type(),
        Kind::Relation { .. } | Kind::Ids | Kind::Column { .. } => DataType::Utf8,
    };
    let parameter: FieldRef = Arc::new(Field::new(name, parameter, true));
    let mut exprs = Vec::with_capacity(option.values.len());
    for value in option.values {
        let expr = context.sql_to_expr(value, &DFSchema::empty())?;
        let expr = typed(expr, &parameter)?;
        let constant = expr.column_refs().is_empty()
            && !expr.contains_outer()
            && !expr.exists(|expr| {
                Ok(matches!(
                    expr,
                    Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_)
                ))
            })?;
        if !constant {
            return Err(Error::NotConstant {
                argument: name.to_owned(),
            }
            .into());
        }
        exprs.push(folded(expr, context.context_provider().options())?);
    }
    Ok(OptionExprs {
        name: name.to_owned(),
        is_list: option.is_list,
        exprs,
    })
}

/// Gives parameters without a type the option's, so that the client can be told it.
fn typed(expr: Expr, parameter: &FieldRef) -> Result<Expr> {
    let typed = expr.transform(|expr| match expr {
        Expr::Placeholder(mut placeholder) if placeholder.field.is_none() => {
            placeholder.field = Some(Arc::clone(parameter));
            Ok(Transformed::yes(Expr::Placeholder(placeholder)))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(typed.data)
}

/// Computes what is constant already, so that a wrong value is an error while planning.
fn folded(expr: Expr, options: &ConfigOptions) -> Result<Expr> {
    if matches!(expr, Expr::Literal(_, _) | Expr::Placeholder(_)) {
        return Ok(expr);
    }
    let schema = Arc::new(DFSchema::empty());
    let context = SimplifyContext::builder()
        .with_schema(Arc::clone(&schema))
        .with_config_options(Arc::new(options.clone()))
        .build();
    let simplifier = ExprSimplifier::new(context);
    let expr = simplifier.coerce(expr, &schema)?;
    simplifier.simplify(expr)
}

fn unsupported(function: &Arc<dyn TableFunction>, what: &str) -> Error {
    Error::NotSupported {
        feature: format!("{what} in function \"{}\"", function.signature().name),
    }
}
