use std::sync::Arc;

use super::*;
use tessera_catalog::id::TenantId;

struct Fixed(Vec<Candidate>, f64);

#[async_trait]
impl Directory for Fixed {
    async fn find(&self, user: &str, _database: &str) -> Result<Option<Candidate>> {
        Ok(self
            .0
            .iter()
            .find(|candidate| candidate.user == user)
            .cloned())
    }
    async fn password_share(&self) -> f64 {
        self.1
    }
    async fn spend_code(&self, _owner: Owner, _step: i64) -> Result<bool> {
        Ok(true)
    }
}

fn candidate(user: &str) -> Candidate {
    Candidate {
        user: user.to_owned(),
        role: Oid(1 << 30),
        operator: false,
        superuser: false,
        can_login: true,
        suspended: false,
        password: Some(Verifier::generate("secret", 4096).to_string()),
        second_factor: None,
        valid_until: None,
        role_connection_limit: -1,
        home: (DatabaseId::Tenant(TenantId::generate()), "acme".to_owned()),
        groups: vec![user.to_owned()],
        database: Some((DatabaseId::Tenant(TenantId::generate()), "acme".to_owned())),
        may_connect: true,
        database_connection_limit: None,
    }
}

fn authenticator(candidates: Vec<Candidate>, share: f64) -> Authenticator {
    let directory = Arc::new(Fixed(candidates, share));
    Authenticator::new(directory, Arc::default(), &[], [7; 32]).unwrap()
}

/// The answer to a first message, without the nonce.
async fn shown(authenticator: &Authenticator, user: &str, database: &str) -> String {
    let mut attempt = authenticator
        .begin(user, database, Channel::default())
        .await
        .unwrap();
    let Method::Scram(exchange) = attempt.method() else {
        panic!("not SCRAM")
    };
    let first = exchange.first(scram::SCRAM, b"n,,n=,r=x").unwrap();
    String::from_utf8(first)
        .unwrap()
        .split_once(',')
        .unwrap()
        .1
        .to_owned()
}

#[tokio::test]
async fn unknown_names_look_like_known_ones() {
    let mut locked = candidate("locked");
    locked.can_login = false;
    let mut expired = candidate("expired");
    expired.valid_until = Some(0);
    let server = authenticator(vec![candidate("alice"), locked, expired], 0.0);
    let length = shown(&server, "alice", "acme").await.len();
    for user in ["nobody", "locked", "expired"] {
        let first = shown(&server, user, "acme").await;
        assert_eq!(first.len(), length);
        assert_eq!(first, shown(&server, user, "acme").await);
        assert_ne!(first, shown(&server, user, "globex").await);
    }
}

#[tokio::test]
async fn unknown_names_draw_their_method_by_the_share_of_roles() {
    let server = authenticator(vec![], 0.25);
    let tls = Channel {
        tls: true,
        ..Channel::default()
    };
    let mut by_password = 0;
    for user in 0..400 {
        let mut attempt = server
            .begin(&user.to_string(), "acme", tls.clone())
            .await
            .unwrap();
        by_password += usize::from(matches!(attempt.method(), Method::Password));
        let mut plain = server
            .begin(&user.to_string(), "acme", Channel::default())
            .await
            .unwrap();
        assert!(matches!(plain.method(), Method::Scram(_)));
    }
    assert!((60..140).contains(&by_password), "{by_password}");
}

#[tokio::test]
async fn sessions_are_counted_for_the_tenant_the_role_and_the_server() {
    let mut alice = candidate("alice");
    alice.role_connection_limit = 1;
    let mut bob = candidate("bob");
    bob.database = alice.database.clone();
    bob.role = Oid((1 << 30) + 1);
    (
        alice.database_connection_limit,
        bob.database_connection_limit,
    ) = (Some(2), Some(2));
    let mut admin = candidate("admin");
    (admin.operator, admin.superuser) = (true, true);
    let server = authenticator(vec![alice, bob, admin], 0.0);
    let limits = ConnectionLimits::new(4, 1);
    let admit = async |user: &str| {
        server
            .begin(user, "acme", Channel::default())
            .await
            .unwrap()
            .prove()
            .admit(&limits)
    };
    let message = |result: Result<(Login, Slot)>| result.unwrap_err().to_string();
    let first = admit("alice").await.unwrap();
    assert_eq!(
        message(admit("alice").await),
        "too many connections for role \"alice\""
    );
    let _second = admit("bob").await.unwrap();
    assert_eq!(
        message(admit("bob").await),
        "too many connections for database \"acme\""
    );
    drop(first);
    let _third = admit("bob").await.unwrap();
    let _fourth = admit("admin").await.unwrap();
    assert!(message(admit("alice").await).starts_with("remaining connection slots"));
    let _fifth = admit("admin").await.unwrap();
    assert_eq!(
        message(admit("admin").await),
        "sorry, too many clients already"
    );
}

#[tokio::test]
async fn only_who_is_known_learns_that_a_database_is_not() {
    let mut admin = candidate("admin");
    admin.database = None;
    let server = authenticator(vec![admin], 0.0);
    let limits = ConnectionLimits::new(4, 1);
    let mut attempt = server
        .begin("admin", "nowhere", Channel::default())
        .await
        .unwrap()
        .prove();
    assert!(matches!(
        attempt.admit(&limits),
        Err(Error::NoSuchDatabase(_))
    ));
    let mut attempt = server
        .begin("nobody", "nowhere", Channel::default())
        .await
        .unwrap()
        .prove();
    assert!(matches!(
        attempt.admit(&limits),
        Err(Error::InvalidPassword(_))
    ));
}

#[tokio::test]
async fn without_a_right_proof_nobody_is_admitted() {
    let server = authenticator(vec![candidate("alice")], 0.0);
    let limits = ConnectionLimits::new(4, 1);
    let mut attempt = server
        .begin("alice", "acme", Channel::default())
        .await
        .unwrap();
    assert!(matches!(
        attempt.admit(&limits),
        Err(Error::InvalidPassword(_))
    ));
    assert!(matches!(attempt.pass(), Err(Error::InvalidPassword(_))));
}
