//! Foreign keys, as sessions side by side see them.

use crate::harness::Server;

const SCHEMA: &str = "
    CREATE TABLE p (id int PRIMARY KEY, n int);
    CREATE TABLE c (id int, p int REFERENCES p (id));
    INSERT INTO p SELECT n, 0 FROM generate_series(1, 20) g (n)";

#[test]
fn the_error_names_key_and_tables() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run(SCHEMA);
    let error = client.fail("INSERT INTO c VALUES (1, 5), (2, 77)");
    assert_eq!(error.code(), "23503");
    assert_eq!(
        error.message(),
        "insert or update on table \"c\" violates foreign key constraint \"c_p_fkey\""
    );
    assert_eq!(
        error.field('D'),
        "Key (p)=(77) is not present in table \"p\"."
    );
    assert_eq!(error.field('n'), "c_p_fkey");
    client.run("INSERT INTO c VALUES (1, 5)");
    let error = client.fail("DELETE FROM p WHERE id > 3");
    assert_eq!(error.code(), "23503");
    assert_eq!(
        error.message(),
        "update or delete on table \"p\" violates foreign key constraint \"c_p_fkey\" on table \"c\""
    );
    assert_eq!(
        error.field('D'),
        "Key (id)=(5) is still referenced from table \"c\"."
    );
}

#[test]
fn copy_keeps_to_foreign_keys() {
    let server = Server::start();
    let mut client = server.tenant().connect();
    client.run(SCHEMA);
    let missing = client.copy_in("COPY c FROM STDIN (FORMAT csv)", &[b"1,1\n2,99\n"]);
    assert_eq!(missing.code(), "23503");
    let fits = client.copy_in("COPY c FROM STDIN (FORMAT csv)", &[b"1,1\n2,\n3,20\n"]);
    assert_eq!(fits.code(), "");
    assert_eq!(client.value("SELECT count(*) FROM c"), "3");
    client.run("CREATE TABLE t (id int PRIMARY KEY, up int REFERENCES t)");
    let own = client.copy_in("COPY t FROM STDIN (FORMAT csv)", &[b"1,2\n2,3\n3,\n"]);
    assert_eq!(own.code(), "");
    let own = client.copy_in("COPY t FROM STDIN (FORMAT csv)", &[b"4,5\n"]);
    assert_eq!(own.code(), "23503");
}

#[test]
fn a_row_and_the_key_that_it_refers_to_do_not_pass_each_other() {
    let Some(server) = Server::tessera() else {
        // PostgreSQL lets the second wait.
        return;
    };
    let server = Server::Tessera(server);
    let tenant = server.tenant();
    let (mut one, mut two) = (tenant.connect(), tenant.connect());
    one.run(SCHEMA);
    // The key goes first.
    one.run("BEGIN");
    one.run("INSERT INTO c VALUES (1, 1)");
    two.run("DELETE FROM p WHERE id = 1");
    let error = one.fail("COMMIT");
    assert_eq!(error.code(), "23503");
    assert_eq!(
        error.field('D'),
        "Key (p)=(1) is not present in table \"p\"."
    );
    // The row comes first.
    two.run("BEGIN");
    two.run("DELETE FROM p WHERE id = 2");
    one.run("INSERT INTO c VALUES (1, 2)");
    let error = two.fail("COMMIT");
    assert_eq!(error.code(), "23503");
    assert_eq!(
        error.field('D'),
        "Key is still referenced from table \"c\"."
    );
    // A change that leaves the key as it is hinders nobody, and neither does one to another key.
    one.run("BEGIN");
    one.run("INSERT INTO c VALUES (2, 3)");
    two.run("UPDATE p SET n = n + 1");
    two.run("DELETE FROM p WHERE id = 4");
    one.run("COMMIT");
    two.run("BEGIN");
    two.run("DELETE FROM p WHERE id = 5");
    one.run("INSERT INTO c VALUES (3, 6)");
    two.run("COMMIT");
    assert_eq!(
        one.rows("SELECT id, p FROM c ORDER BY id"),
        [["1", "2"], ["2", "3"], ["3", "6"]]
    );
    // An update of a key, and rows beyond what is held in memory.
    two.run("BEGIN");
    two.run("UPDATE p SET id = 100 WHERE id = 7");
    one.run("INSERT INTO c SELECT n, 7 FROM generate_series(1, 10000) g (n)");
    assert_eq!(two.fail("COMMIT").code(), "23503");
    one.run("DELETE FROM c WHERE p = 7");
}

#[test]
fn a_new_foreign_key_and_rows_do_not_pass_each_other() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let server = Server::Tessera(server);
    let tenant = server.tenant();
    let (mut one, mut two) = (tenant.connect(), tenant.connect());
    one.run("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1), (2)");
    one.run("CREATE TABLE c (p int); INSERT INTO c VALUES (1)");
    // A key goes whose transaction began before the foreign key came.
    two.run("BEGIN");
    two.run("DELETE FROM p WHERE id = 1");
    one.run("ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p");
    assert_eq!(two.fail("COMMIT").code(), "40001");
    one.run("ALTER TABLE c DROP CONSTRAINT c_p_fkey");
    // The foreign key's transaction began before the key went.
    one.run("BEGIN");
    one.run("ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p");
    two.run("DELETE FROM p WHERE id = 1");
    assert_eq!(one.fail("COMMIT").code(), "40001");
    assert_eq!(
        one.fail("ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p")
            .code(),
        "23503"
    );
    // All in one transaction.
    one.run("BEGIN");
    one.run("DELETE FROM c");
    one.run("DELETE FROM p WHERE id = 2");
    one.run("ALTER TABLE c ADD FOREIGN KEY (p) REFERENCES p");
    one.run("COMMIT");
    assert_eq!(one.fail("INSERT INTO c VALUES (2)").code(), "23503");
}

#[test]
fn rows_and_keys_under_load_stay_together() {
    let server = Server::start();
    let tenant = server.tenant();
    tenant.connect().run(SCHEMA);
    std::thread::scope(|scope| {
        for session in 0..4 {
            let mut client = tenant.connect();
            scope.spawn(move || {
                for round in 0..20 {
                    let key = (session * 5 + round) % 20 + 1;
                    let sql = match (session + round) % 3 {
                        0 => format!("DELETE FROM p WHERE id = {key}"),
                        1 => format!("INSERT INTO p VALUES ({key}, {session})"),
                        _ => format!("INSERT INTO c VALUES ({session}, {key})"),
                    };
                    let code = client.simple(&sql).code().to_owned();
                    assert!(
                        ["", "23503", "23505", "40001"].contains(&code.as_str()),
                        "{sql}: {code}"
                    );
                }
            });
        }
    });
    let dangling = "SELECT count(*) FROM c LEFT JOIN p ON p.id = c.p WHERE p.id IS NULL";
    assert_eq!(tenant.connect().value(dangling), "0");
}
