//! Every function against PostgreSQL: the files in `testdata` hold expressions with the answers of
//! PostgreSQL 15.18, `TimeZone = 'America/New_York'`; an answer `ERROR` is followed by SQLSTATE and message.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::Result;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::planner::TypePlanner;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast::{DataType as SqlType, TimezoneInfo};

use super::{
    PgError, aggregate_functions, expr_planners, output, scalar_functions, table_functions,
};

const ZONE: &str = "America/New_York";

/// Timestamps in microseconds, as the server plans them.
#[derive(Debug)]
struct Micros;

impl TypePlanner for Micros {
    fn plan_type(&self, sql_type: &SqlType) -> Result<Option<DataType>> {
        Ok(match sql_type {
            SqlType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
                Some(DataType::Timestamp(TimeUnit::Microsecond, None))
            }
            SqlType::Timestamp(_, _) => Some(DataType::Timestamp(
                TimeUnit::Microsecond,
                Some(Arc::from(ZONE)),
            )),
            SqlType::Time(_, _) => Some(DataType::Time64(TimeUnit::Microsecond)),
            _ => None,
        })
    }
}

fn context() -> Result<SessionContext> {
    let mut config = SessionConfig::new().with_target_partitions(1);
    config.options_mut().execution.time_zone = Some(ZONE.to_owned());
    config.options_mut().sql_parser.dialect = "PostgreSQL".parse()?;
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    let state = SessionStateBuilder::new()
        .with_config(config.clone())
        .with_default_features()
        .with_type_planner(Arc::new(Micros))
        .build();
    let mut planners = expr_planners();
    planners.extend(state.expr_planners().iter().map(Arc::clone));
    let mut functions = state.scalar_functions().clone();
    for function in scalar_functions() {
        for name in
            std::iter::once(function.name()).chain(function.aliases().iter().map(String::as_str))
        {
            functions.insert(name.to_owned(), Arc::clone(&function));
        }
    }
    let state = SessionStateBuilder::new_from_existing(state)
        .with_config(config)
        .with_expr_planners(planners)
        .with_scalar_functions(functions.into_values().collect())
        .build();
    let context = SessionContext::new_with_state(state);
    for function in scalar_functions() {
        let updated = function
            .inner()
            .with_updated_config(context.copied_config().options());
        context.register_udf(updated.unwrap_or_else(|| function.as_ref().clone()));
    }
    for function in aggregate_functions() {
        context.register_udaf(function.as_ref().clone());
    }
    for (name, function) in table_functions() {
        context.register_udtf(&name, function);
    }
    Ok(context)
}

fn shown(error: &DataFusionError) -> String {
    let DataFusionError::External(cause) = error.find_root() else {
        return format!("ERROR ?????: {error}");
    };
    match cause.downcast_ref::<PgError>() {
        Some(error) => format!("ERROR {}: {error}", error.sqlstate()),
        None => format!("ERROR ?????: {error}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "tests speak SQL without a guard")]
async fn rows(context: &SessionContext, sql: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for batch in context.sql(sql).await?.collect().await? {
        for row in 0..batch.num_rows() {
            let mut line = String::new();
            for (index, column) in batch.columns().iter().enumerate() {
                if index > 0 {
                    line.push('|');
                }
                if column.is_null(row) || column.data_type().is_null() {
                    line.push_str("NULL");
                    continue;
                }
                let start = line.len();
                output::write_value(&mut line, column, row)?;
                // A boolean as `::text` spells it.
                if matches!(column.data_type(), DataType::Boolean) {
                    let long = if line.ends_with('t') { "true" } else { "false" };
                    line.replace_range(start.., long);
                }
            }
            lines.push(line);
        }
    }
    Ok(lines)
}

/// Runs a file of cases: `expression<TAB>answer`, or a whole statement whose rows are joined by `;`.
async fn check(name: &str, cases: &str) {
    let context = context().expect("a context");
    let mut failures = Vec::new();
    for line in cases
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (expression, expected) = line.split_once('\t').expect("expression and answer");
        let whole = expression.starts_with("select ");
        let sql = if whole {
            expression.to_owned()
        } else {
            format!("SELECT {expression}")
        };
        let found = match rows(&context, &sql).await {
            Ok(rows) => rows.join(";").replace('\n', "\\n"),
            Err(error) => shown(&error).replace('\n', "\\n"),
        };
        if found != expected {
            failures.push(format!(
                "{expression}\n    PostgreSQL: {expected}\n    found:      {found}"
            ));
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {name} differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

macro_rules! against_postgres {
    ($($name:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            check(stringify!($name), include_str!(concat!("testdata/", stringify!($name), ".tsv"))).await;
        })+
    };
}

against_postgres!(
    to_char_datetime,
    to_char_number,
    extract,
    date_trunc,
    arithmetic,
    age,
    make,
    to_timestamp,
    text,
    quote,
    regexp,
    encode,
    numbers,
    misc,
    series,
    array,
    json,
    aggregate,
    columns,
);

/// A column of unconstrained numeric is text with the type's name in its metadata.
#[tokio::test]
async fn unconstrained_numeric() -> Result<()> {
    let metadata = HashMap::from([("tessera.type".to_owned(), "numeric".to_owned())]);
    let field = Field::new("n", DataType::Utf8View, true).with_metadata(metadata);
    let schema = Arc::new(Schema::new(vec![field]));
    let column = StringViewArray::from_iter([Some("1234.5678"), None, Some("-0.5")]);
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(column)])?;
    let context = context()?;
    context.register_table("t", Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))?;
    let sql = "SELECT to_char(n, 'FM9,999.00'), round(n, 1), abs(n), trunc(n), pg_typeof(n), pg_typeof(round(n, 1)) FROM t";
    let expected = [
        "1,234.57|1234.6|1234.5678|1234|numeric|numeric",
        "NULL|NULL|NULL|NULL|numeric|numeric",
        "-.50|-0.5|0.5|0|numeric|numeric",
    ];
    assert_eq!(rows(&context, sql).await?, expected);
    Ok(())
}

/// Huge arguments end in an error, not in memory.
#[tokio::test]
async fn huge_arguments_are_refused() -> Result<()> {
    let context = context()?;
    for expression in [
        "repeat('x', 2000000000)",
        "lpad('x', 2000000000)",
        "rpad('x', 2000000000, 'ab')",
        "format('%2000000000s', 'x')",
        "replace(repeat('a', 100000), 'a', repeat('b', 100000))",
        "regexp_replace(repeat('a', 100000), 'a', repeat('b', 100000), 'g')",
        "overlay(repeat('a', 60000000) placing repeat('b', 60000000) from 1 for 0)",
    ] {
        let error = rows(&context, &format!("SELECT {expression}"))
            .await
            .map(|_| ())
            .expect_err(expression);
        assert_eq!(
            shown(&error),
            "ERROR 54000: requested length too large",
            "{expression}"
        );
    }
    Ok(())
}
