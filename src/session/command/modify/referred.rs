//! Rows that go, or lose their keys, and what refers to them: it goes too, is set to something else,
//! or forbids it.
//!
//! Actions run as statements of their own when the statement has written its rows, with all rights, as
//! in PostgreSQL. What they take away is looked at in turn; checks come last.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, OnceLock};

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, StringViewArray, UInt32Array};
use datafusion::arrow::compute::{concat, take};
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::ast::{
    self, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, SetExpr,
};
use tessera_catalog::commit::{Expects, KeyReference};
use tessera_catalog::id::{DatabaseId, Oid, Part, Space};
use tessera_catalog::key::{KeyColumns, KeySet};
use tessera_catalog::model::{
    Column, ForeignAction, ForeignKey, Key, Privilege, Relation, Scope as Reach,
};

use super::assign::both;
use super::change::{Action, Change, Planned, Target, Value, number, skeleton};
use super::on_conflict::{Excluded, factor, quoted, with_rows};
use super::rewrite::{self, Rewrite};
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::source::Found;
use crate::planner::{Parameters, Scope};
use crate::policy::{self, Caller, check_columns};
use crate::session::Session;
use crate::session::command::{default, lock, query};
use crate::session::deferred::Deferred;
use crate::session::foreign::{converted, foreign_name, references_to};
use crate::session::keys::{KeyCheck, KeyGuard, key_text};
use crate::session::transaction::{Referring, TEMPORARY_SCHEMA};
use crate::session::write::table;

/// What the rows that went are called in an action's query.
const GONE: &str = "\u{4}gone";

/// The rows of one table that a statement takes away or changes, as far as others may refer to them.
pub(super) struct Removal {
    found: Found,
    /// Foreign keys to the table.
    referrers: Vec<Referrer>,
    /// Whether tenants' own tables refer to this common one, by a column that changes.
    by_tenants: bool,
    /// Whether they do at all.
    lends_keys: bool,
    /// Numbers and places, among the live ones, of the columns that are referred to.
    columns: Vec<(i16, usize)>,
    rows: Vec<Gone>,
}

/// A foreign key to a table.
struct Referrer {
    child: Arc<Relation>,
    key: Key,
    foreign: ForeignKey,
    /// The only space whose rows it is about, for a tenant's own table in an operator's statement.
    only: Option<Space>,
}

impl Referrer {
    fn new(child: Arc<Relation>, key: Key, only: Option<Space>) -> Option<Self> {
        let foreign = key.foreign()?.clone();
        Some(Self {
            child,
            key,
            foreign,
            only,
        })
    }

    fn is_about(&self, space: Space) -> bool {
        self.only.is_none_or(|only| only == space)
    }
}

/// Rows of one space; the arrays are as [`Removal::columns`].
struct Gone {
    space: Space,
    old: Vec<ArrayRef>,
    /// `None` for rows that are deleted.
    new: Option<Vec<ArrayRef>>,
}

impl Removal {
    /// What a statement has to remember; `changed` are the columns that it changes if no row goes.
    pub(super) async fn of(
        session: &Session,
        caller: &Caller,
        found: &Found,
        changed: Option<&[i16]>,
    ) -> Result<Self> {
        let of_table = table(&found.relation)?;
        let referring = references_to(caller, found.relation.oid).into_iter();
        let mut referrers: Vec<Referrer> = referring
            .filter_map(|(child, key)| Referrer::new(child, key, None))
            .collect();
        let lent = caller.is_system() && of_table.scope == Reach::Common;
        let by_tenants = lent && refers_from_tenants(session, found.relation.oid).await?;
        let touched = |numbers: &[i16]| {
            changed.is_none_or(|changed| numbers.iter().any(|n| changed.contains(n)))
        };
        referrers.retain(|referrer| touched(&referrer.foreign.columns));
        let wanted = |number: i16| {
            let named = |referrer: &Referrer| referrer.foreign.columns.contains(&number);
            by_tenants && touched(&[number]) || referrers.iter().any(named)
        };
        let live = of_table.live_columns().enumerate();
        let columns: Vec<(i16, usize)> = live
            .filter(|(_, column)| wanted(column.number))
            .map(|(place, column)| (column.number, place))
            .collect();
        Ok(Self {
            found: found.clone(),
            by_tenants: by_tenants && !columns.is_empty(),
            lends_keys: by_tenants,
            referrers,
            columns,
            rows: Vec::new(),
        })
    }

