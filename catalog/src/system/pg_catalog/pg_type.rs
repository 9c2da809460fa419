//! `pg_type`: the types that columns and expressions can have, and their arrays.

use std::sync::LazyLock;

use crate::id::Oid;
use crate::model::UserType;
use crate::sql_type::SqlType;
use crate::system::oid;
use crate::system::rows::{Rows, row};
use crate::system::scene::Scene;
use crate::system::table::SystemTable;
use crate::system::types::Typed;

pub(in crate::system) static TABLE: SystemTable = SystemTable::table(
    "pg_catalog",
    "pg_type",
    1247,
    r#"
    oid oid, typname name, typnamespace oid, typowner oid, typlen int2, typbyval bool,
    typtype "char", typcategory "char", typispreferred bool, typisdefined bool, typdelim "char",
    typrelid oid, typsubscript regproc, typelem oid, typarray oid, typinput regproc,
    typoutput regproc, typreceive regproc, typsend regproc, typmodin regproc, typmodout regproc,
    typanalyze regproc, typalign "char", typstorage "char", typnotnull bool, typbasetype oid,
    typtypmod int4, typndims int4, typcollation oid, typdefaultbin text, typdefault text,
    typacl text[]"#,
    rows,
)
.found_by(&["oid"]);

/// Number; numbers and names of the input, output, receive and send functions; category; `p` if
/// preferred in it, `-` if not; alignment; storage; `v` if passed by value, `-` if not.
const FACTS: &str = "
16 1242 boolin 1243 boolout 2436 boolrecv 2437 boolsend B p c p v
17 1244 byteain 31 byteaout 2412 bytearecv 2413 byteasend U - i x -
18 1245 charin 33 charout 2434 charrecv 2435 charsend Z - c p v
19 34 namein 35 nameout 2422 namerecv 2423 namesend S - c p -
20 460 int8in 461 int8out 2408 int8recv 2409 int8send N - d p v
21 38 int2in 39 int2out 2404 int2recv 2405 int2send N - s p v
22 40 int2vectorin 41 int2vectorout 2410 int2vectorrecv 2411 int2vectorsend A - i p -
23 42 int4in 43 int4out 2406 int4recv 2407 int4send N - i p v
24 44 regprocin 45 regprocout 2444 regprocrecv 2445 regprocsend N - i p v
25 46 textin 47 textout 2414 textrecv 2415 textsend S p i x -
26 1798 oidin 1799 oidout 2418 oidrecv 2419 oidsend N p i p v
30 54 oidvectorin 55 oidvectorout 2420 oidvectorrecv 2421 oidvectorsend A - i p -
114 321 json_in 322 json_out 323 json_recv 324 json_send U - i x -
700 200 float4in 201 float4out 2424 float4recv 2425 float4send N - i p v
701 214 float8in 215 float8out 2426 float8recv 2427 float8send N p d p v
705 109 unknownin 110 unknownout 2416 unknownrecv 2417 unknownsend X - c p -
1042 1044 bpcharin 1045 bpcharout 2430 bpcharrecv 2431 bpcharsend S - i x -
1043 1046 varcharin 1047 varcharout 2432 varcharrecv 2433 varcharsend S - i x -
1082 1084 date_in 1085 date_out 2468 date_recv 2469 date_send D - i p v
1083 1143 time_in 1144 time_out 2470 time_recv 2471 time_send D - d p v
1114 1312 timestamp_in 1313 timestamp_out 2474 timestamp_recv 2475 timestamp_send D - d p v
1184 1150 timestamptz_in 1151 timestamptz_out 2476 timestamptz_recv 2477 timestamptz_send D p d p v
1266 1350 timetz_in 1351 timetz_out 2472 timetz_recv 2473 timetz_send D - d p -
1186 1160 interval_in 1161 interval_out 2478 interval_recv 2479 interval_send T p d p -
1700 1701 numeric_in 1702 numeric_out 2460 numeric_recv 2461 numeric_send N - i m -
2202 2212 regprocedurein 2213 regprocedureout 2446 regprocedurerecv 2447 regproceduresend N - i p v
2203 2214 regoperin 2215 regoperout 2448 regoperrecv 2449 regopersend N - i p v
2204 2216 regoperatorin 2217 regoperatorout 2450 regoperatorrecv 2451 regoperatorsend N - i p v
2205 2218 regclassin 2219 regclassout 2452 regclassrecv 2453 regclasssend N - i p v
2206 2220 regtypein 2221 regtypeout 2454 regtyperecv 2455 regtypesend N - i p v
2249 2290 record_in 2291 record_out 2402 record_recv 2403 record_send P - d x -
2278 2298 void_in 2299 void_out 3120 void_recv 3121 void_send P - i p v
2950 2952 uuid_in 2953 uuid_out 2961 uuid_recv 2962 uuid_send U - c p -
3802 3806 jsonb_in 3804 jsonb_out 3805 jsonb_recv 3803 jsonb_send U - i x -
4089 4084 regnamespacein 4085 regnamespaceout 4087 regnamespacerecv 4088 regnamespacesend N - i p v
4096 4098 regrolein 4092 regroleout 4094 regrolerecv 4095 regrolesend N - i p v
3500 3506 enum_in 3507 enum_out 3532 enum_recv 3533 enum_send E - i p v
2277 750 array_in 751 array_out 2400 array_recv 2401 array_send A - i x -
";

