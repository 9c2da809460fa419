//! `pg_class`: tables, views, indexes of keys, and the system relations themselves.

use crate::model::{Acl, RelationBody, RowSecurity};
use crate::system::access::acl_of_system_table;
use crate::system::oid;
use crate::system::rows::{Rows, Value, row};
use crate::system::scene::{Class, Scene, attributes, index_keys};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_class",
    1259,
    r#"
    oid oid, relname name, relnamespace oid, reltype oid, reloftype oid, relowner oid, relam oid,
    relfilenode oid, reltablespace oid, relpages int4, reltuples float4, relallvisible int4,
    reltoastrelid oid, relhasindex bool, relisshared bool, relpersistence "char", relkind "char",
    relnatts int2, relchecks int2, relhasrules bool, relhastriggers bool, relhassubclass bool,
    relrowsecurity bool, relforcerowsecurity bool, relispopulated bool, relreplident "char",
    relispartition bool, relrewrite oid, relfrozenxid int8, relminmxid int8, relacl text[],
    reloptions text[], relpartbound text"#,
    rows,
)
.found_by(&["oid", "relname"]);

fn rows(scene: &Scene, rows: &mut Rows) {
    match rows.numbers("oid") {
        Some(numbers) => {
            for class in numbers
                .into_iter()
                .filter_map(|number| scene.class(crate::id::Oid(number)))
            {
                add(scene, rows, class);
            }
        }
        None => {
            for class in scene
                .classes()
                .filter(|class| rows.may_have("relname", class.name()))
                .collect::<Vec<_>>()
            {
                add(scene, rows, class);
            }
        }
    }
}

fn add(scene: &Scene, rows: &mut Rows, class: Class<'_>) {
    let kind = class.kind();
    let stored = matches!(kind, 'r' | 'i' | 'm');
    row!(
        rows,
        oid: class.oid(),
        relname: class.name(),
        relnamespace: class.schema(scene),
        reltype: 0,
        reloftype: 0,
        relowner: class.owner(scene),
        relam: match kind {
            'r' | 'm' => oid::HEAP,
            'i' => oid::BTREE,
            _ => 0,
        },
        relfilenode: if stored { class.oid().0 } else { 0 },
        reltablespace: 0,
        relpages: match class {
            // The page that every index has.
            Class::Index(..) => 1,
            _ => (size(scene, class).1 + 8191) / 8192,
        },
        reltuples: size(scene, class).0 as f64,
        relallvisible: 0,
        reltoastrelid: 0,
        relhasindex: matches!(class, Class::Relation(relation) if index_keys(relation).next().is_some()),
        relisshared: false,
        relpersistence: 'p',
        relkind: kind,
        relnatts: match class {
            Class::Relation(relation) => attributes(relation).len() as i64,
            Class::Index(_, key) => match key.index() {
                Some(index) => (index.parts.len() + index.include.len()) as i64,
                None => key.columns.len() as i64,
            },
            Class::System(table) => table.columns().len() as i64,
        },
        relchecks: match class {
            Class::Relation(relation) => relation.table().map_or(0, |table| table.checks.len() as i64),
            Class::Index(..) | Class::System(_) => 0,
        },
        relhasrules: matches!(kind, 'v' | 'm'),
        relhastriggers: has_triggers(scene, class),
        relhassubclass: false,
        relrowsecurity: security(scene, class).is_some_and(|s| s.enabled),
        relforcerowsecurity: security(scene, class).is_some_and(|s| s.forced),
        relispopulated: match class {
            Class::Relation(relation) => relation.materialized().is_none_or(|query| query.populated),
            Class::Index(..) | Class::System(_) => true,
        },
        relreplident: if kind == 'r' && !matches!(class, Class::System(_)) { 'd' } else { 'n' },
        relispartition: false,
        relrewrite: 0,
        relfrozenxid: 0,
        relminmxid: 0,
        relacl: acl(scene, class),
        reloptions: options(class),
    );
}

/// Whether PostgreSQL would have triggers there: those of foreign keys, at both ends.
fn has_triggers(scene: &Scene, class: Class<'_>) -> bool {
    match class {
        Class::Relation(relation) => {
            let refers = relation
                .table()
                .is_some_and(|t| t.foreign_keys().next().is_some());
            refers || scene.is_referred_to(relation.oid)
        }
        Class::Index(..) | Class::System(_) => false,
    }
}

fn security<'a>(scene: &'a Scene, class: Class<'_>) -> Option<&'a RowSecurity> {
    match class {
        Class::Relation(relation) => scene.row_security(relation.oid),
        Class::Index(..) | Class::System(_) => None,
    }
}

fn size(scene: &Scene, class: Class<'_>) -> (i64, i64) {
    match class {
        Class::Relation(relation) if relation.table().is_some() => (scene.sizes)(relation.oid),
        Class::Relation(_) | Class::Index(..) | Class::System(_) => (0, 0),
    }
}

fn acl(scene: &Scene, class: Class<'_>) -> Option<Vec<String>> {
    let system: Acl;
    match class {
        Class::Relation(relation) => scene.acl_texts(scene.acl_of(relation).as_deref()),
        Class::Index(..) => None,
        Class::System(table) => {
            system = acl_of_system_table(scene.bootstrap_role(), table.name);
            scene.acl_texts(Some(&system))
        }
    }
}

/// What `WITH (…)` said of a view or table.
fn options(class: Class<'_>) -> Value<'static> {
    let Class::Relation(relation) = class else {
        return Value::Null;
    };
    let view = match &relation.body {
        RelationBody::View(view) => view,
        RelationBody::Table(table) if table.sensitive => {
            return Value::from(Some(vec!["sensitive=true"]));
        }
        RelationBody::Table(_) | RelationBody::Sequence(_) => return Value::Null,
    };
    let all = [
        (view.security_barrier, "security_barrier=true"),
        (view.security_invoker, "security_invoker=true"),
    ];
    let set: Vec<&str> = all
        .into_iter()
        .filter(|option| option.0)
        .map(|option| option.1)
        .collect();
    Value::from((!set.is_empty()).then_some(set))
}
