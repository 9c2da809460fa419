//! Definitions as text.

use std::borrow::Cow;

use super::{Arg, Function};
use crate::id::Oid;
use crate::system::definition::column_name;
use crate::system::error::LookupError;
use crate::system::rows::Value;
use crate::system::scene::{Class, Scene};
use crate::system::spelled::spelled_of;

pub(super) const FUNCTIONS: &[Function] = &[
    // Expressions are kept as text already.
    Function::strict("pg_get_expr", 2..=3, "text", |scene, args| {
        let pretty = matches!(args.get(2), Some(Arg::Bool(true)));
        let relation = scene.relation(Oid(args[1].oid())).filter(|_| pretty);
        let shown = args[0].text().map(|text| {
            let written = scene.with_type_names(text);
            let spelled = relation.and_then(|found| spelled_of(found, &written, true));
            spelled.map_or(written, Cow::Owned)
        });
        Ok(shown.into())
    }),
    Function::strict("pg_get_constraintdef", 1..=2, "text", |scene, args| {
        let number = Oid(args[0].oid());
        let pretty = matches!(args.get(1), Some(Arg::Bool(true)));
        if let Some((_, check)) = scene.domain_check(number) {
            return Ok(scene.domain_check_text(check, pretty).into());
        }
        let found = scene.constraint(number);
        Ok(found
            .map(|(relation, constraint)| scene.constraint_text(relation, constraint, pretty))
            .into())
    }),
    Function::strict("pg_get_indexdef", 1..=3, "text", |scene, args| {
        Ok(index_text(scene, args).into())
    }),
    Function::strict("pg_get_viewdef", 1..=2, "text", |scene, args| {
        let class = match args[0] {
            Arg::Text(name) => Some(
                scene
                    .find_class(name)?
                    .ok_or_else(|| LookupError::NoRelation(name.to_owned()))?,
            ),
            number => scene.class(Oid(number.oid())),
        };
        Ok(view_text(scene, class).into())
    }),
    Function::strict("pg_get_ruledef", 1..=2, "text", |scene, args| {
        let class = scene.class(Oid(args[0].oid()));
        let name = class
            .map(|class| scene.qualified(class))
            .unwrap_or_default();
        let text = view_text(scene, class);
        Ok(text
            .map(|text| {
                format!("CREATE RULE \"_RETURN\" AS\n    ON SELECT TO {name} DO INSTEAD {text}")
            })
            .into())
    }),
    Function::strict("pg_get_triggerdef", 1..=2, "text", nothing),
    Function::strict("pg_get_functiondef", 1..=1, "text", nothing),
    Function::strict("pg_get_function_sqlbody", 1..=1, "text", nothing),
    Function::strict("pg_get_function_arg_default", 2..=2, "text", nothing),
    Function::strict("pg_get_partkeydef", 1..=1, "text", nothing),
    Function::strict("pg_get_partition_constraintdef", 1..=1, "text", nothing),
    Function::strict("pg_get_statisticsobjdef", 1..=1, "text", nothing),
    Function::strict("pg_get_statisticsobjdef_columns", 1..=1, "text", nothing),
    Function::strict(
        "pg_get_statisticsobjdef_expressions",
        1..=1,
        "text[]",
        nothing,
    ),
];

/// The database has no such object.
fn nothing<'a>(_: &'a Scene, _: &[Arg<'a>]) -> Result<Value<'a>, LookupError> {
    Ok(Value::Null)
}

fn view_text(scene: &Scene, class: Option<Class<'_>>) -> Option<String> {
    match class? {
        Class::Relation(relation) => scene.view_text(relation),
        Class::Index(..) | Class::System(_) => None,
    }
}

/// The whole definition, or the name of one of the index's columns.
fn index_text(scene: &Scene, args: &[Arg<'_>]) -> Option<String> {
    let Some(Class::Index(relation, key)) = scene.class(Oid(args[0].oid())) else {
        return None;
    };
    let position = match args.get(1) {
        Some(Arg::Int(position)) => *position,
        _ => 0,
    };
    if position == 0 {
        let pretty = matches!(args.get(2), Some(Arg::Bool(true)));
        return Some(scene.index_text(relation, key, pretty));
    }
    let place = usize::try_from(position - 1).ok();
    let number = match (key.index(), place) {
        (Some(index), Some(place)) => {
            let part = index.parts.get(place);
            if let Some(expression) = part.and_then(|part| part.expression.clone()) {
                return Some(expression);
            }
            let beyond = || {
                index
                    .include
                    .get(place.checked_sub(index.parts.len())?)
                    .copied()
            };
            part.map(|part| part.column).or_else(beyond)
        }
        (None, Some(place)) => key.columns.get(place).copied(),
        (_, None) => None,
    };
    Some(
        number
            .and_then(|number| column_name(relation, number))
            .unwrap_or_default(),
    )
}
