//! The current time: `now`, `clock_timestamp`, `current_date` and their kin.
//!
//! `now` is the transaction's start and `statement_timestamp` the statement's; the server puts both
//! into the plan before it runs, by `simplify` with the moment in question.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use chrono::Utc;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};

use super::super::calendar::{DAY, SECOND};
use super::super::error::PgResult;
use super::super::value::{Timestamp, Timestamptz, Timetz};
use super::super::zone::Zone;

/// What a function of the current time returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shape {
    Timestamptz,
    Timestamp,
    Date,
    Time,
    Timetz,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Now {
    name: &'static str,
    aliases: Vec<String>,
    shape: Shape,
    zone: Arc<str>,
    signature: Signature,
}

/// All functions of the current time.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    let make = |name, aliases: &[&str], shape, volatility| {
        ScalarUDF::from(Now {
            name,
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            shape,
            zone: Arc::from("UTC"),
            signature: Signature::one_of(
                vec![TypeSignature::Nullary, TypeSignature::Any(1)],
                volatility,
            ),
        })
    };
    let stable = Volatility::Stable;
    vec![
        make(
            "now",
            &["transaction_timestamp"],
            Shape::Timestamptz,
            stable,
        ),
        make("statement_timestamp", &[], Shape::Timestamptz, stable),
        make("current_timestamp", &[], Shape::Timestamptz, stable),
        make(
            "clock_timestamp",
            &[],
            Shape::Timestamptz,
            Volatility::Volatile,
        ),
        make("localtimestamp", &[], Shape::Timestamp, stable),
        make("current_date", &["today"], Shape::Date, stable),
        make("current_time", &[], Shape::Timetz, stable),
        make("localtime", &[], Shape::Time, stable),
    ]
}

/// Today's midnight on this zone's clock.
pub(crate) fn midnight(zone: &Zone) -> PgResult<Timestamp> {
    let now = zone.local(Timestamptz(Utc::now().timestamp_micros()));
    Ok(Timestamp(now.0 - now.0.rem_euclid(DAY)))
}

impl Now {
    fn value(&self, utc: i64, digits: Option<i64>) -> Result<ScalarValue> {
        let step = digits.map_or(1, |digits| {
            10_i64.pow(u32::try_from(6 - digits.clamp(0, 6)).unwrap_or(0))
        });
        let utc = (utc + step / 2).div_euclid(step) * step;
        let local = Zone::of_type(&self.zone)?.local(Timestamptz(utc)).0;
        Ok(match self.shape {
            Shape::Timestamptz => {
                ScalarValue::TimestampMicrosecond(Some(utc), Some(Arc::clone(&self.zone)))
            }
            Shape::Timestamp => ScalarValue::TimestampMicrosecond(Some(local), None),
            Shape::Date => ScalarValue::Date32(Some(local.div_euclid(DAY) as i32)),
            Shape::Time => ScalarValue::Time64Microsecond(Some(local.rem_euclid(DAY))),
            Shape::Timetz => {
                let west = ((utc - local) / SECOND) as i32;
                let micros = local.rem_euclid(DAY);
                ScalarValue::Time64Nanosecond(Some(Timetz { micros, west }.pack()))
            }
        })
    }
}

impl ScalarUDFImpl for Now {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let zone = config.execution.time_zone.as_deref().unwrap_or("UTC");
        Some(ScalarUDF::from(Self {
            zone: Arc::from(zone),
            ..self.clone()
        }))
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("the type of {} depends on the session", self.name)
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let data_type = match self.shape {
            Shape::Timestamptz => {
                DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(&self.zone)))
            }
            Shape::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Shape::Date => DataType::Date32,
            Shape::Time => DataType::Time64(TimeUnit::Microsecond),
            Shape::Timetz => DataType::Time64(TimeUnit::Nanosecond),
        };
        Ok(Arc::new(Field::new(self.name, data_type, false)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        // The statement's start comes by `simplify`; a clock read here would differ from it.
        if self.signature.volatility != Volatility::Volatile {
            return internal_err!("{} is read when the statement is planned", self.name);
        }
        Ok(ColumnarValue::Scalar(self.value(
            Utc::now().timestamp_micros(),
            digits(args.args.first()),
        )?))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let (Some(start), false) = (
            info.query_execution_start_time(),
            self.signature.volatility == Volatility::Volatile,
        ) else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let digits = match args.first() {
            Some(Expr::Literal(value, _)) => digits(Some(&ColumnarValue::Scalar(value.clone()))),
            Some(_) => return Ok(ExprSimplifyResult::Original(args)),
            None => None,
        };
        let value = self.value(start.timestamp_micros(), digits)?;
        Ok(ExprSimplifyResult::Simplified(Expr::Literal(value, None)))
    }
}

/// The precision that `current_timestamp(3)` asks for.
fn digits(arg: Option<&ColumnarValue>) -> Option<i64> {
    match arg? {
        ColumnarValue::Scalar(value) => match value.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(digits) => digits,
            _ => None,
        },
        ColumnarValue::Array(_) => None,
    }
}
