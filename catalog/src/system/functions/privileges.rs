//! `has_table_privilege` and its kin: who may do what to which object.
//!
//! They tell what the catalogs say; statements are checked elsewhere.

use super::{Arg, Function};
use crate::id::Oid;
use crate::model::{Acl, Privilege, Privileges};
use crate::sql_type::RegType;
use crate::system::access::{Held, Who};
use crate::system::error::LookupError;
use crate::system::rows::Value;
use crate::system::scene::{Attribute, Class, Namespace, Scene, attributes};
use crate::system::types::Typed;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::strict("has_table_privilege", 2..=3, "bool", |scene, args| {
        let (who, [table, words]) = split(scene, args)?;
        let wanted = parse(words, Privileges::of_table())?;
        let Some(class) = class(scene, table)? else {
            return Ok(Value::Null);
        };
        Ok(any(scene.held_on(&who, class), &wanted).into())
    }),
    Function::strict("has_any_column_privilege", 2..=3, "bool", |scene, args| {
        let (who, [table, words]) = split(scene, args)?;
        let wanted = parse(words, Privileges::of_column())?;
        let Some(class) = class(scene, table)? else {
            return Ok(Value::Null);
        };
        Ok(any(scene.held_on_any_column(&who, class), &wanted).into())
    }),
    Function::strict("has_column_privilege", 3..=4, "bool", |scene, args| {
        let (who, [table, column, words]) = split(scene, args)?;
        let wanted = parse(words, Privileges::of_column())?;
        let Some(class) = class(scene, table)? else {
            return Ok(Value::Null);
        };
        Ok(column_held(scene, &who, class, column)?
            .map(|held| any(held, &wanted))
            .into())
    }),
    Function::strict("has_schema_privilege", 2..=3, "bool", |scene, args| {
        let (who, [schema, words]) = split(scene, args)?;
        let wanted = parse(words, Privileges::of_schema())?;
        let found = namespace(scene, schema)?;
        Ok(found
            .map(|found| any(scene.held_on_schema(&who, &found), &wanted))
            .into())
    }),
    Function::strict("has_database_privilege", 2..=3, "bool", |scene, args| {
        let (who, [database, words]) = split(scene, args)?;
        let wanted = parse(words, Privileges::of_database())?;
        Ok(database_held(scene, &who, database)?
            .map(|held| any(held, &wanted))
            .into())
    }),
    Function::strict("has_function_privilege", 2..=3, "bool", |scene, args| {
        let (who, [function, words]) = split(scene, args)?;
        let wanted = parse(words, Privileges::of_function())?;
        let number = match function {
            Arg::Text(text) => scene
                .find_procedure(text)?
                .ok_or_else(|| LookupError::NoFunction(text.to_owned()))?,
            number => number.oid(),
        };
        let name = scene.function_name(number);
        Ok(name
            .map(|name| any(scene.held_on_function(&who, name), &wanted))
            .into())
    }),
    // What follows has no lists of its own here: PostgreSQL's defaults hold.
    Function::strict("has_language_privilege", 2..=3, "bool", yes),
    Function::strict("has_type_privilege", 2..=3, "bool", |scene, args| {
        let (who, [named, words]) = split(scene, args)?;
        let wanted = parse(words, Privilege::Usage.into())?;
        let number = match named {
            Arg::Text(text) => scene.reg_in(RegType::Type, text)?,
            number => number.oid(),
        };
        Ok(match scene.type_by_oid(number) {
            Some(Typed::BuiltIn(_)) => true.into(),
            Some(Typed::User(found) | Typed::ArrayOf(found)) => {
                any(scene.held_on_type(&who, found), &wanted).into()
            }
            None => Value::Null,
        })
    }),
    Function::strict("has_tablespace_privilege", 2..=3, "bool", superusers),
    Function::strict(
        "has_foreign_data_wrapper_privilege",
        2..=3,
        "bool",
        superusers,
    ),
    Function::strict("has_server_privilege", 2..=3, "bool", superusers),
    Function::strict("has_sequence_privilege", 2..=3, "bool", |scene, args| {
        let (who, [sequence, words]) = split(scene, args)?;
        let wanted = parse(words, Privileges::of_sequence())?;
        let Some(class) = class(scene, sequence)? else {
            return Ok(Value::Null);
        };
        Ok(any(scene.held_on(&who, class), &wanted).into())
    }),
    Function::strict("pg_has_role", 2..=3, "bool", |scene, args| {
        let (who, [role, words]) = split(scene, args)?;
        let group = role_number(scene, role)?;
        has_role(scene, &who, group, words.text().unwrap_or_default())
    }),
    Function::strict("row_security_active", 1..=1, "bool", |scene, args| {
        let narrowed = |found| match found {
            Class::Relation(relation) => scene.is_narrowed(relation),
            Class::Index(..) | Class::System(_) => false,
        };
        Ok(class(scene, args[0])?.map(narrowed).into())
    }),
    Function::lenient("acldefault", 2..=2, "text[]", |scene, args| {
        let owner = Oid(args[1].oid());
        let mut acl = match args[0].text() {
            Some("r") => Acl::of_owner(owner, Privileges::of_table()),
            Some("n") => Acl::of_owner(owner, Privileges::of_schema()),
            Some("d") => crate::system::access::database_acl(owner),
            Some("f") => crate::system::access::function_acl(owner),
            Some("c") => Acl::default(),
            Some("T") => crate::system::access::type_acl(owner),
            Some("l") => Acl::of_owner(owner, Privilege::Usage.into()),
            _ => return Ok(Value::Null),
        };
        // PostgreSQL writes PUBLIC's share first.
        acl.0.sort_by_key(|item| item.grantee != Oid::PUBLIC);
        Ok(scene.acl_texts(Some(&acl)).into())
    }),
];

