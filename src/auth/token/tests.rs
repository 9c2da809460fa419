//! Keys and tokens of OpenSSL 3: `fixtures/jwks.json` holds the public keys, each line of
//! `fixtures/tokens.txt` what must come of a token at the time 1500, and the token.

use super::*;

fn issuer(folder: &std::path::Path) -> Issuer {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let file = folder.join("jwks.json");
    std::fs::write(&file, include_bytes!("fixtures/jwks.json")).unwrap();
    Issuer::new(IssuerSettings {
        issuer: "https://id.example".to_owned(),
        jwks_file: Some(file),
        jwks_url: None,
        jwks_ca_file: None,
        audience: "tessera".to_owned(),
        algorithms: vec![
            RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA,
        ],
        tenant: None,
        tenant_claim: Some("tenant".to_owned()),
        role_claim: "roles".to_owned(),
        scope: "openid".to_owned(),
        clock_skew_s: 30,
        jwks_refresh_s: 300,
        jwks_max_age_s: 3600,
    })
    .unwrap()
}

fn tokens() -> impl Iterator<Item = (&'static str, &'static str)> {
    include_str!("fixtures/tokens.txt")
        .lines()
        .map(|line| line.split_once('\t').unwrap())
}

#[tokio::test]
async fn tokens_of_openssl_count_when_all_of_them_holds() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = issuer(folder.path());
    let bearer = Bearer {
        tenants: vec!["acme".to_owned()],
        roles: vec!["alice".to_owned(), "staff".to_owned()],
    };
    for (expected, token) in tokens() {
        let checked = issuer.check(token, 1500).await;
        if expected.starts_with("fine") {
            assert_eq!(checked.as_ref(), Ok(&bearer), "{expected}: {token}");
        } else {
            let reason = checked.expect_err(token);
            assert!(reason.contains(expected), "{expected}: {reason}");
        }
    }
}

#[tokio::test]
async fn times_hold_to_the_second_beside_the_skew() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = issuer(folder.path());
    let (_, token) = tokens().find(|(name, _)| *name == "fine EdDSA").unwrap();
    for (now, fine) in [
        (969, false),
        (970, true),
        (2029, true),
        (2030, false),
        (i64::MAX, false),
    ] {
        assert_eq!(issuer.check(token, now).await.is_ok(), fine, "{now}");
    }
}

#[tokio::test]
async fn only_algorithms_of_the_operators_choice_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut issuer = issuer(folder.path());
    issuer.settings.algorithms = vec![Algorithm::ES256];
    for (name, token) in tokens().filter(|(name, _)| name.starts_with("fine")) {
        let fine = matches!(name, "fine ES256" | "fine without a name");
        assert_eq!(issuer.check(token, 1500).await.is_ok(), fine, "{name}");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = issuer(folder.path());
    std::fs::write(folder.path().join("jwks.json"), "[]").unwrap();
    let (_, token) = tokens().next().unwrap();
    let reason = issuer.check(token, 1500).await.unwrap_err();
    assert_eq!(reason, "the issuer's keys could not be read");
}

#[test]
fn claims_lie_where_they_are_said_to() {
    let claims = r#"{"roles": "one", "realm": {"roles": ["two", 3, "four"]}, "n": 5}"#;
    let Value::Object(claims) = serde_json::from_str(claims).unwrap() else {
        panic!("an object");
    };
    assert_eq!(texts(&claims, "roles"), ["one"]);
    assert_eq!(texts(&claims, "/realm/roles"), ["two", "four"]);
    for nothing in [
        "n",
        "none",
        "/realm",
        "/realm/roles/0/x",
        "/",
        "/none/roles",
    ] {
        assert!(texts(&claims, nothing).is_empty(), "{nothing}");
    }
}
