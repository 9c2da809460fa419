//! Policies and masks of one tenant bind and show nothing in another; the operator's bind all.

use super::{FOREIGN, prepare, told};

#[test]
fn policies_and_masks_stop_at_the_border() {
    let Some(server) = prepare() else { return };
    let mut globex = server.session("globex", "boss");
    for sql in [
        "CREATE POLICY launch ON secret TO gina USING (word = 'launch code 7000')",
        "ALTER TABLE secret ENABLE ROW LEVEL SECURITY",
        "CREATE MASKING POLICY launch USING ('7000') TO gina",
        "ALTER TABLE secret ALTER COLUMN word SET MASKING POLICY launch",
        "CREATE POLICY launch ON sales TO gina USING (true)",
    ] {
        globex.run(sql);
    }
    let mut acme = server.session("acme", "boss");
    for sql in [
        "SELECT * FROM pg_policies",
        "SELECT * FROM pg_policy",
        "SELECT * FROM tessera.masking_policies",
        "SELECT * FROM tessera.column_masks",
        "SELECT relname FROM pg_class WHERE relrowsecurity",
    ] {
        let reply = acme.simple(sql);
        assert!(reply.error.is_none(), "{sql}: {:?}", reply.error);
        let text = told(&reply);
        assert!(
            FOREIGN.iter().all(|foreign| !text.contains(foreign)),
            "{sql}: {text}"
        );
    }
    // What globex has answers as what nobody has.
    for template in [
        "CREATE POLICY p ON {} USING (true)",
        "CREATE POLICY p ON sales USING (id IN (SELECT id FROM {}))",
        "ALTER TABLE {} ENABLE ROW LEVEL SECURITY",
        "DROP POLICY launch ON {}",
        "ALTER TABLE {} ALTER COLUMN word SET MASKING POLICY launch",
    ] {
        let ours = acme.fail(&template.replace("{}", "secret"));
        let nobodys = acme.fail(&template.replace("{}", "nosuch"));
        assert_eq!(ours.code(), nobodys.code(), "{template}");
        assert_eq!(
            ours.message().replace("secret", "nosuch"),
            nobodys.message(),
            "{template}"
        );
    }
    assert_eq!(
        acme.fail("CREATE POLICY p ON sales TO gina USING (true)")
            .message(),
        "role \"gina\" does not exist"
    );
    assert_eq!(
        acme.fail("ALTER TABLE sales ALTER COLUMN amount SET MASKING POLICY launch")
            .message(),
        "masking policy \"launch\" does not exist"
    );
    assert_eq!(
        acme.fail("CREATE POLICY p ON sales TO alice IN TENANT globex USING (true)")
            .code(),
        "42501"
    );
    // The same names are free here.
    acme.run("CREATE MASKING POLICY launch USING FULL");
    acme.run("DROP MASKING POLICY launch");
}

#[test]
fn the_operators_policies_bind_open_sessions_at_once() {
    let Some(server) = prepare() else { return };
    let mut operator = server.operator();
    let mut acme = server.session("acme", "boss");
    let mut globex = server.session("globex", "boss");
    let count = "SELECT count(*) FROM sales";
    for session in [&mut acme, &mut globex] {
        session.run("PREPARE q AS SELECT count(*) FROM sales");
        assert_ne!(session.value("EXECUTE q"), "0");
    }
    operator.run("ALTER TABLE sales ENABLE ROW LEVEL SECURITY");
    for session in [&mut acme, &mut globex] {
        assert_eq!(session.value("EXECUTE q"), "0");
        assert_eq!(session.value(count), "0");
        assert_eq!(
            session
                .fail("INSERT INTO sales (id, amount) VALUES (1, 1)")
                .code(),
            "42501"
        );
        // Nothing of a tenant's own lifts it.
        session.run("CREATE POLICY mine ON sales USING (true)");
        session.run("ALTER TABLE sales ENABLE ROW LEVEL SECURITY");
        session.run("ALTER TABLE sales DISABLE ROW LEVEL SECURITY");
        assert_eq!(session.value(count), "0");
    }
    operator
        .run("CREATE POLICY of_acme ON sales TO tenant_admin USING (current_tenant() = 'acme')");
    assert_ne!(acme.value("EXECUTE q"), "0");
    assert_eq!(globex.value("EXECUTE q"), "0");
    operator.run("CREATE POLICY of_alice ON sales TO alice IN TENANT globex USING (true)");
    assert_eq!(globex.value("EXECUTE q"), "0");
    let mut alice = server.session("globex", "alice");
    globex.run("GRANT SELECT ON sales TO alice");
    assert_ne!(alice.value(count), "0");
    acme.run("GRANT SELECT ON sales TO alice");
    let mut alice = server.session("acme", "alice");
    assert_eq!(alice.value(count), "0");
    operator.run("ALTER TABLE sales DISABLE ROW LEVEL SECURITY");
    assert_ne!(globex.value("EXECUTE q"), "0");
}
