//! Host rules decide who is asked what. The texts are PostgreSQL 15's.

use std::time::{Duration, Instant};

use super::{Bed, told};
use crate::harness::{ADMIN_PASSWORD, PASSWORD, Server, run_to_end};

const RULES: &str = "\
# TYPE     DATABASE        USER          ADDRESS        METHOD
host       tessera         admin         127.0.0.1/32   stored
host       all             carol         all            reject
hostnossl  acme            +trusted,eve  127.0.0.0/8    trust
hostssl    acme            alice         all            password
host       acme,globex     alice         127.0.0.1/32   scram-sha-256
host       globex          boss          10.0.0.0/8     scram-sha-256
";

#[test]
fn the_first_rule_that_fits_decides() {
    let bed = Bed::new();
    let Some(server) = bed.serve(RULES, "", "") else {
        return;
    };
    let mut operator = server.operator();
    operator.run("CREATE ROLE trusted IN TENANT acme");
    operator.run("CREATE ROLE trudy IN TENANT acme LOGIN IN ROLE trusted");
    let refused = |tenant: &str, role: &str, password: &str| {
        let error = server.login(tenant, role, password).err();
        error.unwrap_or_else(|| panic!("{role} of {tenant} gets in"))
    };
    assert_eq!(server.session("acme", "alice").value("SELECT 1"), "1");
    assert_eq!(told(&refused("acme", "alice", "wrong")).0, "28P01");
    // Who is trusted gets in by any password, and nobody else does.
    let mut trusted = server.login("acme", "trudy", "any").expect("is trusted");
    assert_eq!(trusted.value("SELECT current_user"), "trudy");
    let unknown = "\"trust\" authentication failed for user \"eve\"";
    assert_eq!(
        told(&refused("acme", "eve", "any")),
        ("28000", "FATAL", unknown)
    );
    let rejected = "pg_hba.conf rejects connection for host \"127.0.0.1\", user \"carol\", \
                    database \"acme\", no encryption";
    assert_eq!(
        told(&refused("acme", "carol", "x")),
        ("28000", "FATAL", rejected)
    );
    let nothing = |user: &str, database: &str, encryption: &str| {
        format!(
            "no pg_hba.conf entry for host \"127.0.0.1\", user \"{user}\", database \"{database}\", {encryption}"
        )
    };
    for (database, user) in [
        ("globex", "boss"),
        ("globex", "nobody"),
        ("nowhere", "boss"),
        ("acme", "admin"),
        ("tessera", "alice"),
    ] {
        let error = refused(database, user, PASSWORD);
        let expected = nothing(user, database, "no encryption");
        assert_eq!(told(&error), ("28000", "FATAL", expected.as_str()));
        assert!(error.field('D').is_empty() && error.field('H').is_empty());
        let error = bed.login(&server, None, (database, user, PASSWORD)).err();
        let error = error.expect("refused");
        let expected = nothing(user, database, "SSL encryption");
        assert_eq!(told(&error), ("28000", "FATAL", expected.as_str()));
    }
}

#[test]
fn a_password_that_is_sent_itself_needs_tls() {
    let bed = Bed::new();
    let rules =
        "host tessera all all stored\nhost acme all all password\nhost globex all all argon2id";
    let Some(server) = bed.serve(rules, "", "") else {
        return;
    };
    for (tenant, role) in [("acme", "alice"), ("acme", "nobody"), ("globex", "nobody")] {
        let error = server.login(tenant, role, PASSWORD).err().expect("refused");
        assert_eq!(
            told(&error).2,
            "connection requires TLS",
            "{role} of {tenant}"
        );
    }
    // What is kept as a SCRAM verifier is checked too, and whoever it is, the steps are the same.
    let mut client = bed.dial(&server, None);
    client
        .log_in("acme", "alice", PASSWORD, &[])
        .expect("gets in");
    assert_eq!(client.login_trace.chars().next(), Some('R'));
    let traced = |tenant: &str, role: &str| {
        let mut client = bed.dial(&server, None);
        let error = client
            .log_in(tenant, role, "wrong", &[])
            .expect_err("refused");
        let text = error.message().replace(role, "ROLE");
        (client.login_trace, error.code().to_owned(), text)
    };
    let known = traced("acme", "alice");
    assert_eq!(known.0, "R3E");
    assert_eq!(known.1, "28P01");
    assert_eq!(traced("acme", "nobody"), known);
    // A rule for argon2id alone takes no other kind, and does not say so.
    assert_eq!(traced("globex", "alice"), known);
    let right = bed.login(&server, None, ("globex", "alice", PASSWORD));
    assert_eq!(right.err().expect("refused").code(), "28P01");
    let mut operator = server.operator();
    operator.run("SET password_encryption = 'argon2id'");
    operator.run("ALTER ROLE alice IN TENANT globex PASSWORD 'another'");
    let right = bed.login(&server, None, ("globex", "alice", "another"));
    assert_eq!(right.expect("gets in").value("SELECT 1"), "1");
}

