//! Grafana's dashboards over the demo: every query of `sql/grafana` answers as its panel wants it.
//!
//! Macros and variables are expanded as Grafana's PostgreSQL data source expands them, so that what is
//! sent is what Grafana would send.

use serde_json::Value;

use crate::client::{Answer, Client};
use crate::demo::Demo;

const TIMESTAMPTZ: u32 = 1184;
const NUMBERS: [u32; 6] = [20, 21, 23, 700, 701, 1700];
const TEXTS: [u32; 3] = [25, 1043, 19];

/// The data sources by uid: database and role, whose password is its name.
fn sources() -> Vec<(String, String, String)> {
    let text = read("provisioning/datasources/tessera.yaml");
    let after = |line: &str, key: &str| {
        let (_, rest) = line.split_once(key)?;
        Some(
            rest.split([',', '}'])
                .next()
                .unwrap_or(rest)
                .trim()
                .to_owned(),
        )
    };
    let mut found: Vec<(String, String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(uid) = after(line, "    uid: ") {
            found.push((uid, String::new(), String::new()));
        }
        let Some(last) = found.last_mut() else {
            continue;
        };
        if let Some(user) = after(line, "    user: ") {
            last.2 = user;
        }
        if let Some(database) = after(line, "{database: ") {
            last.1 = database;
        }
    }
    found
}

fn read(name: &str) -> String {
    let file = format!("{}/sql/grafana/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// The value that a variable has: all values of a query are chosen, quoted and separated by commas.
struct Variable {
    name: String,
    one: String,
    all: String,
}

/// Replaces the macros and variables of a query.
fn expanded(sql: &str, from: &str, to: &str, variables: &[Variable]) -> String {
    let mut sql = sql.to_owned();
    for variable in variables {
        let name = format!("${}", variable.name);
        sql = sql
            .replace(&format!("IN ({name})"), &format!("IN ({})", variable.all))
            .replace(&name, &variable.one);
    }
    while let Some(start) = sql.find("$__") {
        let open = start + sql[start..].find('(').expect("a macro has arguments");
        let close = open + sql[open..].find(')').expect("the arguments end");
        let arguments: Vec<&str> = sql[open + 1..close].split(',').map(str::trim).collect();
        let column = arguments[0];
        let new = match &sql[start..open] {
            "$__timeFilter" => format!("{column} BETWEEN '{from}' AND '{to}'"),
            "$__timeFrom" => format!("'{from}'"),
            "$__timeTo" => format!("'{to}'"),
            "$__timeGroupAlias" => {
                let seconds = days(arguments[1]) * 86_400;
                format!("floor(extract(epoch from {column})/{seconds})*{seconds} AS \"time\"")
            }
            other => panic!("an unknown macro {other}"),
        };
        sql.replace_range(start..=close, &new);
    }
    sql
}

/// `'90d'`.
fn days(interval: &str) -> u32 {
    let number = interval.trim_matches('\'').trim_end_matches('d');
    number.parse().expect("an interval of days")
}

fn ask(client: &mut Client, what: &str, sql: &str) -> Answer {
    let reply = client.simple(sql);
    assert!(reply.error.is_none(), "{what}: {:?}\n{sql}", reply.error);
    let answer = reply.answers.into_iter().next_back().unwrap_or_default();
    assert!(!answer.rows.is_empty(), "{what}: no rows\n{sql}");
    answer
}

/// A time series has its time first, as a moment or as seconds; then labels and at least one number.
fn is_time_series(what: &str, answer: &Answer) {
    let types: Vec<u32> = answer
        .columns
        .iter()
        .map(|column| column.type_oid)
        .collect();
    assert_eq!(answer.columns[0].name, "time", "{what}");
    assert!(
        types[0] == TIMESTAMPTZ || NUMBERS.contains(&types[0]),
        "{what}: {types:?}"
    );
    assert!(
        types[1..].iter().any(|kind| NUMBERS.contains(kind)),
        "{what}: {types:?}"
    );
    assert!(
        types[1..]
            .iter()
            .all(|kind| NUMBERS.contains(kind) || TEXTS.contains(kind)),
        "{what}: {types:?}"
    );
    let times: Vec<&Vec<u8>> = answer
        .rows
        .iter()
        .filter_map(|row| row[0].as_ref())
        .collect();
    assert_eq!(
        times.len(),
        answer.rows.len(),
        "{what}: a row without its time"
    );
}

/// The variables of a dashboard with the values that a data source gives.
fn variables(dashboard: &Value, client: &mut Client) -> Vec<Variable> {
    let list = dashboard["templating"]["list"].as_array().expect("a list");
    let mut found = Vec::new();
    for variable in list {
        let (name, query) = (text(variable, "name"), text(variable, "query"));
        let values: Vec<String> = match text(variable, "type") {
            "datasource" => continue,
            "custom" => query.split(',').map(str::to_owned).collect(),
            "query" => ask(client, name, query)
                .text()
                .into_iter()
                .map(|mut row| row.remove(0))
                .collect(),
            other => panic!("an unknown kind of variable {other}"),
        };
        let quoted: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
        found.push(Variable {
            name: name.to_owned(),
            one: values[0].clone(),
            all: quoted.join(","),
        });
    }
    found
}

#[test]
fn every_panel_answers() {
    if std::env::var_os("TESSERA_TEST_PG").is_some() {
        return;
    }
    let data = tempfile::tempdir().expect("a folder");
    let demo = Demo::start(data.path());
    let sources = sources();
    assert_eq!(sources.len(), 4);
    let mut panels = 0;
    for name in ["forecasts", "portfolio", "risk", "tenants"] {
        let dashboard: Value =
            serde_json::from_str(&read(&format!("dashboards/{name}.json"))).expect("JSON");
        let (from, to) = (
            text(&dashboard["time"], "from"),
            text(&dashboard["time"], "to"),
        );
        for (uid, database, role) in &sources {
            let for_operator = name == "tenants";
            if for_operator != (uid == "tessera-operator") {
                continue;
            }
            let mut client = demo.login(role, database);
            let variables = variables(&dashboard, &mut client);
            for panel in dashboard["panels"].as_array().expect("panels") {
                for target in panel["targets"].as_array().expect("targets") {
                    let source = text(&target["datasource"], "uid");
                    assert!(source == "${tenant}" || source == uid, "{source}");
                    let what = format!("{name}, {}, {database}", text(panel, "title"));
                    let sql = expanded(text(target, "rawSql"), from, to, &variables);
                    let answer = match text(panel, "title") {
                        // A series may have none.
                        "Anomalies" => {
                            let reply = client.simple(&sql);
                            assert!(reply.error.is_none(), "{what}: {:?}\n{sql}", reply.error);
                            continue;
                        }
                        _ => ask(&mut client, &what, &sql),
                    };
                    if text(target, "format") == "time_series" {
                        is_time_series(&what, &answer);
                    }
                    panels += 1;
                }
            }
        }
    }
    assert!(panels > 40, "{panels}");
}
