//! CREATE and ALTER SEQUENCE, and the sequences that columns bring with them.

use datafusion::sql::sqlparser::ast::{self, Expr, ObjectName, UnaryOperator};
use tessera_catalog::id::{Oid, TableUuid};
use tessera_catalog::model::{
    Change, Column, Database, Relation, RelationBody, Sequence, Table, drawn_sequences,
};
use tessera_catalog::sql_type::SqlType;

use super::names::{check_new_name, creation, folded, owned, qualified, relation};
use super::{grant, role};
use crate::error::{Error, Result};
use crate::planner::ast::{Sequence as Statement, SequenceOptions};
use crate::planner::source::Found;
use crate::planner::{self, Scope};
use crate::policy::Caller;
use crate::session::Session;
use crate::session::reply::{Notice, Reply};

pub(super) async fn run(session: &mut Session, statement: &Statement) -> Result<Reply> {
    let caller = session.caller().await?;
    let scope = session.scope(&caller).await?;
    let tag = match statement {
        Statement::Create {
            name,
            if_not_exists,
            options,
        } => {
            create(session, &caller, &scope, (name, *if_not_exists), options)?;
            "CREATE SEQUENCE"
        }
        Statement::Alter {
            name,
            if_exists,
            options,
        } => {
            if let Some(found) = existing(session, &caller, &scope, (name, *if_exists))? {
                let changed = altered(&found, options, &scope)?;
                put(session, &caller, vec![Change::PutRelation(changed)]);
            }
            "ALTER SEQUENCE"
        }
        Statement::Rename {
            name,
            if_exists,
            to,
        } => {
            if let Some(found) = existing(session, &caller, &scope, (name, *if_exists))? {
                check_new_name(to)?;
                if scope.find(Some(&found.schema_name), to).is_some() {
                    return Err(Error::AlreadyExists {
                        kind: "relation",
                        name: to.clone(),
                    });
                }
                let mut changed = found.relation.as_ref().clone();
                changed.name.clone_from(to);
                put(session, &caller, vec![Change::PutRelation(changed)]);
            }
            "ALTER SEQUENCE"
        }
        Statement::Owner {
            name,
            if_exists,
            owner,
        } => {
            if let Some(found) = existing(session, &caller, &scope, (name, *if_exists))? {
                let mut changed = found.relation.as_ref().clone();
                changed.owner = role::new_owner(&caller, owner)?;
                put(session, &caller, vec![Change::PutRelation(changed)]);
            }
            "ALTER SEQUENCE"
        }
    };
    Ok(Reply::Done {
        tag: tag.to_owned(),
    })
}

fn put(session: &mut Session, caller: &Caller, changes: Vec<Change>) {
    session.transaction.change(&caller.database, changes);
    session.version += 1;
}

fn existing(
    session: &mut Session,
    caller: &Caller,
    scope: &Scope,
    (name, if_exists): (&ObjectName, bool),
) -> Result<Option<Found>> {
    if if_exists && relation(scope, name).is_err() {
        let (_, name) = qualified(name, &scope.database.name)?;
        session.notice(Notice::plain(format!(
            "relation \"{name}\" does not exist, skipping"
        )));
        return Ok(None);
    }
    let found = owned(scope, caller, name)?;
    if found.relation.sequence().is_none() {
        return Err(Error::WrongKind {
            name: found.relation.name.clone(),
            wanted: "sequence",
        });
    }
    Ok(Some(found))
}

fn create(
    session: &mut Session,
    caller: &Caller,
    scope: &Scope,
    (name, if_not_exists): (&ObjectName, bool),
    options: &SequenceOptions,
) -> Result<()> {
    let (schema, name) = match creation(scope, caller, name) {
        Err(Error::AlreadyExists { name, .. }) if if_not_exists => {
            session.notice(Notice {
                sqlstate: "42P07",
                ..Notice::plain(format!("relation \"{name}\" already exists, skipping"))
            });
            return Ok(());
        }
        other => other?,
    };
    let sequence = sequence(None, options, scope)?;
    let oid = session.engine.catalog.next_oid(&scope.database);
    let owner = grant::creator(caller);
    let made = Relation {
        oid,
        schema: schema.oid,
        name,
        owner,
        acl: None,
        comment: None,
        body: RelationBody::Sequence(sequence),
    };
    let changes = vec![Change::PutRelation(made), Change::NextOid(oid.0 + 1)];
    put(session, caller, changes);
    Ok(())
}

fn altered(found: &Found, options: &SequenceOptions, scope: &Scope) -> Result<Relation> {
    let mut changed = found.relation.as_ref().clone();
    let changed_sequence = sequence(found.relation.sequence(), options, scope)?;
    changed.body = RelationBody::Sequence(changed_sequence);
    Ok(changed)
}

