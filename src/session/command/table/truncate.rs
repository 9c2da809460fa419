//! TRUNCATE: all rows of a table, in one commit.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{CascadeOption, Truncate, TruncateIdentityOption};
use tessera_catalog::id::{Part, Space};
use tessera_catalog::model::{Change, Database, Privilege, Scope as Reach};

use super::super::modify::referred::{referrers, refers_from_tenants};
use super::super::names::relation;
use super::super::sequence;
use super::existing::hold_still;
use crate::error::{Error, Result};
use crate::planner::Scope;
use crate::planner::source::Found;
use crate::policy::{Caller, Object, check};
use crate::session::Session;
use crate::session::foreign::references_to;
use crate::session::opener::space;
use crate::session::reply::{Notice, Reply};
use crate::session::transaction::{Fresh, PendingPart};
use crate::session::write::table;

pub(in crate::session::command) async fn truncate(
    session: &mut Session,
    truncate: &Truncate,
) -> Result<Reply> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let mut targets = Vec::with_capacity(truncate.table_names.len());
    for target in &truncate.table_names {
        targets.push(relation(&scope, &target.name)?);
    }
    let cascade = truncate.cascade == Some(CascadeOption::Cascade);
    add_referring(session, &caller, &scope, &mut targets, cascade).await?;
    for found in &targets {
        if found.relation.view().is_some() || found.relation.materialized().is_some() {
            return Err(Error::WrongKind {
                name: found.relation.name.clone(),
                wanted: "table",
            });
        }
        check(&caller, Privilege::Truncate, Object::Relation(found))?;
        super::super::insert::check_lent(&caller, found)?;
        super::super::lock::alone(session, found, &caller).await?;
        let stored = table(&found.relation)?;
        if truncate.identity == Some(TruncateIdentityOption::Restart) {
            restart_identity(session, &caller.database, found);
        }
        let spaces: Vec<Space> = match space(found, stored, scope.database.id) {
            Some(space) => vec![space],
            None => {
                debug_assert_eq!(stored.scope, Reach::Common);
                let sizes = session.engine.catalog.parts_of(stored.uuid).await?;
                sizes.into_iter().map(|size| size.space).collect()
            }
        };
        let parts: Vec<Part> = spaces
            .into_iter()
            .map(|space| Part {
                space,
                table: stored.uuid,
            })
            .collect();
        let wanted: Vec<(Part, &str)> = parts
            .iter()
            .map(|part| (*part, found.relation.name.as_str()))
            .collect();
        let catalog = session.engine.catalog.clone();
        let snapshots = session.transaction.snapshots(&catalog, &wanted).await?;
        let refers = references_to(&caller, found.relation.oid);
        let lends_keys = stored.scope == Reach::Common
            && caller.is_system()
            && refers_from_tenants(session, found.relation.oid).await?;
        if !refers.is_empty() || stored.foreign_keys().next().is_some() {
            // Rows that come in the meantime would refer to what goes.
            hold_still(session, found).await?;
        }
        for (part, snapshot) in parts.into_iter().zip(snapshots) {
            let referred_by = referrers(
                session,
                &caller,
                found.relation.oid,
                (part.space, lends_keys),
            )
            .await?;
            let mut removed = snapshot.files.clone();
            if let Some(pending) = session.transaction.pending(&part) {
                removed.retain(|file| !pending.removed.iter().any(|r| r.path == file.path));
                removed.extend(pending.added.iter().map(Arc::clone));
            }
            session.transaction.replace_rows(&part, Vec::new());
            session.transaction.write(PendingPart {
                fresh: Fresh::default(),
                part,
                database: found.home,
                relation: Arc::clone(&found.relation),
                added: Vec::new(),
                rows: Vec::new(),
                removed,
                operation: "TRUNCATE",
                claims: Vec::new(),
                arbitrated: false,
                references: Vec::new(),
                referred_by,
                deferred: Vec::new(),
                known: Vec::new(),
            });
        }
    }
    Ok(Reply::Done {
        tag: "TRUNCATE TABLE".to_owned(),
    })
}

/// Adds the tables that refer to those that are emptied, or refuses to leave them as they are.
async fn add_referring(
    session: &mut Session,
    caller: &Caller,
    scope: &Scope,
    targets: &mut Vec<Found>,
    cascade: bool,
) -> Result<()> {
    let mut next = 0;
    while next < targets.len() {
        let parent = Arc::clone(&targets[next].relation);
        next += 1;
        for (child, _) in references_to(caller, parent.oid) {
            if targets
                .iter()
                .any(|target| target.relation.oid == child.oid)
            {
                continue;
            }
            let found = scope.relation_by_oid(child.oid).filter(|_| cascade);
            let Some(found) = found else {
                return Err(referred(&parent.name, &child.name));
            };
            session.notice(Notice::plain(format!(
                "truncate cascades to table \"{}\"",
                child.name
            )));
            targets.push(found);
        }
        let is_common = parent
            .table()
            .is_some_and(|table| table.scope == Reach::Common);
        if caller.is_system() && is_common {
            let dependants = session.engine.catalog.dependants_of(parent.oid).await?;
            for (database, oid) in dependants {
                let of_tenant = database.tenant().is_some();
                let catalog = session.engine.catalog.clone();
                let database = session.transaction.database(&catalog, database).await?;
                let mut referring = database.references_to(parent.oid);
                let refers = referring.any(|(child, key, _)| child.oid == oid && key.enforced);
                if of_tenant && refers {
                    return Err(Error::Unsupported(format!(
                        "TRUNCATE of \"{}\", to which tables of tenants refer",
                        parent.name
                    )));
                }
            }
        }
    }
    Ok(())
}

fn referred(parent: &str, child: &str) -> Error {
    Error::Function {
        sqlstate: "0A000",
        message: "cannot truncate a table referenced in a foreign key constraint".to_owned(),
        detail: Some(format!("Table \"{child}\" references \"{parent}\".")),
        hint: Some(format!(
            "Truncate table \"{child}\" at the same time, or use TRUNCATE ... CASCADE."
        )),
    }
}

/// Lets the sequences that go with a table begin anew.
fn restart_identity(session: &mut Session, database: &Arc<Database>, found: &Found) {
    let own = sequence::owned_by(database, found.relation.oid, None);
    let anew = own
        .iter()
        .filter_map(|oid| sequence::restarted(database.relations.get(oid)?))
        .map(Change::PutRelation);
    let anew = anew.collect();
    session.transaction.change(database, anew);
    session.version += 1;
}
