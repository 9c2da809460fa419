//! Rows that go, or lose their keys, and what refers to them: it goes too, is set to something else,
//! or forbids it.
//!
//! Actions run as statements of their own when the statement has written its rows, with all rights, as
//! in PostgreSQL. What they take away is looked at in turn; checks come last.

mod act;
mod check;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use tessera_catalog::id::{DatabaseId, Oid, Space};
use tessera_catalog::key::KeyColumns;
use tessera_catalog::model::{ForeignAction, ForeignKey, Key, Relation, Scope as Reach};

use super::rewrite::{self, Rewrite};
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::Scope;
use crate::planner::source::Found;
use crate::policy::{self, Caller, check_columns};
use crate::session::Session;
use crate::session::command::given::with_given;
use crate::session::command::{lock, query};
use crate::session::foreign::references_to;
use crate::session::write::table;
use act::Act;
use check::Check;

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
        let scope = with_given(self.scope, GONE, &gone);
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
        let changes = rewrite::collect(found, &planned, &scope).await?;
        let (privilege, columns) = &planned.rights[0];
        let granted = check_columns(&caller, *privilege, &planned.found, columns)?;
        let work = Rewrite {
            planned: &planned,
            rules: &rules,
            opened: &opened,
            caller: &caller,
            scope: &scope,
            limits: self.limits,
            returns: false,
        };
        let done = work.write(session, &granted, changes, None).await?;
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
