//! `FROM t AS a (x, y)` with fewer names than columns: the others keep their own.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, SelectItem, SetExpr, Statement, TableAliasColumnDef, TableFactor,
    VisitorMut,
};
use tessera_udfs::walk::walk_mut;

/// Names all columns where some are named; `columns_of` tells those of a relation.
pub(in crate::planner) fn complete(
    statement: &mut Statement,
    columns_of: &dyn Fn(&TableFactor) -> Option<Vec<String>>,
) {
    let _: ControlFlow<()> = walk_mut(statement, &mut Complete { columns_of });
}

struct Complete<'a> {
    columns_of: &'a dyn Fn(&TableFactor) -> Option<Vec<String>>,
}

impl VisitorMut for Complete<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let named = match &*factor {
            TableFactor::Table { alias, .. } | TableFactor::Derived { alias, .. } => {
                alias.as_ref().map_or(0, |alias| alias.columns.len())
            }
            _ => 0,
        };
        if named == 0 {
            return ControlFlow::Continue(());
        }
        let all = match &*factor {
            TableFactor::Derived { subquery, .. } => outputs(subquery),
            _ => (self.columns_of)(factor),
        };
        if let (
            Some(all),
            TableFactor::Table {
                alias: Some(alias), ..
            }
            | TableFactor::Derived {
                alias: Some(alias), ..
            },
        ) = (all, factor)
        {
            let rest = all.into_iter().skip(named);
            alias.columns.extend(rest.map(|name| TableAliasColumnDef {
                name: Ident::with_quote('"', name),
                data_type: None,
            }));
        }
        ControlFlow::Continue(())
    }
}

/// The names of a sub-query's columns, if they are all written out.
fn outputs(query: &Query) -> Option<Vec<String>> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let folded = |ident: &Ident| match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    };
    let names = select.projection.iter().map(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(folded(alias)),
        SelectItem::UnnamedExpr(Expr::Identifier(ident)) => Some(folded(ident)),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().map(folded),
        _ => None,
    });
    names.collect()
}
