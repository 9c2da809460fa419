//! Names, numbers, visibility, types and comments.

use super::{Arg, Function};
use crate::id::Oid;
use crate::sql_type::{RegType, SqlType};
use crate::system::error::LookupError;
use crate::system::information_schema::columns::Precision;
use crate::system::names::quote_ident;
use crate::system::oid;
use crate::system::pg_catalog::pg_shdescription::shared_comments;
use crate::system::rows::Value;
use crate::system::scene::{Class, Scene, attributes};
use crate::system::types::Typed;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::strict("pg_get_userbyid", 1..=1, "name", |scene, args| {
        Ok(scene.role_label(Oid(args[0].oid())).into())
    }),
    Function::strict("pg_table_is_visible", 1..=1, "bool", |scene, args| {
        let class = scene.class(Oid(args[0].oid()));
        Ok(class.map(|class| scene.class_is_visible(class)).into())
    }),
    Function::strict("pg_type_is_visible", 1..=1, "bool", |scene, args| {
        let found = scene.type_by_oid(args[0].oid());
        Ok(found
            .map(|found| match found {
                Typed::BuiltIn(_) => true,
                Typed::User(of) | Typed::ArrayOf(of) => scene.type_is_visible(of),
            })
            .into())
    }),
    Function::strict("pg_function_is_visible", 1..=1, "bool", |scene, args| {
        Ok(scene.function_name(args[0].oid()).map(|_| true).into())
    }),
    Function::strict("pg_operator_is_visible", 1..=1, "bool", always_visible),
    Function::strict("pg_opclass_is_visible", 1..=1, "bool", always_visible),
    Function::strict("pg_opfamily_is_visible", 1..=1, "bool", always_visible),
    Function::strict("pg_collation_is_visible", 1..=1, "bool", always_visible),
    Function::strict("pg_conversion_is_visible", 1..=1, "bool", always_visible),
    Function::strict(
        "pg_statistics_obj_is_visible",
        1..=1,
        "bool",
        always_visible,
    ),
    Function::strict("pg_ts_config_is_visible", 1..=1, "bool", always_visible),
    Function::strict("pg_ts_dict_is_visible", 1..=1, "bool", always_visible),
    Function::strict("pg_ts_parser_is_visible", 1..=1, "bool", always_visible),
    Function::strict("pg_ts_template_is_visible", 1..=1, "bool", always_visible),
    Function::strict("pg_basetype", 1..=1, "oid", |scene, args| {
        Ok(scene.base_type(args[0].oid()).into())
    }),
    Function::lenient("format_type", 2..=2, "text", |scene, args| {
        Ok(format_type(scene, args[0], args[1]))
    }),
    Function::strict("to_regclass", 1..=1, "regclass", |s, a| {
        find(s, RegType::Class, a[0])
    }),
    Function::strict("to_regtype", 1..=1, "regtype", |s, a| {
        find(s, RegType::Type, a[0])
    }),
    Function::strict("to_regnamespace", 1..=1, "regnamespace", |s, a| {
        find(s, RegType::Namespace, a[0])
    }),
    Function::strict("to_regrole", 1..=1, "regrole", |s, a| {
        find(s, RegType::Role, a[0])
    }),
    Function::strict("to_regproc", 1..=1, "regproc", |s, a| {
        find(s, RegType::Proc, a[0])
    }),
    Function::strict("to_regprocedure", 1..=1, "regprocedure", |s, a| {
        find(s, RegType::Procedure, a[0])
    }),
    Function::strict("to_regoper", 1..=1, "regoper", |s, a| {
        find(s, RegType::Oper, a[0])
    }),
    Function::strict("to_regoperator", 1..=1, "regoperator", |s, a| {
        find(s, RegType::Operator, a[0])
    }),
    Function::strict("regclassin", 1..=1, "regclass", |s, a| {
        read(s, RegType::Class, a[0])
    }),
    Function::strict("regtypein", 1..=1, "regtype", |s, a| {
        read(s, RegType::Type, a[0])
    }),
    Function::strict("regnamespacein", 1..=1, "regnamespace", |s, a| {
        read(s, RegType::Namespace, a[0])
    }),
    Function::strict("regrolein", 1..=1, "regrole", |s, a| {
        read(s, RegType::Role, a[0])
    }),
    Function::strict("regprocin", 1..=1, "regproc", |s, a| {
        read(s, RegType::Proc, a[0])
    }),
    Function::strict("regprocedurein", 1..=1, "regprocedure", |s, a| {
        read(s, RegType::Procedure, a[0])
    }),
    Function::strict("regoperin", 1..=1, "regoper", |s, a| {
        read(s, RegType::Oper, a[0])
    }),
    Function::strict("regoperatorin", 1..=1, "regoperator", |s, a| {
        read(s, RegType::Operator, a[0])
    }),
    Function::strict("regclassout", 1..=1, "text", |s, a| {
        write(s, RegType::Class, a[0])
    }),
    Function::strict("regtypeout", 1..=1, "text", |s, a| {
        write(s, RegType::Type, a[0])
    }),
    Function::strict("regnamespaceout", 1..=1, "text", |s, a| {
        write(s, RegType::Namespace, a[0])
    }),
    Function::strict("regroleout", 1..=1, "text", |s, a| {
        write(s, RegType::Role, a[0])
    }),
    Function::strict("regprocout", 1..=1, "text", |s, a| {
        write(s, RegType::Proc, a[0])
    }),
    Function::strict("regprocedureout", 1..=1, "text", |s, a| {
        write(s, RegType::Procedure, a[0])
    }),
    Function::strict("regoperout", 1..=1, "text", |s, a| {
        write(s, RegType::Oper, a[0])
    }),
    Function::strict("regoperatorout", 1..=1, "text", |s, a| {
        write(s, RegType::Operator, a[0])
    }),
    Function::strict("obj_description", 1..=2, "text", |scene, args| {
        Ok(obj_description(scene, args).into())
    }),
    Function::strict("col_description", 2..=2, "text", |scene, args| {
        let Some(relation) = scene.relation(Oid(args[0].oid())) else {
            return Ok(Value::Null);
        };
        let number = args[1].int();
        let columns = attributes(relation);
        let found = columns
            .iter()
            .find(|c| !c.dropped && Some(i64::from(c.number)) == number);
        Ok(found.and_then(|column| column.comment).into())
    }),
    Function::strict("shobj_description", 2..=2, "text", |scene, args| {
        let class = match args[1].text() {
            Some("pg_database") => oid::PG_DATABASE,
            Some("pg_authid") => oid::PG_AUTHID,
            _ => return Ok(Value::Null),
        };
        let object = args[0].oid();
        let all = shared_comments(scene);
        let found = all
            .iter()
            .find(|comment| (comment.0, comment.1) == (object, class));
        Ok(found.map(|comment| comment.2).into())
    }),
    Function::strict("pg_encoding_to_char", 1..=1, "name", |_, args| {
        let name = args[0]
            .int()
            .and_then(|n| ENCODINGS.get(usize::try_from(n).ok()?));
        Ok(name.copied().unwrap_or("").into())
    }),
    Function::strict("pg_char_to_encoding", 1..=1, "int4", |_, args| {
        let plain = |name: &str| name.replace(['_', '-'], "").to_ascii_uppercase();
        let name = plain(args[0].text().unwrap_or_default());
        let name = if name == "UNICODE" {
            "UTF8".to_owned()
        } else {
            name
        };
        let place = ENCODINGS.iter().position(|known| plain(known) == name);
        Ok(place.map_or(-1, |place| place as i64).into())
    }),
    Function::strict("pg_encoding_max_length", 1..=1, "int4", |_, args| {
        Ok(match args[0].int() {
            Some(0) => 1.into(),
            Some(UTF8) => 4.into(),
            _ => Value::Null,
        })
    }),
    Function::strict("getdatabaseencoding", 0..=0, "name", |_, _| {
        Ok("UTF8".into())
    }),
    Function::lenient("_pg_char_max_length", 2..=2, "int4", |scene, args| {
        Ok(precision(scene, args).and_then(|p| p.characters).into())
    }),
    Function::lenient("_pg_char_octet_length", 2..=2, "int4", |scene, args| {
        Ok(precision(scene, args).and_then(|p| p.octets).into())
    }),
    Function::lenient("_pg_numeric_precision", 2..=2, "int4", |scene, args| {
        Ok(precision(scene, args).and_then(|p| p.digits).into())
    }),
    Function::lenient(
        "_pg_numeric_precision_radix",
        2..=2,
        "int4",
        |scene, args| Ok(precision(scene, args).and_then(|p| p.radix).into()),
    ),
    Function::lenient("_pg_numeric_scale", 2..=2, "int4", |scene, args| {
        Ok(precision(scene, args).and_then(|p| p.scale).into())
    }),
    Function::lenient("_pg_datetime_precision", 2..=2, "int4", |scene, args| {
        Ok(precision(scene, args).and_then(|p| p.fraction).into())
    }),
    Function::strict("pg_get_serial_sequence", 2..=2, "text", |scene, args| {
        let table = args[0].text().unwrap_or_default();
        let Some(class) = scene.find_class(table)? else {
            return Err(LookupError::NoRelation(table.to_owned()));
        };
        let column = args[1].text().unwrap_or_default();
        let known = match class {
            Class::Relation(relation) => {
                let columns = attributes(relation);
                let found = columns.iter().find(|c| !c.dropped && c.name == column);
                if let Some(found) = found {
                    return Ok(scene.serial_sequence(relation, found.number).into());
                }
                false
            }
            Class::System(system) => system.columns().iter().any(|c| c.name == column),
            Class::Index(..) => false,
        };
        if known {
            return Ok(Value::Null);
        }
        let relation = class.name().to_owned();
        Err(LookupError::NoColumn {
            column: column.to_owned(),
            relation,
        })
    }),
    Function::strict("pg_get_function_arguments", 1..=1, "text", |scene, args| {
        Ok(function_arguments(scene, args[0].oid(), true).into())
    }),
    Function::strict(
        "pg_get_function_identity_arguments",
        1..=1,
        "text",
        |scene, args| Ok(function_arguments(scene, args[0].oid(), false).into()),
    ),
    Function::strict("pg_get_function_result", 1..=1, "text", |scene, args| {
        let function = scene.function(args[0].oid());
        Ok(function
            .map(|function| match function.returns_set {
                true => format!("SETOF {}", function.result),
                false => function.result.to_string(),
            })
            .into())
    }),
    Function::strict("pg_my_temp_schema", 0..=0, "oid", |_, _| Ok(0.into())),
    Function::strict("pg_is_other_temp_schema", 1..=1, "bool", |_, _| {
        Ok(false.into())
    }),
];

