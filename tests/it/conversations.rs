//! Conversations in PostgreSQL's protocol, as text files in `tests/conversations`.
//!
//! A file holds what a client sends and which messages must come back, in order and complete:
//!
//! ```text
//! # a comment
//! ! CREATE TABLE t (a int)          SQL that must succeed, before anything is said
//! only tessera                      what PostgreSQL 15 does not do; left out of a run against it
//! [b]                               goes on with another connection; the first is [a]
//! > Parse s types=23: SELECT $1     lines that follow each other are sent in one write
//! > Bind portal=p statement=s values=1
//! > Sync
//! < ParseComplete
//! ? SELECT true                     waits until this says t, on a connection of its own
//! < closed
//! ```
//!
//! What can be sent stands in [`write`]. `TESSERA_CONVERSATIONS_UPDATE=1` with `TESSERA_TEST_PG` writes the
//! `<` lines as PostgreSQL answers. `tests/conversations/not_yet.txt` names files that must still fail.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::{BufMut, BytesMut};
use postgres_protocol::message::frontend;

use crate::client::{Client, Cursor, Message, bind, columns, error_fields, values};
use crate::harness::{Server, Tenant};

/// How long nothing may come before an answer that is written down counts as whole.
const SILENCE: Duration = Duration::from_millis(700);
/// How long a `?` may wait.
const WAIT: Duration = Duration::from_secs(30);
/// What the protocol calls 3.0.
const PROTOCOL_3: u32 = 3 << 16;
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 48];

/// One run of lines of a file.
enum Step {
    /// A comment or an empty line.
    Text(String),
    Setup(String),
    OnlyTessera(String),
    Connection(String),
    Wait(String),
    Send(Vec<String>),
    Expect(Vec<String>),
}

fn parse(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in text.lines() {
        if let Some(sent) = line.strip_prefix("> ") {
            match steps.last_mut() {
                Some(Step::Send(lines)) => lines.push(sent.to_owned()),
                _ => steps.push(Step::Send(vec![sent.to_owned()])),
            }
        } else if let Some(expected) = line.strip_prefix("< ") {
            match steps.last_mut() {
                Some(Step::Expect(lines)) => lines.push(expected.to_owned()),
                _ => steps.push(Step::Expect(vec![expected.to_owned()])),
            }
        } else if let Some(sql) = line.strip_prefix("! ") {
            steps.push(Step::Setup(sql.to_owned()));
        } else if let Some(sql) = line.strip_prefix("? ") {
            steps.push(Step::Wait(sql.to_owned()));
        } else if line.starts_with("only tessera") {
            steps.push(Step::OnlyTessera(line.to_owned()));
        } else if line.starts_with('[') {
            steps.push(Step::Connection(line.to_owned()));
        } else {
            assert!(
                line.is_empty() || line.starts_with('#'),
                "a stray line: {line}"
            );
            steps.push(Step::Text(line.to_owned()));
        }
    }
    steps
}

/// The connections of one conversation.
struct Room<'a> {
    tenant: &'a Tenant,
    open: HashMap<String, Client>,
    current: String,
}