    /// Whether the statement must look at the rows that it takes away.
    pub(super) fn is_watching(&self) -> bool {
        !self.columns.is_empty()
    }

    /// Whether tenants' own tables may refer to the table.
    pub(super) fn lends_keys(&self) -> bool {
        self.lends_keys
    }

    /// Takes note of rows of the table's live columns that go.
    pub(super) fn deleted(&mut self, space: Space, old: &RecordBatch) {
        if self.is_watching() {
            let old = self.watched(old);
            self.rows.push(Gone {
                space,
                old,
                new: None,
            });
        }
    }

    /// The same of rows that change.
    pub(super) fn updated(&mut self, space: Space, old: &RecordBatch, new: &RecordBatch) {
        if self.is_watching() {
            let (old, new) = (self.watched(old), Some(self.watched(new)));
            self.rows.push(Gone { space, old, new });
        }
    }

    fn watched(&self, rows: &RecordBatch) -> Vec<ArrayRef> {
        let places = self.columns.iter();
        places
            .map(|(_, place)| Arc::clone(rows.column(*place)))
            .collect()
    }

    /// The watched columns with these numbers, in their order.
    fn select(&self, arrays: &[ArrayRef], numbers: &[i16]) -> Vec<ArrayRef> {
        let place = |number: &i16| self.columns.iter().position(|(own, _)| own == number);
        let places = numbers.iter().filter_map(place);
        places.map(|place| Arc::clone(&arrays[place])).collect()
    }

    /// The keys that went from where a foreign key looks, by space.
    fn keys_of(&self, referrer: &Referrer) -> Result<HashMap<Space, Vec<Rows>>> {
        let of_table = table(&self.found.relation)?;
        let Referrer { key, foreign, .. } = referrer;
        let columns = KeyColumns::referenced(of_table, key.oid, &foreign.columns);
        let mut lost: HashMap<Space, Vec<Rows>> = HashMap::new();
        for gone in self
            .rows
            .iter()
            .filter(|gone| referrer.is_about(gone.space))
        {
            let old = self.select(&gone.old, &foreign.columns);
            let rows = old.first().map_or(0, |column| column.len());
            let before = columns.hashes(&old, rows)?;
            let new = gone.new.as_ref();
            let new = new.map(|new| self.select(new, &foreign.columns));
            let after = match &new {
                Some(new) => columns.hashes(new, rows)?,
                None => vec![None; rows],
            };
            let changed: UInt32Array = (0_u32..)
                .zip(before.iter().zip(&after))
                .filter(|(_, (before, after))| before.is_some() && before != after)
                .map(|(row, _)| row)
                .collect();
            if changed.is_empty() {
                continue;
            }
            let taken = |arrays: &[ArrayRef]| -> Result<Vec<ArrayRef>> {
                let taken = arrays.iter().map(|array| take(array, &changed, None));
                taken.collect::<Result<_, _>>().map_err(engine)
            };
            let of_space = lost.entry(gone.space).or_default();
            let rows = Rows {
                old: taken(&old)?,
                new: new.map(|new| taken(&new)).transpose()?,
            };
            of_space.push(rows);
        }
        Ok(lost)
    }
}

/// Old keys that went, and the new ones of rows that were updated.
struct Rows {
    old: Vec<ArrayRef>,
    new: Option<Vec<ArrayRef>>,
}

impl Rows {
    fn count(&self) -> usize {
        self.old.first().map_or(0, |column| column.len())
    }
}

/// Who changed the rows.
pub(super) struct Settling<'a> {
    pub(super) caller: &'a Caller,
    pub(super) scope: &'a Scope,
    pub(super) limits: Limits,
}