const UTF8: i64 = 6;

/// PostgreSQL's encodings by number.
const ENCODINGS: [&str; 42] = [
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];

fn always_visible<'a>(_: &'a Scene, _: &[Arg<'a>]) -> Result<Value<'a>, LookupError> {
    Ok(Value::Bool(true))
}

fn find<'a>(scene: &'a Scene, kind: RegType, name: Arg<'a>) -> Result<Value<'a>, LookupError> {
    match name.text() {
        Some(text) => Ok(scene.reg_find(kind, text)?.into()),
        None => Ok(Value::Null),
    }
}

fn read<'a>(scene: &'a Scene, kind: RegType, name: Arg<'a>) -> Result<Value<'a>, LookupError> {
    match name {
        Arg::Text(text) => Ok(scene.reg_in(kind, text)?.into()),
        other => Ok(other.int().into()),
    }
}

fn write<'a>(scene: &'a Scene, kind: RegType, number: Arg<'a>) -> Result<Value<'a>, LookupError> {
    Ok(scene.reg_out(kind, number.oid()).into())
}

/// `format_type`: without a modifier `character` is the type's name, with -1 it is `bpchar`.
fn format_type(scene: &Scene, number: Arg<'_>, modifier: Arg<'_>) -> Value<'static> {
    if matches!(number, Arg::Null) {
        return Value::Null;
    }
    let modifier = modifier.int();
    match scene.type_by_oid(number.oid()) {
        Some(Typed::BuiltIn(found)) => type_text(&found, modifier).into(),
        Some(Typed::User(found)) => scene.type_label(found).into(),
        Some(Typed::ArrayOf(found)) => format!("{}[]", scene.type_label(found)).into(),
        None => Value::from(match number.oid() {
            0 => "-",
            27 => "tid",
            28 => "xid",
            29 => "cid",
            194 => "pg_node_tree",
            1033 => "aclitem",
            1034 => "aclitem[]",
            2275 => "cstring",
            2276 => "\"any\"",
            2277 => "anyarray",
            2281 => "internal",
            2283 => "anyelement",
            _ => "???",
        }),
    }
}

