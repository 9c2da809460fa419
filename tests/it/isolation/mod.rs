//! Every kind of statement tried across the tenant border.
//!
//! Two ways of looking. What a tenant can write about rows must answer from its own rows alone.
//! What it can write about names must answer the same, to the letter, whether another tenant has
//! that name or nobody has.

mod catalogs;
mod locks;
mod names;
mod policies;
mod rows;

use crate::client::Reply;
use crate::harness::{PASSWORD, Server, Tessera, quoted};

/// What only globex has; none of it may ever reach acme.
const FOREIGN: &[&str] = &["globex", "7000", "launch", "gina"];

/// Two tenants, and in globex a table, view, schema and role of its own.
fn prepare() -> Option<Tessera> {
    let server = Server::tessera()?;
    let mut operator = server.two_tenants();
    operator.run(&format!(
        "CREATE ROLE gina IN TENANT globex LOGIN PASSWORD '{}'",
        quoted(PASSWORD)
    ));
    let mut globex = server.session("globex", "boss");
    for sql in [
        "CREATE TABLE secret (id int PRIMARY KEY NOT ENFORCED, word text)",
        "INSERT INTO secret VALUES (1, 'launch code 7000'), (2, 'launch date')",
        "CREATE VIEW secret_view AS SELECT word FROM secret",
        "CREATE SCHEMA secret_schema",
        "CREATE TYPE secret_mood AS ENUM ('launch', 'hold')",
        "CREATE DOMAIN secret_size AS int CONSTRAINT launch_size CHECK (VALUE > 7000)",
        "CREATE TABLE secret_types (m secret_mood, s secret_size)",
        "CREATE TABLE secret_schema.inner_secret (id int)",
        "COMMENT ON TABLE secret IS 'launch plans'",
    ] {
        globex.run(sql);
    }
    Some(server)
}

/// Everything a reply says, in one string.
fn told(reply: &Reply) -> String {
    let fields = |error: &crate::client::ServerError| {
        let fields = error
            .0
            .iter()
            .filter(|(letter, _)| !"FLR".contains(**letter));
        fields
            .map(|(letter, text)| format!("{letter}={text}\n"))
            .collect::<String>()
    };
    let mut text = String::new();
    for answer in &reply.answers {
        answer
            .columns
            .iter()
            .for_each(|column| text.push_str(&format!("{} ", column.name)));
        answer
            .text()
            .iter()
            .for_each(|row| text.push_str(&format!("{row:?}\n")));
        text.push_str(answer.tag.as_deref().unwrap_or_default());
    }
    reply
        .error
        .iter()
        .chain(&reply.notices)
        .for_each(|error| text.push_str(&fields(error)));
    text
}

#[track_caller]
fn assert_own(sql: &str, text: &str) {
    for foreign in FOREIGN {
        assert!(
            !text.contains(foreign),
            "{sql}\ntells of {foreign}:\n{text}"
        );
    }
}
