//! Where master keys come from: a file, an environment variable or a command's output.
//!
//! Each is a text of lines: 64 hexadecimal digits each, the key in force first and former ones below it;
//! empty lines and those that begin with # count for nothing. No error tells what a text holds.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::master::{MasterKey, unhex};
use super::ring::{KEY_BYTES, Secret};

/// The longest text of keys.
const MAX_TEXT_BYTES: u64 = 64 << 10;
/// How long the command may take.
const MAX_COMMAND_TIME: Duration = Duration::from_secs(10);
/// How often its end is looked for.
const COMMAND_STEP: Duration = Duration::from_millis(20);
/// Permissions that a key's file must not give: any to all others, and writing to the group.
const REFUSED_PERMISSIONS: u32 = 0o027;

/// Where the server's master keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MasterKeySource {
    File(PathBuf),
    /// The name of a variable.
    Environment(String),
    /// A program and its arguments.
    Command(Vec<String>),
}

impl MasterKeySource {
    /// Reads the keys, the one in force first; what is wrong is told without what was read.
    pub(super) fn read(&self) -> Result<Vec<MasterKey>, String> {
        let text = match self {
            Self::File(path) => read_file(path)?,
            Self::Environment(name) => match std::env::var(name) {
                Ok(text) => Zeroizing::new(text),
                Err(_) => return Err(format!("environment variable \"{name}\" is not set")),
            },
            Self::Command(words) => run(words)?,
        };
        let keys = parse(&text).ok_or_else(|| {
            format!(
                "{self} does not hold keys of {} hexadecimal digits",
                KEY_BYTES * 2
            )
        })?;
        if keys.is_empty() {
            return Err(format!("{self} holds no key"));
        }
        Ok(keys)
    }
}

impl std::fmt::Display for MasterKeySource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "file \"{}\"", path.display()),
            Self::Environment(name) => write!(f, "environment variable \"{name}\""),
            // Its arguments may be nobody's business.
            Self::Command(words) => {
                let program = words.first().map_or("", String::as_str);
                write!(f, "command \"{program}\"")
            }
        }
    }
}

fn parse(text: &str) -> Option<Vec<MasterKey>> {
    let lines = text.lines().map(str::trim);
    let keys = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    keys.map(|line| {
        let bytes = Zeroizing::new(unhex(line)?);
        let mut secret = Secret::default();
        if bytes.len() != KEY_BYTES {
            return None;
        }
        secret.copy_from_slice(&bytes);
        MasterKey::new(&secret)
    })
    .collect()
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, String> {
    let failed =
        |error: std::io::Error| format!("could not read file \"{}\": {error}", path.display());
    let file = std::fs::File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if meta.mode() & REFUSED_PERMISSIONS != 0 {
        return Err(format!(
            "file \"{}\" has access for others than its owner, or may be written by its group",
            path.display()
        ));
    }
    read_text(file).map_err(failed)
}

fn read_text(from: impl Read) -> std::io::Result<Zeroizing<String>> {
    // Room for all of it, so that no copy is left behind when it grows.
    let mut text = Zeroizing::new(String::with_capacity(MAX_TEXT_BYTES as usize + 1));
    from.take(MAX_TEXT_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn run(words: &[String]) -> Result<Zeroizing<String>, String> {
    let (program, arguments) = words.split_first().ok_or("no command is given")?;
    let failed = |error: &dyn std::fmt::Display| format!("command \"{program}\" failed: {error}");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(&error))?;
    let output = child.stdout.take();
    let reader = std::thread::spawn(move || output.map(read_text));
    let begin = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| failed(&error))? {
            Some(status) => break status,
            None if begin.elapsed() > MAX_COMMAND_TIME => {
                // It may have ended by itself just now.
                let _ = child.kill();
                let _ = child.wait();
                return Err(failed(&"it took too long"));
            }
            None => std::thread::sleep(COMMAND_STEP),
        }
    };
    if !status.success() {
        return Err(failed(&status));
    }
    match reader.join() {
        Ok(Some(Ok(text))) => Ok(text),
        _ => Err(failed(&"its output could not be read")),
    }
}
