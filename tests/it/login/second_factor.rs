//! One-time codes behind the password. The codes are computed here, from RFC 6238.

use std::time::{SystemTime, UNIX_EPOCH};

use ring::hmac;

use super::{Bed, told};
use crate::client::Client;
use crate::harness::{ADMIN_PASSWORD, PASSWORD, Server};

const RULES: &str = "host all all all stored\n";

/// Gives a role a second factor and reads its secret from the notice.
fn enrol(client: &mut Client, role: &str) -> Vec<u8> {
    let reply = client.simple(&format!("ALTER ROLE {role} SET MFA TOTP"));
    assert!(reply.error.is_none(), "{:?}", reply.error);
    assert_eq!(reply.tags(), ["ALTER ROLE"]);
    let uri = reply.notices[0].field('D').to_owned();
    assert!(uri.starts_with("otpauth://totp/Tessera:"), "{uri}");
    let secret = uri
        .split("secret=")
        .nth(1)
        .and_then(|rest| rest.split('&').next());
    from_base32(secret.expect("a secret"))
}

fn from_base32(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = text
        .chars()
        .map(|letter| {
            format!(
                "{:05b}",
                alphabet.find(letter).expect("a letter of base 32")
            )
        })
        .collect();
    let bytes = bits.as_bytes().chunks_exact(8);
    bytes
        .map(|byte| {
            let byte = std::str::from_utf8(byte).expect("digits");
            u8::from_str_radix(byte, 2).expect("eight bits")
        })
        .collect()
}

fn step_now() -> u64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    now.as_secs() / 30
}

fn code(secret: &[u8], step: u64) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag[19] & 15);
    let word = u32::from_be_bytes(tag[at..at + 4].try_into().expect("four bytes")) & 0x7fff_ffff;
    format!("{:06}", word % 1_000_000)
}

#[test]
fn a_code_follows_the_password_and_counts_once_across_restarts() {
    let bed = Bed::new();
    let Some(mut server) = bed.serve(RULES, "", "") else {
        return;
    };
    let secret = enrol(&mut server.session("acme", "alice"), "CURRENT_USER");
    let attempt = |server: &_, role: &str, proof: &str| {
        let mut client = bed.dial(server, None);
        let outcome = client.log_in("acme", role, proof, &[]);
        (client.login_trace.clone(), outcome.map(|()| client))
    };
    let with = |code: &str| format!("{PASSWORD}{code}");
    // A step that is not over while the test goes on.
    let step = step_now();
    let (trace, inside) = attempt(&server, "alice", &with(&code(&secret, step)));
    assert_eq!(
        inside.expect("gets in").value("SELECT current_user"),
        "alice"
    );
    assert!(
        trace.starts_with("R3R0"),
        "the password itself is asked for: {trace}"
    );
    let wrong = [
        PASSWORD.to_owned(),
        with("000000"),
        format!("wrong{}", code(&secret, step + 1)),
        // A replay, of the step or of an earlier one.
        with(&code(&secret, step)),
        with(&code(&secret, step - 1)),
        with(&code(&secret, step + 1000)),
    ];
    let refused = |server: &_| {
        for proof in &wrong {
            let (trace, outcome) = attempt(server, "alice", proof);
            let error = outcome.err().unwrap_or_else(|| panic!("{proof} gets in"));
            assert_eq!(trace, "R3E");
            let words = "password authentication failed for user \"alice\"";
            assert_eq!(told(&error), ("28P01", "FATAL", words));
        }
    };
    refused(&server);
    server.stop();
    server.launch();
    refused(&server);
    server.kill();
    server.launch();
    refused(&server);
    let (_, inside) = attempt(&server, "alice", &with(&code(&secret, step + 1)));
    inside.expect("the next code counts");
    // The role of that name in another tenant has none.
    let other = bed.login(&server, None, ("globex", "alice", PASSWORD));
    assert_eq!(other.expect("gets in").value("SELECT 1"), "1");
    // Without TLS no code can be sent, and SCRAM cannot carry one.
    for proof in [PASSWORD.to_owned(), with(&code(&secret, step + 1))] {
        let error = server
            .login("acme", "alice", &proof)
            .err()
            .expect("refused");
        assert_eq!(error.code(), "28P01");
    }
}

#[test]
fn a_factor_is_taken_away_by_who_manages_roles() {
    let bed = Bed::new();
    let Some(server) = bed.serve(RULES, "", "") else {
        return;
    };
    let mut alice = server.session("acme", "alice");
    let secret = enrol(&mut alice, "alice");
    // Neither taken away nor replaced by the session that has it, nor set for others.
    for sql in [
        "ALTER ROLE alice RESET MFA",
        "ALTER ROLE alice SET MFA TOTP",
        "ALTER ROLE boss SET MFA TOTP",
        "ALTER ROLE boss RESET MFA",
    ] {
        assert_eq!(alice.fail(sql).code(), "42501", "{sql}");
    }
    assert_eq!(alice.fail("ALTER ROLE alice SET MFA SMS").code(), "42601");
    assert_eq!(alice.fail("ALTER ROLE admin SET MFA TOTP").code(), "42704");
    assert_eq!(
        alice
            .fail("ALTER ROLE boss IN TENANT globex SET MFA TOTP")
            .code(),
        "42501"
    );
    // The secret is nowhere to be seen.
    let mut operator = server.operator();
    let written = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let kept = std::fs::read(server.data().join("catalog.db")).expect("the catalog");
    assert!(!kept.windows(secret.len()).any(|window| window == secret));
    assert!(!server.log().contains(&written(&secret)) && !server.log().contains("otpauth"));
    assert_eq!(
        operator.value("SELECT count(*) FROM pg_authid WHERE rolpassword IS NOT NULL"),
        "0"
    );
    server
        .session("acme", "boss")
        .run("ALTER ROLE alice RESET MFA");
    let mut client = bed.dial(&server, None);
    client
        .log_in("acme", "alice", PASSWORD, &[])
        .expect("the password is enough again");
    operator.run("ALTER ROLE alice IN TENANT globex SET MFA TOTP");
    let refused = bed.login(&server, None, ("globex", "alice", PASSWORD));
    assert_eq!(refused.err().expect("refused").code(), "28P01");
    // The operator's own.
    let secret = enrol(&mut operator, "admin");
    let proof = format!("{ADMIN_PASSWORD}{}", code(&secret, step_now()));
    let refused = bed.login(&server, None, ("tessera", "admin", ADMIN_PASSWORD));
    assert!(refused.is_err());
    let mut again = bed
        .login(&server, None, ("acme", "admin", &proof))
        .expect("gets in");
    assert_eq!(again.value("SELECT current_tenant()"), "acme");
    let replayed = bed.login(&server, None, ("globex", "admin", &proof));
    assert!(
        replayed.is_err(),
        "a code counts once, whatever the database"
    );
}

#[test]
fn a_server_without_tls_gives_no_factor() {
    let Some(server) = Server::tessera() else {
        return;
    };
    server.two_tenants();
    let error = server
        .session("acme", "alice")
        .fail("ALTER ROLE alice SET MFA TOTP");
    assert_eq!(error.code(), "55000");
    assert_eq!(server.session("acme", "alice").value("SELECT 1"), "1");
}
