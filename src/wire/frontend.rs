//! The client's messages, read from bytes. Every length, count and text is checked here before
//! anything is allocated for it or done with it.

use bytes::{Buf, Bytes};

use crate::error::{Error, Result};

/// The most parameters, formats or types that one message may name, as in PostgreSQL.
const MAX_PARAMETERS: usize = 65_535;

/// A message of a client that is logged in.
#[derive(Debug)]
pub(super) enum Message {
    Query(String),
    Parse { name: String, text: String, types: Vec<u32> },
    Bind(Bind),
    Describe(Target),
    Execute { portal: String, max_rows: usize },
    Close(Target),
    Flush,
    Sync,
    Terminate,
    CopyDone,
    CopyFail(String),
    /// Data of a COPY that is over.
    CopyData,
    Password,
}

/// The values for a prepared statement.
#[derive(Debug)]
pub(super) struct Bind {
    pub(super) portal: String,
    pub(super) statement: String,
    pub(super) formats: Vec<i16>,
    pub(super) values: Vec<Option<Bytes>>,
    pub(super) result_formats: Vec<i16>,
}

/// What Describe and Close name.
#[derive(Debug)]
pub(super) enum Target {
    Statement(String),
    Portal(String),
}

/// Whether a message of this tag may come, after login.
pub(super) fn is_known(tag: u8) -> bool {
    matches!(
        tag,
        b'Q' | b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'c' | b'f' | b'd' | b'p' | b'F'
    )
}

/// Reads the body of a message.
///
/// # Errors
///
/// 08P01 for a body that is not of the message's form, 22021 for a text that is not UTF-8.
pub(super) fn decode(tag: u8, body: Bytes) -> Result<Message> {
    let mut reader = Reader::new(body);
    let message = match tag {
        b'Q' => Message::Query(reader.cstring()?),
        b'P' => {
            let name = reader.cstring()?;
            let text = reader.cstring()?;
            let count = reader.count(4)?;
            let types = (0..count).map(|_| reader.u32()).collect::<Result<_>>()?;
            Message::Parse { name, text, types }
        }
        b'B' => Message::Bind(bind(&mut reader)?),
        b'D' => Message::Describe(reader.target("DESCRIBE")?),
        b'E' => {
            let portal = reader.cstring()?;
            let max_rows = reader.u32()? as i32;
            Message::Execute { portal, max_rows: usize::try_from(max_rows).unwrap_or(0) }
        }
        b'C' => Message::Close(reader.target("CLOSE")?),
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'X' => return Ok(Message::Terminate),
        b'c' => return Ok(Message::CopyDone),
        b'f' => Message::CopyFail(reader.cstring()?),
        b'd' => return Ok(Message::CopyData),
        b'p' => return Ok(Message::Password),
        b'F' => return Err(Error::Unsupported("the function call message".to_owned())),
        _ => return Err(Error::Protocol(format!("invalid frontend message type {tag}"))),
    };
    reader.end()?;
    Ok(message)
}

fn bind(reader: &mut Reader) -> Result<Bind> {
    let portal = reader.cstring()?;
    let statement = reader.cstring()?;
    let formats = reader.formats()?;
    let count = reader.count(4)?;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        let length = reader.u32()? as i32;
        values.push(match usize::try_from(length) {
            Ok(length) => Some(reader.take(length)?),
            Err(_) if length == -1 => None,
            Err(_) => return Err(malformed()),
        });
    }
    let result_formats = reader.formats()?;
    Ok(Bind { portal, statement, formats, values, result_formats })
}

/// Reads the fields of one message's body.
pub(super) struct Reader {
    body: Bytes,
}

impl Reader {
    pub(super) fn new(body: Bytes) -> Self {
        Self { body }
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.body.try_get_u8().map_err(|_| short())
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.body.try_get_u16().map_err(|_| short())
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.body.try_get_u32().map_err(|_| short())
    }

    pub(super) fn take(&mut self, length: usize) -> Result<Bytes> {
        if length > self.body.len() {
            return Err(short());
        }
        Ok(self.body.split_to(length))
    }

    pub(super) fn rest(&mut self) -> Bytes {
        self.body.split_off(0)
    }

    /// A text up to its zero byte.
    pub(super) fn cstring(&mut self) -> Result<String> {
        let end = memchr::memchr(0, &self.body)
            .ok_or_else(|| Error::Protocol("invalid string in message".to_owned()))?;
        let text = self.body.split_to(end);
        self.body.advance(1);
        crate::format::utf8(&text).map(str::to_owned)
    }

    /// A count of items that take at least `size` bytes each.
    fn count(&mut self, size: usize) -> Result<usize> {
        let count = usize::from(self.u16()?);
        if count > MAX_PARAMETERS || count * size > self.body.len() {
            return Err(short());
        }
        Ok(count)
    }

    fn formats(&mut self) -> Result<Vec<i16>> {
        let count = self.count(2)?;
        (0..count)
            .map(|_| match self.u16()? as i16 {
                format @ (0 | 1) => Ok(format),
                other => Err(Error::InvalidParameterValue(format!("unsupported format code: {other}"))),
            })
            .collect()
    }

    fn target(&mut self, message: &str) -> Result<Target> {
        let kind = self.u8()?;
        let name = self.cstring()?;
        match kind {
            b'S' => Ok(Target::Statement(name)),
            b'P' => Ok(Target::Portal(name)),
            other => Err(Error::Protocol(format!("invalid {message} message subtype {other}"))),
        }
    }

    pub(super) fn end(&self) -> Result<()> {
        if self.body.is_empty() { Ok(()) } else { Err(malformed()) }
    }
}

fn short() -> Error {
    Error::Protocol("insufficient data left in message".to_owned())
}

fn malformed() -> Error {
    Error::Protocol("invalid message format".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_checked_before_they_are_believed() {
        // 65535 parameters in a message of a few bytes.
        let body = Bytes::from_static(b"\0\0\0\0\xff\xff");
        assert!(matches!(decode(b'B', body), Err(Error::Protocol(_))));
        let body = Bytes::from_static(b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0");
        assert!(matches!(decode(b'B', body), Err(Error::Protocol(_))));
    }

    #[test]
    fn texts_are_strict_utf8() {
        let error = decode(b'Q', Bytes::from_static(b"select '\xc3('\0")).unwrap_err();
        assert_eq!(error.to_string(), "invalid byte sequence for encoding \"UTF8\": 0xc3 0x28");
        assert!(matches!(decode(b'Q', Bytes::from_static(b"select")), Err(Error::Protocol(_))));
        assert!(matches!(decode(b'Q', Bytes::from_static(b"a\0b\0")), Err(Error::Protocol(_))));
    }

    #[test]
    fn no_body_makes_the_reader_panic() {
        // Every tag with every prefix of a few bodies, and with each byte at its extremes.
        for tag in 0..=255u8 {
            for body in [&b"p\0s\0\0\x01\0\x01\0\x01\0\0\0\x02ab\0\x01\0\0"[..], b"S\0", b"", b"x\0y\0\0\x01\0\0\0\x17"] {
                for end in 0..=body.len() {
                    let _ = decode(tag, Bytes::copy_from_slice(&body[..end]));
                    for at in 0..end {
                        let mut bent = body[..end].to_vec();
                        bent[at] = 0xff;
                        let _ = decode(tag, Bytes::from(bent));
                    }
                }
            }
        }
    }
}