#[test]
fn the_operator_sees_the_rules_and_nobody_else() {
    let bed = Bed::new();
    let rules = "host all all all stored\n\n\
                 hostssl \"acme\",globex +staff,alice 10.1.2.3/8 cert map=people clientname=SAN # x\n\
                 host sameuser all samehost scram-sha-256\n";
    let Some(server) = bed.serve(rules, "people a@b alice\n", "") else {
        return;
    };
    bed.write("hba.conf", &format!("{rules}host all all\n"));
    let mut operator = server.operator();
    let text = "concat_ws('|', line_number, type, database, user_name, address, netmask, auth_method, options, error)";
    let rows = operator.rows(&format!(
        "SELECT {text} FROM pg_hba_file_rules ORDER BY line_number"
    ));
    let rows: Vec<String> = rows.into_iter().flatten().collect();
    assert_eq!(
        rows,
        [
            "1|host|{all}|{all}|all|stored",
            "3|hostssl|{acme,globex}|{+staff,alice}|10.1.2.3|255.0.0.0|cert|{map=people,clientcert=verify-full,clientname=SAN}",
            "4|host|{sameuser}|{all}|samehost|scram-sha-256",
            "5|end-of-line before IP address specification",
        ]
    );
    let maps = operator.rows("SELECT map_name, sys_name, pg_username FROM pg_ident_file_mappings");
    assert_eq!(maps, [["people", "a@b", "alice"]]);
    for role in ["boss", "alice"] {
        for view in ["pg_hba_file_rules", "pg_catalog.pg_ident_file_mappings"] {
            let error = server
                .session("acme", role)
                .fail(&format!("SELECT count(*) FROM {view}"));
            assert_eq!(error.code(), "42501");
            let name = view.rsplit('.').next().expect("a name");
            assert_eq!(
                error.message(),
                format!("permission denied for view {name}")
            );
        }
    }
}

#[test]
fn rules_are_read_anew_at_sighup_and_wrong_ones_are_left() {
    let bed = Bed::new();
    let Some(server) = bed.serve("host all all all stored\n", "", "") else {
        return;
    };
    let wait = |fine: &dyn Fn() -> bool, what: &str| {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !fine() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    bed.write("hba.conf", "host all all all nonsense\n");
    server.hang_up();
    wait(
        &|| server.log().contains("the host rules stay as they were"),
        "the fault is logged",
    );
    assert_eq!(server.session("acme", "alice").value("SELECT 1"), "1");
    bed.write(
        "hba.conf",
        "host all admin all stored\nhost globex all all stored\n",
    );
    server.hang_up();
    wait(
        &|| server.login("acme", "alice", PASSWORD).is_err(),
        "the new rules count",
    );
    assert_eq!(server.session("globex", "alice").value("SELECT 1"), "1");
    // The same by SQL, for an operator.
    let mut operator = server.operator();
    bed.write("hba.conf", "nonsense\n");
    assert_eq!(operator.value("SELECT pg_reload_conf()"), "f");
    let mut boss = server.session("globex", "boss");
    bed.write("hba.conf", "host all all all stored\n");
    let error = boss.fail("SELECT pg_reload_conf()");
    let words = "permission denied for function pg_reload_conf";
    assert_eq!((error.code(), error.message()), ("42501", words));
    assert!(server.login("acme", "alice", PASSWORD).is_err());
    assert_eq!(operator.value("SELECT pg_reload_conf()"), "t");
    assert_eq!(server.session("acme", "alice").value("SELECT 1"), "1");
}

#[test]
fn wrong_rules_keep_the_server_from_starting() {
    if std::env::var_os("TESSERA_TEST_PG").is_some() {
        return;
    }
    let bed = Bed::new();
    for (rule, said) in [
        (
            "host all all all trust",
            "trust authentication is only supported for loopback addresses",
        ),
        (
            "host all all all jwt issuer=https://nobody.example",
            "there is no issuer",
        ),
        ("local all all peer", "local connections are not supported"),
    ] {
        let rules = bed.write("hba.conf", &format!("# one\n{rule}\n"));
        let config = bed.write("tessera.toml", &format!("[logins]\nhba_file = {rules:?}\n"));
        let data = bed.path("data").display().to_string();
        let output = run_to_end(
            &[
                "serve",
                "--data",
                &data,
                "--listen",
                "127.0.0.1:0",
                "--config",
                &config,
            ],
            &[("TESSERA_ADMIN_PASSWORD", ADMIN_PASSWORD)],
        );
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && text.contains(said),
            "{rule}: {text}"
        );
        assert!(text.contains("hba.conf, line 2"), "{rule}: {text}");
    }
}

#[test]
fn every_attempt_is_logged_on_one_line_without_secrets() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    server.session("acme", "alice");
    let secret = "what nobody reads";
    let forged = "eve\" outcome=\n2026-01-01 INFO login tenant=\"acme\" role=\"boss";
    assert!(server.login("acme", forged, secret).is_err());
    assert!(server.login("acme", "alice", secret).is_err());
    let log = server.log();
    assert!(!log.contains(secret) && !log.contains(PASSWORD));
    assert!(!log.lines().any(|line| line.starts_with("2026-01-01 INFO")));
    let line = |parts: &[&str]| {
        let found = log
            .lines()
            .any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} in {log}");
    };
    line(&[
        "login",
        "tenant=\"acme\"",
        "role=\"alice\"",
        "127.0.0.1",
        "method=\"stored\"",
    ]);
    line(&[
        "login refused",
        "role=\"alice\"",
        "sqlstate=\"28P01\"",
        "the password is wrong",
    ]);
    line(&[
        "login refused",
        "role=\"eve\\\" outcome=\\n",
        "there is no such role",
    ]);
}
