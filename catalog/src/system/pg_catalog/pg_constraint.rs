//! `pg_constraint`: keys and checks.

use std::borrow::Cow;

use crate::id::Oid;
use crate::model::{DomainCheck, KeyKind, Relation, UserType};
use crate::system::definition::check_columns;
use crate::system::rows::{Rows, row};
use crate::system::scene::{Constraint, Scene};
use crate::system::spelled::spelled_of;
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_constraint",
    2606,
    r#"
    oid oid, conname name, connamespace oid, contype "char", condeferrable bool, condeferred bool,
    convalidated bool, conrelid oid, contypid oid, conindid oid, conparentid oid, confrelid oid,
    confupdtype "char", confdeltype "char", confmatchtype "char", conislocal bool,
    coninhcount int4, connoinherit bool, conkey int2[], confkey int2[], conpfeqop oid[],
    conppeqop oid[], conffeqop oid[], confdelsetcols int2[], conexclop oid[], conbin text"#,
    rows,
)
.found_by(&["oid", "conrelid"]);

fn rows(scene: &Scene, rows: &mut Rows) {
    if let Some(numbers) = rows.numbers("oid") {
        for (relation, constraint) in numbers.iter().filter_map(|n| scene.constraint(Oid(*n))) {
            if matches!(constraint, Constraint::Key(key) if !key.is_constraint()) {
                continue;
            }
            add(scene, rows, relation, constraint);
        }
        for (user_type, check) in numbers.iter().filter_map(|n| scene.domain_check(Oid(*n))) {
            add_of_domain(scene, rows, user_type, check);
        }
    } else if let Some(numbers) = rows.numbers("conrelid") {
        for relation in numbers.iter().filter_map(|n| scene.relation(Oid(*n))) {
            add_all(scene, rows, relation);
        }
    } else {
        for relation in scene.relations() {
            add_all(scene, rows, relation);
        }
        for (user_type, check) in scene.domain_checks() {
            add_of_domain(scene, rows, user_type, check);
        }
    }
}

fn add_of_domain(scene: &Scene, rows: &mut Rows, user_type: &UserType, check: &DomainCheck) {
    row!(
        rows,
        oid: check.oid,
        conname: &check.name,
        connamespace: scene.schema_of_type(user_type),
        contype: 'c',
        condeferrable: false,
        condeferred: false,
        convalidated: check.validated,
        conrelid: 0,
        contypid: user_type.oid,
        conindid: 0,
        conparentid: 0,
        confrelid: 0,
        confupdtype: ' ',
        confdeltype: ' ',
        confmatchtype: ' ',
        conislocal: true,
        coninhcount: 0,
        connoinherit: false,
        conbin: scene.with_type_names(&check.expression),
    );
}

fn add_all(scene: &Scene, rows: &mut Rows, relation: &Relation) {
    let Some(table) = relation.table() else {
        return;
    };
    for check in &table.checks {
        add(scene, rows, relation, Constraint::Check(check));
    }
    for key in table.keys.iter().filter(|key| key.is_constraint()) {
        add(scene, rows, relation, Constraint::Key(key));
    }
}

fn add(scene: &Scene, rows: &mut Rows, relation: &Relation, constraint: Constraint<'_>) {
    let foreign = match constraint {
        Constraint::Key(key) => match &key.kind {
            KeyKind::Foreign(foreign) => Some(foreign),
            KeyKind::Primary | KeyKind::Unique | KeyKind::Index(_) => None,
        },
        Constraint::Check(_) => None,
    };
    row!(
        rows,
        oid: constraint.oid(),
        conname: constraint.name(),
        connamespace: scene.schema_of(relation),
        contype: constraint.letter(),
        condeferrable: foreign.is_some_and(|foreign| foreign.deferrable),
        condeferred: foreign.is_some_and(|foreign| foreign.deferred),
        convalidated: match constraint {
            Constraint::Key(key) => key.enforced || foreign.is_none(),
            Constraint::Check(_) => true,
        },
        conrelid: relation.oid,
        contypid: 0,
        conindid: match (constraint, foreign) {
            (Constraint::Check(_), _) => Oid(0),
            (Constraint::Key(key), None) => key.oid,
            (_, Some(foreign)) => {
                let found = scene.referenced_key(foreign.relation, &foreign.columns);
                found.unwrap_or(Oid(0))
            }
        },
        conparentid: 0,
        confrelid: foreign.map_or(Oid(0), |foreign| foreign.relation),
        confupdtype: foreign.map_or(' ', |foreign| foreign.on_update.letter()),
        confdeltype: foreign.map_or(' ', |foreign| foreign.on_delete.letter()),
        confmatchtype: match foreign {
            Some(foreign) if foreign.match_full => 'f',
            Some(_) => 's',
            None => ' ',
        },
        conislocal: true,
        coninhcount: 0,
        connoinherit: matches!(constraint, Constraint::Key(_)),
        conkey: match constraint {
            Constraint::Key(key) => key.columns.clone(),
            Constraint::Check(check) => check_columns(relation, &check.expression),
        },
        confkey: foreign.map(|foreign| foreign.columns.clone()),
        conbin: match constraint {
            Constraint::Key(_) => None,
            Constraint::Check(check) => {
                let written = scene.with_type_names(&check.expression);
                let spelled = spelled_of(relation, &written, false);
                Some(spelled.map_or(written, Cow::Owned))
            }
        },
    );
}
