//! Grants on a table, a view or a sequence, and on their columns.

use std::sync::Arc;

use tessera_catalog::id::Oid;
use tessera_catalog::model::{Acl, Change, Database, Privileges, Relation, RelationBody};

use super::{allowed, change, grantee_of, privileges};
use crate::error::{Error, Result};
use crate::planner::ast::{Grant, Name};
use crate::planner::source::Found;
use crate::policy::{self, Caller};
use crate::session::Session;
use crate::session::command::role::{place, resolve};

/// Where a list of a relation stands, and who writes in it.
struct Target {
    database: Arc<Database>,
    grantee: Oid,
    grantor: Oid,
    /// Beside the operator's own list, in the tenant's database.
    borrowed: bool,
}

pub(super) async fn on_relation(
    session: &mut Session,
    caller: &Caller,
    grant: &Grant,
    words: Option<&[(String, Vec<String>)]>,
    all_columns: &[String],
    found: &Found,
    grantee: &Name,
) -> Result<()> {
    let name = found.relation.name.clone();
    let may = caller.grantable(found);
    let owner = caller.owns(found) || caller.superuser;
    let target = if let Some(tenant) = &grantee.tenant {
        // The operator's grant to one tenant's role lies in that tenant's database.
        let (_, database) = place(session, Some(tenant)).await?;
        let role = Name {
            name: grantee.name.clone(),
            tenant: None,
        };
        let grantee = resolve(caller, &database, &role)?;
        Target {
            database,
            grantee,
            grantor: Oid::OPERATOR,
            borrowed: true,
        }
    } else {
        let borrowed = found.home != caller.database.id;
        let grantor = if owner && !borrowed {
            found.relation.owner
        } else {
            caller.role
        };
        Target {
            database: Arc::clone(&caller.database),
            grantee: grantee_of(caller, grantee)?,
            grantor,
            borrowed,
        }
    };
    let whole: Vec<(String, Vec<String>)> = words
        .map(|words| {
            words
                .iter()
                .filter(|(_, columns)| columns.is_empty())
                .cloned()
                .collect()
        })
        .unwrap_or_default();
    let all_whole = words.is_none() && all_columns.is_empty();
    if all_whole || !whole.is_empty() {
        let wanted = privileges(
            (!all_whole).then_some(whole.as_slice()),
            policy::whole(&found.relation),
        )?;
        let kind = match found.relation.sequence() {
            Some(_) => "sequence",
            None => "table",
        };
        let wanted = allowed(session, wanted, may, grant, kind, &name)?;
        put(session, &target, found, 0, grant, wanted)?;
    }
    let by_column: Vec<(Privileges, &[String])> = match words {
        None if !all_columns.is_empty() => vec![(Privileges::of_column(), all_columns)],
        None => Vec::new(),
        Some(words) => words
            .iter()
            .filter(|(_, columns)| !columns.is_empty())
            .map(|(word, columns)| {
                let one = [(word.clone(), Vec::new())];
                Ok((
                    privileges(Some(&one), Privileges::of_column())?,
                    columns.as_slice(),
                ))
            })
            .collect::<Result<_>>()?,
    };
    for (wanted, columns) in by_column {
        let wanted = allowed(session, wanted, may, grant, "table", &name)?;
        for column in columns {
            let number = column_number(&found.relation, column)?;
            put(session, &target, found, number, grant, wanted)?;
        }
    }
    Ok(())
}

fn column_number(relation: &Relation, name: &str) -> Result<i16> {
    let number = match &relation.body {
        RelationBody::Table(table) => table.column(name).map(|column| column.number),
        RelationBody::Sequence(_) => None,
        RelationBody::View(view) => (1_i16..)
            .zip(&view.columns)
            .find(|(_, column)| column.name == name)
            .map(|(number, _)| number),
    };
    number.ok_or_else(|| Error::NoSuchColumnOf {
        column: name.to_owned(),
        relation: relation.name.clone(),
    })
}

/// Changes the list of a relation, or of one column where the number is not 0.
fn put(
    session: &mut Session,
    target: &Target,
    found: &Found,
    column: i16,
    grant: &Grant,
    wanted: Privileges,
) -> Result<()> {
    // An earlier change of the same statement may have replaced the relation.
    let oid = found.relation.oid;
    let newest = session.transaction.seen(&target.database);
    if target.borrowed {
        let mut acl = newest
            .borrowed_acls
            .get(&(oid, column))
            .cloned()
            .unwrap_or_default();
        change(&mut acl, grant, target.grantee, target.grantor, wanted);
        let changed = Change::PutBorrowedAcl {
            relation: oid,
            column,
            acl,
        };
        session.transaction.change(&newest, vec![changed]);
        return Ok(());
    }
    let relation = newest.relations.get(&oid).unwrap_or(&found.relation);
    let mut relation = relation.as_ref().clone();
    let owner = relation.owner;
    let all = policy::whole(&relation);
    let slot = match (&mut relation.body, column) {
        (_, 0) => &mut relation.acl,
        (RelationBody::Table(table), number) => {
            let column = table.columns.iter_mut().find(|c| c.number == number);
            &mut column
                .ok_or_else(|| Error::internal("a column has gone"))?
                .acl
        }
        (RelationBody::Sequence(_), _) => {
            return Err(Error::internal("a column of a sequence"));
        }
        (RelationBody::View(view), number) => {
            let index = usize::try_from(number - 1).unwrap_or_default();
            let column = view.columns.get_mut(index);
            &mut column
                .ok_or_else(|| Error::internal("a column has gone"))?
                .acl
        }
    };
    let mut acl = slot.take().unwrap_or_else(|| match column {
        0 => Acl::of_owner(owner, all),
        _ => Acl::default(),
    });
    change(&mut acl, grant, target.grantee, target.grantor, wanted);
    *slot = if column != 0 && acl.0.is_empty() {
        None
    } else {
        Some(acl)
    };
    session
        .transaction
        .change(&newest, vec![Change::PutRelation(relation)]);
    Ok(())
}