impl Room<'_> {
    fn client(&mut self) -> &mut Client {
        let tenant = self.tenant;
        self.open
            .entry(self.current.clone())
            .or_insert_with(|| tenant.connect())
    }

    /// Sends lines in one write; `Startup` and the like open a new socket for it.
    fn send(&mut self, lines: &[String]) {
        let first = lines[0].split(' ').next().unwrap_or_default();
        if matches!(first, "Startup" | "SSLRequest" | "GSSENCRequest" | "Dial") {
            let raw = Client::dial(&self.tenant.address).expect("the server accepts connections");
            self.open.entry(self.current.clone()).or_insert(raw);
        }
        let mut buf = BytesMut::new();
        for line in lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "Cancel" => self.cancel(rest),
                "Startup" => self.startup(rest, &mut buf),
                "Parse:" => write("Parse", &format!(": {rest}"), &mut buf),
                _ => write(word, rest, &mut buf),
            }
        }
        let _ = self.client().try_send_bytes(&buf);
    }

    /// Asks on a socket of its own to cancel what a connection runs, with its key or a wrong one.
    fn cancel(&mut self, rest: &str) {
        let (name, wrong) = match rest.strip_suffix(" wrongly") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let target = &self.open[name];
        let mut key = target.secret_key.clone();
        if wrong {
            key[0] ^= 1;
        }
        let mut buf = BytesMut::new();
        buf.put_u32(12 + key.len() as u32);
        buf.put_u32((1234 << 16) | 5678);
        buf.put_i32(target.process_id);
        buf.put_slice(&key);
        let mut other = Client::dial(&self.tenant.address).expect("the server accepts connections");
        other.send_bytes(&buf);
        assert!(
            other.read_to_close().is_empty(),
            "a cancel request is answered"
        );
    }

    /// `VERSION name=value …`; user and database are added.
    fn startup(&self, rest: &str, buf: &mut BytesMut) {
        let (version, options) = rest.split_once(' ').unwrap_or((rest, ""));
        let (major, minor) = version.split_once('.').expect("major.minor");
        let major: u32 = major.parse().expect("a number");
        let mut body = BytesMut::new();
        body.put_u32((major << 16) | minor.parse::<u32>().expect("a number"));
        let login = format!(
            "user={} database={} {options}",
            self.tenant.admin, self.tenant.name
        );
        for option in login.split_whitespace() {
            let (name, value) = option.split_once('=').expect("name=value");
            for part in [name, value] {
                body.put_slice(part.as_bytes());
                body.put_u8(0);
            }
        }
        body.put_u8(0);
        buf.put_u32(body.len() as u32 + 4);
        buf.put_slice(&body);
    }

    /// The next message as a line; nothing after a silence.
    fn read(&mut self) -> Option<String> {
        loop {
            let one_byte = self.client().login_trace == "?";
            if one_byte {
                self.client().login_trace.clear();
                return Some(format!("byte {}", self.client().read_byte() as char));
            }
            match self.client().try_read() {
                Ok(Some(message)) if message.tag == 'S' => {}
                Ok(Some(message)) => return Some(self.masked(&shown(&message))),
                Ok(None) => return Some("closed".to_owned()),
                Err(_) => return None,
            }
        }
    }

    /// Names that differ from run to run.
    fn masked(&self, line: &str) -> String {
        line.replace(&self.tenant.admin, "OWNER")
            .replace(&self.tenant.name, "TENANT")
    }
}

/// Writes a message: its name, then `name=value` options, then after `: ` a text to the line's end.
fn write(word: &str, rest: &str, buf: &mut BytesMut) {
    let (head, text) = match word {
        "Query" | "CopyData" | "CopyFail" | "Bytes" => ("", rest),
        _ => rest.split_once(": ").unwrap_or((rest, "")),
    };
    let mut words = Vec::new();
    let mut options = BTreeMap::new();
    for part in head.split_whitespace() {
        match part.split_once('=') {
            Some((name, value)) => {
                options.insert(name, value);
            }
            None => words.push(part),
        }
    }
    let text = text.replace("\\n", "\n").replace("\\t", "\t");
    let option = |name: &str| options.get(name).copied().unwrap_or_default();
    let word_at = |place: usize| words.get(place).copied().unwrap_or_default();
    let list = |name: &str| option(name).split(',').filter(|item| !item.is_empty());
    let kind = || {
        if word_at(0) == "statement" {
            b'S'
        } else {
            b'P'
        }
    };
    match word {
        "Query" => frontend::query(&text, buf),
        "Parse" => {
            let types = list("types").map(|oid| oid.parse().expect("a type's number"));
            frontend::parse(word_at(0), &text, types, buf)
        }
        "Bind" => {
            let given: Vec<Option<&str>> = list("values")
                .map(|value| (value != "NULL").then_some(value))
                .collect();
            let format = option("format").parse().unwrap_or(0);
            bind(option("portal"), option("statement"), &given, format, buf)
        }
        "Describe" => frontend::describe(kind(), word_at(1), buf),
        "Close" => frontend::close(kind(), word_at(1), buf),
        "Execute" => frontend::execute(option("portal"), option("rows").parse().unwrap_or(0), buf),
        "CopyData" => frontend::CopyData::new(text.as_bytes()).map(|data| data.write(buf)),
        "CopyFail" => frontend::copy_fail(&text, buf),
        "CopyDone" => {
            frontend::copy_done(buf);
            Ok(())
        }
        "Flush" => {
            frontend::flush(buf);
            Ok(())
        }
        "Sync" => {
            frontend::sync(buf);
            Ok(())
        }
        "Terminate" => {
            frontend::terminate(buf);
            Ok(())
        }
        "SSLRequest" => {
            buf.put_slice(&SSL_REQUEST);
            Ok(())
        }
        "GSSENCRequest" => {
            buf.put_slice(&GSS_REQUEST);
            Ok(())
        }
        "Dial" => Ok(()),
        "Bytes" => {
            for byte in text.split_whitespace() {
                buf.put_u8(u8::from_str_radix(byte, 16).expect("two hexadecimal digits"));
            }
            Ok(())
        }
        other => panic!("no such message: {other}"),
    }
    .expect("the message fits");
}

