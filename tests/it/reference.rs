//! The manual of the functions, `docs/functions.md`: every example is run, and its answer stands in the manual.
//!
//! `TESSERA_DOCS_UPDATE=1 cargo test --test it -- reference` writes the manual anew; read the diff before you keep it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use tessera_udfs::listing;
use tessera_udfs::reference::{EXAMPLE_TABLES, Page, chapters};

use crate::client::Client;
use crate::harness::{PASSWORD, Server, Tessera, quoted};

const MANUAL: &str = "docs/functions.md";

/// Longer signatures take a line for each argument.
const WIDTH: usize = 110;

const HEAD: &str = "# Functions\n\n\
Made by `TESSERA_DOCS_UPDATE=1 cargo test --test it -- reference` from `udfs/src/reference`; a test runs every example.\n\n\
Arguments go by name (`horizon => 12`) or, in functions of rows, by place; those with a default may be left out. \
`\\df` in psql shows the same signatures.\n\n";

#[test]
fn the_manual_tells_what_the_functions_do() {
    let Some(server) = Server::tessera() else {
        return;
    };
    let found = manual(&server);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(MANUAL);
    if std::env::var_os("TESSERA_DOCS_UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, found).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, (found, kept)) in found.lines().zip(kept.lines()).enumerate() {
        assert_eq!(found, kept, "{MANUAL}:{}", line + 1);
    }
    assert_eq!(found.lines().count(), kept.lines().count(), "{MANUAL}");
}

#[test]
fn every_function_has_one_page() {
    let pages: Vec<&str> = chapters()
        .into_iter()
        .flat_map(|chapter| chapter.pages)
        .map(|page| page.name)
        .collect();
    let written: BTreeSet<&str> = pages.iter().copied().collect();
    assert_eq!(written.len(), pages.len(), "a function has two pages");
    let listed: BTreeSet<&str> = listing().iter().map(|function| function.name).collect();
    let unknown: Vec<_> = written.difference(&listed).collect();
    assert!(unknown.is_empty(), "pages of no function: {unknown:?}");
    let missing: Vec<_> = listed.difference(&written).collect();
    assert!(missing.is_empty(), "functions without a page: {missing:?}");
}

fn manual(server: &Tessera) -> String {
    let password = quoted(PASSWORD);
    server.operator().run(&format!(
        "CREATE TENANT manual WITH (admin = 'boss', password = '{password}')"
    ));
    let mut client = server.session("manual", "boss");
    let mut text = HEAD.to_owned();
    for chapter in chapters() {
        let link = |page: &Page| format!("[`{0}`](#{0})", page.name);
        let names: Vec<String> = chapter.pages.iter().map(link).collect();
        writeln!(text, "- **{}**: {}", chapter.title, names.join(", ")).unwrap();
    }
    text.push_str("\n## The examples' tables\n\n```sql\n");
    for statement in EXAMPLE_TABLES {
        client.run(statement);
        writeln!(text, "{statement};").unwrap();
    }
    text.push_str("```\n");
    for chapter in chapters() {
        writeln!(text, "\n## {}\n\n{}", chapter.title, chapter.introduction).unwrap();
        for page in chapter.pages {
            text.push_str(&page_text(&mut client, page));
        }
    }
    text
}

fn page_text(client: &mut Client, page: &Page) -> String {
    let Page {
        name,
        text,
        example,
    } = page;
    let signature = signature(client, name);
    let reply = client.simple(example);
    assert!(reply.error.is_none(), "{example}\n{:?}", reply.error);
    let answer = &reply.answers[0];
    let names: Vec<String> = answer.columns.iter().map(|c| c.name.clone()).collect();
    let rows = aligned(&names, &answer.text());
    format!(
        "\n### {name}\n\n```sql\n{signature}\n```\n\n{text}\n\n```sql\n{example};\n```\n```text\n{rows}```\n"
    )
}

/// The arguments with their defaults and the result, as `\df` shows them.
fn signature(client: &mut Client, name: &str) -> String {
    let found = client.rows(&format!(
        "SELECT pg_get_function_arguments(oid), pg_get_function_result(oid), prokind FROM pg_proc WHERE proname = '{name}'"
    ));
    let [row] = found.as_slice() else {
        panic!("{name} is {} functions", found.len());
    };
    let over = if row[2] == "w" { " OVER (…)" } else { "" };
    let one_line = format!("{name}({}){over} → {}", row[0], row[1]);
    if one_line.chars().count() <= WIDTH {
        return one_line;
    }
    let arguments = row[0].replace(", ", ",\n    ");
    format!("{name}(\n    {arguments}\n){over} → {}", row[1])
}

/// As psql shows it, without the count of rows.
fn aligned(names: &[String], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells
            .chain([names[column].chars().count()])
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |cells: &[String]| {
        let cells = cells.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!(" {cell:<width$}"))
            .collect();
        cells.join(" |").trim_end().to_owned() + "\n"
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    let mut text = line(names) + &rule.join("+") + "\n";
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text
}
