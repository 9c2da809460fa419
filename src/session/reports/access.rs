//! Who can read what, by the rights that the guard itself asks for.

use std::sync::Arc;

use tessera_catalog::id::{DatabaseId, Oid};
use tessera_catalog::model::{
    Acl, Column, Database, PolicyCommand, Privilege, Reader, Relation, Role, Scope as Reach,
};
use tessera_catalog::system::OPERATOR_NAME;

use super::{Cell, Row};
use crate::planner::scope::is_lent;
use crate::planner::source::Found;
use crate::policy::Caller;

/// One row for each role and each relation that it can read, wholly or in part.
pub(super) fn who_can_read(
    system: &Arc<Database>,
    database: &Arc<Database>,
    tenant: Option<&str>,
) -> Vec<Row> {
    let relations = relations(system, database);
    let mut rows = Vec::new();
    for role in database.roles.values() {
        let caller = caller(system, database, role);
        for found in &relations {
            if let Some(access) = Access::of(&caller, found) {
                rows.push(access.row(&caller, found, role, tenant));
            }
        }
    }
    rows
}

/// One row for each table of which every reader sees every row.
pub(super) fn without_policies(
    system: &Arc<Database>,
    database: &Arc<Database>,
    tenant: Option<&str>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for found in relations(system, database) {
        let Some(table) = found.relation.table() else {
            continue;
        };
        let layers = [database.as_ref(), system.as_ref()];
        let layers = layers.map(|layer| layer.row_security.get(&found.relation.oid));
        let mut layers = layers.iter().flatten();
        if layers
            .clone()
            .any(|layer| layer.enabled && !layer.policies.is_empty())
        {
            continue;
        }
        rows.push(vec![
            Cell::from(tenant.map(str::to_owned)),
            found.schema_name.clone().into(),
            found.relation.name.clone().into(),
            match table.scope {
                Reach::Own => "own",
                Reach::Common => "common",
                Reach::Shared => "shared",
            }
            .into(),
            Cell::Bool(layers.any(|layer| layer.enabled)),
            Cell::Bool(table.sensitive),
        ]);
    }
    rows
}

/// What is there to be read in a database: its own, and what the system lends it.
fn relations(system: &Arc<Database>, database: &Arc<Database>) -> Vec<Found> {
    let found = |from: &Arc<Database>, relation: &Arc<Relation>| {
        let schema = from.schemas.get(&relation.schema)?;
        Some(Found {
            relation: Arc::clone(relation),
            home: from.id,
            schema_name: schema.name.clone(),
        })
    };
    let own = database.relations.values();
    let own = own.filter_map(|relation| found(database, relation));
    let lent = system.relations.values();
    let lent = lent
        .filter(|relation| database.id != DatabaseId::System && is_lent(relation))
        .filter_map(|relation| found(system, relation));
    let mut all: Vec<Found> = own
        .chain(lent)
        .filter(|found| found.relation.sequence().is_none())
        .collect();
    all.sort_by(|a, b| {
        let key = |found: &Found| (found.schema_name.clone(), found.relation.name.clone());
        key(a).cmp(&key(b))
    });
    all
}

fn caller(system: &Arc<Database>, database: &Arc<Database>, role: &Role) -> Caller {
    let home = database.id == DatabaseId::System;
    Caller {
        role: role.oid,
        roles: database.roles_of(role.oid),
        superuser: home && role.superuser,
        operator: home,
        system: Arc::clone(system),
        database: Arc::clone(database),
    }
}

/// How a role can read a relation.
struct Access {
    /// The columns, if not all.
    columns: Vec<String>,
    /// From whom it has the right: itself, its groups, PUBLIC, as owner.
    through: Vec<String>,
}

impl Access {
    fn of(caller: &Caller, found: &Found) -> Option<Self> {
        let relation = found.relation.as_ref();
        let is_open = caller.superuser
            || found.home != caller.database.id
            || caller
                .database
                .schemas
                .get(&relation.schema)
                .is_none_or(|schema| caller.on_schema(schema).contains(Privilege::Usage));
        if !is_open {
            return None;
        }
        let whole = caller.on_relation(found).contains(Privilege::Select);
        let columns: Vec<String> = match whole {
            true => Vec::new(),
            false => numbered(relation)
                .into_iter()
                .filter(|(number, _)| {
                    let held = caller.on_column(found, *number);
                    held.contains(Privilege::Select)
                })
                .map(|(_, name)| name)
                .collect(),
        };
        if !whole && columns.is_empty() {
            return None;
        }
        let through = through(caller, found);
        Some(Self { columns, through })
    }

