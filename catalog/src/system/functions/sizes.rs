//! Sizes, and what else there is to ask of the server's state.

use super::{Arg, Function};
use crate::id::Oid;
use crate::model::{Scope, Table};
use crate::system::error::LookupError;
use crate::system::rows::Value;
use crate::system::scene::{Class, Scene};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::strict("pg_relation_size", 1..=2, "int8", |scene, args| {
        // A table has one fork here.
        let main = args
            .get(1)
            .and_then(|arg| arg.text())
            .is_none_or(|fork| fork == "main");
        let size = relation_size(scene, args[0])?;
        Ok(size.map(|size| if main { size } else { 0 }).into())
    }),
    Function::strict("pg_table_size", 1..=1, "int8", |s, a| {
        Ok(relation_size(s, a[0])?.into())
    }),
    Function::strict("pg_total_relation_size", 1..=1, "int8", |scene, args| {
        Ok(relation_size(scene, args[0])?.into())
    }),
    Function::strict("pg_indexes_size", 1..=1, "int8", |scene, args| {
        Ok(relation_size(scene, args[0])?.map(|_| 0i64).into())
    }),
    Function::strict("pg_database_size", 1..=1, "int8", |scene, args| {
        let own = match args[0] {
            Arg::Text(name) => name == scene.database.name,
            number => number.oid() == scene.database_oid().0,
        };
        match (own, args[0]) {
            (true, _) => {
                // Shared rows are the system's.
                let owned = |table: &Table| table.scope != Scope::Shared || !scene.in_tenant();
                let tables = scene.relations().filter(|r| r.table().is_some_and(owned));
                let bytes: i64 = tables.map(|table| (scene.sizes)(table.oid).1).sum();
                Ok(bytes.into())
            }
            (false, Arg::Text(name)) if scene.in_tenant() || !is_tenant(scene, name) => {
                Err(LookupError::NoDatabase(name.to_owned()))
            }
            (false, _) => Ok(Value::Null),
        }
    }),
    Function::strict("pg_tablespace_size", 1..=1, "int8", |_, _| Ok(Value::Null)),
    Function::strict(
        "pg_tablespace_location",
        1..=1,
        "text",
        |_, _| Ok("".into()),
    ),
    Function::strict("pg_size_pretty", 1..=1, "text", |_, args| {
        Ok(args[0].int().map(pretty).into())
    }),
    Function::strict("pg_relation_filenode", 1..=1, "oid", |scene, args| {
        let class = scene.class(Oid(args[0].oid()));
        Ok(class
            .filter(|class| matches!(class.kind(), 'r' | 'i'))
            .map(|class| class.oid())
            .into())
    }),
    Function::strict(
        "pg_relation_is_publishable",
        1..=1,
        "bool",
        |scene, args| {
            let class = scene.class(Oid(args[0].oid()));
            Ok(class
                .map(|class| matches!(class, Class::Relation(r) if r.table().is_some()))
                .into())
        },
    ),
    Function::strict("pg_relation_is_updatable", 2..=2, "int4", |scene, args| {
        const INSERT_UPDATE_DELETE: i64 = 8 + 4 + 16;
        let class = scene.class(Oid(args[0].oid()));
        let table = matches!(class, Some(Class::Relation(r)) if r.table().is_some());
        Ok((if table { INSERT_UPDATE_DELETE } else { 0 }).into())
    }),
    Function::strict("pg_column_is_updatable", 3..=3, "bool", |scene, args| {
        let class = scene.class(Oid(args[0].oid()));
        Ok(matches!(class, Some(Class::Relation(r)) if r.table().is_some()).into())
    }),
    Function::strict("pg_is_in_recovery", 0..=0, "bool", |_, _| Ok(false.into())),
    Function::strict("pg_is_wal_replay_paused", 0..=0, "bool", |_, _| {
        Ok(false.into())
    }),
    Function::strict(
        "pg_postmaster_start_time",
        0..=0,
        "timestamptz",
        |scene, _| Ok(scene.started_at.into()),
    ),
    Function::strict("pg_blocking_pids", 1..=1, "int4[]", |_, _| {
        Ok(Value::List(Vec::new()))
    }),
    Function::strict(
        "pg_stat_get_numscans",
        1..=1,
        "int8",
        |_, _| Ok(0i64.into()),
    ),
    Function::strict("pg_stat_get_live_tuples", 1..=1, "int8", |scene, args| {
        let relation = scene.relation(Oid(args[0].oid()));
        Ok(relation
            .filter(|r| r.table().is_some())
            .map(|r| (scene.sizes)(r.oid).0)
            .into())
    }),
    Function::strict("pg_collation_actual_version", 1..=1, "text", |_, _| {
        Ok(Value::Null)
    }),
];

fn is_tenant(scene: &Scene, name: &str) -> bool {
    scene.system.tenant_named(name).is_some()
}

/// Bytes of a table's part; 0 for a view, index or system relation, none for an unknown number.
fn relation_size(scene: &Scene, relation: Arg<'_>) -> Result<Option<i64>, LookupError> {
    let class = match relation {
        Arg::Text(name) => match scene.find_class(name)? {
            Some(class) => Some(class),
            None => return Err(LookupError::NoRelation(name.to_owned())),
        },
        number => scene.class(Oid(number.oid())),
    };
    Ok(class.map(|class| match class {
        Class::Relation(relation) if relation.table().is_some() => (scene.sizes)(relation.oid).1,
        Class::Relation(_) | Class::Index(..) | Class::System(_) => 0,
    }))
}

/// Bytes in the largest unit that leaves at least 10 of it, rounded half up, as PostgreSQL does.
fn pretty(bytes: i64) -> String {
    const KILO: i64 = 1024;
    if bytes.unsigned_abs() < 10 * KILO.unsigned_abs() {
        return format!("{bytes} bytes");
    }
    // Twice the size in the unit, so that the last bit says which way to round.
    let mut twice = bytes / (KILO / 2);
    let mut units = ["kB", "MB", "GB", "TB", "PB"].into_iter().peekable();
    while let Some(unit) = units.next() {
        if units.peek().is_none() || twice.unsigned_abs() < 20 * KILO.unsigned_abs() - 1 {
            return format!("{} {unit}", (twice + twice.signum()) / 2);
        }
        twice /= KILO;
    }
    format!("{bytes} bytes")
}