impl Settling<'_> {
    /// Lets what refers to rows that went follow them, or fails.
    ///
    /// # Errors
    /// 23503 when something refers to them still, and what the actions meet.
    pub(super) async fn settle(&self, session: &mut Session, first: Removal) -> Result<()> {
        let mut queue = VecDeque::from([first]);
        let mut settled = Vec::new();
        while let Some(mut removal) = queue.pop_front() {
            if removal.rows.is_empty() {
                continue;
            }
            self.add_tenants(session, &mut removal).await?;
            for referrer in &removal.referrers {
                let foreign = &referrer.foreign;
                for (space, lost) in removal.keys_of(referrer)? {
                    for (updated, action) in [(false, foreign.on_delete), (true, foreign.on_update)]
                    {
                        let rows = lost.iter().filter(|rows| rows.new.is_some() == updated);
                        let act = Act {
                            child: &referrer.child,
                            key: &referrer.key,
                            foreign,
                            action,
                            updated,
                            space,
                            rows: rows.collect(),
                        };
                        let done = self.act(session, &act).await;
                        queue.extend(done.map_err(|error| act.told(error, &removal, self))?);
                    }
                }
            }
            settled.push(removal);
        }
        for removal in &settled {
            self.check(session, removal).await?;
        }
        Ok(())
    }

    /// Adds the foreign keys of tenants' own tables to a common table whose rows an operator changed.
    async fn add_tenants(&self, session: &mut Session, removal: &mut Removal) -> Result<()> {
        if !removal.by_tenants {
            return Ok(());
        }
        let mut spaces: Vec<Space> = removal.rows.iter().map(|gone| gone.space).collect();
        spaces.sort_unstable();
        spaces.dedup();
        for tenant in spaces.iter().filter_map(Space::tenant) {
            let catalog = session.engine.catalog.clone();
            let database = session
                .transaction
                .database(&catalog, DatabaseId::Tenant(tenant))
                .await?;
            let referring = database.references_to(removal.found.relation.oid);
            let enforced = referring.filter(|(_, key, _)| key.enforced);
            let only = Some(Space::Tenant(tenant));
            let added = enforced
                .filter_map(|(child, key, _)| Referrer::new(Arc::clone(child), key.clone(), only));
            removal.referrers.extend(added);
        }
        Ok(())
    }

    /// Runs the action of one foreign key over keys that went; gives what it took away itself.
    async fn act(&self, session: &mut Session, act: &Act<'_>) -> Result<Option<Removal>> {
        if act.rows.is_empty()
            || matches!(
                act.action,
                ForeignAction::NoAction | ForeignAction::Restrict
            )
        {
            return Ok(None);
        }
        let Some(child) = self.scope.relation_by_oid(act.child.oid) else {
            // A tenant's own table, which an operator's statement cannot change by the way.
            return Ok(None);
        };
        let caller = Caller {
            superuser: true,
            ..self.caller.clone()
        };
        let gone = act.gone(&child, self.scope)?;
        let hashes = act.hashes(&child, self.scope)?;
        let scope = with_rows(self.scope, GONE, Arc::new(gone));
        let planned = act.plan(&child, &scope)?;
        lock::rows_of(session, &child, &caller).await?;
        let plan = planned.plan.clone();
        let checked = policy::guard(plan, &caller, &scope, planned.purpose())?;
        let judged = planned.judged();
        let rules = query::row_checks(session, &child, &caller, &scope, &judged, false).await?;
        let mut opened = query::load(session, checked.tables(), &caller, &scope).await?;
        let own = KeyColumns::of(table(&child.relation)?, act.key);
        opened.keep_files_with(&child, &own, &hashes).await?;
        let guarded = checked.open(&opened)?;
        let found = query::stream(session, guarded, &scope, self.limits);
        let changes = rewrite::collect(found, &planned).await?;
        let (privilege, columns) = &planned.rights[0];
        let granted = check_columns(&caller, *privilege, &planned.found, columns)?;
        let work = Rewrite {
            planned: &planned,
            rules: &rules,
            opened: &opened,
            caller: &caller,
            scope: &scope,
            limits: self.limits,
        };
        let done = work.write(session, &granted, changes, false).await?;
        Ok(Some(done.removal))
    }

    /// Checks that nothing refers to keys that went and are not there again.
    async fn check(&self, session: &mut Session, removal: &Removal) -> Result<()> {
        for referrer in &removal.referrers {
            for (space, lost) in removal.keys_of(referrer)? {
                for rows in &lost {
                    let check = Check {
                        parent: &removal.found,
                        child: &referrer.child,
                        key: &referrer.key,
                        foreign: &referrer.foreign,
                        own: referrer.only.is_some(),
                        space,
                    };
                    check.run(session, self, rows).await?;
                }
            }
        }
        Ok(())
    }
}