    fn row(self, caller: &Caller, found: &Found, role: &Role, tenant: Option<&str>) -> Row {
        let relation = found.relation.as_ref();
        let kind = match (relation.table(), relation.materialized()) {
            (_, Some(_)) => "materialized view",
            (Some(_), None) => "table",
            (None, None) => "view",
        };
        let lent = found.home != caller.database.id;
        let reader = Reader {
            system: &caller.system,
            database: &caller.database,
            role: caller.role,
            roles: &caller.roles,
            superuser: caller.superuser,
        };
        let layers = reader.bound_by(relation, lent);
        let policies = layers.iter().flat_map(|layer| &layer.policies);
        let policies = policies.filter(|policy| {
            let reads = matches!(policy.command, PolicyCommand::All | PolicyCommand::Select);
            reads && reader.is_any(&policy.roles)
        });
        let mut policies: Vec<String> = policies.map(|policy| policy.name.clone()).collect();
        if policies.is_empty() && !layers.is_empty() {
            // Row security without a policy for the reader shows no row.
            policies.push("(no row)".to_owned());
        }
        let columns = numbered(relation);
        let masked = reader.masks_on(relation, lent);
        let masked = columns.iter().filter(|(number, _)| {
            let mut of_column = masked.iter().filter(|(column, _)| column == number);
            of_column.next().is_some()
        });
        let masked = masked.map(|(_, name)| name.clone()).collect();
        vec![
            Cell::from(tenant.map(str::to_owned)),
            role.name.clone().into(),
            Cell::Bool(role.login),
            found.schema_name.clone().into(),
            relation.name.clone().into(),
            kind.into(),
            Cell::names(self.through),
            Cell::names(self.columns),
            Cell::names(policies),
            Cell::names(masked),
        ]
    }
}

/// A relation's columns, by number.
fn numbered(relation: &Relation) -> Vec<(i16, String)> {
    let of_table = relation.table().into_iter().flat_map(|t| t.live_columns());
    let of_table = of_table.map(|column: &Column| (column.number, column.name.clone()));
    let of_view = relation.view().into_iter().flat_map(|view| &view.columns);
    let of_view = (1_i16..)
        .zip(of_view)
        .map(|(number, column)| (number, column.name.clone()));
    of_table.chain(of_view).collect()
}

/// The roles by which a caller may read a relation or some of its columns.
fn through(caller: &Caller, found: &Found) -> Vec<String> {
    let relation = found.relation.as_ref();
    if caller.superuser {
        return vec!["superuser".to_owned()];
    }
    let of_columns = relation.table().into_iter().flat_map(|t| t.live_columns());
    let of_columns = of_columns.filter_map(|column| column.acl.as_ref());
    let of_view = relation.view().into_iter().flat_map(|view| &view.columns);
    let of_columns = of_columns.chain(of_view.filter_map(|column| column.acl.as_ref()));
    let borrowed = &caller.database.borrowed_acls;
    let borrowed = borrowed
        .iter()
        .filter(|((oid, _), _)| *oid == relation.oid)
        .map(|(_, acl)| acl);
    let reads = |role: Oid, acl: &Acl| acl.held_by(&[role]).contains(Privilege::Select);
    let acls: Vec<&Acl> = relation
        .acl
        .iter()
        .chain(of_columns)
        .chain(borrowed)
        .collect();
    let owns = |role: Oid| found.home == caller.database.id && role == relation.owner;
    let name = |role: Oid| {
        let named = caller.database.roles.get(&role);
        named.map_or_else(|| OPERATOR_NAME.to_owned(), |role| role.name.clone())
    };
    let mut through: Vec<String> = Vec::new();
    let is_public = acls.iter().any(|acl| reads(Oid::PUBLIC, acl));
    if is_public {
        through.push("public".to_owned());
    }
    for role in caller
        .roles
        .iter()
        .copied()
        .filter(|role| *role != Oid::PUBLIC)
    {
        let of_public = |acl: &&&Acl| reads(role, acl) && !reads(Oid::PUBLIC, acl);
        if owns(role) || acls.iter().any(|acl| of_public(&acl)) {
            through.push(name(role));
        }
    }
    through
}
