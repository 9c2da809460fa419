//! What holds for every relation, and for those that only the server fills.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::bed::*;
use crate::id::Oid;
use crate::sql_type::SqlType;
use crate::system::*;

#[test]
fn columns_are_those_of_postgresql_15() {
    let mut seen: BTreeMap<(&str, &str), Vec<(&str, &str)>> = BTreeMap::new();
    for line in include_str!("../postgres15.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let words: Vec<&str> = line.split('|').collect();
        let [schema, relation, _, column, sql_type] = words.as_slice() else {
            panic!("{line}")
        };
        seen.entry((schema, relation))
            .or_default()
            .push((column, expected(sql_type)));
    }
    let own = all_tables().filter(|table| table.schema == "tessera");
    assert_eq!(seen.len(), all_tables().count() - own.count());
    for ((schema, name), columns) in seen {
        let table = table(schema, name).unwrap_or_else(|| panic!("no {schema}.{name}"));
        let own: Vec<(&str, String)> = table
            .columns()
            .iter()
            .map(|c| (c.name, c.sql_type.to_string()))
            .collect();
        let own: Vec<(&str, &str)> = own.iter().map(|(name, t)| (*name, t.as_str())).collect();
        assert_eq!(own, columns, "{schema}.{name}");
    }
}

#[tokio::test]
async fn every_relation_can_be_scanned() {
    for scene in [
        scene(ALICE),
        scene(BORIS),
        scene(Oid::OPERATOR),
        system_scene(Oid::OPERATOR),
    ] {
        let context = context(scene);
        for table in all_tables() {
            let sql = format!("SELECT * FROM {}.{}", table.schema, table.name);
            let found = batches(&context, &sql)
                .await
                .unwrap_or_else(|e| panic!("{table:?}: {e}"));
            for batch in &found {
                assert_eq!(batch.num_columns(), table.columns().len(), "{table:?}");
                for (field, column) in batch.schema().fields().iter().zip(table.columns()) {
                    assert_eq!(
                        SqlType::of(field),
                        column.sql_type,
                        "{table:?}.{}",
                        column.name
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn numbers_are_unique_in_each_catalog() {
    let context = context(scene(ALICE));
    for name in [
        "pg_class",
        "pg_type",
        "pg_proc",
        "pg_constraint",
        "pg_attrdef",
        "pg_namespace",
        "pg_operator",
    ] {
        let sql = format!("SELECT oid FROM {name} GROUP BY oid HAVING count(*) > 1");
        assert_eq!(
            lines(&batches(&context, &sql).await.unwrap()),
            Vec::<String>::new(),
            "{name}"
        );
    }
}

#[tokio::test]
async fn functions_of_sets_are_tables() {
    let scene = Arc::new(scene(ALICE));
    for (name, rows) in [("pg_get_keywords", 460), ("pg_timezone_abbrevs", 195)] {
        let table = table_function(name).unwrap();
        let provider = provider_with_hidden(table, Arc::clone(&scene));
        let context = SessionContext::new();
        context.register_table("t", provider).unwrap();
        let found = batches(&context, "SELECT * FROM t").await.unwrap();
        assert_eq!(found[0].num_rows(), rows);
        assert_eq!(found[0].num_columns(), table.columns().len() + HIDDEN.len());
    }
    assert!(table_function("pg_sleep").is_none());
}

#[tokio::test]
async fn time_zones_have_names_and_offsets() {
    let sql = "SELECT name, abbrev, is_dst, utc_offset = INTERVAL '5 hours 45 minutes' \
               FROM pg_timezone_names WHERE name = 'Asia/Kathmandu'";
    assert_eq!(
        rows(scene(ALICE), sql).await,
        ["Asia/Kathmandu|+0545|false|true"]
    );
}

#[tokio::test]
async fn hidden_columns_are_there_for_those_who_ask() {
    let scene = Arc::new(scene(ALICE));
    let provider = provider_with_hidden(table("pg_catalog", "pg_namespace").unwrap(), scene);
    let context = SessionContext::new();
    context.register_table("n", provider).unwrap();
    let sql = "SELECT nspname, tableoid, xmin, ctid FROM n WHERE nspname = 'pg_catalog'";
    let found = lines(&batches(&context, sql).await.unwrap());
    assert_eq!(found, ["pg_catalog|2615|2|(0,1)"]);
}