/// An action of one foreign key over keys that went from one space.
struct Act<'a> {
    child: &'a Arc<Relation>,
    key: &'a Key,
    foreign: &'a ForeignKey,
    action: ForeignAction,
    updated: bool,
    space: Space,
    rows: Vec<&'a Rows>,
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
    fn gone(&self, child: &Found, scope: &Scope) -> Result<Excluded> {
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
        let rows = OnceLock::new();
        if rows.set(vec![batch]).is_err() {
            return Err(Error::internal("the rows that went came twice"));
        }
        Ok(Excluded {
            schema,
            rows: Arc::new(rows),
        })
    }

    /// An action's error in PostgreSQL's words: a default that is itself a key that goes leaves a row
    /// that refers to it.
    fn told(&self, error: Error, removal: &Removal, settling: &Settling<'_>) -> Error {
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
    fn hashes(&self, child: &Found, scope: &Scope) -> Result<Vec<u128>> {
        let own = KeyColumns::of(table(&child.relation)?, self.key);
        let types: Vec<_> = own.types().map(|t| t.arrow(&scope.zone)).collect();
        let mut all = Vec::new();
        for rows in &self.rows {
            let columns = converted(&rows.old, &types)?;
            all.extend(own.hashes(&columns, rows.count())?.into_iter().flatten());
        }
        Ok(all)
    }

    fn plan(&self, child: &Found, scope: &Scope) -> Result<Planned> {
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
        let parameters = Parameters::of(&ast::Statement::Query(Box::new(query.clone())), &[])?;
        let change = Change {
            target: &target,
            query,
            action: number(0),
            values,
            parameters,
        };
        let (plan, values, parameters) = change.plan(scope)?;
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

/// Whether rows of one space refer to keys that went.
struct Check<'a> {
    parent: &'a Found,
    child: &'a Arc<Relation>,
    key: &'a Key,
    foreign: &'a ForeignKey,
    /// A tenant's own table, in an operator's statement.
    own: bool,
    space: Space,
}

impl Check<'_> {
    async fn run(&self, session: &mut Session, settling: &Settling<'_>, rows: &Rows) -> Result<()> {
        let zone = &settling.scope.zone;
        let count = rows.count();
        let theirs = KeyColumns::referenced(
            table(&self.parent.relation)?,
            self.key.oid,
            &self.foreign.columns,
        );
        let went = theirs.hashes(&rows.old, count)?;
        let action = match rows.new {
            Some(_) => self.foreign.on_update,
            None => self.foreign.on_delete,
        };
        let wanted: Vec<u128> = went.iter().flatten().copied().collect();
        let relation = &self.parent.relation;
        let again = match action {
            ForeignAction::Restrict => KeySet::default(),
            _ => {
                let mut parent =
                    KeyGuard::over(session, relation, zone, vec![theirs], KeyCheck::AtEnd)?;
                parent.held(self.space, 0, &rows.old, &wanted).await?
            }
        };
        let own = KeyColumns::of(table(self.child)?, self.key);
        let types: Vec<_> = own.types().map(|t| t.arrow(zone)).collect();
        let columns = converted(&rows.old, &types)?;
        let keys = own.hashes(&columns, count)?;
        let is_gone = |row: &usize| went[*row].is_some_and(|hash| !again.contains(&hash));
        let gone: KeySet = (0..count)
            .filter(is_gone)
            .filter_map(|row| keys[row])
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        let wanted: Vec<u128> = gone.iter().copied().collect();
        let mut child = KeyGuard::over(session, self.child, zone, vec![own], KeyCheck::AtEnd)?;
        let held = child.held(self.space, 0, &columns, &wanted).await?;
        let is_late = action == ForeignAction::NoAction
            && session
                .transaction
                .constraints
                .is_deferred(self.key, self.foreign);
        let mut gone = gone;
        if is_late && !held.is_empty() {
            gone.retain(|hash| !held.contains(hash));
            let text = |hash: &u128| {
                let row = keys.iter().position(|key| *key == Some(*hash))?;
                self.shown(settling, rows, row)
            };
            let later = held.iter().map(|hash| (*hash, text(hash)));
            session.transaction.defer(Deferred {
                child: self.child.oid,
                constraint: self.key.oid,
                space: self.space,
                keys: later.collect(),
                went: true,
            });
            if gone.is_empty() {
                return Ok(());
            }
        } else if !held.is_empty() {
            let row = keys
                .iter()
                .position(|k| k.is_some_and(|k| held.contains(&k)));
            return Err(self.refused(settling, rows, row.unwrap_or_default(), action));
        }
        if self.child.schema == TEMPORARY_SCHEMA {
            return Ok(());
        }
        let base = child.base(self.space).await?;
        let (key, defaults) = child.key(0);
        let reference = KeyReference {
            expects: Expects::Absent,
            constraint: self.key.oid,
            part: Part {
                space: self.space,
                table: table(self.child)?.uuid,
            },
            relation: Arc::clone(self.child),
            key: key.clone(),
            defaults: Arc::new(defaults.clone()),
            hashes: Arc::new(gone),
            base,
        };
        let name = foreign_name(self.key, self.child, relation);
        session.transaction.rely_on(Referring { reference, name });
        Ok(())
    }

    fn refused(
        &self,
        settling: &Settling<'_>,
        rows: &Rows,
        row: usize,
        action: ForeignAction,
    ) -> Error {
        if !matches!(action, ForeignAction::NoAction | ForeignAction::Restrict) {
            if self.own {
                return Error::Unsupported(format!(
                    "ON DELETE and ON UPDATE actions of the foreign key \"{}\" of a tenant's own \
                     table, for a statement in the system database",
                    self.key.name
                ));
            }
            // Rows that came while the action ran.
            return Error::Serialization;
        }
        Error::StillReferenced {
            parent: self.parent.relation.name.clone(),
            relation: self.child.name.clone(),
            constraint: self.key.name.clone(),
            key: self.shown(settling, rows, row),
        }
    }

    /// A key that went as text, if the caller may see it.
    fn shown(&self, settling: &Settling<'_>, rows: &Rows, row: usize) -> Option<String> {
        let (relation, caller) = (&self.parent.relation, settling.caller);
        let columns = &self.foreign.columns;
        let tells = check_columns(caller, Privilege::Select, self.parent, columns).is_ok()
            && policy::shows_rows(caller, self.parent);
        let of = relation.table().filter(|_| tells)?;
        let theirs = KeyColumns::referenced(of, self.key.oid, columns);
        key_text(of, &theirs, &rows.old, row)
    }
}