fn type_text(sql_type: &SqlType, modifier: Option<i64>) -> String {
    let given = modifier.filter(|modifier| *modifier >= 0);
    match (sql_type, given) {
        (SqlType::Array(element), _) => format!("{}[]", type_text(element, modifier)),
        (SqlType::Char(_), None) if modifier.is_none() => "character".to_owned(),
        (SqlType::Time, Some(n)) => format!("time({n}) without time zone"),
        (SqlType::Timetz, Some(n)) => format!("time({n}) with time zone"),
        (SqlType::Timestamp, Some(n)) => format!("timestamp({n}) without time zone"),
        (SqlType::Interval, Some(n)) if n & 0xffff <= 6 => format!("interval({})", n & 0xffff),
        (SqlType::Timestamptz, Some(n)) => format!("timestamp({n}) with time zone"),
        (sql_type, _) => with_modifier(sql_type, given).to_string(),
    }
}

/// A type with the limits that a modifier holds.
fn with_modifier(sql_type: &SqlType, modifier: Option<i64>) -> SqlType {
    let rest = modifier
        .map(|modifier| modifier - 4)
        .filter(|rest| *rest >= 0);
    match (sql_type, rest) {
        (SqlType::Varchar(_), Some(n)) => SqlType::Varchar(u32::try_from(n).ok()),
        (SqlType::Char(_), Some(n)) => SqlType::Char(u32::try_from(n).unwrap_or(0)),
        (SqlType::Numeric(_), Some(n)) => {
            let precision = u8::try_from((n >> 16) & 0xffff).ok();
            // The scale is a signed number of eleven bits.
            let scale = i8::try_from(((n & 0x7ff) ^ 1024) - 1024).ok();
            SqlType::Numeric(precision.zip(scale))
        }
        (other, _) => other.clone(),
    }
}

