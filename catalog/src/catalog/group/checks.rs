//! Whether a transaction fits the newest state and the earlier ones of its group.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Group;
use crate::catalog::check;
use crate::catalog::shared::Pin;
use crate::catalog::state::Head;
use crate::commit::{Commit, DatabaseChange, PartChange};
use crate::error::{Error, Result};
use crate::id::{DatabaseId, Part, Space};
use crate::model::{Change, Database, Scope};

impl<'a> Group<'a> {
    /// The databases as they are after this transaction.
    pub(super) async fn check_databases(
        &self,
        commit: &Commit,
    ) -> Result<BTreeMap<DatabaseId, Arc<Database>>> {
        let mut ordered: Vec<&DatabaseChange> = commit.databases.iter().collect();
        // The system's first: a tenant is born there.
        ordered.sort_by_key(|change| change.base.id);
        let mut trial: BTreeMap<DatabaseId, Arc<Database>> = BTreeMap::new();
        for DatabaseChange { base, changes } in ordered {
            let system = match trial.get(&DatabaseId::System) {
                Some(system) => Arc::clone(system),
                None => self.current(DatabaseId::System).await?,
            };
            let current = match base.id.tenant() {
                None => self.current(base.id).await?,
                Some(tenant) => match system.tenants.get(&tenant) {
                    None => return Err(Error::Conflict),
                    Some(tenant) => self.current_of_tenant(base.id, &tenant.name).await?,
                },
            };
            let next = trial
                .remove(&base.id)
                .unwrap_or_else(|| Arc::clone(&current));
            let mut next = Arc::unwrap_or_clone(next);
            check::apply(base, &current, &system, &mut next, changes)?;
            if base.id == DatabaseId::System {
                self.check_border(&current, &next, changes).await?;
                self.rename_tenants(&current, &next, changes, &mut trial)
                    .await?;
            }
            next.version = current.version + 1;
            next.next_oid = next.next_oid.max(self.shared.drawn_oids(base.id));
            trial.insert(base.id, Arc::new(next));
        }
        Ok(trial)
    }

    /// Whether no tenant has a name that the system takes.
    async fn check_border(
        &self,
        current: &Database,
        next: &Database,
        changes: &[Change],
    ) -> Result<()> {
        let taken = check::taken_by_system(current, next, changes);
        for (schema, name) in taken.relations {
            let tenants = self.shared.store.tenants_using_name(&schema, &name).await?;
            if !tenants.is_empty() {
                return Err(Error::NameUsedByTenants { name, tenants });
            }
        }
        for name in taken.roles {
            let tenants = self.shared.store.tenants_with_role(&name).await?;
            if !tenants.is_empty() {
                return Err(Error::NameUsedByTenants { name, tenants });
            }
        }
        Ok(())
    }

    /// A tenant's own database bears its name.
    async fn rename_tenants(
        &self,
        current: &Database,
        next: &Database,
        changes: &[Change],
        trial: &mut BTreeMap<DatabaseId, Arc<Database>>,
    ) -> Result<()> {
        for change in changes {
            let Change::PutTenant(tenant) = change else {
                continue;
            };
            let (former, newest) = (
                current.tenants.get(&tenant.id),
                next.tenants.get(&tenant.id),
            );
            if let (Some(former), Some(newest)) = (former, newest)
                && former.name != newest.name
            {
                let id = DatabaseId::Tenant(tenant.id);
                let mut database = (*self.current(id).await?).clone();
                database.name.clone_from(&newest.name);
                database.version += 1;
                trial.insert(id, Arc::new(database));
            }
        }
        Ok(())
    }

    /// Checks the rows' changes, and pins their parts.
    pub(super) async fn check_parts(
        &self,
        commit: &Commit,
        trial: &BTreeMap<DatabaseId, Arc<Database>>,
    ) -> Result<Vec<(Pin<'a>, Head)>> {
        let mut heads = Vec::with_capacity(commit.parts.len());
        let mut removed: HashSet<(Part, &str)> = HashSet::new();
        for change in &commit.parts {
            if let Space::Tenant(tenant) = change.part.space {
                let exists = match trial.get(&DatabaseId::System) {
                    Some(system) => system.tenants.contains_key(&tenant),
                    None => self
                        .current(DatabaseId::System)
                        .await?
                        .tenants
                        .contains_key(&tenant),
                };
                if !exists {
                    return Err(Error::Conflict);
                }
            }
            check_place(change)?;
            let keys = self.shared.storage.sealed(change.part.space).check();
            keys.map_err(Error::Sealed)?;
            self.check_relation(change, trial).await?;
            let pin = self.shared.pin(change.part).await?;
            let head = self.shared.visible(change.part, &change.relation.name)?;
            self.check_removed(change, &mut removed).await?;
            self.check_claims(change).await?;
            heads.push((pin, head));
        }
        Ok(heads)
    }

    async fn check_relation(
        &self,
        change: &PartChange,
        trial: &BTreeMap<DatabaseId, Arc<Database>>,
    ) -> Result<()> {
        let oid = change.relation.oid;
        let current;
        let database = match trial.get(&change.database) {
            Some(database) => database,
            None => {
                current = self.current(change.database).await?;
                &*current
            }
        };
        let is_same = database.relations.get(&oid).is_some_and(|newest| {
            Arc::ptr_eq(newest, &change.relation) || check::is_same_table(newest, &change.relation)
        });
        if !is_same {
            return Err(Error::Conflict);
        }
        self.check_referred(change, database).await
    }

    /// Whether the files that go are all still there.
    async fn check_removed<'c>(
        &self,
        change: &'c PartChange,
        seen: &mut HashSet<(Part, &'c str)>,
    ) -> Result<()> {
        if change.removed.is_empty() {
            return Ok(());
        }
        let snapshot = self
            .shared
            .snapshot(change.part, &change.relation.name)
            .await?;
        let visible: HashSet<&str> = snapshot
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        let work = self.parts.get(&change.part);
        for file in &change.removed {
            let is_gone = work.is_some_and(|work| work.removed_paths.contains(&file.path));
            if is_gone
                || !visible.contains(file.path.as_str())
                || !seen.insert((change.part, &file.path))
            {
                return Err(Error::Conflict);
            }
        }
        Ok(())
    }
}

/// Whether the rows go where their table's rows belong: the last door before another tenant's files.
fn check_place(change: &PartChange) -> Result<()> {
    let is_right = change.relation.table().is_some_and(|table| {
        let space = match (table.scope, change.database) {
            (Scope::Own, DatabaseId::System) => change.part.space == Space::System,
            (Scope::Own, DatabaseId::Tenant(tenant)) => change.part.space == Space::Tenant(tenant),
            (Scope::Common, DatabaseId::System) => matches!(change.part.space, Space::Tenant(_)),
            (Scope::Shared, DatabaseId::System) => change.part.space == Space::Shared,
            (Scope::Common | Scope::Shared, DatabaseId::Tenant(_)) => false,
        };
        space && change.part.table == table.uuid
    });
    if is_right {
        Ok(())
    } else {
        Err(Error::Unusable(format!(
            "rows of \"{}\" are out of place",
            change.relation.name
        )))
    }
}