/// The bounds of a type's values.
fn bounds(sql_type: &SqlType) -> Result<(i64, i64)> {
    match sql_type {
        SqlType::Int2 => Ok((i16::MIN.into(), i16::MAX.into())),
        SqlType::Int4 => Ok((i32::MIN.into(), i32::MAX.into())),
        SqlType::Int8 => Ok((i64::MIN, i64::MAX)),
        _ => Err(Error::InvalidParameterValue(
            "sequence type must be smallint, integer, or bigint".to_owned(),
        )),
    }
}

/// A new sequence, or a former one with other options.
pub(super) fn sequence(
    former: Option<&Sequence>,
    options: &SequenceOptions,
    scope: &Scope,
) -> Result<Sequence> {
    let sql_type = match &options.data_type {
        Some(written) => planner::sql_type(written, &scope.user_types())?,
        None => former.map_or(SqlType::Int8, |former| former.sql_type.clone()),
    };
    let (least, most) = bounds(&sql_type)?;
    let increment = options
        .increment
        .or(former.map(|f| f.increment))
        .unwrap_or(1);
    let usual_min = if increment > 0 { 1 } else { least };
    let usual_max = if increment > 0 { most } else { -1 };
    let kept = |bound: fn(&Sequence) -> i64, usual: i64| match former {
        // A bound that came from the former type goes with it.
        Some(former) if options.data_type.is_none() => bound(former),
        Some(former) => {
            let (least, most) = bounds(&former.sql_type).unwrap_or((i64::MIN, i64::MAX));
            let own = bound(former);
            if own == least || own == most {
                usual
            } else {
                own
            }
        }
        None => usual,
    };
    let min = match options.min {
        Some(min) => min.unwrap_or(usual_min),
        None => kept(|f| f.min, usual_min),
    };
    let max = match options.max {
        Some(max) => max.unwrap_or(usual_max),
        None => kept(|f| f.max, usual_max),
    };
    let first = if increment > 0 { min } else { max };
    let start = options.start.or(former.map(|f| f.start)).unwrap_or(first);
    let made = Sequence {
        uuid: match (former, options.restart) {
            (Some(former), None) => former.uuid,
            _ => TableUuid::generate(),
        },
        sql_type,
        start,
        increment,
        min,
        max,
        cache: options.cache.or(former.map(|f| f.cache)).unwrap_or(1),
        cycle: options.cycle.or(former.map(|f| f.cycle)).unwrap_or(false),
        restart: match options.restart {
            Some(restart) => restart,
            None => former.and_then(|f| f.restart),
        },
        owned_by: match &options.owned_by {
            Some(Some(column)) => Some(owning_column(column, scope)?),
            Some(None) => None,
            None => former.and_then(|f| f.owned_by),
        },
    };
    check(&made, (least, most))?;
    Ok(made)
}

fn check(sequence: &Sequence, (least, most): (i64, i64)) -> Result<()> {
    let Sequence {
        min, max, start, ..
    } = sequence;
    let refused = [
        (
            sequence.increment == 0,
            "INCREMENT must not be zero".to_owned(),
        ),
        (
            *min < least,
            format!(
                "MINVALUE ({min}) is out of range for sequence data type {}",
                sequence.sql_type
            ),
        ),
        (
            *max > most,
            format!(
                "MAXVALUE ({max}) is out of range for sequence data type {}",
                sequence.sql_type
            ),
        ),
        (
            min >= max,
            format!("MINVALUE ({min}) must be less than MAXVALUE ({max})"),
        ),
        (
            start < min,
            format!("START value ({start}) cannot be less than MINVALUE ({min})"),
        ),
        (
            start > max,
            format!("START value ({start}) cannot be greater than MAXVALUE ({max})"),
        ),
        (
            sequence.first() < *min,
            format!(
                "RESTART value ({}) cannot be less than MINVALUE ({min})",
                sequence.first()
            ),
        ),
        (
            sequence.first() > *max,
            format!(
                "RESTART value ({}) cannot be greater than MAXVALUE ({max})",
                sequence.first()
            ),
        ),
        (
            sequence.cache < 1,
            format!("CACHE ({}) must be greater than zero", sequence.cache),
        ),
    ];
    match refused.into_iter().find(|(refused, _)| *refused) {
        Some((_, message)) => Err(Error::InvalidParameterValue(message)),
        None => Ok(()),
    }
}

