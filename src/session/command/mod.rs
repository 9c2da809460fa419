//! One match decides what a statement does; the leaves do it.

mod combined;
mod comment;
mod copy;
mod cursor;
mod default;
mod describe;
mod discard;
mod encryption;
mod explain;
mod given;
mod grant;
mod insert;
mod lock;
mod mask;
mod modify;
mod names;
mod objects;
mod plan;
mod policy;
mod prepare;
mod query;
mod returning;
mod role;
mod schema;
mod second_factor;
mod sequence;
mod set;
mod table;
mod tenant;
mod transaction;
mod user_type;
mod view;

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::sql::sqlparser::ast;
use futures::future::BoxFuture;

use super::Session;
use super::channels::Listen;
use super::prepared::Prepared;
use super::reply::Reply;
use crate::error::{Error, Result};
use crate::execute::Limits;
use crate::planner::ast::{Body, Index, Policy, Role, Sequence, TypeAction, UserTypeStatement};

pub(super) use describe::prepare;
pub(super) use query::current;

/// Runs a statement.
pub(super) fn run<'a>(
    session: &'a mut Session,
    prepared: &'a Arc<Prepared>,
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> BoxFuture<'a, Result<Reply>> {
    // EXECUTE runs statements too, so the future's type must not hold itself.
    Box::pin(dispatch(session, prepared, parameters, limits))
}

