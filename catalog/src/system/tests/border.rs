//! What a tenant is shown of the system and of others.

use super::bed::*;
use crate::id::Oid;
use crate::system::*;

#[tokio::test]
async fn a_tenant_sees_its_own_and_what_it_is_lent() {
    let sql = "SELECT nspname, relname, relkind, pg_get_userbyid(relowner) FROM pg_class c \
               JOIN pg_namespace n ON n.oid = relnamespace \
               WHERE nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2";
    assert_eq!(
        rows(scene(ALICE), sql).await,
        [
            "market|rates|r|tessera",
            "public|orders|r|tessera",
            "public|orders_pkey|i|tessera",
            "public|recent|v|alice",
            "sales|customers|r|alice",
            "sales|customers_name|i|alice",
            "sales|customers_pkey|i|alice",
            "sales|visits|r|alice",
            "tessera|audit_log|v|tessera",
            "tessera|column_masks|v|tessera",
            "tessera|encryption|v|tessera",
            "tessera|failed_logins|v|tessera",
            "tessera|last_logins|v|tessera",
            "tessera|masking_policies|v|tessera",
            "tessera|plans|v|tessera",
            "tessera|quotas|v|tessera",
            "tessera|tables_without_policies|v|tessera",
            "tessera|tenant_usage|v|tessera",
            "tessera|unused_roles|v|tessera",
            "tessera|who_can_read|v|tessera",
        ]
    );
    assert_eq!(
        rows(system_scene(Oid::OPERATOR), sql).await,
        [
            "internal|secret|r|admin",
            "market|rates|r|admin",
            "public|orders|r|analyst",
            "public|orders_pkey|i|analyst",
            "tessera|audit_log|v|admin",
            "tessera|column_masks|v|admin",
            "tessera|encryption|v|admin",
            "tessera|failed_logins|v|admin",
            "tessera|last_logins|v|admin",
            "tessera|masking_policies|v|admin",
            "tessera|plans|v|admin",
            "tessera|quotas|v|admin",
            "tessera|tables_without_policies|v|admin",
            "tessera|tenant_usage|v|admin",
            "tessera|unused_roles|v|admin",
            "tessera|who_can_read|v|admin",
        ]
    );
}

#[tokio::test]
async fn no_relation_tells_of_others() {
    let (system, _, globex_tenant) = system();
    let globex = Scene::new(system, globex(&globex_tenant), ALICE);
    for (scene, others) in [
        (
            scene(ALICE),
            vec![
                "globex", "gustav", "takeover", "secret", "analyst", "internal", "16391", "16500",
                "16501",
            ],
        ),
        (
            scene(Oid::OPERATOR),
            vec!["globex", "gustav", "takeover", "secret", "analyst", "16501"],
        ),
        (
            globex,
            vec!["acme", "alice", "customers", "secret", "analyst", "16500"],
        ),
    ] {
        let context = context(scene);
        for table in all_tables() {
            // Words that are everybody's.
            if ["pg_language", "pg_proc", "pg_cast", "pg_operator"].contains(&table.name) {
                continue;
            }
            let sql = format!("SELECT * FROM {}.{}", table.schema, table.name);
            let found = lines(&batches(&context, &sql).await.unwrap());
            for line in found {
                for other in &others {
                    assert!(
                        !line.split(is_gap).any(|word| word == *other),
                        "{table:?}: {line}"
                    );
                }
            }
        }
    }
}

/// What stands between words; names of system columns hold words that are also tenants'.
fn is_gap(c: char) -> bool {
    !c.is_alphanumeric() && c != '_'
}

#[tokio::test]
async fn databases_are_ones_own() {
    let sql = "SELECT datname, datallowconn, pg_get_userbyid(datdba) FROM pg_database ORDER BY 1";
    assert_eq!(rows(scene(ALICE), sql).await, ["acme|true|tenant_admin"]);
    let all = rows(system_scene(Oid::OPERATOR), sql).await;
    assert_eq!(
        all,
        ["acme|true|admin", "globex|true|admin", "tessera|true|admin"]
    );
}

#[tokio::test]
async fn sessions_are_ones_own() {
    let session = |pid: i32, database: &str, user: (u32, &str), query: &str| ActivityRow {
        pid,
        database: Some((Oid(16_500), database.to_owned())),
        user: Some((Oid(user.0), user.1.to_owned())),
        client_addr: Some("10.0.0.1".to_owned()),
        query: query.to_owned(),
        state: Some("active".to_owned()),
        ..ActivityRow::default()
    };
    let activity = vec![
        session(1, "acme", (ALICE.0, "alice"), "SELECT 1"),
        session(2, "acme", (BORIS.0, "Boris B"), "SELECT 2"),
        session(3, "acme", (ANALYST.0, "analyst"), "SELECT 3"),
        session(4, "globex", (ALICE.0, "gustav"), "SELECT 4"),
    ];
    let sql =
        "SELECT pid, datid, usename, query, client_addr, state FROM pg_stat_activity ORDER BY 1";
    let mut alice = scene(ALICE);
    let told = activity.clone();
    alice.activity = listed(move || told);
    assert_eq!(
        rows(alice, sql).await,
        [
            "1|16384|alice|SELECT 1|10.0.0.1|active",
            "2|16384|Boris B|<insufficient privilege>||",
            "3|16384|tessera|||",
        ]
    );
    let mut operator = system_scene(Oid::OPERATOR);
    operator.activity = listed(move || activity);
    assert_eq!(rows(operator, sql).await.len(), 4);
}
