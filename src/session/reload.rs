//! `pg_reload_conf()`: the files of host rules are read anew, for an operator.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result as EngineResult, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::auth::Logins;
use crate::error::Error;

/// The function's name.
pub(super) const NAME: &str = "pg_reload_conf";

#[derive(Debug)]
struct Reload {
    logins: Arc<Logins>,
    /// Only an operator may.
    allowed: bool,
    signature: Signature,
}

/// The function for a session whose role may call it or not.
pub(super) fn function(logins: Arc<Logins>, allowed: bool) -> ScalarUDF {
    ScalarUDF::new_from_impl(Reload {
        logins,
        allowed,
        signature: Signature::nullary(Volatility::Volatile),
    })
}

impl PartialEq for Reload {
    fn eq(&self, other: &Self) -> bool {
        self.allowed == other.allowed && Arc::ptr_eq(&self.logins, &other.logins)
    }
}

impl Eq for Reload {}

impl std::hash::Hash for Reload {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (NAME, self.allowed).hash(state);
    }
}

impl ScalarUDFImpl for Reload {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        if !self.allowed {
            return Err(Error::PermissionDenied {
                kind: "function",
                name: NAME.to_owned(),
            }
            .into());
        }
        // As in PostgreSQL, what is wrong is in the log and in `pg_hba_file_rules`.
        let outcome = self.logins.rules.reload();
        if let Err(error) = &outcome {
            tracing::error!(%error, "the host rules stay as they were");
        }
        Ok(ColumnarValue::Scalar(ScalarValue::from(outcome.is_ok())))
    }
}
