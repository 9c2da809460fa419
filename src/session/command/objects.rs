//! Names of objects among a statement's values: `$1::regclass` takes a name as well as a number.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use tessera_catalog::sql_type::SqlType;

use crate::error::Result;
use crate::session::prepared::Prepared;
use crate::session::{Session, constant};

/// The values with numbers in place of the names of objects, as the session's path finds them now.
///
/// # Errors
/// A name that means nothing.
pub(super) async fn numbered(
    session: &mut Session,
    prepared: &Prepared,
    mut values: Vec<ScalarValue>,
) -> Result<Vec<ScalarValue>> {
    let is_name = |(sql_type, value): (&SqlType, &ScalarValue)| {
        matches!(sql_type, SqlType::Reg(_)) && matches!(value, ScalarValue::Utf8View(Some(_)))
    };
    let types = prepared.parameters.iter();
    if !types.clone().zip(&values).any(is_name) {
        return Ok(values);
    }
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    for (sql_type, value) in types.zip(&mut values) {
        let find = format!("{}in", sql_type.typname());
        if is_name((sql_type, value))
            && let Some(find) = scope.session.function(&find)
        {
            let name = Expr::Literal(value.clone(), None);
            *value = constant::evaluate(find.call(vec![name]), &scope)?;
        }
    }
    Ok(values)
}
