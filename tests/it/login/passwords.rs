//! What is asked of new passwords, and how they end. The texts are those of PostgreSQL's `passwordcheck`.

use crate::harness::{PASSWORD, Server, Tessera};

fn strict() -> Option<Tessera> {
    let files = tempfile::tempdir().expect("a folder");
    let config = files.path().join("tessera.toml");
    std::fs::write(&config, "[passwords]\nmin_length = 10\nhistory = 2\n").expect("a file");
    let server = Server::tessera_with(&["--config", &config.display().to_string()])?;
    server.two_tenants();
    Some(server)
}

#[test]
fn short_passwords_and_those_with_the_name_are_refused() {
    let Some(server) = strict() else { return };
    let mut boss = server.session("acme", "boss");
    let mut operator = server.operator();
    for (sql, message) in [
        (
            "CREATE ROLE bob LOGIN PASSWORD 'short'",
            "password is too short",
        ),
        (
            "ALTER ROLE alice PASSWORD '123456789'",
            "password is too short",
        ),
        (
            "ALTER ROLE alice PASSWORD 'I am Alice!'",
            "password must not contain user name",
        ),
    ] {
        let error = boss.fail(sql);
        assert_eq!((error.code(), error.message()), ("22023", message), "{sql}");
    }
    let error = operator.fail("CREATE TENANT initech WITH (admin = 'ann', password = 'short')");
    assert_eq!(error.message(), "password is too short");
    let error = server
        .session("acme", "alice")
        .fail("ALTER ROLE alice PASSWORD 'short'");
    assert_eq!(error.message(), "password is too short");
    server
        .login("acme", "alice", PASSWORD)
        .expect("the password is as it was");
}

#[test]
fn former_passwords_do_not_come_back() {
    let Some(server) = strict() else { return };
    let mut boss = server.session("acme", "boss");
    boss.run("ALTER ROLE alice PASSWORD 'the second one'");
    boss.run("SET password_encryption = 'argon2id'");
    boss.run("ALTER ROLE alice PASSWORD 'the third one'");
    boss.run("SET password_encryption = 'scram-sha-256'");
    for used in ["the second one", "the third one"] {
        let error = boss.fail(&format!("ALTER ROLE alice PASSWORD '{used}'"));
        assert_eq!(
            (error.code(), error.message()),
            ("22023", "password was used before")
        );
    }
    let error = boss.fail("ALTER ROLE alice PASSWORD 'the third one'");
    assert_eq!(error.code(), "22023");
    boss.run("ALTER ROLE alice PASSWORD 'the fourth one'");
    boss.run("ALTER ROLE alice PASSWORD 'the second one'");
    server
        .login("acme", "alice", "the second one")
        .expect("gets in");
    assert_eq!(
        boss.value("SELECT count(*) FROM pg_shadow WHERE passwd IS NOT NULL"),
        "0"
    );
}

/// The verifier is from `pg_authid` of PostgreSQL 15.
#[test]
fn a_verifier_of_postgresql_is_taken_and_one_by_md5_is_not() {
    let Some(server) = strict() else { return };
    let line = include_str!("../../../src/auth/scram_verifiers.txt")
        .lines()
        .next();
    let (password, verifier) = line
        .and_then(|line| line.split_once('\t'))
        .expect("a verifier");
    let mut boss = server.session("acme", "boss");
    boss.run(&format!("ALTER ROLE alice PASSWORD '{verifier}'"));
    server.login("acme", "alice", password).expect("gets in");
    assert!(server.login("acme", "alice", verifier).is_err());
    let error = boss.fail("ALTER ROLE alice PASSWORD 'md53175bce1d3201d16594cebf9d7eb3f9d'");
    assert_eq!(error.code(), "0A000");
    server
        .login("acme", "alice", password)
        .expect("it is as it was");
}

#[test]
fn an_expired_password_is_as_a_wrong_one() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    operator.run("ALTER ROLE alice IN TENANT acme VALID UNTIL '2001-01-01'");
    operator.run("ALTER ROLE alice IN TENANT globex VALID UNTIL '2101-01-01'");
    let refused = |password: &str| {
        let error = server
            .login("acme", "alice", password)
            .err()
            .expect("refused");
        error.0.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(refused(PASSWORD), refused("wrong"));
    assert_eq!(server.session("globex", "alice").value("SELECT 1"), "1");
    operator.run("ALTER ROLE alice IN TENANT acme VALID UNTIL 'infinity'");
    assert_eq!(server.session("acme", "alice").value("SELECT 1"), "1");
}

#[test]
fn guesses_lock_nobody_out() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    for _ in 0..8 {
        assert!(server.login("acme", "alice", "wrong").is_err());
        assert!(server.login("tessera", "admin", "wrong").is_err());
    }
    assert_eq!(server.session("acme", "alice").value("SELECT 1"), "1");
    assert_eq!(server.session("globex", "alice").value("SELECT 1"), "1");
    assert_eq!(server.operator().value("SELECT 1"), "1");
}
