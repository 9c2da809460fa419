//! MERGE as a query: the source joined with the table, and for each row the first WHEN that fits.

use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, JoinConstraint, JoinOperator, Merge, MergeAction, MergeClause,
    MergeClauseKind, MergeInsertExpr, MergeInsertKind, SetExpr, TableAlias, TableFactor,
};
use tessera_catalog::model::{Column, Privilege};

use super::around::Around;
use super::assign::{assignments, both, place, value_of};
use super::change::{
    Action, Change, Finding, Planned, Target, Value, Wanted, number, select, skeleton,
};
use crate::error::{Error, Result};
use crate::planner::{Parameters, Scope};
use crate::session::command::default;

/// The column of the source that is NULL where no row of it matches.
const SOURCE_COLUMN: &str = "\u{4}source";

/// Columns' places among the live ones, and their expressions.
type Assigned = Vec<(usize, Expr)>;

/// What the WHEN clauses do.
#[derive(Default)]
struct Clauses {
    actions: Vec<Action>,
    values: Vec<Value>,
    rights: Vec<(Privilege, Vec<i16>)>,
}

pub(super) fn plan(
    merge: &Merge,
    statement: &ast::Statement,
    around: &Around<'_>,
) -> Result<Planned> {
    let scope = around.scope;
    let returning = match &merge.output {
        None => None,
        Some(ast::OutputClause::Returning { select_items, .. }) => Some(select_items.as_slice()),
        Some(ast::OutputClause::Output { .. }) => {
            return Err(Error::Unsupported("MERGE … OUTPUT".to_owned()));
        }
    };
    let target = Target::of(&merge.table, "MERGE INTO", scope)?;
    let mut parameters = around.parameters(statement)?;
    let live: Vec<&Column> = target.table()?.live_columns().collect();
    let mut clauses = Clauses::default();
    for clause in &merge.clauses {
        clauses.add(clause, &target, &live, scope, &mut parameters)?;
    }
    let (source, flag) = source(merge)?;
    let mut cases = Vec::new();
    for (index, clause) in merge.clauses.iter().enumerate() {
        let kind = condition(clause.clause_kind, &target, flag.as_ref());
        cases.push((both(kind, clause.predicate.as_ref()), number(index)));
    }
    let action = case(cases);
    for value in &mut clauses.values {
        let chosen = Expr::BinaryOp {
            left: Box::new(action.clone()),
            op: ast::BinaryOperator::Eq,
            right: Box::new(number(value.action)),
        };
        value.expr = case(vec![(chosen, value.expr.clone())]);
    }
    let change = Change {
        query: joined(merge, source, &target)?,
        target: &target,
        with: around.with,
        action,
        values: clauses.values,
        parameters,
        returning: returning.map(|items| Wanted {
            items,
            beside: true,
            merged: Some(&clauses.actions),
        }),
    };
    let Finding {
        plan,
        values,
        parameters,
        returning,
    } = change.plan(scope)?;
    let mut rights = clauses.rights;
    // The right to change rows comes first: it lets the statement read what stays.
    rights.sort_by_key(|(privilege, _)| *privilege == Privilege::Insert);
    Ok(Planned {
        verb: "MERGE",
        actions: clauses.actions,
        plan,
        values,
        parameters,
        rights,
        returning,
        found: target.found,
    })
}

impl Clauses {
    fn add(
        &mut self,
        clause: &MergeClause,
        target: &Target,
        live: &[&Column],
        scope: &Scope,
        parameters: &mut Parameters,
    ) -> Result<()> {
        let relation = &target.found.relation.name;
        let index = self.actions.len();
        let (action, assigned) = match &clause.action {
            action if is_nothing(action) => (Action::Nothing, Vec::new()),
            MergeAction::Delete { .. } => {
                self.rights.push((Privilege::Delete, Vec::new()));
                (Action::Delete, Vec::new())
            }
            MergeAction::Update(update) => {
                if update.update_predicate.is_some() || update.delete_predicate.is_some() {
                    return Err(Error::Unsupported("WHERE in a MERGE's UPDATE".to_owned()));
                }
                let assigned = assignments(&update.assignments, live, relation, scope, parameters)?;
                let places: Vec<usize> = assigned.iter().map(|(place, _)| *place).collect();
                let numbers = places.iter().map(|place| live[*place].number).collect();
                self.rights.push((Privilege::Update, numbers));
                (Action::Update(places), assigned)
            }
            MergeAction::Insert(insert) => {
                let (named, assigned) = inserted(insert, live, relation, scope, parameters)?;
                self.rights.push((Privilege::Insert, named));
                (Action::Insert, assigned)
            }
        };
        self.actions.push(action);
        self.values
            .extend(assigned.into_iter().map(|(place, expr)| Value {
                action: index,
                place,
                expr,
            }));
        Ok(())
    }
}

