//! Tokens of an issuer, by OAUTHBEARER and in place of a password, with keys from a file and from a URL.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use postgres_protocol::message::frontend;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::Bed;
use crate::client::{Client, ServerError, error_fields};
use crate::harness::{PASSWORD, Tessera};

const RULES: &str = "\
host tessera admin  all           stored
host acme    all    127.0.0.1/32  oauth issuer=https://id.example scope=\"openid roles\"
host globex  all    127.0.0.1/32  jwt issuer=https://id.example map=people
host tessera oscar  127.0.0.1/32  jwt issuer=https://id.example
";

/// An issuer of the test's own.
struct Signer {
    key: Ed25519KeyPair,
    id: &'static str,
}

impl Signer {
    fn new(id: &'static str) -> Self {
        let random = ring::rand::SystemRandom::new();
        let pair = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
        let key = Ed25519KeyPair::from_pkcs8(pair.as_ref()).expect("a key");
        Self { key, id }
    }

    fn public(&self) -> Value {
        let x = BASE64URL.encode(self.key.public_key().as_ref());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": x, "use": "sig"})
    }

    fn token(&self, claims: &Value) -> String {
        let header = json!({"alg": "EdDSA", "kid": self.id});
        let part = |value: &Value| BASE64URL.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = BASE64URL.encode(self.key.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn token_for(&self, tenant: &str, roles: &[&str]) -> String {
        self.token(&claims(tenant, roles))
    }
}

fn claims(tenant: &str, roles: &[&str]) -> Value {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    json!({
        "iss": "https://id.example", "aud": "tessera", "exp": now.as_secs() + 600,
        "tenant": tenant, "realm": {"roles": roles},
    })
}

fn serve(bed: &Bed, source: &str) -> Option<Tessera> {
    let config = format!(
        "[[logins.issuers]]\nissuer = \"https://id.example\"\naudience = \"tessera\"\n{source}\n\
         tenant_claim = \"tenant\"\nrole_claim = \"/realm/roles\"\n"
    );
    let maps = "people analyst alice\npeople chief boss\n";
    let server = bed.serve(RULES, maps, &config)?;
    server.operator().run("CREATE ROLE oscar LOGIN");
    Some(server)
}

fn serve_with_file(bed: &Bed, signer: &Signer) -> Option<Tessera> {
    let keys = json!({"keys": [signer.public()]}).to_string();
    let file = bed.write("jwks.json", &keys);
    serve(bed, &format!("jwks_file = {file:?}"))
}

/// Logs in by OAUTHBEARER: what the server said before it was over, and how it ended.
fn bearer(
    server: &Tessera,
    database: &str,
    user: &str,
    token: Option<&str>,
) -> (String, Result<Client, ServerError>) {
    let mut client = Client::dial(server.address()).expect("connects");
    client.send(|buf| frontend::startup_message([("user", user), ("database", database)], buf));
    let offered = client.read();
    assert_eq!(offered.body, b"\0\0\0\x0aOAUTHBEARER\0\0", "{offered:?}");
    let token = token.map_or_else(String::new, |token| format!("Bearer {token}"));
    let first = format!("n,,\x01auth={token}\x01\x01");
    client.send(|buf| frontend::sasl_initial_response("OAUTHBEARER", first.as_bytes(), buf));
    let mut answer = client.read();
    let mut said = String::new();
    if answer.body.starts_with(b"\0\0\0\x0b") {
        said = String::from_utf8(answer.body[4..].to_vec()).expect("a text");
        client.send(|buf| frontend::sasl_response(b"\x01", buf));
        answer = client.read();
    }
    if answer.tag == 'E' {
        return (said, Err(error_fields(&answer.body)));
    }
    assert_eq!((answer.tag, answer.body.as_slice()), ('R', &[0; 4][..]));
    while client.read().tag != 'Z' {}
    (said, Ok(client))
}

#[test]
fn a_token_is_a_login_by_oauthbearer() {
    let (bed, signer) = (Bed::new(), Signer::new("one"));
    let Some(server) = serve_with_file(&bed, &signer) else {
        return;
    };
    let token = signer.token_for("acme", &["alice", "other"]);
    let (said, client) = bearer(&server, "acme", "alice", Some(&token));
    assert_eq!(said, "");
    assert_eq!(
        client.expect("gets in").value("SELECT current_user"),
        "alice"
    );
    // A client without a token is told where to get one.
    let (said, refused) = bearer(&server, "acme", "alice", None);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(
        said,
        json!({
            "status": "invalid_token", "scope": "openid roles",
            "openid-configuration": "https://id.example/.well-known/openid-configuration",
        })
    );
    let words = "OAuth bearer authentication failed for user \"alice\"";
    assert_eq!(
        super::told(&refused.err().expect("refused")),
        ("28000", "FATAL", words)
    );
}

#[test]
fn a_token_opens_its_tenant_and_roles_alone_and_does_not_say_why() {
    let (bed, signer) = (Bed::new(), Signer::new("one"));
    let Some(server) = serve_with_file(&bed, &signer) else {
        return;
    };
    let stranger = Signer::new("one");
    let mut expired = claims("acme", &["alice"]);
    expired["exp"] = json!(1000);
    let mut unasked = claims("acme", &["alice"]);
    unasked["aud"] = json!("another");
    let of_another = claims("acme", &["alice"]);
    let tried = [
        ("alice", signer.token_for("globex", &["alice"])),
        ("alice", signer.token_for("tessera", &["alice"])),
        ("alice", signer.token_for("acme", &["boss"])),
        ("nobody", signer.token_for("acme", &["nobody"])),
        ("tenant_admin", signer.token_for("acme", &["tenant_admin"])),
        ("admin", signer.token_for("acme", &["admin"])),
        ("alice", signer.token(&expired)),
        ("alice", signer.token(&unasked)),
        ("alice", stranger.token(&of_another)),
        ("alice", "no.token.this".to_owned()),
    ];
    let mut seen = Vec::new();
    for (user, token) in &tried {
        let (said, refused) = bearer(&server, "acme", user, Some(token));
        let error = refused.err().unwrap_or_else(|| panic!("{user} gets in"));
        let fields: Vec<String> = error.0.iter().map(|(k, v)| format!("{k}{v}")).collect();
        seen.push((said, fields.join("|").replace(user, "USER")));
        assert!(
            !server.log().contains(token.as_str()),
            "the log holds a token"
        );
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    // In a tenant that is not there no rule fits, whoever asks.
    let token = signer.token_for("nowhere", &["alice"]);
    let refused = server
        .login("nowhere", "alice", &token)
        .err()
        .expect("refused");
    assert_eq!(refused.code(), "28000");
}

#[test]
fn a_token_takes_the_place_of_a_password() {
    let (bed, signer) = (Bed::new(), Signer::new("one"));
    let Some(server) = serve_with_file(&bed, &signer) else {
        return;
    };
    let token = signer.token_for("globex", &["analyst"]);
    let mut client = server.login("globex", "alice", &token).expect("gets in");
    assert_eq!(client.value("SELECT current_tenant()"), "globex");
    for (user, token) in [
        ("boss", token.clone()),
        ("alice", signer.token_for("globex", &["alice"])),
        ("alice", signer.token_for("acme", &["analyst"])),
        ("nobody", token.clone()),
        ("alice", PASSWORD.to_owned()),
        ("alice", String::new()),
    ] {
        let error = server.login("globex", user, &token).err().expect("refused");
        let words = format!("password authentication failed for user \"{user}\"");
        assert_eq!(super::told(&error), ("28P01", "FATAL", words.as_str()));
    }
    // An operator's home is the system's database.
    let token = signer.token_for("tessera", &["oscar"]);
    let mut operator = server.login("tessera", "oscar", &token).expect("gets in");
    assert_eq!(operator.value("SELECT current_user"), "oscar");
    let token = signer.token_for("acme", &["oscar"]);
    assert!(server.login("tessera", "oscar", &token).is_err());
}

/// Serves a key set by HTTP, and counts how often it was asked.
fn serve_keys(keys: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
            let _ = write!(
                stream,
                "{head}\r\ncontent-length: {}\r\n\r\n{keys}",
                keys.len()
            );
        }
    });
    (url, asked)
}

#[test]
fn keys_come_from_a_url_and_are_kept() {
    let (bed, signer) = (Bed::new(), Signer::new("one"));
    let (url, asked) = serve_keys(json!({"keys": [signer.public()]}).to_string());
    let Some(server) = serve(&bed, &format!("jwks_url = {url:?}")) else {
        return;
    };
    let token = signer.token_for("globex", &["analyst"]);
    for _ in 0..5 {
        server.login("globex", "alice", &token).expect("gets in");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    // Tokens that name keys which are not there do not make the server ask each time.
    let unknown = Signer::new("two").token_for("globex", &["analyst"]);
    for _ in 0..5 {
        assert!(server.login("globex", "alice", &unknown).is_err());
    }
    assert!(asked.load(Ordering::SeqCst) <= 2);
}