fn precision(scene: &Scene, args: &[Arg<'_>]) -> Option<Precision> {
    let sql_type = scene.type_by_oid(args[0].oid())?.sql_type();
    Some(Precision::of(&with_modifier(&sql_type, args[1].int())))
}

fn obj_description<'a>(scene: &'a Scene, args: &[Arg<'a>]) -> Option<&'a str> {
    let number = Oid(args[0].oid());
    let catalog = args.get(1).and_then(|arg| arg.text());
    let asked = |name: &str| catalog.is_none_or(|catalog| catalog == name);
    let relation = || {
        scene
            .relation(number)
            .filter(|_| asked("pg_class"))
            .and_then(|r| r.comment.as_deref())
    };
    let schema = || {
        scene
            .namespace(number)
            .filter(|_| asked("pg_namespace"))?
            .comment
    };
    let function = || {
        let function = scene.function(number.0).filter(|_| asked("pg_proc"))?;
        function.comment.as_deref()
    };
    let user_type = || {
        let user_type = scene.user_type(number).filter(|_| asked("pg_type"))?;
        user_type.comment.as_deref()
    };
    relation()
        .or_else(schema)
        .or_else(function)
        .or_else(user_type)
}

fn function_arguments(scene: &Scene, number: u32, with_defaults: bool) -> Option<String> {
    let function = scene.function(number)?;
    let arguments = function.args.iter().enumerate().map(|(place, sql_type)| {
        let name = function.arg_names.get(place);
        let argument = match name.filter(|name| !name.is_empty()) {
            Some(name) => format!("{} {sql_type}", quote_ident(name)),
            None => sql_type.to_string(),
        };
        match function.arg_defaults.get(place) {
            Some(Some(default)) if with_defaults => format!("{argument} DEFAULT {default}"),
            _ => argument,
        }
    });
    Some(arguments.collect::<Vec<_>>().join(", "))
}
