//! What the server says, in a form in which two answers compare.

use std::fmt::Write as _;

use postgres_protocol::message::frontend;

use crate::client::Client;

/// Everything that the server says to a Query message: as it came, and with the rows in order.
pub(super) struct Said {
    pub(super) raw: Vec<u8>,
    pub(super) sorted: Vec<(char, Vec<u8>)>,
}

/// Columns without the numbers of their tables, which count what the tenant itself has made.
fn without_tables(mut body: Vec<u8>) -> Vec<u8> {
    const OF_COLUMN: usize = 18;
    let mut at = 2;
    while let Some(length) = body
        .get(at..)
        .and_then(|rest| rest.iter().position(|b| *b == 0))
    {
        let table = at + length + 1;
        if let Some(bytes) = body.get_mut(table..table + 4) {
            bytes.fill(0);
        }
        at = table + OF_COLUMN;
    }
    body
}

/// A row of binary COPY without the header, which comes with whichever row is first.
fn without_header(body: Vec<u8>) -> Vec<u8> {
    const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
    match body.strip_prefix(HEADER) {
        Some(rest) => rest.to_vec(),
        None => body,
    }
}

/// A line of EXPLAIN ANALYZE with the counts of rows alone, or nothing where it tells a time.
fn without_times(body: Vec<u8>) -> Vec<u8> {
    if holds(&body, "execution time: ") {
        return Vec::new();
    }
    let Some(start) = find(&body, b"metrics=[") else {
        return body;
    };
    let line = String::from_utf8_lossy(body.get(6..start).unwrap_or_default()).into_owned();
    let metrics = String::from_utf8_lossy(&body[start..]).into_owned();
    let rows = metrics
        .split(['[', ',', ']'])
        .find(|item| item.trim().starts_with("output_rows="));
    format!("{line}{}", rows.unwrap_or_default()).into_bytes()
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}

/// A message without the numbers that the engine gives to expressions: they count what the tenant's own
/// sessions have planned.
fn without_numbers(body: Vec<u8>) -> Vec<u8> {
    const NUMBERED: &str = "__common_expr_";
    let body = without_times(body);
    if !holds(&body, NUMBERED) {
        return body;
    }
    // What tells a row's length goes with them.
    let line = String::from_utf8_lossy(body.get(6..).unwrap_or_default());
    let mut pieces = line.split(NUMBERED);
    let mut kept = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        kept.push_str(NUMBERED);
        kept.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    kept.into_bytes()
}

pub(super) fn ask(client: &mut Client, sql: &str) -> Said {
    client.send(|buf| frontend::query(sql, buf));
    let mut said = Said {
        raw: Vec::new(),
        sorted: Vec::new(),
    };
    loop {
        let message = client
            .try_read()
            .expect("the server answers in time")
            .unwrap_or_else(|| panic!("{sql}: the connection was closed"));
        said.raw.extend_from_slice(&message.body);
        said.raw.push(0);
        let is_last = message.tag == 'Z';
        let body = match message.tag {
            'T' => without_tables(message.body),
            'd' => without_header(message.body),
            _ => without_numbers(message.body),
        };
        said.sorted.push((message.tag, body));
        if is_last {
            break;
        }
    }
    // Rows without an order may come in any.
    let mut from = 0;
    while from < said.sorted.len() {
        let is_row = |tag: char| tag == 'D' || tag == 'd';
        let run = said.sorted[from..]
            .iter()
            .take_while(|(tag, _)| is_row(*tag));
        let to = from + run.count();
        said.sorted[from..to].sort();
        from = to + 1;
    }
    said
}

/// Whether bytes hold others; texts in either case.
pub(super) fn holds(bytes: &[u8], secret: &str) -> bool {
    let lower = bytes.to_ascii_lowercase();
    lower
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

pub(super) fn show(said: &Said) -> String {
    let mut text = String::new();
    for (tag, body) in &said.sorted {
        let _ = writeln!(text, "{tag} {}", String::from_utf8_lossy(body));
    }
    text
}
