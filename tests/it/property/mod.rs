//! Generated statements over two tenants with secrets in every cell.
//!
//! Each statement runs as a role of acme. Two things must hold of everything that the server sends, be it
//! rows, errors, notices, tags, EXPLAIN or COPY. No byte of it is a secret of globex. And it is the same,
//! to the byte, after globex has put other secrets, and twenty times as many, in their place: what globex
//! has changes nothing that acme observes.
//!
//! Seeds that once found something stand in `tests/data/property_seeds.txt` and run each time;
//! `TESSERA_TEST_STATEMENTS` and `TESSERA_TEST_SEED` make a long run of others.

mod generator;
mod said;
mod world;

use generator::{Dice, statement};
use said::{Said, ask, holds, show};
use world::{fill, world};

/// What stands in every text of globex, and in every number, one after the other in two worlds.
const SECRETS: [(&str, &str); 2] = [("zqxglobexzqx", "48151623"), ("wvkglobexwvk", "42108151")];
/// The same for rows and columns of acme that its role does not see.
const HIDDEN: [(&str, &str); 2] = [("hjqhiddenhjq", "58151623"), ("kvjhiddenkvj", "52108151")];
/// Statements of each kept seed in an ordinary run.
const STATEMENTS: usize = 40;

/// Whether a statement leaves the tenant as it was when its admin says it.
fn is_harmless(sql: &str) -> bool {
    let first = sql.split(' ').next().unwrap_or_default();
    matches!(
        first,
        "SELECT" | "EXPLAIN" | "COPY" | "WITH" | "BEGIN;" | "PREPARE"
    )
}

/// The kept seeds, and how many statements each makes.
fn runs() -> Vec<(u64, usize)> {
    let variable = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    if let Some(statements) = variable("TESSERA_TEST_STATEMENTS") {
        let seed = variable("TESSERA_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()));
        println!("TESSERA_TEST_SEED={seed}");
        return vec![(seed, statements as usize)];
    }
    include_str!("../../data/property_seeds.txt")
        .lines()
        .filter_map(|line| line.split('#').next()?.trim().parse().ok())
        .map(|seed| (seed, STATEMENTS))
        .collect()
}

/// The runs' statements, each with where it comes from and whether its answer is the same each time.
fn statements() -> Vec<(String, String, bool)> {
    let mut statements = Vec::new();
    for (seed, count) in runs() {
        let mut dice = Dice(seed);
        for number in 0..count {
            let (sql, repeats) = statement(&mut dice);
            let place = format!("seed {seed}, statement {number}: {sql}");
            statements.push((place, sql, repeats));
        }
    }
    statements
}

#[test]
fn generated_statements_tell_nothing_of_another_tenant() {
    let Some(server) = world() else { return };
    let statements = statements();
    let mut before: Vec<Said> = Vec::new();
    let mut leaks: Vec<String> = Vec::new();
    let (mut answered, mut failed) = (0, 0);
    for (round, secret) in SECRETS.into_iter().enumerate() {
        let hidden = HIDDEN[round];
        fill(&server, secret, hidden, 15 + round * 300);
        let mut alice = server.session("acme", "alice");
        let mut boss = server.session("acme", "boss");
        boss.run("SET statement_timeout = '60s'");
        alice.run("SET statement_timeout = '60s'");
        for (index, (place, sql, repeats)) in statements.iter().enumerate() {
            let said = ask(&mut alice, sql);
            // What the client itself wrote may come back in an error.
            let mut secrets = [secret.0, secret.1, hidden.0, hidden.1].into_iter();
            if secrets.any(|secret| !sql.contains(secret) && holds(&said.raw, secret)) {
                leaks.push(format!("{place}\ntells a secret:\n{}", show(&said)));
            }
            let is_error = said.sorted.iter().any(|(tag, _)| *tag == 'E');
            *if is_error { &mut failed } else { &mut answered } += 1;
            if round == 0 {
                before.push(said);
            } else if *repeats && said.sorted != before[index].sorted {
                let (before, after) = (show(&before[index]), show(&said));
                leaks.push(format!("{place}\nbefore:\n{before}\nafter:\n{after}"));
            }
            // A transaction that an error left open, and what stays of a session.
            ask(&mut alice, "ROLLBACK");
            ask(
                &mut alice,
                "DEALLOCATE ALL; RESET search_path; RESET row_security",
            );
            // The tenant's admin sees all of its tenant, and no more.
            if index % 4 == 0 && is_harmless(sql) {
                let said = ask(&mut boss, sql);
                let mut secrets = [secret.0, secret.1].into_iter();
                if secrets.any(|secret| !sql.contains(secret) && holds(&said.raw, secret)) {
                    leaks.push(format!(
                        "{place}\ntells the admin a secret:\n{}",
                        show(&said)
                    ));
                }
                ask(&mut boss, "ROLLBACK");
                ask(
                    &mut boss,
                    "DEALLOCATE ALL; RESET search_path; RESET row_security",
                );
            }
        }
    }
    println!("{answered} statements answered, {failed} failed");
    let count = leaks.len();
    leaks.truncate(12);
    assert!(
        leaks.is_empty(),
        "{count} leaks, such as:\n{}",
        leaks.join("\n\n")
    );
    // A generator whose statements all fail proves nothing.
    assert!(answered > failed, "{answered} answered, {failed} failed");
}
