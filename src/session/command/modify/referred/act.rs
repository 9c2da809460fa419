//! What a foreign key does with rows whose key went: a statement over the rows that refer to it.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringViewArray};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, SetExpr,
};
use tessera_catalog::id::Space;
use tessera_catalog::key::KeyColumns;
use tessera_catalog::model::{
    Column, ForeignAction, ForeignKey, Key, Privilege, Relation, Scope as Reach,
};

use super::super::assign::both;
use super::super::change::{Action, Change, Finding, Planned, Target, Value, number, skeleton};
use super::super::on_conflict::{factor, quoted};
use super::check::Check;
use super::{GONE, Removal, Rows, Settling, engine};
use crate::error::{Error, Result};
use crate::planner::source::Found;
use crate::planner::{Parameters, Scope};
use crate::session::command::default;
use crate::session::command::given::Given;
use crate::session::foreign::converted;
use crate::session::keys::key_text;
use crate::session::write::table;

/// An action of one foreign key over keys that went from one space.
pub(super) struct Act<'a> {
    pub(super) child: &'a Arc<Relation>,
    pub(super) key: &'a Key,
    pub(super) foreign: &'a ForeignKey,
    pub(super) action: ForeignAction,
    pub(super) updated: bool,
    pub(super) space: Space,
    pub(super) rows: Vec<&'a Rows>,
}