/// The columns that an INSERT names, and a value for every column.
fn inserted(
    insert: &MergeInsertExpr,
    live: &[&Column],
    relation: &str,
    scope: &Scope,
    parameters: &mut Parameters,
) -> Result<(Vec<i16>, Assigned)> {
    let MergeInsertKind::Values(values) = &insert.kind else {
        return Err(Error::Unsupported("INSERT ROW in MERGE".to_owned()));
    };
    let [row] = values.rows.as_slice() else {
        return Err(Error::Unsupported(
            "INSERT of several rows in MERGE".to_owned(),
        ));
    };
    let row = &row.content;
    if insert.insert_predicate.is_some() {
        return Err(Error::Unsupported("WHERE in a MERGE's INSERT".to_owned()));
    }
    let mut named = Vec::new();
    for name in &insert.columns {
        let place = place(name, live, relation)?;
        if named.contains(&place) {
            return Err(Error::DuplicateColumn(live[place].name.clone()));
        }
        named.push(place);
    }
    let syntax = |message: &str| Error::Syntax {
        message: message.to_owned(),
        position: None,
    };
    if insert.columns.is_empty() {
        named = (0..live.len().min(row.len())).collect();
    }
    if row.len() > named.len() {
        return Err(syntax("INSERT has more expressions than target columns"));
    }
    if row.len() < named.len() {
        return Err(syntax("INSERT has more target columns than expressions"));
    }
    let mut assigned = Vec::with_capacity(live.len());
    for (place, column) in live.iter().enumerate() {
        let expr = match named.iter().position(|other| *other == place) {
            Some(given) => value_of(row[given].clone(), column, scope, parameters)?,
            None => default::written(column, scope)?,
        };
        assigned.push((place, expr));
    }
    let numbers = named.iter().map(|place| live[*place].number).collect();
    Ok((numbers, assigned))
}

/// Whether an action is what the parser makes of DO NOTHING.
fn is_nothing(action: &MergeAction) -> bool {
    use crate::planner::DO_NOTHING;
    match action {
        MergeAction::Update(update) => update.assignments.first().is_some_and(|assignment| {
            assignment.target.to_string().trim_matches('"') == DO_NOTHING
        }),
        MergeAction::Insert(insert) => insert
            .columns
            .first()
            .is_some_and(|column| column.to_string().trim_matches('"') == DO_NOTHING),
        MergeAction::Delete { .. } => false,
    }
}

/// The source, and the column that tells its rows where the table's unmatched rows come too.
fn source(merge: &Merge) -> Result<(TableFactor, Option<Expr>)> {
    let wanted = |clause: &MergeClause| clause.clause_kind == MergeClauseKind::NotMatchedBySource;
    if !merge.clauses.iter().any(wanted) {
        return Ok((merge.source.clone(), None));
    }
    let alias = match &merge.source {
        TableFactor::Table { name, alias, .. } => match alias {
            Some(alias) => Some(alias.name.clone()),
            None => name.0.last().and_then(|part| part.as_ident()).cloned(),
        },
        TableFactor::Derived { alias, .. } => alias.as_ref().map(|alias| alias.name.clone()),
        _ => None,
    };
    let alias = alias
        .ok_or_else(|| Error::Unsupported("MERGE with a source that has no name".to_owned()))?;
    let text = format!("SELECT *, true AS \"{SOURCE_COLUMN}\" FROM s");
    let mut query = skeleton(&text)?;
    if let Some(first) = select(&mut query)?.from.first_mut() {
        first.relation = merge.source.clone();
    }
    let flag = Expr::CompoundIdentifier(vec![alias.clone(), Ident::with_quote('"', SOURCE_COLUMN)]);
    let flagged = TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(TableAlias {
            explicit: true,
            name: alias,
            columns: Vec::new(),
            at: None,
        }),
        sample: None,
    };
    Ok((flagged, Some(flag)))
}

/// The source joined with the table, with as many unmatched rows as the clauses ask for.
fn joined(merge: &Merge, source: TableFactor, target: &Target) -> Result<ast::Query> {
    let mut query = skeleton("SELECT 1 FROM s LEFT JOIN t ON true")?;
    let has = |kinds: &[MergeClauseKind]| {
        merge
            .clauses
            .iter()
            .any(|clause| kinds.contains(&clause.clause_kind))
    };
    use MergeClauseKind as Kind;
    let by_target = has(&[Kind::NotMatched, Kind::NotMatchedByTarget]);
    let on = JoinConstraint::On(merge.on.as_ref().clone());
    if let SetExpr::Select(select) = query.body.as_mut()
        && let Some(from) = select.from.first_mut()
        && let Some(join) = from.joins.first_mut()
    {
        from.relation = source;
        join.relation = target.factor.clone();
        join.join_operator = match (by_target, has(&[Kind::NotMatchedBySource])) {
            (false, false) => JoinOperator::Inner(on),
            (true, false) => JoinOperator::LeftOuter(on),
            (false, true) => JoinOperator::RightOuter(on),
            (true, true) => JoinOperator::FullOuter(on),
        };
        return Ok(query);
    }
    Err(Error::internal("not a join"))
}

/// What a kind of clause asks of a joined row.
fn condition(kind: MergeClauseKind, target: &Target, flag: Option<&Expr>) -> Expr {
    let has_row = Expr::IsNotNull(Box::new(target.row()));
    match kind {
        MergeClauseKind::Matched => {
            let flag = flag.map(|flag| Expr::IsNotNull(Box::new(flag.clone())));
            both(has_row, flag.as_ref())
        }
        MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => {
            Expr::IsNull(Box::new(target.row()))
        }
        MergeClauseKind::NotMatchedBySource => match flag {
            Some(flag) => Expr::IsNull(Box::new(flag.clone())),
            None => Expr::IsNull(Box::new(target.row())),
        },
    }
}

pub(super) fn case(cases: Vec<(Expr, Expr)>) -> Expr {
    let conditions = cases
        .into_iter()
        .map(|(condition, result)| ast::CaseWhen { condition, result })
        .collect();
    let token = ast::helpers::attached_token::AttachedToken::empty;
    Expr::Case {
        case_token: token(),
        end_token: token(),
        operand: None,
        conditions,
        else_result: None,
    }
}
