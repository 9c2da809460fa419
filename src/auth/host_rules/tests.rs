use super::files::{read_maps, read_rules};
use super::*;

/// What PostgreSQL 15's `pg_hba_file_rules.error` says of these lines, but where it says so.
#[test]
fn wrong_lines_are_told_in_postgresqls_words() {
    for (line, expected) in [
        (
            "hots all all all reject",
            "invalid connection type \"hots\"",
        ),
        ("host", "end-of-line before database specification"),
        ("host all", "end-of-line before role specification"),
        (
            "host all all",
            "end-of-line before IP address specification",
        ),
        (
            "host all all 10.0.0.1",
            "end-of-line before netmask specification",
        ),
        (
            "host all all all",
            "end-of-line before authentication method",
        ),
        (
            "host all all 10.0.0.0/33 reject",
            "invalid CIDR mask in address \"10.0.0.0/33\"",
        ),
        (
            "host all all 10.0.0.0 ffff:: reject",
            "IP address and mask do not match",
        ),
        (
            "host all all all nothing",
            "invalid authentication method \"nothing\"",
        ),
        (
            "host all all all ldap",
            "invalid authentication method \"ldap\": not supported by this build",
        ),
        (
            "host all all all cert",
            "cert authentication is only supported on hostssl connections",
        ),
        (
            "host all all all scram-sha-256 clientcert=verify-ca",
            "clientcert can only be configured for \"hostssl\" rows",
        ),
        (
            "hostssl all all all cert clientcert=verify-ca",
            "clientcert can only be set to \"verify-full\" when using \"cert\" authentication",
        ),
        (
            "hostssl all all all scram-sha-256 clientcert=1",
            "invalid value for clientcert: \"1\"",
        ),
        (
            "host all all all reject map",
            "authentication option not in name=value format: map",
        ),
        (
            "host all all all reject color=red",
            "unrecognized authentication option name: \"color\"",
        ),
        // Ours.
        (
            "local all all reject",
            "local connections are not supported",
        ),
        (
            "host all all db.example.com reject",
            "host names are not supported: \"db.example.com\"",
        ),
        (
            "host all all samenet reject",
            "\"samenet\" is not supported",
        ),
        (
            "host @tenants all all reject",
            "names from a file are not supported: @tenants",
        ),
        (
            "host all all all jwt",
            "authentication method \"jwt\" requires argument \"issuer\" to be set",
        ),
    ] {
        let (_, rule) = read_rules(line).remove(0);
        assert_eq!(rule.unwrap_err(), expected, "{line}");
    }
}

#[test]
fn nobody_but_the_machine_itself_is_trusted() {
    for (address, fine) in [
        ("127.0.0.1/32", true),
        ("127.0.0.0/8", true),
        ("127.0.0.1 255.255.255.255", true),
        ("::1/128", true),
        ("127.0.0.0/7", false),
        ("::1/127", false),
        ("10.0.0.1/32", false),
        ("samehost", false),
        ("all", false),
    ] {
        let (_, rule) = read_rules(&format!("host all all {address} trust")).remove(0);
        assert_eq!(rule.is_ok(), fine, "{address}");
    }
}

fn rules(text: &str) -> HostRules {
    let rules = read_rules(text).into_iter();
    HostRules {
        rules: rules.map(|(_, rule)| Arc::new(rule.unwrap())).collect(),
        maps: IdentityMap::default(),
    }
}

#[test]
fn the_first_rule_that_fits_decides() {
    let rules = rules(
        "# who           from where\n\
         hostnossl all all 0.0.0.0/0 reject\n\
         \n\
         host acme, globex +staff,bob 10.1.0.0/16 scram-sha-256 # the office\n\
         host sameuser all samehost password\n\
         host \"all\" \"+staff\" all argon2id\n\
         host replication all all reject\n\
         host all all 2001:db8::/32 \\\n\
         stored\n",
    );
    let staff = ["alice".to_owned(), "staff".to_owned()];
    let fit = |tls: bool, database: &str, user: &str, groups: &[String], peer: &str| {
        let connection = Connection {
            tls,
            peer: Some(peer.parse().unwrap()),
            local: Some("10.9.9.9".parse().unwrap()),
            database,
            user,
            groups,
        };
        rules.deciding(&connection).map(|rule| rule.line)
    };
    assert_eq!(fit(false, "acme", "alice", &staff, "10.1.2.3"), Some(2));
    assert_eq!(fit(true, "acme", "alice", &staff, "10.1.2.3"), Some(4));
    assert_eq!(
        fit(true, "acme", "alice", &staff, "::ffff:10.1.2.3"),
        Some(4)
    );
    assert_eq!(fit(true, "globex", "bob", &[], "10.1.2.3"), Some(4));
    assert_eq!(fit(true, "globex", "alice", &[], "10.1.2.3"), None);
    assert_eq!(fit(true, "initech", "bob", &[], "10.1.2.3"), None);
    assert_eq!(fit(true, "bob", "bob", &[], "10.9.9.9"), Some(5));
    assert_eq!(fit(true, "bob", "bob", &[], "127.0.0.1"), Some(5));
    assert_eq!(fit(true, "bob", "bob", &[], "10.9.9.8"), None);
    assert_eq!(fit(true, "all", "+staff", &[], "10.9.9.8"), Some(6));
    assert_eq!(fit(true, "replication", "bob", &[], "10.9.9.8"), None);
    assert_eq!(fit(true, "acme", "bob", &[], "2001:db8::7"), Some(8));
    assert_eq!(fit(true, "acme", "bob", &[], "2001:db9::7"), None);
}

#[test]
fn maps_say_who_may_be_whom() {
    let maps = read_maps(
        "m alice.liddell alice\n\
         m /^(.*)@acme\\.example$ \\1\n\
         other eve admin\n",
    );
    let mappings = maps.into_iter().map(|(_, mapping)| mapping.unwrap());
    let map = IdentityMap {
        mappings: mappings.collect(),
    };
    assert!(map.allows(None, "alice", "alice"));
    assert!(!map.allows(None, "alice.liddell", "alice"));
    assert!(map.allows(Some("m"), "alice.liddell", "alice"));
    assert!(!map.allows(Some("m"), "alice", "alice"));
    assert!(map.allows(Some("m"), "bob@acme.example", "bob"));
    assert!(!map.allows(Some("m"), "bob@acme.example.org", "bob"));
    assert!(!map.allows(Some("m"), "eve", "admin"));
    assert!(!map.allows(Some("none"), "eve", "admin"));
    for wrong in ["m alice", "m /( alice", "m /x \\1", "m a,b c"] {
        let (_, mapping) = read_maps(wrong).remove(0);
        assert!(mapping.is_err(), "{wrong}");
    }
}
