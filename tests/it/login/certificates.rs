//! Clients' certificates, by the test's own client and by psql.

use std::process::Command;

use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber, date_time_ymd,
};

use super::{Bed, authority, params, sign, told};
use crate::harness::{PASSWORD, Tessera};

const RULES: &str = "\
host    all     admin  all  stored
hostssl acme    boss   all  cert clientname=DN
hostssl acme    all    all  cert map=people clientname=SAN
hostssl globex  alice  all  scram-sha-256 clientcert=verify-full
hostssl globex  boss   all  scram-sha-256 clientcert=verify-ca
hostssl initech all    all  cert
";

const MAPS: &str = "people /^(.*)@acme\\.example$ \\1\n";

fn serve(bed: &Bed) -> Option<Tessera> {
    bed.serve(RULES, MAPS, "")
}

#[test]
fn a_certificate_is_a_login() {
    let bed = Bed::new();
    let Some(server) = serve(&bed) else { return };
    let alice = bed.identity(
        "someone",
        &["other@elsewhere.example", "alice@acme.example"],
    );
    let mut client = bed
        .login(&server, Some(&alice), ("acme", "alice", "none"))
        .expect("gets in");
    // No proof is asked for.
    assert!(
        client.login_trace.starts_with("R0"),
        "{}",
        client.login_trace
    );
    let shown = client.rows(
        "SELECT ssl, client_dn, client_serial > 0, issuer_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    assert_eq!(
        shown,
        [["t", "/CN=someone", "t", "/CN=Tessera's test authority"]]
    );
    let mut boss = bed
        .login(
            &server,
            Some(&bed.identity("boss", &[])),
            ("acme", "CN=boss", "none"),
        )
        .err()
        .expect("the user is boss, not the whole name");
    assert_eq!(boss.code(), "28000");
    boss = bed
        .login(&server, Some(&alice), ("acme", "nobody", "none"))
        .err()
        .expect("refused");
    let words = |user: &str| format!("certificate authentication failed for user \"{user}\"");
    assert_eq!(told(&boss), ("28000", "FATAL", words("nobody").as_str()));
    // A role that is there, and one that is not, of which the certificate says nothing.
    for user in ["bob", "admins", "tenant_admin"] {
        let refused = bed.login(&server, Some(&alice), ("acme", user, "none"));
        let error = refused.err().expect("refused");
        assert_eq!(told(&error), ("28000", "FATAL", words(user).as_str()));
    }
    // In a tenant that is not there nobody has a certificate.
    let unknown = bed.identity("alice", &[]);
    let refused = bed.login(&server, Some(&unknown), ("initech", "alice", "none"));
    let error = refused.err().expect("refused");
    assert_eq!(told(&error).2, words("alice"));
}

#[test]
fn without_a_good_certificate_nobody_gets_far() {
    let bed = Bed::new();
    let Some(server) = serve(&bed) else { return };
    for (tenant, user) in [("acme", "alice"), ("acme", "nobody"), ("globex", "alice")] {
        let refused = bed.login(&server, None, (tenant, user, PASSWORD));
        let error = refused.err().expect("refused");
        let words = "connection requires a valid client certificate";
        assert_eq!(told(&error), ("28000", "FATAL", words));
    }
    // One that another authority signed does not survive the handshake.
    let (stranger, _, _) = authority("Another authority");
    let foreign = sign(params("x", &["alice@acme.example"]), &stranger);
    let mut client = bed.dial(&server, Some(&foreign));
    let startup = b"\0\0\0\x22\0\x03\0\0user\0alice\0database\0acme\0\0";
    let _ = client.try_send_bytes(startup);
    assert_eq!(client.read_to_close(), b"");
    assert_eq!(server.operator().value("SELECT 1"), "1");
}

#[test]
fn a_revoked_certificate_is_none() {
    let bed = Bed::new();
    let of_number = |number: u64| {
        let mut params = params("x", &["alice@acme.example"]);
        params.serial_number = Some(SerialNumber::from(number));
        sign(params, &bed.authority)
    };
    let (revoked, good) = (of_number(77), of_number(78));
    let list = CertificateRevocationListParams {
        this_update: date_time_ymd(2026, 1, 1),
        next_update: date_time_ymd(2126, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(77),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    let list = list.signed_by(&bed.authority).expect("a list");
    bed.write("revoked.pem", &list.pem().expect("a text"));
    let Some(server) = serve(&bed) else { return };
    let mut client = bed
        .login(&server, Some(&good), ("acme", "alice", "none"))
        .expect("gets in");
    let sql = "SELECT client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(client.value(sql), "78");
    let mut client = bed.dial(&server, Some(&revoked));
    let startup = b"\0\0\0\x22\0\x03\0\0user\0alice\0database\0acme\0\0";
    let _ = client.try_send_bytes(startup);
    assert_eq!(client.read_to_close(), b"");
}

#[test]
fn a_certificate_beside_a_password() {
    let bed = Bed::new();
    let Some(server) = serve(&bed) else { return };
    let (alice, bob) = (bed.identity("alice", &[]), bed.identity("bob", &[]));
    let login =
        |identity, user, password| bed.login(&server, Some(identity), ("globex", user, password));
    login(&alice, "alice", PASSWORD).expect("gets in");
    login(&bob, "boss", PASSWORD).expect("any good certificate will do");
    for (identity, user, password) in [
        (&alice, "alice", "wrong"),
        (&bob, "alice", PASSWORD),
        (&bob, "boss", "wrong"),
    ] {
        let error = login(identity, user, password).err().expect("refused");
        assert_eq!(error.code(), "28P01", "{user}");
    }
}

#[test]
fn psql_logs_in_by_a_certificate() {
    let bed = Bed::new();
    let Some(server) = serve(&bed) else { return };
    if Command::new("psql").arg("--version").output().is_err() {
        eprintln!("psql is not installed");
        return;
    }
    let alice = bed.identity("x", &["alice@acme.example"]);
    bed.write("alice.pem", &alice.certificate);
    bed.write("alice.key", &alice.key);
    let secret = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(bed.path("alice.key"), secret).expect("the key is for its owner");
    let (host, port) = server.address().rsplit_once(':').expect("host:port");
    let psql = |user: &str| {
        let target = format!(
            "host={host} port={port} dbname=acme user={user} sslmode=verify-full sslrootcert={} \
             sslcert={} sslkey={}",
            bed.path("ca.pem").display(),
            bed.path("alice.pem").display(),
            bed.path("alice.key").display()
        );
        let sql = "SELECT current_user, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let mut psql = Command::new("psql");
        psql.args(["-X", "-w", "-A", "-t", "-c", sql, &target]);
        psql.env_remove("PGPASSWORD").output().expect("psql runs")
    };
    let output = psql("alice");
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(
        said.trim(),
        "alice|/CN=x",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let output = psql("bob");
    let said = String::from_utf8_lossy(&output.stderr);
    let words = "FATAL:  certificate authentication failed for user \"bob\"";
    assert!(!output.status.success() && said.contains(words), "{said}");
}
