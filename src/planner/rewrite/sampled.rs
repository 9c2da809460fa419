//! TABLESAMPLE: a sub-query with a condition on chance.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, SetExpr, Statement, TableAlias, TableFactor, TableSample,
    TableSampleKind, TableSampleMethod, TableSampleUnit, Value, VisitorMut,
};

use super::functions::called;
use super::spelling::parsed_query;
use crate::error::{Error, Result};
use tessera_udfs::pg::DRAWN;
use tessera_udfs::walk::walk_mut;

/// Makes sub-queries of samples; `is_table` tells a table from what has no sample.
///
/// # Errors
/// A sample of something else than a table, or of a share that is none.
pub(in crate::planner) fn by_chance(
    statement: &mut Statement,
    is_table: &dyn Fn(&TableFactor) -> bool,
) -> Result<()> {
    match walk_mut(statement, &mut Samples { is_table }) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// The name of the table within its sample.
const SAMPLED: &str = "\u{5}sampled";

struct Samples<'a> {
    is_table: &'a dyn Fn(&TableFactor) -> bool,
}

impl VisitorMut for Samples<'_> {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let sample = match factor {
            TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. } => {
                sample.take()
            }
            _ => None,
        };
        let Some(
            TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample),
        ) = sample
        else {
            return ControlFlow::Continue(());
        };
        if !(self.is_table)(factor) {
            return ControlFlow::Break(Error::Function {
                sqlstate: "42809",
                message: "TABLESAMPLE clause can only be applied to tables and materialized views"
                    .to_owned(),
                hint: None,
                detail: None,
            });
        }
        match sampled(factor, &sample) {
            Ok(made) => *factor = made,
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// `(SELECT * FROM t WHERE random() * 100 < share) AS t`; with REPEATABLE the chance of a row is drawn from
/// what it holds.
fn sampled(factor: &TableFactor, sample: &TableSample) -> Result<TableFactor> {
    let method = match sample.name {
        // A part of a table's blocks is one of its rows.
        Some(TableSampleMethod::Bernoulli | TableSampleMethod::System) => true,
        _ => false,
    };
    let plain = sample.bucket.is_none() && sample.offset.is_none();
    let quantity = sample
        .quantity
        .as_ref()
        .filter(|quantity| matches!(quantity.unit, None | Some(TableSampleUnit::Percent)));
    let (Some(quantity), true, true) = (quantity, method, plain) else {
        return Err(Error::Unsupported(format!("{sample}").trim().to_owned()));
    };
    if let Some(share) = constant(&quantity.value)
        && !(0.0..=100.0).contains(&share)
    {
        return Err(Error::Function {
            sqlstate: "2202H",
            message: "sample percentage must be between 0 and 100".to_owned(),
            hint: None,
            detail: None,
        });
    }
    let mut table = factor.clone();
    let TableFactor::Table { name, alias, .. } = &mut table else {
        return Err(Error::internal("a sample of no table"));
    };
    let outer = match alias.take() {
        Some(alias) => alias,
        None => {
            let last = name.0.last().and_then(|part| part.as_ident());
            TableAlias {
                explicit: true,
                name: last
                    .cloned()
                    .ok_or_else(|| Error::internal("a table without a name"))?,
                columns: Vec::new(),
                at: None,
            }
        }
    };
    let broken = || Error::internal("a template that does not parse");
    let mut query = parsed_query("SELECT * FROM t").ok_or_else(broken)?;
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Err(broken());
    };
    let drawn = match &sample.seed {
        Some(seed) => {
            let seed = Expr::Value(seed.value.clone());
            let row = Ident::with_quote('"', SAMPLED);
            *alias = Some(TableAlias {
                explicit: true,
                name: row.clone(),
                columns: Vec::new(),
                at: None,
            });
            called(DRAWN, vec![seed, Expr::Identifier(row)])
        }
        None => called("random", Vec::new()),
    };
    select.from.first_mut().ok_or_else(broken)?.relation = table;
    let hundred = Expr::Value(Value::Number("100".to_owned(), false).into());
    let chance = Expr::BinaryOp {
        left: Box::new(drawn),
        op: BinaryOperator::Multiply,
        right: Box::new(hundred),
    };
    select.selection = Some(Expr::BinaryOp {
        left: Box::new(chance),
        op: BinaryOperator::Lt,
        right: Box::new(Expr::Nested(Box::new(quantity.value.clone()))),
    });
    Ok(TableFactor::Derived {
        lateral: false,
        subquery: query,
        alias: Some(outer),
        sample: None,
    })
}

fn constant(share: &Expr) -> Option<f64> {
    match share {
        Expr::Nested(inner) => constant(inner),
        Expr::UnaryOp { expr, .. } => constant(expr).map(|share| -share),
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