/// What the catalogs say of a type beyond what it means.
pub(in crate::system) struct TypeFacts {
    pub(in crate::system) number: u32,
    pub(in crate::system) functions: [(u32, &'static str); 4],
    category: &'static str,
    preferred: bool,
    pub(in crate::system) align: &'static str,
    pub(in crate::system) storage: &'static str,
    pub(in crate::system) by_value: bool,
}

/// All types that are not arrays, and last what all arrays have in common.
pub(in crate::system) static TYPES: LazyLock<Vec<TypeFacts>> =
    LazyLock::new(|| FACTS.lines().filter_map(parse).collect());

fn parse(line: &'static str) -> Option<TypeFacts> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [
        number,
        in_,
        in_name,
        out,
        out_name,
        recv,
        recv_name,
        send,
        send_name,
        category,
        preferred,
        align,
        storage,
        by_value,
    ] = words.as_slice()
    else {
        return None;
    };
    let function = |number: &str, name: &'static str| Some((number.parse().ok()?, name));
    Some(TypeFacts {
        number: number.parse().ok()?,
        functions: [
            function(in_, in_name)?,
            function(out, out_name)?,
            function(recv, recv_name)?,
            function(send, send_name)?,
        ],
        category,
        preferred: *preferred == "p",
        align,
        storage,
        by_value: *by_value == "v",
    })
}

impl TypeFacts {
    /// What there is to know of a type.
    pub(in crate::system) fn of(sql_type: &SqlType) -> &'static Self {
        let number = match sql_type {
            SqlType::Array(_) => ANY_ARRAY,
            SqlType::Enum(_) => ANY_ENUM,
            other => other.oid(),
        };
        let found = TYPES.iter().find(|facts| facts.number == number);
        found.unwrap_or(&TYPES[0])
    }
}

/// Stands for all enums in [`TYPES`].
const ANY_ENUM: u32 = 3500;
/// Reads domains, and reads them in binary.
const DOMAIN_FUNCTIONS: [(u32, &str); 2] = [(2597, "domain_in"), (2598, "domain_recv")];
/// Stands for all arrays in [`TYPES`].
const ANY_ARRAY: u32 = 2277;

fn rows(scene: &Scene, rows: &mut Rows) {
    match rows.numbers("oid") {
        Some(numbers) => {
            for number in numbers {
                match scene.type_by_oid(number) {
                    Some(Typed::BuiltIn(sql_type)) => add(scene, rows, &sql_type),
                    Some(Typed::User(user_type)) => add_user(scene, rows, user_type),
                    Some(Typed::ArrayOf(user_type)) => add_array(scene, rows, user_type),
                    None => {}
                }
            }
        }
        None => {
            for facts in TYPES.iter().filter(|facts| facts.number != ANY_ARRAY) {
                let Some(sql_type) = SqlType::from_oid(facts.number) else {
                    continue;
                };
                add(scene, rows, &sql_type);
                if has_array(&sql_type) {
                    add(scene, rows, &SqlType::Array(Box::new(sql_type)));
                }
            }
            for user_type in scene.user_types() {
                add_user(scene, rows, user_type);
                add_array(scene, rows, user_type);
            }
        }
    }
}

fn has_array(sql_type: &SqlType) -> bool {
    !matches!(
        sql_type,
        SqlType::Unknown | SqlType::Void | SqlType::Array(_)
    )
}