fn yes<'a>(_: &'a Scene, _: &[Arg<'a>]) -> Result<Value<'a>, LookupError> {
    Ok(Value::Bool(true))
}

fn superusers<'a>(scene: &'a Scene, args: &[Arg<'a>]) -> Result<Value<'a>, LookupError> {
    let (who, [_, _]) = split(scene, args)?;
    Ok(who.superuser.into())
}

/// Whose privileges are asked for, and the last `N` arguments.
fn split<'a, const N: usize>(
    scene: &'a Scene,
    args: &[Arg<'a>],
) -> Result<(Who<'a>, [Arg<'a>; N]), LookupError> {
    let mut last = [Arg::Null; N];
    let (first, rest) = args.split_at(args.len().saturating_sub(N));
    last.copy_from_slice(rest);
    let who = match first.first() {
        Some(user) => scene.who(role_number(scene, *user)?),
        None => scene.me(),
    };
    Ok((who, last))
}

fn role_number(scene: &Scene, role: Arg<'_>) -> Result<Oid, LookupError> {
    match role {
        Arg::Text("public") => Ok(Oid::PUBLIC),
        Arg::Text(name) => scene
            .role_named(name)
            .ok_or_else(|| LookupError::NoRole(name.to_owned())),
        number => Ok(Oid(number.oid())),
    }
}

fn class<'a>(scene: &'a Scene, table: Arg<'a>) -> Result<Option<Class<'a>>, LookupError> {
    match table {
        Arg::Text(name) => match scene.find_class(name)? {
            Some(class) => Ok(Some(class)),
            None => Err(LookupError::NoRelation(name.to_owned())),
        },
        number => Ok(scene.class(Oid(number.oid()))),
    }
}

fn namespace<'a>(scene: &'a Scene, schema: Arg<'a>) -> Result<Option<Namespace<'a>>, LookupError> {
    let number = match schema {
        Arg::Text(name) => scene
            .schema_named(name)
            .ok_or_else(|| LookupError::NoSchema(name.to_owned()))?,
        number => Oid(number.oid()),
    };
    Ok(scene.namespace(number))
}

/// What a role holds on a column; `None` for a number that is no column's.
fn column_held(
    scene: &Scene,
    who: &Who<'_>,
    class: Class<'_>,
    column: Arg<'_>,
) -> Result<Option<Held>, LookupError> {
    let missing = |name: &str| LookupError::NoColumn {
        column: name.to_owned(),
        relation: class.name().to_owned(),
    };
    let Class::Relation(relation) = class else {
        return Ok(Some(scene.held_on(who, class)));
    };
    let columns = attributes(relation);
    let live = |c: &&Attribute<'_>| !c.dropped;
    let found = match column {
        Arg::Text(name) => {
            let named = columns.iter().filter(live).find(|c| c.name == name);
            Some(named.ok_or_else(|| missing(name))?)
        }
        number => columns
            .iter()
            .filter(live)
            .find(|c| Some(i64::from(c.number)) == number.int()),
    };
    Ok(found.map(|column| scene.held_on_column(who, relation, column)))
}

fn database_held(
    scene: &Scene,
    who: &Who<'_>,
    database: Arg<'_>,
) -> Result<Option<Held>, LookupError> {
    let own = match database {
        Arg::Text(name) => name == scene.database.name,
        number => number.oid() == scene.database_oid().0,
    };
    if own {
        return Ok(Some(scene.held_on_database(who)));
    }
    // Only operators know of other databases.
    let tenants = if scene.in_tenant() {
        None
    } else {
        Some(scene.system.tenants.values())
    };
    let mut tenants = tenants.into_iter().flatten();
    let tenant = match database {
        Arg::Text(name) => tenants.find(|tenant| tenant.name == name),
        number => tenants.find(|tenant| tenant.oid.0 == number.oid()),
    };
    match (tenant, database) {
        (Some(tenant), _) => Ok(Some(scene.held_on_tenant(who, tenant))),
        (None, Arg::Text(name)) => Err(LookupError::NoDatabase(name.to_owned())),
        (None, _) => Ok(None),
    }
}

/// Whether a role is a member of another, by the words `MEMBER`, `USAGE` and `WITH ADMIN OPTION`.
fn has_role<'a>(
    scene: &Scene,
    who: &Who<'_>,
    group: Oid,
    words: &str,
) -> Result<Value<'a>, LookupError> {
    let member = who.superuser || scene.database.is_member(who.role, group);
    let admin = || {
        let mut memberships = scene.database.memberships.iter();
        who.superuser
            || memberships
                .any(|m| m.role == group && m.admin_option && who.roles.contains(&m.member))
    };
    for word in words
        .split(',')
        .map(|word| word.trim().to_ascii_uppercase())
    {
        let holds = match word.as_str() {
            "MEMBER" => member,
            "USAGE" => who.is(group),
            "MEMBER WITH GRANT OPTION"
            | "MEMBER WITH ADMIN OPTION"
            | "USAGE WITH GRANT OPTION"
            | "USAGE WITH ADMIN OPTION" => admin(),
            _ => return Err(LookupError::NoPrivilege(words.to_owned())),
        };
        if holds {
            return Ok(true.into());
        }
    }
    Ok(false.into())
}

/// The privileges that a text names, each with whether the right to grant it is meant.
fn parse(words: Arg<'_>, allowed: Privileges) -> Result<Vec<(Privilege, bool)>, LookupError> {
    let text = words.text().unwrap_or_default();
    let unknown = |word: &str| LookupError::NoPrivilege(word.to_owned());
    text.split(',')
        .map(|word| {
            let upper = word.trim().to_ascii_uppercase();
            let (name, option) = match upper.strip_suffix(" WITH GRANT OPTION") {
                Some(name) => (name, true),
                None => (upper.as_str(), false),
            };
            let name = if name == "TEMP" { "TEMPORARY" } else { name };
            let privilege = allowed.iter().find(|privilege| privilege.keyword() == name);
            privilege
                .map(|privilege| (privilege, option))
                .ok_or_else(|| unknown(word.trim()))
        })
        .collect()
}

fn any(held: Held, wanted: &[(Privilege, bool)]) -> bool {
    wanted
        .iter()
        .any(|(privilege, option)| held.has(*privilege, *option))
}