/// Whether tenants' own tables may refer to a common one.
pub(in crate::session::command) async fn refers_from_tenants(
    session: &Session,
    relation: Oid,
) -> Result<bool> {
    let dependants = session.engine.catalog.dependants_of(relation).await?;
    Ok(dependants
        .iter()
        .any(|(database, _)| *database != DatabaseId::System))
}

/// The foreign keys to a table that bind its rows in one space; `by_tenants` tells that tenants' own
/// tables may refer to it.
pub(in crate::session::command) async fn referrers(
    session: &mut Session,
    caller: &Caller,
    relation: Oid,
    (space, by_tenants): (Space, bool),
) -> Result<Vec<Oid>> {
    let mut found: Vec<Oid> = references_to(caller, relation)
        .iter()
        .map(|(_, key)| key.oid)
        .collect();
    if let (true, Some(tenant)) = (by_tenants && caller.is_system(), space.tenant()) {
        let catalog = session.engine.catalog.clone();
        let database = session
            .transaction
            .database(&catalog, DatabaseId::Tenant(tenant))
            .await?;
        let referring = database.references_to(relation);
        let enforced = referring.filter(|(_, key, _)| key.enforced);
        found.extend(enforced.map(|(_, key, _)| key.oid));
    }
    Ok(found)
}

fn engine(error: ArrowError) -> Error {
    Error::from(DataFusionError::from(error))
}
