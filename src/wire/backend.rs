//! The server's messages as bytes. Knows the protocol's layout, nothing of what the messages mean.

use tessera_catalog::sql_type::SqlType;

use super::sqlstate::{is_fatal, sqlstate};
use crate::error::Error;
use crate::session::{Notice, Notification, OutColumn};

/// Writes one message: its tag, its length, and the body that `body` appends.
pub(super) fn message(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(out);
    close(out, start);
}

/// Fills in the length of the message whose length field stands at `start`.
pub(super) fn close(out: &mut [u8], start: usize) {
    let length = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends a text that ends with a zero byte; zero bytes within are left out.
pub(super) fn cstring(out: &mut Vec<u8>, text: &str) {
    out.extend(text.bytes().filter(|byte| *byte != 0));
    out.push(0);
}

pub(super) fn authentication(out: &mut Vec<u8>, kind: u32, data: &[u8]) {
    message(out, b'R', |out| {
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(data);
    });
}

pub(super) fn parameter_status(out: &mut Vec<u8>, name: &str, value: &str) {
    message(out, b'S', |out| {
        cstring(out, name);
        cstring(out, value);
    });
}

pub(super) fn backend_key_data(out: &mut Vec<u8>, pid: i32, key: &[u8]) {
    message(out, b'K', |out| {
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(key);
    });
}

/// Tells the newest protocol version the server speaks and the options it does not know.
pub(super) fn negotiate_protocol_version(out: &mut Vec<u8>, version: u32, unknown: &[String]) {
    message(out, b'v', |out| {
        out.extend_from_slice(&version.to_be_bytes());
        out.extend_from_slice(&(unknown.len() as u32).to_be_bytes());
        for name in unknown {
            cstring(out, name);
        }
    });
}

pub(super) fn ready_for_query(out: &mut Vec<u8>, status: u8) {
    message(out, b'Z', |out| out.push(status));
}

pub(super) fn command_complete(out: &mut Vec<u8>, tag: &str) {
    message(out, b'C', |out| cstring(out, tag));
}

/// A message that is its tag alone, such as ParseComplete.
pub(super) fn bare(out: &mut Vec<u8>, tag: u8) {
    message(out, tag, |_| {});
}

pub(super) fn parameter_description(out: &mut Vec<u8>, parameters: &[SqlType]) {
    message(out, b't', |out| {
        out.extend_from_slice(&(parameters.len() as u16).to_be_bytes());
        for parameter in parameters {
            out.extend_from_slice(&parameter.oid().to_be_bytes());
        }
    });
}

/// Describes the columns of a result; `format` gives each column's format code.
pub(super) fn row_description(
    out: &mut Vec<u8>,
    columns: &[OutColumn],
    format: impl Fn(usize) -> i16,
) {
    message(out, b'T', |out| {
        out.extend_from_slice(&(columns.len() as u16).to_be_bytes());
        for (index, column) in columns.iter().enumerate() {
            // A value of an unknown type leaves as text, as in PostgreSQL.
            let sql_type = match &column.sql_type {
                SqlType::Unknown => &SqlType::Text,
                other => other,
            };
            cstring(out, &column.name);
            out.extend_from_slice(&column.table.to_be_bytes());
            out.extend_from_slice(&column.column.to_be_bytes());
            out.extend_from_slice(&sql_type.oid().to_be_bytes());
            out.extend_from_slice(&sql_type.typlen().to_be_bytes());
            out.extend_from_slice(&sql_type.typmod().to_be_bytes());
            out.extend_from_slice(&format(index).to_be_bytes());
        }
    });
}

/// Opens a COPY: `tag` is `G` for data from the client and `H` for data to it.
pub(super) fn copy_response(out: &mut Vec<u8>, tag: u8, binary: bool, columns: usize) {
    message(out, tag, |out| {
        out.push(u8::from(binary));
        out.extend_from_slice(&(columns as u16).to_be_bytes());
        for _ in 0..columns {
            out.extend_from_slice(&u16::from(binary).to_be_bytes());
        }
    });
}

/// Tells the client of an error; `fatal` when the connection ends with it.
pub(super) fn error_response(out: &mut Vec<u8>, error: &Error, fatal: bool) {
    let severity = if fatal || is_fatal(error) {
        "FATAL"
    } else {
        "ERROR"
    };
    message(out, b'E', |out| {
        let mut field = |tag: u8, text: &str| {
            out.push(tag);
            cstring(out, text);
        };
        field(b'S', severity);
        field(b'V', severity);
        field(b'C', sqlstate(error));
        field(b'M', &error.to_string());
        if let Some(detail) = error.detail() {
            field(b'D', &detail);
        }
        if let Some(hint) = error.hint() {
            field(b'H', &hint);
        }
        if let Some(context) = error.context() {
            field(b'W', context);
        }
        for (tag, text) in objects(error) {
            field(tag, &text);
        }
        out.push(0);
    });
}

/// The position and the names of the objects that an error is about, as fields of their own.
fn objects(error: &Error) -> Vec<(u8, String)> {
    match error {
        Error::Syntax {
            position: Some(position),
            ..
        } => vec![(b'P', position.to_string())],
        Error::NotNull {
            column, relation, ..
        } => {
            vec![(b't', relation.clone()), (b'c', column.clone())]
        }
        Error::Check {
            relation,
            constraint,
            ..
        }
        | Error::Unique {
            relation,
            constraint,
            ..
        }
        | Error::ForeignKey {
            relation,
            constraint,
            ..
        }
        | Error::MixedNulls {
            relation,
            constraint,
        }
        | Error::StillReferenced {
            relation,
            constraint,
            ..
        } => {
            vec![(b't', relation.clone()), (b'n', constraint.clone())]
        }
        // pgjdbc prepares again only if the error comes from this place in PostgreSQL.
        Error::ResultTypeChanged => vec![(b'R', "RevalidateCachedQuery".to_owned())],
        Error::At { source, .. } => objects(source),
        Error::InSchema { source, schema } => {
            let mut fields = objects(source);
            fields.insert(0, (b's', schema.clone()));
            fields
        }
        Error::Placed { source, position } => {
            let mut fields = objects(source);
            fields.insert(0, (b'P', position.to_string()));
            fields
        }
        _ => Vec::new(),
    }
}

/// A message of NOTIFY.
pub(super) fn notification_response(out: &mut Vec<u8>, notification: &Notification) {
    message(out, b'A', |out| {
        out.extend_from_slice(&notification.pid.to_be_bytes());
        cstring(out, &notification.channel);
        cstring(out, &notification.payload);
    });
}

pub(super) fn notice_response(out: &mut Vec<u8>, notice: &Notice) {
    message(out, b'N', |out| {
        let mut field = |tag: u8, text: &str| {
            out.push(tag);
            cstring(out, text);
        };
        field(b'S', notice.severity);
        field(b'V', notice.severity);
        field(b'C', notice.sqlstate);
        field(b'M', &notice.message);
        if let Some(detail) = &notice.detail {
            field(b'D', detail);
        }
        if let Some(hint) = &notice.hint {
            field(b'H', hint);
        }
        out.push(0);
    });
}