impl Act<'_> {
    /// The keys, one after the other.
    fn column(&self, index: usize, new: bool) -> Result<ArrayRef> {
        let arrays: Vec<&dyn Array> = self
            .rows
            .iter()
            .filter_map(|rows| match new {
                true => rows.new.as_ref(),
                false => Some(&rows.old),
            })
            .map(|columns| columns[index].as_ref())
            .collect();
        concat(&arrays).map_err(engine)
    }

    /// The rows that went as a table: old keys, new keys, and the tenant where it matters.
    pub(super) fn gone(&self, child: &Found, scope: &Scope) -> Result<Given> {
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for index in 0..self.foreign.columns.len() {
            for (new, letter) in [(false, 'k'), (true, 'n')] {
                if new && !self.updated {
                    continue;
                }
                let column = self.column(index, new)?;
                fields.push(Field::new(
                    format!("{letter}{index}"),
                    column.data_type().clone(),
                    true,
                ));
                columns.push(column);
            }
        }
        if let Some(name) = self.tenant(child, scope)? {
            let count: usize = self.rows.iter().map(|rows| rows.count()).sum();
            let names: StringViewArray = std::iter::repeat_n(Some(name), count).collect();
            let names: ArrayRef = Arc::new(names);
            fields.push(Field::new("tenant", names.data_type().clone(), true));
            columns.push(names);
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).map_err(engine)?;
        let given = Given::new(schema);
        given.tell(vec![batch]);
        Ok(given)
    }

    /// An action's error in PostgreSQL's words: a default that is itself a key that goes leaves a row
    /// that refers to it.
    pub(super) fn told(&self, error: Error, removal: &Removal, settling: &Settling<'_>) -> Error {
        let Error::ForeignKey {
            constraint,
            key: Some(missing),
            ..
        } = &error
        else {
            return error;
        };
        let of_child = self.child.table();
        let Some(of_child) = of_child.filter(|_| *constraint == self.key.name) else {
            return error;
        };
        let own = KeyColumns::of(of_child, self.key);
        let found = self.rows.iter().find_map(|rows| {
            let text = |row: &usize| key_text(of_child, &own, &rows.old, *row);
            let row = (0..rows.count()).find(|row| text(row).as_ref() == Some(missing))?;
            Some((*rows, row))
        });
        let Some((rows, row)) = found else {
            return error;
        };
        let check = Check {
            parent: &removal.found,
            child: self.child,
            key: self.key,
            foreign: self.foreign,
            own: false,
            space: self.space,
        };
        check.refused(settling, rows, row, ForeignAction::NoAction)
    }

    /// The tenant whose rows went, where the statement reads all tenants' rows.
    fn tenant(&self, child: &Found, scope: &Scope) -> Result<Option<String>> {
        if !scope.is_system() || table(&child.relation)?.scope != Reach::Common {
            return Ok(None);
        }
        let tenant = self.space.tenant();
        let tenant = tenant.and_then(|id| scope.system.tenants.get(&id));
        Ok(tenant.map(|tenant| tenant.name.clone()))
    }

    /// The keys as numbers, for finding the files with rows that refer to them.
    pub(super) fn hashes(&self, child: &Found, scope: &Scope) -> Result<Vec<u128>> {
        let own = KeyColumns::of(table(&child.relation)?, self.key);
        let types: Vec<_> = own.types().map(|t| t.arrow(&scope.zone)).collect();
        let mut all = Vec::new();
        for rows in &self.rows {
            let columns = converted(&rows.old, &types)?;
            all.extend(own.hashes(&columns, rows.count())?.into_iter().flatten());
        }
        Ok(all)
    }

    pub(super) fn plan(&self, child: &Found, scope: &Scope) -> Result<Planned> {
        let name = [&child.schema_name, &child.relation.name];
        let name = name.map(|part| ObjectNamePart::Identifier(quoted(part)));
        let target = Target::of(&factor(ObjectName(name.to_vec()), None), "UPDATE", scope)?;
        let live: Vec<&Column> = target.table()?.live_columns().collect();
        let deletes = self.action == ForeignAction::Cascade && !self.updated;
        let mut values = Vec::new();
        if !deletes {
            for (index, number) in self.key.columns.iter().enumerate() {
                let Some(place) = live.iter().position(|column| column.number == *number) else {
                    continue;
                };
                let expr = match self.action {
                    ForeignAction::SetDefault => default::written(live[place], scope)?,
                    ForeignAction::Cascade => of_gone(&format!("n{index}")),
                    _ => Expr::value(ast::Value::Null),
                };
                values.push(Value {
                    action: 0,
                    place,
                    expr,
                });
            }
        }
        let places: Vec<usize> = values.iter().map(|value| value.place).collect();
        let numbers = places.iter().map(|place| live[*place].number).collect();
        let query = self.query(&target, child, scope)?;
        let parameters = Parameters::of(
            &ast::Statement::Query(Box::new(query.clone())),
            &[],
            &scope.user_types(),
        )?;
        let change = Change {
            target: &target,
            query,
            with: None,
            action: number(0),
            values,
            parameters,
            returning: None,
        };
        let Finding {
            plan,
            values,
            parameters,
            ..
        } = change.plan(scope)?;
        let (verb, action, right) = match deletes {
            true => ("DELETE", Action::Delete, (Privilege::Delete, Vec::new())),
            false => (
                "UPDATE",
                Action::Update(places),
                (Privilege::Update, numbers),
            ),
        };
        Ok(Planned {
            verb,
            actions: vec![action],
            plan,
            values,
            parameters,
            rights: vec![right],
            returning: None,
            found: target.found,
        })
    }

    /// The table's rows that refer to the keys that went.
    fn query(&self, target: &Target, child: &Found, scope: &Scope) -> Result<ast::Query> {
        let of_table = table(&child.relation)?;
        let own = |column: &Column| {
            Expr::CompoundIdentifier(vec![target.qualifier.clone(), quoted(&column.name)])
        };
        let same = |left, right| Expr::BinaryOp {
            left: Box::new(left),
            op: ast::BinaryOperator::Eq,
            right: Box::new(right),
        };
        let mut on: Option<Expr> = None;
        let mut add = |condition: Expr| {
            on = Some(match on.take() {
                Some(before) => both(before, Some(&condition)),
                None => condition,
            });
        };
        for (index, number) in self.key.columns.iter().enumerate() {
            let column = of_table.columns.iter().find(|c| c.number == *number);
            if let Some(column) = column.filter(|column| !column.is_tenant()) {
                add(same(own(column), of_gone(&format!("k{index}"))));
            }
        }
        if self.tenant(child, scope)?.is_some()
            && let Some(column) = of_table.live_columns().find(|c| c.is_tenant())
        {
            add(same(own(column), of_gone("tenant")));
        }
        let on = on.unwrap_or_else(|| Expr::value(ast::Value::Boolean(true)));
        let mut query = skeleton("SELECT 1 FROM g JOIN t ON true")?;
        if let SetExpr::Select(select) = query.body.as_mut()
            && let Some(from) = select.from.first_mut()
            && let Some(join) = from.joins.first_mut()
        {
            let name = ObjectName(vec![ObjectNamePart::Identifier(quoted(GONE))]);
            from.relation = factor(name, None);
            join.relation = target.factor.clone();
            join.join_operator = JoinOperator::Inner(JoinConstraint::On(on));
            return Ok(query);
        }
        Err(Error::internal("not a join"))
    }
}

fn of_gone(column: &str) -> Expr {
    let parts: [Ident; 2] = [quoted(GONE), quoted(column)];
    Expr::CompoundIdentifier(parts.to_vec())
}