/// A message as one line.
fn shown(message: &Message) -> String {
    let body = &message.body;
    let text = || {
        String::from_utf8_lossy(body)
            .trim_end_matches('\0')
            .to_owned()
    };
    match message.tag {
        '1' => "ParseComplete".to_owned(),
        '2' => "BindComplete".to_owned(),
        '3' => "CloseComplete".to_owned(),
        'A' => "NotificationResponse".to_owned(),
        'C' => format!("CommandComplete {}", text()),
        'D' => {
            let cells = values(body);
            let cells: Vec<String> = cells
                .iter()
                .map(|cell| match cell {
                    None => "NULL".to_owned(),
                    Some(bytes) if bytes.iter().any(|&byte| byte < b' ') => format!("{bytes:02x?}"),
                    Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                })
                .collect();
            format!("DataRow {}", cells.join("|"))
        }
        'E' | 'N' => {
            let fields = error_fields(body);
            let name = if message.tag == 'E' {
                "ErrorResponse"
            } else {
                "NoticeResponse"
            };
            let mut line = format!("{name} {} {fields}", fields.field('S'));
            for (letter, title) in [('D', "detail"), ('W', "where"), ('P', "position")] {
                if !fields.field(letter).is_empty() {
                    let _ = write!(line, " | {title} {}", fields.field(letter));
                }
            }
            line.replace('\n', "\\n")
        }
        'G' | 'H' => {
            let mut cursor = Cursor(body);
            let overall = cursor.bytes(1)[0];
            let formats: Vec<String> = (0..cursor.i16())
                .map(|_| cursor.i16().to_string())
                .collect();
            let name = if message.tag == 'G' {
                "CopyInResponse"
            } else {
                "CopyOutResponse"
            };
            format!("{name} {overall} [{}]", formats.join(","))
        }
        'I' => "EmptyQueryResponse".to_owned(),
        'R' => format!("Authentication {}", Cursor(body).i32()),
        'T' => {
            let columns: Vec<String> = columns(body)
                .iter()
                .map(|column| {
                    let typmod = if column.typmod == -1 {
                        String::new()
                    } else {
                        format!("({})", column.typmod)
                    };
                    let format = if column.format == 1 { " binary" } else { "" };
                    format!("{}:{}{typmod}{format}", column.name, column.type_oid)
                })
                .collect();
            format!("RowDescription {}", columns.join(", "))
        }
        'Z' => format!("ReadyForQuery {}", text()),
        'c' => "CopyDone".to_owned(),
        'd' => format!(
            "CopyData {}",
            text().replace('\n', "\\n").replace('\t', "\\t")
        ),
        'n' => "NoData".to_owned(),
        's' => "PortalSuspended".to_owned(),
        't' => {
            let mut cursor = Cursor(body);
            let types: Vec<String> = (0..cursor.i16())
                .map(|_| cursor.u32().to_string())
                .collect();
            format!("ParameterDescription {}", types.join(","))
                .trim_end()
                .to_owned()
        }
        'v' => {
            let mut cursor = Cursor(body);
            let version = cursor.u32();
            let names: Vec<String> = (0..cursor.i32()).map(|_| cursor.string()).collect();
            let minor = version.wrapping_sub(PROTOCOL_3) & 0xffff;
            format!("NegotiateProtocolVersion 3.{minor} {}", names.join(","))
                .trim_end()
                .to_owned()
        }
        other => format!("{other} {}", text()),
    }
}

