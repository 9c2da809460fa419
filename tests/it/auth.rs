//! Passwords, roles, and that a failed login tells nothing.

use crate::client::Client;
use crate::harness::{ADMIN_PASSWORD, PASSWORD, Server, quoted};

#[test]
fn a_wrong_password_is_28p01() {
    let server = Server::start();
    let tenant = server.tenant();
    let error = Client::login(server.address(), &tenant.name, &tenant.admin, "wrong", &[])
        .err()
        .expect("refused");
    assert_eq!((error.code(), error.field('S')), ("28P01", "FATAL"));
    assert_eq!(
        error.message(),
        format!(
            "password authentication failed for user \"{}\"",
            tenant.admin
        )
    );
    assert!(error.field('D').is_empty() && error.field('H').is_empty());
}

#[test]
fn a_missing_user_is_an_error() {
    let server = Server::start();
    let mut client = Client::dial(server.address()).expect("connects");
    client.send_bytes(&[0, 0, 0, 9, 0, 3, 0, 0, 0]);
    let error = crate::client::error_fields(&client.read().body);
    assert_eq!((error.code(), error.field('S')), ("28000", "FATAL"));
}

/// One try to log in: the messages that came, and the error without the name that was sent.
fn exchange(address: &str, database: &str, user: &str) -> (String, String) {
    let mut client = Client::dial(address).expect("connects");
    let error = client
        .log_in(database, user, "wrong", &[])
        .expect_err("refused");
    let fields: Vec<String> = error
        .0
        .iter()
        .filter(|(letter, _)| !"FLR".contains(**letter))
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    (client.login_trace, fields.join(" ").replace(user, "USER"))
}

#[test]
fn unknown_users_and_tenants_look_like_a_wrong_password() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    let password = quoted(PASSWORD);
    operator.run("CREATE ROLE group_only IN TENANT acme NOLOGIN");
    operator.run("CREATE ROLE without_password IN TENANT acme LOGIN");
    operator.run(&format!(
        "CREATE TENANT asleep WITH (admin = 'boss', password = '{password}')"
    ));
    operator.run("ALTER TENANT asleep SUSPEND");
    let address = server.address();
    let known = exchange(address, "acme", "alice");
    for (database, user) in [
        ("acme", "nobody"),
        ("nowhere", "alice"),
        ("nowhere", "nobody"),
        ("acme", "group_only"),
        ("acme", "without_password"),
        ("asleep", "boss"),
        ("tessera", "alice"),
        ("tessera", "nobody"),
        ("postgres", "alice"),
        ("acme", "admin"),
        ("nowhere", "admin"),
    ] {
        assert_eq!(
            exchange(address, database, user),
            known,
            "{user} of {database}"
        );
    }
    // Nor does the right password open what has no login; who has proved to be of a suspended tenant is
    // told so.
    for (database, user, code) in [
        ("acme", "group_only", "28P01"),
        ("acme", "without_password", "28P01"),
        ("asleep", "boss", "55000"),
    ] {
        let error = server
            .login(database, user, PASSWORD)
            .err()
            .expect("refused");
        assert_eq!(error.code(), code, "{user} of {database}");
    }
}

#[test]
fn an_unknown_user_gets_the_same_salt_each_time() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    // The salt is in the second request; a salt that changes tells that the user is made up.
    let salt = |user: &str| {
        let mut client = Client::dial(server.address()).expect("connects");
        let mut scram = postgres_protocol::authentication::sasl::ScramSha256::new(
            b"wrong",
            postgres_protocol::authentication::sasl::ChannelBinding::unsupported(),
        );
        client.send(|buf| {
            postgres_protocol::message::frontend::startup_message(
                [("user", user), ("database", "acme")],
                buf,
            )
        });
        client.read();
        let first = scram.message().to_vec();
        client.send(|buf| {
            postgres_protocol::message::frontend::sasl_initial_response(
                "SCRAM-SHA-256",
                &first,
                buf,
            )
        });
        let body = client.read().body;
        scram.update(&body[4..]).expect("a server-first message");
        let text = String::from_utf8_lossy(&body[4..]).into_owned();
        let field = |key: &str| {
            text.split(',')
                .find_map(|part| part.strip_prefix(key))
                .unwrap_or_default()
                .to_owned()
        };
        (field("s="), field("i="))
    };
    assert_eq!(salt("nobody"), salt("nobody"));
    assert_ne!(salt("nobody").0, salt("someone").0);
    assert_eq!(salt("nobody").1, salt("alice").1);
    assert!(salt("alice").1.parse::<u32>().expect("a number") >= 4096);
}

#[test]
fn the_operator_enters_every_tenant_and_hears_of_a_missing_one() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let mut client = server.operator_in("acme");
    assert_eq!(client.value("SELECT current_tenant()"), "acme");
    assert_eq!(client.value("SELECT count(*) FROM sales"), "3");
    let error = server
        .login("nowhere", "admin", ADMIN_PASSWORD)
        .err()
        .expect("refused");
    assert_eq!(error.code(), "3D000");
}

#[test]
fn roles_of_one_name_in_two_tenants_are_two_roles() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    server
        .session("acme", "boss")
        .run("ALTER ROLE alice PASSWORD 'another one'");
    assert!(server.login("acme", "alice", PASSWORD).is_err());
    assert!(server.login("acme", "alice", "another one").is_ok());
    assert!(server.login("globex", "alice", PASSWORD).is_ok());
    assert!(server.login("globex", "alice", "another one").is_err());
}

#[test]
fn a_name_is_an_operators_or_a_roles() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let mut operator = server.two_tenants();
    assert_eq!(
        operator
            .fail("CREATE ROLE admin IN TENANT acme LOGIN")
            .code(),
        "42710"
    );
    assert_eq!(
        server
            .session("acme", "boss")
            .fail("CREATE ROLE admin")
            .code(),
        "42710"
    );
    assert_eq!(
        operator.fail("CREATE ROLE alice LOGIN PASSWORD 'x'").code(),
        "42710"
    );
}

#[test]
fn what_a_role_loses_is_gone_in_open_sessions() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let mut boss = server.session("acme", "boss");
    let mut alice = server.session("acme", "alice");
    boss.run("CREATE TABLE t (n int)");
    boss.run("GRANT SELECT ON t TO alice");
    alice.run("PREPARE p AS SELECT n FROM t");
    alice.run("EXECUTE p");
    boss.run("REVOKE SELECT ON t FROM alice");
    assert_eq!(alice.fail("EXECUTE p").code(), "42501");
    assert_eq!(alice.fail("SELECT n FROM t").code(), "42501");
}

#[test]
fn passwords_are_kept_as_verifiers_and_shown_to_nobody() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let mut alice = server.session("acme", "alice");
    let error = alice.fail("SELECT rolpassword FROM pg_authid");
    assert_eq!(error.code(), "42501");
    assert_eq!(
        alice
            .value("SELECT DISTINCT coalesce(passwd, 'NULL') FROM pg_user WHERE usename = 'alice'"),
        "********"
    );
    assert!(
        !server.log().contains(PASSWORD),
        "the log holds no password"
    );
}
