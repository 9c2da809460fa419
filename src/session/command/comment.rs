//! COMMENT ON.

use datafusion::sql::sqlparser::ast::{self, CommentObject, ObjectName};
use tessera_catalog::model::{Change, RelationBody};

use super::{names, role, schema};
use crate::error::{Error, Result};
use crate::session::Session;
use crate::session::reply::Reply;

pub(super) async fn run(session: &mut Session, statement: &ast::Statement) -> Result<Reply> {
    let ast::Statement::Comment {
        object_type,
        object_name,
        comment,
        ..
    } = statement
    else {
        return Err(Error::internal("not a COMMENT"));
    };
    let comment = comment.clone().filter(|comment| !comment.is_empty());
    if matches!(object_type, CommentObject::Role) {
        let name = names::parts(object_name).pop().unwrap_or_default();
        role::comment(session, name, comment).await?;
        return Ok(done());
    }
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let change = match object_type {
        CommentObject::Table | CommentObject::View => {
            let found = names::owned(&scope, &caller, object_name)?;
            let mut relation = found.relation.as_ref().clone();
            relation.comment = comment;
            Change::PutRelation(relation)
        }
        CommentObject::Column => {
            let mut parts = object_name.0.clone();
            let column = parts
                .pop()
                .as_ref()
                .and_then(|part| part.as_ident())
                .map(names::folded)
                .unwrap_or_default();
            let found = names::owned(&scope, &caller, &ObjectName(parts))?;
            let mut relation = found.relation.as_ref().clone();
            let missing = || Error::NoSuchColumnOf {
                column: column.clone(),
                relation: found.relation.name.clone(),
            };
            match &mut relation.body {
                RelationBody::Sequence(_) => return Err(missing()),
                RelationBody::Table(table) => {
                    let target = table
                        .columns
                        .iter_mut()
                        .find(|c| !c.dropped && c.name == column);
                    target.ok_or_else(missing)?.comment = comment;
                }
                RelationBody::View(view) => {
                    let target = view.columns.iter_mut().find(|c| c.name == column);
                    target.ok_or_else(missing)?.comment = comment;
                }
            }
            Change::PutRelation(relation)
        }
        CommentObject::Schema => {
            let name = names::parts(object_name).pop().unwrap_or_default();
            let mut object = schema::owned(&caller, &name)?;
            object.comment = comment;
            Change::PutSchema(object)
        }
        other => return Err(Error::Unsupported(format!("COMMENT ON {other}"))),
    };
    session.transaction.change(&caller.database, vec![change]);
    session.version += 1;
    Ok(done())
}

fn done() -> Reply {
    Reply::Done {
        tag: "COMMENT".to_owned(),
    }
}