fn add(scene: &Scene, rows: &mut Rows, sql_type: &SqlType) {
    let facts = TypeFacts::of(sql_type);
    let element = match sql_type {
        SqlType::Array(element) => element.oid(),
        SqlType::Int2Vector => SqlType::Int2.oid(),
        SqlType::OidVector => SqlType::Oid.oid(),
        SqlType::Name => SqlType::InternalChar.oid(),
        _ => 0,
    };
    let pseudo = matches!(sql_type, SqlType::Record | SqlType::Void | SqlType::Unknown)
        || matches!(sql_type, SqlType::Array(element) if **element == SqlType::Record);
    row!(
        rows,
        oid: sql_type.oid(),
        typname: sql_type.typname(),
        typnamespace: Oid::PG_CATALOG,
        typowner: scene.bootstrap_role(),
        typlen: sql_type.typlen(),
        typbyval: facts.by_value,
        typtype: if pseudo { 'p' } else { 'b' },
        typcategory: if pseudo && *sql_type != SqlType::Unknown { "P" } else { facts.category },
        typispreferred: facts.preferred,
        typisdefined: true,
        typdelim: ',',
        typrelid: 0,
        typsubscript: 0,
        typelem: element,
        typarray: if has_array(sql_type) { sql_type.array_oid() } else { 0 },
        typinput: facts.functions[0].0,
        typoutput: facts.functions[1].0,
        typreceive: facts.functions[2].0,
        typsend: facts.functions[3].0,
        typmodin: 0,
        typmodout: 0,
        typanalyze: 0,
        typalign: facts.align,
        typstorage: facts.storage,
        typnotnull: false,
        typbasetype: 0,
        typtypmod: -1,
        typndims: 0,
        typcollation: oid::collation(sql_type),
    );
}

/// An enum or a domain.
fn add_user(scene: &Scene, rows: &mut Rows, user_type: &UserType) {
    let sql_type = user_type.sql_type();
    let facts = TypeFacts::of(&sql_type);
    let domain = user_type.domain();
    let base = domain.map(|domain| match domain.parent {
        Some(parent) => parent,
        None => Oid(sql_type.oid()),
    });
    let [reads, _, receives, _] = facts.functions.map(|(number, _)| number);
    row!(
        rows,
        oid: user_type.oid,
        typname: &user_type.name,
        typnamespace: scene.schema_of_type(user_type),
        typowner: scene.shown(user_type.owner),
        typlen: sql_type.typlen(),
        typbyval: facts.by_value,
        typtype: if domain.is_some() { 'd' } else { 'e' },
        typcategory: facts.category,
        typispreferred: false,
        typisdefined: true,
        typdelim: ',',
        typrelid: 0,
        typsubscript: 0,
        typelem: 0,
        typarray: user_type.array_oid,
        typinput: if domain.is_some() { DOMAIN_FUNCTIONS[0].0 } else { reads },
        typoutput: facts.functions[1].0,
        typreceive: if domain.is_some() { DOMAIN_FUNCTIONS[1].0 } else { receives },
        typsend: facts.functions[3].0,
        typmodin: 0,
        typmodout: 0,
        typanalyze: 0,
        typalign: facts.align,
        typstorage: facts.storage,
        typnotnull: domain.is_some_and(|domain| !domain.nullable),
        typbasetype: base.unwrap_or(Oid(0)),
        typtypmod: match domain {
            Some(domain) if domain.parent.is_none() => domain.base.typmod(),
            _ => -1,
        },
        typndims: 0,
        typcollation: match domain {
            Some(domain) => oid::collation(&domain.base),
            None => 0,
        },
        typdefault: domain
            .and_then(|domain| domain.default.as_deref())
            .map(|text| scene.default_text(text, &sql_type, &[])),
        typacl: scene.acl_texts(scene.acl_of_type(user_type).as_deref()),
    );
}

/// The type of a user's type's arrays.
fn add_array(scene: &Scene, rows: &mut Rows, user_type: &UserType) {
    let sql_type = SqlType::Array(Box::new(user_type.sql_type()));
    let facts = TypeFacts::of(&sql_type);
    row!(
        rows,
        oid: user_type.array_oid,
        typname: format!("_{}", user_type.name),
        typnamespace: scene.schema_of_type(user_type),
        typowner: scene.shown(user_type.owner),
        typlen: -1_i16,
        typbyval: false,
        typtype: 'b',
        typcategory: facts.category,
        typispreferred: false,
        typisdefined: true,
        typdelim: ',',
        typrelid: 0,
        typsubscript: 0,
        typelem: user_type.oid,
        typarray: 0,
        typinput: facts.functions[0].0,
        typoutput: facts.functions[1].0,
        typreceive: facts.functions[2].0,
        typsend: facts.functions[3].0,
        typmodin: 0,
        typmodout: 0,
        typanalyze: 0,
        typalign: facts.align,
        typstorage: facts.storage,
        typnotnull: false,
        typbasetype: 0,
        typtypmod: -1,
        typndims: 0,
        typcollation: oid::collation(&sql_type),
    );
}
