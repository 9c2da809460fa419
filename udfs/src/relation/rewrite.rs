//! Turns the name of a table in `forecast(sales, …)` into `(SELECT * FROM sales)` before planning.
//! DataFusion looks up the tables of a statement before it plans it, and sees a name only where a table may stand;
//! an argument is not such a place. Names of views and CTEs go the same way.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, GroupByExpr, ObjectName, Query, Select, SelectFlavor,
    SelectItem, SetExpr, TableFactor, TableWithJoins, VisitMut, VisitorMut,
    WildcardAdditionalOptions, helpers::attached_token::AttachedToken,
};

use super::signature::{Kind, Signature};
use crate::walk::walk_mut;

/// Rewrites every relation argument of the given functions, wherever the statement calls them.
pub(super) fn rewrite(node: &mut impl VisitMut, signatures: &[&'static Signature]) {
    let _: ControlFlow<()> = walk_mut(node, &mut Rewriter { signatures });
}

/// A table by name, without arguments.
pub(super) fn table(name: ObjectName) -> TableFactor {
    TableFactor::Table {
        name,
        alias: None,
        args: None,
        with_hints: Vec::new(),
        version: None,
        with_ordinality: false,
        partitions: Vec::new(),
        json_path: None,
        sample: None,
        index_hints: Vec::new(),
    }
}

struct Rewriter<'a> {
    signatures: &'a [&'static Signature],
}

impl VisitorMut for Rewriter<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let (name, arguments) = match factor {
            TableFactor::Table {
                name,
                args: Some(arguments),
                ..
            } => (name, &mut arguments.args),
            TableFactor::Function { name, args, .. } => (name, args),
            _ => return ControlFlow::Continue(()),
        };
        let Some(signature) = signature(self.signatures, name) else {
            return ControlFlow::Continue(());
        };
        for (position, argument) in arguments.iter_mut().enumerate() {
            if let Some(value) = relation_argument(signature, position, argument) {
                name_to_query(value);
            }
        }
        ControlFlow::Continue(())
    }
}

/// The function that a name without schema calls; quoted names are exact, others fold to lower case.
pub(super) fn signature(
    signatures: &[&'static Signature],
    name: &ObjectName,
) -> Option<&'static Signature> {
    let [part] = name.0.as_slice() else {
        return None;
    };
    let ident = part.as_ident()?;
    let name = match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    };
    signatures
        .iter()
        .find(|signature| signature.name == name)
        .copied()
}

/// A name under which the function takes options too stays as it is: it can't be told from a misplaced column.
fn relation_argument<'a>(
    signature: &Signature,
    position: usize,
    argument: &'a mut FunctionArg,
) -> Option<&'a mut Expr> {
    let (name, value) = match argument {
        FunctionArg::Named { name, arg, .. }
        | FunctionArg::ExprNamed {
            name: Expr::Identifier(name),
            arg,
            ..
        } => (Some(name.value.to_lowercase()), arg),
        FunctionArg::ExprNamed { .. } => return None,
        FunctionArg::Unnamed(arg) => (None, arg),
    };
    let is_relation = match name {
        None => position == 0,
        Some(name) => signature
            .named(&name)
            .all(|a| matches!(a.kind, Kind::Relation { .. })),
    };
    match value {
        FunctionArgExpr::Expr(value) if is_relation => Some(value),
        _ => None,
    }
}

fn name_to_query(value: &mut Expr) {
    let name = match value {
        Expr::Nested(inner) => return name_to_query(inner),
        Expr::Identifier(name) => ObjectName::from(vec![name.clone()]),
        Expr::CompoundIdentifier(names) => ObjectName::from(names.clone()),
        _ => return,
    };
    *value = Expr::Subquery(Box::new(select_all_from(name)));
}

fn select_all_from(name: ObjectName) -> Query {
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())],
        exclude: None,
        into: None,
        from: vec![TableWithJoins {
            relation: table(name),
            joins: Vec::new(),
        }],
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
