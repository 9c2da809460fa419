//! TRUNCATE: all rows of a table, in one commit.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{CascadeOption, Truncate, TruncateIdentityOption};
use tessera_catalog::id::{Part, Space};
use tessera_catalog::model::{Change, Database, Privilege, Scope as Reach};

use super::super::names::relation;
use super::super::sequence;
use crate::error::{Error, Result};
use crate::planner::source::Found;
use crate::policy::{Object, check};
use crate::session::Session;
use crate::session::opener::space;
use crate::session::reply::Reply;
use crate::session::transaction::{Fresh, PendingPart};
use crate::session::write::table;

pub(in crate::session::command) async fn truncate(
    session: &mut Session,
    truncate: &Truncate,
) -> Result<Reply> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    if truncate.cascade == Some(CascadeOption::Cascade) {
        return Err(Error::Unsupported("TRUNCATE … CASCADE".to_owned()));
    }
    for target in &truncate.table_names {
        let found = relation(&scope, &target.name)?;
        if found.relation.view().is_some() {
            return Err(Error::WrongKind {
                name: found.relation.name.clone(),
                wanted: "table",
            });
        }
        check(&caller, Privilege::Truncate, Object::Relation(&found))?;
        super::super::insert::check_lent(&caller, &found)?;
        super::super::lock::rows_of(session, &found, &caller).await?;
        let stored = table(&found.relation)?;
        if truncate.identity == Some(TruncateIdentityOption::Restart) {
            restart_identity(session, &caller.database, &found);
        }
        let spaces: Vec<Space> = match space(&found, stored, scope.database.id) {
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
        for (part, snapshot) in parts.into_iter().zip(snapshots) {
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
                known: Vec::new(),
            });
        }
    }
    Ok(Reply::Done {
        tag: "TRUNCATE TABLE".to_owned(),
    })
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