async fn dispatch(
    session: &mut Session,
    prepared: &Arc<Prepared>,
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> Result<Reply> {
    session.audit_begin(&prepared.statement);
    let reply = perform(session, prepared, parameters, limits).await?;
    let exports = matches!(reply, Reply::CopyOut(_));
    session.audit_done(&prepared.statement, exports).await?;
    Ok(reply)
}

async fn perform(
    session: &mut Session,
    prepared: &Arc<Prepared>,
    parameters: Vec<ScalarValue>,
    limits: Limits,
) -> Result<Reply> {
    let body = &prepared.statement.body;
    check_read_only(session, body)?;
    if frees_space(body) {
        session.engine.catalog.make_room().await;
    }
    let parameters = objects::numbered(session, prepared, parameters).await?;
    match body {
        Body::Empty => Ok(Reply::Empty),
        Body::Query(query) => query::run(session, query, prepared, parameters, limits).await,
        Body::Combined(query) => combined::run(session, query, prepared, parameters, limits).await,
        Body::Explain(explain) => explain::run(session, explain, parameters, limits).await,
        Body::Write(statement) => match statement.as_ref() {
            ast::Statement::Insert(insert) => {
                insert::run(session, insert, prepared, parameters, limits).await
            }
            other => modify::run(session, other, prepared, parameters, limits).await,
        },
        Body::Define(statement) => define(session, statement, limits).await,
        Body::DefineShared(statement) => match statement.as_ref() {
            ast::Statement::CreateTable(create) => {
                table::create(session, create, true, limits).await
            }
            _ => Err(Error::Unsupported(
                "CREATE SHARED of anything but a table".to_owned(),
            )),
        },
        Body::Transaction(statement) => transaction::run(session, statement).await,
        Body::Constraints { names, deferred } => {
            set::set_constraints(session, names.as_deref(), *deferred).await
        }
        Body::Set(set) => set::set(session, set).await,
        Body::Reset(name) => set::reset(session, name.as_deref()),
        Body::Show(name) => set::show(session, name.as_deref()),
        Body::Tenant(statement) => tenant::run(session, statement).await,
        Body::Plan(statement) => plan::run(session, statement).await,
        Body::Role(Role::SetRole { name, local }) => {
            set::set_role(session, name.as_deref(), *local).await
        }
        Body::Role(Role::SetSessionAuthorization { name }) => {
            set::set_session_authorization(session, name.as_deref()).await
        }
        Body::Refresh {
            name,
            concurrently,
            with_data,
        } => table::materialized::refresh(session, name, (*concurrently, *with_data)).await,
        Body::Index(statement) => table::index::run(session, statement).await,
        Body::UserType(statement) => user_type::run(session, statement).await,
        Body::Sequence(statement) => sequence::run(session, statement).await,
        Body::Role(statement) => role::run(session, statement).await,
        Body::Grant(statement) => grant::run(session, statement).await,
        Body::Policy(statement) => policy::run(session, statement).await,
        Body::Mask(statement) => mask::run(session, statement).await,
        Body::DefaultPrivileges {
            roles,
            schemas,
            grant,
        } => grant::default_privileges(session, roles, schemas, grant).await,
        Body::Copy(copy) => copy::run(session, copy, limits).await,
        Body::Prepare {
            name,
            types,
            statement,
        } => prepare::prepare(session, name, types, statement, &prepared.statement.text).await,
        Body::Execute {
            name,
            parameters: written,
        } => prepare::execute(session, name, written, limits).await,
        Body::Deallocate(name) => prepare::deallocate(session, name.as_deref()),
        Body::Declare {
            name,
            scroll,
            hold,
            query,
        } => {
            let declaration = cursor::Declaration {
                name,
                scroll: *scroll,
                hold: *hold,
                query,
                text: &prepared.statement.text,
            };
            cursor::declare(session, declaration).await
        }
        Body::Fetch {
            cursor,
            direction,
            discard,
        } => cursor::fetch(session, cursor, *direction, *discard, limits).await,
        Body::Lock {
            names,
            mode,
            nowait,
        } => {
            let (mode, nowait) = (*mode, *nowait);
            lock::table(
                session,
                lock::LockTable {
                    names,
                    mode,
                    nowait,
                },
            )
            .await
        }
        Body::Notify { channel, payload } => {
            let payload = payload.as_deref().unwrap_or_default();
            session.notify(channel, payload)?;
            Ok(Reply::done("NOTIFY"))
        }
        Body::Listen(channel) => {
            let listen = Listen::To(channel.clone());
            session.transaction.outgoing().listen(listen);
            Ok(Reply::done("LISTEN"))
        }
        Body::Unlisten(channel) => {
            let listen = channel.clone().map_or(Listen::ToNothing, Listen::NotTo);
            session.transaction.outgoing().listen(listen);
            Ok(Reply::done("UNLISTEN"))
        }
        Body::CloseCursor(name) => cursor::close(session, name.as_deref()),
        Body::Discard(what) => discard::run(session, *what),
        Body::Comment(statement) => comment::run(session, statement).await,
        Body::NoOp(tag) => Ok(Reply::Done {
            tag: (*tag).to_owned(),
        }),
        Body::Unsupported(what) => Err(Error::Unsupported(what.clone())),
    }
}

/// Whether a statement leaves less than there was, so that it may use the last of the disk.
fn frees_space(body: &Body) -> bool {
    match body {
        Body::Write(statement) | Body::Define(statement) => matches!(
            statement.as_ref(),
            ast::Statement::Delete(_) | ast::Statement::Truncate(_) | ast::Statement::Drop { .. }
        ),
        _ => false,
    }
}

async fn define(
    session: &mut Session,
    statement: &ast::Statement,
    limits: Limits,
) -> Result<Reply> {
    use ast::Statement as S;
    match statement {
        S::CreateTable(create) => table::create(session, create, false, limits).await,
        S::AlterTable(alter) => table::alter(session, alter).await,
        S::CreateIndex(create) => table::index::create(session, create).await,
        S::Truncate(truncate) => table::truncate(session, truncate).await,
        S::CreateView(create) if create.materialized => {
            table::materialized::create(session, create, limits).await
        }
        S::CreateView(create) => view::create(session, create).await,
        S::CreateSchema { .. } => schema::create(session, statement).await,
        S::AlterSchema(alter) => schema::alter(session, alter).await,
        S::Drop { .. } => names::drop(session, statement).await,
        other => {
            let words: Vec<String> = other
                .to_string()
                .split_whitespace()
                .take(2)
                .map(str::to_uppercase)
                .collect();
            Err(Error::Unsupported(words.join(" ")))
        }
    }
}

/// What a read-only transaction refuses, by the word that PostgreSQL uses.
fn check_read_only(session: &Session, body: &Body) -> Result<()> {
    let read_only =
        session.transaction.read_only || session.settings.lock().is_on("transaction_read_only");
    if !read_only {
        return Ok(());
    }
    let word = match body {
        Body::Write(statement)
        | Body::Define(statement)
        | Body::DefineShared(statement)
        | Body::Comment(statement) => {
            let text = statement.to_string();
            let count = if matches!(body, Body::Write(_)) { 1 } else { 2 };
            let words: Vec<&str> = text.split_whitespace().take(count).collect();
            words.join(" ").to_uppercase()
        }
        Body::Combined(query) => combined::verb(query).to_owned(),
        Body::Sequence(sequence) => match sequence.as_ref() {
            Sequence::Create { .. } => "CREATE SEQUENCE",
            Sequence::Alter { .. } | Sequence::Rename { .. } | Sequence::Owner { .. } => {
                "ALTER SEQUENCE"
            }
        }
        .to_owned(),
        Body::UserType(statement) => match statement.as_ref() {
            UserTypeStatement::CreateEnum { .. } => "CREATE TYPE",
            UserTypeStatement::CreateDomain { .. } => "CREATE DOMAIN",
            UserTypeStatement::Alter {
                action: TypeAction::Comment(_),
                ..
            } => "COMMENT",
            UserTypeStatement::Alter { domain: true, .. } => "ALTER DOMAIN",
            UserTypeStatement::Alter { .. } => "ALTER TYPE",
            UserTypeStatement::Drop { domain: true, .. } => "DROP DOMAIN",
            UserTypeStatement::Drop { .. } => "DROP TYPE",
        }
        .to_owned(),
        Body::Index(index) => match index.as_ref() {
            Index::Drop { .. } => "DROP INDEX",
            Index::Rename { .. } => "ALTER INDEX",
            Index::Reindex { .. } => "REINDEX",
        }
        .to_owned(),
        Body::Refresh { .. } => "REFRESH MATERIALIZED VIEW".to_owned(),
        Body::Tenant(_) => "ALTER DATABASE".to_owned(),
        Body::Plan(_) => "ALTER PLAN".to_owned(),
        Body::Role(Role::SetRole { .. } | Role::SetSessionAuthorization { .. }) => return Ok(()),
        Body::Role(_) => "ALTER ROLE".to_owned(),
        Body::Grant(grant) => if grant.revoke { "REVOKE" } else { "GRANT" }.to_owned(),
        Body::Mask(_) => "MASKING POLICY".to_owned(),
        Body::Policy(policy) => match policy.as_ref() {
            Policy::Create { .. } => "CREATE POLICY",
            Policy::Alter { .. } | Policy::Rename { .. } => "ALTER POLICY",
            Policy::Drop { .. } => "DROP POLICY",
        }
        .to_owned(),
        Body::DefaultPrivileges { .. } => "ALTER DEFAULT PRIVILEGES".to_owned(),
        Body::Copy(copy) if copy.from => "COPY FROM".to_owned(),
        _ => return Ok(()),
    };
    Err(Error::ReadOnly(word))
}
