//! The rules of domains, held against values that are cast to them.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use datafusion::common::{Result as EngineResult, ScalarValue, ToDFSchema};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::sql::sqlparser::ast;
use tessera_catalog::id::Oid;
use tessera_catalog::model::{Domain, UserType};
use tessera_catalog::system::DOMAIN_VALUE;

use super::ast::Body;
use super::cast::single;
use super::query::expression;
use super::scope::Scope;
use crate::error::{Error, Result};

/// The call that gives values of a domain as they are, or fails where they break its rules.
///
/// # Errors
/// A rule that cannot be planned.
pub(super) fn check_of(number: Oid, scope: &Scope) -> Result<Arc<ScalarUDF>> {
    let types = scope.user_types();
    let mut chain: Vec<Arc<UserType>> = Vec::new();
    let mut next = Some(number);
    while let Some(oid) = next {
        let found = types
            .by_oid(oid)
            .ok_or_else(|| Error::NoSuchType(oid.to_string()))?;
        next = found.domain().and_then(|domain| domain.parent);
        chain.push(Arc::clone(found));
    }
    let base = chain
        .first()
        .and_then(|found| found.domain())
        .map(|domain| domain.base.clone())
        .ok_or_else(|| Error::internal("a domain was expected"))?;
    let field = base.field(DOMAIN_VALUE, true, &scope.zone);
    let schema = Arc::new(Schema::new(vec![Arc::clone(&field)]));
    let mut rules = Vec::new();
    // What lies deepest is checked first.
    for found in chain.iter().rev() {
        let Some(domain) = found.domain() else {
            continue;
        };
        // Errors name the domain itself, whichever of those below it made the rule.
        let name = chain.first().map_or("", |own| own.name.as_str());
        rules.extend(rules_of(name, domain, &schema, scope)?);
    }
    Ok(Arc::new(ScalarUDF::new_from_impl(DomainCheck {
        number,
        field,
        schema,
        rules,
        signature: Signature::any(1, Volatility::Immutable),
    })))
}

fn rules_of(name: &str, domain: &Domain, schema: &SchemaRef, scope: &Scope) -> Result<Vec<Rule>> {
    let columns = Arc::clone(schema).to_dfschema()?;
    let mut rules = Vec::new();
    if !domain.nullable {
        rules.push(Rule {
            domain: name.to_owned(),
            check: None,
        });
    }
    for check in &domain.checks {
        let condition = expression(parsed(&check.expression)?, &columns, scope, &[])?;
        let condition = scope.state.create_physical_expr(condition, &columns)?;
        rules.push(Rule {
            domain: name.to_owned(),
            check: Some(Check {
                name: check.name.clone(),
                text: check.expression.clone(),
                condition,
            }),
        });
    }
    Ok(rules)
}

fn parsed(text: &str) -> Result<ast::Expr> {
    let statements = super::parse(&format!("SELECT {text}"))?;
    let body = statements.into_iter().next().map(|s| s.body);
    if let Some(Body::Query(query)) = body
        && let ast::SetExpr::Select(select) = *query.body
        && let Some(ast::SelectItem::UnnamedExpr(expr)) = select.projection.into_iter().next()
    {
        return Ok(expr);
    }
    Err(Error::internal("a condition of the catalog cannot be read"))
}

/// One rule of a domain: a condition, or that there is a value.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Rule {
    domain: String,
    check: Option<Check>,
}

#[derive(Debug)]
struct Check {
    name: String,
    text: String,
    condition: Arc<dyn PhysicalExpr>,
}

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.text == other.text
    }
}

impl Eq for Check {}

impl std::hash::Hash for Check {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
        self.text.hash(state);
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DomainCheck {
    number: Oid,
    field: FieldRef,
    schema: SchemaRef,
    rules: Vec<Rule>,
    signature: Signature,
}

impl Rule {
    fn hold(&self, batch: &RecordBatch) -> Result<()> {
        let Some(check) = &self.check else {
            if batch.column(0).logical_null_count() > 0 {
                return Err(Error::DomainNotNull(self.domain.clone()));
            }
            return Ok(());
        };
        let passed = check.condition.evaluate(batch)?;
        let passed = passed.into_array(batch.num_rows())?;
        if passed.data_type().is_null() || !passed.as_boolean().iter().any(|p| p == Some(false)) {
            return Ok(());
        }
        Err(Error::DomainCheck {
            domain: self.domain.clone(),
            constraint: check.name.clone(),
        })
    }
}

impl ScalarUDFImpl for DomainCheck {
    fn name(&self) -> &str {
        "domain_check"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> EngineResult<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> EngineResult<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let Some(value) = args.args.into_iter().next() else {
            return Ok(ColumnarValue::Scalar(ScalarValue::Null));
        };
        let scalar = matches!(value, ColumnarValue::Scalar(_));
        let rows = if scalar { 1 } else { args.number_rows };
        let array = value.into_array(rows)?;
        let array = datafusion::arrow::compute::cast(&array, self.field.data_type())?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let columns = vec![Arc::clone(&array)];
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?;
        for rule in &self.rules {
            rule.hold(&batch)?;
        }
        Ok(match scalar {
            true => ColumnarValue::Scalar(single(&array)?),
            false => ColumnarValue::Array(array),
        })
    }
}