fn owning_column(name: &ObjectName, scope: &Scope) -> Result<(Oid, i16)> {
    let mut parts = name.0.clone();
    let column = parts.pop();
    let column = column.as_ref().and_then(|part| part.as_ident()).map(folded);
    let column = column
        .filter(|_| !parts.is_empty())
        .ok_or_else(|| Error::Syntax {
            message: "invalid OWNED BY option".to_owned(),
            position: None,
        })?;
    let found = relation(scope, &ObjectName(parts))?;
    let number = found
        .relation
        .table()
        .and_then(|table| table.column(&column))
        .map(|column| column.number)
        .ok_or_else(|| Error::NoSuchColumnOf {
            column,
            relation: found.relation.name.clone(),
        })?;
    Ok((found.relation.oid, number))
}

/// The options of an identity column, as the SQL parser gives them.
pub(super) fn identity_options(written: &[ast::SequenceOptions]) -> Result<SequenceOptions> {
    use ast::SequenceOptions as Written;
    let mut options = SequenceOptions::default();
    for option in written {
        match option {
            Written::IncrementBy(value, _) => options.increment = Some(number(value)?),
            Written::MinValue(value) => {
                options.min = Some(value.as_ref().map(number).transpose()?);
            }
            Written::MaxValue(value) => {
                options.max = Some(value.as_ref().map(number).transpose()?);
            }
            Written::StartWith(value, _) => options.start = Some(number(value)?),
            Written::Cache(value) => options.cache = Some(number(value)?),
            // The parser's flag is NO.
            Written::Cycle(no) => options.cycle = Some(!no),
        }
    }
    Ok(options)
}

fn number(value: &Expr) -> Result<i64> {
    let whole = match value {
        Expr::Value(value) => match &value.value {
            ast::Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => Some(-number(expr)?),
        _ => None,
    };
    whole.ok_or_else(|| Error::Syntax {
        message: format!("invalid sequence option \"{value}\""),
        position: None,
    })
}

/// The sequence that goes with a column, under a name that is free.
pub(super) fn of_column(
    sequence: Sequence,
    (schema, schema_name): (Oid, &str),
    (relation, owner): (&str, Oid),
    column: &Column,
    oid: Oid,
    scope: &Scope,
    taken: &[Relation],
) -> Relation {
    // As PostgreSQL: the parts are cut so that the whole is a name.
    const MAX_NAME_BYTES: usize = 63;
    let cut = |name: &str, bytes: usize| {
        let mut end = name.len().min(bytes);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name[..end].to_owned()
    };
    let room = MAX_NAME_BYTES - "__seq".len() - 4;
    let mut table_room = relation.len();
    let mut column_room = column.name.len();
    while table_room + column_room > room {
        if table_room > column_room {
            table_room -= 1;
        } else {
            column_room -= 1;
        }
    }
    let base = format!(
        "{}_{}_seq",
        cut(relation, table_room),
        cut(&column.name, column_room)
    );
    let is_free = |name: &String| {
        scope.find(Some(schema_name), name).is_none() && taken.iter().all(|t| t.name != *name)
    };
    let numbered = (1..).map(|n| format!("{base}{n}"));
    let name = std::iter::once(base.clone())
        .chain(numbered)
        .find(is_free)
        .unwrap_or_default();
    Relation {
        oid,
        schema,
        name,
        owner,
        acl: None,
        comment: None,
        body: RelationBody::Sequence(sequence),
    }
}

/// The sequences that go with a table, or with one of its columns.
pub(super) fn owned_by(database: &Database, table: Oid, column: Option<i16>) -> Vec<Oid> {
    let goes = |relation: &&std::sync::Arc<Relation>| {
        let owner = relation.sequence().and_then(|sequence| sequence.owned_by);
        owner.is_some_and(|(of, number)| of == table && column.is_none_or(|c| c == number))
    };
    let found = database.relations.values().filter(goes);
    found.map(|relation| relation.oid).collect()
}

/// The columns whose default draws from a sequence, other than those of tables that go too.
pub(super) fn drawing_columns(
    database: &Database,
    sequence: Oid,
    doomed: &[Oid],
) -> Vec<(Oid, String, String)> {
    let mut found = Vec::new();
    for relation in database.relations.values() {
        if doomed.contains(&relation.oid) {
            continue;
        }
        let columns = relation.table().into_iter().flat_map(Table::live_columns);
        for column in columns {
            let text = column.default.as_deref().unwrap_or_default();
            if drawn_sequences(text).any(|drawn| drawn == sequence) {
                found.push((relation.oid, relation.name.clone(), column.name.clone()));
            }
        }
    }
    found
}

/// A sequence that begins anew: what it gave so far is forgotten when the transaction commits.
pub(super) fn restarted(relation: &Relation) -> Option<Relation> {
    let mut anew = relation.clone();
    let RelationBody::Sequence(sequence) = &mut anew.body else {
        return None;
    };
    sequence.uuid = TableUuid::generate();
    sequence.restart = None;
    Some(anew)
}
