//! `forecast` through the socket: every way to name its input, parameters, and whose rights count.

use crate::client::Client;
use crate::harness::Server;

const SERIES: &str = "CREATE TABLE visits (site text, at date, n double precision);
    INSERT INTO visits SELECT s, date '2020-01-01' + (i * interval '1 month'), 100 + i + 10 * (i % 12)
    FROM generate_series(0, 47) AS i(i), (VALUES ('a'), ('b')) AS s(s)";

fn server() -> Option<(crate::harness::Tessera, Client, Client)> {
    let server = Server::tessera()?;
    server.two_tenants();
    let mut boss = server.session("acme", "boss");
    boss.run(SERIES);
    let alice = server.session("acme", "alice");
    Some((server, boss, alice))
}

fn call(input: &str) -> String {
    format!(
        "SELECT * FROM forecast({input}, timestamp_col => at, data_col => n, id_cols => site, horizon => 2)"
    )
}

#[test]
fn its_input_is_a_table_a_view_a_cte_or_a_query() {
    let Some((_server, mut boss, _)) = server() else {
        return;
    };
    boss.run("CREATE VIEW seen AS SELECT * FROM visits");
    let expected = boss.simple(&call("(SELECT * FROM visits)")).rows();
    assert_eq!(expected.len(), 4);
    assert_eq!(expected[0][..2], ["a", "2024-01-01"]);
    for input in ["visits", "public.visits", "seen", "(visits)"] {
        assert_eq!(boss.simple(&call(input)).rows(), expected, "{input}");
    }
    let cte = format!("WITH v AS (SELECT * FROM visits) {}", call("v"));
    assert_eq!(boss.simple(&cte).rows(), expected);
    // A CTE hides a table of its name.
    let hidden = format!(
        "WITH visits AS (SELECT * FROM visits WHERE site = 'b') {}",
        call("visits")
    );
    assert_eq!(boss.simple(&hidden).rows(), expected[2..]);
    assert_eq!(boss.simple(&call("nowhere")).code(), "42P01");
}

#[test]
fn a_view_keeps_to_the_table_it_was_made_over() {
    let Some((_server, mut boss, _)) = server() else {
        return;
    };
    boss.run(&format!("CREATE VIEW ahead AS {}", call("visits")));
    let expected = boss.simple("SELECT * FROM ahead").rows();
    assert_eq!(expected.len(), 4);
    boss.run("ALTER TABLE visits RENAME TO visits_of_old");
    boss.run("CREATE TABLE visits (nothing integer)");
    assert_eq!(boss.simple("SELECT * FROM ahead").rows(), expected);
}

#[test]
fn the_horizon_may_be_a_parameter() {
    let Some((_server, mut boss, _)) = server() else {
        return;
    };
    let text = "SELECT count(*) FROM forecast(visits, timestamp_col => at, data_col => n, id_cols => site, horizon => $1)";
    boss.run(&format!("PREPARE ahead AS {text}"));
    for (horizon, rows) in [("3", "6"), ("5", "10")] {
        assert_eq!(
            boss.simple(&format!("EXECUTE ahead({horizon})")).rows(),
            [[rows]]
        );
    }
}

#[test]
fn a_driver_is_told_its_columns_and_parameters() {
    let Some((server, _boss, _)) = server() else {
        return;
    };
    let address = server.address().to_owned();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let tenant = crate::harness::Tenant {
            address,
            name: "acme".to_owned(),
            admin: "boss".to_owned(),
        };
        let driver = tenant.driver().await;
        let text = "SELECT * FROM forecast(visits, timestamp_col => at, data_col => n, id_cols => site, horizon => $1)";
        let statement = driver.prepare(text).await.expect("it is prepared");
        let columns: Vec<(&str, &str)> = statement
            .columns()
            .iter()
            .map(|column| (column.name(), column.type_().name()))
            .collect();
        assert_eq!(
            columns,
            [
                ("site", "text"),
                ("forecast_timestamp", "date"),
                ("forecast_value", "float8"),
                ("prediction_interval_lower_bound", "float8"),
                ("prediction_interval_upper_bound", "float8"),
                ("confidence_level", "float8"),
                ("model", "text"),
                ("status", "text"),
            ]
        );
        let kinds: Vec<&str> = statement.params().iter().map(|kind| kind.name()).collect();
        assert_eq!(kinds, ["int8"]);
        let rows = driver.query(&statement, &[&4_i64]).await.expect("it runs");
        assert_eq!(rows.len(), 8);
    });
}

#[test]
fn it_reads_only_what_its_caller_may_read() {
    let Some((_server, mut boss, mut alice)) = server() else {
        return;
    };
    for input in [
        "visits",
        "(SELECT * FROM visits)",
        "(SELECT site, at, n FROM visits)",
    ] {
        assert_eq!(alice.simple(&call(input)).code(), "42501", "{input}");
    }
    boss.run("GRANT SELECT (site, at) ON visits TO alice");
    assert_eq!(alice.simple(&call("visits")).code(), "42501");
    // A view lends its owner's rights.
    boss.run(&format!("CREATE VIEW ahead AS {}", call("visits")));
    assert_eq!(alice.simple("SELECT * FROM ahead").code(), "42501");
    boss.run("GRANT SELECT ON ahead TO alice");
    assert_eq!(alice.simple("SELECT * FROM ahead").rows().len(), 4);
    boss.run("GRANT SELECT (n) ON visits TO alice");
    assert_eq!(
        alice
            .simple(&call("(SELECT site, at, n FROM visits)"))
            .rows()
            .len(),
        4
    );
}

#[test]
fn distinct_on_may_be_ordered() {
    let Some((_server, mut boss, mut alice)) = server() else {
        return;
    };
    let last = "SELECT DISTINCT ON (site) site, at FROM visits ORDER BY site, at DESC";
    assert_eq!(
        boss.simple(last).rows(),
        [["a", "2023-12-01"], ["b", "2023-12-01"]]
    );
    boss.run("GRANT SELECT (site, at) ON visits TO alice");
    assert_eq!(alice.simple(last).rows().len(), 2);
}