/// Holds the conversation; gives the file as it went, or the first difference.
fn hold(server: &Server, steps: &[Step], update: bool) -> Result<String, String> {
    let tenant = server.tenant();
    let mut room = Room {
        tenant: &tenant,
        open: HashMap::new(),
        current: "a".to_owned(),
    };
    let mut file = String::new();
    for (place, step) in steps.iter().enumerate() {
        match step {
            Step::Text(line) | Step::OnlyTessera(line) => {
                let _ = writeln!(file, "{line}");
            }
            Step::Setup(sql) => {
                let _ = writeln!(file, "! {sql}");
                tenant.connect().run(sql);
            }
            Step::Wait(sql) => {
                let _ = writeln!(file, "? {sql}");
                let mut other = tenant.connect();
                let deadline = Instant::now() + WAIT;
                while other.value(sql) != "t" {
                    if Instant::now() > deadline {
                        return Err(format!("it never became true: {sql}\n   after:\n{file}"));
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
            Step::Connection(line) => {
                let _ = writeln!(file, "{line}");
                room.current = line.trim_matches(['[', ']']).to_owned();
                if !matches!(steps.get(place + 1), Some(Step::Send(lines)) if opens(&lines[0])) {
                    room.client();
                }
            }
            Step::Send(lines) => {
                lines.iter().for_each(|line| {
                    let _ = writeln!(file, "> {line}");
                });
                room.send(lines);
                if matches!(
                    lines.last().map(String::as_str),
                    Some("SSLRequest" | "GSSENCRequest")
                ) {
                    room.client().login_trace = "?".to_owned();
                }
                if update {
                    room.client().set_read_timeout(SILENCE);
                    while let Some(line) = room.read() {
                        let _ = writeln!(file, "< {line}");
                        if line == "closed" {
                            break;
                        }
                    }
                }
            }
            Step::Expect(_) if update => {}
            Step::Expect(lines) => {
                for expected in lines {
                    let found = room.read().unwrap_or_else(|| "nothing".to_owned());
                    if found != *expected {
                        return Err(format!(
                            "expected {expected}\n   found {found}\n   after:\n{file}"
                        ));
                    }
                    let _ = writeln!(file, "< {found}");
                }
            }
        }
    }
    Ok(file)
}

fn opens(line: &str) -> bool {
    ["Startup", "SSLRequest", "GSSENCRequest", "Dial"]
        .iter()
        .any(|word| line.starts_with(word))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conversations")
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conv")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_conversation_goes_as_written() {
    let server = Server::start();
    let update = server.is_postgres() && std::env::var_os("TESSERA_CONVERSATIONS_UPDATE").is_some();
    let waiting = std::fs::read_to_string(folder().join("not_yet.txt")).unwrap_or_default();
    let waiting: Vec<&str> = waiting
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, _)| name)
        .collect();
    let mut wrong = Vec::new();
    for path in files() {
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let steps = parse(&std::fs::read_to_string(&path).expect("the file can be read"));
        let ours = steps
            .iter()
            .any(|step| matches!(step, Step::OnlyTessera(_)));
        if ours && server.is_postgres() {
            continue;
        }
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            hold(&server, &steps, update)
        }))
        .unwrap_or_else(|_| Err("it ended early".to_owned()));
        match held {
            Ok(file) if update => std::fs::write(&path, file).expect("the file can be written"),
            Ok(_) if !server.is_postgres() && waiting.contains(&name.as_str()) => {
                wrong.push(format!("{name}: passes now; take it off not_yet.txt"));
            }
            Err(why) if server.is_postgres() || !waiting.contains(&name.as_str()) => {
                wrong.push(format!("{name}: {why}"));
            }
            Ok(_) | Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_conversation_reads_its_lines() {
    let steps =
        parse("# a\n! CREATE TABLE t (a int)\n[b]\n> Parse s: SELECT 1\n> Sync\n< ParseComplete\n");
    assert_eq!(steps.len(), 5);
    assert!(matches!(&steps[3], Step::Send(lines) if lines.len() == 2));
}
