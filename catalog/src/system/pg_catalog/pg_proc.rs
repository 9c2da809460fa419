//! `pg_proc`: the functions that SQL can call, and the names of types' input and output functions.

use super::pg_type::TYPES;
use crate::id::Oid;
use crate::sql_type::SqlType;
use crate::system::oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::{FunctionRow, Scene};
use crate::system::table::SystemTable;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_proc",
    1255,
    r#"
    oid oid, proname name, pronamespace oid, proowner oid, prolang oid, procost float4,
    prorows float4, provariadic oid, prosupport regproc, prokind "char", prosecdef bool,
    proleakproof bool, proisstrict bool, proretset bool, provolatile "char", proparallel "char",
    pronargs int2, pronargdefaults int2, prorettype oid, proargtypes oidvector,
    proallargtypes oid[], proargmodes "char"[], proargnames text[], proargdefaults text,
    protrftypes oid[], prosrc text, probin text, prosqlbody text, proconfig text[], proacl text[]"#,
    rows,
);

/// `cstring`, which only types' input and output functions speak of.
const CSTRING: u32 = 2275;
/// `internal`, likewise.
const INTERNAL: u32 = 2281;

fn rows(scene: &Scene, rows: &mut Rows) {
    for function in scene
        .functions
        .iter()
        .filter(|f| rows.may_have("proname", &f.name))
        .collect::<Vec<_>>()
    {
        add(scene, rows, function);
    }
    let mut listed = Vec::new();
    for facts in TYPES.iter() {
        let own = facts.number;
        let signatures = [
            (CSTRING, own),
            (own, CSTRING),
            (INTERNAL, own),
            (own, SqlType::Bytea.oid()),
        ];
        for ((number, name), (argument, result)) in facts.functions.iter().zip(signatures) {
            if *number != 0 && !listed.contains(number) {
                listed.push(*number);
                add_type_function(scene, rows, (*number, name), argument, result);
            }
        }
    }
}

fn add(scene: &Scene, rows: &mut Rows, function: &FunctionRow) {
    row!(
        rows,
        oid: function.oid,
        proname: &function.name,
        pronamespace: Oid::PG_CATALOG,
        proowner: scene.bootstrap_role(),
        prolang: oid::INTERNAL_LANGUAGE,
        procost: 1,
        prorows: if function.returns_set { 1000 } else { 0 },
        provariadic: 0,
        prosupport: 0,
        prokind: function.kind,
        prosecdef: false,
        proleakproof: false,
        proisstrict: function.strict,
        proretset: function.returns_set,
        provolatile: function.volatility,
        proparallel: 's',
        pronargs: function.args.len() as i64,
        pronargdefaults: function.arg_defaults.iter().flatten().count() as i64,
        prorettype: function.result.oid(),
        proargtypes: function.args.iter().map(SqlType::oid).collect::<Vec<_>>(),
        proargnames: (!function.arg_names.is_empty()).then(|| function.arg_names.clone()),
        prosrc: &function.name,
        proacl: scene.acl_texts(scene.database.function_acls.get(&function.name)),
    );
}

fn add_type_function(
    scene: &Scene,
    rows: &mut Rows,
    (number, name): (u32, &str),
    argument: u32,
    result: u32,
) {
    row!(
        rows,
        oid: number,
        proname: name,
        pronamespace: Oid::PG_CATALOG,
        proowner: scene.bootstrap_role(),
        prolang: oid::INTERNAL_LANGUAGE,
        procost: 1,
        prorows: 0,
        provariadic: 0,
        prosupport: 0,
        prokind: 'f',
        prosecdef: false,
        proleakproof: false,
        proisstrict: true,
        proretset: false,
        provolatile: 'i',
        proparallel: 's',
        pronargs: 1,
        pronargdefaults: 0,
        prorettype: result,
        proargtypes: vec![argument],
        prosrc: name,
    );
}

/// The number of a type's input or output function.
pub(in crate::system) fn type_function(name: &str) -> Option<u32> {
    let mut all = TYPES.iter().flat_map(|facts| facts.functions.iter());
    all.find(|function| function.1 == name)
        .map(|function| function.0)
}

/// The name of a type's input or output function.
pub(in crate::system) fn type_function_name(number: u32) -> Option<&'static str> {
    let mut all = TYPES.iter().flat_map(|facts| facts.functions.iter());
    all.find(|function| function.0 == number && number != 0)
        .map(|function| function.1)
}
